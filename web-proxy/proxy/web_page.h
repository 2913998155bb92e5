/* SPDX-License-Identifier: MIT */
/* web_page.h - the answers we give ourselves: small, and telling nothing about
 * the program or what is behind it.
 */
#ifndef WEB_PAGE_H
#define WEB_PAGE_H

#include "base/buf.h"
#include "http/http_msg.h"
#include "proxy/web_edit.h"
#include "proxy/web_errors.h"

struct web_page {
    int status;
    bool head_only;       /* the request was HEAD */
    bool close;           /* say that we close afterwards */
    bool keep_alive;      /* HTTP/1.0 client: say that we do not */
    uint64_t retry_s;     /* Retry-After; 0: none */
    struct span hsts;     /* Strict-Transport-Security; empty: none */
    struct span location; /* redirects */
    const char *allow;    /* 405: the methods; NULL: those we forward */
    bool secure;          /* over TLS */
    bool json;            /* the client would rather have JSON */
    const struct web_errors *errors; /* NULL: our own pages */
    const struct web_edits *edits;   /* NULL: none */
    const char *challenge;           /* 401: WWW-Authenticate */
    const char *date;
};

void web_page_write(struct buf *out, const struct web_page *page);

/* The absolute form "https://host[:port]/path?query" of a request that came
 * without TLS. `port` is left out when it is 443. */
void web_page_https_location(struct buf *out, struct span host, uint16_t port,
                             struct span path, struct span query,
                             bool has_query);

#endif /* WEB_PAGE_H */
