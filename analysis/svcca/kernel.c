/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gaussian kernels, centred, by blocks. */
#include "svcca/kernel.h"

#include <math.h>

double tg_hsic_unbiased(int64_t samples, double product, const double *p, double p_sum,
                        const double *q, double q_sum)
{
    double n = (double)samples, pq = 0;
    for (int64_t i = 0; i < samples; i++)
        pq += p[i] * q[i];
    return product - n / (n - 2) * pq + p_sum * q_sum / ((n - 1) * (n - 2));
}

static double *held_block(const struct tg_kernel *kernel, int64_t index)
{
    return kernel->block ? kernel->block + index * TG_BLOCK_SIZE : NULL;
}

/* K - 1 in place of squared distances. */
static void exponentiate(const struct tg_kernel *kernel, struct tg_block at, double *block)
{
    for (int64_t i = 0; i < at.rows; i++)
        for (int64_t j = 0; j < at.cols; j++)
            block[i * TG_BLOCK_EDGE + j] =
                expm1(-kernel->gamma * block[i * TG_BLOCK_EDGE + j]);
}

static void centre_block(const struct tg_kernel *kernel, struct tg_block at, double *block)
{
    for (int64_t i = 0; i < at.rows; i++)
        for (int64_t j = 0; j < at.cols; j++)
            block[i * TG_BLOCK_EDGE + j] -=
                kernel->centre[at.row + i] + kernel->centre[at.col + j];
}

/* A block of B: where it is held, or made in `scratch`. */
static const double *centred_block(const struct tg_kernel *kernel, int64_t index,
                                   double *scratch)
{
    struct tg_block at = tg_block_at(kernel->distance.n, index);
    const double *held = held_block(kernel, index);
    if (held)
        return held;
    tg_distance_make(&kernel->distance, index, scratch);
    exponentiate(kernel, at, scratch);
    centre_block(kernel, at, scratch);
    return scratch;
}

/* Sum of the products of two blocks' entries in the whole table, both halves. */
static double dot(struct tg_block at, const double *a, const double *b)
{
    double sum = 0;
    for (int64_t i = 0; i < at.rows; i++)
        for (int64_t j = 0; j < at.cols; j++)
            sum += a[i * TG_BLOCK_EDGE + j] * b[i * TG_BLOCK_EDGE + j];
    return at.row == at.col ? sum : 2 * sum;
}

/* The passes of a layer, and what they find. */
struct making {
    struct tg_kernel *kernel;
    double *sum; /* of the rows of K - 1; n */
};

static void make_distances(void *arg, int64_t index, double *part)
{
    (void)part;
    const struct making *job = arg;
    tg_distance_make(&job->kernel->distance, index, held_block(job->kernel, index));
}

/* K - 1, and of a block the sums of its rows and of its columns. */
static void make_kernel(void *arg, int64_t index, double *part)
{
    const struct making *job = arg;
    struct tg_block at = tg_block_at(job->kernel->distance.n, index);
    double scratch[TG_BLOCK_SIZE], *block = held_block(job->kernel, index);
    if (!block)
        tg_distance_make(&job->kernel->distance, index, block = scratch);
    exponentiate(job->kernel, at, block);
    for (int64_t i = 0; i < 2 * TG_BLOCK_EDGE; i++)
        part[i] = 0;
    for (int64_t i = 0; i < at.rows; i++)
        for (int64_t j = 0; j < at.cols; j++) {
            part[i] += block[i * TG_BLOCK_EDGE + j];
            part[TG_BLOCK_EDGE + j] += block[i * TG_BLOCK_EDGE + j];
        }
}

static void add_sums(void *arg, int64_t index, const double *part)
{
    const struct making *job = arg;
    struct tg_block at = tg_block_at(job->kernel->distance.n, index);
    for (int64_t i = 0; i < at.rows; i++)
        job->sum[at.row + i] += part[i];
    for (int64_t j = 0; at.row != at.col && j < at.cols; j++)
        job->sum[at.col + j] += part[TG_BLOCK_EDGE + j];
}

static void make_centred(void *arg, int64_t index, double *part)
{
    const struct making *job = arg;
    struct tg_block at = tg_block_at(job->kernel->distance.n, index);
    double scratch[TG_BLOCK_SIZE], *held = held_block(job->kernel, index);
    const double *block = held;
    if (held)
        centre_block(job->kernel, at, held);
    else
        block = centred_block(job->kernel, index, scratch);
    for (int64_t i = 0; at.row == at.col && i < at.rows; i++)
        job->kernel->diagonal[at.row + i] = block[i * TG_BLOCK_EDGE + i];
    *part = dot(at, block, block);
}

static void add_norm(void *arg, int64_t index, const double *part)
{
    (void)index;
    const struct making *job = arg;
    job->kernel->norm2 += *part;
}

enum tg_err tg_kernel_make(const struct tg_ctx *ctx, double share, double *buffer,
                           int64_t *count, struct tg_kernel *kernel)
{
    int64_t n = kernel->distance.n;
    struct making job = {kernel, kernel->centre};
    double all = 0;
    if (kernel->block)
        TG_TRY(tg_blocks_each(ctx, n, &(struct tg_block_pass){&job, 1, make_distances, NULL},
                              buffer));
    TG_TRY(tg_distance_median(ctx, &kernel->distance, kernel->block, buffer, count,
                              &kernel->median));
    double sigma = share * kernel->median;
    kernel->gamma = 1 / (2 * sigma * sigma);
    kernel->trace = kernel->norm2 = 0;
    kernel->defined = kernel->median > 0 && isfinite(kernel->gamma);
    if (!kernel->defined)
        return TG_OK;
    for (int64_t i = 0; i < n; i++)
        job.sum[i] = 0;
    TG_TRY(tg_blocks_each(
        ctx, n, &(struct tg_block_pass){&job, 2 * TG_BLOCK_EDGE, make_kernel, add_sums},
        buffer));
    for (int64_t i = 0; i < n; i++)
        all += job.sum[i];
    for (int64_t i = 0; i < n; i++)
        kernel->centre[i] = (job.sum[i] - all / (2 * (double)n)) / (double)n;
    TG_TRY(tg_blocks_each(ctx, n, &(struct tg_block_pass){&job, 1, make_centred, add_norm},
                          buffer));
    for (int64_t i = 0; i < n; i++)
        kernel->trace += kernel->diagonal[i];
    return TG_OK;
}

static void make_block(const void *arg, int64_t index, double *scratch)
{
    centred_block(arg, index, scratch);
}

static struct tg_table table_of(const struct tg_kernel *kernel)
{
    return (struct tg_table){kernel->distance.n, kernel->block, kernel, make_block,
                             kernel->whole};
}

enum tg_err tg_kernel_product(const struct tg_ctx *ctx, const struct tg_kernel *a,
                              const struct tg_kernel *b, const int64_t *map, double *buffer,
                              double *product)
{
    struct tg_table ta = table_of(a), tb = table_of(b);
    return tg_table_product(ctx, &ta, &tb, map, buffer, product);
}

struct holding {
    const struct tg_kernel *kernel;
    double *block;
};

static void hold_block(void *arg, int64_t index, double *part)
{
    (void)part;
    const struct holding *job = arg;
    centred_block(job->kernel, index, job->block + index * TG_BLOCK_SIZE);
}

enum tg_err tg_kernel_hold(const struct tg_ctx *ctx, const struct tg_kernel *kernel,
                           double *block, double *buffer)
{
    struct holding job = {kernel, block};
    return tg_blocks_each(ctx, kernel->distance.n,
                          &(struct tg_block_pass){&job, 1, hold_block, NULL}, buffer);
}
