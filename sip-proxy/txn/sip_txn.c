/* SPDX-License-Identifier: MIT */
#include "txn/sip_txn.h"

#include "base/err.h"
#include "base/mem.h"
#include "msg/sip_build.h"
#include "txn/sip_txn_internal.h"

#include <errno.h>

const struct sip_txn_config sip_txn_config_default = {
    .t1 = 500,
    .t2 = 4000,
    .t4 = 5000,
    .trying_after = 200,
    .max = 65536,
    .max_bytes = (size_t)128 << 20,
};

int sip_txns_new(struct sip_txns **ret_txns, const struct sip_txn_config *cfg,
                 const struct sip_txn_env *env)
{
    struct sip_txns *txns;
    int err;

    if (cfg->t1 == 0 || cfg->t2 == 0 || cfg->t4 == 0 || cfg->max == 0 ||
        cfg->max_bytes == 0)
        return -EINVAL;
    txns = mem_zalloc(sizeof(*txns));
    if (!txns)
        return -ENOMEM;
    txns->cfg = *cfg;
    txns->env = *env;
    env->random(env->arg, txns->seed, sizeof(txns->seed));
    map_init(&txns->by_key, cfg->max, (const uint8_t *)txns->seed);
    timers_init(&txns->timers);
    for (size_t i = 0; i < SIP_TXN_FLOW_BUCKETS; i++)
        list_init(&txns->by_flow[i]);
    buf_init(&txns->scratch, sip_limits_own.message);
    err = pool_new(&txns->pool, sizeof(struct sip_txn), cfg->max);
    if (err < 0) {
        sip_txns_free(txns);
        return err;
    }
    *ret_txns = txns;
    return 0;
}

void sip_txns_free(struct sip_txns *txns)
{
    struct sip_txn *txn;
    uint32_t pos = 0;

    if (!txns)
        return;
    while (txns->pool && (txn = pool_each(txns->pool, &pos)) != NULL) {
        mem_free(txn->request);
        mem_free(txn->last);
    }
    pool_free(txns->pool);
    map_deinit(&txns->by_key);
    buf_deinit(&txns->scratch);
    mem_free(txns);
}

/* --- stored messages --- */

static int copy_keep(struct sip_txns *txns, struct span bytes,
                     uint8_t **ret_copy)
{
    uint8_t *copy;

    if (bytes.len > txns->cfg.max_bytes - txns->stats.bytes) {
        txns->stats.full++;
        return ERR_LIMIT;
    }
    copy = mem_dup(bytes.ptr, bytes.len);
    if (!copy)
        return -ENOMEM;
    txns->stats.bytes += bytes.len;
    *ret_copy = copy;
    return 0;
}

static void copy_drop(struct sip_txns *txns, uint8_t **copy, size_t *len)
{
    mem_free(*copy);
    *copy = NULL;
    txns->stats.bytes -= *len;
    *len = 0;
}

void txn_drop_request(struct sip_txns *txns, struct sip_txn *txn)
{
    copy_drop(txns, &txn->request, &txn->request_len);
}

void txn_drop_last(struct sip_txns *txns, struct sip_txn *txn)
{
    copy_drop(txns, &txn->last, &txn->last_len);
}

int txn_keep_last(struct sip_txns *txns, struct sip_txn *txn, struct span bytes)
{
    uint8_t *copy;
    int err;

    err = copy_keep(txns, bytes, &copy);
    if (err < 0)
        return err;
    txn_drop_last(txns, txn);
    txn->last = copy;
    txn->last_len = bytes.len;
    return 0;
}

/* --- sending --- */

int txn_send(struct sip_txns *txns, const struct sip_txn *txn,
             struct span bytes)
{
    return txns->env.send(txns->env.arg, &txn->target, bytes);
}

int txn_send_request(struct sip_txns *txns, const struct sip_txn *txn)
{
    return txn_send(txns, txn, span_of(txn->request, txn->request_len));
}

int txn_send_last(struct sip_txns *txns, const struct sip_txn *txn)
{
    return txn_send(txns, txn, span_of(txn->last, txn->last_len));
}

void txn_send_trying(struct sip_txns *txns, struct sip_txn *txn)
{
    struct sip_reply reply = {.status = 100, .source = &txn->target.remote};
    struct sip_msg request;

    buf_reset(&txns->scratch);
    if (sip_msg_parse(&request, span_of(txn->request, txn->request_len),
                      SIP_FRAMING_DATAGRAM, &sip_limits_own) < 0 ||
        sip_build_response(&txns->scratch, &request, &reply) < 0 ||
        txn_keep_last(txns, txn, buf_span(&txns->scratch)) < 0)
        return;
    txn->last_status = 100;
    (void)txn_send_last(txns, txn); /* a final response will show it */
}

/* --- timers --- */

void txn_set_resend(struct sip_txns *txns, struct sip_txn *txn,
                    uint64_t interval, uint64_t now)
{
    txn->interval = (uint32_t)interval;
    timers_set(&txns->timers, &txn->resend, now + interval);
}

void txn_set_life(struct sip_txns *txns, struct sip_txn *txn, uint64_t duration,
                  uint64_t now)
{
    timers_set(&txns->timers, &txn->life, now + duration);
}

void txn_stop_timers(struct sip_txns *txns, struct sip_txn *txn)
{
    timers_cancel(&txns->timers, &txn->resend);
    timers_cancel(&txns->timers, &txn->life);
}

static void on_resend(struct sip_txns *txns, struct sip_txn *txn, uint64_t now)
{
    switch ((enum sip_txn_kind)txn->kind) {
    case SIP_TXN_ICT:
        sip_ict_on_resend(txns, txn, now);
        break;
    case SIP_TXN_NICT:
        sip_nict_on_resend(txns, txn, now);
        break;
    case SIP_TXN_IST:
        sip_ist_on_resend(txns, txn, now);
        break;
    case SIP_TXN_NIST:
        sip_nist_on_resend(txns, txn);
        break;
    case SIP_TXN_KINDS:
        break;
    }
}

static void on_life(struct sip_txns *txns, struct sip_txn *txn, uint64_t now)
{
    switch ((enum sip_txn_kind)txn->kind) {
    case SIP_TXN_ICT:
        sip_ict_on_life(txns, txn, now);
        break;
    case SIP_TXN_NICT:
        sip_nict_on_life(txns, txn, now);
        break;
    case SIP_TXN_IST:
        sip_ist_on_life(txns, txn, now);
        break;
    case SIP_TXN_NIST:
        sip_nist_on_life(txns, txn, now);
        break;
    case SIP_TXN_KINDS:
        break;
    }
}

void sip_txns_on_timer(struct sip_txns *txns, uint64_t now)
{
    struct timer *t;

    while ((t = timers_take_expired(&txns->timers, now)) != NULL) {
        if (t->kind == SIP_TXN_RESEND)
            on_resend(txns, CONTAINER_OF(t, struct sip_txn, resend), now);
        else
            on_life(txns, CONTAINER_OF(t, struct sip_txn, life), now);
    }
}

uint64_t sip_txns_next_deadline(const struct sip_txns *txns)
{
    return timers_next(&txns->timers);
}

/* --- making and ending --- */

static int txn_new(struct sip_txns *txns, enum sip_txn_kind kind,
                   const uint8_t key[SIP_TXN_KEY_SIZE], struct span request,
                   struct sip_txn **ret_txn)
{
    struct pool_id id;
    struct sip_txn *txn;
    int err;

    txn = pool_take(txns->pool, &id);
    if (!txn) {
        if (pool_count(txns->pool) < pool_max(txns->pool))
            return -ENOMEM;
        txns->stats.full++;
        return ERR_LIMIT;
    }
    txn->kind = (uint8_t)kind;
    memcpy(txn->key, key, SIP_TXN_KEY_SIZE);
    timer_init(&txn->resend, SIP_TXN_RESEND);
    timer_init(&txn->life, SIP_TXN_LIFE);
    list_init(&txn->node);
    err = copy_keep(txns, request, &txn->request);
    if (err < 0)
        goto fail;
    txn->request_len = request.len;
    err = map_put(&txns->by_key, span_of(txn->key, SIP_TXN_KEY_SIZE), txn);
    if (err < 0)
        goto fail;
    txns->stats.active[kind]++;
    *ret_txn = txn;
    return 0;

fail:
    txn_drop_request(txns, txn);
    pool_give(txns->pool, txn);
    return err;
}

static void txn_free(struct sip_txns *txns, struct sip_txn *txn)
{
    txn_stop_timers(txns, txn);
    list_remove(&txn->node);
    (void)map_remove(&txns->by_key, span_of(txn->key, SIP_TXN_KEY_SIZE));
    txn_drop_request(txns, txn);
    txn_drop_last(txns, txn);
    txns->stats.active[txn->kind]--;
    pool_give(txns->pool, txn);
}

static void tell_ended(struct sip_txns *txns, struct pool_id id, uint64_t user,
                       uint64_t now)
{
    if (txns->env.on_ended)
        txns->env.on_ended(txns->env.arg, id, user, now);
}

void txn_end(struct sip_txns *txns, struct sip_txn *txn, uint64_t now)
{
    struct pool_id id = pool_id_of(txns->pool, txn);
    uint64_t user = txn->user;

    txn_free(txns, txn);
    tell_ended(txns, id, user, now);
}

void txn_end_timeout(struct sip_txns *txns, struct sip_txn *txn, uint64_t now)
{
    struct pool_id id = pool_id_of(txns->pool, txn);
    uint64_t user = txn->user;

    txns->stats.timeouts++;
    txn_free(txns, txn);
    txns->env.on_timeout(txns->env.arg, id, user, now);
    tell_ended(txns, id, user, now);
}

void txn_end_error(struct sip_txns *txns, struct sip_txn *txn, int err,
                   uint64_t now)
{
    struct pool_id id = pool_id_of(txns->pool, txn);
    uint64_t user = txn->user;

    txns->stats.errors++;
    txn_free(txns, txn);
    txns->env.on_error(txns->env.arg, id, user, err, now);
    tell_ended(txns, id, user, now);
}

void txn_tell_response(struct sip_txns *txns, const struct sip_txn *txn,
                       const struct sip_msg *msg, uint64_t now)
{
    txns->env.on_response(txns->env.arg, pool_id_of(txns->pool, txn), txn->user,
                          msg, now);
}

/* --- messages from the network --- */

static bool is_peer(const struct sip_txns *txns, const struct sip_txn *txn,
                    const struct sip_target *from)
{
    if (sip_target_same_peer(&txn->target, from))
        return true;
    return txns->env.is_peer_too &&
           txns->env.is_peer_too(txns->env.arg, &txn->target, from);
}

static enum sip_match refuse_other(struct sip_txns *txns)
{
    txns->stats.refused++;
    return SIP_MATCH_REFUSED;
}

static void on_response(struct sip_txns *txns, struct sip_txn *txn,
                        const struct sip_msg *msg, uint64_t now)
{
    if (txn->kind == SIP_TXN_ICT)
        sip_ict_on_response(txns, txn, msg, now);
    else
        sip_nict_on_response(txns, txn, msg, now);
}

enum sip_match sip_txns_receive(struct sip_txns *txns,
                                const struct sip_msg *msg,
                                const struct sip_target *from, uint64_t now,
                                struct pool_id *ret_id)
{
    uint8_t key[SIP_TXN_KEY_SIZE];
    struct sip_txn *txn;

    if (msg->is_request)
        sip_txn_server_key(txns, msg, false, key);
    else
        sip_txn_client_key(txns, msg, msg->via.branch, key);
    txn = map_find(&txns->by_key, span_of(key, sizeof(key)));
    if (!txn)
        return SIP_MATCH_NONE;
    if (ret_id)
        *ret_id = pool_id_of(txns->pool, txn);
    if (!is_peer(txns, txn, from))
        return refuse_other(txns);

    switch ((enum sip_txn_kind)txn->kind) {
    case SIP_TXN_IST:
        return sip_ist_on_request(txns, txn, msg, now);
    case SIP_TXN_NIST:
        sip_nist_on_request(txns, txn);
        return SIP_MATCH_DONE;
    default:
        on_response(txns, txn, msg, now);
        return SIP_MATCH_DONE;
    }
}

int sip_txns_find_cancelled(const struct sip_txns *txns,
                            const struct sip_msg *cancel,
                            const struct sip_target *from,
                            struct pool_id *ret_id)
{
    uint8_t key[SIP_TXN_KEY_SIZE];
    struct sip_txn *txn;

    sip_txn_server_key(txns, cancel, true, key);
    txn = map_find(&txns->by_key, span_of(key, sizeof(key)));
    if (!txn)
        return ERR_STATE;
    if (!is_peer(txns, txn, from))
        return ERR_DENIED;
    *ret_id = pool_id_of(txns->pool, txn);
    return 0;
}

/* Slots of a connection pool are in the low bits. */
static struct list *flow_bucket(struct sip_txns *txns, uint64_t flow)
{
    return &txns->by_flow[flow & (SIP_TXN_FLOW_BUCKETS - 1)];
}

static struct sip_txn *find_waiting(struct sip_txns *txns, uint64_t flow)
{
    LIST_FOREACH (node, flow_bucket(txns, flow)) {
        struct sip_txn *txn = CONTAINER_OF(node, struct sip_txn, node);

        if (txn->target.flow == flow && txn->state != SIP_TXN_COMPLETED &&
            txn->state != SIP_TXN_ACCEPTED)
            return txn;
    }
    return NULL;
}

void sip_txns_on_flow_closed(struct sip_txns *txns, uint64_t flow, uint64_t now)
{
    struct sip_txn *txn;

    /* From the start each time: the user may have ended others meanwhile. */
    while (flow != 0 && (txn = find_waiting(txns, flow)) != NULL)
        txn_end_error(txns, txn, ERR_CLOSED, now);
}

/* --- what the user does --- */

int sip_txns_server_new(struct sip_txns *txns, const struct sip_msg *request,
                        const struct sip_target *from, uint64_t user,
                        uint64_t now, struct pool_id *ret_id)
{
    bool is_invite = request->method == SIP_METHOD_INVITE;
    uint8_t key[SIP_TXN_KEY_SIZE];
    struct sip_txn *txn;
    int err;

    sip_txn_server_key(txns, request, false, key);
    err = txn_new(txns, is_invite ? SIP_TXN_IST : SIP_TXN_NIST, key,
                  request->raw, &txn);
    if (err < 0)
        return err;
    txn->target = *from;
    txn->user = user;
    txns->stats.made[txn->kind]++;
    *ret_id = pool_id_of(txns->pool, txn);
    if (is_invite)
        sip_ist_start(txns, txn, now);
    else
        sip_nist_start(txns, txn, now);
    return 0;
}

/* "SIP/2.0 486 …": 486, or ERR_PARSE. */
static int status_of(struct span response)
{
    uint32_t status;

    if (!span_starts(response, "SIP/2.0 ") ||
        span_to_u32(span_head(span_from(response, 8), 3), 699, &status) < 0 ||
        status < 100)
        return ERR_PARSE;
    return (int)status;
}

int sip_txn_respond(struct sip_txns *txns, struct pool_id id,
                    struct span response, uint64_t now)
{
    struct sip_txn *txn = pool_find(txns->pool, id);
    int status;

    if (!txn || (txn->kind != SIP_TXN_IST && txn->kind != SIP_TXN_NIST))
        return ERR_STATE;
    status = status_of(response);
    if (status < 0)
        return status;
    return txn->kind == SIP_TXN_IST
               ? sip_ist_respond(txns, txn, (unsigned)status, response, now)
               : sip_nist_respond(txns, txn, (unsigned)status, response, now);
}

int sip_txn_set_target(struct sip_txns *txns, struct pool_id id,
                       const struct sip_target *to)
{
    struct sip_txn *txn = pool_find(txns->pool, id);

    if (!txn || (txn->kind != SIP_TXN_IST && txn->kind != SIP_TXN_NIST))
        return ERR_STATE;
    txn->target = *to;
    return 0;
}

int sip_txns_client_new(struct sip_txns *txns, struct span request,
                        const struct sip_target *to, uint64_t user,
                        uint64_t now, struct pool_id *ret_id)
{
    struct sip_msg msg;

    if (sip_msg_parse(&msg, request, SIP_FRAMING_DATAGRAM, &sip_limits_own) < 0)
        return ERR_PARSE;
    return sip_txns_client_made(txns, &msg, msg.via.branch, request, to, user,
                                now, ret_id);
}

int sip_txns_client_made(struct sip_txns *txns, const struct sip_msg *model,
                         struct span branch, struct span request,
                         const struct sip_target *to, uint64_t user,
                         uint64_t now, struct pool_id *ret_id)
{
    bool is_invite = model->method == SIP_METHOD_INVITE;
    uint8_t key[SIP_TXN_KEY_SIZE];
    struct sip_txn *txn;
    int err;

    if (!model->is_request || model->method == SIP_METHOD_ACK)
        return ERR_PARSE;
    sip_txn_client_key(txns, model, branch, key);
    err = txn_new(txns, is_invite ? SIP_TXN_ICT : SIP_TXN_NICT, key, request,
                  &txn);
    if (err < 0)
        return err;
    txn->target = *to;
    txn->user = user;
    err = txn_send_request(txns, txn);
    if (err < 0) {
        txns->stats.errors++;
        txn_free(txns, txn);
        return err;
    }
    if (to->flow != 0)
        list_push_back(flow_bucket(txns, to->flow), &txn->node);
    txns->stats.made[txn->kind]++;
    *ret_id = pool_id_of(txns->pool, txn);
    if (is_invite)
        sip_ict_start(txns, txn, now);
    else
        sip_nict_start(txns, txn, now);
    return 0;
}

/* The CANCEL of a stored INVITE into txns->scratch. */
static int build_cancel(struct sip_txns *txns, const struct sip_txn *txn,
                        struct span extra)
{
    struct sip_msg invite;
    int err;

    buf_reset(&txns->scratch);
    err = sip_msg_parse(&invite, span_of(txn->request, txn->request_len),
                        SIP_FRAMING_DATAGRAM, &sip_limits_own);
    return err < 0 ? err : sip_build_cancel(&txns->scratch, &invite, extra);
}

int sip_txn_cancel(struct sip_txns *txns, struct pool_id id, struct span extra,
                   uint64_t user, uint64_t now, struct pool_id *ret_id)
{
    struct sip_txn *txn = pool_find(txns->pool, id);
    int err;

    if (!txn || txn->kind != SIP_TXN_ICT || txn->was_cancelled ||
        txn->state != SIP_TXN_PROCEEDING)
        return ERR_STATE;
    /* RFC 3261 9.1: if nothing final comes in 64*T1, it is over; and so it is
     * when no CANCEL could be sent: nobody else watches the INVITE now. */
    txn_set_life(txns, txn, txn_64_t1(txns), now);
    err = build_cancel(txns, txn, extra);
    if (err < 0)
        return err;
    err = sip_txns_client_new(txns, buf_span(&txns->scratch), &txn->target,
                              user, now, ret_id);
    if (err == ERR_LIMIT || err == -ENOMEM) {
        /* Full: once and unattended is better than not at all. */
        *ret_id = (struct pool_id){0, 0};
        err = txn_send(txns, txn, buf_span(&txns->scratch));
    }
    txn->was_cancelled = err == 0;
    return err;
}

void sip_txn_terminate(struct sip_txns *txns, struct pool_id id, uint64_t now)
{
    struct sip_txn *txn = pool_find(txns->pool, id);

    if (txn)
        txn_end(txns, txn, now);
}

bool sip_txn_look(const struct sip_txns *txns, struct pool_id id,
                  struct sip_txn_view *ret_view)
{
    const struct sip_txn *txn = pool_find(txns->pool, id);

    if (!txn)
        return false;
    *ret_view = (struct sip_txn_view){
        .kind = (enum sip_txn_kind)txn->kind,
        .state = (enum sip_txn_state)txn->state,
        .user = txn->user,
        .target = txn->target,
        .request = span_of(txn->request, txn->request_len),
        .last_status = txn->last_status,
        .was_cancelled = txn->was_cancelled,
    };
    return true;
}

bool sip_txn_set_user(struct sip_txns *txns, struct pool_id id, uint64_t user)
{
    struct sip_txn *txn = pool_find(txns->pool, id);

    if (!txn)
        return false;
    txn->user = user;
    return true;
}

uint32_t sip_txns_room(const struct sip_txns *txns)
{
    return pool_max(txns->pool) - pool_count(txns->pool);
}

void sip_txns_stats(const struct sip_txns *txns, struct sip_txn_stats *ret)
{
    *ret = txns->stats;
}

size_t sip_txn_size(void)
{
    return sizeof(struct sip_txn);
}
