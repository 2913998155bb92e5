/* SPDX-License-Identifier: MIT */
#include "msg/sip_frame.h"

#include "base/err.h"
#include "msg/sip_line.h"

void sip_frame_init(struct sip_frame *frame)
{
    *frame = (struct sip_frame){0};
}

/* The start of CRLFCRLF at or behind `from`, or -1. */
static ptrdiff_t find_end(struct span data, size_t from)
{
    static const uint8_t end[] = "\r\n\r\n";
    ptrdiff_t at = span_search(span_from(data, from), span_of(end, 4));

    return at < 0 ? -1 : at + (ptrdiff_t)from;
}

/* Walk the header section, which is complete, for its one Content-Length. */
static int length_read(struct span head, const struct sip_limits *limits,
                       uint32_t *ret_length, enum sip_fault *ret_fault)
{
    struct sip_lines lines = {.rest = head, .max_line = limits->header_line};
    struct sip_line line;
    struct span start;
    bool found = false;
    int n;

    n = sip_lines_start(&lines, &start);
    if (n < 0) {
        *ret_fault = lines.fault;
        return n;
    }
    while ((n = sip_lines_next(&lines, &line)) > 0) {
        if (sip_hdr_lookup(line.name) != SIP_HDR_CONTENT_LENGTH)
            continue;
        *ret_fault = SIP_FAULT_DUPLICATE;
        if (found)
            return ERR_PARSE;
        *ret_fault = SIP_FAULT_CONTENT_LENGTH;
        if (sip_number_parse(line.value, INT32_MAX, ret_length) < 0)
            return ERR_PARSE;
        found = true;
    }
    if (n < 0) {
        *ret_fault = lines.fault;
        return n;
    }
    *ret_fault = SIP_FAULT_CONTENT_LENGTH_MISSING;
    return found ? 0 : ERR_PARSE;
}

/* Keep-alives in front of a message: a double CRLF is a ping, one alone is
 * left until the next byte tells which of the two it is. */
static int blank_next(struct span data, size_t *ret_len)
{
    if (data.ptr[0] != '\r' || data.len == 1)
        return SIP_FRAME_MORE;
    if (data.len >= 4 && memcmp(data.ptr, "\r\n\r\n", 4) == 0) {
        *ret_len = 4;
        return SIP_FRAME_PING;
    }
    if (data.len == 2 || (data.len == 3 && data.ptr[2] == '\r'))
        return SIP_FRAME_MORE;
    *ret_len = 2;
    return SIP_FRAME_PONG;
}

static int fail(enum sip_fault fault, int err, enum sip_fault *ret_fault)
{
    *ret_fault = fault;
    return err;
}

int sip_frame_next(struct sip_frame *frame, struct span data,
                   const struct sip_limits *limits, size_t *ret_len,
                   enum sip_fault *ret_fault)
{
    uint32_t length;
    ptrdiff_t end;
    size_t head;
    int err;

    if (data.len == 0)
        return SIP_FRAME_MORE;
    if (data.ptr[0] == '\r' || data.ptr[0] == '\n') {
        if (data.ptr[0] == '\n' || (data.len > 1 && data.ptr[1] != '\n'))
            return fail(SIP_FAULT_LINE_END, ERR_PARSE, ret_fault);
        return blank_next(data, ret_len);
    }
    if (frame->length == 0) {
        end = find_end(data, frame->scanned);
        if (end < 0) {
            if (data.len > limits->message)
                return fail(SIP_FAULT_MESSAGE_SIZE, ERR_LIMIT, ret_fault);
            frame->scanned = data.len < 3 ? 0 : data.len - 3;
            return SIP_FRAME_MORE;
        }
        head = (size_t)end + 4;
        err = length_read(span_head(data, head), limits, &length, ret_fault);
        if (err < 0)
            return err;
        if (head > limits->message || length > limits->message - head)
            return fail(SIP_FAULT_MESSAGE_SIZE, ERR_LIMIT, ret_fault);
        frame->length = head + length;
    }
    if (data.len < frame->length)
        return SIP_FRAME_MORE;
    *ret_len = frame->length;
    sip_frame_init(frame);
    return SIP_FRAME_MESSAGE;
}
