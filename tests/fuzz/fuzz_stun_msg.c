/* SPDX-License-Identifier: MIT */
/* Any bytes as a STUN message: no read outside, and what is read can be
 * written again and reads the same. */
#include "stun/stun_auth.h"

#include "base/mem.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const struct stun_msg *msg)
{
    struct addr a;
    struct span value;
    struct span reason;
    size_t pos = 0;
    size_t n = 0;
    int code;

    for (int attr = 0; attr < STUN_ATTR_COUNT; attr++) {
        value = stun_msg_attr(msg, (enum stun_attr)attr);
        assert(value.ptr == NULL ||
               (value.ptr >= msg->raw.ptr + STUN_HEADER_SIZE &&
                value.ptr + value.len <= msg->raw.ptr + msg->raw.len));
        (void)stun_attr_addr(value, &a);
        (void)stun_attr_xor_addr(msg, value, &a);
        (void)stun_attr_error(value, &code, &reason);
        (void)stun_nonce_features(value);
    }
    while (stun_msg_each(msg, STUN_XOR_PEER_ADDRESS, &pos, &value))
        assert(++n <= msg->raw.len / 4);
}

/* A copy of the same header and first attributes reads as the original. */
static void write_again(const struct stun_msg *msg)
{
    uint8_t *out = mem_alloc(70000);
    struct stun_writer w;
    struct stun_msg copy;
    int len;

    assert(out);
    stun_write_start(&w, out, 70000, (enum stun_class)msg->class, msg->method,
                     stun_msg_tid(msg));
    for (int attr = 0; attr < STUN_ATTR_COUNT; attr++) {
        if (attr != STUN_MESSAGE_INTEGRITY &&
            attr != STUN_MESSAGE_INTEGRITY_SHA256 && attr != STUN_FINGERPRINT &&
            stun_msg_has(msg, (enum stun_attr)attr))
            stun_write(&w, (enum stun_attr)attr,
                       stun_msg_attr(msg, (enum stun_attr)attr));
    }
    stun_write_fingerprint(&w);
    len = stun_write_finish(&w);
    assert(len > 0);
    assert(stun_msg_read(&copy, span_of(out, (size_t)len)) == 0);
    assert(stun_check_fingerprint(&copy));
    assert(copy.class == msg->class && copy.method == msg->method);
    for (int attr = 0; attr < STUN_FINGERPRINT; attr++) {
        if (attr != STUN_MESSAGE_INTEGRITY &&
            attr != STUN_MESSAGE_INTEGRITY_SHA256)
            assert(span_equal(stun_msg_attr(&copy, (enum stun_attr)attr),
                              stun_msg_attr(msg, (enum stun_attr)attr)));
    }
    mem_free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stun_key key = {.bytes = "key", .len = 3};
    struct stun_msg msg;
    int frame;

    if (size > 60000)
        return 0;
    frame = stun_frame_size(span_of(data, size));
    assert(frame < 0 || frame == 0 || frame >= 4);
    if (stun_msg_read(&msg, span_of(data, size)) < 0)
        return 0;
    assert(data[0] > 3 || frame == (int)size); /* RFC 7983: 0 to 3 */
    read_all(&msg);
    (void)stun_check_fingerprint(&msg);
    (void)stun_check_integrity(&msg, stun_integrity_of(&msg), &key);
    write_again(&msg);
    return 0;
}
