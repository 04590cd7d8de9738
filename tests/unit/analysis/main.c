/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Unit tests of analysis/. */
#include "../suite.h"

Suite *pca_suite(void);
Suite *svcca_suite(void);

int main(void)
{
    Suite *(*const suites[])(void) = {
        pca_suite,
        svcca_suite,
        NULL,
    };
    return tg_run_suites(suites);
}
