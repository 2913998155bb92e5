/* SPDX-License-Identifier: MIT */
/* turn_config_realm.h - the settings each realm has: rows that stand in the
 * daemon's table for the default realm, and in that of `extra-realm` for the
 * others.
 */
#ifndef TURN_CONFIG_REALM_H
#define TURN_CONFIG_REALM_H

#include "app/config.h"
#include "turn/turn_rules.h"

enum turn_public_peers {
    TURN_PUBLIC_AUTO, /* only while there is no allow-peer */
    TURN_PUBLIC_TRUE,
    TURN_PUBLIC_FALSE,
};

struct turn_realm_config {
    const char *name;
    struct string_list server_names; /* extra-realm only */
    struct option_secret users;
    struct option_secret secrets;
    struct option_secret tokens; /* keys of the ring */
    const char *token_server;    /* NULL: the realm's name */
    struct cidr_list allow_peer;
    struct cidr_list deny_peer;
    struct cidr_list allow_tcp_peer;
    int public_peers; /* enum turn_public_peers */
    uint32_t realm_quota;
    uint32_t user_quota;
    uint32_t source_quota;
    uint64_t max_bandwidth; /* bytes/s */
    uint64_t user_bandwidth;
    uint64_t realm_bandwidth;
};

/* One user's own quota. */
struct turn_quota_config {
    const char *user;
    const char *realm; /* NULL: the default one */
    uint32_t allocations;
};

enum {
    TURN_USERS_FILE_MAX = 64 * 1024 * 1024,
    TURN_SECRET_FILE_MAX = 4096,
};

/* F(field) is the offset of a field of struct turn_realm_config. */
#define TURN_REALM_ROWS(F)                                                     \
    {.name = "users-file",                                                     \
     .type = OPT_SECRET_FILE,                                                  \
     .offset = F(users),                                                       \
     .max = TURN_USERS_FILE_MAX,                                               \
     .flags = OPT_RELOAD,                                                      \
     .help = "lines name:password or name:HA1 (32 hex digits of "              \
             "MD5(name:realm:password), or 64 of SHA-256)"},                   \
        {.name = "secret-file",                                                \
         .type = OPT_SECRET_FILE,                                              \
         .offset = F(secrets),                                                 \
         .max = TURN_SECRET_FILE_MAX,                                          \
         .flags = OPT_RELOAD,                                                  \
         .help = "shared secrets of time-limited users (TURN REST), one a "    \
                 "line, the newest first; all are accepted"},                  \
        {.name = "token-keys-file",                                            \
         .type = OPT_SECRET_FILE,                                              \
         .offset = F(tokens),                                                  \
         .max = TURN_SECRET_FILE_MAX,                                          \
         .flags = OPT_RELOAD,                                                  \
         .help = "keys of access tokens (RFC 7635), a line each: "             \
                 "kid:A256GCM:BASE64 or kid:A128GCM:BASE64, and behind it, "   \
                 "where the key has its time, :FROM:SECONDS"},                 \
        {.name = "token-server-name",                                          \
         .type = OPT_STRING,                                                   \
         .offset = F(token_server),                                            \
         .min = 1,                                                             \
         .max = TURN_REALM_NAME_MAX,                                           \
         .flags = OPT_RELOAD,                                                  \
         .help = "what tokens are sealed for and THIRD-PARTY-AUTHORIZATION "   \
                 "says; without: the realm"},                                  \
        {.name = "allow-peer",                                                 \
         .type = OPT_CIDR,                                                     \
         .offset = F(allow_peer),                                              \
         .flags = OPT_LIST | OPT_RELOAD,                                       \
         .help = "peers to reach although they are private or special: "       \
                 "10.0.0.0/24:10000-20000"},                                   \
        {.name = "deny-peer",                                                  \
         .type = OPT_CIDR,                                                     \
         .offset = F(deny_peer),                                               \
         .flags = OPT_LIST | OPT_RELOAD,                                       \
         .help = "peers never to reach; goes before allow-peer"},              \
        {.name = "allow-tcp-peer",                                             \
         .type = OPT_CIDR,                                                     \
         .offset = F(allow_tcp_peer),                                          \
         .flags = OPT_LIST | OPT_RELOAD,                                       \
         .help = "peers of TCP relays, these alone (and hairpin): "            \
                 "10.0.0.0/24:5060; the ports are those to connect to, a "     \
                 "peer that connects comes from any"},                         \
        {.name = "public-peers",                                               \
         .type = OPT_ENUM,                                                     \
         .offset = F(public_peers),                                            \
         .values = "auto|true|false",                                          \
         .fallback = "auto",                                                   \
         .flags = OPT_RELOAD,                                                  \
         .help = "public addresses are peers without being listed; auto: "     \
                 "unless allow-peer lists any"},                               \
        {.name = "realm-quota",                                                \
         .type = OPT_U32,                                                      \
         .offset = F(realm_quota),                                             \
         .fallback = "0",                                                      \
         .flags = OPT_RELOAD,                                                  \
         .help = "allocations of the realm; over it 486; 0: no limit"},        \
        {.name = "user-quota",                                                 \
         .type = OPT_U32,                                                      \
         .offset = F(user_quota),                                              \
         .fallback = "200",                                                    \
         .flags = OPT_RELOAD,                                                  \
         .help = "allocations (and reserved ports) of one user; over it 486; " \
                 "0: no limit; see quota-of"},                                 \
        {.name = "source-quota",                                               \
         .type = OPT_U32,                                                      \
         .offset = F(source_quota),                                            \
         .fallback = "1000",                                                   \
         .flags = OPT_RELOAD,                                                  \
         .help = "allocations of one client address (IPv6: /64); over it "     \
                 "486; 0: no limit"},                                          \
        {.name = "max-bandwidth",                                              \
         .type = OPT_SIZE,                                                     \
         .offset = F(max_bandwidth),                                           \
         .max = (uint64_t)1 << 40,                                             \
         .fallback = "0",                                                      \
         .flags = OPT_RELOAD,                                                  \
         .help = "bytes per second of one allocation, each way; what is over " \
                 "it is dropped; 0: no limit"},                                \
        {.name = "user-bandwidth",                                             \
         .type = OPT_SIZE,                                                     \
         .offset = F(user_bandwidth),                                          \
         .max = (uint64_t)1 << 40,                                             \
         .fallback = "0",                                                      \
         .flags = OPT_RELOAD,                                                  \
         .help = "bytes per second of all allocations of a user, both ways "   \
                 "together; 0: no limit"},                                     \
    {                                                                          \
        .name = "realm-bandwidth", .type = OPT_SIZE,                           \
        .offset = F(realm_bandwidth), .max = (uint64_t)1 << 40,                \
        .fallback = "0", .flags = OPT_RELOAD,                                  \
        .help = "bytes per second of the realm, both ways together; 0: no "    \
                "limit"                                                        \
    }

/* Of `extra-realm`, and of `quota-of`. */
extern const struct option_table turn_realm_table;
extern const struct option_table turn_quota_table;

bool turn_realm_config_public(const struct turn_realm_config *c);

/* What the realm is made of: users, peer lists, limits. The rest of its policy
 * is the caller's to fill. Borrows everything. */
struct turn_realm_options
turn_realm_config_options(const struct turn_realm_config *c);

#endif /* TURN_CONFIG_REALM_H */
