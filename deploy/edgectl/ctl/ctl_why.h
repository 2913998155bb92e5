/* SPDX-License-Identifier: MIT */
/* ctl_why.h - the decision trail of a call (sip-proxy's /sip/why) as a table.
 */
#ifndef CTL_WHY_H
#define CTL_WHY_H

#include "base/buf.h"

enum { CTL_WHY_CALL_ID_MAX = 256 };

/* The path to ask for; what is no plain character is percent-encoded.
 * `out` takes CTL_WHY_PATH_SIZE. Returns 0, ERR_PARSE (empty) or ERR_LIMIT. */
enum { CTL_WHY_PATH_SIZE = 32 + 3 * CTL_WHY_CALL_ID_MAX };
int ctl_why_path(struct span call_id, char out[CTL_WHY_PATH_SIZE]);

/* From the JSON. Returns how many requests there are, or ERR_PARSE. */
int ctl_why_print(struct span json, struct buf *out);

#endif /* CTL_WHY_H */
