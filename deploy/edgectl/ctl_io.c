/* SPDX-License-Identifier: MIT */
#include "ctl_commands.h"

#include "base/err.h"
#include "ctl/ctl_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

bool ctl_flush(struct buf *out)
{
    struct span text = buf_span(out);
    int err = buf_err(out);

    if (err == 0 && text.len &&
        fwrite(text.ptr, 1, text.len, stdout) != text.len)
        err = -EIO;
    if (err == 0 && fflush(stdout) != 0)
        err = -errno;
    if (err < 0)
        (void)fprintf(stderr, "edgectl: output: %s\n", err_str(err));
    buf_deinit(out);
    return err == 0;
}

void ctl_say(FILE *to, const char *before, struct span line)
{
    struct buf text;

    buf_init(&text, CTL_ERROR_MAX);
    ctl_screen(line, &text);
    (void)fprintf(to, "%s%.*s\n", before, SPAN_FMT(buf_span(&text)));
    buf_deinit(&text);
}

int ctl_fail(const struct ctl_args *args, struct buf *error, int code)
{
    struct span text = buf_span(error), line;
    char before[64];

    (void)snprintf(before, sizeof(before), "edgectl %s: ", args->command->name);
    while (span_next(&text, '\n', &line))
        ctl_say(stderr, before, line);
    buf_deinit(error);
    return code;
}

/* Into one block, so that no copy of a secret stays behind. */
int ctl_read_file(const char *path, size_t max, struct buf *out)
{
    int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO)
                                    : open(path, O_RDONLY | O_CLOEXEC);
    uint8_t *room = buf_reserve(out, max + 1);
    int err = fd < 0 ? -errno : room ? 0 : buf_err(out);
    size_t len = 0;
    ssize_t n = 1;

    while (err == 0 && n != 0 && len <= max) {
        n = read(fd, room + len, max + 1 - len);
        if (n > 0)
            len += (size_t)n;
        else if (n < 0 && errno != EINTR)
            err = -errno;
    }
    if (err == 0 && len > max)
        err = ERR_LIMIT;
    if (err == 0)
        buf_commit(out, len);
    if (fd >= 0)
        (void)close(fd);
    return err;
}
