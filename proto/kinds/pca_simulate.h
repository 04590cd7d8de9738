/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Simulated trajectories of the kind pca: what a job asks for, and the walk it stands for. */
#ifndef TG_KINDS_PCA_SIMULATE_H
#define TG_KINDS_PCA_SIMULATE_H

#include "pca/simulate.h"

#include "proto/job.h"
#include "proto/kind.h"

struct pca_params {
    int64_t start, stop, stride;
    int64_t components;
    int reference;
    bool return_gram;
    bool simulate;
    int64_t walk_points, walk_dimensions, walk_seed;
    double walk_momentum, walk_alpha, walk_drift;
    bool walk_stationary;
    int walk_schedule;
};

extern const char *const pca_schedules[];

/* 400 MB of coordinates, which the job reserves as memory. */
#define PCA_SIMULATED_MOST 50000000

/* Rows for the table of parameters. */
#define PCA_SIMULATE_PARAMS                                                              \
    TG_P_BOOL(struct pca_params, simulate, "false",                                      \
              "Instead of reading a trajectory, draw a walk x_t = (1 - walk_alpha) "     \
              "x_{t-1} + v_t + l_t mu with v_t = walk_momentum v_{t-1} + l_t noise, and "\
              "analyse that: a test of the whole way, and a lesson."),                   \
    TG_P_INT(struct pca_params, walk_points, 3, 5000, "200", "",                         \
             "Points of a simulated walk; times walk_dimensions at most 50 million."),   \
    TG_P_INT(struct pca_params, walk_dimensions, 1, 10000000, "2000", "",                \
             "Dimensions of a simulated walk."),                                         \
    TG_P_INT(struct pca_params, walk_seed, 0, 9007199254740991, "0", "",                 \
             "Seed of a simulated walk."),                                               \
    TG_P_REAL(struct pca_params, walk_momentum, -0.999999, 0.999999, "0", "",            \
              "Momentum of a simulated walk."),                                          \
    TG_P_REAL(struct pca_params, walk_alpha, 0, 1.999999, "0", "",                       \
              "Pull of a simulated walk to its origin, an Ornstein-Uhlenbeck process "   \
              "(learning rate times curvature)."),                                       \
    TG_P_REAL(struct pca_params, walk_drift, 0, 1e6, "0", "",                            \
              "Drift of a simulated walk: |mu|^2 over the mean squared length of its "   \
              "noise."),                                                                 \
    TG_P_BOOL(struct pca_params, walk_stationary, "false",                               \
              "Start a simulated walk as if it had gone on for ever; otherwise at rest " \
              "in its origin."),                                                         \
    TG_P_ENUM(struct pca_params, walk_schedule, pca_schedules, "\"constant\"",           \
              "Step length l_t of a simulated walk: constant; linear to 0; cosine, "     \
              "(1 + cos) / 2; exp, to exp(-5); step, a tenth in the second half.")

/* Faults of a job that asks for both, for neither, or for too much. */
void pca_check_simulation(const struct tg_job *job, struct tg_report *report);

/* The walk of a job that asks for one. */
struct tg_simulation pca_simulation(const struct pca_params *params);

#endif
