/* SPDX-License-Identifier: MIT */
#include "turn/turn_tokens.h"

#include "base/crypto_aead.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/wire.h"

#include <errno.h>
#include <stdio.h>

enum {
    KEY_MAX = 32,
    FIELDS_MAX = 5,
    NAME_MAX = 127,
    LIFETIME_MAX = 86400 * 366, /* of a token: a sane bound for the sum */
};

struct key {
    char kid[TURN_TOKEN_KID_MAX];
    uint8_t kid_len;
    uint8_t len; /* 16 or 32 */
    uint8_t bytes[KEY_MAX];
    uint64_t from; /* seconds since 1970 */
    uint64_t until;
};

struct turn_tokens {
    struct key keys[TURN_TOKEN_KEYS_MAX];
    size_t n;
    char name[NAME_MAX];
    size_t name_len;
};

static const char *read_bytes(struct key *key, struct span algorithm,
                              struct span value)
{
    int want = span_is_nocase(algorithm, "A256GCM")   ? 32
               : span_is_nocase(algorithm, "A128GCM") ? 16
                                                      : 0;

    if (want == 0)
        return "the algorithm is A256GCM or A128GCM";
    if (text_unbase64(TEXT_BASE64, value, key->bytes, sizeof(key->bytes)) !=
        want)
        return want == 32 ? "a key of 32 bytes in base64 expected"
                          : "a key of 16 bytes in base64 expected";
    key->len = (uint8_t)want;
    return NULL;
}

static const char *read_time(struct key *key, struct span from,
                             struct span seconds)
{
    uint64_t lifetime;

    if (span_to_u64(from, UINT32_MAX, &key->from) < 0 ||
        span_to_u64(seconds, UINT32_MAX, &lifetime) < 0 || lifetime == 0)
        return "a time is seconds since 1970, and seconds";
    key->until = key->from + lifetime;
    return NULL;
}

/* Fill `key`, or say what is wrong. */
static const char *read_key(struct key *key, struct span line)
{
    struct span fields[FIELDS_MAX];
    struct span field;
    size_t n = 0;
    const char *why;

    while (span_next(&line, ':', &field)) {
        if (n == FIELDS_MAX)
            return "too many fields";
        fields[n++] = field;
    }
    if (n != 3 && n != FIELDS_MAX)
        return "kid:algorithm:key or kid:algorithm:key:from:seconds expected";
    if (fields[0].len == 0 || fields[0].len > TURN_TOKEN_KID_MAX)
        return "a kid has 1 to 40 bytes";
    memcpy(key->kid, fields[0].ptr, fields[0].len);
    key->kid_len = (uint8_t)fields[0].len;
    key->until = UINT64_MAX;
    why = read_bytes(key, fields[1], fields[2]);
    if (!why && n == FIELDS_MAX)
        why = read_time(key, fields[3], fields[4]);
    return why;
}

static const struct key *find_key(const struct turn_tokens *tokens,
                                  struct span kid)
{
    for (size_t i = 0; i < tokens->n; i++) {
        const struct key *key = &tokens->keys[i];

        if (span_equal(kid, span_of(key->kid, key->kid_len)))
            return key;
    }
    return NULL;
}

static const char *add_key(struct turn_tokens *tokens, struct span line)
{
    struct key *key = &tokens->keys[tokens->n];
    const char *why;

    if (tokens->n == TURN_TOKEN_KEYS_MAX)
        return "more than 16 keys";
    why = read_key(key, line);
    if (why)
        return why;
    if (find_key(tokens, span_of(key->kid, key->kid_len)))
        return "this kid stands twice";
    tokens->n++;
    return NULL;
}

static int read_keys(struct turn_tokens *tokens, struct span text, char *error,
                     size_t size)
{
    struct span line;
    size_t number = 0;

    while (span_next(&text, '\n', &line)) {
        const char *why;

        number++;
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        why = add_key(tokens, line);
        if (why) {
            snprintf(error, size, "token keys, line %zu: %s", number, why);
            return ERR_CONFIG;
        }
    }
    return 0;
}

int turn_tokens_new(struct turn_tokens **ret_tokens,
                    const struct turn_tokens_options *options, char *error,
                    size_t error_size)
{
    struct turn_tokens *tokens;
    int err;

    if (options->server_name.len == 0 || options->server_name.len > NAME_MAX) {
        snprintf(error, error_size,
                 "the server name of tokens must have 1 to %d bytes", NAME_MAX);
        return ERR_CONFIG;
    }
    tokens = mem_zalloc(sizeof(*tokens));
    if (!tokens)
        return -ENOMEM;
    memcpy(tokens->name, options->server_name.ptr, options->server_name.len);
    tokens->name_len = options->server_name.len;
    err = read_keys(tokens, options->keys, error, error_size);
    if (err < 0) {
        turn_tokens_free(tokens);
        return err;
    }
    *ret_tokens = tokens;
    return 0;
}

void turn_tokens_free(struct turn_tokens *tokens)
{
    if (!tokens)
        return;
    mem_wipe(tokens, sizeof(*tokens));
    mem_free(tokens);
}

/* RFC 7635 6.2, inside the seal: key_length, mac_key, timestamp (48 bits of
 * seconds, 16 of fractions), lifetime. */
static enum turn_token_verdict read_plain(struct span plain, uint64_t epoch,
                                          struct turn_token *ret_token)
{
    struct wire_reader r = wire_reader(plain);
    uint16_t key_len = wire_u16(&r);
    struct span key = wire_take(&r, key_len);
    uint64_t seconds = (uint64_t)wire_u32(&r) << 16;
    uint64_t lifetime;

    seconds |= wire_u16(&r);
    (void)wire_u16(&r);
    lifetime = wire_u32(&r);
    if (r.err || wire_left(&r) != 0 || (key.len != 20 && key.len != 32))
        return TURN_TOKEN_FORGED;
    if (lifetime > LIFETIME_MAX || seconds > epoch + lifetime ||
        epoch >= seconds + lifetime + TURN_TOKEN_SKEW_S)
        return TURN_TOKEN_EXPIRED;
    memcpy(ret_token->key.bytes, key.ptr, key.len);
    ret_token->key.len = (uint8_t)key.len;
    ret_token->expiry = seconds + lifetime + TURN_TOKEN_SKEW_S;
    return TURN_TOKEN_OK;
}

enum turn_token_verdict turn_tokens_open(const struct turn_tokens *tokens,
                                         struct span kid, struct span token,
                                         uint64_t epoch,
                                         struct turn_token *ret_token)
{
    const struct key *key = find_key(tokens, kid);
    struct wire_reader r = wire_reader(token);
    uint8_t plain[TURN_TOKEN_BYTES_MAX];
    enum turn_token_verdict verdict;
    struct span nonce, sealed;

    if (!key || epoch < key->from || epoch >= key->until)
        return TURN_TOKEN_UNKNOWN_KEY;
    if (token.len > TURN_TOKEN_BYTES_MAX)
        return TURN_TOKEN_FORGED;
    nonce = wire_take(&r, wire_u16(&r));
    sealed = wire_take(&r, wire_left(&r));
    if (r.err ||
        !crypto_gcm_open(span_of(key->bytes, key->len), nonce,
                         turn_tokens_server_name(tokens), sealed, plain))
        return TURN_TOKEN_FORGED;
    verdict = read_plain(span_of(plain, sealed.len - CRYPTO_GCM_TAG_SIZE),
                         epoch, ret_token);
    mem_wipe(plain, sizeof(plain));
    return verdict;
}

struct span turn_tokens_server_name(const struct turn_tokens *tokens)
{
    return span_of(tokens->name, tokens->name_len);
}

size_t turn_tokens_count(const struct turn_tokens *tokens)
{
    return tokens->n;
}
