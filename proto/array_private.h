/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the formats share. Each open function lists the members of its format. */
#ifndef TG_PROTO_ARRAY_PRIVATE_H
#define TG_PROTO_ARRAY_PRIVATE_H

#include "proto/array.h"

/* How to decode a member that is not a view. */
struct tg_member_source {
    uint64_t index;  /* npz: entry of the archive; safetensors: offset in the file */
    uint64_t length; /* bytes to produce */
    size_t skip;     /* npz: length of the npy header inside the entry */
    void *decoded;   /* malloc'ed once read */
};

struct tg_array_bytes {
    const unsigned char *p;
    size_t n;
    struct tg_member_source *source; /* one a member */
    size_t room;
};

/* Adds a member with a copy of `name`; false without memory. */
bool tg_array_add(struct tg_array_file *file, const char *name, size_t name_length,
                  const struct tg_mat *mat, const struct tg_member_source *source);

/* Adds a member that is passed over; false without memory. */
bool tg_array_skip(struct tg_array_file *file, const char *name, size_t name_length,
                   const char *dtype);

/* What precedes the numbers of an npy file, told from its first 12 bytes; 0: no npy file. */
enum { TG_NPY_FIXED = 12 };
size_t tg_npy_header_length(const unsigned char p[TG_NPY_FIXED]);
/*
 * The `n` bytes that precede the numbers. `mat` gets dtype, order and shape, data NULL.
 * `where` begins every fault's detail: "" or "member \"x\": ". Where the dtype is none that is
 * read here, `other` gets its code, which is "" else.
 */
enum { TG_NPY_DTYPE = 64 };
TG_MUST_CHECK enum tg_err tg_npy_parse_header(const unsigned char *p, size_t n,
                                              const char *where, struct tg_mat *mat,
                                              char other[TG_NPY_DTYPE],
                                              struct tg_report *report);
/* The fault of a dtype that `other` told, with what to do about it. */
enum tg_err tg_npy_refuse_dtype(const char *where, const char *other,
                                struct tg_report *report);
/* Bytes of the numbers of a view. */
size_t tg_mat_bytes(const struct tg_mat *mat);
bool tg_is_aligned(const void *p, enum tg_dtype dtype);

TG_MUST_CHECK enum tg_err tg_npy_open(struct tg_array_file *file, struct tg_report *report);
TG_MUST_CHECK enum tg_err tg_npz_open(struct tg_array_file *file, struct tg_report *report);
TG_MUST_CHECK enum tg_err tg_safetensors_open(struct tg_array_file *file,
                                              struct tg_report *report);
TG_MUST_CHECK enum tg_err tg_csv_open(struct tg_array_file *file, struct tg_report *report);
bool tg_safetensors_sniff(const unsigned char *p, size_t n);

/* Decode a member into source->decoded (length bytes). */
TG_MUST_CHECK enum tg_err tg_npz_decode(const struct tg_array_bytes *bytes,
                                        struct tg_member_source *source,
                                        struct tg_report *report);
TG_MUST_CHECK enum tg_err tg_csv_decode(const struct tg_array_bytes *bytes,
                                        struct tg_member_source *source,
                                        struct tg_report *report);

#endif
