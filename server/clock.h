/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The two clocks in seconds: deadlines are told in wall time, stretches in monotonic time. */
#ifndef TG_SERVER_CLOCK_H
#define TG_SERVER_CLOCK_H

#include <time.h>

static inline double tg_clock_read(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
static inline double tg_clock_wall(void)
{
    return tg_clock_read(CLOCK_REALTIME);
}
static inline double tg_clock_monotonic(void)
{
    return tg_clock_read(CLOCK_MONOTONIC);
}
/* For pthread_cond_timedwait on a condition of the monotonic clock. */
static inline struct timespec tg_clock_timespec(double seconds)
{
    struct timespec at = {.tv_sec = (time_t)seconds};
    at.tv_nsec = (long)(1e9 * (seconds - (double)at.tv_sec));
    return at;
}

#endif
