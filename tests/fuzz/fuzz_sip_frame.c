/* SPDX-License-Identifier: MIT */
/* The smuggling invariant: whatever the bytes and however the network splits
 * them, the framer cuts the same messages, an independent slow reader cuts
 * them too, and the parser sees each with exactly that length. The first byte
 * is the size of the pieces.
 */
#include "msg/sip_frame.h"

#include <stdlib.h>

#define CHECK(x)                                                               \
    do {                                                                       \
        if (!(x))                                                              \
            abort();                                                           \
    } while (0)

enum { MAX_CUTS = 512 };

struct cuts {
    unsigned n;
    bool failed;
    size_t used; /* bytes consumed */
    struct {
        int kind;
        size_t len;
    } cut[MAX_CUTS];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(struct span stream, size_t step, struct cuts *cuts)
{
    struct sip_frame frame;
    enum sip_fault fault;
    size_t shown = 0;
    size_t len;
    int kind;

    memset(cuts, 0, sizeof(*cuts));
    sip_frame_init(&frame);
    while (shown < stream.len && !cuts->failed && cuts->n < MAX_CUTS) {
        shown = shown + step < stream.len ? shown + step : stream.len;
        while (cuts->n < MAX_CUTS) {
            struct span data =
                span_of(stream.ptr + cuts->used, shown - cuts->used);

            kind =
                sip_frame_next(&frame, data, &sip_limits_default, &len, &fault);
            if (kind < 0)
                cuts->failed = true;
            if (kind <= SIP_FRAME_MORE)
                break;
            CHECK(len > 0 && len <= data.len);
            cuts->cut[cuts->n].kind = kind;
            cuts->cut[cuts->n++].len = len;
            cuts->used += len;
        }
    }
}

/* --- the slow reader: byte by byte, sharing nothing --- */

static bool is_length_name(const uint8_t *p, size_t len)
{
    static const char name[] = "content-length";

    if (len == 1)
        return p[0] == 'l' || p[0] == 'L';
    if (len != sizeof(name) - 1)
        return false;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = p[i];

        if (c >= 'A' && c <= 'Z')
            c = (uint8_t)(c + 'a' - 'A');
        if (c != (uint8_t)name[i])
            return false;
    }
    return true;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The value of one unfolded field [p, end): its number, or -1. */
static long number_of(const uint8_t *p, const uint8_t *end)
{
    long n = 0;

    while (p < end && is_blank(*p))
        p++;
    while (end > p && is_blank(end[-1]))
        end--;
    if (p == end)
        return -1;
    for (; p < end; p++) {
        if (*p < '0' || *p > '9' || n > 100000000)
            return -1;
        n = n * 10 + (*p - '0');
    }
    return n;
}

/* Total length of the message at the front, or -1. */
static long slow_length(struct span s)
{
    size_t i = 0;
    long length = -1;

    while (i < s.len && s.ptr[i] != '\n') /* start line */
        i++;
    for (i++; i < s.len;) {
        size_t start = i;
        size_t colon;
        size_t name_end;

        if (s.len - i >= 2 && s.ptr[i] == '\r' && s.ptr[i + 1] == '\n')
            return length < 0 ? -1 : (long)(i + 2) + length;
        do {
            while (i < s.len && s.ptr[i] != '\n')
                i++;
            i++;
        } while (i < s.len && (s.ptr[i] == ' ' || s.ptr[i] == '\t'));
        if (i > s.len)
            return -1;
        for (colon = start; colon < i && s.ptr[colon] != ':'; colon++)
            ;
        if (colon == i)
            return -1;
        name_end = colon;
        while (name_end > start &&
               (s.ptr[name_end - 1] == ' ' || s.ptr[name_end - 1] == '\t'))
            name_end--;
        if (!is_length_name(s.ptr + start, name_end - start))
            continue;
        if (length >= 0)
            return -1;
        length = number_of(s.ptr + colon + 1, s.ptr + i);
        if (length < 0)
            return -1;
    }
    return -1;
}

static void check_messages(struct span stream, const struct cuts *cuts)
{
    static struct sip_msg msg;
    size_t pos = 0;

    for (unsigned i = 0; i < cuts->n; i++) {
        struct span m = span_of(stream.ptr + pos, cuts->cut[i].len);
        struct span rest = span_from(stream, pos);

        pos += m.len;
        if (cuts->cut[i].kind != SIP_FRAME_MESSAGE) {
            CHECK(span_is(m, "\r\n") || span_is(m, "\r\n\r\n"));
            continue;
        }
        CHECK(slow_length(rest) == (long)m.len);
        (void)sip_msg_parse(&msg, m, SIP_FRAMING_STREAM, &sip_limits_default);
        if (msg.raw.len > 0)
            CHECK(span_equal(msg.raw, m));
        CHECK(msg.fault != SIP_FAULT_CONTENT_LENGTH &&
              msg.fault != SIP_FAULT_CONTENT_LENGTH_MISSING &&
              msg.fault != SIP_FAULT_CONTENT_LENGTH_MISMATCH &&
              msg.fault != SIP_FAULT_NO_END &&
              msg.fault != SIP_FAULT_LINE_END &&
              msg.fault != SIP_FAULT_HEADER_SYNTAX &&
              msg.fault != SIP_FAULT_MESSAGE_SIZE);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cuts whole;
    static struct cuts pieces;
    struct span stream;

    if (size < 2)
        return 0;
    stream = span_of(data + 1, size - 1);
    run(stream, stream.len, &whole);
    run(stream, (size_t)data[0] % 64 + 1, &pieces);
    check_messages(stream, &whole);
    CHECK(whole.n == pieces.n && whole.used == pieces.used);
    CHECK(whole.failed == pieces.failed);
    CHECK(memcmp(whole.cut, pieces.cut, whole.n * sizeof(whole.cut[0])) == 0);
    return 0;
}
