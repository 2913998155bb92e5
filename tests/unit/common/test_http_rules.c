/* SPDX-License-Identifier: MIT */
#include "http/http_rules.h"

#include "support/unit.h"

/* Each byte at each place, among plain bytes and among high ones: only tab and
 * the bytes of text may stand alone. */
START_TEST(only_controls_are_found_wherever_they_stand)
{
    static const uint8_t around[] = {'a', 0x20, 0x7e, 0x80, 0xff};
    uint8_t head[40];

    for (size_t k = 0; k < sizeof(around); k++) {
        for (size_t at = 0; at < sizeof(head); at++) {
            for (int c = 0; c < 256; c++) {
                bool is_bad = (c < 0x20 && c != '\t') || c == 0x7f;

                memset(head, around[k], sizeof(head));
                head[at] = (uint8_t)c;
                ck_assert_int_eq(http_rules_bytes(span_of(head, sizeof(head))),
                                 is_bad ? HTTP_ERROR_CONTROL : HTTP_ERROR_NONE);
            }
        }
    }
    ck_assert_int_eq(http_rules_bytes((struct span){NULL, 0}), HTTP_ERROR_NONE);
}
END_TEST

START_TEST(line_ends_are_whole_and_not_folded_wherever_they_stand)
{
    static const struct {
        const char *bytes;
        bool is_good;
    } rows[] = {
        {"\r\n", true},     {"\r\n\r\n", true}, {"\n", false},
        {"\r", false},      {"\n\r", false},    {"\r\r\n", false},
        {"\r\n\n", false},  {"\r\n ", false},   {"\r\n\t", false},
        {"\r\n\x80", true},
    };
    uint8_t head[40];

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        size_t len = strlen(rows[i].bytes);

        for (size_t at = 0; at + len <= sizeof(head); at++) {
            memset(head, 'x', sizeof(head));
            memcpy(head + at, rows[i].bytes, len);
            ck_assert_int_eq(http_rules_bytes(span_of(head, sizeof(head))),
                             rows[i].is_good ? HTTP_ERROR_NONE
                                             : HTTP_ERROR_CONTROL);
        }
    }
}
END_TEST

START_TEST(trailers_carry_nothing_that_was_needed_before)
{
    for (int i = HTTP_FIELD_OTHER; i < HTTP_FIELD_COUNT; i++) {
        struct http_header h = {.field = (enum http_field)i};
        bool is_good = i == HTTP_FIELD_OTHER || i == HTTP_FIELD_DATE ||
                       i == HTTP_FIELD_SERVER || i == HTTP_FIELD_VIA ||
                       i == HTTP_FIELD_X_REQUEST_ID;

        ck_assert_int_eq(http_rules_trailers(&h, 1),
                         is_good ? HTTP_ERROR_NONE : HTTP_ERROR_TRAILER);
    }
    ck_assert_int_eq(http_rules_trailers(NULL, 0), HTTP_ERROR_NONE);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("http_rules");
    TCase *tc = tcase_create("http_rules");

    tcase_add_test(tc, only_controls_are_found_wherever_they_stand);
    tcase_add_test(tc, line_ends_are_whole_and_not_folded_wherever_they_stand);
    tcase_add_test(tc, trailers_carry_nothing_that_was_needed_before);
    suite_add_tcase(suite, tc);
    return suite;
}
