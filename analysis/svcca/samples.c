/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tables of samples by samples, a layer at a time, and the measures made of two of them. */
#include "svcca/samples.h"

#include <math.h>

#include "stats/selection.h"
#include "svcca/svcca.h"

enum {
    KERNELS = 1 << TG_SVCCA_CKA_RBF | 1 << TG_SVCCA_CKA_RBF_DEBIASED,
    BATCHES = 1 << TG_SVCCA_CKA_MINIBATCH,
    VALUES = 1 << TG_SVCCA_RSA_PEARSON | 1 << TG_SVCCA_RSA_COSINE | 1 << TG_SVCCA_RSA_WHITENED,
    KENDALL = 1 << TG_SVCCA_RSA_KENDALL,
    SPEARMAN = 1 << TG_SVCCA_RSA_SPEARMAN,
    RANKS = KENDALL | SPEARMAN,
    NEIGHBOURS = 1 << TG_SVCCA_KNN
};

/* Flops that an exponential counts as, and an entry's way through the sort. */
static const double exponential = 20, sorting = 60;

bool tg_samples_wanted(uint64_t measures)
{
    return measures & (KERNELS | BATCHES | VALUES | RANKS | NEIGHBOURS);
}

/* Numbers of a table; SIZE_MAX where there is no such size. */
static size_t table_size(int64_t n)
{
    size_t count;
    return tg_mul_ok((size_t)tg_blocks(n), TG_BLOCK_SIZE, &count) ? count : SIZE_MAX;
}

/* Tables that a layer has; the list of its pairs in order counts as one. */
static size_t tables_of(uint64_t measures)
{
    return (size_t)((measures & KERNELS) != 0) + (size_t)((measures & VALUES) != 0) +
           (size_t)((measures & RANKS) != 0) + (size_t)((measures & KENDALL) != 0);
}

bool tg_samples_held(const struct tg_samples_options *options, uint64_t measures, int64_t n,
                     size_t nlayers)
{
    size_t tables = tables_of(measures) * nlayers;
    return table_size(n) <= options->hold_bytes / sizeof(double) / (tables ? tables : 1);
}

static double *take(struct tg_arena *arena, size_t count)
{
    return tg_arena_alloc(arena, count, sizeof(double));
}

/* The tables of these measures. */
static void layout_tables(struct tg_arena *arena, uint64_t measures, int64_t n,
                          struct tg_samples *samples)
{
    if (measures & KERNELS)
        samples->kernel.block = take(arena, table_size(n));
    if (measures & VALUES)
        samples->rdm.value.block = take(arena, table_size(n));
    if (measures & RANKS)
        samples->rdm.rank.block = take(arena, table_size(n));
    if (measures & KENDALL)
        samples->rdm.order =
            tg_arena_alloc(arena, (size_t)tg_rank_pairs(n), sizeof(*samples->rdm.order));
}

/* Those that are looked up in; of Kendall's tau entries are, in blocks. */
static void layout_whole(struct tg_arena *arena, uint64_t measures, int64_t n,
                         struct tg_samples *samples)
{
    size_t square;
    if (!tg_mul_ok((size_t)n, (size_t)n, &square))
        square = SIZE_MAX; /* more than any arena has */
    if (measures & KERNELS)
        samples->kernel.whole = take(arena, square);
    if (measures & VALUES)
        samples->rdm.value.whole = take(arena, square);
    if (measures & SPEARMAN)
        samples->rdm.rank.whole = take(arena, square);
}

static void layout_neighbours(struct tg_arena *arena, int64_t n, int64_t k,
                              struct tg_neighbours *neighbours)
{
    size_t count;
    if (!tg_mul_ok((size_t)n, (size_t)k, &count))
        count = SIZE_MAX; /* more than any arena has */
    *neighbours = (struct tg_neighbours){.n = n, .k = k};
    neighbours->of = tg_arena_alloc(arena, count, sizeof(*neighbours->of));
    neighbours->popular = tg_arena_alloc(arena, (size_t)n, sizeof(*neighbours->popular));
}

void tg_samples_layout(struct tg_arena *arena, const struct tg_samples_options *options,
                       uint64_t measures, int64_t n, int64_t d, bool held,
                       struct tg_samples *samples)
{
    const struct tg_distance distance = {.n = n, .d = d};
    *samples = (struct tg_samples){.kernel.distance = distance, .rdm.distance = distance};
    if (held)
        layout_tables(arena, measures, n, samples);
    if (measures & KERNELS) {
        samples->kernel.centre = take(arena, (size_t)n);
        samples->kernel.diagonal = take(arena, (size_t)n);
    }
    if (measures & KERNELS && !held)
        samples->kernel.distance.panel = take(arena, tg_distance_room(n, d));
    if (measures & (VALUES | RANKS))
        samples->rdm.value.row = take(arena, (size_t)n);
    if (measures & RANKS)
        samples->rdm.rank.row = take(arena, (size_t)n);
    if (measures & (VALUES | RANKS) && !held)
        samples->rdm.distance.panel = take(arena, tg_distance_room(n, d));
    if (measures & BATCHES)
        tg_batches_layout(arena, n, options->batch_size, &samples->batches);
    if (measures & NEIGHBOURS)
        layout_neighbours(arena, n, options->neighbours, &samples->neighbours);
}

void tg_samples_layout_work(struct tg_arena *arena, const struct tg_samples_options *options,
                            uint64_t measures, int64_t n, struct tg_samples_work *work)
{
    *work = (struct tg_samples_work){0};
    if (tables_of(measures))
        work->buffer = take(arena, TG_BLOCK_SIZE);
    if (measures & KERNELS)
        work->diagonal = take(arena, (size_t)n);
    if (measures & KENDALL)
        work->list = take(arena, 2 * (size_t)tg_rank_pairs(n));
    if (measures & BATCHES) /* as many numbers as there are batches are fewer */
        work->batch = take(arena, tg_batches_work(n, options->batch_size, 1));
}

/* Measures whose tables a pair has for itself. */
static uint64_t made_for_pairs(const struct tg_samples_options *options, uint64_t measures,
                               bool held)
{
    return held ? 0 : options->whole_tables ? measures : measures & RANKS;
}

void tg_samples_layout_scratch(struct tg_arena *arena,
                               const struct tg_samples_options *options, uint64_t measures,
                               int64_t n, int64_t d, bool held,
                               struct tg_samples_scratch *scratch)
{
    *scratch = (struct tg_samples_scratch){0};
    if (measures & (KERNELS | VALUES | RANKS | NEIGHBOURS))
        scratch->buffer = take(arena, TG_BLOCK_BUFFER);
    if (measures & KERNELS)
        scratch->count = tg_arena_alloc(arena, TG_SELECTION_COUNTS, sizeof(int64_t));
    if (measures & NEIGHBOURS || (tables_of(measures) && held))
        scratch->panel = take(arena, tg_distance_room(n, d));
    if (measures & NEIGHBOURS)
        scratch->apart = take(arena, (size_t)n * (size_t)options->neighbours);
    if (measures & BATCHES)
        scratch->rows = take(arena, tg_batches_work(n, options->batch_size, d));
    if (measures & RANKS) {
        size_t twice = 2 * (size_t)tg_rank_pairs(n);
        scratch->rank.key = tg_arena_alloc(arena, twice, sizeof(*scratch->rank.key));
        scratch->rank.pair = tg_arena_alloc(arena, twice, sizeof(*scratch->rank.pair));
    }
    for (int i = 0; i < 2; i++)
        layout_tables(arena, made_for_pairs(options, measures, held), n, &scratch->pair[i]);
    if (options->whole_tables)
        layout_whole(arena, measures, n, &scratch->shuffled);
    tg_samples_layout_work(arena, options, measures, n, &scratch->work);
}

double tg_samples_layer_flops(const struct tg_samples_options *options, uint64_t measures,
                              int64_t n, int64_t d)
{
    double pairs = (double)n * (double)n / 2, flops = 0;
    if (measures & KERNELS)
        flops += tg_distance_flops(n, d) + pairs * (exponential + 10);
    if (measures & (VALUES | RANKS))
        flops += tg_distance_flops(n, d) + pairs * 10;
    if (measures & RANKS)
        flops += pairs * sorting;
    if (measures & NEIGHBOURS)
        flops += tg_distance_flops(n, d) + pairs * 10;
    if (measures & BATCHES)
        flops += tg_batches_layer_flops(n, options->batch_size, d);
    return flops;
}

double tg_samples_compare_flops(const struct tg_samples_options *options, uint64_t measures,
                                int64_t n)
{
    double pairs = (double)n * (double)n / 2, flops = 0;
    flops += 2 * pairs * (double)tables_of(measures & ~(uint64_t)KENDALL);
    if (measures & KENDALL)
        flops += pairs * 6 * log2(pairs);
    if (measures & NEIGHBOURS)
        flops += (double)n * (double)options->neighbours * log2(2 * (double)options->neighbours);
    if (measures & BATCHES)
        flops += tg_batches_pair_flops(n, options->batch_size);
    return flops;
}

double tg_samples_pair_flops(const struct tg_samples_options *options, uint64_t measures,
                             int64_t n, int64_t da, int64_t db, bool held)
{
    double pairs = (double)n * (double)n / 2;
    double flops = tg_samples_compare_flops(options, measures, n);
    if (measures & KERNELS && !held)
        flops += tg_distance_flops(n, da + db) + 2 * pairs * exponential;
    if (measures & VALUES && !held)
        flops += tg_distance_flops(n, da + db);
    if (measures & RANKS && !held)
        flops += tg_distance_flops(n, da + db) + 2 * pairs * sorting;
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

static enum tg_err make_rdm(const struct tg_ctx *ctx, const struct tg_samples_options *options,
                            uint64_t measures, struct tg_samples_scratch *scratch,
                            const struct tg_mat *mat, double scale, struct tg_rdm *rdm)
{
    bool held = rdm->value.block || rdm->rank.block;
    rdm->root = options->rsa == TG_RDM_EUCLIDEAN;
    rdm->ranked = measures & RANKS;
    if (held)
        rdm->distance.panel = scratch->panel;
    else
        rdm->rank.block = scratch->pair[0].rdm.rank.block; /* until their sums are known */
    TG_TRY(tg_distance_pack(ctx, tg_rdm_metric(options->rsa), mat, scale, &rdm->distance,
                            &rdm->without, &rdm->first));
    if (!rdm->without)
        TG_TRY(tg_rdm_make(ctx, &scratch->rank, scratch->buffer, rdm));
    if (!held)
        rdm->rank.block = NULL;
    return TG_OK;
}

static enum tg_err make_neighbours(const struct tg_ctx *ctx,
                                   const struct tg_samples_options *options,
                                   const struct tg_samples_scratch *scratch,
                                   const struct tg_mat *mat, double scale,
                                   struct tg_neighbours *neighbours)
{
    struct tg_distance distance = {
        .n = neighbours->n, .d = mat->shape[1], .panel = scratch->panel};
    TG_TRY(tg_distance_pack(ctx, options->metric, mat, scale, &distance, &neighbours->without,
                            &neighbours->first));
    return tg_neighbours_make(ctx, &distance, scratch->apart, scratch->buffer, neighbours);
}

enum tg_err tg_samples_make(const struct tg_ctx *ctx, const struct tg_samples_options *options,
                            uint64_t measures, struct tg_samples_scratch *scratch,
                            const struct tg_mat *mat, const struct tg_basis *basis,
                            struct tg_samples *samples)
{
    if (measures & KERNELS)
        TG_TRY(make_kernel(ctx, options, scratch, mat, basis->scale, &samples->kernel));
    if (measures & (VALUES | RANKS))
        TG_TRY(make_rdm(ctx, options, measures, scratch, mat, basis->scale, &samples->rdm));
    if (measures & NEIGHBOURS)
        TG_TRY(make_neighbours(ctx, options, scratch, mat, basis->scale,
                               &samples->neighbours));
    if (measures & BATCHES)
        TG_TRY(tg_batches_make(ctx, options->batch_order, basis, scratch->rows,
                               &samples->batches));
    return TG_OK;
}

static enum tg_err hold(const struct tg_ctx *ctx, struct tg_samples_scratch *scratch,
                        const struct tg_samples *from, struct tg_samples *to)
{
    double *block = to->kernel.block;
    to->kernel = from->kernel;
    to->kernel.block = block;
    to->batches = from->batches;
    to->neighbours = from->neighbours;
    if (block && from->kernel.defined)
        TG_TRY(tg_kernel_hold(ctx, &from->kernel, block, scratch->buffer));
    return tg_rdm_hold(ctx, &from->rdm, &scratch->rank, scratch->buffer, &to->rdm);
}

/* A layer whose tables are there, with these unfolded. */
static enum tg_err unfold(const struct tg_ctx *ctx, double *buffer,
                          const struct tg_samples *from, struct tg_samples *to)
{
    double *kernel = to->kernel.whole, *value = to->rdm.value.whole, *rank = to->rdm.rank.whole;
    int64_t n = from->rdm.distance.n;
    *to = *from;
    to->kernel.whole = kernel;
    to->rdm.value.whole = value;
    to->rdm.rank.whole = rank;
    if (kernel && from->kernel.defined)
        TG_TRY(tg_table_unfold(ctx, n, from->kernel.block, buffer, kernel));
    if (value && tg_rdm_is_defined(&from->rdm))
        TG_TRY(tg_table_unfold(ctx, n, from->rdm.value.block, buffer, value));
    if (rank && tg_rdm_is_defined(&from->rdm))
        TG_TRY(tg_table_unfold(ctx, n, from->rdm.rank.block, buffer, rank));
    return TG_OK;
}

enum tg_err tg_samples_pair(const struct tg_ctx *ctx, const struct tg_samples_options *options,
                            uint64_t measures, bool held, struct tg_samples_scratch *scratch,
                            const struct tg_samples *layer[2], const struct tg_samples *pair[2])
{
    bool anew = tables_of(made_for_pairs(options, measures, held));
    for (int i = 0; i < 2; i++) {
        pair[i] = anew ? &scratch->pair[i] : layer[i];
        if (anew)
            TG_TRY(hold(ctx, scratch, layer[i], &scratch->pair[i]));
    }
    if (options->whole_tables) {
        TG_TRY(unfold(ctx, scratch->buffer, pair[1], &scratch->shuffled));
        pair[1] = &scratch->shuffled;
    }
    return TG_OK;
}

static enum tg_err compare_kernels(const struct tg_ctx *ctx, const struct tg_samples_work *work,
                                   const struct tg_kernel *a, const struct tg_kernel *b,
                                   const int64_t *map, struct tg_svcca_pair *pair)
{
    int64_t n = a->distance.n;
    double product;
    if (!a->defined || !b->defined)
        return TG_OK;
    TG_TRY(tg_kernel_product(ctx, a, b, map, work->buffer, &product));
    for (int64_t i = 0; i < n; i++)
        work->diagonal[i] = b->diagonal[map ? map[i] : i];
    pair->cka_rbf = fmin(product / (sqrt(a->norm2) * sqrt(b->norm2)), 1);
    double aa = tg_hsic_unbiased(n, a->norm2, a->diagonal, a->trace, a->diagonal, a->trace);
    double bb = tg_hsic_unbiased(n, b->norm2, b->diagonal, b->trace, b->diagonal, b->trace);
    double ab = tg_hsic_unbiased(n, product, a->diagonal, a->trace, work->diagonal, b->trace);
    if (aa > TG_HSIC_ROUNDING * a->norm2 && bb > TG_HSIC_ROUNDING * b->norm2)
        pair->cka_rbf_debiased = ab / (sqrt(aa) * sqrt(bb));
    return TG_OK;
}

static enum tg_err compare_rdms(const struct tg_ctx *ctx, uint64_t measures,
                                const struct tg_samples_work *work, const struct tg_rdm *a,
                                const struct tg_rdm *b, const int64_t *map,
                                struct tg_svcca_pair *pair)
{
    unsigned wants = (measures & VALUES ? TG_RDM_VALUES : 0U) |
                     (measures & SPEARMAN ? TG_RDM_SPEARMAN : 0U) |
                     (measures & KENDALL ? TG_RDM_KENDALL : 0U);
    struct tg_rdm_scores scores;
    if (!tg_rdm_is_defined(a) || !tg_rdm_is_defined(b))
        return TG_OK;
    TG_TRY(tg_rdm_compare(ctx, wants, a, b, map, work->buffer, work->list, &scores));
    pair->rsa_pearson = scores.pearson;
    pair->rsa_spearman = scores.spearman;
    pair->rsa_kendall = scores.kendall;
    pair->rsa_kendall_a = scores.kendall_a;
    pair->rsa_cosine = scores.cosine;
    pair->rsa_whitened = scores.whitened;
    return TG_OK;
}

enum tg_err tg_samples_compare(const struct tg_ctx *ctx, uint64_t measures,
                               const struct tg_samples_work *work, const struct tg_samples *a,
                               const struct tg_samples *b, const struct tg_samples_order *order,
                               struct tg_svcca_pair *pair)
{
    if (measures & KERNELS)
        TG_TRY(compare_kernels(ctx, work, &a->kernel, &b->kernel, order->map, pair));
    if (measures & (VALUES | RANKS))
        TG_TRY(compare_rdms(ctx, measures, work, &a->rdm, &b->rdm, order->map, pair));
    if (measures & NEIGHBOURS && !a->neighbours.without && !b->neighbours.without)
        TG_TRY(tg_neighbours_compare(ctx, &a->neighbours, &b->neighbours, order->map,
                                     &pair->knn));
    if (measures & BATCHES)
        TG_TRY(tg_batches_compare(ctx, &a->batches, &b->batches, order->within, work->batch,
                                  &pair->cka_minibatch));
    return TG_OK;
}
