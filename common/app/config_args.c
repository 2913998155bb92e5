/* SPDX-License-Identifier: MIT */
#include "app/config_internal.h"

#include "base/mem.h"

#include <ctype.h>
#include <stdio.h>

enum { NAME_MAX_LEN = 128 };

/* Flags that are no settings. */
static const char *const actions[] = {
    "help",        "version",       "check",    "check=syntax",
    "dump-config", "help-markdown", "help-man", "help-completion",
};

void config_env_name(const char *program, const char *name, struct buf *out)
{
    const char *parts[] = {program, "_", name};

    for (size_t p = 0; p < ARRAY_SIZE(parts); p++) {
        for (const char *c = parts[p]; *c; c++)
            buf_put_byte(out,
                         (uint8_t)(*c == '-' ? '_' : toupper((uint8_t)*c)));
    }
}

/* ---- environment ---- */

/* "NAME" of a row; false when it does not fit (the row has no variable). */
static bool env_name(const struct config *config, const char *name,
                     char out[NAME_MAX_LEN])
{
    struct buf text;
    bool good;

    buf_init(&text, NAME_MAX_LEN);
    config_env_name(config->spec->program, name, &text);
    buf_put_byte(&text, 0);
    good = !buf_err(&text);
    if (good)
        memcpy(out, text.data, buf_len(&text));
    buf_deinit(&text);
    return good;
}

static const char *env_value(const struct config *config, const char *name)
{
    size_t len = strlen(name);

    for (char *const *e = config->envp; e && *e; e++) {
        if (strncmp(*e, name, len) == 0 && (*e)[len] == '=')
            return *e + len + 1;
    }
    return NULL;
}

static void read_variable(struct config_build *build, struct config_fill *fill,
                          size_t index)
{
    const struct option_def *def = &fill->table->options[index];
    char name[NAME_MAX_LEN];
    const char *value;

    if (strcmp(def->name, "config") == 0)
        return; /* config_file_path() has read it */
    if (!env_name(build->config, def->name, name))
        return;
    value = env_value(build->config, name);
    if (!value || !value[0]) /* compose passes what is not set as empty */
        return;
    build->source = name;
    if (def->flags & OPT_SECRET)
        config_fail(build, "a secret may only stand in the file");
    else if (config_fill_begin(build, fill, index))
        config_fill_text(build, fill, index, span_str(value));
    build->source = NULL;
}

/* Warn of what looks like ours and is not. Only a warning: container engines
 * make up variables from the names of services. */
static void warn_unknown(struct config_build *build, const char *entry)
{
    const struct config *config = build->config;
    size_t len = strcspn(entry, "=");
    char name[NAME_MAX_LEN];

    for (unsigned t = 0; t < CONFIG_TABLES; t++) {
        const struct option_table *table = config->fill[t].table;

        for (size_t i = 0; i < table->n; i++) {
            if (env_name(config, table->options[i].name, name) &&
                strlen(name) == len && strncmp(entry, name, len) == 0)
                return;
        }
    }
    buf_printf(build->report, "warning: %.*s: unknown variable\n",
               (int)(len < 80 ? len : 80), entry);
}

void config_read_env(struct config_build *build)
{
    struct config *config = build->config;
    char prefix[NAME_MAX_LEN];

    build->stage = STAGE_ENV;
    for (unsigned t = 0; t < CONFIG_TABLES; t++) {
        for (size_t i = 0; i < config->fill[t].table->n; i++)
            read_variable(build, &config->fill[t], i);
    }
    if (!env_name(config, "", prefix))
        return;
    for (char *const *e = config->envp; e && *e; e++) {
        if (strncmp(*e, prefix, strlen(prefix)) == 0)
            warn_unknown(build, *e);
    }
}

/* ---- flags ---- */

struct flag {
    struct span name;
    struct span value;
    bool has_value;
};

static bool split_flag(const char *arg, struct flag *ret_flag)
{
    struct span text = span_str(arg);

    if (!span_starts(text, "--") || text.len == 2)
        return false;
    *ret_flag = (struct flag){span_from(text, 2), {NULL, 0}, false};
    ret_flag->has_value =
        span_cut(ret_flag->name, '=', &ret_flag->name, &ret_flag->value);
    return true;
}

const char *config_file_path(const struct config *config)
{
    const char *path;
    char name[NAME_MAX_LEN];

    for (int i = 1; i < config->argc; i++) {
        if (strncmp(config->argv[i], "--config=", 9) == 0)
            return config->argv[i] + 9;
        if (strcmp(config->argv[i], "--config") == 0)
            return config->argv[i + 1]; /* NULL behind the last */
    }
    path = env_name(config, "config", name) ? env_value(config, name) : NULL;
    return path && path[0] ? path : NULL;
}

static const char *find_action(const char *arg)
{
    if (strcmp(arg, "-h") == 0)
        arg = "--help";
    if (strcmp(arg, "-V") == 0)
        arg = "--version";
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
        if (strncmp(arg, "--", 2) == 0 && strcmp(arg + 2, actions[i]) == 0)
            return actions[i];
    }
    return NULL;
}

void config_find_action(struct config_build *build)
{
    for (int i = 1; i < build->config->argc; i++) {
        const char *action = find_action(build->config->argv[i]);

        if (!action)
            continue;
        build->action = action;
        build->open_files &= strcmp(action, "check=syntax") != 0;
    }
}

static const struct option_def *find_row(struct config_build *build,
                                         struct span name,
                                         struct config_fill **ret_fill,
                                         size_t *ret_index)
{
    for (unsigned t = 0; t < CONFIG_TABLES; t++) {
        const struct option_def *def =
            config_fill_find(&build->config->fill[t], name, ret_index);

        if (def) {
            *ret_fill = &build->config->fill[t];
            return def;
        }
    }
    return NULL;
}

static void unknown_flag(struct config_build *build, struct span name)
{
    const struct config_fill *fill = build->config->fill;
    const struct option_table *const tables[] = {fill[0].table, fill[1].table};
    char guess[CONFIG_PATH_MAX];

    config_fail(build, "unknown option%s",
                config_guess(tables, ARRAY_SIZE(tables), name, guess));
}

/* "--no-name" of a bool. */
static bool is_negated(struct config_build *build, struct flag *flag)
{
    struct config_fill *fill;
    const struct option_def *def;
    size_t index;

    if (flag->has_value || !span_starts(flag->name, "no-"))
        return false;
    def = find_row(build, span_from(flag->name, 3), &fill, &index);
    if (!def || def->type != OPT_BOOL)
        return false;
    *flag = (struct flag){span_from(flag->name, 3), span_str("false"), true};
    return true;
}

/* Returns how many further arguments were taken: 0 or 1. */
static int read_flag(struct config_build *build, struct flag *flag,
                     const char *next)
{
    struct config_fill *fill;
    const struct option_def *def;
    size_t index;
    bool value_follows = next && strncmp(next, "--", 2) != 0;
    int taken = 0;

    (void)is_negated(build, flag);
    def = find_row(build, flag->name, &fill, &index);
    if (!def) {
        unknown_flag(build, flag->name);
        return !flag->has_value && value_follows;
    }
    if (!flag->has_value && def->type == OPT_BOOL) {
        flag->value = span_str("true");
    } else if (!flag->has_value && value_follows) {
        flag->value = span_str(next);
        taken = 1;
    } else if (!flag->has_value) {
        config_fail(build, "needs a value");
        return 0;
    }
    if (def->flags & OPT_SECRET)
        config_fail(build, "a secret may only stand in the file, not on the "
                           "command line");
    else if (config_fill_begin(build, fill, index))
        config_fill_text(build, fill, index, flag->value);
    return taken;
}

void config_read_flags(struct config_build *build)
{
    struct config *config = build->config;
    char source[CONFIG_PATH_MAX], quoted[CONFIG_PATH_MAX];
    struct flag flag;

    build->stage = STAGE_FLAGS;
    for (int i = 1; i < config->argc; i++) {
        const char *arg = config->argv[i];

        build->source = NULL;
        if (build->action && find_action(arg))
            continue;
        if (!split_flag(arg, &flag)) {
            config_fail(build, "%s is not an option; options begin with --",
                        config_quote(NULL, span_str(arg), quoted));
            continue;
        }
        (void)snprintf(source, sizeof(source), "--%.*s",
                       (int)(flag.name.len < 100 ? flag.name.len : 100),
                       (const char *)flag.name.ptr);
        build->source = source;
        i += read_flag(build, &flag, config->argv[i + 1]);
    }
    build->source = NULL;
}
