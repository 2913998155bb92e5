/* SPDX-License-Identifier: MIT */
/* A registration and a call in which at each step the first, second, ...
 * allocation fails: what cannot be done is refused or lost, nothing breaks and
 * nothing leaks. */
#include "proxy/sip_flow.h"
#include "scenario/sip/support_world.h"

#include <errno.h>
#include <stdio.h>

static long fail_at;

/* Only what the core does shall fail, not what the test does around it. */
#define FAILING(statement)                                                     \
    do {                                                                       \
        mem_fail_at(fail_at);                                                  \
        statement;                                                             \
        mem_fail_at(-1);                                                       \
    } while (0)

/* Answer the newest request that went to a server, if there is one. */
static void answer_server(const char *start, unsigned status, const char *extra)
{
    const struct sent *found = NULL;
    const struct sent *s;
    char text[WORLD_MESSAGE];

    while ((s = world_sent())) {
        if (s->conn < 0 && strncmp(s->text, start, strlen(start)) == 0)
            found = s;
    }
    if (!found)
        return;
    (void)snprintf(text, sizeof(text), "%s",
                   world_answer(found, status, "srv", extra));
    FAILING(world_from_server(WORLD_SERVER_A, 0, "%s", text));
}

static void story(void)
{
    world_connect(0, 0, 0);
    world_connect(1, 0, sip_name_tag(span_str("mds1")));
    for (int conn = 0; conn < 2; conn++)
        FAILING(world_from_client(
            conn,
            "REGISTER sip:e.org SIP/2.0\r\n"
            "Via: SIP/2.0/WS a.invalid;branch=z9hG4bKr%d\r\n"
            "From: <sip:a@e.org>;tag=1\r\nTo: <sip:a@e.org>\r\n"
            "Call-ID: r%d\r\nCSeq: 1 REGISTER\r\n"
            "Contact: <sips:a@a.invalid;transport=wss>\r\n\r\n",
            conn, conn));
    answer_server("REGISTER", 200, "");
    FAILING(world_from_client(
        0, "INVITE sip:b@e.org SIP/2.0\r\n"
           "Via: SIP/2.0/WS a.invalid;branch=z9hG4bKi\r\n"
           "From: <sip:a@e.org>;tag=1\r\nTo: <sip:b@e.org>\r\n"
           "Call-ID: i\r\nCSeq: 1 INVITE\r\n"
           "Contact: <sip:a@a.invalid>\r\n\r\n"));
    answer_server("INVITE", 180, "");
    FAILING(world_from_client(
        0, "CANCEL sip:b@e.org SIP/2.0\r\n"
           "Via: SIP/2.0/WS a.invalid;branch=z9hG4bKi\r\n"
           "From: <sip:a@e.org>;tag=1\r\nTo: <sip:b@e.org>\r\n"
           "Call-ID: i\r\nCSeq: 1 CANCEL\r\n\r\n"));
    answer_server("CANCEL", 200, "");
    FAILING(world_disconnect(0));
    world_forget();
    for (int i = 0; i < 20; i++) {
        FAILING(world_advance(10000));
        world_forget();
    }
    ck_assert_uint_eq(sip_core_pending(world.core[0]), 0);
    ck_assert_uint_eq(world.stats[0].transaction_bytes, 0);
}

START_TEST(each_allocation_may_fail_once)
{
    for (fail_at = 0; fail_at < 12; fail_at++) {
        world_begin(1);
        story();
        world_end();
    }
}
END_TEST

static int ignore_send(void *arg, const struct sip_target *to, void *conn,
                       struct span message)
{
    (void)arg;
    (void)to;
    (void)conn;
    (void)message;
    return 0;
}

static void zeros(void *arg, void *out, size_t len)
{
    (void)arg;
    memset(out, 0, len);
}

START_TEST(a_core_that_cannot_be_made_leaves_nothing)
{
    const struct sip_place place = {.workers = 1};
    const struct sip_env env = {.send = ignore_send, .random = zeros};
    struct sip_core *core = NULL;
    struct sip_stats stats = {0};
    int err;

    world_begin(1); /* for its configuration */
    CK_OOM_SWEEP(
        err, err = sip_core_new(&core, &world.cfg, &place, &env, &stats, 0));
    sip_core_free(core);
    world_end();
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("sip_memory");
    TCase *t = tcase_create("memory");

    tcase_add_test(t, each_allocation_may_fail_once);
    tcase_add_test(t, a_core_that_cannot_be_made_leaves_nothing);
    suite_add_tcase(s, t);
    return s;
}
