/* SPDX-License-Identifier: MIT */
/* web_frames.h - where the frames of a WebSocket that passes by begin and end
 * (RFC 6455 5.2). A tunnel looks at nothing else: a frame of ours may only
 * stand between two of theirs, and not behind a Close.
 *
 * Sixteen bytes for each direction, no allocation, any input.
 */
#ifndef WEB_FRAMES_H
#define WEB_FRAMES_H

#include "base/span.h"

struct web_frames {
    uint64_t left;   /* of the payload that is passing */
    uint8_t start;   /* first byte of a header that is passing */
    uint8_t length;  /* second byte */
    uint8_t seen;    /* bytes of the header that have passed */
    bool closed : 1; /* a Close has passed */
};

/* The next bytes. */
void web_frames_pass(struct web_frames *frames, struct span bytes);

/* May a frame be put in here? */
static inline bool web_frames_may_add(const struct web_frames *frames)
{
    return frames->left == 0 && frames->seen == 0 && !frames->closed;
}

enum { WEB_FRAMES_CLOSE_SIZE = 8 };

/* "Going away" (1001): to a client as servers write it, to a server masked.
 * The mask hides nothing here: there is no text of anybody's in it. */
struct span web_frames_going_away(bool masked,
                                  uint8_t out[WEB_FRAMES_CLOSE_SIZE]);

#endif /* WEB_FRAMES_H */
