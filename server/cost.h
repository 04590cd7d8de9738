/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Cost: what a job will take, in bytes and seconds, before it runs.
 *
 * DESIGN. Bytes come from the kind's own layout, so they are what run() will allocate.
 * Seconds are on one core, from the FLOPs at the rate of a small product measured at
 * start-up and the input bytes at a fixed rate; they decide who counts as long and give an
 * ETA before there is a better one, no more.
 */
#ifndef TG_SERVER_COST_H
#define TG_SERVER_COST_H

#include "proto/job.h"

/* Measures the rate; about 5 ms. Until then a modest one is assumed. */
void tg_cost_calibrate(void);
double tg_cost_flops_per_second(void);

struct tg_job_cost {
    uint64_t peak_bytes; /* to reserve: workspace, decoded inputs and the document */
    uint64_t arena_bytes; /* the workspace alone */
    double flops, read_bytes, seconds;
    char plan[sizeof(((struct tg_cost *)0)->plan)]; /* the kind's own words, or "" */
};
/* TG_NOMEM when it overflows. */
TG_MUST_CHECK enum tg_err tg_cost_of(const struct tg_job *job, unsigned lanes,
                                     struct tg_job_cost *cost);

#endif
