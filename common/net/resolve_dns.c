/* SPDX-License-Identifier: MIT */
#include "net/resolve_dns.h"

#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"
#include "net/alarm.h"
#include "net/resolve.h"

/* ares_query() is the one function Debian 12 and 13 both have. */
#define CARES_NO_DEPRECATED 1
#include <ares.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <sys/time.h>
#include <uv.h>

enum {
    TRIES = 2,
    /* c-ares doubles the time of the second try. */
    TRY_PARTS = 3,
};

/* A socket of c-ares'. It opens and closes them; we watch. */
struct dns_socket {
    uv_poll_t poll;
    struct list node;
    struct dns *dns;
    ares_socket_t fd;
    int mask;
};

struct dns {
    struct worker *worker;
    ares_channel channel;
    struct list sockets;
    unsigned handles;
    struct alarm alarm;
    struct worker_task close_task;
    bool closing;
    bool task_done;
    void (*on_closed)(void *arg);
    void *arg;
};

struct question {
    void (*answer)(void *arg, int err, const struct addr *addrs, size_t n,
                   uint32_t ttl_s);
    void *arg;
};

/* ---- c-ares' sockets and time ---- */

static void set_alarm(struct dns *dns)
{
    struct timeval tv;

    if (!ares_timeout(dns->channel, NULL, &tv)) {
        alarm_cancel(&dns->alarm);
        return;
    }
    alarm_set(&dns->alarm, worker_now(dns->worker) +
                               (uint64_t)tv.tv_sec * 1000 +
                               (uint64_t)tv.tv_usec / 1000 + 1);
}

static void on_alarm(struct alarm *alarm, uint64_t now)
{
    struct dns *dns = CONTAINER_OF(alarm, struct dns, alarm);

    (void)now;
    ares_process_fd(dns->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    set_alarm(dns);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct dns_socket *sock = poll->data;
    struct dns *dns = sock->dns;
    ares_socket_t fd = sock->fd;

    if (status < 0)
        events = UV_READABLE | UV_WRITABLE;
    ares_process_fd(dns->channel, events & UV_READABLE ? fd : ARES_SOCKET_BAD,
                    events & UV_WRITABLE ? fd : ARES_SOCKET_BAD);
    /* The socket may be closing by now; its struct is still there. */
    if (status < 0 && !uv_is_closing((uv_handle_t *)poll))
        uv_poll_start(poll, sock->mask, on_poll);
    set_alarm(dns);
}

static void release(struct dns *dns)
{
    void (*on_closed)(void *arg) = dns->on_closed;
    void *arg = dns->arg;

    if (dns->handles > 0 || !dns->task_done)
        return;
    mem_free(dns);
    on_closed(arg);
}

static void on_socket_closed(uv_handle_t *handle)
{
    struct dns_socket *sock = handle->data;
    struct dns *dns = sock->dns;

    mem_free(sock);
    dns->handles--;
    if (dns->closing)
        release(dns);
}

static struct dns_socket *find_socket(struct dns *dns, ares_socket_t fd)
{
    LIST_FOREACH (node, &dns->sockets) {
        struct dns_socket *sock = CONTAINER_OF(node, struct dns_socket, node);

        if (sock->fd == fd)
            return sock;
    }
    return NULL;
}

/* NULL when out of memory: c-ares' time-out then ends the question. */
static struct dns_socket *add_socket(struct dns *dns, ares_socket_t fd)
{
    struct dns_socket *sock = mem_zalloc(sizeof(*sock));

    if (!sock)
        return NULL;
    if (uv_poll_init_socket(worker_loop(dns->worker), &sock->poll, fd) < 0) {
        mem_free(sock);
        return NULL;
    }
    sock->poll.data = sock;
    sock->dns = dns;
    sock->fd = fd;
    dns->handles++;
    list_push_back(&dns->sockets, &sock->node);
    return sock;
}

static void on_socket_state(void *arg, ares_socket_t fd, int readable,
                            int writable)
{
    struct dns *dns = arg;
    struct dns_socket *sock = find_socket(dns, fd);
    int mask = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);

    if (!sock && mask)
        sock = add_socket(dns, fd);
    if (!sock)
        return;
    if (mask) {
        sock->mask = mask;
        uv_poll_start(&sock->poll, mask, on_poll);
    } else {
        list_remove(&sock->node);
        uv_close((uv_handle_t *)&sock->poll, on_socket_closed);
    }
}

/* ---- questions ---- */

static int translate(int status)
{
    switch (status) {
    case ARES_SUCCESS:
        return 0;
    case ARES_ETIMEOUT:
        return -ETIMEDOUT;
    case ARES_ENOMEM:
        return -ENOMEM;
    default:
        return ERR_RESOLVE;
    }
}

static size_t collect(const struct ares_addrinfo *info, struct addr *addrs,
                      uint32_t *ret_ttl)
{
    size_t n = 0;
    uint32_t ttl = UINT32_MAX;

    for (const struct ares_addrinfo_node *node = info->nodes;
         node && n < RESOLVE_ADDRS_MAX; node = node->ai_next) {
        if (addr_from_sockaddr(node->ai_addr, &addrs[n]) < 0)
            continue;
        n++;
        if (node->ai_ttl >= 0 && (uint32_t)node->ai_ttl < ttl)
            ttl = (uint32_t)node->ai_ttl;
    }
    *ret_ttl = n > 0 ? ttl : 0;
    return n;
}

static void on_addrinfo(void *arg, int status, int timeouts,
                        struct ares_addrinfo *info)
{
    struct question *q = arg;
    struct addr addrs[RESOLVE_ADDRS_MAX];
    int err = translate(status);
    uint32_t ttl = 0;
    size_t n = 0;

    (void)timeouts;
    if (info)
        n = collect(info, addrs, &ttl);
    if (err == 0 && n == 0)
        err = ERR_RESOLVE;
    q->answer(q->arg, err, addrs, err < 0 ? 0 : n, ttl);
    ares_freeaddrinfo(info);
    mem_free(q);
}

void dns_ask(struct dns *dns, const char *name, enum addr_family family,
             void (*answer)(void *arg, int err, const struct addr *addrs,
                            size_t n, uint32_t ttl_s),
             void *arg)
{
    struct ares_addrinfo_hints hints = {
        .ai_flags = ARES_AI_NOSORT, /* sorting would open sockets */
        .ai_family = family == ADDR_V4   ? AF_INET
                     : family == ADDR_V6 ? AF_INET6
                                         : AF_UNSPEC,
        .ai_socktype = SOCK_STREAM, /* else each address comes thrice */
    };
    struct question *q = mem_alloc(sizeof(*q));

    if (!q) {
        answer(arg, -ENOMEM, NULL, 0, 0);
        return;
    }
    q->answer = answer;
    q->arg = arg;
    ares_getaddrinfo(dns->channel, name, NULL, &hints, on_addrinfo, q);
    set_alarm(dns);
}

/* ---- records ---- */

struct records_question {
    enum dns_type type;
    void (*answer)(void *arg, int err, const struct dns_records *records);
    void *arg;
};

static void on_records(void *arg, int status, int timeouts,
                       unsigned char *reply, int len)
{
    struct records_question *q = arg;
    struct dns_records records = {.type = q->type};
    int err = translate(status);

    (void)timeouts;
    if (reply && len > 0 &&
        dns_records_read(span_of(reply, (size_t)len), q->type, &records) < 0) {
        memset(&records, 0, sizeof(records));
        err = ERR_RESOLVE;
    }
    /* Only of "no such name" and "no such record" is the TTL meant. */
    if (status != ARES_SUCCESS && status != ARES_ENODATA &&
        status != ARES_ENOTFOUND)
        records.ttl = 0;
    if (err == 0 && records.n == 0)
        err = ERR_RESOLVE;
    if (err < 0)
        records.n = 0;
    q->answer(q->arg, err, &records);
    mem_free(q);
}

void dns_ask_records(struct dns *dns, const char *name, enum dns_type type,
                     void (*answer)(void *arg, int err,
                                    const struct dns_records *records),
                     void *arg)
{
    static const struct dns_records none;
    struct records_question *q = mem_alloc(sizeof(*q));

    if (!q) {
        answer(arg, -ENOMEM, &none);
        return;
    }
    *q = (struct records_question){type, answer, arg};
    ares_query(dns->channel, name, 1 /* IN */, (int)type, on_records, q);
    set_alarm(dns);
}

/* ---- life ---- */

static void init_library(void)
{
    (void)ares_library_init(ARES_LIB_INIT_ALL); /* does nothing on Unix */
}

static void on_close_task(struct worker_task *task)
{
    struct dns *dns = CONTAINER_OF(task, struct dns, close_task);

    dns->task_done = true;
    release(dns);
}

int dns_new(struct dns **ret_dns, struct worker *worker, const char *servers,
            unsigned timeout_ms)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct ares_options options = {
        .timeout = (int)(timeout_ms / TRY_PARTS) + 1,
        .tries = TRIES,
        .sock_state_cb = on_socket_state,
    };
    struct dns *dns = mem_zalloc(sizeof(*dns));
    int err = -ENOMEM;

    if (!dns)
        return -ENOMEM;
    pthread_once(&once, init_library);
    dns->worker = worker;
    list_init(&dns->sockets);
    alarm_init(&dns->alarm, worker, on_alarm);
    worker_task_init(&dns->close_task, on_close_task);
    options.sock_state_cb_data = dns;
    if (ares_init_options(&dns->channel, &options,
                          ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                              ARES_OPT_SOCK_STATE_CB) != ARES_SUCCESS)
        goto fail;
    if (servers &&
        ares_set_servers_ports_csv(dns->channel, servers) != ARES_SUCCESS) {
        ares_destroy(dns->channel);
        err = ERR_CONFIG;
        goto fail;
    }
    *ret_dns = dns;
    return 0;

fail:
    mem_free(dns);
    return err;
}

void dns_close(struct dns *dns, void (*on_closed)(void *arg), void *arg)
{
    dns->on_closed = on_closed;
    dns->arg = arg;
    dns->closing = true;
    alarm_cancel(&dns->alarm);
    ares_destroy(dns->channel); /* answers all, closes all sockets */
    worker_defer(dns->worker, &dns->close_task);
}
