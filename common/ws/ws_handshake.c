/* SPDX-License-Identifier: MIT */
#include "ws/ws_handshake.h"

#include "base/crypto.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"

#define WS_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455 1.3 */

enum { KEY_BYTES = 16 };

bool ws_list_has(struct span list, const char *token)
{
    struct span item;

    while (span_next(&list, ',', &item)) {
        if (span_is_nocase(span_trim(item), token))
            return true;
    }
    return false;
}

static bool protocols_have(const struct ws_handshake *hs, const char *name)
{
    struct span list, item;

    for (unsigned i = 0; i < hs->protocols_n; i++) {
        list = hs->protocols[i];
        while (span_next(&list, ',', &item)) {
            if (span_is(span_trim(item), name)) /* names are exact */
                return true;
        }
    }
    return false;
}

static void note_once(struct ws_handshake *hs, struct span *field,
                      struct span value)
{
    if (field->ptr)
        hs->repeated = true;
    *field = value;
}

void ws_handshake_on_header(struct ws_handshake *hs, struct span name,
                            struct span value)
{
    value = span_trim(value);
    if (!value.ptr) /* a field that is there is never NULL */
        value = span_str("");

    if (span_is_nocase(name, "upgrade"))
        hs->upgrade |= ws_list_has(value, "websocket");
    else if (span_is_nocase(name, "connection"))
        hs->connection |= ws_list_has(value, "upgrade");
    else if (span_is_nocase(name, "sec-websocket-key"))
        note_once(hs, &hs->key, value);
    else if (span_is_nocase(name, "sec-websocket-version"))
        note_once(hs, &hs->version, value);
    else if (span_is_nocase(name, "origin"))
        note_once(hs, &hs->origin, value);
    else if (span_is_nocase(name, "transfer-encoding"))
        hs->has_body = true;
    else if (span_is_nocase(name, "content-length"))
        hs->has_body |= !span_is(value, "0");
    else if (span_is_nocase(name, "sec-websocket-protocol")) {
        if (hs->protocols_n == ARRAY_SIZE(hs->protocols))
            hs->repeated = true;
        else
            hs->protocols[hs->protocols_n++] = value;
    }
}

bool ws_handshake_is_asked(const struct ws_handshake *hs)
{
    return hs->upgrade && hs->connection;
}

static bool key_is_valid(struct span key)
{
    uint8_t bytes[KEY_BYTES];

    return text_unbase64(TEXT_BASE64, key, bytes, sizeof(bytes)) == KEY_BYTES;
}

static bool origin_is_allowed(const struct ws_policy *policy,
                              struct span origin)
{
    if (policy->origins_n == 0 || !origin.ptr)
        return true;
    for (size_t i = 0; i < policy->origins_n; i++) {
        const char *allowed = policy->origins[i];

        if (strcmp(allowed, "*") == 0 || span_is_nocase(origin, allowed))
            return true;
    }
    return false;
}

int ws_handshake_check(const struct ws_handshake *hs, struct span method,
                       const struct ws_policy *policy,
                       struct ws_accepted *ret_accepted)
{
    if (!span_is(method, "GET"))
        return 405;
    if (!ws_handshake_is_asked(hs) || hs->has_body || hs->repeated)
        return 400;
    if (!span_is(hs->version, "13")) /* RFC 6455 4.4 */
        return 426;
    if (!key_is_valid(hs->key))
        return 400;
    if (!origin_is_allowed(policy, hs->origin))
        return 403;
    if (policy->protocol && !protocols_have(hs, policy->protocol))
        return 400;

    ws_accept_of(hs->key, ret_accepted->accept);
    ret_accepted->protocol = policy->protocol;
    return 101;
}

void ws_handshake_write(const struct ws_accepted *accepted, struct buf *out)
{
    buf_put_str(out, "HTTP/1.1 101 Switching Protocols\r\n"
                     "Upgrade: websocket\r\n"
                     "Connection: Upgrade\r\n");
    buf_printf(out, "Sec-WebSocket-Accept: %s\r\n", accepted->accept);
    if (accepted->protocol)
        buf_printf(out, "Sec-WebSocket-Protocol: %s\r\n", accepted->protocol);
    buf_put_str(out, "\r\n");
}

static const char *reason_of(int status)
{
    switch (status) {
    case 400:
        return "Bad Request";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 426:
        return "Upgrade Required";
    case 429:
        return "Too Many Requests";
    case 503:
        return "Service Unavailable";
    default:
        return "Refused";
    }
}

void ws_handshake_write_refusal(int status, struct buf *out)
{
    const char *reason = reason_of(status);

    buf_printf(out, "HTTP/1.1 %d %s\r\n", status, reason);
    if (status == 405)
        buf_put_str(out, "Allow: GET\r\n");
    if (status == 426) {
        /* RFC 9110 15.5.22 wants Upgrade, and it to be a hop-by-hop field */
        buf_put_str(out, "Upgrade: websocket\r\n"
                         "Sec-WebSocket-Version: 13\r\n"
                         "Connection: close, Upgrade\r\n");
    } else {
        buf_put_str(out, "Connection: close\r\n");
    }
    buf_printf(out,
               "Content-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%s\n",
               strlen(reason) + 1, reason);
}

void ws_accept_of(struct span key, char out[WS_ACCEPT_SIZE])
{
    const struct span parts[] = {key, span_str(WS_GUID)};
    uint8_t digest[CRYPTO_SHA1_SIZE];

    crypto_sha1(parts, ARRAY_SIZE(parts), digest);
    (void)text_base64(TEXT_BASE64, span_of(digest, sizeof(digest)), out);
}
