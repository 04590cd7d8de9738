/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every layer once, then every pair. */
#include "svcca/svcca.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "svcca/pair.h"
#include "svcca/run.h"
#include "svcca/score.h"

enum { DECOMPOSED = TG_BASIS_U | TG_BASIS_ALL | TG_BASIS_S | TG_BASIS_WHITE };

/* Numbers of a pair, by their place in the struct, and the measure they belong to. */
static const struct {
    enum tg_svcca_measure measure;
    size_t upper, lower; /* in the matrix, above and below the diagonal */
} cells[TG_SVCCA_MEASURES] = {
#define BOTH(field) offsetof(struct tg_svcca_pair, field), offsetof(struct tg_svcca_pair, field)
    {TG_SVCCA_CCA, BOTH(cca_mean)},
    {TG_SVCCA_SVCCA, BOTH(svcca)}, /* of the rule; see cell() */
    {TG_SVCCA_CKA, BOTH(cka)},
    {TG_SVCCA_CKA_DEBIASED, BOTH(cka_debiased)},
    {TG_SVCCA_PWCCA, BOTH(pwcca)},
    {TG_SVCCA_PROCRUSTES, BOTH(procrustes)},
    {TG_SVCCA_SHAPE, BOTH(shape)},
    {TG_SVCCA_REGRESSION, offsetof(struct tg_svcca_pair, r2_a_to_b),
     offsetof(struct tg_svcca_pair, r2_b_to_a)},
    {TG_SVCCA_CKA_RBF, BOTH(cka_rbf)},
    {TG_SVCCA_CKA_RBF_DEBIASED, BOTH(cka_rbf_debiased)},
    {TG_SVCCA_CKA_MINIBATCH, BOTH(cka_minibatch)},
    {TG_SVCCA_RSA_PEARSON, BOTH(rsa_pearson)},
    {TG_SVCCA_RSA_SPEARMAN, BOTH(rsa_spearman)},
    {TG_SVCCA_RSA_KENDALL, BOTH(rsa_kendall)},
    {TG_SVCCA_RSA_COSINE, BOTH(rsa_cosine)},
    {TG_SVCCA_RSA_WHITENED, BOTH(rsa_whitened)},
    {TG_SVCCA_KNN, BOTH(knn)},
#undef BOTH
};

static bool wants(const struct tg_svcca_options *options, enum tg_svcca_measure measure)
{
    return options->measures >> measure & 1;
}

bool tg_svcca_keeps_correlations(const struct tg_svcca *svcca)
{
    return svcca->max_d <= TG_SVCCA_MAX_CORRELATIONS / (svcca->npairs ? svcca->npairs : 1);
}

double tg_svcca_distance(enum tg_svcca_measure measure, double similarity)
{
    switch (measure) {
    case TG_SVCCA_CKA:
    case TG_SVCCA_CKA_DEBIASED:
    case TG_SVCCA_PROCRUSTES:
    case TG_SVCCA_SHAPE:
    case TG_SVCCA_CKA_RBF:
    case TG_SVCCA_CKA_RBF_DEBIASED:
    case TG_SVCCA_CKA_MINIBATCH:
    case TG_SVCCA_RSA_COSINE:
    case TG_SVCCA_RSA_WHITENED:
        return acos(fmin(fmax(similarity, -1), 1));
    case TG_SVCCA_CCA:
    case TG_SVCCA_SVCCA:
    case TG_SVCCA_PWCCA:
    case TG_SVCCA_REGRESSION:
    case TG_SVCCA_RSA_PEARSON:
    case TG_SVCCA_RSA_SPEARMAN:
    case TG_SVCCA_RSA_KENDALL:
    case TG_SVCCA_KNN:
    case TG_SVCCA_MEASURES:
        break;
    }
    return 1 - similarity;
}

/* What the measures and the hooks need of the bases. */
static unsigned needs_of(const struct tg_svcca_options *options)
{
    unsigned needs = tg_pair_needs(options);
    for (size_t i = 0; i < options->nhooks; i++)
        needs |= options->hook[i].needs;
    return needs;
}

bool tg_svcca_has_spectra(const struct tg_svcca_options *options)
{
    return needs_of(options) & (TG_BASIS_S | TG_BASIS_U);
}

enum tg_svcca_route tg_svcca_route(const struct tg_svcca_options *options)
{
    unsigned needs = needs_of(options);
    if (!needs)
        return TG_SVCCA_NO_BASES;
    if (!(needs & DECOMPOSED))
        return TG_SVCCA_PRODUCTS;
    return needs & TG_BASIS_ALL ? TG_SVCCA_ALL : TG_SVCCA_LEADING;
}

void tg_run_size_up(const struct tg_svcca_layer *layers, size_t nlayers,
                    const struct tg_svcca_options *options, struct tg_svcca *svcca)
{
    *svcca = (struct tg_svcca){.n = layers[0].mat.shape[0], .nlayers = (int64_t)nlayers};
    svcca->npairs = options->compared ? options->ncompared
                                      : svcca->nlayers * (svcca->nlayers - 1) / 2;
    for (size_t i = 0; i < nlayers; i++)
        if (layers[i].mat.shape[1] > svcca->max_d)
            svcca->max_d = layers[i].mat.shape[1];
    svcca->tables_held =
        tg_samples_held(&options->samples, options->measures, svcca->n, nlayers);
}

void *tg_run_take(struct tg_arena *arena, int64_t rows, int64_t cols, size_t size)
{
    size_t count;
    if (!tg_mul_ok((size_t)rows, (size_t)cols, &count))
        count = SIZE_MAX; /* more than any arena has */
    return tg_arena_alloc(arena, count, size);
}

void tg_run_layout_scratch(struct tg_arena *arena, int64_t n, int64_t d, unsigned needs,
                           struct tg_basis_scratch *scratch)
{
    size_t work = tg_basis_work(n, d, needs), pair = tg_pair_work(d);
    scratch->x = tg_run_take(arena, n, d, sizeof(double));
    scratch->a = tg_run_take(arena, d, d, sizeof(double));
    scratch->b = tg_run_take(arena, d, d, sizeof(double));
    scratch->c = tg_run_take(arena, d, d, sizeof(double));
    scratch->w = tg_run_take(arena, d, 1, sizeof(double));
    scratch->shift = tg_run_take(arena, d, 1, sizeof(double));
    scratch->mean = tg_run_take(arena, d, 1, sizeof(double));
    scratch->peak = tg_run_take(arena, d, 1, sizeof(double));
    scratch->column = tg_run_take(arena, d, 1, sizeof(int64_t));
    scratch->work = tg_arena_alloc(arena, work > pair ? work : pair, sizeof(double));
}

/* Memory of a layer: n x d, or n x max_directions where only leading columns are kept. */
static void layout_layer(struct tg_arena *arena, const struct tg_svcca_options *options,
                         int64_t n, int64_t d, unsigned needs, struct tg_basis_memory *memory)
{
    struct tg_basis_takes takes = tg_basis_takes(needs);
    bool leading = !(needs & TG_BASIS_ALL) && options->max_directions;
    memory->max_kept = leading && options->max_directions < d ? options->max_directions : d;
    if (takes.x)
        memory->x = tg_run_take(arena, n, d, sizeof(double));
    if (takes.u)
        memory->u = tg_run_take(arena, n, memory->max_kept, sizeof(double));
    if (takes.w)
        memory->w = tg_run_take(arena, d, d, sizeof(double));
    if (takes.f)
        memory->f = tg_run_take(arena, d, d, sizeof(double));
}

void tg_run_layout_results(struct tg_arena *arena, const struct tg_svcca_layer *layers,
                           const struct tg_svcca_options *options, struct tg_svcca *svcca)
{
    int64_t l = svcca->nlayers, p = svcca->npairs, d = svcca->max_d;
    svcca->name = tg_run_take(arena, l, 1, sizeof(*svcca->name));
    svcca->basis = tg_run_take(arena, l, 1, sizeof(*svcca->basis));
    svcca->samples = tg_run_take(arena, l, 1, sizeof(*svcca->samples));
    svcca->pair = tg_run_take(arena, p, 1, sizeof(*svcca->pair));
    svcca->singular_values = tg_run_take(arena, l, d, sizeof(double));
    if (tg_svcca_keeps_correlations(svcca) && wants(options, TG_SVCCA_CCA))
        svcca->cca_rho = tg_run_take(arena, p, d, sizeof(double));
    if (tg_svcca_keeps_correlations(svcca) && wants(options, TG_SVCCA_SVCCA))
        svcca->svcca_rho = tg_run_take(arena, p, d, sizeof(double));
    for (int i = 0; i < TG_SVCCA_MEASURES; i++)
        if (wants(options, (enum tg_svcca_measure)i))
            svcca->matrix[i] = tg_run_take(arena, l, l, sizeof(double));
    for (int64_t i = 0; i < l && svcca->name && svcca->basis && svcca->singular_values; i++) {
        svcca->name[i] = layers[i].name;
        svcca->basis[i] = (struct tg_basis){.name = layers[i].name,
                                            .n = svcca->n,
                                            .d = layers[i].mat.shape[1],
                                            .s = svcca->singular_values + i * d};
    }
}

/* What layers are made with. */
struct scratch {
    struct tg_basis_scratch basis;
    struct tg_samples_scratch samples;
};

/* The results and the scratch; from a measuring arena only their sum. */
static enum tg_err layout(struct tg_arena *arena, const struct tg_svcca_layer *layers,
                          const struct tg_svcca_options *options, struct tg_svcca *svcca,
                          struct scratch *scratch)
{
    unsigned needs = needs_of(options);
    int64_t n = svcca->n, d = svcca->max_d;
    tg_run_layout_results(arena, layers, options, svcca);
    for (int64_t i = 0; i < svcca->nlayers; i++) {
        int64_t units = layers[i].mat.shape[1];
        struct tg_basis_memory memory = {0};
        struct tg_samples samples;
        layout_layer(arena, options, n, units, needs, &memory);
        double *row2 = tg_run_take(arena, n, 1, sizeof(*row2));
        tg_samples_layout(arena, &options->samples, options->measures, n, units,
                          svcca->tables_held, &samples);
        if (svcca->basis && svcca->samples) {
            svcca->basis[i].memory = memory;
            svcca->basis[i].x_row2 = row2;
            svcca->samples[i] = samples;
        }
    }
    tg_run_layout_scratch(arena, n, d, needs, &scratch->basis);
    tg_samples_layout_scratch(arena, &options->samples, options->measures, n, d,
                              svcca->tables_held, &scratch->samples);
    return tg_arena_failed(arena) ? TG_NOMEM : TG_OK;
}

struct tg_svcca_compared tg_run_compared(const struct tg_svcca_options *options,
                                         const struct tg_svcca *svcca, int64_t p)
{
    if (options->compared)
        return options->compared[p];
    struct tg_svcca_compared pair = {0, 1};
    for (int64_t row = svcca->nlayers - 1; p >= row; row--) {
        p -= row;
        pair.a++;
    }
    pair.b = pair.a + 1 + p;
    return pair;
}

/* Directions that a layer of d units is taken to keep when that is not known yet. */
static double expected_directions(const struct tg_svcca_options *options, unsigned needs,
                                  double d)
{
    double most = options->max_directions ? (double)options->max_directions : d / 4;
    return needs & TG_BASIS_ALL ? d : fmin(most, d);
}

/* X^T X, and what follows of it. */
static double layer_flops(const struct tg_svcca_options *options, unsigned needs, double n,
                          double d)
{
    double k = expected_directions(options, needs, d);
    double flops = needs & (DECOMPOSED | TG_BASIS_GRAM) ? n * d * d : 0;
    if (needs & (TG_BASIS_S | TG_BASIS_U))
        flops += 4 * d * d * d / 3 + 2 * d * d * k + 8 * d * k * k / 3;
    else if (needs & TG_BASIS_WHITE)
        flops += d * d * d / 3;
    if (needs & DECOMPOSED && (needs & TG_BASIS_U || !(needs & TG_BASIS_ALL)))
        flops += 2 * n * d * k + n * k * k;
    return flops;
}

enum tg_err tg_svcca_cost(const struct tg_svcca_layer *layers, size_t nlayers,
                          const struct tg_svcca_options *options,
                          struct tg_svcca_cost *cost)
{
    struct tg_svcca svcca;
    struct scratch scratch = {0};
    struct tg_arena *arena = tg_arena_new_measuring();
    unsigned needs = needs_of(options);
    if (!arena)
        return TG_NOMEM;
    tg_run_size_up(layers, nlayers, options, &svcca);
    enum tg_err err = layout(arena, layers, options, &svcca, &scratch);
    *cost = (struct tg_svcca_cost){.bytes = tg_arena_high_water(arena),
                                   .pairs = svcca.npairs,
                                   .tables = tg_samples_wanted(options->measures),
                                   .tables_held = svcca.tables_held};
    tg_arena_free(arena);
    double n = (double)svcca.n;
    for (size_t i = 0; i < nlayers; i++) {
        double d = (double)layers[i].mat.shape[1];
        cost->flops += 4 * n * d + layer_flops(options, needs, n, d) +
                       tg_samples_layer_flops(&options->samples, options->measures, svcca.n,
                                              layers[i].mat.shape[1]);
        cost->read_bytes += n * d * (double)tg_dtype_size(layers[i].mat.dtype);
    }
    cost->layer_flops = cost->flops;
    for (int64_t p = 0; p < svcca.npairs; p++) {
        struct tg_svcca_compared pair = tg_run_compared(options, &svcca, p);
        double da = (double)layers[pair.a].mat.shape[1], db = (double)layers[pair.b].mat.shape[1];
        double ka = expected_directions(options, needs, da);
        double kb = expected_directions(options, needs, db);
        cost->flops += tg_pair_flops(options, needs, n, da, db) +
                       tg_samples_pair_flops(&options->samples, options->measures, svcca.n,
                                             layers[pair.a].mat.shape[1],
                                             layers[pair.b].mat.shape[1], svcca.tables_held);
        if (needs & DECOMPOSED && (needs & TG_BASIS_U || !(needs & TG_BASIS_ALL)))
            cost->flops += 2 * n * ka * kb + 4 * ka * kb * fmin(ka, kb);
    }
    return err;
}

static enum tg_err make_layer(const struct tg_ctx *ctx, const struct tg_svcca_layer *layer,
                              const struct tg_svcca_options *options,
                              struct scratch *scratch, int64_t index,
                              struct tg_svcca *svcca, struct tg_report *report)
{
    struct tg_basis *basis = &svcca->basis[index];
    const struct tg_basis_options basis_options = {
        .threshold = options->threshold,
        .rank_tolerance = options->rank_tolerance,
        .needs = needs_of(options),
        .rules = options->both_rules ? 3 : 1u << options->rule};
    TG_TRY(tg_basis_centre(ctx, &layer->mat, &scratch->basis, basis, report));
    if (basis->rank)
        TG_TRY(tg_samples_make(ctx, &options->samples, options->measures, &scratch->samples,
                               &layer->mat, basis, &svcca->samples[index]));
    TG_TRY(tg_basis_decompose(ctx, &basis_options, &scratch->basis, layer->key, basis, report));
    for (size_t k = 0; k < options->nhooks; k++)
        if (options->hook[k].layer)
            TG_TRY(options->hook[k].layer(options->hook[k].arg, ctx, index, basis));
    return TG_OK;
}

void tg_run_fill_cells(const struct tg_svcca_options *options, const struct tg_svcca *svcca,
                       const struct tg_svcca_pair *pair)
{
    int64_t l = svcca->nlayers;
    for (int i = 0; i < TG_SVCCA_MEASURES; i++) {
        double upper, lower;
        if (!svcca->matrix[i])
            continue;
        memcpy(&upper, (const char *)pair + cells[i].upper, sizeof(upper));
        memcpy(&lower, (const char *)pair + cells[i].lower, sizeof(lower));
        if (i == TG_SVCCA_SVCCA)
            upper = lower = pair->svcca[options->rule];
        svcca->matrix[i][pair->a * l + pair->b] = upper;
        svcca->matrix[i][pair->b * l + pair->a] = lower;
    }
}

void tg_run_clear_matrices(const struct tg_svcca *svcca)
{
    int64_t l = svcca->nlayers;
    for (int i = 0; i < TG_SVCCA_MEASURES; i++)
        for (int64_t k = 0; svcca->matrix[i] && k < l * l; k++)
            svcca->matrix[i][k] = k % (l + 1) == 0 && svcca->basis[k / l].rank ? 1 : NAN;
}

static enum tg_err make_pair(const struct tg_ctx *ctx, const struct tg_svcca_options *options,
                             struct scratch *scratch,
                             const struct tg_svcca *svcca, int64_t index)
{
    struct tg_svcca_pair *pair = &svcca->pair[index];
    const struct tg_basis *a = &svcca->basis[pair->a], *b = &svcca->basis[pair->b];
    int64_t offset = index * svcca->max_d;
    unsigned needs = needs_of(options);
    if (a->rank == 0 || b->rank == 0)
        return TG_OK;
    const struct tg_samples *layer[] = {&svcca->samples[pair->a], &svcca->samples[pair->b]};
    const struct tg_samples *samples[2];
    TG_TRY(tg_samples_pair(ctx, &options->samples, options->measures, svcca->tables_held,
                           &scratch->samples, layer, samples));
    TG_TRY(tg_samples_compare(ctx, options->measures, &scratch->samples.work, samples[0],
                              samples[1], &(struct tg_samples_order){NULL, NULL}, pair));
    TG_TRY(tg_pair_compare(ctx, options, needs, &scratch->basis, a, b, pair,
                           svcca->cca_rho ? svcca->cca_rho + offset : NULL,
                           svcca->svcca_rho ? svcca->svcca_rho + offset : NULL));
    const double *m = needs & DECOMPOSED ? scratch->basis.a : NULL;
    const struct tg_svcca_pair_work work = {svcca, index, a, b, m, &scratch->basis,
                                            samples[0], samples[1]};
    for (size_t i = 0; i < options->nhooks; i++)
        if (options->hook[i].pair)
            TG_TRY(options->hook[i].pair(options->hook[i].arg, ctx, &work));
    return TG_OK;
}

void tg_run_show(const struct tg_ctx *ctx, const struct tg_svcca *svcca)
{
    static const char *const names[TG_SVCCA_MEASURES] = {
        "cca",        "svcca", "cka",        "cka_debiased", "pwcca",
        "procrustes", "shape", "regression", "cka_rbf",      "cka_rbf_debiased",
        "cka_minibatch", "rsa_pearson", "rsa_spearman", "rsa_kendall", "rsa_cosine",
        "rsa_whitened", "knn"};
    for (int i = 0; i < TG_SVCCA_MEASURES; i++)
        if (svcca->matrix[i])
            tg_ctx_partial(ctx, names[i], svcca->nlayers, svcca->nlayers, svcca->matrix[i]);
}

static enum tg_err make_pairs(const struct tg_ctx *ctx, const struct tg_svcca_options *options,
                              struct scratch *scratch, const struct tg_svcca *svcca)
{
    tg_run_clear_matrices(svcca);
    for (int64_t p = 0; p < svcca->npairs; p++) {
        struct tg_svcca_compared at = tg_run_compared(options, svcca, p);
        svcca->pair[p] = tg_svcca_pair_unknown(at.a, at.b);
        TG_TRY(tg_ctx_poll(ctx));
        TG_TRY(make_pair(ctx, options, scratch, svcca, p));
        tg_run_fill_cells(options, svcca, &svcca->pair[p]);
        tg_ctx_progress(ctx, "comparing", (double)(p + 1), (double)svcca->npairs, "pairs");
        if (p + 1 == svcca->npairs || at.b == svcca->nlayers - 1)
            tg_run_show(ctx, svcca);
    }
    return TG_OK;
}

enum tg_err tg_svcca_run(const struct tg_ctx *ctx, const struct tg_svcca_layer *layers,
                         size_t nlayers, const struct tg_svcca_options *options,
                         struct tg_svcca *svcca, struct tg_report *report)
{
    struct scratch scratch = {0};
    tg_run_size_up(layers, nlayers, options, svcca);
    TG_TRY(layout(ctx->arena, layers, options, svcca, &scratch));
    for (int64_t i = 0; i < svcca->nlayers; i++) {
        tg_ctx_progress(ctx, "decomposing", (double)i, (double)nlayers, "layers");
        TG_TRY(make_layer(ctx, &layers[i], options, &scratch, i, svcca, report));
    }
    return make_pairs(ctx, options, &scratch, svcca);
}
