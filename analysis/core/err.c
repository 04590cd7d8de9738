/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Errors and reports. */
#include "core/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    int status;
    const char *slug;
    const char *title;
} table[TG_ERR_COUNT] = {
#define XX(code, status, slug, title) {status, slug, title},
    TG_ERR_MAP(XX)
#undef XX
};

int tg_err_status(enum tg_err err)
{
    return table[err].status;
}

const char *tg_err_slug(enum tg_err err)
{
    return table[err].slug;
}

const char *tg_err_title(enum tg_err err)
{
    return table[err].title;
}

enum tg_err tg_err_from_slug(const char *slug)
{
    for (int i = 0; i < TG_ERR_COUNT; i++)
        if (!strcmp(table[i].slug, slug))
            return (enum tg_err)i;
    return TG_ERR_COUNT;
}

void tg_report_init(struct tg_report *report)
{
    report->code = TG_OK;
    report->detail[0] = '\0';
    report->count = 0;
}

static void copy(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from ? from : "");
}

static enum tg_err add(struct tg_report *report, enum tg_err code, const char *pointer,
                       const char *got, const char *allowed, const char *format, va_list args)
    __attribute__((format(printf, 6, 0)));

static enum tg_err add(struct tg_report *report, enum tg_err code, const char *pointer,
                       const char *got, const char *allowed, const char *format, va_list args)
{
    if (!report)
        return code;
    if (report->count < TG_FAULT_MAX) {
        struct tg_fault *fault = &report->fault[report->count];
        copy(fault->pointer, sizeof(fault->pointer), pointer);
        copy(fault->got, sizeof(fault->got), got);
        copy(fault->allowed, sizeof(fault->allowed), allowed);
        vsnprintf(fault->detail, sizeof(fault->detail), format, args);
        if (!report->count) {
            report->code = code;
            copy(report->detail, sizeof(report->detail), fault->detail);
        }
    }
    report->count++;
    return code;
}

enum tg_err tg_fault_add(struct tg_report *report, enum tg_err code, const char *pointer,
                         const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(report, code, pointer, NULL, NULL, format, args);
    va_end(args);
    return code;
}

enum tg_err tg_fault_add_value(struct tg_report *report, enum tg_err code,
                               const char *pointer, const char *got, const char *allowed,
                               const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(report, code, pointer, got, allowed, format, args);
    va_end(args);
    return code;
}

_Noreturn void tg_bug(const char *file, int line, const char *what)
{
    fprintf(stderr, "tangentd: bug at %s:%d: %s\n", file, line, what);
    abort();
}
