/* SPDX-License-Identifier: MIT */
/* json.h - writing JSON into a buffer, and cleaning JSON with comments.
 *
 * The writer puts commas by looking at what was written last, so that a part
 * of a document can be written by whoever knows it:
 *
 *   json_open(out, '{');
 *   json_key(out, "sessions");
 *   json_u64(out, 3);
 *   json_close(out, '}');
 */
#ifndef APP_JSON_H
#define APP_JSON_H

#include "base/buf.h"

/* '{' or '[': as a value, after a key or as an item. */
void json_open(struct buf *out, char bracket);
/* '}' or ']'. */
void json_close(struct buf *out, char bracket);

void json_key(struct buf *out, const char *name);

/* Values; each is an item of an array or follows a key. Strings of any bytes:
 * what is not UTF-8 is replaced by U+FFFD. */
void json_string(struct buf *out, struct span text);
void json_str(struct buf *out, const char *text); /* NULL writes null */
void json_u64(struct buf *out, uint64_t value);
void json_bool(struct buf *out, bool value);

/* Overwrite comments (slash-star, slash-slash, #) and commas before a closing
 * bracket with spaces, in place; line breaks stay, so that line numbers stay.
 * Returns 0, or ERR_PARSE for a comment or string that does not end, a NUL
 * byte or a "\u0000"; `*ret_offset` is then where it begins. */
int json_strip(char *text, size_t len, size_t *ret_offset);

#endif /* APP_JSON_H */
