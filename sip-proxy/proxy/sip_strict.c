/* SPDX-License-Identifier: MIT */
#include "proxy/sip_strict.h"

#include "base/err.h"

enum { ROUTES_MAX = 70 }; /* as sip_limits_default */

static unsigned collect(const struct sip_msg *request,
                        struct span routes[ROUTES_MAX])
{
    struct sip_values values = sip_values_of(request, SIP_HDR_ROUTE);
    unsigned n = 0;

    while (n < ROUTES_MAX && sip_values_next(&values))
        routes[n++] = values.item;
    return n;
}

static void push_routes(struct sip_core *core, const struct span *routes,
                        unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        sip_edit_push(&core->edit, SIP_HDR_ROUTE, routes[i]);
}

static bool is_own_hop(const struct sip_core *core, const struct sip_msg *msg)
{
    const struct sip_token_binding binding = {.call_id = msg->call_id};
    struct sip_token token;

    return sip_token_read(&core->config->keys, msg->uri.user, &binding,
                          &token) == SIP_TOKEN_VALID &&
           token.use == SIP_TOKEN_RECORD;
}

int sip_strict_fix(struct sip_core *core)
{
    struct sip_msg *msg = &core->msg;
    struct span routes[ROUTES_MAX];
    struct sip_addr last;
    unsigned n;
    int err;

    if (!msg->is_request || msg->n_routes == 0 || !is_own_hop(core, msg))
        return 0;
    n = collect(msg, routes);
    if (n == 0 || sip_addr_parse(routes[n - 1], &last) < 0)
        return ERR_PARSE;
    sip_edit_begin(&core->edit, msg);
    sip_edit_set_uri(&core->edit, last.uri);
    sip_edit_remove_all(&core->edit, SIP_HDR_ROUTE);
    push_routes(core, routes, n - 1);
    buf_reset(&core->loose);
    err = sip_edit_write(&core->edit, &core->loose);
    if (err < 0)
        return err;
    SIP_COUNT(core, strict_routes);
    return sip_msg_parse(msg, buf_span(&core->loose), SIP_FRAMING_DATAGRAM,
                         &core->config->limits);
}

bool sip_strict_next(struct sip_core *core, const struct sip_msg *request,
                     unsigned pop)
{
    struct span routes[ROUTES_MAX];
    struct sip_addr next;
    struct sip_uri uri;
    unsigned n;

    if (request->n_routes <= pop)
        return false;
    n = collect(request, routes);
    if (n <= pop || sip_addr_parse(routes[pop], &next) < 0 ||
        sip_uri_parse(next.uri, &uri) < 0 || uri.has_lr)
        return false;
    SIP_COUNT(core, strict_routes);
    sip_edit_remove_all(&core->edit, SIP_HDR_ROUTE);
    push_routes(core, routes + pop + 1, n - pop - 1);
    buf_reset(&core->loose);
    buf_put_str(&core->loose, "<");
    buf_put_span(&core->loose, request->uri_text);
    buf_put_str(&core->loose, ">");
    sip_edit_push(&core->edit, SIP_HDR_ROUTE, buf_span(&core->loose));
    sip_edit_set_uri(&core->edit, next.uri);
    return true;
}
