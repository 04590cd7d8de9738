/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Store: everything that moves a job.
 *
 * DESIGN. tg_store_move() is the only writer of a job's state: it looks the step up in
 * `legal`, and writes the row and its event in the transaction of the operation that
 * asked.
 */
#include "server/store_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/point.h"

const char *const tg_state_names[] = {
    "queued", "running",   "cancelling", "succeeded",
    "failed", "cancelled", "expired",    NULL,
};

bool tg_state_is_terminal(enum tg_state state)
{
    return state >= TG_SUCCEEDED;
}

#define BIT(state) (1U << (state))
static const unsigned legal[TG_STATE_COUNT] = {
    [TG_QUEUED] =
        BIT(TG_RUNNING) | BIT(TG_FAILED) | BIT(TG_JOB_CANCELLED) | BIT(TG_EXPIRED),
    [TG_RUNNING] = BIT(TG_QUEUED) | BIT(TG_CANCELLING) | BIT(TG_SUCCEEDED) |
                   BIT(TG_FAILED) | BIT(TG_JOB_CANCELLED) | BIT(TG_EXPIRED),
    [TG_CANCELLING] =
        BIT(TG_SUCCEEDED) | BIT(TG_FAILED) | BIT(TG_JOB_CANCELLED) | BIT(TG_EXPIRED),
};

struct standing {
    enum tg_state state;
    int attempt;
    double started;
    int64_t result;
};

static enum tg_err read_standing(struct tg_store *store, const char *id,
                                 struct standing *at)
{
    struct tg_db *db = &store->db;
    sqlite3_stmt *stmt = tg_db_query(db, TG_SQL_JOB_STANDING, "s", id);
    bool found = stmt && tg_db_row(db, stmt);
    if (found) {
        at->state = (enum tg_state)sqlite3_column_int(stmt, 0);
        at->attempt = sqlite3_column_int(stmt, 1);
        at->started = sqlite3_column_double(stmt, 2);
        at->result = sqlite3_column_int64(stmt, 3);
    }
    TG_TRY(tg_db_done(db, stmt));
    return found ? TG_OK : TG_NOT_FOUND;
}

enum tg_err tg_store_add_event(struct tg_store *store, const char *id, const char *type,
                               double now)
{
    store->pending.seq++;
    return tg_db_run(&store->db, TG_SQL_EVENT_INSERT, "issd", (int64_t)store->pending.seq,
                     id, type, now);
}

static enum tg_err move(struct tg_store *store, const char *id, const struct standing *at,
                        enum tg_state to, const char *problem)
{
    if (!(legal[at->state] & BIT(to)))
        return TG_CONFLICT;
    double now = tg_store_now();
    double started = to == TG_RUNNING ? now : to == TG_QUEUED ? 0 : at->started;
    TG_TRY(tg_db_run(&store->db, TG_SQL_JOB_MOVE, "siiddsir", id, (int64_t)to,
                     (int64_t)at->attempt, started, tg_state_is_terminal(to) ? now : 0.0,
                     problem ? problem : "", (int64_t)store->pending.seq + 1,
                     at->result));
    return tg_store_add_event(store, id, tg_state_names[to], now);
}

enum tg_err tg_store_move(struct tg_store *store, const char *id, enum tg_state to,
                          const char *problem)
{
    struct standing at;
    TG_TRY(read_standing(store, id, &at));
    return move(store, id, &at, to, problem);
}

/* The standing of a job whose attempt number `attempt` is under way. */
static enum tg_err read_attempt(struct tg_store *store, const char *id, int attempt,
                                struct standing *at)
{
    TG_TRY(read_standing(store, id, at));
    bool under_way = at->state == TG_RUNNING || at->state == TG_CANCELLING;
    return under_way && at->attempt == attempt ? TG_OK : TG_CONFLICT;
}

/* Submitting ------------------------------------------------------------------------- */

struct submit_args {
    const struct tg_submit *submit;
    const struct tg_stored *stored;
    char *id;
    bool *existing;
    struct tg_report *report;
};

/* Texts of a row that the submitter may leave out. */
static const char *text(const char *s)
{
    return s ? s : "";
}

/* TG_NOT_FOUND: the key is new. */
static enum tg_err find_key(struct tg_store *store, const struct submit_args *args)
{
    struct tg_db *db = &store->db;
    const struct tg_submit *submit = args->submit;
    if (!submit->idempotency_key)
        return TG_NOT_FOUND;
    sqlite3_stmt *stmt = tg_db_query(db, TG_SQL_KEY_GET, "ss", text(submit->row->token),
                                     submit->idempotency_key);
    enum tg_err found = TG_NOT_FOUND;
    if (stmt && tg_db_row(db, stmt)) {
        const char *job = (const char *)sqlite3_column_text(stmt, 0);
        const char *fingerprint = (const char *)sqlite3_column_text(stmt, 1);
        if (!job || !fingerprint) {
            found = TG_NOMEM;
        } else if (strcmp(fingerprint, submit->fingerprint) != 0) {
            found =
                tg_fault_add(args->report, TG_KEY_REUSED, NULL,
                             "This Idempotency-Key was used for another request, which "
                             "made job %s. Take a new key.",
                             job);
        } else {
            snprintf(args->id, TG_ID_SIZE, "%s", job);
            *args->existing = true;
            found = TG_OK;
        }
    }
    TG_TRY(tg_db_done(db, stmt));
    return found;
}

static enum tg_err insert_inputs(struct tg_store *store, const struct submit_args *args,
                                 double now)
{
    struct tg_db *db = &store->db;
    for (size_t i = 0; i < args->submit->ninputs; i++) {
        const char *sha256 = args->submit->inputs[i];
        sqlite3_stmt *stmt = tg_db_query(db, TG_SQL_BLOB_USE, "s", sha256);
        bool found = stmt && tg_db_row(db, stmt);
        TG_TRY(tg_db_done(db, stmt));
        if (!found)
            return tg_fault_add(args->report, TG_UNKNOWN_DATA, NULL,
                                "The data %s is not stored here. Upload it again.",
                                sha256);
        TG_TRY(tg_db_run(db, TG_SQL_BLOB_TOUCH, "sd", sha256, now));
        TG_TRY(tg_db_run(db, TG_SQL_JOB_INPUT_INSERT, "ss", args->id, sha256));
    }
    return TG_OK;
}

static enum tg_err insert_job(struct tg_store *store, const struct submit_args *args,
                              const struct standing *at, double now)
{
    const struct tg_job_row *row = args->submit->row;
    double finished = tg_state_is_terminal(at->state) ? now : 0;
    TG_TRY(tg_db_run(&store->db, TG_SQL_JOB_INSERT, "ssssssiidddddiiddsir", args->id,
                     row->kind, text(row->name), text(row->token), row->canonical,
                     row->hash, (int64_t)at->state, (int64_t)row->priority, now, finished,
                     finished, row->max_run_s, row->deadline, (int64_t)row->keep,
                     (int64_t)row->peak_bytes, row->flops, row->seconds,
                     text(row->retry_of), (int64_t)store->pending.seq + 1, at->result));
    return tg_store_add_event(store, args->id, tg_state_names[at->state], now);
}

static enum tg_err submit_op(struct tg_store *store, void *arg)
{
    const struct submit_args *args = arg;
    const struct tg_submit *submit = args->submit;
    enum tg_err known = find_key(store, args);
    if (known != TG_NOT_FOUND)
        return known;
    if (TG_POINT("store.submit"))
        return TG_NOMEM;
    double now = tg_store_now();
    struct standing at = {.state = TG_QUEUED};
    if (submit->result_of) {
        TG_TRY(read_standing(store, submit->result_of, &at));
        if (!at.result)
            return TG_CONFLICT;
    }
    for (size_t i = 0; i < submit->nblobs; i++) {
        bool created;
        TG_TRY(tg_data_insert(store, &args->stored[i], &created));
    }
    TG_TRY(insert_job(store, args, &at, now));
    TG_TRY(insert_inputs(store, args, now));
    if (!submit->idempotency_key)
        return TG_OK;
    return tg_db_run(&store->db, TG_SQL_KEY_INSERT, "ssssd", text(submit->row->token),
                     submit->idempotency_key, submit->fingerprint, args->id, now);
}

static void release_prepared(struct tg_store *store, struct tg_stored *stored, size_t n)
{
    for (size_t i = 0; i < n; i++)
        tg_data_prepared_release(store, &stored[i]);
    free(stored);
}

enum tg_err tg_store_submit(struct tg_store *store, const struct tg_submit *submit,
                            char id[TG_ID_SIZE], bool *existing, struct tg_report *report)
{
    *existing = false;
    TG_TRY(tg_store_need_writable(store, report));
    TG_TRY(tg_store_make_id(store, id));
    struct tg_stored *stored = calloc(submit->nblobs + 1, sizeof *stored);
    if (!stored)
        return TG_NOMEM;
    enum tg_err err = TG_OK;
    for (size_t i = 0; i < submit->nblobs && !err; i++) {
        const struct tg_inline_blob *blob = &submit->blob[i];
        err = tg_data_prepare(store, blob->sha256, blob->bytes, blob->n, NULL, 0,
                              &stored[i], report);
    }
    struct submit_args args = {submit, stored, id, existing, report};
    if (!err)
        err = tg_store_post(store, submit_op, &args, report);
    release_prepared(store, stored, submit->nblobs);
    return err;
}

/* Running ---------------------------------------------------------------------------- */

struct move_args {
    const char *id;
    int attempt; /* given; for start_op the answer */
    enum tg_state state;
    const char *text; /* problem or result document */
    const struct tg_stored *stored;
    size_t nstored;
};

static enum tg_err start_op(struct tg_store *store, void *arg)
{
    struct move_args *args = arg;
    struct standing at;
    TG_TRY(read_standing(store, args->id, &at));
    args->attempt = ++at.attempt;
    return move(store, args->id, &at, TG_RUNNING, NULL);
}

enum tg_err tg_store_start(struct tg_store *store, const char *id, int *attempt)
{
    struct move_args args = {.id = id};
    TG_TRY(tg_store_post(store, start_op, &args, NULL));
    *attempt = args.attempt;
    return TG_OK;
}

static enum tg_err succeed_op(struct tg_store *store, void *arg)
{
    const struct move_args *args = arg;
    struct tg_db *db = &store->db;
    struct standing at;
    TG_TRY(read_attempt(store, args->id, args->attempt, &at));
    TG_TRY(tg_db_run(db, TG_SQL_RESULT_INSERT, "s", args->text));
    at.result = sqlite3_last_insert_rowid(db->sqlite);
    for (size_t i = 0; i < args->nstored; i++) {
        bool created;
        TG_TRY(tg_data_insert(store, &args->stored[i], &created));
        TG_TRY(
            tg_db_run(db, TG_SQL_OUTPUT_INSERT, "is", at.result, args->stored[i].sha256));
    }
    return move(store, args->id, &at, TG_SUCCEEDED, NULL);
}

enum tg_err tg_store_succeed(struct tg_store *store, const char *id, int attempt,
                             const char *document, const struct tg_blob_bytes *blobs,
                             size_t nblobs)
{
    TG_TRY(tg_store_need_writable(store, NULL));
    struct tg_stored *stored = calloc(nblobs + 1, sizeof *stored);
    if (!stored)
        return TG_NOMEM;
    enum tg_err err = TG_OK;
    for (size_t i = 0; i < nblobs && !err; i++)
        err = tg_data_prepare(store, blobs[i].sha256, blobs[i].head, blobs[i].nhead,
                              blobs[i].body, blobs[i].nbody, &stored[i], NULL);
    struct move_args args = {.id = id,
                             .attempt = attempt,
                             .text = document,
                             .stored = stored,
                             .nstored = nblobs};
    if (!err)
        err = tg_store_post(store, succeed_op, &args, NULL);
    release_prepared(store, stored, nblobs);
    return err;
}

static enum tg_err end_op(struct tg_store *store, void *arg)
{
    const struct move_args *args = arg;
    struct standing at;
    if (args->attempt) {
        TG_TRY(read_attempt(store, args->id, args->attempt, &at));
    } else {
        TG_TRY(read_standing(store, args->id, &at));
        if (at.state != TG_QUEUED)
            return TG_CONFLICT;
    }
    return move(store, args->id, &at, args->state, args->text);
}

enum tg_err tg_store_end(struct tg_store *store, const char *id, int attempt,
                         enum tg_state state, const char *problem)
{
    if (!tg_state_is_terminal(state) || state == TG_SUCCEEDED)
        return TG_CONFLICT;
    struct move_args args = {
        .id = id, .attempt = attempt, .state = state, .text = problem};
    return tg_store_post(store, end_op, &args, NULL);
}

static enum tg_err cancel_op(struct tg_store *store, void *arg)
{
    struct move_args *args = arg;
    struct standing at;
    TG_TRY(read_standing(store, args->id, &at));
    args->state = at.state;
    if (at.state != TG_QUEUED && at.state != TG_RUNNING)
        return TG_OK;
    args->state = at.state == TG_QUEUED ? TG_JOB_CANCELLED : TG_CANCELLING;
    return move(store, args->id, &at, args->state,
                at.state == TG_QUEUED ? args->text : NULL);
}

enum tg_err tg_store_cancel(struct tg_store *store, const char *id, const char *problem,
                            enum tg_state *now)
{
    struct move_args args = {.id = id, .text = problem};
    TG_TRY(tg_store_post(store, cancel_op, &args, NULL));
    *now = args.state;
    return TG_OK;
}

static enum tg_err requeue_op(struct tg_store *store, void *arg)
{
    const struct move_args *args = arg;
    struct standing at;
    TG_TRY(read_attempt(store, args->id, args->attempt, &at));
    at.attempt--;
    return move(store, args->id, &at, TG_QUEUED, NULL);
}

enum tg_err tg_store_requeue(struct tg_store *store, const char *id, int attempt)
{
    struct move_args args = {.id = id, .attempt = attempt};
    return tg_store_post(store, requeue_op, &args, NULL);
}
