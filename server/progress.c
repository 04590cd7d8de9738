/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Progress: fraction and ETA from what a job tells about itself. */
#include "server/progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double tell_every_s = 0.25, most_fraction = 0.99;

void tg_meter_init(struct tg_meter *meter)
{
    *meter = (struct tg_meter){.now.eta_s = -1};
    pthread_mutex_init(&meter->mu, NULL);
}

void tg_meter_destroy(struct tg_meter *meter)
{
    pthread_mutex_destroy(&meter->mu);
}

void tg_meter_start(struct tg_meter *meter, double now, double expected_s)
{
    pthread_mutex_lock(&meter->mu);
    meter->now = (struct tg_progress){.eta_s = -1};
    meter->began = meter->phase_began = now;
    meter->told = meter->phase_fraction = 0;
    meter->expected_s = expected_s;
    pthread_mutex_unlock(&meter->mu);
}

bool tg_meter_report(struct tg_meter *meter, double now, const char *phase, double done,
                     double total, const char *unit)
{
    double fraction = total > 0 ? fmin(fmax(done / total, 0), 1) : 0;
    pthread_mutex_lock(&meter->mu);
    struct tg_progress *at = &meter->now;
    bool new_phase = strncmp(at->phase, phase, sizeof(at->phase) - 1) != 0;
    if (new_phase) {
        snprintf(at->phase, sizeof(at->phase), "%s", phase);
        meter->phase_began = now;
    }
    if (new_phase || fraction >= meter->phase_fraction) {
        meter->phase_fraction = fraction;
        at->done = done;
        at->total = total;
        snprintf(at->unit, sizeof(at->unit), "%s", unit ? unit : "");
    }
    bool tell = new_phase || now - meter->told >= tell_every_s;
    if (tell)
        meter->told = now;
    pthread_mutex_unlock(&meter->mu);
    return tell;
}

/* Seconds left; below 0 when nothing tells. */
static double left_locked(const struct tg_meter *meter, double now)
{
    double f = meter->phase_fraction, run = now - meter->began;
    double promised = meter->expected_s - run;
    double measured = f > 0 ? (now - meter->phase_began) * (1 - f) / f : -1;
    return fmax(promised, measured);
}

void tg_meter_read(struct tg_meter *meter, double now, struct tg_progress *progress)
{
    pthread_mutex_lock(&meter->mu);
    double run = now - meter->began, left = left_locked(meter, now);
    if (left >= 0 && run > 0)
        meter->now.fraction =
            fmax(meter->now.fraction, fmin(run / (run + left), most_fraction));
    *progress = meter->now;
    progress->eta_s = left >= 0 ? left : -1;
    pthread_mutex_unlock(&meter->mu);
}

double tg_meter_left(struct tg_meter *meter, double now)
{
    pthread_mutex_lock(&meter->mu);
    double left = left_locked(meter, now);
    pthread_mutex_unlock(&meter->mu);
    return fmax(left, 0);
}
