/* SPDX-License-Identifier: MIT */
/* h2_head.h - heads between HTTP/2 and HTTP/1 (RFC 9113 section 8).
 *
 * A request's header block is collected field by field and becomes the text
 * of an HTTP/1.1 head. That goes through the same parser as any other head,
 * so that one set of rules decides about both versions. What RFC 9113 forbids
 * beyond it (8.2, 8.3), and what could not be written as HTTP/1 without
 * changing its meaning, is found here.
 * The other way a head of HTTP/1 becomes a list of fields.
 */
#ifndef H2_HEAD_H
#define H2_HEAD_H

#include "base/buf.h"

enum {
    H2_HEAD_MAX = 128 * 1024, /* collected, whatever the limits say */
    H2_FIELDS_MAX = 256,      /* of an answer */
};

/* One header block in the making. */
struct h2_block {
    struct buf method, scheme, authority, path, protocol;
    struct buf host;   /* of a Host field */
    struct buf fields; /* "name: value\r\n" */
    struct buf cookie; /* crumbs, joined (RFC 9113 8.2.3) */
    struct buf text;   /* the head as HTTP/1.1 */
    size_t size;       /* decoded, as RFC 9113 6.5.2 counts */
    size_t bytes;      /* the same as lines of HTTP/1 */
    bool has_host;
    bool has_length;
    bool bad;       /* malformed */
    bool too_large; /* the rest was not kept */
};

/* What asks a block to become a head. */
struct h2_form {
    bool secure;   /* :scheme has to be "https", or else "http" */
    bool ends;     /* no content follows */
    bool connects; /* RFC 8441 is on */
    /* Sec-WebSocket-Key of the handshake made from an extended CONNECT. */
    const char *key;
};

void h2_block_init(struct h2_block *block);
void h2_block_deinit(struct h2_block *block);
/* Begin another one; the memory is kept unless it is much. */
void h2_block_reset(struct h2_block *block);

/* A field of the block, as decoded. Beyond `max` bytes none is kept. */
void h2_block_add(struct h2_block *block, struct span name, struct span value,
                  size_t max);

/* The head, in block->text. Returns 0, or the status that refuses it: 400
 * malformed, 431 too large, 501 an unknown :protocol; or -ENOMEM. */
int h2_block_write(struct h2_block *block, const struct h2_form *form);

/* True when the block opens a tunnel for another protocol (RFC 8441). */
bool h2_block_is_tunnel(const struct h2_block *block);

/* One field of an answer. Names are in lower case. */
struct h2_field {
    struct span name;
    struct span value;
};

/* The fields of an HTTP/1 head that was written by ourselves, without those
 * that only mean something on its connection (RFC 9113 8.2.2). ":status"
 * comes first. A 101 becomes 200: the tunnel is open (RFC 8441 5.1).
 * `scratch` holds what the fields point to, until it is changed.
 * Returns the status and the fields; ERR_PARSE, ERR_LIMIT (more than
 * H2_FIELDS_MAX), or -ENOMEM. */
int h2_head_split(struct span head, struct buf *scratch,
                  struct h2_field fields[H2_FIELDS_MAX], size_t *ret_n);

/* The same of lines without a status: trailers. Returns 0 or an error. */
int h2_lines_split(struct span lines, struct buf *scratch,
                   struct h2_field fields[H2_FIELDS_MAX], size_t *ret_n);

#endif /* H2_HEAD_H */
