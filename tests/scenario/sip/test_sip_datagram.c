/* SPDX-License-Identifier: MIT */
/* Clients outside that speak UDP: their flow is an address, made by the first
 * request and forgotten when they are silent.
 */
#include "proxy/sip_flow.h"
#include "scenario/sip/support_world.h"

#include <stdio.h>

enum { OUTSIDE_UDP = 2, PHONE = 0x0B336401 /* 11.51.100.1 */ };

static void setup(void)
{
    world_begin(1);
    world.cfg.locals[OUTSIDE_UDP] =
        (struct sip_local){.transport = SIP_UDP,
                           .zone = SIP_OUTSIDE,
                           .addr = addr_v4(0xCB007201, 5060),
                           .sent_by = "203.0.114.1:5060"};
    world.cfg.n_locals = 3;
}

static void teardown(void)
{
    for (int i = 0; i < 80; i++) {
        world_advance(5000);
        world_forget();
    }
    ck_assert_uint_eq(sip_core_pending(world.core[0]), 0);
    ck_assert_uint_eq(world.stats[0].transaction_bytes, 0);
    ck_assert_uint_eq(world.stats[0].flows, 0);
    world_end();
}

static void phone_says(uint32_t ip, uint16_t port, const char *text)
{
    const struct sip_target from = {
        .transport = SIP_UDP,
        .remote = addr_v4(ip, port),
        .local = addr_v4(0xCB007201, 5060),
        .listener = OUTSIDE_UDP,
    };

    sip_core_on_message(world.core[0], &from, span_str(text), world.now);
}

static const char *request(const char *method, unsigned n)
{
    static char text[2048];

    (void)snprintf(text, sizeof(text),
                   "%s sip:bob@example.org SIP/2.0\r\n"
                   "Via: SIP/2.0/UDP 10.9.9.9:5060;rport;branch=z9hG4bKp%u\r\n"
                   "Max-Forwards: 70\r\n"
                   "From: <sip:p@example.org>;tag=ph\r\n"
                   "To: <sip:bob@example.org>\r\n"
                   "Call-ID: phone-%u\r\nCSeq: 1 %s\r\n"
                   "Contact: <sip:p@10.9.9.9:5060>\r\n"
                   "Content-Length: 0\r\n\r\n",
                   method, n, n, method);
    return text;
}

/* The next message goes to the phone, at the port it came from. */
static const struct sent *expect_to_phone(const char *start)
{
    const struct sent *s = world_sent();
    struct addr phone = addr_v4(PHONE, 4321);

    ck_assert_msg(s != NULL, "nothing was sent instead of \"%s\"", start);
    ck_assert_msg(strncmp(s->text, start, strlen(start)) == 0, "%s", s->text);
    ck_assert(addr_equal(&s->to.remote, &phone));
    ck_assert_uint_eq(s->to.listener, OUTSIDE_UDP);
    return s;
}

START_TEST(register_and_a_call_in_find_the_address_it_came_from)
{
    const struct sent *s;
    char path[512];

    phone_says(PHONE, 4321, request("REGISTER", 1));
    s = world_expect("REGISTER", -1, WORLD_SERVER_A);
    (void)snprintf(path, sizeof(path), "%s", world_value(s, "Path", 0));
    ck_assert_ptr_nonnull(strstr(path, "@10.1.0.2:5060;lr>"));
    ck_assert_ptr_nonnull(strstr(s->text, "received=11.51.100.1"));
    ck_assert_ptr_nonnull(strstr(s->text, "rport=4321"));
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 200, "r", ""));
    (void)expect_to_phone("SIP/2.0 200");

    world_from_server(WORLD_SERVER_A, 0,
                      "INVITE sip:p@10.9.9.9:5060 SIP/2.0\r\n"
                      "Via: SIP/2.0/UDP 10.0.0.10:5060;branch=z9hG4bKin\r\n"
                      "Max-Forwards: 70\r\nRoute: %s\r\n"
                      "From: <sip:bob@example.org>;tag=bo\r\n"
                      "To: <sip:p@example.org>\r\n"
                      "Call-ID: in-1\r\nCSeq: 3 INVITE\r\n\r\n",
                      path);
    s = expect_to_phone("INVITE sip:p@10.9.9.9:5060 SIP/2.0");
    ck_assert_str_eq(world_value(s, "Route", 0), "");
    phone_says(PHONE, 4321, world_answer(s, 486, "ph", ""));
    (void)expect_to_phone("ACK sip:p@10.9.9.9:5060");
    (void)world_expect("SIP/2.0 486", -1, WORLD_SERVER_A);
    world_forget();
}
END_TEST

START_TEST(on_the_datagram_side_outside_we_repeat_too)
{
    const struct sent *s;

    phone_says(PHONE, 4321, request("INVITE", 1));
    s = world_expect("INVITE", -1, WORLD_SERVER_A);
    phone_says(PHONE, 4321, request("INVITE", 1));
    ck_assert_ptr_null(world_sent());
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 404, "bo", ""));
    (void)world_expect("ACK", -1, WORLD_SERVER_A);
    (void)expect_to_phone("SIP/2.0 404");
    world_advance(500);
    (void)expect_to_phone("SIP/2.0 404");
    phone_says(PHONE, 4321,
               "ACK sip:bob@example.org SIP/2.0\r\n"
               "Via: SIP/2.0/UDP 10.9.9.9:5060;rport;branch=z9hG4bKp1\r\n"
               "From: <sip:p@example.org>;tag=ph\r\n"
               "To: <sip:bob@example.org>;tag=bo\r\n"
               "Call-ID: phone-1\r\nCSeq: 1 ACK\r\n\r\n");
    world_advance(20000);
    ck_assert_ptr_null(world_sent());
}
END_TEST

START_TEST(a_silent_phone_is_forgotten_and_its_path_is_430)
{
    const struct sent *s;
    char path[512];

    phone_says(PHONE, 4321, request("REGISTER", 1));
    s = world_expect("REGISTER", -1, WORLD_SERVER_A);
    (void)snprintf(path, sizeof(path), "%s", world_value(s, "Path", 0));
    world_from_server(WORLD_SERVER_A, 0, "%s", world_answer(s, 200, "r", ""));
    (void)expect_to_phone("SIP/2.0 200");
    world_advance(world.cfg.udp_flow_ms + 31000);
    world_from_server(WORLD_SERVER_A, 0,
                      "MESSAGE sip:p@10.9.9.9:5060 SIP/2.0\r\n"
                      "Via: SIP/2.0/UDP 10.0.0.10:5060;branch=z9hG4bKin\r\n"
                      "Max-Forwards: 70\r\nRoute: %s\r\n"
                      "From: <sip:bob@example.org>;tag=bo\r\n"
                      "To: <sip:p@example.org>\r\n"
                      "Call-ID: in-1\r\nCSeq: 3 MESSAGE\r\n\r\n",
                      path);
    (void)world_expect("SIP/2.0 430", -1, WORLD_SERVER_A);
}
END_TEST

START_TEST(invented_addresses_do_not_keep_connections_out)
{
    unsigned refused = 0;

    for (uint32_t i = 0; i < 100; i++) {
        const struct sent *s;

        phone_says(PHONE + i, 5060, request("OPTIONS", i));
        while ((s = world_sent()) != NULL)
            refused += strncmp(s->text, "SIP/2.0 503", 11) == 0;
    }
    ck_assert_uint_eq(refused, 100 - world.cfg.max_flows / 2);
    world_connect(0, 0, 0); /* fails when there is no room */
    world_disconnect(0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("sip_datagram");
    TCase *tc = tcase_create("outside");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, register_and_a_call_in_find_the_address_it_came_from);
    tcase_add_test(tc, on_the_datagram_side_outside_we_repeat_too);
    tcase_add_test(tc, a_silent_phone_is_forgotten_and_its_path_is_430);
    tcase_add_test(tc, invented_addresses_do_not_keep_connections_out);
    suite_add_tcase(suite, tc);
    return suite;
}
