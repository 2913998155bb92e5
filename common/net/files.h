/* SPDX-License-Identifier: MIT */
/* files.h - reading files below a folder without ever waiting for the disk in
 * the loop.
 *
 * A file is found in libuv's threads: below the folder only, whatever
 * links stand there (openat2 with RESOLVE_BENEATH; on kernels without it no
 * link is followed at all), regular files only. What the page cache holds is
 * then read at once, the rest by a thread.
 *
 * A folder may be used by all threads (so counted); a file belongs to the
 * worker that opened it.
 */
#ifndef NET_FILES_H
#define NET_FILES_H

#include "base/span.h"
#include "net/worker.h"

struct folder;
struct file;

/* Returns 0; or -errno. Main thread. */
int folder_open(struct folder **ret_folder, const char *path);
struct folder *folder_ref(struct folder *folder);
void folder_unref(struct folder *folder); /* NULL is accepted */

enum {
    FILE_PATH_MAX = 4096,
    FILE_SUFFIXES_MAX = 4,
    FILE_PIECE_MAX = 64 * 1024, /* what one read gives at most */
};

struct file_names {
    struct span path;  /* below the folder: "a/b"; "" or "a/" for a folder */
    const char *index; /* the file of a folder; NULL: it has none */
    /* Other forms of the file, the best first (".br"). One is taken when it
     * is there and not older than the file itself. */
    const char *suffixes[FILE_SUFFIXES_MAX];
    size_t n_suffixes;
};

struct file_info {
    uint64_t size;
    int64_t mtime_s;
    uint32_t mtime_ns;
    int suffix; /* which was taken; -1: the file itself */
};

/* `err`: 0; -ENOENT (none, outside, or no regular file), -EISDIR (a folder,
 * asked for without its slash), -EACCES, -EMFILE … */
typedef void file_open_fn(void *arg, int err, const struct file_info *info);
/* `err` or a piece, valid during the call; empty at the end of the file. */
typedef void file_read_fn(void *arg, int err, struct span piece);

struct file_events {
    file_open_fn *on_open;
    file_read_fn *on_read;
};

/* Begin to open; on_open comes later, once. Events come on the worker's
 * thread, never from inside these calls, and none after file_close().
 * Returns 0; ERR_LIMIT (path too long) or -ENOMEM. */
int file_open(struct file **ret_file, struct worker *worker,
              struct folder *folder, const struct file_names *names,
              const struct file_events *events, void *arg);

/* Read up to `len` bytes from `offset`, of an open file, one read at a time.
 * Returns 1 when they were there: `*ret_piece` is valid until the next call;
 * 0 when on_read will come; -ENOMEM. `wait`: as if they were not there, so
 * that others get their turn. */
int file_read(struct file *file, uint64_t offset, size_t len, bool wait,
              struct span *ret_piece);

void file_close(struct file *file); /* NULL is accepted */

#endif /* NET_FILES_H */
