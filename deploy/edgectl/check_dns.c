/* SPDX-License-Identifier: MIT */
/* Names: do those of the edge resolve, and do the SRV records of its domain
 * lead to it? */
#include "ctl_checks.h"

#include "base/dns.h"
#include "base/err.h"
#include "base/mem.h"

#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { ANSWER_MAX = 4096, RETRY_S = 2, RETRIES = 2 };

static const struct {
    const char *name;   /* of the record */
    const char *scheme; /* who is asked for by it */
    bool tcp;
    const char *what;
} services[] = {
    {"_sips._tcp", "sips", true, "SIP over TLS"},
    {"_sip._tls", "sips", true, "SIP over TLS, as Microsoft clients ask"},
    {"_sipfederationtls._tcp", "sips", true, "federation"},
    {"_stun._udp", "stun", false, "STUN"},
    {"_turn._udp", "turn", false, "TURN over UDP"},
    {"_turn._tcp", "turn", true, "TURN over TCP"},
    {"_turns._tcp", "turns", true, "TURN over TLS"},
};

/* ---- addresses ---- */

static size_t count(const char *name, int family, int *ret_err)
{
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list;
    size_t n = 0;

    *ret_err = getaddrinfo(name, NULL, &hints, &list);
    if (*ret_err != 0)
        return 0;
    for (const struct addrinfo *ai = list; ai; ai = ai->ai_next)
        n++;
    freeaddrinfo(list);
    return n;
}

static bool is_literal(const char *host)
{
    struct addr literal;

    return addr_parse_ip(span_str(host), &literal) == 0;
}

static void check_name(struct ctl_check_env *env, const char *host)
{
    int err, err6;
    size_t v4 = count(host, AF_INET, &err), v6 = count(host, AF_INET6, &err6);

    if (v4 + v6 == 0)
        ctl_checks_add(env->checks, host, "DNS-NAME", CTL_CHECK_ERROR,
                       "it does not resolve (%s): write its A and AAAA "
                       "records, in the DNS that this place asks",
                       gai_strerror(err));
    else
        ctl_checks_add(env->checks, host, "DNS-NAME", CTL_CHECK_OK,
                       "resolves to %zu IPv4 and %zu IPv6 addresses%s", v4, v6,
                       v6   ? ""
                       : v4 ? "; clients of IPv6-only networks need NAT64"
                            : "");
}

/* ---- SRV ---- */

/* Returns 0, ERR_RESOLVE when nobody answers. None is 0 records. */
static int ask_srv(struct ctl_check_env *env, const char *name,
                   struct dns_records *records)
{
    unsigned char answer[ANSWER_MAX];
    struct __res_state state = {0};
    int n, err = 0;

    *records = (struct dns_records){.type = DNS_SRV};
    if (res_ninit(&state) != 0)
        return ERR_RESOLVE;
    state.retrans = RETRY_S;
    state.retry = RETRIES;
    if (env->dns.family == ADDR_V4) {
        struct sockaddr_storage ss;

        (void)addr_to_sockaddr(&env->dns, &ss);
        memcpy(&state.nsaddr_list[0], &ss, sizeof(state.nsaddr_list[0]));
        state.nscount = 1;
    }
    n = res_nquery(&state, name, ns_c_in, ns_t_srv, answer, sizeof(answer));
    if (n > (int)sizeof(answer))
        n = (int)sizeof(answer);
    if (n > 0)
        err = dns_records_read(span_of(answer, (size_t)n), DNS_SRV, records);
    else if (state.res_h_errno != HOST_NOT_FOUND &&
             state.res_h_errno != NO_DATA)
        err = ERR_RESOLVE;
    res_nclose(&state);
    return err;
}

/* Is this one of the addresses we were told of? */
static bool is_ours(const struct ctl_uri *uris, size_t n, size_t service,
                    const struct dns_srv *srv, bool *ret_any)
{
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        bool same = strcmp(uris[i].scheme, services[service].scheme) == 0 ||
                    (strcmp(services[service].scheme, "stun") == 0 &&
                     strcmp(uris[i].scheme, "turn") == 0);

        if (!same || uris[i].tcp != services[service].tcp)
            continue;
        any = true;
        if (srv && uris[i].port == srv->port &&
            span_is_nocase(span_str(uris[i].host), srv->target))
            return true;
    }
    *ret_any = any;
    return false;
}

static void check_record(struct ctl_check_env *env, const struct ctl_uri *uris,
                         size_t n, size_t service, const char *name,
                         const struct dns_srv *srv)
{
    bool known = false, ours = is_ours(uris, n, service, srv, &known);
    int err, err6;

    if (!srv->target[0])
        ctl_checks_add(env->checks, name, "DNS-SRV", CTL_CHECK_OK,
                       "says that there is no %s", services[service].what);
    else if (count(srv->target, AF_INET, &err) +
                 count(srv->target, AF_INET6, &err6) ==
             0)
        ctl_checks_add(env->checks, name, "DNS-SRV-TARGET", CTL_CHECK_ERROR,
                       "leads to %.100s, which does not resolve: correct the "
                       "record or the name",
                       srv->target);
    else if (known && !ours)
        ctl_checks_add(env->checks, name, "DNS-SRV-OTHER", CTL_CHECK_WARNING,
                       "leads to %.100s port %u, which is not what was asked "
                       "to be checked: correct the record, or check that "
                       "address as well",
                       srv->target, srv->port);
    else
        ctl_checks_add(env->checks, name, "DNS-SRV", CTL_CHECK_OK,
                       "leads to %.100s port %u", srv->target, srv->port);
}

static bool check_service(struct ctl_check_env *env, const struct ctl_uri *uris,
                          size_t n, size_t service)
{
    struct dns_records records;
    bool wanted = false;
    char name[320];

    (void)snprintf(name, sizeof(name), "%s.%s", services[service].name,
                   env->domain);
    if (ask_srv(env, name, &records) < 0) {
        ctl_checks_add(env->checks, name, "DNS-SERVER", CTL_CHECK_ERROR,
                       "no name server answers: look at /etc/resolv.conf, and "
                       "let UDP and TCP 53 to it through");
        return false;
    }
    for (size_t i = 0; i < records.n; i++)
        check_record(env, uris, n, service, name, &records.srv[i]);
    (void)is_ours(uris, n, service, NULL, &wanted);
    /* Of the names for SIP one is enough for partners, and Microsoft's are
     * asked for by its products alone. */
    if (records.n == 0 && wanted && service != 1 && service != 2)
        ctl_checks_add(env->checks, name, "DNS-SRV", CTL_CHECK_WARNING,
                       "there is no such record: who knows only the domain "
                       "does not find %s; write one",
                       services[service].what);
    else if (records.n == 0)
        ctl_checks_add(env->checks, name, "DNS-SRV", CTL_CHECK_OK,
                       "there is none; needed only for %s by the domain's name",
                       services[service].what);
    return true;
}

void check_dns(struct ctl_check_env *env, const struct ctl_uri *uris, size_t n)
{
    for (size_t i = 0; i < n && !env->address; i++) {
        bool done = is_literal(uris[i].host);

        for (size_t j = 0; j < i && !done; j++)
            done = strcmp(uris[i].host, uris[j].host) == 0;
        if (!done)
            check_name(env, uris[i].host);
    }
    for (size_t i = 0; env->domain && i < ARRAY_SIZE(services); i++)
        if (!check_service(env, uris, n, i))
            return;
}
