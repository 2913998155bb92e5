/* SPDX-License-Identifier: MIT */
/* AES-GCM for mbedTLS over nettle, which has it in assembler for AES-NI and
 * PCLMULQDQ (and for ARM's and POWER's equals), chosen when it runs.
 *
 * AES only. mbedtls_gcm_update() takes whole blocks until the last piece, as
 * mbedTLS 2 did; TLS does everything in one call. */
#include <mbedtls/gcm.h>

#include <mbedtls/constant_time.h>
#include <mbedtls/platform_util.h>
#include <nettle/aes.h>
#include <nettle/gcm.h>
#include <string.h>

struct state {
    union {
        struct aes128_ctx aes128;
        struct aes192_ctx aes192;
        struct aes256_ctx aes256;
    } key;
    struct gcm_ctx gcm;
    nettle_cipher_func *encrypt; /* NULL: no key yet */
    int mode;
};

_Static_assert(sizeof(struct state) <= sizeof(mbedtls_gcm_context),
               "the state fits");

static struct state *state_of(mbedtls_gcm_context *ctx)
{
    return (struct state *)(void *)ctx;
}

void mbedtls_gcm_init(mbedtls_gcm_context *ctx)
{
    memset(ctx, 0, sizeof(*ctx));
}

void mbedtls_gcm_free(mbedtls_gcm_context *ctx)
{
    if (ctx)
        mbedtls_platform_zeroize(ctx, sizeof(*ctx));
}

int mbedtls_gcm_setkey(mbedtls_gcm_context *ctx, mbedtls_cipher_id_t cipher,
                       const unsigned char *key, unsigned int keybits)
{
    struct state *s = state_of(ctx);

    mbedtls_gcm_free(ctx);
    if (cipher != MBEDTLS_CIPHER_ID_AES)
        return MBEDTLS_ERR_GCM_BAD_INPUT;
    switch (keybits) {
    case 128:
        aes128_set_encrypt_key(&s->key.aes128, key);
        s->encrypt = (nettle_cipher_func *)aes128_encrypt;
        return 0;
    case 192:
        aes192_set_encrypt_key(&s->key.aes192, key);
        s->encrypt = (nettle_cipher_func *)aes192_encrypt;
        return 0;
    case 256:
        aes256_set_encrypt_key(&s->key.aes256, key);
        s->encrypt = (nettle_cipher_func *)aes256_encrypt;
        return 0;
    default:
        return MBEDTLS_ERR_GCM_BAD_INPUT;
    }
}

/* The table of the hash key has 4 KiB, of which hardware needs the smallest
 * part; making it anew costs a session less than keeping two. */
static int begin(struct state *s, int mode, const unsigned char *iv,
                 size_t iv_len, struct gcm_key *table)
{
    if (!s->encrypt || iv_len == 0)
        return MBEDTLS_ERR_GCM_BAD_INPUT;
    s->mode = mode;
    gcm_set_key(table, &s->key, s->encrypt);
    gcm_set_iv(&s->gcm, table, iv_len, iv);
    return 0;
}

static void crypt(struct state *s, const struct gcm_key *table, size_t len,
                  const unsigned char *in, unsigned char *out)
{
    if (s->mode == MBEDTLS_GCM_ENCRYPT)
        gcm_encrypt(&s->gcm, table, &s->key, s->encrypt, len, out, in);
    else
        gcm_decrypt(&s->gcm, table, &s->key, s->encrypt, len, out, in);
}

static void end(struct state *s, struct gcm_key *table, unsigned char *tag,
                size_t tag_len)
{
    gcm_digest(&s->gcm, table, &s->key, s->encrypt, tag_len, tag);
    mbedtls_platform_zeroize(table, sizeof(*table));
    mbedtls_platform_zeroize(&s->gcm, sizeof(s->gcm));
}

static int tag_is_sane(size_t len)
{
    return len >= 4 && len <= 16;
}

int mbedtls_gcm_crypt_and_tag(mbedtls_gcm_context *ctx, int mode, size_t length,
                              const unsigned char *iv, size_t iv_len,
                              const unsigned char *add, size_t add_len,
                              const unsigned char *input, unsigned char *output,
                              size_t tag_len, unsigned char *tag)
{
    struct state *s = state_of(ctx);
    struct gcm_key table;
    int err;

    if (!tag_is_sane(tag_len))
        return MBEDTLS_ERR_GCM_BAD_INPUT;
    err = begin(s, mode, iv, iv_len, &table);
    if (err != 0)
        return err;
    gcm_update(&s->gcm, &table, add_len, add);
    crypt(s, &table, length, input, output);
    end(s, &table, tag, tag_len);
    return 0;
}

int mbedtls_gcm_auth_decrypt(mbedtls_gcm_context *ctx, size_t length,
                             const unsigned char *iv, size_t iv_len,
                             const unsigned char *add, size_t add_len,
                             const unsigned char *tag, size_t tag_len,
                             const unsigned char *input, unsigned char *output)
{
    unsigned char own[16];
    int err =
        mbedtls_gcm_crypt_and_tag(ctx, MBEDTLS_GCM_DECRYPT, length, iv, iv_len,
                                  add, add_len, input, output, tag_len, own);

    if (err != 0)
        return err;
    if (mbedtls_ct_memcmp(own, tag, tag_len) == 0)
        return 0;
    mbedtls_platform_zeroize(output, length);
    return MBEDTLS_ERR_GCM_AUTH_FAILED;
}

/* ---- in pieces ---- */

int mbedtls_gcm_starts(mbedtls_gcm_context *ctx, int mode,
                       const unsigned char *iv, size_t iv_len)
{
    struct gcm_key table;
    int err = begin(state_of(ctx), mode, iv, iv_len, &table);

    mbedtls_platform_zeroize(&table, sizeof(table));
    return err;
}

int mbedtls_gcm_update_ad(mbedtls_gcm_context *ctx, const unsigned char *add,
                          size_t add_len)
{
    struct state *s = state_of(ctx);
    struct gcm_key table;

    if (add_len == 0)
        return 0;
    if (!s->encrypt || s->gcm.auth_size % GCM_BLOCK_SIZE != 0 ||
        s->gcm.data_size > 0)
        return MBEDTLS_ERR_GCM_BAD_INPUT;
    gcm_set_key(&table, &s->key, s->encrypt);
    gcm_update(&s->gcm, &table, add_len, add);
    mbedtls_platform_zeroize(&table, sizeof(table));
    return 0;
}

int mbedtls_gcm_update(mbedtls_gcm_context *ctx, const unsigned char *input,
                       size_t input_length, unsigned char *output,
                       size_t output_size, size_t *output_length)
{
    struct state *s = state_of(ctx);
    struct gcm_key table;

    if (output_size < input_length)
        return MBEDTLS_ERR_GCM_BUFFER_TOO_SMALL;
    *output_length = input_length;
    if (input_length == 0)
        return 0;
    if (!s->encrypt || s->gcm.data_size % GCM_BLOCK_SIZE != 0)
        return MBEDTLS_ERR_GCM_BAD_INPUT;
    gcm_set_key(&table, &s->key, s->encrypt);
    crypt(s, &table, input_length, input, output);
    mbedtls_platform_zeroize(&table, sizeof(table));
    return 0;
}

int mbedtls_gcm_finish(mbedtls_gcm_context *ctx, unsigned char *output,
                       size_t output_size, size_t *output_length,
                       unsigned char *tag, size_t tag_len)
{
    struct state *s = state_of(ctx);
    struct gcm_key table;

    (void)output;
    (void)output_size;
    *output_length = 0;
    if (!s->encrypt || !tag_is_sane(tag_len))
        return MBEDTLS_ERR_GCM_BAD_INPUT;
    gcm_set_key(&table, &s->key, s->encrypt);
    end(s, &table, tag, tag_len);
    return 0;
}
