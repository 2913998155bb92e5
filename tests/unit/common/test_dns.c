/* SPDX-License-Identifier: MIT */
#include "base/dns.h"

#include "base/err.h"
#include "base/wire.h"
#include "support/unit.h"

enum { ANSWERS = 7, AUTHORITIES = 9, QUESTION_NAME = 12 };

static uint8_t packet[2048];
static struct wire_writer w;

static void put_name(const char *name)
{
    struct span rest = span_str(name), label;

    while (span_next(&rest, '.', &label)) {
        wire_put_u8(&w, (uint8_t)label.len);
        wire_put(&w, label);
    }
    wire_put_u8(&w, 0);
}

/* A response to one question. */
static void begin(const char *name, uint16_t type)
{
    static const uint8_t head[] = {0, 1, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0};

    w = wire_writer(packet, sizeof(packet));
    wire_put(&w, span_of(head, sizeof(head)));
    put_name(name);
    wire_put_u16(&w, type);
    wire_put_u16(&w, 1);
}

static uint8_t *begin_record(uint16_t type, uint32_t ttl)
{
    uint8_t *len;

    wire_put_u16(&w, 0xC000 | QUESTION_NAME);
    wire_put_u16(&w, type);
    wire_put_u16(&w, 1);
    wire_put_u32(&w, ttl);
    len = wire_grow(&w, 2);
    packet[ANSWERS]++;
    return len;
}

static void end_record(uint8_t *len)
{
    wire_store_u16(len, (uint16_t)(w.start + w.len - len - 2));
}

static void put_srv(uint16_t priority, uint16_t weight, const char *target,
                    uint32_t ttl)
{
    uint8_t *len = begin_record(DNS_SRV, ttl);

    wire_put_u16(&w, priority);
    wire_put_u16(&w, weight);
    wire_put_u16(&w, 5060);
    put_name(target);
    end_record(len);
}

static void put_text(const char *text)
{
    wire_put_u8(&w, (uint8_t)strlen(text));
    wire_put(&w, span_str(text));
}

static void put_naptr(uint16_t order, uint16_t preference, const char *flag,
                      const char *service, const char *regexp,
                      const char *replacement)
{
    uint8_t *len = begin_record(DNS_NAPTR, 60);

    wire_put_u16(&w, order);
    wire_put_u16(&w, preference);
    put_text(flag);
    put_text(service);
    put_text(regexp);
    put_name(replacement);
    end_record(len);
}

static int read_packet(enum dns_type type, struct dns_records *out)
{
    return dns_records_read(span_of(packet, wire_written(&w)), type, out);
}

START_TEST(srv_records_are_read_with_the_lowest_ttl)
{
    struct dns_records r;

    begin("_sip._udp.example.org", DNS_SRV);
    put_srv(10, 60, "A.Example.ORG", 300);
    put_srv(20, 0, "b.example.org", 120);
    ck_assert_int_eq(read_packet(DNS_SRV, &r), 0);
    ck_assert_uint_eq(r.n, 2);
    ck_assert_uint_eq(r.ttl, 120);
    ck_assert_uint_eq(r.srv[0].priority, 10);
    ck_assert_uint_eq(r.srv[0].weight, 60);
    ck_assert_uint_eq(r.srv[0].port, 5060);
    ck_assert_str_eq(r.srv[0].target, "a.example.org"); /* RFC 4343 */
    ck_assert_str_eq(r.srv[1].target, "b.example.org");
}
END_TEST

START_TEST(a_compressed_target_is_followed)
{
    struct dns_records r;
    uint8_t *len;

    begin("_sip._udp.example.org", DNS_SRV);
    len = begin_record(DNS_SRV, 60);
    wire_put_u16(&w, 1);
    wire_put_u16(&w, 2);
    wire_put_u16(&w, 5070);
    wire_put_u8(&w, 2);
    wire_put(&w, span_str("pc"));
    wire_put_u16(&w, 0xC000 | (QUESTION_NAME + 10)); /* example.org */
    end_record(len);
    put_srv(2, 0, "next", 60);
    ck_assert_int_eq(read_packet(DNS_SRV, &r), 0);
    ck_assert_str_eq(r.srv[0].target, "pc.example.org");
    ck_assert_str_eq(r.srv[1].target, "next");
}
END_TEST

START_TEST(the_root_as_target_is_an_empty_name)
{
    struct dns_records r;

    begin("_sip._udp.example.org", DNS_SRV);
    put_srv(0, 0, "", 60);
    ck_assert_int_eq(read_packet(DNS_SRV, &r), 0);
    ck_assert_uint_eq(r.n, 1);
    ck_assert_str_eq(r.srv[0].target, "");
}
END_TEST

START_TEST(naptr_records_without_expression_count)
{
    struct dns_records r;

    begin("example.org", DNS_NAPTR);
    put_naptr(50, 50, "S", "SIP+d2u", "", "_sip._udp.example.org");
    put_naptr(50, 10, "s", "SIPS+D2T", "", "_sips._tcp.example.org");
    put_naptr(10, 10, "u", "E2U+sip", "!^.*$!sip:info@example.org!", "");
    ck_assert_int_eq(read_packet(DNS_NAPTR, &r), 0);
    ck_assert_uint_eq(r.n, 2);
    dns_naptr_order(&r);
    ck_assert_str_eq(r.naptr[0].service, "SIPS+D2T");
    ck_assert_str_eq(r.naptr[1].service, "SIP+D2U");
    ck_assert_int_eq(r.naptr[1].flag, 's');
    ck_assert_str_eq(r.naptr[1].replacement, "_sip._udp.example.org");
}
END_TEST

START_TEST(there_is_none_is_good_for_what_the_zone_says)
{
    struct dns_records r;
    uint8_t *len;

    begin("example.org", DNS_NAPTR);
    len = begin_record(6, 900);
    packet[ANSWERS] = 0;
    packet[AUTHORITIES] = 1;
    put_name("ns.example.org");
    put_name("hostmaster.example.org");
    for (int i = 0; i < 4; i++)
        wire_put_u32(&w, 1);
    wire_put_u32(&w, 45);
    end_record(len);
    ck_assert_int_eq(read_packet(DNS_NAPTR, &r), 0);
    ck_assert_uint_eq(r.n, 0);
    ck_assert_uint_eq(r.ttl, 45);
}
END_TEST

START_TEST(broken_messages_are_refused)
{
    struct dns_records r;
    size_t whole;

    begin("_sip._udp.example.org", DNS_SRV);
    put_srv(10, 60, "a.example.org", 300);
    whole = wire_written(&w);
    for (size_t i = 0; i < whole; i++)
        ck_assert_int_eq(dns_records_read(span_of(packet, i), DNS_SRV, &r),
                         ERR_PARSE);
    /* A name that points at itself. */
    packet[QUESTION_NAME] = 0xC0;
    packet[QUESTION_NAME + 1] = QUESTION_NAME;
    ck_assert_int_eq(read_packet(DNS_SRV, &r), ERR_PARSE);
}
END_TEST

START_TEST(a_target_that_is_no_host_name_is_refused)
{
    struct dns_records r;

    begin("_sip._udp.example.org", DNS_SRV);
    put_srv(10, 60, "a b", 300);
    ck_assert_int_eq(read_packet(DNS_SRV, &r), ERR_PARSE);
}
END_TEST

START_TEST(no_more_than_fit_are_kept)
{
    struct dns_records r;

    begin("_sip._udp.example.org", DNS_SRV);
    for (int i = 0; i < DNS_RECORDS_MAX + 5; i++)
        put_srv((uint16_t)i, 0, "a", 300);
    ck_assert_int_eq(read_packet(DNS_SRV, &r), 0);
    ck_assert_uint_eq(r.n, DNS_RECORDS_MAX);
}
END_TEST

/* --- RFC 2782 --- */

static uint32_t lot(void *arg)
{
    uint64_t *state = arg;

    *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(*state >> 32);
}

static struct dns_records three(uint16_t wa, uint16_t wb, uint16_t wc)
{
    struct dns_records r = {.type = DNS_SRV, .n = 3};

    r.srv[0] = (struct dns_srv){.priority = 5, .weight = wa, .target = "a"};
    r.srv[1] = (struct dns_srv){.priority = 5, .weight = wb, .target = "b"};
    r.srv[2] = (struct dns_srv){.priority = 1, .weight = wc, .target = "c"};
    return r;
}

START_TEST(a_lower_priority_number_is_first_whatever_the_weight)
{
    uint64_t state = 1;

    for (int i = 0; i < 100; i++) {
        struct dns_records r = three(65535, 65535, 0);

        dns_srv_order(&r, lot, &state);
        ck_assert_str_eq(r.srv[0].target, "c");
    }
}
END_TEST

START_TEST(the_first_is_drawn_by_weight)
{
    uint64_t state = 7;
    int first_a = 0;

    for (int i = 0; i < 10000; i++) {
        struct dns_records r = three(30, 10, 0);

        dns_srv_order(&r, lot, &state);
        first_a += r.srv[1].target[0] == 'a';
    }
    /* 30 of 40, with the +1 of the draw that RFC 2782 has. */
    ck_assert_int_gt(first_a, 7200);
    ck_assert_int_lt(first_a, 7800);
}
END_TEST

START_TEST(weight_zero_has_a_small_chance)
{
    uint64_t state = 3;
    int first_a = 0;

    for (int i = 0; i < 10000; i++) {
        struct dns_records r = three(0, 99, 0);

        dns_srv_order(&r, lot, &state);
        first_a += r.srv[1].target[0] == 'a';
    }
    ck_assert_int_gt(first_a, 20);
    ck_assert_int_lt(first_a, 300);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("dns");
    TCase *t = tcase_create("dns");

    tcase_add_test(t, srv_records_are_read_with_the_lowest_ttl);
    tcase_add_test(t, a_compressed_target_is_followed);
    tcase_add_test(t, the_root_as_target_is_an_empty_name);
    tcase_add_test(t, naptr_records_without_expression_count);
    tcase_add_test(t, there_is_none_is_good_for_what_the_zone_says);
    tcase_add_test(t, broken_messages_are_refused);
    tcase_add_test(t, a_target_that_is_no_host_name_is_refused);
    tcase_add_test(t, no_more_than_fit_are_kept);
    tcase_add_test(t, a_lower_priority_number_is_first_whatever_the_weight);
    tcase_add_test(t, the_first_is_drawn_by_weight);
    tcase_add_test(t, weight_zero_has_a_small_chance);
    suite_add_tcase(s, t);
    return s;
}
