/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Results: what a kind's run() fills, and every representation of it.
 *
 * DESIGN. run() puts values (JSON), arrays (views into the job's arena), figures
 * (Vega-Lite specifications) and warnings. tg_result_document() makes the one JSON document
 * that is stored; arrays are stored beside it as npy bytes under their digest. All other
 * representations are made from the document and those bytes.
 */
#ifndef TG_PROTO_RESULT_H
#define TG_PROTO_RESULT_H

#include <jansson.h>

#include "core/err.h"
#include "core/mat.h"
#include "proto/buf.h"
#include "proto/digest.h"
#include "proto/job.h"

enum {
    TG_RESULT_INLINE_MAX = 1000, /* arrays up to this many numbers also come inline */
    TG_WARNING_MAX = 600         /* bytes of a warning */
};

struct tg_result_array { char *name; struct tg_mat mat; };
struct tg_result_figure { char *name; char *title; json_t *spec; };

struct tg_result {
    json_t *values;   /* object */
    json_t *quality;  /* object without "warnings" */
    json_t *warnings; /* array of {code, message} */
    struct tg_result_array *array;
    size_t narrays;
    struct tg_result_figure *figure;
    size_t nfigures;
    bool failed;      /* an addition ran out of memory */
};

/* TG_NOMEM or TG_OK. */
TG_MUST_CHECK enum tg_err tg_result_init(struct tg_result *result);
void tg_result_release(struct tg_result *result);

/* Additions. A NaN or infinite real becomes null plus a warning "non-finite". */
void tg_result_real(struct tg_result *result, const char *name, double x);
void tg_result_int(struct tg_result *result, const char *name, int64_t x);
void tg_result_text(struct tg_result *result, const char *name, const char *text);
void tg_result_value(struct tg_result *result, const char *name, json_t *value); /* steals */
void tg_result_reals(struct tg_result *result, const char *name, const double *x, size_t n);
/* A table as a list of flat objects is a value too: tg_result_value with an array. */
void tg_result_quality_real(struct tg_result *result, const char *name, double x);
void tg_result_quality_int(struct tg_result *result, const char *name, int64_t x);
void tg_result_quality_text(struct tg_result *result, const char *name, const char *text);
void tg_result_quality_value(struct tg_result *result, const char *name, json_t *value);
void tg_result_warn(struct tg_result *result, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* `data` is C order and must live as long as the result (the job's arena); name is copied. */
void tg_result_array_f64(struct tg_result *result, const char *name, const double *data,
                         int ndim, const int64_t *shape);
void tg_result_array_f32(struct tg_result *result, const char *name, const float *data,
                         int ndim, const int64_t *shape);
/* Steals spec (a Vega-Lite object from proto/figure.h). */
void tg_result_figure(struct tg_result *result, const char *name, const char *title,
                      json_t *spec);

bool tg_result_failed(const struct tg_result *result);

/*
 * The result document without hrefs: {kind, values, arrays {name: {dtype, shape, sha256,
 * bytes, data? (inline numbers, null for non-finite, with "nonfinite": [indices])}},
 * figures {name: {title, spec}}, quality {..., warnings}, provenance}. `digests[i]` is the
 * digest of array i's npy bytes. `provenance` is borrowed. New reference, NULL without memory.
 */
json_t *tg_result_document(const struct tg_result *result, const struct tg_kind *kind,
                           const char (*digests)[TG_SHA256_HEX], json_t *provenance);

/*
 * A document as sent, from the text of tg_json_write(): "arrays" and "figures" get hrefs below
 * `base` ("/v1/jobs/ID/result"), figure specs are left out.
 */
void tg_result_public(const char *document, const char *base, struct tg_buf *out);

/* The document as an aligned table that reads well in a terminal. */
void tg_result_text_write(const json_t *document, struct tg_buf *out);
/* Scalars and tables as csv. Each table value starts with a line "# name". */
void tg_result_csv_write(const json_t *document, struct tg_buf *out);

#endif
