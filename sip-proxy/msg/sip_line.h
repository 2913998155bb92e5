/* SPDX-License-Identifier: MIT */
/* sip_line.h - the one reader of header sections, shared by sip_msg_parse()
 * and the stream framer so that both see the same lines.
 */
#ifndef MSG_SIP_LINE_H
#define MSG_SIP_LINE_H

#include "msg/sip_msg.h"

struct sip_lines {
    struct span rest;
    size_t max_line;
    enum sip_fault fault; /* after a negative return */
};

struct sip_line {
    struct span name;  /* without the white space before the colon */
    struct span value; /* trimmed */
    struct span line;  /* with folds and the last CRLF */
};

/* The first line, with its CRLF. Returns 0, ERR_PARSE or ERR_LIMIT. */
int sip_lines_start(struct sip_lines *lines, struct span *ret_line);

/* Returns 1 with a header line, 0 when the empty line was taken (`rest` is
 * the body), ERR_PARSE or ERR_LIMIT. */
int sip_lines_next(struct sip_lines *lines, struct sip_line *ret_line);

/* How many CR and LF are in front of the start line. */
size_t sip_lines_blank(struct span data);

#endif /* MSG_SIP_LINE_H */
