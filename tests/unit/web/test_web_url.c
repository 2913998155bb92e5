/* SPDX-License-Identifier: MIT */
#include "proxy/web_url.h"

#include "support_message.h"

static struct buf out;
static struct web_upstream upstream;
static struct web_backend backend;
static struct web_route route;
static struct web_url_view view;
static struct web_request rq;

static void setup(void)
{
    buf_init(&out, 65536);
    upstream = (struct web_upstream){.name = "a"};
    backend = (struct web_backend){
        .upstream = &upstream, .host = "10.0.0.20", .port = 8080};
    route = (struct web_route){.put_right = true};
    ck_assert_int_eq(web_route_set_path(&route, "/"), 0);
    view = (struct web_url_view){.secure = true,
                                 .host = span_str("Edge.example:8443"),
                                 .port = 8443,
                                 .route = &route,
                                 .backend = &backend};
}

static void teardown(void)
{
    message_free();
    buf_deinit(&out);
    ck_assert_no_blocks();
}

static const char *text(void)
{
    buf_put_byte(&out, 0);
    ck_assert_int_eq(buf_err(&out), 0);
    return (const char *)buf_span(&out).ptr;
}

/* `want` NULL: stays as it is. */
static const struct {
    const char *prefix, *rewrite, *value, *want;
} locations[] = {
    {"/", "", "/login", NULL},
    {"/", "", "login", NULL},
    {"/", "", "//other.example/x", NULL},
    {"/", "", "https://other.example/x", NULL},
    {"/", "", "http://10.0.0.20:8080/x?y#z", "https://edge.example:8443/x?y#z"},
    {"/", "", "http://10.0.0.20:8080", "https://edge.example:8443"},
    {"/", "", "http://10.0.0.20:8081/x", NULL},
    {"/", "", "https://edge.example/x", "https://edge.example:8443/x"},
    {"/", "", "http://EDGE.example/x", "https://edge.example:8443/x"},
    {"/", "", "http://edge.example:8080/x", "https://edge.example:8443/x"},
    {"/", "", "https://edge.example:8443/x", NULL},
    {"/", "", "https://edge.example:9000/x", NULL},
    {"/", "", "https://user@edge.example/x", NULL},
    {"/app", "/", "/x", "/app/x"},
    {"/app", "/", "/", "/app/"},
    {"/app", "/", "http://10.0.0.20:8080/", "https://edge.example:8443/app/"},
    {"/app", "/in/side", "/in/side/x?y", "/app/x?y"},
    {"/app", "/in/side", "/in/side", "/app"},
    {"/app", "/in/side", "/in/sider", NULL},
    {"/app", "/in/side", "/other", NULL},
    {"/app/", "/in", "/in/x", "/app/x"},
};

START_TEST(what_a_back_end_says_is_put_right)
{
    bool changed;

    ck_assert_int_eq(web_route_set_path(&route, locations[_i].prefix), 0);
    route.rewrite = span_str(locations[_i].rewrite);
    changed = web_url_location(&out, &view, span_str(locations[_i].value));
    ck_assert_msg(changed == (locations[_i].want != NULL), "\"%s\"",
                  locations[_i].value);
    if (changed)
        ck_assert_str_eq(text(), locations[_i].want);
    else
        ck_assert_uint_eq(buf_len(&out), 0);
}
END_TEST

START_TEST(a_named_back_end_is_known_by_its_host_field)
{
    upstream.host_field = "inside.example";
    ck_assert(
        web_url_location(&out, &view, span_str("https://inside.example/x")));
    ck_assert_str_eq(text(), "https://edge.example:8443/x");
}
END_TEST

START_TEST(the_usual_port_is_not_written)
{
    view.host = span_str("edge.example");
    view.port = 443;
    ck_assert(
        web_url_location(&out, &view, span_str("http://10.0.0.20:8080/x")));
    ck_assert_str_eq(text(), "https://edge.example/x");
}
END_TEST

static const struct {
    const char *prefix, *rewrite, *value, *want;
    bool secure;
} cookies[] = {
    {"/", "", "a=b; Path=/; HttpOnly", NULL, false},
    {"/", "", "a=b; Domain=edge.example", NULL, false},
    {"/", "", "a=b; Domain=10.0.0.20; Path=/", "a=b; Path=/", false},
    {"/app", "/", "a=b;path=/x;HttpOnly", "a=b; Path=/app/x; HttpOnly", false},
    {"/app", "/", "path=/x", NULL, false},
    {"/", "", "a=b", "a=b; Secure", true},
    {"/", "", "a=b; secure", NULL, true},
};

START_TEST(cookies_are_put_right)
{
    bool changed;

    ck_assert_int_eq(web_route_set_path(&route, cookies[_i].prefix), 0);
    route.rewrite = span_str(cookies[_i].rewrite);
    view.cookie_secure = cookies[_i].secure;
    changed = web_url_cookie(&out, &view, span_str(cookies[_i].value));
    ck_assert_msg(changed == (cookies[_i].want != NULL), "\"%s\"",
                  cookies[_i].value);
    if (changed)
        ck_assert_str_eq(text(), cookies[_i].want);
}
END_TEST

static const struct {
    const char *prefix, *location, *want;
    uint16_t port;
} redirects[] = {
    {"/old", "https://new.example{rest}{query}", "https://new.example/x?y=1",
     443},
    {"/old", "{origin}/new{rest}", "https://edge.example:8443/new/x", 8443},
    {"/old", "https://{host}{port}{path}", "https://edge.example/old/x", 443},
    {"/old", "/plain", "/plain", 443},
};

START_TEST(redirects_name_parts_of_the_request)
{
    ck_assert_int_eq(web_route_set_path(&route, redirects[_i].prefix), 0);
    route.location = span_str(redirects[_i].location);
    ck_assert_int_eq(web_url_check_template(route.location), 0);
    ck_assert_int_eq(
        web_request_read(&rq, message_request("GET /old/x?y=1 HTTP/1.1\r\n"
                                              "Host: Edge.example\r\n\r\n")),
        0);
    web_url_expand(&out, &route, &rq, redirects[_i].port);
    ck_assert_str_eq(text(), redirects[_i].want);
}
END_TEST

START_TEST(templates_are_checked)
{
    static const char *const bad[] = {"{what}", "{host", "host}",  "a b",
                                      "{}",     "a\xff", "{host}}"};

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        ck_assert_msg(web_url_check_template(span_str(bad[i])) < 0, "%s",
                      bad[i]);
}
END_TEST

static const struct {
    const char *prefix, *rewrite, *path, *want;
} rewrites[] = {
    {"/app", "/", "/app", "/"},           {"/app", "/", "/app/", "/"},
    {"/app", "/", "/app/x/y", "/x/y"},    {"/app", "/in", "/app/x", "/in/x"},
    {"/app", "/in", "/app", "/in"},       {"/app/", "/in", "/app/x", "/in/x"},
    {"/app/", "/in/", "/app/x", "/in/x"}, {"/", "/in", "/x", "/in/x"},
};

START_TEST(the_prefix_is_rewritten)
{
    char path[64];
    int len;

    ck_assert_int_eq(web_route_set_path(&route, rewrites[_i].prefix), 0);
    route.rewrite = span_str(rewrites[_i].rewrite);
    len = web_url_rewrite(&route, span_str(rewrites[_i].path), path,
                          sizeof(path));
    ck_assert_int_ge(len, 0);
    ck_assert_span_eq(span_of(path, (size_t)len), rewrites[_i].want);
    ck_assert_int_lt(web_url_rewrite(&route, span_str(rewrites[_i].path), path,
                                     (size_t)len - 1),
                     0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("web_url");
    TCase *tcase = tcase_create("urls");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, what_a_back_end_says_is_put_right, 0,
                        ARRAY_SIZE(locations));
    tcase_add_test(tcase, a_named_back_end_is_known_by_its_host_field);
    tcase_add_test(tcase, the_usual_port_is_not_written);
    tcase_add_loop_test(tcase, cookies_are_put_right, 0, ARRAY_SIZE(cookies));
    tcase_add_loop_test(tcase, redirects_name_parts_of_the_request, 0,
                        ARRAY_SIZE(redirects));
    tcase_add_test(tcase, templates_are_checked);
    tcase_add_loop_test(tcase, the_prefix_is_rewritten, 0,
                        ARRAY_SIZE(rewrites));
    suite_add_tcase(suite, tcase);
    return suite;
}
