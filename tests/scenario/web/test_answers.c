/* SPDX-License-Identifier: MIT */
/* What a route changes of requests and answers, seen from outside. */
#include "support_fake.h"

#define GET "GET / HTTP/1.1\r\nHost: edge.example:8443\r\n\r\n"

static struct web_edit list[4];

static struct web_edits edits(size_t n, const char *const *texts)
{
    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(web_edit_parse(span_str(texts[i]), &list[i]), 0);
    return (struct web_edits){list, n};
}

START_TEST(fields_are_hidden_replaced_and_added)
{
    static const char *const texts[] = {"-Server", "X-Frame-Options: DENY",
                                        "+Link: </a>"};
    struct fake_io *client;
    const char *got;

    fake_route("/", 0)->edits = edits(3, texts);
    fake_start();
    client = fake_client();
    fake_send(client, GET);
    fake_send(fake_dialled(), "HTTP/1.1 200 OK\r\nServer: x/1\r\n"
                              "x-frame-options: SAMEORIGIN\r\nLink: </b>\r\n"
                              "Content-Length: 2\r\n\r\nok");
    got = fake_take(client);
    ck_assert_lacks(got, "Server");
    ck_assert_lacks(got, "SAMEORIGIN");
    ck_assert_has(got, "X-Frame-Options: DENY\r\n");
    ck_assert_has(got, "Link: </b>\r\n");
    ck_assert_has(got, "Link: </a>\r\n");
    ck_assert_has(got, "\r\n\r\nok");
}
END_TEST

START_TEST(own_answers_have_them_too)
{
    static const char *const texts[] = {"-Server", "X-Frame-Options: DENY",
                                        "Cache-Control: private"};
    struct fake_io *client;
    const char *got;

    fake_route("/", 0)->edits = edits(3, texts);
    fake_start();
    client = fake_client();
    fake_send(client, GET);
    fake_dial_failed(-111);
    got = fake_take(client);
    ck_assert_starts(got, "HTTP/1.1 502 ");
    ck_assert_has(got, "X-Frame-Options: DENY\r\n");
    ck_assert_has(got, "Cache-Control: private\r\n");
    ck_assert_lacks(got, "no-store");
}
END_TEST

START_TEST(addresses_are_put_right)
{
    struct fake_io *client, *server;
    struct web_route *r = fake_route("/app", 0);
    const char *got;

    r->rewrite = span_str("/");
    r->put_right = true;
    fake_start();
    client = fake_client();
    fake_send(client, "GET /app/x?y HTTP/1.1\r\nHost: edge.example:8443\r\n"
                      "\r\n");
    server = fake_dialled();
    ck_assert_starts(fake_take(server), "GET /x?y HTTP/1.1\r\n");
    fake_send(server, "HTTP/1.1 302 Found\r\nLocation: /login\r\n"
                      "Set-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n");
    got = fake_take(client);
    ck_assert_has(got, "Location: /app/login\r\n");
    ck_assert_has(got, "Set-Cookie: a=b; Path=/app\r\n");
    fake_send(client, "GET /app HTTP/1.1\r\nHost: edge.example:8443\r\n\r\n");
    fake_send(server, "HTTP/1.1 302 Found\r\n"
                      "Location: https://edge.example/z\r\n"
                      "Content-Length: 0\r\n\r\n");
    ck_assert_has(fake_take(client),
                  "Location: https://edge.example:8443/app/z\r\n");
}
END_TEST

START_TEST(other_methods_are_405)
{
    struct fake_io *client;
    struct web_route *r = fake_route("/", 0);
    const char *got;

    r->methods = UINT32_C(1) << HTTP_METHOD_GET;
    r->allow = "GET";
    fake_start();
    client = fake_client();
    fake_send(client, "DELETE / HTTP/1.1\r\nHost: a\r\n\r\n");
    got = fake_take(client);
    ck_assert_starts(got, "HTTP/1.1 405 ");
    ck_assert_has(got, "Allow: GET\r\n");
    ck_assert_uint_eq(fake.stats.refused_method, 1);
    fake_send(client, GET);
    ck_assert_uint_eq(fake_open_dials(), 1);
}
END_TEST

START_TEST(clients_are_allowed_and_denied)
{
    static struct cidr allowed, denied;
    struct web_route *r = fake_route("/", 0);

    ck_assert_int_eq(cidr_parse(span_str("10.0.0.0/8"), &allowed), 0);
    ck_assert_int_eq(cidr_parse(span_str("10.1.0.0/16"), &denied), 0);
    r->allowed = (struct web_nets){&allowed, 1};
    r->denied = (struct web_nets){&denied, 1};
    fake_start();
    fake_send(fake_client_at(&fake.https, "10.2.0.1:9"), GET);
    ck_assert_uint_eq(fake.n_dials, 1);
    fake_send(fake_client_at(&fake.https, "10.1.0.1:9"), GET);
    fake_send(fake_client_at(&fake.https, "[::ffff:10.1.0.1]:9"), GET);
    fake_send(fake_client_at(&fake.https, "192.0.2.1:9"), GET);
    ck_assert_uint_eq(fake.n_dials, 1);
    ck_assert_uint_eq(fake.stats.refused_client, 3);
}
END_TEST

START_TEST(maintenance_is_503_but_for_testers)
{
    static const struct web_error_page page = {
        503, 503, {(const uint8_t *)"soon", 4}, {NULL, 0}};
    static struct cidr tester;
    struct fake_io *client;
    const char *got;

    ck_assert_int_eq(cidr_parse(span_str("10.0.0.0/8"), &tester), 0);
    fake.site.maintenance = true;
    fake.site.maintenance_retry_s = 60;
    fake.site.testers = &tester;
    fake.site.n_testers = 1;
    fake.site.errors = (struct web_errors){&page, 1};
    fake_start();
    client = fake_client();
    fake_send(client, GET);
    got = fake_take(client);
    ck_assert_starts(got, "HTTP/1.1 503 ");
    ck_assert_has(got, "Retry-After: 60\r\n");
    ck_assert_has(got, "\r\n\r\nsoon");
    fake_send(client, "GET / HTTP/1.1\r\nHost: a\r\n"
                      "Accept: application/json\r\n\r\n");
    got = fake_take(client);
    ck_assert_has(got, "Content-Type: application/json\r\n");
    ck_assert_has(got, "{\"status\":503,");
    fake_send(fake_client_at(&fake.https, "10.0.0.1:9"), GET);
    ck_assert_uint_eq(fake.n_dials, 1);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("web answers");
    TCase *tcase = tcase_create("answers");

    tcase_add_checked_fixture(tcase, fake_setup, fake_teardown);
    tcase_add_test(tcase, fields_are_hidden_replaced_and_added);
    tcase_add_test(tcase, own_answers_have_them_too);
    tcase_add_test(tcase, addresses_are_put_right);
    tcase_add_test(tcase, other_methods_are_405);
    tcase_add_test(tcase, clients_are_allowed_and_denied);
    tcase_add_test(tcase, maintenance_is_503_but_for_testers);
    suite_add_tcase(suite, tcase);
    return suite;
}
