/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One layer: centred, freed of constant columns, decomposed. */
#include "svcca/basis.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "linalg/linalg.h"

enum { COLS = 64, ROWS = 512 }; /* tiles of the centring and packing passes */

/* cond(X) up to which the Gram route is taken, and the orthogonality it must show. */
static const double gram_condition = 1e5, orthogonality_limit = 1e-12;

struct centring {
    const struct tg_ctx *ctx;
    const struct tg_mat *mat;
    const struct tg_basis_scratch *scratch;
    struct tg_basis *basis;
    double *x; /* n x d, where the layer goes */
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/*
 * Read a block of columns and centre it. The first row is subtracted before the mean is
 * taken, so that large means cost no digits and a constant column becomes exactly zero.
 */
static enum tg_err centre_columns(void *arg, int64_t tile, unsigned lane)
{
    (void)lane;
    const struct centring *job = arg;
    const struct tg_basis_scratch *to = job->scratch;
    int64_t n = job->basis->n, d = job->basis->d, col = tile * COLS,
            m = least(COLS, d - col);
    double shift[COLS], sum[COLS] = {0}, peak[COLS];

    for (int64_t j = 0; j < m; j++)
        to->bad[col + j] = n;
    for (int64_t row = 0; row < n; row += ROWS) {
        int64_t nrows = least(ROWS, n - row);
        double *x = job->x + row * d + col;
        TG_TRY(tg_ctx_poll(job->ctx));
        tg_mat_read_f64(job->mat, row, nrows, col, m, x, (size_t)d);
        if (row == 0)
            memcpy(shift, x, (size_t)m * sizeof(*x));
        for (int64_t i = 0; i < nrows; i++, x += d)
            for (int64_t j = 0; j < m; j++) {
                if (!isfinite(x[j]) && to->bad[col + j] == n)
                    to->bad[col + j] = row + i;
                x[j] -= shift[j];
                sum[j] += x[j];
            }
    }
    for (int64_t j = 0; j < m; j++)
        peak[j] = isfinite(sum[j]) ? 0 : INFINITY;
    for (int64_t row = 0; row < n; row += ROWS) {
        double *x = job->x + row * d + col;
        TG_TRY(tg_ctx_poll(job->ctx));
        for (int64_t i = 0, nrows = least(ROWS, n - row); i < nrows; i++, x += d)
            for (int64_t j = 0; j < m; j++) {
                x[j] -= sum[j] / (double)n;
                if (fabs(x[j]) > peak[j])
                    peak[j] = fabs(x[j]);
            }
    }
    memcpy(to->peak + col, peak, (size_t)m * sizeof(*peak));
    return TG_OK;
}

/* Close the gaps that constant columns leave, scale, and take the rows' squared norms. */
static enum tg_err pack_rows(void *arg, int64_t tile, unsigned lane)
{
    (void)lane;
    const struct centring *job = arg;
    const struct tg_basis *basis = job->basis;
    int64_t end = least((tile + 1) * ROWS, basis->n);
    for (int64_t i = tile * ROWS; i < end; i++) {
        double *x = job->x + i * basis->d, sum = 0;
        for (int64_t j = 0; j < basis->columns; j++) {
            x[j] = x[job->scratch->column[j]] * basis->scale;
            sum += x[j] * x[j];
        }
        basis->row_norm2[i] = sum;
    }
    return TG_OK;
}

/* The first non-finite entry in reading order, if there is one. */
static enum tg_err require_finite(const struct tg_basis *basis, const int64_t *bad,
                                  struct tg_report *report)
{
    int64_t row = basis->n, col = 0;
    for (int64_t j = 0; j < basis->d; j++)
        if (bad[j] < row) {
            row = bad[j];
            col = j;
        }
    if (row == basis->n)
        return TG_OK;
    return tg_fault_add(
        report, TG_NUMERIC, NULL,
        "Layer \"%s\" holds NaN or infinity, first at row %lld, column %lld.",
        basis->name, (long long)row, (long long)col);
}

/* x: centred, without constant columns, scaled by a power of two so that squares are
 * safe. */
static enum tg_err centre(struct centring *job, struct tg_report *report)
{
    struct tg_basis *basis = job->basis;
    const struct tg_basis_scratch *scratch = job->scratch;
    basis->columns = 0;
    TG_TRY(tg_ctx_parallel(job->ctx, (basis->d + COLS - 1) / COLS, centre_columns, job));
    TG_TRY(require_finite(basis, scratch->bad, report));
    double peak = 0;
    for (int64_t j = 0; j < basis->d; j++) {
        if (scratch->peak[j] > 0)
            scratch->column[basis->columns++] = j;
        peak = fmax(peak, scratch->peak[j]);
    }
    basis->constant_units = basis->d - basis->columns;
    if (!isfinite(peak))
        return tg_fault_add(
            report, TG_NUMERIC, NULL,
            "Layer \"%s\" spans more than double precision holds; scale it down.",
            basis->name);
    if (basis->columns == 0)
        return TG_OK;
    basis->scale = ldexp(1, -ilogb(peak));
    return tg_ctx_parallel(job->ctx, (basis->n + ROWS - 1) / ROWS, pack_rows, job);
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

/* Rank, condition and both k from the m singular values in basis->s. */
static void describe(const struct tg_basis_options *options, int64_t m,
                     struct tg_basis *basis)
{
    double *s = basis->s, tolerance = options->rank_tolerance;
    if (tolerance <= 0)
        tolerance = (double)(basis->n > basis->d ? basis->n : basis->d) * DBL_EPSILON;
    while (basis->rank < m && s[basis->rank] > tolerance * s[0])
        basis->rank++;
    for (int64_t i = basis->rank; i < basis->d; i++)
        s[i] = 0;
    basis->condition = s[0] / s[basis->rank - 1];
    basis->k[TG_SVCCA_VARIANCE] = leading(s, basis->rank, options->threshold, 2);
    basis->k[TG_SVCCA_SV_SUM] = leading(s, basis->rank, options->threshold, 1);
    basis->kept = basis->rank;
    if (!(options->needs & TG_BASIS_ALL))
        basis->kept = basis->k[0] > basis->k[1] ? basis->k[0] : basis->k[1];
}

/*
 * X^T X = V S^2 V^T and U = X V S^-1; leaves route at NONE when X is too ill conditioned.
 */
static enum tg_err by_gram(const struct tg_ctx *ctx,
                           const struct tg_basis_options *options,
                           const struct tg_basis_scratch *scratch, const double *x,
                           struct tg_basis *basis)
{
    double *g = scratch->a, *v = scratch->b, *w = scratch->w;
    int64_t m = basis->columns;
    size_t ld = (size_t)m, d = (size_t)basis->d;
    TG_TRY(tg_syrk(ctx, TG_T, m, basis->n, 1, x, d, 0, g, ld));
    TG_TRY(tg_eigh(ctx, m, true, g, ld, w, scratch->work));
    if (w[0] * gram_condition * gram_condition < w[m - 1] &&
        options->rank_tolerance * gram_condition < 1)
        return TG_OK;
    for (int64_t i = 0; i < m; i++)
        basis->s[i] = sqrt(fmax(w[m - 1 - i], 0));
    describe(options, m, basis);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < basis->kept; j++)
            v[i * basis->kept + j] = g[i * m + m - 1 - j] / basis->s[j];
    basis->route = TG_ROUTE_GRAM;
    return tg_gemm(ctx, TG_N, TG_N, basis->n, basis->kept, m, 1, x, d, v,
                   (size_t)basis->kept, 0, basis->u, basis->ldu);
}

/* X = Q R, R = U' S V^T and U = Q U'. Q takes the place of X in scratch->x. */
static enum tg_err by_qr(const struct tg_ctx *ctx, const struct tg_basis_options *options,
                         const struct tg_basis_scratch *scratch, const double *x,
                         struct tg_basis *basis)
{
    int64_t m = basis->columns;
    size_t ld = (size_t)m, d = (size_t)basis->d;
    if (x != scratch->x)
        memcpy(scratch->x, x, (size_t)basis->n * d * sizeof(*x));
    TG_TRY(tg_qr(ctx, basis->n, m, scratch->x, d, scratch->a, ld, scratch->work));
    TG_TRY(tg_svd(ctx, m, m, scratch->a, ld, basis->s, scratch->b, ld, scratch->c, ld,
                  scratch->work));
    describe(options, m, basis);
    basis->route = TG_ROUTE_QR;
    return tg_gemm(ctx, TG_N, TG_N, basis->n, basis->kept, m, 1, scratch->x, d,
                   scratch->b, ld, 0, basis->u, basis->ldu);
}

/* basis->orthogonality = max |U^T U - I|; U^T U is left in scratch->a. */
static enum tg_err measure(const struct tg_ctx *ctx,
                           const struct tg_basis_scratch *scratch, struct tg_basis *basis)
{
    int64_t k = basis->kept;
    const double *g = scratch->a;
    TG_TRY(tg_syrk(ctx, TG_T, k, basis->n, 1, basis->u, basis->ldu, 0, scratch->a,
                   (size_t)k));
    basis->orthogonality = 0;
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < k; j++)
            basis->orthogonality =
                fmax(basis->orthogonality, fabs(g[i * k + j] - (i == j)));
    return TG_OK;
}

/*
 * U := U L^-T with U^T U = L L^T. Leading columns keep their span, and the product with S
 * changes by rounding only, because columns lean on each other by eps s_0^2 / (s_i s_j).
 */
static enum tg_err orthogonalise(const struct tg_ctx *ctx,
                                 const struct tg_basis_scratch *scratch,
                                 struct tg_basis *basis)
{
    size_t k = (size_t)basis->kept;
    TG_TRY(tg_chol(ctx, basis->kept, scratch->a, k, NULL));
    basis->route = TG_ROUTE_GRAM_TWICE;
    return tg_trsm(ctx, false, false, TG_T, basis->n, basis->kept, scratch->a, k,
                   basis->u, basis->ldu);
}

enum tg_err tg_basis_make(const struct tg_ctx *ctx, const struct tg_mat *mat,
                          const struct tg_basis_options *options,
                          const struct tg_basis_scratch *scratch, struct tg_basis *basis,
                          struct tg_report *report)
{
    double *x = basis->x ? basis->x : scratch->x;
    struct centring job = {ctx, mat, scratch, basis, x};
    TG_TRY(centre(&job, report));
    if (basis->columns == 0)
        return TG_OK;
    TG_TRY(by_gram(ctx, options, scratch, x, basis));
    if (basis->route == TG_ROUTE_NONE)
        TG_TRY(by_qr(ctx, options, scratch, x, basis));
    TG_TRY(measure(ctx, scratch, basis));
    if (basis->route == TG_ROUTE_GRAM && basis->orthogonality > orthogonality_limit) {
        TG_TRY(orthogonalise(ctx, scratch, basis));
        TG_TRY(measure(ctx, scratch, basis));
    }
    double unit = basis->s[0] * basis->s[0];
    for (int64_t i = 0; i < basis->n; i++)
        basis->row_norm2[i] /= unit;
    for (int64_t i = 0; i < basis->rank; i++)
        basis->s[i] /= basis->scale;
    return TG_OK;
}

size_t tg_basis_work(int64_t n, int64_t d)
{
    size_t size[] = {tg_eigh_work(d, true), tg_qr_work(n, d), tg_svd_work(d, d, true)};
    size_t most = 0;
    for (size_t i = 0; i < sizeof(size) / sizeof(*size); i++)
        if (size[i] > most)
            most = size[i];
    return most;
}

const char *tg_basis_route_name(enum tg_basis_route route)
{
    switch (route) {
    case TG_ROUTE_NONE:
        return "none";
    case TG_ROUTE_GRAM:
        return "gram";
    case TG_ROUTE_GRAM_TWICE:
        return "gram_cholesky";
    case TG_ROUTE_QR:
        return "qr";
    }
    TG_BUG("unknown route");
}
