/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tables as aligned text. */
#include "proto/table.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 100 };

size_t tg_text_columns(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

static void cut(const char *from, char text[TG_CELL_SIZE])
{
    size_t n = strlen(from);
    if (n < TG_CELL_SIZE) {
        memcpy(text, from, n + 1);
        return;
    }
    for (n = TG_CELL_SIZE - 4; n && ((unsigned char)from[n] & 0xC0) == 0x80; n--)
        ;
    memcpy(text, from, n);
    memcpy(text + n, "...", 4);
}

char *tg_cell_text(const json_t *value, char text[TG_CELL_SIZE])
{
    if (json_is_string(value))
        cut(json_string_value(value), text);
    else if (json_is_integer(value))
        snprintf(text, TG_CELL_SIZE, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        snprintf(text, TG_CELL_SIZE, "%.6g", json_real_value(value));
    else if (json_is_boolean(value))
        snprintf(text, TG_CELL_SIZE, "%s", json_is_true(value) ? "yes" : "no");
    else if (json_is_array(value))
        snprintf(text, TG_CELL_SIZE, "[%zu]", json_array_size(value));
    else if (json_is_object(value))
        snprintf(text, TG_CELL_SIZE, "{%zu}", json_object_size(value));
    else
        snprintf(text, TG_CELL_SIZE, "-");
    return text;
}

bool tg_is_table(const json_t *value)
{
    if (!json_is_array(value) || !json_array_size(value))
        return false;
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!json_is_object(json_array_get(value, i)))
            return false;
    return true;
}

/* One column: the member `name` of each row, or entry `index` when name is NULL. */
struct column {
    const char *name;
    size_t index;
    size_t width;
    bool left; /* texts; numbers stand to the right */
};

static const json_t *cell(const json_t *row, const struct column *column)
{
    return column->name ? json_object_get(row, column->name)
                        : json_array_get(row, column->index);
}

static void measure(const json_t *rows, struct column *column)
{
    char text[TG_CELL_SIZE];
    column->width = column->name ? tg_text_columns(column->name) : 0;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *value = cell(json_array_get(rows, i), column);
        size_t width = tg_text_columns(tg_cell_text(value, text));
        if (width > column->width)
            column->width = width;
        column->left = column->left || json_is_string(value);
    }
}

static void put(const struct column *column, const char *text, bool last,
                struct tg_buf *out)
{
    int pad = (int)(column->width - tg_text_columns(text));
    if (column->left)
        tg_buf_printf(out, "  %s%*s", text, last ? 0 : pad, "");
    else
        tg_buf_printf(out, "  %*s%s", pad, "", text);
}

static void write_line(const json_t *row, const struct column *column, size_t n,
                       const bool *shown, struct tg_buf *out)
{
    char text[TG_CELL_SIZE];
    size_t last = 0;
    for (size_t j = 0; j < n; j++)
        last = shown[j] ? j : last;
    for (size_t j = 0; j < n; j++)
        if (shown[j])
            put(&column[j],
                row ? tg_cell_text(cell(row, &column[j]), text) : column[j].name,
                j == last, out);
    tg_buf_puts(out, "\n");
}

static void write_block(const json_t *rows, const struct column *column, size_t n,
                        const bool *shown, struct tg_buf *out)
{
    if (column[0].name)
        write_line(NULL, column, n, shown, out);
    for (size_t i = 0; i < json_array_size(rows); i++)
        write_line(json_array_get(rows, i), column, n, shown, out);
}

/* A table too wide for a line comes in blocks, each begun by the leading text columns. */
static void write_rows(const json_t *rows, struct column *column, size_t n,
                       struct tg_buf *out)
{
    size_t lead = 0, head = 0;
    bool *shown = calloc(n + 1, sizeof(*shown));
    for (size_t j = 0; j < n; j++)
        measure(rows, &column[j]);
    for (; lead < n && column[lead].left; lead++)
        head += column[lead].width + 2;
    for (size_t next = lead, first = 1; shown && n && (first || next < n); first = 0) {
        size_t width = head, start = next;
        for (size_t j = 0; j < n; j++)
            shown[j] = j < lead;
        for (;
             next < n && (next == start || width + column[next].width + 2 <= COLUMNS_MAX);
             next++) {
            width += column[next].width + 2;
            shown[next] = true;
        }
        tg_buf_puts(out, first ? "" : "\n");
        write_block(rows, column, n, shown, out);
    }
    out->failed = out->failed || !shown;
    free(shown);
}

/* The columns are the members of the first row. */
void tg_table_write(const json_t *table, struct tg_buf *out)
{
    json_t *first = json_array_get(table, 0), *value;
    const char *name;
    size_t n = 0;
    struct column *column = calloc(json_object_size(first) + 1, sizeof(*column));
    if (!column) {
        out->failed = true;
        return;
    }
    json_object_foreach(first, name, value) column[n++].name = name;
    write_rows(table, column, n, out);
    free(column);
}

void tg_grid_write(const json_t *grid, struct tg_buf *out)
{
    size_t n = json_array_size(json_array_get(grid, 0));
    struct column *column = calloc(n + 1, sizeof(*column));
    if (!column) {
        out->failed = true;
        return;
    }
    for (size_t j = 0; j < n; j++)
        column[j].index = j;
    write_rows(grid, column, n, out);
    free(column);
}
