/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Blocks of columns out of files of points. */
#include "pca/data.h"

#include <string.h>

void tg_walk_of_array(struct tg_walk_array *array, const struct tg_mat *mat)
{
    int64_t t = mat->shape[0], d = mat->shape[1];
    array->tensor = (struct tg_walk_tensor){.name = "", .n = d, .weight = 1};
    array->own = *mat;
    array->mat = &array->own;
    array->first[0] = 0;
    array->first[1] = t;
    array->data = (struct tg_walk_data){.t = t,
                                        .d = d,
                                        .ntensors = 1,
                                        .tensor = &array->tensor,
                                        .nfiles = 1,
                                        .first = array->first,
                                        .mat = &array->mat,
                                        .nruns = 1,
                                        .run = array->first};
}

int64_t tg_walk_file(const struct tg_walk_data *data, int64_t row)
{
    int64_t low = 0, high = data->nfiles;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (data->first[middle] <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* A single point as one row, where its numbers lie one after the other. */
static bool flatten(struct tg_mat *mat)
{
    int64_t n = 1;
    for (int i = mat->ndim - 1; i >= 0; i--) {
        if (mat->shape[i] != 1 && mat->stride[i] != n)
            return false;
        n *= mat->shape[i];
    }
    mat->ndim = 2;
    mat->shape[0] = 1;
    mat->shape[1] = mat->stride[0] = n;
    mat->stride[1] = 1;
    return true;
}

#define DEFINE_READ(name, real, read)                                                    \
    void name(const struct tg_walk_data *data, int64_t tensor, int64_t row,              \
              int64_t nrows, int64_t col, int64_t ncols, real *out, size_t ld)           \
    {                                                                                    \
        int64_t file = tg_walk_file(data, row);                                          \
        for (int64_t end = row + nrows, n; row < end; row += n, out += (size_t)n * ld) { \
            int64_t first = data->first[file], rows = data->first[file + 1] - first;     \
            struct tg_mat mat = *data->mat[file++ * data->ntensors + tensor];             \
            n = first + rows < end ? first + rows - row : end - row;                     \
            if (rows > 1 || flatten(&mat)) {                                             \
                read(&mat, row - first, n, col, ncols, out, ld);                         \
                continue;                                                                \
            }                                                                            \
            for (int64_t j = 0; j < ncols; j++)                                          \
                out[j] = (real)tg_mat_at(&mat, col + j);                                 \
        }                                                                                \
    }

DEFINE_READ(tg_walk_read_f64, double, tg_mat_read_f64)
DEFINE_READ(tg_walk_read_f32, float, tg_mat_read_f32)

bool tg_walk_is_single(const struct tg_walk_data *data, int64_t tensor)
{
    for (int64_t f = 0; f < data->nfiles; f++) {
        enum tg_dtype dtype = data->mat[f * data->ntensors + tensor]->dtype;
        if (dtype != TG_F32 && dtype != TG_F16 && dtype != TG_BF16)
            return false;
    }
    return true;
}

double tg_walk_column_bytes(const struct tg_walk_data *data, int64_t tensor)
{
    double bytes = 0;
    for (int64_t f = 0; f < data->nfiles; f++)
        bytes += (double)(data->first[f + 1] - data->first[f]) *
                 (double)tg_dtype_size(data->mat[f * data->ntensors + tensor]->dtype);
    return bytes;
}
