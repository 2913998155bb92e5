/* SPDX-License-Identifier: MIT */
/* support_fake.h - a core of web-proxy in a world made of arrays.
 *
 * Connections are `struct fake_io`: what the core wrote stands in `out`; what
 * it asked for stands in the flags. Back ends are dialled by fake_dialled(),
 * time passes by fake_sleep(). Nothing happens by itself.
 */
#ifndef WEB_SUPPORT_FAKE_H
#define WEB_SUPPORT_FAKE_H

#include "proxy/web_core.h"
#include "support/unit.h"

enum {
    FAKE_IOS = 64,
    FAKE_OUT = 512 * 1024,
    FAKE_ROUTES = 8,
    FAKE_BACKENDS = 8,
};

struct fake_io {
    char *out; /* FAKE_OUT bytes, NUL-terminated */
    size_t len;
    size_t queued;  /* what a blocked peer has not taken */
    size_t unacked; /* and of what the kernel has */
    bool blocked;
    bool fails; /* the next writes give an error */
    bool paused, shut, ended, closed, aborted;
    bool used;
    struct web_session *session;
    struct web_link *link;
};

struct fake_dial {
    struct web_link *link;
    const struct web_backend *backend;
    bool open; /* neither done nor given up */
};

/* The one file that may be open at a time. */
struct fake_file {
    struct web_reader *reader;
    char name[256]; /* as it was asked for */
    unsigned forms;
    struct span content;
    bool open, reading;
    bool slow;  /* every read has to wait for fake_file_read() */
    bool fails; /* every read is an error */
    uint64_t offset;
    size_t len;
};

struct fake {
    struct web_core *core;
    struct web_stats stats;
    struct web_site site;
    struct web_route routes[FAKE_ROUTES];
    struct web_upstream upstreams[2];
    struct web_backend backends[FAKE_BACKENDS];
    struct web_zone *zones[FAKE_ROUTES];
    size_t n_zones;
    struct web_entry https, http, redirect;
    struct fake_io ios[FAKE_IOS];
    size_t n_ios;
    struct fake_file file;
    struct fake_dial dials[FAKE_IOS];
    size_t n_dials;
    uint64_t now;
};

/* Upstreams "a" and "b", route "/" to "a", no zones, generous limits. Change
 * `fake.site` and the routes, then fake_start(). */
extern struct fake fake;
void fake_setup(void);
/* Before fake_start(): give upstream "a" so many servers. */
void fake_servers(uint32_t n);
struct web_route *fake_route(const char *path, uint32_t upstream);
void fake_zone(struct web_route *route, const char *rate, uint32_t burst,
               enum web_zone_pace pace);
void fake_start(void);
void fake_teardown(void);

/* A client; its io. */
struct fake_io *fake_client(void);
/* `entry` NULL: one that speaks HTTP/2 over TLS (support_h2.h). */
struct fake_io *fake_client_at(const struct web_entry *entry,
                               const char *address);

/* The oldest open dial succeeds: the back end's io. */
struct fake_io *fake_dialled(void);
/* The number of the server that is being dialled for longest. */
size_t fake_dialling(void);
void fake_dial_failed(int err);
size_t fake_open_dials(void);

/* The file that is being opened has this content, of 6 Nov 1994; or there is
 * none. The read that waits is over. */
void fake_file_found(const char *content);
void fake_file_missing(int err);
void fake_file_read(int err);

/* Events; strings are sent as they are. */
void fake_send(struct fake_io *io, const char *text);
void fake_send_span(struct fake_io *io, struct span data);
void fake_end(struct fake_io *io);
void fake_close(struct fake_io *io, int err);
void fake_block(struct fake_io *io);
void fake_unblock(struct fake_io *io);
void fake_sleep(uint64_t ms);

/* Make room: the connections and dials so far are over and not asked about
 * any more. */
void fake_forget(void);

/* What was written since the last call. */
const char *fake_take(struct fake_io *io);

/* Gone in any of the ways: shut, closed, aborted. */
bool fake_is_over(const struct fake_io *io);

#define ck_assert_has(text, part)                                              \
    do {                                                                       \
        const char *ck_text = (text);                                          \
        ck_assert_msg(strstr(ck_text, (part)) != NULL, "no \"%s\" in \"%s\"",  \
                      (part), ck_text);                                        \
    } while (0)

#define ck_assert_lacks(text, part)                                            \
    do {                                                                       \
        const char *ck_text = (text);                                          \
        ck_assert_msg(strstr(ck_text, (part)) == NULL, "\"%s\" in \"%s\"",     \
                      (part), ck_text);                                        \
    } while (0)

#define ck_assert_starts(text, part)                                           \
    do {                                                                       \
        const char *ck_text = (text);                                          \
        ck_assert_msg(strncmp(ck_text, (part), strlen(part)) == 0,             \
                      "\"%s\" does not start with \"%s\"", ck_text, (part));   \
    } while (0)

#endif /* WEB_SUPPORT_FAKE_H */
