/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gram matrices of batches, U-centred once a layer. */
#include "svcca/minibatch.h"

#include <math.h>

#include "linalg/linalg.h"
#include "svcca/kernel.h"

enum { ROWS = 256 /* between polls */ };

struct batch { int64_t first, m; };

static struct batch batch_at(const struct tg_batches *batches, int64_t index)
{
    int64_t first = index * batches->n / batches->count;
    return (struct batch){first, (index + 1) * batches->n / batches->count - first};
}

/* m (m - 3) */
static double pairs_of(int64_t m)
{
    return (double)m * (double)(m - 3);
}

/* How n samples are cut, without memory. */
static struct tg_batches cut(int64_t n, int64_t size)
{
    struct tg_batches batches = {.n = n, .count = n > size ? n / size : 1};
    batches.most = (n + batches.count - 1) / batches.count;
    return batches;
}

void tg_batches_layout(struct tg_arena *arena, int64_t n, int64_t size,
                       struct tg_batches *batches)
{
    size_t numbers;
    *batches = cut(n, size);
    if (!tg_mul_ok((size_t)(batches->most * batches->most), (size_t)batches->count, &numbers))
        numbers = SIZE_MAX; /* more than any arena has */
    batches->gram = tg_arena_alloc(arena, numbers, sizeof(double));
    batches->hsic = tg_arena_alloc(arena, (size_t)batches->count, sizeof(double));
}

size_t tg_batches_work(int64_t n, int64_t size, int64_t d)
{
    struct tg_batches batches = cut(n, size);
    size_t rows = (size_t)((batches.most + 1) * d), count = (size_t)batches.count;
    size_t most = rows > (size_t)batches.most ? rows : (size_t)batches.most;
    return most > count ? most : count;
}

double tg_batches_layer_flops(int64_t n, int64_t size, int64_t d)
{
    return (double)n * (double)cut(n, size).most * (double)(d + 8);
}

double tg_batches_pair_flops(int64_t n, int64_t size)
{
    return 2 * (double)n * (double)cut(n, size).most;
}

static double *gram_at(const struct tg_batches *batches, int64_t index)
{
    return batches->gram + index * batches->most * batches->most;
}

/* The rows of a batch, less their mean over the batch, into x (m x columns). */
static void gather(const struct tg_basis *basis, const int64_t *order, struct batch batch,
                   double *x)
{
    int64_t d = basis->columns;
    double *mean = x + batch.m * d;
    for (int64_t j = 0; j < d; j++)
        mean[j] = 0;
    for (int64_t i = 0; i < batch.m; i++) {
        int64_t row = order ? order[batch.first + i] : batch.first + i;
        for (int64_t j = 0; j < d; j++) {
            x[i * d + j] = basis->x[row * basis->d + j];
            mean[j] += x[i * d + j] / (double)batch.m;
        }
    }
    for (int64_t i = 0; i < batch.m; i++)
        for (int64_t j = 0; j < d; j++)
            x[i * d + j] -= mean[j];
}

/* K_b in place of X X^T; the squared norm of the latter, and that of K_b. */
static void centre(int64_t m, double *gram, double *row, double *biased, double *unbiased)
{
    double n = (double)m, all = 0;
    *biased = *unbiased = 0;
    for (int64_t i = 0; i < m; i++) {
        row[i] = 0;
        for (int64_t j = 0; j < m; j++) {
            *biased += gram[i * m + j] * gram[i * m + j];
            row[i] += i == j ? 0 : gram[i * m + j];
        }
        all += row[i];
    }
    for (int64_t i = 0; i < m; i++)
        row[i] = (row[i] - all / (2 * (n - 1))) / (n - 2);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < m; j++) {
            gram[i * m + j] = i == j ? 0 : gram[i * m + j] - row[i] - row[j];
            *unbiased += gram[i * m + j] * gram[i * m + j];
        }
}

enum tg_err tg_batches_make(const struct tg_ctx *ctx, const int64_t *order,
                            const struct tg_basis *basis, double *work,
                            struct tg_batches *batches)
{
    double biased, unbiased, all = 0;
    size_t d = (size_t)basis->columns;
    batches->mean = 0;
    for (int64_t i = 0; i < batches->count; i++) {
        struct batch batch = batch_at(batches, i);
        double *gram = gram_at(batches, i);
        TG_TRY(tg_ctx_poll(ctx));
        gather(basis, order, batch, work);
        TG_TRY(tg_syrk(ctx, TG_N, batch.m, basis->columns, 1, work, d, 0, gram,
                       (size_t)batch.m));
        TG_TRY(tg_ctx_poll(ctx));
        centre(batch.m, gram, work, &biased, &unbiased);
        batches->hsic[i] = unbiased / pairs_of(batch.m);
        batches->mean += batches->hsic[i] / (double)batches->count;
        all += biased / pairs_of(batch.m) / (double)batches->count;
    }
    batches->defined = batches->mean > TG_HSIC_ROUNDING * all;
    return TG_OK;
}

struct pairing {
    const struct tg_ctx *ctx;
    const struct tg_batches *a, *b;
    const int64_t *map; /* of b */
    double *hsic; /* of each batch */
};

static enum tg_err compare_batch(void *arg, int64_t index, unsigned lane)
{
    (void)lane;
    const struct pairing *job = arg;
    struct batch batch = batch_at(job->a, index);
    const int64_t *map = job->map ? job->map + batch.first : NULL;
    int64_t m = batch.m;
    const double *a = gram_at(job->a, index), *b = gram_at(job->b, index);
    double sum = 0;
    for (int64_t i = 0; i < m; i++) {
        double row = 0;
        if (i % ROWS == 0)
            TG_TRY(tg_ctx_poll(job->ctx));
        const double *of_b = b + (map ? map[i] - batch.first : i) * m;
        for (int64_t j = 0; j < m; j++)
            row += a[i * m + j] * of_b[map ? map[j] - batch.first : j];
        sum += row;
    }
    job->hsic[index] = sum / pairs_of(m);
    return TG_OK;
}

enum tg_err tg_batches_compare(const struct tg_ctx *ctx, const struct tg_batches *a,
                               const struct tg_batches *b, const int64_t *map, double *work,
                               double *cka)
{
    struct pairing job = {ctx, a, b, map, work};
    double mean = 0;
    *cka = NAN;
    if (!a->defined || !b->defined)
        return TG_OK;
    TG_TRY(tg_ctx_parallel(ctx, a->count, compare_batch, &job));
    for (int64_t i = 0; i < a->count; i++)
        mean += work[i] / (double)a->count;
    *cka = mean / (sqrt(a->mean) * sqrt(b->mean));
    return TG_OK;
}

void tg_batches_within(const struct tg_batches *batches, const int64_t *order, int64_t *next,
                       int64_t *within)
{
    for (int64_t i = 0; i < batches->count; i++)
        next[i] = batch_at(batches, i).first;
    for (int64_t t = 0; t < batches->n; t++) {
        int64_t batch = ((order[t] + 1) * batches->count - 1) / batches->n;
        within[next[batch]++] = order[t];
    }
}

struct tg_chance tg_batches_chance(const struct tg_batches *a, const struct tg_batches *b)
{
    double variance = 0, count = (double)a->count;
    for (int64_t i = 0; i < a->count; i++)
        variance += 2 * a->hsic[i] * b->hsic[i] / pairs_of(batch_at(a, i).m);
    return (struct tg_chance){
        .sd = sqrt(variance) / count / (sqrt(a->mean) * sqrt(b->mean)), .skewness = NAN};
}
