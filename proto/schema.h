/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Everything that is generated from the kind table: JSON Schema, descriptions,
 * documentation pages, terminal text, Python methods.
 */
#ifndef TG_PROTO_SCHEMA_H
#define TG_PROTO_SCHEMA_H

#include <jansson.h>

#include "proto/buf.h"
#include "proto/kind.h"

/* JSON Schema 2020-12 of one kind's whole job request. New references. */
json_t *tg_schema_job(const struct tg_kind *kind);
/* JSON Schema of the result document as sent. */
json_t *tg_schema_result(const struct tg_kind *kind);
/* JSON Schema of the member "params". */
json_t *tg_schema_params(const struct tg_kind *kind);
/* {name, version, title, summary, reference, params (schema), inputs, outputs, example,
 * schema (of the whole request)}. */
json_t *tg_kind_description(const struct tg_kind *kind);
/* {"schemas": {...}} for OpenAPI components: Problem, Job, JobList, Data, ... and each kind's. */
json_t *tg_schema_components(void);

void tg_kind_markdown(const struct tg_kind *kind, struct tg_buf *out); /* docs/kinds/NAME.md */
void tg_kind_help(const struct tg_kind *kind, struct tg_buf *out);     /* --describe NAME */
void tg_kinds_python(struct tg_buf *out); /* client/python/src/tangentd/_kinds.py */

#endif
