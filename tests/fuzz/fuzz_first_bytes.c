/* SPDX-License-Identifier: MIT */
/* A connection's first bytes. What a shorter input may still become, a longer
 * one must not contradict, and what is asked for is within bounds. */
#include "base/err.h"
#include "base/first_bytes.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_first(const uint8_t *data, size_t size,
                      struct first_bytes *first)
{
    static uint8_t scratch[TLS_HELLO_MAX];
    size_t need;
    int err = first_bytes_read(span_of(data, size), scratch, first, &need);

    if (err == ERR_TRUNCATED && (need <= size || need > FIRST_BYTES_MAX))
        abort();
    if (err != 0 && err != ERR_TRUNCATED && first->kind != FIRST_TLS)
        abort();
    return err;
}

static void walk(const struct first_bytes *first)
{
    struct span rest = first->hello.protocols;
    struct span name;

    if (first->hello.server_name.len > 253)
        abort();
    while (tls_hello_next(&rest, &name)) {
        if (!tls_hello_offers(&first->hello, name))
            abort();
    }
    if (rest.len > 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct first_bytes whole;
    struct first_bytes part;
    int err = read_first(data, size, &whole);

    if (err == 0)
        walk(&whole);
    for (size_t n = 0; n < size; n += n < 64 ? 1 : 37) {
        int early = read_first(data, n, &part);

        if (early == ERR_TRUNCATED)
            continue;
        if ((early == 0) != (err == 0) || part.kind != whole.kind)
            abort();
    }
    return 0;
}
