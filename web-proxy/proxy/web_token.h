/* SPDX-License-Identifier: MIT */
/* web_token.h - the token that clients put into the query string.
 *
 * Nothing here knows what a token is worth: the check is one of presence or
 * of form, made before the back end is bothered. The value must reach it as
 * it was checked, so an argument that another reader could find elsewhere
 * (written twice, or with an escaped name) is refused.
 *
 * Pure functions; any thread.
 */
#ifndef WEB_TOKEN_H
#define WEB_TOKEN_H

#include "base/span.h"

enum web_token_check {
    WEB_TOKEN_ANY,     /* no check */
    WEB_TOKEN_PRESENT, /* the argument is there and not empty */
    WEB_TOKEN_FORMAT,  /* three base64url segments divided by dots */
    WEB_TOKEN_VALID,   /* signed, in time, for us: proxy/web_jwt.h */
};

enum web_token_verdict {
    WEB_TOKEN_OK,
    WEB_TOKEN_MISSING,
    WEB_TOKEN_MALFORMED,
    WEB_TOKEN_AMBIGUOUS,
};

/* Judge the argument `name` of `query` (what stands behind '?'). */
enum web_token_verdict web_token_judge(struct span query, const char *name,
                                       enum web_token_check check);

/* Find the argument: OK, MISSING or AMBIGUOUS. */
enum web_token_verdict web_token_find(struct span query, const char *name,
                                      struct span *ret_value);

/* True for header.payload.signature, each at least one base64url character. */
bool web_token_is_three_segments(struct span token);

/* The query for a log line: argument names stay, every value becomes "-".
 * NUL-terminated in `out`, cut when longer. Names are made printable. */
const char *web_token_redact(struct span query, char *out, size_t size);

#endif /* WEB_TOKEN_H */
