/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One layer: centred, freed of constant columns, decomposed. */
#include "svcca/basis.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "linalg/linalg.h"

enum { COLS = 256, ROWS = 512 }; /* tiles of means, and of centred rows */

/*
 * cond(X) up to which the Gram route is taken, the error of a correlation up to which U may
 * stay unformed, and the orthogonality that a formed U must show.
 */
static const double gram_condition = 1e5, error_limit = 1e-8, orthogonality_limit = 1e-12;

struct centring {
    const struct tg_ctx *ctx;
    const struct tg_mat *mat;
    const struct tg_basis_scratch *scratch;
    struct tg_basis *basis;
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The block of rows from `row` on in columns [col, col + m); the number of rows. */
static int64_t read_some(const struct tg_mat *mat, int64_t row, int64_t rows, int64_t col,
                         int64_t m, double *x)
{
    rows = least(rows, mat->shape[0] - row);
    tg_mat_read_f64(mat, row, rows, col, m, x, (size_t)m);
    return rows;
}

/*
 * Means of a block of columns. The first row is subtracted before they are taken, so that
 * large means cost no digits and a constant column is exactly zero.
 */
static enum tg_err take_means(void *arg, int64_t tile, unsigned lane)
{
    enum { SOME = 16 };
    (void)lane;
    const struct centring *job = arg;
    int64_t n = job->basis->n, col = tile * COLS, m = least(COLS, job->basis->d - col);
    double *shift = job->scratch->shift + col, x[SOME * COLS], sum[COLS] = {0}, peak[COLS] = {0};

    tg_mat_read_f64(job->mat, 0, 1, col, m, shift, (size_t)m);
    for (int64_t row = 0, rows; row < n; row += rows) {
        if (row % ROWS == 0)
            TG_TRY(tg_ctx_poll(job->ctx));
        rows = read_some(job->mat, row, SOME, col, m, x);
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < m; j++) {
                double away = x[i * m + j] - shift[j];
                sum[j] += away;
                peak[j] = fabs(away) > peak[j] ? fabs(away) : peak[j];
            }
    }
    for (int64_t j = 0; j < m; j++) {
        job->scratch->mean[col + j] = sum[j] / (double)n;
        job->scratch->peak[col + j] = isfinite(sum[j]) ? peak[j] : INFINITY;
    }
    return TG_OK;
}

/* Centred and scaled rows without constant columns, and their squared norms. */
static enum tg_err centre_rows(void *arg, int64_t tile, unsigned lane)
{
    (void)lane;
    const struct centring *job = arg;
    const struct tg_basis *basis = job->basis;
    const double *shift = job->scratch->shift, *mean = job->scratch->mean;
    int64_t end = least((tile + 1) * ROWS, basis->n), d = basis->d, m = basis->columns;
    for (int64_t i = tile * ROWS; i < end; i++) {
        double *x = basis->x + i * d, sum = 0;
        tg_mat_read_f64(job->mat, i, 1, 0, d, x, (size_t)d);
        for (int64_t j = 0; m < d && j < m; j++)
            x[j] = x[job->scratch->column[j]];
        for (int64_t j = 0; j < m; j++)
            x[j] = (x[j] - shift[j] - mean[j]) * basis->scale;
        for (int64_t j = 0; j < m; j++)
            sum += x[j] * x[j];
        basis->x_row2[i] = sum;
    }
    return TG_OK;
}

/* Why a column's sum is not finite: the first such entry in reading order, or the sum itself. */
static enum tg_err explain(const struct centring *job, struct tg_report *report)
{
    const struct tg_basis *basis = job->basis;
    double *x = basis->x;
    for (int64_t row = 0; row < basis->n; row++) {
        if (row % ROWS == 0)
            TG_TRY(tg_ctx_poll(job->ctx));
        tg_mat_read_f64(job->mat, row, 1, 0, basis->d, x, (size_t)basis->d);
        for (int64_t j = 0; j < basis->d; j++)
            if (!isfinite(x[j]))
                return tg_fault_add(report, TG_NUMERIC, NULL,
                                    "Layer \"%s\" holds NaN or infinity, first at row %lld, "
                                    "column %lld.",
                                    basis->name, (long long)row, (long long)j);
    }
    return tg_fault_add(report, TG_NUMERIC, NULL,
                        "Layer \"%s\" spans more than double precision holds; scale it down.",
                        basis->name);
}

/* The columns that change, and the largest distance from the first row. */
static double choose_columns(const struct centring *job)
{
    const struct tg_basis_scratch *to = job->scratch;
    struct tg_basis *basis = job->basis;
    double peak = 0;
    basis->columns = 0;
    for (int64_t j = 0; j < basis->d; j++) {
        peak = fmax(peak, to->peak[j]);
        if (!(to->peak[j] > 0))
            continue;
        to->column[basis->columns] = j;
        to->shift[basis->columns] = to->shift[j];
        to->mean[basis->columns++] = to->mean[j];
    }
    return peak;
}

enum tg_err tg_basis_centre(const struct tg_ctx *ctx, const struct tg_mat *mat,
                            const struct tg_basis_scratch *scratch, struct tg_basis *basis,
                            struct tg_report *report)
{
    basis->x = basis->memory.x ? basis->memory.x : scratch->x;
    struct centring job = {ctx, mat, scratch, basis};
    TG_TRY(tg_ctx_parallel(ctx, (basis->d + COLS - 1) / COLS, take_means, &job));
    double peak = choose_columns(&job);
    if (!(peak <= DBL_MAX / 4))
        return explain(&job, report);
    basis->constant_units = basis->d - basis->columns;
    basis->rank = basis->columns ? -1 : 0;
    basis->condition = basis->orthogonality = basis->gram_norm2 = NAN;
    if (basis->columns == 0)
        return TG_OK;
    basis->scale = ldexp(1, -ilogb(peak));
    TG_TRY(tg_ctx_parallel(ctx, (basis->n + ROWS - 1) / ROWS, centre_rows, &job));
    basis->norm2 = 0;
    for (int64_t i = 0; i < basis->n; i++)
        basis->norm2 += basis->x_row2[i];
    return TG_OK;
}

static int64_t leading(const double *s, int64_t rank, double threshold, int power)
{
    double total = 0, sum = 0;
    for (int64_t i = 0; i < rank; i++)
        total += power == 2 ? s[i] * s[i] : s[i];
    for (int64_t i = 0; i < rank; i++) {
        sum += power == 2 ? s[i] * s[i] : s[i];
        if (threshold < 1 && sum >= threshold * total)
            return i + 1;
    }
    return rank;
}

/* Rank, condition and both k from the singular values in basis->s; what is to be kept. */
static void describe(const struct tg_basis_options *options, struct tg_basis *basis)
{
    double *s = basis->s, tolerance = options->rank_tolerance;
    if (tolerance <= 0)
        tolerance = (double)(basis->n > basis->d ? basis->n : basis->d) * DBL_EPSILON;
    basis->rank = 0;
    while (basis->rank < basis->columns && s[basis->rank] > tolerance * s[0])
        basis->rank++;
    for (int64_t i = basis->rank; i < basis->d; i++)
        s[i] = 0;
    basis->condition = s[0] / s[basis->rank - 1];
    basis->k[TG_SVCCA_VARIANCE] = leading(s, basis->rank, options->threshold, 2);
    basis->k[TG_SVCCA_SV_SUM] = leading(s, basis->rank, options->threshold, 1);
    basis->kept = options->needs & TG_BASIS_ALL ? basis->rank : 0;
    for (int rule = 0; rule < TG_SVCCA_RULES; rule++)
        if (options->rules >> rule & 1 && basis->k[rule] > basis->kept)
            basis->kept = basis->k[rule];
}

/* One decomposition under way. */
struct making {
    const struct tg_ctx *ctx;
    const struct tg_basis_options *options;
    const struct tg_basis_scratch *scratch;
    struct tg_basis *basis;
    const char *key;
};

static bool needs(const struct making *job, unsigned what)
{
    return job->options->needs & what;
}

static bool is_leading_only(unsigned needs)
{
    return !(needs & TG_BASIS_ALL) && needs & (TG_BASIS_U | TG_BASIS_S | TG_BASIS_WHITE);
}

/* Whether U may stay unformed, given what is needed. */
static bool may_be_implicit(unsigned needs)
{
    return needs & TG_BASIS_ALL && !(needs & TG_BASIS_U);
}

struct tg_basis_takes tg_basis_takes(unsigned needs)
{
    bool all_u = needs & TG_BASIS_ALL && needs & TG_BASIS_U;
    return (struct tg_basis_takes){
        .x = needs & TG_BASIS_X || (needs & TG_BASIS_PRODUCT && !all_u) ||
             may_be_implicit(needs),
        .u = needs & TG_BASIS_U || is_leading_only(needs) ||
             (needs & TG_BASIS_ALL && needs & TG_BASIS_X),
        .w = may_be_implicit(needs),
        .f = needs & TG_BASIS_F};
}

/* The numbers of a basis that are kept beside its vectors. */
struct numbers {
    int64_t columns, rank, kept, k[TG_SVCCA_RULES];
    double condition, gram_norm2;
    int64_t route;
};

/* "svcca basis v2 <what> <key of the layer> <options>"; false without a key. */
static bool name_of(const struct making *job, const char *what, char *name)
{
    const struct tg_basis_options *o = job->options;
    const unsigned part = TG_BASIS_ALL | TG_BASIS_S | TG_BASIS_U | TG_BASIS_GRAM;
    if (!job->key)
        return false;
    int n = snprintf(name, TG_KEY_MAX, "svcca basis v2 %s %s t=%.17g r=%.17g n=%u k=%u", what,
                     job->key, o->threshold, o->rank_tolerance, o->needs & part, o->rules);
    return n > 0 && n < TG_KEY_MAX;
}

/* The decomposition by an earlier job: numbers, s, and V or L in scratch->b. */
static bool recall(const struct making *job)
{
    struct tg_basis *basis = job->basis;
    char name[TG_KEY_MAX];
    struct numbers numbers;
    if (!name_of(job, "numbers", name) ||
        !tg_ctx_recall(job->ctx, name, &numbers, sizeof(numbers)) ||
        numbers.columns != basis->columns)
        return false;
    size_t vectors = (size_t)(numbers.columns * numbers.kept);
    if (!name_of(job, "values", name) ||
        !tg_ctx_recall(job->ctx, name, basis->s, (size_t)basis->d * sizeof(double)) ||
        !name_of(job, "vectors", name) ||
        !tg_ctx_recall(job->ctx, name, job->scratch->b, vectors * sizeof(double)))
        return false;
    basis->rank = numbers.rank;
    basis->kept = numbers.kept;
    memcpy(basis->k, numbers.k, sizeof(basis->k));
    basis->condition = numbers.condition;
    basis->gram_norm2 = numbers.gram_norm2;
    basis->route = (enum tg_basis_route)numbers.route;
    return true;
}

static void keep(const struct making *job)
{
    const struct tg_basis *basis = job->basis;
    char name[TG_KEY_MAX];
    struct numbers numbers = {.columns = basis->columns,
                              .rank = basis->rank,
                              .kept = basis->kept,
                              .k = {basis->k[0], basis->k[1]},
                              .condition = basis->condition,
                              .gram_norm2 = basis->gram_norm2,
                              .route = basis->route};
    size_t vectors = (size_t)(basis->columns * basis->kept);
    if (name_of(job, "vectors", name))
        tg_ctx_keep(job->ctx, name, job->scratch->b, vectors * sizeof(double));
    if (name_of(job, "values", name))
        tg_ctx_keep(job->ctx, name, basis->s, (size_t)basis->d * sizeof(double));
    if (name_of(job, "numbers", name))
        tg_ctx_keep(job->ctx, name, &numbers, sizeof(numbers));
}

/* G = X^T X into scratch->a. */
static enum tg_err make_gram(const struct making *job)
{
    struct tg_basis *basis = job->basis;
    int64_t m = basis->columns;
    TG_TRY(tg_syrk(job->ctx, TG_T, m, basis->n, 1, basis->x, (size_t)basis->d, 0,
                   job->scratch->a, (size_t)m));
    if (!needs(job, TG_BASIS_GRAM))
        return TG_OK;
    basis->gram_norm2 = 0;
    for (int64_t i = 0; i < m; i++) {
        double row = 0;
        for (int64_t j = 0; j < m; j++)
            row += job->scratch->a[i * m + j] * job->scratch->a[i * m + j];
        basis->gram_norm2 += row;
    }
    return TG_OK;
}

static double normalise(int64_t n, double *x)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    double norm = sqrt(sum);
    for (int64_t i = 0; i < n; i++)
        x[i] /= norm;
    return norm;
}

/*
 * cond(X) from G in scratch->a and its factor L in scratch->b by a few steps of power and
 * inverse iteration: a little below the truth.
 */
static enum tg_err estimate_condition(const struct making *job, double *condition)
{
    enum { STEPS = 8 };
    const struct tg_basis_scratch *scratch = job->scratch;
    int64_t m = job->basis->columns;
    size_t ld = (size_t)m;
    double *x = scratch->work, *y = x + m, largest = 0, inverse = 0;
    for (int64_t i = 0; i < m; i++)
        x[i] = y[i] = 1 + 0.5 * sin((double)i); /* fixed, and along no simple pattern */
    normalise(m, x);
    normalise(m, y);
    for (int step = 0; step < STEPS; step++) {
        TG_TRY(tg_gemm(job->ctx, TG_N, TG_N, m, 1, m, 1, scratch->a, ld, x, 1, 0, y + m, 1));
        memcpy(x, y + m, ld * sizeof(*x));
        largest = normalise(m, x);
        TG_TRY(tg_trsm(job->ctx, true, false, TG_N, m, 1, scratch->b, ld, y, 1));
        TG_TRY(tg_trsm(job->ctx, true, false, TG_T, m, 1, scratch->b, ld, y, 1));
        inverse = normalise(m, y);
    }
    *condition = sqrt(largest * inverse);
    return TG_OK;
}

/*
 * G = L L^T, L in scratch->b; the route stays at NONE where that would not do, and G in
 * scratch->a stays as it is.
 */
static enum tg_err by_cholesky(const struct making *job)
{
    struct tg_basis *basis = job->basis;
    int64_t m = basis->columns;
    double condition;
    memcpy(job->scratch->b, job->scratch->a, (size_t)(m * m) * sizeof(double));
    enum tg_err err = tg_chol(job->ctx, m, job->scratch->b, (size_t)m, NULL);
    if (err == TG_NUMERIC)
        return TG_OK;
    TG_TRY(err);
    TG_TRY(estimate_condition(job, &condition));
    if (!(condition * condition * DBL_EPSILON <= error_limit) ||
        job->options->rank_tolerance * condition > 0.1)
        return TG_OK;
    basis->rank = basis->kept = m;
    basis->condition = condition;
    basis->route = TG_ROUTE_CHOLESKY;
    return TG_OK;
}

/*
 * X^T X = V S^2 V^T, the kept columns of V in scratch->b; leaves the route at NONE when X is
 * too ill conditioned for squares.
 */
static enum tg_err by_gram(const struct making *job)
{
    const struct tg_basis_scratch *scratch = job->scratch;
    struct tg_basis *basis = job->basis;
    int64_t m = basis->columns;
    double *w = scratch->w;
    TG_TRY(tg_eigh_values(job->ctx, m, scratch->a, (size_t)m, w, scratch->work));
    if (w[0] * gram_condition * gram_condition < w[m - 1] &&
        job->options->rank_tolerance * gram_condition < 1)
        return TG_OK;
    for (int64_t i = 0; i < m; i++)
        basis->s[i] = sqrt(fmax(w[m - 1 - i], 0));
    describe(job->options, basis);
    basis->route = TG_ROUTE_GRAM;
    return tg_eigh_vectors(job->ctx, m, scratch->a, (size_t)m, basis->kept, scratch->b,
                           (size_t)basis->kept, scratch->work);
}

enum tg_err tg_basis_values(const struct tg_ctx *ctx, const struct tg_basis_scratch *scratch,
                            const struct tg_basis *basis, double *s)
{
    int64_t m = basis->columns;
    size_t d = (size_t)basis->d, ld = (size_t)m;
    double *w = scratch->w;
    TG_TRY(tg_syrk(ctx, TG_T, m, basis->n, 1, basis->x, d, 0, scratch->a, ld));
    TG_TRY(tg_eigh_values(ctx, m, scratch->a, ld, w, scratch->work));
    for (int64_t i = 0; i < m; i++)
        s[i] = sqrt(fmax(w[m - 1 - i], 0));
    if (w[0] * gram_condition * gram_condition >= w[m - 1])
        return TG_OK;
    if (basis->x != scratch->x)
        memcpy(scratch->x, basis->x, (size_t)basis->n * d * sizeof(*basis->x));
    TG_TRY(tg_qr(ctx, basis->n, m, scratch->x, d, scratch->a, ld, scratch->work));
    return tg_svd(ctx, m, m, scratch->a, ld, s, NULL, 0, NULL, 0, scratch->work);
}

static enum tg_err require_room(const struct making *job, struct tg_report *report)
{
    const struct tg_basis *basis = job->basis;
    if (!is_leading_only(job->options->needs) || basis->kept <= basis->memory.max_kept)
        return TG_OK;
    return tg_fault_add(report, TG_TOO_LARGE_JOB, NULL,
                        "Layer \"%s\" needs %lld directions for its threshold, and "
                        "max_directions leaves room for %lld.",
                        basis->name, (long long)basis->kept,
                        (long long)basis->memory.max_kept);
}

/* U = X W or Q U' into its memory, or over x where it has none of its own. */
static enum tg_err form(const struct making *job, const double *x, const double *w, size_t ldw)
{
    const struct tg_basis_scratch *scratch = job->scratch;
    struct tg_basis *basis = job->basis;
    size_t d = (size_t)basis->d, kept = (size_t)basis->kept;
    bool own = basis->memory.u;
    basis->u = own ? basis->memory.u : basis->memory.x;
    basis->ldu = own ? (size_t)basis->memory.max_kept : d;
    double *to = x == basis->u ? scratch->x : basis->u;
    size_t ldt = x == basis->u ? d : basis->ldu;
    TG_TRY(tg_gemm(job->ctx, TG_N, TG_N, basis->n, basis->kept, basis->columns, 1, x, d, w, ldw,
                   0, to, ldt));
    for (int64_t i = 0; to != basis->u && i < basis->n; i++)
        memcpy(basis->u + (size_t)i * basis->ldu, to + (size_t)i * ldt, kept * sizeof(*to));
    if (!own)
        basis->x = NULL;
    return TG_OK;
}

/* X = Q R, R = U' S V^T and U = Q U'. Q takes the place of X in scratch->x. */
static enum tg_err by_qr(const struct making *job, struct tg_report *report)
{
    const struct tg_basis_scratch *scratch = job->scratch;
    struct tg_basis *basis = job->basis;
    int64_t m = basis->columns;
    size_t ld = (size_t)m, d = (size_t)basis->d;
    if (basis->x != scratch->x)
        memcpy(scratch->x, basis->x, (size_t)basis->n * d * sizeof(*basis->x));
    TG_TRY(tg_qr(job->ctx, basis->n, m, scratch->x, d, scratch->a, ld, scratch->work));
    TG_TRY(tg_svd(job->ctx, m, m, scratch->a, ld, basis->s, scratch->b, ld, scratch->c, ld,
                  scratch->work));
    describe(job->options, basis);
    TG_TRY(require_room(job, report));
    basis->route = TG_ROUTE_QR;
    for (int64_t i = 0; basis->memory.f && i < basis->kept; i++)
        for (int64_t j = 0; j < m; j++)
            basis->memory.f[i * m + j] = basis->s[i] * scratch->c[i * m + j];
    return form(job, scratch->x, scratch->b, ld);
}

/* basis->orthogonality = max |U^T U - I|; U^T U is left in scratch->a. */
static enum tg_err measure(const struct making *job)
{
    struct tg_basis *basis = job->basis;
    int64_t k = basis->kept;
    const double *g = job->scratch->a;
    TG_TRY(tg_syrk(job->ctx, TG_T, k, basis->n, 1, basis->u, basis->ldu, 0, job->scratch->a,
                   (size_t)k));
    basis->orthogonality = 0;
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < k; j++)
            basis->orthogonality =
                fmax(basis->orthogonality, fabs(g[i * k + j] - (i == j)));
    basis->error = fmax(basis->orthogonality, DBL_EPSILON);
    return TG_OK;
}

/*
 * U := U L^-T with U^T U = L L^T, and F := L^T F. Leading columns keep their span, and the
 * product with S changes by rounding only, because columns lean on each other by
 * eps s_0^2 / (s_i s_j).
 */
static enum tg_err orthogonalise(const struct making *job)
{
    const struct tg_basis_scratch *scratch = job->scratch;
    struct tg_basis *basis = job->basis;
    size_t k = (size_t)basis->kept, m = (size_t)basis->columns;
    TG_TRY(tg_chol(job->ctx, basis->kept, scratch->a, k, NULL));
    basis->route = TG_ROUTE_GRAM_TWICE;
    if (basis->memory.f) {
        memcpy(scratch->c, basis->memory.f, k * m * sizeof(double));
        TG_TRY(tg_gemm(job->ctx, TG_T, TG_N, basis->kept, basis->columns, basis->kept, 1,
                       scratch->a, k, scratch->c, m, 0, basis->memory.f, m));
    }
    return tg_trsm(job->ctx, false, false, TG_T, basis->n, basis->kept, scratch->a, k,
                   basis->u, basis->ldu);
}

/* W = V S^-1 in place of V in scratch->b, and F = S V^T. */
static void divide_by_s(const struct making *job)
{
    const struct tg_basis *basis = job->basis;
    double *v = job->scratch->b, *f = basis->memory.f;
    for (int64_t i = 0; i < basis->columns; i++)
        for (int64_t j = 0; j < basis->kept; j++) {
            double *x = &v[i * basis->kept + j];
            if (f)
                f[j * basis->columns + i] = basis->s[j] * *x;
            *x /= basis->s[j];
        }
}

/* From V or L in scratch->b to a basis whose U stays unformed. */
static void finish_implicit(const struct making *job)
{
    struct tg_basis *basis = job->basis;
    int64_t m = basis->columns;
    basis->w = basis->memory.w;
    memcpy(basis->w, job->scratch->b, (size_t)(m * basis->kept) * sizeof(double));
    basis->error = fmax(basis->condition * basis->condition, 1) * DBL_EPSILON;
    for (int64_t i = 0; basis->route == TG_ROUTE_CHOLESKY && basis->memory.f && i < m; i++)
        for (int64_t j = 0; j < m; j++)
            basis->memory.f[j * m + i] = basis->w[i * m + j];
}

static enum tg_err finish_gram(const struct making *job, struct tg_report *report)
{
    struct tg_basis *basis = job->basis;
    double kept_condition = basis->s[0] / basis->s[basis->kept - 1];
    TG_TRY(require_room(job, report));
    divide_by_s(job);
    if (may_be_implicit(job->options->needs) &&
        kept_condition * kept_condition * DBL_EPSILON <= error_limit) {
        finish_implicit(job);
        return TG_OK;
    }
    TG_TRY(form(job, basis->x, job->scratch->b, (size_t)basis->kept));
    TG_TRY(measure(job));
    if (basis->orthogonality <= orthogonality_limit)
        return TG_OK;
    TG_TRY(orthogonalise(job));
    return measure(job);
}

static enum tg_err decompose(const struct making *job, struct tg_report *report)
{
    struct tg_basis *basis = job->basis;
    bool recalled = recall(job);
    if (!recalled) {
        TG_TRY(make_gram(job));
        if (may_be_implicit(job->options->needs) &&
            !needs(job, TG_BASIS_S | TG_BASIS_PRODUCT))
            TG_TRY(by_cholesky(job));
        if (basis->route == TG_ROUTE_NONE)
            TG_TRY(by_gram(job));
        if (basis->route != TG_ROUTE_NONE)
            keep(job);
    }
    if (basis->route == TG_ROUTE_NONE) {
        TG_TRY(by_qr(job, report));
        TG_TRY(measure(job));
    } else if (basis->route == TG_ROUTE_CHOLESKY) {
        finish_implicit(job);
    } else {
        TG_TRY(finish_gram(job, report));
    }
    basis->f = basis->memory.f;
    for (int64_t i = 0; i < basis->rank; i++)
        basis->s[i] /= basis->scale;
    return TG_OK;
}

enum tg_err tg_basis_decompose(const struct tg_ctx *ctx, const struct tg_basis_options *options,
                               const struct tg_basis_scratch *scratch, const char *key,
                               struct tg_basis *basis, struct tg_report *report)
{
    const struct making job = {ctx, options, scratch, basis, key};
    if (basis->rank == 0)
        return TG_OK;
    if (needs(&job, TG_BASIS_U | TG_BASIS_ALL | TG_BASIS_S | TG_BASIS_WHITE))
        TG_TRY(decompose(&job, report));
    else if (needs(&job, TG_BASIS_GRAM))
        TG_TRY(make_gram(&job));
    if (basis->x == scratch->x)
        basis->x = NULL;
    return TG_OK;
}

/* M := W^T M of a basis whose U is not formed, or M := M W; rows x cols before. */
static enum tg_err whiten(const struct tg_ctx *ctx, const struct tg_basis *basis, bool left,
                          int64_t rows, int64_t cols, double *m, double *to)
{
    size_t ld = (size_t)cols, k = (size_t)basis->kept;
    if (basis->route != TG_ROUTE_CHOLESKY)
        return left ? tg_gemm(ctx, TG_T, TG_N, basis->kept, cols, rows, 1, basis->w, k, m, ld, 0,
                              to, ld)
                    : tg_gemm(ctx, TG_N, TG_N, rows, basis->kept, cols, 1, m, ld, basis->w, k, 0,
                              to, k);
    memcpy(to, m, (size_t)(rows * cols) * sizeof(*m));
    return tg_trsm(ctx, left, false, left ? TG_N : TG_T, rows, cols, basis->w, k, to, ld);
}

enum tg_err tg_basis_product(const struct tg_ctx *ctx, const struct tg_basis *a,
                             const struct tg_basis *b, const double *product,
                             const struct tg_basis_scratch *scratch)
{
    int64_t rows = a->u ? a->kept : a->columns, cols = b->u ? b->kept : b->columns;
    bool formed = a->u && b->u;
    double *m = formed ? scratch->a : scratch->b;
    if (!product || a->u || b->u)
        TG_TRY(tg_gemm(ctx, TG_T, TG_N, rows, cols, a->n, 1, a->u ? a->u : a->x,
                       a->u ? a->ldu : (size_t)a->d, b->u ? b->u : b->x,
                       b->u ? b->ldu : (size_t)b->d, 0, m, (size_t)cols));
    if (formed)
        return TG_OK;
    if (b->u)
        return whiten(ctx, a, true, rows, cols, m, scratch->a);
    if (a->u)
        return whiten(ctx, b, false, rows, cols, m, scratch->a);
    TG_TRY(whiten(ctx, a, true, rows, cols, m, scratch->c));
    return whiten(ctx, b, false, a->kept, cols, scratch->c, scratch->a);
}

size_t tg_basis_work(int64_t n, int64_t d, unsigned needs)
{
    size_t size[] = {tg_eigh_steps_work(d), tg_qr_work(n, d), tg_svd_work(d, d, true)};
    size_t most = 0;
    for (size_t i = 0; i < sizeof(size) / sizeof(*size); i++)
        if (size[i] > most)
            most = size[i];
    return needs & (TG_BASIS_U | TG_BASIS_ALL | TG_BASIS_S | TG_BASIS_WHITE) ? most : 0;
}

const char *tg_basis_route_name(enum tg_basis_route route)
{
    switch (route) {
    case TG_ROUTE_NONE:
        return "none";
    case TG_ROUTE_CHOLESKY:
        return "cholesky";
    case TG_ROUTE_GRAM:
        return "gram";
    case TG_ROUTE_GRAM_TWICE:
        return "gram_cholesky";
    case TG_ROUTE_QR:
        return "qr";
    }
    TG_BUG("unknown route");
}
