/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Scheduler: which waiting job runs next. A pure data structure: no threads, no clock, no
 * store; the pool calls it under its own lock.
 *
 * DESIGN. Priority classes come first; inside a class tokens share fairly (the one that was
 * given least goes first); inside a token first come, first served. What a token is given is
 * its jobs' run time, weighted by the larger of their shares of workers and of memory; the
 * expected time is charged when a job is taken and corrected when it ends. A token that
 * begins to wait starts level with the least served of those that already wait or run, so
 * nobody saves up.
 *
 * Memory is reserved when a job is taken. One that does not fit now is passed over by younger
 * ones at most `max_bypass` times; then its class waits for it, and lower classes with it.
 * At most (workers + 1) / 2 jobs longer than `long_s` run at once, so short ones find a
 * worker (with one worker the limit is one).
 *
 * Each token has, per class, one list of long and one of short jobs in order of arrival, and
 * a list is searched only some way past jobs that do not fit: take does not depend on how
 * many wait.
 */
#ifndef TG_SERVER_SCHEDULER_H
#define TG_SERVER_SCHEDULER_H

#include <stdbool.h>
#include <stdint.h>

#include "server/store.h"

struct tg_sched_item {
    char id[TG_ID_SIZE];
    char token[64];
    enum tg_priority priority;
    uint64_t bytes;    /* to reserve */
    double seconds;    /* expected */
    double deadline;   /* 0: none */
};

struct tg_sched_options {
    unsigned workers;
    uint64_t memory_bytes;
    double long_s;
    unsigned max_bypass;
    size_t max_queued;
};

struct tg_sched;
struct tg_sched *tg_sched_new(const struct tg_sched_options *options);
void tg_sched_free(struct tg_sched *sched);

/*
 * TG_QUEUE_FULL, TG_NOMEM, TG_TOO_LARGE_JOB (it could never be taken). `force` ignores the
 * queue's limit (recovery).
 */
TG_MUST_CHECK enum tg_err tg_sched_push(struct tg_sched *sched, const struct tg_sched_item *item,
                                        bool force);
bool tg_sched_is_full(const struct tg_sched *sched);
/* Takes a waiting item out (cancel); false if it is not waiting. */
bool tg_sched_remove(struct tg_sched *sched, const char *id);
/* The next job that may start, its memory now reserved; false if none may. */
bool tg_sched_take(struct tg_sched *sched, struct tg_sched_item *item);
/* A taken job ended after running `seconds`: frees its reservation, charges its token. */
void tg_sched_done(struct tg_sched *sched, const struct tg_sched_item *item, double seconds);
/* A waiting item whose deadline has passed at `now`, taken out; false if none. */
bool tg_sched_take_expired(struct tg_sched *sched, double now, struct tg_sched_item *item);

/* The earliest deadline of a waiting item; 0 if none has one. */
double tg_sched_next_deadline(const struct tg_sched *sched);

struct tg_sched_stats { size_t queued, running; uint64_t reserved_bytes; double queued_s; };
void tg_sched_stats(const struct tg_sched *sched, struct tg_sched_stats *stats);

#endif
