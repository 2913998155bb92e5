/* SPDX-License-Identifier: MIT */
#include "http/http_msg.h"

#include "base/err.h"
#include "support/unit.h"

START_TEST(every_field_is_found_by_its_name_in_any_case)
{
    size_t last_len = 0;

    for (int i = HTTP_FIELD_OTHER + 1; i < HTTP_FIELD_COUNT; i++) {
        const char *name = http_field_name((enum http_field)i);
        char upper[64];
        size_t len = strlen(name);

        ck_assert_uint_ge(len, last_len); /* the look-up relies on it */
        last_len = len;
        for (size_t k = 0; k <= len; k++)
            upper[k] = name[k] >= 'a' && name[k] <= 'z'
                           ? (char)(name[k] - 'a' + 'A')
                           : name[k];
        ck_assert_int_eq(http_field_of(span_str(name)), i);
        ck_assert_int_eq(http_field_of(span_str(upper)), i);
        upper[0] = '!';
        ck_assert_int_eq(http_field_of(span_str(upper)), HTTP_FIELD_OTHER);
    }
}
END_TEST

START_TEST(other_names_are_other)
{
    static const char *const names[] = {"",
                                        "a",
                                        "hos",
                                        "hostt",
                                        "x-foo",
                                        "strict-transport-securitz",
                                        "strict-transport-security2"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        ck_assert_int_eq(http_field_of(span_str(names[i])), HTTP_FIELD_OTHER);
}
END_TEST

START_TEST(hop_by_hop_fields_are_marked)
{
    ck_assert(http_field_is_hop(HTTP_FIELD_CONNECTION));
    ck_assert(http_field_is_hop(HTTP_FIELD_KEEP_ALIVE));
    ck_assert(http_field_is_hop(HTTP_FIELD_TE));
    ck_assert(http_field_is_hop(HTTP_FIELD_TRAILER));
    ck_assert(http_field_is_hop(HTTP_FIELD_TRANSFER_ENCODING));
    ck_assert(http_field_is_hop(HTTP_FIELD_UPGRADE));
    ck_assert(http_field_is_hop(HTTP_FIELD_PROXY_CONNECTION));
    ck_assert(!http_field_is_hop(HTTP_FIELD_HOST));
    ck_assert(!http_field_is_hop(HTTP_FIELD_CONTENT_LENGTH));
    ck_assert(!http_field_is_hop(HTTP_FIELD_COOKIE));
    ck_assert(!http_field_is_hop(HTTP_FIELD_OTHER));
}
END_TEST

START_TEST(headers_are_found_counted_and_searched_for_tokens)
{
    struct http_header headers[] = {
        {span_str("Connection"), span_str("keep-alive, , Upgrade"),
         HTTP_FIELD_CONNECTION},
        {span_str("X-One"), span_str("1"), HTTP_FIELD_OTHER},
        {span_str("connection"), span_str("x-one"), HTTP_FIELD_CONNECTION},
        {span_str("Host"), span_str("a"), HTTP_FIELD_HOST},
    };
    struct http_msg msg = {.headers = headers, .headers_n = 4};

    ck_assert_ptr_eq(http_msg_find(&msg, HTTP_FIELD_CONNECTION), &headers[0]);
    ck_assert_ptr_null(http_msg_find(&msg, HTTP_FIELD_COOKIE));
    ck_assert_ptr_eq(http_msg_find_name(&msg, "x-oNE"), &headers[1]);
    ck_assert_ptr_null(http_msg_find_name(&msg, "x-two"));
    ck_assert_span_eq(http_msg_value(&msg, HTTP_FIELD_HOST), "a");
    ck_assert_uint_eq(http_msg_value(&msg, HTTP_FIELD_COOKIE).len, 0);
    ck_assert_uint_eq(http_msg_count(&msg, HTTP_FIELD_CONNECTION), 2);
    ck_assert_uint_eq(http_msg_count(&msg, HTTP_FIELD_COOKIE), 0);
    ck_assert(http_msg_has_token(&msg, HTTP_FIELD_CONNECTION, "upgrade"));
    ck_assert(http_msg_has_token(&msg, HTTP_FIELD_CONNECTION, "X-One"));
    ck_assert(!http_msg_has_token(&msg, HTTP_FIELD_CONNECTION, "keep"));
    ck_assert(http_msg_is_connection_option(&msg, headers[1].name));
    ck_assert(!http_msg_is_connection_option(&msg, headers[3].name));
}
END_TEST

START_TEST(lists_are_walked_without_empty_elements)
{
    struct span rest = span_str(" ,\ta b ,,c\t, ");
    struct span item;

    ck_assert(http_list_next(&rest, &item));
    ck_assert_span_eq(item, "a b");
    ck_assert(http_list_next(&rest, &item));
    ck_assert_span_eq(item, "c");
    ck_assert(!http_list_next(&rest, &item));
}
END_TEST

START_TEST(tokens_are_made_of_tchar)
{
    ck_assert(http_is_token(span_str("!#$%&'*+-.^_`|~azAZ09")));
    ck_assert(!http_is_token(span_str("")));
    for (int c = 0; c < 256; c++) {
        uint8_t byte = (uint8_t)c;
        bool is_separator =
            c <= 0x20 || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c) != NULL;

        ck_assert(http_is_token(span_of(&byte, 1)) != is_separator);
    }
}
END_TEST

START_TEST(hosts_are_split_into_name_and_port)
{
    static const struct {
        const char *host;
        const char *name; /* NULL: refused */
        uint16_t port;
    } rows[] = {
        {"example.com", "example.com", 0},
        {"example.com:443", "example.com", 443},
        {"EXAMPLE_1-x.com.:1", "EXAMPLE_1-x.com.", 1},
        {"192.0.2.1:65535", "192.0.2.1", 65535},
        {"[2001:db8::1]", "[2001:db8::1]", 0},
        {"[2001:db8::1]:8443", "[2001:db8::1]", 8443},
        {"", NULL, 0},
        {":80", NULL, 0},
        {"a:", NULL, 0},
        {"a:0", NULL, 0},
        {"a:65536", NULL, 0},
        {"a:000080", NULL, 0},
        {"a:+1", NULL, 0},
        {"a:80:80", NULL, 0},
        {"a:80 ", NULL, 0},
        {"a b", NULL, 0},
        {"a,b", NULL, 0},
        {"a/b", NULL, 0},
        {"user@a", NULL, 0},
        {"a%2eb", NULL, 0},
        {"[::1", NULL, 0},
        {"[::1]x", NULL, 0},
        {"[::1]:", NULL, 0},
        {"[1.2.3.4]", NULL, 0},
        {"[fe80::1%2]", NULL, 0},
        {"[v1.x]", NULL, 0},
        {"::1", NULL, 0},
        {"b\xc3\xbc", NULL, 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct span name;
        uint16_t port;
        int err = http_host_split(span_str(rows[i].host), &name, &port);

        ck_assert_msg(err == (rows[i].name ? 0 : ERR_PARSE), "%s: %d",
                      rows[i].host, err);
        if (err == 0) {
            ck_assert_span_eq(name, rows[i].name);
            ck_assert_uint_eq(port, rows[i].port);
        }
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("http_msg");
    TCase *tc = tcase_create("http_msg");

    tcase_add_test(tc, every_field_is_found_by_its_name_in_any_case);
    tcase_add_test(tc, other_names_are_other);
    tcase_add_test(tc, hop_by_hop_fields_are_marked);
    tcase_add_test(tc, headers_are_found_counted_and_searched_for_tokens);
    tcase_add_test(tc, lists_are_walked_without_empty_elements);
    tcase_add_test(tc, tokens_are_made_of_tchar);
    tcase_add_test(tc, hosts_are_split_into_name_and_port);
    suite_add_tcase(suite, tc);
    return suite;
}
