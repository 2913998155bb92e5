/* SPDX-License-Identifier: MIT */
#include "web_config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int web_config_read_file(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
    uint8_t *room;
    ssize_t n = 1;

    if (fd < 0)
        return -errno;
    while (err == 0 && n > 0) {
        room = buf_reserve(out, 4096);
        n = room ? read(fd, room, 4096) : 0;
        if (n < 0)
            err = -errno;
        else if (room)
            buf_commit(out, (size_t)n);
        else
            err = buf_err(out);
    }
    close(fd);
    return err;
}
