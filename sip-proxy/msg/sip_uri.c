/* SPDX-License-Identifier: MIT */
#include "msg/sip_uri.h"

#include "base/err.h"
#include "msg/sip_char.h"

/* --- host --- */

static bool is_ipv4_shaped(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != '.' && (s.ptr[i] < '0' || s.ptr[i] > '9'))
            return false;
    }
    return true;
}

/* Host without port. A name of digits and dots only is an IPv4 address or
 * nothing: RFC 3261 wants a letter at the start of the top label. */
static int host_name_parse(struct span text, struct sip_host *host)
{
    struct addr addr;

    host->text = text;
    host->name = text;
    if (text.len > 1 && text.ptr[0] == '[') {
        if (text.ptr[text.len - 1] != ']')
            return ERR_PARSE;
        host->name = span_of(text.ptr + 1, text.len - 2);
        host->kind = SIP_HOST_IPV6;
        if (addr_parse_ip(host->name, &addr) < 0 || addr.family != ADDR_V6)
            return ERR_PARSE;
        return 0;
    }
    if (text.len == 0 || text.len > 255 || !sip_chars_are(text, SIP_CHAR_HOST))
        return ERR_PARSE;
    if (!is_ipv4_shaped(text)) {
        host->kind = SIP_HOST_NAME;
        return 0;
    }
    host->kind = SIP_HOST_IPV4;
    return addr_parse_ip(text, &addr) == 0 && addr.family == ADDR_V4
               ? 0
               : ERR_PARSE;
}

/* Where the host ends: behind ']' or before the colon. */
static size_t host_name_len(struct span text)
{
    ptrdiff_t end;

    if (text.len > 0 && text.ptr[0] == '[') {
        end = span_find(text, ']');
        return end < 0 ? text.len : (size_t)end + 1;
    }
    end = span_find(text, ':');
    return end < 0 ? text.len : (size_t)end;
}

int sip_host_parse(struct span text, struct sip_host *ret_host)
{
    struct sip_host host = {0};
    struct span rest;
    uint32_t port = 0;
    size_t len;
    int err;

    len = host_name_len(text);
    rest = span_from(text, len);
    text = span_head(text, len);
    text = sip_trim_right(text);
    err = host_name_parse(text, &host);
    if (err < 0)
        return err;

    host.hostport = text;
    rest = sip_skip_space(rest);
    if (rest.len > 0) {
        if (rest.ptr[0] != ':')
            return ERR_PARSE;
        rest = sip_skip_space(span_from(rest, 1));
        if (span_to_u32(rest, 65535, &port) < 0)
            return ERR_PARSE;
        host.hostport.len = (size_t)(rest.ptr + rest.len - text.ptr);
    }
    host.port = (uint16_t)port;
    *ret_host = host;
    return 0;
}

bool sip_host_addr(const struct sip_host *host, struct addr *ret_addr)
{
    if (host->kind != SIP_HOST_IPV4 && host->kind != SIP_HOST_IPV6)
        return false;
    if (addr_parse_ip(host->name, ret_addr) < 0)
        return false;
    ret_addr->port = host->port;
    return true;
}

bool sip_host_equal(const struct sip_host *a, const struct sip_host *b)
{
    struct addr x;
    struct addr y;

    if (a->kind != b->kind)
        return false;
    if (a->kind == SIP_HOST_NAME || a->kind == SIP_HOST_NONE)
        return span_equal_nocase(a->name, b->name);
    return sip_host_addr(a, &x) && sip_host_addr(b, &y) && addr_same_ip(&x, &y);
}

/* --- parameters --- */

/* Length of the quoted string at the front with its quotes, 0 without end. */
static size_t quoted_len(struct span s)
{
    for (size_t i = 1; i < s.len; i++) {
        if (s.ptr[i] == '\\')
            i++;
        else if (s.ptr[i] == '"')
            return i + 1;
    }
    return 0;
}

/* Off the front of `*rest`: up to ';', which is dropped. A quoted string is
 * the whole value or the value is refused. */
static int take_value(struct span *rest, struct span *ret_value)
{
    struct span s = sip_skip_space(*rest);
    size_t len;

    if (s.len > 0 && s.ptr[0] == '"') {
        len = quoted_len(s);
        if (len == 0)
            return ERR_PARSE;
        *ret_value = span_head(s, len);
        s = sip_skip_space(span_from(s, len));
        if (s.len > 0 && s.ptr[0] != ';')
            return ERR_PARSE;
        *rest = s;
        return 0;
    }
    len = sip_chars_until(s, SIP_CHAR_VALUE);
    if (len < s.len && s.ptr[len] == '"')
        return ERR_PARSE;
    *ret_value = sip_trim_right(span_head(s, len));
    *rest = span_from(s, len);
    return 0;
}

int sip_param_next(struct span *rest, struct sip_param *ret_param)
{
    struct sip_param p = {0};
    struct span s = sip_skip_space(*rest);
    const uint8_t *end;
    size_t len;

    if (s.len == 0)
        return 0;
    len = sip_chars_until(s, SIP_CHAR_NAME);
    p.name = sip_trim_right(span_head(s, len));
    if (p.name.len == 0)
        return ERR_PARSE;
    end = p.name.ptr + p.name.len;
    s = span_from(s, len);
    if (s.len > 0 && s.ptr[0] == '"')
        return ERR_PARSE;
    if (s.len > 0 && s.ptr[0] == '=') {
        s = span_from(s, 1);
        if (take_value(&s, &p.value) < 0)
            return ERR_PARSE;
        p.has_value = true;
        end = p.value.ptr + p.value.len;
    }
    p.text = span_of(p.name.ptr, (size_t)(end - p.name.ptr));
    if (s.len > 0) { /* a ';', behind which there must be something */
        s = sip_skip_space(span_from(s, 1));
        if (s.len == 0)
            return ERR_PARSE;
    }
    *rest = s;
    *ret_param = p;
    return 1;
}

bool sip_param_find(struct span params, const char *name,
                    struct sip_param *ret_param)
{
    struct sip_param p;

    while (sip_param_next(&params, &p) > 0) {
        if (!span_is_nocase(p.name, name))
            continue;
        if (ret_param)
            *ret_param = p;
        return true;
    }
    return false;
}

/* --- URI --- */

static enum sip_scheme scheme_lookup(struct span name)
{
    if (span_is_nocase(name, "sip"))
        return SIP_SCHEME_SIP;
    if (span_is_nocase(name, "sips"))
        return SIP_SCHEME_SIPS;
    if (span_is_nocase(name, "tel"))
        return SIP_SCHEME_TEL;
    return SIP_SCHEME_OTHER;
}

/* RFC 3986 3.1: a letter, then letters, digits, + - . */
static bool scheme_is_valid(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = sip_lower(name.ptr[i]);
        bool is_letter = c >= 'a' && c <= 'z';
        bool is_other =
            (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';

        if (!is_letter && (i == 0 || !is_other))
            return false;
    }
    return name.len > 0;
}

static bool opaque_is_valid(struct span s)
{
    return s.len > 0 && sip_chars_are(s, SIP_CHAR_URI);
}

static int userinfo_parse(struct span text, struct sip_uri *uri)
{
    uri->has_user = true;
    uri->has_password = span_cut(text, ':', &uri->user, &uri->password);
    if (!uri->has_password)
        uri->user = text;
    if (uri->user.len == 0 || !sip_chars_are(uri->user, SIP_CHAR_USER) ||
        !sip_escapes_are_valid(uri->user) ||
        !sip_chars_are(uri->password, SIP_CHAR_PASS) ||
        !sip_escapes_are_valid(uri->password))
        return ERR_PARSE;
    return 0;
}

/* Empty parameters (";;") mean nothing here and are passed on; a transport
 * or lr behind one is still seen. Two transports are two readings, and a long
 * list makes comparing slow: both are refused. */
static int params_note(struct sip_uri *uri)
{
    struct span rest = uri->params;
    struct span item;
    struct span name;
    struct span value;
    unsigned n = 0;

    while (span_next(&rest, ';', &item)) {
        if (++n > SIP_URI_MAX_PARAMS)
            return ERR_PARSE;
        value = span_of(NULL, 0);
        name = item;
        (void)span_cut(item, '=', &name, &value);
        if (span_is_nocase(name, "lr"))
            uri->has_lr = true;
        if (!span_is_nocase(name, "transport"))
            continue;
        if (uri->has_transport)
            return ERR_PARSE;
        uri->has_transport = true;
        uri->transport = sip_transport_parse(value);
    }
    n = 0;
    rest = uri->headers;
    while (span_next(&rest, '&', &item)) {
        if (++n > SIP_URI_MAX_PARAMS)
            return ERR_PARSE;
    }
    return 0;
}

static int sip_part_parse(struct span rest, struct sip_uri *uri)
{
    struct span user;
    size_t len;
    int err;

    if (span_cut(rest, '@', &user, &rest)) {
        err = userinfo_parse(user, uri);
        if (err < 0)
            return err;
    }
    for (len = 0; len < rest.len; len++) {
        if (rest.ptr[len] == ';' || rest.ptr[len] == '?')
            break;
    }
    /* No white space inside a URI: sip_host_parse() would take it. */
    if (!opaque_is_valid(span_head(rest, len)))
        return ERR_PARSE;
    err = sip_host_parse(span_head(rest, len), &uri->host);
    if (err < 0)
        return err;

    uri->params = span_from(rest, len);
    uri->headers = span_from(rest, rest.len);
    (void)span_cut(uri->params, '?', &uri->params, &uri->headers);
    if (uri->params.len > 0)
        uri->params = span_from(uri->params, 1);
    if (!sip_chars_are(uri->params, SIP_CHAR_PARAM) ||
        !sip_escapes_are_valid(uri->params) ||
        !sip_chars_are(uri->headers, SIP_CHAR_HEADER) ||
        !sip_escapes_are_valid(uri->headers))
        return ERR_PARSE;
    return params_note(uri);
}

static int tel_part_parse(struct span rest, struct sip_uri *uri)
{
    uri->has_user = true;
    uri->user = rest;
    uri->params = span_from(rest, rest.len);
    (void)span_cut(rest, ';', &uri->user, &uri->params);
    if (uri->user.len == 0 || !sip_chars_are(uri->user, SIP_CHAR_USER) ||
        !sip_chars_are(uri->params, SIP_CHAR_PARAM))
        return ERR_PARSE;
    return params_note(uri);
}

int sip_uri_parse(struct span text, struct sip_uri *ret_uri)
{
    struct sip_uri uri = {.text = text};
    struct span rest;
    int err = 0;

    if (!span_cut(text, ':', &uri.scheme_name, &rest) ||
        !scheme_is_valid(uri.scheme_name))
        return ERR_PARSE;
    uri.scheme = scheme_lookup(uri.scheme_name);
    switch (uri.scheme) {
    case SIP_SCHEME_SIP:
    case SIP_SCHEME_SIPS:
        err = sip_part_parse(rest, &uri);
        break;
    case SIP_SCHEME_TEL:
        err = tel_part_parse(rest, &uri);
        break;
    case SIP_SCHEME_OTHER:
        err = opaque_is_valid(rest) ? 0 : ERR_PARSE;
        break;
    }
    if (err < 0)
        return err;
    *ret_uri = uri;
    return 0;
}
