/* SPDX-License-Identifier: MIT */
#include "base/span.h"

#include "base/err.h"

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct span tail_of(struct span s, size_t n)
{
    return n < s.len ? span_from(s, s.len - n) : s;
}

bool span_equal_nocase(struct span a, struct span b)
{
    if (a.len != b.len)
        return false;
    /* Most are written as expected. */
    if (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0)
        return true;
    for (size_t i = 0; i < a.len; i++) {
        if (a.ptr[i] != b.ptr[i] && lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    }
    return true;
}

bool span_starts(struct span s, const char *prefix)
{
    return span_is(span_head(s, strlen(prefix)), prefix);
}

bool span_starts_nocase(struct span s, const char *prefix)
{
    return span_is_nocase(span_head(s, strlen(prefix)), prefix);
}

bool span_ends_nocase(struct span s, const char *suffix)
{
    return span_is_nocase(tail_of(s, strlen(suffix)), suffix);
}

ptrdiff_t span_find(struct span s, char c)
{
    const uint8_t *at = s.len ? memchr(s.ptr, c, s.len) : NULL;

    return at ? at - s.ptr : -1;
}

ptrdiff_t span_search(struct span s, struct span needle)
{
    const uint8_t *at;

    if (needle.len == 0)
        return 0;
    if (s.len < needle.len)
        return -1;
    at = memmem(s.ptr, s.len, needle.ptr, needle.len);
    return at ? at - s.ptr : -1;
}

bool span_cut(struct span s, char c, struct span *ret_head,
              struct span *ret_tail)
{
    ptrdiff_t at = span_find(s, c);

    if (at < 0)
        return false;
    *ret_head = span_head(s, (size_t)at);
    *ret_tail = span_from(s, (size_t)at + 1);
    return true;
}

bool span_next(struct span *rest, char c, struct span *ret_item)
{
    struct span all = *rest;

    if (all.len == 0)
        return false;
    if (!span_cut(all, c, ret_item, rest)) {
        *ret_item = all;
        *rest = span_from(all, all.len);
    }
    return true;
}

struct span span_trim(struct span s)
{
    while (s.len && is_blank(s.ptr[0]))
        s = span_from(s, 1);
    while (s.len && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

int span_to_u64(struct span s, uint64_t max, uint64_t *ret_value)
{
    uint64_t value = 0;

    if (s.len == 0)
        return ERR_PARSE;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned)s.ptr[i] - '0';

        if (digit > 9 || value > (UINT64_MAX - digit) / 10)
            return ERR_PARSE;
        value = value * 10 + digit;
    }
    if (value > max)
        return ERR_PARSE;
    *ret_value = value;
    return 0;
}

int span_to_u32(struct span s, uint32_t max, uint32_t *ret_value)
{
    uint64_t value;
    int err = span_to_u64(s, max, &value);

    if (err < 0)
        return err;
    *ret_value = (uint32_t)value;
    return 0;
}
