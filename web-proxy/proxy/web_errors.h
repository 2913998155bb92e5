/* SPDX-License-Identifier: MIT */
/* web_errors.h - what our own answers say besides their status: a page of the
 * operator's where there is one, else a line of ours; as HTML, or as JSON for
 * clients that would rather have that (Accept, RFC 9110 12.5.1).
 *
 * Immutable; any thread. Spans are borrowed from the site's owner.
 */
#ifndef WEB_ERRORS_H
#define WEB_ERRORS_H

#include "http/http_msg.h"

enum { WEB_ERROR_PAGE_MAX = 64 * 1024 };

struct web_error_page {
    int first, last;  /* statuses: 404 to 404, 500 to 599 */
    struct span html; /* len 0: ours */
    struct span json;
};

struct web_errors {
    const struct web_error_page *pages; /* the first that fits is taken */
    size_t n;
};

/* Read "404", "5xx" or "all" (400 to 599). Returns 0 or ERR_PARSE. */
int web_errors_parse_status(struct span text, int *ret_first, int *ret_last);

/* True when Accept ranks application/json above text/html. */
bool web_errors_wants_json(const struct http_msg *msg);

enum { WEB_ERROR_TEXT_SIZE = 256 };

/* The content for a status; ours is written into `text`. */
struct span web_errors_content(const struct web_errors *errors, int status,
                               bool json, char text[WEB_ERROR_TEXT_SIZE]);

#endif /* WEB_ERRORS_H */
