/* SPDX-License-Identifier: MIT */
#include "proxy/sip_locate.h"

#include "base/err.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdio.h>

/* What is taken first when a domain does not say what it prefers. */
static const struct service {
    enum sip_transport transport;
    const char *naptr;  /* RFC 3263 4.1 */
    const char *prefix; /* of the SRV name */
} services[] = {
    {SIP_TLS, "SIPS+D2T", "_sips._tcp."},
    {SIP_TCP, "SIP+D2T", "_sip._tcp."},
    {SIP_UDP, "SIP+D2U", "_sip._udp."},
};

/* --- questions --- */

static bool can(const struct sip_locate *l, enum sip_transport t)
{
    return (l->transports & SIP_LOCATE_CAN(t)) != 0 &&
           (!l->sips || sip_transport_is_secure(t));
}

/* One more for the next step; more than fit are left out. */
static struct sip_ask *ask(struct sip_locate *l, enum sip_ask_type type,
                           const char *prefix, const char *name)
{
    struct sip_ask *a = &l->next[l->n_next];
    int n;

    if (l->n_next == SIP_LOCATE_ASKS)
        return NULL;
    memset(a, 0, sizeof(*a));
    n = snprintf(a->name, sizeof(a->name), "%s%s", prefix, name);
    if (n < 0 || (size_t)n >= sizeof(a->name))
        return NULL;
    a->type = type;
    a->rank = (uint16_t)l->n_next;
    l->n_next++;
    return a;
}

static void ask_srv(struct sip_locate *l, const char *prefix, const char *name,
                    enum sip_transport transport)
{
    struct sip_ask *a = ask(l, SIP_ASK_SRV, prefix, name);

    if (a)
        a->transport = transport;
}

/* RFC 3263 4.2: the host itself. */
static void ask_host(struct sip_locate *l, enum sip_transport transport)
{
    struct sip_ask *a = ask(l, SIP_ASK_ADDRESS, "", l->domain);

    if (!a)
        return;
    a->transport = transport;
    a->port = l->port ? l->port : sip_transport_port(transport);
}

static enum sip_transport fallback(const struct sip_locate *l)
{
    static const enum sip_transport order[] = {SIP_UDP, SIP_TCP, SIP_TLS};

    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        if (can(l, order[i]))
            return order[i];
    }
    return SIP_TRANSPORT_NONE;
}

static void ask_services(struct sip_locate *l)
{
    for (size_t i = 0; i < ARRAY_SIZE(services); i++) {
        if (can(l, services[i].transport))
            ask_srv(l, services[i].prefix, l->domain, services[i].transport);
    }
}

/* --- begin --- */

static int set_domain(struct sip_locate *l, struct span host)
{
    if (host.len > 0 && host.ptr[host.len - 1] == '.')
        host.len--;
    if (host.len == 0 || host.len > DNS_NAME_MAX)
        return ERR_PARSE;
    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = host.ptr[i];

        if (!isalnum(c) && c != '-' && c != '_' && c != '.')
            return ERR_PARSE;
        l->domain[i] = (char)tolower(c);
    }
    return 0;
}

static void add_hop(struct sip_locate *l, const struct sip_ask *a,
                    const struct addr *addr, size_t index)
{
    struct sip_hop *hop = &l->hops[l->n_hops];

    if (l->n_hops == SIP_HOPS_MAX || addr_is_any(addr) ||
        addr_is_multicast(addr))
        return;
    *hop = (struct sip_hop){.transport = a->transport,
                            .addr = *addr,
                            .rank = (uint16_t)index,
                            .weight = a->weight};
    hop->addr.port = a->port;
    (void)snprintf(hop->name, sizeof(hop->name), "%s", a->name);
    l->n_hops++;
}

static void advance(struct sip_locate *l)
{
    memcpy(l->asks, l->next, sizeof(l->asks));
    l->n_asks = l->n_next;
    l->n_next = 0;
    l->step = l->n_asks ? l->asks[0].type : SIP_ASK_ADDRESS;
}

static int begin_name(struct sip_locate *l, const struct sip_locate_query *q)
{
    enum sip_transport t =
        q->transport != SIP_TRANSPORT_NONE ? q->transport : fallback(l);

    if (q->port || q->is_known) {
        ask_host(l, t);
    } else if (q->kind == SIP_LOCATE_PARTNER) {
        ask_srv(l, "_sipfederationtls._tcp.", l->domain, SIP_TLS);
        ask_srv(l, "_sips._tcp.", l->domain, SIP_TLS);
    } else if (q->transport != SIP_TRANSPORT_NONE) {
        for (size_t i = 0; i < ARRAY_SIZE(services); i++) {
            if (services[i].transport == t)
                ask_srv(l, services[i].prefix, l->domain, t);
        }
    } else {
        (void)ask(l, SIP_ASK_NAPTR, "", l->domain);
    }
    if (l->n_next == 0)
        return ERR_PARSE; /* too long with a prefix in front */
    advance(l);
    return 1;
}

int sip_locate_begin(struct sip_locate *l, const struct sip_locate_query *query,
                     uint32_t (*random)(void *arg), void *arg)
{
    struct addr addr;
    enum sip_transport t;

    memset(l, 0, sizeof(*l));
    l->kind = query->kind;
    l->sips = query->sips || query->kind == SIP_LOCATE_PARTNER;
    l->transports = query->transports;
    l->port = query->port;
    l->random = random;
    l->arg = arg;
    t = query->transport != SIP_TRANSPORT_NONE ? query->transport : fallback(l);
    if (t == SIP_TRANSPORT_NONE || !can(l, t))
        return ERR_DENIED;
    if (addr_parse_ip(query->host, &addr) == 0) {
        const struct sip_ask a = {.transport = t,
                                  .port = query->port ? query->port
                                                      : sip_transport_port(t)};

        add_hop(l, &a, &addr, 0);
        return l->n_hops ? 0 : ERR_PARSE;
    }
    if (set_domain(l, query->host) < 0)
        return ERR_PARSE;
    return begin_name(l, query);
}

/* --- answers --- */

static void take_naptr(struct sip_locate *l, const struct dns_records *records)
{
    struct dns_records ordered = *records;
    bool is_sip = false;

    dns_naptr_order(&ordered);
    for (size_t i = 0; i < ordered.n; i++) {
        const struct dns_naptr *r = &ordered.naptr[i];

        is_sip = is_sip || strncmp(r->service, "SIP", 3) == 0;

        for (size_t k = 0; k < ARRAY_SIZE(services); k++) {
            if (r->flag == 's' && strcmp(r->service, services[k].naptr) == 0 &&
                can(l, services[k].transport))
                ask_srv(l, "", r->replacement, services[k].transport);
        }
    }
    /* A domain that says how it wants to be reached is not reached in another
     * way: who offers TLS alone is not to be asked over UDP. */
    l->is_refused = is_sip && l->n_next == 0;
}

static void take_srv(struct sip_locate *l, const struct sip_ask *from,
                     const struct dns_records *records)
{
    struct dns_records ordered = *records;
    uint16_t step = 0;

    dns_srv_order(&ordered, l->random, l->arg);
    for (size_t i = 0; i < ordered.n; i++) {
        const struct dns_srv *r = &ordered.srv[i];
        struct sip_ask *a;

        if (r->target[0] == '\0') {
            l->is_refused = true;
            continue;
        }
        if (i > 0 && r->priority != ordered.srv[i - 1].priority)
            step++;
        a = r->port ? ask(l, SIP_ASK_ADDRESS, "", r->target) : NULL;
        if (!a)
            continue;
        a->transport = from->transport;
        a->port = r->port;
        a->weight = r->weight;
        a->rank = (uint16_t)(from->rank * DNS_RECORDS_MAX + step);
    }
}

/* Answers come in any order: back to that of the questions they come from. */
static void sort_asks(struct sip_ask *asks, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        for (size_t k = i; k > 0 && asks[k].rank < asks[k - 1].rank; k--) {
            struct sip_ask t = asks[k];

            asks[k] = asks[k - 1];
            asks[k - 1] = t;
        }
    }
}

static void sort_hops(struct sip_hop *hops, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        for (size_t k = i; k > 0 && hops[k].rank < hops[k - 1].rank; k--) {
            struct sip_hop t = hops[k];

            hops[k] = hops[k - 1];
            hops[k - 1] = t;
        }
    }
}

static void drop_repeated(struct sip_locate *l)
{
    size_t kept = 0;

    for (size_t i = 0; i < l->n_hops; i++) {
        bool seen = false;

        for (size_t k = 0; k < kept && !seen; k++)
            seen = l->hops[k].transport == l->hops[i].transport &&
                   addr_equal(&l->hops[k].addr, &l->hops[i].addr);
        if (!seen)
            l->hops[kept++] = l->hops[i];
    }
    l->n_hops = kept;
}

/* Until now a hop's rank is the number of its question; these are in order of
 * their own ranks. */
static int finish(struct sip_locate *l)
{
    uint16_t rank = 0, last = 0;

    sort_hops(l->hops, l->n_hops);
    drop_repeated(l);
    for (size_t i = 0; i < l->n_hops; i++) {
        uint16_t of_ask = l->asks[l->hops[i].rank].rank;

        if (i > 0 && of_ask != last)
            rank++;
        last = of_ask;
        l->hops[i].rank = rank;
    }
    return l->n_hops ? 2 : ERR_RESOLVE;
}

/* A partner that says where federation is to come does not want it anywhere
 * else: the first name that has records is the one. */
static void keep_first_service(struct sip_locate *l)
{
    size_t n = l->n_next;

    for (size_t i = 1; i < l->n_next && n == l->n_next; i++) {
        if (l->next[i].rank / DNS_RECORDS_MAX !=
            l->next[0].rank / DNS_RECORDS_MAX)
            n = i;
    }
    l->n_next = n;
}

/* All questions of a step are answered. */
static int step_over(struct sip_locate *l)
{
    enum sip_ask_type was = l->step;
    enum sip_transport asked = l->asks[0].transport;
    bool asked_one = l->n_asks == 1;

    if (was == SIP_ASK_ADDRESS)
        return finish(l);
    sort_asks(l->next, l->n_next);
    if (l->kind == SIP_LOCATE_PARTNER)
        keep_first_service(l);
    if (l->n_next == 0 && was == SIP_ASK_NAPTR && !l->is_refused)
        ask_services(l);
    else if (l->n_next == 0 && !l->is_refused)
        ask_host(l, asked_one ? asked : fallback(l));
    if (l->n_next == 0)
        return ERR_RESOLVE;
    advance(l);
    return 1;
}

static int answered(struct sip_locate *l)
{
    for (size_t i = 0; i < l->n_asks; i++) {
        if (!l->asks[i].is_answered)
            return 0;
    }
    return step_over(l);
}

int sip_locate_records(struct sip_locate *l, size_t index,
                       const struct dns_records *records)
{
    struct sip_ask *a = &l->asks[index];

    if (index >= l->n_asks || a->is_answered || a->type == SIP_ASK_ADDRESS)
        return 0;
    a->is_answered = true;
    if (records && a->type == SIP_ASK_NAPTR)
        take_naptr(l, records);
    else if (records)
        take_srv(l, a, records);
    return answered(l);
}

int sip_locate_addresses(struct sip_locate *l, size_t index,
                         const struct addr *addrs, size_t n)
{
    struct sip_ask *a = &l->asks[index];

    if (index >= l->n_asks || a->is_answered || a->type != SIP_ASK_ADDRESS)
        return 0;
    a->is_answered = true;
    for (size_t i = 0; i < n; i++)
        add_hop(l, a, &addrs[i], index);
    return answered(l);
}
