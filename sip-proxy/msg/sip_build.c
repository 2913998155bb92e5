/* SPDX-License-Identifier: MIT */
#include "msg/sip_build.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"

static const struct {
    unsigned status;
    const char *text;
} reasons[] = {
    {100, "Trying"},
    {180, "Ringing"},
    {181, "Call Is Being Forwarded"},
    {182, "Queued"},
    {183, "Session Progress"},
    {199, "Early Dialog Terminated"},
    {200, "OK"},
    {202, "Accepted"},
    {204, "No Notification"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Moved Temporarily"},
    {305, "Use Proxy"},
    {380, "Alternative Service"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {410, "Gone"},
    {413, "Request Entity Too Large"},
    {414, "Request-URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Unsupported URI Scheme"},
    {420, "Bad Extension"},
    {421, "Extension Required"},
    {423, "Interval Too Brief"},
    {430, "Flow Failed"},
    {433, "Anonymity Disallowed"},
    {439, "First Hop Lacks Outbound Support"},
    {440, "Max-Breadth Exceeded"},
    {480, "Temporarily Unavailable"},
    {481, "Call/Transaction Does Not Exist"},
    {482, "Loop Detected"},
    {483, "Too Many Hops"},
    {484, "Address Incomplete"},
    {485, "Ambiguous"},
    {486, "Busy Here"},
    {487, "Request Terminated"},
    {488, "Not Acceptable Here"},
    {491, "Request Pending"},
    {493, "Undecipherable"},
    {500, "Server Internal Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Server Time-out"},
    {505, "Version Not Supported"},
    {513, "Message Too Large"},
    {600, "Busy Everywhere"},
    {603, "Decline"},
    {604, "Does Not Exist Anywhere"},
    {606, "Not Acceptable"},
};

static const char *const class_reasons[] = {
    "Unknown",     "Progress",    "OK",
    "Redirection", "Bad Request", "Server Internal Error",
    "Decline",
};

const char *sip_reason(unsigned status)
{
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
        if (reasons[i].status == status)
            return reasons[i].text;
    }
    return class_reasons[status / 100 < ARRAY_SIZE(class_reasons) ? status / 100
                                                                  : 0];
}

/* --- Via --- */

/* RFC 3261 18.2.1: the sender wrote a name, or not the address it has. */
static bool needs_received(const struct sip_via *via, const struct addr *source)
{
    struct addr addr;

    return via->received.len > 0 || via->has_rport ||
           !sip_host_addr(&via->sent_by, &addr) || !addr_same_ip(&addr, source);
}

static void put_from_to(struct buf *out, const uint8_t *from, const uint8_t *to)
{
    buf_put(out, from, (size_t)(to - from));
}

static void put_text(struct buf *out, const char *name, struct span value)
{
    buf_put_str(out, name);
    buf_put_span(out, value);
}

void sip_via_put(struct buf *out, const struct sip_via *via,
                 const struct addr *source, bool force_rport)
{
    bool rport_due = via->has_rport || force_rport;
    bool received_due = needs_received(via, source) || rport_due;
    const uint8_t *pos = via->text.ptr;
    struct span rest = via->params;
    uint8_t digits[TEXT_DECIMAL_SIZE];
    struct span port = text_decimal(source->port, digits);
    char text[ADDR_TEXT_SIZE];
    struct span ip = span_str(addr_ip_str(source, text));
    struct sip_param p;

    while (sip_param_next(&rest, &p) > 0) {
        bool is_received = span_is_nocase(p.name, "received");

        if (!is_received && !span_is_nocase(p.name, "rport"))
            continue;
        put_from_to(out, pos, p.text.ptr);
        pos = p.text.ptr + p.text.len;
        if (is_received)
            put_text(out, "received=", ip);
        else
            put_text(out, "rport=", port);
    }
    put_from_to(out, pos, via->text.ptr + via->text.len);
    if (received_due && via->received.len == 0)
        put_text(out, ";received=", ip);
    if (rport_due && !via->has_rport)
        put_text(out, ";rport=", port);
}

/* --- messages --- */

/* 0, or the error with `out` as long as it was at the start. */
static int finish(struct buf *out, size_t start)
{
    if (buf_err(out) == 0)
        return 0;
    out->end = out->start + start;
    return buf_err(out);
}

static void put_lines(struct buf *out, const struct sip_msg *msg,
                      enum sip_hdr_id id)
{
    const struct sip_hdr *hdr = sip_msg_find(msg, id);

    for (; hdr; hdr = sip_msg_next(msg, hdr))
        buf_put_span(out, hdr->line);
}

static void put_line(struct buf *out, const struct sip_msg *msg,
                     enum sip_hdr_id id)
{
    const struct sip_hdr *hdr = sip_msg_find(msg, id);

    if (hdr)
        buf_put_span(out, hdr->line);
}

static bool is_part_of(struct span part, struct span whole)
{
    return part.ptr >= whole.ptr && part.ptr < whole.ptr + whole.len;
}

/* All Via lines as they are, but for the topmost value (which need not stand
 * in the first line: that one may be empty). */
static void put_vias(struct buf *out, const struct sip_msg *request,
                     const struct addr *source)
{
    const struct sip_hdr *hdr = sip_msg_find(request, SIP_HDR_VIA);
    struct span via = request->via.text;

    for (; hdr; hdr = sip_msg_next(request, hdr)) {
        if (!source || via.len == 0 || !is_part_of(via, hdr->line)) {
            buf_put_span(out, hdr->line);
            continue;
        }
        put_from_to(out, hdr->line.ptr, via.ptr);
        sip_via_put(out, &request->via, source, false);
        put_from_to(out, via.ptr + via.len, hdr->line.ptr + hdr->line.len);
    }
}

static void put_to(struct buf *out, const struct sip_msg *request,
                   const struct sip_reply *reply)
{
    const struct sip_hdr *hdr = sip_msg_find(request, SIP_HDR_TO);
    const uint8_t *end;

    if (!hdr)
        return;
    if (reply->to_tag.len == 0 || reply->status == 100 ||
        request->to.tag.len > 0 || request->to.text.len == 0) {
        buf_put_span(out, hdr->line);
        return;
    }
    end = hdr->value.ptr + hdr->value.len;
    put_from_to(out, hdr->line.ptr, end);
    buf_put_str(out, ";tag=");
    buf_put_span(out, reply->to_tag);
    put_from_to(out, end, hdr->line.ptr + hdr->line.len);
}

int sip_build_response(struct buf *out, const struct sip_msg *request,
                       const struct sip_reply *reply)
{
    size_t start = buf_len(out);

    if (!request->is_request)
        return ERR_STATE;
    buf_printf(out, "SIP/2.0 %u %s\r\n", reply->status,
               reply->reason ? reply->reason : sip_reason(reply->status));
    put_vias(out, request, reply->source);
    put_line(out, request, SIP_HDR_FROM);
    put_to(out, request, reply);
    put_line(out, request, SIP_HDR_CALL_ID);
    put_line(out, request, SIP_HDR_CSEQ);
    if (reply->record_route)
        put_lines(out, request, SIP_HDR_RECORD_ROUTE);
    if (reply->status == 100) /* RFC 3261 8.2.6.1 */
        put_line(out, request, SIP_HDR_TIMESTAMP);
    buf_put_span(out, reply->extra);
    if (reply->body.len > 0)
        buf_printf(out, "Content-Type: %s\r\n", reply->body_type);
    buf_printf(out, "Content-Length: %zu\r\n\r\n", reply->body.len);
    buf_put_span(out, reply->body);
    return finish(out, start);
}

/* The part ACK and CANCEL share: same Request-URI, the one Via, the Route. */
static void put_hop_request(struct buf *out, const struct sip_msg *invite,
                            const char *method, const struct sip_msg *to_of)
{
    buf_put_str(out, method);
    buf_put_byte(out, ' ');
    buf_put_span(out, invite->uri_text);
    buf_put_str(out, " SIP/2.0\r\nVia: ");
    buf_put_span(out, invite->via.text);
    buf_put_str(out, "\r\n");
    put_lines(out, invite, SIP_HDR_ROUTE);
    buf_put_str(out, "Max-Forwards: 70\r\n");
    put_line(out, invite, SIP_HDR_FROM);
    put_line(out, to_of, SIP_HDR_TO);
    put_line(out, invite, SIP_HDR_CALL_ID);
    buf_printf(out, "CSeq: %u %s\r\n", invite->cseq.number, method);
}

static bool is_invite(const struct sip_msg *msg)
{
    return msg->is_request && msg->method == SIP_METHOD_INVITE;
}

int sip_build_ack(struct buf *out, const struct sip_msg *invite,
                  const struct sip_msg *response)
{
    size_t start = buf_len(out);

    if (!is_invite(invite) || response->is_request || response->status < 300)
        return ERR_STATE;
    put_hop_request(out, invite, "ACK", response);
    buf_put_str(out, "Content-Length: 0\r\n\r\n");
    return finish(out, start);
}

int sip_build_cancel(struct buf *out, const struct sip_msg *invite,
                     struct span extra)
{
    size_t start = buf_len(out);

    if (!is_invite(invite))
        return ERR_STATE;
    put_hop_request(out, invite, "CANCEL", invite);
    buf_put_span(out, extra);
    buf_put_str(out, "Content-Length: 0\r\n\r\n");
    return finish(out, start);
}
