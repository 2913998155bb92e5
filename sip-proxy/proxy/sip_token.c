/* SPDX-License-Identifier: MIT */
#include "proxy/sip_token.h"

#include "base/crypto.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/wire.h"

enum {
    BODY_BYTES = 20,
    TAG_AT = 14,
    MAC_BYTES = SIP_TOKEN_BYTES - BODY_BYTES,
    USE_MASK = 0x03,
    FLAG_SIPS = 0x04,
    PARTNER_SLOT = 0xFFFFFF, /* no flow has it */
    /* The high bits are a fixed mark: most user parts of forty characters are
     * recognised as no token before any HMAC is computed. */
    MARK_MASK = 0xF8,
    MARK = 0xA8,
};

static struct span bound_to(uint8_t first,
                            const struct sip_token_binding *binding)
{
    return (first & USE_MASK) == SIP_TOKEN_RECORD ? binding->call_id
                                                  : binding->user;
}

static void mac_of(const struct sip_token_key *key,
                   const uint8_t body[BODY_BYTES],
                   const struct sip_token_binding *binding,
                   uint8_t out[CRYPTO_SHA256_SIZE])
{
    const struct span parts[] = {
        span_str("sip flow token 2"),
        span_of(body, BODY_BYTES),
        bound_to(body[0], binding),
    };

    crypto_hmac_sha256(span_of(key->secret, sizeof(key->secret)), parts,
                       ARRAY_SIZE(parts), out);
}

void sip_token_key_init(struct sip_token_key *key,
                        const uint8_t secret[SIP_TOKEN_KEY])
{
    uint8_t digest[CRYPTO_SHA256_SIZE];
    const struct span parts[] = {
        span_str("sip flow token key id"),
        span_of(secret, SIP_TOKEN_KEY),
    };

    memcpy(key->secret, secret, SIP_TOKEN_KEY);
    crypto_sha256(parts, ARRAY_SIZE(parts), digest);
    key->id = digest[0];
}

void sip_token_write(const struct sip_token_keys *keys,
                     const struct sip_token *token,
                     const struct sip_token_binding *binding,
                     char text[SIP_TOKEN_TEXT + 1])
{
    const struct sip_token_key *key = &keys->key[0];
    uint8_t bytes[SIP_TOKEN_BYTES];
    uint8_t mac[CRYPTO_SHA256_SIZE];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    wire_put_u8(&w, (uint8_t)(MARK | (token->sips ? FLAG_SIPS : 0) |
                              (token->use & USE_MASK)));
    wire_put_u8(&w, key->id);
    wire_put_u16(&w, token->node);
    wire_put_u32(&w, (uint32_t)token->worker << 24 |
                         (token->partner ? (uint32_t)PARTNER_SLOT
                                         : token->flow.slot & 0xFFFFFF));
    wire_put_u32(&w, token->flow.generation);
    wire_put_u16(&w, token->server);
    wire_put_u16(&w, (uint16_t)(token->tag >> 32));
    wire_put_u32(&w, (uint32_t)token->tag);
    mac_of(key, bytes, binding, mac);
    wire_put(&w, span_of(mac, MAC_BYTES));
    (void)text_base64(TEXT_BASE64URL, span_of(bytes, sizeof(bytes)), text);
}

/* The bytes of what looks like a token. */
static bool unpack(struct span text, uint8_t bytes[SIP_TOKEN_BYTES])
{
    if (text.len != SIP_TOKEN_TEXT)
        return false;
    if (text_unbase64(TEXT_BASE64URL, text, bytes, SIP_TOKEN_BYTES) !=
        SIP_TOKEN_BYTES)
        return false;
    return (bytes[0] & MARK_MASK) == MARK && (bytes[0] & USE_MASK) != 0;
}

static bool is_signed(const struct sip_token_keys *keys,
                      const uint8_t bytes[SIP_TOKEN_BYTES],
                      const struct sip_token_binding *binding)
{
    for (unsigned i = 0; i < keys->count; i++) {
        uint8_t mac[CRYPTO_SHA256_SIZE];

        if (keys->key[i].id != bytes[1])
            continue;
        mac_of(&keys->key[i], bytes, binding, mac);
        if (mem_equal_secret(mac, bytes + BODY_BYTES, MAC_BYTES))
            return true;
    }
    return false;
}

enum sip_token_verdict sip_token_read(const struct sip_token_keys *keys,
                                      struct span text,
                                      const struct sip_token_binding *binding,
                                      struct sip_token *ret_token)
{
    uint8_t bytes[SIP_TOKEN_BYTES];
    struct wire_reader r;
    uint32_t place;

    if (!unpack(text, bytes))
        return SIP_TOKEN_NONE;
    if (!is_signed(keys, bytes, binding))
        return SIP_TOKEN_FORGED;

    r = wire_reader(span_of(bytes, sizeof(bytes)));
    ret_token->use = (enum sip_token_use)(bytes[0] & USE_MASK);
    ret_token->sips = bytes[0] & FLAG_SIPS;
    (void)wire_u16(&r);
    ret_token->node = wire_u16(&r);
    place = wire_u32(&r);
    ret_token->worker = (uint8_t)(place >> 24);
    ret_token->flow.slot = place & 0xFFFFFF;
    ret_token->partner = ret_token->flow.slot == PARTNER_SLOT;
    ret_token->flow.generation = wire_u32(&r);
    ret_token->server = wire_u16(&r);
    ret_token->tag = (uint64_t)wire_u16(&r) << 32;
    ret_token->tag |= wire_u32(&r);
    return SIP_TOKEN_VALID;
}

bool sip_token_peek_worker(struct span text, uint16_t node, uint8_t *ret_worker,
                           uint64_t *ret_tag)
{
    uint8_t bytes[SIP_TOKEN_BYTES];

    if (!unpack(text, bytes) || (bytes[2] << 8 | bytes[3]) != node)
        return false;
    *ret_worker = bytes[4];
    *ret_tag = 0;
    for (size_t i = TAG_AT; i < BODY_BYTES; i++)
        *ret_tag = *ret_tag << 8 | bytes[i];
    return true;
}
