/* SPDX-License-Identifier: MIT */
#include "http/http_head.h"

#include "base/err.h"

enum { STATUS_MIN = 100, STATUS_MAX = 599 };

/* One write a part; a part with a control byte stops the buffer, so that a
 * value from elsewhere cannot begin a line of its own. */
static bool is_line_safe(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool is_word(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] <= 0x20 || s.ptr[i] >= 0x7f)
            return false;
    }
    return s.len > 0;
}

static void refuse(struct buf *out)
{
    if (!out->err)
        out->err = ERR_PARSE;
}

void http_head_request(struct buf *out, struct span method, struct span target)
{
    if (!http_is_token(method) || !is_word(target)) {
        refuse(out);
        return;
    }
    buf_put_span(out, method);
    buf_put_byte(out, ' ');
    buf_put_span(out, target);
    buf_put_str(out, " HTTP/1.1\r\n");
}

const char *http_status_text(int status)
{
    static const char *const texts[STATUS_MAX + 1] = {
        [100] = "Continue",
        [101] = "Switching Protocols",
        [102] = "Processing",
        [103] = "Early Hints",
        [200] = "OK",
        [201] = "Created",
        [202] = "Accepted",
        [203] = "Non-Authoritative Information",
        [204] = "No Content",
        [205] = "Reset Content",
        [206] = "Partial Content",
        [300] = "Multiple Choices",
        [301] = "Moved Permanently",
        [302] = "Found",
        [303] = "See Other",
        [304] = "Not Modified",
        [307] = "Temporary Redirect",
        [308] = "Permanent Redirect",
        [400] = "Bad Request",
        [401] = "Unauthorized",
        [403] = "Forbidden",
        [404] = "Not Found",
        [405] = "Method Not Allowed",
        [406] = "Not Acceptable",
        [407] = "Proxy Authentication Required",
        [408] = "Request Timeout",
        [409] = "Conflict",
        [410] = "Gone",
        [411] = "Length Required",
        [412] = "Precondition Failed",
        [413] = "Content Too Large",
        [414] = "URI Too Long",
        [415] = "Unsupported Media Type",
        [416] = "Range Not Satisfiable",
        [417] = "Expectation Failed",
        [421] = "Misdirected Request",
        [422] = "Unprocessable Content",
        [425] = "Too Early",
        [426] = "Upgrade Required",
        [428] = "Precondition Required",
        [429] = "Too Many Requests",
        [431] = "Request Header Fields Too Large",
        [451] = "Unavailable For Legal Reasons",
        [500] = "Internal Server Error",
        [501] = "Not Implemented",
        [502] = "Bad Gateway",
        [503] = "Service Unavailable",
        [504] = "Gateway Timeout",
        [505] = "HTTP Version Not Supported",
    };

    if (status < STATUS_MIN || status > STATUS_MAX || !texts[status])
        return "Status";
    return texts[status];
}

void http_head_status(struct buf *out, int status)
{
    if (status < 100 || status > 999) {
        refuse(out);
        return;
    }
    buf_put_str(out, "HTTP/1.1 ");
    buf_put_u64(out, (uint64_t)status);
    buf_put_byte(out, ' ');
    buf_put_str(out, http_status_text(status));
    buf_put_str(out, "\r\n");
}

static void put_field(struct buf *out, struct span name, struct span value)
{
    uint8_t *to = buf_reserve(out, name.len + value.len + 4);

    if (!to)
        return;
    memcpy(to, name.ptr, name.len);
    to += name.len;
    *to++ = ':';
    *to++ = ' ';
    if (value.len)
        memcpy(to, value.ptr, value.len);
    to += value.len;
    *to++ = '\r';
    *to++ = '\n';
    buf_commit(out, name.len + value.len + 4);
}

void http_head_field(struct buf *out, const char *name, struct span value)
{
    if (!http_is_token(span_str(name)) || !is_line_safe(value)) {
        refuse(out);
        return;
    }
    put_field(out, span_str(name), value);
}

void http_head_field_str(struct buf *out, const char *name, const char *value)
{
    http_head_field(out, name, span_str(value));
}

void http_head_field_u64(struct buf *out, const char *name, uint64_t value)
{
    buf_put_str(out, name);
    buf_put_str(out, ": ");
    buf_put_u64(out, value);
    buf_put_str(out, "\r\n");
}

void http_head_copy(struct buf *out, const struct http_header *header)
{
    put_field(out, header->name, header->value);
}

void http_head_end(struct buf *out)
{
    buf_put_str(out, "\r\n");
}

void http_chunk_begin(struct buf *out, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    char text[2 * sizeof(len) + 2];
    size_t at = sizeof(text);

    if (len == 0) { /* would end the message */
        refuse(out);
        return;
    }
    text[--at] = '\n';
    text[--at] = '\r';
    for (; len; len >>= 4)
        text[--at] = digits[len & 15];
    buf_put(out, text + at, sizeof(text) - at);
}

void http_chunk_end(struct buf *out)
{
    buf_put_str(out, "\r\n");
}

void http_chunk_last(struct buf *out)
{
    buf_put_str(out, "0\r\n\r\n");
}

void http_response_write(struct buf *out, int status, const char *type,
                         struct span body, enum http_after after)
{
    bool has_content = status >= 200 && status != 204 && status != 304;

    http_head_status(out, status);
    if (has_content && type)
        http_head_field_str(out, "Content-Type", type);
    if (has_content)
        http_head_field_u64(out, "Content-Length", body.len);
    if (after == HTTP_AFTER_CLOSE)
        http_head_field_str(out, "Connection", "close");
    http_head_end(out);
    if (has_content)
        buf_put_span(out, body);
}
