/* SPDX-License-Identifier: MIT */
/* ctl_args.h - the command line: one table of commands from which come the
 * parser, `--help` and what is said about mistakes.
 *
 *   edgectl COMMAND [--option VALUE]… [WORD]…
 *
 * Options and words may be mixed; "--name=VALUE" is "--name VALUE"; "--" ends
 * the options. Everything is borrowed from argv.
 */
#ifndef CTL_ARGS_H
#define CTL_ARGS_H

#include "base/buf.h"

/* What edgectl leaves with. */
enum ctl_exit {
    CTL_OK = 0,
    CTL_BAD = 1,         /* it was asked, and something is not well */
    CTL_USAGE = 2,       /* the command line, or a file, is wrong */
    CTL_UNREACHABLE = 3, /* a daemon does not answer */
};

struct ctl_option {
    const char *name;  /* "socket" */
    const char *value; /* "PATH"; NULL: a switch */
    const char *help;
};

enum { CTL_OPTIONS_MAX = 32, CTL_WORDS_MAX = 64, CTL_GIVEN_MAX = 64 };

struct ctl_args;

struct ctl_command {
    const char *name;
    const char *words; /* "[DAEMON]…", or "" */
    const char *help;
    const char *more; /* lines under the options; may be NULL */
    size_t words_min, words_max;
    int (*run)(const struct ctl_args *args);    /* enum ctl_exit */
    struct ctl_option options[CTL_OPTIONS_MAX]; /* ends with a NULL name */
};

struct ctl_given {
    const char *name;
    const char *value; /* NULL: a switch */
};

struct ctl_args {
    const struct ctl_command *command;
    const char *words[CTL_WORDS_MAX];
    size_t n_words;
    struct ctl_given given[CTL_GIVEN_MAX];
    size_t n_given;
    bool help;
};

/* argv is what stands behind the command's name.
 * Returns 0; or ERR_PARSE with a line in `error`. */
int ctl_args_parse(const struct ctl_command *command, int argc,
                   char *const *argv, struct buf *error,
                   struct ctl_args *ret_args);

bool ctl_args_has(const struct ctl_args *args, const char *name);

/* The last value given, or NULL. */
const char *ctl_args_value(const struct ctl_args *args, const char *name);

/* The n-th value given, or NULL behind the last. */
const char *ctl_args_nth(const struct ctl_args *args, const char *name,
                         size_t n);

/* A decimal number from `min` to `max`; `value` stays as it is when none is
 * given. Returns 0, or ERR_PARSE (said in `error`). */
int ctl_args_number(const struct ctl_args *args, const char *name, uint64_t min,
                    uint64_t max, struct buf *error, uint64_t *value);

const struct ctl_command *ctl_command_find(const struct ctl_command *commands,
                                           size_t n, const char *name);

/* The list of commands; one command with its options. */
void ctl_help(const struct ctl_command *commands, size_t n, struct buf *out);
void ctl_help_command(const struct ctl_command *command, struct buf *out);

#endif /* CTL_ARGS_H */
