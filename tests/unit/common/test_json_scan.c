/* SPDX-License-Identifier: MIT */
#include "base/json_scan.h"

#include "base/err.h"
#include "support/unit.h"

static const char *const good[] = {
    "{}",
    "[]",
    " null ",
    "true",
    "false",
    "0",
    "-0.5e+3",
    "\"\"",
    "{\"a\":1,\"b\":[true,{\"c\":null}]}",
    "[1 , 2,\t3\n]",
    "[[],{}]",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"",
    "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]",
};

static const char *const bad[] = {
    "",
    " ",
    "{",
    "}",
    "[",
    "]",
    "[1,]",
    "[,1]",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{a:1}",
    "{'a':1}",
    "[1 2]",
    "[1]]",
    "{}{}",
    "nul",
    "nulll",
    "True",
    "01",
    "-",
    "1.",
    ".5",
    "1e",
    "1e+",
    "+1",
    "0x1",
    "\"a",
    "\"\n\"",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\\ud800\\u0041\"",
    "\"\\udc00\"",
    "\"\xff\"",
    "\"\xc0\x80\"",
    "[}",
    "{]",
    "[\"a\":1]",
    "{\"a\":1]",
    "//\n1",
    "\xef\xbb\xbf{}",
    "[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]",
};

START_TEST(whole_texts_are_taken)
{
    struct json_scan_value v;

    ck_assert_msg(json_scan(span_str(good[_i]), &v) == 0, "%s", good[_i]);
}
END_TEST

START_TEST(everything_else_is_refused)
{
    struct json_scan_value v;

    ck_assert_msg(json_scan(span_str(bad[_i]), &v) < 0, "%s", bad[_i]);
}
END_TEST

START_TEST(members_are_found_by_what_their_names_stand_for)
{
    struct json_scan_value v, m;
    const char *text = "{\"a\":[1,\"x\"],\"\\u0062\":\"y\",\"c\":1,\"c\":2, "
                       "\"d\" : {\"a\":3} }";

    ck_assert_int_eq(json_scan(span_str(text), &v), 0);
    ck_assert_int_eq(v.kind, JSON_SCAN_OBJECT);
    ck_assert_int_eq(json_scan_find(v.text, "a", &m), 1);
    ck_assert(m.kind == JSON_SCAN_ARRAY && span_is(m.text, "1,\"x\""));
    ck_assert_int_eq(json_scan_find(v.text, "b", &m), 1);
    ck_assert(json_scan_is(&m, span_str("y")));
    ck_assert_int_eq(json_scan_find(v.text, "c", &m), ERR_PARSE);
    ck_assert_int_eq(json_scan_find(v.text, "d", &m), 1);
    ck_assert(m.kind == JSON_SCAN_OBJECT && span_is(m.text, "\"a\":3"));
    ck_assert_int_eq(json_scan_find(v.text, "e", &m), 0);
}
END_TEST

START_TEST(items_are_walked_in_order)
{
    struct json_scan_value v, item;
    int n = 0;

    ck_assert_int_eq(json_scan(span_str("[1, [2, 3], \"4\"]"), &v), 0);
    while (json_scan_item(&v.text, &item))
        n = n * 10 + (int)item.kind;
    ck_assert_int_eq(n, JSON_SCAN_NUMBER * 100 + JSON_SCAN_ARRAY * 10 +
                            JSON_SCAN_STRING);
}
END_TEST

START_TEST(strings_lose_their_escapes)
{
    static const char want[] = "a\"\xc3\xa9\xf0\x9f\x98\x80\xe2\x82\xac";
    struct span text = span_str("a\\\"\\u00e9\\ud83d\\ude00\\u20AC");
    char out[32];
    int n = json_scan_string(text, out, sizeof(out));

    ck_assert_int_eq(n, (int)sizeof(want) - 1);
    ck_assert_mem_eq(out, want, sizeof(want) - 1);
    ck_assert_int_eq(json_scan_string(text, out, 4), ERR_LIMIT);
}
END_TEST

START_TEST(numbers_are_whole_and_not_below_nothing)
{
    static const struct {
        const char *text;
        int err;
        uint64_t value;
    } cases[] = {
        {"0", 0, 0},
        {"1300819380", 0, 1300819380},
        {"1300819380.9", 0, 1300819380},
        {"-5", 0, 0},
        {"9007199254740991", 0, 9007199254740991},
        {"9007199254740992", ERR_PARSE, 0},
        {"99999999999999999999999", ERR_PARSE, 0},
        {"1e9", ERR_PARSE, 0},
        {"1E9", ERR_PARSE, 0},
    };
    uint64_t value = 1;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_int_eq(json_scan_u64(span_str(cases[i].text), &value),
                         cases[i].err);
        if (cases[i].err == 0)
            ck_assert_uint_eq(value, cases[i].value);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("json_scan");
    TCase *tc = tcase_create("json_scan");

    tcase_add_loop_test(tc, whole_texts_are_taken, 0,
                        (int)(sizeof(good) / sizeof(good[0])));
    tcase_add_loop_test(tc, everything_else_is_refused, 0,
                        (int)(sizeof(bad) / sizeof(bad[0])));
    tcase_add_test(tc, members_are_found_by_what_their_names_stand_for);
    tcase_add_test(tc, items_are_walked_in_order);
    tcase_add_test(tc, strings_lose_their_escapes);
    tcase_add_test(tc, numbers_are_whole_and_not_below_nothing);
    suite_add_tcase(suite, tc);
    return suite;
}
