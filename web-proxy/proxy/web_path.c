/* SPDX-License-Identifier: MIT */
#include "proxy/web_path.h"

#include "base/err.h"
#include "base/text.h"

/* What a byte of the path means. */
enum kind {
    REFUSED,
    PLAIN,    /* unreserved: never escaped */
    RESERVED, /* a pchar that keeps the form it was written in */
    ESCAPED,  /* printable, but no pchar: always escaped */
};

/* RFC 3986: unreserved, then sub-delims with ':' and '@'; the rest of
 * printable ASCII is what browsers send raw although they should not. */
static enum kind kind_of(uint8_t c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
        (c >= '0' && c <= '9'))
        return PLAIN;
    switch (c) {
    case '-':
    case '.':
    case '_':
    case '~':
        return PLAIN;
    case '!':
    case '$':
    case '&':
    case '\'':
    case '(':
    case ')':
    case '*':
    case '+':
    case ',':
    case ';':
    case '=':
    case ':':
    case '@':
        return RESERVED;
    case '"':
    case '<':
    case '>':
    case '[':
    case ']':
    case '^':
    case '`':
    case '{':
    case '|':
    case '}':
        return ESCAPED;
    default:
        return REFUSED;
    }
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The normal form as it grows. `err` is sticky. */
struct writer {
    char *out;
    size_t size;
    size_t len;
    int err;
};

static void put(struct writer *w, uint8_t c)
{
    if (w->len >= w->size)
        w->err = w->err ? w->err : ERR_LIMIT;
    else
        w->out[w->len++] = (char)c;
}

static void put_escape(struct writer *w, uint8_t c)
{
    static const char digits[] = "0123456789ABCDEF";

    put(w, '%');
    put(w, (uint8_t)digits[c >> 4]);
    put(w, (uint8_t)digits[c & 15]);
}

/* The escape at the front of `s`, or -1. */
static int escape_value(struct span s)
{
    int hi, lo;

    if (s.len < 3)
        return -1;
    hi = hex_digit(s.ptr[1]);
    lo = hex_digit(s.ptr[2]);
    return hi < 0 || lo < 0 ? -1 : hi << 4 | lo;
}

/* Escaped bytes from 0x80 on stand in runs "%C3%A9..."; each run must be
 * UTF-8 by itself. Returns how much of `s` the run took, or ERR_PARSE. */
static int put_utf8_run(struct writer *w, struct span s)
{
    uint8_t bytes[64];
    size_t n = 0;
    int value;

    while (n < sizeof(bytes) && s.len > n * 3 && s.ptr[n * 3] == '%') {
        value = escape_value(span_from(s, n * 3));
        if (value < 0x80)
            break;
        bytes[n++] = (uint8_t)value;
    }
    /* A full buffer may end inside a character: leave that to the next. */
    if (n == sizeof(bytes)) {
        while (n > sizeof(bytes) - 4 && (bytes[n - 1] & 0xC0) == 0x80)
            n--;
        n--;
    }
    if (!text_is_utf8(span_of(bytes, n)))
        return ERR_PARSE;
    for (size_t i = 0; i < n; i++)
        put_escape(w, bytes[i]);
    return (int)(n * 3);
}

/* One escape (or run of them) from the front of `s`. Returns how many bytes
 * it took, or ERR_PARSE. */
static int put_decoded(struct writer *w, struct span s)
{
    int value = escape_value(s);

    if (value < 0x20 || value == 0x7F || value == '/' || value == '\\')
        return ERR_PARSE;
    if (value >= 0x80)
        return put_utf8_run(w, s);
    if (kind_of((uint8_t)value) == PLAIN)
        put(w, (uint8_t)value);
    else
        put_escape(w, (uint8_t)value);
    return 3;
}

/* "%25" in front of two hexadecimal digits would be an escape after one more
 * decoding. */
static bool has_escape_of_escape(struct span segment)
{
    for (size_t i = 0; i + 5 <= segment.len; i++) {
        if (segment.ptr[i] == '%' && segment.ptr[i + 1] == '2' &&
            segment.ptr[i + 2] == '5' && hex_digit(segment.ptr[i + 3]) >= 0 &&
            hex_digit(segment.ptr[i + 4]) >= 0)
            return true;
    }
    return false;
}

/* 1 or 2 when the part of the segment before its parameters is "." or "..",
 * else 0. */
static int dots_of(struct span segment)
{
    ptrdiff_t cut = span_find(segment, ';');
    ptrdiff_t escaped = span_search(segment, span_str("%3B"));

    if (cut < 0 || (escaped >= 0 && escaped < cut))
        cut = escaped;
    if (cut >= 0)
        segment = span_head(segment, (size_t)cut);
    if (span_is(segment, "."))
        return 1;
    return span_is(segment, "..") ? 2 : 0;
}

/* Judge the segment written from `start`; `raw` is how it was received. Dot
 * segments are resolved. Returns 0 or ERR_PARSE. */
static int end_segment(struct writer *w, size_t start, struct span raw)
{
    struct span segment = span_of(w->out + start, w->len - start);
    int dots = dots_of(segment);

    if (has_escape_of_escape(segment))
        return ERR_PARSE;
    if (dots == 0)
        return 0;
    if (!span_equal(raw, segment) || raw.len != (size_t)dots)
        return ERR_PARSE;

    w->len = start;
    if (dots == 1)
        return 0;
    if (start < 2)
        return ERR_PARSE; /* above the root */
    w->len = start - 1;
    while (w->out[w->len - 1] != '/')
        w->len--;
    return 0;
}

/* Append one segment. Returns 0 or ERR_PARSE. */
static int put_segment(struct writer *w, struct span raw)
{
    size_t start = w->len;
    size_t i = 0;

    while (i < raw.len) {
        uint8_t c = raw.ptr[i];
        int took = 1;

        if (c == '%') {
            took = put_decoded(w, span_from(raw, i));
            if (took < 0)
                return took;
        } else if (kind_of(c) == REFUSED) {
            return ERR_PARSE;
        } else if (kind_of(c) == ESCAPED) {
            put_escape(w, c);
        } else {
            put(w, c);
        }
        i += (size_t)took;
    }
    return w->err ? w->err : end_segment(w, start, raw);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): written through `w` */
int web_path_normalise(struct span path, char *out, size_t size)
{
    struct writer w = {out, size, 0, 0};
    size_t at = 0;

    if (path.len == 0 || path.ptr[0] != '/')
        return ERR_PARSE;

    while (at < path.len) {
        size_t end = ++at; /* behind the slash */
        int err;

        while (end < path.len && path.ptr[end] != '/')
            end++;
        if (w.len == 0 || w.out[w.len - 1] != '/')
            put(&w, '/');
        err = put_segment(&w, span_of(path.ptr + at, end - at));
        if (err < 0)
            return err;
        at = end;
    }
    return w.err ? w.err : (int)w.len;
}

bool web_path_query_is_clean(struct span query)
{
    for (size_t i = 0; i < query.len; i++) {
        uint8_t c = query.ptr[i];

        if (c <= 0x20 || c >= 0x7F || c == '#')
            return false;
    }
    return true;
}
