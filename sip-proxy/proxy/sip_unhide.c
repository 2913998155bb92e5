/* SPDX-License-Identifier: MIT */
/* Topology hiding, the way back. */
#include "proxy/sip_hide_internal.h"

#include "base/err.h"

enum { CALL_ID_MAX = SIP_SEAL_TEXT_MAX };

/* What is under way for one message. */
struct restore {
    struct sip_core *core;
    const struct sip_local *local;
    struct sip_edit *edit;
    struct span call_id; /* as it was */
    uint8_t call_id_text[CALL_ID_MAX];
    bool any;
    bool is_open; /* a list that cannot be put together */
    int err;
};

/* Open a seal into h->plain. False: there is none, or it is not ours; then
 * the message is refused. */
static bool open_seal(struct restore *r, enum sip_seal_use use,
                      struct span binding, struct span sealed,
                      struct span *ret_plain)
{
    struct sip_hide *h = r->core->hide;
    int n = sip_unseal(&r->core->config->keys, use, binding, sealed, h->plain);

    if (n < 0) {
        r->err = ERR_AUTH;
        return false;
    }
    r->any = true;
    *ret_plain = span_of(h->plain, (size_t)n);
    return true;
}

/* A text without that parameter and the semicolon in front of it. */
static void put_without(struct buf *out, struct span text,
                        const struct sip_param *param)
{
    size_t at = (size_t)(param->text.ptr - text.ptr);
    struct span head = span_head(text, at);

    while (head.len > 0 && head.ptr[head.len - 1] != ';')
        head.len--;
    if (head.len > 0)
        head.len--;
    buf_put_span(out, head);
    buf_put_span(out, span_from(text, at + param->text.len));
}

static void restore_vias(struct restore *r, const struct sip_msg *msg)
{
    struct sip_hide *h = r->core->hide;
    struct sip_values vias = sip_values_of(msg, SIP_HDR_VIA);
    struct sip_param param;
    struct span plain;

    if (!sip_param_find(msg->via.params, SIP_HIDE_PARAM, &param) ||
        !open_seal(r, SIP_SEAL_VIA, msg->via.branch, param.value, &plain))
        return;
    buf_reset(&h->value);
    put_without(&h->value, msg->via.text, &param);
    buf_put_byte(&h->value, ',');
    buf_put_span(&h->value, plain);
    (void)sip_values_next(&vias);
    while (sip_values_next(&vias)) {
        if (!sip_hide_is_item(&h->list, vias.item))
            r->is_open = true;
        buf_put_byte(&h->value, ',');
        buf_put_span(&h->value, vias.item);
    }
    sip_edit_set(r->edit, SIP_HDR_VIA, buf_span(&h->value));
}

/* One value of Route or Record-Route behind the others in h->value. */
static void put_route(struct restore *r, struct span value)
{
    struct buf *out = &r->core->hide->value;
    struct sip_addr addr;
    struct sip_uri uri;
    struct sip_param param;
    struct span plain;

    if (buf_len(out) > 0)
        buf_put_byte(out, ',');
    if (sip_addr_parse(value, &addr) < 0 || sip_uri_parse(addr.uri, &uri) < 0 ||
        !sip_hide_is_ours(r->local, &uri) ||
        !sip_param_find(uri.params, SIP_HIDE_PARAM, &param) ||
        !open_seal(r, SIP_SEAL_ROUTE, r->call_id, param.value, &plain)) {
        buf_put_span(out, value);
        return;
    }
    buf_put_byte(out, '<');
    put_without(out, uri.text, &param);
    buf_put_byte(out, '>');
    if (plain.len > 0) {
        buf_put_byte(out, ',');
        buf_put_span(out, plain);
    }
}

static void restore_routes(struct restore *r, const struct sip_msg *msg,
                           enum sip_hdr_id id)
{
    struct sip_hide *h = r->core->hide;
    struct sip_values values = sip_values_of(msg, id);
    bool before = r->any;

    r->any = false;
    buf_reset(&h->value);
    while (sip_values_next(&values)) {
        if (!sip_hide_is_item(&h->list, values.item))
            r->is_open = true;
        put_route(r, values.item);
    }
    if (r->any)
        sip_edit_set(r->edit, id, buf_span(&h->value));
    r->any = r->any || before;
}

static void restore_uri(struct restore *r, const struct sip_uri *uri)
{
    struct sip_param param;
    struct span plain;

    if ((uri->scheme == SIP_SCHEME_SIP || uri->scheme == SIP_SCHEME_SIPS) &&
        sip_param_find(uri->params, SIP_HIDE_PARAM, &param) &&
        open_seal(r, SIP_SEAL_HOST, span_of(NULL, 0), param.value, &plain))
        sip_edit_replace(r->edit, sip_hide_where(uri), plain);
}

/* A sealed Call-ID in a text, up to the first byte that is none of it. False:
 * there is none. */
static bool find_call_id(struct span text, struct span *ret_all,
                         struct span *ret_sealed)
{
    ptrdiff_t at = span_search(text, span_str(SIP_HIDE_CALL_ID));
    struct span rest;
    size_t n = 0;

    if (at < 0)
        return false;
    rest = span_from(text, (size_t)at + sizeof(SIP_HIDE_CALL_ID) - 1);
    while (n < rest.len && ((rest.ptr[n] >= '0' && rest.ptr[n] <= '9') ||
                            (rest.ptr[n] >= 'A' && rest.ptr[n] <= 'Z') ||
                            (rest.ptr[n] >= 'a' && rest.ptr[n] <= 'z') ||
                            rest.ptr[n] == '-' || rest.ptr[n] == '_'))
        n++;
    *ret_sealed = span_head(rest, n);
    *ret_all = span_of(text.ptr + at, sizeof(SIP_HIDE_CALL_ID) - 1 + n);
    return true;
}

static void put_escaped(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];

        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
            (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_')
            buf_put_byte(out, c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

/* Somebody's own Call-ID may begin like ours: what is no seal stays. */
static void restore_call_id(struct restore *r, struct span text,
                            bool is_escaped)
{
    struct sip_hide *h = r->core->hide;
    struct span all, sealed;
    int n;

    if (!find_call_id(text, &all, &sealed))
        return;
    n = sip_unseal(&r->core->config->keys, SIP_SEAL_CALL_ID, span_of(NULL, 0),
                   sealed, h->plain);
    if (n < 0)
        return;
    r->any = true;
    buf_reset(&h->value);
    if (is_escaped)
        put_escaped(&h->value, span_of(h->plain, (size_t)n));
    else
        buf_put(&h->value, h->plain, (size_t)n);
    sip_edit_replace(r->edit, all, buf_span(&h->value));
}

static void restore_own_call_id(struct restore *r, const struct sip_msg *msg)
{
    struct span all, sealed, was;

    r->call_id = msg->call_id;
    if (!find_call_id(msg->call_id, &all, &sealed) ||
        all.len != msg->call_id.len) /* not all of it */
        return;
    restore_call_id(r, msg->call_id, false);
    was = buf_span(&r->core->hide->value);
    if (!r->any || !was.ptr || was.len > sizeof(r->call_id_text))
        return;
    memcpy(r->call_id_text, was.ptr, was.len);
    r->call_id = span_of(r->call_id_text, was.len);
}

static void restore_addr(struct restore *r, const struct sip_addr *addr)
{
    struct sip_uri uri;

    if (sip_uri_parse(addr->uri, &uri) == 0)
        restore_uri(r, &uri);
}

static void restore_field(struct restore *r, const struct sip_msg *msg,
                          enum sip_hdr_id id)
{
    struct sip_addr addr;
    struct sip_uri uri;

    if (!sip_msg_find(msg, id) ||
        sip_addr_parse(sip_msg_value(msg, id), &addr) < 0)
        return;
    restore_addr(r, &addr);
    /* ?Replaces=… of an attended transfer */
    if (sip_uri_parse(addr.uri, &uri) == 0)
        restore_call_id(r, uri.headers, true);
}

static void restore(struct restore *r, const struct sip_msg *msg)
{
    restore_own_call_id(r, msg);
    if (msg->is_request) {
        restore_uri(r, &msg->uri);
        restore_routes(r, msg, SIP_HDR_ROUTE);
    } else {
        restore_vias(r, msg);
        restore_routes(r, msg, SIP_HDR_RECORD_ROUTE);
    }
    restore_addr(r, &msg->from);
    restore_addr(r, &msg->to);
    restore_field(r, msg, SIP_HDR_REFER_TO);
    restore_field(r, msg, SIP_HDR_REFERRED_BY);
    restore_call_id(r, sip_msg_value(msg, SIP_HDR_REPLACES), false);
}

int sip_hide_incoming(struct sip_core *core, const struct sip_target *from)
{
    struct sip_hide *h = core->hide;
    struct restore r;
    int err;

    if (!h || sip_zone_of(core, from) != SIP_OUTSIDE ||
        (span_search(core->msg.raw, span_str(";" SIP_HIDE_PARAM "=")) < 0 &&
         span_search(core->msg.raw, span_str(SIP_HIDE_CALL_ID)) < 0))
        return 0;
    r = (struct restore){
        .core = core, .local = sip_local_of(core, from), .edit = &h->edit};
    sip_edit_begin(r.edit, &core->msg);
    restore(&r, &core->msg);
    if (r.err < 0) {
        SIP_COUNT(core, hide_forged);
        return r.err;
    }
    if (!r.any)
        return 0;
    buf_reset(&h->in);
    err = r.is_open ? ERR_PARSE : sip_edit_write(r.edit, &h->in);
    if (err == 0)
        err = sip_msg_parse(&core->msg, buf_span(&h->in),
                            sip_framing_of(from->transport), &sip_limits_own);
    if (err < 0) {
        SIP_COUNT(core, hide_failures);
        return err;
    }
    return 1;
}
