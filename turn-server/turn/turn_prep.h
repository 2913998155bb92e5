/* SPDX-License-Identifier: MIT */
/* turn_prep.h - user names, realms and passwords made comparable: the
 * OpaqueString profile of RFC 8265 4.2, which RFC 8489 asks for.
 *
 * Spaces of other scripts become U+0020, the text becomes NFC; characters
 * outside PRECIS' FreeformClass (RFC 8264 4.3: controls, unassigned, ignorable
 * ones, those out of their context) are refused. What is printable ASCII
 * stays as it is, at the price of a look.
 */
#ifndef TURN_PREP_H
#define TURN_PREP_H

#include "base/span.h"

enum {
    TURN_PREP_MAX = 1024, /* bytes of UTF-8 that are prepared */
    TURN_PREP_SIZE = 4 * TURN_PREP_MAX + 1, /* what that can become */
};

/* Nothing but printable ASCII: prepared already. */
bool turn_prep_is_plain(struct span text);

/* Prepare `text` into `out`. Returns the length; ERR_PARSE when it is empty, no
 * UTF-8, or has a character that is not allowed; ERR_LIMIT when it is too
 * long. */
int turn_prep(struct span text, uint8_t out[TURN_PREP_SIZE]);

#endif /* TURN_PREP_H */
