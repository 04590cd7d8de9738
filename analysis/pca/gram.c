/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Streamed Gram matrix: blocks of columns into groups of sums. */
#include "pca/gram.h"

#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "linalg/linalg.h"

enum {
    MIN_COLS = 256,
    MAX_COLS = 8192, /* of a block; half of it in double */
    PAD = 16,        /* keeps rows off the same cache sets */
    MAX_GROUPS = 16,
    LANES = 8 /* partial sums in the inner loop over a step */
};

/*
 * A block is one BLAS call, so it may not take long; and groups share this much memory.
 */
static const double block_flops = 8e9, group_bytes = 256 << 20;

/* What one group sums up; `product` and `block` hold float or double. */
struct sums {
    double *g, *step2, *unchanged;
    void *product, *block;
};

struct stream {
    const struct tg_ctx *ctx;
    const struct tg_mat *mat;
    struct tg_gram_plan plan;
    int64_t reference, blocks;
    double *work;
    atomic_llong done;
};

static size_t group_doubles(int64_t t, int64_t cols)
{
    size_t rows = (size_t)t;
    return 2 * rows * rows + rows * (size_t)(cols + PAD) + rows;
}

struct tg_gram_plan tg_gram_plan(const struct tg_mat *mat)
{
    struct tg_gram_plan plan = {.t = mat->shape[0], .d = mat->shape[1]};
    double t = (double)plan.t;
    plan.single = mat->dtype == TG_F32 || mat->dtype == TG_F16 || mat->dtype == TG_BF16;
    plan.cols = MAX_COLS / 2;
    while (plan.cols > MIN_COLS && 2 * t * t * (double)plan.cols > block_flops)
        plan.cols /= 2;
    if (plan.cols > plan.d)
        plan.cols = plan.d;
    plan.groups = MAX_GROUPS;
    while (plan.groups > 2 &&
           8 * (double)plan.groups * (double)group_doubles(plan.t, plan.cols) >
               group_bytes)
        plan.groups /= 2;
    int64_t blocks = (plan.d + plan.cols - 1) / plan.cols;
    while (plan.groups > 1 && plan.groups > blocks)
        plan.groups /= 2;
    plan.work = (size_t)plan.groups * group_doubles(plan.t, plan.cols);
    if (plan.single)
        plan.cols *= 2; /* the same bytes */
    return plan;
}

/* Group i's part of the workspace; the first group's sum lies at its start. */
static struct sums sums_of(const struct stream *stream, int64_t i)
{
    int64_t t = stream->plan.t;
    double *p =
        stream->work + (size_t)i * (stream->plan.work / (size_t)stream->plan.groups);
    return (struct sums){.g = p,
                         .step2 = p + t * t,
                         .unchanged = p + t * t + t - 1,
                         .product = p + t * t + t,
                         .block = p + 2 * t * t + t};
}

/*
 * One block of columns, for float and double: steps from the values as stored, then the
 * product of the rows less the reference row.
 */
#define DEFINE_BLOCK(name, real, read, syrk)                                             \
    static double name##_step(const real *from, const real *to, int64_t n, double *same) \
    {                                                                                    \
        double sum[LANES] = {0}, total = 0;                                              \
        double count[LANES] = {0};                                                       \
        int64_t j = 0;                                                                   \
        for (; j + LANES <= n; j += LANES)                                               \
            for (int k = 0; k < LANES; k++) {                                            \
                double x = (double)to[j + k] - (double)from[j + k];                      \
                sum[k] += x * x;                                                         \
                count[k] += x == 0 ? 1 : 0;                                              \
            }                                                                            \
        for (int k = 0; j < n; j++, k++) {                                               \
            double x = (double)to[j] - (double)from[j];                                  \
            sum[k] += x * x;                                                             \
            count[k] += x == 0 ? 1 : 0;                                                  \
        }                                                                                \
        for (int k = 0; k < LANES; k++) {                                                \
            total += sum[k];                                                             \
            *same += count[k];                                                           \
        }                                                                                \
        return total;                                                                    \
    }                                                                                    \
                                                                                         \
    static void name(const struct stream *stream, int64_t col, int64_t n,                \
                     const struct sums *sums)                                            \
    {                                                                                    \
        int64_t t = stream->plan.t, ld = stream->plan.cols + PAD;                        \
        real *x = sums->block, *c = sums->product, *origin = x + stream->reference * ld; \
        read(stream->mat, 0, t, col, n, x, (size_t)ld);                                  \
        for (int64_t i = t - 1; i >= 0; i--) {                                           \
            real *at = x + i * ld;                                                       \
            if (i > 0)                                                                   \
                sums->step2[i - 1] += name##_step(at - ld, at, n, sums->unchanged);      \
            for (int64_t j = 0; j < n && i != stream->reference; j++)                    \
                at[j] -= origin[j];                                                      \
        }                                                                                \
        memset(origin, 0, (size_t)n * sizeof(*origin));                                  \
        syrk(t, n, x, (size_t)ld, c);                                                    \
        for (int64_t i = 0; i < t; i++)                                                  \
            for (int64_t j = 0; j <= i; j++)                                             \
                sums->g[i * t + j] += (double)c[i * t + j];                              \
    }

DEFINE_BLOCK(block_f32, float, tg_mat_read_f32, tg_ssyrk_block)
DEFINE_BLOCK(block_f64, double, tg_mat_read_f64, tg_dsyrk_block)

static enum tg_err run_group(void *arg, int64_t i, unsigned lane)
{
    (void)lane;
    struct stream *stream = arg;
    const struct tg_gram_plan *plan = &stream->plan;
    struct sums sums = sums_of(stream, i);
    memset(sums.g, 0, (size_t)(plan->t * plan->t + plan->t) * sizeof(*sums.g));
    for (int64_t b = i; b < stream->blocks; b += plan->groups) {
        int64_t col = b * plan->cols, rest = plan->d - col;
        TG_TRY(tg_ctx_poll(stream->ctx));
        (plan->single ? block_f32 : block_f64)(
            stream, col, rest < plan->cols ? rest : plan->cols, &sums);
        long long done = atomic_fetch_add(&stream->done, 1) + 1;
        tg_ctx_progress(stream->ctx, "reading", (double)done, (double)stream->blocks,
                        "blocks");
    }
    return TG_OK;
}

/* Sums of all groups into the first, in order; both triangles of g. */
static void add_groups(const struct stream *stream, struct tg_gram *gram)
{
    int64_t t = stream->plan.t,
            n = t * t + t; /* g, step2 and unchanged lie side by side */
    double *first = sums_of(stream, 0).g;
    for (int64_t i = 1; i < stream->plan.groups; i++) {
        const double *other = sums_of(stream, i).g;
        for (int64_t j = 0; j < n; j++)
            first[j] += other[j];
    }
    for (int64_t i = 0; i < t; i++)
        for (int64_t j = 0; j < i; j++)
            first[j * t + i] = first[i * t + j];
    gram->g = first;
    memcpy(gram->step2, first + t * t, (size_t)(t - 1) * sizeof(*first));
    gram->unchanged = first[n - 1] / ((double)(t - 1) * (double)stream->plan.d);
    gram->single = stream->plan.single;
}

static enum tg_err pass(struct stream *stream, struct tg_gram *gram)
{
    stream->blocks = (stream->plan.d + stream->plan.cols - 1) / stream->plan.cols;
    atomic_store(&stream->done, 0);
    TG_TRY(tg_ctx_parallel(stream->ctx, stream->plan.groups, run_group, stream));
    add_groups(stream, gram);
    return TG_OK;
}

/* The first non-finite entry of a row, if there is one. */
static enum tg_err require_finite(const struct stream *stream, int64_t row,
                                  struct tg_report *report)
{
    double x[1024];
    for (int64_t col = 0; col < stream->plan.d; col += 1024) {
        int64_t n = stream->plan.d - col < 1024 ? stream->plan.d - col : 1024;
        TG_TRY(tg_ctx_poll(stream->ctx));
        tg_mat_read_f64(stream->mat, row, 1, col, n, x, 1024);
        for (int64_t j = 0; j < n; j++)
            if (!isfinite(x[j]))
                return tg_fault_add(
                    report, TG_NUMERIC, NULL,
                    "The trajectory holds NaN or infinity, first in point %lld "
                    "at coordinate %lld.",
                    (long long)row, (long long)(col + j));
    }
    return TG_OK;
}

/* The first point whose displacement is not finite; T when all are. */
static int64_t first_bad(const struct stream *stream, const struct tg_gram *gram)
{
    for (int64_t i = 0; i < stream->plan.t; i++)
        if (!isfinite(gram->g[i * stream->plan.t + i]) ||
            (i > 0 && !isfinite(gram->step2[i - 1])))
            return i;
    return stream->plan.t;
}

/* Whether squares of displacements may have been lost below single precision's range. */
static bool too_small(const struct stream *stream, const struct tg_gram *gram)
{
    double most = 0;
    for (int64_t i = 0; i < stream->plan.t; i++)
        most = fmax(most, gram->g[i * stream->plan.t + i]);
    return most < 1e-28 * (double)stream->plan.d;
}

enum tg_err tg_gram_stream(const struct tg_ctx *ctx, const struct tg_mat *mat,
                           int64_t reference, double *work, struct tg_gram *gram,
                           struct tg_report *report)
{
    struct stream stream = {.ctx = ctx,
                            .mat = mat,
                            .plan = tg_gram_plan(mat),
                            .reference = reference,
                            .work = work};
    TG_TRY(pass(&stream, gram));
    int64_t bad = first_bad(&stream, gram);
    if (bad < stream.plan.t) {
        if (bad > 0)
            TG_TRY(require_finite(&stream, bad - 1, report));
        TG_TRY(require_finite(&stream, bad, report));
        TG_TRY(require_finite(&stream, reference, report));
    }
    if (stream.plan.single && (bad < stream.plan.t || too_small(&stream, gram))) {
        stream.plan.single = false;
        stream.plan.cols /= 2;
        TG_TRY(pass(&stream, gram));
        bad = first_bad(&stream, gram);
    }
    if (bad < stream.plan.t)
        return tg_fault_add(
            report, TG_NUMERIC, NULL,
            "Point %lld lies further away than double precision holds; scale the "
            "trajectory down.",
            (long long)bad);
    return TG_OK;
}
