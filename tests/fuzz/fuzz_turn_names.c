/* SPDX-License-Identifier: MIT */
/* What strangers send before they are known: user names to be prepared, and
 * access tokens. The first byte says which; a token may be sealed for the
 * fuzzer, so that it gets inside. */
#include "base/crypto_aead.h"
#include "base/mem.h"
#include "base/text.h"
#include "turn/turn_prep.h"
#include "turn/turn_tokens.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void names(struct span text)
{
    uint8_t once[TURN_PREP_SIZE], twice[TURN_PREP_SIZE];
    int len = turn_prep(text, once);

    if (len < 0)
        return;
    assert(len > 0 && text.len <= TURN_PREP_MAX);
    assert(text_is_utf8(span_of(once, (size_t)len)));
    if ((size_t)len > TURN_PREP_MAX)
        return;
    /* what is prepared stays as it is */
    assert(turn_prep(span_of(once, (size_t)len), twice) == len);
    assert(memcmp(once, twice, (size_t)len) == 0);
}

static void tokens(struct span token, bool seal)
{
    struct turn_tokens_options options = {
        span_str("k:A128GCM:MDEyMzQ1Njc4OWFiY2RlZg=="), span_str("s")};
    struct turn_tokens *ring;
    struct turn_token out;
    uint8_t sealed[TURN_TOKEN_BYTES_MAX] = {0, 12};
    char error[160];

    if (seal && token.len + 14 + CRYPTO_GCM_TAG_SIZE <= sizeof(sealed)) {
        assert(crypto_gcm_seal(span_str("0123456789abcdef"),
                               span_of(sealed + 2, 12), span_str("s"), token,
                               sealed + 14));
        token = span_of(sealed, 14 + token.len + CRYPTO_GCM_TAG_SIZE);
    }
    assert(turn_tokens_new(&ring, &options, error, sizeof(error)) == 0);
    if (turn_tokens_open(ring, span_str("k"), token, 1800000000, &out) ==
        TURN_TOKEN_OK)
        assert(seal && (out.key.len == 20 || out.key.len == 32) &&
               out.expiry > 1800000000);
    turn_tokens_free(ring);
}

static void rings(struct span keys)
{
    struct turn_tokens_options options = {keys, span_str("s")};
    struct turn_tokens *ring;
    char error[160];

    if (turn_tokens_new(&ring, &options, error, sizeof(error)) == 0)
        turn_tokens_free(ring);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest;

    if (size == 0)
        return 0;
    rest = span_of(data + 1, size - 1);
    switch (data[0] % 4) {
    case 0:
        names(rest);
        break;
    case 1:
        tokens(rest, false);
        break;
    case 2:
        tokens(rest, true);
        break;
    default:
        rings(rest);
    }
    assert(mem_live_blocks() == 0);
    return 0;
}
