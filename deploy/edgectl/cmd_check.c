/* SPDX-License-Identifier: MIT */
#include "ctl_commands.h"

#include "base/err.h"
#include "base/mem.h"
#include "ctl_checks.h"
#include "ctl_files.h"
#include "ctl_user.h"

#include <psa/crypto.h>
#include <stdio.h>
#include <time.h>

static const char system_ca[] = "/etc/ssl/certs/ca-certificates.crt";

/* What nobody may ever reach through a relay: the host itself, and what
 * clouds tell their machines. */
static const char *const never[] = {"127.0.0.1:80", "169.254.169.254:80"};

struct question {
    const struct ctl_args *args;
    struct ctl_check_env env;
    struct ctl_uri uris[CTL_WORDS_MAX];
    const char *websockets[CTL_GIVEN_MAX];
    const char *paths[CTL_GIVEN_MAX];
    struct ctl_published published[CTL_PUBLISHED_MAX];
    size_t n_published;
    struct ctl_checks checks;
    struct ctl_files files;
    struct ctl_cred cred;
    mbedtls_x509_crt ca;
};

/* ---- what was asked; everything is read before the first packet ---- */

static int parse_uris(struct question *q, struct buf *error)
{
    for (size_t i = 0; i < q->args->n_words; i++) {
        if (ctl_uri_parse(q->args->words[i], &q->uris[i]) < 0) {
            buf_printf(error,
                       "\"%s\" is not like https://HOST[:PORT], "
                       "turn:HOST[:PORT][?transport=tcp], turns:HOST[:PORT], "
                       "stun:HOST[:PORT], sip:HOST[:PORT][;transport=tcp], "
                       "sips:HOST[:PORT]\n",
                       q->args->words[i]);
            return ERR_PARSE;
        }
    }
    if (q->args->n_words || ctl_args_has(q->args, "from") ||
        ctl_args_has(q->args, "domain"))
        return 0;
    buf_put_str(error, "nothing to check: name a URI, --domain or --from\n");
    return ERR_PARSE;
}

static int load_ca(struct question *q, struct buf *error)
{
    const char *path = ctl_args_value(q->args, "ca");

    (void)psa_crypto_init();
    /* Positive: some certificates of the system's bundle are of no use. */
    if (mbedtls_x509_crt_parse_file(&q->ca, path ? path : system_ca) < 0 &&
        path) {
        buf_printf(error, "%s: no certificates can be read from it\n", path);
        return ERR_CONFIG;
    }
    return 0;
}

static void gather(const struct ctl_args *args, const char *name,
                   const char *out[CTL_GIVEN_MAX], struct ctl_words *words)
{
    while (words->n < CTL_GIVEN_MAX && ctl_args_nth(args, name, words->n)) {
        out[words->n] = ctl_args_nth(args, name, words->n);
        words->n++;
    }
    words->items = out;
}

static int parse_peers(const struct ctl_args *args, const char *option,
                       struct buf *error, struct addr peers[CTL_PEERS_MAX],
                       size_t *n)
{
    const char *text;

    for (size_t i = 0; (text = ctl_args_nth(args, option, i)); i++) {
        if (*n < CTL_PEERS_MAX && addr_parse(span_str(text), &peers[*n]) == 0 &&
            peers[*n].port) {
            (*n)++;
            continue;
        }
        buf_printf(error, "--%s: \"%s\" is no ADDRESS:PORT (at most %d)\n",
                   option, text, CTL_PEERS_MAX);
        return ERR_PARSE;
    }
    return 0;
}

static int parse_published(struct question *q, struct buf *error)
{
    const char *text;

    for (size_t i = 0; (text = ctl_args_nth(q->args, "published", i)); i++) {
        struct ctl_published *p = &q->published[q->n_published];
        struct span inside, outside;

        if (q->n_published == CTL_PUBLISHED_MAX ||
            !span_cut(span_str(text), '=', &inside, &outside) ||
            addr_parse_ip(inside, &p->inside) < 0 ||
            addr_parse_ip(outside, &p->outside) < 0) {
            buf_printf(error,
                       "--published: \"%s\" is not like "
                       "10.1.0.1=203.0.113.2\n",
                       text);
            return ERR_PARSE;
        }
        q->n_published++;
    }
    return 0;
}

static int parse_dns(struct question *q, struct buf *error)
{
    const char *text = ctl_args_value(q->args, "dns");
    struct addr *dns = &q->env.dns;

    q->env.domain = ctl_args_value(q->args, "domain");
    if (!text)
        return 0;
    if (addr_parse_ip(span_str(text), dns) == 0)
        dns->port = 53;
    else if (addr_parse(span_str(text), dns) < 0)
        dns->family = 0;
    if (dns->family == ADDR_V4)
        return 0;
    buf_printf(error, "--dns: \"%s\" is no IPv4 address\n", text);
    return ERR_PARSE;
}

static int read_question(struct question *q, struct buf *error)
{
    const struct ctl_args *args = q->args;
    struct ctl_check_env *env = &q->env;
    uint64_t days = 21, skew = 30;
    int err;

    env->checks = &q->checks;
    env->ca = &q->ca;
    env->address = ctl_args_value(args, "address");
    env->echo_method = ctl_args_value(args, "echo-method");
    env->now = (int64_t)time(NULL);
    gather(args, "websocket", q->websockets, &env->websockets);
    gather(args, "path", q->paths, &env->paths);
    for (size_t i = 0; i < ARRAY_SIZE(never); i++)
        (void)addr_parse(span_str(never[i]),
                         &env->forbidden[env->n_forbidden++]);
    err = parse_uris(q, error);
    if (err == 0)
        err = parse_peers(args, "media", error, env->media, &env->n_media);
    if (err == 0)
        err = parse_peers(args, "forbidden", error, env->forbidden,
                          &env->n_forbidden);
    if (err == 0)
        err = parse_published(q, error);
    if (err == 0)
        err = parse_dns(q, error);
    if (err == 0)
        err = ctl_args_number(args, "days", 0, 3650, error, &days);
    if (err == 0)
        err = ctl_args_number(args, "skew", 1, 86400, error, &skew);
    if (err == 0)
        err = load_ca(q, error);
    if (err == 0)
        err = ctl_make_user(args, &q->cred, &env->user, error);
    if (err == 0 && ctl_args_has(args, "from"))
        err = ctl_files_open(args, error, &q->files);
    if (err == 0) {
        env->days = (unsigned)days;
        env->skew = (unsigned)skew;
    }
    return err;
}

/* ---- asking ---- */

/* Leaves out what --only does not name. */
static void keep_only(const struct ctl_args *args, struct ctl_checks *checks)
{
    size_t kept = 0;
    const char *id;

    if (!ctl_args_has(args, "only"))
        return;
    for (size_t i = 0; i < checks->n; i++) {
        for (size_t k = 0; (id = ctl_args_nth(args, "only", k)); k++) {
            if (span_is_nocase(span_str(checks->items[i].id), id)) {
                checks->items[kept++] = checks->items[i];
                break;
            }
        }
    }
    checks->n = kept;
}

static bool run_all(struct question *q, struct buf *error)
{
    const char *from = ctl_args_value(q->args, "from");
    size_t n = q->args->n_words;

    check_dns(&q->env, q->uris, n);
    for (size_t i = 0; i < n; i++) {
        const struct ctl_uri *uri = &q->uris[i];

        if (strncmp(uri->scheme, "http", 4) == 0)
            check_web(&q->env, uri);
        else if (strncmp(uri->scheme, "sip", 3) == 0)
            check_sip(&q->env, uri);
        else
            check_turn(&q->env, uri);
    }
    check_nat(&q->env, q->uris, n);
    if (!from || check_flows(&q->env, q->files.flows, from, q->published,
                             q->n_published))
        return true;
    buf_printf(error, "--from: \"%s\" is no zone and no host of the topology\n",
               from);
    return false;
}

static int report(struct question *q)
{
    struct buf out;
    int code;

    keep_only(q->args, &q->checks);
    buf_init(&out, (size_t)16 * CTL_ERROR_MAX);
    if (ctl_args_has(q->args, "json"))
        ctl_checks_print_json(&q->checks, &out);
    else
        ctl_checks_print(&q->checks, &out);
    code = ctl_checks_worst(&q->checks) == CTL_CHECK_OK ? CTL_OK : CTL_BAD;
    return ctl_flush(&out) ? code : CTL_USAGE;
}

int cmd_check(const struct ctl_args *args)
{
    struct question *q = mem_zalloc(sizeof(*q));
    struct buf error;
    int code = CTL_USAGE;

    if (!q)
        return code;
    q->args = args;
    mbedtls_x509_crt_init(&q->ca);
    buf_init(&error, CTL_ERROR_MAX);
    if (read_question(q, &error) == 0 && run_all(q, &error))
        code = report(q);
    ctl_files_close(&q->files);
    mbedtls_x509_crt_free(&q->ca);
    mem_wipe(&q->cred, sizeof(q->cred));
    mem_free(q);
    return ctl_fail(args, &error, code);
}
