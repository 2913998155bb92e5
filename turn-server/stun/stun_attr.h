/* SPDX-License-Identifier: MIT */
/* stun_attr.h - typed values of STUN and TURN attributes (RFC 8489 section
 * 14, RFC 8656 section 18): reading from a message, writing into one.
 */
#ifndef STUN_ATTR_H
#define STUN_ATTR_H

#include "base/addr.h"
#include "base/wire.h"
#include "stun/stun_msg.h"

/* Error numbers of STUN and TURN; an answer, never a negative error. */
enum stun_code {
    STUN_OK = 0,
    STUN_TRY_ALTERNATE = 300,
    STUN_BAD_REQUEST = 400,
    STUN_UNAUTHENTICATED = 401,
    STUN_FORBIDDEN = 403,
    STUN_MOBILITY_FORBIDDEN = 405,
    STUN_UNKNOWN_ATTRIBUTE = 420,
    STUN_ALLOCATION_MISMATCH = 437,
    STUN_STALE_NONCE = 438,
    STUN_FAMILY_NOT_SUPPORTED = 440,
    STUN_WRONG_CREDENTIALS = 441,
    STUN_UNSUPPORTED_TRANSPORT = 442,
    STUN_PEER_FAMILY_MISMATCH = 443,
    STUN_CONNECTION_EXISTS = 446,
    STUN_CONNECTION_FAILED = 447,
    STUN_QUOTA_REACHED = 486,
    STUN_SERVER_ERROR = 500,
    STUN_INSUFFICIENT_CAPACITY = 508,
};

/* Address families as they stand on the wire. */
enum { STUN_FAMILY_V4 = 1, STUN_FAMILY_V6 = 2 };

/* --- reading: 0, or ERR_PARSE when the value has another shape --- */

/* An XOR address; the transaction id of `msg` is part of the IPv6 mask. */
int stun_attr_xor_addr(const struct stun_msg *msg, struct span value,
                       struct addr *ret_addr);

/* A plain address (MAPPED-ADDRESS, ALTERNATE-SERVER, OTHER-ADDRESS). */
int stun_attr_addr(struct span value, struct addr *ret_addr);

int stun_attr_u32(struct span value, uint32_t *ret_number);

/* REQUESTED-ADDRESS-FAMILY and ADDITIONAL-ADDRESS-FAMILY: the raw number,
 * which may be one that nobody knows. */
int stun_attr_family(struct span value, uint8_t *ret_family);

/* CHANNEL-NUMBER: any number; the range is for the caller to judge. */
int stun_attr_channel(struct span value, uint16_t *ret_number);

/* ERROR-CODE as its number, and the reason. For tests and clients. */
int stun_attr_error(struct span value, int *ret_code, struct span *ret_reason);

/* --- writing: a message is started, filled, and finished --- */

struct stun_writer {
    struct wire_writer wire;
};

/* Start a message in `out`. `tid` is STUN_TID_SIZE bytes. */
void stun_write_start(struct stun_writer *w, void *out, size_t size,
                      enum stun_class class, uint16_t method,
                      const uint8_t *tid);

void stun_write(struct stun_writer *w, enum stun_attr attr, struct span value);
void stun_write_u32(struct stun_writer *w, enum stun_attr attr, uint32_t v);
void stun_write_xor_addr(struct stun_writer *w, enum stun_attr attr,
                         const struct addr *a);
void stun_write_addr(struct stun_writer *w, enum stun_attr attr,
                     const struct addr *a);
void stun_write_error(struct stun_writer *w, enum stun_code code,
                      const char *reason);
void stun_write_unknown(struct stun_writer *w, const struct stun_msg *msg);

/* The message so far, its length field right. Returns its size, or ERR_LIMIT
 * when something did not fit. */
int stun_write_finish(struct stun_writer *w);

/* Set the length field as if the attributes ended `extra` bytes further on:
 * what integrity and fingerprint are computed over. */
void stun_write_length(struct stun_writer *w, size_t extra);

static inline struct span stun_written(const struct stun_writer *w)
{
    return span_of(w->wire.start, wire_written(&w->wire));
}

/* --- the data path: headers put in front of bytes that do not move --- */

enum {
    STUN_DATA_HEADER_MAX = 48, /* Data indication from an IPv6 peer */
    STUN_DATA_TAIL_MAX = 3,    /* zeros behind the data */
};

/* How many bytes the header of a Data indication takes for this peer. */
static inline size_t stun_data_header_size(const struct addr *peer)
{
    return peer->family == ADDR_V6 ? 48 : 36;
}

/* Write the header of a Data indication that ends where `data` starts, and
 * the padding behind. The caller owns the bytes around `data`. `tid` is
 * STUN_TID_SIZE bytes. Returns the size of the whole message. */
size_t stun_data_wrap(uint8_t *data, size_t len, const struct addr *peer,
                      const uint8_t *tid);

#endif /* STUN_ATTR_H */
