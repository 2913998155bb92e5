/* SPDX-License-Identifier: MIT */
#include "net/files.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <uv.h>

struct folder {
    int fd;
    atomic_uint refs;
};

enum job { JOB_NONE, JOB_OPEN, JOB_READ };

struct file {
    uv_work_t work; /* the job under way */
    enum job job;
    struct folder *folder;
    const struct file_events *events;
    void *arg;
    uv_loop_t *loop;
    bool closed; /* by its owner, while a job was under way */

    /* written by the job */
    int fd;
    int err;
    struct file_info info;
    size_t got;

    uint64_t offset;
    size_t len;
    uint8_t *piece;
    size_t piece_size;

    const char *index;
    const char *suffixes[FILE_SUFFIXES_MAX];
    size_t n_suffixes;
    size_t path_len;
    char path[]; /* room for the longest name that is tried */
};

/* ---- folders ---- */

int folder_open(struct folder **ret_folder, const char *path)
{
    struct folder *folder = mem_zalloc(sizeof(*folder));

    if (!folder)
        return -ENOMEM;
    folder->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder->fd < 0) {
        int err = -errno;

        mem_free(folder);
        return err;
    }
    folder->refs = 1;
    *ret_folder = folder;
    return 0;
}

struct folder *folder_ref(struct folder *folder)
{
    atomic_fetch_add(&folder->refs, 1);
    return folder;
}

void folder_unref(struct folder *folder)
{
    if (!folder || atomic_fetch_sub(&folder->refs, 1) > 1)
        return;
    close(folder->fd);
    mem_free(folder);
}

/* ---- in a thread: finding it ---- */

enum { OPEN_FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY };

/* ".." as a whole name. */
static bool is_parent(const char *name)
{
    return name[0] == '.' && name[1] == '.' &&
           (name[2] == '/' || name[2] == '\0');
}

/* Without openat2: from folder to folder, following no link and never up. */
static int open_by_steps(int folder, char *path)
{
    int at = fcntl(folder, F_DUPFD_CLOEXEC, 0), fd = -1;
    char *name = path;

    while (at >= 0) {
        char *slash = strchr(name, '/');
        int next;

        if (is_parent(name)) {
            close(at);
            errno = ENOENT;
            return -1;
        }
        if (slash)
            *slash = '\0';
        next = openat(at, name,
                      slash ? O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
                            : OPEN_FLAGS | O_NOFOLLOW);
        close(at);
        if (slash)
            *slash = '/';
        if (!slash || next < 0) {
            fd = next;
            break;
        }
        at = next;
        name = slash + 1;
    }
    return fd;
}

static int open_beneath(int folder, char *path)
{
    static const struct open_how how = {
        .flags = OPEN_FLAGS,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    long fd;

    if (path[0] == '\0') {
        errno = EISDIR;
        return -1;
    }
    do {
        fd = syscall(SYS_openat2, folder, path, &how, sizeof(how));
    } while (fd < 0 && errno == EAGAIN); /* a rename came between */
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        return open_by_steps(folder, path);
    return (int)fd;
}

/* What tells a stranger about the rest of the disk is "not there". */
static int error_of(int err)
{
    switch (err) {
    case ELOOP:
    case EXDEV:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ENXIO:
    case EINVAL:
        return -ENOENT;
    default:
        return -err;
    }
}

static int judge_kind(const struct stat *stat)
{
    if (S_ISDIR(stat->st_mode))
        return -EISDIR;
    return S_ISREG(stat->st_mode) ? 0 : -ENOENT;
}

/* The file of that name, if it is one. */
static int open_one(int folder, char *path, struct stat *ret_stat)
{
    int fd = open_beneath(folder, path);
    int err;

    if (fd < 0)
        return error_of(errno);
    err = fstat(fd, ret_stat) < 0 ? -ENOENT : judge_kind(ret_stat);
    if (err == 0)
        return fd;
    close(fd);
    return err;
}

static bool is_older(const struct stat *a, const struct stat *b)
{
    if (a->st_mtim.tv_sec != b->st_mtim.tv_sec)
        return a->st_mtim.tv_sec < b->st_mtim.tv_sec;
    return a->st_mtim.tv_nsec < b->st_mtim.tv_nsec;
}

/* Another form of the file `fd`, in its place. */
static int open_form(struct file *f, int fd, struct stat *stat)
{
    for (size_t i = 0; i < f->n_suffixes; i++) {
        struct stat other = {0};
        int form;

        memcpy(f->path + f->path_len, f->suffixes[i],
               strlen(f->suffixes[i]) + 1);
        form = open_one(f->folder->fd, f->path, &other);
        f->path[f->path_len] = '\0';
        if (form < 0)
            continue;
        if (is_older(&other, stat)) {
            close(form);
            continue;
        }
        close(fd);
        *stat = other;
        f->info.suffix = (int)i;
        return form;
    }
    return fd;
}

static void find(uv_work_t *work)
{
    struct file *f = CONTAINER_OF(work, struct file, work);
    struct stat stat = {0};
    int fd;

    if (f->path_len == 0 || f->path[f->path_len - 1] == '/') {
        if (!f->index) {
            f->err = -ENOENT;
            return;
        }
        memcpy(f->path + f->path_len, f->index, strlen(f->index) + 1);
        f->path_len += strlen(f->index);
    }
    f->info.suffix = -1;
    fd = open_one(f->folder->fd, f->path, &stat);
    if (fd >= 0)
        fd = open_form(f, fd, &stat);
    if (fd < 0) {
        f->err = fd;
        return;
    }
    f->fd = fd;
    f->info.size = (uint64_t)stat.st_size;
    f->info.mtime_s = stat.st_mtim.tv_sec;
    f->info.mtime_ns = (uint32_t)stat.st_mtim.tv_nsec;
}

/* ---- in a thread: reading ---- */

static void fetch(uv_work_t *work)
{
    struct file *f = CONTAINER_OF(work, struct file, work);
    ssize_t n;

    do {
        n = pread(f->fd, f->piece, f->len, (off_t)f->offset);
    } while (n < 0 && errno == EINTR);
    f->err = n < 0 ? -errno : 0;
    f->got = n < 0 ? 0 : (size_t)n;
}

/* ---- in the loop ---- */

static void release(struct file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    folder_unref(f->folder);
    mem_free(f->piece);
    mem_free(f);
}

static void on_done(uv_work_t *work, int status)
{
    struct file *f = CONTAINER_OF(work, struct file, work);
    enum job job = f->job;

    f->job = JOB_NONE;
    if (f->closed) {
        release(f);
        return;
    }
    if (status < 0)
        f->err = status;
    if (job == JOB_OPEN)
        f->events->on_open(f->arg, f->err, &f->info);
    else
        f->events->on_read(f->arg, f->err, span_of(f->piece, f->got));
}

static int start(struct file *f, enum job job)
{
    int err = uv_queue_work(f->loop, &f->work, job == JOB_OPEN ? find : fetch,
                            on_done);

    if (err == 0)
        f->job = job;
    return err;
}

int file_open(struct file **ret_file, struct worker *worker,
              struct folder *folder, const struct file_names *names,
              const struct file_events *events, void *arg)
{
    size_t longest = names->index ? strlen(names->index) : 0;
    size_t suffix = 0;
    struct file *f;
    int err;

    if (names->path.len >= FILE_PATH_MAX)
        return ERR_LIMIT;
    for (size_t i = 0; i < names->n_suffixes; i++) {
        if (strlen(names->suffixes[i]) > suffix)
            suffix = strlen(names->suffixes[i]);
    }
    f = mem_zalloc(sizeof(*f) + names->path.len + longest + suffix + 1);
    if (!f)
        return -ENOMEM;
    f->loop = worker_loop(worker);
    f->folder = folder_ref(folder);
    f->events = events;
    f->arg = arg;
    f->fd = -1;
    f->index = names->index;
    f->n_suffixes = names->n_suffixes;
    memcpy(f->suffixes, names->suffixes, sizeof(f->suffixes));
    f->path_len = names->path.len;
    if (names->path.len > 0)
        memcpy(f->path, names->path.ptr, names->path.len);
    err = start(f, JOB_OPEN);
    if (err < 0) {
        release(f);
        return err;
    }
    *ret_file = f;
    return 0;
}

/* What is in memory anyway need not go through a thread. */
static bool read_cached(struct file *f)
{
    struct iovec part = {f->piece, f->len};
    ssize_t n = preadv2(f->fd, &part, 1, (off_t)f->offset, RWF_NOWAIT);

    if (n <= 0)
        return false;
    f->got = (size_t)n;
    return true;
}

int file_read(struct file *f, uint64_t offset, size_t len, bool wait,
              struct span *ret_piece)
{
    if (len > FILE_PIECE_MAX)
        len = FILE_PIECE_MAX;
    if (f->piece_size < len) {
        mem_free(f->piece);
        f->piece = mem_alloc(len);
        f->piece_size = f->piece ? len : 0;
        if (!f->piece)
            return -ENOMEM;
    }
    f->offset = offset;
    f->len = len;
    if (!wait && read_cached(f)) {
        *ret_piece = span_of(f->piece, f->got);
        return 1;
    }
    return start(f, JOB_READ);
}

void file_close(struct file *f)
{
    if (!f)
        return;
    if (f->job == JOB_NONE) {
        release(f);
        return;
    }
    f->closed = true;
    /* Not begun: its end is reported as one that was cancelled. */
    (void)uv_cancel((uv_req_t *)&f->work);
}
