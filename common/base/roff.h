/* SPDX-License-Identifier: MIT */
/* roff.h - text in a manual page. */
#ifndef BASE_ROFF_H
#define BASE_ROFF_H

#include "base/buf.h"

/* Text as roff prints it: a '-' is one, and no line begins a request. */
void roff_put(struct buf *out, const char *text);

#endif /* BASE_ROFF_H */
