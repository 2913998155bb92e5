/* SPDX-License-Identifier: MIT */
#include "net/proxy_protocol.h"

#include "base/err.h"
#include "base/wire.h"
#include "support/unit.h"

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";
static uint8_t bytes[PROXY_HEADER_MAX + 64];
static struct proxy_header header;

static int read_text(const char *text)
{
    return proxy_header_read(span_str(text), &header);
}

/* A version 2 header with `len` bytes of addresses and extensions. Returns
 * its length. */
static size_t make_v2(uint8_t command, uint8_t family, const void *body,
                      size_t len)
{
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    wire_put(&w, span_of(signature, 12));
    wire_put_u8(&w, command);
    wire_put_u8(&w, family);
    wire_put_u16(&w, (uint16_t)len);
    wire_put(&w, span_of(body, len));
    return wire_written(&w);
}

static void is_addr(const struct addr *a, const char *want)
{
    char text[ADDR_TEXT_SIZE];

    ck_assert_str_eq(addr_str(a, text), want);
}

static const uint8_t v4_body[] = {192, 0, 2,    1,    198,  51,
                                  100, 7, 0x9c, 0x40, 0x0d, 0x96};
static const uint8_t v6_body[] = {
    0x20, 0x01, 0x0d, 0xb8, 0,    0,    0,    0,    0,    0,    0,    0,
    0,    0,    0,    1,    0x20, 0x01, 0x0d, 0xb8, 0,    0,    0,    0,
    0,    0,    0,    0,    0,    0,    0,    2,    0x9c, 0x40, 0x0d, 0x96};

START_TEST(version_2_names_both_addresses)
{
    size_t len = make_v2(0x21, 0x11, v4_body, sizeof(v4_body));

    ck_assert_int_eq(proxy_header_read(span_of(bytes, len + 9), &header), 0);
    ck_assert_uint_eq(header.len, len);
    ck_assert_uint_eq(header.version, 2);
    ck_assert(header.has_addrs);
    is_addr(&header.source, "192.0.2.1:40000");
    is_addr(&header.dest, "198.51.100.7:3478");

    len = make_v2(0x21, 0x21, v6_body, sizeof(v6_body));
    ck_assert_int_eq(proxy_header_read(span_of(bytes, len), &header), 0);
    is_addr(&header.source, "[2001:db8::1]:40000");
    is_addr(&header.dest, "[2001:db8::2]:3478");
}
END_TEST

START_TEST(extensions_are_skipped)
{
    uint8_t body[600] = {0};
    size_t len;

    memcpy(body, v4_body, sizeof(v4_body));
    len = make_v2(0x21, 0x11, body, sizeof(body));
    ck_assert_int_eq(proxy_header_read(span_of(bytes, len), &header), 0);
    ck_assert_uint_eq(header.len, 16 + sizeof(body));
    is_addr(&header.source, "192.0.2.1:40000");
}
END_TEST

START_TEST(health_checks_and_other_families_name_nobody)
{
    static const uint8_t commands[][2] = {
        {0x20, 0x00}, {0x20, 0x11}, {0x21, 0x00}, {0x21, 0x31}};

    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        size_t len = make_v2(commands[i][0], commands[i][1], v4_body, 12);

        ck_assert_int_eq(proxy_header_read(span_of(bytes, len), &header), 0);
        ck_assert_uint_eq(header.len, len);
        ck_assert(!header.has_addrs);
    }
    ck_assert_int_eq(read_text("PROXY UNKNOWN\r\nGET"), 0);
    ck_assert(!header.has_addrs);
    ck_assert_uint_eq(header.len, 15);
    ck_assert_int_eq(read_text("PROXY UNKNOWN ffff::1 what ever\r\n"), 0);
}
END_TEST

START_TEST(wrong_version_2_headers_are_refused)
{
    /* Version, command, datagrams, families that do not exist. */
    static const uint8_t wrong[][2] = {{0x11, 0x11}, {0x31, 0x11}, {0x22, 0x11},
                                       {0x2f, 0x11}, {0x21, 0x12}, {0x21, 0x22},
                                       {0x21, 0x10}, {0x21, 0x41}};
    size_t len;

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        len = make_v2(wrong[i][0], wrong[i][1], v6_body, 36);
        ck_assert_int_eq(proxy_header_read(span_of(bytes, len), &header),
                         ERR_PARSE);
    }
    len = make_v2(0x21, 0x11, v4_body, 11); /* too short for its family */
    ck_assert_int_eq(proxy_header_read(span_of(bytes, len), &header),
                     ERR_PARSE);
    len = make_v2(0x21, 0x21, v6_body, 35);
    ck_assert_int_eq(proxy_header_read(span_of(bytes, len), &header),
                     ERR_PARSE);
}
END_TEST

START_TEST(every_shorter_version_2_header_may_grow)
{
    size_t len = make_v2(0x21, 0x21, v6_body, sizeof(v6_body));

    for (size_t n = 0; n < len; n++)
        ck_assert_int_eq(proxy_header_read(span_of(bytes, n), &header),
                         ERR_TRUNCATED);
    /* … unless it is too long, which shows early. */
    wire_store_u16(bytes + 14, PROXY_HEADER_MAX - 16 + 1);
    ck_assert_int_eq(proxy_header_read(span_of(bytes, 16), &header), ERR_LIMIT);
    wire_store_u16(bytes + 14, PROXY_HEADER_MAX - 16);
    ck_assert_int_eq(proxy_header_read(span_of(bytes, 16), &header),
                     ERR_TRUNCATED);
    ck_assert_int_eq(
        proxy_header_read(span_of(bytes, PROXY_HEADER_MAX), &header), 0);
}
END_TEST

START_TEST(version_1_names_both_addresses)
{
    const char *line = "PROXY TCP4 192.0.2.1 198.51.100.7 40000 443\r\nGET /";

    ck_assert_int_eq(read_text(line), 0);
    ck_assert_uint_eq(header.version, 1);
    ck_assert_uint_eq(header.len, strlen(line) - strlen("GET /"));
    is_addr(&header.source, "192.0.2.1:40000");
    is_addr(&header.dest, "198.51.100.7:443");
    ck_assert_int_eq(read_text("PROXY TCP6 2001:db8::1 ::1 1 65535\r\n"), 0);
    is_addr(&header.source, "[2001:db8::1]:1");
    is_addr(&header.dest, "[::1]:65535");
}
END_TEST

START_TEST(wrong_version_1_headers_are_refused)
{
    static const char *const wrong[] = {
        "PROXY \r\n",
        "PROXY TCP4\r\n",
        "PROXY tcp4 192.0.2.1 198.51.100.7 1 2\r\n",
        "PROXY TCP5 192.0.2.1 198.51.100.7 1 2\r\n",
        "PROXY UDP4 192.0.2.1 198.51.100.7 1 2\r\n",
        "PROXY TCP6 192.0.2.1 198.51.100.7 1 2\r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.7 1\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.7 1 \r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.7 1 2 \r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.7 1 2 3\r\n",
        "PROXY TCP4  192.0.2.1 198.51.100.7 1 2\r\n",
        "PROXY  TCP4 192.0.2.1 198.51.100.7 1 2\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.7 01 2\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.7 1 65536\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.7 -1 2\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.7 1 2\n\r\n",
        "PROXY TCP4 192.0.2.1:80 198.51.100.7 1 2\r\n",
        "PROXY TCP4 192.0.2 198.51.100.7 1 2\r\n",
        "PROXY TCP6 fe80::1%2 ::1 1 2\r\n",
        "PROXY TCP6 [::1] ::1 1 2\r\n",
        "PROXY\tTCP4",
        "GET / HTTP/1.1\r\n",
        "\r\n\r\nGET",
        "\x16\x03\x01",
    };

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        ck_assert_msg(read_text(wrong[i]) == ERR_PARSE, "%s", wrong[i]);
}
END_TEST

START_TEST(a_version_1_line_may_grow_until_it_is_too_long)
{
    const char *line = "PROXY TCP4 192.0.2.1 198.51.100.7 40000 443\r\n";
    size_t len = strlen(line);

    for (size_t n = 0; n < len; n++)
        ck_assert_int_eq(proxy_header_read(span_of(line, n), &header),
                         ERR_TRUNCATED);
    memset(bytes, 'x', sizeof(bytes));
    memcpy(bytes, "PROXY UNKNOWN ", 14);
    ck_assert_int_eq(proxy_header_read(span_of(bytes, 106), &header),
                     ERR_TRUNCATED);
    ck_assert_int_eq(proxy_header_read(span_of(bytes, 107), &header),
                     ERR_PARSE);
    memcpy(bytes + 105, "\r\n", 2);
    ck_assert_int_eq(proxy_header_read(span_of(bytes, 107), &header), 0);
    memcpy(bytes + 105, "x\r\n", 3);
    ck_assert_int_eq(proxy_header_read(span_of(bytes, 200), &header),
                     ERR_PARSE);
}
END_TEST

static void round_trip(const char *from, const char *to, size_t want)
{
    struct addr source, dest;

    ck_assert_int_eq(addr_parse(span_str(from), &source), 0);
    ck_assert_int_eq(addr_parse(span_str(to), &dest), 0);
    ck_assert_uint_eq(proxy_header_write(&source, &dest, bytes), want);
    ck_assert_int_eq(proxy_header_read(span_of(bytes, want), &header), 0);
    ck_assert_uint_eq(header.len, want);
    ck_assert(header.has_addrs);
}

START_TEST(what_we_write_is_read_back)
{
    round_trip("192.0.2.1:40000", "198.51.100.7:443", 28);
    is_addr(&header.source, "192.0.2.1:40000");
    is_addr(&header.dest, "198.51.100.7:443");
    round_trip("[2001:db8::1]:40000", "[2001:db8::2]:443", 52);
    is_addr(&header.source, "[2001:db8::1]:40000");
    round_trip("192.0.2.1:40000", "[2001:db8::2]:443", 52);
    ck_assert(addr_inner_v4(&header.source, &header.source));
    is_addr(&header.source, "192.0.2.1:40000");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("proxy_protocol");
    TCase *tc = tcase_create("header");

    tcase_add_test(tc, version_2_names_both_addresses);
    tcase_add_test(tc, extensions_are_skipped);
    tcase_add_test(tc, health_checks_and_other_families_name_nobody);
    tcase_add_test(tc, wrong_version_2_headers_are_refused);
    tcase_add_test(tc, every_shorter_version_2_header_may_grow);
    tcase_add_test(tc, version_1_names_both_addresses);
    tcase_add_test(tc, wrong_version_1_headers_are_refused);
    tcase_add_test(tc, a_version_1_line_may_grow_until_it_is_too_long);
    tcase_add_test(tc, what_we_write_is_read_back);
    suite_add_tcase(suite, tc);
    return suite;
}
