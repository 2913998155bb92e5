/* SPDX-License-Identifier: MIT */
#include "ctl/ctl_table.h"

#include "base/err.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* How many columns of a terminal the text takes; UTF-8 counted by character. */
static size_t width_of(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += ((uint8_t)*text & 0xc0) != 0x80;
    return n;
}

static void screen(char *text)
{
    for (; *text; text++) {
        if ((uint8_t)*text < 0x20 || *text == 0x7f)
            *text = '?';
    }
}

void ctl_table_init(struct ctl_table *table, const char *const *titles,
                    size_t n)
{
    *table = (struct ctl_table){.columns = n};
    assert(n > 0 && n <= CTL_TABLE_COLUMNS_MAX);
    for (size_t i = 0; i < n; i++) {
        table->right[i] = titles[i][0] == '>';
        table->titles[i] = titles[i] + (titles[i][0] == '>');
    }
}

void ctl_table_deinit(struct ctl_table *table)
{
    for (size_t i = 0; i < table->n; i++)
        mem_free(table->cells[i]);
    mem_free(table->cells);
    *table = (struct ctl_table){0};
}

static bool has_room(struct ctl_table *table)
{
    size_t room = table->room ? 2 * table->room : 64;
    char **cells;

    if (table->n < table->room)
        return true;
    if (table->n >= CTL_TABLE_CELLS_MAX) {
        table->err = ERR_LIMIT;
        return false;
    }
    cells = mem_realloc(table->cells, room * sizeof(*cells));
    if (!cells) {
        table->err = -ENOMEM;
        return false;
    }
    table->cells = cells;
    table->room = room;
    return true;
}

void ctl_table_put(struct ctl_table *table, const char *format, ...)
{
    char text[CTL_TABLE_CELL_MAX];
    va_list args;

    if (table->err || !has_room(table))
        return;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args); /* cut when longer */
    va_end(args);
    screen(text);
    table->cells[table->n] = mem_strdup(text);
    if (!table->cells[table->n]) {
        table->err = -ENOMEM;
        return;
    }
    table->n++;
}

size_t ctl_table_rows(const struct ctl_table *table)
{
    return table->n / table->columns;
}

static const char *cell(const struct ctl_table *table, size_t row, size_t col)
{
    return table->cells[row * table->columns + col];
}

static void pad(struct buf *out, size_t n)
{
    while (n-- > 0)
        buf_put_byte(out, ' ');
}

static void put_aligned(struct buf *out, const char *text, size_t width,
                        bool right, bool last)
{
    size_t room = width - width_of(text);

    if (right)
        pad(out, room);
    buf_put_str(out, text);
    if (!right && !last)
        pad(out, room);
    if (!last)
        pad(out, 2);
}

/* Without the blanks that empty cells at the end of the row left. */
static void end_line(struct buf *out)
{
    while (out->end > out->start && out->data[out->end - 1] == ' ')
        out->end--;
    buf_put_byte(out, '\n');
}

static void print_text(const struct ctl_table *table, struct buf *out)
{
    size_t width[CTL_TABLE_COLUMNS_MAX];

    for (size_t c = 0; c < table->columns; c++) {
        width[c] = width_of(table->titles[c]);
        for (size_t r = 0; r < ctl_table_rows(table); r++) {
            size_t w = width_of(cell(table, r, c));

            width[c] = w > width[c] ? w : width[c];
        }
    }
    for (size_t c = 0; c < table->columns; c++)
        put_aligned(out, table->titles[c], width[c], table->right[c],
                    c + 1 == table->columns);
    end_line(out);
    for (size_t r = 0; r < ctl_table_rows(table); r++) {
        for (size_t c = 0; c < table->columns; c++)
            put_aligned(out, cell(table, r, c), width[c], table->right[c],
                        c + 1 == table->columns);
        end_line(out);
    }
}

static void put_csv(struct buf *out, const char *text, bool last)
{
    bool quote = strpbrk(text, ",\"") != NULL;

    if (quote)
        buf_put_byte(out, '"');
    for (; *text; text++) {
        if (*text == '"')
            buf_put_byte(out, '"');
        buf_put_byte(out, (uint8_t)*text);
    }
    if (quote)
        buf_put_byte(out, '"');
    buf_put_str(out, last ? "\r\n" : ",");
}

static void print_csv(const struct ctl_table *table, struct buf *out)
{
    for (size_t c = 0; c < table->columns; c++)
        put_csv(out, table->titles[c], c + 1 == table->columns);
    for (size_t i = 0; i < ctl_table_rows(table) * table->columns; i++)
        put_csv(out, table->cells[i], (i + 1) % table->columns == 0);
}

static void put_markdown(struct buf *out, const char *text)
{
    buf_put_str(out, " ");
    for (; *text; text++) {
        if (*text == '|')
            buf_put_byte(out, '\\');
        buf_put_byte(out, (uint8_t)*text);
    }
    buf_put_str(out, " |");
}

static void print_markdown(const struct ctl_table *table, struct buf *out)
{
    buf_put_byte(out, '|');
    for (size_t c = 0; c < table->columns; c++)
        put_markdown(out, table->titles[c]);
    buf_put_str(out, "\n|");
    for (size_t c = 0; c < table->columns; c++)
        buf_put_str(out, table->right[c] ? " ---: |" : " --- |");
    buf_put_byte(out, '\n');
    for (size_t r = 0; r < ctl_table_rows(table); r++) {
        buf_put_byte(out, '|');
        for (size_t c = 0; c < table->columns; c++)
            put_markdown(out, cell(table, r, c));
        buf_put_byte(out, '\n');
    }
}

void ctl_table_print(const struct ctl_table *table, enum ctl_format format,
                     struct buf *out)
{
    if (table->err && !out->err)
        out->err = table->err;
    if (format == CTL_CSV)
        print_csv(table, out);
    else if (format == CTL_MARKDOWN)
        print_markdown(table, out);
    else
        print_text(table, out);
}

int ctl_format_parse(const char *name, enum ctl_format *ret_format)
{
    static const char *const names[] = {
        [CTL_TEXT] = "text",
        [CTL_CSV] = "csv",
        [CTL_MARKDOWN] = "markdown",
        [CTL_JSON] = "json",
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret_format = (enum ctl_format)i;
            return 0;
        }
    }
    return ERR_PARSE;
}

void ctl_screen(struct span text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        bool control = text.ptr[i] < 0x20 || text.ptr[i] == 0x7f;

        buf_put_byte(out, control ? (uint8_t)'?' : text.ptr[i]);
    }
}

const char *ctl_time_str(uint64_t seconds, char *out, size_t size)
{
    unsigned long long s = seconds;

    if (s >= 86400)
        (void)snprintf(out, size, "%llud %lluh", s / 86400, s % 86400 / 3600);
    else if (s >= 3600)
        (void)snprintf(out, size, "%lluh %llum", s / 3600, s % 3600 / 60);
    else if (s >= 60)
        (void)snprintf(out, size, "%llum %llus", s / 60, s % 60);
    else
        (void)snprintf(out, size, "%llus", s);
    return out;
}
