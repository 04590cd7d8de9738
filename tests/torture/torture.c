/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Torture: every allocation, and every call into the store, of the way of a job fails
 * once.
 *
 * DESIGN. A round is a request during which one thing fails. It must end in success or in
 * an error of the daemon's own, never in a crash, a leak (the sanitizers look for them
 * where built in) or blame of the client; what was refused is not kept, what was accepted
 * is not lost, and afterwards the same request succeeds. At the end the store is checked.
 */
#include "torture.h"

#include <stdlib.h>

#include "linalg/linalg.h"

int main(void)
{
    if (tg_blas_start(NULL))
        return EXIT_FAILURE;
    Suite *suite = suite_create("torture");
    suite_add_tcase(suite, calls_case());
    suite_add_tcase(suite, requests_case());
    suite_add_tcase(suite, troubles_case());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
