/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * npy files, versions 1 to 3: magic, header length, a Python dictionary with the keys descr,
 * fortran_order and shape, then the numbers. The dictionary is read by a small scanner that
 * takes what numpy and its kin write and nothing else.
 */
#include "proto/array_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct scan {
    const char *p, *end;
};

static void skip(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t'))
        s->p++;
}

static bool take(struct scan *s, char c)
{
    skip(s);
    if (s->p == s->end || *s->p != c)
        return false;
    s->p++;
    return true;
}

static bool take_word(struct scan *s, const char *word)
{
    size_t n = strlen(word);
    skip(s);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n))
        return false;
    s->p += n;
    return true;
}

/* A quoted string without escapes, at most size - 1 bytes. */
static bool take_string(struct scan *s, char *text, size_t size)
{
    skip(s);
    if (s->p == s->end || (*s->p != '\'' && *s->p != '"'))
        return false;
    char quote = *s->p++;
    size_t n = 0;
    while (s->p < s->end && *s->p != quote) {
        if (n + 1 == size || *s->p == '\\')
            return false;
        text[n++] = *s->p++;
    }
    text[n] = '\0';
    return take(s, quote);
}

static bool take_dimension(struct scan *s, int64_t *out)
{
    skip(s);
    const char *start = s->p;
    int64_t x = 0;
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
        if (__builtin_mul_overflow(x, 10, &x) || __builtin_add_overflow(x, *s->p++ - '0', &x))
            return false;
    if (s->p < s->end && *s->p == 'L') /* Python 2's long */
        s->p++;
    *out = x;
    return s->p > start;
}

static bool take_shape(struct scan *s, int *ndim, int64_t *shape)
{
    if (!take(s, '('))
        return false;
    for (*ndim = 0; !take(s, ')'); ++*ndim) {
        if (*ndim == TG_MAX_NDIM || !take_dimension(s, &shape[*ndim]))
            return false;
        skip(s);
        if (!take(s, ',') && (s->p == s->end || *s->p != ')'))
            return false;
    }
    return true;
}

/* "<f8" and the like. bfloat16 has no code of its own: numpy writes it as two void bytes. */
static bool dtype_of(const char *descr, enum tg_dtype *dtype, bool *swapped)
{
    static const struct {
        const char *code;
        enum tg_dtype dtype;
    } codes[] = {{"f8", TG_F64}, {"f4", TG_F32}, {"f2", TG_F16}, {"V2", TG_BF16},
                 {"i8", TG_I64}, {"i4", TG_I32}, {"i2", TG_I16}, {"i1", TG_I8},
                 {"u8", TG_U64}, {"u4", TG_U32}, {"u2", TG_U16}, {"u1", TG_U8},
                 {"b1", TG_BOOL}, {"bfloat16", TG_BF16}};
    bool has_order = descr[0] && strchr("<>=|", descr[0]);
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (!strcmp(descr + has_order, codes[i].code)) {
            *dtype = codes[i].dtype;
            *swapped = descr[0] == '>' && tg_dtype_size(*dtype) > 1;
            return true;
        }
    return false;
}

enum tg_err tg_npy_refuse_dtype(const char *where, const char *other,
                                struct tg_report *report)
{
    static const struct {
        const char *letters, *advice;
    } cases[] = {
        {"O", "object arrays need pickle, which is never read; save it with a numeric dtype"},
        {"c", "complex arrays are not supported; save the real and the imaginary part"},
        {"[", "structured arrays are not supported; save each field as an array of its own"},
        {"SUa", "text arrays are not supported; save it with a numeric dtype"},
    };
    const char *code = other + (other[0] && strchr("<>=|", other[0]));
    const char *advice = "this dtype is not supported; convert the array before saving it";
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (*code && strchr(cases[i].letters, *code))
            advice = cases[i].advice;
    return tg_fault_add_value(report, TG_BAD_ARRAY, NULL, other,
                              "float16, bfloat16, float32, float64, int8 to int64, uint8 to "
                              "uint64, bool",
                              "%s%s", where, advice);
}

size_t tg_npy_header_length(const unsigned char p[TG_NPY_FIXED])
{
    if (memcmp(p, "\x93NUMPY", 6) || p[6] < 1 || p[6] > 3)
        return 0;
    size_t length = p[8] | (size_t)p[9] << 8;
    return p[6] == 1 ? 10 + length : 12 + (length | (size_t)p[10] << 16 | (size_t)p[11] << 24);
}

struct header {
    char descr[TG_NPY_DTYPE];
    bool has_order, has_shape, fortran;
    int ndim;
    int64_t shape[TG_MAX_NDIM];
};

/* One "key: value" of the dictionary; a structured descr is kept as "[". */
static bool take_item(struct scan *s, struct header *h)
{
    char key[24];
    if (!take_string(s, key, sizeof(key)) || !take(s, ':'))
        return false;
    if (!strcmp(key, "descr")) {
        if (!take(s, '['))
            return take_string(s, h->descr, sizeof(h->descr));
        memcpy(h->descr, "[", 2);
        s->p = s->end; /* the rest does not matter, it will be refused */
        return true;
    }
    if (!strcmp(key, "fortran_order")) {
        h->fortran = take_word(s, "True");
        return h->has_order = h->fortran || take_word(s, "False");
    }
    return !strcmp(key, "shape") && (h->has_shape = take_shape(s, &h->ndim, h->shape));
}

static bool take_header(struct scan *s, struct header *h)
{
    if (!take(s, '{'))
        return false;
    while (!take(s, '}')) {
        if (!take_item(s, h))
            return false;
        if (h->descr[0] == '[')
            return true;
        skip(s);
        if (!take(s, ',') && (s->p == s->end || *s->p != '}'))
            return false;
    }
    skip(s);
    return s->p == s->end && h->descr[0] && h->has_order && h->has_shape;
}

enum tg_err tg_npy_parse_header(const unsigned char *p, size_t n, const char *where,
                                struct tg_mat *mat, char other[TG_NPY_DTYPE],
                                struct tg_report *report)
{
    size_t fixed = p[6] == 1 ? 10 : TG_NPY_FIXED;
    struct scan s = {(const char *)p + fixed, (const char *)p + n};
    struct header h = {.descr = ""};
    enum tg_dtype dtype;
    bool swapped;
    if (n < fixed || !take_header(&s, &h))
        return tg_fault_add(report, TG_BAD_ARRAY, NULL,
                            "%sthe npy header is damaged, or has more than %d dimensions",
                            where, TG_MAX_NDIM);
    memcpy(other, h.descr, sizeof(h.descr));
    if (!dtype_of(h.descr, &dtype, &swapped))
        return TG_OK;
    *other = 0;
    if (!tg_mat_init(mat, NULL, dtype, h.ndim, h.shape, h.fortran))
        return tg_fault_add(report, TG_BAD_ARRAY, NULL,
                            "%sthe shape in the npy header is too large", where);
    mat->swapped = swapped;
    return TG_OK;
}

enum tg_err tg_npy_open(struct tg_array_file *file, struct tg_report *report)
{
    const struct tg_array_bytes *bytes = file->decoded;
    struct tg_mat mat;
    size_t header = bytes->n >= TG_NPY_FIXED ? tg_npy_header_length(bytes->p) : 0;
    if (!header)
        return tg_fault_add(report, TG_BAD_ARRAY, NULL,
                            "this is not an npy file of version 1 to 3");
    if (header > bytes->n)
        return tg_fault_add(report, TG_BAD_ARRAY, NULL,
                            "the npy header has %zu bytes, the file only %zu", header, bytes->n);
    char other[TG_NPY_DTYPE];
    TG_TRY(tg_npy_parse_header(bytes->p, header, "", &mat, other, report));
    if (*other)
        return tg_npy_refuse_dtype("", other, report);
    size_t want = tg_mat_bytes(&mat), have = bytes->n - header;
    if (want != have) {
        char shape[200];
        return tg_fault_add(report, TG_BAD_ARRAY, NULL,
                            "shape %s of %s needs %zu bytes, the file has %zu after its header",
                            tg_mat_shape_text(&mat, shape, sizeof(shape)),
                            tg_dtype_name(mat.dtype), want, have);
    }
    struct tg_member_source source = {.index = header, .length = want};
    if (tg_is_aligned(bytes->p + header, mat.dtype))
        mat.data = bytes->p + header;
    return tg_array_add(file, "", 0, &mat, &source) ? TG_OK : TG_NOMEM;
}

/* Writing ---------------------------------------------------------------------------- */

void tg_npy_header(const struct tg_mat *mat, struct tg_buf *out)
{
    static const char *const descr[TG_DTYPE_COUNT] = {
        [TG_F64] = "<f8", [TG_F32] = "<f4", [TG_F16] = "<f2", [TG_BF16] = "<V2", [TG_I64] = "<i8",
        [TG_I32] = "<i4", [TG_I16] = "<i2", [TG_I8] = "|i1",  [TG_U64] = "<u8",  [TG_U32] = "<u4",
        [TG_U16] = "<u2", [TG_U8] = "|u1",  [TG_BOOL] = "|b1"};
    char text[256];
    int n = snprintf(text, sizeof(text), "{'descr': '%s', 'fortran_order': False, 'shape': (",
                     descr[mat->dtype]);
    for (int i = 0; i < mat->ndim; i++)
        n += snprintf(text + n, sizeof(text) - (size_t)n, "%lld%s", (long long)mat->shape[i],
                      mat->ndim == 1 ? "," : i + 1 < mat->ndim ? ", " : "");
    n += snprintf(text + n, sizeof(text) - (size_t)n, "), }");
    /* Numbers begin at a multiple of 64, the header ends in a newline. */
    size_t padded = ((size_t)n + 11 + 63) / 64 * 64 - 10;
    unsigned char length[2] = {(unsigned char)padded, (unsigned char)(padded >> 8)};
    tg_buf_add(out, "\x93NUMPY\x01", 8); /* the literal's NUL is the minor version */
    tg_buf_add(out, length, 2);
    tg_buf_add(out, text, (size_t)n);
    for (size_t i = (size_t)n; i + 1 < padded; i++)
        tg_buf_add(out, " ", 1);
    tg_buf_add(out, "\n", 1);
}

/* Elements in C order as they are stored, but in native byte order. */
static void write_elements(const struct tg_mat *mat, const char *p, int axis, struct tg_buf *out)
{
    size_t size = tg_dtype_size(mat->dtype);
    if (axis == mat->ndim) {
        char *to = tg_buf_grow(out, size);
        for (size_t i = 0; to && i < size; i++)
            to[i] = p[mat->swapped ? size - 1 - i : i];
        return;
    }
    int64_t step = mat->stride[axis] * (int64_t)size;
    if (axis == mat->ndim - 1 && mat->stride[axis] == 1 && !mat->swapped) {
        tg_buf_add(out, p, (size_t)mat->shape[axis] * size);
        return;
    }
    for (int64_t i = 0; i < mat->shape[axis] && !tg_buf_failed(out); i++)
        write_elements(mat, p + i * step, axis + 1, out);
}

void tg_npy_write(const struct tg_mat *mat, struct tg_buf *out)
{
    tg_npy_header(mat, out);
    write_elements(mat, mat->data, 0, out);
}
