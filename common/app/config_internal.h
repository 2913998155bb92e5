/* SPDX-License-Identifier: MIT */
/* config_internal.h - shared by the files that make and print snapshots. */
#ifndef APP_CONFIG_INTERNAL_H
#define APP_CONFIG_INTERNAL_H

#include "app/config.h"

#include <stdatomic.h>

enum {
    CONFIG_OPTIONS_MAX = 128, /* rows of one table */
    CONFIG_ITEMS_MAX = 10000, /* of one list */
    CONFIG_FILE_MAX = 4 * 1024 * 1024,
    CONFIG_SECRET_MAX = 64 * 1024,
    CONFIG_TEXT_MAX = 4096, /* of a string without a max of its own */
    CONFIG_PATH_MAX = 256,  /* of a key in a message */
};

/* Who gave a value; later stages win. */
enum config_stage {
    STAGE_NONE,
    STAGE_DEFAULT,
    STAGE_FILE,
    STAGE_ENV,
    STAGE_FLAGS,
};

/* A table and the struct being filled from it. */
struct config_fill {
    const struct option_table *table;
    void *values;
    uint8_t stage[CONFIG_OPTIONS_MAX]; /* who set each row last */
    const struct option_def *last;     /* set from text last, or NULL */
};

/* Memory of a snapshot: blocks, released together. */
struct config_block {
    struct config_block *next;
    size_t len;
    _Alignas(16) uint8_t data[];
};

/* The rows of the common settings, and those of the daemon. */
enum { CONFIG_TABLES = 2 };

struct config {
    atomic_uint refs;
    const struct config_spec *spec;
    int argc;
    char *const *argv; /* borrowed: those of main() */
    char *const *envp;
    struct config_block *blocks;
    struct config_fill fill[CONFIG_TABLES];
    void *values;
};

struct config_build {
    struct config *config;
    struct buf *report;
    unsigned errors;
    int err; /* -ENOMEM */
    enum config_stage stage;
    const char *source;        /* file, "--flag", "VARIABLE" */
    char key[CONFIG_PATH_MAX]; /* path of the value being read */
    size_t key_len;
    const char *file;   /* the configuration file, or NULL */
    bool open_files;    /* false: --check=syntax */
    const char *action; /* the one that was asked for */
};

extern const struct option_table config_common_table;

/* ---- config_report.c: messages ---- */

/* "<source>: <key>: <text>", one line, counted as a mistake. */
void config_fail(struct config_build *build, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A key goes on by ".name" or "[index]"; give back the length before. */
size_t config_key_push(struct config_build *build, const char *name);
size_t config_key_index(struct config_build *build, size_t index);
void config_key_pop(struct config_build *build, size_t len);

/* `text` printable and in quotes, cut when long; valid until the next call. */
const char *config_quote(const struct option_def *def, struct span text,
                         char out[CONFIG_PATH_MAX]);

/* "; did you mean "x"?" or "". */
const char *config_guess(const struct option_table *const *tables, size_t n,
                         struct span name, char out[CONFIG_PATH_MAX]);

/* ---- config_memory.c ---- */

void *config_memory(struct config_build *build, size_t size);
char *config_text(struct config_build *build, struct span text);

/* ---- option_value.c: one value ---- */

/* Size of one item in memory. */
size_t option_item_size(const struct option_def *def);

/* Room for one more item at the end of the list; NULL when full or out of
 * memory (reported). */
void *option_list_grow(struct config_build *build, const struct option_def *def,
                       void *field);

bool option_equal(const struct option_def *def, const void *a, const void *b);

/* Deep copy into `build`'s memory. */
void option_copy(struct config_build *build, const struct option_def *def,
                 const void *from, void *to);

/* As JSON; nothing and false when the value is not set (or secret). */
bool option_print(const struct option_def *def, const void *field,
                  struct buf *out);

bool option_is_set(const struct option_def *def, const void *field);

/* ---- option_parse.c: text → one item (not OPT_OBJECT) ---- */

/* Reports and returns false when the text is refused. */
bool option_parse(struct config_build *build, const struct option_def *def,
                  struct span text, void *item);

/* "64k", "30s": the largest unit that divides it. */
void option_put_size(struct buf *out, uint64_t bytes);
void option_put_time(struct buf *out, uint64_t ms);

/* "a number from 1 to 65535" */
void option_allowed(const struct option_def *def, struct buf *out);

/* The n-th part of "udp|tcp|tls=5349". False behind the last. */
bool option_value_at(const char *values, size_t n, struct span *ret_name,
                     struct span *ret_rest);

/* ---- config_fill.c: tables ---- */

void config_fill_init(struct config_fill *fill,
                      const struct option_table *table, void *values);

/* The row and where it lies; NULL when there is none. */
const struct option_def *config_fill_find(struct config_fill *fill,
                                          struct span name, size_t *ret_index);

void config_fill_defaults(struct config_build *build, struct config_fill *fill);

/* Begin to set a row in this stage: false when it is set twice (reported);
 * lists of earlier stages are emptied. */
bool config_fill_begin(struct config_build *build, struct config_fill *fill,
                       size_t index);

/* Set a row from text: flag, variable or default. */
void config_fill_text(struct config_build *build, struct config_fill *fill,
                      size_t index, struct span text);

/* Fill an object from its short form or "key=value,…". */
void config_fill_object_text(struct config_build *build,
                             const struct option_def *def, struct span text,
                             void *item);

void config_fill_required(struct config_build *build, struct config_fill *fill);

/* ---- config_file.c, config_args.c: sources ---- */

void config_read_file(struct config_build *build, const char *path);
/* The same for text in memory. */
void config_read_text(struct config_build *build, struct span source);
void config_read_env(struct config_build *build);
/* Note the last of --help, --check and the like; what they need is known
 * before anything is read. */
void config_find_action(struct config_build *build);

void config_read_flags(struct config_build *build);

/* The value of "--config", or of its variable; NULL: none. */
const char *config_file_path(const struct config *config);

/* "TURN_SERVER_MAX_ALLOCATIONS" */
void config_env_name(const char *program, const char *name, struct buf *out);

/* ---- config_help.c: parts of a description ---- */

/* What a value looks like: "NUMBER", "HOST:PORT", "error|warn". */
const char *config_help_type(const struct option_def *def);

/* "transports: udp, tcp, tls (port 5349)" of an OPT_ENDPOINT with values. */
void config_help_transports(struct buf *line, const struct option_def *def);

/* "default: 30s", "required", or nothing. */
void config_help_default(struct buf *line, const struct option_def *def);

#endif /* APP_CONFIG_INTERNAL_H */
