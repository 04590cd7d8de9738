/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where the points of a trajectory lie: files of one or more points, each cut into tensors.
 *
 * DESIGN. A point is a vector of D coordinates: the tensors of a checkpoint one after the
 * other, each flattened in C order. One array of T points is one file of T rows with a single
 * tensor; a list of checkpoints is T files of one point each. Nothing is copied: views say
 * where the numbers are, and blocks of columns are read from them when they are wanted.
 */
#ifndef TG_PCA_DATA_H
#define TG_PCA_DATA_H

#include "core/mat.h"

struct tg_walk_tensor {
    const char *name;
    int64_t index; /* place among all tensors of its file */
    int64_t n;     /* coordinates */
    double weight; /* > 0: factor of its part in every squared distance */
};

struct tg_walk_data {
    int64_t t, d;                        /* points and coordinates in all */
    int64_t ntensors;
    const struct tg_walk_tensor *tensor; /* in order of index */
    int64_t nfiles;
    const int64_t *first;                /* nfiles + 1: file f has points first[f] .. first[f+1] */
    const struct tg_mat *const *mat;     /* nfiles x ntensors; rows x n, or one point's shape */
    int64_t nruns;
    const int64_t *run;                  /* nruns + 1: the first points of runs, and T */
    const char *const *prefix;           /* nfiles: a digest of files 0 .. f; NULL: keep nothing */
};

/* Storage for the data of one T x D array. */
struct tg_walk_array {
    struct tg_walk_data data;
    struct tg_walk_tensor tensor;
    struct tg_mat own;
    const struct tg_mat *mat;
    int64_t first[2];
};

/* Make `array` the view of one T x D array; array->data is valid while `array` stays put. */
void tg_walk_of_array(struct tg_walk_array *array, const struct tg_mat *mat);

/*
 * Rows [row, row + nrows) x columns [col, col + ncols) of a tensor as double (float), with
 * leading dimension ld.
 */
void tg_walk_read_f64(const struct tg_walk_data *data, int64_t tensor, int64_t row,
                      int64_t nrows, int64_t col, int64_t ncols, double *out, size_t ld);
void tg_walk_read_f32(const struct tg_walk_data *data, int64_t tensor, int64_t row,
                      int64_t nrows, int64_t col, int64_t ncols, float *out, size_t ld);

/* The file that holds a point. */
int64_t tg_walk_file(const struct tg_walk_data *data, int64_t row);

/* Whether single precision holds every number of a tensor. */
bool tg_walk_is_single(const struct tg_walk_data *data, int64_t tensor);

/* Bytes of one column of a tensor, over all points. */
double tg_walk_column_bytes(const struct tg_walk_data *data, int64_t tensor);

#endif
