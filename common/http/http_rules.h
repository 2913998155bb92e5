/* SPDX-License-Identifier: MIT */
/* http_rules.h - what a head must fulfil beyond its grammar, so that every
 * receiver on the way reads the same message (RFC 9112 section 3, 6 and 11).
 *
 * Used by the parser for each head, and by nobody else.
 */
#ifndef HTTP_RULES_H
#define HTTP_RULES_H

#include "http/http_parse.h"

/* The raw head: no control bytes but tab, no bare CR or LF, no folded line, and
 * no white space before a colon. */
enum http_error http_rules_bytes(struct span head);

/* The start line of a request or response, without CRLF, into `msg`. It has
 * exactly the form of RFC 9112 section 3 or 4. */
enum http_error http_rules_request_line(struct span line, struct http_msg *msg);
enum http_error http_rules_status_line(struct span line, struct http_msg *msg);

/* Start line and headers are there: check the headers, and fill in host, path,
 * framing and connection. `request` is the method that a response answers. */
enum http_error http_rules_request(struct http_msg *msg);
enum http_error http_rules_response(struct http_msg *msg,
                                    enum http_method request);

/* A trailer section: nothing that a receiver would have needed before the
 * content (RFC 9110 6.5.1). */
enum http_error http_rules_trailers(const struct http_header *headers,
                                    size_t n);

#endif /* HTTP_RULES_H */
