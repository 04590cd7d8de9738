/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Downdates of CKA, sample by sample. */
#include "svcca/influence.h"

#include <math.h>
#include <string.h>

#include "linalg/linalg.h"

/* A self-similarity below this share of what it was made from is rounding, not a number.
 */
static const double rounding = 1e-13;

void tg_influence_layout(struct tg_arena *arena, int64_t n, int64_t d,
                         struct tg_influence_scratch *scratch)
{
    size_t tall, square;
    if (!tg_mul_ok((size_t)n, (size_t)d, &tall))
        tall = SIZE_MAX; /* more than any arena has */
    if (!tg_mul_ok((size_t)d, (size_t)d, &square))
        square = SIZE_MAX;
    scratch->t = tg_arena_alloc(arena, tall, sizeof(double));
    scratch->w = tg_arena_alloc(arena, square, sizeof(double));
    scratch->h = tg_arena_alloc(arena, (size_t)d, 4 * sizeof(double));
}

/* Squared singular value, in the units of x and of its rows' norms. */
static double share(const struct tg_basis *basis, int64_t i)
{
    return basis->s[i] * basis->scale * (basis->s[i] * basis->scale);
}

/* h = sigma^2 U^T q: then u_i . h is x_i . sum_j q_j x_j */
static void gather(const struct tg_basis *basis, const double *q, double *h)
{
    memset(h, 0, (size_t)basis->kept * sizeof(*h));
    for (int64_t i = 0; i < basis->n; i++)
        for (int64_t j = 0; j < basis->kept; j++)
            h[j] += q[i] * basis->u[(size_t)i * basis->ldu + j];
    for (int64_t j = 0; j < basis->kept; j++)
        h[j] *= share(basis, j);
}

static double dot(const double *x, const double *y, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

/* Sums over all samples for one of the three products X^T X, Y^T Y, X^T Y. */
struct sums {
    double product2; /* ||X^T Y||_F^2 */
    double pq, p, q; /* of the rows' squared norms */
};

/* What sample i has to do with them. */
struct sample {
    double p, q;   /* |x_i|^2, |y_i|^2 */
    double xcy;    /* x_i^T (X^T Y) y_i */
    double xq, yp; /* x_i . sum q_j x_j, y_i . sum p_j y_j */
};

static struct sums sums_of(const struct tg_basis *a, const struct tg_basis *b,
                           double product2)
{
    struct sums sums = {.product2 = product2};
    for (int64_t i = 0; i < a->n; i++) {
        sums.pq += a->x_row2[i] * b->x_row2[i];
        sums.p += a->x_row2[i];
        sums.q += b->x_row2[i];
    }
    return sums;
}

/* ||C_-i||_F^2 */
static double product2_without(double n, const struct sums *all, const struct sample *i)
{
    double f = n / (n - 1);
    return all->product2 - 2 * f * i->xcy + f * f * i->p * i->q;
}

/*
 * The debiased product of the n - 1 rows that remain: row j has become x_j + e x_i with
 * e = 1 / (n - 1), so that its norm is p_j + 2 e x_j.x_i + e^2 p_i.
 */
static double debiased_without(double n, const struct sums *all, const struct sample *i)
{
    double e = 1 / (n - 1), f = n / (n - 1), rest = n - 1, own = (1 + e) * (1 + e);
    double pq = all->pq + 2 * e * (i->yp + i->xq) +
                e * e * (i->q * all->p + i->p * all->q) + 4 * e * e * i->xcy +
                n * e * e * e * e * i->p * i->q - own * own * i->p * i->q;
    double p = all->p - f * i->p, q = all->q - f * i->q;
    return product2_without(n, all, i) - rest / (rest - 2) * pq +
           p * q / ((rest - 1) * (rest - 2));
}

static double ratio(double xy, double xx, double yy, double xx_all, double yy_all)
{
    bool known = xx > rounding * xx_all && yy > rounding * yy_all;
    return known ? xy / (sqrt(xx) * sqrt(yy)) : NAN;
}

/* t = U_a (sigma_a^2 M sigma_b^2), so that row i times row i of U_b is x_i^T C y_i. */
static enum tg_err cross_terms(const struct tg_ctx *ctx, const struct tg_basis *a,
                               const struct tg_basis *b, const double *m,
                               const struct tg_influence_scratch *scratch,
                               double *product2)
{
    *product2 = 0;
    for (int64_t j = 0; j < a->kept; j++)
        for (int64_t k = 0; k < b->kept; k++) {
            double weight = share(a, j) * share(b, k), entry = m[j * b->kept + k];
            scratch->w[j * b->kept + k] = weight * entry;
            *product2 += weight * entry * entry;
        }
    return tg_gemm(ctx, TG_N, TG_N, a->n, b->kept, a->kept, 1, a->u, a->ldu, scratch->w,
                   (size_t)b->kept, 0, scratch->t, (size_t)b->kept);
}

static double self_product2(const struct tg_basis *basis)
{
    double sum = 0;
    for (int64_t j = 0; j < basis->kept; j++)
        sum += share(basis, j) * share(basis, j);
    return sum;
}

/* x_i^T (X^T X) x_i */
static double self_term(const struct tg_basis *basis, const double *u)
{
    double sum = 0;
    for (int64_t j = 0; j < basis->kept; j++)
        sum += share(basis, j) * share(basis, j) * u[j] * u[j];
    return sum;
}

enum tg_err tg_influence_pair(const struct tg_ctx *ctx, const struct tg_basis *a,
                              const struct tg_basis *b, const double *m,
                              const struct tg_influence_scratch *scratch, double *cka,
                              double *debiased)
{
    enum { ROWS = 256 };
    int64_t d = a->kept > b->kept ? a->kept : b->kept;
    double *xp = scratch->h, *xq = xp + d, *yp = xq + d, *yq = yp + d, product2;
    TG_TRY(cross_terms(ctx, a, b, m, scratch, &product2));
    const struct sums xy = sums_of(a, b, product2), xx = sums_of(a, a, self_product2(a)),
                      yy = sums_of(b, b, self_product2(b));
    gather(a, a->x_row2, xp);
    gather(a, b->x_row2, xq);
    gather(b, a->x_row2, yp);
    gather(b, b->x_row2, yq);
    double n = (double)a->n;
    for (int64_t i = 0; i < a->n; i++) {
        if (i % ROWS == 0)
            TG_TRY(tg_ctx_poll(ctx));
        const double *u = a->u + (size_t)i * a->ldu, *v = b->u + (size_t)i * b->ldu;
        double p = a->x_row2[i], q = b->x_row2[i];
        double xup = dot(u, xp, a->kept), yvq = dot(v, yq, b->kept);
        const struct sample cross = {p, q, dot(scratch->t + i * b->kept, v, b->kept),
                                     dot(u, xq, a->kept), dot(v, yp, b->kept)};
        const struct sample own_x = {p, p, self_term(a, u), xup, xup};
        const struct sample own_y = {q, q, self_term(b, v), yvq, yvq};
        cka[i] = ratio(product2_without(n, &xy, &cross), product2_without(n, &xx, &own_x),
                       product2_without(n, &yy, &own_y), xx.product2, yy.product2);
        debiased[i] =
            n < 5 ? NAN
                  : ratio(debiased_without(n, &xy, &cross),
                          debiased_without(n, &xx, &own_x),
                          debiased_without(n, &yy, &own_y), xx.product2, yy.product2);
    }
    return TG_OK;
}
