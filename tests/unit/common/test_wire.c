/* SPDX-License-Identifier: MIT */
#include "base/wire.h"

#include "support/unit.h"

START_TEST(fields_are_read_big_endian)
{
    static const uint8_t data[] = {0x01, 0x02, 0x03, 0x84, 0x05, 0x06,
                                   0x07, 0xf8, 0x09, 0x0a, 0x0b, 0x0c,
                                   0x0d, 0x0e, 0x0f, 'e',  'n',  'd'};
    struct wire_reader r = wire_reader(span_of(data, sizeof(data)));

    ck_assert_uint_eq(wire_u8(&r), 0x01);
    ck_assert_uint_eq(wire_u16(&r), 0x0203);
    ck_assert_uint_eq(wire_u32(&r), 0x84050607);
    ck_assert_uint_eq(wire_u64(&r), 0xf8090a0b0c0d0e0f);
    ck_assert_uint_eq(wire_left(&r), 3);
    ck_assert_span_eq(wire_take(&r, 3), "end");
    ck_assert_uint_eq(wire_left(&r), 0);
    ck_assert_int_eq(r.err, 0);
}
END_TEST

START_TEST(a_short_read_is_an_error_that_stays)
{
    static const uint8_t data[] = {1, 2, 3};
    struct wire_reader r = wire_reader(span_of(data, sizeof(data)));

    ck_assert_uint_eq(wire_u32(&r), 0);
    ck_assert_int_eq(r.err, ERR_TRUNCATED);
    ck_assert_uint_eq(wire_u8(&r), 0);
    ck_assert_uint_eq(wire_left(&r), 0);
    ck_assert_uint_eq(wire_take(&r, 0).len, 0);
    ck_assert_int_eq(r.err, ERR_TRUNCATED);
}
END_TEST

START_TEST(every_width_fails_one_byte_short)
{
    static const uint8_t data[8] = {9, 9, 9, 9, 9, 9, 9, 9};
    struct wire_reader r = wire_reader(span_of(data, 0));

    wire_u8(&r);
    ck_assert_int_eq(r.err, ERR_TRUNCATED);
    r = wire_reader(span_of(data, 1));
    wire_u16(&r);
    ck_assert_int_eq(r.err, ERR_TRUNCATED);
    r = wire_reader(span_of(data, 3));
    wire_u32(&r);
    ck_assert_int_eq(r.err, ERR_TRUNCATED);
    r = wire_reader(span_of(data, 7));
    ck_assert_uint_eq(wire_u64(&r) & 0xffffffff, 0);
    ck_assert_int_eq(r.err, ERR_TRUNCATED);
    r = wire_reader(span_of(data, 8));
    wire_take(&r, SIZE_MAX);
    ck_assert_int_eq(r.err, ERR_TRUNCATED);
}
END_TEST

START_TEST(an_empty_reader_has_nothing)
{
    struct wire_reader r = wire_reader((struct span){NULL, 0});

    ck_assert_uint_eq(wire_left(&r), 0);
    ck_assert_uint_eq(wire_take(&r, 0).len, 0);
    ck_assert_int_eq(r.err, 0);
    wire_take(&r, 1);
    ck_assert_int_eq(r.err, ERR_TRUNCATED);
}
END_TEST

START_TEST(fields_are_written_big_endian)
{
    static const uint8_t expected[] = {0x01, 0x02, 0x03, 0x84, 0x05, 0x06,
                                       0x07, 0xf8, 0x09, 0x0a, 0x0b, 0x0c,
                                       0x0d, 0x0e, 0x0f, 'e',  'n',  'd'};
    uint8_t out[sizeof(expected)];
    struct wire_writer w = wire_writer(out, sizeof(out));

    wire_put_u8(&w, 0x01);
    wire_put_u16(&w, 0x0203);
    wire_put_u32(&w, 0x84050607);
    wire_put_u64(&w, 0xf8090a0b0c0d0e0f);
    wire_put(&w, span_str("end"));
    wire_put(&w, (struct span){NULL, 0});
    ck_assert_int_eq(w.err, 0);
    ck_assert_uint_eq(wire_written(&w), sizeof(out));
    ck_assert_mem_eq(out, expected, sizeof(out));
}
END_TEST

START_TEST(a_write_that_does_not_fit_is_an_error_that_stays)
{
    uint8_t out[4] = {7, 7, 7, 7};
    struct wire_writer w = wire_writer(out, 3);

    wire_put_u8(&w, 1);
    wire_put_u32(&w, 2);
    ck_assert_int_eq(w.err, ERR_LIMIT);
    wire_put_u8(&w, 3);
    ck_assert_ptr_null(wire_grow(&w, 0));
    ck_assert_uint_eq(wire_written(&w), 1);
    ck_assert_mem_eq(out, "\1\7\7\7", 4);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("wire");
    TCase *tc = tcase_create("wire");

    tcase_add_test(tc, fields_are_read_big_endian);
    tcase_add_test(tc, a_short_read_is_an_error_that_stays);
    tcase_add_test(tc, every_width_fails_one_byte_short);
    tcase_add_test(tc, an_empty_reader_has_nothing);
    tcase_add_test(tc, fields_are_written_big_endian);
    tcase_add_test(tc, a_write_that_does_not_fit_is_an_error_that_stays);
    suite_add_tcase(suite, tc);
    return suite;
}
