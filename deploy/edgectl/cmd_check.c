/* SPDX-License-Identifier: MIT */
#include "ctl_commands.h"

#include "base/err.h"
#include "base/mem.h"
#include "ctl_checks.h"
#include "ctl_user.h"

#include <psa/crypto.h>
#include <stdio.h>
#include <time.h>

static const char system_ca[] = "/etc/ssl/certs/ca-certificates.crt";

/* Who is to be asked. Everything is read before the first packet goes out. */
static int parse_uris(const struct ctl_args *args, struct ctl_uri *uris,
                      struct buf *error)
{
    for (size_t i = 0; i < args->n_words; i++) {
        if (ctl_uri_parse(args->words[i], &uris[i]) < 0) {
            buf_printf(error,
                       "\"%s\" is not like https://HOST[:PORT], "
                       "turn:HOST[:PORT][?transport=tcp], turns:HOST[:PORT], "
                       "stun:HOST[:PORT]\n",
                       args->words[i]);
            return ERR_PARSE;
        }
    }
    return 0;
}

static int load_ca(const struct ctl_args *args, mbedtls_x509_crt *ca,
                   struct buf *error)
{
    const char *path = ctl_args_value(args, "ca");

    (void)psa_crypto_init();
    /* Positive: some certificates of the system's bundle are of no use. */
    if (mbedtls_x509_crt_parse_file(ca, path ? path : system_ca) < 0 && path) {
        buf_printf(error, "%s: no certificates can be read from it\n", path);
        return ERR_CONFIG;
    }
    return 0;
}

static int run_all(const struct ctl_args *args, struct ctl_check_env *env,
                   const struct ctl_uri *uris)
{
    struct buf out;
    int code;

    for (size_t i = 0; i < args->n_words; i++) {
        if (strncmp(uris[i].scheme, "http", 4) == 0)
            check_web(env, &uris[i]);
        else
            check_turn(env, &uris[i]);
    }
    buf_init(&out, (size_t)16 * CTL_ERROR_MAX);
    if (ctl_args_has(args, "json"))
        ctl_checks_print_json(env->checks, &out);
    else
        ctl_checks_print(env->checks, &out);
    code = ctl_checks_worst(env->checks) == CTL_CHECK_OK ? CTL_OK : CTL_BAD;
    return ctl_flush(&out) ? code : CTL_USAGE;
}

int cmd_check(const struct ctl_args *args)
{
    const char *websockets[CTL_GIVEN_MAX];
    struct ctl_uri *uris = mem_zarray(CTL_WORDS_MAX, sizeof(*uris));
    struct ctl_check_env env = {
        .checks = mem_zalloc(sizeof(*env.checks)),
        .address = ctl_args_value(args, "address"),
        .websockets = websockets,
        .now = (int64_t)time(NULL),
    };
    struct ctl_cred cred = {0};
    mbedtls_x509_crt ca;
    struct buf error;
    uint64_t days;
    int code = CTL_USAGE;

    mbedtls_x509_crt_init(&ca);
    env.ca = &ca;
    buf_init(&error, CTL_ERROR_MAX);
    while (ctl_args_nth(args, "websocket", env.n_websockets)) {
        websockets[env.n_websockets] =
            ctl_args_nth(args, "websocket", env.n_websockets);
        env.n_websockets++;
    }
    if (uris && env.checks && parse_uris(args, uris, &error) == 0 &&
        ctl_args_number(args, "days", 0, 3650, 21, &error, &days) == 0 &&
        load_ca(args, &ca, &error) == 0 &&
        ctl_make_user(args, &cred, &env.user, &error) == 0) {
        env.days = (unsigned)days;
        code = run_all(args, &env, uris);
    }
    mbedtls_x509_crt_free(&ca);
    mem_wipe(&cred, sizeof(cred));
    mem_free(env.checks);
    mem_free(uris);
    return ctl_fail(args, &error, code);
}
