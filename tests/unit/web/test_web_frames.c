/* SPDX-License-Identifier: MIT */
#include "proxy/web_frames.h"

#include "support/unit.h"

#include <stdlib.h>

/* Frames, and whether one may be added behind each of their bytes. */
static const struct {
    const char *bytes;
    size_t len;
    const char *may; /* one letter for each byte: 1 or 0 */
} frames[] = {
    {"\x81\x00", 2, "01"},
    {"\x81\x02hi", 4, "0001"},
    {"\x81\x82mmmmhi", 8, "00000001"},
    {"\x89\x80mmmm", 6, "000001"},
    {"\x82\x7e\x00\x03xyz", 7, "0000001"},
    {"\x82\x7f\0\0\0\0\0\0\0\x01x", 11, "00000000001"},
    {"\x01\x01x\x89\x00\x80\x01y", 8, "00101001"},
    {"\x88\x02\x03\xe9\x81\x00", 6, "000000"},
    {"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xffxx", 12, "000000000000"},
};

START_TEST(borders_are_known)
{
    struct web_frames f = {0};

    ck_assert(web_frames_may_add(&f));
    for (size_t i = 0; i < frames[_i].len; i++) {
        web_frames_pass(&f, span_of(frames[_i].bytes + i, 1));
        ck_assert_msg(web_frames_may_add(&f) == (frames[_i].may[i] == '1'),
                      "byte %zu", i);
    }
}
END_TEST

START_TEST(however_it_is_cut)
{
    const char *may = frames[_i].may;
    struct span all = span_of(frames[_i].bytes, frames[_i].len);

    for (size_t cut = 0; cut <= all.len; cut++) {
        struct web_frames f = {0};

        web_frames_pass(&f, span_head(all, cut));
        web_frames_pass(&f, span_from(all, cut));
        ck_assert(web_frames_may_add(&f) == (may[all.len - 1] == '1'));
    }
}
END_TEST

START_TEST(any_bytes_will_do)
{
    struct web_frames f = {0};
    uint8_t noise[64];

    srand(7);
    for (int i = 0; i < 10000; i++) {
        for (size_t k = 0; k < sizeof(noise); k++)
            noise[k] = (uint8_t)rand();
        web_frames_pass(&f, span_of(noise, (size_t)rand() % sizeof(noise)));
        ck_assert_uint_lt(f.seen, 14);
    }
}
END_TEST

START_TEST(going_away_is_1001)
{
    uint8_t frame[WEB_FRAMES_CLOSE_SIZE];
    struct span s = web_frames_going_away(false, frame);

    ck_assert(span_equal(s, span_of("\x88\x02\x03\xe9", 4)));
    s = web_frames_going_away(true, frame);
    ck_assert_uint_eq(s.len, 8);
    ck_assert_uint_eq(s.ptr[1], 0x82);
    ck_assert_uint_eq(s.ptr[6] ^ s.ptr[2], 0x03);
    ck_assert_uint_eq(s.ptr[7] ^ s.ptr[3], 0xe9);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("web_frames");
    TCase *tcase = tcase_create("frames");

    tcase_add_loop_test(tcase, borders_are_known, 0, ARRAY_SIZE(frames));
    tcase_add_loop_test(tcase, however_it_is_cut, 0, ARRAY_SIZE(frames));
    tcase_add_test(tcase, any_bytes_will_do);
    tcase_add_test(tcase, going_away_is_1001);
    suite_add_tcase(suite, tcase);
    return suite;
}
