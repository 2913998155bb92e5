/* SPDX-License-Identifier: MIT */
/* config.h - settings: from file, environment and command line to one
 * immutable snapshot.
 *
 * Order, later wins: defaults < file < environment < flags; a list given by a
 * later source replaces the whole list. The file is JSON with comments
 * (slash-star, slash-slash and #) and trailing commas. In the environment
 * lists are separated by spaces or commas (strings, files and objects by
 * spaces only); an empty variable counts as not set. On the command line a
 * list option is repeated.
 *
 * Every mistake is reported, all at once, one line each: where it stands
 * (file, flag or variable), key with path ("route[3].path"), value and what
 * is allowed.
 *
 * A snapshot never changes; it is shared by reference count between threads.
 * Everything in it (strings, lists) lives as long as the snapshot; secrets
 * are wiped when the last reference goes.
 */
#ifndef APP_CONFIG_H
#define APP_CONFIG_H

#include "app/options.h"
#include "base/buf.h"
#include "base/log.h"

struct config;       /* a snapshot */
struct config_build; /* one being made: collects mistakes, owns memory */

/* Settings every daemon has. A daemon's struct starts with this one. */
struct config_common {
    const char *config;       /* path of the file, or NULL */
    int log_level;            /* enum log_level */
    int log_format;           /* enum log_format */
    uint32_t workers;         /* 0: one per core */
    const char *admin_socket; /* NULL: none */
    struct addr admin_listen; /* ADDR_NONE: none; else loopback */
    const char *user;         /* to become after binding, or NULL */
    uint64_t drain_time;      /* ms */
};

/* What a daemon's settings are. Static and constant. */
struct config_spec {
    const char *program; /* "turn-server"; the environment's prefix is made
                            of it: TURN_SERVER_ */
    const char *summary; /* one line under the name in --help */
    /* The struct begins with struct config_common. The rows of the common
     * settings are added by themselves. */
    struct option_table table;
    /* Called when all values are there and each is right by itself: what the
     * rows cannot say (two settings that exclude each other). Reports with
     * config_error(). May be NULL. */
    void (*check)(struct config_build *build, void *values);
};

/* What the command line asks for. */
enum config_action {
    CONFIG_RUN,
    CONFIG_EXIT_OK,     /* --help, --version, --check …: printed, done */
    CONFIG_EXIT_FAILED, /* mistakes: reported on standard error */
};

/* Read the command line, the environment and the file. `argv` and `envp` are
 * kept for the next reload: those of main().
 * CONFIG_RUN: `*ret_config` holds the first reference. What is printed goes
 * to standard output, mistakes and warnings to standard error. */
enum config_action config_load(const struct config_spec *spec, int argc,
                               char *const *argv, char *const *envp,
                               struct config **ret_config);

/* The same without printing, for reload and tests: mistakes and warnings are
 * added to `report`, one line each ("warning: …" for those that change
 * nothing). Options such as --help are refused.
 * Returns 0, ERR_CONFIG or -ENOMEM. */
int config_read(const struct config_spec *spec, int argc, char *const *argv,
                char *const *envp, struct buf *report,
                struct config **ret_config);

/* The same from JSON text in memory alone, without opening the files it names:
 * for tests. */
int config_read_json(const struct config_spec *spec, struct span text,
                     struct buf *report, struct config **ret_config);

/* Read everything again as `old` was read (the same arguments and environment,
 * the file as it is now). Settings without OPT_RELOAD keep the values of
 * `old`; `report` says which would need a restart.
 * Returns 1 and the new snapshot; 0 when nothing changed; ERR_CONFIG or
 * -ENOMEM when it was refused: `report` says why and `old` stays good. */
int config_reload(struct config *old, struct buf *report,
                  struct config **ret_config);

/* Any thread. config_unref() accepts NULL. The count is all that changes, so a
 * borrowed snapshot can be referenced too. */
struct config *config_ref(const struct config *config);
void config_unref(const struct config *config);

/* The daemon's struct; borrowed from the snapshot. */
const void *config_values(const struct config *config);

static inline const struct config_common *
config_common(const struct config *config)
{
    return config_values(config);
}

/* Effective values as JSON that the file parser accepts; without secrets. */
void config_dump(const struct config *config, struct buf *out);

/* --help, and the settings table of the README. */
void config_help(const struct config_spec *spec, struct buf *out);
void config_help_markdown(const struct config_spec *spec, struct buf *out);

/* The same as a manual page (roff), and completion for bash: what packages
 * are built with. */
void config_help_man(const struct config_spec *spec, struct buf *out);
void config_help_completion(const struct config_spec *spec, struct buf *out);

/* For `check` functions. `key` is the path ("route[3].path"). */
void config_error(struct config_build *build, const char *key,
                  const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void config_warn(struct config_build *build, const char *key,
                 const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Zeroed memory that lives as long as the snapshot, for what a check works
 * out. NULL when out of memory; the build then fails with -ENOMEM. */
void *config_alloc(struct config_build *build, size_t size);

#endif /* APP_CONFIG_H */
