/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the arrays of a job are: layouts, reductions, and whether layers can be compared. */
#include <inttypes.h>
#include <stdio.h>

#include "proto/kinds/svcca_kind.h"

enum { MIN_ROWS = 4 /* debiased CKA divides by (n - 1)(n - 2) and n (n - 3) */ };

/* The first one takes arrays of two axes only; the others are enum tg_layout. */
const char *const svcca_layout_names[] = {"auto", "nd", "ntd", "nchw", "nhwc", NULL};
const char *const svcca_reduction_names[] = {"flatten", "samples", "mean", "dft", NULL};

static enum tg_layout layout_of(const struct svcca_params *p)
{
    return p->layout ? (enum tg_layout)(p->layout - 1) : TG_LAYOUT_ND;
}

bool svcca_fold(const struct svcca_params *p, const struct tg_mat *array,
                struct tg_fold *fold, struct tg_mat *view)
{
    return tg_layout_fold(array, layout_of(p), (enum tg_reduction)p->reduction, fold, view);
}

bool svcca_places(const struct svcca_params *p, const struct tg_mat *array,
                  struct tg_places *places)
{
    return tg_layout_places(array, layout_of(p), places);
}

static void add_fault(struct tg_report *report, const struct tg_bound *layer,
                      const char *allowed, const char *detail)
{
    char got[80];
    tg_mat_shape_text(&layer->mat, got, sizeof(got));
    tg_fault_add_value(report, TG_INVALID, layer->pointer, got, allowed, "%s", detail);
}

/* Axes that the layout does not have. */
static void refuse_axes(const struct svcca_params *p, const struct tg_bound *layer,
                        struct tg_report *report)
{
    char detail[240];
    if (p->layout == 0)
        snprintf(detail, sizeof(detail),
                 "This array has %d axes, and nothing says what they are: give `layout` "
                 "(ntd, nchw or nhwc), and `reduction` for what becomes of the positions.",
                 layer->mat.ndim);
    else
        snprintf(detail, sizeof(detail),
                 "This array has %d axes; layout \"%s\" is %s, and arrays of two axes are "
                 "(samples, units) in any layout.",
                 layer->mat.ndim, svcca_layout_names[p->layout],
                 tg_layout_axes(layout_of(p)));
    add_fault(report, layer, p->layout ? tg_layout_axes(layout_of(p)) : "(samples, units)",
              detail);
}

/* Both sides of a pair need the same rows; says why they have not. */
static void refuse_rows(const struct svcca_params *p, const struct tg_bound *layer,
                        const struct tg_bound *first, int64_t rows, int64_t first_rows,
                        struct tg_report *report)
{
    char detail[240], allowed[80];
    int64_t n = layer->mat.shape[0], first_n = first->mat.shape[0];
    snprintf(allowed, sizeof(allowed), "%" PRId64 " samples, as the first layer", first_n);
    if (p->reduction != TG_SAMPLES || n != first_n) {
        snprintf(detail, sizeof(detail),
                 "Every layer needs the same samples: this one has %" PRId64
                 " (its first axis), the first one %" PRId64 ".",
                 n, first_n);
    } else {
        snprintf(allowed, sizeof(allowed), "%" PRId64 " positions, as the first layer",
                 first_rows / first_n);
        snprintf(detail, sizeof(detail),
                 "With reduction \"samples\" every position is a sample: %" PRId64
                 " x %" PRId64 " here, %" PRId64 " x %" PRId64 " in the first layer. Layers "
                 "with other positions can be compared by \"mean\" or \"flatten\".",
                 n, rows / n, first_n, first_rows / first_n);
    }
    add_fault(report, layer, allowed, detail);
}

static void refuse_columns(const struct svcca_params *p, const struct tg_bound *layer,
                           struct tg_report *report)
{
    if (svcca_is_dft(p))
        add_fault(report, layer, "at least as many samples as units",
                  "With reduction \"dft\" every frequency is a matrix of samples x units, and "
                  "this layer has more units than samples. Give more samples.");
    else
        add_fault(report, layer, "at least as many rows as columns",
              p->layout <= TG_LAYOUT_ND + 1
                  ? "Rows are samples and columns are units, and this array has fewer rows "
                    "than columns. Transpose it if units came first; give a flattened "
                    "convolutional layer with its axes and a `layout`; or give more samples."
                  : "There are more units than samples after this reduction. Give more "
                    "samples, or choose reduction \"samples\" or \"mean\".");
}

static void check_layer(const struct svcca_params *p, const struct tg_bound *layer,
                        const struct tg_bound *first, struct tg_report *report)
{
    struct tg_fold fold;
    struct tg_mat view, first_view;
    struct tg_places places;
    if (!svcca_fold(p, &layer->mat, &fold, &view) || !svcca_places(p, &layer->mat, &places)) {
        refuse_axes(p, layer, report);
        return;
    }
    int64_t rows = view.shape[0];
    if (rows < MIN_ROWS)
        add_fault(report, layer, "at least 4 samples",
                  "Rows are samples, and at least 4 are needed.");
    else if (svcca_fold(p, &first->mat, &fold, &first_view) && rows != first_view.shape[0])
        refuse_rows(p, layer, first, rows, first_view.shape[0], report);
    if ((svcca_is_dft(p) ? places.units : view.shape[1]) > rows)
        refuse_columns(p, layer, report);
}

const struct tg_bound *svcca_layer(const struct tg_job *job, size_t i, const char **name)
{
    const struct tg_job_input *input = tg_job_input(job, "layers");
    const struct tg_bound *layer = NULL;
    if (input->n) {
        layer = i < input->n ? &input->array[i] : NULL;
    } else if (i < 2) {
        input = tg_job_input(job, i ? "b" : "a");
        layer = input->n ? input->array : NULL;
    }
    if (layer && name)
        *name = input->input->list ? layer->name : input->input->name;
    return layer;
}

void svcca_check_layers(const struct tg_job *job, struct tg_report *report)
{
    const struct tg_bound *first = svcca_layer(job, 0, NULL), *layer = first;
    for (size_t i = 0; first && layer; layer = svcca_layer(job, ++i, NULL))
        check_layer(job->params, layer, first, report);
}
