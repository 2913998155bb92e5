/* SPDX-License-Identifier: MIT */
#include "h2/h2_head.h"

#include "base/err.h"
#include "http/http_msg.h"

#include <errno.h>

enum {
    FIELD_OVERHEAD = 32, /* RFC 9113 6.5.2 */
    LINE_OVERHEAD = 4,   /* of ": " and the line's end */
    WARM = 8 * 1024,
};

/* ---- a request, from HTTP/2 ---- */

static void bufs_of(struct h2_block *b, struct buf *out[9])
{
    out[0] = &b->method;
    out[1] = &b->scheme;
    out[2] = &b->authority;
    out[3] = &b->path;
    out[4] = &b->protocol;
    out[5] = &b->host;
    out[6] = &b->fields;
    out[7] = &b->cookie;
    out[8] = &b->text;
}

void h2_block_init(struct h2_block *block)
{
    struct buf *all[9];

    memset(block, 0, sizeof(*block));
    bufs_of(block, all);
    for (size_t i = 0; i < 9; i++)
        buf_init(all[i], H2_HEAD_MAX);
}

void h2_block_deinit(struct h2_block *block)
{
    struct buf *all[9];

    bufs_of(block, all);
    for (size_t i = 0; i < 9; i++)
        buf_deinit(all[i]);
}

void h2_block_reset(struct h2_block *block)
{
    struct buf *all[9];

    bufs_of(block, all);
    for (size_t i = 0; i < 9; i++) {
        buf_reset(all[i]);
        if (all[i]->cap > WARM)
            buf_shrink(all[i]);
    }
    block->size = block->bytes = 0;
    block->has_host = block->has_length = false;
    block->bad = block->too_large = false;
}

/* Nothing that would end the line or the field it is written into. */
static bool is_value(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((s.ptr[i] < 0x20 && s.ptr[i] != '\t') || s.ptr[i] == 0x7f)
            return false;
    }
    return s.len == 0 || (s.ptr[0] != ' ' && s.ptr[0] != '\t' &&
                          s.ptr[s.len - 1] != ' ' && s.ptr[s.len - 1] != '\t');
}

static bool is_visible(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] <= 0x20 || s.ptr[i] >= 0x7f)
            return false;
    }
    return s.len > 0;
}

/* A token in lower case (RFC 9113 8.2.1). */
static bool is_name(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] >= 'A' && s.ptr[i] <= 'Z')
            return false;
    }
    return http_is_token(s);
}

static void add_pseudo(struct h2_block *b, struct span name, struct span value)
{
    static const char *const names[] = {":method", ":scheme", ":authority",
                                        ":path", ":protocol"};
    struct buf *all[9];

    bufs_of(b, all);
    for (size_t i = 0; i < 5; i++) {
        if (!span_is(name, names[i]))
            continue;
        if (buf_len(all[i]) > 0 || !is_visible(value) || b->has_host ||
            buf_len(&b->fields) > 0 || buf_len(&b->cookie) > 0)
            b->bad = true;
        buf_put_span(all[i], value);
        return;
    }
    b->bad = true;
}

/* Fields that only mean something between two HTTP/1 neighbours. */
static bool is_forbidden(enum http_field field, struct span value)
{
    switch (field) {
    case HTTP_FIELD_CONNECTION:
    case HTTP_FIELD_KEEP_ALIVE:
    case HTTP_FIELD_PROXY_CONNECTION:
    case HTTP_FIELD_TRANSFER_ENCODING:
    case HTTP_FIELD_UPGRADE:
        return true;
    case HTTP_FIELD_TE:
        return !span_is_nocase(value, "trailers");
    default:
        return false;
    }
}

static void put_field(struct buf *out, struct span name, struct span value)
{
    buf_put_span(out, name);
    buf_put_str(out, ": ");
    buf_put_span(out, value);
    buf_put_str(out, "\r\n");
}

static void add_field(struct h2_block *b, struct span name, struct span value)
{
    enum http_field field = http_field_of(name);

    if (!is_name(name) || !is_value(value) || is_forbidden(field, value)) {
        b->bad = true;
        return;
    }
    switch (field) {
    case HTTP_FIELD_HOST:
        b->bad = b->bad || b->has_host;
        b->has_host = true;
        buf_put_span(&b->host, value);
        break;
    case HTTP_FIELD_COOKIE:
        if (buf_len(&b->cookie) > 0)
            buf_put_str(&b->cookie, "; ");
        buf_put_span(&b->cookie, value);
        break;
    case HTTP_FIELD_SEC_WEBSOCKET_KEY:
        /* Has no meaning here (RFC 8441 5); the handshake gets one of ours. */
        break;
    case HTTP_FIELD_CONTENT_LENGTH:
        b->bad = b->bad || b->has_length;
        b->has_length = true;
        put_field(&b->fields, name, value);
        break;
    default:
        put_field(&b->fields, name, value);
        break;
    }
}

void h2_block_add(struct h2_block *b, struct span name, struct span value,
                  size_t max)
{
    b->size += name.len + value.len + FIELD_OVERHEAD;
    b->bytes += name.len + value.len + LINE_OVERHEAD;
    /* What is too large is decoded to its end, for the state of HPACK. */
    if (b->bytes > max)
        b->too_large = true;
    else if (name.len > 0 && name.ptr[0] == ':')
        add_pseudo(b, name, value);
    else
        add_field(b, name, value);
}

bool h2_block_is_tunnel(const struct h2_block *b)
{
    return buf_len(&b->protocol) > 0;
}

static bool is_connect(const struct h2_block *b)
{
    return span_is(buf_span(&b->method), "CONNECT");
}

/* RFC 9113 8.3.1: all of them once; 8.5: CONNECT has two; RFC 8441 4. */
static bool is_complete(const struct h2_block *b, const struct h2_form *form)
{
    bool tunnel = h2_block_is_tunnel(b);

    if (buf_len(&b->method) == 0 || (tunnel && !is_connect(b)))
        return false;
    if (is_connect(b) && !tunnel)
        return buf_len(&b->scheme) == 0 && buf_len(&b->path) == 0 &&
               buf_len(&b->authority) > 0;
    if (tunnel && (!form->connects || buf_len(&b->authority) == 0))
        return false;
    return buf_len(&b->path) > 0 &&
           span_is(buf_span(&b->scheme), form->secure ? "https" : "http") &&
           (buf_len(&b->authority) > 0 || b->has_host);
}

/* ":authority" wins over Host, so they must agree (RFC 9113 8.3.1). */
static bool read_host(const struct h2_block *b, struct span *ret_host)
{
    struct span authority = buf_span(&b->authority);
    struct span host = buf_span(&b->host);

    *ret_host = authority.len > 0 ? authority : host;
    return !b->has_host || authority.len == 0 ||
           span_equal_nocase(authority, host);
}

static bool is_origin_form(const struct h2_block *b)
{
    struct span path = buf_span(&b->path);

    if (is_connect(b) && !h2_block_is_tunnel(b))
        return true;
    return span_starts(path, "/") ||
           (span_is(path, "*") && span_is(buf_span(&b->method), "OPTIONS"));
}

/* Methods whose requests have content: a length is said even when it is 0
 * (RFC 9110 8.6). */
static bool has_content(struct span method)
{
    return span_is(method, "POST") || span_is(method, "PUT") ||
           span_is(method, "PATCH");
}

static void put_framing(struct h2_block *b, const struct h2_form *form)
{
    if (h2_block_is_tunnel(b)) {
        buf_put_str(&b->text, "connection: Upgrade\r\nupgrade: websocket\r\n"
                              "sec-websocket-key: ");
        buf_put_str(&b->text, form->key);
        buf_put_str(&b->text, "\r\n");
    } else if (is_connect(b) || b->has_length) {
        return;
    } else if (!form->ends) {
        buf_put_str(&b->text, "transfer-encoding: chunked\r\n");
    } else if (has_content(buf_span(&b->method))) {
        buf_put_str(&b->text, "content-length: 0\r\n");
    }
}

static void put_request_line(struct h2_block *b)
{
    bool tunnel = h2_block_is_tunnel(b);

    if (tunnel)
        buf_put_str(&b->text, "GET");
    else
        buf_put_span(&b->text, buf_span(&b->method));
    buf_put_str(&b->text, " ");
    buf_put_span(&b->text, is_connect(b) && !tunnel ? buf_span(&b->authority)
                                                    : buf_span(&b->path));
    buf_put_str(&b->text, " HTTP/1.1\r\n");
}

int h2_block_write(struct h2_block *b, const struct h2_form *form)
{
    struct span host;

    if (b->bad)
        return 400;
    if (b->too_large)
        return 431;
    if (!is_complete(b, form) || !read_host(b, &host) || !is_origin_form(b) ||
        !http_is_token(buf_span(&b->method)))
        return 400;
    if (h2_block_is_tunnel(b) && b->has_length)
        return 400;
    if (h2_block_is_tunnel(b) && !span_is(buf_span(&b->protocol), "websocket"))
        return 501;
    put_request_line(b);
    put_field(&b->text, span_str("host"), host);
    buf_put_span(&b->text, buf_span(&b->fields));
    if (buf_len(&b->cookie) > 0)
        put_field(&b->text, span_str("cookie"), buf_span(&b->cookie));
    put_framing(b, form);
    buf_put_str(&b->text, "\r\n");
    if (buf_err(&b->text) < 0 || buf_err(&b->fields) < 0 ||
        buf_err(&b->cookie) < 0)
        return buf_err(&b->text) == -ENOMEM || buf_err(&b->fields) == -ENOMEM
                   ? -ENOMEM
                   : 431;
    return 0;
}

/* ---- an answer, to HTTP/2 ---- */

static void to_lower(uint8_t *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (name[i] >= 'A' && name[i] <= 'Z')
            name[i] = (uint8_t)(name[i] + 32);
    }
}

/* Of the connection: it has no place in HTTP/2. The WebSocket handshake has
 * other words there. */
static bool is_dropped(struct span name, bool switched)
{
    switch (http_field_of(name)) {
    case HTTP_FIELD_CONNECTION:
    case HTTP_FIELD_KEEP_ALIVE:
    case HTTP_FIELD_PROXY_CONNECTION:
    case HTTP_FIELD_TRANSFER_ENCODING:
    case HTTP_FIELD_UPGRADE:
    case HTTP_FIELD_TE:
        return true;
    case HTTP_FIELD_SEC_WEBSOCKET_ACCEPT:
        return switched;
    default:
        return false;
    }
}

static bool next_line(struct span *rest, struct span *ret_line)
{
    ptrdiff_t end = span_find(*rest, '\n');

    if (end < 1 || rest->ptr[end - 1] != '\r')
        return false;
    *ret_line = span_head(*rest, (size_t)end - 1);
    *rest = span_from(*rest, (size_t)end + 1);
    return true;
}

static int split_lines(struct span rest, struct buf *scratch, bool switched,
                       struct h2_field *fields, size_t *n)
{
    struct span line, name, value;

    while (next_line(&rest, &line) && line.len > 0) {
        if (!span_cut(line, ':', &name, &value) || name.len == 0)
            return ERR_PARSE;
        if (is_dropped(name, switched))
            continue;
        if (*n == H2_FIELDS_MAX)
            return ERR_LIMIT;
        /* The scratch is ours to write. */
        to_lower(scratch->data + (name.ptr - scratch->data), name.len);
        fields[*n].name = name;
        fields[(*n)++].value = span_trim(value);
    }
    return 0;
}

int h2_head_split(struct span head, struct buf *scratch,
                  struct h2_field fields[H2_FIELDS_MAX], size_t *ret_n)
{
    struct span rest, line;
    uint32_t status;
    int err;

    buf_reset(scratch);
    buf_put_span(scratch, head);
    if (buf_err(scratch) < 0)
        return buf_err(scratch);
    rest = buf_span(scratch);
    if (!next_line(&rest, &line) || line.len < 12 ||
        span_to_u32(span_of(line.ptr + 9, 3), 999, &status) < 0 || status < 100)
        return ERR_PARSE;
    fields[0].name = span_str(":status");
    fields[0].value =
        status == 101 ? span_str("200") : span_of(line.ptr + 9, 3);
    *ret_n = 1;
    err = split_lines(rest, scratch, status == 101, fields, ret_n);
    return err < 0 ? err : (int)status;
}

int h2_lines_split(struct span lines, struct buf *scratch,
                   struct h2_field fields[H2_FIELDS_MAX], size_t *ret_n)
{
    buf_reset(scratch);
    buf_put_span(scratch, lines);
    *ret_n = 0;
    if (buf_err(scratch) < 0)
        return buf_err(scratch);
    return split_lines(buf_span(scratch), scratch, false, fields, ret_n);
}
