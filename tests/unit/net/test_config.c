/* SPDX-License-Identifier: MIT */
#include "app/config.h"

#include "base/err.h"
#include "support/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRANSPORT_UDP, TRANSPORT_TLS };

struct demo_route {
    const char *path;
    const char *upstream;
    uint64_t timeout;
    struct cidr_list allow;
    bool buffered;
};

struct demo_rate {
    uint32_t per_second;
    uint32_t burst;
};

struct demo_config {
    struct config_common common;
    uint16_t port;
    uint32_t max;
    uint64_t size;
    bool fast;
    const char *realm;
    const char *password;
    const char *certificate;
    struct option_secret secret;
    struct endpoint_list listen;
    struct endpoint upstream;
    struct addr_list relay;
    struct cidr_list allow;
    struct port_range ports;
    CONFIG_LIST(struct demo_route) routes;
    struct demo_rate rate;
    struct string_list names;
    int *checked;
};

#define ROUTE(f) offsetof(struct demo_route, f)
static const struct option_def route_options[] = {
    {.name = "path",
     .type = OPT_STRING,
     .offset = ROUTE(path),
     .min = 1,
     .flags = OPT_REQUIRED,
     .help = "path prefix"},
    {.name = "upstream",
     .type = OPT_STRING,
     .offset = ROUTE(upstream),
     .flags = OPT_REQUIRED,
     .help = "where to"},
    {.name = "timeout",
     .type = OPT_DURATION,
     .offset = ROUTE(timeout),
     .fallback = "30s",
     .max = 60000,
     .help = "how long"},
    {.name = "allow",
     .type = OPT_CIDR,
     .offset = ROUTE(allow),
     .flags = OPT_LIST,
     .help = "who may"},
    {.name = "buffered",
     .type = OPT_BOOL,
     .offset = ROUTE(buffered),
     .help = "keep"},
};

static const struct option_table route_table = {
    route_options, ARRAY_SIZE(route_options), sizeof(struct demo_route),
    "path=upstream"};

#define RATE(f) offsetof(struct demo_rate, f)
static const struct option_def rate_options[] = {
    {.name = "per-second",
     .type = OPT_U32,
     .offset = RATE(per_second),
     .fallback = "10",
     .help = "tokens"},
    {.name = "burst",
     .type = OPT_U32,
     .offset = RATE(burst),
     .fallback = "20",
     .help = "most tokens"},
};

static const struct option_table rate_table = {
    rate_options, ARRAY_SIZE(rate_options), sizeof(struct demo_rate), NULL};

#define FIELD(f) offsetof(struct demo_config, f)
static const struct option_def options[] = {
    {.name = "port",
     .type = OPT_U16,
     .offset = FIELD(port),
     .min = 1,
     .fallback = "3478",
     .help = "a port"},
    {.name = "max-allocations",
     .type = OPT_U32,
     .offset = FIELD(max),
     .min = 1,
     .max = 1000,
     .fallback = "100",
     .flags = OPT_RELOAD,
     .help = "a limit"},
    {.name = "size",
     .type = OPT_SIZE,
     .offset = FIELD(size),
     .fallback = "64k",
     .help = "a size"},
    {.name = "fast", .type = OPT_BOOL, .offset = FIELD(fast), .help = "a bool"},
    {.name = "realm",
     .type = OPT_STRING,
     .offset = FIELD(realm),
     .max = 16,
     .flags = OPT_REQUIRED | OPT_RELOAD,
     .help = "a name"},
    {.name = "password",
     .type = OPT_STRING,
     .offset = FIELD(password),
     .flags = OPT_SECRET,
     .help = "a secret"},
    {.name = "certificate",
     .type = OPT_FILE,
     .offset = FIELD(certificate),
     .help = "a file"},
    {.name = "secret-file",
     .type = OPT_SECRET_FILE,
     .offset = FIELD(secret),
     .flags = OPT_RELOAD,
     .max = 32,
     .help = "a secret in a file"},
    {.name = "listen",
     .type = OPT_ENDPOINT,
     .offset = FIELD(listen),
     .values = "udp|tls=5349",
     .flags = OPT_LIST | OPT_NUMERIC,
     .fallback = "udp:0.0.0.0:3478 udp:[::]:3478",
     .help = "addresses to serve"},
    {.name = "upstream",
     .type = OPT_ENDPOINT,
     .offset = FIELD(upstream),
     .values = "http=80|https=443",
     .help = "a target"},
    {.name = "relay-address",
     .type = OPT_ADDR,
     .offset = FIELD(relay),
     .flags = OPT_LIST | OPT_RELOAD,
     .help = "own addresses"},
    {.name = "allow-peer",
     .type = OPT_CIDR,
     .offset = FIELD(allow),
     .flags = OPT_LIST | OPT_RELOAD,
     .help = "peers"},
    {.name = "relay-ports",
     .type = OPT_PORTS,
     .offset = FIELD(ports),
     .fallback = "30000-39999",
     .help = "ports"},
    {.name = "route",
     .type = OPT_OBJECT,
     .offset = FIELD(routes),
     .object = &route_table,
     .flags = OPT_LIST | OPT_RELOAD,
     .help = "routes"},
    {.name = "rate",
     .type = OPT_OBJECT,
     .offset = FIELD(rate),
     .object = &rate_table,
     .flags = OPT_RELOAD,
     .help = "a rate"},
    {.name = "name",
     .type = OPT_STRING,
     .offset = FIELD(names),
     .flags = OPT_LIST,
     .help = "names"},
};

static void check_demo(struct config_build *build, void *values)
{
    struct demo_config *demo = values;

    demo->checked = config_alloc(build, sizeof(*demo->checked));
    if (demo->checked)
        *demo->checked = 42;
    for (size_t i = 0; i < demo->routes.n; i++) {
        char key[64];

        if (demo->routes.items[i].path[0] == '/')
            continue;
        (void)snprintf(key, sizeof(key), "route[%zu].path", i);
        config_error(build, key, "must begin with a slash");
    }
}

static const struct config_spec spec = {
    .program = "demo-server",
    .summary = "A server for tests.",
    .table = {options, ARRAY_SIZE(options), sizeof(struct demo_config), NULL},
    .check = check_demo,
};

static struct config *config;
static const struct demo_config *demo;
static struct buf report;
static char folder[] = "/tmp/config-test-XXXXXX";
static char path_file[64], path_secret[64];

static void setup(void)
{
    memcpy(folder + sizeof(folder) - 7, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path_file, sizeof(path_file), "%s/c.json", folder);
    (void)snprintf(path_secret, sizeof(path_secret), "%s/s", folder);
    buf_init(&report, 65536);
    config = NULL;
}

static void teardown(void)
{
    config_unref(config);
    buf_deinit(&report);
    (void)unlink(path_file);
    (void)unlink(path_secret);
    (void)rmdir(folder);
    ck_assert_no_blocks();
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    ck_assert_ptr_nonnull(f);
    (void)fputs(text, f);
    (void)fclose(f);
    ck_assert_int_eq(chmod(path, 0600), 0);
}

static const char *const no_env[] = {NULL};

/* main() has them without const. */
static size_t copy_pointers(const char *const *from, char **to)
{
    size_t n = 0;

    while (from[n])
        n++;
    memcpy(to, from, (n + 1) * sizeof(*to));
    return n;
}

static int read_args(const char *const *argv, const char *const *envp)
{
    static char *args[64], *env[16];
    int argc = (int)copy_pointers(argv, args);
    int err;

    (void)copy_pointers(envp, env);
    config_unref(config);
    config = NULL;
    buf_reset(&report);
    err = config_read(&spec, argc, args, env, &report, &config);
    demo = config ? config_values(config) : NULL;
    return err;
}

#define ARGS(...) ((const char *const[]){"demo-server", __VA_ARGS__, NULL})
#define READ(...) read_args(ARGS(__VA_ARGS__), no_env)

static int read_json(const char *text)
{
    int err;

    config_unref(config);
    config = NULL;
    buf_reset(&report);
    err = config_read_json(&spec, span_str(text), &report, &config);
    demo = config ? config_values(config) : NULL;
    return err;
}

static void assert_report(const char *text)
{
    struct span s = buf_span(&report);

    ck_assert_msg(span_search(s, span_str(text)) >= 0,
                  "\"%s\" is not in:\n%.*s", text, SPAN_FMT(s));
}

static void assert_ok(int err)
{
    ck_assert_msg(err == 0, "%s:\n%.*s", err_str(err),
                  SPAN_FMT(buf_span(&report)));
}

/* ---- values ---- */

START_TEST(defaults_fill_what_nothing_sets)
{
    assert_ok(READ("--realm", "x"));
    ck_assert_uint_eq(demo->port, 3478);
    ck_assert_uint_eq(demo->size, 65536);
    ck_assert(!demo->fast);
    ck_assert_ptr_null(demo->certificate);
    ck_assert_uint_eq(demo->listen.n, 2);
    ck_assert_int_eq(demo->listen.items[1].addr.family, ADDR_V6);
    ck_assert_uint_eq(demo->ports.first, 30000);
    ck_assert_uint_eq(demo->ports.last, 39999);
    ck_assert_uint_eq(demo->rate.burst, 20);
    ck_assert_uint_eq(demo->upstream.port, 0);
    ck_assert_int_eq(demo->common.log_level, LOG_LEVEL_INFO);
    ck_assert_uint_eq(demo->common.drain_time, 30000);
    ck_assert_int_eq(*demo->checked, 42);
}
END_TEST

START_TEST(flags_of_every_type)
{
    assert_ok(READ("--realm=a b", "--port", "1", "--size", "2m", "--fast",
                   "--listen", "tls:[::1]:443", "--listen=udp:127.0.0.1:0",
                   "--relay-address", "192.0.2.1,2001:db8::1", "--allow-peer",
                   "10.0.0.0/24:10000-20000", "--relay-ports", "5060",
                   "--upstream", "https://example.net", "--name", "a,b",
                   "--rate", "burst=3", "--log-level", "DEBUG"));
    ck_assert_str_eq(demo->realm, "a b");
    ck_assert_uint_eq(demo->port, 1);
    ck_assert_uint_eq(demo->size, 2 * 1024 * 1024);
    ck_assert(demo->fast);
    ck_assert_uint_eq(demo->listen.n, 2);
    ck_assert_int_eq(demo->listen.items[0].transport, TRANSPORT_TLS);
    ck_assert_str_eq(demo->listen.items[0].host, "::1");
    ck_assert_uint_eq(demo->listen.items[0].addr.port, 443);
    ck_assert_uint_eq(demo->listen.items[1].port, 0);
    ck_assert_uint_eq(demo->relay.n, 2);
    ck_assert_uint_eq(demo->allow.items[0].port_last, 20000);
    ck_assert_uint_eq(demo->ports.last, 5060);
    ck_assert_str_eq(demo->upstream.scheme, "https");
    ck_assert_str_eq(demo->upstream.host, "example.net");
    ck_assert_uint_eq(demo->upstream.port, 443);
    ck_assert_int_eq(demo->upstream.addr.family, ADDR_NONE);
    ck_assert_uint_eq(demo->names.n, 1);
    ck_assert_str_eq(demo->names.items[0], "a,b");
    ck_assert_uint_eq(demo->rate.burst, 3);
    ck_assert_uint_eq(demo->rate.per_second, 10);
    ck_assert_int_eq(demo->common.log_level, LOG_LEVEL_DEBUG);
}
END_TEST

START_TEST(short_and_long_form_of_an_object_are_the_same)
{
    static const char *const forms[] = {
        "{\"realm\": \"x\", \"route\": [\"/cc=web,timeout=5s,buffered,"
        "allow=10.0.0.0/8,allow=192.168.0.0/16\"]}",
        "{\"realm\": \"x\", \"route\": \"path=/cc,upstream=web,timeout=5s,"
        "buffered=yes,allow=10.0.0.0/8,allow=192.168.0.0/16\"}",
        "{\"realm\": \"x\", \"route\": [{\"path\": \"/cc\", \"upstream\": "
        "\"web\", \"timeout\": \"5s\", \"buffered\": true, \"allow\": "
        "[\"10.0.0.0/8\", \"192.168.0.0/16\"]}]}",
    };

    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        assert_ok(read_json(forms[i]));
        ck_assert_uint_eq(demo->routes.n, 1);
        ck_assert_str_eq(demo->routes.items[0].path, "/cc");
        ck_assert_str_eq(demo->routes.items[0].upstream, "web");
        ck_assert_uint_eq(demo->routes.items[0].timeout, 5000);
        ck_assert(demo->routes.items[0].buffered);
        ck_assert_uint_eq(demo->routes.items[0].allow.n, 2);
    }
}
END_TEST

START_TEST(long_lists_keep_their_items)
{
    struct buf text;

    buf_init(&text, 65536);
    buf_put_str(&text, "{\"realm\":\"x\",\"route\":[");
    for (unsigned i = 0; i < 100; i++)
        buf_printf(&text, "\"/%u=u%u\",", i, i);
    buf_put_str(&text, "]}");
    buf_put_byte(&text, 0);
    assert_ok(read_json((const char *)text.data));
    ck_assert_uint_eq(demo->routes.n, 100);
    ck_assert_str_eq(demo->routes.items[0].path, "/0");
    ck_assert_str_eq(demo->routes.items[99].upstream, "u99");
    buf_deinit(&text);
}
END_TEST

/* ---- order ---- */

START_TEST(flags_beat_environment_beats_file)
{
    const char *const env[] = {
        "DEMO_SERVER_PORT=2222",
        "DEMO_SERVER_REALM=env",
        "DEMO_SERVER_LISTEN=udp:127.0.0.1:1 tls:127.0.0.1:2",
        "DEMO_SERVER_ALLOW_PEER=10.0.0.0/8,172.16.0.0/12",
        "DEMO_SERVER_FAST=",
        NULL};
    const char *const argv[] = {"demo-server", "--config", path_file,
                                "--realm",     "flag",     NULL};

    write_file(path_file, "{\"port\": 1111, \"realm\": \"file\", "
                          "\"max-allocations\": 7, \"fast\": true,"
                          "\"listen\": [\"udp:127.0.0.1:9\"]}");
    assert_ok(read_args(argv, env));
    ck_assert_str_eq(demo->realm, "flag");
    ck_assert_uint_eq(demo->port, 2222);
    ck_assert_uint_eq(demo->max, 7);
    ck_assert(demo->fast); /* an empty variable is none */
    ck_assert_uint_eq(demo->listen.n, 2);
    ck_assert_uint_eq(demo->allow.n, 2);
    ck_assert_str_eq(demo->common.config, path_file);
}
END_TEST

START_TEST(the_file_may_be_named_by_the_environment)
{
    char variable[128];
    const char *const env[] = {variable, NULL};

    (void)snprintf(variable, sizeof(variable), "DEMO_SERVER_CONFIG=%s",
                   path_file);
    write_file(path_file, "{\"realm\": \"file\"}");
    assert_ok(read_args((const char *const[]){"demo-server", NULL}, env));
    ck_assert_str_eq(demo->realm, "file");
}
END_TEST

START_TEST(comments_and_trailing_commas_are_fine)
{
    assert_ok(read_json("// first\n{ # second\n /* third\n */ \"realm\": "
                        "\"a//b#c/*d*/\", \"name\": [\"x\", \"y\", ],\n}\n"));
    ck_assert_str_eq(demo->realm, "a//b#c/*d*/");
    ck_assert_uint_eq(demo->names.n, 2);
}
END_TEST

/* ---- mistakes ---- */

struct mistake {
    const char *json;
    const char *message;
};

static const struct mistake mistakes[] = {
    {"{\"realm\":\"x\",\"port\":0}",
     "settings: port: \"0\" is not allowed; expected a number from 1 to "
     "65535"},
    {"{\"realm\":\"x\",\"port\":65536}", "port: \"65536\" is not allowed"},
    {"{\"realm\":\"x\",\"port\":1.5}", "port: \"1.5\" is not allowed"},
    {"{\"realm\":\"x\",\"port\":-1}", "port: \"-1\" is not allowed"},
    {"{\"realm\":\"x\",\"port\":\"3478\"}", "text is of the wrong type"},
    {"{\"realm\":\"x\",\"port\":true}", "true or false is of the wrong type"},
    {"{\"realm\":\"x\",\"fast\":1}", "fast: a number is of the wrong type"},
    {"{\"realm\":\"x\",\"fast\":null}", "fast: null is of the wrong type"},
    {"{\"realm\":[\"x\"]}", "realm: a list is of the wrong type"},
    {"{\"realm\":\"12345678901234567\"}", "text of at most 16 bytes"},
    {"{\"realm\":\"a\\nb\"}", "\"a\\x0ab\" is not allowed"},
    {"{\"realm\":\"x\",\"size\":\"1x\"}", "a size such as 4096, 64k or 1m"},
    {"{\"realm\":\"x\",\"size\":\"99999999999g\"}", "size: "},
    {"{\"realm\":\"x\",\"drain-time\":\"5\"}", "a time such as"},
    {"{\"realm\":\"x\",\"log-level\":\"loud\"}",
     "\"loud\" is not allowed; expected one of error, warn, info, debug"},
    {"{\"realm\":\"x\",\"listen\":[\"udp:1.2.3.4:1\",\"udp:host:1\"]}",
     "listen[1]: \"udp:host:1\" is not allowed; expected "
     "transport:host:port with an IP address as host"},
    {"{\"realm\":\"x\",\"listen\":\"sctp:1.2.3.4:1\"}", "transports: udp, tls"},
    {"{\"realm\":\"x\",\"listen\":\"udp:::1:3478\"}", "listen: "},
    {"{\"realm\":\"x\",\"listen\":\"udp:1.2.3.4\"}", "listen: "},
    {"{\"realm\":\"x\",\"upstream\":\"http:10.0.0.300:80\"}", "upstream: "},
    {"{\"realm\":\"x\",\"upstream\":\"http://a/b\"}", "upstream: "},
    {"{\"realm\":\"x\",\"upstream\":\"http:a:0\"}", "upstream: "},
    {"{\"realm\":\"x\",\"upstream\":\"http:[a]:1\"}", "upstream: "},
    {"{\"realm\":\"x\",\"relay-ports\":\"9-8\"}", "a port or first-last"},
    {"{\"realm\":\"x\",\"allow-peer\":[\"10.0.0.1/8\"]}",
     "allow-peer[0]: \"10.0.0.1/8\""},
    {"{\"realm\":\"x\",\"route\":[{\"path\":\"/\",\"upstream\":\"u\"},"
     "{\"path\":\"/x\",\"upstream\":\"u\",\"timeout\":\"2m\"}]}",
     "route[1].timeout: \"2m\" is not allowed; expected a time such as "
     "500ms, 30s, 5m or 1h from 0 to 1m"},
    {"{\"realm\":\"x\",\"route\":[{\"path\":\"/x\"}]}",
     "route[0].upstream: must be set"},
    {"{\"realm\":\"x\",\"route\":[{\"pth\":\"/x\",\"upstream\":\"u\"}]}",
     "route[0]: unknown key \"pth\"; did you mean \"path\"?"},
    {"{\"realm\":\"x\",\"route\":[\"/x\"]}", "expected path=upstream"},
    {"{\"realm\":\"x\",\"route\":[\"/x=u,timout=1s\"]}",
     "did you mean \"timeout\"?"},
    {"{\"realm\":\"x\",\"route\":[\"/x=u,path=/y\"]}", "path: given twice"},
    {"{\"realm\":\"x\",\"route\":[\"x=u\"]}",
     "route[0].path: must begin with a slash"},
    {"{\"realm\":\"x\",\"route\":[7]}", "a number is of the wrong type"},
    {"{\"realm\":\"x\",\"rate\":\"burst=1\"}", "text is of the wrong type"},
    {"{\"realm\":\"x\",\"rate\":{\"burst\":\"1\"}}", "rate.burst: text is"},
    {"{\"realm\":\"x\",\"realms\":1}",
     "unknown key \"realms\"; did you mean \"realm\"?"},
    {"{\"realm\":\"x\",\"port\":1,\"port\":1}", "port: the key stands twice"},
    {"{\"realm\":\"x\",\"config\":\"y\"}", "not a setting of the file"},
    {"{}", "demo-server: realm: must be set: a name"},
    {"{\"realm\":\"x\"} x", "line 1: not JSON"},
    {"{\n\"realm\":\n\n@}", "line 4: not JSON"},
    {"{\n/* \"realm\":\"x\"}", "line 2: a text or comment that does not end"},
    {"{\"realm\":\"x}", "line 1: a text"},
    {"{\"realm\":\"x\\u0000y\"}", "line 1: a text"},
    {"[1]", "expected an object"},
    {"", "not JSON"},
    {"{\"realm\":\"x\",\"name\":[,]}", "not JSON"},
    {"{\"realm\":\"x\",\"name\":[\"a\",,]}", "not JSON"},
    {"{\"realm\":\"x\",\"admin-listen\":\"192.0.2.1:80\"}",
     "admin-listen: must be a loopback address"},
};

START_TEST(a_mistake_is_named)
{
    ck_assert_int_eq(read_json(mistakes[_i].json), ERR_CONFIG);
    assert_report(mistakes[_i].message);
}
END_TEST

START_TEST(all_mistakes_are_reported_at_once)
{
    const char *const env[] = {"DEMO_SERVER_SIZE=big",
                               "DEMO_SERVER_MAX_ALOCATIONS=1", NULL};
    const char *const argv[] = {"demo-server",
                                "--config",
                                path_file,
                                "--prot",
                                "1",
                                "extra",
                                "--max-allocations=0",
                                "--route",
                                "/x=u,timeout=1",
                                NULL};

    write_file(path_file, "{\"port\": 0, \"colour\": 1}");
    ck_assert_int_eq(read_args(argv, env), ERR_CONFIG);
    assert_report("c.json: port: \"0\" is not allowed");
    assert_report("c.json: unknown key \"colour\"\n");
    assert_report("DEMO_SERVER_SIZE: \"big\" is not allowed");
    assert_report("warning: DEMO_SERVER_MAX_ALOCATIONS: unknown variable");
    assert_report("--prot: unknown option; did you mean \"port\"?");
    assert_report("\"extra\" is not an option");
    assert_report("--max-allocations: \"0\" is not allowed; expected a number "
                  "from 1 to 1000");
    assert_report("--route: timeout: \"1\" is not allowed");
    assert_report("demo-server: realm: must be set");
}
END_TEST

START_TEST(flags_are_strict)
{
    ck_assert_int_eq(READ("--realm", "x", "--port"), ERR_CONFIG);
    assert_report("--port: needs a value");
    ck_assert_int_eq(READ("--realm", "x", "--port", "1", "--port", "1"),
                     ERR_CONFIG);
    assert_report("--port: given twice");
    ck_assert_int_eq(READ("--realm", "x", "--password", "p"), ERR_CONFIG);
    assert_report("a secret may only stand in the file");
    ck_assert_int_eq(READ("--realm", "x", "--check"), ERR_CONFIG);
    ck_assert_int_eq(READ("--realm", "x", "--config"), ERR_CONFIG);
    ck_assert_int_eq(READ("--realm", "x", "--config", "/nonexistent"),
                     ERR_CONFIG);
    assert_report("/nonexistent: cannot be read: No such file");
    assert_ok(READ("--realm", "x", "--no-fast"));
    ck_assert_int_eq(READ("--realm", "x", "--no-port"), ERR_CONFIG);
}
END_TEST

START_TEST(a_check_names_the_source_of_the_value)
{
    ck_assert_int_eq(READ("--realm", "x", "--route", "y=u"), ERR_CONFIG);
    assert_report("--route: route[0].path: must begin with a slash");
}
END_TEST

/* ---- files and secrets ---- */

START_TEST(a_secret_is_read_and_never_shown)
{
    struct buf out;

    write_file(path_secret, "s3cr3t\n");
    assert_ok(READ("--realm", "x", "--secret-file", path_secret));
    ck_assert_span_eq(demo->secret.value, "s3cr3t");
    ck_assert_uint_eq(buf_len(&report), 0);

    buf_init(&out, 65536);
    config_dump(config, &out);
    ck_assert_int_lt(span_search(buf_span(&out), span_str("s3cr3t")), 0);
    ck_assert_int_ge(span_search(buf_span(&out), span_str(path_secret)), 0);
    buf_deinit(&out);
}
END_TEST

START_TEST(a_secret_everyone_can_read_is_warned_of)
{
    write_file(path_secret, "s3cr3t");
    ck_assert_int_eq(chmod(path_secret, 0644), 0);
    assert_ok(READ("--realm", "x", "--secret-file", path_secret));
    assert_report("warning: --secret-file: ");
}
END_TEST

START_TEST(a_secret_has_limits)
{
    write_file(path_secret, "\n");
    ck_assert_int_eq(READ("--realm", "x", "--secret-file", path_secret),
                     ERR_CONFIG);
    assert_report("must have 1 to 32 bytes");
    write_file(path_secret, "123456789012345678901234567890123");
    ck_assert_int_eq(READ("--realm", "x", "--secret-file", path_secret),
                     ERR_CONFIG);
    ck_assert_int_eq(READ("--realm", "x", "--secret-file", folder), ERR_CONFIG);
    assert_report("is a folder");
}
END_TEST

START_TEST(paths_in_the_file_start_at_its_folder)
{
    write_file(path_secret, "abc");
    write_file(path_file, "{\"realm\": \"x\", \"secret-file\": \"s\", "
                          "\"certificate\": \"s\"}");
    assert_ok(READ("--config", path_file));
    ck_assert_span_eq(demo->secret.value, "abc");
    ck_assert_str_eq(demo->certificate, path_secret);
}
END_TEST

/* ---- dump ---- */

START_TEST(a_dump_is_read_back_the_same)
{
    struct buf first, second;

    buf_init(&first, 65536);
    buf_init(&second, 65536);
    assert_ok(READ("--realm", "x\"y", "--port", "9", "--size", "3k", "--fast",
                   "--listen", "tls:[2001:db8::1]:443", "--upstream",
                   "https:h.example", "--relay-address", "192.0.2.1:5",
                   "--allow-peer", "[2001:db8::]/32:1-2", "--route",
                   "/a=b,timeout=0,allow=10.0.0.0/8", "--rate", "per-second=1",
                   "--name", "n"));
    config_dump(config, &first);
    buf_put_byte(&first, 0);
    assert_ok(read_json((const char *)first.data));
    config_dump(config, &second);
    buf_put_byte(&second, 0);
    ck_assert_str_eq((const char *)first.data, (const char *)second.data);
    ck_assert_str_eq(demo->realm, "x\"y");
    buf_deinit(&first);
    buf_deinit(&second);
}
END_TEST

/* ---- reload ---- */

static struct config *reload(int expected)
{
    struct config *next = NULL;
    int got;

    buf_reset(&report);
    got = config_reload(config, &report, &next);
    ck_assert_msg(got == expected, "%d: %.*s", got,
                  SPAN_FMT(buf_span(&report)));
    return next;
}

START_TEST(a_reload_changes_what_may_change)
{
    const struct demo_config *values;
    struct config *next;

    write_file(path_file, "{\"realm\": \"x\", \"port\": 1, \"name\": \"a\","
                          "\"listen\": \"udp:127.0.0.1:1\"}");
    assert_ok(READ("--config", path_file));
    ck_assert_ptr_null(reload(0));

    write_file(path_file, "{\"realm\": \"y\", \"port\": 2, \"name\": \"b\","
                          "\"listen\": \"udp:127.0.0.1:2\"}");
    next = reload(1);
    values = config_values(next);
    ck_assert_str_eq(values->realm, "y");
    ck_assert_uint_eq(values->port, 1);
    ck_assert_str_eq(values->names.items[0], "a");
    ck_assert_uint_eq(values->listen.items[0].port, 1);
    assert_report("port: the change needs a restart");
    assert_report("listen: the change needs a restart");
    config_unref(config);
    config = next; /* what was carried over lives in the new one */
    ck_assert_str_eq(values->names.items[0], "a");
}
END_TEST

START_TEST(a_refused_reload_leaves_everything)
{
    write_file(path_file, "{\"realm\": \"x\"}");
    assert_ok(READ("--config", path_file));
    write_file(path_file, "{\"realm\": 1}");
    ck_assert_ptr_null(reload(ERR_CONFIG));
    assert_report("c.json: realm: a number is of the wrong type");
    ck_assert_str_eq(demo->realm, "x");
}
END_TEST

START_TEST(a_new_secret_in_the_same_file_is_a_change)
{
    struct config *next;

    write_file(path_secret, "one");
    assert_ok(READ("--realm", "x", "--secret-file", path_secret));
    write_file(path_secret, "two");
    next = reload(1);
    config_unref(next);
}
END_TEST

/* ---- start ---- */

static enum config_action load(const char *const *argv)
{
    static char *args[64], *env[1];
    int argc = (int)copy_pointers(argv, args);
    FILE *keep[2] = {stdout, stderr};
    enum config_action action;

    stdout = stderr = fopen("/dev/null", "w");
    action = config_load(&spec, argc, args, env, &config);
    (void)fclose(stdout);
    stdout = keep[0];
    stderr = keep[1];
    return action;
}

START_TEST(actions_end_the_start)
{
    write_file(path_file, "{\"realm\": \"x\", \"certificate\": \"nofile\","
                          "\"secret-file\": \"nosecret\"}");
    ck_assert_int_eq(load(ARGS("--help", "--nonsense")), CONFIG_EXIT_OK);
    ck_assert_int_eq(load(ARGS("-V")), CONFIG_EXIT_OK);
    ck_assert_int_eq(load(ARGS("--check")), CONFIG_EXIT_FAILED);
    ck_assert_int_eq(load(ARGS("--realm", "x", "--check")), CONFIG_EXIT_OK);
    ck_assert_int_eq(load(ARGS("--realm", "x", "--dump-config")),
                     CONFIG_EXIT_OK);
    ck_assert_int_eq(load(ARGS("--config", path_file, "--check")),
                     CONFIG_EXIT_FAILED);
    ck_assert_int_eq(load(ARGS("--config", path_file, "--check=syntax")),
                     CONFIG_EXIT_OK);
    ck_assert_int_eq(load(ARGS("--nonsense")), CONFIG_EXIT_FAILED);
    ck_assert_ptr_null(config);
    ck_assert_int_eq(load(ARGS("--realm", "x")), CONFIG_RUN);
    ck_assert_ptr_nonnull(config);
}
END_TEST

/* ---- help ---- */

START_TEST(help_fits_and_names_everything)
{
    struct span rest, line;
    struct buf out;

    buf_init(&out, 65536);
    config_help(&spec, &out);
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        ck_assert_int_ge(span_search(buf_span(&out), span_str(options[i].name)),
                         0);
    ck_assert_int_ge(
        span_search(buf_span(&out), span_str("DEMO_SERVER_MAX_ALLOCATIONS")),
        0);
    rest = buf_span(&out);
    while (span_next(&rest, '\n', &line))
        ck_assert_uint_le(line.len, 80);
    buf_reset(&out);
    config_help_markdown(&spec, &out);
    ck_assert_int_ge(
        span_search(buf_span(&out), span_str("| `max-allocations` | NUMBER | "
                                             "`100` | yes | a limit |\n")),
        0);
    ck_assert_int_ge(
        span_search(buf_span(&out), span_str("| `route.timeout` |")), 0);
    buf_deinit(&out);
}
END_TEST

START_TEST(every_failed_allocation_is_handled)
{
    const char *const argv[] = {"demo-server", "--config", path_file,
                                "--route",     "/a=b",     NULL};
    const char *const env[] = {"DEMO_SERVER_NAME=a b", NULL};
    int err;

    write_file(path_file, "{\"realm\": \"x\", \"route\": [{\"path\": \"/\","
                          "\"upstream\": \"u\"}]}");
    CK_OOM_SWEEP(err, err = read_args(argv, env));
    ck_assert_str_eq(demo->routes.items[0].path, "/a");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("config");
    TCase *tc = tcase_create("config");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, defaults_fill_what_nothing_sets);
    tcase_add_test(tc, flags_of_every_type);
    tcase_add_test(tc, short_and_long_form_of_an_object_are_the_same);
    tcase_add_test(tc, long_lists_keep_their_items);
    tcase_add_test(tc, flags_beat_environment_beats_file);
    tcase_add_test(tc, the_file_may_be_named_by_the_environment);
    tcase_add_test(tc, comments_and_trailing_commas_are_fine);
    tcase_add_loop_test(tc, a_mistake_is_named, 0, ARRAY_SIZE(mistakes));
    tcase_add_test(tc, all_mistakes_are_reported_at_once);
    tcase_add_test(tc, flags_are_strict);
    tcase_add_test(tc, a_check_names_the_source_of_the_value);
    tcase_add_test(tc, a_secret_is_read_and_never_shown);
    tcase_add_test(tc, a_secret_everyone_can_read_is_warned_of);
    tcase_add_test(tc, a_secret_has_limits);
    tcase_add_test(tc, paths_in_the_file_start_at_its_folder);
    tcase_add_test(tc, a_dump_is_read_back_the_same);
    tcase_add_test(tc, a_reload_changes_what_may_change);
    tcase_add_test(tc, a_refused_reload_leaves_everything);
    tcase_add_test(tc, a_new_secret_in_the_same_file_is_a_change);
    tcase_add_test(tc, actions_end_the_start);
    tcase_add_test(tc, help_fits_and_names_everything);
    tcase_add_test(tc, every_failed_allocation_is_handled);
    suite_add_tcase(suite, tc);
    return suite;
}
