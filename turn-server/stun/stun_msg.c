/* SPDX-License-Identifier: MIT */
#include "stun/stun_msg.h"

#include "base/err.h"
#include "base/wire.h"

static const uint16_t attr_types[STUN_ATTR_COUNT] = {
#define STUN_ATTR_TYPE(name, type) [name] = (type),
    STUN_ATTR_MAP(STUN_ATTR_TYPE)
#undef STUN_ATTR_TYPE
};

/* What clients built on coturn up to 4.6 still send for it. */
enum { DRAFT_ADDITIONAL_ADDRESS_FAMILY = 0x8032 };

/* How much of a message is behind us while indexing it. */
enum stage { STAGE_OPEN, STAGE_SHA1, STAGE_SHA256, STAGE_FINGERPRINT };

static int attr_of_type(uint16_t type)
{
    switch (type) {
#define STUN_ATTR_CASE(name, value)                                            \
    case (value):                                                              \
        return name;
        STUN_ATTR_MAP(STUN_ATTR_CASE)
#undef STUN_ATTR_CASE
    case DRAFT_ADDITIONAL_ADDRESS_FAMILY:
        return STUN_ADDITIONAL_ADDRESS_FAMILY;
    default:
        return -1;
    }
}

uint16_t stun_attr_type(enum stun_attr attr)
{
    return attr_types[attr];
}

static size_t padded(size_t len)
{
    return (len + 3) & ~(size_t)3;
}

/* RFC 8489 14.5, 14.6: what stands behind an integrity attribute is ignored,
 * but for the stronger integrity and the fingerprint. */
static bool counts_at(enum stage stage, int attr)
{
    switch (stage) {
    case STAGE_OPEN:
        return true;
    case STAGE_SHA1:
        return attr == STUN_MESSAGE_INTEGRITY_SHA256 ||
               attr == STUN_FINGERPRINT;
    case STAGE_SHA256:
        return attr == STUN_FINGERPRINT;
    case STAGE_FINGERPRINT:
        break;
    }
    return false;
}

static enum stage next_stage(enum stage stage, int attr)
{
    switch (attr) {
    case STUN_MESSAGE_INTEGRITY:
        return STAGE_SHA1;
    case STUN_MESSAGE_INTEGRITY_SHA256:
        return STAGE_SHA256;
    case STUN_FINGERPRINT:
        return STAGE_FINGERPRINT;
    default:
        return stage;
    }
}

static void note_unknown(struct stun_msg *msg, uint16_t type)
{
    if (type >= 0x8000 || msg->unknown_count == STUN_UNKNOWN_MAX)
        return;
    for (size_t i = 0; i < msg->unknown_count; i++) {
        if (msg->unknown[i] == type)
            return;
    }
    msg->unknown[msg->unknown_count++] = type;
}

static int index_attrs(struct stun_msg *msg)
{
    struct wire_reader r = wire_reader(span_from(msg->raw, STUN_HEADER_SIZE));
    enum stage stage = STAGE_OPEN;

    while (wire_left(&r) > 0) {
        uint16_t type = wire_u16(&r);
        uint16_t len = wire_u16(&r);
        struct span value = wire_take(&r, padded(len));
        int attr = attr_of_type(type);

        if (r.err)
            return ERR_PARSE;
        if (!counts_at(stage, attr))
            continue;
        if (attr < 0)
            note_unknown(msg, type);
        else if (!msg->attr[attr].at)
            msg->attr[attr] =
                (struct stun_place){(uint16_t)(value.ptr - msg->raw.ptr), len};
        stage = next_stage(stage, attr);
    }
    return 0;
}

int stun_msg_read(struct stun_msg *ret_msg, struct span packet)
{
    struct wire_reader r = wire_reader(packet);
    uint16_t type = wire_u16(&r);
    uint16_t len = wire_u16(&r);
    uint32_t cookie = wire_u32(&r);
    struct stun_msg msg = {.raw = packet};
    int err;

    (void)wire_take(&r, STUN_TID_SIZE);
    if (r.err || (type & 0xC000) || (len & 3) || cookie != STUN_COOKIE ||
        len != wire_left(&r))
        return ERR_PARSE;
    if (packet.len > UINT16_MAX) /* struct stun_place; no datagram is so long */
        return ERR_PARSE;

    /* RFC 8489 5: the class is spread over bits 4 and 8 of the type */
    msg.class = (uint8_t)((type >> 4 & 1) | (type >> 7 & 2));
    msg.method =
        (uint16_t)((type & 0xF) | (type >> 1 & 0x70) | (type >> 2 & 0xF80));
    err = index_attrs(&msg);
    if (err < 0)
        return err;
    *ret_msg = msg;
    return 0;
}

/* Where the attributes covered by integrity end. */
static size_t open_end(const struct stun_msg *msg)
{
    size_t sha1 = msg->attr[STUN_MESSAGE_INTEGRITY].at;
    size_t sha256 = msg->attr[STUN_MESSAGE_INTEGRITY_SHA256].at;

    if (sha1)
        return sha1;
    return sha256 ? sha256 : msg->raw.len;
}

bool stun_msg_each(const struct stun_msg *msg, enum stun_attr attr, size_t *pos,
                   struct span *ret_value)
{
    size_t end = open_end(msg);
    size_t at = *pos ? *pos : STUN_HEADER_SIZE;

    while (at + 4 <= end) {
        const uint8_t *p = msg->raw.ptr + at;
        uint16_t type = (uint16_t)(p[0] << 8 | p[1]);
        size_t len = (size_t)(p[2] << 8 | p[3]);

        at += 4 + padded(len);
        if (type == attr_types[attr]) {
            *ret_value = span_of(p + 4, len);
            *pos = at;
            return true;
        }
    }
    *pos = msg->raw.len;
    return false;
}

int stun_frame_size(struct span stream)
{
    struct wire_reader r = wire_reader(stream);
    uint16_t type;
    uint16_t len;

    if (stream.len == 0)
        return 0;
    if (!stun_is_message(stream.ptr[0]) && !stun_is_channel(stream.ptr[0]))
        return ERR_PARSE;
    type = wire_u16(&r);
    len = wire_u16(&r);
    if (r.err)
        return 0;
    if (stun_is_channel((uint8_t)(type >> 8)))
        return CHANNEL_HEADER_SIZE + (int)padded(len);
    if (len & 3)
        return ERR_PARSE;
    return STUN_HEADER_SIZE + len;
}
