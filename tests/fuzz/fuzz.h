/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the fuzz targets share: the entry point, and the check of an array file. */
#ifndef TG_TESTS_FUZZ_H
#define TG_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "proto/array.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever can be opened and decoded must be readable to its last element. */
static inline void tg_fuzz_array_file(const void *bytes, size_t n)
{
    struct tg_array_file file;
    struct tg_report report;
    tg_report_init(&report);
    enum tg_err err = tg_array_file_open(bytes, n, &file, &report);
    if (err && err != TG_NOMEM && !(err == TG_BAD_ARRAY && report.detail[0]))
        abort();
    for (size_t i = 0; !err && i < file.nmembers; i++) {
        struct tg_mat mat;
        if (tg_array_file_read(&file, file.member[i].name, 1 << 20, &mat, NULL))
            continue;
        double sum = 0;
        int64_t count = tg_mat_count(&mat), step = count > 4096 ? count / 4096 : 1;
        for (int64_t k = 0; k < count; k += step)
            sum += tg_mat_at(&mat, k);
        if (count)
            sum += tg_mat_at(&mat, count - 1);
        volatile double kept = sum;
        (void)kept;
    }
    if (!err)
        tg_array_file_release(&file);
}

#endif
