/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Simulated trajectories of the kind pca: what a job asks for, and the walk it stands for. */
#include "proto/kinds/pca_kind.h"

#include "proto/fault.h"

/* Of one normal draw, counted by its time. */
static const double draw_flops = 250;

const char *const pca_schedules[] = {"constant", "linear", "cosine", "exp", "step", NULL};

void pca_check_simulation(const struct tg_job *job, struct tg_report *report)
{
    const struct pca_params *p = job->params;
    const struct tg_job_input *source = pca_source(job);
    if (source && p->simulate) {
        char at[TG_POINTER_SIZE];
        tg_fault_add(report, TG_INVALID, tg_pointer_add(at, "/inputs", source->input->name),
                     "A simulated walk needs no trajectory; leave out one of the two.");
    }
    if (!source && !p->simulate)
        tg_fault_add(report, TG_INVALID, "/inputs/trajectory",
                     "The trajectory is missing; give one, or `trajectories`, or `checkpoints`, "
                     "or set `simulate`.");
    if (p->simulate && p->walk_points * p->walk_dimensions > PCA_SIMULATED_MOST)
        tg_fault_add(report, TG_INVALID, "/params/walk_dimensions",
                     "%lld points in %lld dimensions are more than %d coordinates.",
                     (long long)p->walk_points, (long long)p->walk_dimensions,
                     PCA_SIMULATED_MOST);
}

struct tg_simulation pca_simulation(const struct pca_params *params)
{
    return (struct tg_simulation){.n = params->walk_points,
                                  .d = params->walk_dimensions,
                                  .seed = (uint64_t)params->walk_seed,
                                  .alpha = params->walk_alpha,
                                  .momentum = params->walk_momentum,
                                  .drift = params->walk_drift,
                                  .stationary = params->walk_stationary,
                                  .schedule = (enum tg_schedule)params->walk_schedule};
}

double pca_simulation_flops(const struct pca_params *params)
{
    return draw_flops * (double)params->walk_points * (double)params->walk_dimensions;
}
