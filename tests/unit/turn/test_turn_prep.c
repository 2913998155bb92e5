/* SPDX-License-Identifier: MIT */
#include "turn/turn_prep.h"

#include "base/err.h"
#include "support/unit.h"

static int prepare(const char *in, char out[TURN_PREP_SIZE + 1])
{
    int len = turn_prep(span_str(in), (uint8_t *)out);

    out[len > 0 ? len : 0] = '\0';
    return len;
}

static void becomes(const char *in, const char *want)
{
    char out[TURN_PREP_SIZE + 1];

    ck_assert_msg(prepare(in, out) == (int)strlen(want), "%s", in);
    ck_assert_str_eq(out, want);
    /* once is enough (RFC 8264 7) */
    ck_assert_int_eq(prepare(want, out), (int)strlen(want));
    ck_assert_str_eq(out, want);
}

static void refused(const char *in)
{
    char out[TURN_PREP_SIZE + 1];

    ck_assert_msg(prepare(in, out) == ERR_PARSE, "%s", in);
}

START_TEST(prepares_the_examples_of_rfc_8265)
{
    /* 4.3, numbers 12 to 16 */
    becomes("correct horse battery staple", "correct horse battery staple");
    becomes("Correct Horse Battery Staple", "Correct Horse Battery Staple");
    becomes("\u03C0\u00DF\u00E5", "\u03C0\u00DF\u00E5");
    becomes("Jack of \u2666s", "Jack of \u2666s");
    becomes("foo\u1680bar", "foo bar");
    /* numbers 17 and 18: empty, and a control character */
    refused("");
    refused("my cat is a \tby");
}
END_TEST

START_TEST(makes_spellings_of_one_text_equal)
{
    becomes("Ame\u0301lie", "Am\u00E9lie");
    becomes("Am\u00E9lie", "Am\u00E9lie");
    becomes("\u212B", "\u00C5");              /* angstrom sign */
    becomes("a\u0323\u0307", "\u1EA1\u0307"); /* marks in their order */
    becomes("a\u0307\u0323", "\u1EA1\u0307");
    becomes("a\u00A0b\u3000c\u2003d", "a b c d");
    becomes("\uAC00", "\uAC00");
    /* but not upper and lower case, nor wide and narrow, nor ligatures */
    becomes("\uFF21A", "\uFF21A");
    becomes("\uFB01", "\uFB01");
    becomes("\U0001F600", "\U0001F600");
}
END_TEST

START_TEST(refuses_what_freeform_text_may_not_have)
{
    refused("a\x7F");
    refused("a\xC2\x85");
    refused("a\u00ADb");     /* soft hyphen: ignorable */
    refused("a\u200Bb");     /* zero width space */
    refused("a\u202Eb");     /* right-to-left override */
    refused("a\uFE0F");      /* variation selector */
    refused("\uFEFFa");      /* byte order mark */
    refused("\u1100");       /* conjoining jamo */
    refused("\u0640");       /* tatweel */
    refused("\u302E");       /* Hangul tone mark */
    refused("\uE000");       /* private use */
    refused("\uFFFF");       /* no character */
    refused("\u0378");       /* unassigned */
    refused("a\u2028b");     /* line separator */
    refused("\xC3\x28");     /* no UTF-8 */
    refused("\xED\xA0\x80"); /* a surrogate */
    refused("\xC0\xAF");
    refused("a\xF4\x90\x80\x80");
}
END_TEST

START_TEST(judges_characters_by_their_neighbours)
{
    becomes("l\u00B7l", "l\u00B7l"); /* Catalan */
    refused("a\u00B7l");
    refused("\u00B7");
    becomes("\u0375\u03B1", "\u0375\u03B1");
    refused("\u0375a");
    becomes("\u05D0\u05F3", "\u05D0\u05F3");
    refused("a\u05F4");
    becomes("\u30FB\u30AB", "\u30FB\u30AB");
    refused("a\u30FBb");
    becomes("\u0661\u0662", "\u0661\u0662");
    becomes("\u06F1\u06F2", "\u06F1\u06F2");
    refused("\u0661\u06F2");
    becomes("\u0915\u094D\u200D\u0937", "\u0915\u094D\u200D\u0937");
    becomes("\u0915\u094D\u200C\u0937", "\u0915\u094D\u200C\u0937");
    refused("a\u200Db");
    refused("a\u200Cb");
    refused("\u200C");
    becomes("\u0628\u200C\u0628", "\u0628\u200C\u0628"); /* Arabic, joining */
    becomes("\u0628\u064E\u200C\u064E\u0628", "\u0628\u064E\u200C\u064E\u0628");
    refused("\u0627\u200C\u0628"); /* alef joins to the right only */
    /* in NFC the virama goes in front of the mark */
    refused("a\u0315\u094D\u200Db");
}
END_TEST

START_TEST(keeps_its_bounds)
{
    static uint8_t out[TURN_PREP_SIZE];
    static char in[TURN_PREP_MAX + 2];

    memset(in, 'a', TURN_PREP_MAX + 1);
    ck_assert_int_eq(turn_prep(span_str(in), out), ERR_LIMIT);
    in[TURN_PREP_MAX] = '\0';
    ck_assert_int_eq(turn_prep(span_str(in), out), TURN_PREP_MAX);
    /* U+1D160 is the one that grows most: four bytes to twelve */
    for (size_t i = 0; i < TURN_PREP_MAX; i += 4)
        memcpy(in + i, "\U0001D160", 4);
    ck_assert_int_eq(turn_prep(span_str(in), out), ERR_LIMIT);
    in[TURN_PREP_MAX / 4] = '\0';
    ck_assert_int_eq(turn_prep(span_str(in), out), 3 * TURN_PREP_MAX / 4);
    memset(in, 'x', TURN_PREP_MAX);
    /* and one letter with all the marks there is room for */
    in[0] = 'a';
    in[1] = 'b';
    for (size_t i = 2; i < TURN_PREP_MAX; i += 2)
        memcpy(in + i, i % 4 ? "\u0301" : "\u0323", 2);
    ck_assert_int_gt(turn_prep(span_str(in), out), 0);
    ck_assert(turn_prep_is_plain(span_str("alice: ~")));
    ck_assert(!turn_prep_is_plain(span_str("\u00E9")));
    ck_assert(!turn_prep_is_plain(span_str("")));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("turn prep");
    TCase *tc = tcase_create("prep");

    tcase_add_test(tc, prepares_the_examples_of_rfc_8265);
    tcase_add_test(tc, makes_spellings_of_one_text_equal);
    tcase_add_test(tc, refuses_what_freeform_text_may_not_have);
    tcase_add_test(tc, judges_characters_by_their_neighbours);
    tcase_add_test(tc, keeps_its_bounds);
    suite_add_tcase(s, tc);
    return s;
}
