/* SPDX-License-Identifier: MIT */
#include "ctl_commands.h"

#include "base/err.h"

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

int ctl_fail(const struct ctl_args *args, struct buf *error, int code)
{
    struct span text = buf_span(error), line;

    while (span_next(&text, '\n', &line))
        (void)fprintf(stderr, "edgectl %s: %.*s\n", args->command->name,
                      SPAN_FMT(line));
    buf_deinit(error);
    return code;
}

int ctl_read_file(const char *path, size_t max, struct buf *out)
{
    int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO)
                                    : open(path, O_RDONLY | O_CLOEXEC);
    int err = 0;
    ssize_t n = 1;

    if (fd < 0)
        return -errno;
    while (err == 0 && n > 0) {
        uint8_t *room = buf_reserve(out, 4096);

        n = room ? read(fd, room, 4096) : -1;
        if (!room)
            err = buf_err(out);
        else if (n < 0 && errno != EINTR)
            err = -errno;
        else if (n < 0)
            n = 1;
        else
            buf_commit(out, (size_t)n);
        if (err == 0 && buf_len(out) > max)
            err = ERR_LIMIT;
    }
    (void)close(fd);
    return err;
}
