/* SPDX-License-Identifier: MIT */
#include "proxy/web_path.h"

#include "base/err.h"
#include "support/unit.h"

static const struct accepted {
    const char *in;
    const char *out;
} accepted[] = {
    {"/", "/"},
    {"/a", "/a"},
    {"/a/", "/a/"},
    {"/a/b.html", "/a/b.html"},
    /* duplicate slashes */
    {"//", "/"},
    {"//a", "/a"},
    {"/a//b", "/a/b"},
    {"/a///b//", "/a/b/"},
    /* dot segments */
    {"/.", "/"},
    {"/./a", "/a"},
    {"/a/.", "/a/"},
    {"/a/./b", "/a/b"},
    {"/a/..", "/"},
    {"/a/../b", "/b"},
    {"/a/b/..", "/a/"},
    {"/a/b/../", "/a/"},
    {"/a/b/../../c", "/c"},
    {"/a/b/c/./../../g", "/a/g"},
    {"/a//../b", "/b"},
    /* no dot segments, though they look like it */
    {"/...", "/..."},
    {"/a/..b", "/a/..b"},
    {"/a/b..", "/a/b.."},
    {"/.well-known/x", "/.well-known/x"},
    {"/a/%2e%2e%2e", "/a/..."},
    {"/a/.%2ex", "/a/..x"},
    /* escapes of what needs none */
    {"/%41%7a%2D%5f%7E%30", "/Az-_~0"},
    {"/%75cassistant", "/ucassistant"},
    /* escapes that stay, in upper case */
    {"/a%20b", "/a%20b"},
    {"/a%3fb%23c", "/a%3Fb%23c"},
    {"/a%3bb", "/a%3Bb"},
    {"/a%26%3d%2b", "/a%26%3D%2B"},
    {"/100%25", "/100%25"},
    {"/100%25x", "/100%25x"},
    {"/100%25/41", "/100%25/41"},
    /* reserved characters stay raw */
    {"/a;b=c,d!$&'()*+:@", "/a;b=c,d!$&'()*+:@"},
    /* printable, but no part of a path: escaped */
    {"/a|b", "/a%7Cb"},
    {"/[a]{b}^`<>\"", "/%5Ba%5D%7Bb%7D%5E%60%3C%3E%22"},
    /* UTF-8 */
    {"/%c3%a9", "/%C3%A9"},
    {"/%E2%82%AC/%f0%9f%98%80", "/%E2%82%AC/%F0%9F%98%80"},
};

START_TEST(a_path_takes_its_normal_form)
{
    const struct accepted *c = &accepted[_i];
    char out[256];
    int len = web_path_normalise(span_str(c->in), out, sizeof(out));

    ck_assert_msg(len >= 0, "%s refused: %d", c->in, len);
    ck_assert_span_eq(span_of(out, (size_t)len), c->out);
}
END_TEST

START_TEST(the_normal_form_is_its_own_normal_form)
{
    char once[256], twice[256];
    int n = web_path_normalise(span_str(accepted[_i].in), once, sizeof(once));
    int m = web_path_normalise(span_of(once, (size_t)n), twice, sizeof(twice));

    ck_assert_int_eq(n, m);
    ck_assert_mem_eq(once, twice, (size_t)n);
}
END_TEST

static const char *const refused[] = {
    "",
    "a",
    "*",
    "http://x/",
    "?",
    "%2f",
    "\\",
    /* raw bytes that have no place there */
    "/a b",
    "/a\tb",
    "/a\r\nb",
    "/a\x7f",
    "/a\\b",
    "/..\\b",
    "/a#b",
    "/a?b",
    "/\xc3\xa9",
    "/\xff",
    "/\x01",
    /* broken escapes */
    "/%",
    "/%4",
    "/%zz",
    "/%4g",
    "/a%",
    "/%%41",
    "/%-1",
    "/%u0041",
    /* escapes that hide structure */
    "/a%2fb",
    "/a%2Fb",
    "/%2f",
    "/a%5cb",
    "/a%5Cb",
    "/%00",
    "/a%00.html",
    "/%0a",
    "/%0d%0aX:1",
    "/%1f",
    "/%7f",
    "/%09",
    /* escapes of escapes */
    "/%2541",
    "/%252f",
    "/%252e%252e/",
    "/%25%34%31",
    "/%2525",
    "/%25%32%35",
    "/a%25ffb",
    /* dot segments in disguise */
    "/%2e",
    "/%2e/",
    "/a/%2e%2e/b",
    "/a/.%2e/b",
    "/a/%2E./b",
    "/a/..;/b",
    "/a/..;x=1/b",
    "/a/.;/b",
    "/a/..%3b/b",
    "/a/%2e%2e;/b",
    "/a/..%3B;/",
    /* above the root */
    "/..",
    "/../",
    "/../a",
    "/a/../..",
    "/a/../../b",
    "/./..",
    "//..",
    "/a/..//..",
    /* not UTF-8: overlong, surrogates, alone, cut, too large */
    "/%c0%af",
    "/%c0%ae%c0%ae/",
    "/%e0%80%af",
    "/%f0%80%80%af",
    "/%c1%9c",
    "/%ed%a0%80",
    "/%80",
    "/%bf",
    "/%c3",
    "/%c3x",
    "/%c3/%a9",
    "/%e2%82",
    "/%f4%90%80%80",
    "/%ff",
    "/%fe%fe",
    "/%e9t%e9",
};

START_TEST(a_path_that_can_be_read_in_two_ways_is_refused)
{
    char out[256];
    int err = web_path_normalise(span_str(refused[_i]), out, sizeof(out));

    ck_assert_msg(err == ERR_PARSE, "\"%s\" gave %d", refused[_i], err);
}
END_TEST

START_TEST(a_nul_byte_is_refused)
{
    char out[16];

    ck_assert_int_eq(web_path_normalise(span_of("/a\0b", 4), out, 16),
                     ERR_PARSE);
}
END_TEST

START_TEST(a_path_that_does_not_fit_is_over_the_limit)
{
    char out[8];

    ck_assert_int_eq(web_path_normalise(span_str("/1234567"), out, 8), 8);
    ck_assert_int_eq(web_path_normalise(span_str("/12345678"), out, 8),
                     ERR_LIMIT);
    ck_assert_int_eq(web_path_normalise(span_str("/1234|"), out, 7), ERR_LIMIT);
}
END_TEST

START_TEST(a_long_run_of_utf8_is_checked_to_its_end)
{
    char in[3 * 240 + 2] = "/", out[1024];
    size_t len = 1;

    for (int i = 0; i < 80; i++, len += 9)
        memcpy(in + len, "%E2%82%AC", 9);
    ck_assert_int_eq(web_path_normalise(span_of(in, len), out, sizeof(out)),
                     (int)len);
    memcpy(in + len - 3, "%41", 3);
    ck_assert_int_eq(web_path_normalise(span_of(in, len), out, sizeof(out)),
                     ERR_PARSE);
}
END_TEST

START_TEST(a_query_is_printable_ascii)
{
    ck_assert(web_path_query_is_clean(span_str("")));
    ck_assert(web_path_query_is_clean(span_str("a=b&c=%41?/;|")));
    ck_assert(!web_path_query_is_clean(span_str("a b")));
    ck_assert(!web_path_query_is_clean(span_str("a#b")));
    ck_assert(!web_path_query_is_clean(span_str("a\r\n")));
    ck_assert(!web_path_query_is_clean(span_str("\xc3\xa9")));
    ck_assert(!web_path_query_is_clean(span_str("\x7f")));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("web_path");
    TCase *tcase = tcase_create("normal form");

    tcase_add_loop_test(tcase, a_path_takes_its_normal_form, 0,
                        ARRAY_SIZE(accepted));
    tcase_add_loop_test(tcase, the_normal_form_is_its_own_normal_form, 0,
                        ARRAY_SIZE(accepted));
    tcase_add_loop_test(tcase, a_path_that_can_be_read_in_two_ways_is_refused,
                        0, ARRAY_SIZE(refused));
    tcase_add_test(tcase, a_nul_byte_is_refused);
    tcase_add_test(tcase, a_path_that_does_not_fit_is_over_the_limit);
    tcase_add_test(tcase, a_long_run_of_utf8_is_checked_to_its_end);
    tcase_add_test(tcase, a_query_is_printable_ascii);
    suite_add_tcase(suite, tcase);
    return suite;
}
