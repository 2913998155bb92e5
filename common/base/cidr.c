/* SPDX-License-Identifier: MIT */
#include "base/cidr.h"

#include "base/err.h"

#include <stdio.h>

static unsigned max_prefix(const struct addr *a)
{
    return (unsigned)addr_ip_len(a) * 8;
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned bytes = bits / 8;
    unsigned rest = bits % 8;

    if (memcmp(a, b, bytes) != 0)
        return false;
    return rest == 0 || ((a[bytes] ^ b[bytes]) >> (8 - rest)) == 0;
}

static bool is_clean(const struct cidr *cidr)
{
    struct addr masked = cidr->net;
    unsigned byte = cidr->prefix / 8U;
    unsigned rest = cidr->prefix % 8U;

    if (byte < sizeof(masked.ip)) {
        masked.ip[byte] = (uint8_t)(masked.ip[byte] & ~(0xff >> rest));
        memset(masked.ip + byte + 1, 0, sizeof(masked.ip) - byte - 1);
    }
    return addr_same_ip(&masked, &cidr->net);
}

static int parse_number(struct span text, uint32_t max, uint32_t *ret_value)
{
    return text.len > 5 ? ERR_PARSE : span_to_u32(text, max, ret_value);
}

static int parse_ports(struct span text, struct cidr *cidr)
{
    struct span from = text;
    struct span to = text;
    uint32_t first;
    uint32_t last;

    span_cut(text, '-', &from, &to);
    if (parse_number(from, UINT16_MAX, &first) < 0 ||
        parse_number(to, UINT16_MAX, &last) < 0 || first > last)
        return ERR_PARSE;
    cidr->port_first = (uint16_t)first;
    cidr->port_last = (uint16_t)last;
    return 0;
}

/* Take the address off the front: in brackets, up to the slash, or, without
 * either, up to the only colon. */
static int split_ip(struct span text, struct span *ret_ip,
                    struct span *ret_rest)
{
    struct span ip;
    struct span rest;
    ptrdiff_t at;

    if (text.len && text.ptr[0] == '[') {
        if (!span_cut(span_from(text, 1), ']', ret_ip, ret_rest))
            return ERR_PARSE;
        return span_find(*ret_ip, ':') >= 0 ? 0 : ERR_PARSE;
    }
    at = span_find(text, '/');
    if (at < 0 && span_cut(text, ':', &ip, &rest) && span_find(rest, ':') < 0)
        at = (ptrdiff_t)ip.len;
    *ret_ip = at < 0 ? text : span_head(text, (size_t)at);
    *ret_rest = span_from(text, at < 0 ? text.len : (size_t)at);
    return 0;
}

int cidr_parse(struct span text, struct cidr *ret_cidr)
{
    struct cidr cidr = {.port_last = UINT16_MAX};
    struct span prefix;
    struct span rest;
    struct span ip;
    uint32_t bits;

    if (split_ip(text, &ip, &rest) < 0 || addr_parse_ip(ip, &cidr.net) < 0 ||
        cidr.net.scope)
        return ERR_PARSE;
    bits = max_prefix(&cidr.net);
    if (rest.len && rest.ptr[0] == '/') {
        ptrdiff_t colon = span_find(rest, ':');
        size_t end = colon < 0 ? rest.len : (size_t)colon;

        prefix = span_from(span_head(rest, end), 1);
        rest = span_from(rest, end);
        if (prefix.len > 3 || parse_number(prefix, bits, &bits) < 0)
            return ERR_PARSE;
    }
    cidr.prefix = (uint8_t)bits;
    if (rest.len &&
        (rest.ptr[0] != ':' || parse_ports(span_from(rest, 1), &cidr) < 0))
        return ERR_PARSE;
    if (!is_clean(&cidr))
        return ERR_PARSE;
    *ret_cidr = cidr;
    return 0;
}

bool cidr_has_ip(const struct cidr *cidr, const struct addr *a)
{
    return a->family == cidr->net.family && a->family != ADDR_NONE &&
           same_bits(cidr->net.ip, a->ip, cidr->prefix);
}

bool cidr_has(const struct cidr *cidr, const struct addr *a)
{
    return a->port >= cidr->port_first && a->port <= cidr->port_last &&
           cidr_has_ip(cidr, a);
}

bool cidr_list_has(const struct cidr *list, size_t n, const struct addr *a)
{
    for (size_t i = 0; i < n; i++) {
        if (cidr_has(&list[i], a))
            return true;
    }
    return false;
}

bool cidr_list_has_ip(const struct cidr *list, size_t n, const struct addr *a)
{
    for (size_t i = 0; i < n; i++) {
        if (cidr_has_ip(&list[i], a))
            return true;
    }
    return false;
}

const char *cidr_str(const struct cidr *cidr, char text[CIDR_TEXT_SIZE])
{
    bool has_ports = cidr->port_first != 0 || cidr->port_last != UINT16_MAX;
    bool has_brackets = has_ports && cidr->net.family == ADDR_V6;
    char ip[ADDR_TEXT_SIZE];
    int n;

    addr_ip_str(&cidr->net, ip);
    n = snprintf(text, CIDR_TEXT_SIZE, has_brackets ? "[%.50s]/%u" : "%.50s/%u",
                 ip, cidr->prefix);
    if (has_ports && cidr->port_first == cidr->port_last)
        snprintf(text + n, CIDR_TEXT_SIZE - (size_t)n, ":%u", cidr->port_first);
    else if (has_ports)
        snprintf(text + n, CIDR_TEXT_SIZE - (size_t)n, ":%u-%u",
                 cidr->port_first, cidr->port_last);
    return text;
}
