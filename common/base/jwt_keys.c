/* SPDX-License-Identifier: MIT */
#include "base/jwt_keys.h"

#include "base/err.h"
#include "base/json_scan.h"
#include "base/mem.h"
#include "base/text.h"

#include <errno.h>

enum {
    RSA_BYTES = 512,
    SECRET_MAX = 1024,
};

struct jwt_keys *jwt_keys_new(void)
{
    return mem_zalloc(sizeof(struct jwt_keys));
}

static void key_clear(struct jwt_key *key)
{
    if (key->secret)
        mem_wipe(key->secret, key->secret_len);
    mem_free(key->secret);
    mem_free(key->kid);
    crypto_pk_free(key->pk);
}

void jwt_keys_free(struct jwt_keys *keys)
{
    if (!keys)
        return;
    for (size_t i = 0; i < keys->n; i++)
        key_clear(&keys->items[i]);
    mem_free(keys);
}

size_t jwt_keys_count(const struct jwt_keys *keys)
{
    return keys->n;
}

static int refuse(struct buf *why, const char *text)
{
    buf_put_str(why, text);
    return ERR_CONFIG;
}

/* Takes what the key owns, also when it fails. */
static int add(struct jwt_keys *keys, struct jwt_key key, struct buf *why)
{
    int err = 0;

    if (keys->n == JWT_KEYS_MAX)
        err = refuse(why, "too many keys");
    for (size_t i = 0; err == 0 && i < keys->n; i++) {
        const struct jwt_key *other = &keys->items[i];

        if (other->alg == key.alg &&
            strcmp(other->kid ? other->kid : "", key.kid ? key.kid : "") == 0)
            err = refuse(why, "two keys of one algorithm that no kid, or the "
                              "same one, tells apart");
    }
    if (err < 0) {
        key_clear(&key);
        return err;
    }
    keys->items[keys->n++] = key;
    return 0;
}

static int add_secret(struct jwt_keys *keys, struct span secret, char *kid,
                      struct buf *why)
{
    struct jwt_key key = {.alg = JWT_HS256};

    key.kid = kid;
    if (secret.len < JWT_SECRET_MIN) {
        key_clear(&key);
        return refuse(why, "the secret is shorter than 32 bytes");
    }
    key.secret = mem_dup(secret.ptr, secret.len);
    key.secret_len = secret.len;
    if (!key.secret) {
        key_clear(&key);
        return -ENOMEM;
    }
    return add(keys, key, why);
}

static int add_pk(struct jwt_keys *keys, int err, struct crypto_pk *pk,
                  char *kid, struct buf *why)
{
    struct jwt_key key = {.pk = NULL};

    key.kid = kid;
    if (err < 0) {
        key_clear(&key);
        if (err == ERR_DENIED)
            return refuse(why, "neither RSA of 2048 to 4096 bits nor P-256");
        return err == -ENOMEM ? err : refuse(why, "not a public key");
    }
    key.pk = pk;
    key.alg = crypto_pk_kind(pk) == CRYPTO_PK_RSA ? JWT_RS256 : JWT_ES256;
    return add(keys, key, why);
}

int jwt_keys_add_secret(struct jwt_keys *keys, struct span secret,
                        struct buf *why)
{
    return add_secret(keys, secret, NULL, why);
}

int jwt_keys_add_pem(struct jwt_keys *keys, struct span pem, struct buf *why)
{
    struct crypto_pk *pk = NULL;
    int err = crypto_pk_from_pem(&pk, pem);

    return add_pk(keys, err, pk, NULL, why);
}

/* ---- JWKS (RFC 7517, RFC 7518 6) ---- */

/* A base64url member. Returns its length, 0 when missing, or ERR_PARSE. */
static int read_bytes(struct span jwk, const char *name, uint8_t *out,
                      size_t size)
{
    struct json_scan_value v;
    int n = json_scan_find(jwk, name, &v);

    if (n <= 0)
        return n;
    if (v.kind != JSON_SCAN_STRING)
        return ERR_PARSE;
    n = text_unbase64(TEXT_BASE64URL, v.text, out, size);
    return n < 0 ? ERR_PARSE : n;
}

/* True when the member is missing or the string `want`. */
static bool may_be(struct span jwk, const char *name, const char *want)
{
    struct json_scan_value v;
    int n = json_scan_find(jwk, name, &v);

    return n == 0 || (n > 0 && json_scan_is(&v, span_str(want)));
}

static bool may_verify(struct span jwk)
{
    struct json_scan_value v, op;
    int n = json_scan_find(jwk, "key_ops", &v);

    if (n == 0)
        return true;
    if (n < 0 || v.kind != JSON_SCAN_ARRAY)
        return false;
    while (json_scan_item(&v.text, &op)) {
        if (json_scan_is(&op, span_str("verify")))
            return true;
    }
    return false;
}

/* Returns 0; `*ret_kid` is NULL when there is none. */
static int read_kid(struct span jwk, char **ret_kid)
{
    char text[JWT_KID_MAX];
    struct json_scan_value v;
    int n = json_scan_find(jwk, "kid", &v);

    *ret_kid = NULL;
    if (n <= 0)
        return n;
    if (v.kind != JSON_SCAN_STRING)
        return ERR_PARSE;
    n = json_scan_string(v.text, text, sizeof(text));
    if (n <= 0)
        return ERR_PARSE;
    *ret_kid = mem_dup(text, (size_t)n);
    return *ret_kid ? 0 : -ENOMEM;
}

static int add_oct(struct jwt_keys *keys, struct span jwk, char *kid,
                   struct buf *why)
{
    uint8_t secret[SECRET_MAX];
    int n = read_bytes(jwk, "k", secret, sizeof(secret));
    int err;

    err = add_secret(keys, span_of(secret, n < 0 ? 0 : (size_t)n), kid, why);
    mem_wipe(secret, sizeof(secret));
    return err;
}

static int add_rsa(struct jwt_keys *keys, struct span jwk, char *kid,
                   struct buf *why)
{
    uint8_t n[RSA_BYTES + 1], e[8];
    int n_len = read_bytes(jwk, "n", n, sizeof(n));
    int e_len = read_bytes(jwk, "e", e, sizeof(e));
    struct crypto_pk *pk = NULL;
    int err = ERR_PARSE;

    if (n_len > 0 && e_len > 0)
        err = crypto_pk_from_rsa(&pk, span_of(n, (size_t)n_len),
                                 span_of(e, (size_t)e_len));
    return add_pk(keys, err, pk, kid, why);
}

static int add_ec(struct jwt_keys *keys, struct span jwk, char *kid,
                  struct buf *why)
{
    uint8_t x[CRYPTO_P256_SIZE], y[CRYPTO_P256_SIZE];
    struct crypto_pk *pk = NULL;
    int err = ERR_PARSE;

    if (read_bytes(jwk, "x", x, sizeof(x)) == sizeof(x) &&
        read_bytes(jwk, "y", y, sizeof(y)) == sizeof(y))
        err = crypto_pk_from_p256(&pk, x, y);
    return add_pk(keys, err, pk, kid, why);
}

static int add_jwk(struct jwt_keys *keys, struct span jwk, struct buf *why)
{
    static const struct {
        const char *kty, *alg, *crv;
        int (*add)(struct jwt_keys *keys, struct span jwk, char *kid,
                   struct buf *why);
    } kinds[] = {{"oct", "HS256", NULL, add_oct},
                 {"RSA", "RS256", NULL, add_rsa},
                 {"EC", "ES256", "P-256", add_ec}};
    struct json_scan_value kty;
    char *kid;
    int err;

    if (json_scan_find(jwk, "kty", &kty) != 1)
        return refuse(why, "a key without kty");
    if (!may_be(jwk, "use", "sig") || !may_verify(jwk))
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (!json_scan_is(&kty, span_str(kinds[i].kty)) ||
            !may_be(jwk, "alg", kinds[i].alg) ||
            (kinds[i].crv && !may_be(jwk, "crv", kinds[i].crv)))
            continue;
        err = read_kid(jwk, &kid);
        if (err < 0)
            return err == -ENOMEM ? err : refuse(why, "a kid that is no text");
        return kinds[i].add(keys, jwk, kid, why);
    }
    return 0;
}

int jwt_keys_add_jwks(struct jwt_keys *keys, struct span text, struct buf *why)
{
    struct json_scan_value set, list, jwk;
    size_t before = keys->n;
    int err = 0;

    if (json_scan(text, &set) < 0 || set.kind != JSON_SCAN_OBJECT ||
        json_scan_find(set.text, "keys", &list) != 1 ||
        list.kind != JSON_SCAN_ARRAY)
        return refuse(why, "not a JSON Web Key Set");
    while (err == 0 && json_scan_item(&list.text, &jwk)) {
        if (jwk.kind != JSON_SCAN_OBJECT)
            return refuse(why, "a key that is no object");
        err = add_jwk(keys, jwk.text, why);
    }
    if (err == 0 && keys->n == before)
        err = refuse(why, "no key for HS256, RS256 or ES256");
    return err;
}
