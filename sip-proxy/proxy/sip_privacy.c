/* SPDX-License-Identifier: MIT */
#include "proxy/sip_privacy.h"

#include "proxy/sip_hide.h"
#include "proxy/sip_internal.h"

static unsigned bit_of(struct span word)
{
    static const struct {
        const char *word;
        enum sip_privacy bit;
    } words[] = {
        {"none", SIP_PRIVACY_NONE},       {"id", SIP_PRIVACY_ID},
        {"header", SIP_PRIVACY_HEADER},   {"user", SIP_PRIVACY_USER},
        {"session", SIP_PRIVACY_SESSION}, {"critical", SIP_PRIVACY_CRITICAL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (span_is_nocase(word, words[i].word))
            return words[i].bit;
    }
    return word.len > 0 ? SIP_PRIVACY_OTHER : 0;
}

/* Values are separated by semicolons (RFC 3323 4.2); some write commas. */
unsigned sip_privacy_of(const struct sip_msg *msg)
{
    struct sip_values values = sip_values_of(msg, SIP_HDR_PRIVACY);
    unsigned bits = 0;

    while (sip_values_next(&values)) {
        struct span rest = values.item;
        struct span word;

        while (span_next(&rest, ';', &word))
            bits |= bit_of(sip_trim(word));
    }
    return bits;
}

bool sip_privacy_is_trusted(const struct sip_core *core,
                            const struct sip_flow *flow)
{
    const struct sip_partner_config *cfg = &core->config->partners;
    bool some = false;

    if (!flow->names)
        return core->config->locals[flow->target.listener].identity;
    for (size_t i = 0; i < cfg->n; i++) {
        if (!sip_partner_owns(&cfg->items[i], flow->names))
            continue;
        if (!cfg->items[i].identity)
            return false;
        some = true;
    }
    return some;
}

static bool hides(const struct sip_core *core, const struct sip_flow *flow)
{
    return core->config->locals[flow->target.listener].hide != SIP_HIDE_OFF;
}

bool sip_privacy_is_possible(const struct sip_core *core,
                             const struct sip_flow *flow,
                             const struct sip_msg *request)
{
    unsigned can = SIP_PRIVACY_NONE | SIP_PRIVACY_ID | SIP_PRIVACY_CRITICAL;
    unsigned wanted = sip_privacy_of(request);

    if (hides(core, flow))
        can |= SIP_PRIVACY_HEADER;
    return !(wanted & SIP_PRIVACY_CRITICAL) || !(wanted & ~can);
}

bool sip_privacy_is_identity(struct span name)
{
    return span_is_nocase(name, "P-Asserted-Identity");
}

static void remove_identities(struct sip_edit *edit)
{
    sip_edit_remove_all(edit, SIP_HDR_P_ASSERTED_IDENTITY);
    sip_edit_remove_all(edit, SIP_HDR_P_PREFERRED_IDENTITY);
    sip_edit_remove_all(edit, SIP_HDR_REMOTE_PARTY_ID);
}

static void remove_traces(struct sip_edit *edit)
{
    static const char *const names[] = {
        "Subject", "Call-Info", "Organization", "User-Agent",
        "Server",  "Reply-To",  "In-Reply-To"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        sip_edit_remove_name(edit, span_str(names[i]));
}

/* The list without "header", or no field at all when nothing but "critical"
 * is left (RFC 3323 5). */
static void take_header_off(struct sip_edit *edit, unsigned bits)
{
    static const char *const words[] = {"none", "id",      NULL,
                                        "user", "session", "critical"};
    char text[64];
    size_t len = 0;

    /* A word we do not know is somebody else's. */
    if (bits & SIP_PRIVACY_OTHER)
        return;
    bits &= ~(unsigned)SIP_PRIVACY_HEADER;
    if (!(bits & ~(unsigned)SIP_PRIVACY_CRITICAL)) {
        sip_edit_remove_all(edit, SIP_HDR_PRIVACY);
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        size_t n;

        if (!(bits & 1u << i) || !words[i])
            continue;
        if (len > 0)
            text[len++] = ';';
        n = strlen(words[i]);
        memcpy(text + len, words[i], n);
        len += n;
    }
    sip_edit_set(edit, SIP_HDR_PRIVACY, span_of(text, len));
}

void sip_privacy_outwards(const struct sip_core *core, struct sip_edit *edit,
                          const struct sip_flow *flow,
                          const struct sip_msg *msg)
{
    unsigned bits = sip_privacy_of(msg);
    bool is_partner = flow->names != NULL;

    if (!sip_privacy_is_trusted(core, flow) &&
        ((bits & SIP_PRIVACY_ID) || (is_partner && !(bits & SIP_PRIVACY_NONE))))
        remove_identities(edit);
    if (bits & SIP_PRIVACY_USER)
        remove_traces(edit);
    if ((bits & SIP_PRIVACY_HEADER) && hides(core, flow))
        take_header_off(edit, bits);
}
