/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One array of a request in any of its forms, down to a reference. */
#ifndef TG_PROTO_INPUT_ARRAY_H
#define TG_PROTO_INPUT_ARRAY_H

#include "proto/job.h"
#include "proto/json.h"

struct tg_input_decoder {
    const struct tg_json_body *body;
    struct tg_request_spec *spec; /* where blobs go */
    struct tg_report *report;
    size_t room; /* bytes that may still come inline */
};

/* What an object that stands for an array may say beside its numbers. */
enum tg_entry {
    TG_ENTRY_BARE,    /* nothing */
    TG_ENTRY_LISTED,  /* "name" */
    TG_ENTRY_LABELLED /* "name", "model", "step" */
};

/*
 * Fill `ref` (its pointer is set) from a JSON value: numbers, {"sha256", "key"}, {"npy"};
 * an entry of a list also {"data"}. The names and labels an entry may have beside these are
 * passed over here.
 */
void tg_input_array(struct tg_input_decoder *d, const json_t *value, enum tg_entry entry,
                    struct tg_ref *ref);
/* The same from numbers. */
void tg_input_numbers(struct tg_input_decoder *d, const double *data, int ndim,
                      const int64_t *shape, struct tg_ref *ref);

void tg_input_fault(struct tg_input_decoder *d, const char *pointer, const json_t *value,
                    const char *allowed, const char *detail);
void tg_input_no_memory(struct tg_input_decoder *d, const char *pointer);

#endif
