/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The job kind svcca: similarity of layers by CCA, SVCCA and linear CKA. */
#include "svcca/svcca.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/figure.h"
#include "proto/job.h"
#include "proto/kind.h"
#include "proto/result.h"

enum {
    MIN_ROWS = 4, /* debiased CKA divides by (n - 1)(n - 2) and n (n - 3) */
    MAX_LAYERS = 128,
    MAX_HEATMAP = 70, /* layers whose cells a figure holds */
    MAX_SPECTRA = 12
};

struct params {
    uint64_t measures;
    double threshold;
    int rule;
    double rank_tolerance;
};

static const char *const measures[] = {"cca", "svcca", "cka", "cka_debiased", NULL};
static const char *const rules[] = {"variance", "sv_sum", NULL};

static const struct tg_param params[] = {
    TG_P_ENUM_LIST(
        struct params, measures, measures,
        "[\"cca\", \"svcca\", \"cka\", \"cka_debiased\"]",
        "Which measures to compute. All of them follow from one decomposition of "
        "each layer, so leaving some out saves little."),
    TG_P_REAL(struct params, threshold, 1e-6, 1, "0.99", "",
              "Share of a layer that the directions kept by SVCCA hold, by either rule. "
              "1 keeps every direction and makes SVCCA equal to CCA."),
    TG_P_ENUM(
        struct params, rule, rules, "\"variance\"",
        "What `threshold` is a share of in the headline `svcca`: the variance (squared "
        "singular values) or the sum of singular values, as in the paper's appendix. "
        "Both are reported."),
    TG_P_REAL(struct params, rank_tolerance, 0, 0.5, "0", "",
              "Singular values below this share of the largest count as zero. 0 means "
              "max(n, d) times the machine epsilon."),
};

static const struct tg_input inputs[] = {
    {"layers", true, false, MAX_LAYERS, 2, 2, "n,d",
     "Activations of two or more layers, one array each: rows are samples, columns are "
     "units. All have the same samples in the same order; the number of units may "
     "differ."},
    {"a", false, false, 1, 2, 2, "n,d",
     "One layer, when only two are compared. Goes with `b`."},
    {"b", false, false, 1, 2, 2, "n,d", "The other layer, for the same samples as `a`."},
};

static const struct tg_output outputs[] = {
    {TG_OUT_VALUE, "n", "integer", "", "Samples."},
    {TG_OUT_VALUE, "layers", "array", "",
     "One row a layer: name, n, d, constant_units (that never change), rank, condition "
     "(largest over smallest singular value within the rank), k_variance and k_sv_sum "
     "(directions that hold `threshold` by either rule)."},
    {TG_OUT_VALUE, "pairs", "array", "",
     "One row a pair of layers: a, b, cca_mean (mean canonical correlation), "
     "cca_mean_squared, null_cca_mean_squared (its expectation for unrelated Gaussian "
     "data), forced_ones (canonical correlations that are 1 whatever the data, because "
     "there are too few samples), svcca by `rule` with svcca_k_a and svcca_k_b, "
     "svcca_variance and svcca_sv_sum, cka, cka_debiased."},
    {TG_OUT_ARRAY, "cca", "float64", "L,L", "Mean canonical correlation of every pair."},
    {TG_OUT_ARRAY, "svcca", "float64", "L,L", "SVCCA of every pair by `rule`."},
    {TG_OUT_ARRAY, "cka", "float64", "L,L", "Linear CKA of every pair."},
    {TG_OUT_ARRAY, "cka_debiased", "float64", "L,L",
     "Debiased linear CKA of every pair; may be below 0."},
    {TG_OUT_ARRAY, "singular_values", "float64", "L,D",
     "Singular values of each centred layer, padded with 0 to the largest number of "
     "units D."},
    {TG_OUT_ARRAY, "cca_correlations", "float64", "P,D",
     "Canonical correlations of each of the P pairs in the order of `pairs`, padded with "
     "0. Left out, with a warning, where all pairs together have too many."},
    {TG_OUT_ARRAY, "svcca_correlations", "float64", "P,D",
     "The same for the directions that SVCCA keeps by `rule`."},
    {TG_OUT_FIGURE, "cca_heatmap", "", "", "Mean canonical correlation, layer by layer."},
    {TG_OUT_FIGURE, "svcca_heatmap", "", "", "SVCCA, layer by layer."},
    {TG_OUT_FIGURE, "cka_heatmap", "", "", "Linear CKA, layer by layer."},
    {TG_OUT_FIGURE, "cka_debiased_heatmap", "", "",
     "Debiased linear CKA, layer by layer."},
    {TG_OUT_FIGURE, "spectrum", "", "",
     "Singular values of each layer, of the first 12 layers."},
    {TG_OUT_QUALITY, "layers", "array", "",
     "One row a layer: name, route (gram, gram_cholesky or qr: how the basis was made, "
     "by the condition), condition, orthogonality_error (largest entry of U^T U - I)."},
    {TG_OUT_QUALITY, "orthogonality_error", "number", "",
     "The largest of all layers; canonical correlations are about as accurate."},
};

static void add_fault(struct tg_report *report, const struct tg_bound *layer,
                      const char *allowed, const char *detail)
{
    char got[80];
    tg_mat_shape_text(&layer->mat, got, sizeof(got));
    tg_fault_add_value(report, TG_INVALID, layer->pointer, got, allowed, "%s", detail);
}

static void check_shape(const struct tg_bound *layer, int64_t n, struct tg_report *report)
{
    const int64_t *shape = layer->mat.shape;
    char allowed[80], detail[200];
    if (shape[0] < MIN_ROWS) {
        add_fault(report, layer, "at least 4 rows",
                  "Rows are samples, and at least 4 are needed.");
    } else if (shape[0] != n) {
        snprintf(allowed, sizeof(allowed), "%lld rows, as the first layer", (long long)n);
        snprintf(detail, sizeof(detail),
                 "Every layer needs the same samples: this one has %lld rows, the first "
                 "one %lld.",
                 (long long)shape[0], (long long)n);
        add_fault(report, layer, allowed, detail);
    }
    if (shape[1] > shape[0])
        add_fault(
            report, layer, "at least as many rows as columns",
            "Rows are samples and columns are units, and this array has fewer rows than "
            "columns. Transpose it if units came first, or give more samples.");
}

static void check_pair_inputs(const struct tg_job_input *layers,
                              const struct tg_job_input *a, const struct tg_job_input *b,
                              struct tg_report *report)
{
    if (layers->n && (a->n || b->n))
        tg_fault_add(report, TG_INVALID, "/inputs",
                     "Give either `layers`, or `a` and `b`, not both.");
    else if (!layers->n && !a->n && !b->n)
        tg_fault_add(report, TG_INVALID, "/inputs",
                     "Nothing to compare: give `layers`, or `a` and `b`.");
    else if (!layers->n && !a->n)
        tg_fault_add(report, TG_INVALID, "/inputs/a",
                     "`a` is missing; it goes with `b`.");
    else if (!layers->n && !b->n)
        tg_fault_add(report, TG_INVALID, "/inputs/b",
                     "`b` is missing; it goes with `a`.");
    else if (layers->n == 1)
        tg_fault_add(report, TG_INVALID, "/inputs/layers",
                     "One layer has nothing to be compared with; give at least two.");
}

static void check(const struct tg_job *job, struct tg_report *report)
{
    const struct tg_job_input *layers = tg_job_input(job, "layers");
    const struct tg_job_input *sides[] = {tg_job_input(job, "a"), tg_job_input(job, "b")};
    const struct params *p = job->params;
    if (!p->measures)
        tg_fault_add_value(report, TG_INVALID, "/params/measures", "[]",
                           "cca, svcca, cka, cka_debiased", "Name at least one measure.");
    check_pair_inputs(layers, sides[0], sides[1], report);
    for (size_t i = 0; i < layers->n; i++)
        check_shape(&layers->array[i], layers->array[0].mat.shape[0], report);
    for (int i = 0; i < 2; i++)
        if (sides[i]->n && sides[0]->n)
            check_shape(sides[i]->array, sides[0]->array[0].mat.shape[0], report);
}

/* The layers of either form of input; *n of them, to be freed. NULL without memory. */
static struct tg_svcca_layer *collect(const struct tg_job *job, size_t *n)
{
    const struct tg_job_input *layers = tg_job_input(job, "layers");
    *n = layers->n ? layers->n : 2;
    struct tg_svcca_layer *list = calloc(*n, sizeof(*list));
    for (size_t i = 0; list && i < *n; i++) {
        if (layers->n)
            list[i] =
                (struct tg_svcca_layer){layers->array[i].name, layers->array[i].mat};
        else
            list[i] = (struct tg_svcca_layer){
                i ? "b" : "a", tg_job_input(job, i ? "b" : "a")->array[0].mat};
    }
    return list;
}

static struct tg_svcca_options options_of(const struct tg_job *job)
{
    const struct params *p = job->params;
    return (struct tg_svcca_options){.measures = p->measures,
                                     .threshold = p->threshold,
                                     .rule = (enum tg_svcca_rule)p->rule,
                                     .rank_tolerance = p->rank_tolerance};
}

static enum tg_err estimate(const struct tg_job *job, unsigned lanes,
                            struct tg_cost *cost)
{
    (void)lanes;
    size_t n;
    struct tg_svcca_layer *layers = collect(job, &n);
    if (!layers)
        return TG_NOMEM;
    struct tg_svcca_options options = options_of(job);
    struct tg_svcca_cost own;
    enum tg_err err = tg_svcca_cost(layers, n, &options, &own);
    free(layers);
    if (!err)
        *cost = (struct tg_cost){
            .peak_bytes = own.bytes, .flops = own.flops, .read_bytes = own.read_bytes};
    return err;
}

static json_t *real_or_null(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static bool wants(const struct tg_svcca_options *options, enum tg_svcca_measure measure)
{
    return options->measures >> measure & 1;
}

static json_t *layer_row(const struct tg_basis *layer)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:o, s:I, s:I}", "name", layer->name, "n",
                     (json_int_t)layer->n, "d", (json_int_t)layer->d, "constant_units",
                     (json_int_t)layer->constant_units, "rank", (json_int_t)layer->rank,
                     "condition", real_or_null(layer->rank ? layer->condition : NAN),
                     "k_variance", (json_int_t)layer->k[TG_SVCCA_VARIANCE], "k_sv_sum",
                     (json_int_t)layer->k[TG_SVCCA_SV_SUM]);
}

static json_t *quality_row(const struct tg_basis *layer)
{
    return json_pack("{s:s, s:s, s:o, s:o}", "name", layer->name, "route",
                     tg_basis_route_name(layer->route), "condition",
                     real_or_null(layer->rank ? layer->condition : NAN),
                     "orthogonality_error",
                     real_or_null(layer->rank ? layer->orthogonality : NAN));
}

static json_t *pair_row(const struct tg_svcca *svcca, const struct tg_svcca_pair *pair,
                        const struct tg_svcca_options *options)
{
    const struct tg_basis *a = &svcca->basis[pair->a], *b = &svcca->basis[pair->b];
    json_t *row = json_pack("{s:s, s:s}", "a", a->name, "b", b->name);
    int bad = row ? 0 : -1;
    if (row && wants(options, TG_SVCCA_CCA))
        bad |= json_object_update_new(
            row,
            json_pack("{s:o, s:o, s:o, s:I}", "cca_mean", real_or_null(pair->cca_mean),
                      "cca_mean_squared", real_or_null(pair->cca_mean_squared),
                      "null_cca_mean_squared", real_or_null(pair->null_cca_mean_squared),
                      "forced_ones", (json_int_t)pair->forced_ones));
    if (row && wants(options, TG_SVCCA_SVCCA))
        bad |= json_object_update_new(
            row, json_pack("{s:o, s:I, s:I, s:o, s:o}", "svcca",
                           real_or_null(pair->svcca[options->rule]), "svcca_k_a",
                           (json_int_t)a->k[options->rule], "svcca_k_b",
                           (json_int_t)b->k[options->rule], "svcca_variance",
                           real_or_null(pair->svcca[TG_SVCCA_VARIANCE]), "svcca_sv_sum",
                           real_or_null(pair->svcca[TG_SVCCA_SV_SUM])));
    if (row && wants(options, TG_SVCCA_CKA))
        bad |= json_object_set_new(row, "cka", real_or_null(pair->cka));
    if (row && wants(options, TG_SVCCA_CKA_DEBIASED))
        bad |= json_object_set_new(row, "cka_debiased", real_or_null(pair->cka_debiased));
    if (!bad)
        return row;
    json_decref(row);
    return NULL;
}

/* A NULL row (no memory) makes append fail, and a failed table is told by NULL. */
static json_t *table_of(const struct tg_svcca *svcca,
                        const struct tg_svcca_options *options,
                        json_t *(*row)(const struct tg_basis *))
{
    json_t *table = json_array();
    bool bad = !table;
    for (int64_t i = 0; !bad && i < (row ? svcca->nlayers : svcca->npairs); i++)
        bad =
            json_array_append_new(table, row ? row(&svcca->basis[i])
                                             : pair_row(svcca, &svcca->pair[i], options));
    if (!bad)
        return table;
    json_decref(table);
    return NULL;
}

static void put_arrays(const struct tg_svcca *svcca, struct tg_result *result)
{
    const int64_t square[] = {svcca->nlayers, svcca->nlayers};
    const int64_t spectra[] = {svcca->nlayers, svcca->max_d};
    const int64_t lists[] = {svcca->npairs, svcca->max_d};
    for (int i = 0; i < TG_SVCCA_MEASURES; i++)
        if (svcca->matrix[i])
            tg_result_array_f64(result, measures[i], svcca->matrix[i], 2, square);
    tg_result_array_f64(result, "singular_values", svcca->singular_values, 2, spectra);
    if (svcca->cca_rho)
        tg_result_array_f64(result, "cca_correlations", svcca->cca_rho, 2, lists);
    if (svcca->svcca_rho)
        tg_result_array_f64(result, "svcca_correlations", svcca->svcca_rho, 2, lists);
}

static void put_figures(const struct tg_svcca *svcca, struct tg_result *result)
{
    static const char *const titles[] = {"Mean canonical correlation", "SVCCA",
                                         "Linear CKA", "Debiased linear CKA"};
    static const char *const names[] = {"cca_heatmap", "svcca_heatmap", "cka_heatmap",
                                        "cka_debiased_heatmap"};
    size_t l = (size_t)svcca->nlayers;
    for (int i = 0; i < TG_SVCCA_MEASURES; i++)
        if (svcca->matrix[i] && l <= MAX_HEATMAP)
            tg_result_figure(result, names[i], titles[i],
                             tg_figure_heatmap(titles[i], "layer", "layer", measures[i],
                                               svcca->name, l, svcca->name, l,
                                               svcca->matrix[i]));
    struct tg_series series[MAX_SPECTRA];
    size_t count = l < MAX_SPECTRA ? l : MAX_SPECTRA;
    for (size_t i = 0; i < count; i++)
        series[i] = (struct tg_series){.name = svcca->name[i],
                                       .y = svcca->basis[i].s,
                                       .n = (size_t)svcca->basis[i].rank};
    tg_result_figure(result, "spectrum", "Singular values",
                     tg_figure_lines("Singular values", "direction", "singular value",
                                     series, count, true));
}

static void warn_layers(const struct tg_svcca *svcca, struct tg_result *result)
{
    for (int64_t i = 0; i < svcca->nlayers; i++) {
        const struct tg_basis *layer = &svcca->basis[i];
        if (layer->rank == 0)
            tg_result_warn(
                result, "constant-layer",
                "Layer \"%s\" is the same for every sample, so nothing can be said about "
                "its similarity.",
                layer->name);
        else if (layer->rank < layer->d)
            tg_result_warn(
                result, "rank-deficient",
                "Layer \"%s\" has %lld units but rank %lld (%lld never change, the rest "
                "depend on each other); measures use the rank.",
                layer->name, (long long)layer->d, (long long)layer->rank,
                (long long)layer->constant_units);
    }
}

static void warn_pairs(const struct tg_svcca *svcca,
                       const struct tg_svcca_options *options, struct tg_result *result)
{
    int64_t forced = 0, first = 0, undefined = 0;
    for (int64_t i = svcca->npairs - 1; i >= 0; i--) {
        const struct tg_svcca_pair *pair = &svcca->pair[i];
        if (pair->forced_ones > 0) {
            forced++;
            first = i;
        }
        undefined += isfinite(pair->cka) && isnan(pair->cka_debiased);
    }
    if (forced && wants(options, TG_SVCCA_CCA))
        tg_result_warn(
            result, "forced-ones",
            "With %lld samples, %lld of %lld pairs have canonical correlations that are "
            "1 "
            "whatever the data (\"%s\" and \"%s\": %lld). Give more samples, or look at "
            "svcca and cka_debiased.",
            (long long)svcca->n, (long long)forced, (long long)svcca->npairs,
            svcca->basis[svcca->pair[first].a].name,
            svcca->basis[svcca->pair[first].b].name,
            (long long)svcca->pair[first].forced_ones);
    if (undefined && wants(options, TG_SVCCA_CKA_DEBIASED))
        tg_result_warn(
            result, "cka-debiased-undefined",
            "The debiased CKA of %lld pairs is not defined: a layer's debiased "
            "similarity with itself is zero.",
            (long long)undefined);
    if (!tg_svcca_keeps_correlations(svcca))
        tg_result_warn(
            result, "correlations-left-out",
            "The lists of correlations of %lld pairs would hold more than %d numbers and "
            "are left out.",
            (long long)svcca->npairs, TG_SVCCA_MAX_CORRELATIONS);
    if (svcca->nlayers > MAX_HEATMAP)
        tg_result_warn(result, "heatmaps-left-out",
                       "Heat maps are drawn for up to %d layers.", MAX_HEATMAP);
}

static enum tg_err run(const struct tg_job *job, const struct tg_ctx *ctx,
                       struct tg_result *result)
{
    size_t n;
    struct tg_svcca_layer *layers = collect(job, &n);
    if (!layers)
        return TG_NOMEM;
    struct tg_svcca_options options = options_of(job);
    struct tg_svcca svcca;
    struct tg_report report;
    tg_report_init(&report);
    enum tg_err err = tg_svcca_run(ctx, layers, n, &options, &svcca, &report);
    free(layers);
    if (report.count)
        tg_result_warn(result, tg_err_slug(report.code), "%s", report.detail);
    if (err)
        return err;

    double orthogonality = 0;
    for (int64_t i = 0; i < svcca.nlayers; i++)
        orthogonality = fmax(orthogonality, svcca.basis[i].orthogonality);
    tg_result_int(result, "n", svcca.n);
    tg_result_value(result, "layers", table_of(&svcca, &options, layer_row));
    tg_result_value(result, "pairs", table_of(&svcca, &options, NULL));
    tg_result_quality_value(result, "layers", table_of(&svcca, &options, quality_row));
    tg_result_quality_real(result, "orthogonality_error", orthogonality);
    put_arrays(&svcca, result);
    put_figures(&svcca, result);
    warn_layers(&svcca, result);
    warn_pairs(&svcca, &options, result);
    return tg_result_failed(result) ? TG_NOMEM : TG_OK;
}

static const char example[] =
    "{\"kind\": \"svcca\",\n"
    " \"params\": {\"threshold\": 0.99},\n"
    " \"inputs\": {\"layers\": {\n"
    "   \"fc1\": [[0.1, 1.2, 0.4], [0.9, 0.3, 0.8], [1.7, 0.2, 0.1], [0.4, 1.1, 0.9],\n"
    "           [1.2, 0.8, 0.3], [0.2, 0.5, 1.4], [1.0, 0.0, 0.6], [0.6, 1.5, 1.1]],\n"
    "   \"fc2\": [[0.3, 2.1], [1.1, 1.4], [1.9, 0.7], [0.8, 2.4],\n"
    "           [1.3, 1.5], [0.7, 2.2], [1.2, 0.9], [1.0, 3.0]]}}}\n";

const struct tg_kind tg_kind_svcca = {
    .name = "svcca",
    .version = 1,
    .title = "Similarity of representations (CCA, SVCCA, CKA)",
    .summary = "Compares layers of neural networks by their activations on the same "
               "samples: every pair of the layers given, each layer decomposed once. "
               "Canonical correlations ignore any invertible linear map of the units; "
               "SVCCA first keeps the directions that hold 99 % of a layer; linear CKA "
               "ignores rotations and scale only, and its debiased form does not grow "
               "with the number of units.",
    .reference =
        "M. Raghu, J. Gilmer, J. Yosinski, J. Sohl-Dickstein, \"SVCCA: Singular Vector "
        "Canonical Correlation Analysis for Deep Learning Dynamics and "
        "Interpretability\", "
        "NeurIPS 2017, arXiv:1706.05806. S. Kornblith, M. Norouzi, H. Lee, G. Hinton, "
        "\"Similarity of Neural Network Representations Revisited\", ICML 2019, "
        "arXiv:1905.00414.",
    .params = params,
    .nparams = sizeof(params) / sizeof(*params),
    .params_size = sizeof(struct params),
    .inputs = inputs,
    .ninputs = sizeof(inputs) / sizeof(*inputs),
    .outputs = outputs,
    .noutputs = sizeof(outputs) / sizeof(*outputs),
    .example = example,
    .check = check,
    .estimate = estimate,
    .run = run,
};
