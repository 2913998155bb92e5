/* SPDX-License-Identifier: MIT */
/* A name asked for is an entry: first pending, with lookups waiting for it,
 * then an answer in the cache. Answers go to their askers from a task at the
 * end of the turn only, so nobody is called from inside c-ares or from inside
 * resolver_lookup(). */
#include "net/resolve.h"

#include "base/crypto.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/pool.h"
#include "net/alarm.h"
#include "net/resolve_dns.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>

enum {
    NAME_MAX_LEN = 253,
    KEY_SIZE = NAME_MAX_LEN + 1, /* and a byte for the family */
    TIMEOUT_MS_DEFAULT = 5000,
    IN_FLIGHT_DEFAULT = 256,
    CACHE_DEFAULT = 1024,
    MAX_TTL_DEFAULT = 300,
    FAIL_TTL_DEFAULT = 5,
    LOOKUPS_MAX = 8192,
};

struct entry {
    struct resolver *resolver;
    struct list node; /* of resolver.entries, least recently used first */
    struct alarm timeout;
    bool pending;
    unsigned waiting; /* lookups that point here */
    int err;
    uint64_t expires;
    size_t n;
    struct addr addrs[RESOLVE_ADDRS_MAX];
    size_t key_len;
    struct dns_records *records; /* SRV, NAPTR: owned; NULL: none */
    char key[KEY_SIZE + 1];      /* kind byte, name in lower case, NUL */
};

struct lookup {
    struct list node;    /* of resolver.waiting or resolver.ready */
    struct entry *entry; /* NULL: `err` or `literal` is the answer */
    resolve_fn *done;
    resolve_records_fn *on_records; /* instead, when it wants records */
    void *arg;
    struct addr literal;
    int err;
    uint16_t port;
};

struct host_row {
    struct addr addr;
    char *name;
};

struct resolver {
    struct worker *worker;
    struct dns *dns;
    struct resolver_config config;
    struct host_row *hosts;
    size_t n_hosts;
    struct map by_key;
    struct list entries;
    struct pool *lookups;
    struct list waiting;
    struct list ready;
    unsigned in_flight;
    bool closing;
    struct worker_task deliver;
    struct resolver_stats stats;
};

/* ---- entries ---- */

static struct span entry_key(const struct entry *e)
{
    return span_of(e->key, e->key_len);
}

static void drop_entry(struct entry *e)
{
    alarm_cancel(&e->timeout);
    list_remove(&e->node);
    (void)map_remove(&e->resolver->by_key, entry_key(e));
    mem_free(e->records);
    mem_free(e);
}

/* Make room in the cache: the answer nobody has wanted for longest. */
static void evict(struct resolver *r)
{
    LIST_FOREACH (node, &r->entries) {
        struct entry *e = CONTAINER_OF(node, struct entry, node);

        if (map_count(&r->by_key) < r->config.cache_size)
            return;
        if (!e->pending && e->waiting == 0)
            drop_entry(e);
    }
}

/* Everybody who waits for `e` gets its answer in a moment. */
static void finish(struct entry *e, int err)
{
    struct resolver *r = e->resolver;

    e->err = err;
    alarm_cancel(&e->timeout);
    LIST_FOREACH (node, &r->waiting) {
        struct lookup *lk = CONTAINER_OF(node, struct lookup, node);

        if (lk->entry == e) {
            list_remove(node);
            list_push_back(&r->ready, node);
        }
    }
    worker_defer(r->worker, &r->deliver);
}

/* c-ares goes on asking; its answer will still be welcome in the cache. */
static void on_timeout(struct alarm *alarm, uint64_t now)
{
    struct entry *e = CONTAINER_OF(alarm, struct entry, timeout);

    (void)now;
    stats_inc(&e->resolver->stats.timeouts);
    finish(e, -ETIMEDOUT);
}

static uint64_t lifetime_ms(const struct resolver *r, int err, uint32_t ttl_s)
{
    if (err < 0)
        return (uint64_t)r->config.fail_ttl_s * 1000;
    if (ttl_s > r->config.max_ttl_s)
        ttl_s = r->config.max_ttl_s;
    return (uint64_t)(ttl_s ? ttl_s : 1) * 1000;
}

static void on_answer(void *arg, int err, const struct addr *addrs, size_t n,
                      uint32_t ttl_s)
{
    struct entry *e = arg;
    struct resolver *r = e->resolver;

    assert(e->pending);
    e->pending = false;
    r->in_flight--;
    if (r->closing)
        return;
    if (err < 0)
        stats_inc(&r->stats.failed);
    e->n = n < RESOLVE_ADDRS_MAX ? n : RESOLVE_ADDRS_MAX;
    if (e->n > 0)
        memcpy(e->addrs, addrs, e->n * sizeof(*addrs));
    e->expires = worker_now(r->worker) + lifetime_ms(r, err, ttl_s);
    finish(e, err);
}

static bool family_fits(enum addr_family want, const struct addr *a)
{
    return want == ADDR_NONE || want == (enum addr_family)a->family;
}

/* From the configured table; false when the name is not in it. */
static bool fill_from_hosts(struct entry *e)
{
    struct resolver *r = e->resolver;
    enum addr_family family = (enum addr_family)(e->key[0] - 1);
    bool known = false;

    for (size_t i = 0; i < r->n_hosts; i++) {
        if (strcmp(r->hosts[i].name, e->key + 1) != 0)
            continue;
        known = true;
        if (family_fits(family, &r->hosts[i].addr) && e->n < RESOLVE_ADDRS_MAX)
            e->addrs[e->n++] = r->hosts[i].addr;
    }
    e->err = e->n > 0 ? 0 : ERR_RESOLVE;
    e->expires = UINT64_MAX;
    return known;
}

static void on_records(void *arg, int err, const struct dns_records *records)
{
    struct entry *e = arg;
    struct resolver *r = e->resolver;

    assert(e->pending);
    e->pending = false;
    r->in_flight--;
    if (r->closing)
        return;
    if (err == 0)
        e->records = mem_alloc(sizeof(*e->records));
    if (e->records)
        *e->records = *records;
    else if (err == 0)
        err = -ENOMEM;
    if (err < 0)
        stats_inc(&r->stats.failed);
    /* RFC 2308: the zone says how long it will have none. */
    e->expires = worker_now(r->worker) +
                 lifetime_ms(r, err == ERR_RESOLVE && records->ttl ? 0 : err,
                             records->ttl);
    finish(e, err);
}

/* What is asked for, as the first byte of an entry's key. */
static bool is_family(uint8_t kind)
{
    return kind <= ADDR_V6 + 1;
}

static void ask_dns(struct entry *e)
{
    struct resolver *r = e->resolver;
    uint8_t kind = (uint8_t)e->key[0];

    e->pending = true;
    e->expires = UINT64_MAX;
    r->in_flight++;
    stats_inc(&r->stats.queries);
    alarm_set(&e->timeout, worker_now(r->worker) + r->config.timeout_ms);
    /* Either may answer at once. */
    if (is_family(kind))
        dns_ask(r->dns, e->key + 1, (enum addr_family)(kind - 1), on_answer, e);
    else
        dns_ask_records(r->dns, e->key + 1, (enum dns_type)kind, on_records, e);
}

static struct entry *new_entry(struct resolver *r, struct span key)
{
    struct entry *e;

    evict(r);
    e = mem_zalloc(sizeof(*e));
    if (!e)
        return NULL;
    e->resolver = r;
    alarm_init(&e->timeout, r->worker, on_timeout);
    memcpy(e->key, key.ptr, key.len);
    e->key_len = key.len;
    if (map_put(&r->by_key, entry_key(e), e) < 0) {
        mem_free(e);
        return NULL;
    }
    list_push_back(&r->entries, &e->node);
    return e;
}

/* ---- lookups ---- */

static bool make_key(struct span name, uint8_t kind, char key[KEY_SIZE],
                     size_t *ret_len)
{
    if (name.len > 0 && name.ptr[name.len - 1] == '.')
        name.len--;
    if (name.len == 0 || name.len > NAME_MAX_LEN)
        return false;
    key[0] = (char)kind;
    *ret_len = name.len + 1;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];

        if (!isalnum(c) && c != '-' && c != '_' && c != '.')
            return false;
        key[i + 1] = (char)tolower(c);
    }
    return true;
}

static void answer_now(struct resolver *r, struct lookup *lk)
{
    list_push_back(&r->ready, &lk->node);
    worker_defer(r->worker, &r->deliver);
}

static void use_entry(struct resolver *r, struct lookup *lk, struct entry *e)
{
    lk->entry = e;
    e->waiting++;
    list_remove(&e->node);
    list_push_back(&r->entries, &e->node);
    if (e->pending && alarm_is_set(&e->timeout))
        list_push_back(&r->waiting, &lk->node);
    else
        answer_now(r, lk);
}

/* Find or begin the entry for this name. */
static void start(struct resolver *r, struct lookup *lk, struct span key)
{
    struct entry *e = map_find(&r->by_key, key);
    bool known;

    /* An answer that is too old, and that nobody is about to be given. */
    if (e && !e->pending && e->expires <= worker_now(r->worker) &&
        e->waiting == 0) {
        drop_entry(e);
        e = NULL;
    }
    if (e) {
        if (!e->pending)
            stats_inc(&r->stats.cache_hits);
        use_entry(r, lk, e);
        return;
    }
    e = new_entry(r, key);
    if (!e) {
        lk->err = -ENOMEM;
        answer_now(r, lk);
        return;
    }
    known = is_family(key.ptr[0]) && fill_from_hosts(e);
    if (!known && r->in_flight >= r->config.max_in_flight) {
        stats_inc(&r->stats.refused);
        drop_entry(e);
        lk->err = ERR_LIMIT;
        answer_now(r, lk);
        return;
    }
    if (!known)
        ask_dns(e);
    use_entry(r, lk, e);
}

static struct lookup *new_lookup(struct resolver *r, void *arg,
                                 struct resolve_id *ret_id)
{
    struct pool_id id;
    struct lookup *lk = pool_take(r->lookups, &id);

    if (!lk) {
        stats_inc(&r->stats.refused);
        return NULL;
    }
    stats_inc(&r->stats.lookups);
    list_init(&lk->node);
    lk->arg = arg;
    if (ret_id)
        ret_id->value = pool_id_u64(id);
    return lk;
}

/* Seven arguments: name, port and family are one question, `done` and `arg`
 * one answer; a struct for either would only be filled and read once. */
/* NOLINTNEXTLINE(readability-function-size) */
int resolver_lookup(struct resolver *resolver, struct span name, uint16_t port,
                    enum addr_family family, resolve_fn *done, void *arg,
                    struct resolve_id *ret_id)
{
    struct span bare = name;
    struct lookup *lk;
    struct addr literal;
    char key[KEY_SIZE];
    size_t len = 0;
    bool is_literal;

    if (name.len > 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']')
        bare = span_of(name.ptr + 1, name.len - 2);
    is_literal = addr_parse_ip(bare, &literal) == 0;
    if (!is_literal && !make_key(name, (uint8_t)(family + 1), key, &len))
        return ERR_PARSE;
    lk = new_lookup(resolver, arg, ret_id);
    if (!lk)
        return ERR_LIMIT;
    lk->done = done;
    lk->port = port;
    if (is_literal) {
        lk->literal = literal;
        lk->err = family_fits(family, &literal) ? 0 : ERR_RESOLVE;
        answer_now(resolver, lk);
    } else {
        start(resolver, lk, span_of(key, len));
    }
    return 0;
}

int resolver_lookup_records(struct resolver *resolver, struct span name,
                            enum dns_type type, resolve_records_fn *done,
                            void *arg, struct resolve_id *ret_id)
{
    struct lookup *lk;
    char key[KEY_SIZE];
    size_t len;

    if (!make_key(name, (uint8_t)type, key, &len))
        return ERR_PARSE;
    lk = new_lookup(resolver, arg, ret_id);
    if (!lk)
        return ERR_LIMIT;
    lk->on_records = done;
    start(resolver, lk, span_of(key, len));
    return 0;
}

bool resolver_is_configured(const struct resolver *resolver, struct span name)
{
    for (size_t i = 0; i < resolver->n_hosts; i++) {
        if (span_is_nocase(name, resolver->hosts[i].name))
            return true;
    }
    return false;
}

static void end_lookup(struct resolver *r, struct lookup *lk)
{
    list_remove(&lk->node);
    if (lk->entry)
        lk->entry->waiting--;
    pool_give(r->lookups, lk);
}

void resolver_cancel(struct resolver *resolver, struct resolve_id id)
{
    struct lookup *lk =
        pool_find(resolver->lookups, pool_id_from_u64(id.value));

    if (lk)
        end_lookup(resolver, lk);
}

/* The entry, and with it the records, may be gone when `done` looks again. */
static void give_records(struct resolver *r, struct lookup *lk)
{
    resolve_records_fn *done = lk->on_records;
    void *arg = lk->arg;
    int err = lk->entry ? lk->entry->err : lk->err;
    struct dns_records records;

    if (err == 0)
        records = *lk->entry->records;
    end_lookup(r, lk);
    done(arg, err, err == 0 ? &records : NULL);
}

static void give_answer(struct resolver *r, struct lookup *lk)
{
    struct addr addrs[RESOLVE_ADDRS_MAX];
    resolve_fn *done = lk->done;
    void *arg = lk->arg;
    int err = lk->err;
    size_t n = 0;

    if (lk->entry) {
        err = lk->entry->err;
        n = lk->entry->n;
        memcpy(addrs, lk->entry->addrs, n * sizeof(addrs[0]));
    } else if (err == 0) {
        addrs[0] = lk->literal;
        n = 1;
    }
    for (size_t i = 0; i < n; i++)
        addrs[i].port = lk->port;
    end_lookup(r, lk);
    done(arg, err, addrs, err < 0 ? 0 : n);
}

/* The resolver may be closed by any of those who are called here; it is freed
 * later, then. */
static void on_deliver(struct worker_task *task)
{
    struct resolver *r = CONTAINER_OF(task, struct resolver, deliver);
    struct list *node;

    while (!r->closing && (node = list_first(&r->ready)) != NULL) {
        struct lookup *lk = CONTAINER_OF(node, struct lookup, node);

        if (lk->on_records)
            give_records(r, lk);
        else
            give_answer(r, lk);
    }
}

/* ---- life ---- */

static int copy_hosts(struct resolver *r, const struct resolver_config *config)
{
    if (config->n_hosts == 0)
        return 0;
    r->hosts = mem_zarray(config->n_hosts, sizeof(*r->hosts));
    if (!r->hosts)
        return -ENOMEM;
    for (; r->n_hosts < config->n_hosts; r->n_hosts++) {
        struct host_row *row = &r->hosts[r->n_hosts];

        row->addr = config->hosts[r->n_hosts].addr;
        row->name = mem_strdup(config->hosts[r->n_hosts].name);
        if (!row->name)
            return -ENOMEM;
        for (char *c = row->name; *c; c++)
            *c = (char)tolower((unsigned char)*c);
    }
    return 0;
}

static void free_resolver(struct resolver *r)
{
    while (!list_is_empty(&r->entries))
        drop_entry(CONTAINER_OF(list_first(&r->entries), struct entry, node));
    map_deinit(&r->by_key);
    pool_free(r->lookups);
    for (size_t i = 0; i < r->n_hosts; i++)
        mem_free(r->hosts[i].name);
    mem_free(r->hosts);
    mem_free(r);
}

static void set_defaults(struct resolver_config *c)
{
    if (c->timeout_ms == 0)
        c->timeout_ms = TIMEOUT_MS_DEFAULT;
    if (c->max_in_flight == 0)
        c->max_in_flight = IN_FLIGHT_DEFAULT;
    if (c->cache_size == 0)
        c->cache_size = CACHE_DEFAULT;
    if (c->max_ttl_s == 0)
        c->max_ttl_s = MAX_TTL_DEFAULT;
    if (c->fail_ttl_s == 0)
        c->fail_ttl_s = FAIL_TTL_DEFAULT;
}

int resolver_new(struct resolver **ret_resolver, struct worker *worker,
                 const struct resolver_config *config)
{
    struct resolver *r = mem_zalloc(sizeof(*r));
    uint8_t seed[16];
    int err;

    if (!r)
        return -ENOMEM;
    r->worker = worker;
    r->config = *config;
    set_defaults(&r->config);
    crypto_random(seed, sizeof(seed));
    map_init(&r->by_key,
             (size_t)r->config.cache_size + r->config.max_in_flight +
                 LOOKUPS_MAX,
             seed);
    list_init(&r->entries);
    list_init(&r->waiting);
    list_init(&r->ready);
    worker_task_init(&r->deliver, on_deliver);
    err = pool_new(&r->lookups, sizeof(struct lookup), LOOKUPS_MAX);
    if (err == 0)
        err = copy_hosts(r, config);
    if (err == 0)
        err = dns_new(&r->dns, worker, config->servers, r->config.timeout_ms);
    if (err < 0) {
        free_resolver(r);
        return err;
    }
    /* Borrowed pointers of the caller's. */
    r->config.servers = NULL;
    r->config.hosts = NULL;
    *ret_resolver = r;
    return 0;
}

static void on_dns_closed(void *arg)
{
    free_resolver(arg);
}

void resolver_close(struct resolver *resolver)
{
    if (!resolver || resolver->closing)
        return;
    resolver->closing = true;
    worker_task_cancel(&resolver->deliver);
    LIST_FOREACH (node, &resolver->entries)
        alarm_cancel(&CONTAINER_OF(node, struct entry, node)->timeout);
    dns_close(resolver->dns, on_dns_closed, resolver);
}

const struct resolver_stats *resolver_stats(const struct resolver *resolver)
{
    return &resolver->stats;
}
