/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sample ids: that row i of one layer is row i of the others.
 *
 * DESIGN. Activations saved by two runs in two orders give scores near the null and look
 * like a finding. Ids that come along are compared row by row, and the first row that
 * differs is named.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/kinds/svcca_kind.h"

/* An id; 64 bits of mantissa hold integers of 64 bits, often hashes, exactly. */

static long double id_at(const struct tg_mat *mat, int64_t i)
{
    if (mat->dtype != TG_I64 && mat->dtype != TG_U64)
        return tg_mat_at(mat, i);
    uint64_t bits;
    memcpy(&bits, (const char *)mat->data + i * mat->stride[0] * (int64_t)sizeof(bits),
           sizeof(bits));
    if (mat->swapped)
        bits = __builtin_bswap64(bits);
    return mat->dtype == TG_I64 ? (long double)(int64_t)bits : (long double)bits;
}

/* Integers whole, others with the digits of a double. */
static void print_id(const struct tg_mat *mat, int64_t i, char *text, size_t size)
{
    long double x = id_at(mat, i);
    snprintf(text, size, "%.*Lg", x == floorl(x) ? 20 : 17, x);
}

static int by_id(const void *a, const void *b)
{
    long double x, y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

/* The ids in ascending order, to be freed; NULL without memory. */
static long double *sorted(const struct tg_mat *mat)
{
    int64_t n = mat->shape[0];
    long double *list = calloc((size_t)n, sizeof(*list));
    for (int64_t i = 0; list && i < n; i++)
        list[i] = id_at(mat, i);
    if (list)
        qsort(list, (size_t)n, sizeof(*list), by_id);
    return list;
}

/* Whether both are the same ids, in whatever order. */
static bool is_reordered(const struct tg_mat *a, const struct tg_mat *b)
{
    long double *x = sorted(a), *y = sorted(b);
    bool same = x && y;
    for (int64_t i = 0; same && i < a->shape[0]; i++)
        same = x[i] == y[i];
    free(x);
    free(y);
    return same;
}

static void refuse_row(const struct tg_bound *ids, const struct tg_bound *first, int64_t row,
                       struct tg_report *report)
{
    char got[64], wanted[64];
    print_id(&ids->mat, row, got, sizeof(got));
    print_id(&first->mat, row, wanted, sizeof(wanted));
    tg_fault_add_value(report, TG_INVALID, ids->pointer, got, wanted,
                       "Row %" PRId64 " of \"%s\" is sample %s, and row %" PRId64
                       " of \"%s\" is %s. %s",
                       row, ids->name, got, row, first->name, wanted,
                       is_reordered(&ids->mat, &first->mat)
                           ? "Both hold the same samples in another order: sort one of them."
                           : "They are not the same samples.");
}

/* The layer that the ids are of; NULL, with a fault, when there is none. */
static const struct tg_bound *layer_of(const struct tg_job *job, const struct tg_bound *ids,
                                       struct tg_report *report)
{
    const char *name;
    const struct tg_bound *layer = svcca_layer(job, 0, &name);
    for (size_t i = 0; layer; layer = svcca_layer(job, ++i, &name))
        if (!strcmp(name, ids->name))
            return layer;
    tg_fault_add_value(report, TG_INVALID, ids->pointer, ids->name, "the name of a layer",
                       "There is no layer \"%s\" that these ids could be of; give "
                       "`sample_ids` as an object with the names of layers.",
                       ids->name);
    return NULL;
}

static bool fits(const struct tg_bound *ids, const struct tg_bound *layer,
                 struct tg_report *report)
{
    char got[80], allowed[80];
    if (ids->mat.shape[0] == layer->mat.shape[0])
        return true;
    snprintf(got, sizeof(got), "%" PRId64 " ids", ids->mat.shape[0]);
    snprintf(allowed, sizeof(allowed), "%" PRId64 " ids", layer->mat.shape[0]);
    tg_fault_add_value(report, TG_INVALID, ids->pointer, got, allowed,
                       "Every sample needs an id: layer \"%s\" has %" PRId64
                       " samples, and there are %s.",
                       ids->name, layer->mat.shape[0], got);
    return false;
}

void svcca_check_ids(const struct tg_job *job, struct tg_report *report)
{
    const struct tg_job_input *input = tg_job_input(job, "sample_ids");
    const struct tg_bound *first = NULL;
    for (size_t k = 0; k < input->n; k++) {
        const struct tg_bound *ids = &input->array[k];
        const struct tg_bound *layer = layer_of(job, ids, report);
        if (!layer || !fits(ids, layer, report) || !ids->mat.data)
            continue; /* without data it is too early to look into a compressed file */
        if (!first)
            first = ids;
        if (ids->mat.shape[0] != first->mat.shape[0])
            continue; /* their layers were refused for that */
        int64_t row = 0, n = ids->mat.shape[0];
        while (row < n && id_at(&ids->mat, row) == id_at(&first->mat, row))
            row++;
        if (row < n)
            refuse_row(ids, first, row, report);
    }
}
