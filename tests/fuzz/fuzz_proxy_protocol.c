/* SPDX-License-Identifier: MIT */
/* PROXY protocol headers. What a shorter input may still become, a longer one
 * must not contradict. */
#include "base/err.h"
#include "net/proxy_protocol.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int err, const struct proxy_header *h, size_t size)
{
    if (err != 0)
        return;
    if (h->len == 0 || h->len > size || h->len > PROXY_HEADER_MAX)
        abort();
    if (h->version != 1 && h->version != 2)
        abort();
    if (h->has_addrs != (h->source.family != ADDR_NONE) ||
        h->source.family != h->dest.family)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header whole;
    struct proxy_header part;
    int err = proxy_header_read(span_of(data, size), &whole);

    check(err, &whole, size);
    /* The answer does not depend on where the bytes were cut. */
    for (size_t n = 0; n < size && n < 160; n++) {
        int early = proxy_header_read(span_of(data, n), &part);

        check(early, &part, n);
        if (early == ERR_TRUNCATED)
            continue;
        if (early != err || (err == 0 && part.len != whole.len))
            abort();
    }
    if (err == 0 && proxy_header_read(span_of(data, whole.len), &part) != 0)
        abort();
    return 0;
}
