/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dissimilarities by blocks, centred and ranked. */
#include "svcca/rdm.h"

#include <math.h>
#include <string.h>

/* Dissimilarities that differ by less, in sd over mean, are the same but for rounding. */
static const double rounding = 1e-13;

/* Numbers of a block that are added up: its sum of squares, of its rows and columns. */
enum { SUMS = 1 + 2 * TG_BLOCK_EDGE };

enum tg_metric tg_rdm_metric(enum tg_dissimilarity kind)
{
    switch (kind) {
    case TG_RDM_CORRELATION:
        return TG_METRIC_CORRELATION;
    case TG_RDM_COSINE:
        return TG_METRIC_COSINE;
    case TG_RDM_EUCLIDEAN:
    case TG_RDM_SQUARED:
        break;
    }
    return TG_METRIC_EUCLIDEAN;
}

bool tg_rdm_is_defined(const struct tg_rdm *rdm)
{
    return !rdm->without && rdm->varies;
}

/* Off the diagonal, over both halves. */
static double entries(int64_t n)
{
    return (double)n * (double)(n - 1);
}

static void make_raw(const struct tg_rdm *rdm, int64_t index, double *out)
{
    struct tg_block at = tg_block_at(rdm->distance.n, index);
    tg_distance_make(&rdm->distance, index, out);
    for (int64_t i = 0; rdm->root && i < at.rows; i++)
        for (int64_t j = 0; j < at.cols; j++)
            out[i * TG_BLOCK_EDGE + j] = sqrt(out[i * TG_BLOCK_EDGE + j]);
}

static void centre_block(double mean, struct tg_block at, double *block)
{
    for (int64_t i = 0; i < at.rows; i++)
        for (int64_t j = 0; j < at.cols; j++)
            block[i * TG_BLOCK_EDGE + j] -= mean;
    for (int64_t i = 0; at.row == at.col && i < at.rows; i++)
        block[i * TG_BLOCK_EDGE + i] = 0;
}

/* A pass over the tables of a layer. */
struct making {
    const struct tg_rdm *rdm;
    double *block;  /* where raw dissimilarities stay; may be NULL */
    double *centred; /* where those less their mean do; may be NULL */
    struct tg_rank_work *work;
    double sum;
    struct tg_centred *table; /* being summed */
};

static double *at_index(double *block, int64_t index)
{
    return block ? block + index * TG_BLOCK_SIZE : NULL;
}

/* Raw dissimilarities of a block, and their sum over both halves. */
static void make_values(void *arg, int64_t index, double *part)
{
    const struct making *job = arg;
    struct tg_block at = tg_block_at(job->rdm->distance.n, index);
    double scratch[TG_BLOCK_SIZE], *block = at_index(job->block, index);
    double sum = 0;
    if (!block)
        block = scratch;
    make_raw(job->rdm, index, block);
    for (int64_t i = 0; i < at.rows; i++)
        for (int64_t j = 0; j < at.cols; j++)
            sum += at.row + i == at.col + j ? 0 : block[i * TG_BLOCK_EDGE + j];
    *part = at.row == at.col ? sum : 2 * sum;
}

static void add_value(void *arg, int64_t index, const double *part)
{
    (void)index;
    struct making *job = arg;
    job->sum += *part;
}

/* The raw block, for what is to be ranked. */
static void copy_values(void *arg, int64_t index, double *part)
{
    const struct making *job = arg;
    if (job->block)
        memcpy(part, job->block + index * TG_BLOCK_SIZE, TG_BLOCK_SIZE * sizeof(*part));
    else
        make_raw(job->rdm, index, part);
}

static void collect(void *arg, int64_t index, const double *part)
{
    const struct making *job = arg;
    tg_rank_collect(job->work, job->rdm->distance.n, index, part);
}

/* Sums of a block that is centred. */
static void sum_block(struct tg_block at, const double *block, double *part)
{
    double square = 0;
    memset(part, 0, SUMS * sizeof(*part));
    for (int64_t i = 0; i < at.rows; i++)
        for (int64_t j = 0; j < at.cols; j++) {
            double x = block[i * TG_BLOCK_EDGE + j];
            square += x * x;
            part[1 + i] += x;
            part[1 + TG_BLOCK_EDGE + j] += x;
        }
    *part = at.row == at.col ? square : 2 * square;
}

/* From raw to centred, where it stays if there is room, and its sums. */
static void centre_values(void *arg, int64_t index, double *part)
{
    const struct making *job = arg;
    struct tg_block at = tg_block_at(job->rdm->distance.n, index);
    double scratch[TG_BLOCK_SIZE], *block = at_index(job->centred, index);
    if (!block)
        block = scratch;
    if (block != at_index(job->block, index))
        copy_values(arg, index, block);
    centre_block(job->rdm->value.mean, at, block);
    sum_block(at, block, part);
}

static void sum_ranks(void *arg, int64_t index, double *part)
{
    const struct making *job = arg;
    sum_block(tg_block_at(job->rdm->distance.n, index),
              job->table->block + index * TG_BLOCK_SIZE, part);
}

static void add_sums(void *arg, int64_t index, const double *part)
{
    struct making *job = arg;
    struct tg_block at = tg_block_at(job->rdm->distance.n, index);
    struct tg_centred *table = job->table;
    table->norm2 += *part;
    for (int64_t i = 0; i < at.rows; i++)
        table->row[at.row + i] += part[1 + i];
    for (int64_t j = 0; at.row != at.col && j < at.cols; j++)
        table->row[at.col + j] += part[1 + TG_BLOCK_EDGE + j];
}

/* A pass of `make` with the sums of `table`. */
static enum tg_err sum_table(const struct tg_ctx *ctx, struct making *job,
                             struct tg_centred *table,
                             void (*make)(void *, int64_t, double *), double *buffer)
{
    int64_t n = job->rdm->distance.n;
    job->table = table;
    table->norm2 = table->row2 = 0;
    for (int64_t i = 0; i < n; i++)
        table->row[i] = 0;
    TG_TRY(tg_blocks_each(ctx, n, &(struct tg_block_pass){job, SUMS, make, add_sums}, buffer));
    for (int64_t i = 0; i < n; i++)
        table->row2 += table->row[i] * table->row[i];
    return TG_OK;
}

enum tg_err tg_rdm_make(const struct tg_ctx *ctx, struct tg_rank_work *work, double *buffer,
                        struct tg_rdm *rdm)
{
    int64_t n = rdm->distance.n;
    struct making job = {.rdm = rdm,
                         .block = rdm->value.block ? rdm->value.block : rdm->rank.block,
                         .centred = rdm->value.block,
                         .work = work};
    TG_TRY(tg_blocks_each(ctx, n, &(struct tg_block_pass){&job, 1, make_values, add_value},
                          buffer));
    rdm->value.mean = job.sum / entries(n);
    if (rdm->ranked) {
        work->count = 0;
        TG_TRY(tg_blocks_each(
            ctx, n, &(struct tg_block_pass){&job, TG_BLOCK_SIZE, copy_values, collect}, buffer));
    }
    TG_TRY(sum_table(ctx, &job, &rdm->value, centre_values, buffer));
    rdm->varies =
        sqrt(rdm->value.norm2) > rounding * fabs(rdm->value.mean) * sqrt(entries(n));
    if (!rdm->ranked)
        return TG_OK;
    TG_TRY(tg_rank_make(ctx, work, rdm->rank.block, rdm->order, &rdm->ties));
    return sum_table(ctx, &job, &rdm->rank, sum_ranks, buffer);
}

static void make_centred(const void *arg, int64_t index, double *scratch)
{
    const struct tg_rdm *rdm = arg;
    make_raw(rdm, index, scratch);
    centre_block(rdm->value.mean, tg_block_at(rdm->distance.n, index), scratch);
}

static void hold_block(void *arg, int64_t index, double *part)
{
    (void)part;
    const struct making *job = arg;
    make_centred(job->rdm, index, job->centred + index * TG_BLOCK_SIZE);
}

enum tg_err tg_rdm_hold(const struct tg_ctx *ctx, const struct tg_rdm *rdm,
                        struct tg_rank_work *work, double *buffer, struct tg_rdm *held)
{
    struct tg_rdm whole = *rdm;
    struct making job = {.rdm = rdm, .centred = held->value.block, .work = work};
    double ties;
    whole.value.block = held->value.block;
    whole.rank.block = held->rank.block;
    whole.order = held->order;
    *held = whole;
    if (!tg_rdm_is_defined(rdm))
        return TG_OK;
    if (held->value.block)
        TG_TRY(tg_blocks_each(ctx, rdm->distance.n,
                              &(struct tg_block_pass){&job, 1, hold_block, NULL}, buffer));
    if (!held->rank.block)
        return TG_OK;
    work->count = 0;
    TG_TRY(tg_blocks_each(ctx, rdm->distance.n,
                          &(struct tg_block_pass){&job, TG_BLOCK_SIZE, copy_values, collect},
                          buffer));
    return tg_rank_make(ctx, work, held->rank.block, held->order, &ties);
}

/* Within the range that rounding may leave. */
static double cosine_of(double product, double a2, double b2)
{
    return fmin(fmax(product / (sqrt(a2) * sqrt(b2)), -1), 1);
}

/* Squared norm of D, and of H D H. */
static double raw_norm2(const struct tg_rdm *rdm)
{
    double mean = rdm->value.mean;
    return rdm->value.norm2 + entries(rdm->distance.n) * mean * mean;
}

static double doubly_norm2(const struct tg_rdm *rdm)
{
    double n = (double)rdm->distance.n, mean = rdm->value.mean;
    return rdm->value.norm2 - 2 / n * rdm->value.row2 + (n - 1) * mean * mean;
}

static enum tg_err compare_values(const struct tg_ctx *ctx, const struct tg_rdm *a,
                                  const struct tg_rdm *b, const int64_t *map, double *buffer,
                                  struct tg_rdm_scores *scores)
{
    struct tg_table ta = {a->distance.n, a->value.block, a, make_centred, NULL};
    struct tg_table tb = {b->distance.n, b->value.block, b, make_centred, b->value.whole};
    double n = (double)ta.n, means = a->value.mean * b->value.mean, product, rows = 0;
    TG_TRY(tg_table_product(ctx, &ta, &tb, map, buffer, &product));
    for (int64_t i = 0; i < ta.n; i++)
        rows += a->value.row[i] * b->value.row[map ? map[i] : i];
    scores->pearson = cosine_of(product, a->value.norm2, b->value.norm2);
    scores->cosine = cosine_of(product + entries(ta.n) * means, raw_norm2(a), raw_norm2(b));
    scores->whitened = cosine_of(product - 2 / n * rows + (n - 1) * means, doubly_norm2(a),
                                 doubly_norm2(b));
    return TG_OK;
}

enum tg_err tg_rdm_compare(const struct tg_ctx *ctx, unsigned wants, const struct tg_rdm *a,
                           const struct tg_rdm *b, const int64_t *map, double *buffer,
                           double *list, struct tg_rdm_scores *scores)
{
    *scores = (struct tg_rdm_scores){NAN, NAN, NAN, NAN, NAN, NAN};
    if (wants & TG_RDM_VALUES)
        TG_TRY(compare_values(ctx, a, b, map, buffer, scores));
    if (wants & TG_RDM_SPEARMAN) {
        struct tg_table ta = {.n = a->distance.n, .block = a->rank.block};
        struct tg_table tb = {
            .n = b->distance.n, .block = b->rank.block, .whole = b->rank.whole};
        double product;
        TG_TRY(tg_table_product(ctx, &ta, &tb, map, buffer, &product));
        scores->spearman = cosine_of(product, a->rank.norm2, b->rank.norm2);
    }
    if (wants & TG_RDM_KENDALL) {
        struct tg_ranking ra = {a->distance.n, a->rank.block, a->order, a->ties};
        struct tg_ranking rb = {b->distance.n, b->rank.block, NULL, b->ties};
        struct tg_kendall tau;
        TG_TRY(tg_rank_kendall(ctx, &ra, &rb, map, list, &tau));
        scores->kendall = fmin(fmax(tau.b, -1), 1);
        scores->kendall_a = tau.a;
    }
    return TG_OK;
}

/* The sums of a symmetric table less its mean. */
static struct tg_table_sums sums_of(const struct tg_centred *table)
{
    double shared = table->row2 - table->norm2;
    return (struct tg_table_sums){.same = table->norm2,
                                  .reversed = table->norm2,
                                  .tail = shared,
                                  .head = shared,
                                  .through = shared};
}

/* The traces of H D H. */
static struct tg_gram_trace trace_of(const struct tg_rdm *rdm)
{
    double n = (double)rdm->distance.n, mean = rdm->value.mean;
    return (struct tg_gram_trace){
        .one = -(n - 1) * mean,
        .two = doubly_norm2(rdm),
        .three = NAN,
        .diagonal2 = 4 * rdm->value.row2 / (n * n) + (n - 1) * (n - 1) * mean * mean / n};
}

/* Of an inner product, in units of the norms. */
static struct tg_chance in_units(struct tg_chance chance, double mean, double a2, double b2)
{
    double norms = sqrt(a2) * sqrt(b2);
    return (struct tg_chance){(chance.mean + mean) / norms, chance.sd / norms, NAN};
}

struct tg_rdm_chances tg_rdm_chance(const struct tg_rdm *a, const struct tg_rdm *b)
{
    int64_t n = a->distance.n;
    struct tg_rdm_chances chances = {.kendall = {.sd = NAN, .skewness = NAN}};
    struct tg_table_sums sa = sums_of(&a->value), sb = sums_of(&b->value);
    struct tg_chance centred = tg_table_chance(n, &sa, &sb);
    struct tg_gram_trace ta = trace_of(a), tb = trace_of(b);
    chances.pearson = in_units(centred, 0, a->value.norm2, b->value.norm2);
    chances.cosine = in_units(centred, entries(n) * a->value.mean * b->value.mean, raw_norm2(a),
                              raw_norm2(b));
    chances.whitened = in_units(tg_gram_chance(n, &ta, &tb), 0, ta.two, tb.two);
    sa = sums_of(&a->rank);
    sb = sums_of(&b->rank);
    chances.spearman = in_units(tg_table_chance(n, &sa, &sb), 0, a->rank.norm2, b->rank.norm2);
    return chances;
}
