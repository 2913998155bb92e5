/* SPDX-License-Identifier: MIT */
#include "http/http_parse.h"

#include "base/err.h"
#include "base/mem.h"
#include "http/http_internal.h"
#include "http/http_rules.h"

#include <errno.h>

const struct http_limits http_limits_default = {
    .start_line = 8 * 1024,
    .head = 32 * 1024,
    .headers = 100,
    .chunk_line = 256,
};

static enum http_event fail(struct http_parser *parser, enum http_error error)
{
    parser->error = error;
    parser->state = STATE_ERROR;
    return HTTP_EVENT_ERROR;
}

/* The head's bytes move: everything that points at them follows. */

static void move_span(struct span *s, struct span from, const uint8_t *to)
{
    if (s->ptr >= from.ptr && s->ptr <= from.ptr + from.len)
        s->ptr = to + (s->ptr - from.ptr);
}

static void move_head(struct http_parser *parser, const uint8_t *to)
{
    struct span from = span_of(parser->base, parser->len);
    struct http_msg *msg = &parser->msg;

    for (size_t i = 0; i < parser->fields.n; i++) {
        move_span(&parser->fields.items[i].name, from, to);
        move_span(&parser->fields.items[i].value, from, to);
    }
    move_span(&msg->head, from, to);
    move_span(&msg->method, from, to);
    move_span(&msg->target, from, to);
    move_span(&msg->path, from, to);
    move_span(&msg->host, from, to);
    move_span(&msg->reason, from, to);
    parser->base = to;
}

int http_parser_hold(struct http_parser *parser)
{
    if (parser->is_kept || parser->len == 0)
        return 0;
    buf_reset(&parser->kept);
    buf_put(&parser->kept, parser->base, parser->len);
    if (buf_err(&parser->kept) < 0)
        return -ENOMEM;
    move_head(parser, buf_span(&parser->kept).ptr);
    parser->is_kept = true;
    return 0;
}

/* The next piece of a head that began in earlier input: behind the rest. */
static int append_piece(struct http_parser *parser, struct span piece,
                        const uint8_t **ret_at)
{
    const uint8_t *data;

    if (!buf_reserve(&parser->kept, piece.len))
        return -ENOMEM;
    data = buf_span(&parser->kept).ptr;
    if (data != parser->base)
        move_head(parser, data);
    buf_put_span(&parser->kept, piece);
    *ret_at = data + parser->len;
    return 0;
}

/* Messages. */

static void begin_message(struct http_parser *parser)
{
    http_scan_begin(parser);
    parser->base = NULL;
    parser->len = 0;
    parser->is_kept = false;
    buf_reset(&parser->kept);
    buf_reset(&parser->trailer_bytes);
    parser->fields.n = 0;
    parser->fields.in_name = false;
    parser->trailers.n = 0;
    parser->trailers.in_name = false;
    parser->overhead = 0;
    parser->msg = (struct http_msg){.kind = parser->kind};
    parser->state = STATE_LINE;
}

/* One empty line before a request is forgiven, nothing else. */
static enum http_event skip_lead(struct http_parser *parser, struct span *input)
{
    while (input->len) {
        uint8_t c = input->ptr[0];

        if (parser->has_lead_cr) {
            if (c != '\n')
                return fail(parser, HTTP_ERROR_START_LINE);
            parser->has_lead_cr = false;
            parser->had_lead = true;
        } else if (c == '\r' && !parser->had_lead &&
                   parser->kind == HTTP_KIND_REQUEST) {
            parser->has_lead_cr = true;
        } else if (c == '\r' || c == '\n') {
            return fail(parser, HTTP_ERROR_START_LINE);
        } else {
            parser->had_lead = false;
            begin_message(parser);
            return HTTP_EVENT_MORE;
        }
        *input = span_from(*input, 1);
    }
    return HTTP_EVENT_MORE;
}

static enum http_error read_start_line(struct http_parser *parser)
{
    struct span line = span_of(parser->base, parser->len);

    /* http_rules_bytes() has seen that each LF stands behind a CR. */
    line = span_head(line, (size_t)span_find(line, '\n') - 1);
    if (parser->kind == HTTP_KIND_REQUEST)
        return http_rules_request_line(line, &parser->msg);
    return http_rules_status_line(line, &parser->msg);
}

/* Our reading of the framing and llhttp's: if they ever differ, stop. */
static bool agrees(const struct http_parser *parser)
{
    const struct http_msg *msg = &parser->msg;
    bool is_chunked = (parser->llhttp.flags & F_CHUNKED) != 0;

    if (msg->framing == HTTP_FRAMING_CHUNKED)
        return is_chunked;
    if (msg->framing == HTTP_FRAMING_LENGTH)
        return !is_chunked && parser->llhttp.content_length == msg->length;
    return true;
}

static enum http_error finish_head(struct http_parser *parser)
{
    struct http_msg *msg = &parser->msg;
    enum http_error error;

    msg->head = span_of(parser->base, parser->len);
    error = http_rules_bytes(msg->head);
    if (!error && !span_is(span_from(msg->head, msg->head.len - 4), "\r\n\r\n"))
        error = HTTP_ERROR_SYNTAX;
    if (!error)
        error = read_start_line(parser);
    if (error)
        return error;

    for (size_t i = 0; i < parser->fields.n; i++) {
        struct http_header *h = &parser->fields.items[i];

        h->value = span_trim(h->value);
        h->field = http_field_of(h->name);
    }
    msg->headers = parser->fields.items;
    msg->headers_n = parser->fields.n;
    if (parser->kind == HTTP_KIND_REQUEST)
        error = http_rules_request(msg);
    else
        error = http_rules_response(msg, parser->request);
    if (!error && !agrees(parser))
        error = HTTP_ERROR_LENGTH_AND_CODING;
    return error;
}

static enum state content_state(const struct http_msg *msg)
{
    switch (msg->framing) {
    case HTTP_FRAMING_LENGTH:
        return STATE_LENGTH;
    case HTTP_FRAMING_CHUNKED:
        return STATE_CHUNKED;
    case HTTP_FRAMING_CLOSE:
        return STATE_CLOSE;
    case HTTP_FRAMING_NONE:
        break;
    }
    return STATE_END;
}

/* How much of the input to look at in one step: never over a limit, and the
 * start line by itself, so that what is found does not depend on how the bytes
 * were cut into segments. */
static size_t step_size(const struct http_parser *parser, struct span input)
{
    size_t limit = parser->limits.head;
    size_t n;
    ptrdiff_t at;

    if (parser->state == STATE_LINE && limit > parser->limits.start_line + 2U)
        limit = parser->limits.start_line + 2U;
    n = limit > parser->len ? limit - parser->len : 0;
    if (n > input.len)
        n = input.len;
    if (parser->state == STATE_LINE) {
        at = span_find(span_head(input, n), '\n');
        if (at >= 0)
            n = (size_t)at + 1;
    }
    return n;
}

/* Give llhttp `n` more bytes of the head. */
static enum http_event step_head(struct http_parser *parser, struct span *input,
                                 size_t n)
{
    const uint8_t *at = input->ptr;
    llhttp_errno_t code;
    size_t used = n;

    if (parser->is_kept && append_piece(parser, span_head(*input, n), &at) < 0)
        return fail(parser, HTTP_ERROR_MEMORY);
    if (!parser->base)
        parser->base = at;
    parser->len += n;
    code = llhttp_execute(&parser->llhttp, (const char *)at, n);
    if (code == HPE_PAUSED) {
        used = (size_t)((const uint8_t *)llhttp_get_error_pos(&parser->llhttp) -
                        at);
        parser->len -= n - used;
        llhttp_resume(&parser->llhttp);
    }
    *input = span_from(*input, used);
    if (code == HPE_PAUSED) {
        enum http_error error = finish_head(parser);

        if (error)
            return fail(parser, error);
        parser->left = parser->msg.length;
        parser->state = content_state(&parser->msg);
        return HTTP_EVENT_HEAD;
    }
    if (code != HPE_OK)
        return fail(parser, http_scan_head_error(parser, code));
    if (parser->state == STATE_LINE && at[n - 1] == '\n')
        parser->state = STATE_FIELDS;
    return HTTP_EVENT_MORE;
}

static enum http_event next_head(struct http_parser *parser, struct span *input)
{
    while (input->len) {
        size_t n = step_size(parser, *input);
        enum http_event event;

        if (n == 0)
            return fail(parser, parser->state == STATE_LINE
                                    ? HTTP_ERROR_LINE_TOO_LONG
                                    : HTTP_ERROR_HEAD_TOO_LARGE);
        event = step_head(parser, input, n);
        if (event != HTTP_EVENT_MORE)
            return event;
    }
    return HTTP_EVENT_MORE; /* and what was read is kept */
}

/* Content. */

static enum http_event next_length(struct http_parser *parser,
                                   struct span *input, struct span *ret_body)
{
    size_t n = input->len;

    if (n == 0)
        return HTTP_EVENT_MORE;
    if (n > parser->left)
        n = (size_t)parser->left;
    *ret_body = span_head(*input, n);
    *input = span_from(*input, n);
    parser->left -= n;
    if (parser->left == 0)
        parser->state = STATE_END;
    return HTTP_EVENT_BODY;
}

static enum http_event next_close(struct span *input, struct span *ret_body)
{
    if (input->len == 0)
        return HTTP_EVENT_MORE;
    *ret_body = *input;
    *input = span_from(*input, input->len);
    return HTTP_EVENT_BODY;
}

static enum http_error finish_trailers(struct http_parser *parser)
{
    for (size_t i = 0; i < parser->trailers.n; i++) {
        struct http_header *h = &parser->trailers.items[i];

        h->value = span_trim(h->value);
        h->field = http_field_of(h->name);
        if (http_rules_bytes(h->value))
            return HTTP_ERROR_TRAILER;
    }
    return http_rules_trailers(parser->trailers.items, parser->trailers.n);
}

/* Size lines, their ends and trailers between two pieces of content. */
static bool is_overhead_large(const struct http_parser *parser)
{
    size_t limit = parser->limits.chunk_line + 4U;

    if (parser->state == STATE_TRAILERS || parser->trailers.n)
        limit += (size_t)2 * HTTP_TRAILER_BYTES;
    return parser->overhead > limit;
}

static enum http_event next_chunked(struct http_parser *parser,
                                    struct span *input, struct span *ret_body)
{
    const char *at = (const char *)input->ptr;
    llhttp_errno_t code;
    size_t used = input->len;

    if (input->len == 0)
        return HTTP_EVENT_MORE;
    parser->body = (struct span){NULL, 0};
    code = llhttp_execute(&parser->llhttp, at, input->len);
    if (code != HPE_OK && code != HPE_PAUSED)
        return fail(parser, http_scan_content_error(parser));
    if (code == HPE_PAUSED) {
        used = (size_t)(llhttp_get_error_pos(&parser->llhttp) - at);
        llhttp_resume(&parser->llhttp);
    }
    *input = span_from(*input, used);
    parser->overhead += used - parser->body.len;
    if (is_overhead_large(parser))
        return fail(parser, HTTP_ERROR_CHUNK);
    if (parser->body.len) {
        parser->overhead = 0;
        *ret_body = parser->body;
        return HTTP_EVENT_BODY;
    }
    if (parser->state == STATE_END) {
        enum http_error error = finish_trailers(parser);

        if (error)
            return fail(parser, error);
    }
    return HTTP_EVENT_MORE;
}

static enum http_event say_end(struct http_parser *parser)
{
    bool is_interim =
        parser->kind == HTTP_KIND_RESPONSE && parser->msg.status < 200;

    parser->state =
        parser->msg.is_persistent || is_interim ? STATE_LEAD : STATE_CLOSED;
    return HTTP_EVENT_END;
}

/* One step; MORE with the state changed or input left means: go on. */
static enum http_event step(struct http_parser *parser, struct span *input,
                            struct span *ret_body)
{
    switch (parser->state) {
    case STATE_LEAD:
        return skip_lead(parser, input);
    case STATE_LINE:
    case STATE_FIELDS:
        return next_head(parser, input);
    case STATE_LENGTH:
        return next_length(parser, input, ret_body);
    case STATE_CHUNKED:
    case STATE_TRAILERS:
        return next_chunked(parser, input, ret_body);
    case STATE_CLOSE:
        return next_close(input, ret_body);
    case STATE_END:
        return say_end(parser);
    case STATE_CLOSED:
        return input->len ? fail(parser, HTTP_ERROR_AFTER_CLOSE)
                          : HTTP_EVENT_MORE;
    case STATE_ERROR:
        break;
    }
    return HTTP_EVENT_ERROR;
}

enum http_event http_parser_next(struct http_parser *parser, struct span *input,
                                 struct span *ret_body)
{
    enum http_event event;

    do {
        event = step(parser, input, ret_body);
    } while (event == HTTP_EVENT_MORE &&
             (input->len || parser->state == STATE_END));
    /* The caller is about to reuse its buffer, with the head in it. */
    if (event == HTTP_EVENT_MORE && !http_parser_is_idle(parser) &&
        http_parser_hold(parser) < 0)
        return fail(parser, HTTP_ERROR_MEMORY);
    return event;
}

enum http_event http_parser_eof(struct http_parser *parser)
{
    switch (parser->state) {
    case STATE_LEAD:
    case STATE_CLOSED:
        return HTTP_EVENT_MORE;
    case STATE_CLOSE:
    case STATE_END:
        parser->state = STATE_CLOSED;
        return HTTP_EVENT_END;
    case STATE_ERROR:
        return HTTP_EVENT_ERROR;
    default:
        return fail(parser, HTTP_ERROR_TRUNCATED);
    }
}

int http_parser_new(struct http_parser **ret_parser, enum http_kind kind,
                    const struct http_limits *limits)
{
    struct http_parser *parser = mem_zalloc(sizeof(*parser));
    size_t head = limits->head;

    if (!parser)
        return -ENOMEM;
    parser->kind = kind;
    parser->limits = *limits;
    buf_init(&parser->kept, head);
    buf_init(&parser->trailer_bytes, HTTP_TRAILER_BYTES);
    http_parser_reset(parser);
    *ret_parser = parser;
    return 0;
}

void http_parser_free(struct http_parser *parser)
{
    if (!parser)
        return;
    buf_deinit(&parser->kept);
    buf_deinit(&parser->trailer_bytes);
    mem_free(parser->fields.items);
    mem_free(parser->trailers.items);
    mem_free(parser);
}

void http_parser_reset(struct http_parser *parser)
{
    begin_message(parser);
    parser->request = HTTP_METHOD_GET;
    parser->error = HTTP_ERROR_NONE;
    parser->has_lead_cr = false;
    parser->had_lead = false;
    parser->state = STATE_LEAD;
}

static void drop_fields(struct fields *fields)
{
    mem_free(fields->items);
    *fields = (struct fields){0};
}

void http_parser_shrink(struct http_parser *parser)
{
    if (parser->state != STATE_LEAD)
        return;
    drop_fields(&parser->fields);
    drop_fields(&parser->trailers);
    buf_reset(&parser->kept);
    buf_shrink(&parser->kept);
    buf_reset(&parser->trailer_bytes);
    buf_shrink(&parser->trailer_bytes);
    parser->base = NULL;
    parser->len = 0;
    parser->is_kept = false;
    parser->msg = (struct http_msg){.kind = parser->kind};
}

void http_parser_set_request(struct http_parser *parser,
                             enum http_method method)
{
    parser->request = method;
}

const struct http_msg *http_parser_msg(const struct http_parser *parser)
{
    return &parser->msg;
}

const struct http_header *http_parser_trailers(const struct http_parser *parser,
                                               size_t *ret_n)
{
    *ret_n = parser->trailers.n;
    return parser->trailers.items;
}

bool http_parser_is_idle(const struct http_parser *parser)
{
    return parser->state == STATE_LEAD || parser->state == STATE_CLOSED;
}

enum http_error http_parser_error(const struct http_parser *parser)
{
    return parser->error;
}
