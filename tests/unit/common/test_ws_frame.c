/* SPDX-License-Identifier: MIT */
#include "ws/ws_frame.h"

#include "base/err.h"
#include "support/unit.h"

#include <errno.h>

enum { MAX = 70000, EVENTS_MAX = 64 };

static struct ws_reader reader;
static uint8_t scratch[MAX + 64];

static void setup(void)
{
    ws_reader_init(&reader, WS_SERVER, MAX);
}

static void teardown(void)
{
    ws_reader_deinit(&reader);
    ck_assert_no_blocks();
}

/* Feed bytes (copied: the reader changes them). */
static int feed(const void *bytes, size_t len, struct ws_message *ret_message)
{
    uint8_t *data = scratch;

    memcpy(scratch, bytes, len);
    return ws_reader_next(&reader, &data, &len, ret_message);
}

#define FEED(bytes, message) feed(bytes, sizeof(bytes) - 1, message)

static void as_client(void)
{
    ws_reader_deinit(&reader);
    ws_reader_init(&reader, WS_CLIENT, MAX);
}

/* ---- RFC 6455 5.7: the examples ---- */

START_TEST(reads_a_masked_text)
{
    struct ws_message m;

    ck_assert_int_eq(FEED("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", &m),
                     1);
    ck_assert_int_eq(m.opcode, WS_TEXT);
    ck_assert_span_eq(m.payload, "Hello");
}
END_TEST

/* Byte by byte, over fragments and a ping between them. */
START_TEST(knows_that_a_message_has_begun)
{
    static const char bytes[] = "\x01\x83\0\0\0\0Hel" /* not the last */
                                "\x89\x80\0\0\0\0"
                                "\x80\x82\0\0\0\0lo";
    struct ws_message m;

    ck_assert(!ws_reader_is_inside(&reader));
    for (size_t i = 0; i < sizeof(bytes) - 2; i++) {
        (void)feed(bytes + i, 1, &m);
        ck_assert_msg(ws_reader_is_inside(&reader), "at %zu", i);
    }
    ck_assert_int_eq(feed(bytes + sizeof(bytes) - 2, 1, &m), 1);
    ck_assert_span_eq(m.payload, "Hello");
    ck_assert(!ws_reader_is_inside(&reader));
}
END_TEST

START_TEST(reads_an_unmasked_text_as_client)
{
    struct ws_message m;

    as_client();
    ck_assert_int_eq(FEED("\x81\x05Hello", &m), 1);
    ck_assert_span_eq(m.payload, "Hello");
}
END_TEST

START_TEST(joins_the_fragments_of_a_text)
{
    struct ws_message m;

    as_client();
    ck_assert_int_eq(FEED("\x01\x03Hel", &m), 0);
    ck_assert_uint_eq(ws_reader_pending(&reader), 3);
    ck_assert_int_eq(FEED("\x80\x02lo", &m), 1);
    ck_assert_int_eq(m.opcode, WS_TEXT);
    ck_assert_span_eq(m.payload, "Hello");
    ck_assert_uint_eq(ws_reader_pending(&reader), 0);
}
END_TEST

START_TEST(reads_ping_and_masked_pong)
{
    struct ws_message m;

    ck_assert_int_eq(FEED("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", &m),
                     1);
    ck_assert_int_eq(m.opcode, WS_PONG);
    ck_assert_span_eq(m.payload, "Hello");
    as_client();
    ck_assert_int_eq(FEED("\x89\x05Hello", &m), 1);
    ck_assert_int_eq(m.opcode, WS_PING);
}
END_TEST

START_TEST(reads_256_bytes_and_64k_of_binary)
{
    static uint8_t frame[10 + 65536];
    struct ws_message m;

    as_client();
    memcpy(frame, "\x82\x7E\x01\x00", 4);
    ck_assert_int_eq(feed(frame, 4 + 256, &m), 1);
    ck_assert_uint_eq(m.payload.len, 256);
    memcpy(frame, "\x82\x7F\0\0\0\0\0\1\0\0", 10);
    ck_assert_int_eq(feed(frame, sizeof(frame), &m), 1);
    ck_assert_uint_eq(m.payload.len, 65536);
}
END_TEST

/* ---- delivery ---- */

START_TEST(hands_out_a_whole_frame_where_it_lies)
{
    uint8_t bytes[] = "\x82\x83\x01\x02\x03\x04\x60\x60\x60";
    uint8_t *data = bytes;
    size_t len = sizeof(bytes) - 1;
    struct ws_message m;

    ck_assert_int_eq(ws_reader_next(&reader, &data, &len, &m), 1);
    ck_assert_ptr_eq(m.payload.ptr, bytes + 6);
    ck_assert_span_eq(m.payload, "abc");
    ck_assert_uint_eq(len, 0);
    ck_assert_no_blocks();
}
END_TEST

START_TEST(a_ping_may_stand_between_fragments)
{
    struct ws_message m;

    as_client();
    ck_assert_int_eq(FEED("\x01\x03Hel", &m), 0);
    ck_assert_int_eq(FEED("\x89\x01?", &m), 1);
    ck_assert_int_eq(m.opcode, WS_PING);
    ck_assert_span_eq(m.payload, "?");
    ck_assert_int_eq(FEED("\x80\x02lo", &m), 1);
    ck_assert_span_eq(m.payload, "Hello");
}
END_TEST

START_TEST(empty_messages_and_fragments_are_messages)
{
    struct ws_message m;

    as_client();
    ck_assert_int_eq(FEED("\x81\x00", &m), 1);
    ck_assert_uint_eq(m.payload.len, 0);
    ck_assert_int_eq(FEED("\x02\x00", &m), 0);
    ck_assert_int_eq(FEED("\x00\x01x", &m), 0);
    ck_assert_int_eq(FEED("\x80\x00", &m), 1);
    ck_assert_int_eq(m.opcode, WS_BINARY);
    ck_assert_span_eq(m.payload, "x");
}
END_TEST

struct event {
    int result;
    enum ws_opcode opcode;
    uint16_t code;
    size_t len;
    uint8_t text[32];
};

static size_t run_split(const uint8_t *bytes, size_t len, size_t cut,
                        struct event *events)
{
    size_t ends[2] = {cut, len};
    size_t from = 0, n = 0;

    ws_reader_deinit(&reader);
    ws_reader_init(&reader, WS_SERVER, 64);
    for (unsigned i = 0; i < 2; i++) {
        size_t left = ends[i] - from;
        uint8_t *data = scratch;
        struct ws_message m;
        int got;

        memcpy(scratch, bytes + from, left);
        while ((got = ws_reader_next(&reader, &data, &left, &m)) != 0) {
            struct event *e = &events[n++];

            ck_assert_uint_lt(n, EVENTS_MAX);
            *e = (struct event){.result = got};
            if (got < 0)
                return n;
            e->opcode = m.opcode;
            e->code = m.close_code;
            e->len = m.payload.len;
            ck_assert_uint_le(e->len, sizeof(e->text));
            if (e->len)
                memcpy(e->text, m.payload.ptr, e->len);
        }
        ck_assert_uint_eq(left, 0);
        from = cut;
    }
    return n;
}

START_TEST(every_split_gives_the_same_messages)
{
    /* text; two fragments with a ping between; binary; close with reason */
    static const uint8_t bytes[] = "\x81\x83\x01\x02\x03\x04\x60\x60\x60"
                                   "\x01\x82\x00\x00\x00\x00He"
                                   "\x89\x81\x00\x00\x00\x00p"
                                   "\x80\x83\x00\x00\x00\x00llo"
                                   "\x82\x80\x01\x01\x01\x01"
                                   "\x88\x85\x00\x00\x00\x00\x03\xe8"
                                   "bye";
    struct event whole[EVENTS_MAX], parts[EVENTS_MAX];
    size_t len = sizeof(bytes) - 1;
    size_t n = run_split(bytes, len, 0, whole);

    ck_assert_uint_eq(n, 5);
    ck_assert_uint_eq(whole[4].code, 1000);
    for (size_t cut = 1; cut <= len; cut++) {
        memset(parts, 0, sizeof(parts));
        ck_assert_uint_eq(run_split(bytes, len, cut, parts), n);
        ck_assert_mem_eq(parts, whole, n * sizeof(whole[0]));
    }
}
END_TEST

/* ---- refusals ---- */

struct refusal {
    const char *bytes;
    size_t len;
    int err;
    uint16_t code;
};

#define REFUSAL(bytes, err, code)                                              \
    {                                                                          \
        bytes, sizeof(bytes) - 1, err, code                                    \
    }
#define KEY "\0\0\0\0"

static const struct refusal refusals[] = {
    REFUSAL("\x81\x00", ERR_PARSE, 1002), /* not masked */
    REFUSAL("\xC1\x80", ERR_PARSE, 1002), /* RSV1 */
    REFUSAL("\xA1\x80", ERR_PARSE, 1002), /* RSV2 */
    REFUSAL("\x91\x80", ERR_PARSE, 1002), /* RSV3 */
    REFUSAL("\x83\x80", ERR_PARSE, 1002), /* opcode 3 */
    REFUSAL("\x8B\x80", ERR_PARSE, 1002), /* opcode 11 */
    REFUSAL("\x80\x80", ERR_PARSE, 1002), /* nothing to continue */
    REFUSAL("\x09\x80", ERR_PARSE, 1002), /* fragmented ping */
    REFUSAL("\x89\xFE", ERR_PARSE, 1002), /* long ping */
    REFUSAL("\x01\x80" KEY "\x81\x80", ERR_PARSE, 1002), /* text in text */
    REFUSAL("\x81\xFE\x00\x7D" KEY, ERR_PARSE, 1002),    /* 125 in 2 bytes */
    REFUSAL("\x81\xFF\0\0\0\0\0\0\xFF\xFF" KEY, ERR_PARSE, 1002),
    REFUSAL("\x81\xFF\x80\0\0\0\0\1\0\0" KEY, ERR_PARSE, 1002), /* top bit */
    REFUSAL("\x82\xFF\0\0\0\0\0\2\0\0" KEY, ERR_LIMIT, 1009),
    REFUSAL("\x88\x81" KEY "\x03", ERR_PARSE, 1002),     /* half a code */
    REFUSAL("\x88\x82" KEY "\x03\xEC", ERR_PARSE, 1002), /* 1004 */
    REFUSAL("\x88\x82" KEY "\x03\xED", ERR_PARSE, 1002), /* 1005 */
    REFUSAL("\x88\x82" KEY "\x03\xEE", ERR_PARSE, 1002), /* 1006 */
    REFUSAL("\x88\x82" KEY "\x03\xF7", ERR_PARSE, 1002), /* 1015 */
    REFUSAL("\x88\x82" KEY "\x03\xE7", ERR_PARSE, 1002), /* 999 */
    REFUSAL("\x88\x82" KEY "\x13\x88", ERR_PARSE, 1002), /* 5000 */
    REFUSAL("\x88\x83" KEY "\x03\xE8\xFF", ERR_PARSE, 1007),
    REFUSAL("\x81\x82" KEY "\xC0\x80", ERR_PARSE, 1007),     /* overlong */
    REFUSAL("\x81\x83" KEY "\xED\xA0\x80", ERR_PARSE, 1007), /* surrogate */
    REFUSAL("\x81\x81" KEY "\xC3", ERR_PARSE, 1007),
};

START_TEST(refuses_with_the_right_code)
{
    const struct refusal *r = &refusals[_i];
    uint8_t *data = scratch;
    size_t len = r->len;
    struct ws_message m;

    memcpy(scratch, r->bytes, len);
    ck_assert_int_eq(ws_reader_next(&reader, &data, &len, &m), r->err);
    ck_assert_uint_eq(ws_reader_close_code(&reader), r->code);
    /* and reads nothing more */
    ck_assert_int_eq(FEED("\x81\x80" KEY, &m), ERR_CLOSED);
}
END_TEST

START_TEST(a_character_may_be_split_between_fragments)
{
    struct ws_message m;

    as_client();
    ck_assert_int_eq(FEED("\x01\x01\xC3", &m), 0);
    ck_assert_int_eq(FEED("\x80\x01\xA4", &m), 1);
    ck_assert_span_eq(m.payload, "\xC3\xA4");
}
END_TEST

START_TEST(fragments_together_respect_the_maximum)
{
    struct ws_message m;

    ws_reader_deinit(&reader);
    ws_reader_init(&reader, WS_CLIENT, 4);
    ck_assert_int_eq(FEED("\x02\x03"
                          "abc",
                          &m),
                     0);
    ck_assert_int_eq(FEED("\x00\x01"
                          "d",
                          &m),
                     0);
    ck_assert_int_eq(FEED("\x80\x01"
                          "e",
                          &m),
                     ERR_LIMIT);
    ck_assert_uint_eq(ws_reader_close_code(&reader), 1009);
    ck_assert_uint_eq(ws_reader_pending(&reader), 0);
}
END_TEST

START_TEST(nothing_follows_a_close)
{
    struct ws_message m;

    as_client();
    ck_assert_int_eq(FEED("\x88\x00", &m), 1);
    ck_assert_uint_eq(m.close_code, WS_CLOSE_NONE);
    ck_assert_int_eq(feed("", 0, &m), 0);
    ck_assert_int_eq(FEED("\x81\x00", &m), ERR_CLOSED);
}
END_TEST

START_TEST(out_of_memory_is_an_internal_error)
{
    struct ws_message m;

    mem_fail_at(0);
    ck_assert_int_eq(FEED("\x82\x84" KEY "ab", &m), -ENOMEM);
    mem_fail_at(-1);
    ck_assert_uint_eq(ws_reader_close_code(&reader), WS_CLOSE_INTERNAL);
}
END_TEST

/* ---- writing ---- */

START_TEST(writes_what_it_reads)
{
    static const size_t lengths[] = {0, 1, 125, 126, 127, 65535, 65536};
    static const uint8_t mask[4] = {0x12, 0x34, 0x56, 0x78};
    static uint8_t bytes[WS_HEADER_MAX + 65536];
    struct ws_message m;
    size_t n = ws_header_write(bytes, WS_BINARY, WS_FIN, lengths[_i], mask);

    for (size_t i = 0; i < lengths[_i]; i++)
        bytes[n + i] = (uint8_t)(i * 7);
    ws_mask(bytes + n, lengths[_i], mask, 0);
    ck_assert_int_eq(feed(bytes, n + lengths[_i], &m), 1);
    ck_assert_uint_eq(m.payload.len, lengths[_i]);
    for (size_t i = 0; i < lengths[_i]; i++)
        ck_assert_uint_eq(m.payload.ptr[i], (uint8_t)(i * 7));
}
END_TEST

START_TEST(masking_goes_on_at_any_offset)
{
    static const uint8_t mask[4] = {1, 2, 3, 4};
    uint8_t whole[64], parts[64];

    for (size_t cut = 0; cut <= sizeof(whole); cut++) {
        memset(whole, 0xAA, sizeof(whole));
        memset(parts, 0xAA, sizeof(parts));
        ws_mask(whole, sizeof(whole), mask, 0);
        ws_mask(parts, cut, mask, 0);
        ws_mask(parts + cut, sizeof(parts) - cut, mask, cut);
        ck_assert_mem_eq(whole, parts, sizeof(whole));
    }
    ck_assert_uint_eq(whole[5], 0xAA ^ 2);
}
END_TEST

START_TEST(a_close_frame_fits_and_ends_with_a_character)
{
    uint8_t frame[WS_CLOSE_FRAME_MAX];
    struct ws_message m;
    char reason[200];
    size_t n;

    for (size_t i = 0; i < sizeof(reason); i += 2)
        memcpy(reason + i, "\xC3\xA4", 2);
    as_client();
    n = ws_close_write(frame, 1001, span_of(reason, sizeof(reason)), NULL);
    ck_assert_uint_eq(n, 2 + 124);
    ck_assert_int_eq(feed(frame, n, &m), 1);
    ck_assert_uint_eq(m.close_code, 1001);
    ck_assert_uint_eq(m.payload.len, 122);

    n = ws_close_write(frame, WS_CLOSE_NONE, span_str("x"), NULL);
    ck_assert_uint_eq(n, 2);
}
END_TEST

START_TEST(closing_takes_one_frame_each_way)
{
    struct ws_closing ours = {0}, theirs = {0};

    ck_assert(ws_closing_begin(&ours));
    ck_assert(!ws_closing_begin(&ours));
    ck_assert_int_eq(ws_closing_on_close(&ours), WS_STEP_FINISH);

    ck_assert_int_eq(ws_closing_on_close(&theirs), WS_STEP_REPLY);
    ck_assert(!ws_closing_begin(&theirs));
}
END_TEST

START_TEST(the_reader_is_small)
{
    ck_assert_uint_le(sizeof(struct ws_reader), 256);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("ws_frame");
    TCase *tc = tcase_create("frames");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, reads_a_masked_text);
    tcase_add_test(tc, reads_an_unmasked_text_as_client);
    tcase_add_test(tc, knows_that_a_message_has_begun);
    tcase_add_test(tc, joins_the_fragments_of_a_text);
    tcase_add_test(tc, reads_ping_and_masked_pong);
    tcase_add_test(tc, reads_256_bytes_and_64k_of_binary);
    tcase_add_test(tc, hands_out_a_whole_frame_where_it_lies);
    tcase_add_test(tc, a_ping_may_stand_between_fragments);
    tcase_add_test(tc, empty_messages_and_fragments_are_messages);
    tcase_add_test(tc, every_split_gives_the_same_messages);
    tcase_add_loop_test(tc, refuses_with_the_right_code, 0,
                        ARRAY_SIZE(refusals));
    tcase_add_test(tc, a_character_may_be_split_between_fragments);
    tcase_add_test(tc, fragments_together_respect_the_maximum);
    tcase_add_test(tc, nothing_follows_a_close);
    tcase_add_test(tc, out_of_memory_is_an_internal_error);
    tcase_add_loop_test(tc, writes_what_it_reads, 0, 7);
    tcase_add_test(tc, masking_goes_on_at_any_offset);
    tcase_add_test(tc, a_close_frame_fits_and_ends_with_a_character);
    tcase_add_test(tc, closing_takes_one_frame_each_way);
    tcase_add_test(tc, the_reader_is_small);
    suite_add_tcase(suite, tc);
    return suite;
}
