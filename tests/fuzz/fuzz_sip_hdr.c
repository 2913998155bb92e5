/* SPDX-License-Identifier: MIT */
/* Any bytes as a list of header values; the first byte picks the kind. */
#include "msg/sip_hdr.h"

#include <stdlib.h>

#define CHECK(x)                                                               \
    do {                                                                       \
        if (!(x))                                                              \
            abort();                                                           \
    } while (0)

static struct span all;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(struct span s)
{
    return s.len == 0 ||
           (s.ptr >= all.ptr && s.ptr + s.len <= all.ptr + all.len);
}

static void check_params(struct span params)
{
    struct sip_param p;

    CHECK(is_inside(params));
    while (sip_param_next(&params, &p) > 0)
        CHECK(is_inside(p.text) && is_inside(p.name) && is_inside(p.value));
}

static void check_addr(const struct sip_addr *addr)
{
    CHECK(is_inside(addr->display) && is_inside(addr->uri));
    CHECK(is_inside(addr->tag) && addr->uri.len > 0);
    check_params(addr->params);
}

static void look(unsigned kind, struct span item)
{
    struct sip_contact contact;
    struct sip_addr addr;
    struct sip_cseq cseq;
    struct sip_via via;
    uint32_t n;

    switch (kind % 5) {
    case 0:
        if (sip_via_parse(item, &via) < 0)
            return;
        CHECK(is_inside(via.branch) && is_inside(via.received));
        CHECK(is_inside(via.sent_by.name) && is_inside(via.transport_name));
        check_params(via.params);
        break;
    case 1:
        if (sip_addr_parse(item, &addr) == 0)
            check_addr(&addr);
        break;
    case 2:
        if (sip_contact_parse(item, &contact) < 0)
            return;
        CHECK(contact.q <= 1000 && is_inside(contact.instance));
        if (!contact.is_star)
            check_addr(&contact.addr);
        break;
    case 3:
        if (sip_cseq_parse(item, &cseq) == 0)
            CHECK(is_inside(cseq.method_name) && cseq.number <= INT32_MAX);
        break;
    default:
        (void)sip_number_parse(item, 255, &n);
        (void)sip_retry_after_parse(item, &n);
        (void)sip_call_id_is_valid(item);
        (void)sip_hdr_lookup(item);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest;
    struct span item;

    if (size == 0)
        return 0;
    all = span_of(data + 1, size - 1);
    rest = all;
    look(data[0], all);
    while (sip_list_next(&rest, &item)) {
        CHECK(is_inside(item) && item.len > 0);
        look(data[0], item);
    }
    return 0;
}
