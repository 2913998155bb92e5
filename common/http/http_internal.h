/* SPDX-License-Identifier: MIT */
/* http_internal.h - the parser's state, shared by http_parse.c (events, limits,
 * memory) and http_scan.c (what llhttp says). Only for this folder.
 */
#ifndef HTTP_INTERNAL_H
#define HTTP_INTERNAL_H

#include "base/buf.h"
#include "http/http_parse.h"

#include <llhttp.h>

enum { HTTP_TRAILER_BYTES = 4096 };

/* llhttp is asked about heads and about chunks. The other framings are only
 * counting, which is done here. */
enum state {
    STATE_LEAD,   /* before a message; an empty line may come (RFC 9112 2.2) */
    STATE_LINE,   /* inside the start line */
    STATE_FIELDS, /* inside the header section */
    STATE_LENGTH,
    STATE_CHUNKED,
    STATE_TRAILERS, /* the last chunk is through */
    STATE_CLOSE,
    STATE_END,    /* END is still to be said */
    STATE_CLOSED, /* no message may follow */
    STATE_ERROR,
};

struct fields {
    struct http_header *items;
    size_t n;
    size_t cap;
    bool in_name;
};

struct http_parser {
    llhttp_t llhttp;
    enum http_kind kind;
    enum http_method request;
    struct http_limits limits;
    enum state state;
    enum http_error error;

    /* The head: `len` bytes at `base`, in the caller's memory or in `kept`. */
    const uint8_t *base;
    size_t len;
    bool is_kept;
    struct buf kept;
    bool has_lead_cr;
    bool had_lead;
    struct fields fields;
    struct http_msg msg;

    /* The content. */
    uint64_t left;    /* of LENGTH */
    struct span body; /* what llhttp found */
    size_t overhead;  /* bytes of chunk framing since the last content */
    struct fields trailers;
    struct buf trailer_bytes;
};

/* Begin a message. */
void http_scan_begin(struct http_parser *parser);

/* What it means that llhttp stopped with `code` in a head or in content. */
enum http_error http_scan_head_error(const struct http_parser *parser,
                                     llhttp_errno_t code);
enum http_error http_scan_content_error(const struct http_parser *parser);

#endif /* HTTP_INTERNAL_H */
