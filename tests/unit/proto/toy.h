/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A kind with every type of parameter and every form of input, and a store of a few files. */
#ifndef TG_TESTS_TOY_H
#define TG_TESTS_TOY_H

#include "proto/decode.h"

extern const struct tg_kind toy_kind;
extern const struct tg_kind_list toy_kinds;

struct toy_params {
    int64_t rank;
    double share;
    bool centre;
    int method;
    uint64_t measures;
    const char *label;
    struct tg_int_list sizes;
    struct tg_real_list weights;
    struct tg_string_list tags;
    double must; /* required */
};

enum tg_err toy_decode(const char *body, struct tg_request_spec *spec,
                       struct tg_report *report);
/* The fault at `pointer`, or NULL. */
const struct tg_fault *toy_fault(const struct tg_report *report, const char *pointer);

/* An opener over the blobs of a request and one more file (or NULL). Counts open files. */
struct toy_store {
    const struct tg_request_spec *spec;
    const void *bytes;
    size_t n;
    char sha256[TG_SHA256_HEX];
    int opened, closed;
};
struct tg_opener toy_opener(struct toy_store *store);

#endif
