/* SPDX-License-Identifier: MIT */
#include "proxy/web_peer.h"

#include "base/mem.h"
#include "proxy/web_host.h"

struct web_peer *web_peer_new(void)
{
    struct web_peer *peer = mem_zalloc(sizeof(*peer));

    if (peer)
        peer->refs = 1;
    return peer;
}

struct web_peer *web_peer_ref(struct web_peer *peer)
{
    if (peer)
        peer->refs++;
    return peer;
}

void web_peer_unref(struct web_peer *peer)
{
    if (peer && --peer->refs == 0)
        mem_free(peer);
}

const struct web_peer_rule *web_peer_find(const struct web_peer_rule *rules,
                                          size_t n, struct span host)
{
    const struct web_peer_rule *wild = NULL;

    for (size_t i = 0; i < n; i++) {
        struct span pattern = span_str(rules[i].host);

        if (span_equal(pattern, host))
            return &rules[i];
        if (!wild && web_host_matches(pattern, host))
            wild = &rules[i];
    }
    return wild;
}

int web_peer_judge(const struct web_peer_rule *rule,
                   const struct web_peer *peer, bool wants)
{
    const char *need = rule ? rule->host : "";
    const char *have = peer ? peer->host : "";

    if (strcmp(need, have) != 0)
        return 421;
    if (((rule && rule->required) || wants) && !(peer && peer->verified))
        return 403;
    return 0;
}
