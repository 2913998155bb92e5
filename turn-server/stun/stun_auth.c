/* SPDX-License-Identifier: MIT */
#include "stun/stun_auth.h"

#include "base/crypto.h"
#include "base/mem.h"
#include "base/text.h"

#include <assert.h>

enum {
    COOKIE_SIZE = 9,    /* "obMatJos2" */
    FEATURES_SIZE = 4,  /* 24 bits in base64 */
    STAMP_SIZE = 4,     /* seconds */
    NONCE_MAC_SIZE = 8, /* of the HMAC */
    SHA256_MIN = 16,    /* shortest truncated integrity (RFC 8489 14.6) */
    FINGERPRINT_ATTR_SIZE = 8,
};

static const char nonce_cookie[] = "obMatJos2";

#define FINGERPRINT_MASK 0x5354554EU

void stun_key_make(enum stun_algorithm algorithm, struct span username,
                   struct span realm, struct span password,
                   struct stun_key *ret_key)
{
    struct span colon = span_str(":");
    struct span parts[] = {username, colon, realm, colon, password};

    if (algorithm == STUN_ALGORITHM_SHA256) {
        crypto_sha256(parts, ARRAY_SIZE(parts), ret_key->bytes);
        ret_key->len = CRYPTO_SHA256_SIZE;
    } else {
        crypto_md5(parts, ARRAY_SIZE(parts), ret_key->bytes);
        ret_key->len = CRYPTO_MD5_SIZE;
    }
}

void stun_userhash(struct span username, struct span realm, uint8_t out[32])
{
    struct span parts[] = {username, span_str(":"), realm};

    crypto_sha256(parts, ARRAY_SIZE(parts), out);
}

enum stun_integrity stun_integrity_of(const struct stun_msg *msg)
{
    if (stun_msg_has(msg, STUN_MESSAGE_INTEGRITY_SHA256))
        return STUN_INTEGRITY_SHA256;
    if (stun_msg_has(msg, STUN_MESSAGE_INTEGRITY))
        return STUN_INTEGRITY_SHA1;
    return STUN_INTEGRITY_NONE;
}

/* The HMAC over what stands before the integrity attribute at `end`, with a
 * length field that reaches to the end of its `mac_len` bytes. */
static void integrity(struct span raw, size_t end, enum stun_integrity kind,
                      size_t mac_len, const struct stun_key *key,
                      uint8_t mac[CRYPTO_SHA256_SIZE])
{
    uint8_t head[4] = {raw.ptr[0], raw.ptr[1], 0, 0};
    struct span parts[] = {span_of(head, sizeof(head)),
                           span_of(raw.ptr + 4, end - 4)};
    struct span secret = span_of(key->bytes, key->len);

    wire_store_u16(head + 2, (uint16_t)(end + 4 + mac_len - STUN_HEADER_SIZE));
    if (kind == STUN_INTEGRITY_SHA256)
        crypto_hmac_sha256(secret, parts, ARRAY_SIZE(parts), mac);
    else
        crypto_hmac_sha1(secret, parts, ARRAY_SIZE(parts), mac);
}

static bool length_is_right(enum stun_integrity kind, size_t len)
{
    if (kind == STUN_INTEGRITY_SHA256)
        return len >= SHA256_MIN && len <= CRYPTO_SHA256_SIZE && len % 4 == 0;
    return len == CRYPTO_SHA1_SIZE;
}

bool stun_check_integrity(const struct stun_msg *msg, enum stun_integrity kind,
                          const struct stun_key *key)
{
    enum stun_attr attr = kind == STUN_INTEGRITY_SHA256
                              ? STUN_MESSAGE_INTEGRITY_SHA256
                              : STUN_MESSAGE_INTEGRITY;
    struct span sent = stun_msg_attr(msg, attr);
    uint8_t mac[CRYPTO_SHA256_SIZE];

    if (kind == STUN_INTEGRITY_NONE || !sent.ptr ||
        !length_is_right(kind, sent.len))
        return false;
    integrity(msg->raw, msg->attr[attr].at - 4U, kind, sent.len, key, mac);
    return mem_equal_secret(mac, sent.ptr, sent.len);
}

void stun_write_integrity(struct stun_writer *w, enum stun_integrity kind,
                          const struct stun_key *key)
{
    size_t len =
        kind == STUN_INTEGRITY_SHA256 ? CRYPTO_SHA256_SIZE : CRYPTO_SHA1_SIZE;
    uint8_t mac[CRYPTO_SHA256_SIZE];

    if (kind == STUN_INTEGRITY_NONE || w->wire.err)
        return;
    integrity(stun_written(w), wire_written(&w->wire), kind, len, key, mac);
    stun_write(w,
               kind == STUN_INTEGRITY_SHA256 ? STUN_MESSAGE_INTEGRITY_SHA256
                                             : STUN_MESSAGE_INTEGRITY,
               span_of(mac, len));
}

bool stun_check_fingerprint(const struct stun_msg *msg)
{
    struct span sent = stun_msg_attr(msg, STUN_FINGERPRINT);
    size_t at = msg->attr[STUN_FINGERPRINT].at;
    uint32_t crc;

    if (!sent.ptr)
        return true;
    if (stun_attr_u32(sent, &crc) < 0 || at + sent.len != msg->raw.len)
        return false;
    return (crypto_crc32(span_head(msg->raw, at - 4)) ^ FINGERPRINT_MASK) ==
           crc;
}

void stun_write_fingerprint(struct stun_writer *w)
{
    stun_write_length(w, FINGERPRINT_ATTR_SIZE);
    if (!w->wire.err)
        stun_write_u32(w, STUN_FINGERPRINT,
                       crypto_crc32(stun_written(w)) ^ FINGERPRINT_MASK);
}

/* The 64 bits that tie a nonce to us, to its features and to one client. */
static void nonce_mac(struct span head, const uint8_t stamp[STAMP_SIZE],
                      struct span secret, const struct addr *client,
                      uint8_t out[NONCE_MAC_SIZE])
{
    struct span parts[] = {head, span_of(stamp, STAMP_SIZE), addr_key(client)};
    uint8_t mac[CRYPTO_SHA256_SIZE];

    crypto_hmac_sha256(secret, parts, ARRAY_SIZE(parts), mac);
    memcpy(out, mac, NONCE_MAC_SIZE);
}

void stun_nonce_make(struct span secret, const struct addr *client,
                     uint32_t features, uint64_t now_s,
                     char out[STUN_NONCE_SIZE])
{
    uint8_t bits[3] = {(uint8_t)(features >> 16), (uint8_t)(features >> 8),
                       (uint8_t)features};
    uint8_t body[STAMP_SIZE + NONCE_MAC_SIZE];
    char text[STUN_NONCE_SIZE + 1];

    memcpy(text, nonce_cookie, COOKIE_SIZE);
    text_base64(TEXT_BASE64, span_of(bits, sizeof(bits)), text + COOKIE_SIZE);
    wire_store_u32(body, (uint32_t)now_s);
    nonce_mac(span_of(text, COOKIE_SIZE + FEATURES_SIZE), body, secret, client,
              body + STAMP_SIZE);
    text_base64(TEXT_BASE64, span_of(body, sizeof(body)),
                text + COOKIE_SIZE + FEATURES_SIZE);
    memcpy(out, text, STUN_NONCE_SIZE);
}

bool stun_nonce_is_fresh(struct span nonce, struct span secret,
                         const struct addr *client, uint64_t now_s,
                         uint32_t lifetime_s)
{
    struct span head = span_head(nonce, COOKIE_SIZE + FEATURES_SIZE);
    uint8_t body[STAMP_SIZE + NONCE_MAC_SIZE];
    uint8_t mac[NONCE_MAC_SIZE];
    struct wire_reader r = wire_reader(span_of(body, sizeof(body)));

    if (nonce.len != STUN_NONCE_SIZE ||
        text_unbase64(TEXT_BASE64, span_from(nonce, head.len), body,
                      sizeof(body)) != (int)sizeof(body))
        return false;
    nonce_mac(head, body, secret, client, mac);
    if (!mem_equal_secret(mac, body + STAMP_SIZE, sizeof(mac)))
        return false;
    return (uint32_t)now_s - wire_u32(&r) <= lifetime_s;
}

uint32_t stun_nonce_features(struct span nonce)
{
    uint8_t bits[3];

    if (nonce.len < COOKIE_SIZE + FEATURES_SIZE ||
        !span_starts(nonce, nonce_cookie) ||
        text_unbase64(TEXT_BASE64,
                      span_of(nonce.ptr + COOKIE_SIZE, FEATURES_SIZE), bits,
                      sizeof(bits)) != (int)sizeof(bits))
        return 0;
    return (uint32_t)bits[0] << 16 | (uint32_t)bits[1] << 8 | bits[2];
}
