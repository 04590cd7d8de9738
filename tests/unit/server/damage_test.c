/* SPDX-License-Identifier: GPL-3.0-or-later */
/* server/store_check.c, store_wal.c: flipped bits are noticed, and crash nothing. */
#include "store_fixture.h"

#include <errno.h>
#include <fcntl.h>

Suite *damage_suite(void);

static const char *const files[] = {"tangentd.db", "tangentd.db-wal"};

static void path_in(const char *folder, const char *file, char path[160])
{
    snprintf(path, 160, "%s/%s", folder, file);
}

static long size_of(const char *folder, const char *file)
{
    char path[160];
    struct stat st;
    path_in(folder, file, path);
    return stat(path, &st) ? 0 : (long)st.st_size;
}

static void flip(const char *path, long at, int bit)
{
    unsigned char byte;
    int fd = open(path, O_RDWR);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
    byte ^= (unsigned char)(1U << bit);
    ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void copy(const char *from, const char *to, const char *file)
{
    static char bytes[8 << 20];
    char path[160];
    path_in(from, file, path);
    FILE *in = fopen(path, "rb");
    ck_assert_ptr_nonnull(in);
    size_t n = fread(bytes, 1, sizeof bytes, in);
    ck_assert_uint_lt(n, sizeof bytes);
    fclose(in);
    path_in(to, file, path);
    FILE *out = fopen(path, "wb");
    ck_assert_ptr_nonnull(out);
    ck_assert_uint_eq(fwrite(bytes, 1, n, out), n);
    fclose(out);
}

static char image[80]; /* what a crash would leave of the store */

static void take_image(void)
{
    char path[160];
    snprintf(image, sizeof image, "%s/image", dir);
    ck_assert(!mkdir(image, 0700) || errno == EEXIST);
    path_in(image, "tangentd.db-shm", path);
    unlink(path);
    path_in(image, "lock", path);
    close(open(path, O_CREAT | O_RDWR, 0600));
    for (size_t i = 0; i < 2; i++)
        copy(dir, image, files[i]);
}

/* Opens the image, and reads what can be read. */
static void open_image(void)
{
    struct tg_store_options options = {.dir = image, .data_max_bytes = 1 << 20};
    struct tg_job_filter filter = {.limit = 100};
    struct tg_store *other;
    struct tg_job_row *rows;
    size_t n;
    tg_report_init(&report);
    if (tg_store_open(&options, &other, &report)) {
        ck_assert_str_ne(report.detail, "");
        return;
    }
    if (!tg_store_recover(other, NULL, NULL) &&
        !tg_store_list(other, &filter, &rows, &n)) {
        for (size_t i = 0; i < n; i++)
            tg_job_row_release(&rows[i]);
        free(rows);
    }
    tg_store_close(other);
}

static enum tg_err check_image(void)
{
    lines_printed = 0;
    tg_report_init(&report);
    return tg_store_check(image, count_line, &report);
}

START_TEST(a_flipped_bit_in_the_log_is_noticed)
{
    char id[TG_ID_SIZE], path[160];
    for (int i = 0; i < 12; i++)
        submit_job(id);
    long safe =
        size_of(dir, files[1]); /* damage to the last transaction is a torn write */
    submit_job(id);
    take_image();
    ck_assert_int_eq(check_image(), TG_OK);
    path_in(image, files[1], path);
    /* 4083 and 7 have no factor in common with the size of a frame, so all of it is met.
     */
    for (long at = 0, i = 0; at < safe; at += i < 40 ? 1 : 4083, i++) {
        take_image();
        flip(path, at, (int)(i * 7 % 8));
        ck_assert_msg(check_image() == TG_STORE && lines_printed >= 1, "byte %ld", at);
    }
}
END_TEST

START_TEST(a_torn_log_is_none_the_worse)
{
    char id[TG_ID_SIZE], path[160];
    for (int i = 0; i < 3; i++)
        submit_job(id);
    long safe = size_of(dir, files[1]);
    submit_job(id);
    long whole = size_of(dir, files[1]);
    for (long n = safe; n < whole; n += 509) {
        take_image();
        path_in(image, files[1], path);
        ck_assert_int_eq(truncate(path, n), 0);
        ck_assert_msg(check_image() == TG_OK, "%ld of %ld bytes", n, whole);
    }
}
END_TEST

START_TEST(a_store_with_a_flipped_bit_opens_or_says_why)
{
    char id[TG_ID_SIZE], path[160];
    for (int i = 0; i < 8; i++)
        submit_job(id);
    if (!_i) /* what the log holds goes to the database */
        reopen_store();
    submit_job(id);
    take_image();
    long n = size_of(image, files[_i]);
    for (long k = 0; k < 150; k++) {
        take_image();
        path_in(image, files[_i], path);
        flip(path, k < 50 ? k : k * 7919 % n, (int)(k % 8));
        (void)!check_image();
        open_image();
    }
}
END_TEST

START_TEST(a_flipped_bit_in_data_is_noticed)
{
    size_t n;
    bool created;
    char *bytes = make_npy(_i ? 100 : 20000, &n), sha256[TG_SHA256_HEX], path[160];
    struct tg_upload *upload;
    struct tg_data_row row;
    ck_assert_int_eq(tg_upload_begin(store, NULL, 0, &upload, NULL), TG_OK);
    ck_assert_int_eq(tg_upload_write(upload, bytes, n, NULL), TG_OK);
    ck_assert_int_eq(tg_upload_end(upload, &created, &row, NULL), TG_OK);
    tg_data_row_release(&row);
    tg_sha256_hex(bytes, n, sha256);
    free(bytes);
    ck_assert_int_eq(check_store(), TG_OK);
    if (_i) {
        sql("UPDATE blob SET content = CAST(substr(content, 1, 200) || x'01' || "
            "substr(content, 202) AS BLOB)");
    } else {
        snprintf(path, sizeof path, "%s/data/%.2s/%s", dir, sha256, sha256);
        flip(path, (long)n / 2, 3);
    }
    ck_assert_int_eq(check_store(), TG_STORE);
    ck_assert_int_eq(lines_printed, 1);
}
END_TEST

Suite *damage_suite(void)
{
    Suite *suite = suite_create("damage");
    TCase *tc = tcase_create("flipped bits");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, a_flipped_bit_in_the_log_is_noticed);
    tcase_add_test(tc, a_torn_log_is_none_the_worse);
    tcase_add_loop_test(tc, a_store_with_a_flipped_bit_opens_or_says_why, 0, 2);
    tcase_add_loop_test(tc, a_flipped_bit_in_data_is_noticed, 0, 2);
    suite_add_tcase(suite, tc);
    return suite;
}
