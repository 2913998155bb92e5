/* SPDX-License-Identifier: MIT */
/* The table of sessions: who gets a packet, limits, time-outs, events. */
#include "net/dtls.h"

#include "base/err.h"
#include "base/mem.h"
#include "net/dtls_private.h"
#include "net/handshake_rate.h"

#define LOG_COMPONENT "net"
#include "base/log.h"

#include <errno.h>
#include <mbedtls/error.h>

_Static_assert(sizeof(struct dtls_path) == 2 * sizeof(struct addr),
               "its bytes are a key");

enum {
    MAX_SESSIONS_DEFAULT = 10000,
    MAX_HALF_OPEN_DEFAULT = 256,
    MAX_HALF_OPEN_SOURCE_DEFAULT = 16,
    HANDSHAKE_MS_DEFAULT = 15000,
    RETRANSMIT_MS_DEFAULT = 1000,
    IDLE_MS_DEFAULT = 600000,
    COOKIE_MS_DEFAULT = 30000,
    SILENT = 1, /* in place of an error: no event */
};

static struct span path_key(const struct dtls_path *path)
{
    return span_of(path, sizeof(*path));
}

static struct dtls_client client_of(const struct dtls_session *s)
{
    return (struct dtls_client){s->id, s->path.remote, s->path.local, s->udp};
}

/* ---- the end of a session ---- */

static void leave_half_open(struct dtls_session *s)
{
    if (!s->is_counted)
        return;
    s->is_counted = false;
    conn_limit_give(s->dtls->half_open, &s->path.remote);
    stats_dec(&s->dtls->stats->half_open);
}

static void release(struct dtls_session *s)
{
    struct dtls *dtls = s->dtls;

    dtls_session_deinit(s);
    if (dtls->options.limit)
        conn_limit_give(dtls->options.limit, &s->path.remote);
    pool_give(dtls->sessions, s);
}

/* `err` as for on_closed, or SILENT. The session is found by nobody from now
 * on; its memory goes when it is not in use further up the stack. */
static void end_session(struct dtls_session *s, int err)
{
    struct dtls *dtls = s->dtls;
    const struct dtls_events *events = dtls->options.events;
    bool was_open = s->is_open;

    if (s->is_dead)
        return;
    if (was_open && err != ERR_TLS)
        dtls_session_notify(s);
    s->is_dead = true;
    s->is_open = false;
    alarm_cancel(&s->alarm);
    leave_half_open(s);
    (void)map_remove(&dtls->by_path, path_key(&s->path));
    if (was_open) {
        struct dtls_client client = client_of(s);

        stats_dec(&dtls->stats->sessions);
        if (err != SILENT)
            events->on_closed(dtls, &client, err, dtls->options.arg);
    }
    if (!s->is_busy)
        release(s);
}

static void fail_session(struct dtls_session *s)
{
    if (log_is_on(LOG_LEVEL_DEBUG)) {
        char reason[160];
        char peer[ADDR_TEXT_SIZE];

        mbedtls_strerror(s->code, reason, sizeof(reason));
        log_debug("DTLS session failed peer=%s handshake=%s tls=\"%s\"",
                  addr_str(&s->path.remote, peer),
                  s->is_open ? "done" : "not-done", reason);
    }
    if (s->is_open)
        stats_inc(&s->dtls->stats->closed_error);
    else
        stats_inc(&s->dtls->stats->handshake_failed);
    end_session(s, ERR_TLS);
}

/* ---- progress ---- */

static void opened(struct dtls_session *s)
{
    struct dtls *dtls = s->dtls;
    struct dtls_client client = client_of(s);

    s->is_open = true;
    s->last_in = worker_now(dtls->worker);
    s->limit_at = s->last_in + dtls->options.idle_timeout_ms;
    leave_half_open(s);
    stats_inc(&dtls->stats->handshakes);
    stats_inc(&dtls->stats->sessions);
    if (dtls->options.events->on_open)
        dtls->options.events->on_open(dtls, &client, dtls->options.arg);
}

static void shake_hands(struct dtls_session *s)
{
    switch (dtls_session_handshake(s)) {
    case DTLS_OPENED:
        opened(s);
        break;
    case DTLS_FAILED:
        fail_session(s);
        break;
    default:
        break;
    }
}

static void hand_up(struct dtls_session *s, const struct udp_packet *packet,
                    size_t at, size_t len)
{
    struct dtls *dtls = s->dtls;
    struct dtls_client client = client_of(s);
    struct udp_packet plain = *packet;

    plain.data += at;
    plain.len = len;
    stats_inc(&dtls->stats->records_in);
    dtls->options.events->on_data(dtls, &client, &plain, at == 0,
                                  dtls->options.arg);
}

/* All records of the datagram. The plaintext of each lies where ciphertext
 * was that mbedTLS has copied already: it is the shorter one. */
static void read_records(struct dtls_session *s,
                         const struct udp_packet *packet)
{
    struct dtls_stats *stats = s->dtls->stats;
    enum dtls_result result = DTLS_DATA;
    unsigned good = 0;
    size_t at = 0;
    size_t len;

    while (s->is_open && result == DTLS_DATA && at < packet->len) {
        result =
            dtls_session_read(s, packet->data + at, packet->len - at, &len);
        if (result == DTLS_DATA) {
            good++;
            s->last_in = packet->now;
            hand_up(s, packet, at, len);
            at += len;
        }
    }
    if (result == DTLS_ENDED)
        good++;
    if (s->read > good)
        stats_add(&stats->bad_records, s->read - good);
    if (result == DTLS_ENDED && s->is_open) {
        stats_inc(&stats->closed_peer);
        end_session(s, 0);
    } else if (result == DTLS_FAILED && s->is_open) {
        fail_session(s);
    }
}

static void leave(struct dtls_session *s)
{
    s->is_busy = false;
    s->in = (struct span){NULL, 0};
    if (s->is_dead)
        release(s);
    else
        dtls_session_arm(s);
}

static void on_input(struct dtls_session *s, const struct udp_packet *packet)
{
    s->in = span_of(packet->data, packet->len);
    s->read = 0;
    s->is_busy = true;
    if (!s->is_open)
        shake_hands(s);
    if (s->is_open)
        read_records(s, packet);
    leave(s);
}

/* ---- time ---- */

static void on_idle(struct dtls_session *s, uint64_t now)
{
    const struct dtls_options *o = &s->dtls->options;
    struct dtls_client client = client_of(s);
    uint64_t limit = s->last_in + o->idle_timeout_ms;

    if (limit <= now && o->events->keep_idle &&
        o->events->keep_idle(s->dtls, &client, o->arg))
        limit = now + o->idle_timeout_ms;
    s->limit_at = limit;
    if (limit > now)
        return;
    stats_inc(&s->dtls->stats->closed_idle);
    end_session(s, -ETIMEDOUT);
}

static void on_alarm(struct alarm *alarm, uint64_t now)
{
    struct dtls_session *s = CONTAINER_OF(alarm, struct dtls_session, alarm);

    s->is_busy = true;
    if (s->send_err == ERR_TLS) {
        fail_session(s);
    } else if (s->is_open) {
        on_idle(s, now);
    } else if (s->limit_at <= now) {
        stats_inc(&s->dtls->stats->handshake_timeout);
        end_session(s, SILENT);
    } else if (s->resend_at <= now) {
        stats_inc(&s->dtls->stats->retransmits);
        shake_hands(s);
    }
    leave(s);
}

/* ---- the beginning of a session ---- */

/* False, and counted, when a limit is reached. */
static bool take_places(struct dtls *dtls, const struct addr *remote)
{
    struct dtls_stats *stats = dtls->stats;
    enum conn_verdict verdict = conn_limit_take(dtls->half_open, remote);

    if (verdict != CONN_OK) {
        stats_inc(verdict == CONN_TOTAL_REACHED
                      ? &stats->refused_half_open
                      : &stats->refused_half_open_source);
        return false;
    }
    if (!dtls->options.limit)
        return true;
    verdict = conn_limit_take(dtls->options.limit, remote);
    if (verdict == CONN_OK)
        return true;
    conn_limit_give(dtls->half_open, remote);
    stats_inc(verdict == CONN_TOTAL_REACHED ? &stats->refused_sessions
                                            : &stats->refused_source);
    return false;
}

static void give_places(struct dtls *dtls, const struct addr *remote)
{
    conn_limit_give(dtls->half_open, remote);
    if (dtls->options.limit)
        conn_limit_give(dtls->options.limit, remote);
}

static int fill_session(struct dtls_session *s, struct dtls *dtls,
                        struct udp *udp, const struct dtls_path *path)
{
    int err;

    s->dtls = dtls; /* mbedTLS sets its timer at once */
    err = dtls_session_init(s, dtls->options.tls);
    if (err < 0)
        return err;
    s->udp = udp;
    s->path = *path;
    s->dest.to = path->remote;
    if (addr_is_any(udp_addr(udp)))
        s->dest.from = path->local;
    alarm_init(&s->alarm, dtls->worker, on_alarm);
    err = map_put(&dtls->by_path, path_key(&s->path), s);
    if (err < 0)
        dtls_session_deinit(s);
    return err;
}

static struct dtls_session *new_session(struct dtls *dtls, struct udp *udp,
                                        const struct dtls_path *path,
                                        struct span random)
{
    struct dtls_session *s;
    struct pool_id id;

    if (!take_places(dtls, &path->remote))
        return NULL;
    s = pool_take(dtls->sessions, &id);
    if (!s || fill_session(s, dtls, udp, path) < 0) {
        if (s)
            pool_give(dtls->sessions, s);
        give_places(dtls, &path->remote);
        stats_inc(&dtls->stats->refused_sessions);
        return NULL;
    }
    s->id = id;
    s->is_counted = true;
    memcpy(s->random, random.ptr, sizeof(s->random));
    s->limit_at = worker_now(dtls->worker) + dtls->options.handshake_timeout_ms;
    stats_inc(&dtls->stats->half_open);
    return s;
}

static void ask_for_cookie(struct dtls *dtls, struct udp *udp,
                           const struct dtls_path *path,
                           const struct dtls_hello *hello, uint64_t now)
{
    uint8_t cookie[DTLS_COOKIE_SIZE];
    uint8_t packet[DTLS_VERIFY_SIZE];
    struct udp_dest dest = {.to = path->remote};

    if (addr_is_any(udp_addr(udp)))
        dest.from = path->local;
    dtls_cookie_make(&dtls->cookies, path, hello->random, now, cookie);
    dtls_verify_write(hello, cookie, packet);
    stats_inc(&dtls->stats->cookies_sent);
    (void)udp_send(udp, &dest, span_of(packet, sizeof(packet)));
}

/* False, and counted, when too many handshakes begin. */
static bool may_shake(struct dtls *dtls, const struct addr *remote,
                      uint64_t now)
{
    switch (handshake_rate_take(dtls->options.rate, remote, now)) {
    case HANDSHAKE_TOTAL:
        stats_inc(&dtls->stats->refused_rate);
        return false;
    case HANDSHAKE_SOURCE:
        stats_inc(&dtls->stats->refused_rate_source);
        return false;
    case HANDSHAKE_OK:
        break;
    }
    return true;
}

static void on_hello(struct dtls *dtls, struct udp *udp,
                     const struct dtls_path *path, struct dtls_session *s,
                     const struct udp_packet *packet)
{
    struct dtls_hello hello;

    if (dtls_hello_read(span_of(packet->data, packet->len), &hello) < 0) {
        stats_inc(&dtls->stats->bad_hellos);
        return;
    }
    if (s && span_equal(hello.random, span_of(s->random, sizeof(s->random)))) {
        if (!s->is_open && hello.cookie.len > 0)
            on_input(s, packet); /* our flight was lost: mbedTLS repeats it */
        return;
    }
    if (!dtls_cookie_check(&dtls->cookies, path, &hello, packet->now)) {
        if (hello.cookie.len > 0)
            stats_inc(&dtls->stats->cookies_bad);
        ask_for_cookie(dtls, udp, path, &hello, packet->now);
        return;
    }
    stats_inc(&dtls->stats->cookies_good);
    if (!may_shake(dtls, &path->remote, packet->now))
        return;
    if (s) {
        if (s->is_open)
            stats_inc(&dtls->stats->closed_replaced);
        end_session(s, ERR_CLOSED);
    }
    s = new_session(dtls, udp, path, hello.random);
    if (s)
        on_input(s, packet);
}

bool dtls_on_packet(struct dtls *dtls, struct udp *udp,
                    const struct udp_packet *packet)
{
    struct dtls_path path = {packet->from, packet->to};
    struct dtls_session *s;

    if (packet->len == 0 || !dtls_is_first_byte(packet->data[0]))
        return false;
    s = map_find(&dtls->by_path, path_key(&path));
    if (packet->truncated)
        stats_inc(&dtls->stats->bad_records);
    else if (dtls_is_hello(span_of(packet->data, packet->len)))
        on_hello(dtls, udp, &path, s, packet);
    else if (s)
        on_input(s, packet);
    else
        stats_inc(&dtls->stats->no_session);
    return true;
}

/* ---- for the user ---- */

static struct dtls_session *find_open(const struct dtls *dtls,
                                      struct pool_id id)
{
    struct dtls_session *s = pool_find(dtls->sessions, id);

    return s && s->is_open ? s : NULL;
}

int dtls_send(struct dtls *dtls, struct pool_id id, struct span plain,
              uint8_t tos)
{
    struct dtls_session *s = find_open(dtls, id);
    int err;

    if (!s)
        return ERR_CLOSED;
    err = dtls_session_write(s, plain, tos);
    if (err == 0)
        stats_inc(&dtls->stats->records_out);
    if (err == ERR_TLS) { /* on_closed, but not from here */
        s->send_err = ERR_TLS;
        s->limit_at = 0;
        dtls_session_arm(s);
    }
    return err;
}

void dtls_close(struct dtls *dtls, struct pool_id id)
{
    struct dtls_session *s = find_open(dtls, id);

    if (s)
        end_session(s, SILENT);
}

bool dtls_find(const struct dtls *dtls, struct pool_id id,
               struct dtls_client *ret_client)
{
    const struct dtls_session *s = find_open(dtls, id);

    if (s)
        *ret_client = client_of(s);
    return s != NULL;
}

const char *dtls_alpn(const struct dtls *dtls, struct pool_id id)
{
    const struct dtls_session *s = find_open(dtls, id);

    return s ? mbedtls_ssl_get_alpn_protocol(&s->ssl) : NULL;
}

const struct dtls_stats *dtls_stats(const struct dtls *dtls)
{
    return dtls->stats;
}

/* ---- life ---- */

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
    return value ? value : fallback;
}

static void set_defaults(struct dtls_options *o)
{
    o->max_sessions = or_default(o->max_sessions, MAX_SESSIONS_DEFAULT);
    o->max_half_open = or_default(o->max_half_open, MAX_HALF_OPEN_DEFAULT);
    o->max_half_open_source =
        or_default(o->max_half_open_source, MAX_HALF_OPEN_SOURCE_DEFAULT);
    o->handshake_timeout_ms =
        or_default(o->handshake_timeout_ms, HANDSHAKE_MS_DEFAULT);
    o->retransmit_ms = or_default(o->retransmit_ms, RETRANSMIT_MS_DEFAULT);
    o->idle_timeout_ms = or_default(o->idle_timeout_ms, IDLE_MS_DEFAULT);
    o->cookie_lifetime_ms =
        or_default(o->cookie_lifetime_ms, COOKIE_MS_DEFAULT);
}

int dtls_new(struct dtls **ret_dtls, struct worker *worker,
             const struct dtls_options *options)
{
    struct dtls *dtls;
    uint8_t seed[16];
    int err;

    if (!options->tls || !options->tls->has_dtls)
        return -EINVAL;
    dtls = mem_zalloc(sizeof(*dtls));
    if (!dtls)
        return -ENOMEM;
    dtls->worker = worker;
    dtls->options = *options;
    set_defaults(&dtls->options);
    dtls->stats = options->stats ? options->stats : &dtls->own_stats;
    crypto_random(seed, sizeof(seed));
    map_init(&dtls->by_path, dtls->options.max_sessions, seed);
    dtls_cookies_init(&dtls->cookies, dtls->options.cookie_lifetime_ms);
    err = pool_new(&dtls->sessions, sizeof(struct dtls_session),
                   dtls->options.max_sessions);
    if (err == 0)
        err = conn_limit_new(&dtls->half_open, dtls->options.max_half_open,
                             dtls->options.max_half_open_source);
    if (err < 0) {
        pool_free(dtls->sessions);
        mem_free(dtls);
        return err;
    }
    tls_ctx_ref(options->tls);
    if (options->limit)
        conn_limit_ref(options->limit);
    if (options->rate)
        handshake_rate_ref(options->rate);
    *ret_dtls = dtls;
    return 0;
}

void dtls_free(struct dtls *dtls)
{
    struct dtls_session *s;
    uint32_t pos = 0;

    if (!dtls)
        return;
    while ((s = pool_each(dtls->sessions, &pos)) != NULL)
        end_session(s, SILENT);
    pool_free(dtls->sessions);
    map_deinit(&dtls->by_path);
    conn_limit_unref(dtls->half_open);
    conn_limit_unref(dtls->options.limit);
    handshake_rate_unref(dtls->options.rate);
    tls_ctx_unref(dtls->options.tls);
    mem_wipe(&dtls->cookies, sizeof(dtls->cookies));
    mem_free(dtls);
}

void dtls_set_tls(struct dtls *dtls, struct tls_ctx *tls)
{
    struct tls_ctx *before = dtls->options.tls;

    dtls->options.tls = tls_ctx_ref(tls);
    tls_ctx_unref(before);
}
