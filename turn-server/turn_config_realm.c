/* SPDX-License-Identifier: MIT */
#include "turn_config_realm.h"

#include "base/mem.h"

#include <stddef.h>

#define FIELD(f) offsetof(struct turn_realm_config, f)
static const struct option_def realm_options[] = {
    {.name = "name",
     .type = OPT_STRING,
     .offset = FIELD(name),
     .min = 1,
     .max = TURN_REALM_NAME_MAX,
     .flags = OPT_REQUIRED,
     .help = "realm of the credentials; listen[].realm refers to it"},
    {.name = "server-name",
     .type = OPT_STRING,
     .offset = FIELD(server_names),
     .min = 1,
     .max = 253,
     .flags = OPT_LIST,
     .help = "TLS clients that ask for this name (SNI) are of this realm, "
             "unless their listener names another"},
    TURN_REALM_ROWS(FIELD),
};
#undef FIELD

const struct option_table turn_realm_table = {
    realm_options, ARRAY_SIZE(realm_options), sizeof(struct turn_realm_config),
    "name"};

#define FIELD(f) offsetof(struct turn_quota_config, f)
static const struct option_def quota_options[] = {
    {.name = "user",
     .type = OPT_STRING,
     .offset = FIELD(user),
     .min = 1,
     .max = TURN_USERNAME_MAX,
     .flags = OPT_REQUIRED,
     .help = "name, of time-limited users without the expiry"},
    {.name = "allocations",
     .type = OPT_U32,
     .offset = FIELD(allocations),
     .min = 1,
     .max = 1000000,
     .flags = OPT_REQUIRED,
     .help = "instead of user-quota and source-quota"},
    {.name = "realm",
     .type = OPT_STRING,
     .offset = FIELD(realm),
     .help = "the user's; without: the default one"},
};
#undef FIELD

const struct option_table turn_quota_table = {
    quota_options, ARRAY_SIZE(quota_options), sizeof(struct turn_quota_config),
    "user=allocations"};

bool turn_realm_config_public(const struct turn_realm_config *c)
{
    return c->public_peers == TURN_PUBLIC_TRUE ||
           (c->public_peers == TURN_PUBLIC_AUTO && c->allow_peer.n == 0);
}

struct turn_realm_options
turn_realm_config_options(const struct turn_realm_config *c)
{
    return (struct turn_realm_options){
        .name = span_str(c->name),
        .server_names = c->server_names.items,
        .n_server_names = c->server_names.n,
        .users = {.users = c->users.value, .secrets = c->secrets.value},
        .tokens = {.keys = c->tokens.value,
                   .server_name = c->token_server ? span_str(c->token_server)
                                                  : span_of(NULL, 0)},
        .policy = {.allow = c->allow_peer.items,
                   .n_allow = c->allow_peer.n,
                   .deny = c->deny_peer.items,
                   .n_deny = c->deny_peer.n,
                   .public_peers = turn_realm_config_public(c)},
        .allow_tcp = c->allow_tcp_peer.items,
        .n_allow_tcp = c->allow_tcp_peer.n,
        .limits = {.max_allocations = c->realm_quota,
                   .max_per_user = c->user_quota,
                   .max_per_source = c->source_quota,
                   .max_bandwidth = c->max_bandwidth,
                   .user_bandwidth = c->user_bandwidth,
                   .realm_bandwidth = c->realm_bandwidth},
    };
}
