/* SPDX-License-Identifier: MIT */
/* http_head.h - writing HTTP/1.1 heads and chunks into a buffer.
 *
 * Like the buffer itself, the writers are sticky: write a whole head, then look
 * at buf_err() once. A name or value that would break out of its line (control
 * bytes, CR, LF) writes nothing and sets ERR_PARSE there.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include "base/buf.h"
#include "http/http_msg.h"

/* "GET /path HTTP/1.1". Target: visible ASCII. */
void http_head_request(struct buf *out, struct span method, struct span target);

/* "HTTP/1.1 404 Not Found" */
void http_head_status(struct buf *out, int status);

/* One field each. */
void http_head_field(struct buf *out, const char *name, struct span value);
void http_head_field_str(struct buf *out, const char *name, const char *value);
void http_head_field_u64(struct buf *out, const char *name, uint64_t value);

/* A field of a parsed head, as it is (it has been checked). */
void http_head_copy(struct buf *out, const struct http_header *header);

/* The empty line. */
void http_head_end(struct buf *out);

/* A chunk of `len` > 0 bytes: its size line; the bytes; its end. */
void http_chunk_begin(struct buf *out, size_t len);
void http_chunk_end(struct buf *out);

/* The last chunk, without trailers. */
void http_chunk_last(struct buf *out);

/* A whole response with Content-Length. `type` may be NULL when `body` is
 * empty. 1xx, 204 and 304 get neither. */
enum http_after { HTTP_AFTER_KEEP, HTTP_AFTER_CLOSE };
void http_response_write(struct buf *out, int status, const char *type,
                         struct span body, enum http_after after);

/* "Not Found"; "Status" for one that is not known. */
const char *http_status_text(int status);

#endif /* HTTP_HEAD_H */
