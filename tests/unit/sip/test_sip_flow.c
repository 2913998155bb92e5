/* SPDX-License-Identifier: MIT */
#include "base/err.h"
#include "proxy/sip_flow.h"
#include "support/unit.h"

#include <errno.h>
#include <stdio.h>

enum { MAX = 4 };

static struct sip_flows *flows;
static int conn; /* stands for a connection of the shell */
static const struct sip_target somewhere = {.transport = SIP_WS};

static void setup(void)
{
    ck_assert_int_eq(sip_flows_new(&flows, MAX, 0x5A5A1234), 0);
}

static void teardown(void)
{
    sip_flows_free(flows);
    ck_assert_no_blocks();
}

static struct sip_token token_of(const struct sip_flow *flow)
{
    return (struct sip_token){.flow = sip_flow_token_id(flows, flow)};
}

START_TEST(a_token_finds_its_connection_until_it_closes)
{
    struct sip_flow *flow = sip_flows_open(flows, &somewhere, &conn, 5);
    struct sip_token token = token_of(flow);

    ck_assert_ptr_eq(sip_flows_find_token(flows, &token), flow);
    ck_assert_ptr_eq(sip_flows_find(flows, flow->target.flow), flow);
    sip_flows_close(flows, flow);
    ck_assert_ptr_null(sip_flows_find_token(flows, &token));
}
END_TEST

START_TEST(the_next_connection_in_the_slot_is_another)
{
    struct sip_flow *flow = sip_flows_open(flows, &somewhere, &conn, 5);
    struct sip_token token = token_of(flow);

    sip_flows_close(flows, flow);
    for (int i = 0; i < MAX; i++)
        ck_assert_ptr_nonnull(sip_flows_open(flows, &somewhere, &conn, 6));
    ck_assert_ptr_null(sip_flows_find_token(flows, &token));
}
END_TEST

START_TEST(a_token_of_an_earlier_start_names_nothing)
{
    struct sip_flows *before;
    struct sip_flow *flow;
    struct sip_token token;

    ck_assert_int_eq(sip_flows_new(&before, MAX, 0x0BADCAFE), 0);
    flow = sip_flows_open(before, &somewhere, &conn, 5);
    token.flow = sip_flow_token_id(before, flow);
    ck_assert_ptr_nonnull(sip_flows_open(flows, &somewhere, &conn, 5));
    ck_assert_ptr_null(sip_flows_find_token(flows, &token));
    sip_flows_free(before);
}
END_TEST

START_TEST(a_full_table_opens_no_more)
{
    for (int i = 0; i < MAX; i++)
        ck_assert_ptr_nonnull(sip_flows_open(flows, &somewhere, &conn, 0));
    ck_assert_ptr_null(sip_flows_open(flows, &somewhere, &conn, 0));
    ck_assert_uint_eq(sip_flows_count(flows), MAX);
}
END_TEST

START_TEST(a_datagram_client_is_found_by_its_address)
{
    struct sip_target t = {.transport = SIP_UDP,
                           .listener = 1,
                           .remote = addr_v4(0xCB007105, 5061)};
    struct sip_flow *flow = sip_flows_open(flows, &t, NULL, 0);

    ck_assert_ptr_eq(sip_flows_find_remote(flows, &t), flow);
    ck_assert_ptr_null(sip_flows_open(flows, &t, NULL, 0));
    t.listener = 2;
    ck_assert_ptr_null(sip_flows_find_remote(flows, &t));
    t.listener = 1;
    sip_flows_close(flows, flow);
    ck_assert_ptr_null(sip_flows_find_remote(flows, &t));
}
END_TEST

START_TEST(contacts_are_remembered_newest_first_and_bounded)
{
    struct sip_flow *flow = sip_flows_open(flows, &somewhere, &conn, 0);
    char uri[64];

    for (int i = 0; i < SIP_FLOW_CONTACTS + 2; i++) {
        (void)snprintf(uri, sizeof(uri), "sip:u%d@a.invalid;transport=ws", i);
        ck_assert_int_eq(sip_flow_keep_contact(flow, span_str(uri)), 0);
    }
    ck_assert_span_eq(sip_flow_contact(flow, span_str("u5")),
                      "sip:u5@a.invalid;transport=ws");
    ck_assert_uint_eq(sip_flow_contact(flow, span_str("u0")).len, 0);
    ck_assert_uint_eq(sip_flow_contact(flow, span_str("u1")).len, 0);
    ck_assert_span_eq(sip_flow_contact(flow, span_str("u2")),
                      "sip:u2@a.invalid;transport=ws");
    /* the same one again takes no place */
    ck_assert_int_eq(
        sip_flow_keep_contact(flow, span_str("sip:u2@a.invalid;transport=ws")),
        SIP_FLOW_CONTACTS - 1);
}
END_TEST

START_TEST(a_contact_beyond_what_registrars_take_is_refused)
{
    struct sip_flow *flow = sip_flows_open(flows, &somewhere, &conn, 0);
    char uri[SIP_FLOW_CONTACT_MAX + 1];

    memset(uri, 'a', sizeof(uri));
    ck_assert_int_eq(sip_flow_keep_contact(flow, span_of(uri, sizeof(uri))),
                     ERR_LIMIT);
}
END_TEST

START_TEST(limits_are_checked_and_every_failed_allocation_is_handled)
{
    struct sip_flows *f = NULL;
    int err;

    ck_assert_int_eq(sip_flows_new(&f, 0, 1), -EINVAL);
    ck_assert_int_eq(sip_flows_new(&f, SIP_FLOW_MAX + 1, 1), -EINVAL);
    CK_OOM_SWEEP(err, err = sip_flows_new(&f, MAX, 1));
    sip_flows_free(f);
    sip_flows_free(NULL);
}
END_TEST

START_TEST(an_idle_flow_costs_little)
{
    ck_assert_uint_le(sizeof(struct sip_flow), 256);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("sip_flow");
    TCase *t = tcase_create("flow");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_token_finds_its_connection_until_it_closes);
    tcase_add_test(t, the_next_connection_in_the_slot_is_another);
    tcase_add_test(t, a_token_of_an_earlier_start_names_nothing);
    tcase_add_test(t, a_full_table_opens_no_more);
    tcase_add_test(t, a_datagram_client_is_found_by_its_address);
    tcase_add_test(t, contacts_are_remembered_newest_first_and_bounded);
    tcase_add_test(t, a_contact_beyond_what_registrars_take_is_refused);
    tcase_add_test(t,
                   limits_are_checked_and_every_failed_allocation_is_handled);
    tcase_add_test(t, an_idle_flow_costs_little);
    suite_add_tcase(s, t);
    return s;
}
