/* SPDX-License-Identifier: MIT */
/* web_tokens.h - the token policies of a site, with their keys. */
#ifndef WEB_TOKENS_H
#define WEB_TOKENS_H

#include "web_config.h"

struct web_tokens;

/* Reads the key files; the settings outlive the result. Main thread.
 * Returns 0; or, said in `error`, ERR_CONFIG (a key file) or -ENOMEM. */
int web_tokens_new(struct web_tokens **ret_tokens, const struct web_config *c,
                   struct buf *error);
void web_tokens_free(struct web_tokens *tokens); /* NULL is accepted */

/* By name; NULL for none. Lives as long as `tokens`. */
const struct web_jwt *web_tokens_find(const struct web_tokens *tokens,
                                      const char *name);

/* The header fields that policies write. */
const char *const *web_tokens_fields(const struct web_tokens *tokens,
                                     size_t *ret_n);

/* What the rows of the settings cannot say. */
void web_tokens_check(struct config_build *build, const struct web_config *c);

extern const struct option_table web_tokens_table;

#endif /* WEB_TOKENS_H */
