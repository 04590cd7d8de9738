/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows in a new order, and the pair compared anew. */
#include "svcca/permute.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "stats/stats.h"
#include "svcca/pair.h"

enum { ROWS = 512, AT_ONCE = 64 };

/* Scores that differ by less are the same: the order of a sum is not. */
static const double rounding = 1e-12;

struct permuting {
    const struct tg_svcca_pair_work *work;
    const struct tg_permute *permute;
    struct tg_svcca_options options;
};

unsigned tg_permute_needs(const struct tg_svcca_options *options)
{
    /* With U at hand a permutation is one product; else it would be whitened anew. */
    return tg_pair_needs(options) & TG_BASIS_ALL ? TG_BASIS_U : 0;
}

double tg_permute_flops(const struct tg_svcca_options *options, int64_t n, int64_t d_a,
                        int64_t d_b)
{
    unsigned needs = tg_pair_needs(options) | tg_permute_needs(options);
    double da = (double)d_a, db = (double)d_b;
    double flops = tg_pair_flops(options, needs, (double)n, da, db);
    if (!(needs & (TG_BASIS_ALL | TG_BASIS_PRODUCT))) /* leading directions, a quarter */
        flops += 2 * (double)n * da * db / 16;
    return flops + tg_samples_compare_flops(&options->samples, options->measures, n);
}

static double *numbers(struct tg_arena *arena, int64_t rows, int64_t cols)
{
    size_t count;
    if (!tg_mul_ok((size_t)rows, (size_t)cols, &count))
        count = SIZE_MAX; /* more than any arena has */
    return tg_arena_alloc(arena, count, sizeof(double));
}

/* Whether the measures compare X with X, and whether U with U. */
static bool by_x(const struct tg_svcca_options *options)
{
    unsigned needs = tg_pair_needs(options);
    return needs & TG_BASIS_PRODUCT && !(needs & TG_BASIS_ALL);
}

static bool by_u(const struct tg_svcca_options *options)
{
    return tg_pair_needs(options) & (TG_BASIS_S | TG_BASIS_WHITE);
}

static struct tg_permute_lane layout_lane(struct tg_arena *arena,
                                          const struct tg_svcca_options *options, int64_t n,
                                          int64_t d)
{
    struct tg_permute_lane lane = {0};
    lane.scratch.a = numbers(arena, d, d);
    lane.scratch.b = numbers(arena, d, d);
    lane.scratch.c = numbers(arena, d, d);
    lane.scratch.w = numbers(arena, d, 1);
    lane.scratch.work = tg_arena_alloc(arena, tg_pair_work(d), sizeof(double));
    if (by_x(options))
        lane.x = numbers(arena, n, d);
    if (by_u(options))
        lane.u = numbers(arena, n, d);
    lane.row2 = numbers(arena, n, 1);
    lane.a = tg_arena_alloc(arena, (size_t)n, sizeof(*lane.a));
    lane.b = tg_arena_alloc(arena, (size_t)n, sizeof(*lane.b));
    if (!tg_samples_wanted(options->measures))
        return lane;
    lane.map = tg_arena_alloc(arena, (size_t)n, sizeof(*lane.map));
    lane.within = tg_arena_alloc(arena, (size_t)n, sizeof(*lane.within));
    lane.batch = tg_arena_alloc(arena, (size_t)n, sizeof(*lane.batch));
    tg_samples_layout_work(arena, &options->samples, options->measures, n, &lane.samples);
    return lane;
}

void tg_permute_layout(struct tg_arena *arena, unsigned lanes, struct tg_permute *permute)
{
    const struct tg_svcca_options *options = permute->options;
    double flops = tg_permute_flops(options, permute->n, permute->d, permute->d);
    permute->lanes = tg_replicate_lanes(flops, lanes);
    permute->lane = tg_arena_alloc(arena, permute->lanes, sizeof(*permute->lane));
    for (unsigned i = 0; i < permute->lanes; i++) {
        struct tg_permute_lane lane = layout_lane(arena, options, permute->n, permute->d);
        if (permute->lane)
            permute->lane[i] = lane;
    }
    permute->score = numbers(arena, TG_SCORES, permute->count + 1);
    permute->highest = numbers(arena, TG_SCORES, permute->count);
    for (int64_t i = 0; permute->highest && i < TG_SCORES * permute->count; i++)
        permute->highest[i] = -INFINITY;
}

/* The order that layer `layer` has in permutation t. */
static enum tg_err draw(const struct tg_ctx *ctx, uint64_t seed, int64_t layer, int64_t t,
                        int64_t n, int64_t *order)
{
    tg_rng_order(seed, (uint64_t)layer << 32 | (uint64_t)t, (size_t)n, order);
    return tg_ctx_poll(ctx);
}

/* Row b[i] of one matrix becomes row a[i] of another. */
struct gathering {
    const struct tg_permute_lane *lane;
    const double *from;
    size_t ld, columns;
    double *to;
    size_t ldt;
    int64_t n;
};

static enum tg_err gather_rows(void *arg, int64_t tile, unsigned lane)
{
    (void)lane;
    const struct gathering *job = arg;
    int64_t end = (tile + 1) * ROWS < job->n ? (tile + 1) * ROWS : job->n;
    for (int64_t i = tile * ROWS; i < end; i++)
        memcpy(job->to + (size_t)job->lane->a[i] * job->ldt,
               job->from + (size_t)job->lane->b[i] * job->ld,
               job->columns * sizeof(*job->to));
    return TG_OK;
}

static enum tg_err gather(const struct tg_ctx *ctx, struct gathering *job)
{
    return tg_ctx_parallel(ctx, (job->n + ROWS - 1) / ROWS, gather_rows, job);
}

/* Layer b with its samples in their new order against those of layer a. */
static enum tg_err shuffle(const struct tg_ctx *ctx, const struct tg_basis *b, bool with_x,
                           const struct tg_permute_lane *lane, struct tg_basis *shuffled)
{
    *shuffled = *b;
    shuffled->x = shuffled->u = NULL;
    shuffled->x_row2 = lane->row2;
    TG_TRY(gather(ctx, &(struct gathering){lane, b->x_row2, 1, 1, lane->row2, 1, b->n}));
    if (with_x) {
        shuffled->x = lane->x;
        TG_TRY(gather(ctx, &(struct gathering){lane, b->x, (size_t)b->d, (size_t)b->columns,
                                               lane->x, (size_t)b->d, b->n}));
    }
    if (with_x && !lane->u)
        return TG_OK;
    shuffled->u = lane->u ? lane->u : lane->x;
    shuffled->ldu = (size_t)b->kept;
    return gather(ctx, &(struct gathering){lane, b->u, b->ldu, (size_t)b->kept, shuffled->u,
                                           shuffled->ldu, b->n});
}

/* Row b[i] of layer b comes to row a[i] of layer a. */
static void compose(int64_t n, const int64_t *a, const int64_t *b, int64_t *map)
{
    for (int64_t i = 0; i < n; i++)
        map[a[i]] = b[i];
}

/* The scores of tables, which are looked up in the lane's orders. */
static enum tg_err permute_samples(const struct tg_ctx *ctx, const struct permuting *job,
                                   const struct tg_permute_lane *lane,
                                   struct tg_svcca_pair *pair)
{
    const struct tg_samples *a = job->work->samples_a, *b = job->work->samples_b;
    const struct tg_samples_order order = {lane->map, lane->within};
    int64_t n = job->permute->n;
    compose(n, lane->a, lane->b, lane->map);
    if (job->options.measures >> TG_SVCCA_CKA_MINIBATCH & 1) {
        /* the orders of a and of b in batches, by way of what `within` then is */
        tg_batches_within(&a->batches, lane->a, lane->within, lane->batch);
        memcpy(lane->a, lane->batch, (size_t)n * sizeof(*lane->a));
        tg_batches_within(&a->batches, lane->b, lane->within, lane->batch);
        compose(n, lane->a, lane->batch, lane->within);
    }
    return tg_samples_compare(ctx, job->options.measures, &lane->samples, a, b, &order, pair);
}

static enum tg_err permute_once(void *arg, const struct tg_ctx *ctx, int64_t t, unsigned lane)
{
    const struct permuting *job = arg;
    const struct tg_permute *permute = job->permute;
    const struct tg_permute_lane *own = &permute->lane[lane];
    const struct tg_svcca_pair *at = &job->work->svcca->pair[job->work->index];
    const struct tg_basis *a = job->work->a, *b = job->work->b;
    struct tg_svcca_pair pair = tg_svcca_pair_unknown(at->a, at->b);
    struct tg_basis shuffled;
    bool with_x = own->x && a->x && b->x, with_u = own->u || (own->x && !with_x);
    unsigned needs = tg_pair_needs(&job->options) | (with_x ? 0 : TG_BASIS_U);
    TG_TRY(draw(ctx, permute->seed, at->a, t, a->n, own->a));
    TG_TRY(draw(ctx, permute->seed, at->b, t, a->n, own->b));
    if (with_x || with_u) { /* else no measure is made of bases */
        TG_TRY(shuffle(ctx, b, with_x, own, &shuffled));
        TG_TRY(tg_pair_compare(ctx, &job->options, needs, &own->scratch, a, &shuffled, &pair,
                               NULL, NULL));
    }
    if (tg_samples_wanted(job->options.measures))
        TG_TRY(permute_samples(ctx, job, own, &pair));
    for (int i = 0; i < TG_SCORES; i++)
        permute->score[i * (permute->count + 1) + t] =
            tg_score_of(&job->options, &pair, (enum tg_score)i);
    return TG_OK;
}

/* Mean and standard deviation; NaN for fewer than two numbers. */
static void moments_of(const double *x, int64_t n, double *mean, double *sd)
{
    struct tg_moments moments = {0};
    tg_moments_add(&moments, (size_t)n, x);
    *mean = moments.mean;
    *sd = sqrt(tg_moments_variance(&moments));
}

/* z of every permutation, among all and the score itself, into `highest` where it is so. */
static double raise(const double *x, int64_t count, double *highest)
{
    double mean, sd;
    moments_of(x, count + 1, &mean, &sd);
    for (int64_t t = 0; sd > 0 && t < count; t++)
        highest[t] = fmax(highest[t], (x[t] - mean) / sd);
    return sd > 0 ? (x[count] - mean) / sd : NAN;
}

/* The numbers of one score from x[count], and x[count] the score itself. Sorts x. */
static struct tg_permuted summarise(double *x, int64_t count, double *highest)
{
    struct tg_permuted permuted = {NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    double itself = x[count], least = itself - rounding * fabs(itself);
    int64_t reached = 1;
    for (int64_t t = 0; t <= count; t++)
        if (!isfinite(x[t]))
            return permuted;
    permuted.z = raise(x, count, highest);
    moments_of(x, count, &permuted.mean, &permuted.sd);
    for (int64_t t = 0; t < count; t++)
        reached += x[t] >= least;
    permuted.p = (double)reached / (double)(count + 1);
    tg_sort(x, (size_t)count);
    permuted.median = tg_quantile(x, (size_t)count, 0.5);
    permuted.q95 = tg_quantile(x, (size_t)count, 0.95);
    permuted.q99 = tg_quantile(x, (size_t)count, 0.99);
    return permuted;
}

enum tg_err tg_permute_pair(const struct tg_ctx *ctx, const struct tg_svcca_pair_work *work,
                            struct tg_permute *permute,
                            struct tg_permuted permuted[TG_SCORES])
{
    struct permuting job = {work, permute, *permute->options};
    const struct tg_svcca *svcca = work->svcca;
    int64_t count = permute->count;
    job.options.both_rules = false; /* only the headline is told */
    for (int64_t t = 0; t < count; t += AT_ONCE) {
        int64_t some = count - t < AT_ONCE ? count - t : AT_ONCE;
        TG_TRY(tg_replicate(ctx, permute->lanes, t, some, permute_once, &job));
        tg_ctx_progress(ctx, "permuting", (double)(work->index * count + t + some),
                        (double)(svcca->npairs * count), "permutations");
    }
    for (int i = 0; i < TG_SCORES; i++) {
        double *x = permute->score + i * (count + 1);
        x[count] = tg_score_of(&job.options, &svcca->pair[work->index], (enum tg_score)i);
        permuted[i] = summarise(x, count, permute->highest + i * count);
    }
    return TG_OK;
}

double tg_permute_family_p(const struct tg_permute *permute, enum tg_score score, double z)
{
    const double *highest = permute->highest + score * permute->count;
    int64_t reached = 1;
    if (isnan(z))
        return NAN;
    for (int64_t t = 0; t < permute->count; t++)
        reached += highest[t] >= z - 1e-9;
    return (double)reached / (double)(permute->count + 1);
}
