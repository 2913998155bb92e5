/* SPDX-License-Identifier: MIT */
/* The name server is our own: a UDP socket of the same worker. */
#include "net/resolve.h"

#include "base/err.h"
#include "net/udp.h"
#include "support/unit.h"
#include "support_net.h"

#include <errno.h>
#include <stdio.h>

static struct resolver *resolver;
static struct udp_ring *ring;
static struct udp *server;
static unsigned asked;
static bool silent;

enum { HEAD = 12, TYPE_A = 1, TYPE_AAAA = 28, TYPE_SRV = 33 };

/* Length of the question's name and its two fields. */
static size_t question_len(const struct udp_packet *p)
{
    size_t at = HEAD;

    while (at < p->len && p->data[at] != 0)
        at += (size_t)p->data[at] + 1;
    return at + 1 + 4 - HEAD;
}

/* _sip._udp.test: one record, "1 2 5060 a.test", good for 60 s. */
static size_t build_srv(const struct udp_packet *p, uint8_t *out)
{
    static const uint8_t record[] = {
        0xc0, HEAD, 0,  TYPE_SRV, 0,   1,   0,   0,         0,
        60,   0,    14, 0,        1,   0,   2,   5060 >> 8, 5060 & 0xff,
        1,    'a',  4,  't',      'e', 's', 't', 0};
    size_t q = question_len(p);

    memcpy(out, p->data, HEAD + q);
    out[2] = 0x81;
    out[3] = 0x80;
    out[7] = 1;
    memset(out + 8, 0, 4);
    memcpy(out + HEAD + q, record, sizeof(record));
    return HEAD + q + sizeof(record);
}

/* Answers: a.test has 192.0.2.1 and 192.0.2.2 (ttl 60); six.test ::1 only;
 * everything else does not exist. */
static size_t build_answer(const struct udp_packet *p, uint8_t *out)
{
    size_t q = question_len(p);
    uint8_t type = p->data[HEAD + q - 3];
    bool a_test = memcmp(p->data + HEAD, "\1a\4test", 8) == 0;
    bool six = memcmp(p->data + HEAD, "\3six\4test", 10) == 0;
    size_t n = a_test && type == TYPE_A ? 2 : six && type == TYPE_AAAA ? 1 : 0;
    size_t at = HEAD + q;

    memcpy(out, p->data, HEAD + q);
    out[2] = 0x81;
    out[3] = (uint8_t)(0x80 | (a_test || six ? 0 : 3)); /* NXDOMAIN */
    out[7] = (uint8_t)n;
    memset(out + 8, 0, 4);
    for (size_t i = 0; i < n; i++) {
        static const uint8_t fixed[] = {0xc0, HEAD, 0, 0, 0, 1, 0, 0, 0, 60, 0};
        uint8_t len = type == TYPE_A ? 4 : 16;

        memcpy(out + at, fixed, sizeof(fixed));
        out[at + 3] = type;
        at += sizeof(fixed);
        out[at++] = len;
        memset(out + at, 0, len);
        if (type == TYPE_A)
            memcpy(out + at, (uint8_t[]){192, 0, 2, (uint8_t)(i + 1)}, 4);
        else
            out[at + 15] = 1;
        at += len;
    }
    return at;
}

static void on_question(struct udp *udp, struct udp_packet *packets, size_t n,
                        void *arg)
{
    (void)arg;
    for (size_t i = 0; i < n; i++) {
        uint8_t out[600];
        struct udp_dest to = {.to = packets[i].from};

        asked++;
        if (!silent) {
            bool is_srv =
                memcmp(packets[i].data + HEAD, "\4_sip\4_udp\4test", 15) == 0;
            size_t len = is_srv ? build_srv(&packets[i], out)
                                : build_answer(&packets[i], out);

            ck_assert_int_eq(udp_send(udp, &to, span_of(out, len)), 0);
        }
    }
}

static void make(const struct resolver_config *more)
{
    struct resolver_config config = *more;
    char servers[ADDR_TEXT_SIZE];

    addr_str(udp_addr(server), servers);
    config.servers = servers;
    ck_assert_int_eq(resolver_new(&resolver, net_worker(), &config), 0);
}

static void setup(void)
{
    struct udp_options options = {.bind = net_loopback(ADDR_V4, 0),
                                  .on_packets = on_question};

    net_setup();
    asked = 0;
    silent = false;
    resolver = NULL;
    ck_assert_int_eq(
        udp_ring_new(&ring, net_worker(), &(struct udp_ring_config){0}), 0);
    ck_assert_int_eq(udp_open(&server, ring, &options), 0);
}

static void teardown(void)
{
    resolver_close(resolver);
    udp_ring_close(ring);
    net_teardown();
}

struct result {
    bool done;
    int err;
    size_t n;
    struct addr addrs[RESOLVE_ADDRS_MAX];
    bool close_resolver;
};

static void on_done(void *arg, int err, const struct addr *addrs, size_t n)
{
    struct result *r = arg;

    ck_assert(!r->done);
    r->done = true;
    r->err = err;
    r->n = n;
    memcpy(r->addrs, addrs, n * sizeof(*addrs));
    if (r->close_resolver) {
        resolver_close(resolver);
        resolver = NULL;
    }
}

static struct resolve_id start(const char *name, enum addr_family family,
                               struct result *r)
{
    struct resolve_id id = {0};

    *r = (struct result){0};
    ck_assert_int_eq(
        resolver_lookup(resolver, span_str(name), 443, family, on_done, r, &id),
        0);
    ck_assert(!r->done);
    ck_assert_uint_ne(id.value, 0);
    return id;
}

static struct result look_up(const char *name, enum addr_family family)
{
    struct result r;

    (void)start(name, family, &r);
    ck_assert(net_until(&r.done));
    return r;
}

static void check_text(const struct result *r, size_t i, const char *want)
{
    char text[ADDR_TEXT_SIZE];

    ck_assert_int_eq(r->err, 0);
    ck_assert_uint_lt(i, r->n);
    ck_assert_str_eq(addr_str(&r->addrs[i], text), want);
}

START_TEST(names_become_addresses_with_the_port)
{
    struct result r;

    make(&(struct resolver_config){0});
    r = look_up("a.test", ADDR_V4);
    ck_assert_uint_eq(r.n, 2);
    check_text(&r, 0, "192.0.2.1:443");
    check_text(&r, 1, "192.0.2.2:443");
    r = look_up("six.test", ADDR_NONE);
    ck_assert_uint_eq(r.n, 1);
    check_text(&r, 0, "[::1]:443");
}
END_TEST

START_TEST(a_second_lookup_comes_from_the_cache)
{
    struct result r;
    unsigned before;

    make(&(struct resolver_config){0});
    (void)look_up("a.test", ADDR_V4);
    before = asked;
    r = look_up("A.Test.", ADDR_V4);
    check_text(&r, 0, "192.0.2.1:443");
    ck_assert_uint_eq(asked, before);
    ck_assert_uint_eq(stats_get(&resolver_stats(resolver)->cache_hits), 1);
    ck_assert_uint_eq(stats_get(&resolver_stats(resolver)->queries), 1);
}
END_TEST

START_TEST(lookups_of_one_name_share_one_question)
{
    struct result a;
    struct result b;

    make(&(struct resolver_config){0});
    (void)start("a.test", ADDR_V4, &a);
    (void)start("a.test", ADDR_V4, &b);
    ck_assert(net_until(&a.done));
    ck_assert(net_until(&b.done));
    check_text(&b, 0, "192.0.2.1:443");
    ck_assert_uint_eq(asked, 1);
}
END_TEST

START_TEST(a_name_without_address_fails_and_is_remembered)
{
    unsigned before;

    make(&(struct resolver_config){0});
    ck_assert_int_eq(look_up("no.test", ADDR_V4).err, ERR_RESOLVE);
    before = asked;
    ck_assert_int_eq(look_up("no.test", ADDR_V4).err, ERR_RESOLVE);
    ck_assert_uint_eq(asked, before);
    ck_assert_int_eq(look_up("six.test", ADDR_V4).err, ERR_RESOLVE);
}
END_TEST

START_TEST(literals_and_the_configured_table_ask_nobody)
{
    struct resolver_host hosts[] = {
        {"Media.Test", addr_v4(0x0a000001, 0)},
        {"media.test", addr_v4(0x0a000002, 0)},
        {"media.test", {.family = ADDR_V6, .ip = {0xfd, [15] = 3}}},
    };
    struct resolver_config config = {.hosts = hosts, .n_hosts = 3};
    struct result r;

    make(&config);
    hosts[0].name = "gone"; /* it was copied */
    r = look_up("media.test", ADDR_NONE);
    ck_assert_uint_eq(r.n, 3);
    check_text(&r, 0, "10.0.0.1:443");
    r = look_up("MEDIA.test", ADDR_V6);
    ck_assert_uint_eq(r.n, 1);
    check_text(&r, 0, "[fd00::3]:443");
    r = look_up("198.51.100.7", ADDR_NONE);
    check_text(&r, 0, "198.51.100.7:443");
    r = look_up("[2001:db8::1]", ADDR_V6);
    check_text(&r, 0, "[2001:db8::1]:443");
    ck_assert_int_eq(look_up("198.51.100.7", ADDR_V6).err, ERR_RESOLVE);
    ck_assert_uint_eq(asked, 0);
}
END_TEST

struct found {
    bool done;
    int err;
    struct dns_records records;
};

static void on_found(void *arg, int err, const struct dns_records *records)
{
    struct found *f = arg;

    f->done = true;
    f->err = err;
    ck_assert_int_eq(records != NULL, err == 0);
    if (records)
        f->records = *records;
}

static struct found find(const char *name, enum dns_type type)
{
    struct found f = {0};

    ck_assert_int_eq(resolver_lookup_records(resolver, span_str(name), type,
                                             on_found, &f, NULL),
                     0);
    ck_assert(net_until(&f.done));
    return f;
}

START_TEST(records_are_found_and_remembered)
{
    struct found f;

    make(&(struct resolver_config){0});
    f = find("_sip._udp.test", DNS_SRV);
    ck_assert_int_eq(f.err, 0);
    ck_assert_uint_eq(f.records.n, 1);
    ck_assert_uint_eq(f.records.srv[0].weight, 2);
    ck_assert_uint_eq(f.records.srv[0].port, 5060);
    ck_assert_str_eq(f.records.srv[0].target, "a.test");
    f = find("_SIP._udp.TEST.", DNS_SRV); /* RFC 4343 */
    ck_assert_int_eq(f.err, 0);
    ck_assert_uint_eq(asked, 1);
    /* The same name has no addresses, and this is another question. */
    ck_assert_int_eq(find("none.test", DNS_NAPTR).err, ERR_RESOLVE);
    ck_assert_int_eq(find("none.test", DNS_NAPTR).err, ERR_RESOLVE);
    ck_assert_uint_eq(asked, 2);
}
END_TEST

START_TEST(a_silent_server_meets_the_time_out)
{
    struct resolver_config config = {.timeout_ms = 40};

    silent = true;
    make(&config);
    ck_assert_int_eq(look_up("a.test", ADDR_V4).err, -ETIMEDOUT);
    ck_assert_uint_ge(stats_get(&resolver_stats(resolver)->timeouts), 1);
}
END_TEST

START_TEST(a_cancelled_lookup_stays_silent)
{
    struct result r;
    struct resolve_id id;

    make(&(struct resolver_config){0});
    id = start("a.test", ADDR_V4, &r);
    resolver_cancel(resolver, id);
    resolver_cancel(resolver, id);
    net_for(20);
    ck_assert(!r.done);
    resolver_cancel(resolver, (struct resolve_id){0});
}
END_TEST

START_TEST(questions_in_flight_are_limited)
{
    struct resolver_config config = {.max_in_flight = 1};
    struct result a;
    struct result b;

    silent = true;
    make(&config);
    (void)start("a.test", ADDR_V4, &a);
    (void)start("b.test", ADDR_V4, &b);
    ck_assert(net_until(&b.done));
    ck_assert_int_eq(b.err, ERR_LIMIT);
    ck_assert_uint_eq(stats_get(&resolver_stats(resolver)->refused), 1);
}
END_TEST

START_TEST(the_cache_keeps_its_size)
{
    struct resolver_config config = {.cache_size = 4};
    char name[32];

    make(&config);
    for (int i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof(name), "n%d.test", i);
        ck_assert_int_eq(look_up(name, ADDR_V4).err, ERR_RESOLVE);
    }
    ck_assert_int_eq(look_up("a.test", ADDR_V4).err, 0);
}
END_TEST

START_TEST(closing_with_questions_in_flight_is_silent)
{
    struct result r;

    silent = true;
    make(&(struct resolver_config){0});
    (void)start("a.test", ADDR_V4, &r);
    net_for(3);
    resolver_close(resolver);
    resolver = NULL;
    net_for(5);
    ck_assert(!r.done);
}
END_TEST

START_TEST(the_resolver_may_be_closed_in_an_answer)
{
    struct result a;
    struct result b;

    make(&(struct resolver_config){0});
    (void)start("a.test", ADDR_V4, &a);
    (void)start("six.test", ADDR_V6, &b);
    a.close_resolver = true;
    b.close_resolver = true;
    net_for(50);
    ck_assert(a.done != b.done);
}
END_TEST

static const char *const bad_names[] = {
    "", ".", "a b", "a\nb", "a/b", "\xc3\xa4.test", "a:b", "*"};

START_TEST(what_is_not_a_name_is_refused)
{
    struct result r = {0};
    char longest[300];

    make(&(struct resolver_config){0});
    for (size_t i = 0; i < ARRAY_SIZE(bad_names); i++)
        ck_assert_int_eq(resolver_lookup(resolver, span_str(bad_names[i]), 1,
                                         ADDR_NONE, on_done, &r, NULL),
                         ERR_PARSE);
    memset(longest, 'a', sizeof(longest));
    ck_assert_int_eq(resolver_lookup(resolver, span_of(longest, 254), 1,
                                     ADDR_NONE, on_done, &r, NULL),
                     ERR_PARSE);
}
END_TEST

START_TEST(a_bad_server_list_is_refused)
{
    struct resolver_config config = {.servers = "not an address"};
    struct resolver *r = NULL;

    ck_assert_int_eq(resolver_new(&r, net_worker(), &config), ERR_CONFIG);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("resolve");
    TCase *tc = tcase_create("resolve");

    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, names_become_addresses_with_the_port);
    tcase_add_test(tc, a_second_lookup_comes_from_the_cache);
    tcase_add_test(tc, lookups_of_one_name_share_one_question);
    tcase_add_test(tc, a_name_without_address_fails_and_is_remembered);
    tcase_add_test(tc, literals_and_the_configured_table_ask_nobody);
    tcase_add_test(tc, records_are_found_and_remembered);
    tcase_add_test(tc, a_silent_server_meets_the_time_out);
    tcase_add_test(tc, a_cancelled_lookup_stays_silent);
    tcase_add_test(tc, questions_in_flight_are_limited);
    tcase_add_test(tc, the_cache_keeps_its_size);
    tcase_add_test(tc, closing_with_questions_in_flight_is_silent);
    tcase_add_test(tc, the_resolver_may_be_closed_in_an_answer);
    tcase_add_test(tc, what_is_not_a_name_is_refused);
    tcase_add_test(tc, a_bad_server_list_is_refused);
    suite_add_tcase(s, tc);
    return s;
}
