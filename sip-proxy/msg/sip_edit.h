/* SPDX-License-Identifier: MIT */
/* sip_edit.h - change a parsed message on its way through the proxy.
 *
 * An edit is a list of "replace these bytes by those" over the parsed
 * message; nothing happens until sip_edit_write() puts the message, with all
 * changes, into an output buffer in one pass. What no change touches comes
 * out byte-identical, an empty edit gives back `msg->raw`.
 *
 * Every position is a span of the parsed message (header lines, values,
 * parts of values). Text given as span is copied into the edit's own storage.
 * Insertions at the same place come out in the order they were made. Errors
 * are sticky and come out of sip_edit_write(): -ENOMEM, ERR_LIMIT (too many
 * changes, too much text), ERR_STATE (two changes overlap, or a span that is
 * not of this message). Removing what was removed already is no error.
 *
 * One struct sip_edit serves a worker for all messages, one at a time; its
 * memory is kept between them. Not thread-safe.
 */
#ifndef MSG_SIP_EDIT_H
#define MSG_SIP_EDIT_H

#include "base/buf.h"
#include "msg/sip_msg.h"

enum {
    SIP_EDIT_MAX_CHANGES = 128,
    SIP_EDIT_MAX_TEXT = 32768,
};

struct sip_change {
    size_t at;       /* offset in msg->raw */
    size_t remove;   /* bytes */
    size_t text_off; /* in edit->text */
    size_t text_len;
    unsigned serial; /* keeps insertions at one place in order */
};

struct sip_edit {
    const struct sip_msg *msg;
    struct buf text;
    unsigned n;
    int err;
    struct sip_change changes[SIP_EDIT_MAX_CHANGES];
};

void sip_edit_init(struct sip_edit *edit);
void sip_edit_deinit(struct sip_edit *edit);

/* Start on a message, which must outlive the edit; forgets earlier changes. */
void sip_edit_begin(struct sip_edit *edit, const struct sip_msg *msg);

/* Append the changed message to `out`. Returns 0 or the first error, of the
 * edit or of `out`; the message given to `out` is then incomplete. */
int sip_edit_write(struct sip_edit *edit, struct buf *out);

/* Bytes sip_edit_write() would give now (fewer when something was removed
 * twice). */
size_t sip_edit_size(const struct sip_edit *edit);

/* --- the primitives --- */

/* `at` is a span of the message and may be empty (insert before it). */
void sip_edit_replace(struct sip_edit *edit, struct span at, struct span text);
void sip_edit_remove(struct sip_edit *edit, struct span at);
void sip_edit_insert_before(struct sip_edit *edit, struct span at,
                            struct span text);
void sip_edit_insert_after(struct sip_edit *edit, struct span at,
                           struct span text);

/* --- header fields --- */

/* Remove all lines with that id. */
void sip_edit_remove_all(struct sip_edit *edit, enum sip_hdr_id id);

/* Remove all lines of that name, however they were written (case, white space
 * before the colon; a known name covers its compact form). */
void sip_edit_remove_name(struct sip_edit *edit, struct span name);

/* Insert "Name: value\r\n" above the first field of that id; without one,
 * above the first header line (Via, Route, Record-Route, Path) or below the
 * last header line (others). Two fields pushed come out in call order, the
 * first one on top. */
void sip_edit_push(struct sip_edit *edit, enum sip_hdr_id id,
                   struct span value);

/* Insert "Name: value\r\n" below all header lines. */
void sip_edit_add(struct sip_edit *edit, const char *name, struct span value);

/* The field has this value and stands there once. */
void sip_edit_set(struct sip_edit *edit, enum sip_hdr_id id, struct span value);

/* Remove the first `n` values of a list field, lines that become empty
 * whole. The line that keeps values must not be changed otherwise. */
void sip_edit_pop(struct sip_edit *edit, enum sip_hdr_id id, unsigned n);

/* Remove the value a walk has just returned. Not for two values in a row of
 * one line (see sip_edit_pop()). */
void sip_edit_remove_value(struct sip_edit *edit, const struct sip_values *at);

/* --- what a proxy does (RFC 3261 16.6, 16.7) --- */

/* The topmost Via gets what RFC 3261 18.2.1 and RFC 3581 4 ask for: our
 * `received` and `rport`, whatever the sender wrote there. `rport` is given
 * a value when the sender asked for it or `force_rport` says so. */
void sip_edit_via_source(struct sip_edit *edit, const struct addr *source,
                         bool force_rport);

/* Push `SIP/2.0/TRANSPORT sent_by;branch=branch` and, when `params` is not
 * empty, `;params`. Call before or after sip_edit_via_source(). */
void sip_edit_push_via(struct sip_edit *edit, enum sip_transport transport,
                       struct span sent_by, struct span branch,
                       struct span params);

void sip_edit_set_uri(struct sip_edit *edit, struct span uri);
void sip_edit_set_max_forwards(struct sip_edit *edit, uint32_t value);

/* The option tag is in that list afterwards (new line when it was not). */
void sip_edit_add_option(struct sip_edit *edit, enum sip_hdr_id id,
                         const char *tag);

/* Content-Length as the message is; needed from WebSocket to the others. */
void sip_edit_ensure_content_length(struct sip_edit *edit);

#endif /* MSG_SIP_EDIT_H */
