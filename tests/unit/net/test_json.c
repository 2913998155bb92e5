/* SPDX-License-Identifier: MIT */
#include "app/json.h"

#include "base/err.h"
#include "support/unit.h"

static struct buf out;

static void setup(void)
{
    buf_init(&out, 4096);
}

static void teardown(void)
{
    buf_deinit(&out);
    ck_assert_no_blocks();
}

START_TEST(commas_stand_where_they_must)
{
    json_open(&out, '{');
    json_key(&out, "a");
    json_u64(&out, 1);
    json_key(&out, "b");
    json_open(&out, '[');
    json_str(&out, "x,");
    json_bool(&out, false);
    json_open(&out, '{');
    json_close(&out, '}');
    json_str(&out, NULL);
    json_close(&out, ']');
    json_key(&out, "c");
    json_str(&out, "");
    json_close(&out, '}');
    ck_assert_span_eq(buf_span(&out),
                      "{\"a\":1,\"b\":[\"x,\",false,{},null],\"c\":\"\"}");
}
END_TEST

START_TEST(strings_are_escaped)
{
    json_string(&out,
                span_of("\"\\\n\x01\x7f\xc3\xa4\xff\xf0\x9f\x98\x80\xe2", 13));
    ck_assert_span_eq(buf_span(&out),
                      "\"\\\"\\\\\\n\\u0001\\u007f\xc3\xa4\xef\xbf\xbd"
                      "\xf0\x9f\x98\x80\xef\xbf\xbd\"");
}
END_TEST

struct sample {
    const char *in;
    const char *out;
};

static const struct sample samples[] = {
    {"{} # end", "{}      "},
    {"[1,] // x\n[2]", "[1 ]     \n[2]"},
    {"[1 , /* , */ ]", "[1           ]"},
    {"{\"a\":\"//,]\",}", "{\"a\":\"//,]\" }"},
    {"[\"\\\"#\",\n]", "[\"\\\"#\" \n]"},
    {"[1,,]", "[1,,]"},
    {"[,]", "[,]"},
    {",}", ",}"},
    {"/* a\nb */[]", "    \n    []"},
    {"", ""},
};

START_TEST(comments_and_commas_become_spaces)
{
    char text[64];
    size_t len = strlen(samples[_i].in), offset = 99;

    memcpy(text, samples[_i].in, len + 1);
    ck_assert_int_eq(json_strip(text, len, &offset), 0);
    ck_assert_str_eq(text, samples[_i].out);
    ck_assert_uint_eq(offset, 99);
}
END_TEST

START_TEST(what_does_not_end_is_refused)
{
    static const char *const bad[] = {"[1] /* x", "[1] /*/", "[1] \"x",
                                      "[1] \"x\\", "[1] \"\\u0000\""};
    char text[64];
    size_t offset = 0;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        memcpy(text, bad[i], strlen(bad[i]) + 1);
        ck_assert_int_eq(json_strip(text, strlen(text), &offset), ERR_PARSE);
        ck_assert_uint_eq(offset, 4);
    }
    ck_assert_int_eq(json_strip(text, strlen(text) + 1, &offset), ERR_PARSE);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("json");
    TCase *tc = tcase_create("json");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, commas_stand_where_they_must);
    tcase_add_test(tc, strings_are_escaped);
    tcase_add_loop_test(tc, comments_and_commas_become_spaces, 0,
                        ARRAY_SIZE(samples));
    tcase_add_test(tc, what_does_not_end_is_refused);
    suite_add_tcase(suite, tc);
    return suite;
}
