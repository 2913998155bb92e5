/* SPDX-License-Identifier: MIT */
/* span.h - a borrowed view of bytes: pointer and length, never owned, never
 * NUL-terminated. What the network sends is only ever looked at through it.
 */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const uint8_t *ptr; /* may be NULL when len is 0 */
    size_t len;
};

/* For printf("%.*s", SPAN_FMT(s)); only with trusted or screened text. */
#define SPAN_FMT(s) (int)(s).len, (const char *)(s).ptr

static inline struct span span_of(const void *ptr, size_t len)
{
    return (struct span){ptr, len};
}

static inline struct span span_str(const char *text)
{
    return (struct span){(const uint8_t *)text, strlen(text)};
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool span_is(struct span a, const char *text)
{
    return span_equal(a, span_str(text));
}

/* The tail from `n`; empty when `n` is beyond the end. */
static inline struct span span_from(struct span s, size_t n)
{
    return n >= s.len ? (struct span){s.ptr ? s.ptr + s.len : NULL, 0}
                      : (struct span){s.ptr + n, s.len - n};
}

/* The first `n` bytes, or all when there are fewer. */
static inline struct span span_head(struct span s, size_t n)
{
    return (struct span){s.ptr, n < s.len ? n : s.len};
}

/* ASCII case-insensitive comparison; other bytes compare as they are. */
bool span_equal_nocase(struct span a, struct span b);
static inline bool span_is_nocase(struct span a, const char *text)
{
    return span_equal_nocase(a, span_str(text));
}
bool span_starts(struct span s, const char *prefix);
bool span_starts_nocase(struct span s, const char *prefix);
bool span_ends_nocase(struct span s, const char *suffix);

/* Index of the first byte `c`, or -1. */
ptrdiff_t span_find(struct span s, char c);

/* Index of the first occurrence of `needle`, or -1. */
ptrdiff_t span_search(struct span s, struct span needle);

/* Cut at the first `c`: `*ret_head` is what stands before it, `*ret_tail` what
 * stands behind. False, with nothing written, when there is no `c`. Either
 * output may be the input. */
bool span_cut(struct span s, char c, struct span *ret_head,
              struct span *ret_tail);

/* Take the next part up to `c` (or all) off the front of `*rest`. False when
 * `*rest` was empty. For walking lists: while (span_next(&rest, ',', &item)).
 */
bool span_next(struct span *rest, char c, struct span *ret_item);

/* Without leading and trailing spaces and tabs. */
struct span span_trim(struct span s);

/* Decimal digits only, no sign, no space, at most `max`.
 * Returns 0, or ERR_PARSE. */
int span_to_u64(struct span s, uint64_t max, uint64_t *ret_value);
int span_to_u32(struct span s, uint32_t max, uint32_t *ret_value);

#endif /* BASE_SPAN_H */
