/* SPDX-License-Identifier: MIT */
/* What a name server answers: any bytes. */
#include "base/dns.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static uint32_t chance(void *arg)
{
    uint32_t *state = arg;

    *state = *state * 1664525 + 1013904223;
    return *state;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dns_records r;
    uint32_t state = (uint32_t)size;

    if (dns_records_read(span_of(data, size), DNS_SRV, &r) == 0) {
        dns_srv_order(&r, chance, &state);
        for (size_t i = 0; i < r.n; i++) {
            require(strlen(r.srv[i].target) <= DNS_NAME_MAX);
            require(i == 0 || r.srv[i - 1].priority <= r.srv[i].priority);
        }
    }
    if (dns_records_read(span_of(data, size), DNS_NAPTR, &r) == 0) {
        dns_naptr_order(&r);
        for (size_t i = 0; i < r.n; i++)
            require(strlen(r.naptr[i].service) <= DNS_SERVICE_MAX);
    }
    return 0;
}
