/* SPDX-License-Identifier: MIT */
/* The Binding request, and what NAT behaviour discovery adds to it (RFC 5780):
 * answers from another address or port of ours, to another port of theirs,
 * and padded to a size that fragments.
 *
 * Two ports at one address are enough to tell how a NAT filters by port; for
 * the rest two addresses are needed, each with the same two ports.
 */
#include "turn/turn_internal.h"

#include "base/err.h"
#include "base/mem.h"

enum {
    CHANGE_PORT = 2,
    CHANGE_IP = 4,
    PADDING_MAX = 1500,
};

/* What an answer may need besides the mapped address. */
struct discovery {
    const struct turn_listener *own;   /* the one asked; NULL: off */
    const struct turn_listener *other; /* another address, else only port */
    const struct turn_listener *from;  /* the one to answer from */
    uint16_t to_port;                  /* 0: where the request came from */
    size_t padding;
};

int turn_core_set_listeners(struct turn_core *core,
                            const struct turn_listener *listeners, size_t n)
{
    if (n > TURN_LISTENERS_MAX)
        return ERR_LIMIT;
    if (n > 0)
        memcpy(core->listeners, listeners, n * sizeof(*listeners));
    core->n_listeners = n;
    return 0;
}

static const struct turn_listener *find_link(const struct turn_core *core,
                                             uint64_t link)
{
    for (size_t i = 0; i < core->n_listeners; i++) {
        if (core->listeners[i].link == link)
            return &core->listeners[i];
    }
    return NULL;
}

/* A listener of the same family whose address and port differ from `own` just
 * as `change` says, or NULL. */
static const struct turn_listener *find_change(const struct turn_core *core,
                                               const struct turn_listener *own,
                                               uint32_t change)
{
    for (size_t i = 0; i < core->n_listeners; i++) {
        const struct turn_listener *l = &core->listeners[i];
        bool other_ip = !addr_same_ip(&l->addr, &own->addr);
        bool other_port = l->addr.port != own->addr.port;

        if (l->addr.family == own->addr.family &&
            other_ip == ((change & CHANGE_IP) != 0) &&
            other_port == ((change & CHANGE_PORT) != 0))
            return l;
    }
    return NULL;
}

static enum stun_code read_change(const struct turn_core *core,
                                  const struct stun_msg *msg,
                                  struct discovery *d)
{
    uint32_t change = 0;

    d->from = d->own;
    if (!stun_msg_has(msg, STUN_CHANGE_REQUEST))
        return STUN_OK;
    if (stun_attr_u32(stun_msg_attr(msg, STUN_CHANGE_REQUEST), &change) < 0)
        return STUN_BAD_REQUEST;
    d->from = find_change(core, d->own, change);
    return d->from ? STUN_OK : STUN_UNKNOWN_ATTRIBUTE;
}

static enum stun_code read_port(const struct stun_msg *msg, struct discovery *d)
{
    struct span value = stun_msg_attr(msg, STUN_RESPONSE_PORT);

    if (!value.ptr)
        return STUN_OK;
    if (value.len < 2)
        return STUN_BAD_REQUEST;
    d->to_port = (uint16_t)(value.ptr[0] << 8 | value.ptr[1]);
    return d->to_port ? STUN_OK : STUN_BAD_REQUEST;
}

/* Never more than was sent to us: nobody shall be flooded through us. */
static enum stun_code read_padding(const struct stun_msg *msg,
                                   struct discovery *d)
{
    struct span value = stun_msg_attr(msg, STUN_PADDING);

    if (!value.ptr)
        return STUN_OK;
    if (stun_msg_has(msg, STUN_RESPONSE_PORT))
        return STUN_BAD_REQUEST; /* RFC 5780 7.6 */
    d->padding = value.len < PADDING_MAX ? value.len : PADDING_MAX;
    return STUN_OK;
}

static enum stun_code read_request(const struct turn_core *core,
                                   struct turn_request *rq, struct discovery *d)
{
    static const enum stun_attr unsupported[] = {
        STUN_CHANGE_REQUEST, STUN_PADDING, STUN_RESPONSE_PORT};
    enum stun_code code;

    if (rq->client->transport == TURN_UDP)
        d->own = find_link(core, rq->client->link);
    if (!d->own)
        return turn_check_attributes(&rq->msg, unsupported,
                                     ARRAY_SIZE(unsupported));
    code = turn_check_attributes(&rq->msg, NULL, 0);
    if (code == STUN_OK)
        code = read_change(core, &rq->msg, d);
    if (code == STUN_UNKNOWN_ATTRIBUTE && rq->msg.unknown_count == 0)
        return turn_check_attributes(&rq->msg, unsupported, 1);
    if (code == STUN_OK)
        code = read_port(&rq->msg, d);
    if (code == STUN_OK)
        code = read_padding(&rq->msg, d);
    d->other = find_change(core, d->own, CHANGE_IP | CHANGE_PORT);
    if (!d->other)
        d->other = find_change(core, d->own, CHANGE_PORT);
    return code;
}

static void write_answer(const struct turn_request *rq,
                         const struct discovery *d, enum stun_code code,
                         struct stun_writer *w)
{
    static const uint8_t zeros[PADDING_MAX];

    if (code == STUN_OK)
        stun_write_xor_addr(w, STUN_XOR_MAPPED_ADDRESS, &rq->client->remote);
    else
        stun_write_error(w, code, "");
    if (code == STUN_UNKNOWN_ATTRIBUTE)
        stun_write_unknown(w, &rq->msg);
    if (code == STUN_OK && d->from) {
        stun_write_addr(w, STUN_MAPPED_ADDRESS, &rq->client->remote);
        stun_write_addr(w, STUN_RESPONSE_ORIGIN, &d->from->addr);
        if (d->other)
            stun_write_addr(w, STUN_OTHER_ADDRESS, &d->other->addr);
        if (d->padding > 0)
            stun_write(w, STUN_PADDING, span_of(zeros, d->padding));
    }
    if (stun_msg_has(&rq->msg, STUN_FINGERPRINT))
        stun_write_fingerprint(w);
}

void turn_on_binding(struct turn_core *core, struct turn_request *rq)
{
    uint8_t out[TURN_ANSWER_MAX + PADDING_MAX];
    struct turn_client to = *rq->client;
    struct turn_packet packet = {.tos = 0};
    struct discovery d = {0};
    struct stun_writer w;
    enum stun_code code = read_request(core, rq, &d);
    int size;

    stats_inc(&core->stats->bindings);
    stun_write_start(&w, out, sizeof(out),
                     code == STUN_OK ? STUN_SUCCESS : STUN_ERROR, STUN_BINDING,
                     stun_msg_tid(&rq->msg));
    write_answer(rq, &d, code, &w);
    size = stun_write_finish(&w);
    if (size < 0)
        return; /* cannot happen: all parts are bounded */
    packet.bytes = span_of(out, (size_t)size);
    if (code == STUN_OK && d.from) {
        to.link = d.from->link;
        to.local = d.from->addr;
        if (d.to_port)
            to.remote.port = d.to_port;
    }
    core->env.to_client(core->env.arg, &to, &packet);
}
