/* SPDX-License-Identifier: MIT */
#include "proxy/web_token.h"

#include "base/text.h"

static bool is_base64url(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static uint8_t hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return (uint8_t)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (uint8_t)(c - 'a' + 10) : 0xFF;
}

/* Would a reader who undoes escapes take `name` for `want`? */
static bool name_decodes_to(struct span name, struct span want)
{
    size_t i = 0;

    for (size_t n = 0; n < want.len; n++) {
        uint8_t c;

        if (i >= name.len)
            return false;
        c = name.ptr[i++];
        if (c == '%' && i + 2 <= name.len) {
            c = (uint8_t)(hex_value(name.ptr[i]) << 4 |
                          hex_value(name.ptr[i + 1]));
            i += 2;
        }
        if (c != want.ptr[n])
            return false;
    }
    return i == name.len;
}

bool web_token_is_three_segments(struct span token)
{
    int segments = 0;
    size_t run = 0;

    for (size_t i = 0; i <= token.len; i++) {
        if (i == token.len || token.ptr[i] == '.') {
            if (run == 0)
                return false;
            segments++;
            run = 0;
        } else if (is_base64url(token.ptr[i])) {
            run++;
        } else {
            return false;
        }
    }
    return segments == 3;
}

/* Find the argument; more than one candidate is ambiguous. ';' divides
 * arguments too for some readers. */
enum web_token_verdict web_token_find(struct span query, const char *name,
                                      struct span *ret_value)
{
    enum web_token_verdict found = WEB_TOKEN_MISSING;
    struct span want = span_str(name);
    struct span argument, part, key, value;

    while (span_next(&query, '&', &argument)) {
        bool first = true;

        for (; span_next(&argument, ';', &part); first = false) {
            if (!span_cut(part, '=', &key, &value)) {
                key = part;
                value = span_from(part, part.len);
            }
            if (!name_decodes_to(key, want))
                continue;
            if (found == WEB_TOKEN_OK || !first || !span_equal(key, want))
                return WEB_TOKEN_AMBIGUOUS;
            *ret_value = value;
            found = WEB_TOKEN_OK;
        }
    }
    return found;
}

enum web_token_verdict web_token_judge(struct span query, const char *name,
                                       enum web_token_check check)
{
    struct span value = {0};
    enum web_token_verdict verdict;

    if (check == WEB_TOKEN_ANY)
        return WEB_TOKEN_OK;
    verdict = web_token_find(query, name, &value);
    if (verdict != WEB_TOKEN_OK)
        return verdict;
    if (value.len == 0)
        return WEB_TOKEN_MISSING;
    if (check == WEB_TOKEN_FORMAT && !web_token_is_three_segments(value))
        return WEB_TOKEN_MALFORMED;
    return WEB_TOKEN_OK;
}

const char *web_token_redact(struct span query, char *out, size_t size)
{
    struct span argument, key, value;
    char name[48];
    size_t len = 0;

    out[0] = '\0';
    while (span_next(&query, '&', &argument)) {
        bool valued = span_cut(argument, '=', &key, &value);
        size_t n;

        /* A bare argument may be a secret by itself ("?eyJ0eXAi..."). */
        text_printable(valued ? key : span_str("-"), name, sizeof(name));
        n = strlen(name);
        if (len + n + 4 > size)
            break;
        if (len > 0)
            out[len++] = '&';
        memcpy(out + len, name, n);
        len += n;
        if (valued) {
            out[len++] = '=';
            out[len++] = '-';
        }
        out[len] = '\0';
    }
    return out;
}
