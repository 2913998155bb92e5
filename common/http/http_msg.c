/* SPDX-License-Identifier: MIT */
#include "http/http_msg.h"

#include "base/addr.h"
#include "base/err.h"

enum field_scope { SCOPE_END, SCOPE_HOP };

struct field_def {
    const char *name;
    uint8_t len;
    uint8_t scope;
};

static const struct field_def fields[HTTP_FIELD_COUNT] = {
#define FIELD_ROW(id, text, kind)                                              \
    [HTTP_FIELD_##id] = {text, sizeof(text) - 1, SCOPE_##kind},
    HTTP_FIELD_MAP(FIELD_ROW)
#undef FIELD_ROW
};

enum { FIELD_LEN_MAX = 25 };

/* The first field with a name of at least that length. */
static const uint8_t first_of_len[FIELD_LEN_MAX + 2] = {
    [2] = HTTP_FIELD_TE,
    [3] = HTTP_FIELD_VIA,
    [4] = HTTP_FIELD_DATE,
    [5] = HTTP_FIELD_RANGE,
    [6] = HTTP_FIELD_ACCEPT,
    [7] = HTTP_FIELD_REFERER,
    [8] = HTTP_FIELD_LOCATION,
    [9] = HTTP_FIELD_FORWARDED,
    [10] = HTTP_FIELD_CONNECTION,
    [11] = HTTP_FIELD_CONTENT_TYPE,
    [12] = HTTP_FIELD_CONTENT_TYPE,
    [13] = HTTP_FIELD_AUTHORIZATION,
    [14] = HTTP_FIELD_CONTENT_LENGTH,
    [15] = HTTP_FIELD_ACCEPT_ENCODING,
    [16] = HTTP_FIELD_CONTENT_ENCODING,
    [17] = HTTP_FIELD_SEC_WEBSOCKET_KEY,
    [18] = HTTP_FIELD_PROXY_AUTHENTICATE,
    [19] = HTTP_FIELD_PROXY_AUTHORIZATION,
    [20] = HTTP_FIELD_SEC_WEBSOCKET_ACCEPT,
    [21] = HTTP_FIELD_SEC_WEBSOCKET_VERSION,
    [22] = HTTP_FIELD_SEC_WEBSOCKET_PROTOCOL,
    [23] = HTTP_FIELD_SEC_WEBSOCKET_EXTENSIONS,
    [24] = HTTP_FIELD_SEC_WEBSOCKET_EXTENSIONS,
    [25] = HTTP_FIELD_STRICT_TRANSPORT_SECURITY,
    [26] = HTTP_FIELD_COUNT,
};

/* tchar of RFC 9110 5.6.2 */
static bool is_tchar(uint8_t c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
        (c >= '0' && c <= '9'))
        return true;
    return c && strchr("!#$%&'*+-.^_`|~", c);
}

enum http_field http_field_of(struct span name)
{
    if (name.len < 2 || name.len > FIELD_LEN_MAX)
        return HTTP_FIELD_OTHER;
    for (unsigned i = first_of_len[name.len]; i < first_of_len[name.len + 1];
         i++) {
        if (fields[i].len == name.len &&
            span_equal_nocase(name, span_of(fields[i].name, name.len)))
            return (enum http_field)i;
    }
    return HTTP_FIELD_OTHER;
}

const char *http_field_name(enum http_field field)
{
    return fields[field].name;
}

bool http_field_is_hop(enum http_field field)
{
    return field != HTTP_FIELD_OTHER && fields[field].scope == SCOPE_HOP;
}

const struct http_header *http_msg_find(const struct http_msg *msg,
                                        enum http_field field)
{
    for (size_t i = 0; i < msg->headers_n; i++) {
        if (msg->headers[i].field == field)
            return &msg->headers[i];
    }
    return NULL;
}

const struct http_header *http_msg_find_name(const struct http_msg *msg,
                                             const char *name)
{
    for (size_t i = 0; i < msg->headers_n; i++) {
        if (span_is_nocase(msg->headers[i].name, name))
            return &msg->headers[i];
    }
    return NULL;
}

struct span http_msg_value(const struct http_msg *msg, enum http_field field)
{
    const struct http_header *h = http_msg_find(msg, field);

    return h ? h->value : (struct span){NULL, 0};
}

size_t http_msg_count(const struct http_msg *msg, enum http_field field)
{
    size_t n = 0;

    for (size_t i = 0; i < msg->headers_n; i++)
        n += msg->headers[i].field == field;
    return n;
}

bool http_list_next(struct span *rest, struct span *ret_item)
{
    struct span item;

    while (span_next(rest, ',', &item)) {
        item = span_trim(item);
        if (item.len) {
            *ret_item = item;
            return true;
        }
    }
    return false;
}

static bool lists_have(const struct http_msg *msg, enum http_field field,
                       struct span token)
{
    for (size_t i = 0; i < msg->headers_n; i++) {
        struct span rest = msg->headers[i].value;
        struct span item;

        if (msg->headers[i].field != field)
            continue;
        while (http_list_next(&rest, &item)) {
            if (span_equal_nocase(item, token))
                return true;
        }
    }
    return false;
}

bool http_msg_has_token(const struct http_msg *msg, enum http_field field,
                        const char *token)
{
    return lists_have(msg, field, span_str(token));
}

bool http_msg_is_connection_option(const struct http_msg *msg, struct span name)
{
    return lists_have(msg, HTTP_FIELD_CONNECTION, name);
}

bool http_is_token(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_tchar(s.ptr[i]))
            return false;
    }
    return s.len > 0;
}

static bool is_host_name(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'))
            return false;
    }
    return s.len > 0 && s.len <= 255;
}

/* "[…]" at the front, brackets included, or everything before the colon. */
static int cut_name(struct span host, struct span *ret_name,
                    struct span *ret_rest)
{
    ptrdiff_t end;
    struct addr ip;

    if (host.len && host.ptr[0] == '[') {
        end = span_find(host, ']');
        if (end < 0 ||
            addr_parse_ip(span_from(span_head(host, (size_t)end), 1), &ip) <
                0 ||
            ip.family != ADDR_V6 || ip.scope)
            return ERR_PARSE;
        end++;
    } else {
        end = span_find(host, ':');
        if (end < 0)
            end = (ptrdiff_t)host.len;
        if (!is_host_name(span_head(host, (size_t)end)))
            return ERR_PARSE;
    }
    *ret_name = span_head(host, (size_t)end);
    *ret_rest = span_from(host, (size_t)end);
    return 0;
}

int http_host_split(struct span host, struct span *ret_name, uint16_t *ret_port)
{
    struct span name;
    struct span rest;
    uint32_t port = 0;

    if (cut_name(host, &name, &rest) < 0)
        return ERR_PARSE;
    if (rest.len &&
        (rest.ptr[0] != ':' || rest.len > 6 ||
         span_to_u32(span_from(rest, 1), UINT16_MAX, &port) < 0 || port == 0))
        return ERR_PARSE;
    *ret_name = name;
    *ret_port = (uint16_t)port;
    return 0;
}
