/* SPDX-License-Identifier: MIT */
#include "proxy/sip_trail.h"

#include "base/mem.h"

#include <errno.h>

struct sip_trail {
    size_t size;
    uint64_t last; /* number of the newest; 0: none yet */
    struct sip_trail_entry entries[];
};

int sip_trail_new(struct sip_trail **ret_trail, size_t size)
{
    struct sip_trail *trail =
        mem_zalloc(sizeof(*trail) + size * sizeof(trail->entries[0]));

    if (!trail)
        return -ENOMEM;
    trail->size = size;
    *ret_trail = trail;
    return 0;
}

void sip_trail_free(struct sip_trail *trail)
{
    mem_free(trail);
}

static uint8_t keep(char *to, size_t size, struct span text)
{
    struct span cut = span_head(text, size);

    if (cut.len > 0)
        memcpy(to, cut.ptr, cut.len);
    return (uint8_t)cut.len;
}

uint64_t sip_trail_begin(struct sip_trail *trail, const struct sip_msg *request,
                         const struct sip_target *from, uint64_t now)
{
    struct sip_trail_entry *e;

    if (trail->size == 0)
        return 0;
    e = &trail->entries[++trail->last % trail->size];
    *e = (struct sip_trail_entry){
        .number = trail->last,
        .begun = now,
        .from = *from,
        .cseq = request->cseq.number,
        .in_dialog = sip_msg_has_to_tag(request),
    };
    e->call_id_len = keep(e->call_id, sizeof(e->call_id), request->call_id);
    e->method_len = keep(e->method, sizeof(e->method), request->method_name);
    return e->number;
}

static struct sip_trail_entry *find(struct sip_trail *trail, uint64_t number)
{
    struct sip_trail_entry *e;

    if (number == 0 || trail->size == 0)
        return NULL;
    e = &trail->entries[number % trail->size];
    return e->number == number ? e : NULL;
}

void sip_trail_route(struct sip_trail *trail, uint64_t number,
                     enum sip_trail_rule rule, enum sip_trail_token token)
{
    struct sip_trail_entry *e = find(trail, number);

    if (!e)
        return;
    e->rule = rule;
    e->token = token;
}

void sip_trail_partner(struct sip_trail *trail, uint64_t number, uint32_t tag)
{
    struct sip_trail_entry *e = find(trail, number);

    if (e)
        e->partner = tag;
}

void sip_trail_refused(struct sip_trail *trail, uint64_t number,
                       const char *label, unsigned status,
                       enum sip_trail_token token, uint64_t now)
{
    struct sip_trail_entry *e = find(trail, number);

    if (!e)
        return;
    /* Where it was to go stays readable when that was decided before. */
    if (e->rule == SIP_TRAIL_OPEN) {
        e->rule = SIP_TRAIL_REFUSED;
        e->token = token;
    }
    e->refusal = label;
    sip_trail_answered(trail, number, status, now);
}

void sip_trail_sent(struct sip_trail *trail, uint64_t number,
                    const struct sip_target *to)
{
    struct sip_trail_entry *e = find(trail, number);

    if (!e)
        return;
    e->to = *to;
    e->tries++;
}

void sip_trail_answered(struct sip_trail *trail, uint64_t number,
                        unsigned status, uint64_t now)
{
    struct sip_trail_entry *e = find(trail, number);

    /* A second 2xx of a fork's late branch changes nothing. */
    if (!e || e->ended)
        return;
    e->status = (uint16_t)status;
    if (status >= 200)
        e->ended = now;
}

static bool is_of(const struct sip_trail_entry *e, struct span call_id)
{
    return e->number != 0 && span_equal(span_of(e->call_id, e->call_id_len),
                                        span_head(call_id, sizeof(e->call_id)));
}

size_t sip_trail_search(const struct sip_trail *trail, struct span call_id,
                        struct sip_trail_entry *ret_entries, size_t max)
{
    uint64_t first = trail->last > trail->size ? trail->last - trail->size : 0;
    uint64_t number = trail->last;
    size_t n = 0;

    /* The `max` newest from behind, then forward. */
    for (; number > first && n < max; number--)
        n += is_of(&trail->entries[number % trail->size], call_id);
    n = 0;
    while (++number <= trail->last && n < max) {
        const struct sip_trail_entry *e = &trail->entries[number % trail->size];

        if (is_of(e, call_id))
            ret_entries[n++] = *e;
    }
    return n;
}

const char *sip_trail_rule_str(enum sip_trail_rule rule)
{
    static const char *const words[] = {
        [SIP_TRAIL_OPEN] = "nothing to do",
        [SIP_TRAIL_REFUSED] = "refused",
        [SIP_TRAIL_SELF] = "answered by the edge",
        [SIP_TRAIL_SERVER] = "to a media server",
        [SIP_TRAIL_CLIENT] = "to a client's connection",
        [SIP_TRAIL_PARTNER] = "to a federation partner",
        [SIP_TRAIL_CANCEL] = "cancels a call being set up",
        [SIP_TRAIL_PARKED] = "waits for its client to come back",
    };

    return words[rule];
}

const char *sip_trail_token_str(enum sip_trail_token token)
{
    static const char *const words[] = {
        [SIP_TRAIL_NO_TOKEN] = "none",    [SIP_TRAIL_VERIFIED] = "verified",
        [SIP_TRAIL_GONE] = "gone",        [SIP_TRAIL_FORGED] = "forged",
        [SIP_TRAIL_UNSIGNED] = "missing", [SIP_TRAIL_MOVED] = "moved",
    };

    return words[token];
}
