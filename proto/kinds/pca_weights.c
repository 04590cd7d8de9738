/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Weights of tensors: "pattern=weight", of which the last whose pattern matches holds. */
#include "proto/kinds/pca_kind.h"

#include <stdio.h>
#include <string.h>

#include "proto/fault.h"
#include "proto/json.h"
#include "proto/pattern.h"

enum { PATTERN_SIZE = 201 }; /* of the parameter `weights` */
static const double smallest = 1e-30, largest = 1e30;

/* Of "pattern=weight"; false when it is none. Names may have a `=` of their own. */
static bool read_weight(const char *text, char pattern[PATTERN_SIZE], double *weight)
{
    const char *equals = strrchr(text, '='), *end = text + strlen(text);
    if (!equals || tg_json_scan_number(equals + 1, end, weight) != end)
        return false;
    snprintf(pattern, PATTERN_SIZE, "%.*s", (int)(equals - text), text);
    return *weight >= smallest && *weight <= largest;
}

double pca_weight_of(const struct pca_params *p, const char *name)
{
    char pattern[PATTERN_SIZE];
    double weight;
    for (size_t i = p->weights.n; i-- > 0;)
        if (read_weight(p->weights.v[i], pattern, &weight) &&
            tg_pattern_matches(pattern, name))
            return weight;
    return 1;
}

void pca_check_weights(const struct pca_params *p, const struct tg_bound *first,
                       struct tg_report *report)
{
    char pattern[PATTERN_SIZE], pointer[TG_POINTER_SIZE];
    double weight;
    for (size_t i = 0; i < p->weights.n; i++) {
        tg_pointer_index(pointer, "/params/weights", i);
        if (read_weight(p->weights.v[i], pattern, &weight))
            pca_check_pattern(pattern, pointer, first, report);
        else
            tg_fault_add_value(report, TG_INVALID, pointer, p->weights.v[i],
                               "\"pattern=weight\", weight from 1e-30 to 1e30",
                               "A weight is written \"pattern=weight\", as in \"*.bias=0.5\"; "
                               "what is to have none is left out with `exclude`.");
    }
}
