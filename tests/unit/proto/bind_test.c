/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Binding whole files and labelled entries, over the golden files of tests/golden/arrays.py. */
#include <stdio.h>
#include <string.h>

#include "../suite.h"
#include "toy.h"

Suite *bind_suite(void);

enum { FILES = 8, FILE_MAX_BYTES = 1 << 14, MANY = 5000 };

/* A store of a few files; with `any` an unknown digest is that of the first. */
struct shelf {
    struct {
        _Alignas(64) unsigned char bytes[FILE_MAX_BYTES];
        size_t n;
        char sha256[TG_SHA256_HEX];
    } file[FILES];
    size_t nfiles;
    bool any;
    int opened, closed;
};

static struct shelf shelf;
static struct tg_request_spec spec;
static struct tg_report report;
static struct tg_job job;

static enum tg_err open_file(void *self, const char *sha256, const void **bytes, size_t *n,
                             void **handle)
{
    struct shelf *s = self;
    size_t i = 0;
    while (i < s->nfiles && strcmp(s->file[i].sha256, sha256) != 0)
        i++;
    if (i == s->nfiles && !s->any)
        return TG_UNKNOWN_DATA;
    i %= s->nfiles;
    *bytes = s->file[i].bytes;
    *n = s->file[i].n;
    *handle = s;
    s->opened++;
    return TG_OK;
}

static void close_file(void *self, void *handle)
{
    ((struct shelf *)self)->closed += handle == self;
}

/* Puts a golden file on the shelf; its digest. */
static const char *take(const char *name)
{
    char path[512];
    size_t at = shelf.nfiles++;
    snprintf(path, sizeof(path), "%s/arrays/%s", TG_GOLDEN, name);
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file, "%s is missing", path);
    shelf.file[at].n = fread(shelf.file[at].bytes, 1, FILE_MAX_BYTES, file);
    fclose(file);
    tg_sha256_hex(shelf.file[at].bytes, shelf.file[at].n, shelf.file[at].sha256);
    return shelf.file[at].sha256;
}

/* Decodes a toy request with these `runs` (the text of a JSON array) and binds it. */
static enum tg_err bind(const char *runs, bool headers_only, size_t max_decoded_bytes)
{
    static const struct tg_decode_limits limits = {1000, 1 << 20};
    static char body[120 * MANY];
    const struct tg_opener opener = {
        .self = &shelf, .open = open_file, .close = close_file};
    int n = snprintf(body, sizeof(body),
                     "{\"kind\": \"toy\", \"params\": {\"must\": 1, \"rank\": 2},"
                     " \"inputs\": {\"x\": {\"sha256\": \"%s\"}, \"runs\": %s}}",
                     take("f8.npy"), runs);
    ck_assert_int_lt(n, (int)sizeof(body));
    tg_report_init(&report);
    enum tg_err err =
        tg_request_decode_with(&toy_kinds, body, (size_t)n, &limits, &spec, &report);
    ck_assert_msg(!err, "%s: %s", report.fault[0].pointer, report.detail);
    return tg_job_bind(&spec, &opener, headers_only, max_decoded_bytes, &job, &report);
}

static void release(void)
{
    tg_job_release(&job);
    tg_request_spec_release(&spec);
    ck_assert_int_eq(shelf.opened, shelf.closed);
}

static void expect_fault(const char *runs, enum tg_err code, const char *pointer,
                         const char *detail)
{
    ck_assert_int_eq(bind(runs, false, 1 << 20), code);
    ck_assert_uint_eq(report.count, 1);
    ck_assert_str_eq(report.fault[0].pointer, pointer);
    ck_assert_msg(strstr(report.fault[0].detail, detail), "%s", report.fault[0].detail);
    release();
}

static const struct tg_bound *run_at(size_t i)
{
    const struct tg_job_input *runs = tg_job_input(&job, "runs");
    ck_assert_uint_lt(i, runs->n);
    return &runs->array[i];
}

START_TEST(a_whole_file_is_bound_with_its_tensors_in_order_of_name)
{
    static const struct {
        const char *name;
        enum tg_dtype dtype;
        int ndim;
    } want[] = {{"brain", TG_BF16, 2}, {"byte", TG_U8, 1},     {"count", TG_I64, 1},
                {"half", TG_F16, 2},   {"mask", TG_BOOL, 1},   {"scalar", TG_F32, 0},
                {"weight", TG_F64, 2}};
    char runs[300];
    snprintf(runs, sizeof(runs),
             "[{\"name\": \"net\", \"model\": \"m\", \"step\": 12, \"sha256\": \"%s\"}]",
             take("tensors.safetensors"));
    ck_assert_int_eq(bind(runs, false, 1 << 20), TG_OK);
    const struct tg_bound *net = run_at(0);
    ck_assert_str_eq(net->name, "net");
    ck_assert_str_eq(net->model, "m");
    ck_assert_int_eq(net->step, 12);
    ck_assert_str_eq(net->pointer, "/inputs/runs/0");
    ck_assert_str_eq(net->sha256, shelf.file[0].sha256);
    ck_assert_ptr_null(net->key);
    ck_assert_ptr_null(net->mat.data);
    ck_assert_uint_eq(net->nmembers, 7);
    for (size_t i = 0; i < net->nmembers; i++) {
        ck_assert_str_eq(net->member[i].name, want[i].name);
        ck_assert_int_eq(net->member[i].mat.dtype, want[i].dtype);
        ck_assert_int_eq(net->member[i].mat.ndim, want[i].ndim);
    }
    ck_assert_double_eq(tg_mat_at(&net->member[5].mat, 0), 1.5);
    ck_assert_double_eq(tg_mat_at(&net->member[2].mat, 0), -1);
    const struct tg_bound *x = tg_job_input(&job, "x")->array;
    ck_assert_ptr_null(x->model);
    ck_assert_int_eq(x->step, -1);
    ck_assert_uint_eq(x->nmembers, 0);
    release();
}
END_TEST

/* The whole file, and before and behind it one of its members, from one opening. */
START_TEST(a_key_names_the_only_tensor_of_an_entry)
{
    char runs[600];
    const char *sha256 = take("deflated.npz");
    snprintf(runs, sizeof(runs),
             "[{\"sha256\": \"%s\", \"key\": \"c\"}, {\"sha256\": \"%s\"},"
             " {\"sha256\": \"%s\", \"key\": \"layer/b\"}]",
             sha256, sha256, sha256);
    ck_assert_int_eq(bind(runs, false, 1 << 20), TG_OK);
    ck_assert_int_eq(shelf.opened, 2);
    ck_assert_uint_eq(run_at(0)->nmembers, 1);
    ck_assert_str_eq(run_at(0)->key, "c");
    ck_assert_str_eq(run_at(0)->member->name, "c");
    ck_assert_double_eq(tg_mat_at(&run_at(0)->member->mat, 999), 999);
    ck_assert_uint_eq(run_at(1)->nmembers, 3);
    ck_assert_str_eq(run_at(1)->member[0].name, "a");
    ck_assert_double_eq(tg_mat_at(&run_at(1)->member[0].mat, 0), -0.08552001807748738);
    ck_assert_str_eq(run_at(2)->member->name, "layer/b");
    ck_assert_ptr_eq(run_at(2)->member->mat.data, run_at(1)->member[2].mat.data);
    release();
}
END_TEST

START_TEST(a_file_of_one_unnamed_array_has_one_member_without_name)
{
    char runs[400];
    const char *vector = take("f8_vector.npy");
    snprintf(runs, sizeof(runs),
             "[{\"sha256\": \"%s\"}, {\"sha256\": \"%s\"}, {\"sha256\": \"%s\"}]", vector,
             take("f8_scalar.npy"), take("f8_empty.npy"));
    ck_assert_int_eq(bind(runs, false, 0), TG_OK);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(run_at(i)->nmembers, 1);
        ck_assert_str_eq(run_at(i)->member->name, "");
    }
    ck_assert_int_eq(run_at(0)->member->mat.shape[0], 4);
    ck_assert_double_eq(tg_mat_at(&run_at(1)->member->mat, 0), -2.5);
    ck_assert_int_eq(tg_mat_count(&run_at(2)->member->mat), 0);
    release();
    ck_assert_int_eq(bind("[[1, 2, 3], {\"data\": [[4]], \"step\": 2}]", true, 0),
                     TG_UNKNOWN_DATA); /* the blobs are the caller's to store */
    release();
}
END_TEST

START_TEST(what_is_wrong_with_a_file_is_told)
{
    static const double numbers[8];
    static const char *const names[] = {"flat", "deep"};
    char runs[300];
    struct tg_mat mats[2];
    struct tg_buf npz;
    const char *sha256 = take("tensors.safetensors");
    snprintf(runs, sizeof(runs), "[{\"sha256\": \"%s\", \"key\": \"wieght\"}]", sha256);
    expect_fault(runs, TG_INVALID, "/inputs/runs/0/key", "did you mean `weight`");
    snprintf(runs, sizeof(runs), "[{\"sha256\": \"%s\"}, {\"sha256\": \"%064d\"}]", sha256, 0);
    expect_fault(runs, TG_UNKNOWN_DATA, "/inputs/runs/1", "PUT /v1/data/000");
    snprintf(runs, sizeof(runs), "[{\"sha256\": \"%s\", \"key\": \"scale\"}]",
             take("mixed.safetensors"));
    expect_fault(runs, TG_INVALID, "/inputs/runs/0/key", "has the dtype F8_E4M3");
    tg_buf_init(&npz, FILE_MAX_BYTES);
    ck_assert(tg_mat_init(&mats[0], numbers, TG_F64, 1, (const int64_t[]){8}, false));
    ck_assert(tg_mat_init(&mats[1], numbers, TG_F64, 3, (const int64_t[]){2, 2, 2}, false));
    ck_assert_int_eq(tg_npz_write(names, mats, 2, &npz), TG_OK);
    shelf.nfiles = 1;
    shelf.file[0].n = npz.n;
    memcpy(shelf.file[0].bytes, npz.p, npz.n);
    tg_sha256_hex(npz.p, npz.n, shelf.file[0].sha256);
    tg_buf_release(&npz);
    snprintf(runs, sizeof(runs), "[{\"sha256\": \"%s\"}]", shelf.file[0].sha256);
    expect_fault(runs, TG_INVALID, "/inputs/runs/0", "`deep` has shape (2, 2, 2)");
}
END_TEST

/* 12 doubles, 12 floats and 1000 integers; and what the table of three members takes. */
START_TEST(tensors_are_decoded_under_the_limit)
{
    const size_t numbers = 12 * 8 + 12 * 4 + 1000 * 8;
    char runs[200];
    snprintf(runs, sizeof(runs), "[{\"sha256\": \"%s\"}]", take("deflated.npz"));
    ck_assert_int_eq(bind(runs, true, 0), TG_OK);
    size_t need = job.decoded_bytes;
    ck_assert_uint_gt(need, numbers);
    for (size_t i = 0; i < 3; i++)
        ck_assert_ptr_null(run_at(0)->member[i].mat.data);
    ck_assert_int_eq(run_at(0)->member[1].mat.shape[1], 100);
    release();
    shelf.nfiles = 1;
    ck_assert_int_eq(bind(runs, false, need), TG_OK);
    ck_assert_uint_eq(job.decoded_bytes, need);
    release();
    shelf.nfiles = 1;
    ck_assert_int_eq(bind(runs, false, need - 1), TG_NOMEM);
    ck_assert_str_eq(report.fault[0].pointer, "/inputs/runs/0");
    release();
}
END_TEST

START_TEST(five_thousand_files_are_bound)
{
    static char runs[100 * MANY];
    char digest[TG_SHA256_HEX];
    size_t n = 0;
    take("tensors.safetensors");
    shelf.any = true;
    for (int i = 0; i < MANY; i++) {
        tg_sha256_hex(&i, sizeof(i), digest);
        n += (size_t)snprintf(runs + n, sizeof(runs) - n, "%s{\"step\": %d, \"sha256\": \"%s\"}",
                              i ? "," : "[", i, digest);
    }
    snprintf(runs + n, sizeof(runs) - n, "]");
    ck_assert_int_eq(bind(runs, false, 1 << 20), TG_OK);
    ck_assert_int_eq(shelf.opened, MANY + 1);
    const struct tg_bound *run = run_at(0);
    for (size_t i = 0; i < MANY; i++)
        MUST(run[i].step == (int64_t)i && run[i].nmembers == 7);
    release();
}
END_TEST

Suite *bind_suite(void)
{
    Suite *suite = suite_create("bind");
    TCase *files = tcase_create("files");
    tcase_add_test(files, a_whole_file_is_bound_with_its_tensors_in_order_of_name);
    tcase_add_test(files, a_key_names_the_only_tensor_of_an_entry);
    tcase_add_test(files, a_file_of_one_unnamed_array_has_one_member_without_name);
    tcase_add_test(files, what_is_wrong_with_a_file_is_told);
    tcase_add_test(files, tensors_are_decoded_under_the_limit);
    tcase_add_test(files, five_thousand_files_are_bound);
    suite_add_tcase(suite, files);
    return suite;
}
