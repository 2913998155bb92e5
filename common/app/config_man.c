/* SPDX-License-Identifier: MIT */
#include "app/config_internal.h"

#include "base/mem.h"
#include "base/roff.h"

/* ---- manual page ---- */

static void put_capitals(struct buf *out, const char *text)
{
    for (; *text; text++)
        buf_put_byte(
            out, (uint8_t)(*text >= 'a' && *text <= 'z' ? *text - 32 : *text));
}

/* What config_help_*() wrote into `line`. */
static void put_roff_line(struct buf *out, struct buf *line)
{
    buf_put_byte(line, 0);
    if (!buf_err(line))
        roff_put(out, (const char *)line->data);
    buf_reset(line);
}

/* "help text; transports: …", and what stands when nobody sets it. */
static void put_meaning(struct buf *out, struct buf *line,
                        const struct option_def *def)
{
    buf_put_str(line, def->help);
    if (def->type == OPT_ENDPOINT && def->values) {
        buf_put_str(line, "; ");
        config_help_transports(line, def);
    }
    put_roff_line(out, line);
    config_help_default(line, def);
    if (buf_len(line) == 0)
        return;
    buf_put_str(out, " (");
    put_roff_line(out, line);
    buf_put_byte(out, ')');
}

static void put_objects(struct buf *out, struct buf *line,
                        const struct option_table *table)
{
    buf_put_str(out, ".RS\n");
    for (size_t i = 0; i < table->n; i++) {
        const struct option_def *def = &table->options[i];

        if (def->flags & OPT_HIDDEN)
            continue;
        buf_put_str(out, ".TP\n\\fB");
        roff_put(out, def->name);
        buf_put_str(out, "\\fR=\\fI");
        roff_put(out, config_help_type(def));
        buf_put_str(out, "\\fR\n");
        put_meaning(out, line, def);
        buf_put_byte(out, '\n');
    }
    buf_put_str(out, ".RE\n");
}

static void put_setting(struct buf *out, struct buf *line,
                        const struct config_spec *spec,
                        const struct option_def *def)
{
    buf_put_str(out, ".TP\n\\fB\\-\\-");
    roff_put(out, def->name);
    buf_put_str(out, "\\fR");
    if (def->type != OPT_BOOL) {
        buf_put_str(out, " \\fI");
        roff_put(out, config_help_type(def));
        buf_put_str(out, "\\fR");
    }
    buf_put_byte(out, '\n');
    put_meaning(out, line, def);
    buf_put_str(out, "\n.br\n");
    if (def->flags & OPT_SECRET) {
        buf_put_str(out, "Only in the file.");
    } else {
        config_env_name(spec->program, def->name, line);
        put_roff_line(out, line);
    }
    buf_put_str(out, def->flags & OPT_LIST ? "; may be repeated" : "");
    buf_put_str(out, def->flags & OPT_RELOAD ? "; a reload changes it\n"
                                             : "; a change needs a restart\n");
    if (def->type == OPT_OBJECT)
        put_objects(out, line, def->object);
}

static void put_head(struct buf *out, const struct config_spec *spec)
{
    buf_put_str(out, ".\\\" Made from the table of settings.\n.TH ");
    put_capitals(out, spec->program);
    buf_put_str(out, " 8 \"\" \"edge " EDGE_VERSION "\" \"Edge\"\n"
                     ".SH NAME\n");
    roff_put(out, spec->program);
    buf_put_str(out, " \\- ");
    roff_put(out, spec->summary);
    buf_put_str(out, "\n.SH SYNOPSIS\n.B ");
    roff_put(out, spec->program);
    buf_put_str(out, "\n[\\fB\\-\\-config\\fR \\fIFILE\\fR] "
                     "[\\fB\\-\\-\\fISETTING\\fR \\fIVALUE\\fR]...\n"
                     ".SH DESCRIPTION\n");
    roff_put(out,
             "Settings are read from the configuration file, then from the "
             "environment, then from the command line; later ones win, and a "
             "list of a later source replaces the whole list. The file is "
             "JSON with comments; its keys are the names below without the "
             "dashes. Every mistake is named at once, with where it stands "
             "and what is allowed.\n");
}

static void put_actions(struct buf *out)
{
    static const char *const actions[][2] = {
        {"help", "a short form of this text"},
        {"version", "print the version"},
        {"check", "read the settings, say what is wrong, exit"},
        {"check=syntax", "the same, without opening the files they name"},
        {"dump-config", "print the settings in force, without secrets, as a "
                        "configuration file; exit"},
    };

    buf_put_str(out, ".SH OPTIONS\n");
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
        buf_put_str(out, ".TP\n\\fB\\-\\-");
        roff_put(out, actions[i][0]);
        buf_put_str(out, "\\fR\n");
        roff_put(out, actions[i][1]);
        buf_put_byte(out, '\n');
    }
}

static void put_entry(struct buf *out, const char *term, const char *text)
{
    buf_put_str(out, ".TP\n");
    roff_put(out, term);
    buf_put_byte(out, '\n');
    roff_put(out, text);
    buf_put_byte(out, '\n');
}

static void put_tail(struct buf *out, const struct config_spec *spec)
{
    struct buf path;

    buf_init(&path, 256);
    buf_put_str(out, ".SH SIGNALS\n");
    put_entry(out, "SIGHUP",
              "read and check the settings again; when one is wrong, those in "
              "force stay and the log says why");
    put_entry(out, "SIGTERM, SIGINT",
              "take nothing new; stop when the last session has ended or "
              "drain-time is over; a second one stops at once");
    buf_put_str(out, ".SH EXIT STATUS\n");
    put_entry(out, "0", "stopped as asked, or --check found nothing");
    put_entry(out, "1", "could not start; standard error says why");
    buf_put_str(out, ".SH FILES\n");
    buf_printf(&path, "/etc/edge/%s.json", spec->program);
    buf_put_byte(&path, 0);
    put_entry(out, (const char *)path.data, "what the systemd unit reads");
    buf_reset(&path);
    buf_printf(&path, "/run/%s/admin.sock", spec->program);
    buf_put_byte(&path, 0);
    put_entry(out, (const char *)path.data, "what edgectl talks to");
    buf_put_str(out, ".SH SEE ALSO\n.BR edgectl (1)\n");
    buf_deinit(&path);
}

static void put_settings(struct buf *out, const struct config_spec *spec)
{
    const struct option_table *const tables[] = {&spec->table,
                                                 &config_common_table};
    struct buf line;

    buf_init(&line, 8192);
    buf_put_str(out, ".SH SETTINGS\n");
    for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
        for (size_t i = 0; i < tables[t]->n; i++) {
            if (!(tables[t]->options[i].flags & OPT_HIDDEN))
                put_setting(out, &line, spec, &tables[t]->options[i]);
        }
    }
    buf_deinit(&line);
}

void config_help_man(const struct config_spec *spec, struct buf *out)
{
    put_head(out, spec);
    put_actions(out);
    put_settings(out, spec);
    put_tail(out, spec);
}

/* ---- completion ---- */

/* An identifier of the shell: "web_proxy". */
static void put_identifier(struct buf *out, const char *text)
{
    for (; *text; text++)
        buf_put_byte(out, (uint8_t)(*text == '-' ? '_' : *text));
}

/* "a|b=1|c" as words. */
static void put_values(struct buf *out, const struct option_def *def)
{
    struct span name, rest;

    for (size_t i = 0; option_value_at(def->values, i, &name, &rest); i++) {
        buf_put_str(out, i ? " " : "");
        buf_put_span(out, name);
        /* A transport goes on with the address. */
        buf_put_str(out, def->type == OPT_ENDPOINT ? ":" : "");
    }
}

/* What may follow a flag, when that can be known. */
static void put_case(struct buf *out, const struct option_def *def)
{
    bool file = def->type == OPT_FILE || def->type == OPT_SECRET_FILE ||
                strcmp(def->name, "config") == 0 ||
                strcmp(def->name, "admin-socket") == 0;
    bool words =
        def->values && (def->type == OPT_ENUM || def->type == OPT_ENDPOINT);

    if (def->flags & OPT_SECRET || (!file && !words))
        return;
    buf_printf(out, "    --%s) ", def->name);
    if (file) {
        buf_put_str(out, "COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n");
        return;
    }
    buf_put_str(out, "words=\"");
    put_values(out, def);
    buf_put_str(out, "\" ;;\n");
}

static void put_flags(struct buf *out, const struct option_table *table)
{
    for (size_t i = 0; i < table->n; i++) {
        unsigned flags = table->options[i].flags;

        if (!(flags & (OPT_HIDDEN | OPT_SECRET)))
            buf_printf(out, " --%s", table->options[i].name);
    }
}

void config_help_completion(const struct config_spec *spec, struct buf *out)
{
    const struct option_table *const tables[] = {&spec->table,
                                                 &config_common_table};

    buf_printf(out,
               "# bash completion of %s, made from its table of "
               "settings\n_edge_",
               spec->program);
    put_identifier(out, spec->program);
    buf_put_str(out, "()\n{\n"
                     "    local cur=${COMP_WORDS[COMP_CWORD]} words=\n"
                     "    COMPREPLY=()\n"
                     "    case ${COMP_WORDS[COMP_CWORD - 1]} in\n");
    for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
        for (size_t i = 0; i < tables[t]->n; i++) {
            if (!(tables[t]->options[i].flags & OPT_HIDDEN))
                put_case(out, &tables[t]->options[i]);
        }
    }
    buf_put_str(out, "    *) words=\"--help --version --check --check=syntax "
                     "--dump-config");
    for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
        put_flags(out, tables[t]);
    buf_put_str(out, "\" ;;\n    esac\n"
                     "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                     "}\ncomplete -F _edge_");
    put_identifier(out, spec->program);
    buf_printf(out, " %s\n", spec->program);
}
