/* SPDX-License-Identifier: MIT */
/* http_date.h - "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7), in English
 * and without looking at locale or time zone. Pure functions; any thread.
 */
#ifndef HTTP_DATE_H
#define HTTP_DATE_H

#include "base/span.h"

enum { HTTP_DATE_SIZE = 64 };

/* Unix time in seconds, years 1970 to 9999. Returns `out`. */
const char *http_date_print(int64_t unix_s, char out[HTTP_DATE_SIZE]);

/* Also the two obsolete forms. Returns 0 or ERR_PARSE. */
int http_date_parse(struct span s, int64_t *ret_unix_s);

#endif /* HTTP_DATE_H */
