/* SPDX-License-Identifier: MIT */
/* The class table against the grammar of RFC 3261 25.1, written out. */
#include "msg/sip_char.h"
#include "support/unit.h"

#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define UNRESERVED ALNUM "-_.!~*'()"

static const struct {
    unsigned class;
    const char *members;
    bool takes_utf8;
} classes[] = {
    {SIP_CHAR_TOKEN, ALNUM "-.!%*_+`'~", false},
    {SIP_CHAR_WORD, ALNUM "-.!%*_+`'~()<>:\\\"/[]?{}", false},
    {SIP_CHAR_USER, UNRESERVED "%&=+$,;?/#", true},
    {SIP_CHAR_PASS, UNRESERVED "%&=+$,", true},
    {SIP_CHAR_PARAM, UNRESERVED "%[]/:&+$;=", true},
    {SIP_CHAR_HEADER, UNRESERVED "%[]/?:+$&=", true},
    {SIP_CHAR_HOST, ALNUM "-._", false},
    {SIP_CHAR_SPACE, " \t\r\n", false},
    {SIP_CHAR_LIST, "\"<>,", false},
    {SIP_CHAR_NAME, "=;\"", false},
    {SIP_CHAR_VALUE, ";\"", false},
    {SIP_CHAR_URI, ALNUM "!#$%&'()*+,-./:;=?@[\\]^_`{|}~", true},
};

START_TEST(the_table_is_the_grammar)
{
    for (int c = 0; c < 256; c++) {
        bool is_member = c != 0 && c < 128 && strchr(classes[_i].members, c);

        if (c >= 128)
            is_member = classes[_i].takes_utf8;
        ck_assert_msg(sip_char_is((uint8_t)c, classes[_i].class) == is_member,
                      "class %u character 0x%02X", classes[_i].class,
                      (unsigned)c);
    }
}
END_TEST

START_TEST(escapes_need_two_hex_digits)
{
    ck_assert(sip_escapes_are_valid(span_str("a%41%5a%fFb")));
    ck_assert(!sip_escapes_are_valid(span_str("%4")));
    ck_assert(!sip_escapes_are_valid(span_str("a%")));
    ck_assert(!sip_escapes_are_valid(span_str("%4g")));
    ck_assert(!sip_escapes_are_valid(span_str("%%41")));
}
END_TEST

START_TEST(space_in_front_is_skipped_with_folds)
{
    ck_assert_span_eq(sip_skip_space(span_str("\t \r\n x ")), "x ");
    ck_assert_span_eq(sip_skip_space(span_str(" ")), "");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("sip_char");
    TCase *tc = tcase_create("classes");

    tcase_add_loop_test(tc, the_table_is_the_grammar, 0, ARRAY_SIZE(classes));
    tcase_add_test(tc, escapes_need_two_hex_digits);
    tcase_add_test(tc, space_in_front_is_skipped_with_folds);
    suite_add_tcase(suite, tc);
    return suite;
}
