/* SPDX-License-Identifier: MIT */
/* Two engines, connected by two byte buffers. */
#include "net/tls_session.h"

#include "base/err.h"
#include "support/unit.h"
#include "support_net.h"

#include <errno.h>
#include <malloc.h>

static struct tls_ctx *server_ctx;
static struct tls_ctx *client_ctx;
static struct tls_session *server;
static struct tls_session *client;
static struct tls_tickets *tickets;

static void teardown(void)
{
    tls_session_free(client);
    tls_session_free(server);
    tls_ctx_unref(client_ctx);
    tls_ctx_unref(server_ctx);
    tls_tickets_unref(tickets);
    server_ctx = client_ctx = NULL;
    server = client = NULL;
    tickets = NULL;
    ck_assert_no_blocks();
}

static struct tls_ctx *ctx_of(const struct tls_ctx_options *options)
{
    char error[TLS_ERROR_SIZE] = "";
    struct tls_ctx *ctx = NULL;

    ck_assert_msg(tls_ctx_new(&ctx, options, error) == 0, "%s", error);
    return ctx;
}

static void sessions(const struct tls_peer *peer)
{
    ck_assert_int_eq(tls_session_new(&server, server_ctx, NULL), 0);
    ck_assert_int_eq(tls_session_new(&client, client_ctx, peer), 0);
}

/* What one has to say reaches the other, at most `step` bytes at a time. */
static void carry(struct tls_session *from, struct tls_session *to, size_t step)
{
    static uint8_t wire[1024 * 1024];
    struct buf *out = tls_session_output(from);
    struct span left = tls_session_input_left(to);
    size_t n = buf_len(out) < step ? buf_len(out) : step;

    memmove(wire, left.ptr ? left.ptr : wire, left.len);
    memcpy(wire + left.len, buf_span(out).ptr ? buf_span(out).ptr : wire, n);
    buf_consume(out, n);
    tls_session_input(to, span_of(wire, left.len + n));
}

struct outcome {
    int client;
    int server;
};

static struct outcome shake(size_t step)
{
    struct outcome o = {-EAGAIN, -EAGAIN};

    for (int i = 0; i < 20000; i++) {
        if (o.client == -EAGAIN)
            o.client = tls_session_handshake(client);
        carry(client, server, step);
        if (o.server == -EAGAIN)
            o.server = tls_session_handshake(server);
        /* One wire at a time: what is left over is handed in again. */
        if (tls_session_input_left(server).len > 0 && o.server == -EAGAIN)
            continue;
        tls_session_input(server, span_of(NULL, 0));
        carry(server, client, step);
        if (o.client == -EAGAIN)
            o.client = tls_session_handshake(client);
        if (o.client == 0 && tls_session_input_left(client).len > 0) {
            uint8_t byte;

            (void)tls_session_read(client, &byte, 1); /* tickets */
        }
        tls_session_input(client, span_of(NULL, 0));
        if (o.client != -EAGAIN && o.server != -EAGAIN)
            break;
        if (o.client < 0 && o.client != -EAGAIN)
            tls_session_input_end(server);
        if (o.server < 0 && o.server != -EAGAIN &&
            buf_len(tls_session_output(server)) == 0)
            tls_session_input_end(client);
    }
    return o;
}

static const struct tls_peer edge = {"edge.example", NULL};

START_TEST(a_handshake_works_whatever_the_pieces)
{
    static const size_t steps[] = {1, 7, 1000, 100000};

    server_ctx = net_server_ctx(NET_EDGE);
    client_ctx = net_client_ctx();
    sessions(&edge);
    {
        struct outcome o = shake(steps[_i]);

        ck_assert_int_eq(o.client, 0);
        ck_assert_int_eq(o.server, 0);
    }
    ck_assert_int_eq(tls_session_version(client), TLS_VERSION_13);
    ck_assert_str_eq(tls_session_server_name(server), "edge.example");
    ck_assert(tls_session_peer_verified(client));
    ck_assert(!tls_session_peer_verified(server)); /* none was shown */
    ck_assert_ptr_null(tls_session_alpn(server));
}
END_TEST

struct verify_case {
    enum net_cert shown;
    const char *server_name;
    const char *verify_name;
    int want;
};

static const struct verify_case verify_cases[] = {
    {NET_EDGE, "edge.example", NULL, 0},
    {NET_EDGE, "EDGE.example", NULL, 0},
    {NET_EDGE, "a.apps.example", NULL, 0},
    {NET_EDGE, "apps.example", NULL, ERR_AUTH},
    {NET_EDGE, "a.b.apps.example", NULL, ERR_AUTH},
    {NET_EDGE, "wrong.example", NULL, ERR_AUTH},
    {NET_EDGE, "public.example", "edge.example", 0},
    {NET_EDGE, "edge.example", "public.example", ERR_AUTH},
    {NET_EDGE, NULL, "edge.example", 0},
    {NET_EDGE, NULL, "127.0.0.1", 0},
    {NET_EDGE, "127.0.0.1", NULL, 0},
    {NET_OTHER, "127.0.0.1", NULL, ERR_AUTH},
    {NET_EDGE, "edge.example", "127.0.0.1", 0},
    {NET_EDGE, NULL, "127.0.0.2", ERR_AUTH},
    {NET_EDGE, NULL, "::1", ERR_AUTH},
    {NET_OTHER, "edge.example", NULL, ERR_AUTH},
    {NET_EXPIRED, "edge.example", NULL, ERR_AUTH},
    {NET_FOREIGN, "edge.example", NULL, ERR_AUTH},
    {NET_CN_ONLY, "cn.example", NULL, ERR_AUTH},
};

START_TEST(a_client_accepts_only_the_right_certificate)
{
    const struct verify_case *c = &verify_cases[_i];
    struct tls_peer peer = {c->server_name, c->verify_name};
    struct outcome o;

    server_ctx = net_server_ctx(c->shown);
    client_ctx = net_client_ctx();
    sessions(&peer);
    o = shake(100000);
    ck_assert_int_eq(o.client, c->want);
    if (c->want < 0)
        ck_assert_uint_gt(strlen(tls_session_error(client)), 0);
    else
        ck_assert_int_eq(o.server, 0);
}
END_TEST

START_TEST(a_client_that_verifies_needs_a_name)
{
    client_ctx = net_client_ctx();
    ck_assert_int_eq(tls_session_new(&client, client_ctx, NULL), -EINVAL);
    ck_assert_int_eq(
        tls_session_new(&client, client_ctx, &(struct tls_peer){0}), -EINVAL);
}
END_TEST

START_TEST(without_verification_anything_goes_and_is_not_called_verified)
{
    struct tls_ctx_options options = {.role = TLS_CLIENT,
                                      .verify = TLS_VERIFY_NONE};
    struct outcome o;

    server_ctx = net_server_ctx(NET_FOREIGN);
    client_ctx = ctx_of(&options);
    sessions(&(struct tls_peer){0});
    o = shake(100000);
    ck_assert_int_eq(o.client, 0);
    ck_assert(!tls_session_peer_verified(client));
    ck_assert_str_eq(tls_session_server_name(server), "");
}
END_TEST

START_TEST(the_name_asked_for_chooses_the_certificate)
{
    struct tls_key_pair pairs[] = {
        {net_cert_file(NET_OTHER), net_key_file(NET_OTHER)},
        {net_cert_file(NET_EDGE), net_key_file(NET_EDGE)},
    };
    struct tls_ctx_options options = {
        .role = TLS_SERVER, .pairs = pairs, .n_pairs = 2, .strict_sni = _i};
    static const char *const good[] = {"edge.example", "other.example",
                                       "z.apps.example"};

    server_ctx = ctx_of(&options);
    client_ctx = net_client_ctx();
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        struct tls_peer peer = {good[i], NULL};

        sessions(&peer);
        ck_assert_int_eq(shake(100000).client, 0);
        tls_session_free(client);
        tls_session_free(server);
        client = server = NULL;
    }
    /* Not ours: the default certificate, or none. */
    sessions(&(struct tls_peer){"unknown.example", "other.example"});
    ck_assert_int_eq(shake(100000).client, _i ? ERR_TLS : 0);
    tls_session_free(client);
    tls_session_free(server);
    sessions(&(struct tls_peer){NULL, "other.example"});
    ck_assert_int_eq(shake(100000).client, _i ? ERR_TLS : 0);
}
END_TEST

START_TEST(alpn_agrees_on_the_servers_preference)
{
    static const char *const server_list[] = {"h2", "http/1.1", NULL};
    static const char *const client_list[] = {"http/1.1", "h2", NULL};
    struct tls_key_pair pair = {net_cert_file(NET_EDGE),
                                net_key_file(NET_EDGE)};
    struct tls_ctx_options s = {
        .role = TLS_SERVER, .pairs = &pair, .n_pairs = 1, .alpn = server_list};
    struct tls_ctx_options c = {.role = TLS_CLIENT,
                                .ca_file = net_cert_file(NET_CA),
                                .alpn = client_list};

    server_ctx = ctx_of(&s);
    client_ctx = ctx_of(&c);
    sessions(&edge);
    ck_assert_int_eq(shake(100000).server, 0);
    ck_assert_str_eq(tls_session_alpn(server), "h2");
    ck_assert_str_eq(tls_session_alpn(client), "h2");
}
END_TEST

START_TEST(without_a_common_protocol_there_is_no_session)
{
    static const char *const server_list[] = {"http/1.1", NULL};
    static const char *const client_list[] = {"sip/2", NULL};
    struct tls_key_pair pair = {net_cert_file(NET_EDGE),
                                net_key_file(NET_EDGE)};
    struct tls_ctx_options s = {
        .role = TLS_SERVER, .pairs = &pair, .n_pairs = 1, .alpn = server_list};
    struct tls_ctx_options c = {.role = TLS_CLIENT,
                                .ca_file = net_cert_file(NET_CA),
                                .alpn = client_list};

    server_ctx = ctx_of(&s);
    client_ctx = ctx_of(&c);
    sessions(&edge);
    ck_assert_int_eq(shake(100000).server, ERR_TLS);
}
END_TEST

static struct tls_ctx *mutual(enum tls_verify verify, enum tls_version max)
{
    struct tls_key_pair pair = {net_cert_file(NET_EDGE),
                                net_key_file(NET_EDGE)};
    struct tls_ctx_options options = {.role = TLS_SERVER,
                                      .pairs = &pair,
                                      .n_pairs = 1,
                                      .ca_file = net_cert_file(NET_CA),
                                      .verify = verify,
                                      .max_version = max};

    return ctx_of(&options);
}

static struct tls_ctx *client_showing(enum net_cert which)
{
    struct tls_key_pair pair = {net_cert_file(which), net_key_file(which)};
    struct tls_ctx_options options = {.role = TLS_CLIENT,
                                      .pairs = &pair,
                                      .n_pairs = 1,
                                      .ca_file = net_cert_file(NET_CA)};

    return ctx_of(&options);
}

static const enum tls_version versions[] = {TLS_VERSION_12, TLS_VERSION_13};

START_TEST(a_client_certificate_is_checked_and_described)
{
    char text[256];

    server_ctx = mutual(TLS_VERIFY_REQUIRED, versions[_i]);
    client_ctx = client_showing(NET_CLIENT);
    sessions(&edge);
    ck_assert_int_eq(shake(100000).server, 0);
    ck_assert(tls_session_peer_verified(server));
    ck_assert(tls_session_peer_subject(server, text, sizeof(text)));
    ck_assert_str_eq(text, "CN=alice.example");
    ck_assert(tls_session_peer_name(server, 0, text, sizeof(text)));
    ck_assert_str_eq(text, "uri:sip:alice.example");
    ck_assert(tls_session_peer_name(server, 1, text, sizeof(text)));
    ck_assert_str_eq(text, "dns:alice.example");
    ck_assert(!tls_session_peer_name(server, 2, text, sizeof(text)));
}
END_TEST

/* RFC 5922: what each certificate may be taken for, and how it was. */
static const struct {
    enum net_cert cert;
    enum tls_peer_check check;
    const char *domains[2];
} domains[] = {
    {NET_CLIENT, TLS_PEER_GOOD, {"alice.example"}},
    {NET_EDGE, TLS_PEER_GOOD, {"edge.example"}}, /* not "*.apps.example" */
    {NET_CN_ONLY, TLS_PEER_GOOD, {"cn.example"}},
    {NET_EXPIRED, TLS_PEER_DATES, {"edge.example"}},
    {NET_FOREIGN, TLS_PEER_UNTRUSTED, {"edge.example"}},
};

START_TEST(a_certificate_names_sip_domains)
{
    char text[256];
    size_t n = 0;

    server_ctx = mutual(TLS_VERIFY_OPTIONAL, TLS_VERSION_13);
    client_ctx = client_showing(domains[_i].cert);
    sessions(&edge);
    ck_assert_int_eq(shake(100000).server, 0);
    ck_assert_int_eq(tls_session_peer_check(server), domains[_i].check);
    for (; n < 2 && domains[_i].domains[n]; n++) {
        ck_assert(tls_session_peer_domain(server, n, text, sizeof(text)));
        ck_assert_str_eq(text, domains[_i].domains[n]);
    }
    ck_assert(!tls_session_peer_domain(server, n, text, sizeof(text)));
}
END_TEST

/* Clients hold servers to their SIP domain when they are told to. */
static const struct {
    enum net_cert cert;
    const char *domain;
    int outcome;
} held[] = {
    {NET_CLIENT, "sip:ALICE.example", 0},
    {NET_EDGE, "sip:edge.example", 0},
    {NET_EDGE, "sip:a.apps.example", ERR_AUTH}, /* a wildcard is no domain */
    {NET_EDGE, "sip:example", ERR_AUTH},        /* nor is a part of one */
    {NET_CN_ONLY, "sip:cn.example", 0},
    {NET_OTHER, "sip:edge.example", ERR_AUTH},
};

START_TEST(a_server_is_held_to_its_sip_domain)
{
    struct tls_key_pair pair = {net_cert_file(held[_i].cert),
                                net_key_file(held[_i].cert)};
    struct tls_ctx_options s = {
        .role = TLS_SERVER, .pairs = &pair, .n_pairs = 1};

    server_ctx = ctx_of(&s);
    client_ctx = net_client_ctx();
    sessions(&(struct tls_peer){"anything.example", held[_i].domain});
    ck_assert_int_eq(shake(100000).client, held[_i].outcome);
}
END_TEST

START_TEST(a_missing_or_foreign_client_certificate_is_refused)
{
    server_ctx = mutual(TLS_VERIFY_REQUIRED, versions[_i]);
    client_ctx = net_client_ctx();
    sessions(&edge);
    ck_assert_int_eq(shake(100000).server, ERR_AUTH);
    tls_session_free(client);
    tls_session_free(server);
    tls_ctx_unref(client_ctx);
    client_ctx = client_showing(NET_FOREIGN);
    sessions(&edge);
    ck_assert_int_eq(shake(100000).server, ERR_AUTH);
}
END_TEST

START_TEST(an_optional_client_certificate_may_be_missing_or_bad)
{
    server_ctx = mutual(TLS_VERIFY_OPTIONAL, versions[_i]);
    client_ctx = net_client_ctx();
    sessions(&edge);
    ck_assert_int_eq(shake(100000).server, 0);
    ck_assert(!tls_session_peer_verified(server));
    tls_session_free(client);
    tls_session_free(server);
    tls_ctx_unref(client_ctx);
    client_ctx = client_showing(NET_FOREIGN);
    sessions(&edge);
    ck_assert_int_eq(shake(100000).server, 0);
    ck_assert(!tls_session_peer_verified(server));
}
END_TEST

START_TEST(versions_that_do_not_meet_do_not_talk)
{
    struct tls_key_pair pair = {net_cert_file(NET_EDGE),
                                net_key_file(NET_EDGE)};
    struct tls_ctx_options s = {.role = TLS_SERVER,
                                .pairs = &pair,
                                .n_pairs = 1,
                                .min_version = TLS_VERSION_13};
    struct tls_ctx_options c = {.role = TLS_CLIENT,
                                .ca_file = net_cert_file(NET_CA),
                                .max_version = TLS_VERSION_12};

    server_ctx = ctx_of(&s);
    client_ctx = ctx_of(&c);
    sessions(&edge);
    ck_assert_int_eq(shake(100000).server, ERR_TLS);
}
END_TEST

START_TEST(data_that_does_not_fit_waits_and_arrives_whole)
{
    enum { SIZE = 300 * 1000 };
    static uint8_t plain[SIZE];
    static uint8_t got[SIZE];
    size_t sent = 0;
    size_t have = 0;
    unsigned blocked = 0;

    server_ctx = net_server_ctx(NET_EDGE);
    client_ctx = net_client_ctx();
    sessions(&edge);
    ck_assert_int_eq(shake(100000).server, 0);
    for (size_t i = 0; i < SIZE; i++)
        plain[i] = (uint8_t)(i * 7 + i / 255);
    while (have < SIZE) {
        int n = 0;

        while (sent < SIZE && n >= 0) {
            n = tls_session_write(client, span_of(plain + sent, SIZE - sent));
            if (n > 0)
                sent += (size_t)n;
        }
        blocked += n == -EAGAIN;
        carry(client, server, 5000);
        while ((n = tls_session_read(server, got + have, SIZE - have)) > 0)
            have += (size_t)n;
        ck_assert(n == -EAGAIN || have == SIZE);
    }
    ck_assert_uint_gt(blocked, 0);
    ck_assert_mem_eq(plain, got, SIZE);
}
END_TEST

START_TEST(the_end_is_told_apart_from_a_cut)
{
    uint8_t byte;

    server_ctx = net_server_ctx(NET_EDGE);
    client_ctx = net_client_ctx();
    sessions(&edge);
    ck_assert_int_eq(shake(100000).server, 0);
    if (_i == 0) {
        ck_assert_int_eq(tls_session_shutdown(client), 0);
        carry(client, server, 100000);
    }
    tls_session_input_end(server);
    for (int again = 0; again < 2; again++)
        ck_assert_int_eq(tls_session_read(server, &byte, 1),
                         _i == 0 ? 0 : ERR_CLOSED);
}
END_TEST

START_TEST(an_answer_right_behind_a_ticket_is_seen_at_once)
{
    struct tls_key_pair pair = {net_cert_file(NET_EDGE),
                                net_key_file(NET_EDGE)};
    struct tls_ctx_options options = {
        .role = TLS_SERVER, .pairs = &pair, .n_pairs = 1};
    char got[8];

    ck_assert_int_eq(tls_tickets_new(&tickets, 3600), 0);
    options.tickets = tickets;
    server_ctx = ctx_of(&options);
    client_ctx = net_client_ctx();
    sessions(&edge);
    ck_assert_int_eq(tls_session_handshake(client), -EAGAIN);
    carry(client, server, 100000);
    ck_assert_int_eq(tls_session_handshake(server), -EAGAIN);
    carry(server, client, 100000);
    ck_assert_int_eq(tls_session_handshake(client), 0);
    carry(client, server, 100000);
    /* The ticket and the answer leave together. */
    ck_assert_int_eq(tls_session_handshake(server), 0);
    ck_assert_uint_gt(buf_len(tls_session_output(server)), 0);
    ck_assert_int_eq(tls_session_write(server, span_str("hello")), 5);
    carry(server, client, 100000);
    ck_assert_int_eq(tls_session_read(client, got, sizeof(got)), 5);
    ck_assert_mem_eq(got, "hello", 5);
    ck_assert_int_eq(tls_session_read(client, got, sizeof(got)), -EAGAIN);
}
END_TEST

/* One message each way, read to its end. */
static void talk(void)
{
    struct tls_session *ends[] = {client, server};
    char got[8];

    for (int i = 0; i < 2; i++) {
        struct tls_session *from = ends[i];
        struct tls_session *to = ends[1 - i];

        ck_assert_int_eq(tls_session_write(from, span_str("hello")), 5);
        carry(from, to, 100000);
        ck_assert_int_eq(tls_session_read(to, got, sizeof(got)), 5);
        ck_assert_mem_eq(got, "hello", 5);
        ck_assert_int_eq(tls_session_read(to, got, sizeof(got)), -EAGAIN);
    }
}

START_TEST(idle_sessions_take_little_and_go_on)
{
    /* More than keep their buffers on the shelf. */
    enum { PAIRS = 80, IDLE_MAX = 10 * 1024 };
    struct tls_session *servers[PAIRS];
    struct tls_session *clients[PAIRS];
    struct tls_key_pair pair = {net_cert_file(NET_EDGE),
                                net_key_file(NET_EDGE)};
    struct tls_ctx_options options = {.role = TLS_SERVER,
                                      .pairs = &pair,
                                      .n_pairs = 1,
                                      .max_version = _i == 0 ? TLS_VERSION_12
                                                             : TLS_VERSION_13};
    size_t before = 0;

    ck_assert_int_eq(tls_tickets_new(&tickets, 3600), 0);
    options.tickets = tickets;
    server_ctx = ctx_of(&options);
    client_ctx = net_client_ctx();
    for (int i = 0; i < PAIRS; i++) {
        if (i == PAIRS / 2)
            before = mallinfo2().uordblks + mallinfo2().hblkhd;
        sessions(&edge);
        ck_assert_int_eq(shake(100000).server, 0);
        talk();
        servers[i] = server;
        clients[i] = client;
    }
    before = mallinfo2().uordblks + mallinfo2().hblkhd - before;
    ck_assert_uint_lt(before / PAIRS, IDLE_MAX); /* half the pairs, two each */
    for (int i = 0; i < PAIRS; i++) {
        server = servers[i];
        client = clients[i];
        talk();
        talk();
        if (i < PAIRS - 1) {
            tls_session_free(server);
            tls_session_free(client);
        }
    }
}
END_TEST

START_TEST(garbage_is_a_tls_failure)
{
    static const uint8_t http[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

    server_ctx = net_server_ctx(NET_EDGE);
    ck_assert_int_eq(tls_session_new(&server, server_ctx, NULL), 0);
    tls_session_input(server, span_of(http, sizeof(http) - 1));
    ck_assert_int_eq(tls_session_handshake(server), ERR_TLS);
    ck_assert_uint_gt(strlen(tls_session_error(server)), 0);
}
END_TEST

START_TEST(flipped_bits_never_do_worse_than_fail)
{
    server_ctx = net_server_ctx(NET_EDGE);
    client_ctx = net_client_ctx();
    for (size_t at = 0; at < 300; at += 3) {
        static uint8_t hello[4096];
        struct buf *out;
        size_t len;

        sessions(&edge);
        ck_assert_int_eq(tls_session_handshake(client), -EAGAIN);
        out = tls_session_output(client);
        len = buf_len(out);
        memcpy(hello, buf_span(out).ptr, len);
        hello[at % len] ^= 0x41;
        tls_session_input(server, span_of(hello, len));
        ck_assert_int_ne(tls_session_handshake(server), 0);
        tls_session_free(client);
        tls_session_free(server);
        client = server = NULL;
    }
}
END_TEST

START_TEST(every_failed_allocation_is_handled)
{
    int err = 0;

    client_ctx = net_client_ctx();
    CK_OOM_SWEEP(err, err = tls_session_new(&client, client_ctx, &edge));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("tls_session");
    TCase *tc = tcase_create("tls_session");

    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, NULL, teardown);
    tcase_add_loop_test(tc, a_handshake_works_whatever_the_pieces, 0, 4);
    tcase_add_loop_test(tc, a_client_accepts_only_the_right_certificate, 0,
                        ARRAY_SIZE(verify_cases));
    tcase_add_test(tc, a_client_that_verifies_needs_a_name);
    tcase_add_test(
        tc, without_verification_anything_goes_and_is_not_called_verified);
    tcase_add_loop_test(tc, the_name_asked_for_chooses_the_certificate, 0, 2);
    tcase_add_test(tc, alpn_agrees_on_the_servers_preference);
    tcase_add_test(tc, without_a_common_protocol_there_is_no_session);
    tcase_add_loop_test(tc, a_client_certificate_is_checked_and_described, 0,
                        2);
    tcase_add_loop_test(tc, a_missing_or_foreign_client_certificate_is_refused,
                        0, 2);
    tcase_add_loop_test(
        tc, an_optional_client_certificate_may_be_missing_or_bad, 0, 2);
    tcase_add_test(tc, versions_that_do_not_meet_do_not_talk);
    tcase_add_test(tc, data_that_does_not_fit_waits_and_arrives_whole);
    tcase_add_loop_test(tc, a_certificate_names_sip_domains, 0,
                        ARRAY_SIZE(domains));
    tcase_add_loop_test(tc, a_server_is_held_to_its_sip_domain, 0,
                        ARRAY_SIZE(held));
    tcase_add_loop_test(tc, the_end_is_told_apart_from_a_cut, 0, 2);
    tcase_add_test(tc, an_answer_right_behind_a_ticket_is_seen_at_once);
    tcase_add_loop_test(tc, idle_sessions_take_little_and_go_on, 0, 2);
    tcase_add_test(tc, garbage_is_a_tls_failure);
    tcase_add_test(tc, flipped_bits_never_do_worse_than_fail);
    tcase_add_test(tc, every_failed_allocation_is_handled);
    suite_add_tcase(s, tc);
    return s;
}
