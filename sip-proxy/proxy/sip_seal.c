/* SPDX-License-Identifier: MIT */
#include "proxy/sip_seal.h"

#include "base/crypto.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"

enum { MAC = 16 };

_Static_assert((int)MAC == (int)CRYPTO_AES_BLOCK, "the MAC is the counter");

static void mac_of(const struct sip_token_key *key, enum sip_seal_use use,
                   struct span binding, struct span text, uint8_t out[MAC])
{
    /* The lengths in front: what belongs to which part is unambiguous. */
    const uint8_t head[] = {(uint8_t)use, (uint8_t)(binding.len >> 8),
                            (uint8_t)binding.len};
    const struct span parts[] = {
        span_str("sip seal mac 1"),
        span_of(head, sizeof(head)),
        binding,
        text,
    };
    uint8_t digest[CRYPTO_SHA256_SIZE];

    crypto_hmac_sha256(span_of(key->secret, sizeof(key->secret)), parts,
                       ARRAY_SIZE(parts), digest);
    memcpy(out, digest, MAC);
}

static void crypt(const struct sip_token_key *key, const uint8_t mac[MAC],
                  struct span in, uint8_t *out)
{
    const struct span label = span_str("sip seal key 1");
    uint8_t digest[CRYPTO_SHA256_SIZE];

    crypto_hmac_sha256(span_of(key->secret, sizeof(key->secret)), &label, 1,
                       digest);
    if (in.len > 0)
        crypto_aes_ctr(digest, mac, in, out);
    mem_wipe(digest, sizeof(digest));
}

int sip_seal(const struct sip_token_keys *keys, enum sip_seal_use use,
             struct span binding, struct span text, char out[SIP_SEAL_MAX])
{
    const struct sip_token_key *key = &keys->key[0];
    uint8_t bytes[SIP_SEAL_OVERHEAD + SIP_SEAL_TEXT_MAX];

    if (text.len > SIP_SEAL_TEXT_MAX)
        return ERR_LIMIT;
    bytes[0] = key->id;
    mac_of(key, use, binding, text, bytes + 1);
    crypt(key, bytes + 1, text, bytes + SIP_SEAL_OVERHEAD);
    return (int)text_base64(TEXT_BASE64URL,
                            span_of(bytes, SIP_SEAL_OVERHEAD + text.len), out);
}

int sip_unseal(const struct sip_token_keys *keys, enum sip_seal_use use,
               struct span binding, struct span sealed,
               uint8_t out[SIP_SEAL_TEXT_MAX])
{
    uint8_t bytes[SIP_SEAL_OVERHEAD + SIP_SEAL_TEXT_MAX];
    int n = text_unbase64(TEXT_BASE64URL, sealed, bytes, sizeof(bytes));
    size_t len;

    if (n < SIP_SEAL_OVERHEAD)
        return ERR_PARSE;
    len = (size_t)n - SIP_SEAL_OVERHEAD;
    for (unsigned i = 0; i < keys->count; i++) {
        uint8_t mac[MAC];

        if (keys->key[i].id != bytes[0])
            continue;
        crypt(&keys->key[i], bytes + 1, span_of(bytes + SIP_SEAL_OVERHEAD, len),
              out);
        mac_of(&keys->key[i], use, binding, span_of(out, len), mac);
        if (mem_equal_secret(mac, bytes + 1, MAC))
            return (int)len;
    }
    return ERR_AUTH;
}
