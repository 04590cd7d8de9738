/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * CSV files: numbers separated by commas, semicolons, tabs or spaces; `#` comments, empty
 * lines, and one line of column names at the top are skipped. A missing field is an error,
 * not a NaN. Opening counts, reading converts, both with the same walk over the lines.
 */
#include "proto/array_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proto/json.h"

struct walk {
    const char *p, *end;
    char separator; /* of the whole file, told by its first line; ' ' for white space */
    size_t line;
    int64_t rows, columns;
    double *out; /* NULL while counting */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* nan, inf, +1, .5 and 1. are numbers here, though not in JSON. */
static bool number(const char *text, size_t n, double *out)
{
    char copy[64], *after;
    if (tg_json_scan_number(text, text + n, out) == text + n)
        return !isinf(*out);
    if (!n || n >= sizeof(copy))
        return false;
    memcpy(copy, text, n);
    copy[n] = '\0';
    *out = strtod(copy, &after);
    if (*after)
        return false;
    const char *name = copy + (copy[0] == '+' || copy[0] == '-');
    if (!isfinite(*out))
        return !strcasecmp(name, "nan") || !strcasecmp(name, "inf") ||
               !strcasecmp(name, "infinity");
    return !strpbrk(copy, "xX"); /* C reads hexadecimal digits, too */
}

static char find_separator(const char *p, const char *end)
{
    for (const char *c = ",;\t"; *c; c++)
        if (memchr(p, *c, (size_t)(end - p)))
            return *c;
    return ' ';
}

/* The next field of a line, without the white space around it; returns what follows. */
static const char *next_field(const struct walk *w, const char *p, const char *end,
                              const char **field, size_t *n)
{
    const char *stop = p;
    while (stop < end && (w->separator == ' ' ? !is_blank(*stop) : *stop != w->separator))
        stop++;
    *field = p;
    const char *last = stop;
    while (*field < last && is_blank(**field))
        ++*field;
    while (last > *field && is_blank(last[-1]))
        last--;
    *n = (size_t)(last - *field);
    if (w->separator == ' ')
        while (stop < end && is_blank(*stop))
            stop++;
    return stop;
}

/* One line that is not empty. `names` is set when it has no number and may be a heading. */
static enum tg_err walk_line(struct walk *w, const char *p, const char *end, bool *names,
                             struct tg_report *report)
{
    int64_t fields = 0, numbers = 0, odd = 0;
    bool more = true;
    while (more) {
        const char *field;
        size_t n;
        double x;
        p = next_field(w, p, end, &field, &n);
        more = p < end;
        if (more && w->separator != ' ')
            p++;
        fields++;
        if (!number(field, n, &x)) {
            odd = odd ? odd : fields;
            continue;
        }
        numbers++;
        if (w->out && !odd)
            *w->out++ = x;
    }
    *names = *names && !numbers;
    if (*names)
        return TG_OK;
    if (odd)
        return tg_fault_add(report, TG_BAD_ARRAY, NULL,
                            "line %zu of the csv file: field %lld is not a number", w->line,
                            (long long)odd);
    if (w->rows++ && fields != w->columns)
        return tg_fault_add(report, TG_BAD_ARRAY, NULL,
                            "line %zu of the csv file has %lld fields, the lines before have %lld",
                            w->line, (long long)fields, (long long)w->columns);
    w->columns = fields;
    return TG_OK;
}

static enum tg_err walk_file(const struct tg_array_bytes *bytes, struct walk *w,
                             struct tg_report *report)
{
    bool first = true;
    w->p = (const char *)bytes->p;
    w->end = w->p + bytes->n;
    if (bytes->n >= 3 && !memcmp(w->p, "\xEF\xBB\xBF", 3)) /* a byte order mark */
        w->p += 3;
    for (w->line = 1; w->p < w->end; w->line++) {
        const char *newline = memchr(w->p, '\n', (size_t)(w->end - w->p));
        const char *stop = newline ? newline : w->end;
        const char *hash = memchr(w->p, '#', (size_t)(stop - w->p));
        const char *p = w->p, *end = hash ? hash : stop;
        while (p < end && is_blank(*p))
            p++;
        while (p < end && is_blank(end[-1]))
            end--;
        w->p = newline ? newline + 1 : w->end;
        if (p == end)
            continue;
        if (first)
            w->separator = find_separator(p, end);
        TG_TRY(walk_line(w, p, end, &first, report));
        first = false;
    }
    return TG_OK;
}

enum tg_err tg_csv_open(struct tg_array_file *file, struct tg_report *report)
{
    const struct tg_array_bytes *bytes = file->decoded;
    size_t look = bytes->n < 4096 ? bytes->n : 4096;
    for (size_t i = 0; i < look; i++)
        if (bytes->p[i] < 0x20 && !strchr("\t\r\n", bytes->p[i]))
            look = 0;
    if (!look || memchr(bytes->p, 0, look))
        return tg_fault_add(report, TG_BAD_ARRAY, NULL,
                            "the bytes are none of npy, npz, safetensors and csv");
    struct walk w = {0};
    TG_TRY(walk_file(bytes, &w, report));
    if (!w.rows)
        return tg_fault_add(report, TG_BAD_ARRAY, NULL, "the csv file holds no numbers");
    struct tg_mat mat;
    int64_t shape[2] = {w.rows, w.columns};
    if (!tg_mat_init(&mat, NULL, TG_F64, 2, shape, false))
        return TG_NOMEM;
    struct tg_member_source source = {.length = tg_mat_bytes(&mat)};
    return tg_array_add(file, "", 0, &mat, &source) ? TG_OK : TG_NOMEM;
}

enum tg_err tg_csv_decode(const struct tg_array_bytes *bytes, struct tg_member_source *source,
                          struct tg_report *report)
{
    source->decoded = malloc(source->length);
    if (!source->decoded)
        return TG_NOMEM;
    struct walk w = {.out = source->decoded};
    return walk_file(bytes, &w, report);
}

void tg_csv_write(const struct tg_mat *mat, struct tg_buf *out)
{
    int64_t count = tg_mat_count(mat);
    int64_t columns = mat->ndim > 1 ? mat->shape[mat->ndim - 1] : 1;
    for (int64_t i = 0; i < count && !tg_buf_failed(out); i++) {
        double x = tg_mat_at(mat, i);
        if (isfinite(x))
            tg_buf_double(out, x);
        else
            tg_buf_puts(out, isnan(x) ? "nan" : x > 0 ? "inf" : "-inf");
        tg_buf_puts(out, (i + 1) % columns ? "," : "\n");
    }
}
