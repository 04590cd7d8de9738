/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Outputs of a head, and what directions leave of them, some rows at a time. */
#include "svcca/head.h"

#include <math.h>
#include <string.h>

#include "linalg/linalg.h"

enum {
    ROWS = 256, /* of a layer that are read at a time */
    BLOCK = 64  /* rows that go through all directions before the next ones */
};

static double *take(struct tg_arena *arena, int64_t rows, int64_t cols)
{
    size_t count;
    if (!tg_mul_ok((size_t)rows, (size_t)cols, &count))
        count = SIZE_MAX; /* more than any arena has */
    return tg_arena_alloc(arena, count, sizeof(double));
}

static int64_t blocks_of(int64_t n)
{
    return (n + BLOCK - 1) / BLOCK;
}

void tg_head_layout(struct tg_arena *arena, int64_t n, int64_t d, int64_t outputs,
                    struct tg_head_scratch *scratch)
{
    scratch->tile = take(arena, ROWS, d);
    scratch->weights = take(arena, d, outputs);
    scratch->residual = take(arena, n, outputs);
    scratch->partial = take(arena, 2 * blocks_of(n), d + 1);
}

bool tg_head_labels(const struct tg_mat *labels, int64_t outputs, int64_t *label,
                    int64_t *bad)
{
    for (int64_t i = 0; i < labels->shape[0]; i++) {
        double x = tg_mat_at(labels, i);
        *bad = i;
        if (!(x >= 0 && x < (double)outputs && x == floor(x)))
            return false;
        label[i] = (int64_t)x;
    }
    return true;
}

/* y less its mean, which is added to head->mean; norm2. False if a number is not finite. */
static bool centre(struct tg_head *head, double *sum)
{
    int64_t n = head->n, c = head->outputs;
    memset(sum, 0, (size_t)c * sizeof(*sum));
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < c; j++)
            sum[j] += head->y[i * c + j];
    head->norm2 = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < c; j++) {
            double *y = &head->y[i * c + j];
            *y -= sum[j] / (double)n;
            head->norm2 += *y * *y;
        }
    for (int64_t j = 0; j < c; j++)
        head->mean[j] += sum[j] / (double)n;
    return isfinite(head->norm2);
}

/* The first row of the layer is taken off before the product, which keeps digits. */
enum tg_err tg_head_apply(const struct tg_ctx *ctx, const struct tg_mat *layer,
                          const struct tg_mat *weights, const struct tg_mat *bias,
                          const struct tg_head_scratch *scratch, struct tg_head *head)
{
    int64_t n = layer->shape[0], d = layer->shape[1], c = head->outputs;
    double *w = scratch->weights, *x = scratch->tile;
    tg_mat_read_f64(weights, 0, d, 0, c, w, (size_t)c);
    for (int64_t j = 0; j < c; j++)
        head->mean[j] = bias ? tg_mat_at(bias, j) : 0;
    for (int64_t first = 0; first < n; first += ROWS) {
        int64_t rows = n - first < ROWS ? n - first : ROWS;
        tg_mat_read_f64(layer, first, rows, 0, d, x, (size_t)d);
        double *shift = scratch->partial;
        if (first == 0) {
            memcpy(shift, x, (size_t)d * sizeof(*x));
            TG_TRY(tg_gemm(ctx, TG_N, TG_N, 1, c, d, 1, shift, (size_t)d, w, (size_t)c, 1,
                           head->mean, (size_t)c));
        }
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < d; j++)
                x[i * d + j] -= shift[j];
        TG_TRY(tg_gemm(ctx, TG_N, TG_N, rows, c, d, 1, x, (size_t)d, w, (size_t)c, 0,
                       head->y + first * c, (size_t)c));
    }
    return centre(head, scratch->residual) ? TG_OK : TG_NUMERIC;
}

/* Whether the largest of mean + y - residual is at the label; no residual: NULL. */
static bool is_right(const struct tg_head *head, int64_t i, const double *residual)
{
    const double *y = head->y + i * head->outputs;
    double best = -INFINITY;
    int64_t at = 0;
    for (int64_t j = 0; j < head->outputs; j++) {
        double x = head->mean[j] + (residual ? y[j] - residual[j] : y[j]);
        if (x > best) {
            best = x;
            at = j;
        }
    }
    return at == head->label[i];
}

double tg_head_accuracy(const struct tg_head *head)
{
    int64_t right = 0;
    for (int64_t i = 0; head->label && i < head->n; i++)
        right += is_right(head, i, NULL);
    return head->label ? (double)right / (double)head->n : NAN;
}

enum tg_err tg_head_coordinates(const struct tg_ctx *ctx, const struct tg_head *head,
                                const double *h, size_t ldh, int64_t count, double *v)
{
    return tg_gemm(ctx, TG_T, TG_N, count, head->outputs, head->n, 1, h, ldh, head->y,
                   (size_t)head->outputs, 0, v, (size_t)head->outputs);
}

/* A curve under way. */
struct curve {
    const struct tg_ctx *ctx;
    const struct tg_head *head;
    const struct tg_head_directions *directions;
    const struct tg_head_scratch *scratch;
};

/* Samples that are right, and what is lost, in the rows from `first`; into sums[2]. */
static void note(const struct tg_head *head, int64_t first, int64_t rows,
                 const double *residual, double *sums)
{
    sums[0] = sums[1] = 0;
    for (int64_t i = 0; i < rows; i++) {
        const double *r = residual + i * head->outputs;
        for (int64_t j = 0; j < head->outputs; j++)
            sums[1] += r[j] * r[j];
        sums[0] += head->label && is_right(head, first + i, r);
    }
}

static enum tg_err walk_block(void *arg, int64_t block, unsigned lane)
{
    const struct curve *curve = arg;
    const struct tg_head *head = curve->head;
    const struct tg_head_directions *d = curve->directions;
    int64_t c = head->outputs, first = block * BLOCK;
    int64_t rows = head->n - first < BLOCK ? head->n - first : BLOCK;
    double *residual = curve->scratch->residual + first * c;
    double *sums = curve->scratch->partial + 2 * block * (d->count + 1);
    (void)lane;
    memcpy(residual, head->y + first * c, (size_t)(rows * c) * sizeof(*residual));
    note(head, first, rows, residual, sums);
    for (int64_t k = 0; k < d->count; k++) {
        int64_t column = d->order ? d->order[k] : k;
        const double *v = d->v + column * c;
        TG_TRY(tg_ctx_poll(curve->ctx));
        for (int64_t i = 0; i < rows; i++) {
            double h = d->h[(size_t)(first + i) * d->ldh + (size_t)column];
            for (int64_t j = 0; j < c; j++)
                residual[i * c + j] -= h * v[j];
        }
        note(head, first, rows, residual, sums + 2 * (k + 1));
    }
    return TG_OK;
}

enum tg_err tg_head_curve(const struct tg_ctx *ctx, const struct tg_head *head,
                          const struct tg_head_directions *directions,
                          const struct tg_head_scratch *scratch, double *accuracy,
                          double *error)
{
    struct curve curve = {ctx, head, directions, scratch};
    int64_t blocks = blocks_of(head->n);
    TG_TRY(tg_ctx_parallel(ctx, blocks, walk_block, &curve));
    for (int64_t k = 0; k <= directions->count; k++) {
        double right = 0, lost = 0;
        for (int64_t i = 0; i < blocks; i++) {
            const double *sums = scratch->partial + 2 * (i * (directions->count + 1) + k);
            right += sums[0];
            lost += sums[1];
        }
        error[k] = head->norm2 > 0 ? lost / head->norm2 : NAN;
        if (head->label)
            accuracy[k] = right / (double)head->n;
    }
    return TG_OK;
}

int64_t tg_head_reaches(const double *accuracy, int64_t count, double enough)
{
    for (int64_t k = 0; k <= count; k++)
        if (accuracy[k] >= enough)
            return k;
    return -1;
}

int64_t tg_head_holds(const double *error, int64_t count, double most)
{
    for (int64_t k = 0; k <= count; k++)
        if (error[k] <= most)
            return k;
    return -1;
}
