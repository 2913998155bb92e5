/* SPDX-License-Identifier: MIT */
/* Any bytes as the stream of a TCP client: it falls into the same frames
 * however it is cut, each inside the stream, and ends at what is none. */
#include "stun/stun_msg.h"

#include <assert.h>
#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LOOK = 64 }; /* how much of a frame is looked at byte by byte */

/* With fewer bytes the answer is the same, or that more are needed. */
static void check_prefixes(struct span stream, int whole)
{
    bool known = false;

    for (size_t n = 0; n <= stream.len && n <= LOOK; n++) {
        int size = stun_frame_size(span_of(stream.ptr, n));

        assert(size == whole || (size == 0 && !known));
        known = known || size != 0;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_of(data, size);

    while (rest.len > 0) {
        int frame = stun_frame_size(rest);
        struct stun_msg msg;

        check_prefixes(rest, frame);
        if (frame <= 0 || (size_t)frame > rest.len)
            break;
        assert(frame >= CHANNEL_HEADER_SIZE);
        assert(frame <= STUN_MESSAGE_MAX + 4);
        if (stun_msg_read(&msg, span_of(rest.ptr, (size_t)frame)) == 0)
            assert(msg.raw.len == (size_t)frame);
        rest = span_of(rest.ptr + frame, rest.len - (size_t)frame);
    }
    return 0;
}
