/* SPDX-License-Identifier: MIT */
/* Rates and tokens, seen from outside. */
#include "support_fake.h"

#include <stdio.h>

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

START_TEST(over_the_rate_is_429_with_a_time)
{
    struct fake_io *client, *server;
    const char *got;

    fake_zone(fake_route("/", 0), "20r/m", 1, WEB_ZONE_NODELAY);
    fake_start();
    client = fake_client();
    fake_send(client, GET);
    server = fake_dialled();
    fake_send(server, OK);
    fake_send(client, GET);
    fake_send(server, OK);
    fake_take(client);
    fake_send(client, GET);
    got = fake_take(client);
    ck_assert_starts(got, "HTTP/1.1 429 Too Many Requests\r\n");
    ck_assert_has(got, "Retry-After: 4\r\n");
    ck_assert(!client->shut);
    ck_assert_uint_eq(fake.stats.refused_zone, 1);
    fake_sleep(4000);
    fake_send(client, GET);
    fake_send(server, OK);
    ck_assert_starts(fake_take(client), "HTTP/1.1 200");
}
END_TEST

START_TEST(exempt_clients_have_no_rate)
{
    struct cidr nets[2];
    struct fake_io *client, *server;

    ck_assert_int_eq(cidr_parse(span_str("10.0.0.0/8"), &nets[0]), 0);
    ck_assert_int_eq(cidr_parse(span_str("fc00::/7"), &nets[1]), 0);
    fake.site.exempt = nets;
    fake.site.n_exempt = 2;
    fake_zone(fake_route("/", 0), "1r/m", 0, WEB_ZONE_NODELAY);
    fake_start();
    client = fake_client_at(&fake.https, "10.1.2.3:9");
    fake_send(client, GET);
    server = fake_dialled();
    fake_send(server, OK);
    for (int i = 0; i < 5; i++) {
        fake_send(client, GET);
        fake_send(server, OK);
    }
    client = fake_client_at(&fake.https, "[::ffff:10.1.2.3]:9");
    for (int i = 0; i < 5; i++) {
        fake_send(client, GET);
        fake_send(server, OK);
    }
    ck_assert_uint_eq(fake.stats.answered_2xx, 11);
    ck_assert_uint_eq(fake.stats.refused_zone, 0);
}
END_TEST

START_TEST(delayed_requests_wait_for_their_turn)
{
    struct fake_io *client, *server;

    fake_zone(fake_route("/", 0), "10r/s", 5, WEB_ZONE_DELAY);
    fake_start();
    client = fake_client();
    fake_send(client, GET GET GET);
    server = fake_dialled();
    fake_take(server);
    fake_send(server, OK);
    ck_assert_str_eq(fake_take(server), "");
    fake_sleep(99);
    ck_assert_str_eq(fake_take(server), "");
    fake_sleep(1);
    ck_assert_starts(fake_take(server), "GET ");
    ck_assert_uint_eq(fake.stats.delayed, 1);
    fake_send(server, OK);
    fake_sleep(100);
    ck_assert_starts(fake_take(server), "GET ");
}
END_TEST

START_TEST(so_many_wait_and_no_more)
{
    struct fake_io *clients[6];
    int busy = 0;

    fake_zone(fake_route("/", 0), "1r/s", 100, WEB_ZONE_DELAY);
    fake_start();
    for (int i = 0; i < 6; i++) {
        clients[i] = fake_client();
        fake_send(clients[i], GET);
    }
    for (int i = 0; i < 6; i++)
        busy += strncmp(fake_take(clients[i]), "HTTP/1.1 503", 12) == 0;
    ck_assert_int_eq(busy, 1); /* one passed, four wait */
}
END_TEST

START_TEST(a_client_that_leaves_waits_no_more)
{
    struct fake_io *client;

    fake_zone(fake_route("/", 0), "1r/s", 100, WEB_ZONE_DELAY);
    fake_start();
    for (int i = 0; i < 10; i++) {
        client = fake_client();
        fake_send(client, GET);
        ck_assert_str_eq(fake_take(client), "");
        fake_close(client, 0);
    }
    fake_sleep(60000);
    ck_assert_uint_eq(fake_open_dials(), 0);
}
END_TEST

START_TEST(delayed_content_is_kept_and_bounded)
{
    struct fake_io *client, *server;

    fake_zone(fake_route("/", 0), "1r/s", 100, WEB_ZONE_DELAY);
    fake_start();
    client = fake_client();
    fake_send(client, GET);
    fake_send(fake_dialled(), OK);
    fake_send(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
                      "hello");
    ck_assert(client->paused);
    server = &fake.ios[1];
    fake_take(server);
    fake_sleep(1000);
    ck_assert_has(fake_take(server), "\r\n\r\nhello");
    ck_assert(!client->paused);
}
END_TEST

static const struct {
    enum web_token_check check;
    const char *target;
    const char *answer; /* NULL: goes on */
} tokens[] = {
    {WEB_TOKEN_PRESENT, "/wssip?token=x", NULL},
    {WEB_TOKEN_PRESENT, "/wssip", "HTTP/1.1 403 "},
    {WEB_TOKEN_PRESENT, "/wssip?token=", "HTTP/1.1 403 "},
    {WEB_TOKEN_PRESENT, "/wssip?%74oken=x", "HTTP/1.1 400 "},
    {WEB_TOKEN_PRESENT, "/wssip?token=x&token=y", "HTTP/1.1 400 "},
    {WEB_TOKEN_FORMAT, "/wssip?token=x", "HTTP/1.1 403 "},
    {WEB_TOKEN_FORMAT, "/wssip?a=1&token=eyJ.eyJ.x-_9", NULL},
};

START_TEST(a_token_is_asked_for)
{
    struct fake_io *client;
    char request[256];
    struct web_route *r = fake_route("/wssip", 0);

    r->check = tokens[_i].check;
    fake_start();
    client = fake_client();
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n",
             tokens[_i].target);
    fake_send(client, request);
    if (!tokens[_i].answer) {
        ck_assert_has(fake_take(fake_dialled()), tokens[_i].target);
        return;
    }
    ck_assert_starts(fake_take(client), tokens[_i].answer);
    ck_assert_uint_eq(fake.n_dials, 0);
    ck_assert_uint_eq(fake.stats.refused_token, 1);
}
END_TEST

START_TEST(a_refused_token_counts_for_the_rate)
{
    struct fake_io *client;
    struct web_route *r = fake_route("/", 0);

    r->check = WEB_TOKEN_PRESENT;
    fake_zone(r, "20r/m", 2, WEB_ZONE_NODELAY);
    fake_start();
    client = fake_client();
    fake_send(client, GET GET GET GET);
    ck_assert_uint_eq(fake.stats.refused_token, 3);
    ck_assert_uint_eq(fake.stats.refused_zone, 1);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("web guard");
    TCase *tcase = tcase_create("guard");

    tcase_add_checked_fixture(tcase, fake_setup, fake_teardown);
    tcase_add_test(tcase, over_the_rate_is_429_with_a_time);
    tcase_add_test(tcase, exempt_clients_have_no_rate);
    tcase_add_test(tcase, delayed_requests_wait_for_their_turn);
    tcase_add_test(tcase, so_many_wait_and_no_more);
    tcase_add_test(tcase, a_client_that_leaves_waits_no_more);
    tcase_add_test(tcase, delayed_content_is_kept_and_bounded);
    tcase_add_loop_test(tcase, a_token_is_asked_for, 0, ARRAY_SIZE(tokens));
    tcase_add_test(tcase, a_refused_token_counts_for_the_rate);
    suite_add_tcase(suite, tcase);
    return suite;
}
