/* SPDX-License-Identifier: MIT */
#include "http/http_rules.h"

#include <endian.h>

static const char *const methods[] = {
    [HTTP_METHOD_GET] = "GET",         [HTTP_METHOD_HEAD] = "HEAD",
    [HTTP_METHOD_POST] = "POST",       [HTTP_METHOD_PUT] = "PUT",
    [HTTP_METHOD_DELETE] = "DELETE",   [HTTP_METHOD_PATCH] = "PATCH",
    [HTTP_METHOD_OPTIONS] = "OPTIONS", [HTTP_METHOD_CONNECT] = "CONNECT",
    [HTTP_METHOD_TRACE] = "TRACE",
};

/* How many of eight bytes stand before the first control byte: below 0x20, or
 * 0x7f. (x - n) & ~x has the high bit of a byte when the byte, below 0x80, is
 * less than n; a borrow can only set it wrongly above a byte that has it. */
static size_t plain_of_eight(const uint8_t *p)
{
    const uint64_t ones = UINT64_MAX / 255;
    uint64_t x, del, found;

    memcpy(&x, p, sizeof(x));
    x = le64toh(x);
    del = x ^ ones * 0x7f;
    found = (((x - ones * 0x20) & ~x) | ((del - ones) & ~del)) & ones * 0x80;
    return found ? (size_t)__builtin_ctzll(found) / 8 : 8;
}

static bool is_control_allowed(struct span head, size_t at)
{
    uint8_t next = at + 1 < head.len ? head.ptr[at + 1] : 0;

    switch (head.ptr[at]) {
    case '\t':
        return true;
    case '\r':
        return next == '\n';
    case '\n':
        return at > 0 && head.ptr[at - 1] == '\r' && next != ' ' &&
               next != '\t';
    default:
        return false;
    }
}

enum http_error http_rules_bytes(struct span head)
{
    size_t i = 0;

    if (!head.ptr)
        return HTTP_ERROR_NONE;
    while (i < head.len) {
        size_t plain = head.len - i >= 8 ? plain_of_eight(head.ptr + i) : 0;
        uint8_t c;

        i += plain;
        if (plain == 8)
            continue;
        c = head.ptr[i];
        if ((c < 0x20 || c == 0x7f) && !is_control_allowed(head, i))
            return HTTP_ERROR_CONTROL;
        i++;
    }
    return HTTP_ERROR_NONE;
}

static enum http_method method_of(struct span name)
{
    for (enum http_method m = HTTP_METHOD_GET; m < HTTP_METHOD_OTHER; m++) {
        if (span_is(name, methods[m]))
            return m;
    }
    return HTTP_METHOD_OTHER;
}

/* "HTTP/1.0" and "HTTP/1.1" only; 2.0 would have come otherwise. */
static bool read_version(struct span text, uint8_t *ret_minor)
{
    *ret_minor = span_is(text, "HTTP/1.1");
    return *ret_minor || span_is(text, "HTTP/1.0");
}

static bool is_visible(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] <= 0x20 || s.ptr[i] >= 0x7f)
            return false;
    }
    return s.len > 0;
}

enum http_error http_rules_request_line(struct span line, struct http_msg *msg)
{
    struct span version;

    if (!span_cut(line, ' ', &msg->method, &line) ||
        !span_cut(line, ' ', &msg->target, &version) ||
        !http_is_token(msg->method))
        return HTTP_ERROR_START_LINE;
    if (!read_version(version, &msg->minor))
        return version.len == 8 && span_starts(version, "HTTP/")
                   ? HTTP_ERROR_VERSION
                   : HTTP_ERROR_START_LINE;
    msg->method_id = method_of(msg->method);
    /* A fragment is never sent (RFC 9112 3.2): who does means to confuse. */
    if (!is_visible(msg->target) || span_find(msg->target, '#') >= 0)
        return HTTP_ERROR_TARGET;
    return HTTP_ERROR_NONE;
}

enum http_error http_rules_status_line(struct span line, struct http_msg *msg)
{
    struct span rest = span_from(line, 12);
    uint32_t status;

    if (!line.ptr || line.len < 12 || !span_starts(line, "HTTP/"))
        return HTTP_ERROR_START_LINE;
    if (!read_version(span_of(line.ptr, 8), &msg->minor))
        return HTTP_ERROR_VERSION;
    if (line.ptr[8] != ' ' ||
        span_to_u32(span_of(line.ptr + 9, 3), 999, &status) < 0 ||
        status < 100 || (rest.len && rest.ptr[0] != ' '))
        return HTTP_ERROR_START_LINE;
    msg->status = (int)status;
    msg->reason = span_from(rest, 1);
    return HTTP_ERROR_NONE;
}

/* "http://host/path" (RFC 9112 3.2.2). */
static enum http_error split_absolute(struct http_msg *msg)
{
    static const char slash[] = "/";
    struct span rest = msg->target;
    size_t end = 0;

    if (span_starts_nocase(rest, "http://"))
        rest = span_from(rest, 7);
    else if (span_starts_nocase(rest, "https://"))
        rest = span_from(rest, 8);
    else
        return HTTP_ERROR_TARGET;
    while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?')
        end++;
    msg->host = span_head(rest, end);
    msg->path = span_from(rest, end);
    if (msg->path.len == 0)
        msg->path = span_str(slash);
    /* "http://host?query" would need a slash put in between. */
    return msg->path.ptr[0] == '/' ? HTTP_ERROR_NONE : HTTP_ERROR_TARGET;
}

static enum http_error read_target(struct http_msg *msg)
{
    if (msg->method_id == HTTP_METHOD_CONNECT) {
        msg->target_form = HTTP_TARGET_AUTHORITY;
        msg->host = msg->target;
        return HTTP_ERROR_NONE;
    }
    if (msg->target.ptr[0] == '/') {
        msg->target_form = HTTP_TARGET_ORIGIN;
        msg->path = msg->target;
        return HTTP_ERROR_NONE;
    }
    if (span_is(msg->target, "*")) {
        msg->target_form = HTTP_TARGET_ASTERISK;
        msg->path = msg->target;
        return msg->method_id == HTTP_METHOD_OPTIONS ? HTTP_ERROR_NONE
                                                     : HTTP_ERROR_TARGET;
    }
    msg->target_form = HTTP_TARGET_ABSOLUTE;
    return split_absolute(msg);
}

/* RFC 9112 3.2: exactly one Host; RFC 9112 3.2.2: the target's authority
 * would win over it, so that they must say the same. */
static enum http_error check_host(struct http_msg *msg)
{
    size_t n = http_msg_count(msg, HTTP_FIELD_HOST);
    struct span host = http_msg_value(msg, HTTP_FIELD_HOST);
    struct span name;
    uint16_t port;

    if (n > 1 || (n == 0 && msg->minor > 0))
        return HTTP_ERROR_HOST;
    if (msg->host.len || msg->target_form == HTTP_TARGET_ABSOLUTE) {
        if (http_host_split(msg->host, &name, &port) < 0 ||
            (msg->target_form == HTTP_TARGET_AUTHORITY && port == 0))
            return HTTP_ERROR_TARGET;
    }
    if (n == 0)
        return HTTP_ERROR_NONE;
    if (http_host_split(host, &name, &port) < 0)
        return HTTP_ERROR_HOST;
    /* With CONNECT the target alone counts; Node's clients name the proxy. */
    if (msg->target_form == HTTP_TARGET_AUTHORITY)
        return HTTP_ERROR_NONE;
    if (msg->host.len && !span_equal_nocase(host, msg->host))
        return HTTP_ERROR_HOST_DIFFERS;
    msg->host = host;
    return HTTP_ERROR_NONE;
}

/* Transfer-Encoding in its only form we take. */
static enum http_error check_coding(const struct http_msg *msg)
{
    struct span value = http_msg_value(msg, HTTP_FIELD_TRANSFER_ENCODING);
    struct span last = {NULL, 0};
    struct span rest = value;

    if (msg->minor == 0)
        return HTTP_ERROR_CODING_VERSION;
    if (http_msg_count(msg, HTTP_FIELD_TRANSFER_ENCODING) > 1)
        return HTTP_ERROR_CODING;
    if (span_is_nocase(value, "chunked"))
        return HTTP_ERROR_NONE;
    while (http_list_next(&rest, &last))
        ;
    /* "gzip, chunked" is well-formed, only not known here. */
    if (span_is_nocase(last, "chunked") && !span_is_nocase(value, "chunked") &&
        span_find(value, ',') > 0 && !span_starts_nocase(value, "chunked") &&
        !span_starts_nocase(value, "identity"))
        return HTTP_ERROR_CODING_UNKNOWN;
    return HTTP_ERROR_CODING;
}

/* What the head says about length (RFC 9112 6.3), before the exceptions. */
static enum http_error read_framing(struct http_msg *msg)
{
    size_t lengths = http_msg_count(msg, HTTP_FIELD_CONTENT_LENGTH);
    struct span length = http_msg_value(msg, HTTP_FIELD_CONTENT_LENGTH);
    bool has_coding = http_msg_find(msg, HTTP_FIELD_TRANSFER_ENCODING) != NULL;

    if (has_coding && lengths)
        return HTTP_ERROR_LENGTH_AND_CODING;
    if (has_coding) {
        msg->framing = HTTP_FRAMING_CHUNKED;
        return check_coding(msg);
    }
    if (lengths > 1)
        return HTTP_ERROR_LENGTH;
    if (lengths == 0) {
        msg->framing = HTTP_FRAMING_NONE;
        return HTTP_ERROR_NONE;
    }
    /* 18 digits are an exabyte; nobody's arithmetic overflows. */
    if (length.len > 18 || span_to_u64(length, UINT64_MAX, &msg->length) < 0)
        return HTTP_ERROR_LENGTH;
    msg->has_length = true;
    msg->framing = msg->length ? HTTP_FRAMING_LENGTH : HTTP_FRAMING_NONE;
    return HTTP_ERROR_NONE;
}

/* Naming an end-to-end field would make the next hop drop it: a way to
 * strip what we or others rely on. */
static enum http_error read_connection(struct http_msg *msg)
{
    bool has_close = false;
    bool has_keep_alive = false;
    bool has_upgrade = false;

    for (size_t i = 0; i < msg->headers_n; i++) {
        struct span rest = msg->headers[i].value;
        struct span item;

        if (msg->headers[i].field != HTTP_FIELD_CONNECTION)
            continue;
        while (http_list_next(&rest, &item)) {
            enum http_field field = http_field_of(item);

            if (!http_is_token(item) || field == HTTP_FIELD_TRANSFER_ENCODING ||
                (field != HTTP_FIELD_OTHER && !http_field_is_hop(field)))
                return HTTP_ERROR_CONNECTION;
            has_close |= span_is_nocase(item, "close");
            has_keep_alive |= field == HTTP_FIELD_KEEP_ALIVE;
            has_upgrade |= field == HTTP_FIELD_UPGRADE;
        }
    }
    msg->is_persistent = !has_close && (msg->minor > 0 || has_keep_alive);
    msg->has_upgrade = has_upgrade && msg->minor > 0 &&
                       http_msg_value(msg, HTTP_FIELD_UPGRADE).len > 0;
    return HTTP_ERROR_NONE;
}

/* RFC 9110 10.1.1 */
static enum http_error check_expect(struct http_msg *msg)
{
    size_t n = http_msg_count(msg, HTTP_FIELD_EXPECT);

    if (n == 0 || msg->minor == 0)
        return HTTP_ERROR_NONE;
    if (n > 1 ||
        !span_is_nocase(http_msg_value(msg, HTTP_FIELD_EXPECT), "100-continue"))
        return HTTP_ERROR_EXPECT;
    msg->expects_continue = msg->framing != HTTP_FRAMING_NONE;
    return HTTP_ERROR_NONE;
}

enum http_error http_rules_request(struct http_msg *msg)
{
    enum http_error error = read_target(msg);

    if (!error)
        error = check_host(msg);
    if (!error)
        error = read_framing(msg);
    if (!error)
        error = read_connection(msg);
    if (!error)
        error = check_expect(msg);
    if (error)
        return error;
    /* After an upgrade the rest is another protocol's; content before it is
     * where two receivers can disagree. CONNECT and TRACE have none
     * (RFC 9110 9.3.6, 9.3.8). */
    if (msg->framing != HTTP_FRAMING_NONE && msg->has_upgrade)
        return HTTP_ERROR_UPGRADE_BODY;
    if (msg->framing != HTTP_FRAMING_NONE &&
        (msg->method_id == HTTP_METHOD_CONNECT ||
         msg->method_id == HTTP_METHOD_TRACE))
        return HTTP_ERROR_CONTENT;
    return HTTP_ERROR_NONE;
}

enum http_error http_rules_response(struct http_msg *msg,
                                    enum http_method request)
{
    enum http_error error = read_framing(msg);

    if (!error)
        error = read_connection(msg);
    if (error)
        return error;
    /* RFC 9112 6.3, in its order. */
    if (msg->status < 200 || msg->status == 204) {
        if (msg->framing != HTTP_FRAMING_NONE)
            return HTTP_ERROR_CONTENT;
    } else if (request == HTTP_METHOD_HEAD || msg->status == 304 ||
               (request == HTTP_METHOD_CONNECT && msg->status < 300)) {
        msg->framing = HTTP_FRAMING_NONE;
    } else if (msg->framing == HTTP_FRAMING_NONE && !msg->has_length) {
        msg->framing = HTTP_FRAMING_CLOSE;
        msg->is_persistent = false;
    }
    return HTTP_ERROR_NONE;
}

static bool is_trailer_allowed(enum http_field field)
{
    switch (field) {
    case HTTP_FIELD_OTHER:
    case HTTP_FIELD_DATE:
    case HTTP_FIELD_SERVER:
    case HTTP_FIELD_VIA:
    case HTTP_FIELD_X_REQUEST_ID:
        return true;
    default:
        return false; /* framing, routing, authentication, payload */
    }
}

enum http_error http_rules_trailers(const struct http_header *headers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!is_trailer_allowed(headers[i].field))
            return HTTP_ERROR_TRAILER;
    }
    return HTTP_ERROR_NONE;
}
