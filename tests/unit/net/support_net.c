/* SPDX-License-Identifier: MIT */
#include "support_net.h"

#include "net/alarm.h"
#include "support/unit.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

static struct worker *the_worker;

struct worker *net_worker(void)
{
    return the_worker;
}

void net_setup(void)
{
    ck_assert_int_eq(worker_new(&the_worker, 0, 0), 0);
}

void net_teardown(void)
{
    ck_assert_int_eq(worker_free(the_worker, 1000), 0);
    ck_assert_no_blocks();
}

/* Without the stop, the turn at whose start it fires would wait for the next
 * event. */
static void on_deadline(struct alarm *alarm, uint64_t now)
{
    (void)now;
    uv_stop(worker_loop(alarm->worker));
}

static bool is_true(const void *arg)
{
    return *(const bool *)arg;
}

struct count {
    const unsigned *value;
    unsigned want;
};

static bool is_reached(const void *arg)
{
    const struct count *c = arg;

    return *c->value >= c->want;
}

static bool is_never(const void *arg)
{
    (void)arg;
    return false;
}

static bool turn(bool (*condition)(const void *arg), const void *arg,
                 unsigned ms)
{
    struct alarm deadline;
    uv_loop_t *loop = worker_loop(the_worker);

    uv_update_time(loop);
    alarm_init(&deadline, the_worker, on_deadline);
    alarm_set(&deadline, worker_now(the_worker) + ms);
    while (!condition(arg) && alarm_is_set(&deadline))
        uv_run(loop, UV_RUN_ONCE);
    alarm_cancel(&deadline);
    return condition(arg);
}

bool net_until(const bool *flag)
{
    return turn(is_true, flag, NET_DEADLINE_MS);
}

bool net_until_count(const unsigned *value, unsigned want)
{
    struct count c = {value, want};

    return turn(is_reached, &c, NET_DEADLINE_MS);
}

void net_for(unsigned ms)
{
    (void)turn(is_never, NULL, ms);
}

struct addr net_loopback(enum addr_family family, uint16_t port)
{
    struct addr a = {.family = (uint8_t)family, .port = port};

    if (family == ADDR_V6)
        a.ip[15] = 1;
    else
        a = addr_v4(INADDR_LOOPBACK, port);
    return a;
}

bool net_has_ipv6(void)
{
    struct addr a = net_loopback(ADDR_V6, 0);
    struct sockaddr_storage sa;
    socklen_t len = addr_to_sockaddr(&a, &sa);
    int fd = socket(AF_INET6, SOCK_DGRAM, 0);
    bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&sa, len) == 0;

    if (fd >= 0)
        close(fd);
    return ok;
}
