/* SPDX-License-Identifier: MIT */
/* web_path.h - the one normal form of a request path (RFC 3986 section 6.2).
 *
 * Routes are matched on the normal form and the normal form is forwarded, so
 * that the back end cannot understand another path than the one that was
 * allowed. What two programs could read differently is refused, not repaired.
 *
 * The normal form:
 *   - starts with '/', without empty segments ("//" becomes "/") and without
 *     dot segments (plain ones are resolved; above the root is refused);
 *   - unreserved characters stand for themselves ("%41" becomes "A");
 *   - everything else is escaped with upper-case digits, except the reserved
 *     characters that a segment may hold (RFC 3986 pchar), kept as written.
 *
 * Refused: a raw byte outside printable ASCII, space, '\', '#', '?', broken
 * escapes, escaped '/', '\', NUL and controls, escapes of escapes ("%2541"),
 * dot segments that were escaped or carry parameters ("%2e%2e", "..;x"), and
 * escaped bytes that are not well-formed UTF-8 (overlong forms, surrogates).
 *
 * Pure functions; any thread.
 */
#ifndef WEB_PATH_H
#define WEB_PATH_H

#include "base/span.h"

/* Write the normal form of `path` (no query) to `out`, not NUL-terminated.
 *
 * Returns its length, or
 *   ERR_PARSE  the path is malformed or ambiguous,
 *   ERR_LIMIT  the normal form is longer than `size`. */
int web_path_normalise(struct span path, char *out, size_t size);

/* True when the part behind '?' may be forwarded as it is: printable ASCII
 * without space and '#'. */
bool web_path_query_is_clean(struct span query);

#endif /* WEB_PATH_H */
