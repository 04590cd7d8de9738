/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Likelihoods of null models over sums of the Gram matrix, their maxima and intervals. */
#include "pca/fit.h"

#include <float.h>
#include <math.h>

enum parameter { ALPHA, MOMENTUM, SHARED, PARAMETERS };

struct model {
    const char *name, *title;
    bool steps;      /* each step's length is given */
    bool chain;      /* steps are an AR(1); else z_t share a part */
    bool stationary; /* the start follows from the other parameters */
    bool is_free[PARAMETERS];
};

static const struct model models[TG_MODELS] = {
    [TG_MODEL_WALK] = {"walk", "a random walk", false, false, false, {0}},
    [TG_MODEL_WALK_STEPS] = {"walk_steps", "a random walk with the measured step lengths",
                             true, false, false, {0}},
    [TG_MODEL_DRIFT] = {"drift", "a random walk with drift", false, false, false,
                        {[SHARED] = true}},
    [TG_MODEL_DRIFT_STEPS] = {"drift_steps",
                              "a random walk with drift and the measured step lengths",
                              true, false, false, {[SHARED] = true}},
    [TG_MODEL_MOMENTUM] = {"momentum", "a random walk with momentum, from rest", false,
                           true, false, {[MOMENTUM] = true}},
    [TG_MODEL_MOMENTUM_STATIONARY] = {"momentum_stationary",
                                      "a random walk with momentum, already moving",
                                      false, true, true, {[MOMENTUM] = true}},
    [TG_MODEL_MOMENTUM_STEPS] = {"momentum_steps",
                                 "a random walk with momentum and the measured step lengths",
                                 true, true, true, {[MOMENTUM] = true}},
    [TG_MODEL_TRAP] = {"trap", "a walk in a quadratic trap, from its minimum", false, false,
                       false, {[ALPHA] = true}},
    [TG_MODEL_TRAP_STATIONARY] = {"trap_stationary",
                                  "a walk long at home in a quadratic trap", false, false,
                                  true, {[ALPHA] = true}},
    [TG_MODEL_TRAP_FAR] = {"trap_far",
                           "a walk in a quadratic trap, from a distance to its minimum",
                           false, false, false, {[ALPHA] = true, [SHARED] = true}},
};

/* Half of chi-square's 95 % point with one degree of freedom. */
static const double interval_drop = 1.9207294103470623;
static const double momentum_most = 1 - 1e-9, shared_most = 1e18;

const char *tg_model_name(enum tg_model model)
{
    return models[model].name;
}

const char *tg_model_title(enum tg_model model)
{
    return models[model].title;
}

/* All that a likelihood needs. u_t = x_t - x_0 and w = u_0 + ... + u_{m-1}. */
struct sums {
    double m;                /* steps */
    double length2, next;    /* sum of M_tt; of M_t,t-1 */
    double head, tail;       /* M_11, M_mm */
    double pull, away;       /* sum of step_t . u_{t-1}; of |u_{t-1}|^2 */
    double end2, end_w, w2;  /* |u_m|^2, u_m . w, |w|^2 */
    bool lengths;            /* no step has length 0; then: */
    double cosines_next;     /* sum of cosines of neighbours */
    double cosines;          /* sum of all cosines, with themselves */
    double log_length2;      /* sum of log M_tt less m log of their mean */
};

/* (x_i - x_0).(x_j - x_0) */
static double from_start(const double *g, int64_t n, int64_t i, int64_t j)
{
    return g[i * n + j] - g[i * n] - g[j] + g[0];
}

static double next_product(const double *g, int64_t n, int64_t t)
{
    return from_start(g, n, t, t - 1) - from_start(g, n, t - 1, t - 1) -
           from_start(g, n, t, t - 2) + from_start(g, n, t - 1, t - 2);
}

/* |sum of weight_i x_i|^2 for weights that add up to 0. */
static enum tg_err square_of(const struct tg_ctx *ctx, const double *g, int64_t n,
                             const double *weight, double *square)
{
    *square = 0;
    for (int64_t i = 0; i < n; i++) {
        double row = 0;
        TG_TRY(tg_ctx_poll(ctx));
        for (int64_t j = 0; j < n; j++)
            row += weight[j] * from_start(g, n, i, j);
        *square += weight[i] * row;
    }
    return TG_OK;
}

/* Sum of all unit steps, as weights of the points. */
static void unit_step_weights(const double *step2, int64_t n, double *weight)
{
    for (int64_t t = 0; t < n; t++)
        weight[t] = (t > 0 ? 1 / sqrt(step2[t - 1]) : 0) -
                    (t + 1 < n ? 1 / sqrt(step2[t]) : 0);
}

static enum tg_err collect(const struct tg_ctx *ctx, int64_t n, const double *g,
                           const double *step2, struct sums *sums, double *scratch)
{
    *sums = (struct sums){.m = (double)(n - 1),
                          .head = step2[0],
                          .tail = step2[n - 2],
                          .end2 = from_start(g, n, n - 1, n - 1),
                          .lengths = true};
    for (int64_t t = 1; t < n; t++) {
        TG_TRY(tg_ctx_poll(ctx));
        double next = t > 1 ? next_product(g, n, t) : 0;
        sums->length2 += step2[t - 1];
        sums->next += next;
        sums->away += from_start(g, n, t - 1, t - 1);
        sums->end_w += from_start(g, n, n - 1, t - 1);
        for (int64_t s = 1; s < n; s++)
            sums->w2 += from_start(g, n, s - 1, t - 1);
        sums->lengths = sums->lengths && step2[t - 1] > 0;
        if (t > 1 && sums->lengths)
            sums->cosines_next += next / sqrt(step2[t - 1] * step2[t - 2]);
    }
    sums->pull = (sums->end2 - sums->length2) / 2;
    if (!sums->lengths)
        return TG_OK;
    for (int64_t t = 1; t < n; t++)
        sums->log_length2 += log(step2[t - 1] * sums->m / sums->length2);
    unit_step_weights(step2, n, scratch);
    return square_of(ctx, g, n, scratch, &sums->cosines);
}

struct point { double v[PARAMETERS]; };

/* The squared length of all z_t for this alpha, and that of their sum. */
struct parts { double all, along; };

static struct parts parts_of(const struct sums *s, const struct model *model, double alpha)
{
    if (model->steps)
        return (struct parts){s->m, s->cosines};
    return (struct parts){s->length2 + 2 * alpha * s->pull + alpha * alpha * s->away,
                          s->end2 + 2 * alpha * s->end_w + alpha * alpha * s->w2};
}

static double shared_of(const struct model *model, const struct point *at)
{
    bool tied = model->stationary && !model->chain;
    return tied ? at->v[ALPHA] / (2 - at->v[ALPHA]) : at->v[SHARED];
}

/* tr(C^-1 M) and log det C at a point. */
static double trace_of(const struct sums *s, const struct model *model,
                       const struct point *at, double *log_det)
{
    double floor = DBL_EPSILON * (model->steps ? s->m : s->length2);
    if (!model->chain) {
        struct parts parts = parts_of(s, model, at->v[ALPHA]);
        double shared = shared_of(model, at);
        *log_det = log1p(s->m * shared);
        return fmax(parts.all - shared / (1 + s->m * shared) * parts.along, floor);
    }
    double g = at->v[MOMENTUM], head = model->steps ? 1 : s->head;
    double all = model->steps ? s->m : s->length2, tail = model->steps ? 1 : s->tail;
    double next = model->steps ? s->cosines_next : s->next;
    double trace = all - 2 * g * next + g * g * (all - tail);
    *log_det = model->stationary ? -log1p(-g * g) : 0;
    return fmax(model->stationary ? trace - g * g * head : trace, floor);
}

static double log_likelihood(const struct sums *s, const struct model *model,
                             const struct point *at)
{
    double log_det, trace = trace_of(s, model, at, &log_det);
    double scale = model->steps ? s->m : s->length2;
    return -0.5 * (s->m * log(trace / scale) + log_det +
                   (model->steps ? s->log_length2 : 0));
}

/* The best common part for this alpha, in closed form. */
static double best_shared(const struct sums *s, const struct model *model, double alpha)
{
    struct parts parts = parts_of(s, model, alpha);
    double along = fmax(parts.along / s->m, 0), rest = parts.all - along;
    double ratio = (s->m - 1) * along / fmax(rest, DBL_EPSILON * parts.all);
    return fmax((ratio - 1) / s->m, 0);
}

/* The best pull back for this common part, where the trace is a parabola of alpha. */
static double best_alpha(const struct sums *s, double shared)
{
    double c = shared / (1 + s->m * shared), bend = s->away - c * s->w2;
    double slope = s->pull - c * s->end_w;
    return bend > 0 ? fmin(fmax(-slope / bend, 0), 1) : slope < 0;
}

/* A search along alpha or momentum; a free `shared` follows. */
struct climb {
    const struct sums *sums;
    const struct model *model;
    struct point at;
    enum parameter along;
};

/* Parameters over the coordinate that a search goes along: fine where they are near an end. */
static double at_coordinate(enum parameter which, double x)
{
    return which == ALPHA ? x * x * x : momentum_most * x * (3 - x * x) / 2;
}

static double height(struct climb *climb, double x)
{
    double value = at_coordinate(climb->along, x);
    climb->at.v[climb->along] = value;
    if (climb->model->is_free[SHARED])
        climb->at.v[SHARED] = best_shared(climb->sums, climb->model, value);
    return log_likelihood(climb->sums, climb->model, &climb->at);
}

/* Golden sections from [lo, hi]; the place of the maximum. */
static double narrow(struct climb *climb, double lo, double hi)
{
    const double golden = (sqrt(5) - 1) / 2;
    double a = hi - golden * (hi - lo), b = lo + golden * (hi - lo);
    double ya = height(climb, a), yb = height(climb, b);
    for (int i = 0; i < 80; i++) {
        if (ya >= yb) {
            hi = b;
            b = a;
            yb = ya;
            a = hi - golden * (hi - lo);
            ya = height(climb, a);
        } else {
            lo = a;
            a = b;
            ya = yb;
            b = lo + golden * (hi - lo);
            yb = height(climb, b);
        }
    }
    return (lo + hi) / 2;
}

/*
 * The highest of a grid, then between its neighbours; the climb stays there. A gain that
 * rounding may have made does not count, so that 0 stays 0.
 */
static double climb_up(struct climb *climb)
{
    enum { GRID = 400 };
    double first = climb->along == ALPHA ? 0 : -1, step = (1 - first) / GRID;
    double best = first, top = -INFINITY;
    for (int i = 0; i <= GRID; i++) {
        double y = height(climb, first + i * step);
        if (y > top) {
            top = y;
            best = first + i * step;
        }
    }
    double inner = narrow(climb, fmax(best - step, first), fmin(best + step, 1));
    top += 64 * DBL_EPSILON * climb->sums->m;
    return height(climb, inner) > top ? height(climb, inner) : height(climb, best);
}

static double maximise(const struct sums *sums, const struct model *model, struct point *at)
{
    struct climb climb = {.sums = sums, .model = model};
    climb.along = model->is_free[MOMENTUM] ? MOMENTUM : ALPHA;
    if (model->is_free[climb.along])
        climb_up(&climb);
    else if (model->is_free[SHARED])
        climb.at.v[SHARED] = best_shared(sums, model, 0);
    *at = climb.at;
    return log_likelihood(sums, model, at);
}

/* The highest log likelihood with one parameter given. */
static double profile(const struct sums *sums, const struct model *model,
                      enum parameter which, double value)
{
    struct point at = {{0}};
    at.v[which] = value;
    if (which == SHARED && model->is_free[ALPHA])
        at.v[ALPHA] = best_alpha(sums, value);
    if (which == ALPHA && model->is_free[SHARED])
        at.v[SHARED] = best_shared(sums, model, value);
    return log_likelihood(sums, model, &at);
}

/* Where the profile crosses `level` between a place above it and one that may be below. */
static double cross(const struct sums *sums, const struct model *model,
                    enum parameter which, double above, double below, double level)
{
    if (profile(sums, model, which, below) >= level)
        return below;
    for (int i = 0; i < 100; i++) {
        double middle = above + (below - above) / 2;
        if (profile(sums, model, which, middle) >= level)
            above = middle;
        else
            below = middle;
    }
    return above;
}

static struct tg_estimate estimate(const struct sums *sums, const struct model *model,
                                   enum parameter which, const struct point *at,
                                   double level)
{
    double value = at->v[which];
    if (!model->is_free[which])
        return (struct tg_estimate){NAN, NAN, NAN};
    if (isnan(level))
        return (struct tg_estimate){value, NAN, NAN};
    double least = which == MOMENTUM ? -momentum_most : 0;
    double most = which == MOMENTUM ? momentum_most : 1;
    if (which == SHARED)
        for (most = fmax(2 * value, 1 / sums->m);
             most < shared_most && profile(sums, model, which, most) >= level;)
            most *= 4;
    return (struct tg_estimate){value, cross(sums, model, which, value, least, level),
                                cross(sums, model, which, value, most, level)};
}

/* An innovation as a sum of three points, from the start. */
struct innovation {
    int64_t at[3];
    double by[3];
};

static double length_of(const struct model *model, const double *step2, int64_t t)
{
    return model->steps ? sqrt(step2[t - 1]) : 1;
}

static struct innovation innovation(const struct model *model, const struct point *at,
                                    const double *step2, int64_t t)
{
    double own = 1 / length_of(model, step2, t), g = at->v[MOMENTUM];
    if (!model->chain || t == 1)
        return (struct innovation){{t, t - 1, 0}, {own, -own * (1 - at->v[ALPHA]), 0}};
    double before = g / length_of(model, step2, t - 1);
    return (struct innovation){{t, t - 1, t - 2}, {own, -own - before, before}};
}

static double product(const double *g, int64_t n, const struct innovation *a,
                      const struct innovation *b)
{
    double sum = 0;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            sum += a->by[i] * b->by[j] * from_start(g, n, a->at[i], b->at[j]);
    return sum;
}

struct whitening {
    const double *g, *step2;
    const struct model *model;
    const struct point *at;
    int64_t n;
    double *along; /* at t: z_t . sum of all z */
    double all;    /* |sum of all z|^2 */
    double share;  /* of the sum's mean to take off each z_t */
};

/*
 * (1 + R 11^T)^(-1/2) takes (1 - 1 / sqrt(1 + m R)) of their mean off the z_t, which leaves
 * independent innovations.
 */
static enum tg_err whiten(const struct tg_ctx *ctx, struct whitening *w)
{
    double m = (double)(w->n - 1);
    w->share = w->model->chain ? 0 : 1 - 1 / sqrt(1 + m * shared_of(w->model, w->at));
    for (int64_t t = 1; t < w->n && w->share > 0; t++) {
        struct innovation own = innovation(w->model, w->at, w->step2, t);
        w->along[t] = 0;
        TG_TRY(tg_ctx_poll(ctx));
        for (int64_t s = 1; s < w->n; s++) {
            struct innovation other = innovation(w->model, w->at, w->step2, s);
            w->along[t] += product(w->g, w->n, &own, &other);
        }
        w->all += w->along[t];
    }
    return TG_OK;
}

static double white_product(const struct whitening *w, const struct innovation *a, int64_t s,
                            const struct innovation *b, int64_t t)
{
    double plain = product(w->g, w->n, a, b), share = w->share / (double)(w->n - 1);
    if (share == 0)
        return plain;
    return plain - share * (w->along[s] + w->along[t]) + share * share * w->all;
}

/*
 * Cosines of independent innovations have variance 1 / d_eff. `scratch` has 2 n doubles.
 * NaN with fewer than two pairs.
 */
static enum tg_err innovation_dimensions(const struct tg_ctx *ctx, struct whitening *w,
                                         double *scratch, double *d_eff)
{
    double *length = scratch + w->n, pairs = 0, sum = 0, sum2 = 0;
    w->along = scratch;
    TG_TRY(whiten(ctx, w));
    for (int64_t t = 1; t < w->n; t++) {
        struct innovation own = innovation(w->model, w->at, w->step2, t);
        TG_TRY(tg_ctx_poll(ctx));
        length[t] = sqrt(fmax(white_product(w, &own, t, &own, t), 0));
        for (int64_t s = 1; s < t && length[t] > 0; s++) {
            if (!(length[s] > 0))
                continue;
            struct innovation other = innovation(w->model, w->at, w->step2, s);
            double cosine = white_product(w, &own, t, &other, s) / (length[s] * length[t]);
            sum += cosine;
            sum2 += cosine * cosine;
            pairs++;
        }
    }
    *d_eff = pairs > 1 ? (pairs - 1) / (sum2 - sum * sum / pairs) : NAN;
    return TG_OK;
}

static void fit_one(const struct sums *sums, enum tg_model which, const double *step2,
                    struct tg_fit *fit, struct point *at)
{
    const struct model *model = &models[which];
    const struct tg_estimate none = {NAN, NAN, NAN};
    double log_det;
    *fit = (struct tg_fit){.fitted = sums->length2 > 0 && (!model->steps || sums->lengths),
                           .parameters = model->steps ? (int64_t)sums->m : 1,
                           .log_likelihood = NAN,
                           .aic = NAN,
                           .noise2 = NAN,
                           .alpha = none,
                           .momentum = none,
                           .shared = none};
    for (int i = 0; i < PARAMETERS; i++)
        fit->parameters += model->is_free[i];
    if (!fit->fitted)
        return;
    fit->log_likelihood = maximise(sums, model, at);
    if (!model->steps)
        fit->noise2 = trace_of(sums, model, at, &log_det) / sums->m;
    fit->null = (struct tg_null){
        .alpha = at->v[ALPHA], .momentum = at->v[MOMENTUM], .shared = shared_of(model, at)};
    fit->null.first = model->chain && model->stationary
                          ? tg_null_stationary(at->v[MOMENTUM])
                          : 1;
    fit->null.step2 = model->steps ? step2 : NULL;
}

static void finish(const struct sums *sums, const struct point *at, struct tg_fits *fits)
{
    double best = INFINITY;
    fits->best = fits->likeliest;
    for (int i = 0; i < TG_MODELS; i++) {
        struct tg_fit *fit = &fits->model[i];
        if (!fit->fitted)
            continue;
        double level = fit->log_likelihood - interval_drop / fits->d_eff;
        fit->alpha = estimate(sums, &models[i], ALPHA, &at[i], level);
        fit->momentum = estimate(sums, &models[i], MOMENTUM, &at[i], level);
        fit->shared = estimate(sums, &models[i], SHARED, &at[i], level);
        fit->aic = 2 * (double)fit->parameters - 2 * fits->d_eff * fit->log_likelihood;
        if (fit->aic < best) {
            best = fit->aic;
            fits->best = (enum tg_model)i;
        }
    }
    for (int i = 0; i < TG_MODELS; i++)
        fits->model[i].aic -= best;
}

enum tg_err tg_fit_models(const struct tg_ctx *ctx, int64_t n, int64_t d, const double *g,
                          const double *step2, struct tg_fits *fits, double *scratch)
{
    struct sums sums;
    struct point at[TG_MODELS] = {{{0}}};
    *fits = (struct tg_fits){.d_eff = NAN};
    TG_TRY(collect(ctx, n, g, step2, &sums, scratch));
    for (int i = 0; i < TG_MODELS; i++) {
        TG_TRY(tg_ctx_poll(ctx));
        fit_one(&sums, (enum tg_model)i, step2, &fits->model[i], &at[i]);
        if (fits->model[i].log_likelihood > fits->model[fits->likeliest].log_likelihood)
            fits->likeliest = (enum tg_model)i;
    }
    if (!fits->model[TG_MODEL_WALK].fitted)
        return TG_OK; /* nothing moves */
    struct whitening whitening = {.g = g,
                                  .step2 = step2,
                                  .model = &models[fits->likeliest],
                                  .at = &at[fits->likeliest],
                                  .n = n};
    TG_TRY(innovation_dimensions(ctx, &whitening, scratch, &fits->d_eff));
    fits->d_eff = fmin(fits->d_eff, (double)d);
    TG_TRY(tg_ctx_poll(ctx));
    finish(&sums, at, fits);
    return TG_OK;
}

static double trap_radius(double noise2, double alpha)
{
    return sqrt(noise2 / (alpha * (2 - alpha)));
}

/*
 * Of the common part R / (1 + m R) sum z_t is expected to be real; alpha times the way from
 * the start to the minimum is what steps have in common.
 */
enum tg_err tg_fit_trap(const struct tg_ctx *ctx, int64_t n, const double *g,
                        const struct tg_fit *fit, struct tg_trap *trap)
{
    double alpha = fit->null.alpha, shared = fit->null.shared, m = (double)(n - 1);
    double keep = shared / (1 + m * shared) / alpha, minimum2 = 0;
    double radius = trap_radius(fit->noise2, alpha);
    trap->radius = (struct tg_estimate){radius, trap_radius(fit->noise2, fit->alpha.hi),
                                        trap_radius(fit->noise2, fit->alpha.lo)};
    trap->start = sqrt(shared * fit->noise2) / alpha;
    for (int64_t t = 0; t < n; t++) {
        double sum = from_start(g, n, t, n - 1); /* u_t . sum of z */
        TG_TRY(tg_ctx_poll(ctx));
        for (int64_t s = 0; s + 1 < n; s++)
            sum += alpha * from_start(g, n, t, s);
        minimum2 += keep * keep * (t + 1 < n ? alpha * sum : sum);
        trap->measured[t] = from_start(g, n, t, t) - 2 * keep * sum;
        double left = pow(1 - alpha, 2 * (double)t);
        trap->expected[t] =
            sqrt(radius * radius * (1 - left) + left * trap->start * trap->start);
    }
    for (int64_t t = 0; t < n; t++)
        trap->measured[t] = sqrt(fmax(trap->measured[t] + minimum2, 0));
    return TG_OK;
}
