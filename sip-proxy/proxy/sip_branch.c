/* SPDX-License-Identifier: MIT */
#include "proxy/sip_branch.h"

#include "base/map.h"
#include "base/text.h"
#include "base/wire.h"

#include <stdio.h>

static const char cookie[] = "z9hG4bKE";

enum { COOKIE_LEN = sizeof(cookie) - 1 };

/* Chained, with the length in front: "ab","c" is not "a","bc". */
static uint64_t add(const uint64_t seed[2], uint64_t hash, struct span part)
{
    const uint64_t next[2] = {seed[0] ^ hash, seed[1] + part.len};

    return map_hash(next, part);
}

static uint64_t add_all(const uint64_t seed[2], uint64_t hash,
                        const struct sip_msg *msg, enum sip_hdr_id id)
{
    const struct sip_hdr *hdr;

    for (hdr = sip_msg_find(msg, id); hdr; hdr = sip_msg_next(msg, hdr))
        hash = add(seed, hash, hdr->value);
    return add(seed, hash, span_of(NULL, 0));
}

uint64_t sip_branch_hash(const struct sip_msg *msg, const uint64_t seed[2])
{
    uint64_t hash = add(seed, 0, msg->uri_text);

    hash = add(seed, hash, msg->from.tag);
    hash = add(seed, hash, msg->to.tag);
    hash = add(seed, hash, msg->call_id);
    hash = add(seed, hash, sip_msg_value(msg, SIP_HDR_CSEQ));
    hash = add_all(seed, hash, msg, SIP_HDR_ROUTE);
    hash = add_all(seed, hash, msg, SIP_HDR_PROXY_REQUIRE);
    return add_all(seed, hash, msg, SIP_HDR_PROXY_AUTHORIZATION);
}

void sip_branch_write(uint8_t worker, uint64_t hash, uint64_t random,
                      char text[SIP_BRANCH_TEXT + 1])
{
    uint8_t bytes[1 + 8 + 8];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    wire_put_u8(&w, worker);
    wire_put_u64(&w, hash);
    wire_put_u64(&w, random);
    memcpy(text, cookie, COOKIE_LEN);
    text_hex(span_of(bytes, sizeof(bytes)), text + COOKIE_LEN);
}

bool sip_branch_read(struct span branch, uint8_t *ret_worker,
                     uint64_t *ret_hash)
{
    uint8_t bytes[1 + 8 + 8];
    struct wire_reader r;

    if (branch.len != SIP_BRANCH_TEXT || !span_starts(branch, cookie))
        return false;
    if (text_unhex(span_from(branch, COOKIE_LEN), bytes, sizeof(bytes)) !=
        sizeof(bytes))
        return false;
    r = wire_reader(span_of(bytes, sizeof(bytes)));
    *ret_worker = wire_u8(&r);
    *ret_hash = wire_u64(&r);
    return true;
}

bool sip_branch_is_loop(const struct sip_msg *msg, uint64_t hash)
{
    struct sip_values vias = sip_values_of(msg, SIP_HDR_VIA);

    while (sip_values_next(&vias)) {
        ptrdiff_t at = span_search(vias.item, span_str(cookie));
        struct span branch;
        uint8_t worker;
        uint64_t seen;

        if (at < 0)
            continue;
        branch = span_head(span_from(vias.item, (size_t)at), SIP_BRANCH_TEXT);
        if (sip_branch_read(branch, &worker, &seen) && seen == hash)
            return true;
    }
    return false;
}
