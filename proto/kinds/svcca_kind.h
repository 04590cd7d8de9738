/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the files of the kind svcca share.
 *
 * DESIGN. svcca.c has the tables and the way of a job; svcca_grid.c the layers, their labels
 * and the pairs; svcca_result.c turns scores into the
 * answer. What a job may ask beside scores (a null, intervals, directions) is a part: a file
 * svcca_<part>.c, whose struct svcca_part stands in the list of svcca.c. A part hooks into
 * the analysis (svcca/svcca.h), so that layers are still decomposed once and pairs are
 * still multiplied once. Parameters and outputs of all parts are rows of the tables in
 * svcca.c.
 */
#ifndef TG_KINDS_SVCCA_KIND_H
#define TG_KINDS_SVCCA_KIND_H

#include "svcca/dft.h"
#include "svcca/layout.h"
#include "svcca/null.h"
#include "svcca/svcca.h"

#include "proto/job.h"
#include "proto/kind.h"
#include "proto/result.h"

struct svcca_params {
    uint64_t measures;
    double threshold;
    int rule;
    bool both_rules;
    double rank_tolerance;
    int layout, reduction;
    uint64_t compare_with;
    double google_epsilon;
    bool influence;
    int64_t return_directions;
    int pwcca_weights;
    double shape_alpha;
    double rbf_bandwidth;
    int64_t batch_size;
    bool batch_shuffle;
    int rsa_distance;
    int knn_distance;
    int64_t neighbours;
    int64_t table_memory;
    int pairs;
    int64_t max_directions;
    double converged_at;
    struct tg_real_list layer_flops;
    int64_t permutations;
    int64_t compress_to;
    bool return_factors;
    int64_t draws;
    struct tg_int_list unit_subsets;
    int64_t seed;
    int intervals;
    int64_t interval_blocks;
    int64_t interval_replicates;
    double confidence;
};

enum { SVCCA_MAX_PARTS = 16 };

/* A job under way; estimate() and run() make one each. */
struct svcca_work {
    const struct tg_job *job;
    const struct svcca_params *params;
    unsigned lanes; /* as ctx->lanes of run() */
    struct tg_svcca_layer *layers; /* named by label */
    const struct tg_bound **bound; /* what each came from */
    char *text;                    /* labels and keys */
    struct tg_fold *fold;          /* what the layers' matrices are read through */
    struct tg_places *places;      /* how they are laid out */
    struct tg_svcca_compared *compared;
    size_t nlayers;
    struct tg_svcca_options options; /* hook points at the hooks below */
    struct tg_svcca_hook hook[SVCCA_MAX_PARTS];
    bool refused;                    /* a part was asked for that the reduction has not */
    void *state[SVCCA_MAX_PARTS];    /* a part's own, by its place in the list */
    struct tg_report *report;        /* for what hooks find wrong; NULL for estimate() */
    struct tg_svcca svcca;           /* once tg_svcca_run() has returned */
    struct tg_dft dft;               /* and with reduction "dft" tg_dft_run() */
};

/* Functions that a part does not have are NULL. */
struct svcca_part {
    /* Faults of its parameters, given what is asked for. */
    void (*check)(const struct tg_job *job, struct tg_report *report);
    /*
     * If the job asks for it: take memory for its state from `arena`, call svcca_add_hook(),
     * and add FLOPs to `cost`. For estimate() the arena measures and gives NULL, which is
     * then kept and never used.
     */
    enum tg_err (*prepare)(struct svcca_work *work, size_t place, struct tg_arena *arena,
                           struct tg_svcca_cost *cost);
    /* Put into the result what the hooks found. For every job: see whether it was asked. */
    enum tg_err (*finish)(const struct svcca_work *work, size_t place,
                          const struct tg_ctx *ctx, struct tg_result *result);
    /* Reads scores alone, no bases and no layers: goes with reduction "dft", too. */
    bool of_scores;
};

/* The layers and the pairs of a job; TG_NOMEM. svcca_release() also after a failure. */
TG_MUST_CHECK enum tg_err svcca_collect(struct svcca_work *work);
void svcca_release(struct svcca_work *work);

/* Faults of what is to be compared with what. */
void svcca_check_grid(const struct tg_job *job, struct tg_report *report);

bool svcca_is_same_model(const struct tg_bound *a, const struct tg_bound *b);
bool svcca_is_same_entry(const struct tg_bound *a, const struct tg_bound *b);

/* The layer that has the name, model and step of `entry`; -1 without one. */
int64_t svcca_find(const struct tg_job *job, const struct tg_bound *entry);

/*
 * Entries by model, name and step: models and names as they first come, so that the steps
 * of a layer stand together. False where no entry has a model or a step. For at most
 * SVCCA_MAX_ORDERED layers.
 */
enum { SVCCA_MAX_ORDERED = 128 };
bool svcca_order(const struct svcca_work *work, size_t *order);

/* To be called by prepare(), at most once a part. */
void svcca_add_hook(struct svcca_work *work, const struct tg_svcca_hook *hook);

/*
 * Layer `i` of either form of input; NULL where there are no more. `name`, which may be
 * NULL, is its name in the answer.
 */
const struct tg_bound *svcca_layer(const struct tg_job *job, size_t i, const char **name);

/* svcca_layout.c: the names of layouts and reductions, NULL-terminated. */
extern const char *const svcca_layout_names[];
extern const char *const svcca_reduction_names[];

/* Faults of the layers' axes and sizes. */
void svcca_check_layers(const struct tg_job *job, struct tg_report *report);

/* The matrix that the job's layout and reduction make of a layer; false on a fault. */
bool svcca_fold(const struct svcca_params *p, const struct tg_mat *array,
                struct tg_fold *fold, struct tg_mat *view);

/* How a layer is laid out; false on a fault. */
bool svcca_places(const struct svcca_params *p, const struct tg_mat *array,
                  struct tg_places *places);

/* svcca_dft.c: reduction "dft" (svcca/dft.h); its arrays, figure and warning. */
bool svcca_is_dft(const struct svcca_params *p);
void svcca_check_dft(const struct tg_job *job, struct tg_report *report);
TG_MUST_CHECK enum tg_err svcca_put_dft(const struct svcca_work *work,
                                        struct tg_result *result);

/* svcca_ids.c: faults of `sample_ids`. */
void svcca_check_ids(const struct tg_job *job, struct tg_report *report);

/*
 * svcca_labels.c: faults of `labels`, which are given: one a sample, an integer in
 * [0, classes); and the fault of the one in this row.
 */
void svcca_check_labels(const struct tg_job *job, int64_t classes, struct tg_report *report);
void svcca_tell_label(const struct tg_job *job, int64_t classes, int64_t row,
                      struct tg_report *report);

/* svcca_peers.c */
extern const char *const svcca_peer_names[]; /* in the order of enum tg_peer */
extern const struct svcca_part svcca_peers_part;

/* svcca_classes.c */
extern const struct svcca_part svcca_classes_part;

/* svcca_directions.c */
extern const struct svcca_part svcca_directions_part;

/* svcca_dynamics.c */
extern const struct svcca_part svcca_dynamics_part;

/* svcca_head.c */
extern const struct svcca_part svcca_head_part;

/* svcca_influence.c */
extern const struct svcca_part svcca_influence_part;

/* svcca_significance.c */
extern const struct svcca_part svcca_significance_part;

/* "<measure>_null_mean", ... of a score, beside it in a row; false without memory. */
bool svcca_put_chance(json_t *row, const char *measure, const struct tg_chance *null,
                      double score);

/* The null of CKA, from that of the inner product of two Gram matrices. */
struct tg_chance svcca_cka_chance(int64_t n, const struct tg_gram_trace *a,
                                  const struct tg_gram_trace *b);

/* svcca_intervals.c */
extern const char *const svcca_interval_names[]; /* NULL-terminated */
extern const struct svcca_part svcca_intervals_part;

/* svcca_permutations.c */
extern const struct svcca_part svcca_permutations_part;

/* svcca_samples.c: the names of distances between samples, NULL-terminated. */
extern const char *const svcca_rsa_distances[]; /* in the order of enum tg_dissimilarity */
extern const char *const svcca_knn_distances[]; /* in the order of enum tg_metric */
extern const struct svcca_part svcca_samples_part;

/* svcca_units.c */
extern const struct svcca_part svcca_units_part;

/* The names of measures in the order of enum tg_svcca_measure, NULL-terminated. */
extern const char *const svcca_measure_names[];

bool svcca_wants(const struct svcca_work *work, enum tg_svcca_measure measure);
json_t *svcca_real_or_null(double x);

/* Row `index` of the table of layers, to add to; borrowed, NULL without memory. */
json_t *svcca_layer_row(const struct tg_result *result, int64_t index);

/* Row `index` of the table of pairs, to add to; borrowed, NULL without memory. */
json_t *svcca_pair_row(const struct tg_result *result, int64_t index);

/* The route and what costs how much, for the answer to a dry run. */
void svcca_plan(const struct svcca_work *work, const struct tg_svcca_cost *cost, char *plan,
                size_t size);

/* Tables, arrays, figures and warnings of the scores. */
void svcca_put_scores(const struct svcca_work *work, struct tg_result *result);

#endif
