/* SPDX-License-Identifier: MIT */
/* web_config_file.h - a small file that the settings name. */
#ifndef WEB_CONFIG_FILE_H
#define WEB_CONFIG_FILE_H

#include "base/buf.h"

/* Append its content, at most what the buffer may hold. Blocks: main thread,
 * at start and reload. Returns 0, -errno, ERR_LIMIT or -ENOMEM. */
int web_config_read_file(const char *path, struct buf *out);

#endif /* WEB_CONFIG_FILE_H */
