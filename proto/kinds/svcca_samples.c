/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The part of svcca for measures that compare samples with samples: options and chance. */
#include "proto/kinds/svcca_kind.h"

#include <math.h>
#include <stdio.h>

#include "core/rng.h"
#include "svcca/null.h"

/* Of the order of samples in minibatches; permutations draw from streams below. */
static const uint64_t order_stream = UINT64_MAX;

const char *const svcca_rsa_distances[] = {"correlation", "euclidean", "squared_euclidean",
                                           "cosine", NULL};
const char *const svcca_knn_distances[] = {"euclidean", "cosine", "correlation", NULL};

static void check(const struct tg_job *job, struct tg_report *report)
{
    const struct svcca_params *p = job->params;
    const struct tg_bound *layer = svcca_layer(job, 0, NULL);
    struct tg_fold fold;
    struct tg_mat view;
    char got[24], most[40];
    if (!(p->measures >> TG_SVCCA_KNN & 1) || !layer || report->count ||
        !svcca_fold(p, &layer->mat, &fold, &view) || p->neighbours < view.shape[0])
        return;
    snprintf(got, sizeof(got), "%lld", (long long)p->neighbours);
    snprintf(most, sizeof(most), "at most %lld", (long long)view.shape[0] - 1);
    tg_fault_add_value(report, TG_INVALID, "/params/neighbours", got, most,
                       "A sample has fewer others than it is to have neighbours.");
}

/* Half of the pairs of samples equal: nothing to take a share of. */
static bool lacks_bandwidth(const struct tg_svcca *svcca, int64_t layer)
{
    return svcca->basis[layer].rank && !svcca->samples[layer].kernel.defined;
}

static bool has_kernels(const struct svcca_work *work)
{
    return svcca_wants(work, TG_SVCCA_CKA_RBF) ||
           svcca_wants(work, TG_SVCCA_CKA_RBF_DEBIASED);
}

static bool has_rdms(const struct svcca_work *work)
{
    return svcca_wants(work, TG_SVCCA_RSA_PEARSON) || svcca_wants(work, TG_SVCCA_RSA_SPEARMAN) ||
           svcca_wants(work, TG_SVCCA_RSA_KENDALL) || svcca_wants(work, TG_SVCCA_RSA_COSINE) ||
           svcca_wants(work, TG_SVCCA_RSA_WHITENED);
}

static enum tg_err prepare(struct svcca_work *work, size_t place, struct tg_arena *arena,
                           struct tg_svcca_cost *cost)
{
    (void)place;
    (void)cost; /* tg_svcca_cost() knows of these measures */
    const struct svcca_params *p = work->params;
    size_t n = (size_t)work->layers[0].mat.shape[0];
    work->options.samples = (struct tg_samples_options){
        .rbf_bandwidth = p->rbf_bandwidth,
        .batch_size = p->batch_size,
        .rsa = (enum tg_dissimilarity)p->rsa_distance,
        .metric = (enum tg_metric)p->knn_distance,
        .neighbours = p->neighbours,
        .whole_tables = p->permutations > 0,
        .hold_bytes = (size_t)p->table_memory << 20,
    };
    if (!svcca_wants(work, TG_SVCCA_CKA_MINIBATCH) || !p->batch_shuffle)
        return TG_OK;
    int64_t *order = tg_arena_alloc(arena, n, sizeof(*order));
    if (order)
        tg_rng_order((uint64_t)p->seed, order_stream, n, order);
    work->options.samples.batch_order = order;
    return tg_arena_failed(arena) ? TG_NOMEM : TG_OK;
}

/* The traces of a layer's RBF kernel, whose spectrum nobody asks for. */
static struct tg_gram_trace trace_of(const struct tg_kernel *kernel)
{
    struct tg_gram_trace trace = {
        .one = kernel->trace, .two = kernel->norm2, .three = NAN};
    for (int64_t i = 0; i < kernel->distance.n; i++)
        trace.diagonal2 += kernel->diagonal[i] * kernel->diagonal[i];
    return trace;
}

static bool put_kernels(const struct svcca_work *work, const struct tg_svcca_pair *pair,
                        json_t *row)
{
    const struct tg_svcca *svcca = &work->svcca;
    const struct tg_gram_trace a = trace_of(&svcca->samples[pair->a].kernel);
    const struct tg_gram_trace b = trace_of(&svcca->samples[pair->b].kernel);
    bool ok = true;
    if (svcca_wants(work, TG_SVCCA_CKA_RBF)) {
        struct tg_chance null = svcca_cka_chance(svcca->n, &a, &b);
        ok = svcca_put_chance(row, "cka_rbf", &null, pair->cka_rbf);
    }
    if (svcca_wants(work, TG_SVCCA_CKA_RBF_DEBIASED)) {
        struct tg_chance null = tg_cka_debiased_chance(svcca->n, &a, &b);
        ok = ok && svcca_put_chance(row, "cka_rbf_debiased", &null, pair->cka_rbf_debiased);
    }
    return ok;
}

static bool put_rdms(const struct svcca_work *work, const struct tg_svcca_pair *pair,
                     json_t *row)
{
    const struct tg_samples *samples = work->svcca.samples;
    const struct tg_rdm_chances chances =
        tg_rdm_chance(&samples[pair->a].rdm, &samples[pair->b].rdm);
    const struct {
        enum tg_svcca_measure measure;
        const struct tg_chance *null;
        double score;
    } rows[] = {{TG_SVCCA_RSA_PEARSON, &chances.pearson, pair->rsa_pearson},
                {TG_SVCCA_RSA_SPEARMAN, &chances.spearman, pair->rsa_spearman},
                {TG_SVCCA_RSA_KENDALL, &chances.kendall, pair->rsa_kendall},
                {TG_SVCCA_RSA_COSINE, &chances.cosine, pair->rsa_cosine},
                {TG_SVCCA_RSA_WHITENED, &chances.whitened, pair->rsa_whitened}};
    bool ok = true;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (svcca_wants(work, rows[i].measure) && isfinite(rows[i].score))
            ok = ok && svcca_put_chance(row, svcca_measure_names[rows[i].measure], rows[i].null,
                                        rows[i].score);
    return ok;
}

/* What unrelated layers show, beside the scores of a pair. */
static bool put_pair(const struct svcca_work *work, const struct tg_svcca_pair *pair,
                     json_t *row)
{
    const struct tg_samples *a = &work->svcca.samples[pair->a];
    const struct tg_samples *b = &work->svcca.samples[pair->b];
    bool ok = true;
    if (isfinite(pair->cka_rbf))
        ok = put_kernels(work, pair, row);
    if (isfinite(pair->cka_minibatch)) {
        struct tg_chance null = tg_batches_chance(&a->batches, &b->batches);
        ok = ok && svcca_put_chance(row, "cka_minibatch", &null, pair->cka_minibatch);
    }
    if (has_rdms(work))
        ok = ok && put_rdms(work, pair, row);
    if (isfinite(pair->knn)) {
        struct tg_chance null = tg_neighbours_chance(&a->neighbours, &b->neighbours);
        ok = ok && svcca_put_chance(row, "knn", &null, pair->knn);
    }
    return ok;
}

/* The bandwidth of a layer's kernel, in the layer's own units. */
static int put_sigma(const struct svcca_work *work, int64_t index, json_t *row)
{
    const struct tg_svcca *svcca = &work->svcca;
    if (!has_kernels(work) || !svcca->basis[index].rank)
        return 0;
    double sigma = work->options.samples.rbf_bandwidth * svcca->samples[index].kernel.median;
    return json_object_set_new(row, "rbf_sigma",
                               svcca_real_or_null(sigma / svcca->basis[index].scale));
}

/* Samples between which a distance by angle says nothing. */
static void warn_without(const char *measures, const char *name, int64_t without, int64_t first,
                         struct tg_result *result)
{
    if (without)
        tg_result_warn(
            result, "no-direction",
            "Samples of layer \"%s\" whose units are all equal, or all 0: %lld, the first in row "
            "%lld. Their angles with others are not defined, and %s of this layer is not. Leave "
            "them out, or take a Euclidean distance.",
            name, (long long)without, (long long)first, measures);
}

static void warn_layer(const struct svcca_work *work, int64_t index, struct tg_result *result)
{
    const struct tg_samples *samples = &work->svcca.samples[index];
    const char *name = work->svcca.name[index];
    if (has_rdms(work) && work->svcca.basis[index].rank) {
        warn_without("RSA", name, samples->rdm.without, samples->rdm.first, result);
        if (!samples->rdm.without && !samples->rdm.varies)
            tg_result_warn(result, "equal-dissimilarities",
                           "All samples of layer \"%s\" are equally far from each other, so "
                           "there is nothing for RSA to compare.",
                           name);
    }
    if (svcca_wants(work, TG_SVCCA_KNN) && work->svcca.basis[index].rank)
        warn_without("knn", name, samples->neighbours.without, samples->neighbours.first, result);
    if (has_kernels(work) && lacks_bandwidth(&work->svcca, index))
        tg_result_warn(
            result, "no-bandwidth",
            "At least half of the pairs of samples of layer \"%s\" are equal, so the "
            "median distance is 0 and the RBF kernel has no bandwidth.",
            name);
}

static enum tg_err finish(const struct svcca_work *work, size_t place,
                          const struct tg_ctx *ctx, struct tg_result *result)
{
    (void)place;
    const struct tg_svcca *svcca = &work->svcca;
    if (!tg_samples_wanted(work->options.measures))
        return TG_OK;
    for (int64_t i = 0; i < svcca->nlayers; i++) {
        json_t *row = svcca_layer_row(result, i);
        if (!row || put_sigma(work, i, row))
            return TG_NOMEM;
        warn_layer(work, i, result);
    }
    for (int64_t i = 0; i < svcca->npairs; i++) {
        json_t *row = svcca_pair_row(result, i);
        TG_TRY(tg_ctx_poll(ctx));
        if (!row || !put_pair(work, &svcca->pair[i], row))
            return TG_NOMEM;
    }
    return TG_OK;
}

const struct svcca_part svcca_samples_part = {
    .check = check, .prepare = prepare, .finish = finish};
