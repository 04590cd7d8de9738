/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Unit tests of proto/. */
#include "../suite.h"

Suite *array_suite(void);
Suite *bind_suite(void);
Suite *buf_suite(void);
Suite *digest_suite(void);
Suite *figure_suite(void);
Suite *job_suite(void);
Suite *json_suite(void);
Suite *kinds_suite(void);
Suite *pattern_suite(void);
Suite *problem_suite(void);
Suite *result_suite(void);
Suite *schema_suite(void);

int main(void)
{
    Suite *(*const suites[])(void) = {
        array_suite,
        bind_suite,
        buf_suite,
        digest_suite,
        figure_suite,
        job_suite,
        json_suite,
        kinds_suite,
        pattern_suite,
        problem_suite,
        result_suite,
        schema_suite,
        NULL,
    };
    return tg_run_suites(suites);
}
