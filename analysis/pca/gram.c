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
    MAX_COLS = 4096, /* of a block in double; twice that in single precision */
    PAD = 16,        /* keeps rows off the same cache sets */
    MAX_GROUPS = 16,
    LANES = 8 /* partial sums in the inner loop over a step */
};

/* Of one product in single precision, 50 ms or so; of one block; of all groups. */
static const double panel_flops = 6e9, block_bytes = 32 << 20, group_bytes = 256 << 20;

/* What one group sums up; `product` (a panel's) and `block` hold float or double. */
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

static size_t group_doubles(const struct tg_gram_plan *plan)
{
    size_t t = (size_t)plan->t;
    return t * (t + 1 + (size_t)plan->rows + (size_t)plan->cols + PAD);
}

struct tg_gram_plan tg_gram_plan(const struct tg_mat *mat)
{
    struct tg_gram_plan plan = {.t = mat->shape[0], .d = mat->shape[1]};
    double t = (double)plan.t;
    plan.single = mat->dtype == TG_F32 || mat->dtype == TG_F16 || mat->dtype == TG_BF16;
    plan.cols = MAX_COLS;
    while (plan.cols > MIN_COLS && 8 * t * (double)plan.cols > block_bytes)
        plan.cols /= 2;
    plan.rows = (int64_t)(panel_flops / (2 * t * 2 * (double)plan.cols));
    if (plan.rows > plan.t)
        plan.rows = plan.t;
    if (plan.cols > plan.d)
        plan.cols = plan.d;
    plan.groups = MAX_GROUPS;
    while (plan.groups > 2 &&
           8 * (double)plan.groups * (double)group_doubles(&plan) > group_bytes)
        plan.groups /= 2;
    int64_t blocks = (plan.d + plan.cols - 1) / plan.cols;
    while (plan.groups > 1 && plan.groups > blocks)
        plan.groups /= 2;
    plan.work = (size_t)plan.groups * group_doubles(&plan);
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
                         .block = p + t * t + t + stream->plan.rows * t};
}

/* Rows of the panel that begins at `first`. */
static int64_t panel(const struct stream *stream, int64_t first)
{
    int64_t rest = stream->plan.t - first;
    return rest < stream->plan.rows ? rest : stream->plan.rows;
}

/*
 * One block of columns, for float and double: steps from the values as stored, then the
 * product of the rows less the reference row, a panel of rows at a time.
 */
#define DEFINE_BLOCK(name, real, read, gram_rows)                                        \
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
    static enum tg_err name(const struct stream *stream, int64_t col, int64_t n,         \
                            const struct sums *sums)                                     \
    {                                                                                    \
        int64_t t = stream->plan.t, ld = stream->plan.cols + PAD;                        \
        real *x = sums->block, *c = sums->product, *origin = x + stream->reference * ld; \
        for (int64_t i = 0, m; i < t; i += m) {                                          \
            TG_TRY(tg_ctx_poll(stream->ctx));                                            \
            m = panel(stream, i);                                                        \
            read(stream->mat, i, m, col, n, x + i * ld, (size_t)ld);                     \
        }                                                                                \
        for (int64_t i = t - 1; i >= 0; i--) {                                           \
            real *at = x + i * ld;                                                       \
            if (i > 0)                                                                   \
                sums->step2[i - 1] += name##_step(at - ld, at, n, sums->unchanged);      \
            for (int64_t j = 0; j < n && i != stream->reference; j++)                    \
                at[j] -= origin[j];                                                      \
        }                                                                                \
        memset(origin, 0, (size_t)n * sizeof(*origin));                                  \
        for (int64_t first = 0, m; first < t; first += m) {                              \
            TG_TRY(tg_ctx_poll(stream->ctx));                                            \
            m = panel(stream, first);                                                    \
            gram_rows(first, m, n, x, (size_t)ld, c, (size_t)t);                         \
            for (int64_t i = 0; i < m; i++)                                              \
                for (int64_t j = 0; j <= first + i; j++)                                 \
                    sums->g[(first + i) * t + j] += (double)c[i * t + j];                \
        }                                                                                \
        return TG_OK;                                                                    \
    }

DEFINE_BLOCK(block_f32, float, tg_mat_read_f32, tg_sgram_rows)
DEFINE_BLOCK(block_f64, double, tg_mat_read_f64, tg_dgram_rows)

static enum tg_err run_group(void *arg, int64_t i, unsigned lane)
{
    (void)lane;
    struct stream *stream = arg;
    const struct tg_gram_plan *plan = &stream->plan;
    struct sums sums = sums_of(stream, i);
    for (int64_t row = 0; row <= plan->t; row++) { /* the last is step2 and unchanged */
        TG_TRY(tg_ctx_poll(stream->ctx));
        memset(sums.g + row * plan->t, 0, (size_t)plan->t * sizeof(*sums.g));
    }
    for (int64_t b = i; b < stream->blocks; b += plan->groups) {
        int64_t col = b * plan->cols, rest = plan->d - col;
        TG_TRY(tg_ctx_poll(stream->ctx));
        TG_TRY((plan->single ? block_f32 : block_f64)(
            stream, col, rest < plan->cols ? rest : plan->cols, &sums));
        long long done = atomic_fetch_add(&stream->done, 1) + 1;
        tg_ctx_progress(stream->ctx, "reading", (double)done, (double)stream->blocks,
                        "blocks");
    }
    return TG_OK;
}

/* Sums of all groups into the first, in order; both triangles of g. */
static enum tg_err add_groups(const struct stream *stream, struct tg_gram *gram)
{
    int64_t t = stream->plan.t,
            n = t * t + t; /* g, step2 and unchanged lie side by side */
    double *first = sums_of(stream, 0).g;
    for (int64_t i = 1; i < stream->plan.groups; i++) {
        const double *other = sums_of(stream, i).g;
        TG_TRY(tg_ctx_poll(stream->ctx));
        for (int64_t j = 0; j < n; j++)
            first[j] += other[j];
    }
    for (int64_t i = 0; i < t; i++) {
        TG_TRY(tg_ctx_poll(stream->ctx));
        for (int64_t j = 0; j < i; j++)
            first[j * t + i] = first[i * t + j];
    }
    gram->g = first;
    memcpy(gram->step2, first + t * t, (size_t)(t - 1) * sizeof(*first));
    gram->unchanged = first[n - 1] / ((double)(t - 1) * (double)stream->plan.d);
    gram->single = stream->plan.single;
    return TG_OK;
}

static enum tg_err pass(struct stream *stream, struct tg_gram *gram)
{
    stream->blocks = (stream->plan.d + stream->plan.cols - 1) / stream->plan.cols;
    atomic_store(&stream->done, 0);
    TG_TRY(tg_ctx_parallel(stream->ctx, stream->plan.groups, run_group, stream));
    return add_groups(stream, gram);
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
