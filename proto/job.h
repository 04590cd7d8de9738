/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Job requests: from a JSON body to a typed job, with every fault reported.
 *
 * DESIGN. Decoding has two steps so that proto knows no store. tg_request_decode() checks
 * the envelope and parameters and turns inline arrays into blobs (npy bytes plus digest)
 * that the caller stores; what remains are references (sha256, key). tg_job_bind() is given
 * an opener for references and yields a typed job with views. The canonical form contains
 * digests only, so the same job has the same hash however its arrays came.
 */
#ifndef TG_PROTO_JOB_H
#define TG_PROTO_JOB_H

#include <jansson.h>

#include "core/arena.h"
#include "core/err.h"
#include "core/mat.h"
#include "proto/array.h"
#include "proto/digest.h"
#include "proto/kind.h"

enum tg_priority { TG_PRIORITY_HIGH, TG_PRIORITY_NORMAL, TG_PRIORITY_LOW, TG_PRIORITY_COUNT };
extern const char *const tg_priority_names[]; /* NULL-terminated */

/* A reference to one array or file: stored bytes and, for npz and safetensors, a member. */
struct tg_ref {
    const char *name;    /* label inside a list, given or made ("0", "1", ...) */
    const char *model;   /* NULL when none was given */
    int64_t step;        /* -1 when none was given */
    char sha256[TG_SHA256_HEX];
    const char *key;     /* NULL when none was given */
    const char *pointer; /* where in the request it stands, for faults */
};

struct tg_input_refs {
    const struct tg_input *input;
    struct tg_ref *ref;
    size_t n; /* 0: not given */
};

/* Bytes that came inside the request and have to be stored under their digest. */
struct tg_inline_blob {
    char sha256[TG_SHA256_HEX];
    char *bytes;
    size_t n;
};

struct tg_request_spec {
    struct tg_arena *arena;
    const struct tg_kind *kind;
    void *params;                 /* kind->params_size bytes */
    struct tg_input_refs *inputs; /* kind->ninputs */
    struct tg_inline_blob *blob;
    size_t nblobs;
    const char *name;             /* "" when not given; at most 200 bytes */
    enum tg_priority priority;
    double max_run_s;             /* 0: none */
    double deadline;              /* Unix seconds, 0: none; JSON: RFC 3339 or number */
    bool keep;                    /* pinned against retention */
    char *canonical;              /* canonical JSON: kind, version, params, inputs */
    char hash[TG_SHA256_HEX];     /* SHA-256 of canonical */
};

struct tg_decode_limits {
    size_t max_numbers;      /* in JSON arrays of one request */
    size_t max_inline_bytes; /* all inline arrays together, decoded */
};

/*
 * Decode a POST /v1/jobs body. All faults go to `report`; on any fault nothing is kept.
 * The spec is released with tg_request_spec_release().
 */
TG_MUST_CHECK enum tg_err tg_request_decode(const char *body, size_t n,
                                            const struct tg_decode_limits *limits,
                                            struct tg_request_spec *spec,
                                            struct tg_report *report);
/* The same from a stored canonical text plus nothing else (name etc. are defaults). */
TG_MUST_CHECK enum tg_err tg_request_from_canonical(const char *canonical,
                                                    struct tg_request_spec *spec,
                                                    struct tg_report *report);
void tg_request_spec_release(struct tg_request_spec *spec);

/* Opens the bytes of a digest; the bytes stay valid until close(). */
struct tg_opener {
    void *self;
    /* TG_UNKNOWN_DATA when not stored. *handle is given back to close. */
    enum tg_err (*open)(void *self, const char *sha256, const void **bytes, size_t *n,
                        void **handle);
    void (*close)(void *self, void *handle);
    /* A sentence on the failure of the last open, or ""; may be NULL. */
    const char *(*why)(void *self);
};

struct tg_bound_member {
    const char *name; /* "" for the one array of an npy or csv file */
    struct tg_mat mat;
};

struct tg_bound {
    const char *name;
    const char *model;   /* NULL when none was given */
    int64_t step;        /* -1 when none was given */
    const char *pointer; /* where in the request it stands, for faults of check() */
    struct tg_mat mat;   /* all zero where the input is TG_INPUT_MEMBERS */
    char sha256[TG_SHA256_HEX];
    const char *key;     /* NULL when none was given */
    /* TG_INPUT_MEMBERS: the tensors of the file in bytewise order of name, or the one of `key`. */
    const struct tg_bound_member *member;
    size_t nmembers;
    /* Without a key also what the file has that is of no dtype read here. */
    const struct tg_array_skipped *skipped;
    size_t nskipped;
};

struct tg_job_input {
    const struct tg_input *input;
    struct tg_bound *array;
    size_t n;
};

/* A typed job: what check(), estimate() and run() are given. */
struct tg_job {
    const struct tg_kind *kind;
    const void *params;
    struct tg_job_input *inputs; /* kind->ninputs, in table order */
    size_t decoded_bytes; /* memory held for csv, compressed members, tables of members */
    void *priv;
};

/*
 * Open every reference (each digest once), check ndim against the table and the arrays for
 * emptiness, and run kind->check(). With `headers_only` members that need decoding have
 * data NULL (for validation and estimate). `spec` must outlive the job.
 */
TG_MUST_CHECK enum tg_err tg_job_bind(const struct tg_request_spec *spec,
                                      const struct tg_opener *opener, bool headers_only,
                                      size_t max_decoded_bytes, struct tg_job *job,
                                      struct tg_report *report);
void tg_job_release(struct tg_job *job);

/* The input named `name`; TG_BUG when the table has none. n is 0 when it was not given. */
const struct tg_job_input *tg_job_input(const struct tg_job *job, const char *name);

#endif
