/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sums over blocks of samples, and scores from sums. */
#include "svcca/resample.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "linalg/linalg.h"
#include "svcca/pair.h"

enum { AT_ONCE = 16, ROWS = 512 };

/* A debiased self-similarity below this share of the biased one is rounding, not a number. */
static const double rounding = 1e-13;

/* A direction below this share of the first is not told by squares. */
static const double least_share = 1e-6;

/* Random numbers of permutations come from streams below. */
static const uint64_t halves_stream = UINT64_C(1) << 63;

static bool asks(const struct tg_svcca_options *options, enum tg_score score)
{
    return tg_score_asked(options, score);
}

bool tg_resample_has(enum tg_svcca_measure measure)
{
    return measure <= TG_SVCCA_REGRESSION; /* what comes after sets samples beside samples */
}

/* Whether X itself will do: the norms of CKA ask for no basis. */
static bool by_x(const struct tg_svcca_options *options)
{
    return !(options->measures & ~(uint64_t)(1 << TG_SVCCA_CKA | 1 << TG_SVCCA_CKA_DEBIASED));
}

/* Whether a score asks for orthonormal bases of the samples taken. */
static bool whitens(const struct tg_svcca_options *options)
{
    return asks(options, TG_SCORE_CCA) || asks(options, TG_SCORE_PWCCA) ||
           asks(options, TG_SCORE_SHAPE) || asks(options, TG_SCORE_A_TO_B);
}

unsigned tg_resample_needs(const struct tg_svcca_options *options)
{
    return by_x(options) ? TG_BASIS_X : TG_BASIS_U | TG_BASIS_ALL | TG_BASIS_S;
}

/* Where the sums of a block stand in a row of them. */
struct places {
    int64_t a, m, b;           /* k_a x k_a, k_a x k_b, k_b x k_b */
    int64_t mean_a, p_a, q_a;  /* k_a each: sum z, sum p z, sum q z */
    int64_t mean_b, p_b, q_b;
    int64_t n, p, q, pp, pq, qq; /* of the rows' squared norms p and q */
    int64_t size;
};

static struct places places_of(int64_t k_a, int64_t k_b)
{
    struct places at = {.a = 0, .m = k_a * k_a};
    at.b = at.m + k_a * k_b;
    at.mean_a = at.b + k_b * k_b;
    at.p_a = at.mean_a + k_a;
    at.q_a = at.p_a + k_a;
    at.mean_b = at.q_a + k_a;
    at.p_b = at.mean_b + k_b;
    at.q_b = at.p_b + k_b;
    at.n = at.q_b + k_b;
    at.p = at.n + 1;
    at.q = at.n + 2;
    at.pp = at.n + 3;
    at.pq = at.n + 4;
    at.qq = at.n + 5;
    at.size = at.n + 6;
    return at;
}

/* One layer as the sums see it. */
struct side {
    const struct tg_basis *basis;
    const double *z; /* n x k */
    size_t ld;
    int64_t k;
    bool stretched;  /* the layer is z S V^T; else z itself */
};

/* A pair under way. */
struct resampling {
    const struct tg_resample *resample;
    const struct tg_svcca_pair_work *work;
    struct side a, b;
    struct places at;
    int64_t first; /* replicate of the first row in batch */
};

static double stretch(const struct side *side, int64_t i)
{
    return side->stretched ? side->basis->s[i] * side->basis->scale : 1;
}

static struct side side_of(const struct tg_basis *basis, bool from_x)
{
    if (from_x)
        return (struct side){basis, basis->x, (size_t)basis->d, basis->columns, false};
    return (struct side){basis, basis->u, basis->ldu, basis->kept, true};
}

static double cube(double x)
{
    return x * x * x;
}

static double replicate_flops(const struct tg_svcca_options *options, double d_a, double d_b)
{
    double d = fmax(d_a, d_b), flops = 0;
    if (whitens(options))
        flops += 2 * cube(d) / 3 + 2 * d_a * d_b * d;
    if (asks(options, TG_SCORE_CCA) || asks(options, TG_SCORE_PWCCA))
        flops += 4 * cube(fmin(d_a, d_b));
    if (asks(options, TG_SCORE_PWCCA))
        flops += 26 * cube(d);
    if (asks(options, TG_SCORE_PROCRUSTES))
        flops += 4 * cube(fmin(d_a, d_b));
    if (asks(options, TG_SCORE_SVCCA))
        flops += 6 * cube(d);
    if (asks(options, TG_SCORE_SHAPE))
        flops += 22 * cube(d);
    if (asks(options, TG_SCORE_A_TO_B))
        flops += 2 * d_a * d_b * (d_a + d_b);
    return flops;
}

double tg_resample_flops(const struct tg_resample *resample, int64_t d_a, int64_t d_b)
{
    double a = (double)d_a, b = (double)d_b, n = (double)resample->n;
    double size = (double)places_of(d_a, d_b).size;
    return n * (a * a + b * b + 2 * a * b) +
           (double)resample->replicates *
               (2 * (double)resample->blocks * size +
                replicate_flops(resample->options, a, b));
}

static double *numbers(struct tg_arena *arena, int64_t rows, int64_t cols)
{
    size_t count;
    if (!tg_mul_ok((size_t)rows, (size_t)cols, &count))
        count = SIZE_MAX; /* more than any arena has */
    return tg_arena_alloc(arena, count, sizeof(double));
}

static struct tg_resample_lane layout_lane(struct tg_arena *arena, int64_t d)
{
    struct tg_resample_lane lane = {0};
    size_t pair = tg_pair_work(d), steps = tg_eigh_steps_work(d);
    double **square[] = {&lane.scratch.a, &lane.scratch.b, &lane.scratch.c, &lane.a, &lane.b,
                         &lane.m, &lane.w, &lane.p_a, &lane.p_b, &lane.t};
    for (size_t i = 0; i < sizeof(square) / sizeof(*square); i++)
        *square[i] = numbers(arena, d, d);
    lane.scratch.w = numbers(arena, d, 1);
    lane.scratch.peak = numbers(arena, d, 1);
    lane.scratch.work = tg_arena_alloc(arena, pair > steps ? pair : steps, sizeof(double));
    lane.mean_a = numbers(arena, d, 1);
    lane.mean_b = numbers(arena, d, 1);
    return lane;
}

void tg_resample_layout(struct tg_arena *arena, unsigned lanes, struct tg_resample *resample)
{
    int64_t d = resample->d, size = places_of(d, d).size, r = resample->replicates;
    double most = replicate_flops(resample->options, (double)d, (double)d);
    double block = 4 * (double)(resample->n / resample->blocks) * (double)(d * d);
    resample->lanes = tg_replicate_lanes(fmax(most, block), lanes);
    resample->lane = tg_arena_alloc(arena, resample->lanes, sizeof(*resample->lane));
    for (unsigned i = 0; i < resample->lanes; i++) {
        struct tg_resample_lane lane = layout_lane(arena, d);
        if (resample->lane)
            resample->lane[i] = lane;
    }
    resample->nslots = 0;
    for (int i = 0; i < TG_SCORES; i++)
        resample->slot[i] =
            asks(resample->options, (enum tg_score)i) ? resample->nslots++ : -1;
    resample->taken = numbers(arena, r, resample->blocks);
    resample->sums = numbers(arena, resample->blocks, size);
    resample->batch = numbers(arena, AT_ONCE, size);
    resample->score = numbers(arena, resample->npairs * resample->nslots, r);
}

void tg_resample_start(struct tg_resample *resample)
{
    int64_t blocks = resample->blocks, r = resample->replicates;
    for (int64_t i = 0; i < r * blocks; i++)
        resample->taken[i] =
            resample->how == TG_RESAMPLE_BLOCK_OUT && i / blocks != i % blocks;
    for (int64_t i = 0; resample->how == TG_RESAMPLE_HALVES && i < r; i++) {
        double *taken = resample->taken + i * blocks, u;
        int64_t wanted = blocks / 2;
        for (int64_t k = 0; k < blocks; k++) { /* each of the rest is as likely */
            tg_rng_uniform(resample->seed, halves_stream | (uint64_t)i, (uint64_t)k, 1, &u);
            taken[k] = u * (double)(blocks - k) < (double)wanted;
            wanted -= taken[k] > 0;
        }
    }
    for (int64_t i = 0; i < resample->npairs * resample->nslots * r; i++)
        resample->score[i] = NAN; /* pairs with a constant layer stay so */
}

const double *tg_resample_scores(const struct tg_resample *resample, int64_t pair,
                                 enum tg_score score)
{
    int slot = resample->slot[score];
    return slot < 0 ? NULL
                    : resample->score +
                          (pair * resample->nslots + slot) * resample->replicates;
}

int64_t tg_resample_block(const struct tg_resample *resample, int64_t b, int64_t *first)
{
    int64_t n = resample->n, size = n / resample->blocks, more = n % resample->blocks;
    *first = b * size + (b < more ? b : more);
    return size + (b < more);
}

/* Sums of z, p z and q z over rows of one layer. */
static void add_rows(const struct side *side, const double *p, const double *q, int64_t first,
                     int64_t end, double *sum, double *sum_p, double *sum_q)
{
    for (int64_t i = first; i < end; i++) {
        const double *z = side->z + (size_t)i * side->ld;
        for (int64_t j = 0; j < side->k; j++) {
            sum[j] += z[j];
            sum_p[j] += p[i] * z[j];
            sum_q[j] += q[i] * z[j];
        }
    }
}

static enum tg_err sum_block(void *arg, const struct tg_ctx *ctx, int64_t block, unsigned lane)
{
    (void)lane;
    const struct resampling *job = arg;
    const struct side *a = &job->a, *b = &job->b;
    const struct places *at = &job->at;
    const double *p = a->basis->x_row2, *q = b->basis->x_row2;
    int64_t first, rows = tg_resample_block(job->resample, block, &first);
    double *sums = job->resample->sums + block * at->size;
    const double *za = a->z + (size_t)first * a->ld, *zb = b->z + (size_t)first * b->ld;
    memset(sums + at->mean_a, 0, (size_t)(at->size - at->mean_a) * sizeof(*sums));
    TG_TRY(tg_syrk(ctx, TG_T, a->k, rows, 1, za, a->ld, 0, sums + at->a, (size_t)a->k));
    TG_TRY(tg_syrk(ctx, TG_T, b->k, rows, 1, zb, b->ld, 0, sums + at->b, (size_t)b->k));
    TG_TRY(tg_gemm(ctx, TG_T, TG_N, a->k, b->k, rows, 1, za, a->ld, zb, b->ld, 0,
                   sums + at->m, (size_t)b->k));
    for (int64_t row = first; row < first + rows; row += ROWS) {
        int64_t end = row + ROWS < first + rows ? row + ROWS : first + rows;
        TG_TRY(tg_ctx_poll(ctx));
        add_rows(a, p, q, row, end, sums + at->mean_a, sums + at->p_a, sums + at->q_a);
        add_rows(b, p, q, row, end, sums + at->mean_b, sums + at->p_b, sums + at->q_b);
        for (int64_t i = row; i < end; i++) {
            sums[at->p] += p[i];
            sums[at->q] += q[i];
            sums[at->pp] += p[i] * p[i];
            sums[at->pq] += p[i] * q[i];
            sums[at->qq] += q[i] * q[i];
        }
    }
    sums[at->n] = (double)rows;
    return TG_OK;
}

/* ||D_a G D_b||_F^2 with D the stretches of the sides, or 1 for NULL. */
static double norm2(const struct side *left, const struct side *right, const double *g,
                    int64_t rows, int64_t cols)
{
    double sum = 0;
    for (int64_t i = 0; i < rows; i++) {
        double row = 0, s = left ? stretch(left, i) : 1;
        for (int64_t j = 0; j < cols; j++) {
            double x = g[i * cols + j] * (right ? stretch(right, j) : 1);
            row += x * x;
        }
        sum += s * s * row;
    }
    return sum;
}

/* tr(S G S) */
static double trace(const struct side *side, const double *g)
{
    double sum = 0;
    for (int64_t i = 0; i < side->k; i++)
        sum += stretch(side, i) * stretch(side, i) * g[i * side->k + i];
    return sum;
}

/* to = sums - n mean other^T, rows x cols. */
static void centre(const double *sums, const double *mean, int64_t rows, const double *other,
                   int64_t cols, double n, double *to)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            to[i * cols + j] = sums[i * cols + j] - n * mean[i] * other[j];
}

/* x . y in the layer's coordinates */
static double dot(const struct side *side, const double *x, const double *y)
{
    double sum = 0;
    for (int64_t i = 0; i < side->k; i++)
        sum += stretch(side, i) * stretch(side, i) * x[i] * y[i];
    return sum;
}

/*
 * sum p'_i q'_i with p'_i = |x_i - m|^2, q'_i = |y_i - l|^2, from sums about the old means:
 * sum pq - 2 l.sum p y - 2 m.sum q x + |l|^2 sum p + |m|^2 sum q + 4 m^T C l - 3 n |m|^2 |l|^2,
 * C = sum x y^T not centred; py and qx are those dot products, mcl the last.
 */
static double moved_product(double n, double pq, double p, double q, double py, double qx,
                            double mcl, double m2, double l2)
{
    return pq - 2 * py - 2 * qx + l2 * p + m2 * q + 4 * mcl - 3 * n * m2 * l2;
}

/* m^T C l for the not centred sums C, in the layers' coordinates. */
static double between(const struct side *a, const struct side *b, const double *c,
                      const double *m, const double *l)
{
    double sum = 0;
    for (int64_t i = 0; i < a->k; i++) {
        double row = 0, s = stretch(a, i);
        for (int64_t j = 0; j < b->k; j++)
            row += c[i * b->k + j] * stretch(b, j) * stretch(b, j) * l[j];
        sum += s * s * m[i] * row;
    }
    return sum;
}

/* n (n - 3) times the unbiased HSIC, as in pair.c. */
static double hsic(double n, double product2, double pq, double p, double q)
{
    return product2 - n / (n - 2) * pq + p * q / ((n - 1) * (n - 2));
}

/* A replicate under way: its sums, its number of samples, its score. */
struct replicate {
    const struct resampling *job;
    const struct tg_resample_lane *lane;
    const double *sums;
    double n;
    struct tg_svcca_pair pair;
};

static void compare_grams(struct replicate *r)
{
    const struct side *a = &r->job->a, *b = &r->job->b;
    const struct places *at = &r->job->at;
    const double *s = r->sums, *m = r->lane->mean_a, *l = r->lane->mean_b;
    double n = r->n, c2 = norm2(a, b, r->lane->m, a->k, b->k);
    double a2 = norm2(a, a, r->lane->a, a->k, a->k), b2 = norm2(b, b, r->lane->b, b->k, b->k);
    r->pair.cka = fmin(c2 / (sqrt(a2) * sqrt(b2)), 1);
    if (!asks(r->job->resample->options, TG_SCORE_CKA_DEBIASED) || n < 4)
        return;
    double m2 = dot(a, m, m), l2 = dot(b, l, l);
    double pm = dot(a, s + at->p_a, m), ql = dot(b, s + at->q_b, l);
    double pp = moved_product(n, s[at->pp], s[at->p], s[at->p], pm, pm,
                              between(a, a, s + at->a, m, m), m2, m2);
    double qq = moved_product(n, s[at->qq], s[at->q], s[at->q], ql, ql,
                              between(b, b, s + at->b, l, l), l2, l2);
    double pq = moved_product(n, s[at->pq], s[at->p], s[at->q], dot(b, s + at->p_b, l),
                              dot(a, s + at->q_a, m), between(a, b, s + at->m, m, l), m2, l2);
    double p = trace(a, r->lane->a), q = trace(b, r->lane->b);
    double aa = hsic(n, a2, pp, p, p), bb = hsic(n, b2, qq, q, q);
    if (aa > rounding * a2 && bb > rounding * b2)
        r->pair.cka_debiased = hsic(n, c2, pq, p, q) / (sqrt(aa) * sqrt(bb));
}

static enum tg_err compare_rotated(const struct tg_ctx *ctx, struct replicate *r)
{
    const struct side *a = &r->job->a, *b = &r->job->b;
    const struct tg_resample_lane *lane = r->lane;
    for (int64_t i = 0; i < a->k; i++)
        for (int64_t j = 0; j < b->k; j++)
            lane->scratch.c[i * b->k + j] =
                stretch(a, i) * lane->m[i * b->k + j] * stretch(b, j);
    return tg_pair_aligned(ctx, &lane->scratch, a->k, b->k,
                           sqrt(trace(a, lane->a)) * sqrt(trace(b, lane->b)),
                           &r->pair.procrustes);
}

static enum tg_err compare_weighted(const struct tg_ctx *ctx, struct replicate *r)
{
    const struct side *side[] = {&r->job->a, &r->job->b};
    const struct tg_resample_lane *lane = r->lane;
    double mean[2];
    int sides = r->job->resample->options->pwcca_first ? 1 : 2;
    for (int i = 0; i < sides; i++) {
        int64_t k = side[i]->k, d = side[i]->basis->columns;
        TG_TRY(tg_gemm(ctx, TG_T, TG_N, k, d, k, 1, i ? lane->b : lane->a, (size_t)k,
                       side[i]->basis->f, (size_t)d, 0, lane->t, (size_t)d));
        TG_TRY(tg_pair_weigh(ctx, &lane->scratch, lane->t, d, i, lane->w, side[0]->k,
                             side[1]->k, &mean[i]));
    }
    r->pair.pwcca = sides == 1 ? mean[0] : (mean[0] + mean[1]) / 2;
    return TG_OK;
}

/*
 * Of the Gram matrix in scratch->b the roots of the k leading eigenvalues, and their vectors
 * in the columns of p (order x k).
 */
static enum tg_err principal(const struct tg_ctx *ctx, const struct tg_basis_scratch *scratch,
                             int64_t order, int64_t k, double *p, double *root)
{
    double *w = scratch->w;
    TG_TRY(tg_eigh_values(ctx, order, scratch->b, (size_t)order, w, scratch->work));
    for (int64_t i = 0; i < k; i++)
        root[i] = sqrt(fmax(w[order - 1 - i], 0));
    return tg_eigh_vectors(ctx, order, scratch->b, (size_t)order, k, p, (size_t)k,
                           scratch->work);
}

/* to = P_a^T G P_b, rows x cols, of a k_a x k_b matrix G. */
static enum tg_err turn(const struct tg_ctx *ctx, const struct replicate *r, const double *g,
                        int64_t rows, int64_t cols, double *to)
{
    const struct tg_resample_lane *lane = r->lane;
    int64_t ka = r->job->a.k, kb = r->job->b.k;
    TG_TRY(tg_gemm(ctx, TG_T, TG_N, rows, kb, ka, 1, lane->p_a, (size_t)rows, g, (size_t)kb, 0,
                   lane->t, (size_t)kb));
    return tg_gemm(ctx, TG_N, TG_N, rows, cols, kb, 1, lane->t, (size_t)kb, lane->p_b,
                   (size_t)cols, 0, to, (size_t)cols);
}

/*
 * The k leading directions of Z S V^T, as P = S Q D^-1 with S A S = Q D^2 Q^T, so that Z P is
 * orthonormal. Squares do for leading ones, whose D is not small; *known false where it is.
 */
static enum tg_err lead(const struct tg_ctx *ctx, const struct replicate *r,
                        const struct side *side, const double *g, int64_t k, double *p,
                        bool *known)
{
    const struct tg_basis_scratch *scratch = &r->lane->scratch;
    double *root = scratch->peak;
    for (int64_t i = 0; i < side->k; i++)
        for (int64_t j = 0; j < side->k; j++)
            scratch->b[i * side->k + j] =
                stretch(side, i) * g[i * side->k + j] * stretch(side, j);
    TG_TRY(principal(ctx, scratch, side->k, k, p, root));
    *known = *known && root[k - 1] > least_share * root[0];
    for (int64_t i = 0; i < side->k; i++)
        for (int64_t j = 0; j < k; j++)
            p[i * k + j] *= stretch(side, i) / root[j];
    return TG_OK;
}

static enum tg_err compare_leading(const struct tg_ctx *ctx, struct replicate *r)
{
    const struct tg_resample_lane *lane = r->lane;
    const struct side *a = &r->job->a, *b = &r->job->b;
    enum tg_svcca_rule rule = r->job->resample->options->rule;
    int64_t rows = a->basis->k[rule], cols = b->basis->k[rule];
    bool known = r->n > (double)(rows + cols);
    TG_TRY(lead(ctx, r, a, lane->a, rows, lane->p_a, &known));
    TG_TRY(lead(ctx, r, b, lane->b, cols, lane->p_b, &known));
    if (!known)
        return TG_OK;
    TG_TRY(turn(ctx, r, lane->m, rows, cols, lane->scratch.a));
    return tg_pair_mean_rho(ctx, lane->scratch.a, cols, rows, cols, &lane->scratch,
                            lane->scratch.w, &r->pair.svcca[rule]);
}

/*
 * The left singular vectors P of L^T S, each times alpha s + 1 - alpha, its singular value s
 * that of all samples; the sum of their squares.
 */
static enum tg_err partly_whiten(const struct tg_ctx *ctx, const struct replicate *r,
                                 const struct side *side, const double *l, double *p,
                                 double *sum)
{
    const struct tg_basis_scratch *scratch = &r->lane->scratch;
    double alpha = r->job->resample->options->shape_alpha, *root = scratch->peak;
    double unit = sqrt((double)side->basis->n / r->n) / side->basis->scale;
    int64_t k = side->k;
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < k; j++)
            r->lane->t[i * k + j] = stretch(side, i) * l[i * k + j];
    TG_TRY(tg_syrk(ctx, TG_T, k, k, 1, r->lane->t, (size_t)k, 0, scratch->b, (size_t)k));
    TG_TRY(principal(ctx, scratch, k, k, p, root));
    *sum = 0;
    for (int64_t j = 0; j < k; j++) {
        root[j] = alpha * root[j] * unit + (1 - alpha);
        *sum += root[j] * root[j];
    }
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < k; j++)
            p[i * k + j] *= root[j];
    return TG_OK;
}

static enum tg_err compare_shapes(const struct tg_ctx *ctx, struct replicate *r)
{
    const struct tg_resample_lane *lane = r->lane;
    const struct side *a = &r->job->a, *b = &r->job->b;
    double a2, b2;
    TG_TRY(partly_whiten(ctx, r, a, lane->a, lane->p_a, &a2));
    TG_TRY(partly_whiten(ctx, r, b, lane->b, lane->p_b, &b2));
    TG_TRY(turn(ctx, r, lane->w, a->k, b->k, lane->scratch.c));
    return tg_pair_aligned(ctx, &lane->scratch, a->k, b->k, sqrt(a2) * sqrt(b2),
                           &r->pair.shape);
}

/* What needs no whitening, from A, B and M. */
static enum tg_err compare_products(const struct tg_ctx *ctx, struct replicate *r)
{
    const struct tg_svcca_options *options = r->job->resample->options;
    if (asks(options, TG_SCORE_CKA) || asks(options, TG_SCORE_CKA_DEBIASED))
        compare_grams(r);
    if (asks(options, TG_SCORE_PROCRUSTES))
        TG_TRY(compare_rotated(ctx, r));
    return asks(options, TG_SCORE_SVCCA) ? compare_leading(ctx, r) : TG_OK;
}

/* A = L_a L_a^T and B = L_b L_b^T in their place; false where a layer is not spanned. */
static enum tg_err factor(const struct tg_ctx *ctx, const struct replicate *r, bool *spanned)
{
    int64_t ka = r->job->a.k, kb = r->job->b.k;
    enum tg_err err = TG_NUMERIC;
    if (r->n > (double)(ka + kb)) /* else correlations are 1 whatever the data */
        err = tg_chol(ctx, ka, r->lane->a, (size_t)ka, NULL);
    if (!err)
        err = tg_chol(ctx, kb, r->lane->b, (size_t)kb, NULL);
    *spanned = !err;
    return err == TG_NUMERIC ? TG_OK : err;
}

/* What needs orthonormal bases; A and B are lost. */
static enum tg_err compare_whitened(const struct tg_ctx *ctx, struct replicate *r)
{
    const struct tg_svcca_options *options = r->job->resample->options;
    const struct side *a = &r->job->a, *b = &r->job->b;
    const struct tg_resample_lane *lane = r->lane;
    double a2 = trace(a, lane->a), b2 = trace(b, lane->b);
    size_t ka = (size_t)a->k, kb = (size_t)b->k;
    bool spanned;
    TG_TRY(factor(ctx, r, &spanned));
    if (!spanned)
        return TG_OK;
    memcpy(lane->w, lane->m, ka * kb * sizeof(double));
    TG_TRY(tg_trsm(ctx, true, false, TG_N, a->k, b->k, lane->a, ka, lane->w, kb));
    if (asks(options, TG_SCORE_A_TO_B))
        r->pair.r2_a_to_b = fmin(norm2(NULL, b, lane->w, a->k, b->k) / b2, 1);
    TG_TRY(tg_trsm(ctx, false, false, TG_T, a->k, b->k, lane->b, kb, lane->w, kb));
    if (asks(options, TG_SCORE_B_TO_A)) {
        memcpy(lane->t, lane->m, ka * kb * sizeof(double));
        TG_TRY(tg_trsm(ctx, false, false, TG_T, a->k, b->k, lane->b, kb, lane->t, kb));
        r->pair.r2_b_to_a = fmin(norm2(a, NULL, lane->t, a->k, b->k) / a2, 1);
    }
    if (asks(options, TG_SCORE_CCA)) {
        double least = (double)(ka < kb ? ka : kb);
        r->pair.cca_mean_squared = fmin(norm2(NULL, NULL, lane->w, a->k, b->k) / least, 1);
        TG_TRY(tg_pair_mean_rho(ctx, lane->w, b->k, a->k, b->k, &lane->scratch,
                                lane->scratch.w, &r->pair.cca_mean));
    }
    if (asks(options, TG_SCORE_PWCCA))
        TG_TRY(compare_weighted(ctx, r));
    return asks(options, TG_SCORE_SHAPE) ? compare_shapes(ctx, r) : TG_OK;
}

static enum tg_err score_replicate(void *arg, const struct tg_ctx *ctx, int64_t index,
                                   unsigned lane)
{
    const struct resampling *job = arg;
    const struct tg_resample *resample = job->resample;
    const struct places *at = &job->at;
    const double *sums = resample->batch + (index - job->first) * at->size;
    int64_t ka = job->a.k, kb = job->b.k;
    struct replicate r = {job, &resample->lane[lane], sums, sums[at->n],
                          tg_svcca_pair_unknown(0, 0)};
    for (int64_t i = 0; i < ka; i++)
        r.lane->mean_a[i] = sums[at->mean_a + i] / r.n;
    for (int64_t i = 0; i < kb; i++)
        r.lane->mean_b[i] = sums[at->mean_b + i] / r.n;
    centre(sums + at->a, r.lane->mean_a, ka, r.lane->mean_a, ka, r.n, r.lane->a);
    centre(sums + at->b, r.lane->mean_b, kb, r.lane->mean_b, kb, r.n, r.lane->b);
    centre(sums + at->m, r.lane->mean_a, ka, r.lane->mean_b, kb, r.n, r.lane->m);
    TG_TRY(compare_products(ctx, &r));
    if (whitens(resample->options))
        TG_TRY(compare_whitened(ctx, &r));
    for (int i = 0; i < TG_SCORES; i++)
        if (resample->slot[i] >= 0)
            resample->score[(job->work->index * resample->nslots + resample->slot[i]) *
                                resample->replicates +
                            index] =
                tg_score_of(resample->options, &r.pair, (enum tg_score)i);
    return TG_OK;
}

enum tg_err tg_resample_pair(const struct tg_ctx *ctx, const struct tg_svcca_pair_work *work,
                             const struct tg_resample *resample)
{
    bool from_x = by_x(resample->options);
    struct resampling job = {.resample = resample,
                             .work = work,
                             .a = side_of(work->a, from_x),
                             .b = side_of(work->b, from_x)};
    job.at = places_of(job.a.k, job.b.k);
    TG_TRY(tg_replicate(ctx, resample->lanes, 0, resample->blocks, sum_block, &job));
    int64_t blocks = resample->blocks, count = resample->replicates;
    for (int64_t i = 0; i < count; i += AT_ONCE) {
        int64_t some = count - i < AT_ONCE ? count - i : AT_ONCE;
        job.first = i;
        TG_TRY(tg_gemm(ctx, TG_N, TG_N, some, job.at.size, blocks, 1,
                       resample->taken + i * blocks, (size_t)blocks, resample->sums,
                       (size_t)job.at.size, 0, resample->batch, (size_t)job.at.size));
        TG_TRY(tg_replicate(ctx, resample->lanes, i, some, score_replicate, &job));
        tg_ctx_progress(ctx, "resampling", (double)(work->index * count + i + some),
                        (double)(resample->npairs * count), "replicates");
    }
    return TG_OK;
}
