/* SPDX-License-Identifier: MIT */
#include "net/proxy_protocol.h"

#include "base/err.h"
#include "base/wire.h"

enum {
    V2_FIXED = 16, /* signature, version and command, family, length */
    V2_LOCAL = 0x20,
    V2_PROXY = 0x21,
    V2_TCP4 = 0x11,
    V2_TCP6 = 0x21,
    V2_UNSPEC = 0x00,
    V2_UNIX = 0x31, /* a stream */
};

static const uint8_t v2_signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                         0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

/* Do the bytes begin with `prefix`, or could they, if there were more? */
static int match_prefix(struct span bytes, struct span prefix)
{
    struct span head = span_head(bytes, prefix.len);

    if (!span_equal(head, span_head(prefix, head.len)))
        return ERR_PARSE;
    return head.len < prefix.len ? ERR_TRUNCATED : 0;
}

/* ---- version 2 ---- */

static struct addr take_ip(struct wire_reader *r, enum addr_family family)
{
    struct addr a = {.family = (uint8_t)family};
    struct span ip = wire_take(r, family == ADDR_V4 ? 4 : 16);

    if (ip.len > 0)
        memcpy(a.ip, ip.ptr, ip.len);
    return a;
}

/* Extensions may follow the addresses; nothing of them is needed. */
static int read_v2_addrs(struct wire_reader *r, enum addr_family family,
                         struct proxy_header *header)
{
    header->source = take_ip(r, family);
    header->dest = take_ip(r, family);
    header->source.port = wire_u16(r);
    header->dest.port = wire_u16(r);
    header->has_addrs = true;
    return r->err ? ERR_PARSE : 0;
}

static int read_v2(struct span bytes, struct proxy_header *header)
{
    struct wire_reader r = wire_reader(span_from(bytes, sizeof(v2_signature)));
    uint8_t command = wire_u8(&r);
    uint8_t family = wire_u8(&r);
    size_t len = wire_u16(&r);

    if (bytes.len > sizeof(v2_signature) && command != V2_LOCAL &&
        command != V2_PROXY)
        return ERR_PARSE;
    if (r.err)
        return ERR_TRUNCATED;
    header->len = V2_FIXED + len;
    if (header->len > PROXY_HEADER_MAX)
        return ERR_LIMIT;
    if (bytes.len < header->len)
        return ERR_TRUNCATED;
    header->version = 2;
    if (command == V2_LOCAL || family == V2_UNSPEC || family == V2_UNIX)
        return 0;
    r = wire_reader(span_head(span_from(bytes, V2_FIXED), len));
    if (family == V2_TCP4)
        return read_v2_addrs(&r, ADDR_V4, header);
    if (family == V2_TCP6)
        return read_v2_addrs(&r, ADDR_V6, header);
    return ERR_PARSE; /* datagrams do not come through a stream */
}

/* ---- version 1 ---- */

/* The next word of the line; words are parted by exactly one space. */
static int take_word(struct span *rest, struct span *ret_word)
{
    if (!span_next(rest, ' ', ret_word) || ret_word->len == 0)
        return ERR_PARSE;
    return 0;
}

static int take_addr(struct span *rest, enum addr_family family,
                     struct addr *ret_addr)
{
    struct span word;

    if (take_word(rest, &word) < 0 || span_find(word, '%') >= 0 ||
        addr_parse_ip(word, ret_addr) < 0 || ret_addr->family != family)
        return ERR_PARSE;
    return 0;
}

static int take_port(struct span *rest, uint16_t *ret_port)
{
    struct span word;
    uint32_t port;

    if (take_word(rest, &word) < 0 || span_to_u32(word, 65535, &port) < 0 ||
        (word.len > 1 && word.ptr[0] == '0'))
        return ERR_PARSE;
    *ret_port = (uint16_t)port;
    return 0;
}

static int read_v1_addrs(struct span rest, enum addr_family family,
                         struct proxy_header *header)
{
    if (take_addr(&rest, family, &header->source) < 0 ||
        take_addr(&rest, family, &header->dest) < 0 ||
        take_port(&rest, &header->source.port) < 0 ||
        take_port(&rest, &header->dest.port) < 0 || rest.len > 0)
        return ERR_PARSE;
    header->has_addrs = true;
    return 0;
}

/* `rest` is what follows "PROXY ", without the line's end. */
static int read_v1_line(struct span rest, struct proxy_header *header)
{
    struct span family;

    /* A separator at the end would otherwise go unseen. */
    if (rest.len == 0 || rest.ptr[rest.len - 1] == ' ' ||
        take_word(&rest, &family) < 0)
        return ERR_PARSE;
    if (span_is(family, "TCP4"))
        return read_v1_addrs(rest, ADDR_V4, header);
    if (span_is(family, "TCP6"))
        return read_v1_addrs(rest, ADDR_V6, header);
    return span_is(family, "UNKNOWN") ? 0 : ERR_PARSE;
}

static int read_v1(struct span bytes, size_t prefix,
                   struct proxy_header *header)
{
    struct span line = span_head(bytes, PROXY_V1_MAX);
    ptrdiff_t end = span_search(line, span_str("\r\n"));

    if (end < 0)
        return line.len < PROXY_V1_MAX ? ERR_TRUNCATED : ERR_PARSE;
    header->version = 1;
    header->len = (size_t)end + 2;
    return read_v1_line(span_from(span_head(line, (size_t)end), prefix),
                        header);
}

int proxy_header_read(struct span bytes, struct proxy_header *ret_header)
{
    struct span text = span_str("PROXY ");
    struct span binary = span_of(v2_signature, sizeof(v2_signature));
    int err;

    *ret_header = (struct proxy_header){0};
    err = match_prefix(bytes, binary);
    if (err == 0)
        return read_v2(bytes, ret_header);
    if (err == ERR_TRUNCATED)
        return err;
    err = match_prefix(bytes, text);
    return err < 0 ? err : read_v1(bytes, text.len, ret_header);
}

/* ---- writing ---- */

static void put_ip(struct wire_writer *w, const struct addr *a, bool as_v6)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0,    0,
                                       0, 0, 0, 0, 0xFF, 0xFF};

    if (as_v6 && a->family == ADDR_V4)
        wire_put(w, span_of(mapped, sizeof(mapped)));
    wire_put(w, span_of(a->ip, addr_ip_len(a)));
}

size_t proxy_header_write(const struct addr *source, const struct addr *dest,
                          uint8_t out[PROXY_WRITE_MAX])
{
    struct wire_writer w = wire_writer(out, PROXY_WRITE_MAX);
    bool v6 = source->family == ADDR_V6 || dest->family == ADDR_V6;

    wire_put(&w, span_of(v2_signature, sizeof(v2_signature)));
    wire_put_u8(&w, V2_PROXY);
    wire_put_u8(&w, v6 ? V2_TCP6 : V2_TCP4);
    wire_put_u16(&w, v6 ? 36 : 12);
    put_ip(&w, source, v6);
    put_ip(&w, dest, v6);
    wire_put_u16(&w, source->port);
    wire_put_u16(&w, dest->port);
    return w.err ? 0 : wire_written(&w);
}
