/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Blocks of a layer's Fourier coefficients as real matrices. */
#include "svcca/dft_block.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/rng.h"
#include "linalg/linalg.h"

enum { COLS = 64, ROWS = 512, SEED = 1706 };

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

struct embedding {
    const struct tg_ctx *ctx;
    const double *block;    /* weight x n x units */
    struct tg_dft_layer *layer;
    double *mean, *peak;    /* weight x units */
    const int64_t *unit;    /* those that change */
    int64_t units;
};

/* Means of a tile of columns, and how far entries are from them. */
static enum tg_err measure_columns(void *arg, int64_t tile, unsigned lane)
{
    (void)lane;
    const struct embedding *job = arg;
    const struct tg_places *p = &job->layer->fourier.places;
    int64_t tiles = (p->units + COLS - 1) / COLS, part = tile / tiles;
    int64_t col = tile % tiles * COLS, m = least(COLS, p->units - col);
    const double *z = job->block + part * p->n * p->units + col;
    double sum[COLS] = {0}, *mean = job->mean + part * p->units + col;
    double *peak = job->peak + part * p->units + col;
    for (int64_t i = 0; i < p->n; i++)
        for (int64_t j = 0; j < m; j++)
            sum[j] += z[i * p->units + j];
    for (int64_t j = 0; j < m; j++) {
        mean[j] = sum[j] / (double)p->n;
        peak[j] = 0;
    }
    for (int64_t i = 0; i < p->n; i++)
        for (int64_t j = 0; j < m; j++)
            peak[j] = fmax(peak[j], fabs(z[i * p->units + j] - mean[j]));
    return TG_OK;
}

/* Rows i and n + i of the real matrix, for a tile of samples, and their squared norms. */
static enum tg_err pack_rows(void *arg, int64_t tile, unsigned lane)
{
    (void)lane;
    const struct embedding *job = arg;
    struct tg_basis *basis = &job->layer->basis;
    int64_t n = job->layer->fourier.places.n, d = job->layer->fourier.places.units;
    bool complex = job->layer->weight == 2;
    for (int64_t i = tile * ROWS; i < least((tile + 1) * ROWS, n); i++) {
        double *upper = basis->x + i * basis->d, *lower = upper + n * basis->d, sum = 0;
        for (int64_t q = 0; q < job->units; q++) {
            int64_t j = job->unit[q];
            double re = job->block[i * d + j] - job->mean[j];
            upper[q] = re;
            sum += re * re;
            if (!complex)
                continue;
            double im = job->block[(n + i) * d + j] - job->mean[d + j];
            upper[job->units + q] = -im;
            lower[q] = im;
            lower[job->units + q] = re;
            sum += im * im;
        }
        basis->x_row2[i] = sum;
        if (complex)
            basis->x_row2[n + i] = sum;
    }
    return TG_OK;
}

enum tg_err tg_dft_embed(const struct tg_ctx *ctx, const struct tg_dft_scratch *scratch,
                         int64_t fy, int64_t fx, const double *block,
                         struct tg_dft_layer *layer)
{
    const struct tg_places *p = &layer->fourier.places;
    struct tg_basis *basis = &layer->basis;
    layer->weight = tg_fourier_is_real(p, fy, fx) ? 1 : 2;
    layer->at = tg_fourier_index(p, fy, fx);
    struct embedding job = {ctx,
                            block,
                            layer,
                            scratch->basis.peak,
                            scratch->basis.w,
                            scratch->basis.column,
                            0};
    *basis = (struct tg_basis){.name = layer->name,
                               .n = layer->weight * p->n,
                               .d = layer->weight * p->units,
                               .scale = 1,
                               .x_row2 = basis->x_row2,
                               .s = basis->s,
                               .x = basis->memory.x,
                               .memory = basis->memory,
                               .condition = NAN,
                               .orthogonality = NAN,
                               .gram_norm2 = NAN};
    TG_TRY(tg_ctx_parallel(ctx, layer->weight * ((p->units + COLS - 1) / COLS),
                           measure_columns, &job));
    for (int64_t j = 0; j < p->units; j++)
        if (job.peak[j] > 0 || (layer->weight == 2 && job.peak[p->units + j] > 0))
            scratch->basis.column[job.units++] = j;
    basis->columns = layer->weight * job.units;
    basis->rank = job.units ? -1 : 0;
    TG_TRY(tg_ctx_parallel(ctx, (p->n + ROWS - 1) / ROWS, pack_rows, &job));
    for (int64_t i = 0; i < basis->n; i++)
        basis->norm2 += basis->x_row2[i];
    return TG_OK;
}

/* y = Z z of the frequency at hand into scratch->product; z is the same in both passes. */
static enum tg_err probe(const struct tg_ctx *ctx, const struct tg_dft_scratch *scratch,
                         const struct tg_dft_layer *layer)
{
    const struct tg_basis *basis = &layer->basis;
    int64_t units = basis->columns / layer->weight;
    for (int64_t q = 0; q < units; q++)
        for (int64_t part = 0; part < layer->weight; part++) {
            double *z = scratch->z + (part * units + q) * TG_DFT_PROBES;
            int64_t draw = (2 * scratch->basis.column[q] + part) * TG_DFT_PROBES;
            tg_rng_normal(SEED, (uint64_t)layer->at, (uint64_t)draw, TG_DFT_PROBES, z);
            for (int k = 0; k < TG_DFT_PROBES; k++) /* E |z|^2 = 1 */
                z[k] /= sqrt((double)layer->weight);
        }
    return tg_gemm(ctx, TG_N, TG_N, basis->n, TG_DFT_PROBES, basis->columns, 1, basis->x,
                   (size_t)basis->d, scratch->z, TG_DFT_PROBES, 0, scratch->product,
                   TG_DFT_PROBES);
}

enum tg_err tg_dft_survey(const struct tg_ctx *ctx, const struct tg_dft_scratch *scratch,
                          struct tg_dft_layer *layer)
{
    const struct tg_basis *basis = &layer->basis;
    int64_t w = layer->weight, units = basis->columns / w, n = layer->fourier.places.n;
    double *s = layer->s + layer->at * layer->fourier.places.units;
    memset(s, 0, (size_t)layer->fourier.places.units * sizeof(*s));
    if (!units)
        return TG_OK;
    TG_TRY(probe(ctx, scratch, layer));
    for (int64_t i = 0; i < n * TG_DFT_PROBES; i++) /* y of the conjugate is conj y */
        layer->y[i] += (double)w * scratch->product[i];
    TG_TRY(tg_basis_values(ctx, &scratch->basis, basis, basis->s));
    for (int64_t j = 0; j < units; j++)
        s[j] = (basis->s[w * j] + basis->s[w * j + w - 1]) / 2;
    return TG_OK;
}

/* |Z^H (Y - Z z)|^2 of every probe, for the frequency and its conjugate. */
static enum tg_err measure_off_block(const struct tg_ctx *ctx,
                                     const struct tg_dft_scratch *scratch,
                                     struct tg_dft_layer *layer)
{
    const struct tg_basis *basis = &layer->basis;
    int64_t n = layer->fourier.places.n * TG_DFT_PROBES;
    double *rest = scratch->product;
    TG_TRY(probe(ctx, scratch, layer));
    for (int64_t i = 0; i < layer->weight * n; i++)
        rest[i] = (i < n ? layer->y[i] : 0) - rest[i];
    TG_TRY(tg_gemm(ctx, TG_T, TG_N, basis->columns, TG_DFT_PROBES, basis->n, 1, basis->x,
                   (size_t)basis->d, rest, TG_DFT_PROBES, 0, scratch->t, TG_DFT_PROBES));
    for (int64_t i = 0; i < basis->columns * TG_DFT_PROBES; i++)
        layer->off[i % TG_DFT_PROBES] += (double)layer->weight * scratch->t[i] * scratch->t[i];
    return TG_OK;
}

static void add_rows(struct tg_dft_layer *layer)
{
    const struct tg_basis *basis = &layer->basis;
    double w = (double)layer->weight, sum = 0;
    for (int64_t i = 0; i < layer->fourier.places.n; i++) {
        layer->row2[i] += w * basis->x_row2[i];
        layer->row4 += w * basis->x_row2[i] * basis->x_row2[i];
        sum += basis->x_row2[i];
    }
    layer->norm4 += w * sum * sum;
}

enum tg_err tg_dft_decompose(const struct tg_ctx *ctx, const struct tg_dft_scratch *scratch,
                             struct tg_dft_layer *layer, struct tg_report *report)
{
    struct tg_basis *basis = &layer->basis;
    char key[TG_KEY_MAX];
    int64_t rank = layer->rank[layer->at];
    add_rows(layer);
    if (basis->columns)
        TG_TRY(measure_off_block(ctx, scratch, layer));
    if (rank == 0) {
        basis->rank = 0;
        return TG_OK;
    }
    const struct tg_basis_options options = {
        .threshold = 1,
        .rank_tolerance = layer->limit / layer->s[layer->at * layer->fourier.places.units],
        .needs = TG_BASIS_S | TG_BASIS_ALL};
    int length = snprintf(key, sizeof(key), "%s dft %lld", layer->key ? layer->key : "",
                          (long long)layer->at);
    bool named = layer->key && length > 0 && length < TG_KEY_MAX;
    TG_TRY(tg_basis_decompose(ctx, &options, &scratch->basis, named ? key : NULL, basis,
                              report));
    basis->rank = least(basis->rank, rank); /* where rounding decides, the first pass does */
    for (int rule = 0; rule < TG_SVCCA_RULES; rule++)
        basis->k[rule] = least(layer->k[rule][layer->at], basis->rank);
    layer->error = fmax(layer->error, basis->error);
    layer->orthogonality = fmax(layer->orthogonality, basis->orthogonality);
    if (basis->route > layer->route)
        layer->route = basis->route;
    return TG_OK;
}

/* Sum of fourth powers of the singular values of all blocks: their ||Z^H Z||_F^2. */
static double block_energy(const struct tg_dft_layer *layer)
{
    int64_t units = layer->fourier.places.units;
    double sum = 0;
    for (int64_t f = 0; f < layer->nfrequencies; f++)
        for (int64_t j = 0; j < units; j++)
            sum += (double)layer->weights[f] * pow(layer->s[f * units + j], 4);
    return sum;
}

struct tg_dft_gauge tg_dft_gauge(const struct tg_dft_layer *layer)
{
    double n = (double)layer->fourier.places.n, block = block_energy(layer);
    double off = 0, spread = 0, row4 = 0, norm = 0;
    for (int k = 0; k < TG_DFT_PROBES; k++)
        off += layer->off[k] / TG_DFT_PROBES;
    for (int k = 0; k < TG_DFT_PROBES; k++)
        spread += (layer->off[k] - off) * (layer->off[k] - off);
    double sd = sqrt(spread / (TG_DFT_PROBES * (TG_DFT_PROBES - 1.0)));
    for (int64_t i = 0; i < layer->fourier.places.n; i++) {
        row4 += layer->row2[i] * layer->row2[i];
        norm += layer->row2[i];
    }
    double own = n / (n - 2) * layer->row4 - layer->norm4 / ((n - 1) * (n - 2));
    double all = n / (n - 2) * row4 - norm * norm / ((n - 1) * (n - 2));
    double rest = off - (all - own), blocks = block - own, sum = rest + blocks;
    double total = off + block;
    bool defined = blocks > 0 && sum > 0;
    return (struct tg_dft_gauge){.share = total > 0 ? off / total : NAN,
                                 .unbiased = defined ? rest / sum : NAN,
                                 .share_sd = total > 0 ? sd * block / (total * total) : NAN,
                                 .unbiased_sd = defined ? sd * blocks / (sum * sum) : NAN};
}
