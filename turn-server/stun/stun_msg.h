/* SPDX-License-Identifier: MIT */
/* stun_msg.h - a received STUN message (RFC 8489 section 5) as an index into
 * its own bytes, and the framing of streams.
 *
 * Reading checks the shape only: header, attribute lengths, order. Nothing is
 * copied; the message lives as long as the bytes it was read from. Attribute
 * values are read with stun_attr.h, integrity is checked with stun_auth.h.
 */
#ifndef STUN_MSG_H
#define STUN_MSG_H

#include "base/span.h"

enum {
    STUN_HEADER_SIZE = 20,
    STUN_TID_SIZE = 12,
    STUN_MESSAGE_MAX = 20 + 65532, /* what the length field can say */
    STUN_UNKNOWN_MAX = 8,          /* unknown attributes named in a 420 */
    CHANNEL_HEADER_SIZE = 4,
};

#define STUN_COOKIE 0x2112A442U

enum stun_class {
    STUN_REQUEST = 0,
    STUN_INDICATION = 1,
    STUN_SUCCESS = 2,
    STUN_ERROR = 3,
};

enum stun_method {
    STUN_BINDING = 0x001,
    STUN_ALLOCATE = 0x003,
    STUN_REFRESH = 0x004,
    STUN_SEND = 0x006,
    STUN_DATA = 0x007,
    STUN_CREATE_PERMISSION = 0x008,
    STUN_CHANNEL_BIND = 0x009,
    STUN_CONNECT = 0x00A,
    STUN_CONNECTION_BIND = 0x00B,
    STUN_CONNECTION_ATTEMPT = 0x00C,
};

/* Every attribute this server reads or writes: name, IANA type. One that is
 * not here and below 0x8000 is answered with 420. */
#define STUN_ATTR_MAP(X)                                                       \
    X(STUN_MAPPED_ADDRESS, 0x0001)                                             \
    X(STUN_CHANGE_REQUEST, 0x0003)                                             \
    X(STUN_USERNAME, 0x0006)                                                   \
    X(STUN_MESSAGE_INTEGRITY, 0x0008)                                          \
    X(STUN_ERROR_CODE, 0x0009)                                                 \
    X(STUN_UNKNOWN_ATTRIBUTES, 0x000A)                                         \
    X(STUN_CHANNEL_NUMBER, 0x000C)                                             \
    X(STUN_LIFETIME, 0x000D)                                                   \
    X(STUN_XOR_PEER_ADDRESS, 0x0012)                                           \
    X(STUN_DATA_VALUE, 0x0013)                                                 \
    X(STUN_REALM, 0x0014)                                                      \
    X(STUN_NONCE, 0x0015)                                                      \
    X(STUN_XOR_RELAYED_ADDRESS, 0x0016)                                        \
    X(STUN_REQUESTED_ADDRESS_FAMILY, 0x0017)                                   \
    X(STUN_EVEN_PORT, 0x0018)                                                  \
    X(STUN_REQUESTED_TRANSPORT, 0x0019)                                        \
    X(STUN_DONT_FRAGMENT, 0x001A)                                              \
    X(STUN_ACCESS_TOKEN, 0x001B)                                               \
    X(STUN_MESSAGE_INTEGRITY_SHA256, 0x001C)                                   \
    X(STUN_PASSWORD_ALGORITHM, 0x001D)                                         \
    X(STUN_USERHASH, 0x001E)                                                   \
    X(STUN_XOR_MAPPED_ADDRESS, 0x0020)                                         \
    X(STUN_RESERVATION_TOKEN, 0x0022)                                          \
    X(STUN_PADDING, 0x0026)                                                    \
    X(STUN_RESPONSE_PORT, 0x0027)                                              \
    X(STUN_CONNECTION_ID, 0x002A)                                              \
    X(STUN_ADDITIONAL_ADDRESS_FAMILY, 0x8000)                                  \
    X(STUN_ADDRESS_ERROR_CODE, 0x8001)                                         \
    X(STUN_PASSWORD_ALGORITHMS, 0x8002)                                        \
    X(STUN_ALTERNATE_DOMAIN, 0x8003)                                           \
    X(STUN_ICMP, 0x8004)                                                       \
    X(STUN_SOFTWARE, 0x8022)                                                   \
    X(STUN_ALTERNATE_SERVER, 0x8023)                                           \
    X(STUN_FINGERPRINT, 0x8028)                                                \
    X(STUN_RESPONSE_ORIGIN, 0x802B)                                            \
    X(STUN_OTHER_ADDRESS, 0x802C)                                              \
    X(STUN_THIRD_PARTY_AUTHORIZATION, 0x802E)                                  \
    X(STUN_MOBILITY_TICKET, 0x8030)

enum stun_attr {
#define STUN_ATTR_ENUM(name, type) name,
    STUN_ATTR_MAP(STUN_ATTR_ENUM)
#undef STUN_ATTR_ENUM
        STUN_ATTR_COUNT
};

/* The IANA type of an attribute. */
uint16_t stun_attr_type(enum stun_attr attr);

/* Where the value of an attribute lies in the message; `at` 0: absent. */
struct stun_place {
    uint16_t at;
    uint16_t len;
};

struct stun_msg {
    struct span raw; /* header and all attributes, nothing behind */
    uint16_t method; /* enum stun_method, or one we do not know */
    uint8_t class;   /* enum stun_class */
    uint8_t unknown_count;
    uint16_t unknown[STUN_UNKNOWN_MAX]; /* comprehension-required ones */
    struct stun_place attr[STUN_ATTR_COUNT];
};

/* Index `packet`, which must be exactly one message. Of a repeated attribute
 * the first counts. Behind MESSAGE-INTEGRITY only MESSAGE-INTEGRITY-SHA256
 * and FINGERPRINT count, behind that one only FINGERPRINT (RFC 8489 14.5).
 * Returns 0 or ERR_PARSE. */
int stun_msg_read(struct stun_msg *ret_msg, struct span packet);

static inline bool stun_msg_has(const struct stun_msg *msg, enum stun_attr attr)
{
    return msg->attr[attr].at != 0;
}

/* The value without padding; ptr is NULL when the attribute is absent. */
static inline struct span stun_msg_attr(const struct stun_msg *msg,
                                        enum stun_attr attr)
{
    struct stun_place place = msg->attr[attr];

    return place.at ? span_of(msg->raw.ptr + place.at, place.len)
                    : span_of(NULL, 0);
}

/* The 12 bytes of the transaction id. */
static inline const uint8_t *stun_msg_tid(const struct stun_msg *msg)
{
    return msg->raw.ptr + 8;
}

/* Walk the values of an attribute that may repeat and stands before the
 * integrity (XOR-PEER-ADDRESS): start with *pos = 0; false at the end. */
bool stun_msg_each(const struct stun_msg *msg, enum stun_attr attr, size_t *pos,
                   struct span *ret_value);

/* What the first byte of a packet or of a stream says (RFC 7983; channels up
 * to the last number of RFC 5766). */
static inline bool stun_is_message(uint8_t first)
{
    return first < 4;
}

static inline bool stun_is_channel(uint8_t first)
{
    return first >= 0x40 && first <= 0x7F;
}

/* How many bytes the next frame of a stream takes, padding of ChannelData
 * included (RFC 8656 12.5). `stream` starts at a frame.
 * Returns the size; 0 when more bytes are needed to tell; ERR_PARSE when what
 * stands there is no frame. */
int stun_frame_size(struct span stream);

#endif /* STUN_MSG_H */
