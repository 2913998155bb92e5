/* SPDX-License-Identifier: MIT */
/* From the settings to what the core is given. */
#include "sip_config.h"

#include "base/crypto.h"
#include "base/mem.h"
#include "proxy/sip_flow.h"

#include <stdio.h>

/* Set by those who may be trusted, wrong from everybody else. */
static const char *const strip_default[] = {
    "P-Asserted-Identity", "P-Preferred-Identity",  "Remote-Party-ID",
    "Diversion",           "History-Info",          "Identity",
    "P-Charging-Vector",   "P-Access-Network-Info",
};

static uint32_t tag_of(const char *group)
{
    return group ? sip_name_tag(span_str(group)) : 0;
}

/* Those given by address; names come from sip_names.h. */
static void fill_servers(const struct sip_config *cfg,
                         struct sip_dispatch_conf *d)
{
    for (size_t i = 0; i < cfg->media_servers.n; i++) {
        if (cfg->media_servers.items[i].server.addr.family != ADDR_NONE)
            sip_config_add_server(d, &cfg->media_servers.items[i], NULL, 0);
    }
    d->probe_interval_ms = (uint32_t)cfg->probe_interval;
    d->down_after = cfg->down_after;
    d->up_after = cfg->up_after;
    d->retire_ms = (uint32_t)cfg->retire_time;
}

static void fill_lists(const struct sip_config *cfg,
                       struct sip_core_config *core)
{
    bool none = cfg->strip_headers.n == 1 &&
                strcmp(cfg->strip_headers.items[0], "none") == 0;

    for (size_t i = 0; i < cfg->domains.n && i < SIP_DOMAINS_MAX; i++)
        core->domains[core->n_domains++] = (struct sip_domain){
            cfg->domains.items[i].name, tag_of(cfg->domains.items[i].group)};
    for (size_t i = 0; i < cfg->inside_sources.n && i < SIP_INSIDE_MAX; i++)
        core->inside[core->n_inside++] = cfg->inside_sources.items[i];
    for (size_t i = 0; !none && i < cfg->strip_headers.n && i < SIP_STRIP_MAX;
         i++)
        core->strip[core->n_strip++] = cfg->strip_headers.items[i];
    for (size_t i = 0;
         cfg->strip_headers.n == 0 && i < ARRAY_SIZE(strip_default); i++)
        core->strip[core->n_strip++] = strip_default[i];
}

/* What comes from this host comes through a web proxy: it is everybody. */
static void fill_exempt(const struct sip_config *cfg,
                        struct sip_guard_config *guard)
{
    static const char *const loopback[] = {"127.0.0.0/8", "::1"};
    const struct cidr_list *lists[] = {&cfg->guard_exempt,
                                       &cfg->trusted_proxies};

    for (size_t k = 0; k < ARRAY_SIZE(lists); k++) {
        for (size_t i = 0; i < lists[k]->n && guard->n_exempt < SIP_EXEMPT_MAX;
             i++)
            guard->exempt[guard->n_exempt++] = lists[k]->items[i];
    }
    for (size_t i = 0; cfg->guard_exempt.n == 0 && i < ARRAY_SIZE(loopback) &&
                       guard->n_exempt < SIP_EXEMPT_MAX;
         i++) {
        if (cidr_parse(span_str(loopback[i]),
                       &guard->exempt[guard->n_exempt]) == 0)
            guard->n_exempt++;
    }
}

static void fill_guard(const struct sip_config *cfg,
                       struct sip_guard_config *guard)
{
    guard->source_rate = cfg->source_rate;
    guard->source_burst = cfg->source_burst;
    guard->flow_rate = cfg->connection_rate;
    guard->flow_burst = cfg->connection_burst;
    guard->user_rate = cfg->user_rate;
    guard->user_burst = cfg->user_burst;
    guard->connect_rate = cfg->connect_rate;
    guard->connect_burst = cfg->connect_burst;
    guard->unknown_users = cfg->unknown_users;
    guard->source_failures = cfg->auth_failures;
    guard->user_failures = cfg->user_failures;
    guard->window_ms = (uint32_t)cfg->auth_window;
    guard->ban_ms = (uint32_t)cfg->ban_time;
    guard->scanners = cfg->block_scanners;
    fill_exempt(cfg, guard);
}

/* Any text or bytes of at least 16 become a key of the right size. */
static void key_from(const struct option_secret *secret,
                     struct sip_token_key *key)
{
    uint8_t digest[CRYPTO_SHA256_SIZE];
    const struct span parts[] = {span_str("sip token key file"), secret->value};

    _Static_assert((int)SIP_TOKEN_KEY == (int)CRYPTO_SHA256_SIZE,
                   "a digest is a key");
    crypto_sha256(parts, ARRAY_SIZE(parts), digest);
    sip_token_key_init(key, digest);
    mem_wipe(digest, sizeof(digest));
}

static void fill_keys(const struct sip_config *cfg, struct sip_token_keys *keys)
{
    if (cfg->token_key.path)
        key_from(&cfg->token_key, &keys->key[keys->count++]);
    if (cfg->token_key_previous.path)
        key_from(&cfg->token_key_previous, &keys->key[keys->count++]);
}

static uint32_t default_group(const struct sip_config *cfg)
{
    if (cfg->media_servers.n == 0 || sip_config_has_group(cfg, "default"))
        return tag_of("default");
    return tag_of(cfg->media_servers.items[0].group);
}

static uint32_t share(uint64_t total, unsigned workers)
{
    uint64_t part = (total + workers - 1) / workers;

    /* The kernel does not spread connections evenly. */
    return (uint32_t)(workers > 1 ? part + part / 4 + 16 : part);
}

void sip_config_core(const struct sip_config *cfg, unsigned workers,
                     struct sip_core_config *ret_core)
{
    struct sip_core_config *core = ret_core;

    memset(core, 0, sizeof(*core));
    fill_servers(cfg, &core->dispatch);
    fill_lists(cfg, core);
    sip_config_fill_partners(cfg, &core->partners);
    fill_keys(cfg, &core->keys);
    fill_guard(cfg, &core->guard);
    core->txn = sip_txn_config_default;
    core->txn.max = share(cfg->max_transactions, workers);
    core->max_pending = cfg->max_pending;
    core->source_flows = cfg->source_connections;
    core->source_pending = cfg->source_pending;
    core->trail = cfg->decision_trail;
    core->rebind = cfg->rebind;
    core->park_ms = (uint32_t)cfg->park_time;
    core->park_max = cfg->park_requests;
    core->txn.max_bytes = cfg->transaction_memory / workers;
    core->limits = sip_limits_default;
    core->limits.message = cfg->max_message;
    core->node = cfg->node;
    core->echo_method = cfg->echo_method;
    core->default_group = default_group(cfg);
    core->max_flows = share(cfg->max_connections, workers);
    core->max_forwards = cfg->max_forwards;
    core->timer_c_ms = (uint32_t)cfg->timer_c;
    core->server_timeout_ms = (uint32_t)cfg->server_timeout;
    core->probe_timeout_ms = (uint32_t)cfg->probe_timeout;
    core->ws_flow_timer_s = (uint32_t)(cfg->idle_timeout / 1000);
    core->stream_flow_timer_s = (uint32_t)(cfg->stream_idle_timeout / 1000);
    core->udp_flow_ms = (uint32_t)cfg->udp_flow_timeout;
    core->datagram_size = (uint32_t)cfg->datagram_size;
}

void sip_config_policy(const struct sip_listen *listen,
                       struct sip_zone_policy *ret_policy)
{
    *ret_policy = (struct sip_zone_policy){
        .methods = listen->methods.items,
        .n_methods = listen->methods.n,
        .types = listen->body_types.items,
        .n_types = listen->body_types.n,
        .max_body = (size_t)listen->max_body,
        .refer_inside = listen->refer == 1,
    };
}

void sip_config_local(const struct sip_listen *listen, const struct addr *bound,
                      struct sip_local *ret_local)
{
    struct sip_host host;
    char text[ADDR_TEXT_SIZE];

    *ret_local = (struct sip_local){
        .transport = sip_config_transport(&listen->address),
        .zone = sip_config_zone(listen),
        .addr = *bound,
        .group = tag_of(listen->group),
        .partners = listen->partners,
        .verify = listen->verify,
        .hide = listen->hide,
        .identity = listen->identity,
    };
    if (!listen->advertise)
        (void)snprintf(ret_local->sent_by, sizeof(ret_local->sent_by), "%s",
                       addr_str(bound, text));
    else if (sip_host_parse(span_str(listen->advertise), &host) == 0 &&
             host.port == 0)
        (void)snprintf(ret_local->sent_by, sizeof(ret_local->sent_by), "%s:%u",
                       listen->advertise, (unsigned)bound->port);
    else
        (void)snprintf(ret_local->sent_by, sizeof(ret_local->sent_by), "%s",
                       listen->advertise);
}
