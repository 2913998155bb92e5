/* SPDX-License-Identifier: MIT */
#include "proxy/web_token.h"

#include "support/unit.h"

static const struct {
    const char *query;
    enum web_token_verdict present;
    enum web_token_verdict format;
} cases[] = {
    {"", WEB_TOKEN_MISSING, WEB_TOKEN_MISSING},
    {"token", WEB_TOKEN_MISSING, WEB_TOKEN_MISSING},
    {"token=", WEB_TOKEN_MISSING, WEB_TOKEN_MISSING},
    {"atoken=a.b.c", WEB_TOKEN_MISSING, WEB_TOKEN_MISSING},
    {"tokens=a.b.c", WEB_TOKEN_MISSING, WEB_TOKEN_MISSING},
    {"TOKEN=a.b.c", WEB_TOKEN_MISSING, WEB_TOKEN_MISSING},
    {"x=token=a.b.c", WEB_TOKEN_MISSING, WEB_TOKEN_MISSING},
    {"token=a.b.c", WEB_TOKEN_OK, WEB_TOKEN_OK},
    {"x=1&token=eyJhbGciOi.eyJzdWIiOi.c2ln-_9", WEB_TOKEN_OK, WEB_TOKEN_OK},
    {"token=a.b.c&x=1", WEB_TOKEN_OK, WEB_TOKEN_OK},
    {"token=abc", WEB_TOKEN_OK, WEB_TOKEN_MALFORMED},
    {"token=a.b", WEB_TOKEN_OK, WEB_TOKEN_MALFORMED},
    {"token=a.b.c.d", WEB_TOKEN_OK, WEB_TOKEN_MALFORMED},
    {"token=a..c", WEB_TOKEN_OK, WEB_TOKEN_MALFORMED},
    {"token=.b.c", WEB_TOKEN_OK, WEB_TOKEN_MALFORMED},
    {"token=a.b.", WEB_TOKEN_OK, WEB_TOKEN_MALFORMED},
    {"token=a.b.c=", WEB_TOKEN_OK, WEB_TOKEN_MALFORMED},
    {"token=a.b.c%2f", WEB_TOKEN_OK, WEB_TOKEN_MALFORMED},
    {"token=a+b.c.d", WEB_TOKEN_OK, WEB_TOKEN_MALFORMED},
    {"token=a.b.c&token=a.b.c", WEB_TOKEN_AMBIGUOUS, WEB_TOKEN_AMBIGUOUS},
    {"token=a.b.c&token", WEB_TOKEN_AMBIGUOUS, WEB_TOKEN_AMBIGUOUS},
    {"%74oken=a.b.c", WEB_TOKEN_AMBIGUOUS, WEB_TOKEN_AMBIGUOUS},
    {"token=a.b.c&tok%65n=x", WEB_TOKEN_AMBIGUOUS, WEB_TOKEN_AMBIGUOUS},
    {"a=1;token=a.b.c", WEB_TOKEN_AMBIGUOUS, WEB_TOKEN_AMBIGUOUS},
    {"token=a.b.c;token=d", WEB_TOKEN_AMBIGUOUS, WEB_TOKEN_AMBIGUOUS},
};

START_TEST(an_argument_is_judged)
{
    struct span query = span_str(cases[_i].query);

    ck_assert_int_eq(web_token_judge(query, "token", WEB_TOKEN_PRESENT),
                     cases[_i].present);
    ck_assert_int_eq(web_token_judge(query, "token", WEB_TOKEN_FORMAT),
                     cases[_i].format);
    ck_assert_int_eq(web_token_judge(query, "token", WEB_TOKEN_ANY),
                     WEB_TOKEN_OK);
}
END_TEST

START_TEST(a_log_line_has_names_but_no_values)
{
    char out[64];

    ck_assert_str_eq(web_token_redact(span_str(""), out, 64), "");
    ck_assert_str_eq(web_token_redact(span_str("token=secret&a=b"), out, 64),
                     "token=-&a=-");
    ck_assert_str_eq(web_token_redact(span_str("eyJhbGci.x.y"), out, 64), "-");
    ck_assert_str_eq(web_token_redact(span_str("a=x=y&&b="), out, 64),
                     "a=-&-&b=-");
    ck_assert_str_eq(web_token_redact(span_str("a\"=1"), out, 64), "a\\x22=-");
}
END_TEST

START_TEST(a_long_query_is_cut_in_the_log)
{
    char out[12];

    web_token_redact(span_str("aaaa=1&bbbb=2&cccc=3"), out, sizeof(out));
    ck_assert_str_eq(out, "aaaa=-");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("web_token");
    TCase *tcase = tcase_create("token");

    tcase_add_loop_test(tcase, an_argument_is_judged, 0, ARRAY_SIZE(cases));
    tcase_add_test(tcase, a_log_line_has_names_but_no_values);
    tcase_add_test(tcase, a_long_query_is_cut_in_the_log);
    suite_add_tcase(suite, tcase);
    return suite;
}
