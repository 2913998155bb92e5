/* SPDX-License-Identifier: MIT */
/* Addresses and networks: what is accepted is printed, and read again as the
 * same value. */
#include "base/cidr.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void try_addr(struct span text)
{
    char out[ADDR_TEXT_SIZE];
    struct sockaddr_storage sa;
    struct addr inner;
    struct addr back;
    struct addr a;

    if (addr_parse(text, &a) < 0)
        return;
    require(addr_parse(span_str(addr_str(&a, out)), &back) == 0);
    require(addr_equal(&a, &back));
    require(addr_parse_ip(span_str(addr_ip_str(&a, out)), &back) == 0);
    require(addr_same_ip(&a, &back));
    addr_to_sockaddr(&a, &sa);
    require(addr_from_sockaddr((struct sockaddr *)&sa, &back) == 0);
    require(addr_equal(&a, &back));
    require(addr_is_any(&a) + addr_is_loopback(&a) + addr_is_multicast(&a) +
                addr_is_link_local(&a) + addr_is_private(&a) <=
            1);
    if (addr_inner_v4(&a, &inner))
        require(a.family == ADDR_V6 && inner.family == ADDR_V4);
}

static void try_cidr(struct span text)
{
    char out[CIDR_TEXT_SIZE];
    struct cidr back;
    struct cidr c;
    struct addr first;

    if (cidr_parse(text, &c) < 0)
        return;
    require(cidr_parse(span_str(cidr_str(&c, out)), &back) == 0);
    require(addr_equal(&c.net, &back.net) && c.prefix == back.prefix);
    require(c.port_first == back.port_first && c.port_last == back.port_last);
    require(c.port_first <= c.port_last);
    first = c.net;
    first.port = c.port_first;
    require(cidr_has(&c, &first) && cidr_has_ip(&c, &first));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of(data, size);

    try_addr(text);
    try_cidr(text);
    return 0;
}
