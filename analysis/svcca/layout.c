/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Layouts: which axis of an array is what. */
#include "svcca/layout.h"

/* Axis 0 is the samples, `unit` the units, and the others the positions, in order. */
static const struct {
    const char *axes;
    int ndim, unit;
} layouts[TG_LAYOUTS] = {
    [TG_LAYOUT_ND] = {"(samples, units)", 2, 1},
    [TG_LAYOUT_NTD] = {"(samples, steps, units)", 3, 2},
    [TG_LAYOUT_NCHW] = {"(samples, channels, height, width)", 4, 1},
    [TG_LAYOUT_NHWC] = {"(samples, height, width, channels)", 4, 3},
};

const char *tg_layout_axes(enum tg_layout layout)
{
    return layouts[layout].axes;
}

/* The axis of the units; 0 when the array is not of this layout. */
static int unit_axis(const struct tg_mat *array, enum tg_layout layout)
{
    if (array->ndim == 2)
        return 1;
    return array->ndim == layouts[layout].ndim ? layouts[layout].unit : 0;
}

bool tg_layout_places(const struct tg_mat *array, enum tg_layout layout,
                      struct tg_places *places)
{
    int unit = unit_axis(array, layout);
    if (!unit)
        return false;
    *places = (struct tg_places){.n = array->shape[0],
                                 .h = 1,
                                 .w = 1,
                                 .units = array->shape[unit],
                                 .units_last = unit == array->ndim - 1};
    for (int i = 1; i < array->ndim; i++)
        if (i != unit) {
            places->h *= places->w;
            places->w = array->shape[i];
        }
    return true;
}

bool tg_layout_fold(const struct tg_mat *array, enum tg_layout layout,
                    enum tg_reduction reduction, struct tg_fold *fold,
                    struct tg_mat *view)
{
    int unit = unit_axis(array, layout);
    if (!unit)
        return false;
    unsigned positions = ((1u << array->ndim) - 1) & ~1u & ~(1u << unit);
    return tg_fold_init(fold, array, reduction == TG_SAMPLES ? 1u | positions : 1u,
                        reduction == TG_MEAN ? positions : 0, view);
}
