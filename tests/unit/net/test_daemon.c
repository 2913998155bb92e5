/* SPDX-License-Identifier: MIT */
#include "app/daemon.h"

#include "net/worker.h"
#include "support/unit.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* A daemon that counts sessions nobody has; it runs in a child process, and
 * says over a datagram socket (the service manager's) how far it is. */

enum { WAIT_MS = 10000, EXIT_LEAK = 77, HANG = 99, HANG_MS = 3000 };

struct demo_config {
    struct config_common common;
    uint32_t sessions; /* that stay when draining */
    const char *fail;  /* where to fail */
};

#define FIELD(f) offsetof(struct demo_config, f)
static const struct option_def options[] = {
    {.name = "sessions",
     .type = OPT_U32,
     .offset = FIELD(sessions),
     .flags = OPT_RELOAD,
     .help = "sessions that stay"},
    {.name = "fail",
     .type = OPT_STRING,
     .offset = FIELD(fail),
     .help = "where to fail"},
};

#define DEMO_STATS(X)                                                          \
    X(COUNTER, reloads, "reloads_seen", "", "settings that came")              \
    X(GAUGE, sessions, "sessions", "", "sessions alive")

struct demo_stats {
    DEMO_STATS(STATS_FIELD)
};

static const struct stats_def defs[] = {DEMO_STATS(STATS_DEF)};
static const char *const gauges[] = {"sessions", NULL};

struct demo_worker {
    struct demo_stats *stats;
    const struct demo_config *config;
};

static bool fails(const struct config *config, const char *where)
{
    const struct demo_config *demo = config_values(config);

    return demo->fail && strcmp(demo->fail, where) == 0;
}

static int on_start(struct daemon *daemon, const struct config *config,
                    void **ret_state)
{
    if (fails(config, "start"))
        return -EADDRINUSE;
    *ret_state = daemon;
    return 0;
}

static int on_reload(void *state, const struct config *config,
                     struct buf *report)
{
    (void)state;
    if (!fails(config, "reload"))
        return 0;
    buf_put_str(report, "told to refuse\n");
    return -EINVAL;
}

static int on_worker_start(void *state, struct worker *worker,
                           const struct config *config, void *stats,
                           void **ret_worker_state)
{
    struct demo_worker *demo;

    if (worker_index(worker) == 1 && fails(config, "worker"))
        return -EADDRINUSE;
    if (!daemon_config(state))
        return -EINVAL;
    demo = mem_zalloc(sizeof(*demo));
    if (!demo)
        return -ENOMEM;
    demo->stats = stats;
    demo->config = config_values(config);
    stats_set(&demo->stats->sessions, demo->config->sessions);
    *ret_worker_state = demo;
    return 0;
}

static void on_worker_reload(void *worker_state, const struct config *config)
{
    struct demo_worker *demo = worker_state;

    demo->config = config_values(config);
    if (demo->config->sessions == HANG)
        (void)poll(NULL, 0, HANG_MS);
    stats_inc(&demo->stats->reloads);
    stats_set(&demo->stats->sessions, demo->config->sessions);
}

static void on_worker_free(void *worker_state)
{
    mem_free(worker_state);
}

static void on_worker_stop(void *worker_state)
{
    struct demo_worker *demo = worker_state;

    stats_set(&demo->stats->sessions, 0);
}

static const struct daemon_spec spec = {
    .config = {.program = "demo-server",
               .summary = "A server for tests.",
               .table = {options, ARRAY_SIZE(options),
                         sizeof(struct demo_config), NULL}},
    .stats = {defs, ARRAY_SIZE(defs)},
    .sessions = gauges,
    .start = on_start,
    .reload = on_reload,
    .worker_start = on_worker_start,
    .worker_reload = on_worker_reload,
    .worker_stop = on_worker_stop,
    .worker_free = on_worker_free,
};

/* ---- the parent's side ---- */

static char folder[] = "/tmp/daemon-test-XXXXXX";
static char path_file[64], path_admin[64], path_notify[64];
static int notify;
static pid_t child;

static void write_file(const char *text)
{
    FILE *f = fopen(path_file, "w");

    ck_assert_ptr_nonnull(f);
    (void)fputs(text, f);
    (void)fclose(f);
}

static void setup(void)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};

    memcpy(folder + sizeof(folder) - 7, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path_file, sizeof(path_file), "%s/c.json", folder);
    (void)snprintf(path_admin, sizeof(path_admin), "%s/admin", folder);
    (void)snprintf(path_notify, sizeof(path_notify), "%s/notify", folder);
    write_file("{\"sessions\": 0}");
    notify = socket(AF_UNIX, SOCK_DGRAM, 0);
    memcpy(sa.sun_path, path_notify, strlen(path_notify) + 1);
    ck_assert_int_eq(bind(notify, (struct sockaddr *)&sa, sizeof(sa)), 0);
    child = 0;
}

static void teardown(void)
{
    if (child > 0) {
        (void)kill(child, SIGKILL);
        (void)waitpid(child, NULL, 0);
    }
    close(notify);
    (void)unlink(path_notify);
    (void)unlink(path_admin);
    (void)unlink(path_file);
    (void)rmdir(folder);
}

/* The child: everything given back? */
static void run_child(const char *const *flags)
{
    char *argv[16] = {NULL};
    int argc = 0, code;

    memcpy(&argv[argc++], &(const char *){"demo-server"}, sizeof(char *));
    for (; flags[argc - 1]; argc++)
        memcpy(&argv[argc], &flags[argc - 1], sizeof(char *));
    (void)setenv("NOTIFY_SOCKET", path_notify, 1);
    (void)unsetenv("WATCHDOG_PID");
    (void)setenv("WATCHDOG_USEC", "100000", 1);
    code = daemon_main(&spec, argc, argv);
    _exit(mem_live_blocks() ? EXIT_LEAK : code);
}

static void start(const char *const *more)
{
    const char *flags[12] = {"--config",    path_file,        "--workers",
                             "2",           "--admin-socket", path_admin,
                             "--log-level", "error"};

    for (size_t i = 0; more && more[i]; i++)
        flags[8 + i] = more[i];
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        run_child(flags);
}

/* Until the child says a line that begins with `text`. */
static void expect(const char *text)
{
    struct pollfd poller = {.fd = notify, .events = POLLIN};
    char line[256];

    for (;;) {
        ssize_t n;

        ck_assert_msg(poll(&poller, 1, WAIT_MS) == 1, "never said %s", text);
        n = recv(notify, line, sizeof(line), 0);
        ck_assert_int_gt(n, 0);
        if (span_starts(span_of(line, (size_t)n), text))
            return;
    }
}

static int wait_exit(void)
{
    int status = 0;

    for (unsigned ms = 0; ms < WAIT_MS; ms += 10) {
        if (waitpid(child, &status, WNOHANG) == child) {
            child = 0;
            ck_assert(WIFEXITED(status));
            return WEXITSTATUS(status);
        }
        (void)poll(NULL, 0, 10);
    }
    ck_abort_msg("the daemon did not end");
    return -1;
}

/* A request to the admin socket; the reply is in `out`. */
static void ask(const char *request, struct buf *out)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    uint8_t chunk[4096];
    ssize_t n;

    memcpy(sa.sun_path, path_admin, strlen(path_admin) + 1);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    ck_assert_int_gt(send(fd, request, strlen(request), MSG_NOSIGNAL), 0);
    buf_reset(out);
    while ((n = recv(fd, chunk, sizeof(chunk), 0)) > 0)
        buf_put(out, chunk, (size_t)n);
    close(fd);
}

static void assert_ask(const char *what, const char *answer)
{
    char request[128];
    struct buf out;
    bool found;

    (void)snprintf(request, sizeof(request),
                   "%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
                   "\r\n",
                   what);
    buf_init(&out, 1 << 20);
    ask(request, &out);
    found = span_search(buf_span(&out), span_str(answer)) >= 0;
    ck_assert_msg(found, "\"%s\" is not in:\n%.*s", answer,
                  SPAN_FMT(buf_span(&out)));
    buf_deinit(&out);
}

START_TEST(says_ready_and_stops_on_sigterm)
{
    start(NULL);
    expect("READY=1");
    expect("WATCHDOG=1");
    assert_ask("GET /healthz", "200 OK");
    assert_ask("GET /readyz", "ready\n");
    assert_ask("GET /status", "\"state\":\"running\"");
    assert_ask("GET /metrics", "# TYPE demo_server_sessions gauge\n");
    ck_assert_int_eq(kill(child, SIGTERM), 0);
    expect("STOPPING=1");
    ck_assert_int_eq(wait_exit(), 0);
}
END_TEST

START_TEST(waits_for_sessions_until_the_second_signal)
{
    write_file("{\"sessions\": 1}");
    start(NULL);
    expect("READY=1");
    assert_ask("GET /status", "\"sessions\":2");
    ck_assert_int_eq(kill(child, SIGTERM), 0);
    expect("STOPPING=1");
    assert_ask("GET /readyz", "503");
    assert_ask("GET /status", "\"state\":\"draining\"");
    assert_ask("POST /reload", "409");
    ck_assert_int_eq(kill(child, SIGINT), 0);
    ck_assert_int_eq(wait_exit(), 0);
}
END_TEST

START_TEST(a_drain_ends_with_its_deadline)
{
    const char *const flags[] = {"--drain-time", "200ms", NULL};

    write_file("{\"sessions\": 1}");
    start(flags);
    expect("READY=1");
    assert_ask("POST /drain", "202");
    ck_assert_int_eq(wait_exit(), 0);
}
END_TEST

START_TEST(sighup_reaches_every_worker)
{
    start(NULL);
    expect("READY=1");
    write_file("{\"sessions\": 3}");
    ck_assert_int_eq(kill(child, SIGHUP), 0);
    expect("RELOADING=1");
    expect("READY=1");
    for (unsigned i = 0; i < 100; i++) { /* the workers take their time */
        struct buf out;
        bool found;

        buf_init(&out, 1 << 20);
        ask("GET /status HTTP/1.1\r\nHost: x\r\n\r\n", &out);
        found = span_search(buf_span(&out),
                            span_str("\"reloads\":2,\"sessions\":6}")) >= 0;
        buf_deinit(&out);
        if (found)
            break;
        ck_assert_uint_lt(i, 99);
        (void)poll(NULL, 0, 20);
    }
    ck_assert_int_eq(kill(child, SIGTERM), 0);
    ck_assert_int_eq(kill(child, SIGTERM), 0);
    (void)poll(NULL, 0, 200);
    (void)kill(child, SIGTERM); /* the first two may count as one */
    ck_assert_int_eq(wait_exit(), 0);
}
END_TEST

START_TEST(a_wrong_file_changes_nothing)
{
    start(NULL);
    expect("READY=1");
    write_file("{\"sessions\": -1}");
    assert_ask("POST /reload", "sessions: \"-1\" is not allowed");
    assert_ask("POST /reload", "409");
    assert_ask("GET /metrics", "demo_server_reloads_refused_total 2\n");
    write_file("{\"sessions\": 0}");
    assert_ask("POST /reload", "settings reloaded");
    ck_assert_int_eq(kill(child, SIGTERM), 0);
    ck_assert_int_eq(wait_exit(), 0);
}
END_TEST

START_TEST(a_hook_can_refuse_a_reload)
{
    const char *const flags[] = {"--fail", "reload", NULL};

    start(flags);
    expect("READY=1");
    assert_ask("POST /reload", "told to refuse");
    ck_assert_int_eq(kill(child, SIGTERM), 0);
    ck_assert_int_eq(wait_exit(), 0);
}
END_TEST

/* The socket holds few messages, and a full one loses them. */
static void forget_messages(void)
{
    char line[256];

    while (recv(notify, line, sizeof(line), MSG_DONTWAIT) > 0)
        ;
}

/* True when GET /healthz once gives `answer`, within WAIT_MS. */
static bool health_becomes(const char *answer)
{
    for (unsigned ms = 0; ms < WAIT_MS; ms += 100) {
        struct buf out;
        bool found;

        buf_init(&out, 1 << 16);
        ask("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", &out);
        found = span_search(buf_span(&out), span_str(answer)) >= 0;
        buf_deinit(&out);
        forget_messages();
        if (found)
            return true;
        (void)poll(NULL, 0, 100);
    }
    return false;
}

START_TEST(a_stuck_worker_is_noticed)
{
    start(NULL);
    expect("READY=1");
    write_file("{\"sessions\": 99}"); /* the demo hangs for a while */
    ck_assert_int_eq(kill(child, SIGHUP), 0);
    ck_assert(health_becomes("does not answer"));
    ck_assert(health_becomes("ok\n"));
    ck_assert_int_eq(kill(child, SIGTERM), 0);
    expect("STOPPING=1");
    ck_assert_int_eq(kill(child, SIGTERM), 0);
    ck_assert_int_eq(wait_exit(), 0);
}
END_TEST

START_TEST(a_failed_start_is_exit_code_1)
{
    static const char *const places[] = {"start", "worker"};
    const char *const flags[] = {"--fail", places[_i], NULL};

    start(flags);
    ck_assert_int_eq(wait_exit(), 1);
}
END_TEST

START_TEST(a_wrong_setting_is_exit_code_1)
{
    write_file("{\"sesions\": 1}");
    start(NULL);
    ck_assert_int_eq(wait_exit(), 1);
}
END_TEST

START_TEST(the_same_socket_twice_is_exit_code_1)
{
    pid_t first;

    start(NULL);
    expect("READY=1");
    first = child;
    start(NULL);
    ck_assert_int_eq(wait_exit(), 1);
    child = first;
    assert_ask("GET /healthz", "ok");
    ck_assert_int_eq(kill(child, SIGTERM), 0);
    ck_assert_int_eq(wait_exit(), 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("daemon");
    TCase *tc = tcase_create("life");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, says_ready_and_stops_on_sigterm);
    tcase_add_test(tc, waits_for_sessions_until_the_second_signal);
    tcase_add_test(tc, a_drain_ends_with_its_deadline);
    tcase_add_test(tc, sighup_reaches_every_worker);
    tcase_add_test(tc, a_wrong_file_changes_nothing);
    tcase_add_test(tc, a_hook_can_refuse_a_reload);
    tcase_add_test(tc, a_stuck_worker_is_noticed);
    tcase_add_loop_test(tc, a_failed_start_is_exit_code_1, 0, 2);
    tcase_add_test(tc, a_wrong_setting_is_exit_code_1);
    tcase_add_test(tc, the_same_socket_twice_is_exit_code_1);
    suite_add_tcase(suite, tc);
    return suite;
}
