/* SPDX-License-Identifier: MIT */
/* web_trace.h - the name of a request in the traces of all who handle it (W3C
 * Trace Context, "traceparent": version 00).
 */
#ifndef WEB_TRACE_H
#define WEB_TRACE_H

#include "http/http_msg.h"

enum web_trace_mode {
    WEB_TRACE_OFF,  /* whatever the client says passes */
    WEB_TRACE_KEEP, /* a valid one passes, else there is a new one */
    WEB_TRACE_NEW,  /* always a new one */
};

enum {
    WEB_TRACE_ID_SIZE = 33, /* 32 hexadecimal digits */
    WEB_TRACE_SIZE = 56,    /* "00-" id "-" parent "-01" */
};

struct web_trace {
    char id[WEB_TRACE_ID_SIZE]; /* ""; or for the log */
    char text[WEB_TRACE_SIZE];  /* "": the client's own passes; else it is
                                   dropped and this is sent */
};

/* Two or more fields, and ids of zeros, are no valid trace. */
void web_trace_read(struct web_trace *trace, enum web_trace_mode mode,
                    const struct http_msg *msg);

#endif /* WEB_TRACE_H */
