/* SPDX-License-Identifier: MIT */
/* A token of a stranger, and a set of keys: no input does harm, and nothing
 * passes that was not signed. The first byte chooses. */
#include "base/json_scan.h"
#include "base/jwt.h"

#include "base/crypto.h"
#include "base/text.h"

#include <stdlib.h>

enum { SIGNED_MAX = 16384 };

static const char secret[] = "0123456789abcdef0123456789abcdef";
static const char *const audiences[] = {"edge", "meet"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check_claim(const struct jwt_claim *claim)
{
    require(claim->len > 0 && claim->len <= JWT_CLAIM_MAX);
    for (size_t i = 0; i < claim->len; i++)
        require(claim->text[i] >= 0x20 && claim->text[i] <= 0x7E);
}

/* As it came: without the secret nobody gets through. */
static void check_token(const struct jwt_policy *policy, struct span in)
{
    struct jwt_claim claim = {.len = 0};

    require(jwt_check(policy, in, 1000, &claim) != JWT_OK);
}

/* As claims, well signed: what is behind the signature. */
static void check_claims(const struct jwt_policy *policy, struct span in)
{
    static char text[SIGNED_MAX];
    uint8_t mac[CRYPTO_SHA256_SIZE];
    struct jwt_claim claim = {.len = 0};
    struct span part;
    size_t n;

    if (in.len > SIGNED_MAX / 2)
        return;
    n = text_base64(TEXT_BASE64URL, span_str("{\"alg\":\"HS256\"}"), text);
    text[n++] = '.';
    n += text_base64(TEXT_BASE64URL, in, text + n);
    part = span_of(text, n);
    crypto_hmac_sha256(span_str(secret), &part, 1, mac);
    text[n++] = '.';
    n += text_base64(TEXT_BASE64URL, span_of(mac, sizeof(mac)), text + n);
    if (jwt_check(policy, span_of(text, n), 1000, &claim) == JWT_OK)
        check_claim(&claim);
}

static void check_keys(struct span in)
{
    struct jwt_keys *keys = jwt_keys_new();
    struct buf why;
    int err;

    if (!keys)
        return;
    buf_init(&why, 4096);
    err = jwt_keys_add_jwks(keys, in, &why);
    require(err < 0 || jwt_keys_count(keys) > 0);
    (void)jwt_keys_add_pem(keys, in, &why);
    jwt_keys_free(keys);
    buf_deinit(&why);
}

/* What was taken can be walked to its end. */
static void check_json(struct span in)
{
    struct json_scan_value v, part;
    struct span name, before;

    if (json_scan(in, &v) < 0)
        return;
    for (before = v.text;
         v.kind == JSON_SCAN_OBJECT && json_scan_member(&v.text, &name, &part);
         before = v.text)
        require(v.text.len < before.len && name.len <= in.len);
    for (before = v.text;
         v.kind == JSON_SCAN_ARRAY && json_scan_item(&v.text, &part);
         before = v.text)
        require(v.text.len < before.len && part.text.len <= in.len);
    if (v.kind >= JSON_SCAN_ARRAY)
        require(span_trim(v.text).len == 0 || span_find(v.text, '\n') >= 0 ||
                span_find(v.text, '\r') >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct jwt_policy policy = {.issuer = "joe", .forever = true};
    struct jwt_keys *keys;
    struct span in = span_of(data, size);
    struct buf why;

    if (size == 0)
        return 0;
    in = span_from(in, 1);
    check_json(in);
    if (data[0] == 'k') {
        check_keys(in);
        return 0;
    }
    keys = jwt_keys_new();
    if (!keys)
        return 0;
    buf_init(&why, 256);
    policy.keys = keys;
    policy.claim = "sub";
    policy.audiences = audiences;
    policy.n_audiences = 2;
    if (jwt_keys_add_secret(keys, span_str(secret), &why) == 0) {
        check_token(&policy, in);
        check_claims(&policy, in);
    }
    jwt_keys_free(keys);
    buf_deinit(&why);
    return 0;
}
