/* SPDX-License-Identifier: MIT */
#include "sip_why.h"

#include "app/json.h"
#include "base/mem.h"
#include "proxy/sip_flow.h"
#include "sip_worker.h"

#include <stdio.h>
#include <time.h>

enum { CALL_ID_MAX = 256 };

struct answer {
    bool is_there;
    size_t n;
    struct sip_trail_entry entries[SIP_WHY_ENTRIES];
};

/* The main thread and every worker that was asked hold a reference. */
struct question {
    struct sip_shared *shared;
    pthread_mutex_t lock;
    pthread_cond_t answered;
    unsigned refs;
    unsigned left; /* workers that have not answered */
    unsigned n;    /* workers */
    struct span call_id;
    char text[CALL_ID_MAX];
    struct answer answers[];
};

/* --- the question --- */

static struct question *question_new(struct sip_shared *shared)
{
    struct question *q =
        mem_zalloc(sizeof(*q) + shared->workers * sizeof(q->answers[0]));
    pthread_condattr_t attr;

    if (!q)
        return NULL;
    (void)pthread_mutex_init(&q->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&q->answered, &attr);
    (void)pthread_condattr_destroy(&attr);
    q->shared = shared;
    q->refs = 1;
    q->n = shared->workers;
    return q;
}

static void question_unref(struct question *q)
{
    bool is_last;

    pthread_mutex_lock(&q->lock);
    is_last = --q->refs == 0;
    pthread_mutex_unlock(&q->lock);
    if (!is_last)
        return;
    (void)pthread_cond_destroy(&q->answered);
    (void)pthread_mutex_destroy(&q->lock);
    mem_free(q);
}

/* On a worker's thread. */
static void on_question(struct worker *worker, void *arg)
{
    struct question *q = arg;
    unsigned index = (unsigned)worker_index(worker);
    const struct sip_worker *w = q->shared->worker[index];

    pthread_mutex_lock(&q->lock);
    if (w && w->core) {
        struct answer *a = &q->answers[index];

        a->n = sip_trail_search(sip_core_trail(w->core), q->call_id, a->entries,
                                SIP_WHY_ENTRIES);
        a->is_there = true;
    }
    q->left--;
    (void)pthread_cond_signal(&q->answered);
    pthread_mutex_unlock(&q->lock);
    question_unref(q);
}

/* Returns with the lock held. */
static void ask_all(struct question *q)
{
    struct timespec until;

    for (unsigned i = 0; i < q->n; i++) {
        struct worker *worker = daemon_worker(q->shared->daemon, i);

        pthread_mutex_lock(&q->lock);
        q->refs++;
        q->left++;
        pthread_mutex_unlock(&q->lock);
        if (worker && worker_post(worker, on_question, q) == 0)
            continue;
        pthread_mutex_lock(&q->lock);
        q->refs--;
        q->left--;
        pthread_mutex_unlock(&q->lock);
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += SIP_WHY_WAIT_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&q->lock);
    while (q->left > 0 &&
           pthread_cond_timedwait(&q->answered, &q->lock, &until) == 0)
        continue;
}

/* --- the answer --- */

static void put_target(struct buf *json, const char *key,
                       const struct sip_target *t)
{
    char address[ADDR_TEXT_SIZE];
    char text[ADDR_TEXT_SIZE + 8];

    (void)snprintf(text, sizeof(text), "%s:%s",
                   sip_transport_param(t->transport),
                   addr_str(&t->remote, address));
    json_key(json, key);
    json_str(json, text);
    if (t->flow == 0)
        return;
    (void)snprintf(text, sizeof(text), "%u-%llx", t->worker,
                   (unsigned long long)t->flow);
    json_key(json, key[0] == 'f' ? "from_connection" : "to_connection");
    json_str(json, text);
}

/* The federation partner by its domain, while it is configured. */
static void put_partner(const struct sip_shared *shared, uint32_t tag,
                        struct buf *json)
{
    const struct sip_config *cfg = config_values(daemon_config(shared->daemon));

    for (size_t i = 0; tag && i < cfg->partners.n; i++) {
        if (sip_name_tag(span_str(cfg->partners.items[i].domain)) != tag)
            continue;
        json_key(json, "partner");
        json_str(json, cfg->partners.items[i].domain);
        return;
    }
}

static void put_entry(const struct sip_shared *shared,
                      const struct sip_trail_entry *e, unsigned worker,
                      uint64_t now, struct buf *json)
{
    const struct sip_local *local = &shared->locals[e->from.listener];

    json_open(json, '{');
    json_key(json, "age_ms");
    json_u64(json, now > e->begun ? now - e->begun : 0);
    json_key(json, "worker");
    json_u64(json, worker);
    json_key(json, "method");
    json_string(json, span_of(e->method, e->method_len));
    json_key(json, "cseq");
    json_u64(json, e->cseq);
    json_key(json, "in_dialog");
    json_bool(json, e->in_dialog);
    put_target(json, "from", &e->from);
    json_key(json, "zone");
    json_str(json, local->zone == SIP_OUTSIDE ? "external" : "internal");
    json_key(json, "listener");
    json_str(json, local->sent_by);
    json_key(json, "rule");
    json_str(json, sip_trail_rule_str(e->rule));
    json_key(json, "token");
    json_str(json, sip_trail_token_str(e->token));
    put_partner(shared, e->partner, json);
    if (e->refusal) {
        json_key(json, "refused");
        json_str(json, e->refusal);
    }
    if (e->to.transport != SIP_TRANSPORT_NONE) {
        put_target(json, "to", &e->to);
        json_key(json, "tries");
        json_u64(json, e->tries);
    }
    json_key(json, "answer");
    json_u64(json, e->status);
    if (e->ended) {
        json_key(json, "took_ms");
        json_u64(json, e->ended - e->begun);
    }
    json_close(json, '}');
}

/* Merge: each worker's own are in order. */
static void put_all(struct question *q, uint64_t now, struct buf *json)
{
    for (;;) {
        struct answer *next = NULL;
        unsigned worker = 0;

        for (unsigned i = 0; i < q->n; i++) {
            struct answer *a = &q->answers[i];

            if (a->n > 0 &&
                (!next || a->entries[0].begun < next->entries[0].begun)) {
                next = a;
                worker = i;
            }
        }
        if (!next)
            return;
        put_entry(q->shared, &next->entries[0], worker, now, json);
        next->n--;
        memmove(&next->entries[0], &next->entries[1],
                next->n * sizeof(next->entries[0]));
    }
}

static void put_answer(struct question *q, struct buf *json)
{
    struct worker *here = daemon_main_worker(q->shared->daemon);

    json_open(json, '{');
    json_key(json, "call_id");
    json_string(json, q->call_id);
    json_key(json, "missing_workers");
    json_open(json, '[');
    for (unsigned i = 0; i < q->n; i++) {
        if (!q->answers[i].is_there)
            json_u64(json, i);
    }
    json_close(json, ']');
    json_key(json, "requests");
    json_open(json, '[');
    put_all(q, worker_now(here), json);
    json_close(json, ']');
    json_close(json, '}');
}

static int hex_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undo percent-encoding; '+' stays, Call-IDs have it. False: malformed. */
static bool unescape(struct span text, char *out, size_t size, size_t *ret_len)
{
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        int c = text.ptr[i];

        if (n == size)
            return false;
        if (c == '%') {
            int high = text.len - i > 2 ? hex_of(text.ptr[i + 1]) : -1;
            int low = text.len - i > 2 ? hex_of(text.ptr[i + 2]) : -1;

            if (high < 0 || low < 0)
                return false;
            c = high * 16 + low;
            i += 2;
        }
        out[n++] = (char)c;
    }
    *ret_len = n;
    return n > 0;
}

static bool find_call_id(struct span query, struct question *q)
{
    struct span item, name, value;
    size_t len;

    while (span_next(&query, '&', &item)) {
        if (!span_cut(item, '=', &name, &value) || !span_is(name, "call-id"))
            continue;
        if (!unescape(value, q->text, sizeof(q->text), &len))
            return false;
        q->call_id = span_of(q->text, len);
        return true;
    }
    return false;
}

int sip_why_get(const struct admin_request *request, struct buf *body,
                void *arg)
{
    struct question *q = question_new(arg);

    if (!q)
        return 500;
    if (!find_call_id(request->query, q)) {
        question_unref(q);
        buf_put_str(body, "which one? /sip/why?call-id=...\n");
        return 400;
    }
    ask_all(q);
    put_answer(q, body);
    pthread_mutex_unlock(&q->lock);
    question_unref(q);
    return 200;
}
