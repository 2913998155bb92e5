/* SPDX-License-Identifier: MIT */
/* What proves that the source of a datagram is no invention: it shows the nonce
 * of a challenge that was sent there. */
#include "proxy/sip_guard_internal.h"

/* The text behind `nonce="`, or "". */
static struct span nonce_in(struct span value)
{
    static const char word[] = "nonce=\"";
    struct span s = value;
    ptrdiff_t end;

    for (; s.len > 0; s = span_from(s, 1)) {
        /* Not the end of "cnonce". */
        if (span_starts_nocase(s, word) &&
            (s.ptr == value.ptr || s.ptr[-1] == ' ' || s.ptr[-1] == ','))
            break;
    }
    if (s.len == 0)
        return s;
    s = span_from(s, sizeof(word) - 1);
    end = span_find(s, '"');
    return end < 0 ? span_of(NULL, 0) : span_head(s, (size_t)end);
}

static uint64_t nonce_hash(const struct sip_guard *guard,
                           const struct sip_msg *msg, enum sip_hdr_id first,
                           enum sip_hdr_id second)
{
    struct span nonce = nonce_in(sip_msg_value(msg, first));

    if (nonce.len == 0)
        nonce = nonce_in(sip_msg_value(msg, second));
    return nonce.len > 0 ? map_hash(guard->seed, nonce) | 1 : 0;
}

bool sip_guard_has_nonce(struct sip_guard *guard, const struct addr *source,
                         const struct sip_msg *request)
{
    struct sip_recent_key key = sip_guard_key(source);
    const struct source *s = sip_recent_find(&guard->sources, &key);
    uint64_t hash = nonce_hash(guard, request, SIP_HDR_AUTHORIZATION,
                               SIP_HDR_PROXY_AUTHORIZATION);

    for (size_t i = 0; s && hash && i < KNOWN_NONCES; i++) {
        if (s->nonces[i] == hash)
            return true;
    }
    return false;
}

void sip_guard_note_nonce(struct sip_guard *guard, const struct addr *source,
                          const struct sip_msg *response, uint64_t now)
{
    uint64_t hash = nonce_hash(guard, response, SIP_HDR_WWW_AUTHENTICATE,
                               SIP_HDR_PROXY_AUTHENTICATE);
    struct sip_recent_key key;
    struct source *s;

    if (!hash)
        return;
    key = sip_guard_key(source);
    s = sip_guard_source(guard, &key, now);
    if (s)
        s->nonces[s->next_nonce++ % KNOWN_NONCES] = hash;
}
