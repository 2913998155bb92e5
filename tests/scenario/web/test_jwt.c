/* SPDX-License-Identifier: MIT */
/* Valid tokens, seen from outside: where they are found, what reaches the back
 * end, what a client without one is told. */
#include "support_fake.h"

#include "base/crypto.h"
#include "base/text.h"

#include <stdio.h>

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static const char secret[] = "0123456789abcdef0123456789abcdef";
static const char *const fields[] = {"X-User"};
static struct jwt_keys *keys;
static struct web_jwt jwt;
static char token[512];

/* Signed with the secret; the fake world's date is 784111777. */
static const char *make_token(const char *claims)
{
    uint8_t mac[CRYPTO_SHA256_SIZE];
    struct span text;
    size_t n =
        text_base64(TEXT_BASE64URL, span_str("{\"alg\":\"HS256\"}"), token);

    token[n++] = '.';
    n += text_base64(TEXT_BASE64URL, span_str(claims), token + n);
    text = span_of(token, n);
    crypto_hmac_sha256(span_str(secret), &text, 1, mac);
    token[n++] = '.';
    text_base64(TEXT_BASE64URL, span_of(mac, sizeof(mac)), token + n);
    return token;
}

static void setup(void)
{
    struct buf why;

    fake_setup();
    buf_init(&why, 256);
    keys = jwt_keys_new();
    ck_assert_ptr_nonnull(keys);
    ck_assert_int_eq(jwt_keys_add_secret(keys, span_str(secret), &why), 0);
    buf_deinit(&why);
    jwt = (struct web_jwt){.source = WEB_JWT_QUERY,
                           .name = "token",
                           .policy = {.keys = keys, .claim = "sub"},
                           .field = "X-User"};
    make_token("{\"exp\":784111778,\"sub\":\"jo\"}");
}

static void teardown(void)
{
    jwt_keys_free(keys);
    fake_teardown();
}

static void start(enum web_jwt_source source, const char *name, bool strip)
{
    struct web_route *route = fake_route("/", 0);

    jwt.source = source;
    jwt.name = name;
    jwt.strip = strip;
    route->check = WEB_TOKEN_VALID;
    route->jwt = &jwt;
    fake.site.own_fields = fields;
    fake.site.n_own_fields = 1;
    fake_start();
}

/* The head that reaches the back end for this request. */
static const char *forwarded(const char *target, const char *lines)
{
    char text[2048];
    struct fake_io *client = fake_client(), *server;
    const char *head;

    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n", target,
             lines);
    fake_send(client, text);
    ck_assert_msg(fake_open_dials() == 1, "refused: %s", fake_take(client));
    server = fake_dialled();
    head = fake_take(server);
    fake_send(server, OK);
    ck_assert_starts(fake_take(client), "HTTP/1.1 200");
    fake_close(server, 0);
    return head;
}

/* The answer to a request that no back end may hear of. */
static const char *refused(const char *target, const char *lines)
{
    char text[2048];
    struct fake_io *client = fake_client();

    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n", target,
             lines);
    fake_send(client, text);
    ck_assert_uint_eq(fake_open_dials(), 0);
    return fake_take(client);
}

static const char *with(const char *format)
{
    static char out[4][1024];
    static unsigned at;
    char *text = out[at++ % 4];
    const char *mark = strchr(format, '@');

    snprintf(text, sizeof(out[0]), "%.*s%s%s", (int)(mark - format), format,
             token, mark + 1);
    return text;
}

START_TEST(a_good_token_passes_and_says_who_it_is)
{
    const char *got;

    start(WEB_JWT_QUERY, "token", false);
    got = forwarded(with("/x?a=1&token=@"), "X-User: root\r\nX_USER: root\r\n");
    ck_assert_starts(got, with("GET /x?a=1&token=@ HTTP/1.1\r\n"));
    ck_assert_has(got, "\r\nX-User: jo\r\n");
    ck_assert_lacks(got, "root");
}
END_TEST

START_TEST(without_a_token_the_way_is_named)
{
    const char *got;

    start(WEB_JWT_QUERY, "token", false);
    got = refused("/", "");
    ck_assert_starts(got, "HTTP/1.1 401 Unauthorized\r\n");
    ck_assert_has(got, "\r\nWWW-Authenticate: Bearer\r\n");
    got = refused("/?token=", "");
    ck_assert_has(got, "\r\nWWW-Authenticate: Bearer\r\n");
    ck_assert_uint_eq(fake.stats.token_missing, 2);
    ck_assert_uint_eq(fake.stats.refused_token, 2);
}
END_TEST

START_TEST(a_bad_token_is_called_so)
{
    const char *got;

    start(WEB_JWT_QUERY, "token", false);
    got = refused("/?token=a.b.c", "");
    ck_assert_starts(got, "HTTP/1.1 401 ");
    ck_assert_has(got, "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n");
    ck_assert_uint_eq(fake.stats.token_malformed, 1);
    make_token("{\"exp\":784111777,\"sub\":\"jo\"}");
    refused(with("/?token=@"), "");
    ck_assert_uint_eq(fake.stats.token_expired, 1);
    make_token("{\"exp\":784111778}");
    refused(with("/?token=@"), "");
    ck_assert_uint_eq(fake.stats.token_claim, 1);
    make_token("{\"exp\":784111778,\"sub\":\"jo\"}");
    token[strlen(token) - 5] = token[strlen(token) - 5] == 'A' ? 'B' : 'A';
    refused(with("/?token=@"), "");
    ck_assert_uint_eq(fake.stats.token_signature, 1);
}
END_TEST

START_TEST(a_token_in_two_places_is_400)
{
    start(WEB_JWT_QUERY, "token", true);
    ck_assert_starts(refused(with("/?token=@&token=x"), ""), "HTTP/1.1 400 ");
    ck_assert_starts(refused(with("/?token=@;x=1"), ""), "HTTP/1.1 400 ");
    ck_assert_starts(refused(with("/?token=@&%74oken=x"), ""), "HTTP/1.1 400 ");
    ck_assert_uint_eq(fake.stats.token_ambiguous, 3);
}
END_TEST

START_TEST(the_argument_can_be_taken_out)
{
    start(WEB_JWT_QUERY, "token", true);
    ck_assert_starts(forwarded(with("/x?token=@"), ""), "GET /x HTTP/1.1\r\n");
    ck_assert_starts(forwarded(with("/x?token=@&b=2"), ""),
                     "GET /x?b=2 HTTP/1.1\r\n");
    ck_assert_starts(forwarded(with("/x?a=1&token=@"), ""),
                     "GET /x?a=1 HTTP/1.1\r\n");
    ck_assert_starts(forwarded(with("/x?a=1&token=@&b=2"), ""),
                     "GET /x?a=1&b=2 HTTP/1.1\r\n");
}
END_TEST

START_TEST(bearer_credentials_are_looked_at)
{
    const char *got;

    start(WEB_JWT_HEADER, "authorization", false);
    got = forwarded("/", with("Authorization: Bearer @\r\n"));
    ck_assert_has(got, with("\r\nAuthorization: Bearer @\r\n"));
    jwt.strip = true;
    got = forwarded("/", with("A: 1\r\nauthorization: bearer  @\r\nB: 2\r\n"));
    ck_assert_has(got, "\r\nA: 1\r\nB: 2\r\n");
    ck_assert_lacks(got, token);
    got = refused("/", "Authorization: Basic YTpi\r\n");
    ck_assert_has(got, "WWW-Authenticate: Bearer\r\n");
    got = refused("/", with("Authorization: Bearer @\r\n"
                            "Authorization: Basic x\r\n"));
    ck_assert_starts(got, "HTTP/1.1 400 ");
}
END_TEST

START_TEST(another_field_has_the_token_alone)
{
    start(WEB_JWT_HEADER, "x-auth-token", true);
    ck_assert_lacks(forwarded("/", with("X-Auth-Token: @\r\n")), token);
    ck_assert_starts(
        refused("/", with("X-Auth-Token: @\r\nX_Auth_Token: x\r\n")),
        "HTTP/1.1 400 ");
    ck_assert_starts(refused("/", with("X-Auth-Token: Bearer @\r\n")),
                     "HTTP/1.1 401 ");
}
END_TEST

START_TEST(cookies_are_looked_through)
{
    const char *got;

    start(WEB_JWT_COOKIE, "sid", false);
    got = forwarded("/", with("Cookie: a=1; sid=@; b=2\r\n"));
    ck_assert_has(got, with("\r\nCookie: a=1; sid=@; b=2\r\n"));
    jwt.strip = true;
    got = forwarded("/", with("Cookie: a=1; sid=@; b=2\r\n"));
    ck_assert_has(got, "\r\nCookie: a=1; b=2\r\n");
    got = forwarded("/", with("Cookie: sid=@; b=2\r\n"));
    ck_assert_has(got, "\r\nCookie: b=2\r\n");
    got = forwarded("/", with("Cookie: a=1; sid=@\r\n"));
    ck_assert_has(got, "\r\nCookie: a=1\r\n");
    got = forwarded("/", with("Cookie: sid=@\r\n"));
    ck_assert_lacks(got, "Cookie");
    ck_assert_starts(refused("/", with("Cookie: sid=@\r\nCookie: sid=x\r\n")),
                     "HTTP/1.1 400 ");
    ck_assert_starts(refused("/", with("Cookie: xsid=@\r\n")), "HTTP/1.1 401 ");
}
END_TEST

START_TEST(the_field_is_ours_on_routes_without_tokens_too)
{
    const char *got;

    fake.site.own_fields = fields;
    fake.site.n_own_fields = 1;
    fake_route("/", 0);
    fake_start();
    got = forwarded("/", "x-user: root\r\nX_User: root\r\nX-Users: jo\r\n");
    ck_assert_lacks(got, "root");
    ck_assert_has(got, "X-Users: jo\r\n");
}
END_TEST

/* ---- a token for one meeting ---- */

static const struct {
    const char *path;
    const char *answer; /* NULL: goes on */
} meetings[] = {
    {"/conf/jo/join", NULL},         {"/conf/jo", NULL},
    {"/conf/%6ao/join", NULL},       {"/conf/jim/join", "HTTP/1.1 403 "},
    {"/conf/joe", "HTTP/1.1 403 "},  {"/conf/JO", "HTTP/1.1 403 "},
    {"/conf/x/jo", "HTTP/1.1 403 "}, {"/conf", "HTTP/1.1 403 "},
    {"/conf/", "HTTP/1.1 403 "},
};

START_TEST(a_token_opens_its_meeting_alone)
{
    struct web_route *route = fake_route("/conf", 0);
    struct fake_io *client;
    char text[1024];

    route->check = WEB_TOKEN_VALID;
    route->jwt = &jwt;
    route->token_segment = 1;
    fake_start();
    client = fake_client();
    (void)snprintf(text, sizeof(text),
                   "GET %s?token=%s HTTP/1.1\r\nHost: a\r\n\r\n",
                   meetings[_i].path, token);
    fake_send(client, text);
    if (!meetings[_i].answer) {
        ck_assert_uint_eq(fake.n_dials, 1);
        return;
    }
    ck_assert_starts(fake_take(client), meetings[_i].answer);
    ck_assert_uint_eq(fake.n_dials, 0);
    ck_assert_uint_eq(fake.stats.token_claim, 1);
}
END_TEST

/* ---- zones that know holders of tokens ---- */

static int status_of(const char *with)
{
    struct fake_io *client = fake_client();
    char text[1024];
    const char *got;
    int status = 200;

    (void)snprintf(text, sizeof(text),
                   "GET /?token=%s HTTP/1.1\r\nHost: a\r\n\r\n", with);
    fake_send(client, text);
    got = fake_take(client);
    if (got[0])
        ck_assert_int_eq(sscanf(got, "HTTP/1.1 %d", &status), 1);
    fake_close(client, 0);
    fake_forget();
    return status;
}

static void start_zone(enum web_zone_key key)
{
    struct web_route *route = fake_route("/", 0);

    route->check = WEB_TOKEN_VALID;
    route->jwt = &jwt;
    route->zone_key = key;
    fake_zone(route, "1r/m", 2, WEB_ZONE_NODELAY);
    fake_start();
}

START_TEST(who_has_a_token_is_exempt)
{
    start_zone(WEB_ZONE_EXEMPT);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(status_of(token), 200);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(status_of("bad"), 401);
    /* Its signature is not even looked at. */
    ck_assert_int_eq(status_of("bad"), 429);
    ck_assert_uint_eq(fake.stats.token_malformed, 3);
}
END_TEST

START_TEST(every_holder_has_its_own_share)
{
    char other[512];

    make_token("{\"exp\":784111778,\"sub\":\"jim\"}");
    memcpy(other, token, sizeof(other));
    make_token("{\"exp\":784111778,\"sub\":\"jo\"}");
    start_zone(WEB_ZONE_TOKEN);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(status_of(token), 200);
    ck_assert_int_eq(status_of(token), 429);
    ck_assert_int_eq(status_of(other), 200);
    /* A new token of the same holder is nobody new. */
    make_token("{\"exp\":784111779,\"sub\":\"jo\"}");
    ck_assert_int_eq(status_of(token), 429);
    ck_assert_int_eq(status_of("bad"), 401);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("jwt");
    TCase *tc = tcase_create("jwt");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_good_token_passes_and_says_who_it_is);
    tcase_add_test(tc, without_a_token_the_way_is_named);
    tcase_add_test(tc, a_bad_token_is_called_so);
    tcase_add_test(tc, a_token_in_two_places_is_400);
    tcase_add_test(tc, the_argument_can_be_taken_out);
    tcase_add_test(tc, bearer_credentials_are_looked_at);
    tcase_add_test(tc, another_field_has_the_token_alone);
    tcase_add_test(tc, cookies_are_looked_through);
    tcase_add_test(tc, the_field_is_ours_on_routes_without_tokens_too);
    tcase_add_loop_test(tc, a_token_opens_its_meeting_alone, 0,
                        ARRAY_SIZE(meetings));
    tcase_add_test(tc, who_has_a_token_is_exempt);
    tcase_add_test(tc, every_holder_has_its_own_share);
    suite_add_tcase(suite, tc);
    return suite;
}
