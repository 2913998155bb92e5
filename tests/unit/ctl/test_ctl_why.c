/* SPDX-License-Identifier: MIT */
#include "ctl/ctl_why.h"

#include "base/err.h"
#include "support/unit.h"

START_TEST(a_call_id_is_encoded_for_the_query)
{
    char path[CTL_WHY_PATH_SIZE];
    char longest[CTL_WHY_CALL_ID_MAX + 1];

    ck_assert_int_eq(ctl_why_path(span_str("a-1.Z_@&=+% \x01"), path), 0);
    ck_assert_str_eq(path, "/sip/why?call-id=a-1.Z_%40%26%3D%2B%25%20%01");
    memset(longest, '%', sizeof(longest));
    ck_assert_int_eq(ctl_why_path(span_of(longest, CTL_WHY_CALL_ID_MAX), path),
                     0);
    ck_assert_int_eq(
        ctl_why_path(span_of(longest, CTL_WHY_CALL_ID_MAX + 1), path),
        ERR_LIMIT);
    ck_assert_int_eq(ctl_why_path(span_str(""), path), ERR_PARSE);
}
END_TEST

static int print(const char *json, struct buf *out)
{
    buf_init(out, 10000);
    return ctl_why_print(span_str(json), out);
}

START_TEST(each_request_is_a_row)
{
    struct buf out;

    ck_assert_int_eq(
        print("{\"missing_workers\":[1],\"requests\":[{\"age_ms\":65000,"
              "\"method\":\"INV\\u001bITE\",\"cseq\":7,\"rule\":\"refused\","
              "\"refused\":\"no_flow\",\"answer\":404},{}]}",
              &out),
        2);
    ck_assert(span_search(buf_span(&out), span_str("1m 5s")) >= 0);
    ck_assert(span_search(buf_span(&out), span_str("7 INV?ITE")) >= 0);
    ck_assert(span_search(buf_span(&out), span_str("refused: no_flow")) >= 0);
    ck_assert(span_search(buf_span(&out), span_str("too busy")) >= 0);
    buf_deinit(&out);
}
END_TEST

START_TEST(what_is_no_answer_is_refused)
{
    static const char *const bad[] = {"", "x", "[]", "{}", "{\"requests\":{}}"};
    struct buf out;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        ck_assert_int_eq(print(bad[i], &out), ERR_PARSE);
        buf_deinit(&out);
    }
    ck_assert_int_eq(print("{\"requests\":[]}", &out), 0);
    ck_assert_uint_eq(buf_len(&out), 0);
    buf_deinit(&out);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("ctl_why");
    TCase *tc = tcase_create("why");

    tcase_add_test(tc, a_call_id_is_encoded_for_the_query);
    tcase_add_test(tc, each_request_is_a_row);
    tcase_add_test(tc, what_is_no_answer_is_refused);
    suite_add_tcase(suite, tc);
    return suite;
}
