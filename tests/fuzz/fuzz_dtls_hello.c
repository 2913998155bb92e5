/* SPDX-License-Identifier: MIT */
/* The stateless part of a DTLS handshake: any datagram, and the answer. */
#include "net/dtls_cookie.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(struct span s, const uint8_t *data, size_t size)
{
    return s.len == 0 || (s.ptr >= data && s.ptr + s.len <= data + size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dtls_cookies cookies = {.lifetime_s = 30};
    struct dtls_path path = {addr_v4(1, 2), addr_v4(3, 4)};
    struct dtls_hello hello;
    uint8_t cookie[DTLS_COOKIE_SIZE];
    uint8_t out[DTLS_VERIFY_SIZE];
    bool is_hello = dtls_is_hello(span_of(data, size));

    if (dtls_hello_read(span_of(data, size), &hello) < 0)
        return 0;
    if (!is_hello || size <= sizeof(out)) /* never answer with more */
        abort();
    if (!is_inside(hello.random, data, size) ||
        !is_inside(hello.cookie, data, size) ||
        hello.random.len != DTLS_RANDOM_SIZE)
        abort();
    dtls_cookie_make(&cookies, &path, hello.random, 5000, cookie);
    dtls_verify_write(&hello, cookie, out);
    (void)dtls_cookie_check(&cookies, &path, &hello, 5000);
    hello.cookie = span_of(cookie, sizeof(cookie));
    if (!dtls_cookie_check(&cookies, &path, &hello, 5000))
        abort();
    return 0;
}
