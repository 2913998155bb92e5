/* SPDX-License-Identifier: MIT */
#include "ctl/ctl_sip.h"

#include "base/err.h"

/* A mirror's answer has the headers twice; what is sent must be as long. */
enum { PADDING_LINES = 12 };

static void write_session(const char *ip, bool v6, struct buf *out)
{
    buf_printf(out,
               "v=0\r\no=- 1 1 IN IP%c %s\r\ns=-\r\nc=IN IP%c %s\r\n"
               "t=0 0\r\nm=audio 40000 RTP/AVP 0 8\r\na=rtcp:40001\r\n",
               v6 ? '6' : '4', ip, v6 ? '6' : '4', ip);
    for (int i = 0; i < PADDING_LINES; i++)
        buf_printf(out,
                   "a=x-padding:%02d edgectl compares this with what arrives"
                   "......................\r\n",
                   i);
}

void ctl_sip_write(const struct ctl_sip_request *r, struct buf *out)
{
    bool known = r->from->family != 0, v6 = strchr(r->host, ':') != NULL;
    char here[ADDR_TEXT_SIZE] = "edgectl.invalid";
    char ip[ADDR_TEXT_SIZE] = "192.0.2.1";
    struct buf body;

    if (known) {
        (void)addr_str(r->from, here);
        (void)addr_ip_str(r->from, ip);
    }
    buf_init(&body, CTL_SIP_MAX);
    if (r->session)
        write_session(ip, r->from->family == ADDR_V6, &body);
    buf_printf(out, "%s sip:%s%s%s SIP/2.0\r\n", r->method, v6 ? "[" : "",
               r->host, v6 ? "]" : "");
    buf_printf(out, "Via: SIP/2.0/%s %s;rport;branch=z9hG4bK%s\r\n",
               r->transport, here, r->id);
    buf_printf(out,
               "Max-Forwards: 70\r\n"
               "From: <sip:edgectl@%s>;tag=%s\r\n"
               "To: <sip:%s%s%s>\r\n"
               "Call-ID: %s\r\nCSeq: 1 %s\r\n",
               here, r->id, v6 ? "[" : "", r->host, v6 ? "]" : "", r->id,
               r->method);
    buf_printf(out, "Contact: <sip:edgectl@%s;transport=%s>\r\n", here,
               span_is(span_str(r->transport), "UDP")   ? "udp"
               : span_is(span_str(r->transport), "TCP") ? "tcp"
               : span_is(span_str(r->transport), "TLS") ? "tls"
                                                        : "ws");
    buf_put_str(out, "User-Agent: edgectl\r\nAccept: application/sdp\r\n");
    if (r->session)
        buf_put_str(out, "Content-Type: application/sdp\r\n");
    buf_printf(out, "Content-Length: %zu\r\n\r\n", buf_len(&body));
    buf_put_span(out, buf_span(&body));
    buf_deinit(&body);
}

bool ctl_head_line(struct span *rest, struct span *ret_line)
{
    if (!span_next(rest, '\n', ret_line))
        return false;
    if (ret_line->len && ret_line->ptr[ret_line->len - 1] == '\r')
        ret_line->len--;
    return ret_line->len > 0;
}

/* The header's value, by its long or its short name; ptr NULL: none. */
static struct span header(struct span message, const char *name,
                          const char *brief)
{
    struct span line, key, value;

    while (ctl_head_line(&message, &line)) {
        if (span_cut(line, ':', &key, &value) &&
            (span_is_nocase(span_trim(key), name) ||
             span_is_nocase(span_trim(key), brief)))
            return span_trim(value);
    }
    return (struct span){NULL, 0};
}

int ctl_sip_size(struct span bytes)
{
    ptrdiff_t end = span_search(bytes, span_str("\r\n\r\n"));
    struct span length;
    uint32_t number = 0;

    if (end < 0)
        return bytes.len < CTL_SIP_MAX ? 0 : ERR_PARSE;
    length = header(span_head(bytes, (size_t)end + 4), "Content-Length", "l");
    if (length.ptr && span_to_u32(length, CTL_SIP_MAX, &number) < 0)
        return ERR_PARSE;
    return (int)((size_t)end + 4 + number);
}

int ctl_sip_status(struct span message, const char *id)
{
    uint32_t status;

    if (!span_starts(message, "SIP/2.0 ") || message.len < 12 ||
        span_to_u32(span_of(message.ptr + 8, 3), 699, &status) < 0 ||
        status < 100)
        return ERR_PARSE;
    return span_is(header(message, "Call-ID", "i"), id) ? (int)status
                                                        : ERR_STATE;
}

struct span ctl_sip_body(struct span message)
{
    ptrdiff_t end = span_search(message, span_str("\r\n\r\n"));

    return end < 0 ? (struct span){NULL, 0}
                   : span_from(message, (size_t)end + 4);
}

static struct span line_at(struct span text, size_t at)
{
    struct span line;

    while (at > 0 && text.ptr[at - 1] != '\n')
        at--;
    text = span_from(text, at);
    (void)ctl_head_line(&text, &line);
    return line;
}

bool ctl_sip_same(struct span sent, struct span arrived, struct span *ret_was,
                  struct span *ret_is)
{
    size_t n = sent.len < arrived.len ? sent.len : arrived.len, i = 0;

    while (i < n && sent.ptr[i] == arrived.ptr[i])
        i++;
    if (i == arrived.len && i > 0)
        return true;
    *ret_was = i < sent.len ? line_at(sent, i) : (struct span){NULL, 0};
    *ret_is = i < arrived.len ? line_at(arrived, i) : (struct span){NULL, 0};
    return false;
}
