/* SPDX-License-Identifier: MIT */
#include "msg/sip_hdr.h"

#include "base/err.h"
#include "base/mem.h"
#include "msg/sip_char.h"

/* --- names --- */

enum times { ONCE, MANY };

static const struct {
    const char *name;
    uint8_t len;
    char compact;
    uint8_t times;
} headers[SIP_HDR_COUNT] = {[SIP_HDR_OTHER] = {"", 0, 0, MANY},
#define SIP_HDR_ROW(id, name, compact, times)                                  \
    [SIP_HDR_##id] = {name, sizeof(name) - 1, compact, times},
                            SIP_HDR_MAP(SIP_HDR_ROW)
#undef SIP_HDR_ROW
};

/* Names by their first letter, so that a header costs a few comparisons and
 * not sixty. test_sip_hdr.c sees to it that none is missing. */
#define H(id) SIP_HDR_##id
static const uint8_t by_letter[26][14] = {
    ['a' - 'a'] = {H(ALLOW), H(AUTHORIZATION), H(ALLOW_EVENTS), H(ALERT_INFO),
                   H(ACCEPT_CONTACT)},
    ['c' - 'a'] = {H(CALL_ID), H(CSEQ), H(CONTENT_LENGTH), H(CONTACT),
                   H(CONTENT_TYPE), H(CONTENT_ENCODING)},
    ['d' - 'a'] = {H(DATE), H(DIVERSION)},
    ['e' - 'a'] = {H(EXPIRES), H(EVENT)},
    ['f' - 'a'] = {H(FROM), H(FLOW_TIMER)},
    ['h' - 'a'] = {H(HISTORY_INFO)},
    ['i' - 'a'] = {H(IDENTITY)},
    ['m' - 'a'] = {H(MAX_FORWARDS), H(MIN_EXPIRES), H(MIN_SE), H(MAX_BREADTH)},
    ['p' - 'a'] = {H(PATH), H(PROXY_REQUIRE), H(PROXY_AUTHORIZATION),
                   H(PROXY_AUTHENTICATE), H(PRIVACY), H(P_ASSERTED_IDENTITY),
                   H(P_PREFERRED_IDENTITY)},
    ['r' - 'a'] = {H(ROUTE), H(RECORD_ROUTE), H(REQUIRE), H(RETRY_AFTER),
                   H(REASON), H(REFER_TO), H(REFERRED_BY), H(REPLACES), H(RACK),
                   H(RSEQ), H(REMOTE_PARTY_ID), H(REJECT_CONTACT),
                   H(REQUEST_DISPOSITION)},
    ['s' - 'a'] = {H(SUPPORTED), H(SUBJECT), H(SERVER), H(SERVICE_ROUTE),
                   H(SESSION_EXPIRES)},
    ['t' - 'a'] = {H(TO), H(TIMESTAMP)},
    ['u' - 'a'] = {H(USER_AGENT), H(UNSUPPORTED)},
    ['v' - 'a'] = {H(VIA)},
    ['w' - 'a'] = {H(WWW_AUTHENTICATE), H(WARNING)},
};
#undef H

static enum sip_hdr_id compact_lookup(char letter)
{
    for (size_t i = 1; i < ARRAY_SIZE(headers); i++) {
        if (headers[i].compact == letter)
            return (enum sip_hdr_id)i;
    }
    return SIP_HDR_OTHER;
}

enum sip_hdr_id sip_hdr_lookup(struct span name)
{
    const uint8_t *row;
    uint8_t letter;

    if (name.len == 0)
        return SIP_HDR_OTHER;
    letter = sip_lower(name.ptr[0]);
    if (letter < 'a' || letter > 'z')
        return SIP_HDR_OTHER;
    if (name.len == 1)
        return compact_lookup((char)letter);
    for (row = by_letter[letter - 'a']; *row; row++) {
        if (headers[*row].len == name.len &&
            span_equal_nocase(name, span_of(headers[*row].name, name.len)))
            return (enum sip_hdr_id)(*row);
    }
    return SIP_HDR_OTHER;
}

const char *sip_hdr_name(enum sip_hdr_id id)
{
    return headers[id].name;
}

bool sip_hdr_is_single(enum sip_hdr_id id)
{
    return headers[id].times == ONCE;
}

static const char *const methods[SIP_METHOD_COUNT] = {
    [SIP_METHOD_OTHER] = "",
#define SIP_METHOD_ROW(name) [SIP_METHOD_##name] = #name,
    SIP_METHOD_MAP(SIP_METHOD_ROW)
#undef SIP_METHOD_ROW
};

enum sip_method sip_method_lookup(struct span name)
{
    for (size_t i = 1; i < ARRAY_SIZE(methods); i++) {
        if (name.len > 0 && name.ptr[0] == (uint8_t)methods[i][0] &&
            span_is(name, methods[i]))
            return (enum sip_method)i;
    }
    return SIP_METHOD_OTHER;
}

/* --- lists --- */

struct span sip_trim(struct span s)
{
    return sip_trim_right(sip_skip_space(s));
}

/* Index behind the string whose opening quote is at `i`; the end of the text
 * when it is never closed. */
static size_t skip_quoted(struct span s, size_t i)
{
    for (i++; i < s.len; i++) {
        if (s.ptr[i] == '\\')
            i++;
        else if (s.ptr[i] == '"')
            return i + 1;
    }
    return s.len;
}

/* Index of the comma that ends the first item, or the length. */
static size_t item_end(struct span s)
{
    bool in_brackets = false;
    size_t i = 0;

    for (;;) {
        i += sip_chars_until(span_from(s, i), SIP_CHAR_LIST);
        if (i >= s.len || (s.ptr[i] == ',' && !in_brackets))
            return i;
        if (s.ptr[i] == '"' && !in_brackets) {
            i = skip_quoted(s, i);
            continue;
        }
        if (s.ptr[i] == '<')
            in_brackets = true;
        else if (s.ptr[i] == '>')
            in_brackets = false;
        i++;
    }
}

bool sip_list_next(struct span *rest, struct span *ret_item)
{
    struct span item;
    size_t end;

    while (rest->len > 0) {
        end = item_end(*rest);
        item = sip_trim(span_head(*rest, end));
        *rest = span_from(*rest, end + 1);
        if (item.len > 0) {
            *ret_item = item;
            return true;
        }
    }
    return false;
}

/* --- Via --- */

bool sip_is_token(struct span s)
{
    return s.len > 0 && sip_chars_are(s, SIP_CHAR_TOKEN);
}

/* Take a token off the front, white space on both sides dropped. */
static bool take_token(struct span *rest, struct span *ret_token)
{
    struct span s = sip_skip_space(*rest);
    size_t n = sip_chars_count(s, SIP_CHAR_TOKEN);

    if (n == 0)
        return false;
    *ret_token = span_head(s, n);
    *rest = sip_skip_space(span_from(s, n));
    return true;
}

static bool take_char(struct span *rest, char c)
{
    if (rest->len == 0 || rest->ptr[0] != (uint8_t)c)
        return false;
    *rest = sip_skip_space(span_from(*rest, 1));
    return true;
}

/* A parameter that decides where a response goes or whose it is stands there
 * once: two elements might pick different ones. */
static int set_once(struct span *field, struct span value)
{
    if (field->len > 0 || value.len == 0)
        return ERR_PARSE;
    *field = value;
    return 0;
}

static int via_param(struct sip_via *via, const struct sip_param *p)
{
    uint32_t port;

    if (span_is_nocase(p->name, "branch"))
        return set_once(&via->branch, p->value);
    if (span_is_nocase(p->name, "received"))
        return set_once(&via->received, p->value);
    if (span_is_nocase(p->name, "maddr"))
        return set_once(&via->maddr, p->value);
    if (!span_is_nocase(p->name, "rport"))
        return 0;
    if (via->has_rport)
        return ERR_PARSE;
    via->has_rport = true;
    if (p->value.len > 0) {
        if (span_to_u32(p->value, 65535, &port) < 0)
            return ERR_PARSE;
        via->rport = (uint16_t)port;
    }
    return 0;
}

/* Any version is taken: a request of another one is answered with 505, and
 * the answer needs a Via. */
int sip_via_parse(struct span value, struct sip_via *ret_via)
{
    struct sip_via via = {.text = value};
    struct span rest = value;
    struct span sent_by;
    struct span token;
    struct sip_param p;
    int n;

    if (!take_token(&rest, &token) || !span_is_nocase(token, "SIP") ||
        !take_char(&rest, '/') || !take_token(&rest, &token) ||
        !take_char(&rest, '/') || !take_token(&rest, &via.transport_name))
        return ERR_PARSE;
    via.transport = sip_transport_parse(via.transport_name);
    /* The white space that must stand before sent-by. */
    if (rest.ptr == via.transport_name.ptr + via.transport_name.len)
        return ERR_PARSE;

    sent_by = rest;
    via.params = span_from(rest, rest.len);
    if (span_cut(rest, ';', &sent_by, &via.params) &&
        sip_skip_space(via.params).len == 0)
        return ERR_PARSE;
    if (sip_host_parse(sip_trim(sent_by), &via.sent_by) < 0)
        return ERR_PARSE;
    rest = via.params;
    while ((n = sip_param_next(&rest, &p)) > 0) {
        if (!sip_is_token(p.name) || via_param(&via, &p) < 0)
            return ERR_PARSE;
    }
    if (n < 0)
        return n;
    *ret_via = via;
    return 0;
}

bool sip_via_is_3261(const struct sip_via *via)
{
    return via->branch.len > 7 && span_starts_nocase(via->branch, "z9hG4bK");
}

/* --- addresses --- */

/* Text before '<' that is no quoted string. Commas, quotes and separators of
 * the header itself would make two readings possible. */
static bool display_is_valid(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '"' || s.ptr[i] == ',' || s.ptr[i] == ';' ||
            s.ptr[i] == '>')
            return false;
    }
    return true;
}

static bool uri_text_is_valid(struct span s)
{
    return sip_chars_are(s, SIP_CHAR_URI) && span_find(s, ':') > 0;
}

/* `<uri>` at the front of `rest`; leaves what stands behind it. */
static int bracketed_parse(struct span *rest, struct sip_addr *addr)
{
    ptrdiff_t end = span_find(*rest, '>');

    if (end < 0)
        return ERR_PARSE;
    addr->has_brackets = true;
    addr->uri = span_of(rest->ptr + 1, (size_t)end - 1);
    *rest = sip_skip_space(span_from(*rest, (size_t)end + 1));
    return 0;
}

/* RFC 3261 20: without brackets, what follows a semicolon belongs to the
 * header, and a URI with comma or question mark needs them. */
static int bare_parse(struct span *rest, struct sip_addr *addr)
{
    size_t n = 0;

    while (n < rest->len && rest->ptr[n] != ';')
        n++;
    addr->uri = sip_trim(span_head(*rest, n));
    *rest = span_from(*rest, n);
    return span_find(addr->uri, ',') < 0 && span_find(addr->uri, '?') < 0
               ? 0
               : ERR_PARSE;
}

/* A token by the grammar; some clients write = or / in it, which is no harm.
 * What could end the parameter or the value is not taken. */
static bool tag_is_valid(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];

        if (c <= 0x20 || c >= 0x7F || c == '"' || c == '<' || c == '>' ||
            c == ',')
            return false;
    }
    return s.len > 0;
}

static int addr_spec_parse(struct span *rest, struct sip_addr *addr)
{
    ptrdiff_t open;

    if (rest->len > 0 && rest->ptr[0] == '"') {
        size_t n = skip_quoted(*rest, 0);

        if (n < 2 || rest->ptr[n - 1] != '"')
            return ERR_PARSE;
        addr->display = span_head(*rest, n);
        *rest = sip_skip_space(span_from(*rest, n));
        if (rest->len == 0 || rest->ptr[0] != '<')
            return ERR_PARSE;
        return bracketed_parse(rest, addr);
    }
    open = span_find(*rest, '<');
    if (open < 0)
        return bare_parse(rest, addr);
    addr->display = sip_trim(span_head(*rest, (size_t)open));
    *rest = span_from(*rest, (size_t)open);
    return display_is_valid(addr->display) ? bracketed_parse(rest, addr)
                                           : ERR_PARSE;
}

int sip_addr_parse(struct span value, struct sip_addr *ret_addr)
{
    struct sip_addr addr = {.text = value};
    struct span rest = sip_skip_space(value);
    struct sip_param p;
    int n;

    if (addr_spec_parse(&rest, &addr) < 0 || !uri_text_is_valid(addr.uri))
        return ERR_PARSE;

    addr.params = rest;
    if (rest.len > 0) {
        if (rest.ptr[0] != ';')
            return ERR_PARSE;
        addr.params = span_from(rest, 1);
        if (sip_skip_space(addr.params).len == 0)
            return ERR_PARSE;
    }
    rest = addr.params;
    while ((n = sip_param_next(&rest, &p)) > 0) {
        if (!sip_is_token(p.name))
            return ERR_PARSE;
        if (span_is_nocase(p.name, "tag") &&
            (!tag_is_valid(p.value) || set_once(&addr.tag, p.value) < 0))
            return ERR_PARSE;
    }
    if (n < 0)
        return n;
    *ret_addr = addr;
    return 0;
}

/* --- Contact --- */

/* qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] ) */
static int q_parse(struct span s, uint16_t *ret_q)
{
    uint32_t q;
    uint32_t weight = 100;

    if (s.len == 0 || s.len > 5 || (s.ptr[0] != '0' && s.ptr[0] != '1') ||
        (s.len > 1 && s.ptr[1] != '.'))
        return ERR_PARSE;
    q = s.ptr[0] == '1' ? 1000 : 0;
    for (size_t i = 2; i < s.len; i++, weight /= 10) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return ERR_PARSE;
        q += (uint32_t)(s.ptr[i] - '0') * weight;
    }
    if (q > 1000)
        return ERR_PARSE;
    *ret_q = (uint16_t)q;
    return 0;
}

/* "<urn:uuid:…>" with or without the quotes or brackets */
static struct span instance_of(struct span s)
{
    if (s.len >= 2 && s.ptr[0] == '"')
        s = span_of(s.ptr + 1, s.len - 2);
    if (s.len >= 2 && s.ptr[0] == '<' && s.ptr[s.len - 1] == '>')
        s = span_of(s.ptr + 1, s.len - 2);
    return s;
}

static int contact_param(struct sip_contact *c, const struct sip_param *p)
{
    if (span_is_nocase(p->name, "q"))
        return q_parse(p->value, &c->q);
    if (span_is_nocase(p->name, "expires")) {
        /* RFC 3261 20.10: a malformed one is as if it was not there. */
        c->has_expires = span_to_u32(p->value, UINT32_MAX, &c->expires) == 0;
        return 0;
    }
    if (span_is_nocase(p->name, "+sip.instance"))
        c->instance = instance_of(p->value);
    else if (span_is_nocase(p->name, "reg-id"))
        return span_to_u32(p->value, INT32_MAX, &c->reg_id);
    return 0;
}

int sip_contact_parse(struct span value, struct sip_contact *ret_contact)
{
    struct sip_contact c = {.q = 1000};
    struct sip_param p;
    struct span rest;
    int err;

    if (span_is(sip_trim(value), "*")) {
        c.is_star = true;
        c.addr.text = value;
        *ret_contact = c;
        return 0;
    }
    err = sip_addr_parse(value, &c.addr);
    if (err < 0)
        return err;
    rest = c.addr.params;
    while (sip_param_next(&rest, &p) > 0) {
        if (contact_param(&c, &p) < 0)
            return ERR_PARSE;
    }
    *ret_contact = c;
    return 0;
}

/* --- the others --- */

int sip_cseq_parse(struct span value, struct sip_cseq *ret_cseq)
{
    struct sip_cseq cseq = {0};
    struct span digits = sip_trim(value);
    struct span name;
    size_t n = 0;

    while (n < digits.len && digits.ptr[n] >= '0' && digits.ptr[n] <= '9')
        n++;
    name = sip_skip_space(span_from(digits, n));
    /* RFC 3261 8.1.1.5: less than 2**31 */
    if (span_to_u32(span_head(digits, n), INT32_MAX, &cseq.number) < 0 ||
        name.ptr == digits.ptr + n || !sip_is_token(name))
        return ERR_PARSE;
    cseq.method_name = name;
    cseq.method = sip_method_lookup(name);
    *ret_cseq = cseq;
    return 0;
}

int sip_number_parse(struct span value, uint32_t max, uint32_t *ret_number)
{
    return span_to_u32(sip_trim(value), max, ret_number);
}

int sip_retry_after_parse(struct span value, uint32_t *ret_seconds)
{
    size_t n = 0;

    value = sip_trim(value);
    while (n < value.len && value.ptr[n] >= '0' && value.ptr[n] <= '9')
        n++;
    if (n < value.len && value.ptr[n] != ';' && value.ptr[n] != '(' &&
        !sip_char_is(value.ptr[n], SIP_CHAR_SPACE))
        return ERR_PARSE;
    return span_to_u32(span_head(value, n), UINT32_MAX, ret_seconds);
}

/* The grammar has `word [ "@" word ]`; clients also write = and more than one
 * @. It is only ever compared and passed on. */
bool sip_call_id_is_valid(struct span value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] <= 0x20 || value.ptr[i] >= 0x7F)
            return false;
    }
    return value.len > 0;
}
