/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Decoding with a kind table of the caller's choice; proto/job.h decodes with tg_kinds. */
#ifndef TG_PROTO_DECODE_H
#define TG_PROTO_DECODE_H

#include "proto/job.h"

struct tg_kind_list {
    const struct tg_kind *const *kind;
    size_t n;
};

TG_MUST_CHECK enum tg_err tg_request_decode_with(const struct tg_kind_list *kinds,
                                                 const char *body, size_t n,
                                                 const struct tg_decode_limits *limits,
                                                 struct tg_request_spec *spec,
                                                 struct tg_report *report);
TG_MUST_CHECK enum tg_err tg_request_from_canonical_with(const struct tg_kind_list *kinds,
                                                         const char *canonical,
                                                         struct tg_request_spec *spec,
                                                         struct tg_report *report);

#endif
