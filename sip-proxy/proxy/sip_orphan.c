/* SPDX-License-Identifier: MIT */
#include "proxy/sip_orphan.h"

enum { ROUTES_MAX = 16 };

/* The route set as the caller had it: Record-Route up to our own values, in
 * reverse (RFC 3261 12.1.2). */
static void put_routes(struct sip_core *core, const struct sip_msg *response)
{
    const struct sip_token_binding binding = {.call_id = response->call_id};
    struct sip_values values = sip_values_of(response, SIP_HDR_RECORD_ROUTE);
    struct span routes[ROUTES_MAX];
    unsigned n = 0;

    while (n < ROUTES_MAX && sip_values_next(&values)) {
        struct sip_addr addr;
        struct sip_uri uri;
        struct sip_token token;

        if (sip_addr_parse(values.item, &addr) < 0 ||
            sip_uri_parse(addr.uri, &uri) < 0 ||
            sip_token_read(&core->config->keys, uri.user, &binding, &token) !=
                SIP_TOKEN_NONE)
            break;
        routes[n++] = values.item;
    }
    while (n-- > 0)
        buf_printf(&core->out, "Route: %.*s\r\n", SPAN_FMT(routes[n]));
}

static bool first_contact(const struct sip_msg *response, struct span *ret_uri)
{
    struct sip_values values = sip_values_of(response, SIP_HDR_CONTACT);
    struct sip_contact contact;

    if (!sip_values_next(&values) ||
        sip_contact_parse(values.item, &contact) < 0 || contact.is_star)
        return false;
    *ret_uri = contact.addr.uri;
    return true;
}

/* A request of the caller's inside the dialog, into core->out. */
static bool write_request(struct sip_core *core, const struct sip_msg *response,
                          const struct sip_target *to, const char *method,
                          uint32_t cseq)
{
    char branch[SIP_BRANCH_TEXT + 1];
    struct span uri;

    if (!first_contact(response, &uri))
        return false;
    sip_core_branch(core, 0, branch);
    buf_reset(&core->out);
    buf_printf(&core->out,
               "%s %.*s SIP/2.0\r\nVia: SIP/2.0/%s %s;branch=%s\r\n", method,
               SPAN_FMT(uri), sip_transport_str(to->transport),
               sip_local_of(core, to)->sent_by, branch);
    put_routes(core, response);
    buf_printf(&core->out,
               "Max-Forwards: 70\r\nFrom: %.*s\r\nTo: %.*s\r\n"
               "Call-ID: %.*s\r\nCSeq: %u %s\r\n",
               SPAN_FMT(sip_msg_value(response, SIP_HDR_FROM)),
               SPAN_FMT(sip_msg_value(response, SIP_HDR_TO)),
               SPAN_FMT(response->call_id), (unsigned)cseq, method);
    if (strcmp(method, "BYE") == 0)
        buf_put_str(&core->out,
                    "Reason: SIP;cause=430;text=\"Flow Failed\"\r\n");
    buf_put_str(&core->out, "Content-Length: 0\r\n\r\n");
    return buf_err(&core->out) == 0;
}

void sip_orphan_end(struct sip_core *core, const struct sip_msg *response,
                    const struct sip_target *to, bool bye, uint64_t now)
{
    uint32_t cseq = response->cseq.number;
    struct pool_id id;

    if (!write_request(core, response, to, "ACK", cseq))
        return;
    (void)sip_core_send(core, to, buf_span(&core->out));
    if (!bye || !write_request(core, response, to, "BYE", cseq + 1))
        return;
    SIP_COUNT(core, orphans);
    (void)sip_txns_client_new(core->txns, buf_span(&core->out), to, 0, now,
                              &id);
}
