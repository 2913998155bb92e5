/* SPDX-License-Identifier: MIT */
/* ctl_files.h - the configuration files of the three daemons and the topology,
 * as --topology, --web, --sip and --turn name them, and the flows they make.
 */
#ifndef CTL_FILES_H
#define CTL_FILES_H

#include "ctl/ctl_args.h"
#include "ctl/ctl_flows.h"

struct ctl_files {
    struct config *topo;
    struct config *web, *sip, *turn; /* NULL: it runs nowhere */
    struct ctl_flows *flows;
};

/* Into a zeroed one. Files not named are those of /etc/edge, where they are.
 * Returns 0, or an error that is said in `error`. Close it in any case. */
int ctl_files_open(const struct ctl_args *args, struct buf *error,
                   struct ctl_files *files);
void ctl_files_close(struct ctl_files *files);

#endif /* CTL_FILES_H */
