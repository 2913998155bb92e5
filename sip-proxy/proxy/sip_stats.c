/* SPDX-License-Identifier: MIT */
#include "proxy/sip_stats.h"

#include "base/mem.h"

static const struct {
    unsigned status;
    const char *reason;
    const char *label;
    size_t counter;
} refusals[SIP_REFUSAL_COUNT] = {
#define ROW(label, status, text)                                               \
    [SIP_REFUSED_##label] = {status, text, #label,                             \
                             offsetof(struct sip_stats, refused_##label)},
    SIP_REFUSAL_MAP(ROW)
#undef ROW
};

unsigned sip_refusal_status(enum sip_refusal refusal)
{
    return refusals[refusal].status;
}

const char *sip_refusal_reason(enum sip_refusal refusal)
{
    return refusals[refusal].reason;
}

const char *sip_refusal_label(enum sip_refusal refusal)
{
    return refusals[refusal].label;
}

uint64_t *sip_refusal_counter(struct sip_stats *stats, enum sip_refusal refusal)
{
    return (uint64_t *)(void *)((char *)stats + refusals[refusal].counter);
}
