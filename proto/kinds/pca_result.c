/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The spectrum and the path of the kind pca as values, arrays, figures and warnings. */
#include "proto/kinds/pca_kind.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/figure.h"

json_t *pca_real_or_null(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *component_table(const struct tg_pca *pca)
{
    json_t *table = json_array();
    for (int64_t k = 0; table && k < pca->k; k++) {
        json_t *row = json_pack(
            "{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "k", (json_int_t)(k + 1),
            "explained_variance", pca_real_or_null(pca->variance[k]), "ratio",
            pca_real_or_null(pca->ratio[k]), "ratio_error",
            pca_real_or_null(pca->ratio_error[k]), "random_walk_ratio",
            pca_real_or_null(pca->walk_ratio[k]), "step_null_ratio",
            pca_real_or_null(pca->step_null_ratio[k]), "band", pca_real_or_null(pca->band[k]),
            "dct_overlap", pca_real_or_null(pca->overlap[k]));
        if (json_array_append_new(table, row)) {
            json_decref(table);
            return NULL;
        }
    }
    return table;
}

static void put_values(const struct pca_work *work, struct tg_result *result)
{
    const struct tg_pca *pca = &work->pca;
    tg_result_int(result, "n", pca->t);
    tg_result_int(result, "d", pca->d);
    tg_result_value(result, "first_component_ratio", pca_real_or_null(pca->ratio[0]));
    tg_result_real(result, "random_walk_first_component_ratio", pca->walk_ratio[0]);
    tg_result_value(result, "step_null_first_component_ratio",
                    pca_real_or_null(pca->step_null_ratio[0]));
    tg_result_real(result, "total_variance", pca->total_variance);
    tg_result_value(result, "d_eff", pca_real_or_null(pca->d_eff));
    tg_result_value(result, "components", component_table(pca));
    tg_result_quality_value(result, "ratio_error", pca_real_or_null(pca->error));
    tg_result_quality_int(result, "data_bytes_read",
                          work->drawn ? 0 : (int64_t)pca->bytes_read);
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

void pca_component_title(const struct tg_pca *pca, int64_t k, char title[40])
{
    if (k < pca->k)
        snprintf(title, 40, "component %d (%.1f %%)", (int)k + 1, 100 * pca->ratio[k]);
    else
        snprintf(title, 40, "component %d", (int)k + 1);
}

/* The first two columns of the scores; without a second one the path lies on a line. */
static void put_path(const struct pca_work *work, struct tg_result *result)
{
    const struct tg_pca *pca = &work->pca;
    const char *title = "Path in the first two components";
    size_t t = (size_t)pca->t;
    double *x = calloc(2 * t, sizeof(*x)), *y = x + t;
    char xtitle[40], ytitle[40];
    if (!x) {
        result->failed = true;
        return;
    }
    for (size_t i = 0; i < t; i++) {
        x[i] = pca->scores[i * (size_t)pca->k];
        if (pca->k > 1)
            y[i] = pca->scores[i * (size_t)pca->k + 1];
    }
    pca_component_title(pca, 0, xtitle);
    pca_component_title(pca, 1, ytitle);
    tg_result_figure(result, "path", title,
                     tg_figure_path(title, xtitle, ytitle, "loss",
                                    &(struct tg_figure_path){
                                        .x = x, .y = y, .z = work->loss, .n = t}));
    free(x);
}

/* The half precision format of the points, if there is one; else TG_F64. */
static enum tg_dtype half_precision(const struct tg_walk_data *data)
{
    for (int64_t i = 0; i < data->nfiles * data->ntensors; i++)
        if (data->mat[i]->dtype == TG_F16 || data->mat[i]->dtype == TG_BF16)
            return data->mat[i]->dtype;
    return TG_F64;
}

static void warn(const struct pca_work *work, struct tg_result *result)
{
    const struct tg_pca *pca = &work->pca;
    enum tg_dtype half = half_precision(&work->data);
    if (pca->k < work->params->components)
        tg_result_warn(
            result, "components-capped",
            "%lld points in %lld dimensions have %lld components, fewer than the %lld "
            "asked for.",
            (long long)pca->t, (long long)pca->d, (long long)pca->k,
            (long long)work->params->components);
    if (isnan(pca->ratio[0]))
        tg_result_warn(result, "constant-trajectory",
                       "All points are the same, so there is no variance to share out.");
    else if (half != TG_F64 && pca->unchanged > 0.5)
        tg_result_warn(
            result, "half-precision-floor",
            "%.0f %% of the coordinates do not change in a step: in %s most of the "
            "movement is lost to rounding, and so are small components.",
            100 * pca->unchanged, tg_dtype_name(half));
    if (pca->error > 1e-3)
        tg_result_warn(
            result, "inaccurate-ratios",
            "Ratios may be wrong by %.1g: the points lie far from the reference point "
            "compared with their spread. Try the other `reference`.",
            pca->error);
}

void pca_put_result(const struct pca_work *work, struct tg_result *result)
{
    put_values(work, result);
    put_arrays(work->params, &work->pca, result);
    if (isfinite(work->pca.ratio[0]) && work->pca.nruns == 1)
        put_path(work, result);
    warn(work, result);
}
