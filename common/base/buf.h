/* SPDX-License-Identifier: MIT */
/* buf.h - a growable byte buffer with a mandatory maximum.
 *
 * Writing is sticky: after the first failure (maximum reached, no memory)
 * every further write does nothing, and `buf_err()` tells; so a whole message
 * is written and checked once. Reading consumes from the front without moving
 * bytes; the space is reclaimed on the next growth.
 * Owner: whoever holds the struct. Not thread-safe.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/span.h"

struct buf {
    uint8_t *data; /* capacity `cap`, bytes [start, end) are live */
    size_t start;
    size_t end;
    size_t cap;
    size_t max;
    int err;
};

/* Empty; the first write allocates. `max` bytes can be live at a time. */
void buf_init(struct buf *buf, size_t max);

/* Release the memory; the struct is as after buf_init(). */
void buf_deinit(struct buf *buf);

/* Drop content and error, keep the memory. */
void buf_reset(struct buf *buf);

/* Give memory back when the buffer is empty (idle connections). */
void buf_shrink(struct buf *buf);

static inline size_t buf_len(const struct buf *buf)
{
    return buf->end - buf->start;
}

static inline struct span buf_span(const struct buf *buf)
{
    return (struct span){buf->data ? buf->data + buf->start : NULL,
                         buf->end - buf->start};
}

/* How many more bytes may be written before the maximum. */
static inline size_t buf_room(const struct buf *buf)
{
    return buf->max - (buf->end - buf->start);
}

/* 0, ERR_LIMIT or -ENOMEM: the first failure since init or reset. */
static inline int buf_err(const struct buf *buf)
{
    return buf->err;
}

void buf_put(struct buf *buf, const void *data, size_t len);
void buf_put_span(struct buf *buf, struct span s);
void buf_put_str(struct buf *buf, const char *text);
void buf_put_byte(struct buf *buf, uint8_t byte);
void buf_put_u64(struct buf *buf, uint64_t value); /* decimal */
void buf_printf(struct buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Room for `len` contiguous bytes at the end; NULL (and sticky error) when
 * there is none. Follow with buf_commit(). */
uint8_t *buf_reserve(struct buf *buf, size_t len);
void buf_commit(struct buf *buf, size_t len);

/* Drop `len` bytes (at most all) from the front. */
void buf_consume(struct buf *buf, size_t len);

#endif /* BASE_BUF_H */
