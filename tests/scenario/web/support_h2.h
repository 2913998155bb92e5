/* SPDX-License-Identifier: MIT */
/* support_h2.h - a client of HTTP/2 for the fake world: nghttp2's client side,
 * or frames written by hand.
 */
#ifndef WEB_SUPPORT_H2_H
#define WEB_SUPPORT_H2_H

#include "support_fake.h"

#include <nghttp2/nghttp2.h>

enum { H2_STREAMS = 512, H2_TEXT = 8192 };

struct h2_seen {
    int status;         /* of the final answer; 0: none */
    int interims;       /* 1xx */
    char head[H2_TEXT]; /* "name: value\n" of the final answer */
    char tail[H2_TEXT]; /* of the trailers */
    size_t body;        /* bytes */
    char text[H2_TEXT]; /* the first of them */
    bool ended;         /* END_STREAM */
    int reset;          /* error code; -1: none */
};

struct h2_client {
    struct fake_io *io;
    nghttp2_session *session;
    bool manual; /* windows grow only by hand */
    int goaway;  /* error code; -1: none */
    int goaways;
    int32_t last_id; /* of the GOAWAY */
    int pongs;
    uint32_t max_streams;
    bool connects;                   /* RFC 8441 was offered */
    struct h2_seen seen[H2_STREAMS]; /* by (id - 1) / 2 */
};

/* Connected, SETTINGS exchanged. `manual`: the client gives no window. */
struct h2_client *h2_connect(bool manual);
void h2_free(struct h2_client *c);

/* Let both sides talk until nothing moves. */
void h2_pump(struct h2_client *c);

/* "GET" without content; the stream's id. */
int32_t h2_get(struct h2_client *c, const char *path);
/* Fields as "name: value" strings, the last NULL. `open`: content follows. */
int32_t h2_ask(struct h2_client *c, const char *const *fields, bool open);
/* Content of a request that is open. */
void h2_data(struct h2_client *c, int32_t id, const char *text, size_t len,
             bool end);
struct h2_seen *h2_seen_of(struct h2_client *c, int32_t id);

/* A connection and what is sent on it, byte for byte: preface and SETTINGS
 * are sent already. */
struct fake_io *h2_raw(void);
void h2_raw_frame(struct fake_io *io, uint8_t type, uint8_t flags, uint32_t id,
                  const void *payload, size_t len);
/* A GET of "/", as a HEADERS frame, END_STREAM. */
void h2_raw_get(struct fake_io *io, uint32_t id);
/* The error code of the GOAWAY that was sent, -1: none. Takes everything. */
int h2_raw_goaway(struct fake_io *io);

#endif /* WEB_SUPPORT_H2_H */
