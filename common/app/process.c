/* SPDX-License-Identifier: MIT */
#include "app/process.h"

#include "base/err.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define LOG_COMPONENT "process"
#include "base/log.h"

/* The sanitizers' leak check attaches to the process, which a process that
 * cannot be dumped does not allow. */
#if defined(__SANITIZE_ADDRESS__)
#define HAS_LEAK_CHECK 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_LEAK_CHECK 1
#endif
#endif
#ifndef HAS_LEAK_CHECK
#define HAS_LEAK_CHECK 0
#endif

void process_protect(void)
{
    const struct rlimit none = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &none);
    if (!HAS_LEAK_CHECK)
        (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void process_raise_files(uint64_t need)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    if (need == 0)
        need = limit.rlim_max;
    if (need <= limit.rlim_cur)
        return;
    limit.rlim_cur = need;
    if (need > limit.rlim_max) {
        struct rlimit both = {need, need};

        if (setrlimit(RLIMIT_NOFILE, &both) == 0) /* root may */
            return;
        limit.rlim_cur = limit.rlim_max;
        log_warn("the settings may need more open files than allowed, raise "
                 "LimitNOFILE needed=%" PRIu64 " allowed=%" PRIu64,
                 need, (uint64_t)limit.rlim_max);
    }
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

int process_find_user(const char *name, struct process_user *ret_user)
{
    struct passwd entry, *found = NULL;
    char memory[4096];

    if (getpwnam_r(name, &entry, memory, sizeof(memory), &found) != 0 ||
        !found) {
        log_error("there is no such user user=\"%s\"", name);
        return -ENOENT;
    }
    if (geteuid() != 0 && geteuid() != entry.pw_uid) {
        log_error("only root can become another user user=\"%s\"", name);
        return -EPERM;
    }
    ret_user->uid = entry.pw_uid;
    ret_user->gid = entry.pw_gid;
    (void)snprintf(ret_user->name, sizeof(ret_user->name), "%s", name);
    return 0;
}

int process_become(const struct process_user *user)
{
    if (geteuid() == user->uid)
        return 0;
    if (initgroups(user->name, user->gid) < 0 ||
        setresgid(user->gid, user->gid, user->gid) < 0 ||
        setresuid(user->uid, user->uid, user->uid) < 0 ||
        setuid(0) == 0) { /* there is a way back */
        int err = errno ? -errno : -EPERM;

        log_error("cannot drop privileges user=\"%s\" reason=\"%s\"",
                  user->name, err_str(err));
        return err;
    }
    return 0;
}
