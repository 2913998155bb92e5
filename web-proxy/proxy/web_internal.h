/* SPDX-License-Identifier: MIT */
/* web_internal.h - the objects of the core, shared inside this folder only.
 *
 *   core ─┬─ views (a site and its kept links; the current one and those still
 *         │         used by requests that began before a reload)
 *         ├─ sessions ── exchange ── link       while a request is under way
 *         │    └─ or, of HTTP/2: streams, which are sessions ── exchange ──
 * link └─ idle links                         in the pools of the views
 *
 * Nothing is freed while an event is being handled: what ends is put on a list
 * and recycled by core_leave(). So every function may go on using its objects,
 * and looks at `state` when something it called could have ended them.
 */
#ifndef WEB_INTERNAL_H
#define WEB_INTERNAL_H

#include "base/buf.h"
#include "base/list.h"
#include "base/timers.h"
#include "http/http_parse.h"
#include "proxy/web_core.h"
#include "proxy/web_forward.h"
#include "proxy/web_frames.h"
#include "proxy/web_page.h"
#include "proxy/web_request.h"
#include "proxy/web_shown.h"

enum {
    WEB_HEAD_BUFFER_MAX = 96 * 1024, /* a head we write */
    WEB_INPUT_MAX = 256 * 1024,      /* received, not yet understood */
    WEB_SPARE_MAX = 256,             /* recycled objects of a kind */
    WEB_WARM_BUFFER = 8 * 1024,      /* kept in a recycled object */
    WEB_INTERIM_MAX = 8,             /* 1xx answers to one request */
};

/* The links of one server, and its turn. */
struct web_pool {
    struct list idle; /* front: used last */
    uint32_t n_idle;
    uint32_t n_links; /* in all */
    int64_t turn;     /* round robin: how much this server is owed */
};

/* The active checks of one server; `backend` NULL: it has none. */
struct web_check {
    struct timer timer; /* the next one; or the end of the one under way */
    struct web_view *view;
    const struct web_backend *backend;
    struct web_link *link; /* the one under way */
    uint64_t next;
};

/* Requests that wait for a server of one upstream. */
struct web_queue {
    struct list waiting; /* by web_exchange.node */
    uint32_t n;
};

struct web_view {
    struct list node;
    struct web_site *site;
    unsigned users;         /* requests and links, and the core while current */
    struct web_pool *pools; /* one per server */
    struct web_check *checks; /* one per server */
    struct web_queue *queues; /* one per upstream */
};

struct web_core {
    struct web_env env;
    struct web_stats *stats;
    unsigned worker;
    uint32_t unlogged; /* requests that went well, since the last in the log */
    struct timers timers;
    uint64_t now; /* of the event being handled */
    bool draining;
    unsigned depth; /* of events; 0 outside */

    struct timer farewell; /* draining: to the WebSockets that are left */
    struct list tunnels;   /* exchanges by their `node` */

    struct list views;
    struct web_view *view; /* the current one */
    struct http_limits request_limits;
    struct http_limits answer_limits;

    struct list sessions; /* alive */
    struct list links;    /* alive */
    uint32_t n_sessions;
    uint32_t n_delayed;
    uint32_t n_queued;

    struct list dead_sessions, dead_links, dead_exchanges;
    struct list spare_sessions, spare_links, spare_exchanges, spare_streams;
    uint32_t n_spare_sessions, n_spare_links, n_spare_exchanges;
    uint32_t n_spare_streams;

    struct list flush; /* connections of HTTP/2 that may have to send */

    /* Scratch of one event. */
    struct buf out;
    struct web_request request;
    struct http_parser *h2_heads; /* reads those of HTTP/2; NULL: none yet */
    struct web_shown shown;
};

/* How a session speaks: HTTP/1 (web_h1.c), one stream of HTTP/2
 * (web_h2_stream.c), or the connection that carries those (web_h2.c), which
 * itself asks for nothing. */
struct session_ops {
    const char *version; /* of HTTP, for the log */

    /* To the client: a head, interim or final, as HTTP/1 writes it; content;
     * its end. 0, or an error: abort the session then. */
    int (*head)(struct web_session *s, struct span head);
    int (*body)(struct web_session *s, struct span body, bool chunked);
    int (*finish)(struct web_session *s, bool chunked,
                  const struct http_header *trailers, size_t n);
    size_t (*queued)(const struct web_session *s);
    /* Bytes sent on its connection that the client has not taken yet. */
    size_t (*unacked)(const struct web_session *s);
    /* So much of it that the back end should wait? */
    bool (*is_full)(const struct web_session *s, size_t max);
    /* The answer is complete: the next one, or the end. */
    void (*next)(struct web_session *s);
    /* Nothing more of ours in a tunnel. */
    void (*half_end)(struct web_session *s);
    /* Everything is said; the state has changed already. */
    void (*shutdown)(struct web_session *s);
    /* The session has ended, with what was its io. */
    void (*gone)(struct web_session *s, void *io, bool abort);
    /* When nobody looks at it any more; NULL: it is kept for another. */
    void (*recycle)(struct web_session *s);

    void (*resume)(struct web_session *s);
    void (*update_reading)(struct web_session *s);
    void (*on_timer)(struct web_session *s); /* outside of an exchange */
    void (*drain)(struct web_session *s);

    /* Of an io. */
    void (*on_data)(struct web_session *s, struct span data);
    void (*on_writable)(struct web_session *s);
    void (*on_end)(struct web_session *s);
    void (*on_closed)(struct web_session *s);
};

enum web_session_state {
    WEB_SESSION_HEAD,     /* waits for a request */
    WEB_SESSION_EXCHANGE, /* one is under way */
    WEB_SESSION_TUNNEL,
    WEB_SESSION_CLOSING, /* everything said; the shell will report closed */
    WEB_SESSION_DEAD,
};

struct web_session {
    struct list node;
    struct web_core *core;
    const struct session_ops *ops;
    void *io; /* NULL for a stream */
    const struct web_entry *entry;
    struct addr client;
    struct web_client_name client_name;
    enum web_session_state state;

    struct http_parser *parser; /* NULL in a tunnel */
    struct buf in;              /* received, for later */
    struct web_exchange *exchange;

    struct timer timer;
    uint64_t due;          /* what the timer is for may have moved to here */
    bool began;            /* bytes of the next head are there */
    bool persists;         /* the connection may carry another request */
    bool ended;            /* the client sends no more */
    bool head_only;        /* the request is HEAD */
    bool tunnels;          /* it is an extended CONNECT: 2xx opens a tunnel */
    bool wants_json;       /* rather than a page */
    struct web_peer *peer; /* by its TLS session; NULL: nothing is known */
    const struct web_edits *edits; /* of its route; NULL: the site's */
    uint8_t minor;                 /* of the request: HTTP/1.0 or 1.1 */
    uint32_t requests;
};

enum web_exchange_state {
    WEB_EXCHANGE_DELAYED, /* held by a rate zone */
    WEB_EXCHANGE_QUEUED,  /* all servers are full */
    WEB_EXCHANGE_DIALLING,
    WEB_EXCHANGE_OPEN, /* the link is there, the head is sent */
    WEB_EXCHANGE_TUNNEL,
    WEB_EXCHANGE_DEAD,
};

struct web_exchange {
    struct list node;
    struct web_session *session;
    struct web_view *view;
    const struct web_route *route;
    const struct web_upstream *upstream;
    const struct web_backend *backend; /* the server; NULL: none yet */
    struct web_pool *pool;             /* of that server */
    uint64_t tried;                    /* its servers, one bit each */
    uint64_t give_up;                  /* no other server after this moment */
    uint64_t balance_key;
    uint64_t queue_until; /* 0: it has not waited */
    bool full;            /* a server had no room */
    struct web_link *link;
    enum web_exchange_state state;

    struct web_reader *reader; /* a file instead of a back end */
    unsigned file_forms;

    struct buf head;    /* as sent to the back end, for a second try */
    size_t head_len;    /* of the head; behind it, for us: */
    size_t host_len;    /* Host as it came, */
    size_t path_len;    /* path and query as they came */
    size_t head_method; /* length of the method at its front */

    enum http_method method;
    bool upgrade;         /* a WebSocket handshake */
    bool expects;         /* the client waits for 100 */
    bool request_chunked; /* its content goes on in chunks */
    bool request_done;    /* received as a whole */
    bool request_lost;    /* the back end takes no more of it */
    bool retried;
    bool kept_link;                    /* went on a connection that was there */
    bool answer_begun;                 /* its final head went to the client */
    bool client_ended, upstream_ended; /* halves of a tunnel */
    struct web_frames from_client, from_upstream; /* of it */
    enum web_body answer_body;
    int status;
    unsigned interims;
    char accept[WS_ACCEPT_SIZE];

    char trace[WEB_TRACE_ID_SIZE];
    uint64_t began;      /* ms */
    uint64_t asked;      /* a link was wanted: all waiting is over */
    uint64_t upload;     /* when its content began to be read; 0: not yet */
    uint64_t opened;     /* the link was there */
    uint64_t sent;       /* request complete at the back end */
    uint64_t first_byte; /* of the answer; 0: none yet */
    uint64_t body_in, body_out;
    size_t client_queued, upstream_queued; /* when last looked at */
};

enum web_link_state {
    WEB_LINK_DIALLING,
    WEB_LINK_IDLE,
    WEB_LINK_BUSY,
    WEB_LINK_TUNNEL,
    WEB_LINK_CHECK,
    WEB_LINK_CLOSING,
    WEB_LINK_DEAD,
};

struct web_link {
    struct list node; /* in core.links, or a list of ended ones */
    struct list idle; /* in its pool */
    struct web_core *core;
    struct web_view *view;
    struct web_pool *pool;
    const struct web_backend *backend;
    void *io;
    void *dial;
    enum web_link_state state;
    bool reused; /* carried an answer before */
    struct http_parser *parser;
    struct web_exchange *exchange;
    struct web_check *check; /* instead of an exchange */
    struct timer timer;      /* idle time; may come before `idle_until` */
    uint64_t idle_until;
    uint64_t keep_ms; /* how long the back end keeps it, if it said so */
};

enum web_timer_kind {
    WEB_TIMER_SESSION,
    WEB_TIMER_LINK,
    WEB_TIMER_CHECK,
    WEB_TIMER_FAREWELL,
};

/* ---- web_core.c ---- */

/* Around every event from outside. */
void core_enter(struct web_core *core, uint64_t now);
void core_leave(struct web_core *core);
void view_unref(struct web_core *core, struct web_view *view);
void core_count_answer(struct web_core *core, int status);
int core_write(struct web_core *core, void *io, struct span bytes);
/* An emptied scratch buffer. */
struct buf *core_scratch(struct web_core *core);

/* ---- web_h1.c, web_h2.c ---- */

/* A session that is filled in becomes one of HTTP/1. 0 or -ENOMEM. */
int h1_session_start(struct web_session *s);
/* A connection of HTTP/2; begin it when it is filled in. */
struct web_session *h2_session_new(struct web_core *core);
int h2_session_start(struct web_session *s);
void h2_free_spares(struct web_core *core);
/* Send what has come together for the clients in this event. */
void h2_flush_all(struct web_core *core);

/* ---- web_session.c ---- */

/* What stays when it is used again, and what does not. */
void session_init(struct web_core *core, struct web_session *s);
void session_begin(struct web_session *s);
/* The request that was is of no interest any more. */
void session_forget_request(struct web_session *s);
void session_recycle(struct web_core *core, struct web_session *s);
void session_destroy(struct web_session *s);
/* The io is gone or was given up: everything of the session ends. */
void session_end(struct web_session *s);
/* What is left to do for a connection: it counts no more, its io is closed. */
void session_close_io(struct web_session *s, void *io, bool abort);
/* RST: the answer is incomplete. */
void session_abort(struct web_session *s);
/* Everything is said: let the client read it, then close. */
void session_shutdown(struct web_session *s);
/* The client does not want the answer any more. */
void session_give_up(struct web_session *s);
/* A request head was received, or what is none. */
void session_on_request(struct web_session *s, const struct http_msg *msg);
void session_on_malformed(struct web_session *s, int status);
void session_on_timer(struct web_session *s);
/* Move the moment at which on_timer() is wanted. */
void session_set_due(struct web_session *s, uint64_t due);
/* Go on with what was received and could not be used then. */
static inline void session_continue(struct web_session *s)
{
    s->ops->resume(s);
}
/* Answer by ourselves. `retry_s` and `location` are for 429 and 308. */
void session_answer(struct web_session *s, int status, uint64_t retry_s,
                    struct span location);
/* The answer is complete; begin to wait for the next request, or close. */
static inline void session_next(struct web_session *s)
{
    s->ops->next(s);
}
/* Read on, or let the client wait, as the state of things is. */
static inline void session_update_reading(struct web_session *s)
{
    s->ops->update_reading(s);
}
/* Bytes that wait for the client to take them. */
static inline size_t session_queued(const struct web_session *s)
{
    return s->ops->queued(s);
}
/* Will another request be taken after this one? */
bool session_persists(const struct web_session *s);

/* ---- web_exchange.c ---- */

/* A request head is understood and allowed. */
void exchange_begin(struct web_session *s, const struct web_request *rq,
                    const struct web_route *route, uint64_t delay_ms);
void exchange_recycle(struct web_core *core, struct web_exchange *x);
void exchange_destroy(struct web_exchange *x);
/* The session is going: let go of everything. */
void exchange_drop(struct web_exchange *x);
bool exchange_wants_body(const struct web_exchange *x);
void exchange_on_body(struct web_exchange *x, struct span body);
void exchange_on_request_end(struct web_exchange *x);
void exchange_on_delay_over(struct web_exchange *x);
/* Out of the queue: there is room for it. */
void exchange_go_on(struct web_exchange *x);
void exchange_on_timeout(struct web_exchange *x);
void exchange_fail(struct web_exchange *x, int status);
void exchange_redirect(struct web_exchange *x, int status,
                       struct span location);
/* The client takes more of the answer. */
void exchange_on_client_room(struct web_exchange *x);
/* It takes some, but not so much that it would be given more time. */
void exchange_fill(struct web_exchange *x);
/* What a client has to take between two looks at it, bytes. */
size_t exchange_least(const struct web_limits *limits);
/* Its server gave no answer: that speaks against the server. */
void exchange_blame(struct web_exchange *x);
void exchange_update_due(struct web_exchange *x);
void exchange_on_dialled(struct web_exchange *x);
void exchange_on_dial_failed(struct web_exchange *x, int err);
/* The link is no more. `untouched`: it had been kept, and not a byte of an
 * answer came. */
void exchange_on_link_lost(struct web_exchange *x, bool untouched, int err);

/* ---- web_answer.c ---- */

void answer_on_data(struct web_link *link, struct span in);
/* The back end sends no more. */
void answer_on_end(struct web_link *link, int err);

/* The same for an answer of ours: its head (false when that has ended the
 * session or the exchange), its content, its end. */
bool answer_begin(struct web_exchange *x, const struct http_msg *msg);
void answer_body(struct web_exchange *x, struct span body);
void answer_end(struct web_exchange *x);

/* ---- web_reader.c ---- */

/* For a route of files. Returns 0 or the status that refuses it. */
int reader_new(struct web_exchange *x, const struct web_request *rq);
void reader_start(struct web_exchange *x);
/* The client takes more. */
void reader_pump(struct web_exchange *x);
void reader_close(struct web_reader *reader);
void reader_free(struct web_reader *reader);

/* ---- web_link.c ---- */

/* To the server whose turn it is: an idle one unless `fresh`, else a new one
 * being dialled. NULL when no server is left. */
struct web_link *link_get(struct web_exchange *x, bool fresh);
/* A new one to the server the exchange has. */
struct web_link *link_dial(struct web_exchange *x);
/* For a check, whatever the limits. */
struct web_link *link_dial_check(struct web_core *core,
                                 struct web_check *check);
void link_keep(struct web_link *link);
void link_close(struct web_link *link);
void link_shutdown(struct web_link *link);
void link_on_timer(struct web_link *link);
void link_recycle(struct web_core *core, struct web_link *link);
void link_destroy(struct web_link *link);
void link_update_reading(struct web_link *link);

/* ---- web_balance.c ---- */

/* Choose a server that was not tried and may be asked: x->backend, x->pool.
 * False when there is none. */
bool balance_pick(struct web_exchange *x);
/* Seconds until one of the servers may be asked again. */
uint64_t balance_retry_s(const struct web_exchange *x);
void balance_on_failure(struct web_core *core, const struct web_backend *b);
void balance_on_answer(struct web_core *core, const struct web_backend *b);

/* ---- web_queue.c ---- */

/* Wait. False when too many do. */
bool queue_enter(struct web_exchange *x);
/* Wait no longer. */
void queue_leave(struct web_exchange *x);
/* Do others wait for the same upstream? */
bool queue_is_waiting(const struct web_exchange *x);
/* Let those go on for whom there is room now. */
void queues_run(struct web_core *core);

/* ---- web_check.c ---- */

void checks_start(struct web_core *core, struct web_view *view);
void checks_stop(struct web_core *core, struct web_view *view);
void check_on_timer(struct web_core *core, struct web_check *check);
void check_on_dialled(struct web_link *link);
void check_on_data(struct web_link *link, struct span in);
/* The link of a check could not be had, or ended. */
void check_on_lost(struct web_link *link);

/* ---- web_tunnel.c ---- */

/* After the 101 was sent to the client; `rest` came behind it. */
void tunnel_begin(struct web_exchange *x, struct span rest);
void tunnel_from_client(struct web_exchange *x, struct span data);
void tunnel_from_upstream(struct web_exchange *x, struct span data);
void tunnel_on_client_end(struct web_exchange *x);
void tunnel_on_upstream_end(struct web_exchange *x);
void tunnel_on_timer(struct web_exchange *x);
/* We go away: say so to both sides. */
void tunnel_farewell(struct web_exchange *x);

/* ---- web_access.c ---- */

void access_log(const struct web_session *s, const struct web_exchange *x);
void access_log_refused(const struct web_session *s,
                        const struct web_request *rq, int status);
#endif /* WEB_INTERNAL_H */
