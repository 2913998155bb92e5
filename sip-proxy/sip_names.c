/* SPDX-License-Identifier: MIT */
#include "sip_names.h"

#include "base/err.h"
#include "base/mem.h"
#include "net/alarm.h"
#include "sip_config.h"
#include "sip_locator.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define LOG_COMPONENT "dns"
#include "base/log.h"

enum {
    AGAIN_MS = 10000, /* while all are known, at most */
    SOON_MS = 2000,   /* while some is not */
    SERVERS_TEXT = 512,
};

struct name {
    struct sip_names *owner;
    struct sip_locate_query query; /* its host points to `host` */
    char host[DNS_NAME_MAX + 1];
    bool wanted;
    bool asking;
    bool failing;         /* said so in the log */
    struct sip_hop *hops; /* SIP_HOPS_MAX of them */
    size_t n;
};

struct sip_names {
    pthread_mutex_t lock; /* of `hops` and `n`, and of the list itself */
    struct name *items[SIP_NAMES_MAX];
    size_t n;
    atomic_uint version;
    struct worker *worker;
    struct resolver *resolver; /* NULL: not running, or nothing to ask */
    struct sip_locator *locator;
    struct alarm alarm;
    uint64_t again_ms;
    void (*on_change)(void *arg);
    void *arg;
    struct sip_names_stats before; /* of resolvers that are closed */
};

/* --- what is known --- */

static bool same_query(const struct sip_locate_query *a,
                       const struct sip_locate_query *b)
{
    return a->kind == b->kind && a->port == b->port && a->sips == b->sips &&
           a->transport == b->transport && a->transports == b->transports &&
           span_equal_nocase(a->host, b->host);
}

static struct name *find(const struct sip_names *names,
                         const struct sip_locate_query *query)
{
    for (size_t i = 0; i < names->n; i++) {
        if (same_query(&names->items[i]->query, query))
            return names->items[i];
    }
    return NULL;
}

size_t sip_names_find(struct sip_names *names,
                      const struct sip_locate_query *query,
                      struct sip_hop hops[SIP_HOPS_MAX])
{
    const struct name *name;
    size_t n = 0;

    pthread_mutex_lock(&names->lock);
    name = find(names, query);
    if (name) {
        n = name->n;
        memcpy(hops, name->hops, n * sizeof(*hops));
    }
    pthread_mutex_unlock(&names->lock);
    return n;
}

unsigned sip_names_version(const struct sip_names *names)
{
    return atomic_load(&names->version);
}

static uint16_t heaviest(const struct sip_hop *hops, size_t n, uint16_t rank)
{
    uint16_t max = 0;

    for (size_t i = 0; i < n; i++) {
        if (hops[i].rank == rank && hops[i].weight > max)
            max = hops[i].weight;
    }
    return max;
}

/* An SRV weight as one of ours: the heaviest of a rank has the most, none has
 * nothing (RFC 2782: weight 0 shall have a very small chance). */
static unsigned weight_of(const struct sip_hop *hops, size_t n,
                          const struct sip_hop *hop)
{
    unsigned max = heaviest(hops, n, hop->rank);
    unsigned weight = max ? hop->weight * SIP_WEIGHT_MAX / max : 0;

    return max && weight == 0 ? 1 : weight;
}

void sip_names_servers(struct sip_names *names, const struct sip_config *cfg,
                       struct sip_dispatch_conf *ret_conf)
{
    struct sip_hop hops[SIP_HOPS_MAX];

    ret_conf->count = 0;
    for (size_t i = 0; i < cfg->media_servers.n; i++) {
        const struct sip_media_server *s = &cfg->media_servers.items[i];
        struct sip_locate_query query;
        size_t n;

        if (!sip_config_server_query(cfg, s, &query)) {
            sip_config_add_server(ret_conf, s, NULL, 0);
            continue;
        }
        n = sip_names_find(names, &query, hops);
        for (size_t k = 0; k < n; k++) {
            if (sip_config_has_inside(cfg, hops[k].transport,
                                      hops[k].addr.family))
                sip_config_add_server(ret_conf, s, &hops[k],
                                      weight_of(hops, n, &hops[k]));
        }
    }
}

/* --- asking --- */

static bool same_hops(const struct name *name, const struct sip_hop *hops,
                      size_t n)
{
    if (name->n != n)
        return false;
    /* In any order: that of one rank is drawn anew each time. */
    for (size_t i = 0; i < n; i++) {
        bool found = false;

        for (size_t k = 0; k < n && !found; k++)
            found = addr_equal(&name->hops[k].addr, &hops[i].addr) &&
                    name->hops[k].transport == hops[i].transport &&
                    name->hops[k].rank == hops[i].rank &&
                    name->hops[k].weight == hops[i].weight;
        if (!found)
            return false;
    }
    return true;
}

static void say(struct name *name, int err)
{
    if (err < 0 && !name->failing)
        log_warn("name not found, %s name=%s error=\"%s\"",
                 name->n ? "its last addresses are used"
                         : "nothing is sent there",
                 name->host, err_str(err));
    else if (err == 0 && name->failing)
        log_info("name found again name=%s", name->host);
    name->failing = err < 0;
}

static void on_located(void *arg, int err, const struct sip_hop *hops, size_t n)
{
    struct name *name = arg;
    struct sip_names *names = name->owner;
    bool changed = err == 0 && !same_hops(name, hops, n);

    name->asking = false;
    say(name, err);
    if (!changed)
        return;
    pthread_mutex_lock(&names->lock);
    memcpy(name->hops, hops, n * sizeof(*hops));
    name->n = n;
    pthread_mutex_unlock(&names->lock);
    (void)atomic_fetch_add(&names->version, 1);
    log_info("name found name=%s addresses=%zu", name->host, n);
    names->on_change(names->arg);
}

static void ask_all(struct sip_names *names)
{
    bool all_known = true;

    for (size_t i = 0; names->locator && i < names->n; i++) {
        struct name *name = names->items[i];
        int err;

        if (!name->asking) {
            name->asking = true;
            err = sip_locator_ask(names->locator, &name->query, on_located,
                                  name, NULL);
            if (err < 0)
                on_located(name, err, NULL, 0);
        }
        all_known = all_known && name->n > 0 && !name->failing;
    }
    alarm_set(&names->alarm, worker_now(names->worker) +
                                 (all_known ? names->again_ms : SOON_MS));
}

static void on_alarm(struct alarm *alarm, uint64_t now)
{
    (void)now;
    ask_all(CONTAINER_OF(alarm, struct sip_names, alarm));
}

/* --- what is wanted --- */

static void free_name(struct name *name)
{
    mem_free(name->hops);
    mem_free(name);
}

static void want(struct sip_names *names, const struct sip_locate_query *query)
{
    struct name *name = find(names, query);

    if (!name && names->n < SIP_NAMES_MAX) {
        name = mem_zalloc(sizeof(*name));
        if (!name)
            return; /* asked for with the next reload */
        name->hops = mem_zarray(SIP_HOPS_MAX, sizeof(*name->hops));
        if (!name->hops || query->host.len >= sizeof(name->host)) {
            free_name(name);
            return;
        }
        name->owner = names;
        memcpy(name->host, query->host.ptr, query->host.len);
        name->query = *query;
        name->query.host = span_str(name->host);
        names->items[names->n++] = name;
    }
    if (name)
        name->wanted = true;
}

static void drop_unwanted(struct sip_names *names)
{
    size_t kept = 0;

    for (size_t i = 0; i < names->n; i++) {
        if (names->items[i]->wanted)
            names->items[kept++] = names->items[i];
        else
            free_name(names->items[i]);
    }
    names->n = kept;
}

/* Nothing is under way that would come back to a name which is gone. */
static void want_all(struct sip_names *names, const struct sip_config *cfg)
{
    struct sip_locate_query query;

    pthread_mutex_lock(&names->lock);
    for (size_t i = 0; i < names->n; i++) {
        names->items[i]->wanted = false;
        names->items[i]->asking = false;
    }
    for (size_t i = 0; i < cfg->media_servers.n; i++) {
        if (sip_config_server_query(cfg, &cfg->media_servers.items[i], &query))
            want(names, &query);
    }
    for (size_t i = 0; i < cfg->partners.n; i++) {
        if (sip_config_partner_query(&cfg->partners.items[i], &query))
            want(names, &query);
    }
    drop_unwanted(names);
    pthread_mutex_unlock(&names->lock);
}

/* --- life --- */

/* "192.0.2.53:53,[2001:db8::53]:5353", as c-ares reads it. */
static const char *servers_text(const struct sip_config *cfg,
                                char text[SERVERS_TEXT])
{
    size_t at = 0;

    for (size_t i = 0; i < cfg->dns_servers.n; i++) {
        struct addr a = cfg->dns_servers.items[i];
        char one[ADDR_TEXT_SIZE];
        int n;

        if (a.port == 0)
            a.port = 53;
        n = snprintf(text + at, SERVERS_TEXT - at, "%s%s", i ? "," : "",
                     addr_str(&a, one));
        if (n < 0 || (size_t)n >= SERVERS_TEXT - at)
            break;
        at += (size_t)n;
    }
    return at ? text : NULL;
}

static int open_resolver(struct sip_names *names, const struct sip_config *cfg)
{
    char text[SERVERS_TEXT];
    struct resolver_config config = {
        .max_ttl_s = (unsigned)(cfg->dns_max_ttl / 1000),
        .fail_ttl_s = (unsigned)(cfg->dns_fail_ttl / 1000),
        .servers = servers_text(cfg, text),
        .n_hosts = cfg->hosts.n,
    };
    struct resolver_host *hosts = NULL;
    int err;

    if (cfg->hosts.n) {
        hosts = mem_zarray(cfg->hosts.n, sizeof(*hosts));
        if (!hosts)
            return -ENOMEM;
    }
    for (size_t i = 0; i < cfg->hosts.n; i++)
        hosts[i] = (struct resolver_host){cfg->hosts.items[i].name,
                                          cfg->hosts.items[i].address};
    config.hosts = hosts;
    err = resolver_new(&names->resolver, names->worker, &config);
    mem_free(hosts);
    if (err < 0)
        return err;
    err = sip_locator_new(&names->locator, names->resolver);
    if (err < 0) {
        resolver_close(names->resolver);
        names->resolver = NULL;
    }
    return err;
}

static void close_resolver(struct sip_names *names)
{
    struct sip_names_stats all;

    sip_names_stats(names, &all);
    names->before = all;
    sip_locator_free(names->locator);
    resolver_close(names->resolver);
    names->locator = NULL;
    names->resolver = NULL;
}

static int open_for(struct sip_names *names, const struct sip_config *cfg)
{
    int err;

    names->again_ms = cfg->dns_max_ttl < AGAIN_MS ? cfg->dns_max_ttl : AGAIN_MS;
    want_all(names, cfg);
    if (names->n == 0)
        return 0;
    err = open_resolver(names, cfg);
    if (err == 0)
        ask_all(names);
    return err;
}

int sip_names_new(struct sip_names **ret_names)
{
    struct sip_names *names = mem_zalloc(sizeof(*names));

    if (!names)
        return -ENOMEM;
    (void)pthread_mutex_init(&names->lock, NULL);
    *ret_names = names;
    return 0;
}

void sip_names_free(struct sip_names *names)
{
    if (!names)
        return;
    for (size_t i = 0; i < names->n; i++)
        free_name(names->items[i]);
    (void)pthread_mutex_destroy(&names->lock);
    mem_free(names);
}

int sip_names_start(struct sip_names *names, struct worker *worker,
                    const struct sip_config *cfg, void (*on_change)(void *arg),
                    void *arg)
{
    names->worker = worker;
    names->on_change = on_change;
    names->arg = arg;
    alarm_init(&names->alarm, worker, on_alarm);
    return open_for(names, cfg);
}

void sip_names_reload(struct sip_names *names, const struct sip_config *cfg)
{
    int err;

    alarm_cancel(&names->alarm);
    close_resolver(names);
    err = open_for(names, cfg);
    if (err < 0)
        log_error("names are not asked for any more error=\"%s\"",
                  err_str(err));
}

void sip_names_stop(struct sip_names *names)
{
    if (!names->worker)
        return;
    alarm_cancel(&names->alarm);
    close_resolver(names);
}

void sip_names_stats(const struct sip_names *names,
                     struct sip_names_stats *ret_stats)
{
    *ret_stats = names->before;
    if (names->resolver) {
        const struct resolver_stats *now = resolver_stats(names->resolver);

        ret_stats->queries += stats_get(&now->queries);
        ret_stats->failed += stats_get(&now->failed);
        ret_stats->timeouts += stats_get(&now->timeouts);
    }
    ret_stats->missing = 0;
    for (size_t i = 0; i < names->n; i++)
        ret_stats->missing += names->items[i]->n == 0;
}
