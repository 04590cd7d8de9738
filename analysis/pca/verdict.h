/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The verdict on a trajectory: which null models would have drawn it, and which not.
 *
 * DESIGN. All models are fitted (fit.h) and their spectra solved (null.h) at the fitted
 * parameters; the models without any, the walk and the walk with the measured step lengths,
 * are the baseline. A model explains the path when none of the first ratios lies further from
 * its own than SIGMAS of its bands. Shapes are told apart from sizes: the scores are set beside
 * the cosines of a walk and, as figures, beside the Lissajous curves that two of them draw;
 * against the first score s_1 = A cos(th) that of component k is the Chebyshev graph T_k(s_1 / A).
 */
#ifndef TG_PCA_VERDICT_H
#define TG_PCA_VERDICT_H

#include "pca/fit.h"
#include "pca/pca.h"

enum { TG_VERDICT_COMPONENTS = 5, TG_VERDICT_SIGMAS = 3 };

/* What a fitted model would have shown. Arrays lie in the arena; NaN where not fitted. */
struct tg_expected {
    double *ratio, *band; /* k, and one standard deviation of each */
    double worst;         /* of the first ratios: the largest distance in bands */
    bool explains;
    struct tg_trap trap;  /* of a trap with alpha > 0; else its radius is NaN */
    double at_radius;     /* rms distance from the minimum in the last quarter over the radius */
};

struct tg_verdict {
    bool given;               /* false: several runs, or nothing moves; then nothing below is */
    int64_t n, k;             /* points, components */
    struct tg_fits fits;
    struct tg_expected model[TG_MODELS];
    int explained_by;         /* the plainest model that explains, or -1; see below */
    double *step_overlap;     /* k: |cosine| of the scores with pca->step_null_mode */
    double *chebyshev;        /* k: r^2 of a score over T_k of the first; 1 for the first */
    double *lissajous;        /* k: r^2 of the first and k-th score over a walk's two cosines */
    double *distance;         /* n: rms distance from the start that fits.best expects */
};

/* Arena bytes of tg_verdict_run() for t points and k components. */
size_t tg_verdict_bytes(int64_t t, int64_t k);

/*
 * Among the models that explain it, the walk comes first, then that with the measured lengths,
 * whose spectrum is taken from `pca`, then the one of lowest AIC. O(n^2) a model for few
 * components.
 */
TG_MUST_CHECK enum tg_err tg_verdict_run(const struct tg_ctx *ctx, const struct tg_pca *pca,
                                         struct tg_verdict *verdict);

#endif
