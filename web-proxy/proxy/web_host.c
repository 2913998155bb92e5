/* SPDX-License-Identifier: MIT */
#include "proxy/web_host.h"

#include "base/addr.h"
#include "base/err.h"

static bool is_name_char(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

/* Letters, digits, '-', '_' in labels that are not empty. */
static int copy_name(struct span name, struct web_host *host)
{
    if (name.len > 1 && name.ptr[name.len - 1] == '.')
        name.len--;
    if (name.len == 0 || name.len >= WEB_HOST_SIZE ||
        name.ptr[name.len - 1] == '.')
        return ERR_PARSE;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = lower(name.ptr[i]);

        if (!is_name_char(c))
            return ERR_PARSE;
        if (c == '.' && (i == 0 || host->text[i - 1] == '.'))
            return ERR_PARSE;
        host->text[i] = (char)c;
    }
    host->len = (uint16_t)name.len;
    return 0;
}

static int copy_ipv6(struct span name, struct web_host *host)
{
    struct addr ip;

    if (name.len < 4 || name.ptr[name.len - 1] != ']' || name.len > 48)
        return ERR_PARSE;
    if (addr_parse_ip(span_of(name.ptr + 1, name.len - 2), &ip) < 0 ||
        ip.family != ADDR_V6)
        return ERR_PARSE;
    for (size_t i = 0; i < name.len; i++)
        host->text[i] = (char)lower(name.ptr[i]);
    host->len = (uint16_t)name.len;
    return 0;
}

/* Where the port's colon is, or the length when there is none. */
static size_t name_end(struct span field)
{
    size_t i = 0;

    if (field.len && field.ptr[0] == '[') {
        while (i < field.len && field.ptr[i] != ']')
            i++;
    }
    while (i < field.len && field.ptr[i] != ':')
        i++;
    return i;
}

int web_host_parse(struct span field, struct web_host *ret_host)
{
    struct web_host host;
    size_t end = name_end(field);
    struct span name = span_head(field, end);
    uint32_t port = 0;
    int err;

    if (end < field.len) {
        struct span digits = span_from(field, end + 1);

        if (digits.len > 5 || span_to_u32(digits, 65535, &port) < 0 ||
            port == 0)
            return ERR_PARSE;
    }
    host.port = (uint16_t)port;
    if (name.len && name.ptr[0] == '[')
        err = copy_ipv6(name, &host);
    else
        err = copy_name(name, &host);
    if (err == 0)
        *ret_host = host;
    return err;
}

bool web_host_matches(struct span pattern, struct span name)
{
    ptrdiff_t dot;

    if (!span_starts(pattern, "*."))
        return span_equal(pattern, name);
    dot = span_find(name, '.');
    return dot > 0 &&
           span_equal(span_from(pattern, 1), span_from(name, (size_t)dot));
}
