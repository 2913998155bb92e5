/* SPDX-License-Identifier: MIT */
#include "turn_list.h"

#include "app/json.h"
#include "base/mem.h"
#include "turn/turn_core.h"
#include "turn_worker_internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

struct turn_lister {
    struct daemon *daemon;
    struct turn_server *server;
};

/* One question; each worker that was asked holds a reference, since it may
 * answer after nobody waits any more. */
struct listing {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    unsigned refs;
    unsigned left; /* workers that have not answered */
    struct turn_server *server;
    struct buf json;
};

enum { LISTING_MAX = 8 * 1024 * 1024 };

static void listing_unref(struct listing *l)
{
    unsigned refs;

    pthread_mutex_lock(&l->lock);
    refs = --l->refs;
    pthread_mutex_unlock(&l->lock);
    if (refs > 0)
        return;
    buf_deinit(&l->json);
    pthread_cond_destroy(&l->answered);
    pthread_mutex_destroy(&l->lock);
    mem_free(l);
}

static struct listing *listing_new(struct turn_server *server)
{
    struct listing *l = mem_zalloc(sizeof(*l));
    pthread_condattr_t attr;

    if (!l)
        return NULL;
    /* these fail only for lack of memory, and glibc takes none */
    (void)pthread_mutex_init(&l->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&l->answered, &attr);
    (void)pthread_condattr_destroy(&attr);
    l->refs = 1;
    l->server = server;
    buf_init(&l->json, LISTING_MAX);
    return l;
}

static void put_number(struct buf *json, const char *key, uint64_t value)
{
    json_key(json, key);
    json_u64(json, value);
}

static void put_relayed(struct buf *json, const struct turn_alloc_info *info)
{
    char text[ADDR_TEXT_SIZE];

    json_key(json, "relayed");
    json_open(json, '[');
    for (size_t i = 0; i < 2; i++) {
        if (info->relayed[i].family != ADDR_NONE)
            json_str(json, addr_str(&info->relayed[i], text));
    }
    json_close(json, ']');
}

static void put_allocation(struct buf *json, const struct turn_alloc_info *info,
                           uint64_t now)
{
    static const char *const transports[] = {"udp", "tcp", "tls", "dtls"};
    char text[ADDR_TEXT_SIZE];

    json_open(json, '{');
    json_key(json, "client");
    json_str(json, addr_str(&info->client.remote, text));
    json_key(json, "transport");
    json_str(json, transports[info->client.transport]);
    json_key(json, "realm");
    json_string(json, info->realm);
    json_key(json, "user");
    json_string(json, info->user);
    put_relayed(json, info);
    put_number(json, "expires_in",
               info->expires > now ? (info->expires - now) / 1000 : 0);
    put_number(json, "permissions", info->permissions);
    put_number(json, "channels", info->channels);
    if (info->is_tcp)
        put_number(json, "tcp_connections", info->connections);
    put_number(json, "packets_to_peers", info->packets[0]);
    put_number(json, "packets_to_client", info->packets[1]);
    put_number(json, "bytes_to_peers", info->bytes[0]);
    put_number(json, "bytes_to_client", info->bytes[1]);
    json_close(json, '}');
}

/* On a worker's thread. Written aside first: the lock is held for the copy
 * alone. */
static void answer(struct worker *worker, void *arg)
{
    struct listing *l = arg;
    const struct turn_worker *w =
        turn_server_worker(l->server, worker_index(worker));
    struct turn_alloc_info info;
    struct buf part;
    uint32_t pos = 0;
    uint64_t now = worker_now(worker);

    buf_init(&part, LISTING_MAX);
    for (int n = 0; n < TURN_LIST_MAX && w && w->core &&
                    turn_core_each(w->core, &pos, now, &info);
         n++) {
        if (n > 0)
            buf_put_byte(&part, ',');
        put_allocation(&part, &info, now);
    }
    pthread_mutex_lock(&l->lock);
    if (buf_len(&part) > 0 && buf_err(&part) == 0) {
        if (buf_len(&l->json) > 0)
            buf_put_byte(&l->json, ',');
        buf_put_span(&l->json, buf_span(&part));
    }
    l->left--;
    pthread_cond_signal(&l->answered);
    pthread_mutex_unlock(&l->lock);
    buf_deinit(&part);
    listing_unref(l);
}

static void ask(const struct turn_lister *lister, struct listing *l)
{
    for (unsigned i = 0; i < daemon_workers(lister->daemon); i++) {
        struct worker *worker = daemon_worker(lister->daemon, i);

        pthread_mutex_lock(&l->lock);
        l->refs++;
        l->left++;
        pthread_mutex_unlock(&l->lock);
        if (worker && worker_post(worker, answer, l) == 0)
            continue;
        pthread_mutex_lock(&l->lock);
        l->left--;
        pthread_mutex_unlock(&l->lock);
        listing_unref(l);
    }
}

/* Wait, then copy what there is. */
static int collect(struct listing *l, struct buf *body)
{
    struct timespec until;
    int err = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += TURN_LIST_WAIT_MS / 1000;
    pthread_mutex_lock(&l->lock);
    while (l->left > 0 && err == 0)
        err = pthread_cond_timedwait(&l->answered, &l->lock, &until);
    buf_put_byte(body, '[');
    buf_put_span(body, buf_span(&l->json));
    buf_put_byte(body, ']');
    pthread_mutex_unlock(&l->lock);
    return buf_err(body) == 0 ? 200 : 500;
}

static int on_request(const struct admin_request *request, struct buf *body,
                      void *arg)
{
    const struct turn_lister *lister = arg;
    struct listing *l = listing_new(lister->server);
    int status;

    (void)request;
    if (!l)
        return 500;
    ask(lister, l);
    status = collect(l, body);
    listing_unref(l);
    return status;
}

int turn_list_serve(struct turn_lister **ret_lister, struct daemon *daemon,
                    void *server, struct admin *admin)
{
    struct turn_lister *lister = mem_zalloc(sizeof(*lister));
    int err;

    if (!lister)
        return -ENOMEM;
    lister->daemon = daemon;
    lister->server = server;
    err = admin_handle(admin, "GET", "/allocations", on_request, lister);
    if (err < 0) {
        mem_free(lister);
        return err;
    }
    *ret_lister = lister;
    return 0;
}

void turn_list_free(struct turn_lister *lister)
{
    mem_free(lister);
}
