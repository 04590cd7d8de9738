/* SPDX-License-Identifier: GPL-3.0-or-later */
/* RFC 9457 problem documents from a report. */
#ifndef TG_PROTO_PROBLEM_H
#define TG_PROTO_PROBLEM_H

#include <jansson.h>

#include "core/err.h"

enum { TG_PROBLEM_INSTANCE_MAX = 256 };

/*
 * {type: "/v1/problems/slug", title, status, detail, instance, errors: [{pointer, detail,
 * got, allowed}]}; "errors" only when there are faults with detail, empty members left out.
 * `report` may be NULL. New reference, NULL without memory.
 */
json_t *tg_problem(enum tg_err err, const struct tg_report *report, const char *instance);
/* The same with type, title and status only, as text: always there. */
const char *tg_problem_plain(enum tg_err err);

#endif
