/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tangentd-gen: the files of the source tree that are made from the tables.
 *
 *   tangentd-gen write SRCDIR   write them
 *   tangentd-gen check SRCDIR   exit 1 when one is not what would be written
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "proto/schema.h"
#include "server/config.h"
#include "server/metrics.h"

enum { FILE_MAX_BYTES = 4 << 20 };

typedef bool (*take_fn)(const char *path, const struct tg_buf *text);

static bool complain(const char *path)
{
    fprintf(stderr, "tangentd-gen: %s: %s\n", path, strerror(errno));
    return false;
}

static bool write_file(const char *path, const struct tg_buf *text)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return complain(path);
    bool ok = fwrite(text->p, 1, text->n, file) == text->n;
    if (fclose(file) || !ok)
        return complain(path);
    return true;
}

static bool read_file(const char *path, struct tg_buf *text)
{
    char piece[4096];
    size_t n;
    FILE *file = fopen(path, "r");
    if (!file)
        return complain(path);
    while ((n = fread(piece, 1, sizeof(piece), file)))
        tg_buf_add(text, piece, n);
    bool ok = !ferror(file) && !tg_buf_failed(text);
    fclose(file);
    return ok || complain(path);
}

/* Print the first line that differs, as it is and as it should be. */
static void tell_difference(const char *path, const char *is, const char *should)
{
    size_t line = 1;
    while (*is && *should) {
        size_t n = strcspn(is, "\n"), m = strcspn(should, "\n");
        if (n != m || memcmp(is, should, n) != 0)
            break;
        line++;
        is += n + (is[n] == '\n');
        should += m + (should[m] == '\n');
    }
    fprintf(stderr,
            "%s:%zu: differs from the tables\n-%.*s\n+%.*s\nRun `make generated`.\n",
            path, line, (int)strcspn(is, "\n"), is, (int)strcspn(should, "\n"), should);
}

static bool compare_file(const char *path, const struct tg_buf *text)
{
    struct tg_buf is;
    tg_buf_init(&is, FILE_MAX_BYTES);
    bool same = read_file(path, &is);
    if (!same)
        fprintf(stderr, "Run `make generated`.\n");
    if (same && (is.n != text->n || memcmp(is.p ? is.p : "", text->p, text->n) != 0)) {
        tell_difference(path, is.p ? is.p : "", text->p);
        same = false;
    }
    tg_buf_release(&is);
    return same;
}

static void write_errors(struct tg_buf *out)
{
    tg_buf_puts(
        out,
        "<!-- Generated from the table of errors by `make generated`. -->\n\n"
        "# Errors\n\n"
        "Every error is an RFC 9457 document (`application/problem+json`) of one of "
        "these\ntypes; `errors` in it lists every fault of the request with its JSON "
        "pointer.\n\n"
        "| status | type | title |\n|---|---|---|\n");
    for (int i = TG_OK + 1; i < TG_ERR_COUNT; i++) {
        enum tg_err err = (enum tg_err)i;
        tg_buf_printf(out, "| %d | `/v1/problems/%s` | %s |\n", tg_err_status(err),
                      tg_err_slug(err), tg_err_title(err));
    }
}

/* Hand the finished text to `take` and empty the buffer. */
static bool pass(const char *path, struct tg_buf *text, take_fn take)
{
    bool ok = !tg_buf_failed(text) && take(path, text);
    if (tg_buf_failed(text))
        fprintf(stderr, "tangentd-gen: %s: out of memory\n", path);
    tg_buf_release(text);
    return ok;
}

struct page {
    const char *path; /* below the source directory */
    void (*write)(struct tg_buf *out);
};

static const struct page pages[] = {
    {"client/python/src/tangentd/_kinds.py", tg_kinds_python},
    {"docs/configuration.md", tg_config_markdown},
    {"docs/errors.md", write_errors},
    {"docs/metrics.md", tg_metrics_markdown},
    {"server/tangentd.conf.example", tg_config_example},
};

static bool make_all(const char *srcdir, take_fn take)
{
    char path[4096];
    struct tg_buf text;
    bool ok = true;
    tg_buf_init(&text, FILE_MAX_BYTES);
    for (size_t i = 0; i < tg_nkinds; i++) {
        snprintf(path, sizeof(path), "%s/docs/kinds/%s.md", srcdir, tg_kinds[i]->name);
        tg_kind_markdown(tg_kinds[i], &text);
        ok = pass(path, &text, take) && ok;
    }
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", srcdir, pages[i].path);
        pages[i].write(&text);
        ok = pass(path, &text, take) && ok;
    }
    return ok;
}

int main(int argc, char **argv)
{
    bool ok = false;
    if (argc == 3 && !strcmp(argv[1], "write"))
        ok = make_all(argv[2], write_file);
    else if (argc == 3 && !strcmp(argv[1], "check"))
        ok = make_all(argv[2], compare_file);
    else
        fprintf(stderr, "usage: tangentd-gen write SRCDIR | check SRCDIR\n");
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
