/* SPDX-License-Identifier: MIT */
/* ctl_reply.h - requests to an admin socket and what comes back, as bytes. */
#ifndef CTL_REPLY_H
#define CTL_REPLY_H

#include "base/buf.h"

enum { CTL_REPLY_MAX = 17 * 1024 * 1024 }; /* head and body, bytes */

/* One HTTP/1.1 request; the connection ends with its answer. */
void ctl_request_write(struct buf *out, const char *method, const char *path,
                       struct span body);

/* An answer as far as it has been received. `*ret_body` is borrowed.
 * Returns the HTTP status; ERR_TRUNCATED when more must come; ERR_PARSE. */
int ctl_reply_parse(struct span bytes, struct span *ret_body);

#endif /* CTL_REPLY_H */
