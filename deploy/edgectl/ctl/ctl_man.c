/* SPDX-License-Identifier: MIT */
#include "ctl_man.h"

#include "base/roff.h"

/* ---- manual page ---- */

static void put_command(struct buf *out, const struct ctl_command *command)
{
    buf_put_str(out, ".SS \"");
    roff_put(out, command->name);
    buf_put_str(out, command->words[0] ? " " : "");
    roff_put(out, command->words);
    buf_put_str(out, "\"\n");
    roff_put(out, command->help);
    buf_put_str(out, ".\n");
    if (command->more)
        roff_put(out, command->more);
    for (size_t i = 0; i < CTL_OPTIONS_MAX && command->options[i].name; i++) {
        const struct ctl_option *option = &command->options[i];

        buf_put_str(out, ".TP\n\\fB\\-\\-");
        roff_put(out, option->name);
        buf_put_str(out, "\\fR");
        if (option->value) {
            buf_put_str(out, " \\fI");
            roff_put(out, option->value);
            buf_put_str(out, "\\fR");
        }
        buf_put_byte(out, '\n');
        roff_put(out, option->help);
        buf_put_byte(out, '\n');
    }
}

void ctl_man(const struct ctl_command *commands, size_t n, struct buf *out)
{
    buf_put_str(
        out, ".\\\" Made from the table of commands.\n"
             ".TH EDGECTL 1 \"\" \"edge " EDGE_VERSION "\" \"Edge\"\n"
             ".SH NAME\nedgectl \\- look after web\\-proxy, sip\\-proxy and "
             "turn\\-server\n"
             ".SH SYNOPSIS\n.B edgectl\n"
             "\\fICOMMAND\\fR [\\fIOPTION\\fR]... [\\fIWORD\\fR]...\n"
             ".SH DESCRIPTION\n"
             "Asks the daemons on their admin sockets, /run/DAEMON/admin.sock, "
             "and looks at\nan edge from outside.\n"
             ".SH COMMANDS\n");
    for (size_t i = 0; i < n; i++)
        put_command(out, &commands[i]);
    buf_put_str(out, ".SH EXIT STATUS\n"
                     ".TP\n0\nwell\n"
                     ".TP\n1\nit was asked, and something is not well\n"
                     ".TP\n2\nthe command line, or a file, is wrong\n"
                     ".TP\n3\na daemon does not answer\n"
                     ".SH SEE ALSO\n"
                     ".BR web\\-proxy (8),\n.BR sip\\-proxy (8),\n"
                     ".BR turn\\-server (8)\n");
}

/* ---- completion ---- */

static void put_words(struct buf *out, const struct ctl_command *command)
{
    buf_printf(out, "    %s) words=\"--help", command->name);
    for (size_t i = 0; i < CTL_OPTIONS_MAX && command->options[i].name; i++)
        buf_printf(out, " --%s", command->options[i].name);
    buf_put_str(out, strstr(command->words, "DAEMON")
                         ? " web-proxy sip-proxy turn-server\" ;;\n"
                         : "\" ;;\n");
}

/* Has one of the first `n` commands an option of that name? */
static bool is_known(const struct ctl_command *commands, size_t n,
                     const char *name)
{
    for (size_t c = 0; c < n; c++) {
        const struct ctl_option *option = commands[c].options;

        for (size_t i = 0; i < CTL_OPTIONS_MAX && option[i].name; i++) {
            if (strcmp(option[i].name, name) == 0)
                return true;
        }
    }
    return false;
}

static bool takes_file(const struct ctl_option *option)
{
    return option->value && (strcmp(option->value, "FILE") == 0 ||
                             strcmp(option->value, "DIR") == 0 ||
                             strcmp(option->name, "socket") == 0);
}

/* Behind which options a file is completed: "--secret-file|--ca". */
static void put_file_options(struct buf *out,
                             const struct ctl_command *commands, size_t n)
{
    const char *before = "";

    for (size_t c = 0; c < n; c++) {
        const struct ctl_option *option = commands[c].options;

        for (size_t i = 0; i < CTL_OPTIONS_MAX && option[i].name; i++) {
            if (!takes_file(&option[i]) ||
                is_known(commands, c, option[i].name))
                continue;
            buf_printf(out, "%s--%s", before, option[i].name);
            before = "|";
        }
    }
}

void ctl_completion(const struct ctl_command *commands, size_t n,
                    struct buf *out)
{
    buf_put_str(out, "# bash completion of edgectl, made from its table of "
                     "commands\n"
                     "_edge_edgectl()\n{\n"
                     "    local cur=${COMP_WORDS[COMP_CWORD]} words= files=\n"
                     "    case ${COMP_WORDS[COMP_CWORD - 1]} in ");
    put_file_options(out, commands, n);
    buf_put_str(out, ") files=yes ;; esac\n"
                     "    case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; i < n; i++)
        put_words(out, &commands[i]);
    buf_put_str(out,
                "    esac\n"
                "    [ \"$COMP_CWORD\" -gt 1 ] || words=\"--help --version");
    for (size_t i = 0; i < n; i++)
        buf_printf(out, " %s", commands[i].name);
    buf_put_str(out, "\"\n"
                     "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                     "    [ -z \"$files\" ] || COMPREPLY=($(compgen -f -- "
                     "\"$cur\"))\n"
                     "}\ncomplete -o default -F _edge_edgectl edgectl\n");
}
