/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A result document as text for a terminal.
 *
 * DESIGN. Names and numbers stand in columns: texts to the left, numbers to the right,
 * six significant digits. Columns are as wide as their widest cell; long lists are
 * wrapped.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/kind.h"
#include "proto/result.h"
#include "proto/table.h"

enum { LINE_MAX_COLUMNS = 88, GRID_MAX_ROWS = 20, GRID_MAX_COLUMNS = 10 };

static void heading(const char *text, char rule, struct tg_buf *out)
{
    tg_buf_printf(out, "%s\n", text);
    for (size_t i = tg_text_columns(text); i; i--)
        tg_buf_add(out, &rule, 1);
    tg_buf_puts(out, "\n");
}

static void list_line(const json_t *list, size_t indent, struct tg_buf *out)
{
    char text[TG_CELL_SIZE];
    size_t column = indent;
    for (size_t i = 0; i < json_array_size(list); i++) {
        tg_cell_text(json_array_get(list, i), text);
        size_t width = tg_text_columns(text);
        if (i && column + 2 + width > LINE_MAX_COLUMNS) {
            tg_buf_printf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (i) {
            tg_buf_puts(out, "  ");
            column += 2;
        }
        tg_buf_puts(out, text);
        column += width;
    }
    tg_buf_puts(out, "\n");
}

/* The members that fit on a line of their own, their names in one column. */
static void write_scalars(json_t *object, const char *skip, struct tg_buf *out)
{
    char text[TG_CELL_SIZE];
    const char *name;
    json_t *value;
    size_t width = 0;
    json_object_foreach(
        object, name, value) if (strcmp(name, skip) && !tg_is_table(value) &&
                                 !json_is_object(value) && tg_text_columns(name) > width)
        width = tg_text_columns(name);
    json_object_foreach(object, name, value)
    {
        if (!strcmp(name, skip) || tg_is_table(value) || json_is_object(value))
            continue;
        tg_buf_printf(out, "%s%*s", name, (int)(width - tg_text_columns(name) + 2), "");
        if (json_is_array(value))
            list_line(value, width + 2, out);
        else
            tg_buf_printf(out, "%s\n", tg_cell_text(value, text));
    }
}

static void write_tables(json_t *object, const char *skip, struct tg_buf *out)
{
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        if (!strcmp(name, skip) || (!tg_is_table(value) && !json_is_object(value)))
            continue;
        tg_buf_printf(out, "\n%s\n", name);
        if (json_is_object(value))
            write_scalars(value, "", out);
        else
            tg_table_write(value, out);
    }
}

static bool is_grid(const json_t *data, size_t ndim)
{
    const json_t *row = json_array_get(data, 0);
    return (ndim == 1 && json_array_size(data) <= GRID_MAX_ROWS) ||
           (ndim == 2 && json_array_size(data) <= GRID_MAX_ROWS &&
            json_array_size(row) <= GRID_MAX_COLUMNS);
}

static void write_array(const char *name, const json_t *entry, struct tg_buf *out)
{
    const json_t *shape = json_object_get(entry, "shape");
    const json_t *data = json_object_get(entry, "data");
    tg_buf_printf(out, "\n%s  (", name);
    for (size_t i = 0; i < json_array_size(shape); i++)
        tg_buf_printf(out, "%s%lld", i ? " x " : "",
                      (long long)json_integer_value(json_array_get(shape, i)));
    tg_buf_printf(out, ") %s\n", json_string_value(json_object_get(entry, "dtype")));
    if (!data || !is_grid(data, json_array_size(shape)))
        return;
    if (json_array_size(shape) == 1) {
        tg_buf_puts(out, "  ");
        list_line(data, 2, out);
    } else {
        tg_grid_write(data, out);
    }
}

static void write_quality(json_t *quality, struct tg_buf *out)
{
    json_t *warnings = json_object_get(quality, "warnings"), *warning;
    size_t i;
    if (json_object_size(quality) > (warnings ? 1 : 0)) {
        tg_buf_puts(out, "\n");
        heading("Quality", '-', out);
        write_scalars(quality, "warnings", out);
        write_tables(quality, "warnings", out);
    }
    if (!json_array_size(warnings))
        return;
    tg_buf_puts(out, "\n");
    heading("Warnings", '-', out);
    json_array_foreach(warnings, i, warning) tg_buf_printf(
        out, "%s: %s\n", json_string_value(json_object_get(warning, "code")),
        json_string_value(json_object_get(warning, "message")));
}

void tg_result_text_write(const json_t *document, struct tg_buf *out)
{
    const char *kind_name = json_string_value(json_object_get(document, "kind")), *name;
    const struct tg_kind *kind = kind_name ? tg_kind_find(kind_name) : NULL;
    json_t *arrays = json_object_get(document, "arrays"), *entry;
    json_t *figures = json_object_get(document, "figures");
    heading(kind ? kind->title : kind_name ? kind_name : "", '=', out);
    write_scalars(json_object_get(document, "values"), "", out);
    write_tables(json_object_get(document, "values"), "", out);
    json_object_foreach(arrays, name, entry) write_array(name, entry, out);
    if (json_object_size(figures))
        tg_buf_puts(out, "\n");
    json_object_foreach(figures, name, entry) tg_buf_printf(
        out, "figure %s: %s\n", name, json_string_value(json_object_get(entry, "title")));
    write_quality(json_object_get(document, "quality"), out);
}
