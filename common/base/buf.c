/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum { BUF_FIRST_SIZE = 256 };

static void compact(struct buf *buf)
{
    size_t len = buf_len(buf);

    if (buf->data && len)
        memmove(buf->data, buf->data + buf->start, len);
    buf->start = 0;
    buf->end = len;
}

/* One byte more than the maximum, for the NUL of buf_printf(). */
static size_t largest_cap(const struct buf *buf)
{
    return buf->max < SIZE_MAX ? buf->max + 1 : SIZE_MAX;
}

static size_t next_cap(const struct buf *buf, size_t need)
{
    size_t largest = largest_cap(buf);
    size_t cap = buf->cap ? buf->cap : BUF_FIRST_SIZE;

    while (cap < need && cap <= largest / 2)
        cap *= 2;
    if (cap < need || cap > largest)
        cap = largest;
    return cap;
}

/* Make `len` contiguous bytes available at the end, at most `max` + 1 in all.
 * Moving is cheap when at least half is dead; otherwise growing is, over time,
 * until the maximum leaves no choice. */
static int make_room(struct buf *buf, size_t len)
{
    size_t need = buf_len(buf) + len;
    uint8_t *data;
    size_t cap;

    if (buf->data && len <= buf->cap - buf->end)
        return 0;
    if (buf->data && need <= buf->cap &&
        (buf->start >= buf_len(buf) || buf->cap == largest_cap(buf))) {
        compact(buf);
        return 0;
    }
    cap = next_cap(buf, buf->cap && need <= buf->cap ? buf->cap + 1 : need);
    if (buf->start)
        compact(buf);
    data = mem_realloc(buf->data, cap);
    if (!data)
        return buf->data && need <= buf->cap ? 0 : -ENOMEM;
    buf->data = data;
    buf->cap = cap;
    return 0;
}

void buf_init(struct buf *buf, size_t max)
{
    *buf = (struct buf){.max = max};
}

void buf_deinit(struct buf *buf)
{
    mem_free(buf->data);
    buf_init(buf, buf->max);
}

void buf_reset(struct buf *buf)
{
    buf->start = 0;
    buf->end = 0;
    buf->err = 0;
}

void buf_shrink(struct buf *buf)
{
    if (buf_len(buf))
        return;
    mem_free(buf->data);
    buf->data = NULL;
    buf->start = 0;
    buf->end = 0;
    buf->cap = 0;
}

uint8_t *buf_reserve(struct buf *buf, size_t len)
{
    if (buf->err)
        return NULL;
    if (len > buf_room(buf))
        buf->err = ERR_LIMIT;
    else
        buf->err = make_room(buf, len);
    return buf->err ? NULL : buf->data + buf->end;
}

void buf_commit(struct buf *buf, size_t len)
{
    buf->end += len;
}

void buf_put(struct buf *buf, const void *data, size_t len)
{
    uint8_t *to;

    if (len == 0)
        return;
    to = buf_reserve(buf, len);
    if (!to)
        return;
    memcpy(to, data, len);
    buf->end += len;
}

void buf_put_span(struct buf *buf, struct span s)
{
    buf_put(buf, s.ptr, s.len);
}

void buf_put_str(struct buf *buf, const char *text)
{
    buf_put(buf, text, strlen(text));
}

void buf_put_byte(struct buf *buf, uint8_t byte)
{
    buf_put(buf, &byte, 1);
}

void buf_put_u64(struct buf *buf, uint64_t value)
{
    uint8_t text[20];
    size_t at = sizeof(text);

    do {
        text[--at] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value);
    buf_put(buf, text + at, sizeof(text) - at);
}

/* Two tries: the first may find the free space too small, and says how much
 * is needed. */
void buf_printf(struct buf *buf, const char *format, ...)
{
    for (int i = 0; i < 2 && !buf->err; i++) {
        size_t space = buf->data ? buf->cap - buf->end : 0;
        va_list args;
        int n;

        va_start(args, format);
        /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it was */
        n = vsnprintf(space ? (char *)buf->data + buf->end : NULL, space,
                      format, args);
        va_end(args);
        if (n < 0 || (size_t)n > buf_room(buf)) {
            buf->err = ERR_LIMIT;
        } else if ((size_t)n < space) {
            buf->end += (size_t)n;
            return;
        } else {
            buf->err = make_room(buf, (size_t)n + 1);
        }
    }
}

void buf_consume(struct buf *buf, size_t len)
{
    buf->start += len < buf_len(buf) ? len : buf_len(buf);
    if (buf->start == buf->end) {
        buf->start = 0;
        buf->end = 0;
    }
}
