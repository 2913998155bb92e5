/* SPDX-License-Identifier: MIT */
/* h2_server.h - the server's side of one HTTP/2 connection (RFC 9113), without
 * a socket or a clock; nghttp2 inside.
 *
 * Bytes received are pushed in with h2_server_recv(), which reports requests
 * and their content; bytes to send are pulled out with h2_server_send(). The
 * connection is full of things a peer can make us hold or do: every one of
 * them has a limit here, and who goes beyond is told ENHANCE_YOUR_CALM.
 *
 *   streams       SETTINGS_MAX_CONCURRENT_STREAMS; more are refused
 *   resets        of streams not answered yet, by either side: "rapid reset"
 *                 (CVE-2023-44487), "made you reset" (CVE-2025-8671)
 *   frames        that carry nothing: SETTINGS, PING, PRIORITY, empty DATA,
 *                 WINDOW_UPDATE beyond what DATA of ours explains, unknown
 *   header blocks CONTINUATION frames and decoded bytes of one
 *   output        frames of ours that wait, while the peer does not read
 *   input         the windows; they grow by h2_server_consume() only
 *
 * Events are called from inside h2_server_recv() and h2_server_send(). They
 * may call everything but these two and h2_server_free(). Not thread-safe.
 */
#ifndef H2_SERVER_H
#define H2_SERVER_H

#include "base/buf.h"
#include "h2/h2_head.h"

struct h2_server;

/* Why a connection was given up. */
#define H2_FAULT_MAP(X)                                                        \
    X(NONE, "none")                                                            \
    X(PROTOCOL, "protocol")           /* nghttp2 says so */                    \
    X(CLOSED, "closed")               /* frames on streams that are */         \
    X(RESETS, "resets")               /* too many streams reset */             \
    X(FRAMES, "frames")               /* too many that carry nothing */        \
    X(CONTINUATIONS, "continuations") /* of one header block */                \
    X(HEADERS, "headers")             /* decoded bytes of one header block */  \
    X(OUTPUT, "output")               /* answers to frames are not read */     \
    X(MEMORY, "memory")

enum h2_fault {
#define H2_FAULT_ENUM(id, text) H2_FAULT_##id,
    H2_FAULT_MAP(H2_FAULT_ENUM)
#undef H2_FAULT_ENUM
};

struct h2_limits {
    uint32_t streams;
    uint32_t window;            /* bytes of content we take ahead, a stream */
    uint32_t connection_window; /* all streams together */
    uint32_t head;              /* bytes of a request head as HTTP/1 */
    uint32_t resets;            /* at once; a tenth of it each second */
    uint32_t frames;            /* the same */
    bool secure;
    bool websocket; /* offer RFC 8441 */
};

struct h2_events {
    /* A request head. `status` 0: `head` is one of HTTP/1.1, to be parsed and
     * judged; otherwise answer with this (400, 431, 501) and nothing is in
     * `head`. `ends`: no content follows. `tunnel`: it was an extended CONNECT
     * (RFC 8441), `head` is the handshake of a WebSocket, and an answer of 101
     * goes out as 200. `head` lives during the call. What
     * it returns stands for the stream in the events below; NULL: the stream
     * is refused (REFUSED_STREAM). */
    void *(*on_request)(void *arg, int32_t id, struct span head, int status,
                        bool ends, bool tunnel);
    /* Content, never empty; give it back with h2_server_consume() when it is
     * gone. */
    void (*on_data)(void *arg, void *stream, struct span data);
    /* The request, or the client's half of a tunnel, is complete. */
    void (*on_end)(void *arg, void *stream);
    /* The stream is no more: everything sent and received, or reset. */
    void (*on_closed)(void *arg, void *stream);
    /* At most `size` bytes of the answer's content into `out`; `*ret_end`:
     * that is all of it, and `*ret_trailers` (lines of HTTP/1) follows. 0
     * without the end: wait for h2_server_resume(). */
    size_t (*on_take)(void *arg, void *stream, uint8_t *out, size_t size,
                      bool *ret_end, struct span *ret_trailers);
    /* All of the answer is sent, but the request is not complete. */
    void (*on_answered)(void *arg, void *stream);
    /* A header block that is none (RFC 9113 8.1.1); its stream is reset. */
    void (*on_malformed)(void *arg);
    /* The answer to h2_server_ping(). */
    void (*on_pong)(void *arg);
    void *arg;
};

/* `events` and `limits` are copied. Returns 0 or -ENOMEM; our SETTINGS wait to
 * be sent. Release with h2_server_free(), which reports nothing more. */
int h2_server_new(struct h2_server **ret_h2, const struct h2_limits *limits,
                  const struct h2_events *events, uint64_t now);
void h2_server_free(struct h2_server *h2);

/* False when the connection has to end, after what is still to be sent. */
bool h2_server_recv(struct h2_server *h2, struct span data, uint64_t now);

/* The next frame to send, valid until the next call of any function; empty
 * when there is none now. */
struct span h2_server_send(struct h2_server *h2);

/* Neither side has anything more to say. */
bool h2_server_is_over(const struct h2_server *h2);
enum h2_fault h2_server_fault(const struct h2_server *h2);
/* What the peer has begun and not completed: the number of a header block or
 * of a frame other than DATA, 1 for the preface; 0: nothing. */
uint64_t h2_server_in_frame(const struct h2_server *h2);

/* An interim answer (1xx), from an HTTP/1 head; the final one, `ends`: without
 * content. 0, or an error: reset the stream then. */
int h2_server_interim(struct h2_server *h2, int32_t id, struct span head);
int h2_server_answer(struct h2_server *h2, int32_t id, struct span head,
                     bool ends);

/* There is content again, or its end. */
void h2_server_resume(struct h2_server *h2, int32_t id);
/* `id` 0: content that is thrown away makes room for other streams only. */
void h2_server_consume(struct h2_server *h2, int32_t id, size_t len);

/* RST_STREAM; on_closed() follows. */
enum h2_reason {
    H2_REASON_NONE = 0x0,
    H2_REASON_INTERNAL = 0x2,
    H2_REASON_REFUSED = 0x7,
    H2_REASON_CANCEL = 0x8,
    H2_REASON_CONNECT = 0xa,
};
void h2_server_reset(struct h2_server *h2, int32_t id, enum h2_reason reason);
/* No event names this stream's owner any more. */
void h2_server_forget(struct h2_server *h2, int32_t id);

/* RFC 9113 6.8: first say that it ends, without refusing what is on its way;
 * then that nothing new is taken. Streams go on. */
void h2_server_announce_end(struct h2_server *h2);
void h2_server_take_no_more(struct h2_server *h2);
/* End it now, streams included. */
void h2_server_terminate(struct h2_server *h2);

void h2_server_ping(struct h2_server *h2);

#endif /* H2_SERVER_H */
