/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include "base/err.h"
#include "support/unit.h"

START_TEST(hex_there_and_back)
{
    uint8_t all[256];
    char text[513];
    uint8_t back[256];

    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (uint8_t)i;
    text_hex(span_of(all, sizeof(all)), text);
    ck_assert_uint_eq(strlen(text), 512);
    ck_assert_int_eq(strncmp(text, "000102030405060708090a0b", 24), 0);
    ck_assert_int_eq(text_unhex(span_str(text), back, sizeof(back)), 256);
    ck_assert_mem_eq(all, back, 256);
    text_hex((struct span){NULL, 0}, text);
    ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(unhex_is_strict)
{
    uint8_t out[4];

    ck_assert_int_eq(text_unhex(span_str("AbCd"), out, 4), 2);
    ck_assert_mem_eq(out, "\xab\xcd", 2);
    ck_assert_int_eq(text_unhex(span_str(""), out, 0), 0);
    ck_assert_int_eq(text_unhex(span_str("abc"), out, 4), ERR_PARSE);
    ck_assert_int_eq(text_unhex(span_str("0g"), out, 4), ERR_PARSE);
    ck_assert_int_eq(text_unhex(span_str("g0"), out, 4), ERR_PARSE);
    ck_assert_int_eq(text_unhex(span_str(" 0"), out, 4), ERR_PARSE);
    ck_assert_int_eq(text_unhex(span_str("0011223344"), out, 4), ERR_LIMIT);
}
END_TEST

/* RFC 4648 section 10 */
START_TEST(base64_test_vectors)
{
    static const struct {
        const char *plain;
        const char *padded;
        const char *url;
    } rows[] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"},
        {"fooba", "Zm9vYmE=", "Zm9vYmE"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
        {"\xfb\xff\xbf", "+/+/", "-_-_"},
    };
    char text[TEXT_BASE64_SIZE(6)];
    uint8_t back[6];

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct span plain = span_str(rows[i].plain);

        ck_assert_uint_eq(text_base64(TEXT_BASE64, plain, text),
                          strlen(rows[i].padded));
        ck_assert_str_eq(text, rows[i].padded);
        ck_assert_int_eq(
            text_unbase64(TEXT_BASE64, span_str(text), back, sizeof(back)),
            (int)plain.len);
        ck_assert(span_equal(span_of(back, plain.len), plain));
        ck_assert_uint_eq(text_base64(TEXT_BASE64URL, plain, text),
                          strlen(rows[i].url));
        ck_assert_str_eq(text, rows[i].url);
        ck_assert_int_eq(
            text_unbase64(TEXT_BASE64URL, span_str(text), back, sizeof(back)),
            (int)plain.len);
        ck_assert(span_equal(span_of(back, plain.len), plain));
    }
}
END_TEST

START_TEST(unbase64_is_strict)
{
    static const struct {
        enum text_base64 kind;
        const char *text;
    } bad[] = {
        {TEXT_BASE64, "Zg"},       {TEXT_BASE64, "Zg="},
        {TEXT_BASE64, "Zg==="},    {TEXT_BASE64, "="},
        {TEXT_BASE64, "===="},     {TEXT_BASE64, "Z==="},
        {TEXT_BASE64, "Zh=="},     {TEXT_BASE64, "Zm9="},
        {TEXT_BASE64, "Zg==Zg=="}, {TEXT_BASE64, "Zm 9"},
        {TEXT_BASE64, "Zm9v\n"},   {TEXT_BASE64, "Zm9-"},
        {TEXT_BASE64, "Zm9_"},     {TEXT_BASE64, "Zm\x80v"},
        {TEXT_BASE64, "Z=9v"},     {TEXT_BASE64URL, "Zg=="},
        {TEXT_BASE64URL, "Z"},     {TEXT_BASE64URL, "Zh"},
        {TEXT_BASE64URL, "Zm9"},   {TEXT_BASE64URL, "Zm9+"},
        {TEXT_BASE64URL, "Zm9/"},  {TEXT_BASE64URL, "Zm9vY"},
    };
    uint8_t out[16];

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        ck_assert_msg(text_unbase64(bad[i].kind, span_str(bad[i].text), out,
                                    sizeof(out)) == ERR_PARSE,
                      "accepted: %s", bad[i].text);
    ck_assert_int_eq(
        text_unbase64(TEXT_BASE64, span_of("Zm\0v", 4), out, sizeof(out)),
        ERR_PARSE);
}
END_TEST

START_TEST(unbase64_stays_within_its_output)
{
    uint8_t out[3] = {9, 9, 9};

    ck_assert_int_eq(text_unbase64(TEXT_BASE64, span_str("Zm9v"), out, 2),
                     ERR_LIMIT);
    ck_assert_int_eq(text_unbase64(TEXT_BASE64, span_str("Zm8="), out, 2), 2);
    ck_assert_mem_eq(out, "fo\x09", 3);
}
END_TEST

START_TEST(base64_of_every_length_comes_back)
{
    uint8_t data[70];
    char text[TEXT_BASE64_SIZE(sizeof(data))];
    uint8_t back[sizeof(data)];

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 37 + 11);
    for (size_t len = 0; len <= sizeof(data); len++) {
        for (enum text_base64 k = TEXT_BASE64; k <= TEXT_BASE64URL; k++) {
            size_t n = text_base64(k, span_of(data, len), text);

            ck_assert_uint_lt(n, TEXT_BASE64_SIZE(len));
            ck_assert_int_eq(text_unbase64(k, span_of(text, n), back, len),
                             (int)len);
            ck_assert(span_equal(span_of(back, len), span_of(data, len)));
        }
    }
}
END_TEST

START_TEST(untrusted_text_becomes_printable)
{
    char out[64];

    ck_assert_str_eq(text_printable(span_str("plain text ~"), out, 64),
                     "plain text ~");
    ck_assert_str_eq(
        text_printable(span_of("a\0\r\n\x1b\x7f\x80\"\\", 9), out, 64),
        "a\\x00\\x0d\\x0a\\x1b\\x7f\\x80\\x22\\x5c");
    ck_assert_str_eq(text_printable((struct span){NULL, 0}, out, 64), "");
}
END_TEST

START_TEST(long_text_ends_in_dots_within_the_size)
{
    char out[16];

    ck_assert_str_eq(text_printable(span_str("123456789"), out, 10),
                     "123456789");
    ck_assert_str_eq(text_printable(span_str("1234567890"), out, 10),
                     "123456...");
    /* an escape is never cut */
    ck_assert_str_eq(text_printable(span_str("12345\n78"), out, 10),
                     "12345...");
    ck_assert_str_eq(text_printable(span_str("\n\n\n"), out, 12),
                     "\\x0a\\x0a...");
    ck_assert_str_eq(text_printable(span_str("\n\n\n"), out, 13),
                     "\\x0a\\x0a\\x0a");
}
END_TEST

START_TEST(no_size_is_too_small)
{
    char out[5];

    for (size_t size = 0; size <= 5; size++) {
        memset(out, 'z', sizeof(out));
        text_printable(span_str("long text"), out, size);
        if (size)
            ck_assert_uint_eq(strlen(out), size - 1);
        for (size_t i = size; i < sizeof(out); i++)
            ck_assert_int_eq(out[i], 'z');
    }
}
END_TEST

START_TEST(utf8_is_told_from_everything_else)
{
    static const char *const good[] = {
        "",
        "ascii",
        "\xc2\x80",
        "\xdf\xbf",
        "\xe0\xa0\x80",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xef\xbf\xbf",
        "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf",
        "Gr\xc3\xbc\xc3\237e \xe2\x82\xac \xf0\x9f\x93\x9e",
    };
    static const char *const bad[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc2",
        "\302a",
        "\xc2\xc0",
        "\xe0\x80\x80",
        "\xe0\x9f\xbf",
        "\xe2\x82",
        "\342\202a",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xf0\x80\x80\x80",
        "\xf0\x8f\xbf\xbf",
        "\xf0\x90\x80",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xf8\x88\x80\x80\x80",
        "\xfe",
        "\xff",
        "ok\xff",
    };

    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        ck_assert_msg(text_is_utf8(span_str(good[i])), "refused %zu", i);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        ck_assert_msg(!text_is_utf8(span_str(bad[i])), "accepted %zu", i);
    ck_assert(text_is_utf8(span_of("a\0b", 3)));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("text");
    TCase *tc = tcase_create("text");

    tcase_add_test(tc, hex_there_and_back);
    tcase_add_test(tc, unhex_is_strict);
    tcase_add_test(tc, base64_test_vectors);
    tcase_add_test(tc, unbase64_is_strict);
    tcase_add_test(tc, unbase64_stays_within_its_output);
    tcase_add_test(tc, base64_of_every_length_comes_back);
    tcase_add_test(tc, untrusted_text_becomes_printable);
    tcase_add_test(tc, long_text_ends_in_dots_within_the_size);
    tcase_add_test(tc, no_size_is_too_small);
    tcase_add_test(tc, utf8_is_told_from_everything_else);
    suite_add_tcase(suite, tc);
    return suite;
}
