/* SPDX-License-Identifier: MIT */
/* web_edit.h - header fields of answers that a site or a route takes away,
 * replaces or adds.
 *
 *   "-Server"            take it away
 *   "X-Frame-Options: DENY"   whatever the back end says there, it is this
 *   "+Link: </a>; rel=preload"  besides what the back end says
 *
 * Fields that frame a message or belong to one connection are ours and cannot
 * be named. Immutable once made; any thread. Spans are borrowed.
 */
#ifndef WEB_EDIT_H
#define WEB_EDIT_H

#include "base/buf.h"
#include "http/http_msg.h"

enum web_edit_kind {
    WEB_EDIT_REMOVE,
    WEB_EDIT_SET,
    WEB_EDIT_ADD,
};

struct web_edit {
    enum web_edit_kind kind;
    enum http_field field;
    struct span name;
    struct span value; /* REMOVE: empty */
};

struct web_edits {
    const struct web_edit *items;
    size_t n;
};

/* Read one as it is written above. Returns 0; ERR_PARSE when it is no such
 * thing; ERR_DENIED when the field is ours. */
int web_edit_parse(struct span text, struct web_edit *ret_edit);

/* Does it take the place of `other`, which came before? */
bool web_edit_replaces(const struct web_edit *edit,
                       const struct web_edit *other);

/* Is a field of that name, said by somebody else, left out? */
bool web_edits_drop(const struct web_edits *edits, struct span name);

/* Is there a field of that name among those we say? */
bool web_edits_say(const struct web_edits *edits, enum http_field field);

/* Strict-Transport-Security is said over TLS only (RFC 6797 7.2). */
bool web_edit_is_said(const struct web_edit *edit, bool secure);

/* Write the lines we say. */
void web_edits_put(struct buf *out, const struct web_edits *edits, bool secure);

#endif /* WEB_EDIT_H */
