/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Progress of one job, told by its threads and read by anybody.
 *
 * DESIGN. A kind goes through phases that it names as it comes to them, each from 0 to its
 * own total; nobody knows how many there will be. So `done`, `total` and `phase` say where
 * the phase is, while the fraction of the whole is one of time: the time run so far over the
 * time expected in all, which is the estimate, or more when the phase at its present speed
 * takes longer. The fraction only grows, and stays below 1 while the job runs.
 */
#ifndef TG_SERVER_PROGRESS_H
#define TG_SERVER_PROGRESS_H

#include <pthread.h>

#include "server/pool.h"

struct tg_meter {
    pthread_mutex_t mu;
    struct tg_progress now; /* all guarded by mu */
    double phase_fraction, began, phase_began, told, expected_s;
};

void tg_meter_init(struct tg_meter *meter);
void tg_meter_destroy(struct tg_meter *meter);
/* A job begins at `now` (monotonic) and is expected to take `expected_s`. */
void tg_meter_start(struct tg_meter *meter, double now, double expected_s);
/* True when it is time to tell those who watch: four times a second, and at a new phase. */
bool tg_meter_report(struct tg_meter *meter, double now, const char *phase, double done,
                     double total, const char *unit);
void tg_meter_read(struct tg_meter *meter, double now, struct tg_progress *progress);
/* Expected seconds from `now` to the end; 0 when nothing is known. */
double tg_meter_left(struct tg_meter *meter, double now);

#endif
