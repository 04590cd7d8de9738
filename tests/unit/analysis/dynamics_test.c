/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Convergence and freezing: by hand, and against training counted step by step. */
#include "svcca/dynamics.h"

#include <math.h>

#include "core/rng.h"
#include "../suite.h"

Suite *dynamics_suite(void);

START_TEST(a_layer_has_converged_when_it_stays_similar)
{
    static const int64_t step[] = {0, 10, 20, 30, 40};
    static const double curve[] = {0.2, 0.96, 0.9, 0.95, 1};
    ck_assert_int_eq(tg_dynamics_converged(step, curve, 5, 0.95), 30);
    ck_assert_int_eq(tg_dynamics_converged(step, curve, 5, 0.9), 10);
    ck_assert_int_eq(tg_dynamics_converged(step, curve, 5, 0.1), 0);
    ck_assert_int_eq(tg_dynamics_converged(step, curve, 5, 1), 40);
}
END_TEST

START_TEST(a_gap_is_not_similar_and_a_constant_layer_never_converges)
{
    static const int64_t step[] = {1, 2, 3};
    ck_assert_int_eq(tg_dynamics_converged(step, (double[]){1, NAN, 1}, 3, 0.5), 3);
    ck_assert_int_eq(tg_dynamics_converged(step, (double[]){NAN, NAN, NAN}, 3, 0.5), -1);
}
END_TEST

START_TEST(layers_freeze_from_the_bottom)
{
    int64_t step[] = {20, 10, 30, -1, 5};
    tg_dynamics_freeze(5, step, step);
    static const int64_t expected[] = {20, 20, 30, -1, -1};
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(step[i], expected[i]);
}
END_TEST

enum { LAYERS = 5, STEPS = 60 };

/* FLOPs of the gradients of one step: no layer below all that is trained needs any. */
static double step_flops(const double *flops, const int64_t *freeze, int64_t step)
{
    double sum = 0;
    for (int i = 0; i < LAYERS; i++) {
        bool below = false;
        for (int k = 0; k < i; k++)
            below = below || freeze[k] < 0 || step < freeze[k];
        sum += freeze[i] < 0 || step < freeze[i] ? flops[i] : 0;
        sum += below ? flops[i] : 0;
    }
    return sum;
}

START_TEST(what_freezing_saves_is_what_training_does_not_compute)
{
    double flops[LAYERS], share[LAYERS], left = 0, full = 0, forward = 0;
    int64_t freeze[LAYERS];
    static const int64_t never[LAYERS] = {-1, -1, -1, -1, -1};
    tg_rng_uniform((uint64_t)_i, 0, 0, LAYERS, flops);
    tg_rng_uniform((uint64_t)_i, 1, 0, LAYERS, share);
    for (int i = 0; i < LAYERS; i++)
        freeze[i] = i == 4 ? -1 : (int64_t)(share[i] * STEPS);
    tg_dynamics_freeze(LAYERS, freeze, freeze);
    for (int64_t step = 0; step < STEPS; step++) {
        left += step_flops(flops, freeze, step);
        full += step_flops(flops, never, step);
        for (int i = 0; i < LAYERS; i++)
            forward += flops[i];
    }
    struct tg_freeze_saving saving = tg_dynamics_saving(LAYERS, flops, freeze, STEPS);
    ck_assert_double_eq_tol(saving.backward, 1 - left / full, 1e-14);
    ck_assert_double_eq_tol(saving.training, 1 - (left + forward) / (full + forward), 1e-14);
    saving = tg_dynamics_saving(LAYERS, flops, never, STEPS);
    ck_assert_double_eq_tol(saving.backward, 0, 1e-15);
}
END_TEST

Suite *dynamics_suite(void)
{
    Suite *suite = suite_create("dynamics");
    TCase *all = tcase_create("all");
    tcase_add_test(all, a_layer_has_converged_when_it_stays_similar);
    tcase_add_test(all, a_gap_is_not_similar_and_a_constant_layer_never_converges);
    tcase_add_test(all, layers_freeze_from_the_bottom);
    tcase_add_loop_test(all, what_freezing_saves_is_what_training_does_not_compute, 0, 5);
    suite_add_tcase(suite, all);
    return suite;
}
