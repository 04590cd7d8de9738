/* SPDX-License-Identifier: GPL-3.0-or-later */
/* JSON documents as text. */
#include "proto/jsonwrite.h"

#include <stdint.h>
#include <string.h>

static void write_real(double x, struct tg_buf *out)
{
    size_t before = out->n;
    tg_buf_double(out, x);
    if (!tg_buf_failed(out) && !strpbrk(out->p + before, ".en"))
        tg_buf_puts(out, ".0");
}

static void write_scalar(const json_t *value, struct tg_buf *out)
{
    if (json_is_string(value))
        tg_buf_json_string(out, json_string_value(value), json_string_length(value));
    else if (json_is_integer(value))
        tg_buf_printf(out, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        write_real(json_real_value(value), out);
    else
        tg_buf_puts(out, json_is_true(value)    ? "true"
                         : json_is_false(value) ? "false"
                                                : "null");
}

/*
 * `width` 0: compact, nothing but the value. Else "one line" (indent < 0) with a space
 * after commas and colons, or broken by members below `indent` columns.
 */
struct style {
    size_t width;
    int indent;
};

static void write_value(const json_t *value, struct style style, int depth,
                        struct tg_buf *out);

static void newline(struct style style, struct tg_buf *out)
{
    if (style.width && style.indent >= 0)
        tg_buf_printf(out, "\n%*s", style.indent, "");
}

static void separate(bool first, struct style style, struct tg_buf *out)
{
    if (!first)
        tg_buf_puts(out, style.width && style.indent < 0 ? ", " : ",");
    newline(style, out);
}

static void write_members(const json_t *value, struct style style, int depth,
                          struct tg_buf *out)
{
    const char *key;
    json_t *entry;
    size_t i;
    bool first = true;
    if (json_is_array(value)) {
        json_array_foreach(value, i, entry)
        {
            separate(!i, style, out);
            write_value(entry, style, depth + 1, out);
        }
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)value, key, entry)
    {
        separate(first, style, out);
        first = false;
        tg_buf_json_string(out, key, strlen(key));
        tg_buf_puts(out, style.width ? ": " : ":");
        write_value(entry, style, depth + 1, out);
    }
}

/* Whether the value fits on the rest of this line. */
static bool write_on_line(const json_t *value, struct style style, int depth,
                          struct tg_buf *out)
{
    struct tg_buf line;
    size_t column = 0;
    while (column < out->n && out->p[out->n - column - 1] != '\n')
        column++;
    tg_buf_init(&line, style.width > column ? style.width - column : 0);
    write_value(value, (struct style){style.width, -1}, depth, &line);
    bool fits = !tg_buf_failed(&line);
    if (fits)
        tg_buf_puts(out, line.p);
    tg_buf_release(&line);
    return fits;
}

static void write_value(const json_t *value, struct style style, int depth,
                        struct tg_buf *out)
{
    bool is_array = json_is_array(value), empty;
    if (!is_array && !json_is_object(value)) {
        write_scalar(value, out);
        return;
    }
    if (depth >= TG_JSON_WRITE_DEPTH) {
        out->failed = true;
        return;
    }
    if (tg_buf_failed(out))
        return;
    if (style.width && style.indent >= 0 && write_on_line(value, style, depth, out))
        return;
    empty = is_array ? !json_array_size(value) : !json_object_size(value);
    struct style inner = {style.width, style.indent < 0 ? -1 : style.indent + 2};
    tg_buf_puts(out, is_array ? "[" : "{");
    write_members(value, inner, depth, out);
    if (!empty)
        newline(style, out);
    tg_buf_puts(out, is_array ? "]" : "}");
}

void tg_json_write(const json_t *value, struct tg_buf *out)
{
    write_value(value, (struct style){0, -1}, 0, out);
}

void tg_json_write_pretty(const json_t *value, size_t width, struct tg_buf *out)
{
    write_value(value, (struct style){width, 0}, 0, out);
}
