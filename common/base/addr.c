/* SPDX-License-Identifier: MIT */
#include "base/addr.h"

#include "base/err.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

_Static_assert(sizeof(struct addr) == 24, "no padding: the bytes are a key");

/* Leading `bits` bits are the same. */
static bool has_prefix(const uint8_t *ip, const uint8_t *prefix, unsigned bits)
{
    unsigned bytes = bits / 8;
    unsigned rest = bits % 8;

    if (memcmp(ip, prefix, bytes) != 0)
        return false;
    return rest == 0 || ((ip[bytes] ^ prefix[bytes]) >> (8 - rest)) == 0;
}

static bool is_zero(const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (p[i])
            return false;
    }
    return true;
}

static bool has_scope(const struct addr *a)
{
    return addr_is_link_local(a) ||
           (a->ip[0] == 0xff && (a->ip[1] & 0x0f) <= 2);
}

/* inet_pton() is strict (four decimal octets without leading zeros; RFC 4291
 * 2.2 forms), but wants a NUL behind and would stop at one inside. */
static int parse_bytes(int family, struct span text, uint8_t *out)
{
    char copy[INET6_ADDRSTRLEN];

    if (text.len >= sizeof(copy) || span_find(text, '\0') >= 0)
        return ERR_PARSE;
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return inet_pton(family, copy, out) == 1 ? 0 : ERR_PARSE;
}

static int parse_v6(struct span text, struct addr *ret_addr)
{
    struct addr a = {.family = ADDR_V6};
    struct span scope;

    if (span_cut(text, '%', &text, &scope)) {
        if (span_to_u32(scope, UINT32_MAX, &a.scope) < 0 || a.scope == 0)
            return ERR_PARSE;
    }
    if (parse_bytes(AF_INET6, text, a.ip) < 0)
        return ERR_PARSE;
    if (a.scope && !has_scope(&a))
        return ERR_PARSE;
    *ret_addr = a;
    return 0;
}

int addr_parse_ip(struct span text, struct addr *ret_addr)
{
    struct addr a = {.family = ADDR_V4};

    if (span_find(text, ':') >= 0)
        return parse_v6(text, ret_addr);
    if (parse_bytes(AF_INET, text, a.ip) < 0)
        return ERR_PARSE;
    *ret_addr = a;
    return 0;
}

static int parse_port(struct span text, uint16_t *ret_port)
{
    uint32_t port;

    if (text.len > 5 || span_to_u32(text, UINT16_MAX, &port) < 0)
        return ERR_PARSE;
    *ret_port = (uint16_t)port;
    return 0;
}

int addr_parse(struct span text, struct addr *ret_addr)
{
    struct span ip = text;
    struct span port = {NULL, 0};
    struct addr a;
    bool is_bracketed = text.len && text.ptr[0] == '[';
    bool has_port = false;

    if (is_bracketed) {
        if (!span_cut(span_from(text, 1), ']', &ip, &port))
            return ERR_PARSE;
        has_port = port.len > 0;
        if (has_port && port.ptr[0] != ':')
            return ERR_PARSE;
        port = span_from(port, 1);
    } else if (span_cut(text, ':', &ip, &port)) {
        has_port = span_find(port, ':') < 0; /* two colons: bare IPv6 */
        if (!has_port)
            ip = text;
    }
    if (addr_parse_ip(ip, &a) < 0)
        return ERR_PARSE;
    if (is_bracketed != (a.family == ADDR_V6) && (is_bracketed || has_port))
        return ERR_PARSE;
    if (has_port && parse_port(port, &a.port) < 0)
        return ERR_PARSE;
    *ret_addr = a;
    return 0;
}

/* Each message has several: inet_ntop() would go through printf. */
static const char *v4_str(const uint8_t ip[4], char text[ADDR_TEXT_SIZE])
{
    char *at = text;

    for (int i = 0; i < 4; i++) {
        if (i > 0)
            *at++ = '.';
        if (ip[i] >= 100)
            *at++ = (char)('0' + ip[i] / 100);
        if (ip[i] >= 10)
            *at++ = (char)('0' + ip[i] / 10 % 10);
        *at++ = (char)('0' + ip[i] % 10);
    }
    *at = '\0';
    return text;
}

const char *addr_ip_str(const struct addr *a, char text[ADDR_TEXT_SIZE])
{
    size_t len;

    if (a->family == ADDR_V4)
        return v4_str(a->ip, text);
    if (a->family == ADDR_NONE ||
        !inet_ntop(AF_INET6, a->ip, text, ADDR_TEXT_SIZE)) {
        snprintf(text, ADDR_TEXT_SIZE, "none");
        return text;
    }
    len = strlen(text);
    if (a->scope)
        snprintf(text + len, ADDR_TEXT_SIZE - len, "%%%" PRIu32, a->scope);
    return text;
}

const char *addr_str(const struct addr *a, char text[ADDR_TEXT_SIZE])
{
    char ip[ADDR_TEXT_SIZE];

    addr_ip_str(a, ip);
    if (a->family == ADDR_NONE)
        snprintf(text, ADDR_TEXT_SIZE, "%.50s", ip);
    else if (a->family == ADDR_V4)
        snprintf(text, ADDR_TEXT_SIZE, "%.50s:%u", ip, a->port);
    else
        snprintf(text, ADDR_TEXT_SIZE, "[%.50s]:%u", ip, a->port);
    return text;
}

int addr_from_sockaddr(const struct sockaddr *sa, struct addr *ret_addr)
{
    struct addr a = {0};

    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, sa, sizeof(in));
        a.family = ADDR_V4;
        a.port = ntohs(in.sin_port);
        memcpy(a.ip, &in.sin_addr, 4);
    } else if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, sa, sizeof(in6));
        a.family = ADDR_V6;
        a.port = ntohs(in6.sin6_port);
        memcpy(a.ip, &in6.sin6_addr, 16);
        if (has_scope(&a))
            a.scope = in6.sin6_scope_id;
    } else {
        return -EAFNOSUPPORT;
    }
    *ret_addr = a;
    return 0;
}

socklen_t addr_to_sockaddr(const struct addr *a,
                           struct sockaddr_storage *ret_sa)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

    memset(ret_sa, 0, sizeof(*ret_sa));
    if (a->family == ADDR_V4) {
        in.sin_port = htons(a->port);
        memcpy(&in.sin_addr, a->ip, 4);
        memcpy(ret_sa, &in, sizeof(in));
        return sizeof(in);
    }
    if (a->family == ADDR_V6) {
        in6.sin6_port = htons(a->port);
        in6.sin6_scope_id = a->scope;
        memcpy(&in6.sin6_addr, a->ip, 16);
        memcpy(ret_sa, &in6, sizeof(in6));
        return sizeof(in6);
    }
    ret_sa->ss_family = AF_UNSPEC;
    return sizeof(ret_sa->ss_family);
}

struct addr addr_v4(uint32_t host_order_ip, uint16_t port)
{
    uint32_t ip = htonl(host_order_ip);
    struct addr a = {.family = ADDR_V4, .port = port};

    memcpy(a.ip, &ip, 4);
    return a;
}

struct addr addr_any(enum addr_family family, uint16_t port)
{
    return (struct addr){.family = (uint8_t)family, .port = port};
}

bool addr_same_ip(const struct addr *a, const struct addr *b)
{
    return a->family == b->family && a->scope == b->scope &&
           memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

size_t addr_ip_len(const struct addr *a)
{
    switch (a->family) {
    case ADDR_V4:
        return 4;
    case ADDR_V6:
        return 16;
    default:
        return 0;
    }
}

bool addr_is_any(const struct addr *a)
{
    return a->family != ADDR_NONE && is_zero(a->ip, sizeof(a->ip));
}

bool addr_is_loopback(const struct addr *a)
{
    if (a->family == ADDR_V4)
        return a->ip[0] == 127;
    return a->family == ADDR_V6 && is_zero(a->ip, 15) && a->ip[15] == 1;
}

bool addr_is_link_local(const struct addr *a)
{
    if (a->family == ADDR_V4)
        return a->ip[0] == 169 && a->ip[1] == 254;
    return a->family == ADDR_V6 && a->ip[0] == 0xfe &&
           (a->ip[1] & 0xc0) == 0x80;
}

bool addr_is_multicast(const struct addr *a)
{
    if (a->family == ADDR_V4)
        return (a->ip[0] & 0xf0) == 0xe0;
    return a->family == ADDR_V6 && a->ip[0] == 0xff;
}

bool addr_is_private(const struct addr *a)
{
    if (a->family == ADDR_V4)
        return a->ip[0] == 10 || (a->ip[0] == 172 && (a->ip[1] & 0xf0) == 16) ||
               (a->ip[0] == 192 && a->ip[1] == 168);
    return a->family == ADDR_V6 && (a->ip[0] & 0xfe) == 0xfc;
}

/* RFC 6052 2.2: the address stands behind a prefix of 48, 56, 64 or 96 bits,
 * around the eighth byte, and zeros follow. Within 64:ff9b:1::/48 (RFC 8215)
 * the operator chooses the length; the zeros tell which. */
static void read_local_nat64(const uint8_t ip[16], uint8_t out[4])
{
    static const uint8_t layout[4][4] = {
        {6, 7, 9, 10}, {7, 9, 10, 11}, {9, 10, 11, 12}, {12, 13, 14, 15}};
    size_t which = 0;

    while (which < 3 && !is_zero(ip + 11 + which, 5 - which))
        which++;
    for (size_t i = 0; i < 4; i++)
        out[i] = ip[layout[which][i]];
}

static bool read_inner(const uint8_t ip[16], uint8_t out[4])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const uint8_t translated[12] = {[8] = 0xff, [9] = 0xff};
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    static const uint8_t local_nat64[6] = {0x00, 0x64, 0xff, 0x9b, 0x00, 0x01};
    static const uint8_t six_to_four[2] = {0x20, 0x02};
    static const uint8_t teredo[4] = {0x20, 0x01, 0x00, 0x00};

    if (is_zero(ip, 15) && ip[15] <= 1)
        return false; /* :: and ::1 are themselves */
    if (is_zero(ip, 12) || has_prefix(ip, mapped, 96) ||
        has_prefix(ip, translated, 96) || has_prefix(ip, nat64, 96)) {
        memcpy(out, ip + 12, 4);
    } else if (has_prefix(ip, six_to_four, 16)) {
        memcpy(out, ip + 2, 4);
    } else if (has_prefix(ip, local_nat64, 48)) {
        read_local_nat64(ip, out);
    } else if (has_prefix(ip, teredo, 32)) {
        for (size_t i = 0; i < 4; i++)
            out[i] = (uint8_t)(ip[12 + i] ^ 0xff);
    } else {
        return false;
    }
    return true;
}

bool addr_inner_v4(const struct addr *a, struct addr *ret_inner)
{
    struct addr inner = {.family = ADDR_V4, .port = a->port};

    if (a->family != ADDR_V6 || !read_inner(a->ip, inner.ip))
        return false;
    *ret_inner = inner;
    return true;
}
