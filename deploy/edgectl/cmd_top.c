/* SPDX-License-Identifier: MIT */
/* The live view: plain ANSI, redrawn in place; ends with Ctrl-C. */
#include "ctl_commands.h"

#include "base/err.h"
#include "ctl/ctl_reply.h"
#include "ctl_client.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
    (void)number;
    ended = 1;
}

static void ask_all(const struct ctl_targets *targets,
                    struct ctl_answer *answers)
{
    for (size_t i = 0; i < targets->n; i++)
        ctl_client_status(&targets->items[i], &answers[i]);
}

static void forget_all(struct ctl_answer *answers, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ctl_answer_deinit(&answers[i]);
}

/* False when a signal came. */
static bool pause_for(uint64_t ms)
{
    struct timespec ts = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

    return !ended && nanosleep(&ts, NULL) == 0 && !ended;
}

/* What the terminal has room for, so that a small one shows the top left
 * instead of scrolling. */
static void screen_size(size_t *ret_lines, size_t *ret_columns)
{
    struct winsize size;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;

    *ret_lines = known && size.ws_row > 3 ? size.ws_row : SIZE_MAX;
    *ret_columns = known && size.ws_col > 3 ? size.ws_col : SIZE_MAX;
}

/* Over the old picture: each line is cut clean to its end, the rest of the
 * screen below. */
static void draw(struct span text, uint64_t ms, struct buf *out)
{
    size_t room, columns;
    time_t now = time(NULL);
    struct tm tm;
    char clock[16] = "";
    struct span line;

    screen_size(&room, &columns);
    room -= 2; /* the head, and where the cursor ends */
    if (localtime_r(&now, &tm))
        (void)strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
    buf_printf(
        out, "\033[H\033[1medge\033[0m  %s  every %.1f s, Ctrl-C ends\033[K\n",
        clock, (double)ms / 1000);
    while (room > 0 && span_next(&text, '\n', &line)) {
        bool head = line.len > 0 && line.ptr[0] != ' ';

        line = span_head(line, columns);
        buf_printf(out, "%s%.*s%s\033[K\n", head ? "\033[1m" : "",
                   SPAN_FMT(line), head ? "\033[0m" : "");
        room--;
    }
    buf_put_str(out, "\033[J");
}

/* Ask twice with the interval between, print once. */
static int once(const struct ctl_targets *targets, uint64_t ms, bool json)
{
    struct ctl_answer before[CTL_WORDS_MAX], after[CTL_WORDS_MAX];
    uint64_t began = ctl_client_now();
    int code = CTL_OK;
    struct buf out;

    ask_all(targets, before);
    (void)pause_for(ms);
    ask_all(targets, after);
    ms = ctl_client_now() - began;
    buf_init(&out, CTL_REPLY_MAX);
    if (json)
        ctl_report_top_json(after, before, targets->n, ms, &out);
    else
        ctl_report_top(after, before, targets->n, ms, &out);
    for (size_t i = 0; i < targets->n; i++)
        code = after[i].err ? CTL_UNREACHABLE : code;
    forget_all(before, targets->n);
    forget_all(after, targets->n);
    return ctl_flush(&out) ? code : CTL_USAGE;
}

static int watch(const struct ctl_targets *targets, uint64_t interval)
{
    struct ctl_answer answers[2][CTL_WORDS_MAX];
    uint64_t asked[2] = {0, 0};
    struct buf text, out;
    unsigned turn = 0;
    bool good = true;

    (void)fputs("\033[?1049h\033[?25l", stdout); /* own screen, no cursor */
    for (bool first = true; good && !ended; first = false) {
        const struct ctl_answer *old = first ? NULL : answers[!turn];

        ask_all(targets, answers[turn]);
        asked[turn] = ctl_client_now();
        buf_init(&text, CTL_REPLY_MAX);
        buf_init(&out, CTL_REPLY_MAX);
        ctl_report_top(answers[turn], old, targets->n,
                       first ? 0 : asked[turn] - asked[!turn], &text);
        draw(buf_span(&text), interval, &out);
        buf_deinit(&text);
        good = ctl_flush(&out) && pause_for(interval);
        if (!first)
            forget_all(answers[!turn], targets->n);
        turn = !turn;
    }
    forget_all(answers[!turn], targets->n);
    (void)fputs("\033[?25h\033[?1049l", stdout);
    (void)fflush(stdout);
    return CTL_OK;
}

int cmd_top(const struct ctl_args *args)
{
    const struct sigaction action = {.sa_handler = on_signal};
    struct ctl_targets targets;
    uint64_t seconds = 1;
    struct buf error;
    int err;

    buf_init(&error, CTL_ERROR_MAX);
    if (ctl_args_number(args, "every", 1, 3600, &error, &seconds) < 0)
        return ctl_fail(args, &error, CTL_USAGE);
    err = ctl_targets_find(args, 0, &error, &targets);
    if (err < 0)
        return ctl_fail(args, &error,
                        err == ERR_PARSE ? CTL_USAGE : CTL_UNREACHABLE);
    buf_deinit(&error);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
    if (ctl_args_has(args, "once") || ctl_args_has(args, "json"))
        return once(&targets, seconds * 1000, ctl_args_has(args, "json"));
    if (!isatty(STDOUT_FILENO)) {
        (void)fprintf(stderr, "edgectl top: not a terminal; use --once\n");
        return CTL_USAGE;
    }
    return watch(&targets, seconds * 1000);
}
