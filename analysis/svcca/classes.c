/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Multiple correlations, all classes at once. */
#include "svcca/classes.h"

#include <math.h>
#include <string.h>

#include "linalg/linalg.h"

/* One column less its mean, by its norm; false when a number is not finite. */
static bool normalise(int64_t n, int64_t c, double *y)
{
    double shift = y[0], peak = 0, mean = 0, norm2 = 0;
    for (int64_t i = 0; i < n; i++) {
        y[i * c] -= shift;
        if (!isfinite(y[i * c]))
            return false;
        peak = fmax(peak, fabs(y[i * c]));
    }
    for (int64_t i = 0; i < n && peak > 0; i++) {
        y[i * c] /= peak; /* so that no square overflows */
        mean += y[i * c] / (double)n;
    }
    for (int64_t i = 0; i < n; i++) {
        y[i * c] -= mean;
        norm2 += y[i * c] * y[i * c];
    }
    for (int64_t i = 0; i < n && norm2 > 0; i++)
        y[i * c] /= sqrt(norm2);
    return true;
}

bool tg_classes_logits(const struct tg_mat *logits, double *y)
{
    int64_t n = logits->shape[0], c = logits->shape[1];
    bool finite = true;
    tg_mat_read_f64(logits, 0, n, 0, c, y, (size_t)c);
    for (int64_t j = 0; finite && j < c; j++)
        finite = normalise(n, c, y + j);
    return finite;
}

void tg_classes_indicators(int64_t n, int64_t c, const int64_t *label, double *y)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < c; j++)
            y[i * c + j] = label[i] == j;
    for (int64_t j = 0; j < c; j++)
        normalise(n, c, y + j);
}

enum tg_err tg_classes_correlate(const struct tg_ctx *ctx, const struct tg_basis *basis,
                                 const double *y, int64_t c, int64_t k, double *v,
                                 const struct tg_classes_row *row)
{
    double n = (double)basis->n, r = (double)basis->kept;
    TG_TRY(tg_gemm(ctx, TG_T, TG_N, basis->kept, c, basis->n, 1, basis->u, basis->ldu, y,
                   (size_t)c, 0, v, (size_t)c));
    for (int64_t j = 0; j < c; j++) {
        double all = 0, leading = NAN;
        for (int64_t i = 0; i < basis->kept; i++) {
            all += v[i * c + j] * v[i * c + j];
            if (i + 1 == k)
                leading = all;
        }
        bool changes = false;
        for (int64_t i = 0; i < basis->n && !changes; i++)
            changes = y[i * c + j] != 0;
        all = changes ? fmin(all, 1) : NAN;
        row->cca[j] = sqrt(all);
        row->svcca[j] = changes ? sqrt(fmin(leading, 1)) : NAN;
        row->adjusted[j] = n - 1 > r ? 1 - (1 - all) * (n - 1) / (n - 1 - r) : NAN;
    }
    return TG_OK;
}
