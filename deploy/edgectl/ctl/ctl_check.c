/* SPDX-License-Identifier: MIT */
#include "ctl/ctl_check.h"

#include "app/json.h"
#include "base/addr.h"
#include "base/err.h"
#include "base/mem.h"
#include "ctl/ctl_table.h"
#include "net/tls_name.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const states[] = {
    [CTL_CHECK_OK] = "ok",
    [CTL_CHECK_WARNING] = "warning",
    [CTL_CHECK_ERROR] = "error",
};

void ctl_checks_add(struct ctl_checks *checks, const char *where,
                    const char *id, enum ctl_check_state state,
                    const char *format, ...)
{
    struct ctl_check *c = &checks->items[checks->n];
    va_list args;

    if (checks->n == CTL_CHECKS_MAX)
        return;
    c->state = state;
    (void)snprintf(c->where, sizeof(c->where), "%s", where);
    (void)snprintf(c->id, sizeof(c->id), "%s", id);
    va_start(args, format);
    (void)vsnprintf(c->text, sizeof(c->text), format, args);
    va_end(args);
    checks->n++;
}

enum ctl_check_state ctl_checks_worst(const struct ctl_checks *checks)
{
    enum ctl_check_state worst = CTL_CHECK_OK;

    for (size_t i = 0; i < checks->n; i++) {
        if (checks->items[i].state > worst)
            worst = checks->items[i].state;
    }
    return worst;
}

void ctl_checks_print(const struct ctl_checks *checks, struct buf *out)
{
    static const char *const titles[] = {"", "CHECK", "WHERE", "WHAT"};
    struct ctl_table table;

    ctl_table_init(&table, titles, ARRAY_SIZE(titles));
    for (size_t i = 0; i < checks->n; i++) {
        ctl_table_put(&table, "%s", states[checks->items[i].state]);
        ctl_table_put(&table, "%s", checks->items[i].id);
        ctl_table_put(&table, "%s", checks->items[i].where);
        ctl_table_put(&table, "%s", checks->items[i].text);
    }
    ctl_table_print(&table, CTL_TEXT, out);
    ctl_table_deinit(&table);
}

void ctl_checks_print_json(const struct ctl_checks *checks, struct buf *out)
{
    json_open(out, '[');
    for (size_t i = 0; i < checks->n; i++) {
        const struct ctl_check *c = &checks->items[i];

        json_open(out, '{');
        json_key(out, "id");
        json_str(out, c->id);
        json_key(out, "state");
        json_str(out, states[c->state]);
        json_key(out, "where");
        json_str(out, c->where);
        json_key(out, "text");
        json_str(out, c->text);
        json_close(out, '}');
    }
    json_close(out, ']');
    buf_put_byte(out, '\n');
}

/* ---- addresses ---- */

static const struct {
    const char *prefix;
    const char *scheme;
    uint16_t port;
    bool tcp, tls;
} schemes[] = {
    {"https://", "https", 443, true, true},
    {"http://", "http", 80, true, false},
    {"turns:", "turns", 5349, true, true},
    {"turn:", "turn", 3478, false, false},
    {"stun:", "stun", 3478, false, false},
    {"sips:", "sips", 5061, true, true},
    {"sip:", "sip", 5060, false, false},
};

/* "?transport=tcp" behind a turn: address, ";transport=tcp" behind a sip: one.
 * SIP has no DTLS. */
static int take_query(struct span *rest, struct ctl_uri *uri)
{
    bool is_sip = strncmp(uri->scheme, "sip", 3) == 0;
    struct span query;

    if (!span_cut(*rest, is_sip ? ';' : '?', rest, &query))
        return 0;
    if (!is_sip && strncmp(uri->scheme, "turn", 4) != 0)
        return ERR_PARSE;
    uri->tcp = span_is(query, "transport=tcp");
    if (!uri->tcp &&
        (!span_is(query, "transport=udp") || strcmp(uri->scheme, "sips") == 0))
        return ERR_PARSE;
    return 0;
}

static int take_host(struct span rest, struct ctl_uri *uri)
{
    struct span host = rest, port = {NULL, 0};
    struct addr addr;
    uint32_t number = uri->port;

    if (span_starts(rest, "[")) {
        if (!span_cut(span_from(rest, 1), ']', &host, &port) ||
            addr_parse_ip(host, &addr) < 0)
            return ERR_PARSE;
        if (port.len && !span_starts(port, ":"))
            return ERR_PARSE;
        port = span_from(port, 1);
    } else if (span_cut(rest, ':', &host, &port) && port.len == 0) {
        return ERR_PARSE;
    }
    if (port.len && span_to_u32(port, UINT16_MAX, &number) < 0)
        return ERR_PARSE;
    if (host.len >= sizeof(uri->host) || number == 0 ||
        (!tls_name_is_host(host) && addr_parse_ip(host, &addr) < 0))
        return ERR_PARSE;
    memcpy(uri->host, host.ptr, host.len);
    uri->host[host.len] = 0;
    uri->port = (uint16_t)number;
    return 0;
}

int ctl_uri_parse(const char *text, struct ctl_uri *ret_uri)
{
    struct span rest = span_str(text);
    struct ctl_uri uri = {.text = text};

    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
        if (!span_starts(rest, schemes[i].prefix))
            continue;
        (void)snprintf(uri.scheme, sizeof(uri.scheme), "%s", schemes[i].scheme);
        uri.port = schemes[i].port;
        uri.tcp = schemes[i].tcp;
        uri.tls = schemes[i].tls;
        rest = span_from(rest, strlen(schemes[i].prefix));
        if (rest.len && rest.ptr[rest.len - 1] == '/')
            rest.len--;
        if (take_query(&rest, &uri) < 0 || take_host(rest, &uri) < 0)
            return ERR_PARSE;
        *ret_uri = uri;
        return 0;
    }
    return ERR_PARSE;
}
