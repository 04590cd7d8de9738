/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Parts of the job document, and its problem as the store keeps it. */
#ifndef TG_SERVER_JOB_TEXT_H
#define TG_SERVER_JOB_TEXT_H

#include <jansson.h>
#include <stdint.h>

#include "core/err.h"

/* {peak_bytes, flops, seconds}. New reference. */
json_t *tg_job_cost_json(uint64_t peak_bytes, double flops, double seconds);

/* The problem document of a job as text, malloc'ed; NULL without memory. */
char *tg_job_problem(const char *id, enum tg_err err, const struct tg_report *report);

#endif
