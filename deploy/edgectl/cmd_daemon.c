/* SPDX-License-Identifier: MIT */
/* What is asked of running daemons through their admin sockets. */
#include "ctl_commands.h"

#include "app/json.h"
#include "base/err.h"
#include "base/mem.h"
#include "ctl/ctl_reply.h"
#include "ctl_client.h"

#include <stdio.h>

/* Who is meant; said when it is not clear. Returns 0 or the exit code. */
static int targets_of(const struct ctl_args *args, size_t first,
                      struct ctl_targets *targets)
{
    struct buf error;
    int err;

    buf_init(&error, CTL_ERROR_MAX);
    err = ctl_targets_find(args, first, &error, targets);
    if (err < 0)
        return ctl_fail(args, &error,
                        err == ERR_PARSE ? CTL_USAGE : CTL_UNREACHABLE);
    buf_deinit(&error);
    return CTL_OK;
}

static int worse(int a, int b)
{
    return a > b ? a : b;
}

/* ---- status, ready ---- */

static int code_of(const struct ctl_answer *answer)
{
    return answer->err ? CTL_UNREACHABLE : answer->ready ? CTL_OK : CTL_BAD;
}

int cmd_status(const struct ctl_args *args)
{
    struct ctl_answer answers[CTL_WORDS_MAX];
    struct ctl_targets targets;
    int code = targets_of(args, 0, &targets);
    struct buf out;

    if (code != CTL_OK)
        return code;
    for (size_t i = 0; i < targets.n; i++) {
        ctl_client_status(&targets.items[i], &answers[i]);
        code = worse(code, code_of(&answers[i]));
    }
    buf_init(&out, CTL_REPLY_MAX);
    if (ctl_args_has(args, "json"))
        ctl_report_status_json(answers, targets.n, &out);
    else
        ctl_report_status(answers, targets.n, &out);
    for (size_t i = 0; i < targets.n; i++)
        ctl_answer_deinit(&answers[i]);
    return ctl_flush(&out) ? code : CTL_USAGE;
}

static void put_reasons(const char *name, struct span reasons)
{
    struct span line;
    char before[160];

    (void)snprintf(before, sizeof(before), "%s: not ready: ", name);
    while (span_next(&reasons, '\n', &line))
        ctl_say(stdout, before, line);
}

int cmd_ready(const struct ctl_args *args)
{
    struct ctl_targets targets;
    int code = targets_of(args, 0, &targets);
    bool quiet = ctl_args_has(args, "quiet");

    if (code != CTL_OK)
        return code;
    for (size_t i = 0; i < targets.n; i++) {
        struct ctl_answer a;

        ctl_client_status(&targets.items[i], &a);
        code = worse(code, code_of(&a));
        if (!quiet && a.err)
            (void)printf("%s: %s\n", a.name, err_str(a.err));
        else if (!quiet && a.ready)
            (void)printf("%s: ready\n", a.name);
        else if (!quiet)
            put_reasons(a.name, span_str(a.reasons ? a.reasons : "?"));
        ctl_answer_deinit(&a);
    }
    return code;
}

/* ---- metrics ---- */

/* One HELP and TYPE line per name is allowed, and names of the daemons do not
 * meet (each has its prefix), so the answers can stand behind each other. */
int cmd_metrics(const struct ctl_args *args)
{
    struct ctl_targets targets;
    int code = targets_of(args, 0, &targets);
    struct buf out;

    if (code != CTL_OK)
        return code;
    buf_init(&out, (size_t)CTL_DAEMONS * CTL_REPLY_MAX);
    for (size_t i = 0; i < targets.n; i++) {
        int status = ctl_client_ask(targets.items[i].socket, "GET", "/metrics",
                                    span_str(""), &out);

        if (status == 200)
            continue;
        (void)fprintf(stderr, "edgectl metrics: %s: %s\n",
                      targets.items[i].socket,
                      status < 0 ? err_str(status) : "refused");
        code = worse(code, status < 0 ? CTL_UNREACHABLE : CTL_BAD);
    }
    return ctl_flush(&out) ? code : CTL_USAGE;
}

/* ---- reload, drain, log-level ---- */

static void put_text(const char *name, int status, struct span body)
{
    struct span line;
    char before[160];

    (void)snprintf(before, sizeof(before), "%s: ", name);
    if (status < 0)
        ctl_say(stderr, before, span_str(err_str(status)));
    while (status > 0 && span_next(&body, '\n', &line))
        ctl_say(status < 300 ? stdout : stderr, before, line);
}

static void put_json(const char *name, int status, struct span body,
                     struct buf *out)
{
    struct span line;

    json_key(out, name);
    json_open(out, '{');
    json_key(out, "ok");
    json_bool(out, status >= 200 && status < 300);
    json_key(out, "said");
    json_open(out, '[');
    if (status < 0)
        json_str(out, err_str(status));
    while (status > 0 && span_next(&body, '\n', &line))
        json_string(out, line);
    json_close(out, ']');
    json_close(out, '}');
}

/* POST to each; text as it comes or one JSON object. */
static int post_all(const struct ctl_args *args, size_t first, const char *path,
                    struct span content)
{
    bool json = ctl_args_has(args, "json");
    struct ctl_targets targets;
    int code = targets_of(args, first, &targets);
    struct buf out, body;

    if (code != CTL_OK)
        return code;
    buf_init(&out, CTL_REPLY_MAX);
    buf_init(&body, CTL_REPLY_MAX);
    if (json)
        json_open(&out, '{');
    for (size_t i = 0; i < targets.n; i++) {
        const struct ctl_target *t = &targets.items[i];
        const char *name = t->name[0] ? t->name : t->socket;
        int status;

        buf_reset(&body);
        status = ctl_client_ask(t->socket, "POST", path, content, &body);
        if (json)
            put_json(name, status, buf_span(&body), &out);
        else
            put_text(name, status, buf_span(&body));
        code = worse(code, status < 0      ? CTL_UNREACHABLE
                           : status >= 300 ? CTL_BAD
                                           : CTL_OK);
    }
    if (json)
        json_close(&out, '}');
    if (json)
        buf_put_byte(&out, '\n');
    buf_deinit(&body);
    return ctl_flush(&out) ? code : CTL_USAGE;
}

int cmd_reload(const struct ctl_args *args)
{
    return post_all(args, 0, "/reload", span_str(""));
}

/* Draining ends the service: who means all of them says so. */
int cmd_drain(const struct ctl_args *args)
{
    if (args->n_words == 0 && !ctl_args_has(args, "socket") &&
        !ctl_args_has(args, "all")) {
        (void)fprintf(stderr, "edgectl drain: name the daemons, or --all\n");
        return CTL_USAGE;
    }
    return post_all(args, 0, "/drain", span_str(""));
}

int cmd_log_level(const struct ctl_args *args)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};

    for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
        if (strcmp(args->words[0], levels[i]) == 0)
            return post_all(args, 1, "/log-level", span_str(levels[i]));
    }
    (void)fprintf(stderr,
                  "edgectl log-level: \"%s\" is none of error, warn, info, "
                  "debug\n",
                  args->words[0]);
    return CTL_USAGE;
}
