/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A result document as csv: "name,value" of the scalars, then a section a table. */
#include <stdint.h>
#include <string.h>

#include "proto/result.h"
#include "proto/table.h"

static void put_text(const char *text, struct tg_buf *out)
{
    if (!strpbrk(text, ",\"\r\n")) {
        tg_buf_puts(out, text);
        return;
    }
    tg_buf_puts(out, "\"");
    for (; *text; text++) {
        tg_buf_add(out, text, 1);
        if (*text == '"')
            tg_buf_puts(out, "\"");
    }
    tg_buf_puts(out, "\"");
}

static void put_value(const json_t *value, struct tg_buf *out)
{
    if (json_is_string(value))
        put_text(json_string_value(value), out);
    else if (json_is_integer(value))
        tg_buf_printf(out, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        tg_buf_double(out, json_real_value(value));
    else if (json_is_boolean(value))
        tg_buf_puts(out, json_is_true(value) ? "true" : "false");
}

static bool is_scalar(const json_t *value)
{
    return !json_is_array(value) && !json_is_object(value);
}

/* The columns are the members of the first row. */
static void put_table(json_t *table, struct tg_buf *out)
{
    json_t *first = json_array_get(table, 0), *value, *row;
    const char *name, *separator = "";
    size_t i;
    json_object_foreach(first, name, value)
    {
        tg_buf_puts(out, separator);
        put_text(name, out);
        separator = ",";
    }
    tg_buf_puts(out, "\n");
    json_array_foreach(table, i, row)
    {
        separator = "";
        json_object_foreach(first, name, value)
        {
            tg_buf_puts(out, separator);
            put_value(json_object_get(row, name), out);
            separator = ",";
        }
        tg_buf_puts(out, "\n");
    }
}

static void put_list(const char *name, json_t *list, struct tg_buf *out)
{
    json_t *entry;
    size_t i;
    put_text(name, out);
    tg_buf_puts(out, "\n");
    json_array_foreach(list, i, entry)
    {
        put_value(entry, out);
        tg_buf_puts(out, "\n");
    }
}

static void put_scalars(json_t *object, const char *prefix, struct tg_buf *out)
{
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        if (!is_scalar(value))
            continue;
        put_text(prefix, out);
        put_text(name, out);
        tg_buf_puts(out, ",");
        put_value(value, out);
        tg_buf_puts(out, "\n");
    }
}

void tg_result_csv_write(const json_t *document, struct tg_buf *out)
{
    json_t *values = json_object_get(document, "values"), *value;
    const char *name;
    tg_buf_puts(out, "name,value\n");
    put_scalars(values, "", out);
    put_scalars(json_object_get(document, "quality"), "quality.", out);
    json_object_foreach(values, name, value)
    {
        if (is_scalar(value))
            continue;
        tg_buf_printf(out, "\n# %s\n", name);
        if (tg_is_table(value)) {
            put_table(value, out);
        } else if (json_is_array(value)) {
            put_list(name, value, out);
        } else {
            tg_buf_puts(out, "name,value\n");
            put_scalars(value, "", out);
        }
    }
}
