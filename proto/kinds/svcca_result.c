/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Scores as the answer of a job: tables, arrays, figures, warnings. */
#include "proto/kinds/svcca_kind.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/figure.h"

enum {
    MAX_HEATMAP = 70, /* layers whose cells a figure holds */
    MAX_SPECTRA = 12
};

json_t *svcca_real_or_null(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

bool svcca_wants(const struct svcca_work *work, enum tg_svcca_measure measure)
{
    return work->options.measures >> measure & 1;
}

static json_t *int_or_null(bool known, int64_t x)
{
    return known ? json_integer(x) : json_null();
}

static json_t *layer_row(const struct svcca_work *work, int64_t index)
{
    const struct tg_basis *layer = &work->svcca.basis[index];
    const struct tg_bound *bound = work->bound[index];
    bool spectrum = tg_svcca_has_spectra(&work->options) || layer->rank == 0;
    json_t *row =
        json_pack("{s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "name", layer->name, "n",
                  (json_int_t)layer->n, "d", (json_int_t)layer->d, "constant_units",
                  (json_int_t)layer->constant_units, "rank",
                  int_or_null(layer->rank >= 0, layer->rank), "condition",
                  svcca_real_or_null(layer->rank ? layer->condition : NAN), "k_variance",
                  int_or_null(spectrum, layer->k[TG_SVCCA_VARIANCE]), "k_sv_sum",
                  int_or_null(spectrum, layer->k[TG_SVCCA_SV_SUM]));
    int bad = row ? 0 : -1;
    if (row && bound->model)
        bad |= json_object_set_new(row, "model", json_string(bound->model));
    if (row && bound->step >= 0)
        bad |= json_object_set_new(row, "step", json_integer(bound->step));
    if (!bad)
        return row;
    json_decref(row);
    return NULL;
}

static json_t *quality_row(const struct svcca_work *work, int64_t index)
{
    const struct tg_basis *layer = &work->svcca.basis[index];
    bool decomposed = layer->rank > 0;
    return json_pack("{s:s, s:s, s:o, s:o, s:o}", "name", layer->name, "route",
                     tg_basis_route_name(layer->route), "condition",
                     svcca_real_or_null(decomposed ? layer->condition : NAN), "error",
                     svcca_real_or_null(decomposed ? layer->error : NAN),
                     "orthogonality_error",
                     svcca_real_or_null(decomposed ? layer->orthogonality : NAN));
}

/* The real columns of the table of pairs. */
static const struct {
    const char *name;
    enum tg_svcca_measure measure;
    size_t offset;
} pair_reals[] = {
    {"cca_mean", TG_SVCCA_CCA, offsetof(struct tg_svcca_pair, cca_mean)},
    {"cca_mean_squared", TG_SVCCA_CCA, offsetof(struct tg_svcca_pair, cca_mean_squared)},
    {"null_cca_mean_squared", TG_SVCCA_CCA,
     offsetof(struct tg_svcca_pair, null_cca_mean_squared)},
    {"svcca_variance", TG_SVCCA_SVCCA,
     offsetof(struct tg_svcca_pair, svcca[TG_SVCCA_VARIANCE])},
    {"svcca_sv_sum", TG_SVCCA_SVCCA, offsetof(struct tg_svcca_pair, svcca[TG_SVCCA_SV_SUM])},
    {"cka", TG_SVCCA_CKA, offsetof(struct tg_svcca_pair, cka)},
    {"cka_debiased", TG_SVCCA_CKA_DEBIASED, offsetof(struct tg_svcca_pair, cka_debiased)},
    {"pwcca", TG_SVCCA_PWCCA, offsetof(struct tg_svcca_pair, pwcca)},
    {"pwcca_a", TG_SVCCA_PWCCA, offsetof(struct tg_svcca_pair, pwcca_a)},
    {"pwcca_b", TG_SVCCA_PWCCA, offsetof(struct tg_svcca_pair, pwcca_b)},
    {"procrustes", TG_SVCCA_PROCRUSTES, offsetof(struct tg_svcca_pair, procrustes)},
    {"shape", TG_SVCCA_SHAPE, offsetof(struct tg_svcca_pair, shape)},
    {"regression_a_to_b", TG_SVCCA_REGRESSION, offsetof(struct tg_svcca_pair, r2_a_to_b)},
    {"regression_b_to_a", TG_SVCCA_REGRESSION, offsetof(struct tg_svcca_pair, r2_b_to_a)},
    {"cka_rbf", TG_SVCCA_CKA_RBF, offsetof(struct tg_svcca_pair, cka_rbf)},
    {"cka_rbf_debiased", TG_SVCCA_CKA_RBF_DEBIASED,
     offsetof(struct tg_svcca_pair, cka_rbf_debiased)},
    {"cka_minibatch", TG_SVCCA_CKA_MINIBATCH, offsetof(struct tg_svcca_pair, cka_minibatch)},
    {"rsa_pearson", TG_SVCCA_RSA_PEARSON, offsetof(struct tg_svcca_pair, rsa_pearson)},
    {"rsa_spearman", TG_SVCCA_RSA_SPEARMAN, offsetof(struct tg_svcca_pair, rsa_spearman)},
    {"rsa_kendall", TG_SVCCA_RSA_KENDALL, offsetof(struct tg_svcca_pair, rsa_kendall)},
    {"rsa_kendall_tau_a", TG_SVCCA_RSA_KENDALL, offsetof(struct tg_svcca_pair, rsa_kendall_a)},
    {"rsa_cosine", TG_SVCCA_RSA_COSINE, offsetof(struct tg_svcca_pair, rsa_cosine)},
    {"rsa_whitened", TG_SVCCA_RSA_WHITENED, offsetof(struct tg_svcca_pair, rsa_whitened)},
    {"knn", TG_SVCCA_KNN, offsetof(struct tg_svcca_pair, knn)},
};

/* "<measure>_distance" of each measure that is asked for. */
static int add_distances(const struct svcca_work *work, const struct tg_svcca_pair *pair,
                         json_t *row)
{
    const double similarity[TG_SVCCA_MEASURES] = {
        [TG_SVCCA_CCA] = pair->cca_mean,
        [TG_SVCCA_SVCCA] = pair->svcca[work->options.rule],
        [TG_SVCCA_CKA] = pair->cka,
        [TG_SVCCA_CKA_DEBIASED] = pair->cka_debiased,
        [TG_SVCCA_PWCCA] = pair->pwcca,
        [TG_SVCCA_PROCRUSTES] = pair->procrustes,
        [TG_SVCCA_SHAPE] = pair->shape,
        [TG_SVCCA_CKA_RBF] = pair->cka_rbf,
        [TG_SVCCA_CKA_RBF_DEBIASED] = pair->cka_rbf_debiased,
        [TG_SVCCA_CKA_MINIBATCH] = pair->cka_minibatch,
        [TG_SVCCA_RSA_PEARSON] = pair->rsa_pearson,
        [TG_SVCCA_RSA_SPEARMAN] = pair->rsa_spearman,
        [TG_SVCCA_RSA_KENDALL] = pair->rsa_kendall,
        [TG_SVCCA_RSA_COSINE] = pair->rsa_cosine,
        [TG_SVCCA_RSA_WHITENED] = pair->rsa_whitened,
        [TG_SVCCA_KNN] = pair->knn};
    char name[40];
    int bad = 0;
    for (int i = 0; i < TG_SVCCA_MEASURES; i++) {
        enum tg_svcca_measure measure = (enum tg_svcca_measure)i;
        if (!svcca_wants(work, measure) || measure == TG_SVCCA_REGRESSION)
            continue; /* regression has two sides, and no distance */
        snprintf(name, sizeof(name), "%s_distance", svcca_measure_names[i]);
        bad |= json_object_set_new(
            row, name, svcca_real_or_null(tg_svcca_distance(measure, similarity[i])));
    }
    if (svcca_wants(work, TG_SVCCA_PROCRUSTES))
        bad |= json_object_set_new(row, "procrustes_distance2",
                                   svcca_real_or_null(2 - 2 * pair->procrustes));
    return bad;
}

static json_t *pair_row(const struct svcca_work *work, int64_t index)
{
    const struct tg_svcca_pair *pair = &work->svcca.pair[index];
    const struct tg_basis *a = &work->svcca.basis[pair->a];
    const struct tg_basis *b = &work->svcca.basis[pair->b];
    enum tg_svcca_rule rule = work->options.rule;
    json_t *row = json_pack("{s:s, s:s}", "a", a->name, "b", b->name);
    int bad = row ? 0 : -1;
    if (row && svcca_wants(work, TG_SVCCA_CCA)) {
        bad |= json_object_set_new(row, "cca", svcca_real_or_null(pair->cca_mean));
        bad |= json_object_set_new(row, "forced_ones", json_integer(pair->forced_ones));
    }
    if (row && svcca_wants(work, TG_SVCCA_SVCCA))
        bad |= json_object_update_new(
            row, json_pack("{s:o, s:I, s:I}", "svcca", svcca_real_or_null(pair->svcca[rule]),
                           "svcca_k_a", (json_int_t)a->k[rule], "svcca_k_b",
                           (json_int_t)b->k[rule]));
    for (size_t i = 0; row && i < sizeof(pair_reals) / sizeof(*pair_reals); i++) {
        double x;
        memcpy(&x, (const char *)pair + pair_reals[i].offset, sizeof(x));
        if (svcca_wants(work, pair_reals[i].measure))
            bad |= json_object_set_new(row, pair_reals[i].name, svcca_real_or_null(x));
    }
    if (row)
        bad |= add_distances(work, pair, row);
    if (!bad)
        return row;
    json_decref(row);
    return NULL;
}

/* A NULL row (no memory) makes append fail, and a failed table is told by NULL. */
static json_t *table_of(const struct svcca_work *work, int64_t rows,
                        json_t *(*row)(const struct svcca_work *, int64_t))
{
    json_t *table = json_array();
    bool bad = !table;
    for (int64_t i = 0; !bad && i < rows; i++)
        bad = json_array_append_new(table, row(work, i));
    if (!bad)
        return table;
    json_decref(table);
    return NULL;
}

static void put_arrays(const struct svcca_work *work, struct tg_result *result)
{
    const struct tg_svcca *svcca = &work->svcca;
    const int64_t square[] = {svcca->nlayers, svcca->nlayers};
    const int64_t spectra[] = {svcca->nlayers, svcca->max_d};
    const int64_t lists[] = {svcca->npairs, svcca->max_d};
    for (int i = 0; i < TG_SVCCA_MEASURES; i++)
        if (svcca->matrix[i])
            tg_result_array_f64(result, svcca_measure_names[i], svcca->matrix[i], 2, square);
    if (tg_svcca_has_spectra(&work->options))
        tg_result_array_f64(result, "singular_values", svcca->singular_values, 2, spectra);
    if (svcca->cca_rho)
        tg_result_array_f64(result, "cca_correlations", svcca->cca_rho, 2, lists);
    if (svcca->svcca_rho)
        tg_result_array_f64(result, "svcca_correlations", svcca->svcca_rho, 2, lists);
}

/* One heat map; entries of a grid ordered by model, layer and step. */
static void put_heatmap(const struct svcca_work *work, int measure, const char *title,
                        struct tg_result *result)
{
    const struct tg_svcca *svcca = &work->svcca;
    size_t l = (size_t)svcca->nlayers, order[MAX_HEATMAP];
    const char *axis = svcca_order(work, order) ? "model/layer@step" : "layer";
    const char *label[MAX_HEATMAP];
    char name[40];
    json_t *figure = NULL;
    double *z = malloc(l * l * sizeof(*z));
    for (size_t i = 0; i < l; i++)
        label[i] = svcca->name[order[i]];
    for (size_t i = 0; z && i < l * l; i++)
        z[i] = svcca->matrix[measure][order[i / l] * l + order[i % l]];
    if (z)
        figure = tg_figure_heatmap(title, axis, axis, svcca_measure_names[measure], label, l,
                                   label, l, z);
    snprintf(name, sizeof(name), "%s_heatmap", svcca_measure_names[measure]);
    tg_result_figure(result, name, title, figure);
    free(z);
}

static void put_figures(const struct svcca_work *work, struct tg_result *result)
{
    static const char *const titles[] = {
        "Mean canonical correlation", "SVCCA", "Linear CKA", "Debiased linear CKA",
        "Projection-weighted CCA", "Procrustes similarity", "Shape similarity",
        "R squared of column by row", "CKA (RBF kernel)", "Debiased CKA (RBF kernel)",
        "CKA over minibatches", "RSA (Pearson)", "RSA (Spearman)", "RSA (Kendall)",
        "RSA (cosine)", "RSA (whitened cosine)", "Mutual nearest neighbours"};
    const struct tg_svcca *svcca = &work->svcca;
    size_t l = (size_t)svcca->nlayers;
    for (int i = 0; i < TG_SVCCA_MEASURES; i++)
        if (svcca->matrix[i] && l <= MAX_HEATMAP)
            put_heatmap(work, i, titles[i], result);
    if (!tg_svcca_has_spectra(&work->options))
        return;
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
        else if (layer->rank > 0 && layer->rank < layer->d)
            tg_result_warn(
                result, "rank-deficient",
                "Layer \"%s\" has %lld units but rank %lld (%lld never change, the rest "
                "depend on each other); measures use the rank.",
                layer->name, (long long)layer->d, (long long)layer->rank,
                (long long)layer->constant_units);
    }
}

static void warn_pairs(const struct svcca_work *work, struct tg_result *result)
{
    const struct tg_svcca *svcca = &work->svcca;
    int64_t forced = 0, first = 0, undefined = 0;
    for (int64_t i = svcca->npairs - 1; i >= 0; i--) {
        const struct tg_svcca_pair *pair = &svcca->pair[i];
        if (pair->forced_ones > 0) {
            forced++;
            first = i;
        }
        undefined += isfinite(pair->cka) && isnan(pair->cka_debiased);
    }
    if (forced && svcca_wants(work, TG_SVCCA_CCA))
        tg_result_warn(
            result, "forced-ones",
            "With %lld samples, %lld of %lld pairs have canonical correlations that are "
            "1 whatever the data (\"%s\" and \"%s\": %lld). Give more samples, or look at "
            "svcca and cka_debiased.",
            (long long)svcca->n, (long long)forced, (long long)svcca->npairs,
            svcca->basis[svcca->pair[first].a].name,
            svcca->basis[svcca->pair[first].b].name,
            (long long)svcca->pair[first].forced_ones);
    if (undefined && svcca_wants(work, TG_SVCCA_CKA_DEBIASED))
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

json_t *svcca_layer_row(const struct tg_result *result, int64_t index)
{
    return json_array_get(json_object_get(result->values, "layers"), (size_t)index);
}

json_t *svcca_pair_row(const struct tg_result *result, int64_t index)
{
    return json_array_get(json_object_get(result->values, "pairs"), (size_t)index);
}

void svcca_put_scores(const struct svcca_work *work, struct tg_result *result)
{
    const struct tg_svcca *svcca = &work->svcca;
    double error = 0;
    for (int64_t i = 0; i < svcca->nlayers; i++)
        error = fmax(error, svcca->basis[i].error);
    tg_result_int(result, "n", svcca->n);
    tg_result_value(result, "layers", table_of(work, svcca->nlayers, layer_row));
    tg_result_value(result, "pairs", table_of(work, svcca->npairs, pair_row));
    tg_result_quality_value(result, "layers", table_of(work, svcca->nlayers, quality_row));
    tg_result_quality_real(result, "correlation_error", error);
    put_arrays(work, result);
    put_figures(work, result);
    warn_layers(svcca, result);
    warn_pairs(work, result);
}
