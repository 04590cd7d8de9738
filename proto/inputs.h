/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inputs of a request: every form an array may come in, down to references and blobs. */
#ifndef TG_PROTO_INPUTS_H
#define TG_PROTO_INPUTS_H

#include "proto/job.h"
#include "proto/json.h"

/*
 * Fill spec->inputs and spec->blob from the member "inputs" (NULL: none) of `body`. Every
 * fault goes to `report` below the pointer "/inputs".
 */
void tg_inputs_decode(const struct tg_json_body *body, const json_t *inputs,
                      size_t max_inline_bytes, struct tg_request_spec *spec,
                      struct tg_report *report);

/* The references as JSON, sorted: the same text for the same arrays. */
void tg_inputs_write(const struct tg_request_spec *spec, struct tg_buf *out);

#endif
