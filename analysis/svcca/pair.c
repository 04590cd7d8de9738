/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Scores of a pair: products of small matrices, and what their singular values say. */
#include "svcca/pair.h"

#include <math.h>
#include <string.h>

#include "linalg/linalg.h"
#include "svcca/kernel.h"

/*
 * Up to this order singular values come from tg_svd(), to full precision. Above, from the
 * eigenvalues of M M^T at a third of its time: rho has an error of eps / rho, 1e-8 at 0.
 */
enum { BY_SVD = 192 };

enum {
    DECOMPOSED = TG_BASIS_U | TG_BASIS_ALL | TG_BASIS_S | TG_BASIS_WHITE,
    CKAS = 1 << TG_SVCCA_CKA | 1 << TG_SVCCA_CKA_DEBIASED
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool wants(const struct tg_svcca_options *options, enum tg_svcca_measure measure)
{
    return options->measures >> measure & 1;
}

unsigned tg_pair_needs(const struct tg_svcca_options *options)
{
    static const unsigned of[TG_SVCCA_MEASURES] = {
        [TG_SVCCA_CCA] = TG_BASIS_WHITE | TG_BASIS_ALL,
        [TG_SVCCA_SVCCA] = TG_BASIS_S,
        [TG_SVCCA_CKA] = TG_BASIS_PRODUCT | TG_BASIS_GRAM,
        [TG_SVCCA_CKA_DEBIASED] = TG_BASIS_PRODUCT | TG_BASIS_GRAM,
        [TG_SVCCA_PWCCA] = TG_BASIS_WHITE | TG_BASIS_ALL | TG_BASIS_F,
        [TG_SVCCA_PROCRUSTES] = TG_BASIS_PRODUCT,
        [TG_SVCCA_SHAPE] = TG_BASIS_S | TG_BASIS_ALL,
        [TG_SVCCA_REGRESSION] = TG_BASIS_S | TG_BASIS_ALL};
    unsigned needs = 0;
    for (int i = 0; i < TG_SVCCA_MEASURES; i++)
        if (wants(options, (enum tg_svcca_measure)i))
            needs |= of[i];
    return needs;
}

size_t tg_pair_work(int64_t d)
{
    size_t svd = tg_svd_work(d, d, false), eigh = tg_eigh_work(d, true);
    return svd > eigh ? svd : eigh;
}

double tg_pair_flops(const struct tg_svcca_options *options, unsigned needs, double n, double da,
                     double db)
{
    double small = fmin(da, db), values = 4 * da * db * small;
    double flops = needs & TG_BASIS_PRODUCT || needs & TG_BASIS_ALL ? 2 * n * da * db : 0;
    bool correlations = wants(options, TG_SVCCA_CCA) || wants(options, TG_SVCCA_PWCCA);
    if (needs & TG_BASIS_ALL)
        flops += 2 * da * db * (da + db);
    if (correlations)
        flops += values;
    if (wants(options, TG_SVCCA_PWCCA))
        flops += (options->pwcca_first ? 1 : 2) * (9 * small * small * small + values);
    if (wants(options, TG_SVCCA_PROCRUSTES))
        flops += values;
    if (wants(options, TG_SVCCA_SHAPE))
        flops += values;
    return flops;
}

/* sigma descending, of the rows x cols block of m (ld columns). Overwrites scratch->b, c. */
static enum tg_err singular_values(const struct tg_ctx *ctx, const double *m, int64_t ld,
                                   int64_t rows, int64_t cols,
                                   const struct tg_basis_scratch *scratch, double *rho)
{
    int64_t k = least(rows, cols);
    double *w = scratch->c;
    if (k <= BY_SVD) {
        /* The shorter side as rows: what the svd needs then grows with both sides. */
        bool flip = rows > cols;
        int64_t wide = flip ? rows : cols;
        for (int64_t i = 0; i < k; i++)
            for (int64_t j = 0; j < wide; j++)
                scratch->b[i * wide + j] = flip ? m[j * ld + i] : m[i * ld + j];
        return tg_svd(ctx, k, wide, scratch->b, (size_t)wide, rho, NULL, 0, NULL, 0,
                      scratch->work);
    }
    TG_TRY(tg_syrk(ctx, rows <= cols ? TG_N : TG_T, k, rows <= cols ? cols : rows, 1, m,
                   (size_t)ld, 0, scratch->b, (size_t)k));
    TG_TRY(tg_eigh(ctx, k, false, scratch->b, (size_t)k, w, scratch->work));
    for (int64_t i = 0; i < k; i++)
        rho[i] = sqrt(fmax(w[k - 1 - i], 0));
    return TG_OK;
}

enum tg_err tg_pair_correlations(const struct tg_ctx *ctx, const double *m, int64_t ld,
                                 int64_t ka, int64_t kb,
                                 const struct tg_basis_scratch *scratch, double *rho)
{
    TG_TRY(singular_values(ctx, m, ld, ka, kb, scratch, rho));
    for (int64_t i = 0; i < least(ka, kb); i++)
        rho[i] = fmin(rho[i], 1); /* above 1 by rounding only */
    return TG_OK;
}

enum tg_err tg_pair_mean_rho(const struct tg_ctx *ctx, const double *m, int64_t ld, int64_t ka,
                             int64_t kb, const struct tg_basis_scratch *scratch, double *rho,
                             double *mean)
{
    int64_t k = least(ka, kb);
    double sum = 0;
    TG_TRY(tg_pair_correlations(ctx, m, ld, ka, kb, scratch, rho));
    for (int64_t i = 0; i < k; i++)
        sum += rho[i];
    *mean = sum / (double)k;
    return TG_OK;
}

/*
 * ||D_a M D_b||_F^2 with D = S times the scale of x, or 1 where `a_is` (`b_is`) false.
 */
static double scaled_norm2(const struct tg_basis *a, bool a_is, const struct tg_basis *b,
                           bool b_is, const double *m, int64_t rows, int64_t cols)
{
    double sum = 0;
    for (int64_t i = 0; i < rows; i++) {
        double row = 0, s = a_is ? a->s[i] * a->scale : 1;
        for (int64_t j = 0; j < cols; j++) {
            double x = m[i * cols + j] * (b_is ? b->s[j] * b->scale : 1);
            row += x * x;
        }
        sum += s * s * row;
    }
    return sum;
}

/* Of ||X^T Y||_F^2, which is the inner product of the two Gram matrices. */
static double hsic(double product2, const struct tg_basis *a, const struct tg_basis *b)
{
    return tg_hsic_unbiased(a->n, product2, a->x_row2, a->norm2, b->x_row2, b->norm2);
}

static void compare_products(const struct tg_svcca_options *options, double product2,
                             const struct tg_basis *a, const struct tg_basis *b,
                             struct tg_svcca_pair *pair)
{
    double a2 = a->gram_norm2, b2 = b->gram_norm2;
    if (wants(options, TG_SVCCA_CKA))
        pair->cka = fmin(product2 / (sqrt(a2) * sqrt(b2)), 1);
    if (wants(options, TG_SVCCA_CKA_DEBIASED)) {
        double aa = hsic(a2, a, a), bb = hsic(b2, b, b);
        if (aa > TG_HSIC_ROUNDING * a2 && bb > TG_HSIC_ROUNDING * b2)
            pair->cka_debiased = hsic(product2, a, b) / (sqrt(aa) * sqrt(bb));
    }
}

enum tg_err tg_pair_nuclear(const struct tg_ctx *ctx, const struct tg_basis_scratch *scratch,
                            int64_t rows, int64_t cols, double *norm)
{
    /* Small singular values count here as large ones do, so no squares are taken. */
    bool flip = rows > cols;
    int64_t k = flip ? cols : rows, wide = flip ? rows : cols;
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < wide; j++)
            scratch->b[i * wide + j] =
                flip ? scratch->c[j * cols + i] : scratch->c[i * cols + j];
    TG_TRY(tg_svd(ctx, k, wide, scratch->b, (size_t)wide, scratch->w, NULL, 0, NULL, 0,
                  scratch->work));
    *norm = 0;
    for (int64_t i = 0; i < k; i++)
        *norm += scratch->w[i];
    return TG_OK;
}

enum tg_err tg_pair_aligned(const struct tg_ctx *ctx, const struct tg_basis_scratch *scratch,
                            int64_t rows, int64_t cols, double norms, double *similarity)
{
    double norm;
    TG_TRY(tg_pair_nuclear(ctx, scratch, rows, cols, &norm));
    *similarity = fmin(norm / norms, 1);
    return TG_OK;
}

/* alpha s + (1 - alpha): how far whitening with alpha leaves direction i. */
static double stretch(const struct tg_svcca_options *options, const struct tg_basis *basis,
                      int64_t i)
{
    return options->shape_alpha * basis->s[i] + (1 - options->shape_alpha);
}

static enum tg_err compare_shapes(const struct tg_ctx *ctx,
                                  const struct tg_svcca_options *options,
                                  const struct tg_basis_scratch *scratch,
                                  const struct tg_basis *a, const struct tg_basis *b,
                                  struct tg_svcca_pair *pair)
{
    double a2 = 0, b2 = 0;
    for (int64_t i = 0; i < a->kept; i++)
        a2 += stretch(options, a, i) * stretch(options, a, i);
    for (int64_t i = 0; i < b->kept; i++)
        b2 += stretch(options, b, i) * stretch(options, b, i);
    for (int64_t i = 0; i < a->kept; i++)
        for (int64_t j = 0; j < b->kept; j++)
            scratch->c[i * b->kept + j] = stretch(options, a, i) / sqrt(a2) *
                                          (stretch(options, b, j) / sqrt(b2)) *
                                          scratch->a[i * b->kept + j];
    return tg_pair_aligned(ctx, scratch, a->kept, b->kept, 1, &pair->shape);
}

enum tg_err tg_pair_weigh(const struct tg_ctx *ctx, const struct tg_basis_scratch *scratch,
                          const double *f, int64_t d, bool second, const double *m, int64_t rows,
                          int64_t cols, double *mean)
{
    int64_t order = second ? cols : rows, count = least(rows, cols);
    double *g = scratch->b, *w = scratch->w, *h = scratch->c, sum = 0, weights = 0;
    TG_TRY(tg_syrk(ctx, second ? TG_T : TG_N, order, second ? rows : cols, 1, m, (size_t)cols, 0,
                   g, (size_t)order));
    TG_TRY(tg_eigh(ctx, order, true, g, (size_t)order, w, scratch->work));
    TG_TRY(tg_gemm(ctx, TG_T, TG_N, order, d, order, 1, g, (size_t)order, f, (size_t)d, 0,
                   h, (size_t)d));
    for (int64_t i = order - count; i < order; i++) {
        double alpha = 0;
        for (int64_t j = 0; j < d; j++)
            alpha += fabs(h[i * d + j]);
        weights += alpha;
        sum += alpha * fmin(sqrt(fmax(w[i], 0)), 1);
    }
    *mean = sum / weights;
    return TG_OK;
}

static enum tg_err compare_weighted(const struct tg_ctx *ctx,
                                    const struct tg_svcca_options *options,
                                    const struct tg_basis_scratch *scratch,
                                    const struct tg_basis *a, const struct tg_basis *b,
                                    struct tg_svcca_pair *pair)
{
    const double *m = scratch->a;
    TG_TRY(tg_pair_weigh(ctx, scratch, a->f, a->columns, false, m, a->kept, b->kept,
                         &pair->pwcca_a));
    pair->pwcca = pair->pwcca_a;
    if (options->pwcca_first)
        return TG_OK;
    TG_TRY(tg_pair_weigh(ctx, scratch, b->f, b->columns, true, m, a->kept, b->kept,
                         &pair->pwcca_b));
    pair->pwcca = (pair->pwcca_a + pair->pwcca_b) / 2;
    return TG_OK;
}

static enum tg_err compare_correlations(const struct tg_ctx *ctx,
                                        const struct tg_svcca_options *options,
                                        const struct tg_basis_scratch *scratch,
                                        const struct tg_basis *a, const struct tg_basis *b,
                                        struct tg_svcca_pair *pair, double *cca_rho,
                                        double *svcca_rho)
{
    const double *m = scratch->a;
    if (wants(options, TG_SVCCA_CCA)) {
        double squares = scaled_norm2(a, false, b, false, m, a->kept, b->kept);
        pair->cca_mean_squared = fmin(squares / (double)least(a->rank, b->rank), 1);
        TG_TRY(tg_pair_mean_rho(ctx, m, b->kept, a->rank, b->rank, scratch,
                                cca_rho ? cca_rho : scratch->w, &pair->cca_mean));
    }
    for (int rule = 0; rule < TG_SVCCA_RULES && wants(options, TG_SVCCA_SVCCA); rule++) {
        bool headline = rule == (int)options->rule;
        if (headline || options->both_rules)
            TG_TRY(tg_pair_mean_rho(ctx, m, b->kept, a->k[rule], b->k[rule], scratch,
                                    headline && svcca_rho ? svcca_rho : scratch->w,
                                    &pair->svcca[rule]));
    }
    if (wants(options, TG_SVCCA_PWCCA))
        TG_TRY(compare_weighted(ctx, options, scratch, a, b, pair));
    if (wants(options, TG_SVCCA_SHAPE))
        TG_TRY(compare_shapes(ctx, options, scratch, a, b, pair));
    if (wants(options, TG_SVCCA_REGRESSION)) {
        double a2 = 0, b2 = 0;
        for (int64_t i = 0; i < a->rank; i++)
            a2 += a->s[i] * a->scale * a->s[i] * a->scale;
        for (int64_t i = 0; i < b->rank; i++)
            b2 += b->s[i] * b->scale * b->s[i] * b->scale;
        pair->r2_a_to_b =
            fmin(scaled_norm2(a, false, b, true, m, a->kept, b->kept) / b2, 1);
        pair->r2_b_to_a =
            fmin(scaled_norm2(a, true, b, false, m, a->kept, b->kept) / a2, 1);
    }
    return TG_OK;
}

/* C = S_a M S_b of bases whose x was given up, into scratch->c. */
static void product_from_m(const struct tg_basis *a, const struct tg_basis *b, const double *m,
                           double *c)
{
    for (int64_t i = 0; i < a->kept; i++)
        for (int64_t j = 0; j < b->kept; j++)
            c[i * b->kept + j] =
                a->s[i] * a->scale * (b->s[j] * b->scale) * m[i * b->kept + j];
}

enum tg_err tg_pair_compare(const struct tg_ctx *ctx, const struct tg_svcca_options *options,
                            unsigned needs, const struct tg_basis_scratch *scratch,
                            const struct tg_basis *a, const struct tg_basis *b,
                            struct tg_svcca_pair *pair, double *cca_rho, double *svcca_rho)
{
    bool raw = needs & TG_BASIS_PRODUCT, decomposed = needs & DECOMPOSED, have = false;
    double *c = scratch->b;
    int64_t rows = a->columns, cols = b->columns;
    if (raw && a->x && b->x) {
        TG_TRY(tg_gemm(ctx, TG_T, TG_N, rows, cols, a->n, 1, a->x, (size_t)a->d, b->x,
                       (size_t)b->d, 0, c, (size_t)cols));
        have = true;
        if (wants(options, TG_SVCCA_PROCRUSTES)) /* b and c go to the product M before */
            memcpy(scratch->c, c, (size_t)(rows * cols) * sizeof(*c));
        if (options->measures & CKAS)
            compare_products(options, scaled_norm2(a, false, b, false, c, rows, cols), a, b,
                             pair);
    }
    if (wants(options, TG_SVCCA_PROCRUSTES) && have) {
        TG_TRY(tg_pair_aligned(ctx, scratch, rows, cols, sqrt(a->norm2) * sqrt(b->norm2),
                               &pair->procrustes));
        have = false; /* overwritten */
    }
    if (!decomposed)
        return TG_OK;
    TG_TRY(tg_basis_product(ctx, a, b, have ? c : NULL, scratch));
    if (raw && !(a->x && b->x)) {
        rows = a->kept;
        cols = b->kept;
        product_from_m(a, b, scratch->a, scratch->c);
        if (options->measures & CKAS)
            compare_products(options,
                             scaled_norm2(a, true, b, true, scratch->a, rows, cols), a, b,
                             pair);
        if (wants(options, TG_SVCCA_PROCRUSTES))
            TG_TRY(tg_pair_aligned(ctx, scratch, rows, cols, sqrt(a->norm2) * sqrt(b->norm2),
                                   &pair->procrustes));
    }
    pair->null_cca_mean_squared =
        (double)(a->rank > b->rank ? a->rank : b->rank) / (double)(a->n - 1);
    pair->forced_ones = a->rank + b->rank - (a->n - 1);
    if (pair->forced_ones < 0)
        pair->forced_ones = 0;
    return compare_correlations(ctx, options, scratch, a, b, pair, cca_rho, svcca_rho);
}
