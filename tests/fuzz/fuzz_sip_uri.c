/* SPDX-License-Identifier: MIT */
/* Any bytes as a URI: parts lie inside the text, a URI equals itself, two are
 * equal in both directions. A line feed separates two URIs.
 */
#include "msg/sip_uri.h"

#include <stdlib.h>

#define CHECK(x)                                                               \
    do {                                                                       \
        if (!(x))                                                              \
            abort();                                                           \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_part(const struct sip_uri *uri, struct span s)
{
    return s.len == 0 || (s.ptr >= uri->text.ptr &&
                          s.ptr + s.len <= uri->text.ptr + uri->text.len);
}

static bool look(struct span text, struct sip_uri *uri)
{
    struct span rest;
    struct sip_param p;
    struct addr addr;
    uint8_t out[64];
    int n;

    if (sip_uri_parse(text, uri) < 0)
        return false;
    CHECK(is_part(uri, uri->user) && is_part(uri, uri->password));
    CHECK(is_part(uri, uri->host.hostport) && is_part(uri, uri->host.name));
    CHECK(is_part(uri, uri->params) && is_part(uri, uri->headers));
    CHECK(sip_uri_equal(uri, uri));
    if (uri->host.kind == SIP_HOST_IPV4 || uri->host.kind == SIP_HOST_IPV6)
        CHECK(sip_host_addr(&uri->host, &addr));
    n = sip_uri_aor(uri, out, sizeof(out));
    CHECK(n <= (int)sizeof(out));
    n = sip_unescape(uri->user, out, sizeof(out));
    CHECK(n <= (int)sizeof(out));
    rest = uri->params;
    while (sip_param_next(&rest, &p) > 0)
        CHECK(is_part(uri, p.text) && is_part(uri, p.value));
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span first = span_of(data, size);
    struct span second = first;
    struct sip_uri a;
    struct sip_uri b;

    (void)span_cut(first, '\n', &first, &second);
    if (look(first, &a) && look(second, &b))
        CHECK(sip_uri_equal(&a, &b) == sip_uri_equal(&b, &a));
    return 0;
}
