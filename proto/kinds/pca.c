/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The job kind pca: principal components of a training trajectory, beside a random
 * walk's. */
#include "pca/pca.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/figure.h"
#include "proto/job.h"
#include "proto/kind.h"
#include "proto/kinds/pca_simulate.h"
#include "proto/kinds/pca_verdict.h"
#include "proto/result.h"

enum { REFERENCE_FIRST, REFERENCE_LAST };
static const char *const references[] = {"first", "last", NULL};

/* Of one normal draw, counted by its time. */
static const double draw_flops = 250;

static const struct tg_param params[] = {
    TG_P_INT(struct pca_params, components, 1, 100, "10", "",
             "Principal components to report; at most one less than there are points, "
             "and at most as many as there are dimensions."),
    TG_P_ENUM(
        struct pca_params, reference, references, "\"first\"",
        "The point that is subtracted before products are taken. It does not change the "
        "result but its accuracy: take the point that most others are near."),
    TG_P_INT(struct pca_params, start, 0, TG_PCA_MAX_POINTS - 1, "0", "",
             "First point that is looked at, counted from 0. Another window or stride of the "
             "same array is answered from what is kept of it, without reading it again."),
    TG_P_INT(struct pca_params, stop, 0, TG_PCA_MAX_POINTS, "0", "",
             "The point that is no longer looked at; 0: all points."),
    TG_P_INT(struct pca_params, stride, 1, TG_PCA_MAX_POINTS, "1", "",
             "Only every stride-th point from `start` on is looked at."),
    TG_P_BOOL(struct pca_params, return_gram, "false",
              "Also return the centred Gram matrix, from which every score and distance "
              "follows."),
    PCA_SIMULATE_PARAMS,
};

static const struct tg_input inputs[] = {
    {"trajectory", false, false, 1, 2, 2, "n,d",
     "3 to 5000 points in the order of time, one a row: a network's weights, flattened, "
     "at n moments of its training. Read in one pass from the stored file, so d may be "
     "very large. Left out with `simulate`.", 0},
};

static const struct tg_output outputs[] = {
    {TG_OUT_VALUE, "n", "integer", "", "Points."},
    {TG_OUT_VALUE, "d", "integer", "", "Dimensions."},
    {TG_OUT_VALUE, "first_component_ratio", "number", "",
     "Share of the variance along the first component."},
    {TG_OUT_VALUE, "random_walk_first_component_ratio", "number", "",
     "The same for a random walk of n points in many dimensions: 6/pi^2 for large n."},
    {TG_OUT_VALUE, "step_null_first_component_ratio", "number", "",
     "The same for a walk in independent directions with the measured step lengths; a "
     "learning rate schedule alone moves it."},
    {TG_OUT_VALUE, "total_variance", "number", "",
     "Sum of squared distances from the mean over n - 1."},
    {TG_OUT_VALUE, "d_eff", "number", "",
     "Effective dimensions of the steps: 1 over their mean squared cosine."},
    {TG_OUT_VALUE, "components", "array", "",
     "One row a component: k, explained_variance (over n - 1, as scikit-learn), ratio, "
     "random_walk_ratio, step_null_ratio, band (one standard deviation of "
     "random_walk_ratio, which is less than sqrt(2 / d_eff) of it), dct_overlap (cosine of "
     "the scores with the walk's, a cosine curve of k half periods)."},
    {TG_OUT_ARRAY, "scores", "float64", "n,k",
     "The points in the components' coordinates; the entry of largest magnitude of each "
     "component is positive."},
    {TG_OUT_ARRAY, "explained_variance", "float64", "k",
     "Eigenvalues of the covariance."},
    {TG_OUT_ARRAY, "explained_variance_ratio", "float64", "k",
     "Shares of the total variance."},
    {TG_OUT_ARRAY, "step_norm", "float64", "n-1", "Length of each step."},
    {TG_OUT_ARRAY, "distance_from_start", "float64", "n",
     "Distance of each point from the first."},
    {TG_OUT_ARRAY, "distance_from_end", "float64", "n",
     "Distance of each point from the last."},
    {TG_OUT_ARRAY, "off_plane", "float64", "n",
     "Distance of each point from the plane of the first two components: where it is not "
     "small, a picture in that plane is not faithful."},
    {TG_OUT_ARRAY, "step_cosine", "float64", "n-2", "Cosines of successive steps."},
    {TG_OUT_ARRAY, "gram", "float64", "n,n", "Centred Gram matrix, with `return_gram`."},
    PCA_VERDICT_OUTPUTS,
    {TG_OUT_FIGURE, "path", "", "", "The path in the plane of the first two components."},
    {TG_OUT_FIGURE, "scree", "", "",
     "Explained variance ratios, measured and of a walk with the measured step lengths, "
     "with its band."},
    {TG_OUT_FIGURE, "distance", "", "",
     "Distance from the start and from the end, point by point, and what the most likely "
     "null model expects."},
    {TG_OUT_QUALITY, "ratio_error", "number", "",
     "First-order bound on the error of every ratio."},
    {TG_OUT_QUALITY, "precision", "string", "",
     "Of the products: single for float32, float16 and bfloat16 data, else double; sums "
     "are double."},
    {TG_OUT_QUALITY, "negative_eigenvalues", "integer", "",
     "Eigenvalues below zero beyond the solver's rounding; in exact arithmetic there are "
     "none."},
    {TG_OUT_QUALITY, "unchanged_coordinates", "number", "",
     "Fraction of coordinates that a step leaves exactly as they were."},
};

/* Whether the window leaves enough of n points. */
static void check_window(const struct pca_params *p, int64_t n, struct tg_report *report)
{
    struct tg_pca_options window = {
        .from = p->start, .to = p->stop ? p->stop : n, .stride = p->stride};
    long long left = (long long)tg_pca_window(&window, n);
    if (left < TG_PCA_MIN_POINTS)
        tg_fault_add(report, TG_INVALID, "/params/start",
                     "`start`, `stop` and `stride` leave %lld of %lld points; at least %d are "
                     "needed.",
                     left, (long long)n, TG_PCA_MIN_POINTS);
}

static void check(const struct tg_job *job, struct tg_report *report)
{
    const struct pca_params *p = job->params;
    const struct tg_job_input *trajectory = tg_job_input(job, "trajectory");
    pca_check_simulation(job, report);
    if (p->simulate && !report->count)
        check_window(p, p->walk_points, report);
    if (!trajectory->n)
        return;
    const struct tg_mat *mat = &trajectory->array[0].mat;
    char got[80], allowed[80];
    if (mat->shape[0] >= TG_PCA_MIN_POINTS && mat->shape[0] <= TG_PCA_MAX_POINTS) {
        check_window(p, mat->shape[0], report);
        return;
    }
    tg_mat_shape_text(mat, got, sizeof(got));
    snprintf(allowed, sizeof(allowed), "%d to %d rows", TG_PCA_MIN_POINTS,
             TG_PCA_MAX_POINTS);
    tg_fault_add_value(
        report, TG_INVALID, "/inputs/trajectory", got, allowed,
        "Rows are points in the order of time, and %s are taken; %s.", allowed,
        mat->shape[0] < TG_PCA_MIN_POINTS ? "save more points"
                                          : "take every k-th point, or transpose "
                                            "the array if points are its columns");
}

static struct tg_pca_options options_of(const struct tg_job *job,
                                        const struct tg_walk_data *data)
{
    const struct pca_params *p = job->params;
    return (struct tg_pca_options){.components = p->components,
                                   .reference =
                                       p->reference == REFERENCE_LAST ? data->t - 1 : 0,
                                   .from = p->start,
                                   .to = p->stop ? p->stop : data->t,
                                   .stride = p->stride};
}

/* What is analysed: the job's array, or the coordinates `x` of its simulated walk. */
static void view_of(const struct tg_job *job, const double *x, struct tg_walk_array *array)
{
    const struct pca_params *p = job->params;
    struct tg_mat mat;
    if (!p->simulate)
        mat = tg_job_input(job, "trajectory")->array[0].mat;
    else if (!tg_mat_init(&mat, x, TG_F64, 2,
                          (const int64_t[]){p->walk_points, p->walk_dimensions}, false))
        TG_BUG("the size was checked");
    tg_walk_of_array(array, &mat);
}

/* Coordinates of a simulated walk; 0 without one. */
static size_t simulated(const struct tg_job *job)
{
    const struct pca_params *p = job->params;
    return p->simulate ? (size_t)(p->walk_points * p->walk_dimensions) : 0;
}

static enum tg_err estimate(const struct tg_job *job, unsigned lanes,
                            struct tg_cost *cost)
{
    (void)lanes;
    struct tg_walk_array array;
    struct tg_pca_cost own;
    view_of(job, NULL, &array);
    struct tg_pca_options options = options_of(job, &array.data);
    TG_TRY(tg_pca_cost(&array.data, &options, &own));
    *cost = (struct tg_cost){
        .peak_bytes = own.bytes + tg_verdict_bytes(own.points, own.components) +
                      (simulated(job) * sizeof(double) + 63) / 64 * 64,
        .flops = own.flops + draw_flops * (double)simulated(job), .read_bytes = own.read_bytes};
    return TG_OK;
}

static json_t *real_or_null(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *component_table(const struct tg_pca *pca)
{
    json_t *table = json_array();
    for (int64_t k = 0; table && k < pca->k; k++) {
        json_t *row = json_pack(
            "{s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "k", (json_int_t)(k + 1),
            "explained_variance", real_or_null(pca->variance[k]), "ratio",
            real_or_null(pca->ratio[k]), "random_walk_ratio",
            real_or_null(pca->walk_ratio[k]), "step_null_ratio",
            real_or_null(pca->step_null_ratio[k]), "band", real_or_null(pca->band[k]),
            "dct_overlap", real_or_null(pca->overlap[k]));
        if (json_array_append_new(table, row)) {
            json_decref(table);
            return NULL;
        }
    }
    return table;
}

static void put_values(const struct tg_pca *pca, struct tg_result *result)
{
    tg_result_int(result, "n", pca->t);
    tg_result_int(result, "d", pca->d);
    tg_result_value(result, "first_component_ratio", real_or_null(pca->ratio[0]));
    tg_result_real(result, "random_walk_first_component_ratio", pca->walk_ratio[0]);
    tg_result_value(result, "step_null_first_component_ratio",
                    real_or_null(pca->step_null_ratio[0]));
    tg_result_real(result, "total_variance", pca->total_variance);
    tg_result_value(result, "d_eff", real_or_null(pca->d_eff));
    tg_result_value(result, "components", component_table(pca));
    tg_result_quality_value(result, "ratio_error", real_or_null(pca->error));
    tg_result_quality_text(result, "precision", pca->single ? "single" : "double");
    tg_result_quality_int(result, "negative_eigenvalues", pca->negative);
    tg_result_quality_real(result, "unchanged_coordinates", pca->unchanged);
}

static void put_arrays(const struct pca_params *p, const struct tg_pca *pca,
                       struct tg_result *result)
{
    const int64_t t = pca->t, k = pca->k;
    tg_result_array_f64(result, "scores", pca->scores, 2, (const int64_t[]){t, k});
    tg_result_array_f64(result, "explained_variance", pca->variance, 1, &k);
    tg_result_array_f64(result, "explained_variance_ratio", pca->ratio, 1, &k);
    tg_result_array_f64(result, "step_norm", pca->step_norm, 1, (const int64_t[]){t - 1});
    tg_result_array_f64(result, "distance_from_start", pca->from_start, 1, &t);
    tg_result_array_f64(result, "distance_from_end", pca->from_end, 1, &t);
    tg_result_array_f64(result, "off_plane", pca->off_plane, 1, &t);
    tg_result_array_f64(result, "step_cosine", pca->step_cosine, 1,
                        (const int64_t[]){t - 2});
    if (p->return_gram)
        tg_result_array_f64(result, "gram", pca->gram, 2, (const int64_t[]){t, t});
}

/* The first two columns of the scores; without a second one the path lies on a line. */
static void put_path(const struct tg_pca *pca, struct tg_result *result)
{
    size_t t = (size_t)pca->t;
    double *x = calloc(2 * t, sizeof(*x)), *y = x + t;
    if (!x) {
        result->failed = true;
        return;
    }
    for (size_t i = 0; i < t; i++) {
        x[i] = pca->scores[i * (size_t)pca->k];
        if (pca->k > 1)
            y[i] = pca->scores[i * (size_t)pca->k + 1];
    }
    char xtitle[40], ytitle[40] = "component 2";
    snprintf(xtitle, sizeof(xtitle), "component 1 (%.1f %%)", 100 * pca->ratio[0]);
    if (pca->k > 1)
        snprintf(ytitle, sizeof(ytitle), "component 2 (%.1f %%)", 100 * pca->ratio[1]);
    tg_result_figure(
        result, "path", "Path in the first two components",
        tg_figure_path("Path in the first two components", xtitle, ytitle, x, y, t));
    free(x);
}

static void warn(const struct tg_job *job, const struct tg_pca *pca, enum tg_dtype dtype,
                 struct tg_result *result)
{
    const struct pca_params *p = job->params;
    if (pca->k < p->components)
        tg_result_warn(
            result, "components-capped",
            "%lld points in %lld dimensions have %lld components, fewer than the %lld "
            "asked for.",
            (long long)pca->t, (long long)pca->d, (long long)pca->k,
            (long long)p->components);
    if (isnan(pca->ratio[0]))
        tg_result_warn(result, "constant-trajectory",
                       "All points are the same, so there is no variance to share out.");
    else if ((dtype == TG_F16 || dtype == TG_BF16) && pca->unchanged > 0.5)
        tg_result_warn(
            result, "half-precision-floor",
            "%.0f %% of the coordinates do not change in a step: in %s most of the "
            "movement is lost to rounding, and so are small components.",
            100 * pca->unchanged, tg_dtype_name(dtype));
    if (pca->error > 1e-3)
        tg_result_warn(
            result, "inaccurate-ratios",
            "Ratios may be wrong by %.1g: the points lie far from the reference point "
            "compared with their spread. Try the other `reference`.",
            pca->error);
}

static enum tg_err run(const struct tg_job *job, const struct tg_ctx *ctx,
                       struct tg_result *result)
{
    struct tg_walk_array array;
    struct tg_pca pca;
    struct tg_report report;
    const char *prefix[1];
    if (simulated(job)) {
        double *x = tg_arena_alloc(ctx->arena, simulated(job), sizeof(*x));
        struct tg_simulation simulation = pca_simulation(job->params);
        if (!x)
            return TG_NOMEM;
        TG_TRY(tg_simulate(ctx, &simulation, x));
        view_of(job, x, &array);
    } else {
        const struct tg_bound *bound = &tg_job_input(job, "trajectory")->array[0];
        view_of(job, NULL, &array);
        if (!bound->key) { /* a key would have to be hashed; a file of one array has none */
            prefix[0] = bound->sha256;
            array.data.prefix = prefix;
        }
    }
    struct tg_pca_options options = options_of(job, &array.data);
    tg_report_init(&report);
    enum tg_err err = tg_pca_run(ctx, &array.data, &options, &pca, &report);
    if (report.count)
        tg_result_warn(result, tg_err_slug(report.code), "%s", report.detail);
    if (err)
        return err;
    struct tg_verdict verdict;
    TG_TRY(tg_verdict_run(ctx, &pca, &verdict));
    put_values(&pca, result);
    put_arrays(job->params, &pca, result);
    if (isfinite(pca.ratio[0]))
        put_path(&pca, result);
    pca_put_verdict(&pca, &verdict, result);
    warn(job, &pca, array.mat->dtype, result);
    return tg_result_failed(result) ? TG_NOMEM : TG_OK;
}

static const char example[] =
    "{\"kind\": \"pca\",\n"
    " \"params\": {\"components\": 3},\n"
    " \"inputs\": {\"trajectory\": [\n"
    "   [0.00, 0.00, 0.00, 0.00, 0.00], [0.41, -0.22, 0.35, 0.10, -0.31],\n"
    "   [0.76, -0.61, 0.52, 0.33, -0.12], [1.21, -0.83, 0.31, 0.71, -0.44],\n"
    "   [1.43, -1.20, 0.63, 0.92, -0.80], [1.70, -1.31, 0.94, 1.25, -0.65],\n"
    "   [1.82, -1.44, 1.01, 1.31, -0.92], [1.89, -1.52, 1.12, 1.40, -1.01]]}}\n";

const struct tg_kind tg_kind_pca = {
    .name = "pca",
    .version = 3,
    .title = "Principal components of a trajectory",
    .summary =
        "Projects the path of a network's weights during training onto its principal "
        "components, and sets the explained variance beside that of a random walk. A "
        "walk in many dimensions already has 61 % of its variance along one component "
        "and draws Lissajous curves, so only what differs from it tells about the "
        "training.",
    .reference =
        "J. M. Antognini, J. Sohl-Dickstein, \"PCA of high dimensional random walks with "
        "comparison to neural network training\", NeurIPS 2018, arXiv:1806.08805.",
    .params = params,
    .nparams = sizeof(params) / sizeof(*params),
    .params_size = sizeof(struct pca_params),
    .inputs = inputs,
    .ninputs = sizeof(inputs) / sizeof(*inputs),
    .outputs = outputs,
    .noutputs = sizeof(outputs) / sizeof(*outputs),
    .example = example,
    .check = check,
    .estimate = estimate,
    .run = run,
};
