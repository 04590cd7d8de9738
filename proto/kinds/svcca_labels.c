/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: the class of each sample. */
#include "proto/kinds/svcca_kind.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

void svcca_tell_label(const struct tg_job *job, int64_t classes, int64_t row,
                      struct tg_report *report)
{
    const struct tg_bound *labels = tg_job_input(job, "labels")->array;
    char got[80], allowed[80];
    snprintf(got, sizeof(got), "%g at row %" PRId64, tg_mat_at(&labels->mat, row), row);
    snprintf(allowed, sizeof(allowed), "integers from 0 to %" PRId64, classes - 1);
    tg_fault_add_value(report, TG_INVALID, labels->pointer, got, allowed,
                       "Labels are the classes of samples, counted from 0: %s.", allowed);
}

void svcca_check_labels(const struct tg_job *job, int64_t classes, struct tg_report *report)
{
    const struct tg_bound *labels = tg_job_input(job, "labels")->array;
    struct tg_fold fold;
    struct tg_mat view;
    char got[80], allowed[80];
    if (!svcca_fold(job->params, &svcca_layer(job, 0, NULL)->mat, &fold, &view))
        return; /* told before */
    if (labels->mat.shape[0] != view.shape[0]) {
        snprintf(got, sizeof(got), "%" PRId64 " labels", labels->mat.shape[0]);
        snprintf(allowed, sizeof(allowed), "%" PRId64 " labels", view.shape[0]);
        tg_fault_add_value(report, TG_INVALID, labels->pointer, got, allowed,
                           "Every sample needs a label; these are %s.", got);
        return;
    }
    for (int64_t i = 0; labels->mat.data && i < labels->mat.shape[0]; i++) {
        double x = tg_mat_at(&labels->mat, i);
        if (x >= 0 && x < (double)classes && x == floor(x))
            continue;
        svcca_tell_label(job, classes, i, report);
        return;
    }
}
