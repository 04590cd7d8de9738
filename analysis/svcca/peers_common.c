/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What several peers compute alike: linear CKA, Procrustes, and what these are made of. */
#include "svcca/peers_private.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "linalg/linalg.h"

double tg_peer_norm2(const double *x, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += x[i] * x[i];
    return sum;
}

double tg_peer_mean(const double *x, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += x[i];
    return sum / (double)count;
}

enum tg_err tg_peer_copy(const struct tg_ctx *ctx, const struct tg_peers *peers, int64_t cols,
                         const double *from, double *to)
{
    for (int64_t i = 0; i < peers->n; i += TG_PEER_ROWS) {
        int64_t rows = peers->n - i < TG_PEER_ROWS ? peers->n - i : TG_PEER_ROWS;
        TG_TRY(tg_ctx_poll(ctx));
        memcpy(to + i * cols, from + i * cols, (size_t)(rows * cols) * sizeof(double));
    }
    return TG_OK;
}

enum tg_err tg_peer_product(const struct tg_ctx *ctx, const struct tg_peers *peers,
                            const double *x, int64_t dx, const double *y, int64_t dy)
{
    return tg_gemm(ctx, TG_T, TG_N, dx, dy, peers->n, 1, x, (size_t)dx, y, (size_t)dy, 0,
                   peers->square[0], (size_t)dy);
}

enum tg_err tg_peer_nuclear(const struct tg_ctx *ctx, const struct tg_peers *peers, int64_t dx,
                            int64_t dy, double *sum)
{
    double *s = peers->vector[0];
    TG_TRY(tg_svd(ctx, dx, dy, peers->square[0], (size_t)dy, s, NULL, 0, NULL, 0,
                  peers->work));
    *sum = 0;
    for (int64_t i = 0; i < (dx < dy ? dx : dy); i++)
        *sum += s[i];
    return TG_OK;
}

enum tg_err tg_peer_orthonormal(const struct tg_ctx *ctx, const struct tg_peers *peers,
                                int64_t d, double *x, bool *full_rank, double *rounding)
{
    double *r = peers->square[1], *s = peers->vector[0];
    TG_TRY(tg_qr(ctx, peers->n, d, x, (size_t)d, r, (size_t)d, peers->work));
    TG_TRY(tg_svd(ctx, d, d, r, (size_t)d, s, NULL, 0, NULL, 0, peers->work));
    *full_rank = s[d - 1] > s[0] * (double)peers->n * DBL_EPSILON;
    *rounding = fmax(*rounding, DBL_EPSILON * s[0] / s[d - 1]);
    return TG_OK;
}

/* ||X^T Y||_F^2 less what the squared norms of the rows add to it. */
static enum tg_err hsic(const struct tg_ctx *ctx, const struct tg_peers *peers,
                        const struct tg_peer_side *x, const struct tg_peer_side *y,
                        double product2, double *unbiased)
{
    double n = (double)peers->n, pq = 0, p = 0, q = 0;
    for (int64_t i = 0; i < peers->n; i++) {
        if (i % TG_PEER_ROWS == 0)
            TG_TRY(tg_ctx_poll(ctx));
        double a = tg_peer_norm2(x->centred + i * x->d, x->d);
        double b = tg_peer_norm2(y->centred + i * y->d, y->d);
        pq += a * b;
        p += a;
        q += b;
    }
    *unbiased = product2 - n / (n - 2) * pq + p * q / ((n - 1) * (n - 2));
    return TG_OK;
}

enum tg_err tg_peer_linear_cka(const struct tg_ctx *ctx, const struct tg_peers *peers,
                               double *biased, double *debiased)
{
    const struct tg_peer_side *x = &peers->side[0], *y = &peers->side[1];
    double product2[3], unbiased[3];
    for (int i = 0; i < 3; i++) {
        const struct tg_peer_side *a = i == 2 ? y : x, *b = i == 1 ? x : y;
        TG_TRY(tg_peer_product(ctx, peers, a->centred, a->d, b->centred, b->d));
        product2[i] = tg_peer_norm2(peers->square[0], a->d * b->d);
        TG_TRY(hsic(ctx, peers, a, b, product2[i], &unbiased[i]));
    }
    *biased = product2[0] / sqrt(product2[1] * product2[2]);
    *debiased = unbiased[0] / (sqrt(unbiased[1]) * sqrt(unbiased[2]));
    return TG_OK;
}

enum tg_err tg_peer_procrustes(const struct tg_ctx *ctx, const struct tg_peers *peers,
                               double *similarity)
{
    const struct tg_peer_side *x = &peers->side[0], *y = &peers->side[1];
    TG_TRY(tg_peer_product(ctx, peers, x->centred, x->d, y->centred, y->d));
    TG_TRY(tg_peer_nuclear(ctx, peers, x->d, y->d, similarity));
    *similarity /= sqrt(tg_peer_norm2(x->s, x->d) * tg_peer_norm2(y->s, y->d));
    return TG_OK;
}
