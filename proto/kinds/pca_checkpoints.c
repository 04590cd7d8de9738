/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Points that are files of tensors, one each: the tensors chosen, and whether they agree. */
#include "proto/kinds/pca_kind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/fault.h"
#include "proto/pattern.h"

/* Which names a job asks for; those of the first file are matched once for all files. */
struct choice {
    const struct pca_params *params;
    const struct tg_bound *first;
    bool *asked; /* of each member of the first file */
};

static bool matches_any(const struct tg_string_list *patterns, const char *name)
{
    for (size_t i = 0; i < patterns->n; i++)
        if (tg_pattern_matches(patterns->v[i], name))
            return true;
    return false;
}

static bool is_asked_for(const struct pca_params *p, const char *name)
{
    return (!p->tensors.n || matches_any(&p->tensors, name)) &&
           !matches_any(&p->exclude, name);
}

static enum tg_err choose(const struct pca_params *p, const struct tg_bound *first,
                          struct choice *choice)
{
    *choice = (struct choice){
        .params = p, .first = first, .asked = calloc(first->nmembers + 1, sizeof(bool))};
    if (!choice->asked)
        return TG_NOMEM;
    for (size_t i = 0; i < first->nmembers; i++)
        choice->asked[i] = is_asked_for(p, first->member[i].name);
    return TG_OK;
}

static bool is_weight(const struct tg_mat *mat)
{
    return mat->dtype == TG_F64 || mat->dtype == TG_F32 || mat->dtype == TG_F16 ||
           mat->dtype == TG_BF16;
}

/* The next chosen tensor from member i on; nmembers when there is no more. */
static size_t next_chosen(const struct choice *choice, const struct tg_bound *bound, size_t i)
{
    for (; i < bound->nmembers; i++) {
        const char *name = bound->member[i].name;
        if (!is_weight(&bound->member[i].mat))
            continue;
        bool known = i < choice->first->nmembers &&
                     !strcmp(name, choice->first->member[i].name);
        if (known ? choice->asked[i] : is_asked_for(choice->params, name))
            break;
    }
    return i;
}

static bool has_same_shape(const struct tg_mat *a, const struct tg_mat *b)
{
    return a->ndim == b->ndim &&
           !memcmp(a->shape, b->shape, (size_t)a->ndim * sizeof(*a->shape));
}

static void tell_missing(const struct tg_bound *without, const struct tg_bound *with,
                         const char *name, const char *pointer, struct tg_report *report)
{
    for (size_t i = 0; i < without->nmembers; i++)
        if (!strcmp(without->member[i].name, name)) {
            const char *dtype = tg_dtype_name(without->member[i].mat.dtype);
            tg_fault_add_value(report, TG_INVALID, pointer, dtype, NULL,
                               "The tensor `%.80s` is %s in `%.40s` and a weight in `%.40s`.",
                               name, dtype, without->name, with->name);
            return;
        }
    tg_fault_add(report, TG_INVALID, pointer,
                 "`%.40s` has no tensor `%.80s`, but `%.40s` has; all checkpoints need the "
                 "same ones of those that `tensors` and `exclude` choose.",
                 without->name, name, with->name);
}

/* The first difference between a file's chosen tensors and those of the first file. */
static void compare(const struct choice *choice, const struct tg_bound *other,
                    struct tg_report *report)
{
    const struct tg_bound *first = choice->first;
    size_t i = 0, j = 0;
    char was[TG_GOT_SIZE], is[TG_GOT_SIZE];
    for (;; i++, j++) {
        i = next_chosen(choice, first, i);
        j = next_chosen(choice, other, j);
        if (i == first->nmembers && j == other->nmembers)
            return;
        const struct tg_bound_member *a = &first->member[i], *b = &other->member[j];
        int order = i == first->nmembers   ? 1
                    : j == other->nmembers ? -1
                    : first->key && other->key ? 0 /* whatever the two are called */
                                           : strcmp(a->name, b->name);
        if (order < 0)
            tell_missing(other, first, a->name, other->pointer, report);
        else if (order > 0)
            tell_missing(first, other, b->name, other->pointer, report);
        else if (has_same_shape(&a->mat, &b->mat))
            continue;
        else
            tg_fault_add_value(report, TG_INVALID, other->pointer,
                               tg_mat_shape_text(&b->mat, is, sizeof(is)),
                               tg_mat_shape_text(&a->mat, was, sizeof(was)),
                               "`%.60s` has the shape %s in `%.40s`, but %s in `%.40s`.",
                               *a->name ? a->name : "The array", is, other->name, was,
                               first->name);
        return;
    }
}

/* A slip in a pattern would change the result in silence. */
void pca_check_pattern(const char *pattern, const char *pointer, const struct tg_bound *first,
                       struct tg_report *report)
{
    for (size_t i = 0; i < first->nmembers; i++)
        if (tg_pattern_matches(pattern, first->member[i].name))
            return;
    const char **names = malloc((first->nmembers + 1) * sizeof(*names));
    if (!names) {
        tg_fault_add(report, TG_NOMEM, pointer, "There is no memory for the names.");
        return;
    }
    for (size_t i = 0; i < first->nmembers; i++)
        names[i] = first->member[i].name;
    tg_fault_unknown(report, pointer, "tensor", pattern, names, first->nmembers);
    free(names);
}

static void check_patterns(const struct tg_string_list *patterns, const char *parameter,
                           const struct tg_bound *first, struct tg_report *report)
{
    char pointer[TG_POINTER_SIZE];
    for (size_t i = 0; i < patterns->n; i++)
        pca_check_pattern(patterns->v[i], tg_pointer_index(pointer, parameter, i), first,
                          report);
}

static int64_t count_coordinates(const struct choice *choice, int64_t *ntensors)
{
    const struct tg_bound *first = choice->first;
    int64_t n = 0;
    *ntensors = 0;
    for (size_t i = next_chosen(choice, first, 0); i < first->nmembers;
         i = next_chosen(choice, first, i + 1)) {
        n += tg_mat_count(&first->member[i].mat);
        *ntensors += tg_mat_count(&first->member[i].mat) > 0;
    }
    return n;
}

static void check_tensors(const struct tg_job_input *points, const struct pca_params *p,
                          struct tg_report *report)
{
    struct choice choice;
    int64_t ntensors;
    if (choose(p, &points->array[0], &choice)) {
        tg_fault_add(report, TG_NOMEM, NULL, "There is no memory for the choice of tensors.");
        return;
    }
    if (!count_coordinates(&choice, &ntensors))
        tg_fault_add(report, TG_INVALID, points->array[0].pointer,
                     "`%.40s` holds no floating-point numbers of those that `tensors` and "
                     "`exclude` choose.",
                     points->array[0].name);
    for (size_t i = 1; i < points->n && !report->count; i++)
        compare(&choice, &points->array[i], report);
    free(choice.asked);
}

static void check_labels(const struct tg_job_input *points, struct tg_report *report)
{
    const struct tg_bound *first = &points->array[0];
    for (size_t i = 1; i < points->n; i++) {
        const struct tg_bound *bound = &points->array[i];
        if ((bound->step < 0) != (first->step < 0)) {
            tg_fault_add(report, TG_INVALID, bound->pointer,
                         "`%.40s` has %s `step` and `%.40s` has %s: give each checkpoint its "
                         "step, or none.",
                         bound->name, bound->step < 0 ? "no" : "a", first->name,
                         first->step < 0 ? "none" : "one");
            return;
        }
    }
}

static void check(const struct tg_job *job, struct tg_report *report)
{
    const struct pca_params *p = job->params;
    const struct tg_job_input *points = tg_job_input(job, "checkpoints");
    if (!points->n) {
        if (p->tensors.n || p->exclude.n || p->weights.n)
            tg_fault_add(report, TG_INVALID,
                         p->tensors.n   ? "/params/tensors"
                         : p->exclude.n ? "/params/exclude"
                                        : "/params/weights",
                         "Only `checkpoints` have tensors to choose from or to weigh.");
        return;
    }
    check_labels(points, report);
    check_patterns(&p->tensors, "/params/tensors", &points->array[0], report);
    check_patterns(&p->exclude, "/params/exclude", &points->array[0], report);
    pca_check_weights(p, &points->array[0], report);
    if (!report->count)
        check_tensors(points, p, report);
}

size_t pca_first_of_model(const struct tg_job_input *points, size_t i)
{
    const char *model = points->array[i].model;
    size_t first = 0;
    while (strcmp(points->array[first].model ? points->array[first].model : "",
                  model ? model : ""))
        first++;
    return first;
}

/* A file and the first one of its model. */
struct place {
    const struct tg_bound *file;
    size_t model;
};

/* Model by model, then by step; files of one step, or without any, as they were given. */
static int by_model_and_step(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int order = (x->model > y->model) - (x->model < y->model);
    if (!order)
        order = (x->file->step > y->file->step) - (x->file->step < y->file->step);
    return order ? order : (x->file > y->file) - (x->file < y->file);
}

void pca_extend_prefix(const char *before, const struct tg_bound *bound,
                       char prefix[TG_SHA256_HEX])
{
    const char *key = bound->key ? bound->key : "";
    char text[3 * TG_SHA256_HEX], digest[TG_SHA256_HEX];
    tg_sha256_hex(key, strlen(key), digest);
    int n = snprintf(text, sizeof(text), "%s%s%s", before, bound->sha256, digest);
    tg_sha256_hex(text, (size_t)n, prefix);
}

/* What tg_walk_data points into. */
struct tables {
    struct place *place;
    const struct tg_bound **file;
    int64_t *first, *run, nruns;
    struct tg_walk_tensor *tensor;
    const struct tg_mat **mat;
    const char **prefix;
    char (*digest)[TG_SHA256_HEX];
};

static bool allocate(struct tg_arena *arena, size_t nfiles, size_t ntensors,
                     struct tables *tables)
{
    tables->place = tg_arena_alloc(arena, nfiles, sizeof(*tables->place));
    tables->file = tg_arena_alloc(arena, nfiles, sizeof(*tables->file));
    tables->run = tg_arena_alloc(arena, nfiles + 1, sizeof(*tables->run));
    tables->first = tg_arena_alloc(arena, nfiles + 1, sizeof(*tables->first));
    tables->tensor = tg_arena_alloc(arena, ntensors, sizeof(*tables->tensor));
    tables->mat = tg_arena_alloc(arena, nfiles * ntensors, sizeof(*tables->mat));
    tables->prefix = tg_arena_alloc(arena, nfiles, sizeof(*tables->prefix));
    tables->digest = tg_arena_alloc(arena, nfiles, sizeof(*tables->digest));
    return !tg_arena_failed(arena);
}

/* An empty tensor has no coordinates, and is none of the walk's. */
static void fill_tensors(const struct choice *choice, struct tables *tables)
{
    const struct tg_bound *first = choice->first;
    struct tg_walk_tensor *to = tables->tensor;
    for (size_t i = next_chosen(choice, first, 0); i < first->nmembers;
         i = next_chosen(choice, first, i + 1)) {
        const struct tg_bound_member *member = &first->member[i];
        if (tg_mat_count(&member->mat))
            *to++ = (struct tg_walk_tensor){.name = member->name,
                                            .index = (int64_t)i,
                                            .n = tg_mat_count(&member->mat),
                                            .weight = pca_weight_of(choice->params,
                                                                    member->name)};
    }
}

static void fill_file(const struct choice *choice, size_t f, size_t ntensors,
                      struct tables *tables)
{
    const struct tg_bound *bound = tables->file[f];
    const struct tg_mat **to = tables->mat + f * ntensors;
    for (size_t i = next_chosen(choice, bound, 0); i < bound->nmembers;
         i = next_chosen(choice, bound, i + 1))
        if (tg_mat_count(&bound->member[i].mat))
            *to++ = &bound->member[i].mat;
    tables->first[f + 1] = (int64_t)f + 1;
    tables->prefix[f] = tables->digest[f];
    pca_extend_prefix(f ? tables->digest[f - 1] : "", bound, tables->digest[f]);
}

static void fill(const struct choice *choice, const struct tg_job_input *points,
                 size_t ntensors, struct tables *tables)
{
    struct place *place = tables->place;
    for (size_t i = 0; i < points->n; i++)
        place[i] = (struct place){&points->array[i], pca_first_of_model(points, i)};
    qsort(place, points->n, sizeof(*place), by_model_and_step);
    tables->nruns = 0;
    for (size_t i = 0; i < points->n; i++) {
        tables->file[i] = place[i].file;
        if (!i || place[i].model != place[i - 1].model)
            tables->run[tables->nruns++] = (int64_t)i;
    }
    tables->run[tables->nruns] = (int64_t)points->n;
    fill_tensors(choice, tables);
    for (size_t i = 0; i < points->n; i++)
        fill_file(choice, i, ntensors, tables);
}

enum tg_err pca_collect_checkpoints(struct pca_work *work, struct tg_arena *arena)
{
    const struct tg_job_input *points = tg_job_input(work->job, "checkpoints");
    struct choice choice;
    struct tables tables;
    int64_t ntensors, nfiles = (int64_t)points->n;
    TG_TRY(choose(work->params, &points->array[0], &choice));
    int64_t d = count_coordinates(&choice, &ntensors);
    bool room = allocate(arena, points->n, (size_t)ntensors, &tables);
    if (room)
        fill(&choice, points, (size_t)ntensors, &tables);
    free(choice.asked);
    if (!room)
        return TG_NOMEM;
    work->file = tables.file;
    work->data = (struct tg_walk_data){.t = nfiles,
                                       .d = d,
                                       .ntensors = ntensors,
                                       .tensor = tables.tensor,
                                       .nfiles = nfiles,
                                       .first = tables.first,
                                       .mat = tables.mat,
                                       .nruns = tables.nruns,
                                       .run = tables.run,
                                       .prefix = tables.prefix};
    return TG_OK;
}

/* The part -------------------------------------------------------------------- */

enum { LEFT_OUT_TOLD = 6 };

static void add_name(const char *name, const char *dtype, size_t count, char *text, size_t room)
{
    size_t used = strlen(text);
    char shown[60];
    if (count < LEFT_OUT_TOLD)
        snprintf(text + used, room - used, "%s%s (%.20s)", count ? ", " : "",
                 tg_utf8_copy(shown, sizeof(shown), name), dtype);
    else if (count == LEFT_OUT_TOLD)
        snprintf(text + used, room - used, ", ...");
}

/* Step counters are no weights, and numbers of a format that is not read cannot be used. */
static void warn_of_left_out(const struct pca_work *work, struct tg_result *result)
{
    const struct tg_bound *first = &tg_job_input(work->job, "checkpoints")->array[0];
    char text[LEFT_OUT_TOLD * 90 + 8] = "";
    size_t count = 0;
    for (size_t i = 0; i < first->nmembers; i++) {
        const struct tg_bound_member *member = &first->member[i];
        if (!is_weight(&member->mat) && is_asked_for(work->params, member->name))
            add_name(member->name, tg_dtype_name(member->mat.dtype), count++, text,
                     sizeof(text));
    }
    for (size_t i = 0; i < first->nskipped; i++)
        if (is_asked_for(work->params, first->skipped[i].name))
            add_name(first->skipped[i].name, first->skipped[i].dtype, count++, text,
                     sizeof(text));
    if (count)
        tg_result_warn(result, "tensors-left-out",
                       "Only float16, bfloat16, float32 and float64 tensors are points' "
                       "coordinates; left out: %s.",
                       text);
}

bool pca_has_steps(const struct pca_work *work)
{
    return work->file && work->file[0]->step >= 0;
}

static enum tg_err prepare(struct pca_work *work, size_t place, struct tg_arena *arena,
                           struct tg_cost *cost)
{
    (void)cost;
    if (pca_has_steps(work))
        work->state[place] =
            tg_arena_alloc(arena, (size_t)work->cost.points, sizeof(double));
    return TG_OK;
}

static enum tg_err finish(const struct pca_work *work, size_t place, const struct tg_ctx *ctx,
                          struct tg_result *result)
{
    const struct tg_pca *pca = &work->pca;
    double *step = work->state[place];
    (void)ctx;
    if (work->file)
        warn_of_left_out(work, result);
    if (!step)
        return TG_OK;
    for (int64_t i = 0; i < pca->t; i++)
        step[i] = (double)work->file[pca->point[i]]->step;
    tg_result_array_f64(result, "step", step, 1, &pca->t);
    return TG_OK;
}

const struct pca_part pca_checkpoints_part = {
    .check = check, .prepare = prepare, .finish = finish};
