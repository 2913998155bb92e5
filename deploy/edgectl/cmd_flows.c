/* SPDX-License-Identifier: MIT */
#include "ctl_commands.h"

#include "base/err.h"
#include "base/mem.h"
#include "ctl/ctl_table.h"
#include "ctl_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { OUT_MAX = 64 * 1024 * 1024 };

/* A daemon the topology names and no file describes is a mistake: its flows
 * would be missing without a word. */
static void warn_of_missing(const struct ctl_files *files, struct buf *error)
{
    const struct topo *t = config_values(files->topo);
    const struct config *const configs[] = {files->web, files->sip,
                                            files->turn};
    static const char *const names[] = {"web-proxy", "sip-proxy",
                                        "turn-server"};

    for (size_t h = 0; h < t->hosts.n; h++) {
        for (size_t d = 0; d < ARRAY_SIZE(names); d++) {
            if (!configs[d] && topo_host_runs(&t->hosts.items[h], names[d]))
                buf_printf(error,
                           "FLOW-NO-SETTINGS: %s runs %s, but its "
                           "configuration file was not given\n",
                           t->hosts.items[h].name, names[d]);
        }
    }
}

/* Findings on standard error; CTL_BAD when there are some. */
static int say_findings(const struct ctl_args *args,
                        const struct ctl_files *files)
{
    struct buf error;

    buf_init(&error, CTL_ERROR_MAX);
    warn_of_missing(files, &error);
    for (size_t i = 0; i < files->flows->n_findings; i++)
        buf_printf(&error, "%s: %s\n", files->flows->findings[i].id,
                   files->flows->findings[i].text);
    return ctl_fail(args, &error, buf_len(&error) ? CTL_BAD : CTL_OK);
}

int cmd_flows(const struct ctl_args *args)
{
    const char *name = ctl_args_value(args, "format");
    enum ctl_format format = CTL_TEXT;
    struct ctl_files files = {0};
    struct buf error, out;
    int code;

    buf_init(&error, CTL_ERROR_MAX);
    if (name && ctl_format_parse(name, &format) < 0)
        buf_printf(&error,
                   "--format: \"%s\" is none of text, csv, markdown, "
                   "json\n",
                   name);
    else
        (void)ctl_files_open(args, &error, &files);
    if (!files.flows) {
        ctl_files_close(&files);
        return ctl_fail(args, &error, CTL_USAGE);
    }
    buf_deinit(&error);
    buf_init(&out, OUT_MAX);
    if (format == CTL_JSON || ctl_args_has(args, "json"))
        ctl_flows_print_json(files.flows, &out);
    else
        ctl_flows_print(files.flows,
                        format == CTL_CSV        ? CTL_FLOWS_CSV
                        : format == CTL_MARKDOWN ? CTL_FLOWS_MARKDOWN
                                                 : CTL_FLOWS_TEXT,
                        &out);
    code = ctl_flush(&out) ? say_findings(args, &files) : CTL_USAGE;
    ctl_files_close(&files);
    return code;
}

/* ---- firewall ---- */

static int write_file(const char *dir, const char *name, struct span text,
                      struct buf *error)
{
    char path[512];
    int fd, err = 0;
    ssize_t n;

    (void)snprintf(path, sizeof(path), "%s/%s.nft", dir, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    while (fd >= 0 && text.len > 0 && err == 0) {
        n = write(fd, text.ptr, text.len);
        if (n < 0)
            err = -errno;
        else
            text = span_from(text, (size_t)n);
    }
    if (fd < 0 || (close(fd) < 0 && err == 0))
        err = -errno;
    if (err < 0)
        buf_printf(error, "%s: %s\n", path, err_str(err));
    else
        (void)printf("%s\n", path);
    return err;
}

static int write_one(const struct ctl_files *files, const char *dir,
                     const char *name, struct buf *error)
{
    struct buf out;
    int err;

    buf_init(&out, OUT_MAX);
    (void)ctl_flows_nft(files->flows, span_str(name), &out);
    err = buf_err(&out);
    if (err == 0)
        err = write_file(dir, name, buf_span(&out), error);
    buf_deinit(&out);
    return err;
}

/* One file for each host that runs something of ours and each firewall. */
static int write_all(const struct ctl_files *files, const char *dir,
                     struct buf *error)
{
    const struct topo *t = config_values(files->topo);
    int err = 0;

    for (size_t i = 0; i < t->hosts.n && err == 0; i++) {
        if (t->hosts.items[i].runs.n)
            err = write_one(files, dir, t->hosts.items[i].name, error);
    }
    for (size_t i = 0; i < t->firewalls.n && err == 0; i++)
        err = write_one(files, dir, t->firewalls.items[i].name, error);
    if (t->firewalls.n == 0 && err == 0)
        err = write_one(files, dir, "firewall", error);
    return err;
}

static int print_one(const struct ctl_files *files, const char *name,
                     struct buf *error)
{
    struct buf out;

    buf_init(&out, OUT_MAX);
    if (!ctl_flows_nft(files->flows, span_str(name), &out))
        buf_printf(error, "\"%s\" is no host and no firewall of the topology\n",
                   name);
    return ctl_flush(&out) && buf_len(error) == 0 ? 0 : ERR_CONFIG;
}

int cmd_firewall(const struct ctl_args *args)
{
    const char *dir = ctl_args_value(args, "out");
    struct ctl_files files = {0};
    struct buf error;
    int err = ERR_CONFIG, code = CTL_USAGE;

    buf_init(&error, CTL_ERROR_MAX);
    if (!dir == (args->n_words == 0))
        buf_put_str(&error, "name a host or a firewall, or --out DIR for "
                            "all\n");
    else
        err = ctl_files_open(args, &error, &files);
    if (err == 0)
        err = dir ? write_all(&files, dir, &error)
                  : print_one(&files, args->words[0], &error);
    if (err == 0)
        code = say_findings(args, &files);
    ctl_files_close(&files);
    return ctl_fail(args, &error, code);
}
