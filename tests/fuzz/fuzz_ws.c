/* SPDX-License-Identifier: MIT */
/* Frames, whole and in pieces: both must give the same messages and the same
 * end, and what is held stays below the maximum. */
#include "base/crypto.h"
#include "base/mem.h"
#include "ws/ws_frame.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    unsigned messages;
    int end;
    uint16_t code;
    uint8_t digest[CRYPTO_SHA1_SIZE];
};

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void note(struct outcome *outcome, const struct ws_message *message)
{
    uint8_t head[3] = {(uint8_t)message->opcode,
                       (uint8_t)(message->close_code >> 8),
                       (uint8_t)message->close_code};
    const struct span parts[] = {
        span_of(outcome->digest, sizeof(outcome->digest)),
        span_of(head, sizeof(head)), message->payload};

    outcome->messages++;
    crypto_sha1(parts, ARRAY_SIZE(parts), outcome->digest);
}

/* Feed all bytes, `step` at a time, each from a block of its own. */
static struct outcome run(enum ws_role role, size_t max, const uint8_t *data,
                          size_t size, size_t step)
{
    struct outcome outcome = {0};
    struct ws_message message;
    struct ws_reader reader;

    ws_reader_init(&reader, role, max);
    while (size > 0 && outcome.end == 0) {
        size_t n = size < step ? size : step;
        uint8_t *piece = mem_dup(data, n);
        uint8_t *pos = piece;
        size_t len = n;
        int got = 1;

        while (piece && got == 1) {
            got = ws_reader_next(&reader, &pos, &len, &message);
            if (got == 1)
                note(&outcome, &message);
            require(got != 1 || message.payload.len <= max ||
                    message.payload.len <= WS_CONTROL_MAX);
            require(ws_reader_pending(&reader) <= max);
        }
        require(got < 0 || len == 0);
        outcome.end = got < 0 ? got : 0;
        mem_free(piece);
        data += n;
        size -= n;
    }
    outcome.code = ws_reader_close_code(&reader);
    ws_reader_deinit(&reader);
    require(mem_live_blocks() == 0);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole, pieces;
    enum ws_role role;
    size_t step, max;

    if (size < 2)
        return 0;
    role = data[0] & 1 ? WS_CLIENT : WS_SERVER;
    max = data[0] & 2 ? 16 : 4096;
    step = (size_t)data[1] + 1;
    whole = run(role, max, data + 2, size - 2, size);
    pieces = run(role, max, data + 2, size - 2, step);
    require(whole.messages == pieces.messages && whole.end == pieces.end &&
            whole.code == pieces.code &&
            memcmp(whole.digest, pieces.digest, sizeof(whole.digest)) == 0);
    return 0;
}
