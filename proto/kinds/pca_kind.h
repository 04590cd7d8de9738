/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the files of the kind pca share.
 *
 * DESIGN. pca.c has the tables and the way of a job. pca_points.c says where its points lie:
 * in one array or an array for each run, in files that pca_checkpoints.c looks through (of one
 * model or of several), or in a walk of pca_simulate.c. pca_loss.c has the loss at each.
 * pca_result.c turns the spectrum and the path into the answer. What else a job may ask is a
 * part: a file pca_<part>.c, whose struct pca_part stands in the list of pca.c. A part works on
 * what tg_pca_run() has found, first of all on the sums of every tensor, so that data is read
 * once. Parameters and outputs of all parts are rows of the tables in pca.c.
 */
#ifndef TG_KINDS_PCA_KIND_H
#define TG_KINDS_PCA_KIND_H

#include "pca/pca.h"
#include "pca/simulate.h"

#include "proto/job.h"
#include "proto/kind.h"
#include "proto/result.h"

struct pca_params {
    int64_t start, stop, stride;
    int64_t components;
    int reference;
    struct tg_string_list tensors, exclude, weights;
    bool return_gram;
    int64_t return_directions;
    bool simulate;
    int64_t walk_points, walk_dimensions, walk_seed;
    double walk_momentum, walk_alpha, walk_drift;
    bool walk_stationary;
    int walk_schedule;
};

enum { PCA_MAX_PARTS = 8 };

/* A job under way; estimate() and run() make one each. */
struct pca_work {
    const struct tg_job *job;
    const struct pca_params *params;
    unsigned lanes;
    struct tg_walk_data data;       /* where the points lie */
    struct tg_walk_array array;     /* what `data` points into where it is one array */
    const char *prefix[1];
    const struct tg_bound **file;   /* one for each point where these are files; or NULL */
    double *drawn;                  /* a simulated walk; NULL in estimate() */
    struct tg_pca_options options;
    struct tg_pca_cost cost;        /* of tg_pca_run(), with the numbers of points and components */
    double *loss;                   /* of the window's points, once that; NULL: not given */
    struct tg_pca pca;              /* once tg_pca_run() has returned */
    void *state[PCA_MAX_PARTS];     /* a part's own, by its place in the list */
};

/* Functions that a part does not have are NULL. */
struct pca_part {
    /* Faults of its parameters and inputs, where those of the points are without any. */
    void (*check)(const struct tg_job *job, struct tg_report *report);
    /*
     * If the job asks for it: take memory for its state from `arena`, and add to `cost` what
     * finish() takes from the context's arena, reads and computes. For estimate() the arena
     * measures and gives NULL, which is then kept and never used.
     */
    enum tg_err (*prepare)(struct pca_work *work, size_t place, struct tg_arena *arena,
                           struct tg_cost *cost);
    /* Find the answer and put it into the result. For every job: see whether it was asked. */
    enum tg_err (*finish)(const struct pca_work *work, size_t place, const struct tg_ctx *ctx,
                          struct tg_result *result);
};

/* pca_points.c: the input that has the points, NULL where there is none; and their number. */
const struct tg_job_input *pca_source(const struct tg_job *job);
int64_t pca_count_points(const struct tg_job *job);

/* Faults of the points and of the window on them. */
void pca_check_points(const struct tg_job *job, struct tg_report *report);

/*
 * Set work->data, with tables from an arena that is real, room for coordinates from one that
 * may be measuring, and add to `cost` what is computed. work->drawn is not drawn yet.
 */
TG_MUST_CHECK enum tg_err pca_collect(struct pca_work *work, struct tg_arena *tables,
                                      struct tg_arena *arena, struct tg_cost *cost);

/* pca_checkpoints.c: the same where the points are files; checked before. */
TG_MUST_CHECK enum tg_err pca_collect_checkpoints(struct pca_work *work,
                                                  struct tg_arena *tables);
extern const struct pca_part pca_checkpoints_part;

/* The digest of all files so far: of what stood before, and of this file and its key. */
void pca_extend_prefix(const char *before, const struct tg_bound *bound,
                       char prefix[TG_SHA256_HEX]);

/* Whether the points are files that give their training step. */
bool pca_has_steps(const struct pca_work *work);

/* The first of the points that are of the same model as point i. */
size_t pca_first_of_model(const struct tg_job_input *points, size_t i);

/* The fault of a pattern that matches no tensor of the first file. */
void pca_check_pattern(const char *pattern, const char *pointer, const struct tg_bound *first,
                       struct tg_report *report);

/* pca_weights.c: the weight of a tensor, and faults of the parameter. */
double pca_weight_of(const struct pca_params *p, const char *name);
void pca_check_weights(const struct pca_params *p, const struct tg_bound *first,
                       struct tg_report *report);

/* Dimensions of points without fault, and whether single precision holds all of them. */
TG_MUST_CHECK enum tg_err pca_dimensions(const struct tg_job *job, int64_t *d, bool *single);

/* pca_simulate.c */
extern const char *const pca_schedules[];

/* 400 MB of coordinates, which the job reserves as memory. */
enum { PCA_SIMULATED_MOST = 50000000 };

void pca_check_simulation(const struct tg_job *job, struct tg_report *report);

/* The walk of a job that asks for one. */
struct tg_simulation pca_simulation(const struct pca_params *params);
double pca_simulation_flops(const struct pca_params *params);

/* pca_result.c: tables, arrays, figures and warnings of the spectrum and the path. */
void pca_put_result(const struct pca_work *work, struct tg_result *result);

json_t *pca_real_or_null(double x);

/* What a figure's title calls a component: "component 2 (15.2 %)". */
void pca_component_title(const struct tg_pca *pca, int64_t k, char title[40]);

/* pca_directions.c */
extern const struct pca_part pca_directions_part;

/* pca_layers.c */
extern const struct pca_part pca_layers_part;

/*
 * pca_loss.c: work->options.loss out of the inputs, in memory from `arena`, and work->loss out
 * of that.
 */
void pca_take_loss(struct pca_work *work, struct tg_arena *arena);
void pca_window_loss(struct pca_work *work);
extern const struct pca_part pca_loss_part;

/* pca_plane.c */
extern const struct pca_part pca_plane_part;

/* pca_runs.c; "path" where there is one run without a name. */
const char *pca_run_name(const struct pca_work *work, int64_t run);
extern const struct pca_part pca_runs_part;

/* pca_verdict.c */
extern const struct pca_part pca_verdict_part;

#endif
