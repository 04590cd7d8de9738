/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tables of samples by samples, a layer at a time, and the measures made of two of them. */
#include "svcca/samples.h"

#include <math.h>

#include "stats/selection.h"
#include "svcca/svcca.h"

enum {
    KERNELS = 1 << TG_SVCCA_CKA_RBF | 1 << TG_SVCCA_CKA_RBF_DEBIASED,
    BATCHES = 1 << TG_SVCCA_CKA_MINIBATCH
};

/* Flops that an exponential counts as. */
static const double exponential = 20;

bool tg_samples_wanted(uint64_t measures)
{
    return measures & (KERNELS | BATCHES);
}

/* Numbers of a table; SIZE_MAX where there is no such size. */
static size_t table_size(int64_t n)
{
    size_t count;
    return tg_mul_ok((size_t)tg_blocks(n), TG_BLOCK_SIZE, &count) ? count : SIZE_MAX;
}

bool tg_samples_held(const struct tg_samples_options *options, uint64_t measures, int64_t n,
                     size_t nlayers)
{
    size_t tables = measures & KERNELS ? nlayers : 0;
    return table_size(n) <= options->hold_bytes / sizeof(double) / (tables ? tables : 1);
}

static void layout_kernel(struct tg_arena *arena, bool held, struct tg_kernel *kernel)
{
    int64_t n = kernel->distance.n, d = kernel->distance.d;
    kernel->centre = tg_arena_alloc(arena, (size_t)n, sizeof(double));
    kernel->diagonal = tg_arena_alloc(arena, (size_t)n, sizeof(double));
    if (held)
        kernel->block = tg_arena_alloc(arena, table_size(n), sizeof(double));
    else
        kernel->distance.panel =
            tg_arena_alloc(arena, tg_distance_room(n, d), sizeof(double));
}

void tg_samples_layout(struct tg_arena *arena, const struct tg_samples_options *options,
                       uint64_t measures, int64_t n, int64_t d, bool held,
                       struct tg_samples *samples)
{
    *samples = (struct tg_samples){.kernel.distance = {.n = n, .d = d}};
    if (measures & KERNELS)
        layout_kernel(arena, held, &samples->kernel);
    if (measures & BATCHES)
        tg_batches_layout(arena, n, options->batch_size, &samples->batches);
}

void tg_samples_layout_scratch(struct tg_arena *arena,
                               const struct tg_samples_options *options, uint64_t measures,
                               int64_t n, int64_t d, bool held,
                               struct tg_samples_scratch *scratch)
{
    *scratch = (struct tg_samples_scratch){0};
    if (measures & KERNELS) {
        scratch->buffer = tg_arena_alloc(arena, TG_BLOCK_BUFFER, sizeof(double));
        scratch->count = tg_arena_alloc(arena, TG_SELECTION_COUNTS, sizeof(int64_t));
    }
    if (measures & KERNELS && held)
        scratch->panel = tg_arena_alloc(arena, tg_distance_room(n, d), sizeof(double));
    if (measures & BATCHES)
        scratch->rows =
            tg_arena_alloc(arena, tg_batches_work(n, options->batch_size, d), sizeof(double));
}

double tg_samples_layer_flops(const struct tg_samples_options *options, uint64_t measures,
                              int64_t n, int64_t d)
{
    double pairs = (double)n * (double)n / 2, flops = 0;
    if (measures & KERNELS)
        flops += tg_distance_flops(n, d) + pairs * (exponential + 10);
    if (measures & BATCHES)
        flops += tg_batches_layer_flops(n, options->batch_size, d);
    return flops;
}

double tg_samples_pair_flops(const struct tg_samples_options *options, uint64_t measures,
                             int64_t n, int64_t da, int64_t db, bool held)
{
    double pairs = (double)n * (double)n / 2, flops = 0;
    if (measures & KERNELS)
        flops += 2 * pairs;
    if (measures & KERNELS && !held)
        flops += tg_distance_flops(n, da + db) + 2 * pairs * exponential;
    if (measures & BATCHES)
        flops += tg_batches_pair_flops(n, options->batch_size);
    return flops;
}

static enum tg_err make_kernel(const struct tg_ctx *ctx,
                               const struct tg_samples_options *options,
                               const struct tg_samples_scratch *scratch,
                               const struct tg_mat *mat, double scale,
                               struct tg_kernel *kernel)
{
    int64_t without, first;
    if (kernel->block)
        kernel->distance.panel = scratch->panel;
    TG_TRY(tg_distance_pack(ctx, TG_METRIC_EUCLIDEAN, mat, scale, &kernel->distance, &without,
                            &first));
    return tg_kernel_make(ctx, options->rbf_bandwidth, scratch->buffer, scratch->count,
                          kernel);
}

enum tg_err tg_samples_make(const struct tg_ctx *ctx, const struct tg_samples_options *options,
                            uint64_t measures, const struct tg_samples_scratch *scratch,
                            const struct tg_mat *mat, const struct tg_basis *basis,
                            struct tg_samples *samples)
{
    if (measures & KERNELS)
        TG_TRY(make_kernel(ctx, options, scratch, mat, basis->scale, &samples->kernel));
    if (measures & BATCHES)
        TG_TRY(tg_batches_make(ctx, options->batch_order, basis, scratch->rows,
                               &samples->batches));
    return TG_OK;
}

static enum tg_err compare_kernels(const struct tg_ctx *ctx,
                                   const struct tg_samples_scratch *scratch,
                                   const struct tg_kernel *a, const struct tg_kernel *b,
                                   struct tg_svcca_pair *pair)
{
    int64_t n = a->distance.n;
    double product;
    if (!a->defined || !b->defined)
        return TG_OK;
    TG_TRY(tg_kernel_product(ctx, a, b, scratch->buffer, &product));
    pair->cka_rbf = fmin(product / (sqrt(a->norm2) * sqrt(b->norm2)), 1);
    double aa = tg_hsic_unbiased(n, a->norm2, a->diagonal, a->trace, a->diagonal, a->trace);
    double bb = tg_hsic_unbiased(n, b->norm2, b->diagonal, b->trace, b->diagonal, b->trace);
    double ab = tg_hsic_unbiased(n, product, a->diagonal, a->trace, b->diagonal, b->trace);
    if (aa > TG_HSIC_ROUNDING * a->norm2 && bb > TG_HSIC_ROUNDING * b->norm2)
        pair->cka_rbf_debiased = ab / (sqrt(aa) * sqrt(bb));
    return TG_OK;
}

enum tg_err tg_samples_compare(const struct tg_ctx *ctx, uint64_t measures,
                               const struct tg_samples_scratch *scratch,
                               const struct tg_samples *a, const struct tg_samples *b,
                               struct tg_svcca_pair *pair)
{
    if (measures & KERNELS)
        TG_TRY(compare_kernels(ctx, scratch, &a->kernel, &b->kernel, pair));
    if (measures & BATCHES)
        TG_TRY(tg_batches_compare(ctx, &a->batches, &b->batches, scratch->rows,
                                  &pair->cka_minibatch));
    return TG_OK;
}
