/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files written by numpy and safetensors (tests/golden/arrays.py), and what may not be read. */
#include "../suite.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "proto/array.h"

Suite *array_suite(void);

enum { FILE_MAX_BYTES = 1 << 16 };

/* 64-byte aligned like a mapped file; shifted by `shift` bytes to lie badly. */
static _Alignas(64) unsigned char bytes[FILE_MAX_BYTES + 64];

static size_t load(const char *name, size_t shift)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/arrays/%s", TG_GOLDEN, name);
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file, "%s is missing", path);
    size_t n = fread(bytes + shift, 1, FILE_MAX_BYTES, file);
    fclose(file);
    return n;
}

static void assert_array(const struct tg_mat *mat, json_t *want, const char *label)
{
    json_t *shape = json_object_get(want, "shape"), *values = json_object_get(want, "values");
    ck_assert_str_eq(tg_dtype_name(mat->dtype), json_string_value(json_object_get(want, "dtype")));
    ck_assert_int_eq(mat->ndim, json_array_size(shape));
    for (int i = 0; i < mat->ndim; i++)
        ck_assert_int_eq(mat->shape[i], json_integer_value(json_array_get(shape, (size_t)i)));
    ck_assert_int_eq(tg_mat_count(mat), json_array_size(values));
    for (size_t i = 0; i < json_array_size(values); i++) {
        double x = tg_mat_at(mat, (int64_t)i), y = json_number_value(json_array_get(values, i));
        ck_assert_msg(!memcmp(&x, &y, sizeof(x)), "%s[%zu] is %.17g, not %.17g", label, i, x, y);
    }
}

/* Every golden file, at every alignment: views where the numbers are aligned, else copies. */
START_TEST(files_of_numpy_and_safetensors_are_read)
{
    static const size_t shifts[] = {0, 1, 2, 4, 8};
    json_error_t error;
    json_t *all = json_load_file(TG_GOLDEN "/arrays/expected.json", 0, &error), *members, *want;
    const char *name, *key;
    ck_assert_msg(all, "%s", error.text);
    json_object_foreach(all, name, members) {
        size_t n = load(name, shifts[_i]);
        struct tg_array_file file;
        struct tg_report report;
        tg_report_init(&report);
        enum tg_err err = tg_array_file_open(bytes + shifts[_i], n, &file, &report);
        ck_assert_msg(!err, "%s: %s", name, report.detail);
        ck_assert_uint_eq(file.nmembers, json_object_size(members));
        json_object_foreach(members, key, want) {
            struct tg_mat mat;
            err = tg_array_file_read(&file, key, 1 << 20, &mat, &report);
            ck_assert_msg(!err, "%s, %s: %s", name, key, report.detail);
            ck_assert_uint_eq((uintptr_t)mat.data % tg_dtype_size(mat.dtype), 0);
            assert_array(&mat, want, name);
        }
        tg_array_file_release(&file);
    }
    json_decref(all);
}
END_TEST

/* A stored member is a view wherever its numbers happen to be aligned, and only there. */
START_TEST(stored_npz_members_are_views)
{
    static const char *const names[] = {"stored.npz", "stored_zip64.npz", "deflated.npz"};
    size_t views[3] = {0};
    for (size_t shift = 0; shift < 8; shift++) {
        struct tg_array_file file;
        size_t n = load(names[_i], shift);
        ck_assert(!tg_array_file_open(bytes + shift, n, &file, NULL));
        ck_assert_uint_eq(file.nmembers, 3);
        for (size_t i = 0; i < 3; i++)
            views[i] += !file.member[i].decoded_bytes;
        tg_array_file_release(&file);
    }
    ck_assert_uint_eq(views[0], _i < 2 ? 1 : 0); /* float64 */
    ck_assert_uint_eq(views[1], _i < 2 ? 2 : 0); /* float32 */
    ck_assert_uint_eq(views[2], _i < 2 ? 1 : 0); /* int64 */
}
END_TEST

static enum tg_err open_bytes(size_t n, struct tg_report *report)
{
    struct tg_array_file file;
    tg_report_init(report);
    enum tg_err err = tg_array_file_open(bytes, n, &file, report);
    if (!err)
        tg_array_file_release(&file);
    return err;
}

static const struct {
    const char *name, *detail;
} refused[] = {
    {"refused/object.npy", "object arrays need pickle"},
    {"refused/complex.npy", "complex arrays"},
    {"refused/structured.npy", "structured arrays"},
    {"refused/text.npy", "text arrays"},
    {"refused/datetime.npy", "this dtype is not supported"},
    {"refused/longdouble.npy", "this dtype is not supported"},
    {"refused/objects.npz", "member \"state\": object arrays need pickle"},
    {"refused/complex.safetensors", "tensor \"x\": this dtype is not supported"},
    {"refused/no_arrays.npz", "the zip file holds no npy array"},
};

START_TEST(other_arrays_are_refused_with_advice)
{
    struct tg_report report;
    size_t n = load(refused[_i].name, 0);
    ck_assert_int_eq(open_bytes(n, &report), TG_BAD_ARRAY);
    ck_assert_msg(!strncmp(report.detail, refused[_i].detail, strlen(refused[_i].detail)), "%s",
                  report.detail);
}
END_TEST

static const struct {
    const char *file, *skipped[3][2];
} mixed[] = {
    {"mixed.safetensors", {{"scale", "F8_E4M3"}, {"wide", "C64"}}},
    {"mixed.npz", {{"names", "<U3"}, {"state", "|O"}, {"phase", "<c16"}}},
};

START_TEST(members_without_numbers_are_passed_over)
{
    struct tg_array_file file;
    struct tg_report report;
    struct tg_mat mat;
    size_t n = load(mixed[_i].file, 0), want = 0;
    tg_report_init(&report);
    ck_assert_msg(!tg_array_file_open(bytes, n, &file, &report), "%s", report.detail);
    ck_assert_uint_eq(file.nmembers, 1);
    for (; want < 3 && mixed[_i].skipped[want][0]; want++)
        ck_assert_str_eq(tg_array_file_skipped(&file, mixed[_i].skipped[want][0]),
                         mixed[_i].skipped[want][1]);
    ck_assert_uint_eq(file.nskipped, want);
    ck_assert_ptr_null(tg_array_file_skipped(&file, file.member[0].name));
    ck_assert_int_eq(tg_array_file_read(&file, NULL, 1 << 20, &mat, &report), TG_OK);
    ck_assert_int_eq(tg_array_file_read(&file, mixed[_i].skipped[0][0], 1 << 20, &mat, &report),
                     TG_BAD_ARRAY);
    ck_assert_str_eq(report.fault[0].got, mixed[_i].skipped[0][1]);
    tg_array_file_release(&file);
}
END_TEST

START_TEST(a_file_cut_anywhere_is_refused)
{
    static const char *const names[] = {"f8.npy", "stored.npz", "deflated.npz",
                                        "tensors.safetensors"};
    struct tg_report report;
    size_t n = load(names[_i], 0);
    for (size_t cut = 0; cut < n; cut++)
        ck_assert_msg(open_bytes(cut, &report) == TG_BAD_ARRAY && report.detail[0],
                      "%s cut to %zu bytes was taken", names[_i], cut);
}
END_TEST

START_TEST(sizes_that_do_not_fit_are_told)
{
    struct tg_report report;
    size_t n = load("f8.npy", 0);
    ck_assert_int_eq(open_bytes(n - 1, &report), TG_BAD_ARRAY);
    ck_assert_str_eq(report.detail,
                     "shape (3, 4) of float64 needs 96 bytes, the file has 95 after its header");
    ck_assert_int_eq(open_bytes(n + 1, &report), TG_BAD_ARRAY);
    ck_assert_str_eq(report.detail,
                     "shape (3, 4) of float64 needs 96 bytes, the file has 97 after its header");
}
END_TEST

static size_t make_npy(const char *header)
{
    size_t n = strlen(header);
    memcpy(bytes, "\x93NUMPY\1\0", 8);
    bytes[8] = (unsigned char)n;
    bytes[9] = (unsigned char)(n >> 8);
    memcpy(bytes + 10, header, n);
    memset(bytes + 10 + n, 0, 8);
    return 10 + n;
}

START_TEST(npy_headers_may_be_written_in_other_ways)
{
    static const char *const good[] = {
        "{'shape': (), 'descr': '<f8', 'fortran_order': False}",
        "{\"descr\":\"f8\",\"fortran_order\":True,\"shape\":(1,)}\n",
        "{ 'descr' : '=f8' , 'fortran_order' : False , 'shape' : ( 1 , 1 ) , }     \n",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1L, 1L), }",
    };
    struct tg_report report;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        ck_assert_msg(!open_bytes(make_npy(good[i]) + 8, &report), "%s: %s", good[i],
                      report.detail);
}
END_TEST

START_TEST(damaged_npy_headers_are_refused)
{
    static const char *const bad[] = {
        "", "{", "{}", "{'descr': '<f8'}", "{'descr': '<f8', 'fortran_order': False}",
        "{'descr': '<f8', 'fortran_order': 0, 'shape': (1,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,)",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1 1)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,)} x",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'more': 1}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296, 0)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2305843009213693952,)}",
        "{'descr': '', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<', 'fortran_order': False, 'shape': (1,)}",
    };
    struct tg_report report;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        size_t n = make_npy(bad[i]);
        ck_assert_msg(open_bytes(n, &report) == TG_BAD_ARRAY, "%s was taken", bad[i]);
        ck_assert_msg(open_bytes(n + 8, &report) == TG_BAD_ARRAY, "%s was taken", bad[i]);
    }
}
END_TEST

static size_t make_safetensors(const char *header, size_t ndata)
{
    size_t n = strlen(header);
    memset(bytes, 0, 8);
    bytes[0] = (unsigned char)n;
    bytes[1] = (unsigned char)(n >> 8);
    memcpy(bytes + 8, header, n);
    memset(bytes + 8 + n, 0, ndata);
    return 8 + n + ndata;
}

START_TEST(damaged_safetensors_are_refused)
{
    static const char *const bad[] = {
        "{}",
        "{\"__metadata__\":{\"a\":\"b\"}}",
        "{\"a\":3}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}",
        "{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[8],\"data_offsets\":[0,8]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,8]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,1,1,1,1,1,1,1,1],\"data_offsets\":[0,8]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,8]}}",
        ("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
         "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}"),
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}",
    };
    struct tg_report report;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(open_bytes(make_safetensors(bad[i], 8), &report) == TG_BAD_ARRAY,
                      "%s was taken", bad[i]);
    ck_assert(!open_bytes(
        make_safetensors("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}  ", 8),
        &report));
}
END_TEST

START_TEST(members_are_found_by_key)
{
    struct tg_array_file file;
    struct tg_report report;
    struct tg_mat mat;
    tg_report_init(&report);
    size_t n = load("stored.npz", 0);
    ck_assert(!tg_array_file_open(bytes, n, &file, &report));
    ck_assert_int_eq(file.format, TG_NPZ);
    ck_assert_int_eq(tg_array_file_read(&file, "x", 1 << 20, &mat, &report), TG_BAD_ARRAY);
    ck_assert_str_eq(report.fault[0].allowed, "a, layer/b, c");
    ck_assert_int_eq(tg_array_file_read(&file, NULL, 1 << 20, &mat, &report), TG_BAD_ARRAY);
    ck_assert_int_eq(tg_array_file_read(&file, "", 1 << 20, &mat, &report), TG_BAD_ARRAY);
    tg_array_file_release(&file);
    n = load("f8.npy", 0);
    ck_assert(!tg_array_file_open(bytes, n, &file, &report));
    ck_assert_int_eq(tg_array_file_read(&file, NULL, 0, &mat, &report), TG_OK);
    ck_assert_ptr_eq(mat.data, bytes + n - 96);
    ck_assert_int_eq(tg_array_file_read(&file, "a", 0, &mat, &report), TG_BAD_ARRAY);
    tg_array_file_release(&file);
}
END_TEST

START_TEST(decoding_keeps_to_the_memory_allowed)
{
    struct tg_array_file file;
    struct tg_mat mat;
    size_t n = load("deflated.npz", 0);
    ck_assert(!tg_array_file_open(bytes, n, &file, NULL));
    for (size_t i = 0; i < file.nmembers; i++) {
        const struct tg_array_member *member = &file.member[i];
        ck_assert_uint_eq(member->decoded_bytes, (size_t)tg_mat_count(&member->mat) *
                                                     tg_dtype_size(member->mat.dtype));
        ck_assert_int_eq(tg_array_file_read(&file, member->name, member->decoded_bytes - 1, &mat,
                                            NULL),
                         TG_NOMEM);
        ck_assert_int_eq(tg_array_file_read(&file, member->name, member->decoded_bytes, &mat, NULL),
                         TG_OK);
    }
    tg_array_file_release(&file);
}
END_TEST

START_TEST(a_flipped_byte_in_compressed_numbers_is_noticed)
{
    struct tg_array_file file;
    struct tg_report report;
    struct tg_mat mat;
    tg_report_init(&report);
    size_t n = load("deflated.npz", 0), noticed = 0;
    bytes[n / 2] ^= 0x10;
    if (tg_array_file_open(bytes, n, &file, &report))
        return; /* the damage reached a header, which is noticed, too */
    for (size_t i = 0; i < file.nmembers; i++)
        noticed += tg_array_file_read(&file, file.member[i].name, 1 << 20, &mat, &report) ==
                   TG_BAD_ARRAY;
    ck_assert_uint_eq(noticed, 1);
    tg_array_file_release(&file);
}
END_TEST

/* csv: text, shape and numbers; rows -1 where it must be refused. */
static const struct {
    const char *text;
    int rows, columns;
    double values[6];
    const char *detail;
} csv[] = {
    {"1,2,3\n4,5,6\n", 2, 3, {1, 2, 3, 4, 5, 6}, NULL},
    {"1;2\r\n3;4\r\n", 2, 2, {1, 2, 3, 4}, NULL},
    {"1\t2\n3\t4", 2, 2, {1, 2, 3, 4}, NULL},
    {"  1   2 \n 3 4\n\n", 2, 2, {1, 2, 3, 4}, NULL},
    {"1\n2\n", 2, 1, {1, 2}, NULL},
    {"# made by hand\n\"x\", \"y\"\n1, 2 # first\n# second\n3, 4\n", 2, 2, {1, 2, 3, 4}, NULL},
    {"\xEF\xBB\xBFx,y\n+1,.5\n1.,-1e-2\n", 2, 2, {1, 0.5, 1, -0.01}, NULL},
    {"nan,inf\n-inf,+Infinity\n", 2, 2, {NAN, INFINITY, -INFINITY, INFINITY}, NULL},
    {"1,2\n3\n", -1, 0, {0}, "line 2 of the csv file has 1 fields, the lines before have 2"},
    {"1,2\n3,4,5\n", -1, 0, {0}, "line 2 of the csv file has 3 fields, the lines before have 2"},
    {"1,2\n3,\n", -1, 0, {0}, "line 2 of the csv file: field 2 is not a number"},
    {"1,,2\n", -1, 0, {0}, "line 1 of the csv file: field 2 is not a number"},
    {"a,b\n1,2\nc,d\n", -1, 0, {0}, "line 3 of the csv file: field 1 is not a number"},
    {"a,1\n1,2\n", -1, 0, {0}, "line 1 of the csv file: field 1 is not a number"},
    {"1,0x10\n", -1, 0, {0}, "line 1 of the csv file: field 2 is not a number"},
    {"1,1e999\n", -1, 0, {0}, "line 1 of the csv file: field 2 is not a number"},
    {"1,2x\n", -1, 0, {0}, "line 1 of the csv file: field 2 is not a number"},
    {"x,y\n", -1, 0, {0}, "the csv file holds no numbers"},
    {"\n\n", -1, 0, {0}, "the csv file holds no numbers"},
    {"", -1, 0, {0}, "the bytes are none of npy, npz, safetensors and csv"},
    {"\x01\x02\x03", -1, 0, {0}, "the bytes are none of npy, npz, safetensors and csv"},
};

START_TEST(csv_is_read_line_by_line)
{
    struct tg_array_file file;
    struct tg_report report;
    struct tg_mat mat;
    tg_report_init(&report);
    enum tg_err err = tg_array_file_open(csv[_i].text, strlen(csv[_i].text), &file, &report);
    if (csv[_i].rows < 0) {
        ck_assert_int_eq(err, TG_BAD_ARRAY);
        ck_assert_str_eq(report.detail, csv[_i].detail);
        return;
    }
    ck_assert_msg(!err, "%s", report.detail);
    ck_assert_int_eq(file.format, TG_CSV);
    ck_assert_int_eq(tg_array_file_read(&file, NULL, 48, &mat, &report), TG_OK);
    ck_assert_int_eq(mat.ndim, 2);
    ck_assert_int_eq(mat.shape[0], csv[_i].rows);
    ck_assert_int_eq(mat.shape[1], csv[_i].columns);
    for (int i = 0; i < csv[_i].rows * csv[_i].columns; i++) {
        double x = tg_mat_at(&mat, i), y = csv[_i].values[i];
        ck_assert_msg(x == y || (isnan(x) && isnan(y)), "%g instead of %g", x, y);
    }
    tg_array_file_release(&file);
}
END_TEST

/* Writers ------------------------------------------------------------------------------ */

/* What we write of an array that numpy wrote in C order is what numpy wrote. */
START_TEST(npy_is_written_as_numpy_writes_it)
{
    static const char *const pairs[][2] = {
        {"f8.npy", "f8.npy"}, {"f8_fortran.npy", "f8.npy"}, {"f8_big_endian.npy", "f8.npy"},
        {"f8_vector.npy", "f8_vector.npy"}, {"f8_scalar.npy", "f8_scalar.npy"},
        {"f8_empty.npy", "f8_empty.npy"}, {"f4_big_endian_fortran.npy", "f4.npy"},
        {"f2.npy", "f2.npy"}, {"bf16.npy", "bf16.npy"}, {"b1.npy", "b1.npy"},
        {"i1.npy", "i1.npy"}, {"i8.npy", "i8.npy"}, {"u8.npy", "u8.npy"}, {"u2.npy", "u2.npy"},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct tg_array_file file;
        struct tg_buf out;
        tg_buf_init(&out, 1000);
        size_t n = load(pairs[i][0], 0);
        ck_assert(!tg_array_file_open(bytes, n, &file, NULL));
        tg_npy_write(&file.member[0].mat, &out);
        n = load(pairs[i][1], 64);
        ck_assert_uint_eq(out.n, n);
        ck_assert_mem_eq(out.p, bytes + 64, n);
        tg_array_file_release(&file);
        tg_buf_release(&out);
    }
}
END_TEST

START_TEST(npz_comes_back_and_is_always_the_same)
{
    static const double x[] = {1, 2, 3, 4, 5, 6};
    static const float y[] = {-1, 0.5f};
    const char *names[] = {"first", "second/part"};
    struct tg_mat mats[2], mat;
    struct tg_buf out, again;
    struct tg_array_file file;
    tg_mat_init(&mats[0], x, TG_F64, 2, (int64_t[]){2, 3}, true);
    tg_mat_init(&mats[1], y, TG_F32, 1, (int64_t[]){2}, false);
    tg_buf_init(&out, 10000);
    tg_buf_init(&again, 10000);
    ck_assert_int_eq(tg_npz_write(names, mats, 2, &out), TG_OK);
    ck_assert_int_eq(tg_npz_write(names, mats, 2, &again), TG_OK);
    ck_assert_uint_eq(out.n, again.n);
    ck_assert_mem_eq(out.p, again.p, out.n);
    ck_assert_int_eq(tg_array_file_open(out.p, out.n, &file, NULL), TG_OK);
    ck_assert_uint_eq(file.nmembers, 2);
    ck_assert_int_eq(tg_array_file_read(&file, "first", 100, &mat, NULL), TG_OK);
    for (int i = 0; i < 6; i++)
        ck_assert_double_eq(tg_mat_at(&mat, i), tg_mat_at(&mats[0], i));
    ck_assert_int_eq(tg_array_file_read(&file, "second/part", 100, &mat, NULL), TG_OK);
    ck_assert_double_eq(tg_mat_at(&mat, 1), 0.5);
    tg_array_file_release(&file);
    tg_buf_release(&out);
    size_t too_small = again.n - 1;
    tg_buf_release(&again);
    tg_buf_init(&again, too_small);
    ck_assert_int_eq(tg_npz_write(names, mats, 2, &again), TG_NOMEM);
    tg_buf_release(&again);
}
END_TEST

START_TEST(csv_has_a_line_for_each_row)
{
    static const double x[] = {1, -0.25, NAN, 1e300, INFINITY, -INFINITY};
    struct tg_mat mat;
    struct tg_buf out;
    tg_buf_init(&out, 1000);
    tg_mat_init(&mat, x, TG_F64, 2, (int64_t[]){2, 3}, false);
    tg_csv_write(&mat, &out);
    ck_assert_str_eq(out.p, "1,-0.25,nan\n1e+300,inf,-inf\n");
    tg_buf_release(&out);
    tg_mat_init(&mat, x, TG_F64, 1, (int64_t[]){2}, false);
    tg_csv_write(&mat, &out);
    ck_assert_str_eq(out.p, "1\n-0.25\n");
    tg_buf_release(&out);
    tg_mat_init(&mat, x, TG_F64, 3, (int64_t[]){1, 2, 2}, false);
    tg_csv_write(&mat, &out);
    ck_assert_str_eq(out.p, "1,-0.25\nnan,1e+300\n");
    tg_buf_release(&out);
}
END_TEST

Suite *array_suite(void)
{
    Suite *suite = suite_create("proto/array");
    TCase *tc = tcase_create("read");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, files_of_numpy_and_safetensors_are_read, 0, 5);
    tcase_add_loop_test(tc, stored_npz_members_are_views, 0, 3);
    tcase_add_test(tc, members_are_found_by_key);
    tcase_add_test(tc, decoding_keeps_to_the_memory_allowed);
    tcase_add_test(tc, npy_headers_may_be_written_in_other_ways);
    tcase_add_loop_test(tc, csv_is_read_line_by_line, 0, sizeof(csv) / sizeof(csv[0]));
    suite_add_tcase(suite, tc);
    tc = tcase_create("refuse");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, other_arrays_are_refused_with_advice, 0,
                        sizeof(refused) / sizeof(refused[0]));
    tcase_add_loop_test(tc, members_without_numbers_are_passed_over, 0,
                        sizeof(mixed) / sizeof(mixed[0]));
    tcase_add_loop_test(tc, a_file_cut_anywhere_is_refused, 0, 4);
    tcase_add_test(tc, sizes_that_do_not_fit_are_told);
    tcase_add_test(tc, damaged_npy_headers_are_refused);
    tcase_add_test(tc, damaged_safetensors_are_refused);
    tcase_add_test(tc, a_flipped_byte_in_compressed_numbers_is_noticed);
    suite_add_tcase(suite, tc);
    tc = tcase_create("write");
    tcase_add_test(tc, npy_is_written_as_numpy_writes_it);
    tcase_add_test(tc, npz_comes_back_and_is_always_the_same);
    tcase_add_test(tc, csv_has_a_line_for_each_row);
    suite_add_tcase(suite, tc);
    return suite;
}
