/* SPDX-License-Identifier: MIT */
/* web_files.h - the files of routes, for the core: its names for what
 * net/files.h does. */
#ifndef WEB_FILES_H
#define WEB_FILES_H

#include "net/worker.h"
#include "proxy/web_core.h"

struct web_files;

/* `after` is called with `arg` when an event has been handed to the core. */
int web_files_new(struct web_files **ret_files, struct worker *worker,
                  void (*after)(void *arg), void *arg);
void web_files_free(struct web_files *files); /* NULL is accepted */

/* For struct web_env; there is one `files` for each worker. */
void *web_files_open(struct web_files *files, struct web_reader *reader,
                     const struct web_folder *folder, struct span name,
                     unsigned forms);
int web_files_read(void *file, uint64_t offset, size_t len, bool wait,
                   struct span *ret_piece);
void web_files_close(void *file);

#endif /* WEB_FILES_H */
