/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Null models and their fits against dense algebra and scipy (tests/golden/walks.py), and
 * against tables computed apart from both.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pca/fit.h"
#include "pca/null.h"
#include "pca/walk.h"
#include "../suite.h"

Suite *walks_suite(void);

static const struct tg_ctx plain = {.lanes = 1};

static double *reals(size_t n)
{
    double *x = calloc(n, sizeof(*x));
    ck_assert_ptr_nonnull(x);
    return x;
}

struct solved {
    struct tg_null_spectrum spectrum;
    double *memory;
};

static struct solved solve(const struct tg_null *null, int64_t n, int64_t k)
{
    struct solved solved;
    size_t own = (size_t)(2 * k + k * n);
    solved.memory = reals(own + tg_null_work(n, k));
    solved.spectrum = (struct tg_null_spectrum){.value = solved.memory,
                                                .ratio = solved.memory + k,
                                                .mode = solved.memory + 2 * k};
    ck_assert_int_eq(
        tg_null_solve(&plain, null, n, k, &solved.spectrum, solved.memory + own), TG_OK);
    return solved;
}

static double number(FILE *file)
{
    double x = NAN;
    ck_assert_int_eq(fscanf(file, "%lf", &x), 1);
    return x;
}

/* The files of steps in walks.py; NULL for "none". */
static double *golden_steps(const char *kind, int64_t n)
{
    double *step2 = reals((size_t)n), m = (double)(n - 1);
    for (int64_t s = 0; s < n - 1; s++)
        step2[s] = !strcmp(kind, "cosine") ? pow((1 + cos(M_PI * (double)s / m)) / 2, 2)
                   : s < (n - 1) / 2       ? 1
                                           : 0.01;
    return step2;
}

START_TEST(spectra_agree_with_dense_algebra)
{
    FILE *file = fopen(TG_GOLDEN "/walks.txt", "r");
    ck_assert_ptr_nonnull(file);
    long long n;
    double alpha, momentum, first, shared;
    char kind[16];
    int k, cases = 0;
    for (; fscanf(file, " null %lld %lf %lf %lf %lf %15s %d", &n, &alpha, &momentum, &first,
                  &shared, kind, &k) == 7;
         cases++) {
        double *step2 = golden_steps(kind, n);
        struct tg_null null = {.alpha = alpha,
                               .momentum = momentum,
                               .first = first,
                               .shared = shared,
                               .step2 = strcmp(kind, "none") ? step2 : NULL};
        struct solved got = solve(&null, n, k);
        double trace = number(file);
        ck_assert_double_eq_tol(got.spectrum.trace, trace, 1e-12 * trace);
        ck_assert_double_eq_tol(got.spectrum.square, number(file), 1e-12);
        for (int i = 0; i < k; i++)
            ck_assert_double_eq_tol(got.spectrum.ratio[i], number(file), 1e-12);
        for (long long t = 0; t < n; t++)
            ck_assert_double_eq_tol(got.spectrum.mode[t], number(file), 1e-10);
        free(got.memory);
        free(step2);
    }
    ck_assert_int_eq(cases, 32);
    fclose(file);
}
END_TEST

/* Iteration or the dense solver, whichever the size asks for; cosines to 1e-12. */
START_TEST(a_walk_has_cosines_and_their_eigenvalues)
{
    const int64_t sizes[] = {10, 20, 160, 161, 500, 1000}, n = sizes[_i];
    const int64_t k = n < 20 ? n - 1 : 10;
    struct solved got = solve(&(struct tg_null){0}, n, k);
    for (int64_t i = 0; i < k; i++) {
        double sine = sin(M_PI * (double)(i + 1) / (2 * (double)n));
        double exact = 1 / (4 * sine * sine), cosine = 0;
        ck_assert_double_eq_tol(got.spectrum.value[i], exact, 1e-12 * exact);
        ck_assert_double_eq_tol(got.spectrum.ratio[i], tg_walk_ratio(n, i + 1), 1e-12);
        for (int64_t t = 0; t < n; t++)
            cosine += got.spectrum.mode[i * n + t] * tg_walk_mode(n, i + 1, t);
        ck_assert_double_eq_tol(cosine, 1, 1e-12);
    }
    ck_assert_double_eq_tol(got.spectrum.trace, ((double)(n * n) - 1) / 6,
                            1e-13 * (double)(n * n));
    free(got.memory);
}
END_TEST

/* White noise about a point: all eigenvalues are alike, which iteration must not hide. */
START_TEST(a_flat_spectrum_is_found_flat)
{
    enum { n = 300, k = 4 };
    struct tg_null null = {.alpha = 1, .shared = 1};
    struct solved got = solve(&null, n, k);
    for (int i = 0; i < k; i++)
        ck_assert_double_eq_tol(got.spectrum.ratio[i], 1.0 / (n - 1), 1e-13);
    free(got.memory);
}
END_TEST

static double first_ratio(const struct tg_null *null, int64_t n)
{
    struct solved got = solve(null, n, 3);
    double ratio = got.spectrum.ratio[0];
    free(got.memory);
    return ratio;
}

/* Explained by the first component, to five digits: (n, g), v_0 = 0 before the first point. */
START_TEST(momentum_has_the_tabulated_ratios)
{
    static const struct { int64_t n; double g, rest, stationary; } rows[] = {
        {100, 0.5, 0.63142, 0.63138},   {100, 0.9, 0.74572, 0.74171},
        {100, 0.99, 0.93357, 0.94825},  {1000, 0.9, 0.62489, 0.62482},
        {1000, 0.99, 0.75186, 0.74665},
    };
    double g = rows[_i].g;
    struct tg_null null = {.momentum = g, .first = 1 + g * g};
    ck_assert_double_eq_tol(first_ratio(&null, rows[_i].n), rows[_i].rest, 5.01e-6);
    null.first = tg_null_stationary(g);
    ck_assert_double_eq_tol(first_ratio(&null, rows[_i].n), rows[_i].stationary, 5.01e-6);
}
END_TEST

/* Stationary: only beta = alpha n matters. */
START_TEST(a_trap_has_the_tabulated_ratios)
{
    static const struct { double beta, ratio, tol; } rows[] = {
        {0.1, 0.5986, 5e-5}, {0.3, 0.5804, 5e-5}, {1, 0.5222, 5e-5}, {3, 0.394, 5e-4},
        {10, 0.189, 1e-3},   {30, 0.067, 1e-3},   {100, 0.019, 1e-3},
    };
    enum { n = 1000 };
    double a = rows[_i].beta / n;
    struct tg_null null = {.alpha = a, .shared = a / (2 - a)};
    ck_assert_double_eq_tol(first_ratio(&null, n), rows[_i].ratio, 1.01 * rows[_i].tol);
}
END_TEST

/* From the minimum, which is left out as the table has it: a^2 rho^2 is then a^2. */
START_TEST(a_trap_from_its_minimum_has_the_tabulated_ratio)
{
    struct tg_null null = {.alpha = 0.001, .shared = 1e-6};
    ck_assert_double_eq_tol(first_ratio(&null, 1000), 0.46429, 5e-6);
}
END_TEST

/*
 * Stationary and odd, in closed form: value = 1 / (1 + r^2 - 2 r cos th) with
 * sin(th (n + 1) / 2) = r sin(th (n - 1) / 2), one root in ((2j - 2) pi / n, 2j pi / n).
 */
START_TEST(odd_modes_of_a_stationary_trap_have_the_closed_form)
{
    const int64_t n = _i ? 400 : 60;
    double a = 3.0 / (double)n, r = 1 - a, lo = 1e-9, hi = 2 * M_PI / (double)n;
    for (int i = 0; i < 200; i++) {
        double th = (lo + hi) / 2;
        double y = sin(th * (double)(n + 1) / 2) - r * sin(th * (double)(n - 1) / 2);
        *(y > 0 ? &lo : &hi) = th;
    }
    struct tg_null null = {.alpha = a, .shared = a / (2 - a)};
    struct solved got = solve(&null, n, 2);
    double exact = 1 / (1 + r * r - 2 * r * cos(lo));
    ck_assert_double_eq_tol(got.spectrum.value[0], exact, 1e-11 * exact);
    free(got.memory);
}
END_TEST

START_TEST(drift_has_the_tabulated_ratios)
{
    static const double rows[][4] = {{1e-4, .62597, .14475, .06486},
                                     {1e-3, .73609, .10132, .04717},
                                     {1e-2, .93346, .02533, .01227},
                                     {.1, .99216, .00298, .00146}};
    struct tg_null null = {.shared = rows[_i][0]};
    struct solved got = solve(&null, 1000, 3);
    for (int k = 0; k < 3; k++)
        ck_assert_double_eq_tol(got.spectrum.ratio[k], rows[_i][k + 1], 5.01e-6);
    double share = 1000 * rows[_i][0] / 2 / (1 + 1000 * rows[_i][0] / 2);
    double walk = (1e6 - 1) / 6, own = (got.spectrum.trace - walk) / got.spectrum.trace;
    ck_assert_double_eq_tol(own, share, 1e-9);
    free(got.memory);
}
END_TEST

START_TEST(step_lengths_have_the_tabulated_ratios)
{
    enum { n = 1000 };
    static const double expected[] = {.6079, .6466, .6734, .6540, .7250};
    double step2[n - 1];
    for (int s = 0; s < n - 1; s++) {
        const double part = s / (n - 1.0);
        const double length[] = {1, 1 - part, (1 + cos(M_PI * part)) / 2, exp(-s / 200.0),
                                 s < (n - 1) / 2 ? 1 : 0.1};
        step2[s] = length[_i] * length[_i];
    }
    ck_assert_double_eq_tol(first_ratio(&(struct tg_null){.step2 = step2}, n), expected[_i],
                            5.01e-5);
}
END_TEST

START_TEST(a_path_without_length_has_no_spectrum)
{
    const double step2[4] = {0};
    struct solved got = solve(&(struct tg_null){.step2 = step2}, 5, 2);
    ck_assert_double_eq(got.spectrum.trace, 0);
    ck_assert_double_nan(got.spectrum.ratio[0]);
    ck_assert_double_nan(got.spectrum.mode[9]);
    free(got.memory);
}
END_TEST

/* 4000 walks: sampling moves their spread by 1.1 %, and the formula is of first order in 1/d. */
START_TEST(bands_hold_the_spread_of_many_walks)
{
    FILE *file = fopen(TG_GOLDEN "/walks.txt", "r");
    ck_assert_ptr_nonnull(file);
    char line[65536];
    double d_eff, spread[3];
    int n, cases = 0;
    while (fgets(line, sizeof(line), file)) {
        if (sscanf(line, "bands %d %lf %lf %lf %lf", &n, &d_eff, &spread[0], &spread[1],
                   &spread[2]) != 5)
            continue;
        struct solved got = solve(&(struct tg_null){0}, n, 3);
        for (int k = 0; k < 3; k++)
            ck_assert_double_eq_tol(
                tg_null_band(got.spectrum.ratio[k], got.spectrum.square, d_eff), spread[k],
                0.05 * spread[k]);
        free(got.memory);
        cases++;
    }
    ck_assert_int_eq(cases, 1);
    ck_assert_double_eq(tg_null_band(1, 1, 50), 0);
    fclose(file);
}
END_TEST

struct fitted {
    struct tg_fits fits;
    double *memory, *g, *step2;
};

/* Gram matrix about point `reference`, by plain sums. */
static struct fitted fit(const double *x, int64_t n, int64_t d, int64_t reference)
{
    struct fitted fitted;
    fitted.memory = reals((size_t)(n * n + 3 * n));
    fitted.g = fitted.memory;
    fitted.step2 = fitted.memory + n * n;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            for (int64_t c = 0; c < d; c++)
                fitted.g[i * n + j] += (x[i * d + c] - x[reference * d + c]) *
                                       (x[j * d + c] - x[reference * d + c]);
    for (int64_t i = 1; i < n; i++)
        for (int64_t c = 0; c < d; c++)
            fitted.step2[i - 1] += pow(x[i * d + c] - x[(i - 1) * d + c], 2);
    ck_assert_int_eq(tg_fit_models(&plain, n, d, fitted.g, fitted.step2, &fitted.fits,
                                   fitted.step2 + n),
                     TG_OK);
    return fitted;
}

static enum tg_model model_of(FILE *file)
{
    char name[32];
    ck_assert_int_eq(fscanf(file, " %31s", name), 1);
    for (int i = 0; i < TG_MODELS; i++)
        if (!strcmp(name, tg_model_name((enum tg_model)i)))
            return (enum tg_model)i;
    ck_abort_msg("no model %s", name);
}

static void assert_near(double got, double expected, double tol)
{
    if (fabs(got - expected) > tol * fmax(fabs(expected), 1e-2))
        ck_abort_msg("%.17g, expected %.17g", got, expected);
}

static void assert_model(FILE *file, const struct tg_fits *fits)
{
    int count;
    char name[32];
    const struct tg_fit *got = &fits->model[model_of(file)];
    ck_assert_int_eq(fscanf(file, "%d", &count), 1);
    assert_near(got->log_likelihood, number(file), 1e-8);
    double aic = number(file), lowest = fits->model[TG_MODEL_WALK].aic;
    assert_near(got->aic - lowest, aic - 2, 1e-6); /* the walk itself has 2 */
    for (int i = 0; i < count; i++) {
        ck_assert_int_eq(fscanf(file, " %31s", name), 1);
        const struct tg_estimate *own = !strcmp(name, "alpha")      ? &got->alpha
                                        : !strcmp(name, "momentum") ? &got->momentum
                                                                    : &got->shared;
        assert_near(own->value, number(file), 1e-5);
        assert_near(own->lo, number(file), 1e-5);
        assert_near(own->hi, number(file), 1e-5);
    }
}

START_TEST(fits_agree_with_scipy)
{
    FILE *file = fopen(TG_GOLDEN "/walks.txt", "r");
    ck_assert_ptr_nonnull(file);
    char line[65536], name[32];
    long long n, d;
    int cases = 0;
    while (fgets(line, sizeof(line), file)) {
        if (sscanf(line, "fit %lld %lld %31s", &n, &d, name) != 3)
            continue;
        double *x = reals((size_t)(n * d));
        for (long long i = 0; i < n * d; i++)
            x[i] = number(file);
        struct fitted got = fit(x, n, d, _i ? n - 1 : 0);
        ck_assert_int_eq(got.fits.likeliest, model_of(file));
        assert_near(got.fits.d_eff, number(file), 1e-6);
        double best = INFINITY;
        for (int i = 0; i < TG_MODELS; i++) {
            assert_model(file, &got.fits);
            best = fmin(best, got.fits.model[i].aic);
        }
        ck_assert_double_eq(best, 0);
        ck_assert_double_eq(got.fits.model[got.fits.best].aic, 0);
        free(got.memory);
        free(x);
        cases++;
    }
    ck_assert_int_eq(cases, 5);
    fclose(file);
}
END_TEST

START_TEST(nothing_is_fitted_where_nothing_moves)
{
    const double x[4 * 2] = {1, 2, 1, 2, 1, 2, 1, 2};
    struct fitted got = fit(x, 4, 2, 0);
    for (int i = 0; i < TG_MODELS; i++) {
        ck_assert(!got.fits.model[i].fitted);
        ck_assert_double_nan(got.fits.model[i].aic);
    }
    free(got.memory);
}
END_TEST

/* A point saved twice has a step without direction. */
START_TEST(models_of_step_lengths_need_all_of_them)
{
    const double x[] = {0, 0, 0, 1, 0.5, 0, 1, 0.5, 0, 1, 2, 1, 2, 2, 3, 2, 3, 5};
    struct fitted got = fit(x, 6, 3, 0);
    ck_assert(got.fits.model[TG_MODEL_MOMENTUM].fitted);
    ck_assert(!got.fits.model[TG_MODEL_WALK_STEPS].fitted);
    ck_assert_double_nan(got.fits.model[TG_MODEL_DRIFT_STEPS].shared.value);
    ck_assert(got.fits.d_eff > 0);
    free(got.memory);
}
END_TEST

START_TEST(a_straight_line_is_all_drift)
{
    enum { n = 9 };
    double x[n * 2];
    for (int i = 0; i < n; i++) {
        x[2 * i] = i;
        x[2 * i + 1] = -3 * i;
    }
    struct fitted got = fit(x, n, 2, 0);
    ck_assert(got.fits.model[TG_MODEL_DRIFT].shared.value > 1e10);
    ck_assert_double_eq(got.fits.model[TG_MODEL_TRAP].alpha.value, 0);
    ck_assert_double_eq(got.fits.model[TG_MODEL_TRAP_FAR].alpha.value, 0);
    free(got.memory);
}
END_TEST

START_TEST(a_stop_is_obeyed)
{
    atomic_int stop = TG_STOP_CANCEL;
    struct tg_ctx ctx = {.lanes = 1, .stop = &stop};
    double g[9] = {0}, step2[2] = {1, 1}, scratch[6], *work = reals(tg_null_work(3, 1));
    double out[5];
    struct tg_fits fits;
    struct tg_null_spectrum spectrum = {.value = out, .ratio = out + 1, .mode = out + 2};
    ck_assert_int_eq(tg_fit_models(&ctx, 3, 2, g, step2, &fits, scratch), TG_CANCELLED);
    ck_assert_int_eq(tg_null_solve(&ctx, &(struct tg_null){0}, 3, 1, &spectrum, work),
                     TG_CANCELLED);
    free(work);
}
END_TEST

Suite *walks_suite(void)
{
    Suite *suite = suite_create("walks");
    TCase *spectra = tcase_create("spectra");
    tcase_set_timeout(spectra, 30);
    tcase_add_test(spectra, spectra_agree_with_dense_algebra);
    tcase_add_loop_test(spectra, a_walk_has_cosines_and_their_eigenvalues, 0, 6);
    tcase_add_test(spectra, a_flat_spectrum_is_found_flat);
    tcase_add_test(spectra, a_path_without_length_has_no_spectrum);
    tcase_add_test(spectra, bands_hold_the_spread_of_many_walks);
    suite_add_tcase(suite, spectra);
    TCase *tables = tcase_create("tables");
    tcase_set_timeout(tables, 30);
    tcase_add_loop_test(tables, momentum_has_the_tabulated_ratios, 0, 5);
    tcase_add_loop_test(tables, a_trap_has_the_tabulated_ratios, 0, 7);
    tcase_add_test(tables, a_trap_from_its_minimum_has_the_tabulated_ratio);
    tcase_add_loop_test(tables, odd_modes_of_a_stationary_trap_have_the_closed_form, 0, 2);
    tcase_add_loop_test(tables, drift_has_the_tabulated_ratios, 0, 4);
    tcase_add_loop_test(tables, step_lengths_have_the_tabulated_ratios, 0, 5);
    suite_add_tcase(suite, tables);
    TCase *fits = tcase_create("fits");
    tcase_set_timeout(fits, 30);
    tcase_add_loop_test(fits, fits_agree_with_scipy, 0, 2);
    tcase_add_test(fits, nothing_is_fitted_where_nothing_moves);
    tcase_add_test(fits, models_of_step_lengths_need_all_of_them);
    tcase_add_test(fits, a_straight_line_is_all_drift);
    tcase_add_test(fits, a_stop_is_obeyed);
    suite_add_tcase(suite, fits);
    return suite;
}
