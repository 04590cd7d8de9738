/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sums over frequencies, from the products of two bases. */
#include "svcca/dft_pair.h"

#include <math.h>
#include <string.h>

#include "svcca/pair.h"

/* As in pair.c: a debiased self-similarity below this share of the biased one is rounding. */
static const double rounding = 1e-13;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool wants(const struct tg_svcca_options *options, enum tg_svcca_measure measure)
{
    return options->measures >> measure & 1;
}

/*
 * ||Z_a^H Z_b||^2 = product2 less what unrelated samples add to it (svcca.h, debiased CKA),
 * for the frequency and its conjugate: both halves of the rows have the same norms.
 */
static double hsic(double product2, const struct tg_dft_layer *a, const struct tg_dft_layer *b)
{
    double n = (double)a->fourier.places.n, pq = 0, w = (double)a->weight;
    for (int64_t i = 0; i < a->basis.n; i++)
        pq += a->basis.x_row2[i] * b->basis.x_row2[i];
    return product2 - n / (n - 2) * pq +
           a->basis.norm2 * b->basis.norm2 / w / ((n - 1) * (n - 2));
}

/* How far whitening leaves direction i, in units of the layer. */
static double stretch(const struct tg_svcca_options *options, const struct tg_dft_layer *layer,
                      int64_t i)
{
    return options->shape_alpha * layer->basis.s[i] / layer->fourier.scale +
           (1 - options->shape_alpha);
}

static void add_side(const struct tg_svcca_options *options, const struct tg_dft_layer *layer,
                     struct tg_dft_side *side)
{
    const struct tg_basis *basis = &layer->basis;
    double gram2 = 0;
    if (basis->rank == 0)
        return;
    for (int64_t i = 0; i < basis->rank; i++) {
        double square = basis->s[i] * basis->s[i], x = stretch(options, layer, i);
        side->norm2 += square;
        side->shape2 += x * x;
        gram2 += square * square;
    }
    side->rank += basis->rank;
    for (int rule = 0; rule < TG_SVCCA_RULES; rule++)
        side->k[rule] += basis->k[rule];
    side->gram2 += gram2;
    if (wants(options, TG_SVCCA_CKA_DEBIASED))
        side->hsic += hsic(gram2, layer, layer);
}

/* D_a M D_b into scratch->c, D the singular values or 1; its squared Frobenius norm. */
static double scale_m(const struct tg_basis *a, bool scale_a, const struct tg_basis *b,
                      bool scale_b, const struct tg_basis_scratch *scratch)
{
    double sum = 0;
    for (int64_t i = 0; i < a->rank; i++)
        for (int64_t j = 0; j < b->rank; j++) {
            double x = scratch->a[i * b->kept + j] * (scale_a ? a->s[i] : 1) *
                       (scale_b ? b->s[j] : 1);
            scratch->c[i * b->rank + j] = x;
            sum += x * x;
        }
    return sum;
}

/* Those of the leading ka x kb block of M, of ld columns, to the total and the list. */
static enum tg_err add_correlations(const struct tg_ctx *ctx,
                                    const struct tg_basis_scratch *scratch, int64_t ka,
                                    int64_t kb, int64_t ld, int64_t *listed, double *list,
                                    double *total)
{
    int64_t k = least(ka, kb);
    if (k == 0)
        return TG_OK;
    TG_TRY(tg_pair_correlations(ctx, scratch->a, ld, ka, kb, scratch, scratch->w));
    for (int64_t i = 0; i < k; i++)
        *total += scratch->w[i];
    if (list)
        memcpy(list + *listed, scratch->w, (size_t)k * sizeof(*list));
    *listed += k;
    return TG_OK;
}

static enum tg_err add_norms(const struct tg_ctx *ctx, const struct tg_svcca_options *options,
                             const struct tg_basis_scratch *scratch,
                             const struct tg_dft_layer *a, const struct tg_dft_layer *b,
                             struct tg_dft_sums *sums)
{
    const struct tg_basis *x = &a->basis, *y = &b->basis;
    double norm;
    sums->a_in_b += scale_m(x, true, y, false, scratch);
    sums->b_in_a += scale_m(x, false, y, true, scratch);
    double product2 = scale_m(x, true, y, true, scratch);
    sums->gram2 += product2;
    if (wants(options, TG_SVCCA_CKA_DEBIASED))
        sums->hsic += hsic(product2, a, b);
    if (wants(options, TG_SVCCA_PROCRUSTES)) {
        TG_TRY(tg_pair_nuclear(ctx, scratch, x->rank, y->rank, &norm));
        sums->procrustes += norm;
    }
    if (!wants(options, TG_SVCCA_SHAPE))
        return TG_OK;
    for (int64_t i = 0; i < x->rank; i++)
        for (int64_t j = 0; j < y->rank; j++)
            scratch->c[i * y->rank + j] = stretch(options, a, i) * stretch(options, b, j) *
                                          scratch->a[i * y->kept + j];
    TG_TRY(tg_pair_nuclear(ctx, scratch, x->rank, y->rank, &norm));
    sums->shape += norm;
    return TG_OK;
}

enum tg_err tg_dft_add(const struct tg_ctx *ctx, const struct tg_svcca_options *options,
                       const struct tg_dft_scratch *scratch, const struct tg_dft_layer *a,
                       const struct tg_dft_layer *b, struct tg_dft_sums *sums,
                       double *cca_rho, double *svcca_rho, double *mean)
{
    const struct tg_basis *x = &a->basis, *y = &b->basis;
    int64_t room = a->weight * (a->fourier.places.n - 1), k = least(x->rank, y->rank);
    double before = sums->rho;
    add_side(options, a, &sums->a);
    add_side(options, b, &sums->b);
    *mean = NAN;
    if (k == 0)
        return TG_OK;
    sums->null_rho2 += (double)x->rank * (double)y->rank / (double)room;
    sums->forced += x->rank + y->rank > room ? x->rank + y->rank - room : 0;
    TG_TRY(tg_basis_product(ctx, x, y, NULL, &scratch->basis));
    sums->rho2 += scale_m(x, false, y, false, &scratch->basis);
    if (wants(options, TG_SVCCA_CCA)) {
        TG_TRY(add_correlations(ctx, &scratch->basis, x->rank, y->rank, y->kept,
                                &sums->listed, cca_rho, &sums->rho));
        *mean = (sums->rho - before) / (double)k;
    }
    for (int rule = 0; rule < TG_SVCCA_RULES && wants(options, TG_SVCCA_SVCCA); rule++) {
        bool headline = rule == (int)options->rule;
        int64_t unlisted = 0;
        if (headline || options->both_rules)
            TG_TRY(add_correlations(ctx, &scratch->basis, x->k[rule], y->k[rule], y->kept,
                                    headline ? &sums->svcca_listed : &unlisted,
                                    headline ? svcca_rho : NULL, &sums->svcca[rule]));
    }
    return add_norms(ctx, options, &scratch->basis, a, b, sums);
}

static double ratio(double x, double y)
{
    return y > 0 ? fmin(x / y, 1) : NAN;
}

void tg_dft_score(const struct tg_svcca_options *options, const struct tg_dft_sums *sums,
                  struct tg_svcca_pair *pair)
{
    const struct tg_dft_side *a = &sums->a, *b = &sums->b;
    double directions = (double)least(a->rank, b->rank);
    double norms = sqrt(a->norm2) * sqrt(b->norm2);
    if (!(directions > 0))
        return;
    pair->null_cca_mean_squared = sums->null_rho2 / directions;
    pair->forced_ones = sums->forced;
    if (wants(options, TG_SVCCA_CCA)) {
        pair->cca_mean = sums->rho / directions;
        pair->cca_mean_squared = ratio(sums->rho2, directions);
    }
    for (int rule = 0; rule < TG_SVCCA_RULES && wants(options, TG_SVCCA_SVCCA); rule++)
        if (rule == (int)options->rule || options->both_rules)
            pair->svcca[rule] =
                ratio(sums->svcca[rule], (double)least(a->k[rule], b->k[rule]));
    if (wants(options, TG_SVCCA_CKA))
        pair->cka = ratio(sums->gram2, sqrt(a->gram2) * sqrt(b->gram2));
    if (wants(options, TG_SVCCA_CKA_DEBIASED) && a->hsic > rounding * a->gram2 &&
        b->hsic > rounding * b->gram2)
        pair->cka_debiased = sums->hsic / (sqrt(a->hsic) * sqrt(b->hsic));
    if (wants(options, TG_SVCCA_PROCRUSTES))
        pair->procrustes = ratio(sums->procrustes, norms);
    if (wants(options, TG_SVCCA_SHAPE))
        pair->shape = ratio(sums->shape, sqrt(a->shape2) * sqrt(b->shape2));
    if (wants(options, TG_SVCCA_REGRESSION)) {
        pair->r2_a_to_b = ratio(sums->b_in_a, b->norm2);
        pair->r2_b_to_a = ratio(sums->a_in_b, a->norm2);
    }
}
