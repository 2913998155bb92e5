/* SPDX-License-Identifier: MIT */
/* Naming transactions (RFC 3261 17.1.3, 17.2.3): all that must agree is put
 * through two keyed hashes. 128 bits whose seeds no peer knows cannot be made
 * to collide, and long branches cost no memory.
 */
#include "msg/sip_char.h"
#include "txn/sip_txn_internal.h"

struct digest {
    uint64_t sum[2];
    const uint64_t *seed;
};

/* Chain the parts, so that moving a byte from one to the next changes it. */
static void add(struct digest *d, struct span part)
{
    for (size_t i = 0; i < 2; i++) {
        uint64_t step[2] = {d->sum[i], map_hash(d->seed + 2 * i, part)};

        d->sum[i] = map_hash(d->seed + 2 * i, span_of(step, sizeof(step)));
    }
}

static void add_number(struct digest *d, uint32_t n)
{
    add(d, span_of(&n, sizeof(n)));
}

/* Host names are the same in any case. */
static void add_lower(struct digest *d, struct span s)
{
    uint8_t text[256];

    s = span_head(s, sizeof(text));
    for (size_t i = 0; i < s.len; i++)
        text[i] = sip_lower(s.ptr[i]);
    add(d, span_of(text, s.len));
}

static void finish(const struct digest *d, uint8_t key[SIP_TXN_KEY_SIZE])
{
    memcpy(key, d->sum, SIP_TXN_KEY_SIZE);
}

void sip_txn_server_key(const struct sip_txns *txns, const struct sip_msg *msg,
                        bool as_invite, uint8_t key[SIP_TXN_KEY_SIZE])
{
    struct digest d = {.seed = txns->seed};

    as_invite = as_invite || msg->method == SIP_METHOD_ACK;
    add(&d, as_invite ? span_str("INVITE") : msg->method_name);
    add(&d, msg->call_id);
    add_number(&d, msg->cseq.number);
    if (sip_via_is_3261(&msg->via)) {
        add(&d, span_str("server"));
        add(&d, msg->via.branch);
        add_lower(&d, msg->via.sent_by.name);
        add_number(&d, msg->via.sent_by.port);
    } else {
        add(&d, span_str("old"));
        add(&d, msg->uri_text);
        add(&d, msg->from.tag);
        add(&d, msg->via.text);
    }
    finish(&d, key);
}

void sip_txn_client_key(const struct sip_txns *txns, const struct sip_msg *msg,
                        uint8_t key[SIP_TXN_KEY_SIZE])
{
    struct digest d = {.seed = txns->seed};

    add(&d, msg->method_name);
    add(&d, msg->call_id);
    add_number(&d, msg->cseq.number);
    add(&d, span_str("client"));
    add(&d, msg->via.branch);
    finish(&d, key);
}
