/* SPDX-License-Identifier: MIT */
#include "stun/stun_attr.h"

#include "base/err.h"

#include <assert.h>

enum { COOKIE_HIGH = STUN_COOKIE >> 16 };

/* The mask of XOR addresses: cookie, then transaction id. */
static void mask_ip(uint8_t *ip, size_t len, const uint8_t *tid)
{
    static const uint8_t cookie[4] = {0x21, 0x12, 0xA4, 0x42};

    for (size_t i = 0; i < len; i++)
        ip[i] ^= i < 4 ? cookie[i] : tid[i - 4];
}

int stun_attr_addr(struct span value, struct addr *ret_addr)
{
    struct wire_reader r = wire_reader(value);
    struct addr a = {0};
    uint8_t family;

    (void)wire_u8(&r); /* RFC 8489 14.1: ignored */
    family = wire_u8(&r);
    a.port = wire_u16(&r);
    if (r.err)
        return ERR_PARSE;
    if (family == STUN_FAMILY_V4 && wire_left(&r) == 4)
        a.family = ADDR_V4;
    else if (family == STUN_FAMILY_V6 && wire_left(&r) == 16)
        a.family = ADDR_V6;
    else
        return ERR_PARSE;
    memcpy(a.ip, r.pos, wire_left(&r));
    *ret_addr = a;
    return 0;
}

int stun_attr_xor_addr(const struct stun_msg *msg, struct span value,
                       struct addr *ret_addr)
{
    struct addr a;
    int err;

    err = stun_attr_addr(value, &a);
    if (err < 0)
        return err;
    a.port = (uint16_t)(a.port ^ COOKIE_HIGH);
    mask_ip(a.ip, addr_ip_len(&a), stun_msg_tid(msg));
    *ret_addr = a;
    return 0;
}

int stun_attr_u32(struct span value, uint32_t *ret_number)
{
    struct wire_reader r = wire_reader(value);

    if (value.len != 4)
        return ERR_PARSE;
    *ret_number = wire_u32(&r);
    return 0;
}

int stun_attr_family(struct span value, uint8_t *ret_family)
{
    if (value.len != 4)
        return ERR_PARSE;
    *ret_family = value.ptr[0];
    return 0;
}

int stun_attr_channel(struct span value, uint16_t *ret_number)
{
    if (value.len != 4)
        return ERR_PARSE;
    *ret_number = (uint16_t)(value.ptr[0] << 8 | value.ptr[1]);
    return 0;
}

int stun_attr_error(struct span value, int *ret_code, struct span *ret_reason)
{
    int class;
    int number;

    if (value.len < 4)
        return ERR_PARSE;
    class = value.ptr[2] & 7;
    number = value.ptr[3];
    if (class < 3 || class > 6 || number > 99)
        return ERR_PARSE;
    *ret_code = class * 100 + number;
    *ret_reason = span_from(value, 4);
    return 0;
}

static uint16_t type_of(enum stun_class class, uint16_t method)
{
    uint32_t c = class;
    uint32_t m = method;

    return (uint16_t)((m & 0xF) | (m & 0x70) << 1 | (m & 0xF80) << 2 |
                      (c & 1) << 4 | (c & 2) << 7);
}

void stun_write_start(struct stun_writer *w, void *out, size_t size,
                      enum stun_class class, uint16_t method,
                      const uint8_t *tid)
{
    w->wire = wire_writer(out, size);
    wire_put_u16(&w->wire, type_of(class, method));
    wire_put_u16(&w->wire, 0); /* stun_write_length() fills it in */
    wire_put_u32(&w->wire, STUN_COOKIE);
    wire_put(&w->wire, span_of(tid, STUN_TID_SIZE));
}

void stun_write(struct stun_writer *w, enum stun_attr attr, struct span value)
{
    static const uint8_t zeros[3] = {0};

    assert(value.len <= UINT16_MAX);
    wire_put_u16(&w->wire, stun_attr_type(attr));
    wire_put_u16(&w->wire, (uint16_t)value.len);
    wire_put(&w->wire, value);
    wire_put(&w->wire, span_of(zeros, -value.len & 3));
}

void stun_write_u32(struct stun_writer *w, enum stun_attr attr, uint32_t v)
{
    uint8_t value[4];

    wire_store_u32(value, v);
    stun_write(w, attr, span_of(value, sizeof(value)));
}

void stun_write_addr(struct stun_writer *w, enum stun_attr attr,
                     const struct addr *a)
{
    uint8_t value[20] = {0};
    size_t len = addr_ip_len(a);

    value[1] = a->family == ADDR_V6 ? STUN_FAMILY_V6 : STUN_FAMILY_V4;
    wire_store_u16(value + 2, a->port);
    memcpy(value + 4, a->ip, len);
    stun_write(w, attr, span_of(value, 4 + len));
}

void stun_write_xor_addr(struct stun_writer *w, enum stun_attr attr,
                         const struct addr *a)
{
    struct addr masked = *a;

    if (w->wire.err)
        return;
    masked.port = (uint16_t)(masked.port ^ COOKIE_HIGH);
    mask_ip(masked.ip, addr_ip_len(a), w->wire.start + 8);
    stun_write_addr(w, attr, &masked);
}

void stun_write_error(struct stun_writer *w, enum stun_code code,
                      const char *reason)
{
    struct span text = span_head(span_str(reason), 127);
    uint8_t value[4 + 127] = {0};

    value[2] = (uint8_t)(code / 100);
    value[3] = (uint8_t)(code % 100);
    memcpy(value + 4, text.ptr, text.len);
    stun_write(w, STUN_ERROR_CODE, span_of(value, 4 + text.len));
}

void stun_write_unknown(struct stun_writer *w, const struct stun_msg *msg)
{
    uint8_t value[2 * STUN_UNKNOWN_MAX];

    for (size_t i = 0; i < msg->unknown_count; i++)
        wire_store_u16(value + 2 * i, msg->unknown[i]);
    stun_write(w, STUN_UNKNOWN_ATTRIBUTES,
               span_of(value, 2 * (size_t)msg->unknown_count));
}

void stun_write_length(struct stun_writer *w, size_t extra)
{
    if (!w->wire.err)
        wire_store_u16(w->wire.start + 2, (uint16_t)(wire_written(&w->wire) -
                                                     STUN_HEADER_SIZE + extra));
}

int stun_write_finish(struct stun_writer *w)
{
    if (w->wire.err)
        return w->wire.err;
    if (wire_written(&w->wire) > STUN_MESSAGE_MAX)
        return ERR_LIMIT;
    stun_write_length(w, 0);
    return (int)wire_written(&w->wire);
}

size_t stun_data_wrap(uint8_t *data, size_t len, const struct addr *peer,
                      const uint8_t *tid)
{
    size_t header = stun_data_header_size(peer);
    size_t pad = -len & 3;
    struct stun_writer w;

    stun_write_start(&w, data - header, header, STUN_INDICATION, STUN_DATA,
                     tid);
    stun_write_xor_addr(&w, STUN_XOR_PEER_ADDRESS, peer);
    wire_put_u16(&w.wire, stun_attr_type(STUN_DATA_VALUE));
    wire_put_u16(&w.wire, (uint16_t)len);
    stun_write_length(&w, len + pad);
    assert(!w.wire.err);
    memset(data + len, 0, pad);
    return header + len + pad;
}
