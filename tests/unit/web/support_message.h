/* SPDX-License-Identifier: MIT */
/* support_message.h - a parsed head for tests of what works on heads. */
#ifndef WEB_SUPPORT_MESSAGE_H
#define WEB_SUPPORT_MESSAGE_H

#include "http/http_parse.h"
#include "support/unit.h"

/* Parse `text`, which has to be good; valid until the next call or
 * message_free(). */
const struct http_msg *message_request(const char *text);
const struct http_msg *message_answer(const char *text,
                                      enum http_method method);
void message_free(void);

#endif /* WEB_SUPPORT_MESSAGE_H */
