/* SPDX-License-Identifier: MIT */
#include "proxy/web_frames.h"

#include "base/crypto.h"

enum {
    OPCODE = 0x0f,
    CLOSE = 8,
    MASKED = 0x80,
    LENGTH = 0x7f,
    GOING_AWAY = 1001,
};

/* Bytes of length and mask behind the first two. */
static unsigned more_of(uint8_t length)
{
    unsigned more = length & MASKED ? 4 : 0;

    if ((length & LENGTH) == 126)
        more += 2;
    else if ((length & LENGTH) == 127)
        more += 8;
    return more;
}

/* One byte of a header. */
static void pass_header(struct web_frames *f, uint8_t byte)
{
    unsigned n = f->seen++;
    unsigned wide;

    if (n == 0) {
        f->start = byte;
        return;
    }
    if (n == 1) {
        f->length = byte;
        if ((byte & LENGTH) < 126)
            f->left = byte & LENGTH;
    }
    wide = more_of(f->length & LENGTH);
    if (n >= 2 && n < 2 + wide)
        f->left = f->left << 8 | byte;
    if (f->seen < 2 + more_of(f->length))
        return;
    f->seen = 0;
    if ((f->start & OPCODE) == CLOSE)
        f->closed = true;
}

void web_frames_pass(struct web_frames *f, struct span bytes)
{
    size_t at = 0;

    while (at < bytes.len) {
        if (f->seen == 0 && f->left > 0) {
            size_t n = bytes.len - at;

            if (n > f->left)
                n = (size_t)f->left;
            f->left -= n;
            at += n;
        } else {
            pass_header(f, bytes.ptr[at++]);
        }
    }
}

struct span web_frames_going_away(bool masked,
                                  uint8_t out[WEB_FRAMES_CLOSE_SIZE])
{
    size_t at = 0;
    uint8_t code[2] = {GOING_AWAY >> 8, GOING_AWAY & 0xff};

    out[at++] = 0x80 | CLOSE;
    out[at++] = (uint8_t)(sizeof(code) | (masked ? MASKED : 0));
    if (masked) {
        crypto_random(out + at, 4);
        code[0] ^= out[at];
        code[1] ^= out[at + 1];
        at += 4;
    }
    out[at++] = code[0];
    out[at++] = code[1];
    return span_of(out, at);
}
