/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The layers of a job, told apart by name, model and step, and which of them are compared. */
#include "proto/kinds/svcca_kind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALL, SAME_LAYER, FINAL, ACROSS_MODELS }; /* of the parameter `pairs` */

/* Room for "model/name@step" and "sha256:key layout reduction". */
static size_t room_of(const struct tg_bound *bound)
{
    size_t room = strlen(bound->name) + (bound->model ? strlen(bound->model) : 0) + 64;
    return room + sizeof(bound->sha256) + (bound->key ? strlen(bound->key) : 0) + 2;
}

/* "name", "name@step", "model/name@step" in at most `room` bytes. */
static void write_label(const struct tg_bound *bound, char *text, size_t room)
{
    const char *model = bound->model ? bound->model : "";
    int n = snprintf(text, room, "%s%s%s", model, *model ? "/" : "", bound->name);
    if (bound->step >= 0)
        snprintf(text + n, room - (size_t)n, "@%lld", (long long)bound->step);
}

bool svcca_is_same_model(const struct tg_bound *a, const struct tg_bound *b)
{
    return a->model && b->model ? !strcmp(a->model, b->model) : a->model == b->model;
}

bool svcca_is_same_entry(const struct tg_bound *a, const struct tg_bound *b)
{
    return !strcmp(a->name, b->name) && svcca_is_same_model(a, b) && a->step == b->step;
}

int64_t svcca_find(const struct tg_job *job, const struct tg_bound *entry)
{
    const struct tg_bound *layer;
    for (size_t i = 0; (layer = svcca_layer(job, i, NULL)); i++)
        if (svcca_is_same_entry(layer, entry))
            return (int64_t)i;
    return -1;
}

/* Whether b is the last step of what a is an earlier step of. */
static bool is_final_of(const struct svcca_work *work, const struct tg_bound *a,
                        const struct tg_bound *b)
{
    for (size_t i = 0; i < work->nlayers; i++) {
        const struct tg_bound *other = work->bound[i];
        if (!strcmp(other->name, b->name) && svcca_is_same_model(other, b) &&
            other->step > b->step)
            return false;
    }
    return !strcmp(a->name, b->name) && svcca_is_same_model(a, b) && a->step < b->step;
}

static bool is_compared(const struct svcca_work *work, size_t a, size_t b)
{
    const struct tg_bound *x = work->bound[a], *y = work->bound[b];
    switch (work->params->pairs) {
    case SAME_LAYER:
        return !strcmp(x->name, y->name);
    case FINAL:
        return is_final_of(work, x, y) || is_final_of(work, y, x);
    case ACROSS_MODELS:
        return !svcca_is_same_model(x, y);
    default:
        return true;
    }
}

static enum tg_err collect_pairs(struct svcca_work *work)
{
    size_t n = work->nlayers;
    struct tg_svcca_compared *list = malloc(n * (n - 1) / 2 * sizeof(*list));
    if (!list)
        return TG_NOMEM;
    work->compared = list;
    for (size_t a = 0; a < n; a++)
        for (size_t b = a + 1; b < n; b++)
            if (is_compared(work, a, b))
                *list++ = (struct tg_svcca_compared){(int64_t)a, (int64_t)b};
    work->options.compared = work->compared;
    work->options.ncompared = list - work->compared;
    return TG_OK;
}

enum tg_err svcca_collect(struct svcca_work *work)
{
    const struct tg_job_input *layers = tg_job_input(work->job, "layers");
    size_t n = layers->n ? layers->n : 2, room = 0;
    work->nlayers = n;
    work->layers = calloc(n, sizeof(*work->layers));
    work->bound = calloc(n, sizeof(*work->bound));
    work->fold = calloc(n, sizeof(*work->fold));
    work->places = calloc(n, sizeof(*work->places));
    if (!work->layers || !work->bound || !work->fold || !work->places)
        return TG_NOMEM;
    for (size_t i = 0; i < n; i++) {
        work->bound[i] = svcca_layer(work->job, i, &work->layers[i].name);
        const struct tg_mat *array = &work->bound[i]->mat;
        if (!svcca_fold(work->params, array, &work->fold[i], &work->layers[i].mat) ||
            !svcca_places(work->params, array, &work->places[i]))
            TG_BUG("a layer that check() would have refused");
        room += room_of(work->bound[i]);
    }
    char *text = work->text = malloc(room);
    if (!text)
        return TG_NOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct tg_bound *bound = work->bound[i];
        char *end = text + room_of(bound);
        write_label(bound, text, (size_t)(end - text));
        if (layers->n)
            work->layers[i].name = text;
        text += strlen(text) + 1;
        snprintf(text, (size_t)(end - text), "%s:%s %s %s", bound->sha256,
                 bound->key ? bound->key : "", svcca_layout_names[work->params->layout],
                 svcca_reduction_names[work->params->reduction]);
        work->layers[i].key = text;
        text = end;
    }
    return collect_pairs(work);
}

void svcca_release(struct svcca_work *work)
{
    free(work->layers);
    free(work->bound);
    free(work->fold);
    free(work->places);
    free(work->text);
    free(work->compared);
}

/* The first entry of the same model, or of the same name. */
static size_t first_of(const struct svcca_work *work, size_t index, bool by_model)
{
    const struct tg_bound *bound = work->bound[index];
    size_t i = 0;
    while (by_model ? !svcca_is_same_model(work->bound[i], bound)
                    : strcmp(work->bound[i]->name, bound->name) != 0)
        i++;
    return i;
}

static bool is_before(const struct svcca_work *work, size_t a, size_t b)
{
    size_t models[] = {first_of(work, a, true), first_of(work, b, true)};
    size_t names[] = {first_of(work, a, false), first_of(work, b, false)};
    if (models[0] != models[1])
        return models[0] < models[1];
    if (names[0] != names[1])
        return names[0] < names[1];
    return work->bound[a]->step < work->bound[b]->step;
}

bool svcca_order(const struct svcca_work *work, size_t *order)
{
    bool labelled = false;
    for (size_t i = 0; i < work->nlayers; i++) {
        size_t at = i;
        for (; at > 0 && is_before(work, i, order[at - 1]); at--)
            order[at] = order[at - 1];
        order[at] = i;
        labelled = labelled || work->bound[i]->model || work->bound[i]->step >= 0;
    }
    return labelled;
}

void svcca_check_grid(const struct tg_job *job, struct tg_report *report)
{
    static const char *const advice[] = {
        "", "No two entries have the same name; give each its `step` or `model`.",
        "No entry has a later `step` of the same name and model to be compared with.",
        "All entries are of one model; give each its `model`."};
    const struct tg_job_input *layers = tg_job_input(job, "layers");
    struct svcca_work work = {.job = job, .params = job->params};
    bool pair = tg_job_input(job, "a")->n && tg_job_input(job, "b")->n;
    if (layers->n < 2 && !pair)
        return; /* told before */
    if (work.params->pairs == ALL || report->count)
        return;
    enum tg_err err = svcca_collect(&work);
    if (err)
        tg_fault_add(report, err, "/params/pairs", "There is no memory for the list of pairs.");
    else if (work.options.ncompared == 0)
        tg_fault_add(report, TG_INVALID, "/params/pairs", "%s", advice[work.params->pairs]);
    svcca_release(&work);
}
