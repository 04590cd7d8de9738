/* SPDX-License-Identifier: GPL-3.0-or-later */
/* server/data*.c, server/upload.c: bytes come back as they were sent, or not at all. */
#include "store_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <time.h>

Suite *data_suite(void);

enum { SMALL = 100, LARGE = 300000 }; /* doubles: in a row, in a file */
static const size_t sizes[] = {SMALL, LARGE};

static void assert_holds(const char *sha256, const char *bytes, size_t n)
{
    struct tg_blob blob;
    ck_assert_int_eq(tg_data_open(store, sha256, &blob, NULL), TG_OK);
    ck_assert_uint_eq(blob.n, n);
    ck_assert_int_eq(memcmp(blob.bytes, bytes, n), 0);
    ck_assert_int_eq(blob.fd >= 0, n > TG_BLOB_INLINE_MAX);
    tg_blob_close(&blob);
}

static enum tg_err is_absent(const char *sha256)
{
    struct tg_blob blob;
    return tg_data_open(store, sha256, &blob, NULL);
}

static void data_file(const char *sha256, char path[192])
{
    snprintf(path, 192, "%s/data/%.2s/%s", dir, sha256, sha256);
}

static void flip_byte(const char *path)
{
    char byte;
    int fd = open(path, O_RDWR);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pread(fd, &byte, 1, 5000), 1);
    byte ^= 1;
    ck_assert_int_eq(pwrite(fd, &byte, 1, 5000), 1);
    close(fd);
}

static void make_old(void)
{
    sql("UPDATE blob SET touched = touched - 7200");
}

/* Uploads bytes[from, to) in steps; end or abort is the caller's. */
static struct tg_upload *send(const char *sha256, const char *bytes, size_t from,
                              size_t to)
{
    struct tg_upload *upload;
    tg_report_init(&report);
    ck_assert_int_eq(tg_upload_begin(store, sha256, from, &upload, &report), TG_OK);
    for (size_t at = from, n; at < to; at += n) {
        n = to - at < 77777 ? to - at : 77777;
        ck_assert_int_eq(tg_upload_write(upload, bytes + at, n, &report), TG_OK);
    }
    return upload;
}

static enum tg_err upload_all(const char *sha256, const char *bytes, size_t n,
                              bool *created)
{
    struct tg_data_row row;
    enum tg_err err = tg_upload_end(send(sha256, bytes, 0, n), created, &row, &report);
    tg_data_row_release(&row);
    return err;
}

static enum tg_err submit_with(const char *bytes, size_t n, const char *sha256,
                               char id[TG_ID_SIZE])
{
    struct tg_job_row row = plain_row();
    struct tg_inline_blob blob = {.n = n};
    char inputs[1][TG_SHA256_HEX];
    snprintf(inputs[0], sizeof inputs[0], "%s", sha256);
    memcpy(blob.sha256, inputs[0], sizeof blob.sha256);
    blob.bytes = bytes ? strdup("") : NULL;
    if (bytes) {
        blob.bytes = realloc(blob.bytes, n);
        memcpy(blob.bytes, bytes, n);
    }
    struct tg_submit submit = {.row = &row,
                               .blob = &blob,
                               .nblobs = bytes ? 1 : 0,
                               .inputs = (const char(*)[TG_SHA256_HEX])inputs,
                               .ninputs = 1};
    bool existing;
    tg_report_init(&report);
    enum tg_err err = tg_store_submit(store, &submit, id, &existing, &report);
    free(blob.bytes);
    return err;
}

/* Storing ---------------------------------------------------------------------------- */

START_TEST(an_upload_comes_back_byte_for_byte)
{
    size_t n;
    char *bytes = make_npy(sizes[_i], &n), sha256[TG_SHA256_HEX], members[128];
    struct tg_data_row row;
    bool created;
    tg_sha256_hex(bytes, n, sha256);
    ck_assert_int_eq(tg_upload_end(send(sha256, bytes, 0, n), &created, &row, &report),
                     TG_OK);
    ck_assert(created);
    ck_assert_str_eq(row.sha256, sha256);
    ck_assert_uint_eq(row.bytes, n);
    ck_assert_str_eq(row.format, "npy");
    snprintf(members, sizeof members,
             "[{\"name\": \"\", \"dtype\": \"float64\", \"shape\": [%zu]}]", sizes[_i]);
    ck_assert_str_eq(row.members, members);
    tg_data_row_release(&row);
    reopen_store();
    ck_assert_int_eq(tg_store_recover(store, NULL, NULL),
                     TG_OK); /* sweeps nothing of it */
    assert_holds(sha256, bytes, n);
    struct tg_store_stats stats;
    tg_store_stats(store, &stats);
    ck_assert_uint_eq(stats.data_files, 1);
    ck_assert_uint_eq(stats.data_bytes, n);
    free(bytes);
    ck_assert_int_eq(check_store(), TG_OK);
}
END_TEST

START_TEST(a_second_upload_finds_the_first)
{
    size_t n;
    bool created;
    char *bytes = make_npy(sizes[_i], &n), sha256[TG_SHA256_HEX];
    tg_sha256_hex(bytes, n, sha256);
    ck_assert_int_eq(upload_all(NULL, bytes, n, &created), TG_OK);
    ck_assert(created);
    ck_assert_int_eq(upload_all(sha256, bytes, n, &created), TG_OK);
    ck_assert(!created);
    ck_assert_int_eq(upload_all(NULL, bytes, n, &created), TG_OK);
    ck_assert(!created);
    assert_holds(sha256, bytes, n);
    struct tg_store_stats stats;
    tg_store_stats(store, &stats);
    ck_assert_uint_eq(stats.data_files, 1);
    free(bytes);
}
END_TEST

START_TEST(wrong_bytes_leave_nothing)
{
    size_t n;
    bool created;
    char *bytes = make_npy(sizes[_i], &n), sha256[TG_SHA256_HEX];
    tg_sha256_hex(bytes, n, sha256);
    bytes[n - 1] ^= 1;
    ck_assert_int_eq(upload_all(sha256, bytes, n, &created), TG_DIGEST_MISMATCH);
    ck_assert_uint_eq(tg_upload_offset(store, sha256), 0);
    ck_assert_int_eq(is_absent(sha256), TG_UNKNOWN_DATA);
    free(bytes);
}
END_TEST

START_TEST(what_is_no_array_is_refused)
{
    static char bytes[200000];
    char sha256[TG_SHA256_HEX];
    bool created;
    memcpy(bytes, "\x93NUMPY\x01\x00\xff\xff", 10); /* a header that never ends */
    tg_sha256_hex(bytes, sizeof bytes, sha256);
    ck_assert_int_eq(upload_all(sha256, bytes, sizeof bytes, &created), TG_BAD_ARRAY);
    ck_assert_uint_eq(tg_upload_offset(store, sha256), 0);
    ck_assert_int_eq(is_absent(sha256), TG_UNKNOWN_DATA);
    ck_assert_int_eq(upload_all(NULL, "", 0, &created), TG_BAD_ARRAY);
}
END_TEST

START_TEST(a_file_has_a_limit)
{
    static char bytes[1 << 20];
    struct tg_upload *upload;
    enum tg_err err = TG_OK;
    ck_assert_int_eq(tg_upload_begin(store, NULL, 0, &upload, NULL), TG_OK);
    for (int i = 0; i < 64; i++)
        ck_assert_int_eq(tg_upload_write(upload, bytes, sizeof bytes, NULL), TG_OK);
    err = tg_upload_write(upload, bytes, 1, NULL);
    tg_upload_abort(upload);
    ck_assert_int_eq(err, TG_BODY_TOO_LARGE);
}
END_TEST

/* Broken uploads --------------------------------------------------------------------- */

START_TEST(a_broken_upload_goes_on_where_it_broke)
{
    enum { FIRST = 1500000 };
    size_t n;
    bool created;
    struct tg_upload *upload;
    struct tg_data_row row;
    char *bytes = make_npy(LARGE, &n), sha256[TG_SHA256_HEX];
    tg_sha256_hex(bytes, n, sha256);
    tg_upload_abort(send(sha256, bytes, 0, FIRST));
    reopen_store();
    ck_assert_int_eq(tg_store_recover(store, NULL, NULL), TG_OK);
    ck_assert_uint_eq(tg_upload_offset(store, sha256), FIRST);
    ck_assert_int_eq(tg_upload_begin(store, sha256, FIRST + 1, &upload, NULL),
                     TG_CONFLICT);
    ck_assert_int_eq(tg_upload_begin(store, sha256, FIRST - 1, &upload, NULL),
                     TG_CONFLICT);
    upload = send(sha256, bytes, FIRST, n);
    ck_assert_int_eq(tg_upload_end(upload, &created, &row, &report), TG_OK);
    tg_data_row_release(&row);
    assert_holds(sha256, bytes, n);
    ck_assert_uint_eq(tg_upload_offset(store, sha256), 0);
    free(bytes);
}
END_TEST

START_TEST(an_upload_can_begin_anew)
{
    size_t n;
    bool created;
    char *bytes = make_npy(LARGE, &n), sha256[TG_SHA256_HEX];
    tg_sha256_hex(bytes, n, sha256);
    tg_upload_abort(send(sha256, bytes, 0, n / 2));
    ck_assert_int_eq(upload_all(sha256, bytes, n, &created), TG_OK);
    assert_holds(sha256, bytes, n);
    free(bytes);
}
END_TEST

START_TEST(one_upload_of_a_digest_at_a_time)
{
    size_t n;
    char *bytes = make_npy(SMALL, &n), sha256[TG_SHA256_HEX];
    struct tg_upload *second;
    tg_sha256_hex(bytes, n, sha256);
    struct tg_upload *first = send(sha256, bytes, 0, n / 2);
    ck_assert_int_eq(tg_upload_begin(store, sha256, 0, &second, NULL), TG_CONFLICT);
    tg_upload_abort(first);
    ck_assert_int_eq(tg_upload_begin(store, sha256, 0, &second, NULL), TG_OK);
    tg_upload_abort(second);
    free(bytes);
}
END_TEST

START_TEST(stale_parts_are_swept)
{
    size_t n;
    char *bytes = make_npy(LARGE, &n), stale[TG_SHA256_HEX], fresh[TG_SHA256_HEX],
         path[192];
    tg_sha256_hex(bytes, n, stale);
    tg_sha256_hex(bytes, n - 1, fresh);
    tg_upload_abort(send(stale, bytes, 0, n / 2));
    tg_upload_abort(send(fresh, bytes, 0, n / 2));
    snprintf(path, sizeof path, "%s/part/%s.part", dir, stale);
    struct timespec times[2] = {{.tv_sec = time(NULL) - 90000},
                                {.tv_sec = time(NULL) - 90000}};
    ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
    struct tg_retention none = {.max_jobs = 0};
    ck_assert_int_eq(tg_store_retain(store, &none), TG_OK);
    ck_assert_uint_eq(tg_upload_offset(store, stale), 0);
    ck_assert_uint_eq(tg_upload_offset(store, fresh), n / 2);
    free(bytes);
}
END_TEST

struct sender {
    const char *bytes;
    size_t n;
    enum tg_err err;
};

static void *send_nameless(void *arg)
{
    struct sender *sender = arg;
    struct tg_upload *upload;
    struct tg_data_row row;
    bool created;
    sender->err = tg_upload_begin(store, NULL, 0, &upload, NULL);
    if (sender->err)
        return NULL;
    sender->err = tg_upload_write(upload, sender->bytes, sender->n, NULL);
    if (sender->err) {
        tg_upload_abort(upload);
        return NULL;
    }
    sender->err = tg_upload_end(upload, &created, &row, NULL);
    tg_data_row_release(&row);
    return NULL;
}

START_TEST(the_same_bytes_may_come_from_many_sides)
{
    enum { SENDERS = 6, ROUNDS = 5 };
    pthread_t thread[SENDERS];
    struct sender sender[SENDERS];
    size_t n;
    char *bytes = make_npy(10000, &n), sha256[TG_SHA256_HEX];
    tg_sha256_hex(bytes, n, sha256);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < SENDERS; i++) {
            sender[i] = (struct sender){.bytes = bytes, .n = n};
            pthread_create(&thread[i], NULL, send_nameless, &sender[i]);
        }
        (void)!tg_data_delete(store, sha256, NULL); /* may hit or miss */
        for (int i = 0; i < SENDERS; i++) {
            pthread_join(thread[i], NULL);
            ck_assert_int_eq(sender[i].err, TG_OK);
        }
    }
    bool created;
    ck_assert_int_eq(upload_all(sha256, bytes, n, &created), TG_OK);
    assert_holds(sha256, bytes, n);
    ck_assert_int_eq(check_store(), TG_OK);
    free(bytes);
}
END_TEST

/* Data of jobs ----------------------------------------------------------------------- */

START_TEST(inline_arrays_are_stored_with_their_job)
{
    size_t n;
    char *bytes = make_npy(sizes[_i], &n), sha256[TG_SHA256_HEX], id[TG_ID_SIZE];
    tg_sha256_hex(bytes, n, sha256);
    ck_assert_int_eq(submit_with(NULL, 0, sha256, id), TG_UNKNOWN_DATA);
    ck_assert_ptr_nonnull(strstr(report.detail, sha256));
    ck_assert_int_eq(submit_with(bytes, n, sha256, id), TG_OK);
    ck_assert_int_eq(submit_with(NULL, 0, sha256, id), TG_OK);
    struct tg_reading reading;
    tg_reading_init(&reading, store);
    struct tg_opener opener = tg_reading_opener(&reading);
    const void *opened;
    void *handle;
    size_t opened_n;
    ck_assert_int_eq(opener.open(opener.self, sha256, &opened, &opened_n, &handle),
                     TG_OK);
    ck_assert_uint_eq(opened_n, n);
    ck_assert_int_eq(memcmp(opened, bytes, n), 0);
    opener.close(opener.self, handle);
    free(bytes);
    ck_assert_int_eq(check_store(), TG_OK);
}
END_TEST

static int count_descriptors(void)
{
    int n = 0;
    DIR *list = opendir("/proc/self/fd");
    ck_assert_ptr_nonnull(list);
    while (readdir(list))
        n++;
    closedir(list);
    return n;
}

/* Pages of this process, by the page table: bit 63 of an entry says that one is there. */
static size_t resident_pages(const void *p, size_t n, size_t page)
{
    size_t first = (size_t)(uintptr_t)p / page, end = ((size_t)(uintptr_t)p + n - 1) / page + 1;
    size_t count = 0;
    FILE *map = fopen("/proc/self/pagemap", "r");
    ck_assert_ptr_nonnull(map);
    ck_assert_int_eq(fseek(map, (long)(first * sizeof(uint64_t)), SEEK_SET), 0);
    for (size_t i = first; i < end; i++) {
        uint64_t entry;
        ck_assert_uint_eq(fread(&entry, sizeof(entry), 1, map), 1);
        count += entry >> 63;
    }
    fclose(map);
    return count;
}

/* A job may read more files than a process may have open. */
START_TEST(an_opened_input_holds_no_descriptor)
{
    size_t n;
    char *bytes = make_npy(sizes[_i], &n), sha256[TG_SHA256_HEX], id[TG_ID_SIZE];
    tg_sha256_hex(bytes, n, sha256);
    ck_assert_int_eq(submit_with(bytes, n, sha256, id), TG_OK);
    struct tg_reading reading;
    tg_reading_init(&reading, store);
    struct tg_opener opener = tg_reading_opener(&reading);
    const void *opened;
    void *first, *second;
    size_t opened_n;
    ck_assert_int_eq(opener.open(opener.self, sha256, &opened, &opened_n, &first), TG_OK);
    int before = count_descriptors(); /* the reader's connection is open by now */
    ck_assert_int_eq(opener.open(opener.self, sha256, &opened, &opened_n, &second), TG_OK);
    ck_assert_int_eq(count_descriptors(), before);
    ck_assert_int_eq(memcmp(opened, bytes, n), 0);
    opener.close(opener.self, first);
    opener.close(opener.self, second);
    free(bytes);
}
END_TEST

/* Pages of a file go after a window of reading and come back; what is in memory stays. */
START_TEST(what_was_read_leaves_memory_and_is_read_again)
{
    size_t n, opened_n, page = (size_t)sysconf(_SC_PAGESIZE);
    char *bytes = make_npy(sizes[_i], &n), sha256[TG_SHA256_HEX], id[TG_ID_SIZE];
    tg_sha256_hex(bytes, n, sha256);
    ck_assert_int_eq(submit_with(bytes, n, sha256, id), TG_OK);
    struct tg_reading reading;
    tg_reading_init(&reading, store);
    struct tg_opener opener = tg_reading_opener(&reading);
    const void *opened;
    void *handle;
    ck_assert_int_eq(opener.open(opener.self, sha256, &opened, &opened_n, &handle), TG_OK);
    for (int round = 0; round < 4; round++) {
        ck_assert_int_eq(memcmp(opened, bytes, n), 0);
        size_t before = resident_pages(opened, n, page);
        tg_reading_was_read(&reading, TG_READING_WINDOW / 2);
        size_t after = resident_pages(opened, n, page);
        ck_assert_uint_gt(before, 0);
        ck_assert_uint_eq(after, round % 2 && n > TG_BLOB_INLINE_MAX ? 0 : before);
    }
    opener.close(opener.self, handle);
    free(bytes);
}
END_TEST

START_TEST(data_in_use_cannot_be_deleted)
{
    size_t n;
    char *bytes = make_npy(sizes[_i], &n), sha256[TG_SHA256_HEX], id[TG_ID_SIZE];
    tg_sha256_hex(bytes, n, sha256);
    ck_assert_int_eq(tg_data_delete(store, sha256, &report), TG_NOT_FOUND);
    ck_assert_int_eq(submit_with(bytes, n, sha256, id), TG_OK);
    ck_assert_int_eq(tg_data_delete(store, sha256, &report), TG_CONFLICT);
    int attempt = start_job(id);
    ck_assert_int_eq(tg_data_delete(store, sha256, &report), TG_CONFLICT);
    struct tg_blob blob;
    ck_assert_int_eq(tg_data_open(store, sha256, &blob, NULL), TG_OK);
    ck_assert_int_eq(tg_store_end(store, id, attempt, TG_FAILED, "{}"), TG_OK);
    ck_assert_int_eq(tg_data_delete(store, sha256, &report), TG_OK);
    ck_assert_int_eq(is_absent(sha256), TG_UNKNOWN_DATA);
    ck_assert_int_eq(memcmp(blob.bytes, bytes, n), 0); /* opened before, still good */
    tg_blob_close(&blob);
    char path[192];
    data_file(sha256, path);
    ck_assert_int_ne(access(path, F_OK), 0);
    free(bytes);
}
END_TEST

START_TEST(arrays_of_results_stay_as_long_as_the_result)
{
    size_t n;
    char *bytes = make_npy(sizes[_i], &n), id[TG_ID_SIZE];
    struct tg_blob_bytes blob = {
        .head = bytes, .nhead = 128, .body = bytes + 128, .nbody = n - 128};
    tg_sha256_hex(bytes, n, blob.sha256);
    submit_job(id);
    ck_assert_int_eq(tg_store_succeed(store, id, start_job(id), "{}", &blob, 1), TG_OK);
    assert_holds(blob.sha256, bytes, n);
    ck_assert_int_eq(tg_data_delete(store, blob.sha256, &report), TG_CONFLICT);
    ck_assert_int_eq(check_store(), TG_OK);
    make_old();
    struct tg_retention data = {.max_bytes = 1}, jobs = {.max_age_s = 1, .max_bytes = 1};
    ck_assert_int_eq(tg_store_retain(store, &data), TG_OK);
    assert_holds(blob.sha256, bytes, n);
    sql("UPDATE job SET finished = finished - 60");
    ck_assert_int_eq(tg_store_retain(store, &jobs), TG_OK);
    ck_assert_int_eq(is_absent(blob.sha256), TG_UNKNOWN_DATA);
    free(bytes);
    ck_assert_int_eq(check_store(), TG_OK);
}
END_TEST

START_TEST(retention_removes_the_oldest_unused_data)
{
    enum { BLOBS = 5 };
    char sha256[BLOBS][TG_SHA256_HEX], id[TG_ID_SIZE], text[512];
    size_t n = 0;
    bool created;
    for (size_t i = 0; i < BLOBS; i++) {
        char *bytes = make_npy(LARGE + i, &n);
        tg_sha256_hex(bytes, n, sha256[i]);
        ck_assert_int_eq(upload_all(sha256[i], bytes, n, &created), TG_OK);
        free(bytes);
        snprintf(text, sizeof text,
                 "UPDATE blob SET touched = touched - %d WHERE sha256 = '%s'",
                 i < 4 ? 9000 - (int)i : 0, sha256[i]);
        sql(text);
    }
    ck_assert_int_eq(submit_with(NULL, 0, sha256[0], id), TG_OK);
    /* 1 to 4 are unused, room is for two of them, 4 is too young to go */
    struct tg_retention retention = {.max_bytes = 2 * n + 100};
    ck_assert_int_eq(tg_store_retain(store, &retention), TG_OK);
    for (int i = 0; i < BLOBS; i++)
        ck_assert_int_eq(is_absent(sha256[i]) == TG_UNKNOWN_DATA, i == 1 || i == 2);
    ck_assert_int_eq(check_store(), TG_OK);
}
END_TEST

START_TEST(data_that_was_asked_for_again_is_spared)
{
    size_t n;
    char *bytes = make_npy(LARGE, &n), sha256[TG_SHA256_HEX];
    bool created;
    tg_sha256_hex(bytes, n, sha256);
    ck_assert_int_eq(tg_data_touch(store, sha256, NULL), TG_NOT_FOUND);
    ck_assert_int_eq(upload_all(sha256, bytes, n, &created), TG_OK);
    struct tg_retention none = {.max_bytes = 1};
    make_old();
    ck_assert_int_eq(tg_data_touch(store, sha256, NULL), TG_OK);
    ck_assert_int_eq(tg_store_retain(store, &none), TG_OK);
    assert_holds(sha256, bytes, n);
    make_old();
    ck_assert_int_eq(tg_store_retain(store, &none), TG_OK);
    ck_assert_int_eq(is_absent(sha256), TG_UNKNOWN_DATA);
    free(bytes);
}
END_TEST

START_TEST(lists_are_sorted_by_digest)
{
    enum { BLOBS = 7 };
    struct tg_data_row *rows;
    char last[TG_SHA256_HEX] = "";
    size_t n, seen = 0;
    bool created;
    for (size_t i = 1; i <= BLOBS; i++) {
        char *bytes = make_npy(i, &n);
        ck_assert_int_eq(upload_all(NULL, bytes, n, &created), TG_OK);
        free(bytes);
    }
    do {
        ck_assert_int_eq(tg_data_list(store, last, 3, &rows, &n), TG_OK);
        for (size_t i = 0; i < n; i++, seen++) {
            ck_assert_str_gt(rows[i].sha256, last);
            memcpy(last, rows[i].sha256, sizeof last);
            tg_data_row_release(&rows[i]);
        }
        free(rows);
    } while (n);
    ck_assert_uint_eq(seen, BLOBS);
}
END_TEST

/* Faults ----------------------------------------------------------------------------- */

START_TEST(check_finds_a_flipped_byte_and_a_missing_file)
{
    size_t n;
    bool created;
    char *bytes = make_npy(LARGE, &n), sha256[TG_SHA256_HEX], path[192];
    ck_assert_int_eq(upload_all(NULL, bytes, n, &created), TG_OK);
    tg_sha256_hex(bytes, n, sha256);
    data_file(sha256, path);
    ck_assert_int_eq(check_store(), TG_OK);
    flip_byte(path);
    ck_assert_int_eq(check_store(), TG_STORE);
    ck_assert_int_eq(lines_printed, 1);
    flip_byte(path);
    ck_assert_int_eq(check_store(), TG_OK);
    ck_assert_int_eq(truncate(path, 6000), 0);
    ck_assert_int_eq(check_store(), TG_STORE);
    ck_assert_int_eq(is_absent(sha256), TG_STORE);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(check_store(), TG_STORE);
    ck_assert_int_eq(lines_printed, 1);
    ck_assert_int_eq(upload_all(sha256, bytes, n, &created), TG_OK); /* heals it */
    assert_holds(sha256, bytes, n);
    ck_assert_int_eq(check_store(), TG_OK);
    free(bytes);
}
END_TEST

START_TEST(files_that_nothing_names_are_swept)
{
    size_t n;
    bool created;
    char *bytes = make_npy(LARGE, &n), sha256[TG_SHA256_HEX], path[192], text[128];
    ck_assert_int_eq(upload_all(NULL, bytes, n, &created), TG_OK);
    tg_sha256_hex(bytes, n, sha256);
    data_file(sha256, path);
    free(bytes);
    snprintf(text, sizeof text, "DELETE FROM blob WHERE sha256 = '%s'", sha256);
    sql(text);
    reopen_store();
    ck_assert_int_eq(access(path, F_OK), 0);
    ck_assert_int_eq(tg_store_recover(store, NULL, NULL), TG_OK);
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

#ifdef TG_TESTING

static const char *const failing[] = {
    "upload.open=error@1",  "upload.write=error@1", "data.write=error@1",
    "data.fsync=error@1",   "data.mkdir=error@1",   "data.rename=error@1",
    "data.dirsync=error@1", "store.commit=error@1",
};

START_TEST(a_failed_upload_keeps_nothing_and_can_be_repeated)
{
    size_t n;
    bool created;
    char *bytes = make_npy(LARGE, &n), sha256[TG_SHA256_HEX];
    struct tg_upload *upload;
    struct tg_data_row row;
    tg_sha256_hex(bytes, n, sha256);
    tg_point_set(failing[_i]);
    tg_report_init(&report);
    enum tg_err err = tg_upload_begin(store, sha256, 0, &upload, &report);
    if (!err) {
        err = tg_upload_write(upload, bytes, n, &report);
        if (err)
            tg_upload_abort(upload);
        else
            err = tg_upload_end(upload, &created, &row, &report);
    }
    ck_assert_int_eq(err, TG_STORE);
    ck_assert(strstr(report.detail, "full") || strstr(report.detail, "I/O"));
    ck_assert_uint_eq(tg_upload_offset(store, sha256), 0);
    ck_assert_int_eq(is_absent(sha256), TG_UNKNOWN_DATA);
    for (int i = 0; i < 100 && !tg_store_is_writable(store); i++)
        nanosleep(&(struct timespec){0, 50000000}, NULL);
    ck_assert_int_eq(upload_all(sha256, bytes, n, &created), TG_OK);
    ck_assert(created);
    assert_holds(sha256, bytes, n);
    ck_assert_int_eq(check_store(), TG_OK);
    free(bytes);
}
END_TEST

/* A full disk gets back what a job that was refused has written. */
START_TEST(a_refused_job_leaves_no_file)
{
    size_t n;
    char *bytes = make_npy(LARGE, &n), sha256[TG_SHA256_HEX], id[TG_ID_SIZE], path[192];
    tg_sha256_hex(bytes, n, sha256);
    data_file(sha256, path);
    tg_point_set(_i ? "store.operation=full@1" : "store.commit=full@1");
    ck_assert_int_eq(submit_with(bytes, n, sha256, id), TG_STORE);
    ck_assert_int_ne(access(path, F_OK), 0);
    for (int i = 0; i < 100 && !tg_store_is_writable(store); i++)
        nanosleep(&(struct timespec){0, 50000000}, NULL);
    ck_assert_int_eq(submit_with(bytes, n, sha256, id), TG_OK);
    assert_holds(sha256, bytes, n);
    free(bytes);
}
END_TEST

/* After an I/O error the commit might come back with a crash, and would name the file. */
START_TEST(files_of_failed_writes_are_swept_by_retention)
{
    size_t n;
    char *bytes = make_npy(LARGE, &n), sha256[TG_SHA256_HEX], id[TG_ID_SIZE], path[192];
    tg_sha256_hex(bytes, n, sha256);
    data_file(sha256, path);
    tg_point_set("store.commit=error@1");
    ck_assert_int_eq(submit_with(bytes, n, sha256, id), TG_STORE);
    ck_assert_int_eq(access(path, F_OK), 0);
    for (int i = 0; i < 100 && !tg_store_is_writable(store); i++)
        nanosleep(&(struct timespec){0, 50000000}, NULL);
    struct tg_retention none = {.max_jobs = 0};
    ck_assert_int_eq(tg_store_retain(store, &none), TG_OK);
    ck_assert_int_ne(access(path, F_OK), 0);
    free(bytes);
}
END_TEST

#endif

Suite *data_suite(void)
{
    Suite *suite = suite_create("data");
    TCase *tc = tcase_create("uploads");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, an_upload_comes_back_byte_for_byte, 0, 2);
    tcase_add_loop_test(tc, a_second_upload_finds_the_first, 0, 2);
    tcase_add_loop_test(tc, wrong_bytes_leave_nothing, 0, 2);
    tcase_add_test(tc, what_is_no_array_is_refused);
    tcase_add_test(tc, a_file_has_a_limit);
    tcase_add_test(tc, a_broken_upload_goes_on_where_it_broke);
    tcase_add_test(tc, an_upload_can_begin_anew);
    tcase_add_test(tc, one_upload_of_a_digest_at_a_time);
    tcase_add_test(tc, stale_parts_are_swept);
    tcase_add_test(tc, the_same_bytes_may_come_from_many_sides);
    suite_add_tcase(suite, tc);
    tc = tcase_create("blobs");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, inline_arrays_are_stored_with_their_job, 0, 2);
    tcase_add_loop_test(tc, an_opened_input_holds_no_descriptor, 0, 2);
    tcase_add_loop_test(tc, what_was_read_leaves_memory_and_is_read_again, 0, 2);
    tcase_add_loop_test(tc, data_in_use_cannot_be_deleted, 0, 2);
    tcase_add_loop_test(tc, arrays_of_results_stay_as_long_as_the_result, 0, 2);
    tcase_add_test(tc, retention_removes_the_oldest_unused_data);
    tcase_add_test(tc, data_that_was_asked_for_again_is_spared);
    tcase_add_test(tc, lists_are_sorted_by_digest);
    tcase_add_test(tc, check_finds_a_flipped_byte_and_a_missing_file);
    tcase_add_test(tc, files_that_nothing_names_are_swept);
#ifdef TG_TESTING
    tcase_add_loop_test(tc, a_failed_upload_keeps_nothing_and_can_be_repeated, 0,
                        sizeof failing / sizeof *failing);
    tcase_add_loop_test(tc, a_refused_job_leaves_no_file, 0, 2);
    tcase_add_test(tc, files_of_failed_writes_are_swept_by_retention);
#endif
    suite_add_tcase(suite, tc);
    return suite;
}
