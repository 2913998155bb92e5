/* SPDX-License-Identifier: MIT */
/* web_shown.h - the head of an answer as the client is shown it: without the
 * fields the route takes away, with those it adds, and with the back end's
 * addresses put right (web_edit.h, web_url.h).
 *
 * One per core, for one answer at a time.
 */
#ifndef WEB_SHOWN_H
#define WEB_SHOWN_H

#include "proxy/web_url.h"

enum {
    WEB_EDITS_MAX = 48,    /* of a route and its site */
    WEB_SHOWN_FIELDS = 160 /* what an answer may have, and those */
};

struct web_shown {
    struct http_msg msg;
    struct http_header headers[WEB_SHOWN_FIELDS];
    struct buf text; /* values that were put right */
    size_t extra;    /* bytes of fields that are not in the message's head */
};

void web_shown_init(struct web_shown *shown);
void web_shown_deinit(struct web_shown *shown);

/* `msg` itself when nothing changes; else a copy that lives until the next
 * call and borrows from `msg`. NULL without memory, or with too many fields. */
const struct http_msg *web_shown_make(struct web_shown *shown,
                                      const struct http_msg *msg,
                                      const struct web_url_view *view);

#endif /* WEB_SHOWN_H */
