/* SPDX-License-Identifier: MIT */
/* The first byte chooses the direction, the second how the rest is cut. One
 * parser sees everything at once, another the pieces: both must see the same
 * events. What is accepted keeps the promises of http_msg.h. */
#include "base/buf.h"
#include "base/mem.h"
#include "http/http_head.h"
#include "http/http_parse.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct http_limits limits = {
    .start_line = 300, .head = 1000, .headers = 12, .chunk_line = 40};

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void require_inside(struct span s, struct span head)
{
    require(s.len == 0 ||
            (s.ptr >= head.ptr && s.ptr + s.len <= head.ptr + head.len));
}

static void check_request(const struct http_msg *msg)
{
    struct span name;
    uint16_t port;

    require(http_is_token(msg->method) && msg->target.len > 0);
    require(msg->minor == 0 || msg->host.len > 0);
    if (msg->host.len)
        require(http_host_split(msg->host, &name, &port) == 0);
    require(http_msg_count(msg, HTTP_FIELD_HOST) <= 1);
    require(msg->framing != HTTP_FRAMING_CLOSE);
    require(!(msg->has_upgrade && msg->framing != HTTP_FRAMING_NONE));
}

static void check_head(const struct http_msg *msg)
{
    size_t codings = http_msg_count(msg, HTTP_FIELD_TRANSFER_ENCODING);
    size_t lengths = http_msg_count(msg, HTTP_FIELD_CONTENT_LENGTH);

    require(codings + lengths <= 1);
    require(codings == 0 || msg->minor == 1);
    require(msg->headers_n <= limits.headers);
    require(msg->head.len <= limits.head);
    for (size_t i = 0; i < msg->headers_n; i++) {
        const struct http_header *h = &msg->headers[i];

        require(http_is_token(h->name));
        require_inside(h->name, msg->head);
        require_inside(h->value, msg->head);
        require(span_find(h->value, '\r') < 0);
        require(span_find(h->value, '\n') < 0);
        require(span_find(h->value, '\0') < 0);
    }
    if (msg->kind == HTTP_KIND_REQUEST)
        check_request(msg);
    else
        require(msg->status >= 100 && msg->status <= 999);
}

/* Written again from its parts, a request means the same. */
static void check_rewritten(const struct http_msg *msg)
{
    struct http_parser *parser;
    const struct http_msg *again;
    struct span in;
    struct span body;
    struct buf out;

    buf_init(&out, 8000);
    http_head_request(&out, msg->method, msg->target);
    for (size_t i = 0; i < msg->headers_n; i++)
        http_head_copy(&out, &msg->headers[i]);
    http_head_end(&out);
    require(buf_err(&out) == 0);
    if (http_parser_new(&parser, HTTP_KIND_REQUEST, &http_limits_default) < 0)
        abort();
    in = buf_span(&out);
    require(http_parser_next(parser, &in, &body) == HTTP_EVENT_HEAD);
    again = http_parser_msg(parser);
    require(again->framing == msg->framing && again->length == msg->length);
    require(again->headers_n == msg->headers_n);
    require(span_equal(again->host, msg->host));
    require(span_equal(again->path, msg->path));
    http_parser_free(parser);
    buf_deinit(&out);
}

static void note(struct buf *trace, const struct http_parser *parser,
                 enum http_event event)
{
    const struct http_msg *msg = http_parser_msg(parser);

    if (event == HTTP_EVENT_HEAD) {
        check_head(msg);
        if (msg->kind == HTTP_KIND_REQUEST && msg->minor == 1)
            check_rewritten(msg);
        buf_printf(trace, "\nH %d %zu ", (int)msg->framing, msg->headers_n);
        buf_put_span(trace, msg->head);
    } else if (event == HTTP_EVENT_END) {
        size_t n;

        http_parser_trailers(parser, &n);
        buf_printf(trace, "\nE %zu ", n);
        check_head(msg); /* it is still there */
    } else if (event == HTTP_EVENT_ERROR) {
        buf_printf(trace, "\n! %d",
                   http_error_status(http_parser_error(parser)));
    }
}

static bool feed(struct http_parser *parser, struct span piece,
                 struct buf *trace)
{
    uint8_t *copy = mem_dup(piece.ptr, piece.len);
    struct span in = span_of(copy, piece.len);
    enum http_event event;
    struct span body;

    do {
        event = http_parser_next(parser, &in, &body);
        if (event == HTTP_EVENT_BODY)
            buf_put_span(trace, body);
        else
            note(trace, parser, event);
    } while (event != HTTP_EVENT_MORE && event != HTTP_EVENT_ERROR);
    require(event == HTTP_EVENT_ERROR || in.len == 0);
    mem_free(copy);
    return event == HTTP_EVENT_MORE;
}

static void run(uint8_t mode, unsigned step, struct span raw, struct buf *trace)
{
    struct http_parser *parser;
    bool is_alive = true;

    if (http_parser_new(&parser,
                        mode & 1 ? HTTP_KIND_RESPONSE : HTTP_KIND_REQUEST,
                        &limits) < 0)
        abort();
    if (mode & 2)
        http_parser_set_request(parser, HTTP_METHOD_HEAD);
    while (is_alive && raw.len) {
        size_t n = step ? 1 + step % 61 : raw.len;

        is_alive = feed(parser, span_head(raw, n), trace);
        raw = span_from(raw, n);
        step = step * 5 + (step ? 3 : 0);
    }
    if (is_alive)
        note(trace, parser, http_parser_eof(parser));
    http_parser_free(parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole;
    struct buf pieces;
    struct span raw;

    if (size < 2)
        return 0;
    raw = span_of(data + 2, size - 2);
    buf_init(&whole, 16 * size + 1000);
    buf_init(&pieces, 16 * size + 1000);
    run(data[0], 0, raw, &whole);
    run(data[0], data[1] + 1U, raw, &pieces);
    require(buf_err(&whole) == 0 && buf_err(&pieces) == 0);
    require(span_equal(buf_span(&whole), buf_span(&pieces)));
    buf_deinit(&whole);
    buf_deinit(&pieces);
    require(mem_live_blocks() == 0);
    return 0;
}
