/* SPDX-License-Identifier: MIT */
#include "proxy/web_trace.h"

#include "base/crypto.h"
#include "base/text.h"

#include <stdio.h>

static bool is_digit(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* `n` digits in lower case, not all of them 0. */
static bool is_id(struct span s, size_t at, size_t n)
{
    bool zero = true;

    for (size_t i = at; i < at + n; i++) {
        if (!is_digit(s.ptr[i]))
            return false;
        zero = zero && s.ptr[i] == '0';
    }
    return !zero;
}

static bool is_flags(struct span s, size_t at)
{
    return is_digit(s.ptr[at]) && is_digit(s.ptr[at + 1]);
}

/* "00-<32>-<16>-<2>" */
static bool is_valid(struct span s)
{
    return s.len == WEB_TRACE_SIZE - 1 && span_starts(s, "00-") &&
           s.ptr[35] == '-' && s.ptr[52] == '-' && is_id(s, 3, 32) &&
           is_id(s, 36, 16) && is_flags(s, 53);
}

void web_trace_read(struct web_trace *trace, enum web_trace_mode mode,
                    const struct http_msg *msg)
{
    struct span value = {0};
    uint8_t random[24];
    char digits[2 * sizeof(random) + 1];
    unsigned n = 0;

    trace->id[0] = trace->text[0] = '\0';
    if (mode == WEB_TRACE_OFF)
        return;
    for (size_t i = 0; mode == WEB_TRACE_KEEP && i < msg->headers_n; i++) {
        if (span_is_nocase(msg->headers[i].name, "traceparent")) {
            value = msg->headers[i].value;
            n++;
        }
    }
    if (n == 1 && is_valid(value)) {
        memcpy(trace->id, value.ptr + 3, 32);
        trace->id[32] = '\0';
        return;
    }
    crypto_random(random, sizeof(random));
    random[0] |= 1; /* neither of them is zero */
    random[16] |= 1;
    text_hex(span_of(random, sizeof(random)), digits);
    memcpy(trace->id, digits, 32);
    trace->id[32] = '\0';
    (void)snprintf(trace->text, sizeof(trace->text), "00-%.32s-%.16s-01",
                   digits, digits + 32);
}
