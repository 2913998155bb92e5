/* SPDX-License-Identifier: MIT */
#include "turn_config.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum {
    MINUTE_MS = 60000,
    DAY_MS = 86400000,
    MIB_64 = 67108864,
    GIB = 1073741824,
};

#define FIELD(f) offsetof(struct turn_relay_addr, f)
static const struct option_def relay_options[] = {
    {.name = "address",
     .type = OPT_ADDR,
     .offset = FIELD(local),
     .flags = OPT_REQUIRED,
     .help = "address of this host that relayed packets come from"},
    {.name = "advertised",
     .type = OPT_ADDR,
     .offset = FIELD(advertised),
     .help = "what the world knows it by, when there is NAT in front"},
};
#undef FIELD

static const struct option_table relay_table = {
    relay_options, ARRAY_SIZE(relay_options), sizeof(struct turn_relay_addr),
    "address=advertised"};

#define FIELD(f) offsetof(struct turn_listen_config, f)
static const struct option_def listen_options[] = {
    {.name = "address",
     .type = OPT_ENDPOINT,
     .offset = FIELD(address),
     .values = "udp=3478|tcp=3478|tls=5349",
     .flags = OPT_NUMERIC | OPT_REQUIRED,
     .help = "udp:HOST:PORT; tcp:HOST:PORT (with a certificate TLS as well, "
             "told apart by the first byte); tls:HOST:PORT (TLS alone)"},
    {.name = "role",
     .type = OPT_ENUM,
     .offset = FIELD(role),
     .values = "turn|stun",
     .fallback = "turn",
     .help = "stun: only Binding is answered here"},
    {.name = "client",
     .type = OPT_CIDR,
     .offset = FIELD(client),
     .flags = OPT_LIST,
     .help = "only these may allocate here, the others only Bind; "
             "repeated: client=10.0.0.0/24,client=10.1.0.0/24"},
    {.name = "realm",
     .type = OPT_STRING,
     .offset = FIELD(realm),
     .help = "realm of the clients that come here; without: by server-name, "
             "else the default realm"},
};
#undef FIELD

static const struct option_table listen_table = {
    listen_options, ARRAY_SIZE(listen_options),
    sizeof(struct turn_listen_config), "address"};

#define REALM_FIELD(f) offsetof(struct turn_config, realm.f)
#define FIELD(f) offsetof(struct turn_config, f)
static const struct option_def options[] = {
    {.name = "listen",
     .type = OPT_OBJECT,
     .object = &listen_table,
     .offset = FIELD(listen),
     .flags = OPT_LIST | OPT_REQUIRED,
     .help = "where clients come: udp:HOST:PORT, tcp:HOST:PORT, tls:HOST:PORT"},
    {.name = "nat-discovery",
     .type = OPT_BOOL,
     .offset = FIELD(nat_discovery),
     .fallback = "false",
     .help = "answer RFC 5780 on UDP listeners with an address (no wildcard): "
             "best two addresses, each with the same two ports"},
    {.name = "relay-address",
     .type = OPT_OBJECT,
     .object = &relay_table,
     .offset = FIELD(relays),
     .flags = OPT_LIST | OPT_REQUIRED,
     .help = "where relayed packets come from; ADDRESS=ADVERTISED behind NAT"},
    {.name = "relay-ports",
     .type = OPT_PORTS,
     .offset = FIELD(relay_ports),
     .fallback = "49152-65535",
     .help = "ports of the relay, UDP and (with tcp-relay) TCP"},
    {.name = "certificate",
     .type = OPT_FILE,
     .offset = FIELD(certificate),
     .flags = OPT_RELOAD,
     .help = "PEM file: certificate, then its chain"},
    {.name = "key",
     .type = OPT_FILE,
     .offset = FIELD(key),
     .flags = OPT_RELOAD,
     .help = "PEM file with the private key"},
    {.name = "dtls",
     .type = OPT_BOOL,
     .offset = FIELD(dtls),
     .fallback = "true",
     .help = "with a certificate, UDP listeners take DTLS clients as well"},
    {.name = "realm",
     .type = OPT_STRING,
     .offset = FIELD(realm.name),
     .min = 1,
     .max = TURN_REALM_NAME_MAX,
     .fallback = "edge",
     .flags = OPT_RELOAD,
     .help = "realm of the credentials; what follows up to realm-bandwidth is "
             "of this realm"},
    TURN_REALM_ROWS(REALM_FIELD),
    {.name = "extra-realm",
     .type = OPT_OBJECT,
     .object = &turn_realm_table,
     .offset = FIELD(more_realms),
     .flags = OPT_LIST | OPT_RELOAD,
     .help = "a realm beside it with users, secrets, peers and quotas of its "
             "own (nothing is inherited): NAME,users-file=FILE,…"},
    {.name = "quota-of",
     .type = OPT_OBJECT,
     .object = &turn_quota_table,
     .offset = FIELD(quotas),
     .flags = OPT_LIST | OPT_RELOAD,
     .help = "USER=NUMBER of allocations instead of user-quota and "
             "source-quota: a media server takes four a call with one user"},
    {.name = "nonce-lifetime",
     .type = OPT_DURATION,
     .offset = FIELD(nonce_lifetime),
     .min = MINUTE_MS,
     .max = DAY_MS,
     .fallback = "1h",
     .flags = OPT_RELOAD,
     .help = "how long a nonce is good for"},
    {.name = "hairpin",
     .type = OPT_BOOL,
     .offset = FIELD(hairpin),
     .fallback = "true",
     .flags = OPT_RELOAD,
     .help = "two clients of this server may meet through their relayed "
             "addresses"},
    {.name = "lifetime",
     .type = OPT_DURATION,
     .offset = FIELD(lifetime),
     .min = MINUTE_MS,
     .max = DAY_MS,
     .fallback = "10m",
     .flags = OPT_RELOAD,
     .help = "of an allocation that asks for none, and the shortest"},
    {.name = "max-lifetime",
     .type = OPT_DURATION,
     .offset = FIELD(max_lifetime),
     .min = MINUTE_MS,
     .max = DAY_MS,
     .fallback = "1h",
     .flags = OPT_RELOAD,
     .help = "the longest"},
    {.name = "max-allocations",
     .type = OPT_U32,
     .offset = FIELD(max_allocations),
     .min = 1,
     .max = 1000000,
     .fallback = "10000",
     .flags = OPT_RELOAD,
     .help = "allocations alive at the same time; over it 508 (memory for "
             "as many as at the start)"},
    {.name = "max-permissions",
     .type = OPT_U16,
     .offset = FIELD(max_permissions),
     .min = 1,
     .max = 1024,
     .fallback = "64",
     .flags = OPT_RELOAD,
     .help = "permissions of one allocation; over it 508"},
    {.name = "max-channels",
     .type = OPT_U16,
     .offset = FIELD(max_channels),
     .min = 1,
     .max = 1024,
     .fallback = "64",
     .flags = OPT_RELOAD,
     .help = "channels of one allocation; over it 508"},
    {.name = "total-bandwidth",
     .type = OPT_SIZE,
     .offset = FIELD(total_bandwidth),
     .max = (uint64_t)1 << 40,
     .fallback = "0",
     .flags = OPT_RELOAD,
     .help = "bytes per second of the whole server, both ways together; "
             "0: no limit"},
    {.name = "tcp-relay",
     .type = OPT_BOOL,
     .offset = FIELD(tcp_relay),
     .fallback = "false",
     .flags = OPT_RELOAD,
     .help = "TCP and TLS clients may have TCP relays (RFC 6062), to what "
             "allow-tcp-peer lists; else 442"},
    {.name = "max-tcp-connections",
     .type = OPT_U32,
     .offset = FIELD(tcp_total),
     .min = 1,
     .max = 1000000,
     .fallback = "1000",
     .flags = OPT_RELOAD,
     .help = "connections of TCP relays with peers; over it 508 (memory for as "
             "many as at the start)"},
    {.name = "user-tcp-connections",
     .type = OPT_U32,
     .offset = FIELD(tcp_per_user),
     .max = 1000000,
     .fallback = "100",
     .flags = OPT_RELOAD,
     .help = "those of one user; over it 486; 0: no limit"},
    {.name = "allocation-tcp-connections",
     .type = OPT_U16,
     .offset = FIELD(tcp_per_allocation),
     .min = 1,
     .max = 1000,
     .fallback = "16",
     .flags = OPT_RELOAD,
     .help = "those of one allocation; over it 486"},
    {.name = "mobility",
     .type = OPT_BOOL,
     .offset = FIELD(mobility),
     .fallback = "false",
     .flags = OPT_RELOAD,
     .help = "clients that ask for it may go on with their allocation from "
             "another address (RFC 8016); else 405"},
    {.name = "alternate-server",
     .type = OPT_ADDR,
     .offset = FIELD(alternate),
     .flags = OPT_LIST | OPT_RELOAD,
     .help = "ADDRESS:PORT for clients that come while this server drains "
             "(300); one IPv4, one IPv6"},
    {.name = "challenge-rate",
     .type = OPT_U32,
     .offset = FIELD(challenge_rate),
     .max = 1000000,
     .fallback = "500",
     .flags = OPT_RELOAD,
     .help = "answers per second to one source that has not proved who it is; "
             "0: no limit"},
    {.name = "max-connections",
     .type = OPT_U32,
     .offset = FIELD(max_connections),
     .max = 1000000,
     .fallback = "10000",
     .flags = OPT_RELOAD,
     .help = "TCP and TLS connections at a time; 0: no limit"},
    {.name = "source-connections",
     .type = OPT_U32,
     .offset = FIELD(source_connections),
     .max = 1000000,
     .fallback = "4000",
     .flags = OPT_RELOAD,
     .help =
         "TCP and TLS connections (and DTLS sessions) of one client address "
         "(IPv6: /64); 0: no limit"},
    {.name = "max-handshakes",
     .type = OPT_U32,
     .offset = FIELD(max_handshakes),
     .min = 16,
     .max = 65536,
     .fallback = "1024",
     .help =
         "TLS connections not ready yet on one listener of one worker: over "
         "it the oldest is closed; DTLS handshakes under way in one "
         "worker: over it none begins, and a 64th of it from one client "
         "address (IPv6: /64)"},
    {.name = "handshake-rate",
     .type = OPT_U32,
     .offset = FIELD(handshake_rate),
     .max = 1000000,
     .fallback = "1000",
     .flags = OPT_RELOAD,
     .help = "TLS and DTLS handshakes that may begin in a second, twice as "
             "many at once; 0: no limit"},
    {.name = "source-handshake-rate",
     .type = OPT_U32,
     .offset = FIELD(source_handshake_rate),
     .max = 1000000,
     .fallback = "100",
     .flags = OPT_RELOAD,
     .help = "the same for one client address (IPv6: /64)"},
    {.name = "proxy-from",
     .type = OPT_CIDR,
     .offset = FIELD(proxy_from),
     .flags = OPT_LIST,
     .help = "front ends whose TCP and TLS connections begin with a PROXY "
             "protocol header that names the client"},
    {.name = "idle-timeout",
     .type = OPT_DURATION,
     .offset = FIELD(idle_timeout),
     .min = 1000,
     .max = DAY_MS,
     .fallback = "1m",
     .help = "a connection without allocation is closed after this silence"},
    {.name = "stream-buffer",
     .type = OPT_SIZE,
     .offset = FIELD(stream_buffer),
     .min = 4096,
     .max = MIB_64,
     .fallback = "128k",
     .help = "bytes waiting for a slow TCP or TLS client; over it relayed "
             "packets are dropped"},
    {.name = "max-packet",
     .type = OPT_SIZE,
     .offset = FIELD(max_packet),
     .min = 576,
     .max = 65000,
     .fallback = "2048",
     .help = "longest packet relayed"},
    {.name = "socket-buffer",
     .type = OPT_SIZE,
     .offset = FIELD(socket_buffer),
     .max = GIB,
     .fallback = "4m",
     .help = "kernel buffer of a UDP listener, each way (as far as "
             "net.core.rmem_max lets it)"},
    {.name = "gather",
     .type = OPT_U32,
     .offset = FIELD(gather),
     .max = 5000,
     .fallback = "300",
     .help = "microseconds to wait under load (5000 packets/s and more) so "
             "that packets share wake-ups and system calls; 0: never"},
    {.name = "software",
     .type = OPT_STRING,
     .offset = FIELD(software),
     .max = 127,
     .flags = OPT_RELOAD,
     .help = "SOFTWARE in answers to known users; not sent when not set"},
    {.name = "log-allocations",
     .type = OPT_BOOL,
     .offset = FIELD(log_allocations),
     .fallback = "true",
     .flags = OPT_RELOAD,
     .help = "a log line when an allocation opens, when it ends, and (at most "
             "10 a second) when something is refused"},
};

static void check_relays(struct config_build *build,
                         const struct turn_config *c)
{
    for (size_t i = 0; i < c->relays.n; i++) {
        const struct turn_relay_addr *relay = &c->relays.items[i];

        if (addr_is_any(&relay->local) || addr_is_multicast(&relay->local))
            config_error(build, "relay-address",
                         "an address of this host is needed, not a wildcard");
        if (relay->local.port != 0 || relay->advertised.port != 0)
            config_error(build, "relay-address",
                         "no port here; relay-ports says which");
        if (relay->advertised.family != ADDR_NONE &&
            relay->advertised.family != relay->local.family)
            config_error(build, "relay-address",
                         "address and advertised address must be both IPv4 "
                         "or both IPv6");
    }
}

static void check_tls(struct config_build *build, const struct turn_config *c)
{
    if (!c->certificate != !c->key)
        config_error(build, c->certificate ? "key" : "certificate",
                     "certificate and key go together");
    for (size_t i = 0; i < c->listen.n; i++) {
        if (c->listen.items[i].address.transport == TURN_LISTEN_TLS &&
            !c->certificate)
            config_error(build, "listen",
                         "tls: needs a certificate and its key");
    }
}

static const struct turn_realm_config *find_realm(const struct turn_config *c,
                                                  const char *name)
{
    if (!name || strcmp(c->realm.name, name) == 0)
        return &c->realm;
    for (size_t i = 0; i < c->more_realms.n; i++) {
        const struct turn_realm_config *realm = &c->more_realms.items[i];

        if (realm->name && strcmp(realm->name, name) == 0)
            return realm;
    }
    return NULL;
}

/* A listener keeps its realm until a restart, so no reload may remove it. */
static void check_realm_names(struct config_build *build,
                              const struct turn_config *c)
{
    char key[64];

    for (size_t i = 0; i < c->listen.n; i++) {
        if (find_realm(c, c->listen.items[i].realm))
            continue;
        snprintf(key, sizeof(key), "listen[%zu].realm", i);
        config_error(build, key,
                     "\"%s\" is neither realm nor the name of an extra-realm",
                     c->listen.items[i].realm);
    }
    for (size_t i = 0; i < c->quotas.n; i++) {
        if (find_realm(c, c->quotas.items[i].realm))
            continue;
        snprintf(key, sizeof(key), "quota-of[%zu].realm", i);
        config_error(build, key,
                     "\"%s\" is neither realm nor the name of an extra-realm",
                     c->quotas.items[i].realm);
    }
}

static bool has_users(const struct turn_realm_config *realm)
{
    return realm->users.path || realm->secrets.path || realm->tokens.path;
}

static void check_realms(struct config_build *build,
                         const struct turn_config *c)
{
    struct turn_rules *rules = NULL;
    char error[TURN_RULES_ERROR_SIZE] = "";
    bool has_any = has_users(&c->realm);

    for (size_t i = 0; i < c->more_realms.n; i++) {
        if (!c->more_realms.items[i].name)
            return; /* said already */
        has_any |= has_users(&c->more_realms.items[i]);
    }
    check_realm_names(build, c);
    if (!has_any)
        config_warn(build, "users-file",
                    "none of users-file, secret-file, token-keys-file is set: "
                    "nobody can allocate, only STUN Binding is answered");
    if (turn_config_rules(c, NULL, 0, NULL, &rules, error) == ERR_CONFIG)
        config_error(build, "users-file", "%s", error);
    turn_rules_unref(rules);
}

static bool has_tcp_peers(const struct turn_config *c)
{
    bool has_any = c->realm.allow_tcp_peer.n > 0;

    for (size_t i = 0; i < c->more_realms.n; i++)
        has_any |= c->more_realms.items[i].allow_tcp_peer.n > 0;
    return has_any;
}

static void check_tcp_relay(struct config_build *build,
                            const struct turn_config *c)
{
    if (c->tcp_relay && !has_tcp_peers(c) && !c->hairpin)
        config_warn(build, "tcp-relay",
                    "allow-tcp-peer lists nobody: TCP relays reach nothing");
    if (!c->tcp_relay && has_tcp_peers(c))
        config_warn(build, "allow-tcp-peer", "has no effect without tcp-relay");
}

static void check(struct config_build *build, void *values)
{
    const struct turn_config *c = values;

    check_relays(build, c);
    check_tls(build, c);
    check_tcp_relay(build, c);
    for (size_t i = 0; i < c->alternate.n; i++) {
        if (c->alternate.items[i].port == 0)
            config_error(build, "alternate-server", "needs a port");
    }
    if (c->max_lifetime < c->lifetime)
        config_error(build, "max-lifetime", "must not be below lifetime");
    if (c->realm.name)
        check_realms(build, c);
}

const struct config_spec turn_config_spec = {
    .program = "turn-server",
    .summary = "relays media between outside clients and media servers "
               "(STUN, TURN)",
    .table = {options, ARRAY_SIZE(options), sizeof(struct turn_config), NULL},
    .check = check,
};

static struct turn_limits limits_of(const struct turn_config *c)
{
    return (struct turn_limits){
        .lifetime_default = (uint32_t)(c->lifetime / 1000),
        .lifetime_max = (uint32_t)(c->max_lifetime / 1000),
        .nonce_lifetime = (uint32_t)(c->nonce_lifetime / 1000),
        .max_allocations = c->max_allocations,
        .max_permissions = c->max_permissions,
        .max_channels = c->max_channels,
        .total_bandwidth = c->total_bandwidth,
        .mobility = c->mobility,
        .tcp_total = c->tcp_total,
        .tcp_per_user = c->tcp_per_user,
        .tcp_per_allocation = c->tcp_per_allocation,
        .challenge_rate = c->challenge_rate,
    };
}

static struct turn_realm_options
realm_options_of(const struct turn_config *c,
                 const struct turn_realm_config *realm, const struct addr *own,
                 size_t n_own)
{
    struct turn_realm_options o = turn_realm_config_options(realm);

    o.policy.own = own;
    o.policy.n_own = n_own;
    o.policy.relays = c->relays.items;
    o.policy.n_relays = c->relays.n;
    o.policy.relay_first = c->relay_ports.first;
    o.policy.relay_last = c->relay_ports.last;
    o.policy.hairpin = c->hairpin;
    o.has_tcp = c->tcp_relay;
    return o;
}

/* The exceptions of one realm's users. Borrows; `out` has room for all. */
static void fill_quotas(const struct turn_config *c,
                        const struct turn_realm_config *realm,
                        struct turn_user_quota *out,
                        struct turn_realm_options *o)
{
    o->quotas = out;
    o->n_quotas = 0;
    for (size_t i = 0; i < c->quotas.n; i++) {
        const struct turn_quota_config *q = &c->quotas.items[i];

        if (q->user && find_realm(c, q->realm) == realm)
            out[o->n_quotas++] =
                (struct turn_user_quota){span_str(q->user), q->allocations};
    }
}

static void fill_alternates(const struct turn_config *c,
                            struct turn_rules_options *o)
{
    for (size_t i = 0; i < c->alternate.n; i++) {
        const struct addr *a = &c->alternate.items[i];

        *(a->family == ADDR_V6 ? &o->alternate_v6 : &o->alternate_v4) = *a;
    }
}

int turn_config_rules(const struct turn_config *c, const struct addr *own,
                      size_t n_own, const uint8_t *slots,
                      struct turn_rules **ret_rules,
                      char error[TURN_RULES_ERROR_SIZE])
{
    struct turn_rules_options o = {
        .realm = realm_options_of(c, &c->realm, own, n_own),
        .software = c->software ? span_str(c->software) : span_of(NULL, 0),
        .limits = limits_of(c),
        .log_allocations = c->log_allocations,
    };
    size_t n = c->more_realms.n;
    struct turn_realm_options *more = mem_zarray(n + 1, sizeof(*more));
    struct turn_user_quota *quotas =
        mem_zarray((n + 1) * c->quotas.n + 1, sizeof(*quotas));
    int err = -ENOMEM;

    if (more && quotas) {
        fill_quotas(c, &c->realm, quotas, &o.realm);
        for (size_t i = 0; i < n; i++) {
            const struct turn_realm_config *realm = &c->more_realms.items[i];

            more[i] = realm_options_of(c, realm, own, n_own);
            more[i].slot = slots ? slots[i] : 0;
            fill_quotas(c, realm, &quotas[(i + 1) * c->quotas.n], &more[i]);
        }
        o.more = more;
        o.n_more = n;
        fill_alternates(c, &o);
        err = turn_rules_new(ret_rules, &o, error);
    }
    mem_free(more);
    mem_free(quotas);
    return err;
}
