/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The leading eigenpairs of a symmetric matrix: Lanczos' method with every vector kept
 * orthogonal to all before it (Parlett, "The Symmetric Eigenvalue Problem", 13).
 *
 * DESIGN. Meant for spectra that fall off fast, where some 50 to 200 products with the matrix
 * settle the first ten pairs. What does not settle within STEPS (a flat spectrum, a small
 * matrix, an invariant subspace met early) is left to the dense solver, so that an answer
 * never depends on luck.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "linalg/lapack.h"

enum {
    DENSE = 160, /* the dense solver is as fast up to here */
    STEPS = 400,
    CHECK = 20,  /* steps between two looks at the residuals */
    ROWS = 256   /* of a tile of a product with the matrix */
};

static const uint64_t SEED = 0x7267;

static int64_t steps_of(int64_t n, int64_t k)
{
    int64_t steps = 8 * k > STEPS ? 8 * k : STEPS;
    return n <= DENSE || 4 * k > n ? 0 : tg_min_i64(steps, n - 1);
}

size_t tg_eigh_leading_work(int64_t n, int64_t k)
{
    size_t steps = (size_t)steps_of(n, k), dense = tg_eigh_work(n, true) + (size_t)n;
    size_t own = (steps + 1) * (size_t)n + steps * steps + 6 * steps +
                 tg_tridiag_work((int64_t)steps);
    return own > dense ? own : dense;
}

struct lanczos {
    const struct tg_ctx *ctx;
    int64_t n, k, limit, steps; /* limit: most steps; steps: done */
    const double *a;
    size_t lda;
    double *q;            /* limit + 1 rows of n: the basis */
    double *alpha, *beta; /* the projected matrix */
    double *d, *e, *w;    /* a copy of it, and its eigenvalues, ascending */
    double *h;            /* products with the basis */
    double *z, *rest;     /* its eigenvectors in rows, and the solver's workspace */
};

static struct lanczos lay_out(const struct tg_ctx *ctx, int64_t n, int64_t k,
                              const double *a, size_t lda, double *work)
{
    int64_t limit = steps_of(n, k);
    struct lanczos s = {.ctx = ctx, .n = n, .k = k, .limit = limit, .a = a, .lda = lda};
    s.q = work;
    s.alpha = s.q + (limit + 1) * n;
    s.beta = s.alpha + limit;
    s.d = s.beta + limit;
    s.e = s.d + limit;
    s.w = s.e + limit;
    s.h = s.w + limit;
    s.z = s.h + limit;
    s.rest = s.z + limit * limit;
    return s;
}

static enum tg_err multiply_tile(void *arg, int64_t tile, unsigned lane)
{
    (void)lane;
    const struct lanczos *s = arg;
    int64_t first = tile * ROWS, rows = tg_min_i64(ROWS, s->n - first);
    double *x = s->q + s->steps * s->n;
    cblas_dgemv(CblasRowMajor, CblasNoTrans, (int)rows, (int)s->n, 1,
                s->a + (size_t)first * s->lda, (int)s->lda, x, 1, 0, x + s->n + first, 1);
    return TG_OK;
}

/* One more vector; its length goes to beta. */
static enum tg_err step(struct lanczos *s)
{
    const int64_t j = s->steps;
    double *next = s->q + (j + 1) * s->n;
    TG_TRY(tg_ctx_parallel(s->ctx, (s->n + ROWS - 1) / ROWS, multiply_tile, s));
    s->alpha[j] = 0;
    for (int pass = 0; pass < 2; pass++) { /* twice is enough */
        cblas_dgemv(CblasRowMajor, CblasNoTrans, (int)j + 1, (int)s->n, 1, s->q,
                    (int)s->n, next, 1, 0, s->h, 1);
        cblas_dgemv(CblasRowMajor, CblasTrans, (int)j + 1, (int)s->n, -1, s->q,
                    (int)s->n, s->h, 1, 1, next, 1);
        s->alpha[j] += s->h[j];
    }
    s->beta[j] = cblas_dnrm2((int)s->n, next, 1);
    s->steps++;
    if (s->beta[j] > 0)
        cblas_dscal((int)s->n, 1 / s->beta[j], next, 1);
    return TG_OK;
}

/* Whether the k largest Ritz pairs have residuals of rounding's size. */
static enum tg_err look(struct lanczos *s, bool *settled)
{
    const int64_t m = s->steps;
    struct tg_ctx quiet = *s->ctx; /* these small merges are no progress */
    quiet.progress = NULL;
    double scale = tg_scale_of(m, s->alpha, s->beta);
    for (int64_t i = 0; i < m; i++) {
        s->d[i] = scale * s->alpha[i];
        s->e[i] = scale * s->beta[i];
    }
    TG_TRY(tg_tridiag(&quiet, m, s->d, s->e, s->z, s->w, s->rest));
    cblas_dscal((int)m, scale > 0 ? 1 / scale : 0, s->w, 1);
    *settled = true;
    for (int64_t i = 0; i < s->k; i++) {
        double residual = s->beta[m - 1] * fabs(s->z[(m - 1 - i) * m + m - 1]);
        *settled = *settled && residual <= 64 * DBL_EPSILON * fabs(s->w[m - 1]);
    }
    return TG_OK;
}

static void ritz_pairs(const struct lanczos *s, double *w, double *v)
{
    const int64_t m = s->steps;
    for (int64_t i = 0; i < s->k; i++) {
        w[i] = s->w[m - 1 - i];
        if (v)
            cblas_dgemv(CblasRowMajor, CblasTrans, (int)m, (int)s->n, 1, s->q, (int)s->n,
                        s->z + (m - 1 - i) * m, 1, 0, v + i * s->n, 1);
    }
}

static enum tg_err dense(const struct tg_ctx *ctx, int64_t n, int64_t k, double *a,
                         size_t lda, double *w, double *v, double *work)
{
    TG_TRY(tg_eigh(ctx, n, v, a, lda, work, work + n));
    for (int64_t i = 0; i < k; i++) {
        w[i] = work[n - 1 - i];
        for (int64_t t = 0; v && t < n; t++)
            v[i * n + t] = a[(size_t)t * lda + n - 1 - i];
    }
    return TG_OK;
}

enum tg_err tg_eigh_leading(const struct tg_ctx *ctx, int64_t n, int64_t k, double *a,
                            size_t lda, double *w, double *v, double *work)
{
    struct lanczos s = lay_out(ctx, n, k, a, lda, work);
    bool settled = false, ended = !s.limit;
    if (!tg_all_finite(n, n, a, lda))
        return TG_NUMERIC;
    if (!ended) {
        tg_rng_normal(SEED, 0, 0, (size_t)n, s.q);
        cblas_dscal((int)n, 1 / cblas_dnrm2((int)n, s.q, 1), s.q, 1);
    }
    double largest = 0;
    while (!ended && !settled) {
        TG_TRY(step(&s));
        largest = fmax(largest, fabs(s.alpha[s.steps - 1]));
        if (s.steps % CHECK == 0 && s.steps > k)
            TG_TRY(look(&s, &settled));
        ended = s.steps == s.limit ||
                s.beta[s.steps - 1] <= (double)n * DBL_EPSILON * largest;
    }
    if (!settled)
        return dense(ctx, n, k, a, lda, w, v, work);
    ritz_pairs(&s, w, v);
    return TG_OK;
}
