/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reduction "dft" of the kind svcca: what it takes, and what it tells beside the scores. */
#include "proto/kinds/svcca_kind.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/figure.h"

enum { MAX_CURVES = 8 };

/* Share of covariance between frequencies from which on their sum is not the layer. */
static const double off_block_limit = 0.1;

bool svcca_is_dft(const struct svcca_params *p)
{
    return p->reduction == TG_DFT;
}

void svcca_check_dft(const struct tg_job *job, struct tg_report *report)
{
    const struct svcca_params *p = job->params;
    for (int i = 0; svcca_is_dft(p) && svcca_measure_names[i]; i++)
        if (p->measures >> i & 1 && !(TG_DFT_MEASURES >> i & 1))
            tg_fault_add_value(report, TG_INVALID, "/params/measures", svcca_measure_names[i],
                               "cca, svcca, cka, cka_debiased, procrustes, shape, regression",
                               "This measure has no meaning frequency by frequency.");
}

/* The quality table of off-block energy. */
static json_t *gauge_table(const struct svcca_work *work)
{
    json_t *table = json_array();
    bool bad = !table;
    for (int64_t i = 0; !bad && i < work->svcca.nlayers; i++) {
        const struct tg_dft_gauge *gauge = &work->dft.gauge[i];
        bad = json_array_append_new(
            table, json_pack("{s:s, s:o, s:o, s:o, s:o}", "name", work->svcca.name[i], "share",
                             svcca_real_or_null(gauge->share), "share_sd",
                             svcca_real_or_null(gauge->share_sd), "unbiased",
                             svcca_real_or_null(gauge->unbiased), "unbiased_sd",
                             svcca_real_or_null(gauge->unbiased_sd)));
    }
    if (!bad)
        return table;
    json_decref(table);
    return NULL;
}

static void warn_off_block(const struct svcca_work *work, struct tg_result *result)
{
    int64_t count = 0, worst = -1;
    double most = 0;
    for (int64_t i = 0; i < work->svcca.nlayers; i++) {
        const struct tg_dft_gauge *gauge = &work->dft.gauge[i];
        double share = isnan(gauge->unbiased) ? gauge->share : gauge->unbiased;
        if (!(share > off_block_limit))
            continue;
        count++;
        if (share > most) {
            most = share;
            worst = i;
        }
    }
    if (count)
        tg_result_warn(
            result, "off-block-energy",
            "%lld of %lld layers have more than %.0f %% of their covariance between different "
            "frequencies (\"%s\": %.0f %%), as layers do whose data are not the same wherever "
            "they are shifted. Their scores are those of single frequencies put together, "
            "not of the whole layer.",
            (long long)count, (long long)work->svcca.nlayers, 100 * off_block_limit,
            work->svcca.name[worst], 100 * most);
}

static int64_t nearest_ring(const struct tg_dft *dft, int64_t place)
{
    int64_t y = place / dft->w, x = place % dft->w;
    y = 2 * y > dft->h ? y - dft->h : y;
    x = 2 * x > dft->w ? x - dft->w : x;
    return llround(hypot((double)y, (double)x));
}

/* Means of a map over rings of frequencies; x is where rings have any, n how many do. */
static size_t ring_means(const struct tg_dft *dft, const double *map, size_t nrings,
                         double *x, double *y)
{
    size_t n = 0;
    for (size_t ring = 0; ring < nrings; ring++) {
        double sum = 0;
        int64_t count = 0;
        for (int64_t place = 0; place < dft->h * dft->w; place++)
            if ((size_t)nearest_ring(dft, place) == ring && !isnan(map[place])) {
                sum += map[place];
                count++;
            }
        if (count) {
            x[n] = (double)ring;
            y[n++] = sum / (double)count;
        }
    }
    return n;
}

/* Mean correlation by how fine the pattern is, of the first pairs. */
static enum tg_err put_curves(const struct svcca_work *work, struct tg_result *result)
{
    const struct tg_dft *dft = &work->dft;
    const struct tg_svcca *svcca = &work->svcca;
    struct tg_series series[MAX_CURVES];
    char name[MAX_CURVES][140];
    size_t nrings = (size_t)llround(hypot((double)dft->h, (double)dft->w) / 2) + 1, count = 0;
    double *at = calloc(2 * MAX_CURVES * nrings, sizeof(*at));
    if (!at)
        return TG_NOMEM;
    for (int64_t p = 0; p < svcca->npairs && count < MAX_CURVES; p++) {
        double *x = at + 2 * count * nrings, *y = x + nrings;
        size_t n = ring_means(dft, dft->correlation + p * dft->h * dft->w, nrings, x, y);
        snprintf(name[count], sizeof(*name), "%.60s, %.60s", svcca->name[svcca->pair[p].a],
                 svcca->name[svcca->pair[p].b]);
        if (n)
            series[count] = (struct tg_series){.name = name[count], .x = x, .y = y, .n = n};
        count += n > 0;
    }
    if (count)
        tg_result_figure(result, "frequency_curve", "Mean correlation by frequency",
                         tg_figure_lines("Mean correlation by frequency", "cycles a map",
                                         "mean canonical correlation", series, count, false));
    free(at);
    return TG_OK;
}

enum tg_err svcca_put_dft(const struct svcca_work *work, struct tg_result *result)
{
    const struct tg_dft *dft = &work->dft;
    const int64_t pairs[] = {work->svcca.npairs, dft->h, dft->w};
    const int64_t layers[] = {work->svcca.nlayers, dft->h, dft->w};
    tg_result_quality_value(result, "off_block", gauge_table(work));
    if (dft->energy)
        tg_result_array_f64(result, "frequency_energy", dft->energy, 3, layers);
    if (dft->correlation)
        tg_result_array_f64(result, "frequency_correlations", dft->correlation, 3, pairs);
    warn_off_block(work, result);
    return dft->correlation ? put_curves(work, result) : TG_OK;
}
