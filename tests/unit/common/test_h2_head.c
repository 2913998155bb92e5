/* SPDX-License-Identifier: MIT */
/* Heads between HTTP/2 and HTTP/1. */
#include "h2/h2_head.h"

#include "base/err.h"
#include "support/unit.h"

static struct h2_block block;

static void setup(void)
{
    h2_block_init(&block);
}

static void teardown(void)
{
    h2_block_deinit(&block);
    ck_assert_no_blocks();
}

static void add(const char *name, const char *value)
{
    h2_block_add(&block, span_str(name), span_str(value), 1000);
}

static int write_block(bool ends)
{
    struct h2_form form = {
        .secure = true, .ends = ends, .connects = true, .key = "KEY"};

    return h2_block_write(&block, &form);
}

static void add_head(const char *method)
{
    add(":method", method);
    add(":scheme", "https");
    add(":authority", "edge.example");
    add(":path", "/a?b");
}

static const char *text(void)
{
    static char out[4096];
    struct span s = buf_span(&block.text);

    ck_assert_uint_lt(s.len, sizeof(out));
    memcpy(out, s.ptr, s.len);
    out[s.len] = '\0';
    return out;
}

START_TEST(a_request_without_content)
{
    add_head("GET");
    add("a", "1");
    add("empty", "");
    ck_assert_int_eq(write_block(true), 0);
    ck_assert_str_eq(text(), "GET /a?b HTTP/1.1\r\nhost: edge.example\r\n"
                             "a: 1\r\nempty: \r\n\r\n");
}
END_TEST

START_TEST(content_of_unknown_length_is_chunked)
{
    add_head("POST");
    ck_assert_int_eq(write_block(false), 0);
    ck_assert_str_eq(text(), "POST /a?b HTTP/1.1\r\nhost: edge.example\r\n"
                             "transfer-encoding: chunked\r\n\r\n");
}
END_TEST

START_TEST(a_length_is_kept_and_none_is_0)
{
    add_head("PUT");
    add("content-length", "7");
    ck_assert_int_eq(write_block(false), 0);
    ck_assert_str_eq(text(), "PUT /a?b HTTP/1.1\r\nhost: edge.example\r\n"
                             "content-length: 7\r\n\r\n");
    h2_block_reset(&block);
    add_head("PUT");
    ck_assert_int_eq(write_block(true), 0);
    ck_assert_str_eq(text(), "PUT /a?b HTTP/1.1\r\nhost: edge.example\r\n"
                             "content-length: 0\r\n\r\n");
}
END_TEST

START_TEST(host_may_stand_for_the_authority)
{
    add(":method", "GET");
    add(":scheme", "https");
    add(":path", "/");
    add("host", "edge.example");
    ck_assert_int_eq(write_block(true), 0);
    ck_assert_str_eq(text(), "GET / HTTP/1.1\r\nhost: edge.example\r\n\r\n");
}
END_TEST

START_TEST(crumbs_are_joined)
{
    add_head("GET");
    add("cookie", "a=1");
    add("x", "y");
    add("cookie", "b=2");
    ck_assert_int_eq(write_block(true), 0);
    ck_assert_str_eq(text(), "GET /a?b HTTP/1.1\r\nhost: edge.example\r\n"
                             "x: y\r\ncookie: a=1; b=2\r\n\r\n");
}
END_TEST

START_TEST(an_extended_connect_is_a_handshake)
{
    add(":method", "CONNECT");
    add(":protocol", "websocket");
    add(":scheme", "https");
    add(":authority", "edge.example");
    add(":path", "/ws");
    add("sec-websocket-key", "theirs");
    add("sec-websocket-version", "13");
    ck_assert(h2_block_is_tunnel(&block));
    ck_assert_int_eq(write_block(false), 0);
    ck_assert_str_eq(text(), "GET /ws HTTP/1.1\r\nhost: edge.example\r\n"
                             "sec-websocket-version: 13\r\n"
                             "connection: Upgrade\r\nupgrade: websocket\r\n"
                             "sec-websocket-key: KEY\r\n\r\n");
}
END_TEST

START_TEST(a_connect_has_an_authority_only)
{
    add(":method", "CONNECT");
    add(":authority", "a:443");
    ck_assert_int_eq(write_block(false), 0);
    ck_assert_str_eq(text(), "CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n");
}
END_TEST

static const struct {
    const char *name, *value;
} bad_fields[] = {
    {"connection", "close"},
    {"keep-alive", "1"},
    {"proxy-connection", "x"},
    {"transfer-encoding", "chunked"},
    {"upgrade", "h2c"},
    {"te", "gzip"},
    {"host", "other.example"},
    {":path", "/2"},
    {":status", "200"},
    {"Name", "1"},
    {"na me", "1"},
    {"", "1"},
    {"na:me", "1"},
    {"name", "1\r\nx: y"},
    {"name", "1\n"},
    {"name", "\x7f"},
    {"name", " 1"},
    {"name", "1\t"},
};

START_TEST(fields_that_make_it_malformed)
{
    add_head("GET");
    add(bad_fields[_i].name, bad_fields[_i].value);
    ck_assert_int_eq(write_block(true), 400);
    /* The next is not concerned. */
    h2_block_reset(&block);
    add_head("GET");
    ck_assert_int_eq(write_block(true), 0);
}
END_TEST

START_TEST(too_much_is_431)
{
    char value[600];

    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    add_head("GET");
    add("a", value);
    ck_assert_int_eq(write_block(true), 0);
    h2_block_reset(&block);
    add_head("GET");
    add("a", value);
    add("b", value);
    add("c", value);
    ck_assert_int_eq(write_block(true), 431);
    ck_assert_uint_gt(block.size, 1800); /* all was counted */
    ck_assert_uint_lt(buf_len(&block.fields), 1000);
}
END_TEST

/* ---- answers ---- */

static struct buf scratch;
static struct h2_field fields[H2_FIELDS_MAX];
static size_t n_fields;

static int split(const char *head)
{
    return h2_head_split(span_str(head), &scratch, fields, &n_fields);
}

static void expect(size_t i, const char *name, const char *value)
{
    ck_assert_uint_lt(i, n_fields);
    ck_assert(span_is(fields[i].name, name));
    ck_assert(span_is(fields[i].value, value));
}

START_TEST(an_answer_becomes_a_list)
{
    buf_init(&scratch, 4096);
    ck_assert_int_eq(split("HTTP/1.1 404 Not Found\r\nContent-Type: a/b\r\n"
                           "Connection: close\r\nX-Empty: \r\n"
                           "Transfer-Encoding: chunked\r\n\r\n"),
                     404);
    ck_assert_uint_eq(n_fields, 3);
    expect(0, ":status", "404");
    expect(1, "content-type", "a/b");
    expect(2, "x-empty", "");
    buf_deinit(&scratch);
}
END_TEST

START_TEST(a_switch_is_200)
{
    buf_init(&scratch, 4096);
    ck_assert_int_eq(split("HTTP/1.1 101 X\r\nUpgrade: websocket\r\n"
                           "Sec-WebSocket-Accept: abc\r\n"
                           "Sec-WebSocket-Protocol: sip\r\n\r\n"),
                     101);
    ck_assert_uint_eq(n_fields, 2);
    expect(0, ":status", "200");
    expect(1, "sec-websocket-protocol", "sip");
    buf_deinit(&scratch);
}
END_TEST

START_TEST(what_is_no_head_is_none)
{
    buf_init(&scratch, 64);
    ck_assert_int_lt(split(""), 0);
    ck_assert_int_lt(split("HTTP/1.1 xyz\r\n\r\n"), 0);
    ck_assert_int_lt(split("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"), 0);
    ck_assert_int_eq(split("HTTP/1.1 200 OK\r\na: 0123456789012345678901234567"
                           "89012345678901234567890\r\n\r\n"),
                     ERR_LIMIT);
    buf_deinit(&scratch);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("h2_head");
    TCase *tc = tcase_create("h2_head");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_request_without_content);
    tcase_add_test(tc, content_of_unknown_length_is_chunked);
    tcase_add_test(tc, a_length_is_kept_and_none_is_0);
    tcase_add_test(tc, host_may_stand_for_the_authority);
    tcase_add_test(tc, crumbs_are_joined);
    tcase_add_test(tc, an_extended_connect_is_a_handshake);
    tcase_add_test(tc, a_connect_has_an_authority_only);
    tcase_add_loop_test(tc, fields_that_make_it_malformed, 0,
                        (int)ARRAY_SIZE(bad_fields));
    tcase_add_test(tc, too_much_is_431);
    tcase_add_test(tc, an_answer_becomes_a_list);
    tcase_add_test(tc, a_switch_is_200);
    tcase_add_test(tc, what_is_no_head_is_none);
    suite_add_tcase(suite, tc);
    return suite;
}
