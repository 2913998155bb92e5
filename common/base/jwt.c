/* SPDX-License-Identifier: MIT */
#include "base/jwt.h"

#include "base/err.h"
#include "base/json_scan.h"
#include "base/jwt_keys.h"
#include "base/mem.h"
#include "base/text.h"

enum {
    SIGNATURE_MAX = 512,
    CLAIMS_MAX = JWT_TEXT_MAX / 4 * 3,
};

/* The parts of header.payload.signature. */
struct parts {
    struct span header, claims, signature; /* base64url */
    struct span signed_text;               /* header.payload */
};

static bool split(struct span token, struct parts *parts)
{
    struct span rest;

    if (token.len > JWT_TEXT_MAX ||
        !span_cut(token, '.', &parts->header, &rest) ||
        !span_cut(rest, '.', &parts->claims, &parts->signature) ||
        span_find(parts->signature, '.') >= 0)
        return false;
    parts->signed_text =
        span_head(token, parts->header.len + 1 + parts->claims.len);
    return true;
}

/* A base64url part that is a JSON object; its members, or len 0 and false. */
static bool read_object(struct span part, uint8_t *out, size_t size,
                        struct span *ret_members)
{
    struct json_scan_value v;
    int n = text_unbase64(TEXT_BASE64URL, part, out, size);

    if (n <= 0 || json_scan(span_of(out, (size_t)n), &v) < 0 ||
        v.kind != JSON_SCAN_OBJECT)
        return false;
    *ret_members = v.text;
    return true;
}

/* ---- header ---- */

static bool read_alg(const struct json_scan_value *v, enum jwt_alg *ret_alg)
{
    static const char names[][6] = {"HS256", "RS256", "ES256"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (json_scan_is(v, span_str(names[i]))) {
            *ret_alg = (enum jwt_alg)i;
            return true;
        }
    }
    return false;
}

/* The key that has the token's kid; else the one without a kid. A token that
 * names none is for the only key of its algorithm. */
static const struct jwt_key *find_key(const struct jwt_keys *keys,
                                      enum jwt_alg alg,
                                      const struct json_scan_value *kid)
{
    const struct jwt_key *nameless = NULL, *any = NULL;
    size_t n = 0;

    for (size_t i = 0; i < keys->n; i++) {
        const struct jwt_key *key = &keys->items[i];

        if (key->alg != alg)
            continue;
        if (kid && key->kid && json_scan_is(kid, span_str(key->kid)))
            return key;
        if (!key->kid)
            nameless = key;
        any = key;
        n++;
    }
    if (kid || nameless)
        return nameless;
    return n == 1 ? any : NULL;
}

static enum jwt_verdict read_header(const struct jwt_keys *keys,
                                    struct span part,
                                    const struct jwt_key **ret_key)
{
    uint8_t bytes[JWT_HEADER_MAX];
    struct json_scan_value alg, kid, crit;
    enum jwt_alg id;
    struct span members;
    int has_kid;

    if (!read_object(part, bytes, sizeof(bytes), &members) ||
        json_scan_find(members, "alg", &alg) != 1 ||
        json_scan_find(members, "crit", &crit) != 0)
        return JWT_MALFORMED;
    has_kid = json_scan_find(members, "kid", &kid);
    if (has_kid < 0 || (has_kid && kid.kind != JSON_SCAN_STRING))
        return JWT_MALFORMED;
    if (!read_alg(&alg, &id))
        return JWT_KEY;
    *ret_key = find_key(keys, id, has_kid ? &kid : NULL);
    return *ret_key ? JWT_OK : JWT_KEY;
}

/* ---- claims ---- */

/* Returns 1, 0 when missing, ERR_PARSE when it is no time. */
static int read_time(struct span claims, const char *name, uint64_t *ret_s)
{
    struct json_scan_value v;
    int n = json_scan_find(claims, name, &v);

    if (n <= 0)
        return n;
    if (v.kind != JSON_SCAN_NUMBER || json_scan_u64(v.text, ret_s) < 0)
        return ERR_PARSE;
    return 1;
}

/* Fractions of a second are dropped: that ends a token rather too early, and
 * lets it begin less than a second too early. */
static enum jwt_verdict check_times(const struct jwt_policy *policy,
                                    struct span claims, uint64_t now_s)
{
    uint64_t exp = 0, nbf = 0;
    int has_exp = read_time(claims, "exp", &exp);
    int has_nbf = read_time(claims, "nbf", &nbf);

    if (has_exp < 0 || has_nbf < 0)
        return JWT_MALFORMED;
    if (has_exp ? now_s >= exp + policy->leeway_s : !policy->forever)
        return JWT_EXPIRED;
    if (has_nbf && now_s + policy->leeway_s < nbf)
        return JWT_EARLY;
    return JWT_OK;
}

static enum jwt_verdict check_issuer(const struct jwt_policy *policy,
                                     struct span claims)
{
    struct json_scan_value v;
    int n;

    if (!policy->issuer)
        return JWT_OK;
    n = json_scan_find(claims, "iss", &v);
    if (n < 0)
        return JWT_MALFORMED;
    return n > 0 && json_scan_is(&v, span_str(policy->issuer)) ? JWT_OK
                                                               : JWT_ISSUER;
}

static bool is_for_us(const struct jwt_policy *policy,
                      const struct json_scan_value *v)
{
    for (size_t i = 0; i < policy->n_audiences; i++) {
        if (json_scan_is(v, span_str(policy->audiences[i])))
            return true;
    }
    return false;
}

/* A string, or an array of them (RFC 7519 4.1.3). */
static enum jwt_verdict check_audience(const struct jwt_policy *policy,
                                       struct span claims)
{
    struct json_scan_value v, item;
    int n;

    if (policy->n_audiences == 0)
        return JWT_OK;
    n = json_scan_find(claims, "aud", &v);
    if (n < 0)
        return JWT_MALFORMED;
    if (n > 0 && is_for_us(policy, &v))
        return JWT_OK;
    while (n > 0 && v.kind == JSON_SCAN_ARRAY &&
           json_scan_item(&v.text, &item)) {
        if (is_for_us(policy, &item))
            return JWT_OK;
    }
    return JWT_AUDIENCE;
}

static enum jwt_verdict read_claim(const struct jwt_policy *policy,
                                   struct span claims, struct jwt_claim *claim)
{
    struct json_scan_value v;
    int n;

    if (!policy->claim)
        return JWT_OK;
    n = json_scan_find(claims, policy->claim, &v);
    if (n < 0)
        return JWT_MALFORMED;
    if (n == 0 || (v.kind != JSON_SCAN_STRING && v.kind != JSON_SCAN_NUMBER))
        return JWT_CLAIM;
    n = json_scan_string(v.text, claim->text, sizeof(claim->text));
    if (n <= 0 || claim->text[0] == ' ' || claim->text[n - 1] == ' ')
        return JWT_CLAIM;
    for (int i = 0; i < n; i++) {
        if (claim->text[i] < 0x20 || claim->text[i] > 0x7E)
            return JWT_CLAIM;
    }
    claim->len = (size_t)n;
    return JWT_OK;
}

static enum jwt_verdict check_claims(const struct jwt_policy *policy,
                                     struct span part, uint64_t now_s,
                                     struct jwt_claim *claim)
{
    uint8_t bytes[CLAIMS_MAX];
    enum jwt_verdict verdict;
    struct span claims;

    if (!read_object(part, bytes, sizeof(bytes), &claims))
        return JWT_MALFORMED;
    verdict = check_times(policy, claims, now_s);
    if (verdict == JWT_OK)
        verdict = check_issuer(policy, claims);
    if (verdict == JWT_OK)
        verdict = check_audience(policy, claims);
    if (verdict == JWT_OK)
        verdict = read_claim(policy, claims, claim);
    return verdict;
}

/* ---- signature ---- */

static bool is_signed(const struct jwt_key *key, struct span text,
                      struct span signature)
{
    uint8_t digest[CRYPTO_SHA256_SIZE];

    if (key->alg == JWT_HS256) {
        crypto_hmac_sha256(span_of(key->secret, key->secret_len), &text, 1,
                           digest);
        return signature.len == sizeof(digest) &&
               mem_equal_secret(digest, signature.ptr, sizeof(digest));
    }
    crypto_sha256(&text, 1, digest);
    return crypto_pk_verify(key->pk, digest, signature);
}

enum jwt_verdict jwt_check(const struct jwt_policy *policy, struct span token,
                           uint64_t now_s, struct jwt_claim *ret_claim)
{
    uint8_t signature[SIGNATURE_MAX];
    const struct jwt_key *key;
    enum jwt_verdict verdict;
    struct jwt_claim claim = {.len = 0};
    struct parts parts;
    int n;

    if (!split(token, &parts))
        return JWT_MALFORMED;
    n = text_unbase64(TEXT_BASE64URL, parts.signature, signature,
                      sizeof(signature));
    if (n <= 0)
        return JWT_MALFORMED;
    verdict = read_header(policy->keys, parts.header, &key);
    if (verdict == JWT_OK)
        verdict = check_claims(policy, parts.claims, now_s, &claim);
    if (verdict != JWT_OK)
        return verdict;
    if (!is_signed(key, parts.signed_text, span_of(signature, (size_t)n)))
        return JWT_SIGNATURE;
    if (policy->claim)
        *ret_claim = claim;
    return JWT_OK;
}
