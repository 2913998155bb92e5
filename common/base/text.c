/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include "base/err.h"

static const char hex_digits[] = "0123456789abcdef";

static const char *const base64_alphabet[] = {
    [TEXT_BASE64] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    [TEXT_BASE64URL] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

void text_hex(struct span in, char *out)
{
    for (size_t i = 0; i < in.len; i++) {
        *out++ = hex_digits[in.ptr[i] >> 4];
        *out++ = hex_digits[in.ptr[i] & 15];
    }
    *out = '\0';
}

int text_unhex(struct span in, uint8_t *out, size_t size)
{
    size_t n = in.len / 2;

    if (in.len % 2 || n > INT32_MAX)
        return ERR_PARSE;
    if (n > size)
        return ERR_LIMIT;
    for (size_t i = 0; i < n; i++) {
        int high = hex_value(in.ptr[2 * i]);
        int low = hex_value(in.ptr[2 * i + 1]);

        if (high < 0 || low < 0)
            return ERR_PARSE;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return (int)n;
}

size_t text_base64(enum text_base64 kind, struct span in, char *out)
{
    const char *alphabet = base64_alphabet[kind];
    char *start = out;
    size_t i = 0;

    for (; i + 3 <= in.len; i += 3) {
        uint32_t v = (uint32_t)in.ptr[i] << 16 | (uint32_t)in.ptr[i + 1] << 8 |
                     in.ptr[i + 2];

        for (int shift = 18; shift >= 0; shift -= 6)
            *out++ = alphabet[v >> shift & 63];
    }
    if (i < in.len) {
        size_t left = in.len - i;
        uint32_t v = (uint32_t)in.ptr[i] << 16;

        if (left == 2)
            v |= (uint32_t)in.ptr[i + 1] << 8;
        *out++ = alphabet[v >> 18];
        *out++ = alphabet[v >> 12 & 63];
        if (left == 2)
            *out++ = alphabet[v >> 6 & 63];
        for (; kind == TEXT_BASE64 && left < 3; left++)
            *out++ = '=';
    }
    *out = '\0';
    return (size_t)(out - start);
}

static int base64_value(enum text_base64 kind, uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (kind == TEXT_BASE64 ? '+' : '-'))
        return 62;
    if (c == (kind == TEXT_BASE64 ? '/' : '_'))
        return 63;
    return -1;
}

/* Take the padding off; what stays has the length that the bytes need. */
static int strip_padding(enum text_base64 kind, struct span *in)
{
    if (kind == TEXT_BASE64) {
        if (in->len % 4)
            return ERR_PARSE;
        for (int i = 0; i < 2 && in->len && in->ptr[in->len - 1] == '='; i++)
            in->len--;
    }
    return in->len % 4 == 1 ? ERR_PARSE : 0;
}

int text_unbase64(enum text_base64 kind, struct span in, uint8_t *out,
                  size_t size)
{
    uint32_t bits = 0;
    unsigned n_bits = 0;
    size_t at = 0;
    size_t n;

    if (strip_padding(kind, &in) < 0 || in.len / 4 > INT32_MAX / 3 - 1)
        return ERR_PARSE;
    n = in.len / 4 * 3 + in.len % 4 * 3 / 4;
    if (n > size)
        return ERR_LIMIT;
    for (size_t i = 0; i < in.len; i++) {
        int value = base64_value(kind, in.ptr[i]);

        if (value < 0)
            return ERR_PARSE;
        bits = bits << 6 | (uint32_t)value;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            out[at++] = (uint8_t)(bits >> n_bits);
        }
    }
    /* Two texts for the same bytes would make a token malleable. */
    if (bits & ((1U << n_bits) - 1))
        return ERR_PARSE;
    return (int)n;
}

static size_t printed_width(uint8_t c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\' ? 1 : 4;
}

static bool prints_within(struct span in, size_t room)
{
    size_t width = 0;

    for (size_t i = 0; i < in.len; i++) {
        width += printed_width(in.ptr[i]);
        if (width > room)
            return false;
    }
    return true;
}

const char *text_printable(struct span in, char *out, size_t size)
{
    size_t at = 0;
    size_t room;
    size_t dots;

    if (size == 0)
        return out;
    room = size - 1;
    dots = prints_within(in, room) ? 0 : room < 3 ? room : 3;
    room -= dots;
    for (size_t i = 0; i < in.len; i++) {
        uint8_t c = in.ptr[i];

        if (at + printed_width(c) > room)
            break;
        if (printed_width(c) == 1) {
            out[at++] = (char)c;
            continue;
        }
        out[at++] = '\\';
        out[at++] = 'x';
        out[at++] = hex_digits[c >> 4];
        out[at++] = hex_digits[c & 15];
    }
    memset(out + at, '.', dots);
    out[at + dots] = '\0';
    return out;
}

/* The length of the well-formed sequence at the front, or 0: RFC 3629
 * section 4. Only the second byte has a range that depends on the first. */
static size_t utf8_sequence(struct span s)
{
    uint8_t c = s.ptr[0];
    uint8_t low = 0x80;
    uint8_t high = 0xbf;
    size_t len;

    if (c < 0x80)
        return 1;
    if (c < 0xc2 || c > 0xf4)
        return 0;
    len = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (c == 0xe0)
        low = 0xa0; /* overlong */
    else if (c == 0xed)
        high = 0x9f; /* surrogates */
    else if (c == 0xf0)
        low = 0x90; /* overlong */
    else if (c == 0xf4)
        high = 0x8f; /* above U+10FFFF */
    if (s.len < len || s.ptr[1] < low || s.ptr[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++) {
        if ((s.ptr[i] & 0xc0) != 0x80)
            return 0;
    }
    return len;
}

struct span text_decimal(uint64_t value, uint8_t out[TEXT_DECIMAL_SIZE])
{
    size_t n = TEXT_DECIMAL_SIZE;

    do {
        out[--n] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return span_of(out + n, TEXT_DECIMAL_SIZE - n);
}

bool text_is_utf8(struct span in)
{
    while (in.len) {
        size_t n = utf8_sequence(in);

        if (n == 0)
            return false;
        in = span_from(in, n);
    }
    return true;
}
