/* SPDX-License-Identifier: MIT */
/* http_parse.h - incremental HTTP/1 parser for one direction of a connection.
 *
 * llhttp in its strict mode tells where things are; http_rules.h refuses what
 * llhttp leaves to us. Bytes are pulled through, event by event:
 *
 *   struct span in = bytes_read;
 *   for (;;) {
 *       switch (http_parser_next(parser, &in, &body)) {
 *       case HTTP_EVENT_MORE:  return;             (in is used up: read more)
 *       case HTTP_EVENT_HEAD:  http_parser_msg(parser) …; break;
 *       case HTTP_EVENT_BODY:  body …; break;      (a view into `in`)
 *       case HTTP_EVENT_END:   …; break;           (the message is complete)
 *       case HTTP_EVENT_ERROR: http_parser_error(parser) …; return;
 *       }
 *   }
 *
 * To pause, do not call; what is left in `in` is the caller's to keep. Nothing
 * behind the end of a message is touched before the next call: after END of an
 * upgraded message the rest of `in` belongs to the tunnel.
 *
 * A head that lies within one `in` is not copied: its spans point there. When
 * MORE is returned inside the content, the parser copies the head to itself
 * first, so that it stays until the message ends; who keeps it for other
 * reasons (a pause, or beyond END) calls http_parser_hold() before those bytes
 * go. A head that comes in pieces is collected inside the parser. All end
 * with the next message. Memory: nothing is allocated once warm; bounded by the
 * limits. Not thread-safe.
 */
#ifndef HTTP_PARSE_H
#define HTTP_PARSE_H

#include "http/http_msg.h"

struct http_parser;

struct http_limits {
    uint32_t start_line; /* bytes, without CRLF */
    uint32_t head;    /* bytes of start line and header fields; of trailers */
    uint32_t headers; /* number of header fields; of trailers */
    uint32_t chunk_line; /* bytes of a chunk's size line with extensions */
};

/* 8 KiB, 32 KiB, 100, 256 */
extern const struct http_limits http_limits_default;

enum http_event {
    HTTP_EVENT_MORE,
    HTTP_EVENT_HEAD,
    HTTP_EVENT_BODY,
    HTTP_EVENT_END,
    HTTP_EVENT_ERROR, /* for good: the connection has no more messages */
};

/* Why, and the status a server answers with (a client answers 502). */
#define HTTP_ERROR_MAP(X)                                                      \
    X(NONE, 200, "no error")                                                   \
    X(SYNTAX, 400, "malformed message")                                        \
    X(START_LINE, 400, "malformed start line")                                 \
    X(FIELD, 400, "malformed header field")                                    \
    X(CONTROL, 400, "control character, bare CR or LF, or folded line")        \
    X(LENGTH, 400, "repeated or malformed Content-Length")                     \
    X(LENGTH_AND_CODING, 400, "Content-Length with Transfer-Encoding")         \
    X(CODING, 400, "Transfer-Encoding that does not end in one chunked")       \
    X(CODING_VERSION, 400, "Transfer-Encoding in HTTP/1.0")                    \
    X(CHUNK, 400, "malformed chunk, or chunk line too long")                   \
    X(TRAILER, 400, "trailer not allowed, or too large")                       \
    X(TARGET, 400, "malformed request target")                                 \
    X(HOST, 400, "missing, repeated or malformed Host")                        \
    X(HOST_DIFFERS, 400, "Host differs from the request target")               \
    X(CONNECTION, 400, "Connection names an end-to-end field")                 \
    X(UPGRADE_BODY, 400, "Upgrade with content")                               \
    X(CONTENT, 400, "content where none is allowed")                           \
    X(TRUNCATED, 400, "connection ended inside a message")                     \
    X(AFTER_CLOSE, 400, "bytes behind the last message")                       \
    X(LINE_TOO_LONG, 414, "start line too long")                               \
    X(EXPECT, 417, "expectation not known")                                    \
    X(HEAD_TOO_LARGE, 431, "header fields too large or too many")              \
    X(METHOD, 501, "method not known")                                         \
    X(CODING_UNKNOWN, 501, "transfer coding not known")                        \
    X(MEMORY, 503, "out of memory")                                            \
    X(VERSION, 505, "version not supported")

enum http_error {
#define HTTP_ERROR_ENUM(name, status, text) HTTP_ERROR_##name,
    HTTP_ERROR_MAP(HTTP_ERROR_ENUM)
#undef HTTP_ERROR_ENUM
};

int http_error_status(enum http_error error);
const char *http_error_str(enum http_error error);

/* Returns 0 and the parser, or -ENOMEM. `limits` is copied. Release with
 * http_parser_free(). */
int http_parser_new(struct http_parser **ret_parser, enum http_kind kind,
                    const struct http_limits *limits);

/* NULL is accepted. */
void http_parser_free(struct http_parser *parser);

/* Begin anew for another connection; the memory is kept. */
void http_parser_reset(struct http_parser *parser);

/* Give memory back between messages (idle connections). The last message's
 * head is gone then. */
void http_parser_shrink(struct http_parser *parser);

/* Response parser: the method of the request whose final response comes next.
 * It decides whether there is content. GET until told. */
void http_parser_set_request(struct http_parser *parser,
                             enum http_method method);

/* The next event of `*input`, which is moved behind what was used. `*ret_body`
 * is written with BODY only, and is never empty. */
enum http_event http_parser_next(struct http_parser *parser, struct span *input,
                                 struct span *ret_body);

/* The peer closed. END when that completes a response (CLOSE framing), MORE
 * when no message was begun, else ERROR (TRUNCATED). */
enum http_event http_parser_eof(struct http_parser *parser);

/* The head, from HEAD until the next message begins. */
const struct http_msg *http_parser_msg(const struct http_parser *parser);

/* Copy the head's bytes, if they still lie in the caller's memory.
 * Returns 0 or -ENOMEM. */
int http_parser_hold(struct http_parser *parser);

/* The trailer fields, from END until the next message begins. */
const struct http_header *http_parser_trailers(const struct http_parser *parser,
                                               size_t *ret_n);

/* No byte of a message has come (or the last one is complete): closing now cuts
 * nothing. */
bool http_parser_is_idle(const struct http_parser *parser);

/* After ERROR. */
enum http_error http_parser_error(const struct http_parser *parser);

#endif /* HTTP_PARSE_H */
