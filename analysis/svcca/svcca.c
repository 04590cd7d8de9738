/* SPDX-License-Identifier: GPL-3.0-or-later */
/* All pairs of layers from their bases. */
#include "svcca/svcca.h"

#include <math.h>

#include "linalg/linalg.h"

/* A debiased self-similarity below this share of the biased one is rounding, not a
 * number. */
static const double rounding = 1e-13;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool wants(const struct tg_svcca_options *options, enum tg_svcca_measure measure)
{
    return options->measures >> measure & 1;
}

bool tg_svcca_keeps_correlations(const struct tg_svcca *svcca)
{
    return svcca->max_d <= TG_SVCCA_MAX_CORRELATIONS / svcca->npairs;
}

/* Sizes that everything else follows from. */
static void size_up(const struct tg_svcca_layer *layers, size_t nlayers,
                    struct tg_svcca *svcca)
{
    *svcca = (struct tg_svcca){.n = layers[0].mat.shape[0], .nlayers = (int64_t)nlayers};
    svcca->npairs = svcca->nlayers * (svcca->nlayers - 1) / 2;
    for (size_t i = 0; i < nlayers; i++)
        if (layers[i].mat.shape[1] > svcca->max_d)
            svcca->max_d = layers[i].mat.shape[1];
}

static void *take(struct tg_arena *arena, int64_t rows, int64_t cols, size_t size)
{
    size_t count;
    if (!tg_mul_ok((size_t)rows, (size_t)cols, &count))
        count = SIZE_MAX; /* more than any arena has */
    return tg_arena_alloc(arena, count, size);
}

/* What the measures and the hooks need of the bases. */
static unsigned needs_of(const struct tg_svcca_options *options)
{
    unsigned needs = TG_BASIS_U;
    if (options->measures & ~(UINT64_C(1) << TG_SVCCA_SVCCA))
        needs |= TG_BASIS_ALL;
    for (size_t i = 0; i < options->nhooks; i++)
        needs |= options->hook[i].needs;
    return needs;
}

/* The results and the scratch; from a measuring arena only their sum. */
static enum tg_err layout(struct tg_arena *arena, const struct tg_svcca_layer *layers,
                          const struct tg_svcca_options *options, struct tg_svcca *svcca,
                          struct tg_basis_scratch *scratch)
{
    int64_t n = svcca->n, l = svcca->nlayers, p = svcca->npairs, d = svcca->max_d;
    svcca->name = take(arena, l, 1, sizeof(*svcca->name));
    svcca->basis = take(arena, l, 1, sizeof(*svcca->basis));
    svcca->pair = take(arena, p, 1, sizeof(*svcca->pair));
    svcca->singular_values = take(arena, l, d, sizeof(double));
    if (tg_svcca_keeps_correlations(svcca) && wants(options, TG_SVCCA_CCA))
        svcca->cca_rho = take(arena, p, d, sizeof(double));
    if (tg_svcca_keeps_correlations(svcca) && wants(options, TG_SVCCA_SVCCA))
        svcca->svcca_rho = take(arena, p, d, sizeof(double));
    for (int i = 0; i < TG_SVCCA_MEASURES; i++)
        if (wants(options, (enum tg_svcca_measure)i))
            svcca->matrix[i] = take(arena, l, l, sizeof(double));
    for (int64_t i = 0; i < l; i++) {
        double *u = take(arena, n, layers[i].mat.shape[1], sizeof(double));
        double *x = NULL, *row_norm2 = take(arena, n, 1, sizeof(double));
        if (needs_of(options) & TG_BASIS_X)
            x = take(arena, n, layers[i].mat.shape[1], sizeof(double));
        if (svcca->name && svcca->basis && svcca->singular_values && u && row_norm2) {
            svcca->name[i] = layers[i].name;
            svcca->basis[i] = (struct tg_basis){.name = layers[i].name,
                                                .n = n,
                                                .d = layers[i].mat.shape[1],
                                                .u = u,
                                                .x = x,
                                                .ldu = (size_t)layers[i].mat.shape[1],
                                                .s = svcca->singular_values + i * d,
                                                .row_norm2 = row_norm2};
        }
    }
    scratch->x = take(arena, n, d, sizeof(double));
    scratch->a = take(arena, d, d, sizeof(double));
    scratch->b = take(arena, d, d, sizeof(double));
    scratch->c = take(arena, d, d, sizeof(double));
    scratch->w = take(arena, d, 1, sizeof(double));
    scratch->peak = take(arena, d, 1, sizeof(double));
    scratch->bad = take(arena, d, 1, sizeof(int64_t));
    scratch->column = take(arena, d, 1, sizeof(int64_t));
    size_t work = tg_basis_work(n, d), pair = tg_svd_work(d, d, false);
    scratch->work = tg_arena_alloc(arena, work > pair ? work : pair, sizeof(double));
    return tg_arena_failed(arena) ? TG_NOMEM : TG_OK;
}

enum tg_err tg_svcca_cost(const struct tg_svcca_layer *layers, size_t nlayers,
                          const struct tg_svcca_options *options,
                          struct tg_svcca_cost *cost)
{
    struct tg_svcca svcca;
    struct tg_basis_scratch scratch = {0};
    struct tg_arena *arena = tg_arena_new_measuring();
    if (!arena)
        return TG_NOMEM;
    size_up(layers, nlayers, &svcca);
    enum tg_err err = layout(arena, layers, options, &svcca, &scratch);
    *cost = (struct tg_svcca_cost){.bytes = tg_arena_high_water(arena)};
    tg_arena_free(arena);
    double n = (double)svcca.n;
    for (size_t i = 0; i < nlayers; i++) {
        double d = (double)layers[i].mat.shape[1];
        cost->flops += 6 * n * d * d + 9 * d * d * d;
        cost->read_bytes += n * d * (double)tg_dtype_size(layers[i].mat.dtype);
        for (size_t j = 0; j < i; j++) {
            double e = (double)layers[j].mat.shape[1];
            cost->flops += 2 * n * d * e + 4 * d * e * fmin(d, e);
        }
    }
    return err;
}

/*
 * Mean singular value of the k_a x k_b leading block of m (ld columns); the list in rho.
 */
static enum tg_err mean_of_block(const struct tg_ctx *ctx, const double *m, int64_t ld,
                                 int64_t ka, int64_t kb,
                                 const struct tg_basis_scratch *scratch, double *rho,
                                 double *mean)
{
    /* The shorter side as rows: what the svd needs then grows with both sides. */
    bool flip = ka > kb;
    int64_t rows = flip ? kb : ka, cols = flip ? ka : kb;
    double *block = scratch->b, sum = 0;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            block[i * cols + j] = flip ? m[j * ld + i] : m[i * ld + j];
    TG_TRY(tg_svd(ctx, rows, cols, block, (size_t)cols, rho, NULL, 0, NULL, 0,
                  scratch->work));
    for (int64_t i = 0; i < rows; i++) {
        rho[i] = fmin(rho[i], 1); /* above 1 by rounding only */
        sum += rho[i];
    }
    *mean = sum / (double)rows;
    return TG_OK;
}

/*
 * Squared Frobenius norms of M and of S_a M S_b, in units of the largest singular values.
 */
static void norms(const struct tg_basis *a, const struct tg_basis *b, const double *m,
                  double *plain2, double *scaled2)
{
    *plain2 = *scaled2 = 0;
    for (int64_t i = 0; i < a->kept; i++) {
        double row = 0, scaled = 0;
        for (int64_t j = 0; j < b->kept; j++) {
            double x = m[i * b->kept + j], y = b->s[j] / b->s[0] * x;
            row += x * x;
            scaled += y * y;
        }
        *plain2 += row;
        *scaled2 += a->s[i] / a->s[0] * (a->s[i] / a->s[0]) * scaled;
    }
}

/* ||X^T X||_F^2 in units of s[0]^4. */
static double self_norm2(const struct tg_basis *a)
{
    double sum = 0;
    for (int64_t i = 0; i < a->rank; i++)
        sum += pow(a->s[i] / a->s[0], 4);
    return sum;
}

/*
 * The unbiased HSIC times n (n - 3), in feature space: with centred X and Y and the rows'
 * squared norms p and q, ||X^T Y||_F^2 - n/(n-2) p.q + sum(p) sum(q) / ((n-1)(n-2)).
 */
static double hsic(double product2, const struct tg_basis *a, const struct tg_basis *b)
{
    double n = (double)a->n, pq = 0, p = 0, q = 0;
    for (int64_t i = 0; i < a->n; i++) {
        pq += a->row_norm2[i] * b->row_norm2[i];
        p += a->row_norm2[i];
        q += b->row_norm2[i];
    }
    return product2 - n / (n - 2) * pq + p * q / ((n - 1) * (n - 2));
}

static enum tg_err compare(const struct tg_ctx *ctx,
                           const struct tg_svcca_options *options,
                           const struct tg_basis_scratch *scratch,
                           const struct tg_svcca *svcca, int64_t index)
{
    struct tg_svcca_pair *pair = &svcca->pair[index];
    const struct tg_basis *a = &svcca->basis[pair->a], *b = &svcca->basis[pair->b];
    if (a->rank == 0 || b->rank == 0)
        return TG_OK;

    double *m = scratch->a, plain2, product2;
    int64_t ld = b->kept, offset = index * svcca->max_d;
    TG_TRY(tg_gemm(ctx, TG_T, TG_N, a->kept, ld, svcca->n, 1, a->u, a->ldu, b->u,
                   b->ldu, 0, m, (size_t)ld));
    norms(a, b, m, &plain2, &product2);
    pair->null_cca_mean_squared =
        (double)(a->rank > b->rank ? a->rank : b->rank) / (double)(svcca->n - 1);
    pair->forced_ones = a->rank + b->rank - (svcca->n - 1);
    if (pair->forced_ones < 0)
        pair->forced_ones = 0;

    if (wants(options, TG_SVCCA_CCA)) {
        double *rho = svcca->cca_rho ? svcca->cca_rho + offset : scratch->w;
        pair->cca_mean_squared = fmin(plain2 / (double)least(a->rank, b->rank), 1);
        TG_TRY(
            mean_of_block(ctx, m, ld, a->rank, b->rank, scratch, rho, &pair->cca_mean));
    }
    if (wants(options, TG_SVCCA_SVCCA)) {
        for (int rule = 0; rule < TG_SVCCA_RULES; rule++) {
            bool headline = rule == (int)options->rule && svcca->svcca_rho;
            double *rho = headline ? svcca->svcca_rho + offset : scratch->w;
            TG_TRY(mean_of_block(ctx, m, ld, a->k[rule], b->k[rule], scratch, rho,
                                 &pair->svcca[rule]));
        }
    }
    if (wants(options, TG_SVCCA_CKA))
        pair->cka = fmin(product2 / sqrt(self_norm2(a) * self_norm2(b)), 1);
    if (wants(options, TG_SVCCA_CKA_DEBIASED)) {
        double a2 = self_norm2(a), b2 = self_norm2(b);
        double aa = hsic(a2, a, a), bb = hsic(b2, b, b);
        if (aa > rounding * a2 && bb > rounding * b2)
            pair->cka_debiased = hsic(product2, a, b) / (sqrt(aa) * sqrt(bb));
    }
    const struct tg_svcca_pair_work work = {svcca, index, a, b, m, scratch};
    for (size_t i = 0; i < options->nhooks; i++)
        if (options->hook[i].pair)
            TG_TRY(options->hook[i].pair(options->hook[i].arg, ctx, &work));
    return TG_OK;
}

/*
 * The symmetric matrix of each measure; 1 on the diagonal unless the layer never changes.
 */
static void fill_matrices(const struct tg_svcca_options *options, struct tg_svcca *svcca)
{
    int64_t l = svcca->nlayers;
    for (int i = 0; i < TG_SVCCA_MEASURES; i++) {
        double *matrix = svcca->matrix[i];
        if (!matrix)
            continue;
        for (int64_t k = 0; k < l; k++)
            matrix[k * l + k] = svcca->basis[k].rank ? 1 : NAN;
        for (int64_t k = 0; k < svcca->npairs; k++) {
            const struct tg_svcca_pair *pair = &svcca->pair[k];
            const double value[TG_SVCCA_MEASURES] = {pair->cca_mean,
                                                     pair->svcca[options->rule],
                                                     pair->cka, pair->cka_debiased};
            matrix[pair->a * l + pair->b] = matrix[pair->b * l + pair->a] = value[i];
        }
    }
}

enum tg_err tg_svcca_run(const struct tg_ctx *ctx, const struct tg_svcca_layer *layers,
                         size_t nlayers, const struct tg_svcca_options *options,
                         struct tg_svcca *svcca, struct tg_report *report)
{
    struct tg_basis_scratch scratch = {0};
    size_up(layers, nlayers, svcca);
    TG_TRY(layout(ctx->arena, layers, options, svcca, &scratch));
    const struct tg_basis_options basis_options = {
        .threshold = options->threshold,
        .rank_tolerance = options->rank_tolerance,
        .needs = needs_of(options)};

    for (int64_t i = 0; i < svcca->nlayers; i++) {
        tg_ctx_progress(ctx, "decomposing", (double)i, (double)nlayers, "layers");
        TG_TRY(tg_basis_make(ctx, &layers[i].mat, &basis_options, &scratch,
                             &svcca->basis[i], report));
        for (size_t k = 0; k < options->nhooks; k++)
            if (options->hook[k].layer)
                TG_TRY(options->hook[k].layer(options->hook[k].arg, ctx, i,
                                              &svcca->basis[i]));
    }
    int64_t index = 0;
    for (int64_t a = 0; a < svcca->nlayers; a++)
        for (int64_t b = a + 1; b < svcca->nlayers; b++, index++) {
            svcca->pair[index] = (struct tg_svcca_pair){.a = a,
                                                        .b = b,
                                                        .cca_mean = NAN,
                                                        .cca_mean_squared = NAN,
                                                        .null_cca_mean_squared = NAN,
                                                        .svcca = {NAN, NAN},
                                                        .cka = NAN,
                                                        .cka_debiased = NAN};
            TG_TRY(tg_ctx_poll(ctx));
            TG_TRY(compare(ctx, options, &scratch, svcca, index));
            tg_ctx_progress(ctx, "comparing", (double)(index + 1), (double)svcca->npairs,
                            "pairs");
        }
    fill_matrices(options, svcca);
    return TG_OK;
}
