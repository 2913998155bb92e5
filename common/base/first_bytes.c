/* SPDX-License-Identifier: MIT */
#include "base/first_bytes.h"

#include "base/err.h"

enum {
    TLS_HANDSHAKE = 0x16,
    STUN_COOKIE_AT = 4,
    STUN_COOKIE_END = 8,
    BLANK_MAX = 4,   /* CR and LF before a request (keep-alives of SIP) */
    METHOD_MAX = 20, /* of the methods there are, the longest has 17 */
};

static const uint8_t stun_cookie[4] = {0x21, 0x12, 0xA4, 0x42};

/* What a request's target begins with. */
struct target {
    const char *text;
    enum first_kind kind;
};

static const struct target targets[] = {
    {"/", FIRST_HTTP},      {"*", FIRST_HTTP},   {"http:", FIRST_HTTP},
    {"https:", FIRST_HTTP}, {"sip:", FIRST_SIP}, {"sips:", FIRST_SIP},
    {"tel:", FIRST_SIP},
};

static int more(struct span bytes, size_t *ret_need)
{
    *ret_need = bytes.len + 1;
    return ERR_TRUNCATED;
}

static int read_stun(struct span bytes, struct first_bytes *first,
                     size_t *ret_need)
{
    size_t have = bytes.len < STUN_COOKIE_END ? bytes.len : STUN_COOKIE_END;

    if (have > STUN_COOKIE_AT && memcmp(bytes.ptr + STUN_COOKIE_AT, stun_cookie,
                                        have - STUN_COOKIE_AT) != 0)
        return 0;
    if (have < STUN_COOKIE_END) {
        *ret_need = STUN_COOKIE_END;
        return ERR_TRUNCATED;
    }
    first->kind = FIRST_STUN;
    return 0;
}

/* 1: `target` begins with one of ours; 0: no; ERR_TRUNCATED: it may. */
static int match_target(struct span target, enum first_kind *ret_kind)
{
    int result = 0;

    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        struct span want = span_str(targets[i].text);
        struct span head = span_head(target, want.len);

        if (!span_equal_nocase(head, span_head(want, head.len)))
            continue;
        if (head.len == want.len) {
            *ret_kind = targets[i].kind;
            return 1;
        }
        result = ERR_TRUNCATED;
    }
    return result;
}

/* METHOD SP target … */
static int read_request(struct span bytes, struct first_bytes *first,
                        size_t *ret_need)
{
    struct span rest = bytes;
    size_t method = 0;
    int err;

    while (rest.len > 0 && (rest.ptr[0] == '\r' || rest.ptr[0] == '\n')) {
        if (bytes.len - rest.len == BLANK_MAX)
            return 0;
        rest = span_from(rest, 1);
    }
    while (method < rest.len && rest.ptr[method] >= 'A' &&
           rest.ptr[method] <= 'Z') {
        if (++method > METHOD_MAX)
            return 0;
    }
    if (method == rest.len)
        return more(bytes, ret_need);
    if (method == 0 || rest.ptr[method] != ' ')
        return 0;
    err = match_target(span_from(rest, method + 1), &first->kind);
    return err < 0 ? more(bytes, ret_need) : 0;
}

int first_bytes_read(struct span bytes, uint8_t scratch[TLS_HELLO_MAX],
                     struct first_bytes *ret_first, size_t *ret_need)
{
    *ret_first = (struct first_bytes){.kind = FIRST_OTHER};
    *ret_need = 0;
    if (bytes.len == 0)
        return more(bytes, ret_need);
    if (bytes.ptr[0] == TLS_HANDSHAKE) {
        ret_first->kind = FIRST_TLS;
        return tls_hello_read(bytes, scratch, &ret_first->hello, ret_need);
    }
    if (bytes.ptr[0] < 0x40 && bytes.ptr[0] != '\r' && bytes.ptr[0] != '\n')
        return read_stun(bytes, ret_first, ret_need);
    return read_request(bytes, ret_first, ret_need);
}
