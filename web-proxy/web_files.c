/* SPDX-License-Identifier: MIT */
#include "web_files.h"

#include "base/mem.h"
#include "net/files.h"

#include <errno.h>

struct web_files {
    struct worker *worker;
    void (*after)(void *arg);
    void *arg;
};

/* One file that the core has. */
struct handle {
    struct web_files *files;
    struct web_reader *reader;
    struct file *file;
    int forms[WEB_FILE_FORMS]; /* of the suffixes that were asked for */
};

int web_files_new(struct web_files **ret_files, struct worker *worker,
                  void (*after)(void *arg), void *arg)
{
    struct web_files *files = mem_zalloc(sizeof(*files));

    if (!files)
        return -ENOMEM;
    files->worker = worker;
    files->after = after;
    files->arg = arg;
    *ret_files = files;
    return 0;
}

void web_files_free(struct web_files *files)
{
    mem_free(files);
}

/* The core may close the handle in these. */
static void on_open(void *arg, int err, const struct file_info *info)
{
    struct handle *h = arg;
    struct web_files *files = h->files;
    struct web_file_info file = {
        .size = info->size,
        .mtime_s = info->mtime_s,
        .mtime_ns = info->mtime_ns,
        .form = info->suffix < 0 ? -1 : h->forms[info->suffix],
    };

    web_reader_on_open(h->reader, err, &file, worker_now(files->worker));
    files->after(files->arg);
}

static void on_read(void *arg, int err, struct span piece)
{
    struct handle *h = arg;
    struct web_files *files = h->files;

    web_reader_on_piece(h->reader, err, piece, worker_now(files->worker));
    files->after(files->arg);
}

static const struct file_events events = {on_open, on_read};

void *web_files_open(struct web_files *files, struct web_reader *reader,
                     const struct web_folder *folder, struct span name,
                     unsigned forms)
{
    static const char *const suffixes[] = {
        [WEB_FILE_BR] = ".br",
        [WEB_FILE_GZIP] = ".gz",
    };
    struct file_names names = {.path = name, .index = folder->index};
    struct handle *h = mem_zalloc(sizeof(*h));

    if (!h)
        return NULL;
    h->files = files;
    h->reader = reader;
    for (int i = 0; i < WEB_FILE_FORMS; i++) {
        if (!(forms >> i & 1))
            continue;
        h->forms[names.n_suffixes] = i;
        names.suffixes[names.n_suffixes++] = suffixes[i];
    }
    if (file_open(&h->file, files->worker, folder->root, &names, &events, h) <
        0) {
        mem_free(h);
        return NULL;
    }
    return h;
}

int web_files_read(void *file, uint64_t offset, size_t len, bool wait,
                   struct span *ret_piece)
{
    struct handle *h = file;

    return file_read(h->file, offset, len, wait, ret_piece);
}

void web_files_close(void *file)
{
    struct handle *h = file;

    file_close(h->file);
    mem_free(h);
}
