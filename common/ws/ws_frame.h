/* SPDX-License-Identifier: MIT */
/* ws_frame.h - WebSocket frames (RFC 6455 section 5): bytes ⇄ messages.
 *
 * Ours and not wslay: the three daemons need a reader that works on the
 * receive buffer itself (unmasked in place, a message that lies in one
 * segment is delivered as a view), that is bounded before it allocates, and
 * that knows no I/O. wslay copies each payload into its own queue through
 * callbacks and leaves UTF-8 and its limits per frame to the caller; what
 * remains of RFC 6455 without extensions fits in one small file.
 *
 * No extensions: RSV bits are an error. No sockets, no clock.
 * Owner: the connection. Not thread-safe.
 */
#ifndef WS_FRAME_H
#define WS_FRAME_H

#include "base/buf.h"

/* Who we are; the server reads masked frames and writes unmasked ones. */
enum ws_role {
    WS_SERVER,
    WS_CLIENT,
};

enum ws_opcode {
    WS_CONTINUATION = 0x0, /* only on the wire, never a message */
    WS_TEXT = 0x1,
    WS_BINARY = 0x2,
    WS_CLOSE = 0x8,
    WS_PING = 0x9,
    WS_PONG = 0xA,
};

/* RFC 6455 7.4.1 */
enum ws_close_code {
    WS_CLOSE_NORMAL = 1000,
    WS_CLOSE_GOING_AWAY = 1001,
    WS_CLOSE_PROTOCOL = 1002,
    WS_CLOSE_UNSUPPORTED = 1003,
    WS_CLOSE_NONE = 1005, /* never on the wire: no code was given */
    WS_CLOSE_BAD_DATA = 1007,
    WS_CLOSE_POLICY = 1008,
    WS_CLOSE_TOO_BIG = 1009,
    WS_CLOSE_INTERNAL = 1011,
};

enum {
    WS_HEADER_MAX = 14,
    WS_CONTROL_MAX = 125,
    WS_CLOSE_FRAME_MAX = WS_HEADER_MAX + WS_CONTROL_MAX,
};

/* A whole message. `payload` points into the bytes given to ws_reader_next()
 * or into the reader: valid until the next call. */
struct ws_message {
    enum ws_opcode opcode; /* text, binary, close, ping, pong */
    struct span payload;   /* close: the reason (UTF-8) */
    uint16_t close_code;   /* close: the peer's code or WS_CLOSE_NONE */
};

struct ws_reader {
    enum ws_role role;
    struct buf message; /* pieces of a message not yet whole */
    uint8_t header[WS_HEADER_MAX];
    uint8_t header_len; /* bytes of it that are there */
    uint8_t control[WS_CONTROL_MAX];
    uint8_t control_len;
    uint8_t opcode;      /* of the frame being read */
    uint8_t fin;         /* of the frame being read */
    uint8_t data_opcode; /* of the fragmented message, 0: none */
    uint8_t in_payload;
    uint8_t mask[4];
    uint64_t frame_len;
    uint64_t frame_done; /* payload bytes taken */
    uint16_t close_code; /* to send after an error */
    uint8_t ended;       /* a close was read, or an error met */
    uint8_t delivered;   /* `message` was handed out: reset at the next call */
};

/* Messages up to `max_message` bytes; allocates nothing yet. */
void ws_reader_init(struct ws_reader *reader, enum ws_role role,
                    size_t max_message);
void ws_reader_deinit(struct ws_reader *reader);

/* Read from the front of `*data`, `*len` bytes that may be changed (they are
 * unmasked in place), and move both on behind what was read.
 *
 * Returns 1 and a message; call again while it returns 1. Returns 0 when all
 * bytes are read and the next message is not whole yet; they may be reused,
 * the reader keeps what it needs. Or an error, after which the reader reads
 * nothing more and ws_reader_close_code() says what to tell the peer:
 *   ERR_PARSE   not RFC 6455 (1002), text not UTF-8 (1007)
 *   ERR_LIMIT   message too long (1009); known from the header, before any
 *               of it is stored
 *   ERR_CLOSED  bytes behind a close frame (there is nobody to tell)
 *   -ENOMEM     (1011) */
int ws_reader_next(struct ws_reader *reader, uint8_t **data, size_t *len,
                   struct ws_message *ret_message);

uint16_t ws_reader_close_code(const struct ws_reader *reader);

/* A frame or a message has begun and is not whole. */
bool ws_reader_is_inside(const struct ws_reader *reader);

/* Bytes held for a message that is not whole. */
size_t ws_reader_pending(const struct ws_reader *reader);

enum ws_fin {
    WS_MORE, /* a fragment; WS_CONTINUATION follows */
    WS_FIN,
};

/* Write the header of a frame with `len` bytes of payload. `mask` is NULL from
 * a server; a client passes 4 fresh random bytes and then masks the payload.
 * Returns the header's length. */
size_t ws_header_write(uint8_t out[WS_HEADER_MAX], enum ws_opcode opcode,
                       enum ws_fin fin, uint64_t len, const uint8_t *mask);

/* Mask or unmask bytes that begin at `offset` of the payload, in place. */
void ws_mask(uint8_t *data, size_t len, const uint8_t mask[4], uint64_t offset);

/* A whole close frame: `code` WS_CLOSE_NONE gives an empty one; the reason is
 * cut at a character's boundary to fit. Returns its length. */
size_t ws_close_write(uint8_t out[WS_CLOSE_FRAME_MAX], uint16_t code,
                      struct span reason, const uint8_t *mask);

/* True for codes that may stand in a close frame (RFC 6455 7.4). */
bool ws_close_code_is_valid(uint16_t code);

/* The closing handshake (RFC 6455 7.1): each side sends one close frame; the
 * server then ends TCP. Zero is open. */
struct ws_closing {
    bool sent;
    bool received;
};

enum ws_close_step {
    WS_STEP_WAIT,   /* ours is sent: wait for the peer's, with a deadline */
    WS_STEP_REPLY,  /* send ours with the peer's code, then end */
    WS_STEP_FINISH, /* both are through: end the connection */
};

/* We want to close, or have met an error: true when a close frame is to be
 * sent now, false when one was sent before. */
bool ws_closing_begin(struct ws_closing *closing);

/* The peer's close frame was read. */
enum ws_close_step ws_closing_on_close(struct ws_closing *closing);

#endif /* WS_FRAME_H */
