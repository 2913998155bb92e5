/* SPDX-License-Identifier: MIT */
#include "app/config_internal.h"

#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum { GUESS_MAX = 48, TEXT_MAX = 1024 };

static void report(struct config_build *build, const char *kind,
                   const char *source, const char *key, const char *text)
{
    buf_put_str(build->report, kind);
    if (source) {
        buf_put_str(build->report, source);
        buf_put_str(build->report, ": ");
    }
    if (key && key[0]) {
        buf_put_str(build->report, key);
        buf_put_str(build->report, ": ");
    }
    buf_put_str(build->report, text);
    buf_put_byte(build->report, '\n');
}

void config_fail(struct config_build *build, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    build->errors++;
    report(build, "", build->source, build->key, text);
}

/* The name at the start of "route[3].path". */
static struct span first_name(const char *key)
{
    return span_of(key, strcspn(key, ".["));
}

/* Where a finished value came from, for mistakes found by a check. */
static const char *origin_of(struct config_build *build, const char *key,
                             struct buf *scratch)
{
    struct config *config = build->config;
    size_t index;

    for (unsigned i = 0; i < CONFIG_TABLES; i++) {
        const struct option_def *def =
            config_fill_find(&config->fill[i], first_name(key), &index);

        if (!def)
            continue;
        switch (config->fill[i].stage[index]) {
        case STAGE_FILE:
            return build->file;
        case STAGE_ENV:
            config_env_name(config->spec->program, def->name, scratch);
            break;
        case STAGE_FLAGS:
            buf_printf(scratch, "--%s", def->name);
            break;
        default:
            return config->spec->program;
        }
        buf_put_byte(scratch, 0);
        return buf_err(scratch) ? NULL : (const char *)scratch->data;
    }
    return config->spec->program;
}

static void report_checked(struct config_build *build, const char *kind,
                           const char *key, const char *text)
{
    struct buf scratch;

    buf_init(&scratch, CONFIG_PATH_MAX);
    report(build, kind, origin_of(build, key, &scratch), key, text);
    buf_deinit(&scratch);
}

void config_error(struct config_build *build, const char *key,
                  const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    build->errors++;
    report_checked(build, "", key, text);
}

void config_warn(struct config_build *build, const char *key,
                 const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    report_checked(build, "warning: ", key, text);
}

static size_t key_append(struct config_build *build, const char *text)
{
    size_t before = build->key_len;
    size_t room = sizeof(build->key) - before;
    int n = snprintf(build->key + before, room, "%s", text);

    build->key_len = n < 0 || (size_t)n >= room ? sizeof(build->key) - 1
                                                : before + (size_t)n;
    return before;
}

size_t config_key_push(struct config_build *build, const char *name)
{
    size_t before = build->key_len;

    if (before)
        (void)key_append(build, ".");
    (void)key_append(build, name);
    return before;
}

size_t config_key_index(struct config_build *build, size_t index)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "[%zu]", index);
    return key_append(build, text);
}

void config_key_pop(struct config_build *build, size_t len)
{
    build->key_len = len;
    build->key[len] = '\0';
}

const char *config_quote(const struct option_def *def, struct span text,
                         char out[CONFIG_PATH_MAX])
{
    char printable[120];

    if (def && (def->flags & OPT_SECRET))
        return "the secret";
    text_printable(text, printable, sizeof(printable));
    (void)snprintf(out, CONFIG_PATH_MAX, "\"%s\"", printable);
    return out;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;

    return least < c ? least : c;
}

/* Levenshtein distance; both at most GUESS_MAX long. */
static unsigned distance(struct span a, struct span b)
{
    unsigned row[GUESS_MAX + 1];

    for (unsigned j = 0; j <= b.len; j++)
        row[j] = j;
    for (unsigned i = 1; i <= a.len; i++) {
        unsigned diagonal = row[0];

        row[0] = i;
        for (unsigned j = 1; j <= b.len; j++) {
            unsigned above = row[j];

            row[j] = min3(above + 1, row[j - 1] + 1,
                          diagonal + (a.ptr[i - 1] != b.ptr[j - 1]));
            diagonal = above;
        }
    }
    return row[b.len];
}

const char *config_guess(const struct option_table *const *tables, size_t n,
                         struct span name, char out[CONFIG_PATH_MAX])
{
    unsigned best = name.len < 7 ? 3 : 4; /* further away is no guess */
    const char *guess = NULL;

    out[0] = '\0';
    if (name.len == 0 || name.len > GUESS_MAX)
        return out;
    for (size_t t = 0; t < n; t++) {
        for (size_t i = 0; i < tables[t]->n; i++) {
            struct span known = span_str(tables[t]->options[i].name);
            unsigned d;

            if (known.len > GUESS_MAX)
                continue;
            d = distance(name, known);
            if (d < best) {
                best = d;
                guess = tables[t]->options[i].name;
            }
        }
    }
    if (guess)
        (void)snprintf(out, CONFIG_PATH_MAX, "; did you mean \"%s\"?", guess);
    return out;
}
