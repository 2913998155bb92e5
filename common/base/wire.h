/* SPDX-License-Identifier: MIT */
/* wire.h - bounded big-endian reader and writer.
 *
 * Both stay in error after the first access that does not fit: a whole header
 * is read field by field and `err` checked once.
 */
#ifndef BASE_WIRE_H
#define BASE_WIRE_H

#include "base/err.h"
#include "base/span.h"

struct wire_reader {
    const uint8_t *pos;
    const uint8_t *end;
    int err; /* 0 or ERR_TRUNCATED */
};

static inline struct wire_reader wire_reader(struct span s)
{
    return (struct wire_reader){s.ptr, s.ptr ? s.ptr + s.len : NULL, 0};
}

static inline size_t wire_left(const struct wire_reader *r)
{
    return r->err ? 0 : (size_t)(r->end - r->pos);
}

/* The next `len` bytes; empty and error when there are fewer. */
static inline struct span wire_take(struct wire_reader *r, size_t len)
{
    struct span s = {NULL, 0};

    if (r->err)
        return s;
    if ((size_t)(r->end - r->pos) < len) {
        r->err = ERR_TRUNCATED;
        return s;
    }
    s = (struct span){r->pos, len};
    if (len) /* the position of an empty reader is NULL */
        r->pos += len;
    return s;
}

static inline uint8_t wire_u8(struct wire_reader *r)
{
    struct span s = wire_take(r, 1);

    return s.len ? s.ptr[0] : 0;
}

static inline uint16_t wire_u16(struct wire_reader *r)
{
    struct span s = wire_take(r, 2);

    return s.len ? (uint16_t)(s.ptr[0] << 8 | s.ptr[1]) : 0;
}

static inline uint32_t wire_u32(struct wire_reader *r)
{
    struct span s = wire_take(r, 4);

    if (!s.len)
        return 0;
    return (uint32_t)s.ptr[0] << 24 | (uint32_t)s.ptr[1] << 16 |
           (uint32_t)s.ptr[2] << 8 | s.ptr[3];
}

static inline uint64_t wire_u64(struct wire_reader *r)
{
    uint64_t high = wire_u32(r);

    return high << 32 | wire_u32(r);
}

struct wire_writer {
    uint8_t *start;
    size_t len;
    size_t size;
    int err; /* 0 or ERR_LIMIT */
};

static inline struct wire_writer wire_writer(void *out, size_t size)
{
    return (struct wire_writer){out, 0, size, 0};
}

static inline size_t wire_written(const struct wire_writer *w)
{
    return w->len;
}

static inline bool wire_fits(struct wire_writer *w, size_t len)
{
    if (w->err || w->size - w->len < len)
        w->err = ERR_LIMIT;
    return !w->err;
}

/* `len` bytes to fill in, or NULL and error. */
static inline uint8_t *wire_grow(struct wire_writer *w, size_t len)
{
    if (!wire_fits(w, len))
        return NULL;
    w->len += len;
    return w->start + (w->len - len);
}

static inline void wire_put(struct wire_writer *w, struct span s)
{
    if (!wire_fits(w, s.len) || s.len == 0)
        return;
    memcpy(w->start + w->len, s.ptr, s.len);
    w->len += s.len;
}

static inline void wire_put_u8(struct wire_writer *w, uint8_t v)
{
    if (wire_fits(w, 1))
        w->start[w->len++] = v;
}

static inline void wire_store_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void wire_store_u32(uint8_t *p, uint32_t v)
{
    wire_store_u16(p, (uint16_t)(v >> 16));
    wire_store_u16(p + 2, (uint16_t)v);
}

static inline void wire_put_u16(struct wire_writer *w, uint16_t v)
{
    if (!wire_fits(w, 2))
        return;
    wire_store_u16(w->start + w->len, v);
    w->len += 2;
}

static inline void wire_put_u32(struct wire_writer *w, uint32_t v)
{
    if (!wire_fits(w, 4))
        return;
    wire_store_u32(w->start + w->len, v);
    w->len += 4;
}

static inline void wire_put_u64(struct wire_writer *w, uint64_t v)
{
    wire_put_u32(w, (uint32_t)(v >> 32));
    wire_put_u32(w, (uint32_t)v);
}

#endif /* BASE_WIRE_H */
