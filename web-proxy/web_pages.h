/* SPDX-License-Identifier: MIT */
/* web_pages.h - the operator's error pages, read into memory. */
#ifndef WEB_PAGES_H
#define WEB_PAGES_H

#include "proxy/web_errors.h"
#include "web_config.h"

struct web_pages;

/* Reads the files. Main thread.
 * Returns 0; or, said in `error`, ERR_CONFIG (a file) or -ENOMEM. */
int web_pages_new(struct web_pages **ret_pages, const struct web_config *c,
                  struct buf *error);
void web_pages_free(struct web_pages *pages); /* NULL is accepted */

/* Lives as long as `pages`. */
struct web_errors web_pages_errors(const struct web_pages *pages);

#endif /* WEB_PAGES_H */
