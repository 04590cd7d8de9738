/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * JSON bodies: number arrays straight into doubles, the rest to jansson.
 *
 * DESIGN. jansson builds a 40-byte node a number; a body of a million numbers would cost
 * 40 MB and a third of a second. The scanner walks the text once. Every maximal rectangular
 * nested array of numbers inside the top-level member "inputs" is read into one block of
 * doubles and stands in the envelope as {"$tangentd:array": i}; an array that is not
 * rectangular or holds anything else stays an ordinary JSON array (of blocks, perhaps).
 * Numbers are bit-equal to strtod in the C locale. Depth and the number of values outside
 * the blocks are limited before jansson sees them, so a body cannot take much more memory
 * than it has bytes.
 */
#ifndef TG_PROTO_JSON_H
#define TG_PROTO_JSON_H

#include <jansson.h>

#include "core/err.h"
#include "core/mat.h"

#define TG_JSON_ARRAY_KEY "$tangentd:array"
enum { TG_JSON_MAX_DEPTH = 32, TG_JSON_MAX_VALUES = 250000 };

struct tg_json_array {
    const double *data; /* C order, inside the body's `numbers` */
    int ndim;
    int64_t shape[TG_MAX_NDIM];
};

struct tg_json_body {
    json_t *root; /* the envelope, always an object */
    struct tg_json_array *array;
    size_t narrays;
    double *numbers; /* all blocks, one behind the other, in one allocation */
};

/*
 * Parse `n` bytes. At most `max_numbers` numbers are kept in blocks. TG_BAD_JSON with line
 * and column in the report's detail; TG_BODY_TOO_LARGE over max_numbers or
 * TG_JSON_MAX_VALUES; TG_NOMEM. Duplicate keys, NUL, non-UTF-8, trailing text, a top level
 * that is no object, a member name that begins with "$tangentd", numbers that overflow to
 * infinity, and integers beyond 64 bits outside the blocks are errors.
 */
TG_MUST_CHECK enum tg_err tg_json_body_parse(const char *text, size_t n, size_t max_numbers,
                                             struct tg_json_body *body,
                                             struct tg_report *report);
void tg_json_body_release(struct tg_json_body *body);

/* Any other JSON object under the same rules and limits, numbers and all to jansson. */
TG_MUST_CHECK enum tg_err tg_json_parse(const char *text, size_t n, json_t **root,
                                        struct tg_report *report);

/* The block a placeholder stands for, or NULL when `value` is not a placeholder. */
const struct tg_json_array *tg_json_body_array(const struct tg_json_body *body,
                                               const json_t *value);

/* One JSON number at p (p < end); returns the byte after it or NULL. Bit-equal to strtod. */
const char *tg_json_scan_number(const char *p, const char *end, double *out);

#endif
