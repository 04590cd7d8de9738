/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * JSON bodies and numbers, each against another reader: what the body parser takes jansson
 * takes too, and a number is what strtod makes of it.
 */
#include "fuzz.h"

#include <string.h>

#include "proto/json.h"

enum { NUMBERS_MAX = 1000 };

static void check_number(const char *text, size_t n)
{
    double ours;
    const char *after = tg_json_scan_number(text, text + n, &ours);
    if (!after)
        return;
    char *copy = strndup(text, (size_t)(after - text)), *end;
    if (!copy)
        return;
    double theirs = strtod(copy, &end);
    if (*end || memcmp(&ours, &theirs, sizeof(ours)))
        abort();
    free(copy);
}

static void check_body(const char *text, size_t n)
{
    struct tg_json_body body;
    struct tg_report report;
    tg_report_init(&report);
    enum tg_err err = tg_json_body_parse(text, n, NUMBERS_MAX, &body, &report);
    if (err) {
        if (body.root || (err != TG_NOMEM && !report.detail[0]))
            abort();
        return;
    }
    double sum = 0;
    for (size_t i = 0; i < body.narrays; i++) {
        int64_t count = 1;
        for (int axis = 0; axis < body.array[i].ndim; axis++)
            count *= body.array[i].shape[axis];
        for (int64_t k = 0; k < count; k++)
            sum += body.array[i].data[k];
    }
    volatile double kept = sum;
    (void)kept;
    json_error_t error;
    json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
    /* jansson's integers have 64 bits, those in blocks have no limit */
    if (!json_is_object(root) && json_error_code(&error) != json_error_numeric_overflow)
        abort();
    json_decref(root);
    tg_json_body_release(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_body((const char *)data, size);
    for (size_t i = 0; i < size; i++)
        if (i == 0 || data[i - 1] == ',' || data[i - 1] == '[')
            check_number((const char *)data + i, size - i);
    return 0;
}
