/* SPDX-License-Identifier: MIT */
#include "msg/sip_msg.h"

#include "base/err.h"
#include "msg/sip_char.h"
#include "msg/sip_line.h"

const struct sip_limits sip_limits_default = {
    .message = 65535,
    .header_line = 8192,
    .headers = 200,
    .hops = 70,
};

const struct sip_limits sip_limits_own = {
    .message = 131072,
    .header_line = 65536,
    .headers = SIP_MAX_HDRS,
    .hops = 1000,
};

struct fault_row {
    const char *text;
    const char *label;
    unsigned status;
};

#define SIP_FAULT_ROW(id, label, status, text)                                 \
    [SIP_FAULT_##id] = {text, label, status},
static const struct fault_row faults[SIP_FAULT_COUNT] = {
    [SIP_FAULT_NONE] = {"", "none", 0}, SIP_FAULT_MAP(SIP_FAULT_ROW)};
#undef SIP_FAULT_ROW

const char *sip_fault_str(enum sip_fault fault)
{
    return faults[fault].text;
}

const char *sip_fault_label(enum sip_fault fault)
{
    return faults[fault].label;
}

unsigned sip_fault_status(enum sip_fault fault)
{
    return faults[fault].status;
}

/* The first fault is the one that is told. */
static void note_fault(struct sip_msg *msg, enum sip_fault fault)
{
    if (msg->fault == SIP_FAULT_NONE)
        msg->fault = fault;
}

/* --- start line --- */

/* `SIP/2.0 200 OK`; the space before an empty reason may be missing. */
static int status_line_parse(struct sip_msg *msg, struct span line)
{
    struct span code = span_head(span_from(line, 8), 3);
    struct span rest = span_from(line, 11);
    uint32_t status;

    if (span_to_u32(code, 699, &status) < 0 || status < 100 ||
        (rest.len > 0 && rest.ptr[0] != ' ')) {
        note_fault(msg, SIP_FAULT_STATUS_LINE);
        return ERR_PARSE;
    }
    msg->status = status;
    msg->reason = sip_trim(rest);
    return 0;
}

/* "SIP/x.y" of any version. */
static bool is_version(struct span s)
{
    struct span major;
    struct span minor;
    uint32_t n;

    return span_starts_nocase(s, "SIP/") &&
           span_cut(span_from(s, 4), '.', &major, &minor) &&
           span_to_u32(major, 999, &n) == 0 && span_to_u32(minor, 999, &n) == 0;
}

/* Method SP Request-URI SP SIP-Version. What begins with a method and ends
 * with a version is worth an answer even if what stands between is not. */
static int request_line_parse(struct sip_msg *msg, struct span line)
{
    struct span version = span_of(NULL, 0);
    struct span rest;
    size_t end;

    msg->is_request = true;
    if (!span_cut(line, ' ', &msg->method_name, &rest) ||
        !sip_is_token(msg->method_name))
        goto not_sip;
    msg->method = sip_method_lookup(msg->method_name);
    rest = sip_trim(rest);
    for (end = rest.len; end > 0; end--) {
        if (rest.ptr[end - 1] == ' ')
            break;
    }
    version = span_from(rest, end);
    if (end == 0 || !is_version(version))
        goto not_sip;

    msg->uri_text = span_head(rest, end - 1);
    if (!span_is_nocase(version, "SIP/2.0"))
        note_fault(msg, SIP_FAULT_VERSION);
    /* Behind us it may be copied into buffers nobody measured. */
    if (msg->method_name.len > SIP_METHOD_MAX)
        note_fault(msg, SIP_FAULT_REQUEST_LINE);
    /* Exactly one space on each side, none at the end. */
    if (msg->uri_text.ptr != msg->method_name.ptr + msg->method_name.len + 1 ||
        version.ptr + version.len != line.ptr + line.len)
        note_fault(msg, SIP_FAULT_REQUEST_LINE);
    /* RFC 3261 19.1.1: no headers in a Request-URI; a gateway must not be
     * made to copy them out. */
    if (sip_uri_parse(msg->uri_text, &msg->uri) < 0 || msg->uri.headers.len > 0)
        note_fault(msg, SIP_FAULT_REQUEST_URI);
    return 0;

not_sip:
    note_fault(msg, SIP_FAULT_NOT_SIP);
    return ERR_PARSE;
}

static int start_line_parse(struct sip_msg *msg, struct sip_lines *lines)
{
    struct span line;
    int err;

    err = sip_lines_start(lines, &msg->start);
    if (err < 0) {
        note_fault(msg, lines->fault);
        return err;
    }
    line = span_head(msg->start, msg->start.len - 2);
    if (span_starts_nocase(line, "SIP/2.0 "))
        return status_line_parse(msg, line);
    return request_line_parse(msg, line);
}

/* --- header index --- */

static int headers_index(struct sip_msg *msg, struct sip_lines *lines,
                         unsigned max)
{
    uint8_t last[SIP_HDR_COUNT];
    struct sip_line line;
    struct sip_hdr *hdr;
    int n;

    while ((n = sip_lines_next(lines, &line)) > 0) {
        if (msg->n_hdrs >= max || msg->n_hdrs >= SIP_MAX_HDRS) {
            note_fault(msg, SIP_FAULT_HEADER_COUNT);
            return ERR_LIMIT;
        }
        hdr = &msg->hdrs[msg->n_hdrs];
        hdr->name = line.name;
        hdr->value = line.value;
        hdr->line = line.line;
        hdr->id = (uint8_t)sip_hdr_lookup(line.name);
        hdr->next = SIP_HDR_NO_NEXT;
        if (msg->first[hdr->id] == SIP_HDR_NO_NEXT)
            msg->first[hdr->id] = (uint8_t)msg->n_hdrs;
        else if (sip_hdr_is_single((enum sip_hdr_id)hdr->id))
            note_fault(msg, SIP_FAULT_DUPLICATE);
        else
            msg->hdrs[last[hdr->id]].next = (uint8_t)msg->n_hdrs;
        last[hdr->id] = (uint8_t)msg->n_hdrs;
        msg->n_hdrs++;
    }
    if (n < 0)
        note_fault(msg, lines->fault);
    return n;
}

/* --- body --- */

static void body_set(struct sip_msg *msg, struct span all, struct span rest,
                     enum sip_framing framing)
{
    const struct sip_hdr *hdr = sip_msg_find(msg, SIP_HDR_CONTENT_LENGTH);
    uint32_t length;

    msg->hdrs_end = (size_t)(rest.ptr - all.ptr) - 2;
    msg->body = rest;
    msg->raw = all;
    if (!hdr) {
        if (framing == SIP_FRAMING_STREAM)
            note_fault(msg, SIP_FAULT_CONTENT_LENGTH_MISSING);
        return;
    }
    if (sip_number_parse(hdr->value, INT32_MAX, &length) < 0) {
        note_fault(msg, SIP_FAULT_CONTENT_LENGTH);
        return;
    }
    if (framing != SIP_FRAMING_DATAGRAM && length != rest.len) {
        note_fault(msg, SIP_FAULT_CONTENT_LENGTH_MISMATCH);
        return;
    }
    if (length > rest.len) {
        note_fault(msg, SIP_FAULT_CONTENT_LENGTH_LARGE);
        return;
    }
    /* RFC 3261 18.3: what a datagram has behind the body is discarded. */
    msg->body = span_head(rest, length);
    msg->raw = span_head(all, msg->hdrs_end + 2 + length);
}

/* --- the values everybody needs --- */

static void vias_parse(struct sip_msg *msg, unsigned max)
{
    struct sip_values v = sip_values_of(msg, SIP_HDR_VIA);

    while (sip_values_next(&v)) {
        if (msg->n_vias == 0 && sip_via_parse(v.item, &msg->via) < 0)
            break;
        msg->n_vias++;
    }
    if (msg->n_vias == 0)
        note_fault(msg, SIP_FAULT_VIA);
    if (msg->n_vias > max)
        note_fault(msg, SIP_FAULT_HOPS);
}

static void routes_parse(struct sip_msg *msg, unsigned max)
{
    struct sip_values v = sip_values_of(msg, SIP_HDR_ROUTE);
    struct sip_addr addr;

    while (sip_values_next(&v)) {
        if (sip_addr_parse(v.item, &addr) < 0 || !addr.has_brackets)
            note_fault(msg, SIP_FAULT_ROUTE);
        msg->n_routes++;
    }
    if (msg->n_routes > max)
        note_fault(msg, SIP_FAULT_HOPS);
}

/* In requests only: a response is not lost for a Contact nobody reads. */
static void contacts_check(struct sip_msg *msg)
{
    struct sip_values v = sip_values_of(msg, SIP_HDR_CONTACT);
    struct sip_contact contact;

    while (sip_values_next(&v)) {
        if (sip_contact_parse(v.item, &contact) < 0)
            note_fault(msg, SIP_FAULT_CONTACT);
        else if (span_starts_nocase(contact.addr.uri, "sips:"))
            msg->has_sips_contact = true;
    }
}

static void identity_parse(struct sip_msg *msg)
{
    if (sip_addr_parse(sip_msg_value(msg, SIP_HDR_FROM), &msg->from) < 0)
        note_fault(msg, SIP_FAULT_FROM);
    if (sip_addr_parse(sip_msg_value(msg, SIP_HDR_TO), &msg->to) < 0)
        note_fault(msg, SIP_FAULT_TO);
    msg->call_id = sip_msg_value(msg, SIP_HDR_CALL_ID);
    if (!sip_call_id_is_valid(msg->call_id))
        note_fault(msg, SIP_FAULT_CALL_ID);
}

static void cseq_parse(struct sip_msg *msg)
{
    if (sip_cseq_parse(sip_msg_value(msg, SIP_HDR_CSEQ), &msg->cseq) < 0) {
        note_fault(msg, SIP_FAULT_CSEQ);
        return;
    }
    if (!msg->is_request) {
        msg->method = msg->cseq.method;
        msg->method_name = msg->cseq.method_name;
    } else if (!span_equal(msg->cseq.method_name, msg->method_name)) {
        note_fault(msg, SIP_FAULT_CSEQ_METHOD);
    }
}

static void max_forwards_parse(struct sip_msg *msg)
{
    const struct sip_hdr *hdr = sip_msg_find(msg, SIP_HDR_MAX_FORWARDS);

    if (!hdr)
        return;
    msg->has_max_forwards = true;
    if (sip_number_parse(hdr->value, 255, &msg->max_forwards) < 0)
        note_fault(msg, SIP_FAULT_MAX_FORWARDS);
}

int sip_msg_parse(struct sip_msg *ret_msg, struct span data,
                  enum sip_framing framing, const struct sip_limits *limits)
{
    struct sip_msg *msg = ret_msg;
    struct sip_lines lines = {.max_line = limits->header_line};
    int err;

    memset(msg, 0, offsetof(struct sip_msg, hdrs));
    memset(msg->first, SIP_HDR_NO_NEXT, sizeof(msg->first));
    if (data.len > limits->message) {
        note_fault(msg, SIP_FAULT_MESSAGE_SIZE);
        return ERR_LIMIT;
    }
    data = span_from(data, sip_lines_blank(data));
    if (data.len == 0) {
        note_fault(msg, SIP_FAULT_EMPTY);
        return ERR_PARSE;
    }
    lines.rest = data;
    err = start_line_parse(msg, &lines);
    if (err < 0)
        return err;
    err = headers_index(msg, &lines, limits->headers);
    if (err < 0)
        return err;

    body_set(msg, data, lines.rest, framing);
    vias_parse(msg, limits->hops);
    identity_parse(msg);
    cseq_parse(msg);
    if (msg->is_request) {
        max_forwards_parse(msg);
        routes_parse(msg, limits->hops);
        contacts_check(msg);
    }
    return msg->fault == SIP_FAULT_NONE ? 0 : ERR_PARSE;
}

bool sip_msg_is_answerable(const struct sip_msg *msg)
{
    return msg->is_request && msg->method != SIP_METHOD_ACK &&
           sip_fault_status(msg->fault) != 0 && msg->n_vias > 0;
}

/* --- looking at it --- */

const struct sip_hdr *sip_msg_find_name(const struct sip_msg *msg,
                                        const char *name)
{
    for (unsigned i = 0; i < msg->n_hdrs; i++) {
        if (span_is_nocase(msg->hdrs[i].name, name))
            return &msg->hdrs[i];
    }
    return NULL;
}

struct span sip_msg_value(const struct sip_msg *msg, enum sip_hdr_id id)
{
    const struct sip_hdr *hdr = sip_msg_find(msg, id);

    return hdr ? hdr->value : span_of(NULL, 0);
}

struct sip_values sip_values_of(const struct sip_msg *msg, enum sip_hdr_id id)
{
    return (struct sip_values){.msg = msg, .next = sip_msg_find(msg, id)};
}

bool sip_values_next(struct sip_values *values)
{
    while (!sip_list_next(&values->rest, &values->item)) {
        if (!values->next)
            return false;
        values->hdr = values->next;
        values->next = sip_msg_next(values->msg, values->hdr);
        values->rest = values->hdr->value;
    }
    return true;
}

bool sip_msg_nth(const struct sip_msg *msg, enum sip_hdr_id id, unsigned n,
                 struct span *ret_value)
{
    struct sip_values v = sip_values_of(msg, id);

    while (sip_values_next(&v)) {
        if (n-- == 0) {
            *ret_value = v.item;
            return true;
        }
    }
    return false;
}

bool sip_msg_has_option(const struct sip_msg *msg, enum sip_hdr_id id,
                        const char *tag)
{
    struct sip_values v = sip_values_of(msg, id);

    while (sip_values_next(&v)) {
        if (span_is_nocase(v.item, tag))
            return true;
    }
    return false;
}
