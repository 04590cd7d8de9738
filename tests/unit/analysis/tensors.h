/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Points in one array, cut into tensors by columns. */
#ifndef TG_TESTS_TENSORS_H
#define TG_TESTS_TENSORS_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "pca/data.h"
#include "../suite.h"

enum { MOST_TENSORS = 3 };

struct points {
    struct tg_walk_data data;
    struct tg_walk_tensor tensor[MOST_TENSORS];
    struct tg_mat own[MOST_TENSORS];
    const struct tg_mat *mat[MOST_TENSORS];
    int64_t ends[2];
    void *x;
};

/* tensor[i].n and weight are set. */
static inline void cut(struct points *points, int64_t t, int ntensors, bool single)
{
    size_t size = single ? sizeof(float) : sizeof(double), at = 0;
    int64_t d = 0;
    for (int i = 0; i < ntensors; i++) {
        points->tensor[i].name = (const char *[]){"a", "b", "c"}[i];
        points->tensor[i].index = i;
        d += points->tensor[i].n;
    }
    for (int i = 0; i < ntensors; i++) {
        struct tg_mat *mat = &points->own[i];
        ck_assert(tg_mat_init(mat, (char *)points->x + at * size, single ? TG_F32 : TG_F64, 2,
                              (int64_t[]){t, points->tensor[i].n}, false));
        mat->stride[0] = d;
        points->mat[i] = mat;
        at += (size_t)points->tensor[i].n;
    }
    points->ends[1] = t;
    points->data = (struct tg_walk_data){.t = t,
                                         .d = d,
                                         .ntensors = ntensors,
                                         .tensor = points->tensor,
                                         .nfiles = 1,
                                         .first = points->ends,
                                         .mat = points->mat,
                                         .nruns = 1,
                                         .run = points->ends};
}

static inline double number(FILE *file)
{
    double x = NAN;
    ck_assert_int_eq(fscanf(file, "%lf", &x), 1);
    return x;
}

/* The tensors' sizes and weights, and then the rows, as golden files have them. */
static inline void read_points(FILE *file, int64_t t, int ntensors, bool single,
                               struct points *points)
{
    int64_t d = 0;
    *points = (struct points){.x = NULL};
    for (int i = 0; i < ntensors; i++) {
        points->tensor[i].n = (int64_t)number(file);
        points->tensor[i].weight = number(file);
        d += points->tensor[i].n;
    }
    points->x = calloc((size_t)(t * d), sizeof(double));
    ck_assert_ptr_nonnull(points->x);
    for (int64_t i = 0; i < t * d; i++)
        if (single)
            ((float *)points->x)[i] = (float)number(file);
        else
            ((double *)points->x)[i] = number(file);
    cut(points, t, ntensors, single);
}

#endif
