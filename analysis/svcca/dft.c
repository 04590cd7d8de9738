/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two passes over the frequencies of all layers. */
#include "svcca/dft.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "svcca/dft_pair.h"
#include "svcca/pair.h"
#include "svcca/run.h"
#include "svcca/score.h"

/* Doubles for the blocks of a group of frequencies of all layers; more when one has more. */
enum { GROUP = 1 << 26 };

static const unsigned needs = TG_BASIS_S | TG_BASIS_ALL;

/* A singular value of the frequency f, for the cut. */
struct cut { double s; int64_t f; };

struct run {
    const struct tg_svcca_options *options;
    struct tg_svcca *svcca;
    struct tg_dft *dft;
    struct tg_dft_layer *layer;
    struct tg_dft_sums *sums;      /* npairs */
    struct cut *cut;               /* max_d */
    struct tg_fourier_group group; /* size of all groups; x is that of the first */
    int64_t rows;                  /* fy = 0 .. rows - 1 */
    struct tg_dft_scratch scratch;
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Sizes of all that follows, from the layers'. */
static void size_up(const struct tg_svcca_layer *layers, const struct tg_places *places,
                    size_t nlayers, const struct tg_svcca_options *options, struct run *run)
{
    double row = 0; /* doubles of a row of frequencies of all layers */
    tg_run_size_up(layers, nlayers, options, run->svcca);
    *run->dft = (struct tg_dft){.h = 1, .w = 1};
    for (size_t i = 0; i < nlayers; i++) {
        const struct tg_places *p = &places[i];
        run->dft->h = most(run->dft->h, p->h);
        run->dft->w = most(run->dft->w, p->w);
        run->dft->nfrequencies = most(run->dft->nfrequencies, tg_fourier_count(p));
        row += 2.0 * (double)p->n * (double)p->units * (double)p->w;
    }
    run->rows = run->dft->h / 2 + 1;
    run->group = (struct tg_fourier_group){
        .x = -((run->dft->w - 1) / 2), .ny = 1, .nx = run->dft->w};
    if (row < GROUP)
        run->group.ny = least(run->rows, (int64_t)(GROUP / row));
    else
        run->group.nx = most(1, (int64_t)((double)run->dft->w * GROUP / row));
}

static bool keeps_maps(const struct run *run, int64_t count)
{
    return run->dft->h * run->dft->w <= TG_DFT_MAX_NUMBERS / (count ? count : 1);
}

/* Memory of one layer; from a measuring arena its size only. */
static void layout_layer(struct tg_arena *arena, const struct run *run,
                         const struct tg_svcca_layer *source, const struct tg_places *places,
                         struct tg_dft_layer *layer)
{
    int64_t n = places->n, units = places->units, nf = tg_fourier_count(places);
    size_t size = sizeof(double);
    *layer = (struct tg_dft_layer){.name = source->name,
                                   .key = source->key,
                                   .nfrequencies = nf,
                                   .at = -1,
                                   .orthogonality = NAN};
    layer->fourier.mat = source->mat;
    layer->fourier.places = *places;
    layer->fourier.origin = tg_run_take(arena, places->h * places->w, units, size);
    layer->fourier.blocks =
        tg_run_take(arena, tg_fourier_slots(places, &run->group) * 2, n * units, size);
    layer->weights = tg_run_take(arena, nf, 1, sizeof(int64_t));
    layer->rank = tg_run_take(arena, nf, 1, sizeof(int64_t));
    for (int rule = 0; rule < TG_SVCCA_RULES; rule++)
        layer->k[rule] = tg_run_take(arena, nf, 1, sizeof(int64_t));
    /* in one piece, which is kept and recalled */
    layer->s = tg_run_take(arena, nf * units + n * TG_DFT_PROBES, 1, size);
    layer->y = layer->s ? layer->s + nf * units : NULL;
    layer->row2 = tg_run_take(arena, n, 1, size);
    layer->basis.x_row2 = tg_run_take(arena, n, 2, size);
    layer->basis.s = tg_run_take(arena, units, 2, size);
    layer->basis.memory.max_kept = 2 * units;
    layer->basis.memory.x = tg_run_take(arena, 2 * n, 2 * units, size);
    layer->basis.memory.w = tg_run_take(arena, 2 * units, 2 * units, size);
}

static enum tg_err layout(struct tg_arena *arena, const struct tg_svcca_layer *layers,
                          const struct tg_places *places, struct run *run)
{
    const struct tg_svcca *svcca = run->svcca;
    int64_t count = svcca->nlayers, map = run->dft->h * run->dft->w, units = 0;
    size_t size = sizeof(double);
    tg_run_layout_results(arena, layers, run->options, run->svcca);
    run->layer = tg_run_take(arena, count, 1, sizeof(*run->layer));
    run->sums = tg_run_take(arena, svcca->npairs, 1, sizeof(*run->sums));
    run->cut = tg_run_take(arena, svcca->max_d, 1, sizeof(*run->cut));
    run->dft->gauge = tg_run_take(arena, count, 1, sizeof(*run->dft->gauge));
    if (run->options->measures >> TG_SVCCA_CCA & 1 && keeps_maps(run, svcca->npairs))
        run->dft->correlation = tg_run_take(arena, svcca->npairs, map, size);
    if (keeps_maps(run, count))
        run->dft->energy = tg_run_take(arena, count, map, size);
    for (int64_t i = 0; i < count; i++) {
        struct tg_dft_layer layer;
        layout_layer(arena, run, &layers[i], &places[i], &layer);
        if (run->layer)
            run->layer[i] = layer;
        units = most(units, places[i].units);
    }
    tg_fourier_layout(arena, places, (size_t)count, &run->scratch.fourier);
    tg_run_layout_scratch(arena, 2 * svcca->n, 2 * units, needs, &run->scratch.basis);
    run->scratch.z = tg_run_take(arena, 2 * units, TG_DFT_PROBES, size);
    run->scratch.t = tg_run_take(arena, 2 * units, TG_DFT_PROBES, size);
    run->scratch.product = tg_run_take(arena, 2 * svcca->n, TG_DFT_PROBES, size);
    return tg_arena_failed(arena) ? TG_NOMEM : TG_OK;
}

static double flops_of(const struct run *run, const struct tg_places *places)
{
    double n = 2 * (double)places->n, d = 2 * (double)places->units;
    double block = 2 * n * d * d + 4 * d * d * d / 3      /* values */
                   + 4 * d * d * d + 6 * n * d * TG_DFT_PROBES; /* vectors, probes */
    return 2 * tg_fourier_flops(places, &run->group) +
           (double)tg_fourier_count(places) * (block + 8 * n * d);
}

enum tg_err tg_dft_cost(const struct tg_svcca_layer *layers, const struct tg_places *places,
                        size_t nlayers, const struct tg_svcca_options *options,
                        struct tg_svcca_cost *cost)
{
    struct tg_svcca svcca;
    struct tg_dft dft;
    struct run run = {.options = options, .svcca = &svcca, .dft = &dft};
    struct tg_arena *arena = tg_arena_new_measuring();
    if (!arena)
        return TG_NOMEM;
    size_up(layers, places, nlayers, options, &run);
    enum tg_err err = layout(arena, layers, places, &run);
    *cost = (struct tg_svcca_cost){.bytes = tg_arena_high_water(arena), .pairs = svcca.npairs};
    tg_arena_free(arena);
    double groups = ceil((double)run.rows / (double)run.group.ny) *
                    ceil((double)dft.w / (double)run.group.nx);
    for (size_t i = 0; i < nlayers; i++) {
        cost->flops += flops_of(&run, &places[i]);
        cost->read_bytes += (1 + 2 * groups) * (double)tg_mat_count(&layers[i].mat) *
                            (double)tg_dtype_size(layers[i].mat.dtype);
    }
    cost->layer_flops = cost->flops;
    for (int64_t p = 0; p < svcca.npairs; p++) {
        struct tg_svcca_compared at = tg_run_compared(options, &svcca, p);
        const struct tg_places *a = &places[at.a], *b = &places[at.b];
        double common = (double)least(tg_fourier_count(a), tg_fourier_count(b));
        cost->flops += common * tg_pair_flops(options, needs, 2 * (double)a->n,
                                              2 * (double)a->units, 2 * (double)b->units);
    }
    return err;
}

static enum tg_err scan_layers(const struct tg_ctx *ctx, struct run *run,
                               struct tg_report *report)
{
    for (int64_t i = 0; i < run->svcca->nlayers; i++) {
        struct tg_dft_layer *layer = &run->layer[i];
        const struct tg_places *p = &layer->fourier.places;
        tg_ctx_progress(ctx, "reading", (double)i, (double)run->svcca->nlayers, "layers");
        TG_TRY(tg_fourier_scan(ctx, layer->name, &run->scratch.fourier, &layer->fourier,
                               report));
        for (int64_t fy = 0; fy <= p->h / 2; fy++)
            for (int64_t fx = -((p->w - 1) / 2); fx <= p->w / 2; fx++) {
                int64_t f = tg_fourier_index(p, fy, fx);
                if (f >= 0)
                    layer->weights[f] = tg_fourier_is_real(p, fy, fx) ? 1 : 2;
            }
    }
    return TG_OK;
}

/* Name and size of what the first pass finds; false without a key. */
static bool name_of(const struct tg_dft_layer *layer, char *name, size_t *size)
{
    const struct tg_places *p = &layer->fourier.places;
    *size = (size_t)(layer->nfrequencies * p->units + p->n * TG_DFT_PROBES) * sizeof(double);
    int n = snprintf(name, TG_KEY_MAX, "svcca dft v1 %s", layer->key ? layer->key : "");
    return layer->key && n > 0 && n < TG_KEY_MAX;
}

static void recall_layers(const struct tg_ctx *ctx, const struct run *run)
{
    char name[TG_KEY_MAX];
    size_t size;
    for (int64_t i = 0; i < run->svcca->nlayers; i++) {
        struct tg_dft_layer *layer = &run->layer[i];
        if (name_of(layer, name, &size))
            layer->known = tg_ctx_recall(ctx, name, layer->s, size);
    }
}

static void keep_layers(const struct tg_ctx *ctx, const struct run *run)
{
    char name[TG_KEY_MAX];
    size_t size;
    for (int64_t i = 0; i < run->svcca->nlayers; i++) {
        const struct tg_dft_layer *layer = &run->layer[i];
        if (!layer->known && name_of(layer, name, &size))
            tg_ctx_keep(ctx, name, layer->s, size);
    }
}

/* What a pass does with one frequency of a group that has been made. */
typedef enum tg_err (*frequency_fn)(const struct tg_ctx *ctx, struct run *run,
                                    const struct tg_fourier_group *group, int64_t fy,
                                    int64_t fx, struct tg_report *report);

/* The blocks of a group, of the layers that the pass looks at and that are not there yet. */
static enum tg_err make_group(const struct tg_ctx *ctx, struct run *run, bool survey,
                              const struct tg_fourier_group *group)
{
    bool whole = group->ny >= run->rows && group->nx >= run->dft->w;
    for (int64_t i = 0; i < run->svcca->nlayers; i++) {
        struct tg_dft_layer *layer = &run->layer[i];
        if (layer->made || (survey && layer->known))
            continue;
        TG_TRY(tg_fourier_make(ctx, &run->scratch.fourier, group, &layer->fourier));
        layer->made = whole;
    }
    return TG_OK;
}

/* All frequencies, group by group; `survey` is the first pass. */
static enum tg_err walk(const struct tg_ctx *ctx, struct run *run, bool survey,
                        frequency_fn visit, struct tg_report *report)
{
    struct tg_fourier_group group = run->group;
    const char *phase = survey ? "decomposing" : "comparing";
    double done = 0, total = (double)(run->rows * run->dft->w);
    for (group.y = 0; group.y < run->rows; group.y += group.ny)
        for (group.x = run->group.x; group.x <= run->dft->w / 2; group.x += group.nx) {
            int64_t rows = least(group.ny, run->rows - group.y);
            int64_t cols = least(group.nx, run->dft->w / 2 + 1 - group.x);
            TG_TRY(make_group(ctx, run, survey, &group));
            for (int64_t k = 0; k < rows * cols; k++) {
                TG_TRY(tg_ctx_poll(ctx));
                tg_ctx_progress(ctx, phase, done++, total, "frequencies");
                TG_TRY(visit(ctx, run, &group, group.y + k / cols, group.x + k % cols, report));
            }
        }
    return TG_OK;
}

/* The real matrix of a layer's frequency; layer->at is -1 where it has none. */
static enum tg_err embed(const struct tg_ctx *ctx, const struct run *run,
                         const struct tg_fourier_group *group, int64_t fy, int64_t fx,
                         struct tg_dft_layer *layer)
{
    const double *block = tg_fourier_block(&layer->fourier, group, fy, fx);
    layer->at = -1;
    return block ? tg_dft_embed(ctx, &run->scratch, fy, fx, block, layer) : TG_OK;
}

static enum tg_err survey(const struct tg_ctx *ctx, struct run *run,
                          const struct tg_fourier_group *group, int64_t fy, int64_t fx,
                          struct tg_report *report)
{
    (void)report;
    for (int64_t i = 0; i < run->svcca->nlayers; i++) {
        struct tg_dft_layer *layer = &run->layer[i];
        if (layer->known)
            continue;
        TG_TRY(embed(ctx, run, group, fy, fx, layer));
        if (layer->at >= 0)
            TG_TRY(tg_dft_survey(ctx, &run->scratch, layer));
    }
    return TG_OK;
}

static int larger_first(const void *a, const void *b)
{
    const struct cut *x = a, *y = b;
    if (x->s > y->s || x->s < y->s)
        return x->s > y->s ? -1 : 1;
    return (x->f > y->f) - (x->f < y->f);
}

/* Share `threshold` of the sum of s^power, s descending: how many of each frequency. */
static int64_t cut_at(const struct tg_dft_layer *layer, const struct cut *cut, int64_t count,
                      double threshold, int power, int64_t *k)
{
    double total = 0, sum = 0;
    int64_t kept = 0;
    for (int64_t i = 0; i < count; i++)
        total += (double)layer->weights[cut[i].f] * pow(cut[i].s, power);
    for (int64_t i = 0; i < count; i++) {
        int64_t weight = layer->weights[cut[i].f];
        sum += (double)weight * pow(cut[i].s, power);
        k[cut[i].f] += weight;
        kept += weight;
        if (threshold < 1 && sum >= threshold * total)
            break;
    }
    return kept;
}

/* Rank and both k over all frequencies of a layer, and what is told of it as a whole. */
static void cut_layer(const struct run *run, struct tg_dft_layer *layer,
                      struct tg_basis *whole)
{
    const struct tg_svcca_options *options = run->options;
    int64_t units = layer->fourier.places.units, count = 0;
    double tolerance = options->rank_tolerance;
    if (tolerance <= 0)
        tolerance = (double)most(whole->n, whole->d) * DBL_EPSILON;
    for (int64_t i = 0; i < layer->nfrequencies * units; i++)
        layer->largest = fmax(layer->largest, layer->s[i]);
    layer->limit = tolerance * layer->largest;
    for (int64_t i = 0; i < layer->nfrequencies * units; i++)
        if (layer->s[i] > layer->limit) {
            layer->rank[i / units] += layer->weights[i / units];
            run->cut[count++] = (struct cut){layer->s[i], i / units};
        }
    qsort(run->cut, (size_t)count, sizeof(*run->cut), larger_first);
    for (int rule = 0; rule < TG_SVCCA_RULES; rule++)
        whole->k[rule] = cut_at(layer, run->cut, count, options->threshold,
                                rule == TG_SVCCA_VARIANCE ? 2 : 1, layer->k[rule]);
    for (int64_t i = 0; i < count; i++)
        for (int64_t twin = 0; twin < layer->weights[run->cut[i].f]; twin++)
            whole->s[whole->rank++] = run->cut[i].s / layer->fourier.scale;
    whole->scale = layer->fourier.scale;
    whole->constant_units = layer->fourier.constant;
    whole->columns = whole->d - whole->constant_units;
    whole->condition = whole->rank ? whole->s[0] / whole->s[whole->rank - 1] : NAN;
}

/* x at a frequency and its conjugate, on a map of the size of the largest. */
static void put_on_map(const struct tg_dft *dft, const struct tg_places *places, int64_t fy,
                       int64_t fx, double x, double *map)
{
    int64_t y = 2 * fy == places->h ? fy : -fy, z = 2 * fx == places->w ? fx : -fx;
    map[(fy + dft->h) % dft->h * dft->w + (fx + dft->w) % dft->w] = x;
    map[(y + dft->h) % dft->h * dft->w + (z + dft->w) % dft->w] = x;
}

/* The share of the variance at each frequency. */
static void map_energy(const struct run *run, const struct tg_dft_layer *layer, double *map)
{
    const struct tg_places *p = &layer->fourier.places;
    double total = 0;
    for (int64_t i = 0; i < layer->nfrequencies * p->units; i++)
        total += (double)layer->weights[i / p->units] * layer->s[i] * layer->s[i];
    for (int64_t fy = 0; fy <= p->h / 2; fy++)
        for (int64_t fx = -((p->w - 1) / 2); fx <= p->w / 2; fx++) {
            int64_t f = tg_fourier_index(p, fy, fx);
            double sum = 0;
            for (int64_t j = 0; f >= 0 && j < p->units; j++)
                sum += layer->s[f * p->units + j] * layer->s[f * p->units + j];
            if (f >= 0)
                put_on_map(run->dft, p, fy, fx, total > 0 ? sum / total : NAN, map);
        }
}

static void cut_layers(const struct run *run)
{
    const struct tg_dft *dft = run->dft;
    for (int64_t i = 0; i < run->svcca->nlayers; i++) {
        cut_layer(run, &run->layer[i], &run->svcca->basis[i]);
        if (dft->energy)
            map_energy(run, &run->layer[i], dft->energy + i * dft->h * dft->w);
    }
    for (int64_t p = 0; p < run->svcca->npairs; p++) {
        struct tg_svcca_compared at = tg_run_compared(run->options, run->svcca, p);
        run->svcca->pair[p] = tg_svcca_pair_unknown(at.a, at.b);
    }
    for (int64_t i = 0; dft->correlation && i < run->svcca->npairs * dft->h * dft->w; i++)
        dft->correlation[i] = NAN;
    tg_run_clear_matrices(run->svcca);
}

/* Whether f is a frequency of both sizes: below the Nyquist frequency of the smaller. */
static bool is_common(int64_t f, int64_t a, int64_t b)
{
    return a == b || 2 * llabs(f) < least(a, b);
}

static enum tg_err compare_pair(const struct tg_ctx *ctx, struct run *run, int64_t fy,
                                int64_t fx, int64_t p)
{
    struct tg_svcca *svcca = run->svcca;
    const struct tg_dft_layer *a = &run->layer[svcca->pair[p].a];
    const struct tg_dft_layer *b = &run->layer[svcca->pair[p].b];
    const struct tg_places *x = &a->fourier.places, *y = &b->fourier.places;
    int64_t offset = p * svcca->max_d;
    double mean;
    if (a->at < 0 || b->at < 0 || !is_common(fy, x->h, y->h) || !is_common(fx, x->w, y->w))
        return TG_OK;
    TG_TRY(tg_dft_add(ctx, run->options, &run->scratch, a, b, &run->sums[p],
                      svcca->cca_rho ? svcca->cca_rho + offset : NULL,
                      svcca->svcca_rho ? svcca->svcca_rho + offset : NULL, &mean));
    if (run->dft->correlation)
        put_on_map(run->dft, x, fy, fx, mean,
                   run->dft->correlation + p * run->dft->h * run->dft->w);
    return TG_OK;
}

/* All scores so far, for those who watch. */
static void show(const struct tg_ctx *ctx, const struct run *run)
{
    for (int64_t p = 0; p < run->svcca->npairs; p++) {
        tg_dft_score(run->options, &run->sums[p], &run->svcca->pair[p]);
        tg_run_fill_cells(run->options, run->svcca, &run->svcca->pair[p]);
    }
    tg_run_show(ctx, run->svcca);
}

static enum tg_err compare(const struct tg_ctx *ctx, struct run *run,
                           const struct tg_fourier_group *group, int64_t fy, int64_t fx,
                           struct tg_report *report)
{
    for (int64_t i = 0; i < run->svcca->nlayers; i++) {
        struct tg_dft_layer *layer = &run->layer[i];
        TG_TRY(embed(ctx, run, group, fy, fx, layer));
        if (layer->at >= 0)
            TG_TRY(tg_dft_decompose(ctx, &run->scratch, layer, report));
    }
    for (int64_t p = 0; p < run->svcca->npairs; p++) {
        TG_TRY(tg_ctx_poll(ctx));
        TG_TRY(compare_pair(ctx, run, fy, fx, p));
    }
    if (fx == run->dft->w / 2)
        show(ctx, run);
    return TG_OK;
}

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

static void finish(const struct run *run)
{
    struct tg_svcca *svcca = run->svcca;
    for (int64_t i = 0; i < svcca->nlayers; i++) {
        const struct tg_dft_layer *layer = &run->layer[i];
        svcca->basis[i].error = layer->error;
        svcca->basis[i].orthogonality = layer->orthogonality;
        svcca->basis[i].route = layer->route;
        run->dft->gauge[i] = tg_dft_gauge(layer);
    }
    for (int64_t p = 0; p < svcca->npairs; p++) {
        const struct tg_dft_sums *sums = &run->sums[p];
        int64_t offset = p * svcca->max_d;
        if (svcca->cca_rho)
            qsort(svcca->cca_rho + offset, (size_t)sums->listed, sizeof(double), descending);
        if (svcca->svcca_rho)
            qsort(svcca->svcca_rho + offset, (size_t)sums->svcca_listed, sizeof(double),
                  descending);
    }
}

enum tg_err tg_dft_run(const struct tg_ctx *ctx, const struct tg_svcca_layer *layers,
                       const struct tg_places *places, size_t nlayers,
                       const struct tg_svcca_options *options, struct tg_svcca *svcca,
                       struct tg_dft *dft, struct tg_report *report)
{
    struct run run = {.options = options, .svcca = svcca, .dft = dft};
    size_up(layers, places, nlayers, options, &run);
    TG_TRY(layout(ctx->arena, layers, places, &run));
    TG_TRY(scan_layers(ctx, &run, report));
    recall_layers(ctx, &run);
    bool known = true;
    for (size_t i = 0; i < nlayers; i++)
        known = known && run.layer[i].known;
    if (!known)
        TG_TRY(walk(ctx, &run, true, survey, report));
    keep_layers(ctx, &run);
    cut_layers(&run);
    TG_TRY(walk(ctx, &run, false, compare, report));
    finish(&run);
    return TG_OK;
}
