/* SPDX-License-Identifier: MIT */
#include "http/http_internal.h"

#include "base/mem.h"

#include <string.h>

enum { FIRST_FIELDS = 16 };

/* Callbacks: only note where things are. A field may come in pieces, which lie
 * behind each other, since head and trailers are kept contiguous. */

static struct http_parser *parser_of(llhttp_t *llhttp)
{
    return CONTAINER_OF(llhttp, struct http_parser, llhttp);
}

static int fail_callback(struct http_parser *parser, enum http_error error)
{
    parser->error = error;
    return HPE_USER;
}

static bool fields_grow(struct fields *fields)
{
    size_t cap = fields->cap ? fields->cap * 2 : FIRST_FIELDS;
    struct http_header *items;

    if (fields->n < fields->cap)
        return true;
    items = mem_realloc(fields->items, cap * sizeof(*items));
    if (!items)
        return false;
    fields->items = items;
    fields->cap = cap;
    return true;
}

/* Trailers are rare and small: copied, into memory that does not move. */
static int keep_trailer(struct http_parser *parser, const char **at, size_t len)
{
    struct buf *bytes = &parser->trailer_bytes;
    uint8_t *to;

    parser->state = STATE_TRAILERS;
    if (!bytes->data && !buf_reserve(bytes, HTTP_TRAILER_BYTES))
        return fail_callback(parser, HTTP_ERROR_MEMORY);
    if (len > buf_room(bytes))
        return fail_callback(parser, HTTP_ERROR_TRAILER);
    to = buf_reserve(bytes, len);
    memcpy(to, *at, len);
    buf_commit(bytes, len);
    *at = (const char *)to;
    return 0;
}

static bool is_trailer(const struct http_parser *parser)
{
    return parser->state == STATE_CHUNKED || parser->state == STATE_TRAILERS;
}

static struct fields *current_fields(struct http_parser *parser)
{
    return is_trailer(parser) ? &parser->trailers : &parser->fields;
}

static int on_header_field(llhttp_t *llhttp, const char *at, size_t len)
{
    struct http_parser *parser = parser_of(llhttp);
    struct fields *fields = current_fields(parser);
    struct http_header *h;
    int err;

    if (is_trailer(parser)) {
        err = keep_trailer(parser, &at, len);
        if (err)
            return err;
    }
    if (fields->in_name) {
        h = &fields->items[fields->n - 1];
        h->name.len += len;
        return 0;
    }
    if (!fields_grow(fields))
        return fail_callback(parser, HTTP_ERROR_MEMORY);
    h = &fields->items[fields->n++];
    *h = (struct http_header){.name = span_of(at, len)};
    fields->in_name = true;
    return 0;
}

static int on_header_field_complete(llhttp_t *llhttp)
{
    struct http_parser *parser = parser_of(llhttp);
    struct fields *fields = current_fields(parser);

    /* Not sooner: a malformed name is found first, however it was cut. */
    if (fields->n > parser->limits.headers)
        return fail_callback(parser, is_trailer(parser)
                                         ? HTTP_ERROR_TRAILER
                                         : HTTP_ERROR_HEAD_TOO_LARGE);
    fields->in_name = false;
    return 0;
}

static int on_header_value(llhttp_t *llhttp, const char *at, size_t len)
{
    struct http_parser *parser = parser_of(llhttp);
    struct fields *fields = current_fields(parser);
    struct span *value = &fields->items[fields->n - 1].value;
    int err;

    if (len == 0)
        return 0;
    if (is_trailer(parser)) {
        err = keep_trailer(parser, &at, len);
        if (err)
            return err;
    }
    if (!value->ptr)
        *value = span_of(at, len);
    else
        value->len = (size_t)((const uint8_t *)at - value->ptr) + len;
    return 0;
}

static int on_headers_complete(llhttp_t *llhttp)
{
    (void)llhttp;
    return HPE_PAUSED; /* the rules come first */
}

static int on_body(llhttp_t *llhttp, const char *at, size_t len)
{
    parser_of(llhttp)->body = span_of(at, len);
    return HPE_PAUSED;
}

static int on_message_complete(llhttp_t *llhttp)
{
    parser_of(llhttp)->state = STATE_END;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_header_field = on_header_field,
    .on_header_field_complete = on_header_field_complete,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void http_scan_begin(struct http_parser *parser)
{
    llhttp_init(&parser->llhttp,
                parser->kind == HTTP_KIND_REQUEST ? HTTP_REQUEST
                                                  : HTTP_RESPONSE,
                &settings);
}

/* The head up to and with the byte where llhttp gave up. */
static struct span understood(const struct http_parser *parser)
{
    const uint8_t *at = (const uint8_t *)llhttp_get_error_pos(&parser->llhttp);
    struct span head = span_of(parser->base, parser->len);

    if (at < parser->base)
        return span_head(head, 0);
    return span_head(head, (size_t)(at - parser->base) + 1);
}

/* A token until then, and still: just a method that llhttp does not know. */
static enum http_error method_error(const struct http_parser *parser)
{
    return http_is_token(understood(parser)) ? HTTP_ERROR_METHOD
                                             : HTTP_ERROR_START_LINE;
}

/* A version that we know, and something else than CRLF behind it, is not a
 * matter of version. */
static enum http_error version_error(const struct http_parser *parser)
{
    struct span head = understood(parser);

    for (size_t at = head.len; at >= 8 && at + 2 >= head.len; at--) {
        struct span version = span_of(head.ptr + at - 8, 8);

        if (span_is(version, "HTTP/1.0") || span_is(version, "HTTP/1.1"))
            return HTTP_ERROR_START_LINE;
    }
    return HTTP_ERROR_VERSION;
}

enum http_error http_scan_head_error(const struct http_parser *parser,
                                     llhttp_errno_t code)
{
    bool has_length = parser->llhttp.flags & F_CONTENT_LENGTH;
    bool has_coding = parser->llhttp.flags & F_TRANSFER_ENCODING;

    if (parser->error)
        return parser->error;
    switch (code) {
    case HPE_INVALID_METHOD:
        return method_error(parser);
    case HPE_INVALID_VERSION:
        return version_error(parser);
    case HPE_PAUSED_H2_UPGRADE:
        return HTTP_ERROR_VERSION;
    case HPE_INVALID_URL:
        return HTTP_ERROR_TARGET;
    case HPE_INVALID_CONSTANT:
    case HPE_INVALID_STATUS:
        return HTTP_ERROR_START_LINE;
    case HPE_INVALID_HEADER_TOKEN:
    case HPE_UNEXPECTED_SPACE:
        return HTTP_ERROR_FIELD;
    case HPE_STRICT:
    case HPE_CR_EXPECTED:
    case HPE_LF_EXPECTED:
        return HTTP_ERROR_CONTROL;
    case HPE_INVALID_CONTENT_LENGTH:
    case HPE_UNEXPECTED_CONTENT_LENGTH:
        return has_coding ? HTTP_ERROR_LENGTH_AND_CODING : HTTP_ERROR_LENGTH;
    case HPE_INVALID_TRANSFER_ENCODING:
        return has_length ? HTTP_ERROR_LENGTH_AND_CODING : HTTP_ERROR_CODING;
    default:
        return HTTP_ERROR_SYNTAX;
    }
}

enum http_error http_scan_content_error(const struct http_parser *parser)
{
    if (parser->error)
        return parser->error;
    return parser->state == STATE_TRAILERS ? HTTP_ERROR_TRAILER
                                           : HTTP_ERROR_CHUNK;
}
