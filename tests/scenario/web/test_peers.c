/* SPDX-License-Identifier: MIT */
/* Clients with certificates: who may ask for what, and what back ends learn. */
#include "support_fake.h"

#include <stdio.h>

static struct web_peer_rule rules[] = {
    {.host = "api.test", .field = "X-Client-Subject", .required = true},
    {.host = "open.test", .field = "X-Client-Subject"},
};

static void setup(void)
{
    fake_setup();
    fake.site.peers = rules;
    fake.site.n_peers = ARRAY_SIZE(rules);
    fake_route("/", 0);
    fake_route("/closed", 0)->wants_certificate = true;
    fake_start();
}

/* A client whose TLS session was made under the rules of `host`. */
static struct fake_io *client_of(const char *host, const char *subject)
{
    struct fake_io *io = fake_client();
    struct web_peer *peer = web_peer_new();

    strcpy(peer->host, host);
    if (subject)
        strcpy(peer->subject, subject);
    peer->verified = subject != NULL;
    web_session_set_peer(io->session, peer);
    web_peer_unref(peer);
    return io;
}

static void ask(struct fake_io *io, const char *host, const char *path)
{
    char text[300];

    snprintf(text, sizeof(text),
             "GET %s HTTP/1.1\r\nHost: %s\r\nX-Client-Subject: CN=root\r\n"
             "x_client_subject: CN=root\r\n\r\n",
             path, host);
    fake_send(io, text);
}

static void is_refused(struct fake_io *io, const char *status)
{
    ck_assert_has(fake_take(io), status);
    ck_assert_uint_eq(fake_open_dials(), 0);
}

START_TEST(the_back_end_learns_who_it_is)
{
    struct fake_io *client = client_of("api.test", "O=Example, CN=alice");
    struct fake_io *back;
    const char *head;

    ask(client, "api.test", "/");
    back = fake_dialled();
    head = fake_take(back);
    ck_assert_has(head, "\r\nX-Client-Subject: O=Example, CN=alice\r\n");
    ck_assert_ptr_null(strstr(head, "root"));
    fake_send(back, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    ck_assert_has(fake_take(client), "HTTP/1.1 200");
    /* and so with the next request of the connection */
    ask(client, "api.test", "/");
    ck_assert_has(fake_take(back), "\r\nX-Client-Subject: O=Example, CN=alice");
}
END_TEST

START_TEST(nobody_else_says_it)
{
    struct fake_io *client = fake_client();
    const char *head;

    ask(client, "web.test", "/");
    head = fake_take(fake_dialled());
    ck_assert_ptr_null(strstr(head, "root"));
    ck_assert_ptr_null(strstr(head, "Subject"));
    client = client_of("open.test", NULL);
    ask(client, "open.test", "/");
    head = fake_take(fake_dialled());
    ck_assert_ptr_null(strstr(head, "root"));
}
END_TEST

START_TEST(a_connection_is_for_its_host)
{
    ask(fake_client(), "web.test", "/");
    (void)fake_dialled();
    {
        struct fake_io *plain = fake_client();
        struct fake_io *api = client_of("api.test", "CN=alice");
        struct fake_io *open = client_of("open.test", "CN=alice");

        ask(plain, "api.test", "/");
        is_refused(plain, "HTTP/1.1 421 Misdirected Request");
        ask(plain, "open.test:443", "/");
        is_refused(plain, "HTTP/1.1 421");
        ask(api, "open.test", "/");
        is_refused(api, "HTTP/1.1 421");
        ask(open, "web.test", "/");
        is_refused(open, "HTTP/1.1 421");
    }
    ck_assert_uint_eq(fake.stats.refused_certificate, 4);
}
END_TEST

START_TEST(where_it_is_optional_routes_ask_for_it)
{
    struct fake_io *shy = client_of("open.test", NULL);
    struct fake_io *good = client_of("open.test", "CN=alice");

    ask(shy, "open.test", "/closed");
    is_refused(shy, "HTTP/1.1 403");
    ask(good, "open.test", "/closed");
    ck_assert_has(fake_take(fake_dialled()), "X-Client-Subject: CN=alice");
    /* a route may ask for it where no rule does: then nobody has one */
    {
        struct fake_io *plain = fake_client();

        ask(plain, "web.test", "/closed");
        is_refused(plain, "HTTP/1.1 403");
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("web peers");
    TCase *tc = tcase_create("peers");

    tcase_add_checked_fixture(tc, setup, fake_teardown);
    tcase_add_test(tc, the_back_end_learns_who_it_is);
    tcase_add_test(tc, nobody_else_says_it);
    tcase_add_test(tc, a_connection_is_for_its_host);
    tcase_add_test(tc, where_it_is_optional_routes_ask_for_it);
    suite_add_tcase(suite, tc);
    return suite;
}
