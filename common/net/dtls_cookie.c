/* SPDX-License-Identifier: MIT */
#include "net/dtls_cookie.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/wire.h"

enum {
    CLIENT_HELLO = 1,
    HELLO_VERIFY_REQUEST = 3,
    HANDSHAKE_HEADER = 12,
    SESSION_ID_MAX = 32,
    TIME_SIZE = 4,
    /* Whatever is agreed on later (RFC 6347 4.2.1). */
    VERSION_10 = 0xfeff,
    VERSION_MAJOR = 0xfe,
};

/* ---- ClientHello ---- */

bool dtls_is_hello(struct span datagram)
{
    return datagram.len > DTLS_RECORD_HEADER &&
           datagram.ptr[0] == DTLS_HANDSHAKE && datagram.ptr[3] == 0 &&
           datagram.ptr[4] == 0 &&
           datagram.ptr[DTLS_RECORD_HEADER] == CLIENT_HELLO;
}

static uint32_t read_u24(struct wire_reader *r)
{
    uint32_t high = wire_u8(r);

    return high << 16 | wire_u16(r);
}

static int read_record(struct wire_reader *r, struct dtls_hello *hello)
{
    uint8_t type = wire_u8(r);
    uint8_t major = wire_u8(r);
    uint16_t epoch;
    uint16_t len;

    (void)wire_u8(r); /* minor: clients write 1.0 or 1.2 */
    epoch = wire_u16(r);
    hello->sequence = wire_take(r, 6);
    len = wire_u16(r);
    if (type != DTLS_HANDSHAKE || major != VERSION_MAJOR || epoch != 0 ||
        len != wire_left(r))
        return ERR_PARSE;
    return 0;
}

static int read_message(struct wire_reader *r, struct dtls_hello *hello)
{
    uint8_t type = wire_u8(r);
    uint32_t len = read_u24(r);
    uint32_t offset;
    uint32_t fragment;

    hello->message_seq = wire_u16(r);
    offset = read_u24(r);
    fragment = read_u24(r);
    if (type != CLIENT_HELLO || offset != 0 || fragment != len ||
        len != wire_left(r))
        return ERR_PARSE;
    return 0;
}

static int read_body(struct wire_reader *r, struct dtls_hello *hello)
{
    uint8_t major = wire_u8(r);
    struct span session_id;
    struct span suites;
    struct span compression;

    (void)wire_u8(r);
    hello->random = wire_take(r, DTLS_RANDOM_SIZE);
    session_id = wire_take(r, wire_u8(r));
    hello->cookie = wire_take(r, wire_u8(r));
    suites = wire_take(r, wire_u16(r));
    compression = wire_take(r, wire_u8(r));
    if (major != VERSION_MAJOR || session_id.len > SESSION_ID_MAX ||
        suites.len < 2 || suites.len % 2 != 0 || compression.len == 0)
        return ERR_PARSE;
    if (wire_left(r) > 0) /* extensions */
        (void)wire_take(r, wire_u16(r));
    return wire_left(r) > 0 ? ERR_PARSE : 0;
}

int dtls_hello_read(struct span datagram, struct dtls_hello *ret_hello)
{
    struct wire_reader r = wire_reader(datagram);
    int err = read_record(&r, ret_hello);

    if (err == 0)
        err = read_message(&r, ret_hello);
    if (err == 0)
        err = read_body(&r, ret_hello);
    return err < 0 || r.err < 0 ? ERR_PARSE : 0;
}

/* ---- HelloVerifyRequest ---- */

static void put_u24(struct wire_writer *w, uint16_t v)
{
    wire_put_u8(w, 0);
    wire_put_u16(w, v);
}

/* Record and message numbers are the ClientHello's. */
void dtls_verify_write(const struct dtls_hello *hello,
                       const uint8_t cookie[DTLS_COOKIE_SIZE],
                       uint8_t out[DTLS_VERIFY_SIZE])
{
    enum { BODY = 3 + DTLS_COOKIE_SIZE };
    struct wire_writer w = wire_writer(out, DTLS_VERIFY_SIZE);

    wire_put_u8(&w, DTLS_HANDSHAKE);
    wire_put_u16(&w, VERSION_10);
    wire_put_u16(&w, 0); /* epoch */
    wire_put(&w, hello->sequence);
    wire_put_u16(&w, HANDSHAKE_HEADER + BODY);

    wire_put_u8(&w, HELLO_VERIFY_REQUEST);
    put_u24(&w, BODY);
    wire_put_u16(&w, hello->message_seq);
    put_u24(&w, 0);
    put_u24(&w, BODY);

    wire_put_u16(&w, VERSION_10);
    wire_put_u8(&w, DTLS_COOKIE_SIZE);
    wire_put(&w, span_of(cookie, DTLS_COOKIE_SIZE));
}

/* ---- the cookie ---- */

void dtls_cookies_init(struct dtls_cookies *cookies, unsigned lifetime_ms)
{
    crypto_random(cookies->key, sizeof(cookies->key));
    crypto_random(&cookies->offset, sizeof(cookies->offset));
    cookies->lifetime_s = lifetime_ms < 1000 ? 1 : lifetime_ms / 1000;
}

static uint32_t seconds(const struct dtls_cookies *cookies, uint64_t now)
{
    return (uint32_t)(now / 1000) + cookies->offset;
}

static void make_at(const struct dtls_cookies *cookies,
                    const struct dtls_path *path, struct span random,
                    uint32_t time, uint8_t out[DTLS_COOKIE_SIZE])
{
    uint8_t mac[CRYPTO_SHA256_SIZE];
    struct span parts[] = {
        {out, TIME_SIZE},
        addr_key(&path->remote),
        addr_key(&path->local),
        random,
    };

    wire_store_u32(out, time);
    crypto_hmac_sha256(span_of(cookies->key, sizeof(cookies->key)), parts,
                       ARRAY_SIZE(parts), mac);
    memcpy(out + TIME_SIZE, mac, DTLS_COOKIE_SIZE - TIME_SIZE);
}

void dtls_cookie_make(const struct dtls_cookies *cookies,
                      const struct dtls_path *path, struct span random,
                      uint64_t now, uint8_t out[DTLS_COOKIE_SIZE])
{
    make_at(cookies, path, random, seconds(cookies, now), out);
}

bool dtls_cookie_check(const struct dtls_cookies *cookies,
                       const struct dtls_path *path,
                       const struct dtls_hello *hello, uint64_t now)
{
    uint8_t expected[DTLS_COOKIE_SIZE];
    struct wire_reader r = wire_reader(hello->cookie);
    uint32_t made = wire_u32(&r);

    if (hello->cookie.len != DTLS_COOKIE_SIZE ||
        seconds(cookies, now) - made > cookies->lifetime_s)
        return false;
    make_at(cookies, path, hello->random, made, expected);
    return mem_equal_secret(expected, hello->cookie.ptr, sizeof(expected));
}
