/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One main() for every unit test program: run the suites of a NULL-terminated list. */
#ifndef TG_TESTS_SUITE_H
#define TG_TESTS_SUITE_H

#include <check.h>
#include <stdlib.h>

#include "linalg/linalg.h"

/* ck_assert() tells the runner of every check by a write; this one is for loops of thousands. */
#define MUST(condition) \
    do { \
        if (!(condition)) \
            ck_abort_msg("%s", #condition); \
    } while (0)

static inline int tg_run_suites(Suite *(*const suites[])(void))
{
    if (tg_blas_start(NULL))
        return EXIT_FAILURE;
    SRunner *runner = srunner_create(NULL);
    for (size_t i = 0; suites[i]; i++)
        srunner_add_suite(runner, suites[i]());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
