/* SPDX-License-Identifier: MIT */
/* sip_frame.h - cut a byte stream into SIP messages (RFC 3261 18.3, 7.5;
 * keep-alives of RFC 5626 4.4.1).
 *
 * The caller owns the receive buffer and shows all bytes it holds; the framer
 * only remembers how far it has looked. It finds the length with the same
 * header reader as sip_msg_parse(), so that the two cannot disagree: what it
 * cuts always parses with exactly that length, or the stream is at its end.
 *
 * The receive buffer must be able to hold limits->message + 1 bytes: a message
 * is cut when it is whole, and too long a one is seen by one byte more. What is
 * cut may still break other rules (sip_msg_parse() tells), such as a start
 * line that is no SIP; then it is wise to close the stream.
 */
#ifndef MSG_SIP_FRAME_H
#define MSG_SIP_FRAME_H

#include "msg/sip_msg.h"

struct sip_frame {
    size_t scanned; /* bytes of the current message already searched */
    size_t length;  /* of the current message; 0: not known yet */
};

enum sip_frame_kind {
    SIP_FRAME_MORE,    /* show it again when there are more bytes */
    SIP_FRAME_MESSAGE, /* `ret_len` bytes are one message */
    SIP_FRAME_PING,    /* `ret_len` bytes were CRLFCRLF: answer CRLF */
    SIP_FRAME_PONG,    /* `ret_len` bytes were a single CRLF */
};

void sip_frame_init(struct sip_frame *frame);

/* Look at `data`: everything received and not yet consumed. After any answer
 * but MORE consume `*ret_len` bytes and call again.
 *
 * Returns an enum sip_frame_kind, or ERR_PARSE, ERR_LIMIT: the stream cannot
 * be followed any further and must be closed; `*ret_fault` says why. */
int sip_frame_next(struct sip_frame *frame, struct span data,
                   const struct sip_limits *limits, size_t *ret_len,
                   enum sip_fault *ret_fault);

#endif /* MSG_SIP_FRAME_H */
