/* SPDX-License-Identifier: MIT */
#include "app/notify.h"

#include "base/span.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void notify_send(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    size_t len = path ? strlen(path) : 0;
    int fd;

    if (len < 2 || len >= sizeof(sa.sun_path) ||
        (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(sa.sun_path, path, len);
    if (sa.sun_path[0] == '@') /* abstract */
        sa.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    (void)sendto(fd, text, strlen(text), MSG_NOSIGNAL,
                 (const struct sockaddr *)&sa,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    close(fd);
}

void notify_reloading(void)
{
    struct timespec now = {0};
    char text[80];

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    (void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
                   (uint64_t)now.tv_sec * 1000000 +
                       (uint64_t)now.tv_nsec / 1000);
    notify_send(text);
}

static uint64_t number_of(const char *variable)
{
    const char *text = getenv(variable);
    uint64_t value;

    if (!text || span_to_u64(span_str(text), UINT64_MAX, &value) < 0)
        return 0;
    return value;
}

uint64_t notify_watchdog_ms(void)
{
    uint64_t pid = number_of("WATCHDOG_PID");
    uint64_t usec = number_of("WATCHDOG_USEC");

    if (usec == 0 || (pid && pid != (uint64_t)getpid()))
        return 0;
    return usec / 2000 ? usec / 2000 : 1; /* twice as often as demanded */
}
