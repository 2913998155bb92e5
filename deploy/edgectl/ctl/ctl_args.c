/* SPDX-License-Identifier: MIT */
#include "ctl/ctl_args.h"

#include "base/err.h"
#include "base/mem.h"

static const struct ctl_option *find_option(const struct ctl_command *command,
                                            struct span name)
{
    for (size_t i = 0; i < CTL_OPTIONS_MAX && command->options[i].name; i++) {
        if (span_is(name, command->options[i].name))
            return &command->options[i];
    }
    return NULL;
}

/* "--name" or "--name=value", and the argument behind it. Returns how many
 * further arguments were taken, or ERR_PARSE. */
static int take_option(struct ctl_args *args, const char *arg, const char *next,
                       struct buf *error)
{
    struct span name = span_str(arg + 2), value = {NULL, 0};
    bool has_value = span_cut(name, '=', &name, &value);
    const struct ctl_option *option = find_option(args->command, name);
    struct ctl_given *given;

    if (!option) {
        buf_printf(error, "unknown option --%.*s\n", SPAN_FMT(name));
        return ERR_PARSE;
    }
    if (args->n_given == CTL_GIVEN_MAX) {
        buf_put_str(error, "too many options\n");
        return ERR_PARSE;
    }
    if (has_value && !option->value) {
        buf_printf(error, "--%s takes no value\n", option->name);
        return ERR_PARSE;
    }
    given = &args->given[args->n_given];
    *given = (struct ctl_given){option->name, NULL};
    if (option->value && !has_value && !next) {
        buf_printf(error, "--%s needs a value: --%s %s\n", option->name,
                   option->name, option->value);
        return ERR_PARSE;
    }
    args->n_given++;
    if (!option->value)
        return 0;
    given->value = has_value ? (const char *)value.ptr : next;
    return !has_value;
}

static int take_word(struct ctl_args *args, const char *word, struct buf *error)
{
    if (args->n_words == args->command->words_max ||
        args->n_words == CTL_WORDS_MAX) {
        buf_printf(error, "\"%s\" is one word too many\n", word);
        return ERR_PARSE;
    }
    args->words[args->n_words++] = word;
    return 0;
}

int ctl_args_parse(const struct ctl_command *command, int argc,
                   char *const *argv, struct buf *error,
                   struct ctl_args *ret_args)
{
    struct ctl_args args = {.command = command};
    bool options = true;

    for (int i = 0; i < argc; i++) {
        int taken = 0;

        if (options && strcmp(argv[i], "--") == 0)
            options = false;
        else if (options &&
                 (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0))
            args.help = true;
        else if (options && strncmp(argv[i], "--", 2) == 0)
            taken = take_option(&args, argv[i],
                                i + 1 < argc ? argv[i + 1] : NULL, error);
        else
            taken = take_word(&args, argv[i], error);
        if (taken < 0)
            return taken;
        i += taken;
    }
    if (!args.help && args.n_words < command->words_min) {
        buf_printf(error, "%s is missing\n", command->words);
        return ERR_PARSE;
    }
    *ret_args = args;
    return 0;
}

bool ctl_args_has(const struct ctl_args *args, const char *name)
{
    for (size_t i = 0; i < args->n_given; i++) {
        if (strcmp(args->given[i].name, name) == 0)
            return true;
    }
    return false;
}

const char *ctl_args_value(const struct ctl_args *args, const char *name)
{
    for (size_t i = args->n_given; i > 0; i--) {
        if (strcmp(args->given[i - 1].name, name) == 0)
            return args->given[i - 1].value;
    }
    return NULL;
}

const char *ctl_args_nth(const struct ctl_args *args, const char *name,
                         size_t n)
{
    for (size_t i = 0; i < args->n_given; i++) {
        if (strcmp(args->given[i].name, name) == 0 && n-- == 0)
            return args->given[i].value;
    }
    return NULL;
}

int ctl_args_number(const struct ctl_args *args, const char *name, uint64_t min,
                    uint64_t max, struct buf *error, uint64_t *value)
{
    const char *text = ctl_args_value(args, name);
    uint64_t given;

    if (!text)
        return 0;
    if (span_to_u64(span_str(text), max, &given) < 0 || given < min) {
        buf_printf(error, "--%s: \"%s\" is not a number from %llu to %llu\n",
                   name, text, (unsigned long long)min,
                   (unsigned long long)max);
        return ERR_PARSE;
    }
    *value = given;
    return 0;
}

const struct ctl_command *ctl_command_find(const struct ctl_command *commands,
                                           size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

void ctl_help(const struct ctl_command *commands, size_t n, struct buf *out)
{
    buf_put_str(out, "edgectl - look after web-proxy, sip-proxy and "
                     "turn-server\n\n"
                     "Usage: edgectl COMMAND [OPTION]... [WORD]...\n\n");
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "  %-16s %s\n", commands[i].name, commands[i].help);
    buf_put_str(out, "\n  edgectl COMMAND --help says more; --version.\n\n"
                     "Exit codes: 0 well; 1 something is not; 2 the command "
                     "line or a file is\nwrong; 3 a daemon does not answer.\n");
}

void ctl_help_command(const struct ctl_command *command, struct buf *out)
{
    buf_printf(out, "edgectl %s - %s\n\nUsage: edgectl %s [OPTION]...%s%s\n",
               command->name, command->help, command->name,
               command->words[0] ? " " : "", command->words);
    for (size_t i = 0; i < CTL_OPTIONS_MAX && command->options[i].name; i++) {
        const struct ctl_option *option = &command->options[i];
        int width = 24 - (int)strlen(option->name);

        buf_printf(out, "%s  --%s %-*s %s\n", i == 0 ? "\n" : "", option->name,
                   width > 0 ? width : 0, option->value ? option->value : "",
                   option->help);
    }
    if (command->more)
        buf_printf(out, "\n%s", command->more);
}
