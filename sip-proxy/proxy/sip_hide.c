/* SPDX-License-Identifier: MIT */
/* Topology hiding, the way out. */
#include "proxy/sip_hide_internal.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>

enum { VALUES_MAX = 80, LIST_MAX = 16384 };

/* --- what is inside --- */

/* An address of ours that others know anyway is no secret. */
static bool is_public(const struct sip_core *core, const struct addr *a)
{
    const struct sip_core_config *cfg = core->config;

    for (size_t i = 0; i < cfg->n_locals; i++) {
        const struct sip_local *local = &cfg->locals[i];
        struct sip_host host;
        struct addr known;

        if (local->zone != SIP_OUTSIDE)
            continue;
        if (addr_same_ip(&local->addr, a))
            return true;
        if (sip_host_parse(span_str(local->sent_by), &host) == 0 &&
            sip_host_addr(&host, &known) && addr_same_ip(&known, a))
            return true;
    }
    return false;
}

/* The n-th address that is not to be seen outside, in words; false at the
 * end, "" where there is none. */
static bool inside_text(const struct sip_core *core, size_t n,
                        char text[ADDR_TEXT_SIZE])
{
    const struct sip_core_config *cfg = core->config;
    const struct addr *a;

    text[0] = '\0';
    if (n < core->dispatch.count)
        a = &core->dispatch.servers[n].conf.target.remote;
    else if (n < core->dispatch.count + cfg->n_locals)
        a = &cfg->locals[n - core->dispatch.count].addr;
    else
        return false;
    if (!is_public(core, a) && !addr_is_any(a))
        (void)addr_ip_str(a, text);
    return true;
}

static bool is_inside(const struct sip_core *core, const struct sip_host *host)
{
    const struct sip_core_config *cfg = core->config;
    struct addr a;

    if (!sip_host_addr(host, &a) || is_public(core, &a))
        return false;
    if (sip_dispatch_find_ip(&core->dispatch, &a) >= 0 ||
        cidr_list_has_ip(cfg->inside, cfg->n_inside, &a))
        return true;
    for (size_t i = 0; i < cfg->n_locals; i++) {
        if (addr_same_ip(&cfg->locals[i].addr, &a))
            return true;
    }
    return false;
}

static bool is_digit(uint8_t c, bool is_hex)
{
    return (c >= '0' && c <= '9') ||
           (is_hex && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')));
}

/* What stands there, from `at` on, is no part of a longer address. */
static bool stands_alone(struct span s, size_t at, size_t len, bool is_v6)
{
    const uint8_t mark = is_v6 ? ':' : '.';
    struct span rest = span_from(s, at + len);

    if (at > 0 && (is_digit(s.ptr[at - 1], is_v6) || s.ptr[at - 1] == mark))
        return false;
    if (rest.len > 0 && is_digit(rest.ptr[0], is_v6))
        return false;
    return rest.len < 2 || rest.ptr[0] != mark || !is_digit(rest.ptr[1], is_v6);
}

/* Where the address stands in a text, and is not part of another one. -1: it
 * does not. */
static ptrdiff_t find_address(struct span s, struct span address)
{
    bool is_v6 = span_find(address, ':') >= 0;
    size_t from = 0;

    while (s.ptr && address.len > 0) {
        ptrdiff_t found = span_search(span_from(s, from), address);
        size_t at;

        if (found < 0)
            return -1;
        at = from + (size_t)found;
        if (stands_alone(s, at, address.len, is_v6))
            return (ptrdiff_t)at;
        from = at + 1;
    }
    return -1;
}

static bool has_inside(const struct sip_core *core, struct span s)
{
    char text[ADDR_TEXT_SIZE];

    for (size_t n = 0; inside_text(core, n, text); n++) {
        if (text[0] && find_address(s, span_str(text)) >= 0)
            return true;
    }
    return false;
}

/* --- fields --- */

/* Seal h->list into h->sealed. */
static void seal(struct sip_core *core, enum sip_seal_use use,
                 struct span binding, struct span text)
{
    struct sip_hide *h = core->hide;

    h->sealed[0] = '\0';
    if (sip_seal(&core->config->keys, use, binding, text, h->sealed) < 0 ||
        buf_err(&h->list) < 0)
        h->edit.err = h->edit.err ? h->edit.err : ERR_LIMIT;
}

bool sip_hide_is_item(struct buf *scratch, struct span value)
{
    struct span rest, item;

    buf_reset(scratch);
    buf_put_span(scratch, value);
    buf_put_str(scratch, ",x");
    rest = buf_span(scratch);
    return buf_err(scratch) == 0 && sip_list_next(&rest, &item) &&
           span_equal(item, value) && sip_list_next(&rest, &item) &&
           span_is(item, "x");
}

/* One more value behind those in h->list. */
static void list_add(struct sip_hide *h, struct span value)
{
    if (!sip_hide_is_item(&h->value, value))
        h->edit.err = h->edit.err ? h->edit.err : ERR_PARSE;
    if (buf_len(&h->list) > 0)
        buf_put_byte(&h->list, ',');
    buf_put_span(&h->list, value);
}

/* Those below ours: inside hops, that responses have to go back. */
static void hide_vias(struct sip_core *core)
{
    struct sip_hide *h = core->hide;
    struct sip_values vias = sip_values_of(&h->msg, SIP_HDR_VIA);

    if (h->msg.n_vias < 2 || !sip_values_next(&vias))
        return;
    buf_reset(&h->list);
    while (sip_values_next(&vias))
        list_add(h, vias.item);
    seal(core, SIP_SEAL_VIA, h->msg.via.branch, buf_span(&h->list));
    buf_reset(&h->value);
    buf_put_span(&h->value, h->msg.via.text);
    buf_printf(&h->value, ";" SIP_HIDE_PARAM "=%s", h->sealed);
    sip_edit_set(&h->edit, SIP_HDR_VIA, buf_span(&h->value));
}

struct routes {
    struct span values[VALUES_MAX];
    size_t n;
    size_t ours; /* index; n: none */
    struct sip_uri uri;
};

static void read_routes(const struct sip_local *local,
                        const struct sip_msg *msg, struct routes *r)
{
    struct sip_values values = sip_values_of(msg, SIP_HDR_RECORD_ROUTE);

    r->n = 0;
    r->ours = VALUES_MAX;
    while (r->n < VALUES_MAX && sip_values_next(&values)) {
        struct sip_addr addr;
        struct sip_uri uri;

        /* A call that comes out here again has passed us twice: in a response
         * the lowest one is of the way it goes. */
        if ((r->ours == VALUES_MAX || !msg->is_request) &&
            sip_addr_parse(values.item, &addr) == 0 &&
            sip_uri_parse(addr.uri, &uri) == 0 &&
            sip_hide_is_ours(local, &uri)) {
            r->ours = r->n;
            r->uri = uri;
        }
        r->values[r->n++] = values.item;
    }
}

/* What is sealed is in the order a Route has it from us inwards: in a request
 * to outside that is how it stands there, below ours; in a response it stands
 * above ours, the other way round. Without a value of ours there is no dialog
 * these are for (RFC 3261 12.2: a route set is not changed later). */
static void hide_record_routes(struct sip_core *core,
                               const struct sip_local *local)
{
    struct sip_hide *h = core->hide;
    bool is_request = h->msg.is_request;
    struct routes r;

    read_routes(local, &h->msg, &r);
    if (r.n == 0)
        return;
    if (r.ours == VALUES_MAX) {
        sip_edit_remove_all(&h->edit, SIP_HDR_RECORD_ROUTE);
        return;
    }
    buf_reset(&h->list);
    for (size_t i = r.ours + 1; is_request && i < r.n; i++)
        list_add(h, r.values[i]);
    for (size_t i = r.ours; !is_request && i > 0; i--)
        list_add(h, r.values[i - 1]);
    seal(core, SIP_SEAL_ROUTE, h->msg.call_id, buf_span(&h->list));
    buf_reset(&h->value);
    buf_put_byte(&h->value, '<');
    buf_put_span(&h->value, r.uri.text);
    buf_printf(&h->value, ";" SIP_HIDE_PARAM "=%s>", h->sealed);
    /* Hops outside, of a client behind another proxy. */
    for (size_t i = r.ours + 1; !is_request && i < r.n; i++) {
        buf_put_byte(&h->value, ',');
        buf_put_span(&h->value, r.values[i]);
    }
    sip_edit_set(&h->edit, SIP_HDR_RECORD_ROUTE, buf_span(&h->value));
}

/* Host, port and parameters become ours. */
static void hide_uri(struct sip_core *core, const struct sip_local *local,
                     const struct sip_addr *addr, const struct sip_uri *uri)
{
    struct sip_hide *h = core->hide;
    struct span where = sip_hide_where(uri);

    seal(core, SIP_SEAL_HOST, span_of(NULL, 0), where);
    buf_reset(&h->value);
    buf_put_str(&h->value, local->sent_by);
    if (local->transport != SIP_UDP)
        buf_printf(&h->value, ";transport=%s",
                   sip_transport_param(local->transport));
    buf_printf(&h->value, ";" SIP_HIDE_PARAM "=%s%s", h->sealed,
               addr->has_brackets ? "" : ">");
    /* Without brackets the parameters would be the field's. */
    if (!addr->has_brackets)
        sip_edit_insert_before(&h->edit, addr->uri, span_str("<"));
    sip_edit_replace(&h->edit, where, buf_span(&h->value));
}

static bool parse_uri(struct span text, struct sip_uri *ret_uri)
{
    return sip_uri_parse(text, ret_uri) == 0 &&
           (ret_uri->scheme == SIP_SCHEME_SIP ||
            ret_uri->scheme == SIP_SCHEME_SIPS);
}

/* Where requests of the dialog go to: never a client's business. */
static void hide_contacts(struct sip_core *core, const struct sip_local *local)
{
    struct sip_hide *h = core->hide;
    struct sip_values values = sip_values_of(&h->msg, SIP_HDR_CONTACT);

    while (sip_values_next(&values)) {
        struct sip_contact contact;
        struct sip_uri uri;

        if (sip_contact_parse(values.item, &contact) == 0 && !contact.is_star &&
            parse_uri(contact.addr.uri, &uri))
            hide_uri(core, local, &contact.addr, &uri);
    }
}

/* Others, whose host may well be a domain that everybody knows. */
static void hide_if_inside(struct sip_core *core, const struct sip_local *local,
                           const struct sip_addr *addr)
{
    struct sip_uri uri;

    if (parse_uri(addr->uri, &uri) && is_inside(core, &uri.host))
        hide_uri(core, local, addr, &uri);
}

static void hide_field(struct sip_core *core, const struct sip_local *local,
                       enum sip_hdr_id id)
{
    struct sip_addr addr;

    if (sip_addr_parse(sip_msg_value(&core->hide->msg, id), &addr) == 0)
        hide_if_inside(core, local, &addr);
}

static void hide_call_id(struct sip_core *core)
{
    struct sip_hide *h = core->hide;

    if (!has_inside(core, h->msg.call_id))
        return;
    buf_reset(&h->list);
    seal(core, SIP_SEAL_CALL_ID, span_of(NULL, 0), h->msg.call_id);
    buf_reset(&h->value);
    buf_printf(&h->value, SIP_HIDE_CALL_ID "%s", h->sealed);
    sip_edit_replace(&h->edit, h->msg.call_id, buf_span(&h->value));
}

/* --- the rest --- */

static bool is_removed(const struct sip_local *local, uint8_t id,
                       struct span name)
{
    switch (id) {
    case SIP_HDR_PATH:
    case SIP_HDR_SERVICE_ROUTE:
    case SIP_HDR_WARNING:
        return true;
    case SIP_HDR_SERVER:
    case SIP_HDR_USER_AGENT:
        return local->hide == SIP_HIDE_FULL;
    default:
        return local->hide == SIP_HIDE_FULL &&
               span_is_nocase(name, "Organization");
    }
}

/* Done already, not ours to change, or of no use with other bytes. */
static bool is_kept(uint8_t id)
{
    switch (id) {
    case SIP_HDR_VIA:
    case SIP_HDR_ROUTE:
    case SIP_HDR_RECORD_ROUTE:
    case SIP_HDR_CONTACT:
    case SIP_HDR_FROM:
    case SIP_HDR_TO:
    case SIP_HDR_CALL_ID:
    case SIP_HDR_CSEQ:
    case SIP_HDR_REFER_TO:
    case SIP_HDR_REFERRED_BY:
    case SIP_HDR_AUTHORIZATION:
    case SIP_HDR_PROXY_AUTHORIZATION:
    case SIP_HDR_WWW_AUTHENTICATE:
    case SIP_HDR_PROXY_AUTHENTICATE:
        return true;
    default:
        return false;
    }
}

/* One address in one field; what was found is not found again behind it. */
static void sweep_value(struct sip_core *core, struct span value,
                        struct span address, struct span ours)
{
    for (;;) {
        ptrdiff_t at = find_address(value, address);
        struct span place;

        if (at < 0 || !value.ptr)
            return;
        place = span_of(value.ptr + at, address.len);
        value = span_from(value, (size_t)at + address.len);
        /* A name has no brackets. */
        if (at > 0 && place.ptr[-1] == '[' && span_starts(value, "]")) {
            place = span_of(place.ptr - 1, place.len + 2);
            value = span_from(value, 1);
        }
        sip_edit_replace(&core->hide->edit, place, ours);
    }
}

static void sweep(struct sip_core *core, const struct sip_local *local)
{
    struct sip_hide *h = core->hide;
    struct sip_host own;

    if (sip_host_parse(span_str(local->sent_by), &own) < 0)
        return;
    for (unsigned i = 0; i < h->msg.n_hdrs; i++) {
        const struct sip_hdr *hdr = &h->msg.hdrs[i];
        char text[ADDR_TEXT_SIZE];

        if (is_removed(local, hdr->id, hdr->name)) {
            sip_edit_remove(&h->edit, hdr->line);
            continue;
        }
        if (is_kept(hdr->id))
            continue;
        for (size_t n = 0; inside_text(core, n, text); n++) {
            if (text[0])
                sweep_value(core, hdr->value, span_str(text), own.name);
        }
    }
}

/* --- the door --- */

int sip_hide_new(struct sip_core *core)
{
    bool is_on = false;

    for (size_t i = 0; i < core->config->n_locals; i++)
        is_on = is_on || core->config->locals[i].hide != SIP_HIDE_OFF;
    if (!is_on)
        return 0;
    core->hide = mem_zalloc(sizeof(*core->hide));
    if (!core->hide)
        return -ENOMEM;
    sip_edit_init(&core->hide->edit);
    buf_init(&core->hide->out, SIP_MESSAGE_MAX);
    buf_init(&core->hide->in, SIP_MESSAGE_MAX);
    buf_init(&core->hide->list, LIST_MAX);
    buf_init(&core->hide->value, LIST_MAX);
    return 0;
}

void sip_hide_free(struct sip_core *core)
{
    if (!core->hide)
        return;
    sip_edit_deinit(&core->hide->edit);
    buf_deinit(&core->hide->out);
    buf_deinit(&core->hide->in);
    buf_deinit(&core->hide->list);
    buf_deinit(&core->hide->value);
    mem_free(core->hide);
    core->hide = NULL;
}

static void hide(struct sip_core *core, const struct sip_local *local)
{
    struct sip_hide *h = core->hide;

    if (h->msg.is_request)
        hide_vias(core);
    hide_record_routes(core, local);
    /* A registration's are the clients' own. */
    if (h->msg.method != SIP_METHOD_REGISTER) {
        hide_contacts(core, local);
        hide_if_inside(core, local, &h->msg.from);
        hide_if_inside(core, local, &h->msg.to);
    }
    hide_field(core, local, SIP_HDR_REFER_TO);
    hide_field(core, local, SIP_HDR_REFERRED_BY);
    hide_call_id(core);
    sweep(core, local);
}

static bool is_blank(struct span message)
{
    return message.len <= 4 && span_trim(message).len <= 4 &&
           span_find(message, '\r') == 0;
}

int sip_hide_outgoing(struct sip_core *core, const struct sip_target *to,
                      struct span message, struct span *ret_message)
{
    const struct sip_local *local = sip_local_of(core, to);
    struct sip_hide *h = core->hide;
    int err;

    *ret_message = message;
    if (!h || local->hide == SIP_HIDE_OFF || is_blank(message))
        return 0;
    err = sip_msg_parse(&h->msg, message, sip_framing_of(to->transport),
                        &sip_limits_own);
    if (err == 0) {
        sip_edit_begin(&h->edit, &h->msg);
        hide(core, local);
        buf_reset(&h->out);
        err = sip_edit_write(&h->edit, &h->out);
    }
    if (err < 0) {
        SIP_COUNT(core, hide_failures);
        return err;
    }
    *ret_message = buf_span(&h->out);
    return 0;
}
