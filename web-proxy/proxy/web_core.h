/* SPDX-License-Identifier: MIT */
/* web_core.h - the proxy of one worker: sessions, requests, links, tunnels.
 *
 *   web_session   who asks: a client's connection of HTTP/1.1, or a stream of
 *                 its connection of HTTP/2; heads in, answers out
 *   web_exchange  one request: decided, forwarded, answered
 *   web_link      a connection to a back end: kept, used, given up
 *
 * The core knows no sockets. An `io` is the shell's connection; the core asks
 * for things through `struct web_env`, and the shell reports events through
 * the functions below. An io belongs to the core from web_core_on_accept() or
 * web_core_on_dialled() until the core calls close() or abort() for it, or the
 * shell reports it closed; exactly one of the two.
 *
 * `now` is monotonic milliseconds. One thread; nothing is shared but the site.
 */
#ifndef WEB_CORE_H
#define WEB_CORE_H

#include "proxy/web_site.h"
#include "proxy/web_stats.h"

struct web_core;
struct web_session;
struct web_link;
struct web_reader;

/* What the core needs from the world. None of these may call back into the
 * core before it has returned. */
struct web_env {
    /* Queue the bytes, all or nothing: 0, or an error after which the shell
     * reports the io closed, unless the core closes it first. */
    int (*write)(void *arg, void *io, const struct span *parts, size_t n);
    /* Bytes queued and not sent. When it falls from above `queue_max` the
     * shell reports the io writable. */
    size_t (*queued)(void *arg, void *io);
    /* Bytes sent that the peer has not taken yet. Asked seldom. */
    size_t (*unacked)(void *arg, void *io);
    void (*pause)(void *arg, void *io);
    void (*resume)(void *arg, void *io);
    /* Send what is queued, let the peer read it, then report closed; no data
     * is reported any more. */
    void (*shutdown)(void *arg, void *io);
    /* Send what is queued and end this direction; the other goes on. */
    void (*end)(void *arg, void *io);
    /* At once, without further events; abort() tells the peer that something
     * is missing (RST). */
    void (*close)(void *arg, void *io);
    void (*abort)(void *arg, void *io);

    /* Open a connection; the shell reports web_core_on_dialled() or
     * _dial_failed(), later. Returns what names it for undial(), or NULL when
     * it cannot even begin. */
    void *(*dial)(void *arg, struct web_link *link,
                  const struct web_backend *backend);
    /* Give the attempt up; no report comes. */
    void (*undial)(void *arg, void *dial);

    /* Open a file below the folder, in the first of `forms` (bits of enum
     * web_file_form) that is there; the shell reports web_reader_on_open(),
     * later. NULL when it cannot even begin. */
    void *(*file_open)(void *arg, struct web_reader *reader,
                       const struct web_folder *folder, struct span name,
                       unsigned forms);
    /* Returns 1 and a piece that is valid until the next call; 0 when
     * web_reader_on_piece() will come, always so when `wait`; an error. */
    int (*file_read)(void *arg, void *file, uint64_t offset, size_t len,
                     bool wait, struct span *ret_piece);
    /* No report comes any more. */
    void (*file_close)(void *arg, void *file);

    /* The moment as "Sun, 06 Nov 1994 08:49:37 GMT". */
    const char *(*date)(void *arg);
    /* Unix time in seconds. */
    uint64_t (*wall)(void *arg);
    void *arg;
};

/* Where a client came in. */
struct web_entry {
    bool secure;   /* HTTPS */
    bool redirect; /* answers nothing but a redirect to HTTPS */
};

struct web_core_options {
    struct web_site *site; /* a reference is taken */
    struct web_env env;
    struct web_stats *stats; /* outlives the core */
    unsigned worker;         /* its number, for the meters */
};

/* Returns 0 or -ENOMEM. Release with web_core_free(). */
int web_core_new(struct web_core **ret_core,
                 const struct web_core_options *options);

/* Closes every io that is left. NULL is accepted. */
void web_core_free(struct web_core *core);

/* New requests see the new site; those under way keep theirs. Limits of the
 * tables of sessions and links stay as they were at the start. */
void web_core_set_site(struct web_core *core, struct web_site *site);

/* Answer what is under way, then close; take nothing new. Tunnels stay. */
void web_core_drain(struct web_core *core);

/* ---- client connections ---- */

/* `entry` outlives the session. NULL when there is no room: the io is then
 * still the shell's. */
struct web_session *web_core_on_accept(struct web_core *core, void *io,
                                       const struct addr *client,
                                       const struct web_entry *entry,
                                       uint64_t now);
/* The same for a client that speaks HTTP/2 (ALPN "h2"). */
struct web_session *web_core_on_accept_h2(struct web_core *core, void *io,
                                          const struct addr *client,
                                          const struct web_entry *entry,
                                          uint64_t now);
/* Who the client is by its TLS session, right after on_accept; a reference is
 * taken. */
void web_session_set_peer(struct web_session *session, struct web_peer *peer);
void web_session_on_data(struct web_session *session, struct span data,
                         uint64_t now);
void web_session_on_writable(struct web_session *session, uint64_t now);
void web_session_on_end(struct web_session *session, uint64_t now);
/* The client has closed, though what it sent before is not all read. */
void web_session_on_left(struct web_session *session, uint64_t now);
void web_session_on_closed(struct web_session *session, uint64_t now);

/* The environment of its core, for the shell's own callbacks. */
const struct web_env *web_session_env(const struct web_session *session);

/* ---- connections to back ends ---- */

void web_link_on_dialled(struct web_link *link, void *io, uint64_t now);
void web_link_on_dial_failed(struct web_link *link, int err, uint64_t now);
void web_link_on_data(struct web_link *link, struct span data, uint64_t now);
void web_link_on_writable(struct web_link *link, uint64_t now);
void web_link_on_end(struct web_link *link, uint64_t now);
void web_link_on_closed(struct web_link *link, int err, uint64_t now);

const struct web_env *web_link_env(const struct web_link *link);

/* ---- files ---- */

/* `err`: 0, -ENOENT, -EISDIR (a folder without its slash), -EACCES … */
void web_reader_on_open(struct web_reader *reader, int err,
                        const struct web_file_info *info, uint64_t now);
/* An empty piece is the end of the file. */
void web_reader_on_piece(struct web_reader *reader, int err, struct span piece,
                         uint64_t now);

const struct web_env *web_reader_env(const struct web_reader *reader);

/* ---- time ---- */

void web_core_on_timer(struct web_core *core, uint64_t now);
/* When on_timer() is next needed; UINT64_MAX when nothing is pending. */
uint64_t web_core_next_deadline(const struct web_core *core);

#endif /* WEB_CORE_H */
