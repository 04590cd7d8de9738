/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The part of svcca that sets every score beside what unrelated layers show. */
#include "proto/kinds/svcca_kind.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/figure.h"
#include "svcca/null.h"

enum { MAX_SPECTRA = 4, MIN_SAMPLES_PER_UNIT = 5 };

static const double alpha = 0.05; /* of the count of significant directions */

static bool set_real(json_t *row, const char *measure, const char *what, double x)
{
    char key[48];
    snprintf(key, sizeof(key), "%s_%s", measure, what);
    return json_object_set_new(row, key, svcca_real_or_null(x)) == 0;
}

/* Mean square of the first `count` of rho; NaN without the list. */
static double mean_square(const double *rho, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; rho && i < count; i++)
        sum += rho[i] * rho[i];
    return rho && count ? sum / (double)count : NAN;
}

/* A score that is a mean of the correlations of dimensions r_a and r_b. */
static bool put_cca(json_t *row, const char *measure, int64_t n, int64_t r_a, int64_t r_b,
                    double score, const double *rho)
{
    struct tg_cca_null null;
    char key[48];
    tg_cca_null(n, r_a, r_b, &null);
    snprintf(key, sizeof(key), "%s_significant_directions", measure);
    double square = mean_square(rho, null.p + null.forced);
    return set_real(row, measure, "null_mean", null.mean.mean) &&
           set_real(row, measure, "null_sd", null.mean.sd) &&
           set_real(row, measure, "null_edge", null.edge) &&
           set_real(row, measure, "adjusted", tg_chance_adjust(&null.mean, score)) &&
           set_real(row, measure, "z", tg_chance_z(&null.mean, score)) &&
           set_real(row, measure, "p", rho ? tg_cca_null_p(&null, square) : NAN) &&
           json_object_set_new(
               row, key,
               rho ? json_integer(tg_cca_significant(&null, rho, alpha, NULL))
                   : json_null()) == 0;
}

/* Traces of a layer's Gram matrix, in units of the scaled layer; NaN for what is not known. */
static struct tg_gram_trace trace_of(const struct tg_basis *layer, bool spectrum)
{
    struct tg_gram_trace trace = {
        .one = layer->norm2, .two = layer->gram_norm2, .three = NAN};
    if (spectrum)
        trace.one = trace.two = trace.three = 0;
    for (int64_t i = 0; spectrum && i < layer->rank; i++) {
        double sigma = layer->s[i] * layer->scale, square = sigma * sigma;
        trace.one += square;
        trace.two += square * square;
        trace.three += square * square * square;
    }
    for (int64_t i = 0; i < layer->n; i++)
        trace.diagonal2 += layer->x_row2[i] * layer->x_row2[i];
    return trace;
}

bool svcca_put_chance(json_t *row, const char *measure, const struct tg_chance *null,
                      double score)
{
    return set_real(row, measure, "null_mean", null->mean) &&
           set_real(row, measure, "null_sd", null->sd) &&
           set_real(row, measure, "adjusted", tg_chance_adjust(null, score)) &&
           set_real(row, measure, "z", tg_chance_z(null, score)) &&
           set_real(row, measure, "p",
                    isfinite(null->skewness) ? tg_chance_p(null, score) : NAN);
}

struct tg_chance svcca_cka_chance(int64_t n, const struct tg_gram_trace *a,
                                  const struct tg_gram_trace *b)
{
    struct tg_chance null = tg_gram_chance(n, a, b);
    double norms = sqrt(a->two) * sqrt(b->two);
    null.mean /= norms;
    null.sd /= norms;
    return null;
}

/* All of a pair; false without memory. */
static bool put_pair(const struct svcca_work *work, int64_t index,
                     const struct tg_gram_trace *trace, json_t *row)
{
    const struct tg_svcca *svcca = &work->svcca;
    const struct tg_svcca_pair *pair = &svcca->pair[index];
    const struct tg_basis *a = &svcca->basis[pair->a], *b = &svcca->basis[pair->b];
    const struct tg_gram_trace *ta = &trace[pair->a], *tb = &trace[pair->b];
    enum tg_svcca_rule rule = work->options.rule;
    int64_t offset = index * svcca->max_d;
    bool ok = true;
    if (svcca_wants(work, TG_SVCCA_CCA))
        ok = ok && put_cca(row, "cca", svcca->n, a->rank, b->rank, pair->cca_mean,
                           svcca->cca_rho ? svcca->cca_rho + offset : NULL);
    if (svcca_wants(work, TG_SVCCA_SVCCA))
        ok = ok && put_cca(row, "svcca", svcca->n, a->k[rule], b->k[rule], pair->svcca[rule],
                           svcca->svcca_rho ? svcca->svcca_rho + offset : NULL);
    if (svcca_wants(work, TG_SVCCA_CKA)) {
        struct tg_chance null = svcca_cka_chance(svcca->n, ta, tb);
        ok = ok && svcca_put_chance(row, "cka", &null, pair->cka);
    }
    if (svcca_wants(work, TG_SVCCA_CKA_DEBIASED)) {
        struct tg_chance null = tg_cka_debiased_chance(svcca->n, ta, tb);
        ok = ok && svcca_put_chance(row, "cka_debiased", &null, pair->cka_debiased);
    }
    return ok;
}

static bool comparable(const struct tg_svcca *svcca, int64_t index)
{
    const struct tg_svcca_pair *pair = &svcca->pair[index];
    return svcca->basis[pair->a].rank && svcca->basis[pair->b].rank;
}

/* The correlations of the first pairs, each with what unrelated layers would show. */
static enum tg_err put_figure(const struct tg_svcca *svcca, struct tg_result *result)
{
    struct tg_series series[2 * MAX_SPECTRA];
    char name[2 * MAX_SPECTRA][160];
    size_t count = 0, d = (size_t)svcca->max_d;
    double *expected = calloc(MAX_SPECTRA * d, sizeof(*expected));
    if (!expected)
        return TG_NOMEM;
    for (int64_t i = 0; i < svcca->npairs && count < 2 * MAX_SPECTRA; i++) {
        const struct tg_svcca_pair *pair = &svcca->pair[i];
        struct tg_cca_null null;
        double *rho = expected + count / 2 * d;
        if (!comparable(svcca, i))
            continue;
        tg_cca_null(svcca->n, svcca->basis[pair->a].rank, svcca->basis[pair->b].rank, &null);
        size_t n = (size_t)(null.p + null.forced);
        for (size_t k = 0; k < n; k++)
            rho[k] = tg_cca_null_rho(&null, (int64_t)k + 1);
        snprintf(name[count], sizeof(*name), "%.60s, %.60s", svcca->name[pair->a],
                 svcca->name[pair->b]);
        snprintf(name[count + 1], sizeof(*name), "%.60s, %.60s: if unrelated",
                 svcca->name[pair->a], svcca->name[pair->b]);
        series[count] = (struct tg_series){.name = name[count],
                                           .y = svcca->cca_rho + (size_t)i * d,
                                           .n = n,
                                           .points = true};
        series[count + 1] = (struct tg_series){.name = name[count + 1], .y = rho, .n = n};
        count += 2;
    }
    if (count)
        tg_result_figure(result, "null_spectrum", "Canonical correlations and chance",
                         tg_figure_lines("Canonical correlations and chance", "direction",
                                         "correlation", series, count, false));
    free(expected);
    return TG_OK;
}

static void warn_few_samples(const struct tg_svcca *svcca, struct tg_result *result)
{
    int64_t most = 0;
    for (int64_t i = 0; i < svcca->nlayers; i++)
        if (svcca->basis[i].rank > most)
            most = svcca->basis[i].rank;
    if (svcca->n < MIN_SAMPLES_PER_UNIT * most)
        tg_result_warn(
            result, "few-samples",
            "There are %lld samples for layers of up to rank %lld: with fewer than %d a "
            "direction, unrelated layers look alike. Read scores beside their null_mean.",
            (long long)svcca->n, (long long)most, MIN_SAMPLES_PER_UNIT);
}

static enum tg_err finish(const struct svcca_work *work, size_t place,
                          const struct tg_ctx *ctx, struct tg_result *result)
{
    (void)place;
    const struct tg_svcca *svcca = &work->svcca;
    struct tg_gram_trace *trace = calloc((size_t)svcca->nlayers, sizeof(*trace));
    enum tg_err err = trace ? TG_OK : TG_NOMEM;
    for (int64_t i = 0; !err && i < svcca->nlayers; i++)
        trace[i] = trace_of(&svcca->basis[i], tg_svcca_has_spectra(&work->options));
    for (int64_t i = 0; !err && i < svcca->npairs; i++) {
        json_t *row = svcca_pair_row(result, i);
        err = tg_ctx_poll(ctx);
        if (!err && comparable(svcca, i) && !(row && put_pair(work, i, trace, row)))
            err = TG_NOMEM;
    }
    free(trace);
    TG_TRY(err);
    warn_few_samples(svcca, result);
    return svcca->cca_rho ? put_figure(svcca, result) : TG_OK;
}

const struct svcca_part svcca_significance_part = {.finish = finish};
