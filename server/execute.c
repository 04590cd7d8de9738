/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Executing one job: bind, run, and write down what came out. */
#include "server/execute.h"

#include <stdlib.h>
#include <string.h>

#include "linalg/linalg.h"
#include "proto/jsonload.h"
#include "proto/jsonwrite.h"
#include "server/clock.h"
#include "server/cost.h"

enum { DOCUMENT_MAX = 256 << 20 };

struct execution {
    const struct tg_task *task;
    struct tg_report *report;
    struct tg_request_spec spec;
    struct tg_job job;
    struct tg_job_cost cost;
    struct tg_ctx ctx;
    struct tg_result result;
    double seconds;
};

/* With all lanes when that is within the reservation, which an earlier life may have made
 * with other ones; else with one. */
static enum tg_err plan(struct execution *x)
{
    x->ctx = x->task->ctx;
    TG_TRY(tg_cost_of(&x->job, x->ctx.lanes, &x->cost));
    if (x->cost.peak_bytes > x->task->row->peak_bytes && x->ctx.lanes > 1) {
        x->ctx.lanes = 1;
        TG_TRY(tg_cost_of(&x->job, 1, &x->cost));
    }
    if (x->cost.peak_bytes > x->task->row->peak_bytes)
        return tg_fault_add(x->report, TG_NOMEM, NULL,
                            "The job needs %llu bytes and %llu are reserved for it; submit "
                            "it again.",
                            (unsigned long long)x->cost.peak_bytes,
                            (unsigned long long)x->task->row->peak_bytes);
    return TG_OK;
}

/* run() has no report: what it has to say about a failure is its last warning. */
static enum tg_err explain(struct execution *x, enum tg_err err)
{
    size_t n = json_array_size(x->result.warnings);
    const json_t *last = n ? json_array_get(x->result.warnings, n - 1) : NULL;
    const char *message = json_string_value(json_object_get(last, "message"));
    switch (err) {
    case TG_CANCELLED:
        return tg_fault_add(x->report, err, NULL, "The job was cancelled while it ran.");
    case TG_DEADLINE:
        return tg_fault_add(x->report, err, NULL,
                            "The job was stopped after %.1f s, at its time limit; raise "
                            "max_run_s or deadline, or make the job smaller.",
                            x->seconds);
    case TG_DRAINING:
        return err;
    case TG_NOMEM:
        return tg_fault_add(x->report, err, NULL,
                            "The system had no memory for the job's %llu bytes.",
                            (unsigned long long)x->cost.arena_bytes);
    default:
        return tg_fault_add(x->report, err, NULL, "%s",
                            message ? message : tg_err_title(err));
    }
}

static enum tg_err run(struct execution *x)
{
    double began = tg_clock_monotonic();
    enum tg_err err = x->job.kind->run(&x->job, &x->ctx, &x->result);
    x->seconds = tg_clock_monotonic() - began;
    if (!err && tg_result_failed(&x->result))
        err = TG_NOMEM;
    return err ? explain(x, err) : TG_OK;
}

/* Writing down ----------------------------------------------------------------------- */

/* What an array went in as: its place in the job, digest, type and shape. */
static json_t *describe_array_input(const char *input, const struct tg_bound *bound)
{
    json_t *shape = json_array();
    for (int d = 0; d < bound->mat.ndim; d++)
        json_array_append_new(shape, json_integer(bound->mat.shape[d]));
    return json_pack("{s:s, s:s, s:s, s:s, s:o}", "input", input, "name",
                     bound->name ? bound->name : "", "sha256", bound->sha256, "dtype",
                     tg_dtype_name(bound->mat.dtype), "shape", shape);
}

/* The same of a whole file, with the number of its tensors. */
static json_t *describe_file_input(const char *input, const struct tg_bound *bound)
{
    return json_pack("{s:s, s:s, s:s, s:I}", "input", input, "name",
                     bound->name ? bound->name : "", "sha256", bound->sha256, "tensors",
                     (json_int_t)bound->nmembers);
}

static json_t *describe_inputs(const struct tg_job *job)
{
    json_t *inputs = json_array();
    for (size_t i = 0; i < job->kind->ninputs; i++) {
        const struct tg_input *input = job->inputs[i].input;
        for (size_t k = 0; k < job->inputs[i].n; k++) {
            const struct tg_bound *bound = &job->inputs[i].array[k];
            json_array_append_new(inputs, input->flags & TG_INPUT_MEMBERS
                                              ? describe_file_input(input->name, bound)
                                              : describe_array_input(input->name, bound));
        }
    }
    return inputs;
}

static json_t *describe_run(const struct execution *x)
{
    const struct tg_blas_info blas = tg_blas_describe();
    return json_pack("{s:o, s:s, s:o, s:{s:s, s:i, s:s, s:s, s:s}, "
                     "s:{s:i, s:i, s:f, s:f, s:I, s:I}}",
                     "job", tg_json_load(x->spec.canonical), "hash", x->spec.hash,
                     "inputs", describe_inputs(&x->job), "software", "tangentd",
                     PACKAGE_VERSION, "kind_version", x->job.kind->version, "blas",
                     blas.config, "blas_core", blas.core, "compiler", __VERSION__, "run",
                     "attempt", x->task->attempt, "lanes", (int)x->ctx.lanes, "started",
                     tg_clock_wall() - x->seconds, "seconds", x->seconds, "memory_bytes",
                     (json_int_t)tg_arena_high_water(x->ctx.arena), "memory_estimate_bytes",
                     (json_int_t)x->cost.arena_bytes);
}

/* The npy file of an array is its header, made here, and the numbers where they lie. */
static enum tg_err describe_array(const struct tg_mat *mat, struct tg_blob_bytes *blob)
{
    struct tg_buf head;
    struct tg_sha256 *sha = tg_sha256_new();
    tg_buf_init(&head, 4096);
    tg_npy_header(mat, &head);
    if (!sha || tg_buf_failed(&head)) {
        tg_sha256_free(sha);
        tg_buf_release(&head);
        return TG_NOMEM;
    }
    blob->body = mat->data;
    blob->nbody = (size_t)tg_mat_count(mat) * tg_dtype_size(mat->dtype);
    blob->head = tg_buf_take(&head, &blob->nhead);
    tg_sha256_add(sha, blob->head, blob->nhead);
    tg_sha256_add(sha, blob->body, blob->nbody);
    tg_sha256_end(sha, blob->sha256);
    tg_sha256_free(sha);
    return TG_OK;
}

static enum tg_err write_document(const struct execution *x, struct tg_outcome *outcome)
{
    char(*digests)[TG_SHA256_HEX] = calloc(outcome->nblobs + 1, sizeof(*digests));
    json_t *provenance = describe_run(x), *document = NULL;
    struct tg_buf text;
    size_t n;
    for (size_t i = 0; digests && i < outcome->nblobs; i++)
        memcpy(digests[i], outcome->blobs[i].sha256, TG_SHA256_HEX);
    if (digests && provenance)
        document = tg_result_document(&x->result, x->job.kind,
                                      (const char(*)[TG_SHA256_HEX])digests, provenance);
    tg_buf_init(&text, DOCUMENT_MAX);
    if (document)
        tg_json_write(document, &text);
    json_decref(document);
    json_decref(provenance);
    free(digests);
    if (!document || tg_json_ran_short() || tg_buf_failed(&text)) {
        tg_buf_release(&text);
        return TG_NOMEM;
    }
    outcome->document = tg_buf_take(&text, &n);
    return TG_OK;
}

static enum tg_err write_down(const struct execution *x, struct tg_outcome *outcome)
{
    size_t n = x->result.narrays;
    outcome->blobs = calloc(n + 1, sizeof(*outcome->blobs));
    if (!outcome->blobs)
        return TG_NOMEM;
    for (; outcome->nblobs < n; outcome->nblobs++)
        TG_TRY(describe_array(&x->result.array[outcome->nblobs].mat,
                              &outcome->blobs[outcome->nblobs]));
    return write_document(x, outcome);
}

/* The steps -------------------------------------------------------------------------- */

static enum tg_err run_bound(struct execution *x, struct tg_outcome *outcome)
{
    TG_TRY(plan(x));
    x->ctx.arena = outcome->arena = tg_arena_new(x->cost.arena_bytes);
    if (!outcome->arena || tg_result_init(&x->result))
        return TG_NOMEM;
    enum tg_err err = run(x);
    if (!err)
        err = write_down(x, outcome);
    tg_result_release(&x->result);
    return err;
}

static enum tg_err run_spec(struct execution *x, struct tg_outcome *outcome)
{
    TG_TRY(tg_job_bind(&x->spec, &x->task->opener, false, x->task->row->peak_bytes, &x->job,
                       x->report));
    enum tg_err err = run_bound(x, outcome);
    tg_job_release(&x->job);
    return err;
}

enum tg_err tg_execute(const struct tg_task *task, struct tg_outcome *outcome,
                       struct tg_report *report)
{
    struct execution x = {.task = task, .report = report};
    *outcome = (struct tg_outcome){0};
    tg_json_watch();
    TG_TRY(tg_request_from_canonical(task->row->canonical, &x.spec, report));
    enum tg_err err = run_spec(&x, outcome);
    tg_request_spec_release(&x.spec);
    if (err)
        tg_outcome_release(outcome);
    return err;
}

void tg_outcome_release(struct tg_outcome *outcome)
{
    for (size_t i = 0; i < outcome->nblobs; i++)
        free((char *)(uintptr_t)outcome->blobs[i].head);
    free(outcome->blobs);
    free(outcome->document);
    tg_arena_free(outcome->arena);
    *outcome = (struct tg_outcome){0};
}
