/* SPDX-License-Identifier: MIT */
/* HTTP/2 clients that mean harm: frames by hand, as fast as they come. */
#include "support_h2.h"

#include <stdlib.h>

enum { CALM = NGHTTP2_ENHANCE_YOUR_CALM };

static struct fake_io *io;

static void setup(void)
{
    fake_setup();
    fake.upstreams[0].links_max = 64;
    fake_start();
    io = h2_raw();
}

static void teardown(void)
{
    if (!io->closed && !io->aborted)
        fake_close(io, 0);
    fake_teardown();
}

/* The connection has been ended with this code, and holds nothing. */
static void expect_end(int code)
{
    ck_assert(fake_is_over(io));
    ck_assert_int_eq(h2_raw_goaway(io), code);
    ck_assert_uint_eq(fake.stats.exchanges, 0);
    ck_assert_uint_eq(fake.stats.h2_streams, 0);
    ck_assert_uint_eq(fake_open_dials(), 0);
}

static uint32_t reset_until_closed(uint32_t most)
{
    static const uint8_t cancel[] = {0, 0, 0, NGHTTP2_CANCEL};
    uint32_t n = 0;

    for (; n < most && !fake_is_over(io); n++) {
        fake.n_dials = 0; /* given up already */
        h2_raw_get(io, 1 + 2 * n);
        h2_raw_frame(io, NGHTTP2_RST_STREAM, 0, 1 + 2 * n, cancel, 4);
    }
    return n;
}

START_TEST(rapid_reset)
{
    ck_assert_uint_le(reset_until_closed(1000), 22);
    expect_end(CALM);
    ck_assert_uint_eq(fake.stats.h2_fault_resets, 1);
}
END_TEST

/* A user who clicks through pages gives up a few at a time. */
START_TEST(resets_now_and_then_are_no_harm)
{
    static const uint8_t cancel[] = {0, 0, 0, NGHTTP2_CANCEL};

    for (uint32_t i = 0; i < 200; i++) {
        fake.n_dials = 0;
        h2_raw_get(io, 1 + 2 * i);
        h2_raw_frame(io, NGHTTP2_RST_STREAM, 0, 1 + 2 * i, cancel, 4);
        fake_sleep(550);
    }
    ck_assert(!fake_is_over(io));
}
END_TEST

/* CVE-2025-8671: the client makes us reset its streams. */
START_TEST(made_you_reset)
{
    static const uint8_t zero[4] = {0};
    uint32_t n = 0;

    for (; n < 1000 && !fake_is_over(io); n++) {
        fake.n_dials = 0;
        h2_raw_get(io, 1 + 2 * n);
        h2_raw_frame(io, NGHTTP2_WINDOW_UPDATE, 0, 1 + 2 * n, zero, 4);
    }
    ck_assert_uint_le(n, 40);
    ck_assert(fake_is_over(io));
    (void)h2_raw_goaway(io);
    ck_assert_uint_eq(fake.stats.exchanges, 0);
    ck_assert_uint_eq(fake.stats.h2_fault_resets + fake.stats.h2_fault_protocol,
                      1);
}
END_TEST

/* The same by DATA on a stream that is half closed. */
START_TEST(made_you_reset_by_data)
{
    uint32_t n = 0;

    for (; n < 1000 && !fake_is_over(io); n++) {
        fake.n_dials = 0;
        h2_raw_get(io, 1 + 2 * n);
        h2_raw_frame(io, NGHTTP2_DATA, 0, 1 + 2 * n, "x", 1);
    }
    ck_assert_uint_le(n, 40);
    ck_assert(fake_is_over(io));
    ck_assert_uint_eq(fake.stats.exchanges, 0);
}
END_TEST

/* Frames that carry nothing. */
static const struct {
    uint8_t type;
    uint8_t flags;
    uint32_t stream;
    const char *payload;
    size_t len;
} empty_frames[] = {
    {NGHTTP2_PING, 0, 0, "12345678", 8},
    {NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, "12345678", 8},
    {NGHTTP2_SETTINGS, 0, 0, "", 0},
    {NGHTTP2_PRIORITY, 0, 3, "\0\0\0\0\1", 5},
    {NGHTTP2_DATA, 0, 1, "", 0},
    {NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, "\1\0", 2},
    {NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4},
    {NGHTTP2_WINDOW_UPDATE, 0, 1, "\0\0\0\1", 4},
    {0x42, 0, 0, "", 0},
    {0x10, 0, 0, "\0\0\0\1u=1", 7}, /* PRIORITY_UPDATE */
};

START_TEST(empty_frames_flood)
{
    static const uint8_t open[] = {0x83, 0x87, 0x84, 0x41, 0x01, 'e'};
    size_t n = 0;

    h2_raw_frame(io, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, open,
                 sizeof(open));
    for (; n < 5000 && !fake_is_over(io); n++)
        h2_raw_frame(io, empty_frames[_i].type, empty_frames[_i].flags,
                     empty_frames[_i].stream, empty_frames[_i].payload,
                     empty_frames[_i].len);
    ck_assert_uint_ge(n, 90);
    ck_assert_uint_le(n, 130);
    expect_end(CALM);
    ck_assert_uint_eq(fake.stats.h2_fault_frames, 1);
}
END_TEST

START_TEST(pings_now_and_then_are_no_harm)
{
    h2_raw_get(io, 1);
    for (int i = 0; i < 300; i++) {
        h2_raw_frame(io, NGHTTP2_PING, 0, 0, "12345678", 8);
        fake_sleep(100);
        (void)h2_raw_goaway(io);
    }
    ck_assert(!fake_is_over(io));
}
END_TEST

/* CVE-2024-27316 and its kin. */
START_TEST(continuations_without_end)
{
    static const char field[] = "\0\1a\1b";
    static const uint8_t head[] = {0x82, 0x87, 0x84, 0x41, 0x01, 'e'};
    int n = 0;

    h2_raw_frame(io, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, head,
                 sizeof(head));
    for (; n < 1000 && !fake_is_over(io); n++)
        h2_raw_frame(io, NGHTTP2_CONTINUATION, 0, 1, field, 5);
    ck_assert_int_eq(n, 9);
    expect_end(CALM);
    ck_assert_uint_eq(fake.stats.h2_fault_continuations, 1);
}
END_TEST

START_TEST(empty_continuations)
{
    static const uint8_t head[] = {0x82, 0x87, 0x84, 0x41, 0x01, 'e'};
    int n = 0;

    h2_raw_frame(io, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, head,
                 sizeof(head));
    for (; n < 1000 && !fake_is_over(io); n++)
        h2_raw_frame(io, NGHTTP2_CONTINUATION, 0, 1, NULL, 0);
    ck_assert_int_eq(n, 9);
    expect_end(CALM);
}
END_TEST

/* A large field put into the dynamic table once, and named a thousand times
 * with one byte each. */
START_TEST(header_bomb)
{
    uint8_t *block = malloc(16384);
    size_t at = 0;

    ck_assert_ptr_nonnull(block);
    block[at++] = 0x40; /* literal, indexed from now on */
    block[at++] = 1;
    block[at++] = 'a';
    block[at++] = 0x7f; /* 3000 as 127 + 2873 */
    block[at++] = (uint8_t)(0x80 | (2873 & 127));
    block[at++] = 2873 >> 7;
    memset(block + at, 'x', 3000);
    at += 3000;
    memset(block + at, 0x80 | 62, 10000);
    at += 10000;
    h2_raw_frame(io, NGHTTP2_HEADERS,
                 NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1, block,
                 at);
    free(block);
    expect_end(CALM);
    ck_assert_uint_eq(fake.stats.h2_fault_headers, 1);
}
END_TEST

/* Answers to frames pile up when the client does not read. */
START_TEST(output_that_nobody_reads)
{
    size_t n = 0;

    fake_block(io);
    io->queued = 100000;
    for (; n < 5000 && !fake_is_over(io); n++) {
        h2_raw_frame(io, NGHTTP2_PING, 0, 0, "12345678", 8);
        fake.now += 100; /* slow enough for the other limit */
    }
    ck_assert(fake_is_over(io));
    ck_assert_uint_le(n, 1100);
    ck_assert_uint_eq(fake.stats.h2_fault_output, 1);
}
END_TEST

START_TEST(not_even_the_preface)
{
    fake_close(io, 0);
    io = fake_client_at(NULL, "198.51.100.7:40000");
    fake_send(io, "GET / HTTP/1.1\r\nHost: edge.example\r\n\r\n");
    expect_end(NGHTTP2_PROTOCOL_ERROR);
    ck_assert_uint_eq(fake.stats.h2_fault_protocol, 1);
}
END_TEST

/* Frames that RFC 9113 makes an error of the connection. */
static const struct {
    uint8_t type;
    uint8_t flags;
    uint32_t stream;
    const char *payload;
    size_t len;
    int code;
} wrong[] = {
    {NGHTTP2_DATA, 0, 0, "x", 1, NGHTTP2_PROTOCOL_ERROR},
    {NGHTTP2_DATA, 0, 9, "x", 1, NGHTTP2_PROTOCOL_ERROR},
    {NGHTTP2_HEADERS, 5, 0, "\x82", 1, NGHTTP2_PROTOCOL_ERROR},
    {NGHTTP2_HEADERS, 5, 2, "\x82", 1, NGHTTP2_PROTOCOL_ERROR},
    {NGHTTP2_HEADERS, 5, 1, "\xff\xff\xff\xff\xff", 5,
     NGHTTP2_COMPRESSION_ERROR},
    {NGHTTP2_HEADERS, 5, 1, "\x80", 1, NGHTTP2_COMPRESSION_ERROR},
    {NGHTTP2_CONTINUATION, 4, 1, "\x82", 1, NGHTTP2_PROTOCOL_ERROR},
    {NGHTTP2_SETTINGS, 0, 1, "", 0, NGHTTP2_PROTOCOL_ERROR},
    {NGHTTP2_SETTINGS, 0, 0, "xxx", 3, NGHTTP2_FRAME_SIZE_ERROR},
    {NGHTTP2_SETTINGS, 1, 0, "123456", 6, NGHTTP2_FRAME_SIZE_ERROR},
    {NGHTTP2_SETTINGS, 0, 0, "\0\4\xff\xff\xff\xff", 6,
     NGHTTP2_FLOW_CONTROL_ERROR},
    {NGHTTP2_SETTINGS, 0, 0, "\0\5\0\0\0\1", 6, NGHTTP2_PROTOCOL_ERROR},
    {NGHTTP2_PING, 0, 0, "1234", 4, NGHTTP2_FRAME_SIZE_ERROR},
    {NGHTTP2_PING, 0, 1, "12345678", 8, NGHTTP2_PROTOCOL_ERROR},
    {NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\0", 4, NGHTTP2_PROTOCOL_ERROR},
    {NGHTTP2_WINDOW_UPDATE, 0, 0, "\x7f\xff\xff\xff", 4,
     NGHTTP2_FLOW_CONTROL_ERROR},
    {NGHTTP2_WINDOW_UPDATE, 0, 9, "\0\0\0\1", 4, NGHTTP2_PROTOCOL_ERROR},
    {NGHTTP2_RST_STREAM, 0, 9, "\0\0\0\0", 4, NGHTTP2_PROTOCOL_ERROR},
    {NGHTTP2_RST_STREAM, 0, 0, "\0\0\0\0", 4, NGHTTP2_PROTOCOL_ERROR},
    {NGHTTP2_GOAWAY, 0, 1, "\0\0\0\0\0\0\0\0", 8, NGHTTP2_PROTOCOL_ERROR},
    {NGHTTP2_PUSH_PROMISE, 4, 1, "\0\0\0\2\x82", 5, NGHTTP2_PROTOCOL_ERROR},
    {NGHTTP2_PRIORITY, 0, 0, "\0\0\0\0\1", 5, NGHTTP2_PROTOCOL_ERROR},
};

START_TEST(frames_that_are_wrong_end_the_connection)
{
    h2_raw_frame(io, wrong[_i].type, wrong[_i].flags, wrong[_i].stream,
                 wrong[_i].payload, wrong[_i].len);
    expect_end(wrong[_i].code);
    ck_assert_uint_eq(fake.stats.h2_fault_protocol, 1);
}
END_TEST

START_TEST(a_frame_that_is_too_long_ends_the_connection)
{
    static const char payload[16385];

    h2_raw_frame(io, NGHTTP2_DATA, 0, 1, payload, sizeof(payload));
    expect_end(NGHTTP2_FRAME_SIZE_ERROR);
}
END_TEST

/* Behind the end of a stream, by the client's own doing. */
START_TEST(content_behind_the_end)
{
    h2_raw_get(io, 1);
    fake_send(fake_dialled(), "HTTP/1.1 204 No Content\r\n\r\n");
    ck_assert_uint_eq(fake.stats.h2_streams, 0);
    h2_raw_frame(io, NGHTTP2_DATA, 0, 1, "x", 1);
    expect_end(NGHTTP2_STREAM_CLOSED);
}
END_TEST

START_TEST(a_number_used_twice)
{
    h2_raw_get(io, 5);
    fake_send(fake_dialled(), "HTTP/1.1 204 No Content\r\n\r\n");
    h2_raw_get(io, 3);
    expect_end(NGHTTP2_STREAM_CLOSED);
}
END_TEST

/* What was on its way when we ended the stream is no offence. */
START_TEST(content_of_a_stream_we_reset)
{
    static const uint8_t open[] = {0x83, 0x87, 0x84, 0x41, 0x01, 'e'};
    static const uint8_t bad[] = {0x83, 0x87, 0x84};

    h2_raw_frame(io, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, open,
                 sizeof(open));
    fake_send(fake_dialled(), "HTTP/1.1 204 No Content\r\n\r\n");
    fake_sleep(1100);
    ck_assert_uint_eq(fake.stats.h2_streams, 0);
    h2_raw_frame(io, NGHTTP2_DATA, 0, 1, "x", 1);
    /* And one that never became a request. */
    h2_raw_frame(io, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 3, bad,
                 sizeof(bad));
    h2_raw_frame(io, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 3, "x", 1);
    h2_raw_get(io, 5);
    ck_assert(!fake_is_over(io));
    ck_assert_uint_eq(fake.stats.h2_streams, 1);
}
END_TEST

/* More than the windows allow, whatever waits for it. */
START_TEST(content_beyond_the_window_is_not_kept)
{
    static const uint8_t open[] = {0x83, 0x87, 0x84, 0x41, 0x01, 'e'};
    static const char block[16384];

    h2_raw_frame(io, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, open,
                 sizeof(open));
    for (int i = 0; i < 20 && !fake_is_over(io); i++)
        h2_raw_frame(io, NGHTTP2_DATA, 0, 1, block, sizeof(block));
    ck_assert(fake_is_over(io) || fake.stats.h2_streams == 0);
    ck_assert_uint_eq(fake.stats.exchanges, 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("h2_abuse");
    TCase *tc = tcase_create("h2_abuse");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, rapid_reset);
    tcase_add_test(tc, resets_now_and_then_are_no_harm);
    tcase_add_test(tc, made_you_reset);
    tcase_add_test(tc, made_you_reset_by_data);
    tcase_add_loop_test(tc, empty_frames_flood, 0,
                        (int)ARRAY_SIZE(empty_frames));
    tcase_add_test(tc, pings_now_and_then_are_no_harm);
    tcase_add_test(tc, continuations_without_end);
    tcase_add_test(tc, empty_continuations);
    tcase_add_test(tc, header_bomb);
    tcase_add_test(tc, output_that_nobody_reads);
    tcase_add_test(tc, not_even_the_preface);
    tcase_add_loop_test(tc, frames_that_are_wrong_end_the_connection, 0,
                        (int)ARRAY_SIZE(wrong));
    tcase_add_test(tc, a_frame_that_is_too_long_ends_the_connection);
    tcase_add_test(tc, content_behind_the_end);
    tcase_add_test(tc, a_number_used_twice);
    tcase_add_test(tc, content_of_a_stream_we_reset);
    tcase_add_test(tc, content_beyond_the_window_is_not_kept);
    suite_add_tcase(suite, tc);
    return suite;
}
