/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The job kind pca: its tables, and the way of a job. */
#include "proto/kinds/pca_kind.h"

/* The parts of a job beside its spectrum and path; their places are those of their states. */
static const struct pca_part *const parts[] = {
    &pca_loss_part,   &pca_plane_part,      &pca_checkpoints_part, &pca_verdict_part,
    &pca_layers_part, &pca_directions_part, &pca_runs_part,        NULL,
};

enum { REFERENCE_FIRST, REFERENCE_LAST };
static const char *const references[] = {"first", "last", NULL};

static const struct tg_param params[] = {
    TG_P_INT(struct pca_params, components, 1, 100, "10", "",
             "Principal components to report; at most one less than there are points, "
             "and at most as many as there are dimensions."),
    TG_P_ENUM(
        struct pca_params, reference, references, "\"first\"",
        "The point that is subtracted before products are taken. It does not change the "
        "result but its accuracy: take the point that most others are near."),
    TG_P_STRING_LIST(
        struct pca_params, tensors, 200, "[]",
        "Of checkpoints: which of their tensors make a point, as patterns of names in which "
        "`*` stands for any characters and `?` for one. Empty: all. Tensors of integers, "
        "such as counters of steps, never do. Another choice is answered from what is kept "
        "of each tensor, without reading it again."),
    TG_P_STRING_LIST(struct pca_params, exclude, 200, "[]",
                     "Patterns of the names of tensors to leave out of those."),
    TG_P_STRING_LIST(
        struct pca_params, weights, 200, "[]",
        "Factors of tensors' parts in every squared distance, as \"pattern=weight\": with "
        "\"*.bias=4\" biases count twice as far. Of several patterns that match the last "
        "holds; what none matches has 1. Other weights are answered without reading again."),
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
    TG_P_INT(struct pca_params, return_directions, 0, 100, "0", "",
             "How many of the leading components to return as unit vectors of length d, for "
             "which the data are read once more; at most `components`, and at most 1 GiB."),
    TG_P_BOOL(struct pca_params, simulate, "false",
              "Instead of reading a trajectory, draw a walk x_t = (1 - walk_alpha) "
              "x_{t-1} + v_t + l_t mu with v_t = walk_momentum v_{t-1} + l_t noise, and "
              "analyse that: a test of the whole way, and a lesson."),
    TG_P_INT(struct pca_params, walk_points, 3, 5000, "200", "",
             "Points of a simulated walk; times walk_dimensions at most 50 million."),
    TG_P_INT(struct pca_params, walk_dimensions, 1, 10000000, "2000", "",
             "Dimensions of a simulated walk."),
    TG_P_INT(struct pca_params, walk_seed, 0, 9007199254740991, "0", "",
             "Seed of a simulated walk."),
    TG_P_REAL(struct pca_params, walk_momentum, -0.999999, 0.999999, "0", "",
              "Momentum of a simulated walk."),
    TG_P_REAL(struct pca_params, walk_alpha, 0, 1.999999, "0", "",
              "Pull of a simulated walk to its origin, an Ornstein-Uhlenbeck process "
              "(learning rate times curvature)."),
    TG_P_REAL(struct pca_params, walk_drift, 0, 1e6, "0", "",
              "Drift of a simulated walk: |mu|^2 over the mean squared length of its "
              "noise."),
    TG_P_BOOL(struct pca_params, walk_stationary, "false",
              "Start a simulated walk as if it had gone on for ever; otherwise at rest "
              "in its origin."),
    TG_P_ENUM(struct pca_params, walk_schedule, pca_schedules, "\"constant\"",
              "Step length l_t of a simulated walk: constant; linear to 0; cosine, "
              "(1 + cos) / 2; exp, to exp(-5); step, a tenth in the second half."),
};

static const struct tg_input inputs[] = {
    {"trajectory", false, false, 1, 2, 2, "n,d",
     "3 to 5000 points in the order of time, one a row: a network's weights, flattened, "
     "at n moments of its training. Read in one pass from the stored file, so d may be "
     "very large. Left out with `trajectories`, `checkpoints` or `simulate`.", 0},
    {"trajectories", true, false, 100, 2, 2, "n,d",
     "Several such arrays of as many columns, by name, instead of `trajectory`: runs that are "
     "compared with each other. Components are common to all; `start`, `stop` and `stride` count "
     "in each of them. Together they have at most 5000 points.", 0},
    {"checkpoints", true, false, TG_PCA_MAX_POINTS, 0, TG_MAX_NDIM, "any, the same in all",
     "3 to 5000 files of a network's weights, one a point, instead of `trajectory`. They are "
     "in the order of time or give their `step`. All have the same tensors, which one after "
     "the other make a point; with a key, an entry is that tensor alone. When a list has grown at "
     "its end the files are read once more, but only products with new points are made (all "
     "of them with `reference` last). Those of several models, told apart by `model`, are "
     "several runs: components are common to all, `start`, `stop` and `stride` count in each "
     "of them, and they are compared with each other.",
     TG_INPUT_LABELLED | TG_INPUT_MEMBERS},
    {"loss", false, false, 1, 1, 1, "n",
     "The loss at each point, in the order in which the points are given (also those outside of "
     "the window); NaN or infinity where it is not known. It finds the minimum of the path, "
     "and colours its figures. There are no contours over the plane of two components, and no "
     "option for them: they would show the loss of networks in that plane, and those of the path "
     "lie off it, often by many of their steps. What is reported in their place is the loss where "
     "the path really went, and how far it went from the plane: `faithfulness`.", 0},
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
     "ratio_error (bound on the error of that, first order), random_walk_ratio, "
     "step_null_ratio, band (one standard deviation of "
     "random_walk_ratio, which is less than sqrt(2 / d_eff) of it), dct_overlap (cosine of "
     "the scores with the walk's, a cosine curve of k half periods)."},
    {TG_OUT_VALUE, "faithfulness", "array", "",
     "Whether a picture in the plane of the first two components shows the path, one row a run: "
     "model (where there are several), steps (that are longer than the error of the scores), "
     "hides_more (share of them of which the plane hides more than it shows, by squared length), "
     "hidden (share of the squared lengths of all steps that lies outside of the plane), "
     "walk_hidden (the same of a random walk of n points, 1 - 2 / (n - 1); null for several "
     "runs), steps_off (median of `steps_off_plane`)."},
    {TG_OUT_VALUE, "minima", "array", "",
     "With `loss`, one row a run: model (where there are several), point (of least loss, from 0 "
     "among those of the result), step (where given), loss (there), last_loss, and from_start "
     "and from_end (distances of the minimum from the first and the last point)."},
    {TG_OUT_VALUE, "layers", "array", "",
     "With `checkpoints`, one row a tensor: layer, tensors (more than one where sums for each "
     "would take too much memory), coordinates, weight, share (of the total variance), "
     "component_1 and component_2 (shares of these components' directions), and of the "
     "tensor by itself, without its weight: first_ratio (share of its variance along its own "
     "first component), d_eff, step_norm (mean length of a step), path_length, and distance "
     "(from the first point to the last)."},
    {TG_OUT_VALUE, "runs", "array", "",
     "With `trajectories` or `checkpoints` of several models, one row a run: model (or the "
     "trajectory's name), n (points), first_ratio (of its variance along its own first "
     "component), explained_by, most_likely_model and d_eff_noise (as of one run), and plane "
     "(share of its variance along the common first two components). They stand one behind the "
     "other in the order in which models are named."},
    {TG_OUT_VALUE, "run_pairs", "array", "",
     "With `runs`, one row a pair of them: a, b, overlap (of their covariances, tr C_a C_b / "
     "(|C_a| |C_b|)), "
     "start_distance and end_distance (between their first and their last points), "
     "displacement_cosine (of the ways from first to last), alike (mean squared cosine of the "
     "principal angles between the spans of their own components), and its chance and chance_sd "
     "for random subspaces in as many dimensions as their noise fills."},
    {TG_OUT_VALUE, "between_runs", "number", "",
     "With `runs`, the share of the common variance that lies between their means."},
    {TG_OUT_ARRAY, "run", "float64", "n", "With `runs`, that of each point, from 0."},
    {TG_OUT_ARRAY, "principal_cosines", "float64", "r,r,k",
     "With `runs`, cosines of the principal angles between the spans of two runs' own "
     "components, descending (Bjorck and Golub 1973)."},
    {TG_OUT_ARRAY, "scores", "float64", "n,k",
     "The points in the components' coordinates; the entry of largest magnitude of each "
     "component is positive."},
    {TG_OUT_ARRAY, "step", "float64", "n",
     "With `checkpoints` that give their steps, that of each point."},
    {TG_OUT_ARRAY, "explained_variance", "float64", "k",
     "Eigenvalues of the covariance."},
    {TG_OUT_ARRAY, "explained_variance_ratio", "float64", "k",
     "Shares of the total variance."},
    {TG_OUT_ARRAY, "step_norm", "float64", "n-1", "Length of each step."},
    {TG_OUT_ARRAY, "distance_from_start", "float64", "n",
     "Distance of each point from the first."},
    {TG_OUT_ARRAY, "distance_from_end", "float64", "n",
     "Distance of each point from the last."},
    {TG_OUT_ARRAY, "distance_from_minimum", "float64", "n",
     "With `loss`, distance of each point from that of least loss in its run."},
    {TG_OUT_ARRAY, "loss", "float64", "n", "With `loss`, that of each point of the result."},
    {TG_OUT_ARRAY, "off_plane", "float64", "n",
     "Distance of each point from the plane of the first two components: where it is not "
     "small, a picture in that plane is not faithful."},
    {TG_OUT_ARRAY, "step_hidden", "float64", "n-1",
     "Share of each step's squared length that lies outside of the plane of the first two "
     "components; NaN where a step is shorter than the error of the scores."},
    {TG_OUT_ARRAY, "steps_off_plane", "float64", "n-1",
     "`off_plane` where each step ends over the length of that step: how many such steps lead "
     "back to the plane."},
    {TG_OUT_ARRAY, "step_cosine", "float64", "n-2", "Cosines of successive steps."},
    {TG_OUT_ARRAY, "gram", "float64", "n,n", "Centred Gram matrix, with `return_gram`."},
    {TG_OUT_ARRAY, "directions", "float32 or float64", "k,d",
     "With `return_directions`, unit vectors along the leading components, in the precision "
     "of the data: a point less the mean of all points, times these, gives its `scores`. NaN "
     "where the data do not tell a direction."},
    {TG_OUT_VALUE, "verdict", "string", "",
     "In a sentence or two: what a walk would have shown, and whether any null model "
     "explains the path."},
    {TG_OUT_VALUE, "explained_by", "string", "",
     "The plainest null model whose first five ratios lie within three bands of the "
     "measured ones; \"none\" when there is none. Of those that do, walk comes first, "
     "then walk_steps, then that of lowest AIC."},
    {TG_OUT_VALUE, "most_likely_model", "string", "",
     "The null model of lowest AIC, from the likelihood of the steps' Gram matrix."},
    {TG_OUT_VALUE, "d_eff_noise", "number", "",
     "Effective dimensions of the noise, from the cosines of the most likely model's "
     "innovations; bands, AIC and intervals use it."},
    {TG_OUT_VALUE, "models", "array", "",
     "One row a null model, fitted by maximum likelihood: model, explains, worst (most "
     "bands that one of the first five ratios is away), ratio_1 and band_1, ratio_2, "
     "parameters, log_likelihood (of one effective dimension, less that of walk), aic "
     "(less the lowest), and with their 95 % profile intervals (_lo, _hi) momentum, "
     "alpha (pull back to the minimum) and shared (variance of what all steps have in "
     "common over that of their noise; for a drift mu |mu|^2 / (d sigma^2)). For a "
     "trap also radius, that of the shell on which the walk ends up, start (distance "
     "of the first point from the minimum), and at_radius (rms distance in the last "
     "quarter over radius)."},
    {TG_OUT_VALUE, "shapes", "array", "",
     "One row a component: k, step_overlap (cosine of the scores with those of a walk "
     "with the measured step lengths), chebyshev_r2 (of the scores over the Chebyshev "
     "graph T_k of the first ones) and lissajous_r2 (share of the variance of the first "
     "and k-th component on the Lissajous curve of a walk); all are 1 for a walk in "
     "infinitely many dimensions."},
    {TG_OUT_ARRAY, "expected_distance", "float64", "n",
     "Root mean squared distance from the start in the most likely model."},
    {TG_OUT_FIGURE, "path_1_2", "", "",
     "The path in components 1 and 2, with `loss` coloured by it, over the Lissajous curve of a "
     "walk with the measured step lengths."},
    {TG_OUT_FIGURE, "path_1_3", "", "", "The same in components 1 and 3."},
    {TG_OUT_FIGURE, "path_2_3", "", "", "The same in components 2 and 3."},
    {TG_OUT_FIGURE, "path", "", "",
     "The path in the plane of the first two components, with `loss` coloured by it; of several "
     "runs, each of them, with `loss` in points as large as it."},
    {TG_OUT_FIGURE, "runs_alike", "", "",
     "With `runs`, the mean squared cosine of principal angles, run by run."},
    {TG_OUT_FIGURE, "layers", "", "",
     "With `checkpoints`, share of the variance of each tensor beside its share of the "
     "coordinates."},
    {TG_OUT_FIGURE, "scree", "", "",
     "Explained variance ratios, measured and of a walk with the measured step lengths, "
     "with its band."},
    {TG_OUT_FIGURE, "distance", "", "",
     "Of one run, distance from the start, from the end, and with `loss` from the minimum, "
     "point by point, and what the most likely null model expects."},
    {TG_OUT_FIGURE, "panels", "", "",
     "Along the path, of each run: distances from the start, the end, and with `loss` from the "
     "minimum, the loss, lengths and cosines of steps, the distance from the plane of the first "
     "two components, and the share of each step that it hides."},
    {TG_OUT_QUALITY, "ratio_error", "number", "",
     "First-order bound on the error of every ratio."},
    {TG_OUT_QUALITY, "data_bytes_read", "integer", "",
     "Bytes of points that were read; 0 when all sums had been kept by an earlier job."},
    {TG_OUT_QUALITY, "precision", "string", "",
     "Of the products: single for float32, float16 and bfloat16 data, else double; sums "
     "are double."},
    {TG_OUT_QUALITY, "direction_error", "number", "",
     "With `return_directions`: how far the directions are from orthonormal, as the largest "
     "entry of |V V^T - 1|."},
    {TG_OUT_QUALITY, "negative_eigenvalues", "integer", "",
     "Eigenvalues below zero beyond the solver's rounding; in exact arithmetic there are "
     "none."},
    {TG_OUT_QUALITY, "unchanged_coordinates", "number", "",
     "Fraction of coordinates that a step leaves exactly as they were."},
};

static void check(const struct tg_job *job, struct tg_report *report)
{
    pca_check_points(job, report);
    for (size_t i = 0; parts[i] && !report->count; i++)
        if (parts[i]->check)
            parts[i]->check(job, report);
}

/*
 * What is to be done, with the memory of parts from `arena` and `tables` for pca_collect();
 * `cost` is what they add to that of tg_pca_run(). The work is big and stays where it is: its
 * data point into it.
 */
static enum tg_err prepare(const struct tg_job *job, unsigned lanes, struct tg_arena *tables,
                           struct tg_arena *arena, struct pca_work *work,
                           struct tg_cost *cost)
{
    const struct pca_params *p = job->params;
    *work = (struct pca_work){.job = job, .params = p, .lanes = lanes};
    *cost = (struct tg_cost){0};
    TG_TRY(pca_collect(work, tables, arena, cost));
    work->options =
        (struct tg_pca_options){.components = p->components,
                                .reference =
                                    p->reference == REFERENCE_LAST ? work->data.t - 1 : 0,
                                .from = p->start,
                                .to = p->stop ? p->stop : work->data.t,
                                .stride = p->stride};
    pca_take_loss(work, arena);
    TG_TRY(tg_pca_cost(&work->data, &work->options, &work->cost));
    for (size_t i = 0; parts[i]; i++)
        if (parts[i]->prepare)
            TG_TRY(parts[i]->prepare(work, i, arena, cost));
    return tg_arena_failed(arena) ? TG_NOMEM : TG_OK;
}

static enum tg_err estimate(const struct tg_job *job, unsigned lanes, struct tg_cost *cost)
{
    struct pca_work work;
    struct tg_arena *tables = tg_arena_new(SIZE_MAX), *arena = tg_arena_new_measuring();
    enum tg_err err = TG_NOMEM;
    if (tables && arena)
        err = prepare(job, lanes, tables, arena, &work, cost);
    if (!err) {
        cost->peak_bytes += tg_arena_high_water(tables) + tg_arena_high_water(arena) +
                            work.cost.bytes;
        cost->flops += work.cost.flops;
        cost->read_bytes += work.cost.read_bytes;
    }
    tg_arena_free(tables);
    tg_arena_free(arena);
    return err;
}

static enum tg_err run(const struct tg_job *job, const struct tg_ctx *ctx,
                       struct tg_result *result)
{
    struct pca_work work;
    struct tg_cost extra;
    struct tg_report report;
    TG_TRY(prepare(job, ctx->lanes, ctx->arena, ctx->arena, &work, &extra));
    if (work.drawn) {
        struct tg_simulation simulation = pca_simulation(work.params);
        TG_TRY(tg_simulate(ctx, &simulation, work.drawn));
    }
    tg_report_init(&report);
    enum tg_err err = tg_pca_run(ctx, &work.data, &work.options, &work.pca, &report);
    if (report.count)
        tg_result_warn(result, tg_err_slug(report.code), "%s", report.detail);
    TG_TRY(err);
    pca_window_loss(&work);
    pca_put_result(&work, result);
    for (size_t i = 0; parts[i]; i++)
        if (parts[i]->finish)
            TG_TRY(parts[i]->finish(&work, i, ctx, result));
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
    .version = 6,
    .title = "Principal components of a trajectory",
    .summary =
        "Projects the path of a network's weights during training onto its principal "
        "components, and sets the explained variance beside that of a random walk. A "
        "walk in many dimensions already has 61 % of its variance along one component "
        "and draws Lissajous curves, so only what differs from it tells about the "
        "training. Where losses are given they are shown along the path, never as contours over "
        "the plane, which the path leaves; how far it does is reported.",
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
