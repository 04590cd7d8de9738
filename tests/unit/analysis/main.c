/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Unit tests of analysis/. */
#include "../suite.h"

Suite *arena_suite(void);
Suite *classes_suite(void);
Suite *components_suite(void);
Suite *ctx_suite(void);
Suite *directions_suite(void);
Suite *dynamics_suite(void);
Suite *err_suite(void);
Suite *gram_suite(void);
Suite *head_suite(void);
Suite *influence_suite(void);
Suite *interval_suite(void);
Suite *layers_suite(void);
Suite *layout_suite(void);
Suite *linalg_suite(void);
Suite *mat_suite(void);
Suite *pca_suite(void);
Suite *peers_suite(void);
Suite *permute_suite(void);
Suite *plane_suite(void);
Suite *rng_suite(void);
Suite *runs_suite(void);
Suite *selection_suite(void);
Suite *stats_suite(void);
Suite *svcca_dft_suite(void);
Suite *svcca_null_suite(void);
Suite *svcca_numerics_suite(void);
Suite *svcca_samples_suite(void);
Suite *svcca_suite(void);
Suite *verdict_suite(void);
Suite *walks_suite(void);

int main(void)
{
    Suite *(*const suites[])(void) = {
        arena_suite,
        classes_suite,
        components_suite,
        ctx_suite,
        directions_suite,
        dynamics_suite,
        err_suite,
        gram_suite,
        head_suite,
        influence_suite,
        interval_suite,
        layers_suite,
        layout_suite,
        linalg_suite,
        mat_suite,
        pca_suite,
        peers_suite,
        permute_suite,
        plane_suite,
        rng_suite,
        runs_suite,
        selection_suite,
        stats_suite,
        svcca_dft_suite,
        svcca_null_suite,
        svcca_numerics_suite,
        svcca_samples_suite,
        svcca_suite,
        verdict_suite,
        walks_suite,
        NULL,
    };
    return tg_run_suites(suites);
}
