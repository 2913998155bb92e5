/* SPDX-License-Identifier: MIT */
/* Why a request went where it went. */
#include "ctl_commands.h"

#include "base/err.h"
#include "base/mem.h"
#include "ctl/ctl_reply.h"
#include "ctl/ctl_why.h"
#include "ctl_client.h"

/* The body of the answer, or said why there is none. */
static int ask(const struct ctl_args *args, const char *path, struct buf *body)
{
    /* It is always this daemon that is asked. */
    struct ctl_args named = *args;
    struct ctl_targets targets;
    struct buf error;
    int status;

    named.words[0] = "sip-proxy";
    named.n_words = ctl_args_has(args, "socket") ? 0 : 1;
    buf_init(&error, CTL_ERROR_MAX);
    status = ctl_targets_find(&named, 0, &error, &targets);
    if (status < 0)
        return ctl_fail(args, &error,
                        status == ERR_PARSE ? CTL_USAGE : CTL_UNREACHABLE);
    status = ctl_client_ask(targets.items[0].socket, "GET", path, span_str(""),
                            body);
    if (status == 200) {
        buf_deinit(&error);
        return CTL_OK;
    }
    buf_printf(&error, "%s: %s\n", targets.items[0].socket,
               status < 0 ? err_str(status) : "no such question");
    return ctl_fail(args, &error, status < 0 ? CTL_UNREACHABLE : CTL_BAD);
}

int cmd_sip(const struct ctl_args *args)
{
    char path[CTL_WHY_PATH_SIZE];
    struct buf body, out;
    int code;

    if (!span_is(span_str(args->words[0]), "why") ||
        ctl_why_path(span_str(args->words[1]), path) < 0) {
        (void)fprintf(stderr, "edgectl sip: sip why CALL-ID\n");
        return CTL_USAGE;
    }
    buf_init(&body, CTL_REPLY_MAX);
    buf_init(&out, CTL_REPLY_MAX);
    code = ask(args, path, &body);
    if (code == CTL_OK && ctl_args_has(args, "json")) {
        buf_put_span(&out, buf_span(&body));
        buf_put_byte(&out, '\n');
    } else if (code == CTL_OK) {
        int n = ctl_why_print(buf_span(&body), &out);

        if (n < 0)
            (void)fprintf(stderr, "edgectl sip: no answer to that\n");
        else if (n == 0)
            (void)fprintf(stderr,
                          "edgectl sip: nothing (left) about this call\n");
        code = n > 0 ? CTL_OK : CTL_BAD;
    }
    buf_deinit(&body);
    return ctl_flush(&out) ? code : CTL_USAGE;
}
