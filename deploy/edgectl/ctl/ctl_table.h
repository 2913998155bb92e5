/* SPDX-License-Identifier: MIT */
/* ctl_table.h - rows of text for people (aligned columns), Markdown, or CSV
 * (RFC 4180).
 *
 * Cells are copied. Control characters in them are shown as "?", so that what
 * a file or a daemon says cannot drive the terminal.
 */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include "base/buf.h"

enum {
    CTL_TABLE_COLUMNS_MAX = 12,
    CTL_TABLE_CELLS_MAX = 100000,
    CTL_TABLE_CELL_MAX = 4096, /* bytes */
};

enum ctl_format {
    CTL_TEXT,
    CTL_CSV,
    CTL_MARKDOWN,
    CTL_JSON, /* not a table's: the caller writes it */
};

struct ctl_table {
    const char *titles[CTL_TABLE_COLUMNS_MAX]; /* without the mark */
    bool right[CTL_TABLE_COLUMNS_MAX];
    size_t columns;
    char **cells;
    size_t n, room;
    int err; /* ERR_LIMIT or -ENOMEM: sticky */
};

/* A title that begins with '>' makes a column aligned to the right. Borrowed;
 * at most CTL_TABLE_COLUMNS_MAX. */
void ctl_table_init(struct ctl_table *table, const char *const *titles,
                    size_t n);
void ctl_table_deinit(struct ctl_table *table);

/* The next cell; a row is full after as many as there are columns. */
void ctl_table_put(struct ctl_table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

size_t ctl_table_rows(const struct ctl_table *table);

/* Not for CTL_JSON. */
void ctl_table_print(const struct ctl_table *table, enum ctl_format format,
                     struct buf *out);

/* "text", "csv", "markdown", "json". Returns 0 or ERR_PARSE. */
int ctl_format_parse(const char *name, enum ctl_format *ret_format);

/* Text of others for a terminal: control characters become "?". */
void ctl_screen(struct span text, struct buf *out);

/* "3d 4h", "12m 5s", "0s". */
const char *ctl_time_str(uint64_t seconds, char *out, size_t size);

#endif /* CTL_TABLE_H */
