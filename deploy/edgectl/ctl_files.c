/* SPDX-License-Identifier: MIT */
#include "ctl_files.h"

#include "base/err.h"
#include "ctl_commands.h"
#include "sip_config.h"
#include "turn_config.h"
#include "web_config.h"

#include <stdio.h>
#include <unistd.h>

enum { FILE_MAX = 4 * 1024 * 1024 };

void ctl_files_close(struct ctl_files *files)
{
    ctl_flows_free(files->flows);
    config_unref(files->turn);
    config_unref(files->sip);
    config_unref(files->web);
    config_unref(files->topo);
}

/* Files a setting names (keys, secrets) are not opened: this may run on the
 * desk of whoever writes the firewall rules. */
static int read_one(const struct config_spec *spec, const char *path,
                    struct buf *error, struct config **ret_config)
{
    struct buf text, report;
    struct span line, rest;
    int err;

    buf_init(&text, (size_t)2 * FILE_MAX);
    buf_init(&report, CTL_ERROR_MAX);
    err = ctl_read_file(path, FILE_MAX, &text);
    if (err < 0)
        buf_printf(error, "%s: %s\n", path, err_str(err));
    else
        err = config_read_json(spec, buf_span(&text), &report, ret_config);
    rest = buf_span(&report);
    while (err < 0 && span_next(&rest, '\n', &line))
        buf_printf(error, "%s: %.*s\n", path, SPAN_FMT(line));
    buf_deinit(&report);
    buf_deinit(&text);
    return err;
}

/* Of a daemon: the file named, else the usual one where it is there. */
static int read_daemon(const struct ctl_args *args, const char *option,
                       const struct config_spec *spec, struct buf *error,
                       struct config **ret_config)
{
    const char *path = ctl_args_value(args, option);
    char usual[64];

    if (!path) {
        (void)snprintf(usual, sizeof(usual), "/etc/edge/%s.json",
                       spec->program);
        if (access(usual, R_OK) != 0)
            return 0;
        path = usual;
    }
    return read_one(spec, path, error, ret_config);
}

static const void *values_of(const struct config *config)
{
    return config ? config_values(config) : NULL;
}

int ctl_files_open(const struct ctl_args *args, struct buf *error,
                   struct ctl_files *files)
{
    const char *topology = ctl_args_value(args, "topology");
    int err;

    err = read_one(&topo_spec, topology ? topology : "/etc/edge/topology.json",
                   error, &files->topo);
    if (err == 0)
        err = read_daemon(args, "web", &web_config_spec, error, &files->web);
    if (err == 0)
        err = read_daemon(args, "sip", &sip_config_spec, error, &files->sip);
    if (err == 0)
        err = read_daemon(args, "turn", &turn_config_spec, error, &files->turn);
    if (err == 0)
        err = ctl_flows_new(&files->flows, config_values(files->topo),
                            values_of(files->web), values_of(files->sip),
                            values_of(files->turn));
    if (err < 0 && buf_len(error) == 0)
        buf_printf(error, "%s\n", err_str(err));
    return err;
}
