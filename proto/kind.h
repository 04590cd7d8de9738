/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Job kinds: the one table from which everything about a kind is derived.
 *
 * DESIGN. A kind is a `struct tg_kind`: its parameters, inputs and outputs as rows, and
 * three functions. Decoding, validation, canonical form, JSON Schema, OpenAPI, help,
 * documentation, and the Python methods are made from the rows by generic code; nothing
 * else in the program branches on a kind. Rows check the C type of their field at compile
 * time. A new kind is a folder in analysis/, a file in proto/kinds/ and a line in
 * proto/kinds.def.
 */
#ifndef TG_PROTO_KIND_H
#define TG_PROTO_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/ctx.h"
#include "core/err.h"
#include "core/mat.h"

struct tg_job;
struct tg_result;

enum tg_param_type {
    TG_PARAM_INT,         /* int64_t */
    TG_PARAM_REAL,        /* double */
    TG_PARAM_BOOL,        /* bool */
    TG_PARAM_ENUM,        /* int: index into choices */
    TG_PARAM_ENUM_LIST,   /* uint64_t: bit set of choices, JSON array of distinct names */
    TG_PARAM_STRING,      /* const char *: in the job's arena; lo/hi bound the length */
    TG_PARAM_INT_LIST,    /* struct tg_int_list; lo/hi bound the entries */
    TG_PARAM_REAL_LIST,   /* struct tg_real_list */
    TG_PARAM_STRING_LIST  /* struct tg_string_list: in the job's arena; lo/hi bound the
                             length of each, TG_STRING_LIST_MAX their number */
};
enum { TG_STRING_LIST_MAX = 10000 };

struct tg_int_list { int64_t *v; size_t n; };
struct tg_real_list { double *v; size_t n; };
struct tg_string_list { const char **v; size_t n; };

struct tg_param {
    const char *name;
    enum tg_param_type type;
    size_t offset;
    double lo, hi;              /* inclusive range (INFINITY for none) */
    const char *def;            /* default as JSON text; NULL: required */
    const char *const *choices; /* NULL-terminated, for enums */
    const char *unit;           /* "" when it has none */
    const char *help;           /* one or two sentences */
};

/* Offset of `field` in `type`, a compile error unless the field has the C type `ctype`. */
#define TG_FIELD(type, ctype, field)                                                     \
    (offsetof(type, field) + 0 * sizeof((ctype const *)0 == &((const type *)0)->field))

#define TG_P_INT(type, field, lo, hi, def, unit, help)                                   \
    {#field, TG_PARAM_INT, TG_FIELD(type, int64_t, field), lo, hi, def, NULL, unit, help}
#define TG_P_REAL(type, field, lo, hi, def, unit, help)                                  \
    {#field, TG_PARAM_REAL, TG_FIELD(type, double, field), lo, hi, def, NULL, unit, help}
#define TG_P_BOOL(type, field, def, help)                                                \
    {#field, TG_PARAM_BOOL, TG_FIELD(type, bool, field), 0, 1, def, NULL, "", help}
#define TG_P_ENUM(type, field, choices, def, help)                                       \
    {#field, TG_PARAM_ENUM, TG_FIELD(type, int, field), 0, 0, def, choices, "", help}
#define TG_P_ENUM_LIST(type, field, choices, def, help)                                  \
    {#field, TG_PARAM_ENUM_LIST, TG_FIELD(type, uint64_t, field), 0, 0, def, choices, "", help}
#define TG_P_STRING(type, field, maxlen, def, help)                                      \
    {#field, TG_PARAM_STRING, TG_FIELD(type, const char *, field), 0, maxlen, def, NULL, "", help}
#define TG_P_INT_LIST(type, field, lo, hi, def, unit, help)                              \
    {#field, TG_PARAM_INT_LIST, TG_FIELD(type, struct tg_int_list, field), lo, hi, def,  \
     NULL, unit, help}
#define TG_P_REAL_LIST(type, field, lo, hi, def, unit, help)                             \
    {#field, TG_PARAM_REAL_LIST, TG_FIELD(type, struct tg_real_list, field), lo, hi, def, \
     NULL, unit, help}
#define TG_P_STRING_LIST(type, field, maxlen, def, help)                                 \
    {#field, TG_PARAM_STRING_LIST, TG_FIELD(type, struct tg_string_list, field), 1, maxlen, \
     def, NULL, "", help}

enum tg_input_flag {
    /*
     * Entries of the list may say of which `model` they are and at which training `step`
     * they were taken; name, model and step together tell two entries apart.
     */
    TG_INPUT_LABELLED = 1,
    /*
     * An entry is a whole file of tensors (a checkpoint), or one member of it where the
     * reference has a key. ndim_lo and ndim_hi bound each tensor; an empty one is let in.
     */
    TG_INPUT_MEMBERS = 2
};

struct tg_input {
    const char *name;
    bool list;            /* a list of (optionally named) arrays instead of one */
    bool required;        /* alternatives ("layers" or "a" and "b") are told by check() */
    size_t max_count;     /* of a list */
    int ndim_lo, ndim_hi;
    const char *shape;    /* symbols: "n,d" */
    const char *help;
    unsigned flags;       /* of enum tg_input_flag */
};

enum tg_output_where { TG_OUT_VALUE, TG_OUT_ARRAY, TG_OUT_FIGURE, TG_OUT_QUALITY };

struct tg_output {
    enum tg_output_where where;
    const char *name;
    const char *type;  /* values: a JSON type; arrays: "float64"; figures: "" */
    const char *shape; /* arrays: "L,L"; else "" */
    const char *help;
};

struct tg_cost {
    uint64_t peak_bytes;  /* arena high water of run() */
    double flops;
    double read_bytes;    /* bytes of input read */
    double seconds;       /* expected on one core of the reference rate; 0: from flops */
    char plan[512];       /* for people: the route chosen and why, whole sentences; "": none */
};

struct tg_kind {
    const char *name;
    int version;           /* part of the canonical form: raise it when results change */
    const char *title;
    const char *summary;   /* a paragraph */
    const char *reference; /* paper */
    const struct tg_param *params;
    size_t nparams;
    size_t params_size;    /* sizeof of the parameter struct */
    const struct tg_input *inputs;
    size_t ninputs;
    const struct tg_output *outputs;
    size_t noutputs;
    const char *example;   /* a complete job as JSON text */

    /* Faults that concern several fields or the shapes; may be NULL. Adds to `report`. */
    void (*check)(const struct tg_job *job, struct tg_report *report);
    /* The cost of run(); uses the same layout(). `lanes` as run() will have in ctx->lanes. */
    enum tg_err (*estimate)(const struct tg_job *job, unsigned lanes, struct tg_cost *cost);
    /* Run, and put values, arrays and figures into `result`. */
    enum tg_err (*run)(const struct tg_job *job, const struct tg_ctx *ctx,
                       struct tg_result *result);
};

/* The list of proto/kinds.def, sorted by name. */
extern const struct tg_kind *const tg_kinds[];
extern const size_t tg_nkinds;
const struct tg_kind *tg_kind_find(const char *name); /* NULL if unknown */

#endif
