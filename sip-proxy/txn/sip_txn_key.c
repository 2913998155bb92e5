/* SPDX-License-Identifier: MIT */
/* Naming transactions (RFC 3261 17.1.3, 17.2.3): all that must agree is put
 * through two keyed hashes. 128 bits whose seeds no peer knows cannot be made
 * to collide, and long branches cost no memory.
 */
#include "msg/sip_char.h"
#include "txn/sip_txn_internal.h"

enum {
    PARTS_MAX = 8,
    PART_MAX = 128, /* longer parts go in as their hashes */
};

struct digest {
    const struct sip_txns *txns;
    size_t len;
    uint8_t text[PARTS_MAX * (PART_MAX + sizeof(uint32_t))];
};

static void put(struct digest *d, const void *bytes, size_t len)
{
    memcpy(d->text + d->len, bytes, len);
    d->len += len;
}

static void hash(const struct sip_txns *txns, struct span s, uint64_t out[2])
{
    out[0] = map_hash(txns->seed, s);
    out[1] = map_hash(txns->seed + 2, s);
}

/* The length goes in front: moving a byte to the next part changes it all. */
static void add(struct digest *d, struct span part)
{
    uint32_t len = (uint32_t)part.len;
    uint64_t sums[2];

    put(d, &len, sizeof(len));
    if (part.len <= PART_MAX) {
        if (part.len > 0)
            put(d, part.ptr, part.len);
        return;
    }
    hash(d->txns, part, sums);
    put(d, sums, sizeof(sums));
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
    uint64_t sums[2];

    hash(d->txns, span_of(d->text, d->len), sums);
    memcpy(key, sums, SIP_TXN_KEY_SIZE);
}

void sip_txn_server_key(const struct sip_txns *txns, const struct sip_msg *msg,
                        bool as_invite, uint8_t key[SIP_TXN_KEY_SIZE])
{
    struct digest d;

    d.txns = txns;
    d.len = 0;
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
                        struct span branch, uint8_t key[SIP_TXN_KEY_SIZE])
{
    struct digest d;

    d.txns = txns;
    d.len = 0;
    add(&d, msg->method_name);
    add(&d, msg->call_id);
    add_number(&d, msg->cseq.number);
    add(&d, span_str("client"));
    add(&d, branch);
    finish(&d, key);
}
