/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Partial outputs: the newest numbers of each, and their frame. */
#include "server/partials.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "server/store.h"

enum { ENDED_MAX = 16, FRAME_MAX = 1 << 20 };

struct shown {
    char name[48];
    uint64_t version;          /* 0: no such output */
    int64_t rows, cols;        /* of the output */
    int64_t row_step, col_step;
    size_t n, size;            /* numbers here; room for them */
    double *values;
    char *frame;               /* of this version, or NULL */
};

struct job {
    TAILQ_ENTRY(job) next;
    char id[TG_ID_SIZE];
    bool ended;
    double told; /* when those who watch were told last */
    struct shown shown[TG_PARTIAL_NAMES];
};

struct tg_partials {
    pthread_mutex_t mu; /* guards all below */
    TAILQ_HEAD(, job) jobs; /* running and ended ones, in the order of beginning or end */
    unsigned nended;
    uint64_t version; /* of what was shown last */
};

struct tg_partials *tg_partials_new(void)
{
    struct tg_partials *partials = calloc(1, sizeof(*partials));
    if (!partials)
        return NULL;
    pthread_mutex_init(&partials->mu, NULL);
    TAILQ_INIT(&partials->jobs);
    return partials;
}

static struct job *find_locked(struct tg_partials *partials, const char *id)
{
    struct job *job;
    TAILQ_FOREACH(job, &partials->jobs, next)
    {
        if (!strcmp(job->id, id))
            return job;
    }
    return NULL;
}

static void remove_locked(struct tg_partials *partials, struct job *job)
{
    TAILQ_REMOVE(&partials->jobs, job, next);
    partials->nended -= job->ended;
    for (int i = 0; i < TG_PARTIAL_NAMES; i++) {
        free(job->shown[i].values);
        free(job->shown[i].frame);
    }
    free(job);
}

void tg_partials_free(struct tg_partials *partials)
{
    if (!partials)
        return;
    while (!TAILQ_EMPTY(&partials->jobs))
        remove_locked(partials, TAILQ_FIRST(&partials->jobs));
    pthread_mutex_destroy(&partials->mu);
    free(partials);
}

void tg_partials_begin(struct tg_partials *partials, const char *id)
{
    pthread_mutex_lock(&partials->mu);
    struct job *job = find_locked(partials, id);
    if (job)
        remove_locked(partials, job);
    pthread_mutex_unlock(&partials->mu);
}

void tg_partials_end(struct tg_partials *partials, const char *id)
{
    pthread_mutex_lock(&partials->mu);
    struct job *job = find_locked(partials, id), *oldest, *after;
    if (job && !job->ended) {
        job->ended = true;
        partials->nended++;
        TAILQ_REMOVE(&partials->jobs, job, next);
        TAILQ_INSERT_TAIL(&partials->jobs, job, next);
    }
    for (oldest = TAILQ_FIRST(&partials->jobs); oldest && partials->nended > ENDED_MAX;
         oldest = after) {
        after = TAILQ_NEXT(oldest, next);
        if (oldest->ended)
            remove_locked(partials, oldest);
    }
    pthread_mutex_unlock(&partials->mu);
}

/* Showing ---------------------------------------------------------------------------- */

static int64_t count(int64_t n, int64_t step)
{
    return (n + step - 1) / step;
}

static void choose_steps(struct shown *shown)
{
    shown->row_step = shown->col_step = 1;
    for (;;) {
        int64_t rows = count(shown->rows, shown->row_step);
        int64_t cols = count(shown->cols, shown->col_step);
        if (!cols || rows <= TG_PARTIAL_NUMBERS / cols)
            break;
        if (rows >= cols)
            shown->row_step *= 2;
        else
            shown->col_step *= 2;
    }
    shown->n = (size_t)(count(shown->rows, shown->row_step) *
                        count(shown->cols, shown->col_step));
}

static bool copy_values(struct shown *shown, const double *values)
{
    if (shown->n > shown->size) {
        double *bigger = realloc(shown->values, shown->n * sizeof(*bigger));
        if (!bigger)
            return false;
        shown->values = bigger;
        shown->size = shown->n;
    }
    double *to = shown->values;
    for (int64_t i = 0; i < shown->rows; i += shown->row_step)
        for (int64_t k = 0; k < shown->cols; k += shown->col_step)
            *to++ = values[i * shown->cols + k];
    return true;
}

/* The output of that name, or a place for it. */
static struct shown *find_shown(struct job *job, const char *name)
{
    for (int i = 0; i < TG_PARTIAL_NAMES; i++) {
        struct shown *shown = &job->shown[i];
        if (!*shown->name)
            snprintf(shown->name, sizeof(shown->name), "%s", name);
        if (!strncmp(shown->name, name, sizeof(shown->name) - 1))
            return shown;
    }
    return NULL;
}

static struct job *add_locked(struct tg_partials *partials, const char *id)
{
    struct job *job = calloc(1, sizeof(*job));
    if (!job)
        return NULL;
    snprintf(job->id, sizeof(job->id), "%s", id);
    TAILQ_INSERT_TAIL(&partials->jobs, job, next);
    return job;
}

static bool show_locked(struct tg_partials *partials, struct job *job, const char *name,
                        int64_t rows, int64_t cols, const double *values)
{
    struct shown *shown = find_shown(job, name);
    if (!shown)
        return false;
    free(shown->frame);
    shown->frame = NULL;
    shown->version = 0;
    shown->rows = rows;
    shown->cols = cols;
    choose_steps(shown);
    if (!copy_values(shown, values))
        return false;
    shown->version = ++partials->version;
    return true;
}

bool tg_partials_show(struct tg_partials *partials, const char *id, double now,
                      const char *name, int64_t rows, int64_t cols, const double *values)
{
    if (rows < 0 || cols < 0 || !*name)
        return false;
    pthread_mutex_lock(&partials->mu);
    struct job *job = find_locked(partials, id);
    if (!job)
        job = add_locked(partials, id);
    bool tell = job && show_locked(partials, job, name, rows, cols, values) &&
                (job->told <= 0 || now >= job->told + TG_PARTIAL_EVERY_S);
    if (tell)
        job->told = now;
    pthread_mutex_unlock(&partials->mu);
    return tell;
}

/* Frames ----------------------------------------------------------------------------- */

static void write_values(const struct shown *shown, struct tg_buf *out)
{
    const double *from = shown->values;
    int64_t rows = count(shown->rows, shown->row_step);
    int64_t cols = count(shown->cols, shown->col_step);
    tg_buf_puts(out, "[");
    for (int64_t i = 0; i < rows; i++) {
        tg_buf_puts(out, i ? ",[" : "[");
        for (int64_t k = 0; k < cols; k++) {
            if (k)
                tg_buf_puts(out, ",");
            tg_buf_double(out, *from++);
        }
        tg_buf_puts(out, "]");
    }
    tg_buf_puts(out, "]");
}

static char *make_frame(const char *id, const struct shown *shown)
{
    struct tg_buf out;
    tg_buf_init(&out, FRAME_MAX);
    tg_buf_printf(&out, "event: partial\ndata: {\"id\":\"%s\",\"name\":", id);
    tg_buf_json_string(&out, shown->name, strlen(shown->name));
    tg_buf_printf(&out, ",\"shape\":[%lld,%lld],\"step\":[%lld,%lld],\"data\":",
                  (long long)shown->rows, (long long)shown->cols,
                  (long long)shown->row_step, (long long)shown->col_step);
    write_values(shown, &out);
    tg_buf_puts(&out, "}\n\n");
    if (!tg_buf_failed(&out))
        return tg_buf_take(&out, NULL);
    tg_buf_release(&out);
    return NULL;
}

static struct shown *next_shown(struct job *job, uint64_t seen)
{
    struct shown *next = NULL;
    for (int i = 0; i < TG_PARTIAL_NAMES; i++) {
        struct shown *shown = &job->shown[i];
        if (shown->version > seen && (!next || shown->version < next->version))
            next = shown;
    }
    return next;
}

bool tg_partials_write(struct tg_partials *partials, const char *id, uint64_t *seen,
                       struct tg_buf *out)
{
    pthread_mutex_lock(&partials->mu);
    struct job *job = find_locked(partials, id);
    struct shown *shown = job ? next_shown(job, *seen) : NULL;
    if (shown) {
        if (!shown->frame)
            shown->frame = make_frame(id, shown);
        if (shown->frame)
            tg_buf_puts(out, shown->frame);
        *seen = shown->version;
    }
    pthread_mutex_unlock(&partials->mu);
    return shown != NULL;
}
