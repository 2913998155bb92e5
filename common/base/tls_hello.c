/* SPDX-License-Identifier: MIT */
#include "base/tls_hello.h"

#include "base/err.h"
#include "base/wire.h"

enum {
    RECORD_HEADER = 5,
    RECORD_MAX = 16 * 1024,
    MESSAGE_HEADER = 4,
    TYPE_HANDSHAKE = 22,
    TYPE_CLIENT_HELLO = 1,
    EXT_SERVER_NAME = 0,
    EXT_ALPN = 16,
    NAME_IS_HOST = 0,
    NAME_MAX = 253,
    LABEL_MAX = 63,
    SESSION_ID_MAX = 32,
};

/* ---- the message ---- */

/* Letters, digits, "-", "_", "." and sane lengths. */
static bool is_host(struct span name)
{
    size_t label = 0;

    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        uint8_t lower = c | 0x20;

        if (c == '.') {
            if (label == 0)
                return false;
            label = 0;
            continue;
        }
        if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') &&
            c != '-' && c != '_')
            return false;
        if (++label > LABEL_MAX)
            return false;
    }
    return name.len > 0 && name.len <= NAME_MAX && label > 0;
}

/* A list that fills what is left of the reader. */
static struct span take_list(struct wire_reader *r)
{
    size_t len = wire_u16(r);

    if (!r->err && len != wire_left(r))
        r->err = ERR_TRUNCATED;
    return wire_take(r, len);
}

static int read_server_name(struct span body, struct tls_hello *hello)
{
    struct wire_reader r = wire_reader(body);
    struct span list = take_list(&r);

    if (r.err || list.len == 0 || hello->server_name.len > 0)
        return ERR_PARSE;
    r = wire_reader(list);
    while (wire_left(&r) > 0) {
        uint8_t type = wire_u8(&r);
        struct span name = wire_take(&r, wire_u16(&r));

        if (type != NAME_IS_HOST)
            continue;
        if (r.err || hello->server_name.len > 0 || !is_host(name))
            return ERR_PARSE;
        hello->server_name = name;
    }
    return r.err ? ERR_PARSE : 0;
}

static int read_protocols(struct span body, struct tls_hello *hello)
{
    struct wire_reader r = wire_reader(body);
    struct span list = take_list(&r);
    struct span rest = list;
    struct span name;
    size_t seen = 0;

    if (r.err || list.len == 0 || hello->protocols.len > 0)
        return ERR_PARSE;
    while (tls_hello_next(&rest, &name))
        seen += 1 + name.len;
    if (seen != list.len)
        return ERR_PARSE;
    hello->protocols = list;
    return 0;
}

static int read_extensions(struct wire_reader *r, struct tls_hello *hello)
{
    struct wire_reader list = wire_reader(take_list(r));

    if (r->err)
        return ERR_PARSE;
    while (wire_left(&list) > 0) {
        uint16_t type = wire_u16(&list);
        struct span body = wire_take(&list, wire_u16(&list));
        int err = 0;

        if (list.err)
            return ERR_PARSE;
        if (type == EXT_SERVER_NAME)
            err = read_server_name(body, hello);
        else if (type == EXT_ALPN)
            err = read_protocols(body, hello);
        if (err < 0)
            return err;
    }
    return list.err ? ERR_PARSE : 0;
}

/* RFC 8446 4.1.2, RFC 5246 7.4.1.2. */
static int read_message(struct span message, struct tls_hello *hello)
{
    struct wire_reader r = wire_reader(span_from(message, MESSAGE_HEADER));
    size_t len;

    if (wire_u16(&r) >> 8 != 3) /* version */
        return ERR_PARSE;
    (void)wire_take(&r, 32); /* random */
    len = wire_u8(&r);
    if (len > SESSION_ID_MAX)
        return ERR_PARSE;
    (void)wire_take(&r, len);
    len = wire_u16(&r); /* suites */
    if (len < 2 || len % 2 != 0)
        return ERR_PARSE;
    (void)wire_take(&r, len);
    len = wire_u8(&r); /* compressions */
    if (len == 0)
        return ERR_PARSE;
    (void)wire_take(&r, len);
    if (r.err)
        return ERR_PARSE;
    return wire_left(&r) == 0 ? 0 : read_extensions(&r, hello);
}

/* ---- the records it comes in ---- */

/* A message being gathered. */
struct gather {
    struct span message; /* as much as is there */
    size_t want;         /* its length; 0: not known yet */
    size_t used;         /* bytes of the connection */
    size_t need;         /* of them, to go on */
    uint8_t *scratch;
};

static int learn_length(struct gather *g)
{
    const uint8_t *p = g->message.ptr;

    if (g->message.len == 0)
        return 0;
    if (p[0] != TYPE_CLIENT_HELLO)
        return ERR_PARSE;
    if (g->message.len < MESSAGE_HEADER)
        return 0;
    g->want = MESSAGE_HEADER + ((size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3]);
    return g->want > TLS_HELLO_MAX ? ERR_LIMIT : 0;
}

/* One message in one record stays where it is. */
static void add_fragment(struct gather *g, struct span fragment)
{
    if (g->message.len == 0) {
        g->message = fragment;
        return;
    }
    if (g->message.ptr != g->scratch)
        memcpy(g->scratch, g->message.ptr, g->message.len);
    memcpy(g->scratch + g->message.len, fragment.ptr, fragment.len);
    g->message = span_of(g->scratch, g->message.len + fragment.len);
}

/* What can be said of a record that is not whole yet: that it is none of
 * ours. */
static int judge_part(struct gather *g, struct span rest)
{
    static const uint8_t front[2] = {TYPE_HANDSHAKE, 3};
    struct span head = span_head(rest, sizeof(front));
    struct span first = span_from(rest, RECORD_HEADER);

    if (!span_equal(head, span_of(front, head.len)))
        return ERR_PARSE;
    if (g->message.len == 0 && first.len > 0 &&
        first.ptr[0] != TYPE_CLIENT_HELLO)
        return ERR_PARSE;
    return ERR_TRUNCATED;
}

static int take_record(struct gather *g, struct span bytes)
{
    struct span rest = span_from(bytes, g->used);
    size_t len;

    g->need = g->used + RECORD_HEADER;
    if (rest.len < RECORD_HEADER)
        return judge_part(g, rest);
    len = (size_t)rest.ptr[3] << 8 | rest.ptr[4];
    if (len == 0 || len > RECORD_MAX)
        return ERR_PARSE;
    if (g->message.len + len > TLS_HELLO_MAX)
        return ERR_LIMIT;
    g->need += len;
    if (bytes.len < g->need || rest.ptr[0] != TYPE_HANDSHAKE ||
        rest.ptr[1] != 3)
        return judge_part(g, rest);
    add_fragment(g, span_of(rest.ptr + RECORD_HEADER, len));
    g->used = g->need;
    return learn_length(g);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): add_fragment() writes */
int tls_hello_read(struct span bytes, uint8_t scratch[TLS_HELLO_MAX],
                   struct tls_hello *ret_hello, size_t *ret_need)
{
    struct gather g = {.scratch = scratch};

    *ret_hello = (struct tls_hello){0};
    *ret_need = 0;
    for (int i = 0; i < TLS_HELLO_RECORDS_MAX; i++) {
        int err = take_record(&g, bytes);

        if (err < 0) {
            *ret_need = g.need;
            return err;
        }
        if (g.want == 0 || g.message.len < g.want)
            continue;
        /* Nothing may follow it before the server has spoken. */
        if (g.message.len > g.want)
            return ERR_PARSE;
        return read_message(g.message, ret_hello);
    }
    return ERR_LIMIT;
}

/* ---- protocols ---- */

bool tls_hello_next(struct span *protocols, struct span *ret_name)
{
    struct wire_reader r = wire_reader(*protocols);
    struct span name = wire_take(&r, wire_u8(&r));

    if (r.err || name.len == 0)
        return false;
    *protocols = span_from(*protocols, 1 + name.len);
    *ret_name = name;
    return true;
}

bool tls_hello_offers(const struct tls_hello *hello, struct span protocol)
{
    struct span rest = hello->protocols;
    struct span name;

    while (tls_hello_next(&rest, &name)) {
        if (span_equal(name, protocol))
            return true;
    }
    return false;
}
