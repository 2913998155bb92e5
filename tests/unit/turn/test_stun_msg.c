/* SPDX-License-Identifier: MIT */
#include "stun/stun_msg.h"

#include "base/err.h"
#include "stun/stun_attr.h"
#include "support/unit.h"

static const uint8_t tid[STUN_TID_SIZE] = "0123456789a";
static uint8_t bytes[512];
static struct stun_writer w;
static struct stun_msg msg;

static void start(void)
{
    stun_write_start(&w, bytes, sizeof(bytes), STUN_REQUEST, STUN_ALLOCATE,
                     tid);
}

static int finish(void)
{
    int size = stun_write_finish(&w);

    ck_assert_int_gt(size, 0);
    return stun_msg_read(&msg, span_of(bytes, (size_t)size));
}

START_TEST(reads_back_every_class_and_method)
{
    static const uint16_t methods[] = {0, 1, 3, 0xF, 0x10, 0x7F, 0x80, 0xFFF};

    for (int class = 0; class < 4; class ++) {
        for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
            stun_write_start(&w, bytes, sizeof(bytes), (enum stun_class) class,
                             methods[i], tid);
            ck_assert_int_eq(finish(), 0);
            ck_assert_uint_eq(msg.class, (unsigned)class);
            ck_assert_uint_eq(msg.method, methods[i]);
            ck_assert_mem_eq(stun_msg_tid(&msg), tid, STUN_TID_SIZE);
        }
    }
}
END_TEST

START_TEST(knows_the_registered_message_types)
{
    stun_write_start(&w, bytes, sizeof(bytes), STUN_SUCCESS, STUN_BINDING, tid);
    ck_assert_mem_eq(bytes, "\x01\x01", 2);
    stun_write_start(&w, bytes, sizeof(bytes), STUN_ERROR, STUN_ALLOCATE, tid);
    ck_assert_mem_eq(bytes, "\x01\x13", 2);
    stun_write_start(&w, bytes, sizeof(bytes), STUN_INDICATION, STUN_DATA, tid);
    ck_assert_mem_eq(bytes, "\x00\x17", 2);
}
END_TEST

START_TEST(takes_the_first_of_repeated_attributes)
{
    start();
    stun_write(&w, STUN_USERNAME, span_str("first"));
    stun_write(&w, STUN_USERNAME, span_str("second"));
    ck_assert_int_eq(finish(), 0);
    ck_assert_span_eq(stun_msg_attr(&msg, STUN_USERNAME), "first");
    ck_assert(!stun_msg_has(&msg, STUN_REALM));
    ck_assert_ptr_null(stun_msg_attr(&msg, STUN_REALM).ptr);
}
END_TEST

START_TEST(tells_an_empty_attribute_from_an_absent_one)
{
    start();
    stun_write(&w, STUN_DATA_VALUE, span_of(NULL, 0));
    ck_assert_int_eq(finish(), 0);
    ck_assert(stun_msg_has(&msg, STUN_DATA_VALUE));
    ck_assert_ptr_nonnull(stun_msg_attr(&msg, STUN_DATA_VALUE).ptr);
    ck_assert_uint_eq(stun_msg_attr(&msg, STUN_DATA_VALUE).len, 0);
}
END_TEST

START_TEST(walks_repeated_attributes_up_to_the_integrity)
{
    static const uint8_t mac[20];
    struct span value;
    size_t pos = 0;

    start();
    stun_write(&w, STUN_XOR_PEER_ADDRESS, span_str("one"));
    stun_write(&w, STUN_USERNAME, span_str("between"));
    stun_write(&w, STUN_XOR_PEER_ADDRESS, span_str("two"));
    stun_write(&w, STUN_MESSAGE_INTEGRITY, span_of(mac, sizeof(mac)));
    stun_write(&w, STUN_XOR_PEER_ADDRESS, span_str("three"));
    ck_assert_int_eq(finish(), 0);
    ck_assert(stun_msg_each(&msg, STUN_XOR_PEER_ADDRESS, &pos, &value));
    ck_assert_span_eq(value, "one");
    ck_assert(stun_msg_each(&msg, STUN_XOR_PEER_ADDRESS, &pos, &value));
    ck_assert_span_eq(value, "two");
    ck_assert(!stun_msg_each(&msg, STUN_XOR_PEER_ADDRESS, &pos, &value));
    ck_assert(!stun_msg_each(&msg, STUN_XOR_PEER_ADDRESS, &pos, &value));
}
END_TEST

START_TEST(ignores_what_follows_the_integrity_but_for_stronger_ones)
{
    static const uint8_t mac[32];

    start();
    stun_write(&w, STUN_MESSAGE_INTEGRITY, span_of(mac, 20));
    stun_write(&w, STUN_USERNAME, span_str("late"));
    stun_write(&w, STUN_MESSAGE_INTEGRITY_SHA256, span_of(mac, 32));
    stun_write(&w, STUN_LIFETIME, span_of(mac, 4));
    stun_write(&w, STUN_FINGERPRINT, span_of(mac, 4));
    stun_write(&w, STUN_NONCE, span_str("last"));
    ck_assert_int_eq(finish(), 0);
    ck_assert(!stun_msg_has(&msg, STUN_USERNAME));
    ck_assert(!stun_msg_has(&msg, STUN_LIFETIME));
    ck_assert(!stun_msg_has(&msg, STUN_NONCE));
    ck_assert(stun_msg_has(&msg, STUN_MESSAGE_INTEGRITY_SHA256));
    ck_assert(stun_msg_has(&msg, STUN_FINGERPRINT));
}
END_TEST

START_TEST(lists_unknown_attributes_that_must_be_understood_once_each)
{
    start();
    wire_put_u32(&w.wire, 0x7FFF0000);
    wire_put_u32(&w.wire, 0x7FFF0000);
    wire_put_u32(&w.wire, 0xFFFF0000);
    for (uint32_t i = 0; i < 20; i++)
        wire_put_u32(&w.wire, (0x7000 + i) << 16);
    ck_assert_int_eq(finish(), 0);
    ck_assert_uint_eq(msg.unknown_count, STUN_UNKNOWN_MAX);
    ck_assert_uint_eq(msg.unknown[0], 0x7FFF);
    ck_assert_uint_eq(msg.unknown[1], 0x7000);
}
END_TEST

START_TEST(refuses_what_is_not_exactly_one_message)
{
    int size;

    start();
    stun_write(&w, STUN_USERNAME, span_str("user"));
    size = stun_write_finish(&w);
    ck_assert_int_eq(size, 28);
    for (size_t len = 0; len < 40; len++) {
        int want = len == 28 ? 0 : ERR_PARSE;

        ck_assert_int_eq(stun_msg_read(&msg, span_of(bytes, len)), want);
    }
    bytes[0] = 0x40;
    ck_assert_int_eq(stun_msg_read(&msg, span_of(bytes, 28)), ERR_PARSE);
    bytes[0] = 0;
    bytes[4] ^= 1; /* the cookie */
    ck_assert_int_eq(stun_msg_read(&msg, span_of(bytes, 28)), ERR_PARSE);
    bytes[4] ^= 1;
    wire_store_u16(bytes + 22, 5); /* one byte more than there is */
    ck_assert_int_eq(stun_msg_read(&msg, span_of(bytes, 28)), ERR_PARSE);
    wire_store_u16(bytes + 22, 0xFFFF);
    ck_assert_int_eq(stun_msg_read(&msg, span_of(bytes, 28)), ERR_PARSE);
}
END_TEST

START_TEST(finds_the_frames_of_a_stream)
{
    static const struct {
        const char *bytes;
        size_t len;
        int size;
    } cases[] = {
        {"", 0, 0},
        {"\x00", 1, 0},
        {"\x00\x03\x00", 3, 0},
        {"\x00\x03\x00\x08", 4, 28},
        {"\x00\x03\x00\x09", 4, ERR_PARSE},
        {"\x00\x03\xFF\xFC", 4, 20 + 0xFFFC},
        {"\x40\x00\x00\x00", 4, 4},
        {"\x4F\xFF\x00\x01", 4, 8},
        {"\x40\x00\x00\x04", 4, 8},
        {"\x40\x00\xFF\xFF", 4, 4 + 0x10000},
        {"\x40", 1, 0},
        {"\x80\x00\x00\x04", 4, ERR_PARSE},
        {"\x16\x03\x01", 3, ERR_PARSE},
        {"\x16\x03\x01\x02", 4, ERR_PARSE},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        ck_assert_int_eq(stun_frame_size(span_of(cases[i].bytes, cases[i].len)),
                         cases[i].size);
}
END_TEST

START_TEST(writes_and_reads_addresses_of_both_families)
{
    static const char *const texts[] = {"192.0.2.1:32853",
                                        "[2001:db8::7]:65535", "0.0.0.0:0"};
    struct addr a, b;

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        ck_assert_int_eq(addr_parse(span_str(texts[i]), &a), 0);
        start();
        stun_write_xor_addr(&w, STUN_XOR_PEER_ADDRESS, &a);
        stun_write_addr(&w, STUN_MAPPED_ADDRESS, &a);
        ck_assert_int_eq(finish(), 0);
        ck_assert_int_eq(
            stun_attr_xor_addr(&msg, stun_msg_attr(&msg, STUN_XOR_PEER_ADDRESS),
                               &b),
            0);
        ck_assert(addr_equal(&a, &b));
        ck_assert_int_eq(
            stun_attr_addr(stun_msg_attr(&msg, STUN_MAPPED_ADDRESS), &b), 0);
        ck_assert(addr_equal(&a, &b));
    }
}
END_TEST

START_TEST(refuses_addresses_of_another_shape)
{
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        {"", 0},
        {"\0\1\0", 3},
        {"\0\1\0\1\1\2\3", 7},
        {"\0\1\0\1\1\2\3\4\5", 9},
        {"\0\3\0\1\1\2\3\4", 8},
        {"\0\2\0\1\1\2\3\4", 8},
    };
    struct addr a;
    uint32_t n;
    uint16_t number;
    uint8_t family;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        ck_assert_int_eq(
            stun_attr_addr(span_of(cases[i].bytes, cases[i].len), &a),
            ERR_PARSE);
    ck_assert_int_eq(stun_attr_u32(span_str("abc"), &n), ERR_PARSE);
    ck_assert_int_eq(stun_attr_channel(span_str("ab"), &number), ERR_PARSE);
    ck_assert_int_eq(stun_attr_family(span_str("abcde"), &family), ERR_PARSE);
}
END_TEST

START_TEST(reads_back_errors_and_their_reason)
{
    struct span reason;
    int code;

    start();
    stun_write_error(&w, STUN_STALE_NONCE, "Stale");
    ck_assert_int_eq(finish(), 0);
    ck_assert_int_eq(
        stun_attr_error(stun_msg_attr(&msg, STUN_ERROR_CODE), &code, &reason),
        0);
    ck_assert_int_eq(code, 438);
    ck_assert_span_eq(reason, "Stale");
    ck_assert_int_eq(stun_attr_error(span_str("\0\0\7"), &code, &reason),
                     ERR_PARSE);
    ck_assert_int_eq(stun_attr_error(span_of("\0\0\7\1", 4), &code, &reason),
                     ERR_PARSE);
}
END_TEST

START_TEST(notices_a_message_that_does_not_fit)
{
    stun_write_start(&w, bytes, 24, STUN_REQUEST, STUN_BINDING, tid);
    stun_write_u32(&w, STUN_LIFETIME, 1);
    ck_assert_int_eq(stun_write_finish(&w), ERR_LIMIT);
}
END_TEST

START_TEST(wraps_data_without_moving_it)
{
    uint8_t room[STUN_DATA_HEADER_MAX + 64];
    uint8_t *data = room + STUN_DATA_HEADER_MAX;
    struct addr peers[2], got;

    ck_assert_int_eq(addr_parse(span_str("192.0.2.1:99"), &peers[0]), 0);
    ck_assert_int_eq(addr_parse(span_str("[2001:db8::1]:99"), &peers[1]), 0);
    for (size_t len = 0; len < 9; len++) {
        for (size_t i = 0; i < 2; i++) {
            size_t header = stun_data_header_size(&peers[i]);
            size_t size;

            memset(room, 0xEE, sizeof(room));
            memset(data, 'x', len);
            size = stun_data_wrap(data, len, &peers[i], tid);
            ck_assert_uint_eq(size, header + (len + 3) / 4 * 4);
            ck_assert_int_eq(stun_msg_read(&msg, span_of(data - header, size)),
                             0);
            ck_assert_uint_eq(stun_msg_attr(&msg, STUN_DATA_VALUE).len, len);
            ck_assert_ptr_eq(stun_msg_attr(&msg, STUN_DATA_VALUE).ptr, data);
            ck_assert_int_eq(
                stun_attr_xor_addr(
                    &msg, stun_msg_attr(&msg, STUN_XOR_PEER_ADDRESS), &got),
                0);
            ck_assert(addr_equal(&got, &peers[i]));
            ck_assert_uint_eq(room[STUN_DATA_HEADER_MAX - header - 1 +
                                   (header == STUN_DATA_HEADER_MAX)],
                              header == STUN_DATA_HEADER_MAX ? 0 : 0xEE);
        }
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("stun messages");
    TCase *tc = tcase_create("codec");

    tcase_add_test(tc, reads_back_every_class_and_method);
    tcase_add_test(tc, knows_the_registered_message_types);
    tcase_add_test(tc, takes_the_first_of_repeated_attributes);
    tcase_add_test(tc, tells_an_empty_attribute_from_an_absent_one);
    tcase_add_test(tc, walks_repeated_attributes_up_to_the_integrity);
    tcase_add_test(tc,
                   ignores_what_follows_the_integrity_but_for_stronger_ones);
    tcase_add_test(tc,
                   lists_unknown_attributes_that_must_be_understood_once_each);
    tcase_add_test(tc, refuses_what_is_not_exactly_one_message);
    tcase_add_test(tc, finds_the_frames_of_a_stream);
    tcase_add_test(tc, writes_and_reads_addresses_of_both_families);
    tcase_add_test(tc, refuses_addresses_of_another_shape);
    tcase_add_test(tc, reads_back_errors_and_their_reason);
    tcase_add_test(tc, notices_a_message_that_does_not_fit);
    tcase_add_test(tc, wraps_data_without_moving_it);
    suite_add_tcase(s, tc);
    return s;
}
