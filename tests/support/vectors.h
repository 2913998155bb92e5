/* SPDX-License-Identifier: MIT */
/* vectors.h - files of tests/vectors as bytes. */
#ifndef SUPPORT_VECTORS_H
#define SUPPORT_VECTORS_H

#include "base/span.h"

/* The whole file `name` below tests/vectors. The caller frees the bytes with
 * vectors_free(). Fails the running test when it cannot be read. */
struct span vectors_read(const char *name);
void vectors_free(struct span content);

/* The same for a file of hex digits; white space and # comments ignored. */
struct span vectors_read_hex(const char *name);

#endif /* SUPPORT_VECTORS_H */
