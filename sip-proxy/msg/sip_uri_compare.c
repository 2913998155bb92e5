/* SPDX-License-Identifier: MIT */
/* Comparing URIs (RFC 3261 19.1.4) and what needs unescaped text. */
#include "base/err.h"
#include "msg/sip_char.h"
#include "msg/sip_uri.h"

/* The next character of escaped text: 0..255, or 256 + c for an escaped
 * character of the reserved set, which is not the same as that character
 * itself; -1 at the end. A broken escape is plain text. */
static int next_char(struct span *s)
{
    static const char reserved[] = ";/?:@&=+$,";
    int high;
    int low;
    int c;

    if (s->len == 0)
        return -1;
    c = s->ptr[0];
    if (c != '%' || s->len < 3)
        goto plain;
    high = sip_hex_digit(s->ptr[1]);
    low = sip_hex_digit(s->ptr[2]);
    if (high < 0 || low < 0)
        goto plain;
    *s = span_from(*s, 3);
    c = high * 16 + low;
    return c != 0 && strchr(reserved, c) ? 256 + c : c;

plain:
    *s = span_from(*s, 1);
    return c;
}

static int lower(int c)
{
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

static bool escaped_equal(struct span a, struct span b, bool any_case)
{
    int x;
    int y;

    do {
        x = next_char(&a);
        y = next_char(&b);
        if (any_case) {
            x = lower(x);
            y = lower(y);
        }
        if (x != y)
            return false;
    } while (x >= 0);
    return true;
}

/* These count as different when only one URI has them. */
static bool is_significant(struct span name)
{
    return span_is_nocase(name, "user") || span_is_nocase(name, "ttl") ||
           span_is_nocase(name, "method") || span_is_nocase(name, "maddr") ||
           span_is_nocase(name, "transport");
}

/* First item called `name` in a list of name=value. */
static bool item_find(struct span list, char separator, struct span name,
                      struct span *ret_value)
{
    struct span item;
    struct span key;
    struct span value;

    while (span_next(&list, separator, &item)) {
        key = item;
        value = span_from(item, item.len);
        (void)span_cut(item, '=', &key, &value);
        if (!escaped_equal(key, name, true))
            continue;
        *ret_value = value;
        return true;
    }
    return false;
}

/* Everything in `a` is in `b` with the same value, or need not be. */
static bool params_agree(struct span a, struct span b)
{
    struct span item;
    struct span name;
    struct span value;
    struct span other;

    while (span_next(&a, ';', &item)) {
        name = item;
        value = span_from(item, item.len);
        (void)span_cut(item, '=', &name, &value);
        if (name.len == 0)
            continue;
        if (!item_find(b, ';', name, &other)) {
            if (is_significant(name))
                return false;
        } else if (!escaped_equal(value, other, true)) {
            return false;
        }
    }
    return true;
}

/* Every header of `a` is in `b` with the same value. */
static bool headers_included(struct span a, struct span b)
{
    struct span item;
    struct span name;
    struct span value;
    struct span other;

    while (span_next(&a, '&', &item)) {
        name = item;
        value = span_from(item, item.len);
        (void)span_cut(item, '=', &name, &value);
        if (!item_find(b, '&', name, &other) ||
            !escaped_equal(value, other, false))
            return false;
    }
    return true;
}

/* RFC 3966 4: visual separators do not count, case neither. */
static bool tel_equal(const struct sip_uri *a, const struct sip_uri *b)
{
    struct span x = a->user;
    struct span y = b->user;
    int c;
    int d;

    do {
        do
            c = next_char(&x);
        while (c == '-' || c == '.' || c == '(' || c == ')');
        do
            d = next_char(&y);
        while (d == '-' || d == '.' || d == '(' || d == ')');
        if (lower(c) != lower(d))
            return false;
    } while (c >= 0);
    return params_agree(a->params, b->params) &&
           params_agree(b->params, a->params);
}

bool sip_uri_equal(const struct sip_uri *a, const struct sip_uri *b)
{
    if (a->scheme != b->scheme)
        return false;
    if (a->scheme == SIP_SCHEME_OTHER || span_equal(a->text, b->text))
        return span_equal(a->text, b->text);
    if (a->scheme == SIP_SCHEME_TEL)
        return tel_equal(a, b);
    return a->has_user == b->has_user && a->has_password == b->has_password &&
           escaped_equal(a->user, b->user, false) &&
           escaped_equal(a->password, b->password, false) &&
           sip_host_equal(&a->host, &b->host) && a->host.port == b->host.port &&
           params_agree(a->params, b->params) &&
           params_agree(b->params, a->params) &&
           headers_included(a->headers, b->headers) &&
           headers_included(b->headers, a->headers);
}

int sip_unescape(struct span in, uint8_t *out, size_t size)
{
    size_t n = 0;

    if (!sip_escapes_are_valid(in))
        return ERR_PARSE;
    while (in.len > 0) {
        if (n == size)
            return ERR_LIMIT;
        out[n++] = (uint8_t)(next_char(&in) & 0xFF);
    }
    return (int)n;
}

int sip_uri_aor(const struct sip_uri *uri, uint8_t *out, size_t size)
{
    struct span host = uri->host.name;
    int n = 0;

    if (uri->scheme != SIP_SCHEME_SIP && uri->scheme != SIP_SCHEME_SIPS)
        return ERR_PARSE;
    if (uri->has_user) {
        n = sip_unescape(uri->user, out, size);
        if (n < 0)
            return n;
        if ((size_t)n == size)
            return ERR_LIMIT;
        out[n++] = '@';
    }
    if (host.len > size - (size_t)n)
        return ERR_LIMIT;
    for (size_t i = 0; i < host.len; i++)
        out[n++] = sip_lower(host.ptr[i]);
    return n;
}
