/* SPDX-License-Identifier: MIT */
/* h2_private.h - a connection's state, shared by h2_server.c (what comes in),
 * h2_answer.c (what goes out) and h2_guard.c (what is too much). Only for this
 * folder.
 */
#ifndef H2_PRIVATE_H
#define H2_PRIVATE_H

#include "base/ratelim.h"
#include "h2/h2_server.h"

#include <nghttp2/nghttp2.h>

enum {
    PREFACE = 24,
    RESERVE = 4096,
    HEAD_BOMB = 4,        /* times the limit, decoded */
    BOMB_MIN = 64 * 1024, /* and no less than this */
    CONTINUATIONS = 8,    /* of one header block */
    OUTPUT_FRAMES = 1000, /* that wait to be sent */
    CREDIT_REQUEST = 8,   /* frames that go with a request */
    CREDIT_DATA = 4,      /* WINDOW_UPDATEs that go with one DATA of ours */
    CREDIT_MAX = 1000,
    KEY_SIZE = 25,
    RESET_IDS = 128,
};

struct h2_server {
    nghttp2_session *session;
    struct h2_limits limits;
    struct h2_events events;
    uint64_t now;
    enum h2_fault fault;
    void *reserve;  /* memory for when there is none */
    bool is_broken; /* nghttp2 did not get what it needed */

    struct h2_block block;

    /* What the peer is in the middle of (h2_guard.c). */
    uint8_t frame[9];      /* its header */
    unsigned frame_len;    /* as far as it came */
    uint32_t payload_left; /* of it */
    unsigned preface_left;
    uint64_t frame_no; /* CONTINUATION not counted; the preface is 1 */
    bool in_block;     /* CONTINUATION has to follow */
    unsigned continuations;

    /* Streams that we have reset: more of them may be on its way. */
    int32_t reset_ids[RESET_IDS];
    uint32_t n_reset_ids; /* in all */

    struct ratelim resets;
    struct ratelim frames;
    uint32_t credit; /* frames that are explained */

    struct buf scratch; /* of an answer's head */
};

/* Note the fault; what a callback of nghttp2 then returns. */
int h2_fail(struct h2_server *h2, enum h2_fault fault);

/* ---- h2_guard.c ---- */

/* Look at a frame, or what there is of it, before nghttp2 does and when it has
 * dealt with all before. Returns its bytes; 0: that is too much of something,
 * the fault is noted. */
size_t h2_guard_scan(struct h2_server *h2, struct span data);
void h2_note_reset(struct h2_server *h2, int32_t id);
/* A stream that somebody works for was reset. */
int h2_guard_reset(struct h2_server *h2);
int h2_on_frame_send(nghttp2_session *session, const nghttp2_frame *frame,
                     void *user);
/* So many frames of the peer's have a reason. */
void h2_credit(struct h2_server *h2, uint32_t frames);

#endif /* H2_PRIVATE_H */
