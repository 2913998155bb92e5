/* SPDX-License-Identifier: MIT */
#include "base/first_bytes.h"

#include "base/err.h"
#include "base/wire.h"
#include "support/unit.h"

static uint8_t scratch[TLS_HELLO_MAX];
static uint8_t bytes[FIRST_BYTES_MAX + 64];
static uint8_t message[TLS_HELLO_MAX + 64];
static struct first_bytes first;
static size_t need;

static int read_bytes(size_t len)
{
    return first_bytes_read(span_of(bytes, len), scratch, &first, &need);
}

static int read_text(const char *text)
{
    return first_bytes_read(span_str(text), scratch, &first, &need);
}

/* ---- making a ClientHello ---- */

struct extension {
    uint16_t type;
    const char *body;
    size_t len;
};

#define SNI_EDGE                                                               \
    "\0\x0c\0\0\x09"                                                           \
    "edge.test"
#define ALPN_TURN                                                              \
    "\0\x0a\x09"                                                               \
    "stun.turn"
#define EXT(type, text)                                                        \
    {                                                                          \
        type, text, sizeof(text) - 1                                           \
    }

/* A ClientHello message with these extensions. Returns its length. */
static size_t make_message(const struct extension *exts, size_t n, size_t pad)
{
    struct wire_writer w = wire_writer(message, sizeof(message));
    static const uint8_t zeros[32];
    size_t total = pad ? 4 + pad : 0;
    size_t len;

    for (size_t i = 0; i < n; i++)
        total += 4 + exts[i].len;
    len = 2 + 32 + 1 + 2 + 2 + 2 + 2 + total;
    wire_put_u8(&w, 1);
    wire_put_u8(&w, (uint8_t)(len >> 16));
    wire_put_u16(&w, (uint16_t)len);
    wire_put_u16(&w, 0x0303);
    wire_put(&w, span_of(zeros, 32));
    wire_put_u8(&w, 0);
    wire_put_u16(&w, 2);
    wire_put_u16(&w, 0x1301);
    wire_put_u16(&w, 0x0100);
    wire_put_u16(&w, (uint16_t)total);
    for (size_t i = 0; i < n; i++) {
        wire_put_u16(&w, exts[i].type);
        wire_put_u16(&w, (uint16_t)exts[i].len);
        wire_put(&w, span_of(exts[i].body, exts[i].len));
    }
    if (pad) {
        wire_put_u16(&w, 21);
        wire_put_u16(&w, (uint16_t)pad);
        while (pad-- > 0)
            wire_put_u8(&w, 0);
    }
    ck_assert_int_eq(w.err, 0);
    return wire_written(&w);
}

/* In records of at most `part` bytes. Returns their length. */
static size_t make_records(size_t len, size_t part)
{
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    for (size_t at = 0; at < len; at += part) {
        size_t n = len - at < part ? len - at : part;

        wire_put_u8(&w, 22);
        wire_put_u16(&w, 0x0301);
        wire_put_u16(&w, (uint16_t)n);
        wire_put(&w, span_of(message + at, n));
    }
    ck_assert_int_eq(w.err, 0);
    return wire_written(&w);
}

static int read_hello(const struct extension *exts, size_t n)
{
    return read_bytes(make_records(make_message(exts, n, 0), TLS_HELLO_MAX));
}

/* ---- TLS ---- */

START_TEST(the_name_and_the_protocols_are_read)
{
    static const struct extension exts[] = {
        EXT(10, "\0\x02\0\x1d"), EXT(0, SNI_EDGE), EXT(16, ALPN_TURN)};

    ck_assert_int_eq(read_hello(exts, 3), 0);
    ck_assert_int_eq(first.kind, FIRST_TLS);
    ck_assert(span_is(first.hello.server_name, "edge.test"));
    ck_assert(tls_hello_offers(&first.hello, span_str("stun.turn")));
    ck_assert(!tls_hello_offers(&first.hello, span_str("stun.tur")));
    ck_assert(!tls_hello_offers(&first.hello, span_str("STUN.TURN")));

    ck_assert_int_eq(read_hello(exts, 1), 0);
    ck_assert_uint_eq(first.hello.server_name.len, 0);
    ck_assert_uint_eq(first.hello.protocols.len, 0);
    ck_assert_int_eq(read_hello(NULL, 0), 0);
}
END_TEST

START_TEST(every_cut_says_what_it_needs)
{
    static const struct extension exts[] = {EXT(0, SNI_EDGE)};
    static const size_t parts[] = {TLS_HELLO_MAX, 40, 7, 3};

    for (size_t p = 0; p < ARRAY_SIZE(parts); p++) {
        size_t len = make_records(make_message(exts, 1, 0), parts[p]);

        for (size_t n = 0; n < len; n++) {
            ck_assert_int_eq(read_bytes(n), ERR_TRUNCATED);
            ck_assert_uint_gt(need, n);
            ck_assert_uint_le(need, len);
        }
        ck_assert_int_eq(read_bytes(len), 0);
        ck_assert(span_is(first.hello.server_name, "edge.test"));
    }
}
END_TEST

START_TEST(what_is_ambiguous_is_refused)
{
    static const struct extension twice[] = {EXT(0, SNI_EDGE),
                                             EXT(0, SNI_EDGE)};
    static const struct extension bad[] = {
        EXT(0, "\0\x0d\0\0\x09"
               "edge.test"), /* list too long */
        EXT(0, "\0\x0c\0\0\x08"
               "edge.test"), /* name too short */
        EXT(0, "\0\x0c\0\0\x09"
               "edge\0test"), /* NUL */
        EXT(0, "\0\x0c\0\0\x09"
               "edge..est"),    /* empty label */
        EXT(0, "\0\x03\0\0\0"), /* empty name */
        EXT(0, "\0\x08\0\0\x01"
               "a\0\0\x01"
               "b"), /* two names */
        EXT(0, ""),  /* no list */
        EXT(16, "\0\x0a\x0a"
                "stun.turn"),  /* too long */
        EXT(16, "\0\x02\0\0"), /* empty protocol */
        EXT(16, "\0\0"),       /* no protocol */
    };

    ck_assert_int_eq(read_hello(twice, 2), ERR_PARSE);
    ck_assert_int_eq(first.kind, FIRST_TLS);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        ck_assert_msg(read_hello(&bad[i], 1) == ERR_PARSE, "%zu", i);
}
END_TEST

START_TEST(records_are_bounded)
{
    size_t len = make_message(NULL, 0, 15000);

    ck_assert_int_eq(read_bytes(make_records(len, 1000)), 0);
    ck_assert_int_eq(read_bytes(make_records(len, 300)), ERR_LIMIT);
    len = make_message(NULL, 0, TLS_HELLO_MAX - 51);
    ck_assert_uint_eq(len, TLS_HELLO_MAX);
    ck_assert_int_eq(read_bytes(make_records(len, 8192)), 0);
    len = make_message(NULL, 0, TLS_HELLO_MAX - 50);
    ck_assert_int_eq(read_bytes(make_records(len, 8192)), ERR_LIMIT);
    /* bytes behind it in its record; an empty record; another message */
    len = make_message(NULL, 0, 10);
    ck_assert_int_eq(read_bytes(make_records(len + 1, 8192)), ERR_PARSE);
    ck_assert_int_eq(read_text("\x16\x03\x01\x01"), ERR_TRUNCATED);
    ck_assert_int_eq(first_bytes_read(span_of("\x16\x03\x01\0\0", 5), scratch,
                                      &first, &need),
                     ERR_PARSE);
    ck_assert_int_eq(first_bytes_read(span_of("\x16\x03\x01\0\x09\x02", 6),
                                      scratch, &first, &need),
                     ERR_PARSE);
    ck_assert_int_eq(read_text("\x16\x02"), ERR_PARSE);
}
END_TEST

/* ---- the others ---- */

static void is_kind(const char *text, enum first_kind kind)
{
    ck_assert_msg(read_text(text) == 0, "%s", text);
    ck_assert_msg(first.kind == kind, "%s: %d", text, (int)first.kind);
}

START_TEST(requests_are_told_apart)
{
    is_kind("GET / HTTP/1.1", FIRST_HTTP);
    is_kind("OPTIONS * HTTP/1.1", FIRST_HTTP);
    is_kind("GET http://a/ HTTP/1.1", FIRST_HTTP);
    is_kind("PRI * HTTP/2.0", FIRST_HTTP);
    is_kind("REGISTER sip:edge.test SIP/2.0", FIRST_SIP);
    is_kind("\r\n\r\nOPTIONS sips:a SIP/2.0", FIRST_SIP);
    is_kind("INVITE tel:+4912 SIP/2.0", FIRST_SIP);
    is_kind("CONNECT a:443 HTTP/1.1", FIRST_OTHER);
    is_kind("get / HTTP/1.1", FIRST_OTHER);
    is_kind("SSH-2.0-x", FIRST_OTHER);
    is_kind("\r\n\r\n\r\n", FIRST_OTHER);
    is_kind("ABCDEFGHIJKLMNOPQRSTUVW", FIRST_OTHER);
    is_kind("GET \r", FIRST_OTHER);
    is_kind("\x80\x2e\x01", FIRST_OTHER); /* a hello of SSL 2 */
}
END_TEST

START_TEST(a_beginning_waits_for_more)
{
    static const char *const parts[] = {"",     "G",         "GET",
                                        "GET ", "OPTIONS h", "OPTIONS si",
                                        "\r\n", "X sip",     "GET http"};

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        ck_assert_msg(read_text(parts[i]) == ERR_TRUNCATED, "%s", parts[i]);
        ck_assert_uint_eq(need, strlen(parts[i]) + 1);
    }
}
END_TEST

START_TEST(stun_shows_its_cookie)
{
    static const char request[] = "\0\x01\0\0\x21\x12\xA4\x42";

    for (size_t n = 1; n < 8; n++) {
        ck_assert_int_eq(
            first_bytes_read(span_of(request, n), scratch, &first, &need),
            ERR_TRUNCATED);
        ck_assert_uint_eq(need, 8);
    }
    ck_assert_int_eq(
        first_bytes_read(span_of(request, 8), scratch, &first, &need), 0);
    ck_assert_int_eq(first.kind, FIRST_STUN);
    ck_assert_int_eq(first_bytes_read(span_of("\0\x01\0\0\x21\x12\xA4", 7),
                                      scratch, &first, &need),
                     ERR_TRUNCATED);
    ck_assert_int_eq(first_bytes_read(span_of("\0\x01\0\0\x21\x13", 6), scratch,
                                      &first, &need),
                     0);
    ck_assert_int_eq(first.kind, FIRST_OTHER);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("first_bytes");
    TCase *tc = tcase_create("kinds");

    tcase_add_test(tc, the_name_and_the_protocols_are_read);
    tcase_add_test(tc, every_cut_says_what_it_needs);
    tcase_add_test(tc, what_is_ambiguous_is_refused);
    tcase_add_test(tc, records_are_bounded);
    tcase_add_test(tc, requests_are_told_apart);
    tcase_add_test(tc, a_beginning_waits_for_more);
    tcase_add_test(tc, stun_shows_its_cookie);
    suite_add_tcase(suite, tc);
    return suite;
}
