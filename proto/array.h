/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Array files: npy, npz, safetensors and csv, read as views and written as bytes.
 *
 * DESIGN. A file is opened over bytes that are already in memory or mapped. npy and
 * safetensors give views into those bytes, no copy. npz members that are stored without
 * compression give views too; compressed ones and csv are decoded once into malloc'ed
 * memory under `max_bytes`. Every length read from a file is checked before it is used.
 */
#ifndef TG_PROTO_ARRAY_H
#define TG_PROTO_ARRAY_H

#include "core/err.h"
#include "core/mat.h"
#include "proto/buf.h"

enum tg_format { TG_NPY, TG_NPZ, TG_SAFETENSORS, TG_CSV, TG_FORMAT_COUNT };

const char *tg_format_name(enum tg_format format); /* "npy", ... */
const char *tg_format_mime(enum tg_format format); /* "application/x-npy", ... */

struct tg_array_member {
    char *name;           /* "" for npy and csv */
    struct tg_mat mat;
    size_t decoded_bytes; /* memory needed to read it beyond the file; 0 for a view */
};

/* A member of an npz or safetensors file whose dtype is none of the numbers read here. */
struct tg_array_skipped {
    char *name;
    char *dtype; /* as the file says it: "F8_E4M3", "|O" */
};

struct tg_array_file {
    enum tg_format format;
    struct tg_array_member *member;
    size_t nmembers;
    struct tg_array_skipped *skipped;
    size_t nskipped;
    void *decoded; /* private */
};

/*
 * Recognise the format from the bytes (npy and zip magic, a plausible safetensors header,
 * else csv) and list the members with dtype and shape. Headers only: mat.data of members
 * that need decoding is NULL until tg_array_file_read. TG_BAD_ARRAY with the reason.
 * dtypes: f2 f4 f8 i1-i8 u1-u8 bool, both byte orders, C and Fortran order, safetensors
 * BF16/F16/F32/F64/I*\/U*\/BOOL; npy bf16 as '<V2' with descr metadata or ml_dtypes' "bfloat16".
 * Members of another dtype (8-bit floats, complex numbers, text, objects) are passed over and
 * listed in `skipped`, so that the file's other members can be used; a file that has no
 * member of a dtype above is TG_BAD_ARRAY. What a skipped npz member holds is not looked at.
 */
TG_MUST_CHECK enum tg_err tg_array_file_open(const void *bytes, size_t n,
                                             struct tg_array_file *file,
                                             struct tg_report *report);

/*
 * A view of the member `key` (NULL or "" when there is one only). Decodes it if needed,
 * TG_NOMEM beyond max_bytes, TG_BAD_ARRAY for unknown keys (the report lists the keys) or
 * damaged data. The view is valid until tg_array_file_release.
 */
TG_MUST_CHECK enum tg_err tg_array_file_read(struct tg_array_file *file, const char *key,
                                             size_t max_bytes, struct tg_mat *mat,
                                             struct tg_report *report);
/* The same of the member that stands at `index`. */
TG_MUST_CHECK enum tg_err tg_array_file_read_at(struct tg_array_file *file, size_t index,
                                                size_t max_bytes, struct tg_mat *mat,
                                                struct tg_report *report);
/* The dtype of the skipped member `key`; NULL when there is none. */
const char *tg_array_file_skipped(const struct tg_array_file *file, const char *key);
void tg_array_file_release(struct tg_array_file *file);

/* Writers: the bytes of one file. Views of any stride; npy in C order, native dtype. */
void tg_npy_header(const struct tg_mat *mat, struct tg_buf *out); /* header only */
void tg_npy_write(const struct tg_mat *mat, struct tg_buf *out);
/* One line a row of the last axis; earlier axes are flattened. */
void tg_csv_write(const struct tg_mat *mat, struct tg_buf *out);
/* npz of n named arrays, stored (not deflated). TG_NOMEM over the buffer's maximum. */
TG_MUST_CHECK enum tg_err tg_npz_write(const char *const *names, const struct tg_mat *mats,
                                       size_t n, struct tg_buf *out);

#endif
