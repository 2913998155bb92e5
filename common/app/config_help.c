/* SPDX-License-Identifier: MIT */
#include "app/config_internal.h"

#include "base/mem.h"

enum { WIDTH = 80, INDENT = 8, INDENT_MORE = 10 };

const char *config_help_type(const struct option_def *def)
{
    switch (def->type) {
    case OPT_BOOL:
        return "true|false";
    case OPT_U16:
    case OPT_U32:
    case OPT_U64:
        return "NUMBER";
    case OPT_SIZE:
        return "SIZE";
    case OPT_DURATION:
        return "TIME";
    case OPT_STRING:
        return "TEXT";
    case OPT_ENUM:
        return def->values;
    case OPT_FILE:
    case OPT_SECRET_FILE:
        return "FILE";
    case OPT_ADDR:
        return "ADDRESS";
    case OPT_CIDR:
        return "NETWORK[:PORTS]";
    case OPT_ENDPOINT:
        return def->values ? "TRANSPORT:HOST:PORT" : "HOST:PORT";
    case OPT_PORTS:
        return "FIRST-LAST";
    case OPT_OBJECT:
        return def->object->brief ? def->object->brief : "key=value,...";
    }
    return "";
}

/* `text` in lines that fit, each with `indent` spaces before it. */
static void put_wrapped(struct buf *out, size_t indent, struct span text)
{
    size_t column = 0;
    struct span word;

    while (span_next(&text, ' ', &word)) {
        if (column && column + 1 + word.len > WIDTH) {
            buf_put_byte(out, '\n');
            column = 0;
        }
        if (column == 0) {
            for (; column < indent; column++)
                buf_put_byte(out, ' ');
        } else {
            buf_put_byte(out, ' ');
            column++;
        }
        buf_put_span(out, word);
        column += word.len;
    }
    buf_put_byte(out, '\n');
}

static void put_line(struct buf *out, size_t indent, struct buf *line)
{
    put_wrapped(out, indent, buf_span(line));
    buf_reset(line);
}

void config_help_transports(struct buf *line, const struct option_def *def)
{
    struct span name, port;

    for (size_t i = 0; option_value_at(def->values, i, &name, &port); i++) {
        buf_put_str(line, i ? ", " : "transports: ");
        buf_put_span(line, name);
        if (port.len) {
            buf_put_str(line, " (port ");
            buf_put_span(line, port);
            buf_put_str(line, ")");
        }
    }
}

void config_help_default(struct buf *line, const struct option_def *def)
{
    if (def->fallback)
        buf_printf(line, "default: %s",
                   def->fallback[0] ? def->fallback : "empty");
    else if (def->type == OPT_BOOL)
        buf_put_str(line, "default: false");
    else if (def->flags & OPT_REQUIRED)
        buf_put_str(line, "required");
}

static void put_sub_options(struct buf *out, struct buf *line,
                            const struct option_table *table)
{
    for (size_t i = 0; i < table->n; i++) {
        const struct option_def *def = &table->options[i];

        buf_printf(line, "%s=%s: %s", def->name, config_help_type(def),
                   def->help);
        if (def->type == OPT_ENDPOINT && def->values) {
            buf_put_str(line, "; ");
            config_help_transports(line, def);
        }
        if (def->fallback || def->flags & OPT_REQUIRED) {
            buf_put_str(line, " (");
            config_help_default(line, def);
            buf_put_str(line, ")");
        }
        put_line(out, INDENT_MORE, line);
    }
}

static void put_option(struct buf *out, struct buf *line,
                       const struct config_spec *spec,
                       const struct option_def *def)
{
    buf_printf(line, "--%s", def->name);
    if (def->type != OPT_BOOL)
        buf_printf(line, " %s", config_help_type(def));
    if (def->flags & OPT_LIST)
        buf_put_str(line, " (repeatable)");
    buf_put_byte(out, '\n');
    put_line(out, 2, line);
    buf_put_str(line, def->help);
    put_line(out, INDENT, line);
    if (def->type == OPT_ENDPOINT && def->values) {
        config_help_transports(line, def);
        put_line(out, INDENT, line);
    }
    if (def->type == OPT_OBJECT)
        put_sub_options(out, line, def->object);
    config_help_default(line, def);
    if (!(def->flags & OPT_SECRET)) {
        buf_put_str(line, buf_len(line) ? "; " : "");
        config_env_name(spec->program, def->name, line);
    } else {
        buf_put_str(line, "; only in the file");
    }
    put_line(out, INDENT, line);
}

void config_help(const struct config_spec *spec, struct buf *out)
{
    const struct option_table *const tables[] = {&spec->table,
                                                 &config_common_table};
    struct buf line;

    buf_init(&line, 8192);
    buf_printf(out, "Usage: %s [--config FILE] [--OPTION VALUE]...\n\n",
               spec->program);
    put_wrapped(out, 0, span_str(spec->summary));
    buf_put_str(out,
                "\nOrder, later wins: defaults, file, environment, options.\n"
                "\n  --help         this text\n"
                "  --version      print the version\n"
                "  --check        read the settings, say what is wrong, exit\n"
                "  --check=syntax the same, without opening the files they "
                "name\n"
                "  --dump-config  print the effective settings, exit\n");
    for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
        for (size_t i = 0; i < tables[t]->n; i++) {
            if (!(tables[t]->options[i].flags & OPT_HIDDEN))
                put_option(out, &line, spec, &tables[t]->options[i]);
        }
    }
    buf_deinit(&line);
}

/* ---- README ---- */

static void put_cell(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            buf_put_byte(out, '\\');
        buf_put_byte(out, (uint8_t)*text);
    }
}

static void put_row(struct buf *out, const char *parent,
                    const struct option_def *def, bool reload)
{
    buf_printf(out, "| `%s%s%s` | ", parent, parent[0] ? "." : "", def->name);
    put_cell(out, config_help_type(def));
    buf_put_str(out, def->flags & OPT_LIST ? ", list | " : " | ");
    if (def->fallback && def->fallback[0]) {
        buf_put_byte(out, '`');
        put_cell(out, def->fallback);
        buf_put_byte(out, '`');
    } else if (def->flags & OPT_REQUIRED) {
        buf_put_str(out, "required");
    }
    buf_printf(out, " | %s | ", reload ? "yes" : "");
    put_cell(out, def->help);
    if (def->type == OPT_ENDPOINT && def->values) {
        buf_put_str(out, "; ");
        put_cell(out, def->values);
    }
    buf_put_str(out, " |\n");
}

static void put_rows(struct buf *out, const struct option_table *table)
{
    for (size_t i = 0; i < table->n; i++) {
        const struct option_def *def = &table->options[i];
        bool reload = (def->flags & OPT_RELOAD) != 0;

        if (def->flags & OPT_HIDDEN)
            continue;
        put_row(out, "", def, reload);
        if (def->type != OPT_OBJECT)
            continue;
        for (size_t k = 0; k < def->object->n; k++)
            put_row(out, def->name, &def->object->options[k], reload);
    }
}

void config_help_markdown(const struct config_spec *spec, struct buf *out)
{
    buf_put_str(out, "| setting | value | default | reload | meaning |\n"
                     "|---|---|---|---|---|\n");
    put_rows(out, &spec->table);
    put_rows(out, &config_common_table);
}
