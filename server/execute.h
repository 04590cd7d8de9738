/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Executing one job: a canonical job and the bytes of its inputs in, a result document and
 * arrays out.
 *
 * DESIGN. The seam for where a job runs. Everything an executor needs is in struct tg_task,
 * and everything it makes is in struct tg_outcome; it knows no queue and writes no row. Today
 * a worker thread calls it; a process of its own or a node of a cluster would stand behind
 * the same call.
 */
#ifndef TG_SERVER_EXECUTE_H
#define TG_SERVER_EXECUTE_H

#include "proto/result.h"
#include "server/store.h"

struct tg_task {
    const struct tg_job_row *row; /* canonical job and reservation */
    int attempt;
    struct tg_opener opener;
    struct tg_ctx ctx;            /* without an arena */
};

struct tg_outcome {
    char *document;
    struct tg_blob_bytes *blobs; /* the arrays, in npy */
    size_t nblobs;
    struct tg_arena *arena;      /* private: holds the arrays */
};

/*
 * Errors: the stop errors of tg_ctx_poll, TG_NOMEM beyond the reservation, TG_NUMERIC and
 * whatever binding finds wrong, each explained in `report`.
 */
TG_MUST_CHECK enum tg_err tg_execute(const struct tg_task *task, struct tg_outcome *outcome,
                                     struct tg_report *report);
void tg_outcome_release(struct tg_outcome *outcome);

#endif
