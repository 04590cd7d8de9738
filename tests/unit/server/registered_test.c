/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Registered files: read where they are, found out when they change, and never from outside
 * the folders that are allowed.
 */
#include "store_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <time.h>

#include "server/pool_private.h"

Suite *registered_suite(void);

enum { DOUBLES = 20000 };

static char folder[128], path[192];
static char *bytes;
static size_t n;
static struct tg_data_row row;
static bool created;

static void write_file(const char *name, const void *p, size_t size)
{
    FILE *file = fopen(name, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(p, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

static void setup_files(void)
{
    setup();
    snprintf(folder, sizeof folder, "%s/files", dir);
    snprintf(path, sizeof path, "%s/a.npy", folder);
    snprintf(data_folders, sizeof data_folders, "/nowhere:%s/", folder);
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    bytes = make_npy(DOUBLES, &n);
    write_file(path, bytes, n);
    reopen_store();
}

static void teardown_files(void)
{
    tg_data_row_release(&row);
    free(bytes);
    teardown();
}

static enum tg_err try_register(const char *which)
{
    tg_data_row_release(&row);
    tg_report_init(&report);
    return tg_data_register(store, which, NULL, NULL, &created, &row, &report);
}

static void register_file(const char *which)
{
    ck_assert_msg(!try_register(which), "%s", report.detail);
}

static enum tg_err try_read(const char *sha256)
{
    struct tg_blob blob;
    tg_report_init(&report);
    enum tg_err err = tg_data_open(store, sha256, &blob, &report);
    if (!err)
        tg_blob_close(&blob);
    return err;
}

static void assert_reads(const char *sha256, const void *expected, size_t size)
{
    struct tg_blob blob;
    ck_assert_int_eq(tg_data_open(store, sha256, &blob, &report), TG_OK);
    ck_assert_uint_eq(blob.n, size);
    ck_assert_int_eq(memcmp(blob.bytes, expected, size), 0);
    tg_blob_close(&blob);
}

static void upload(const char *sha256)
{
    struct tg_upload *up;
    struct tg_data_row stored;
    ck_assert_int_eq(tg_upload_begin(store, sha256, 0, &up, NULL), TG_OK);
    ck_assert_int_eq(tg_upload_write(up, bytes, n, NULL), TG_OK);
    ck_assert_int_eq(tg_upload_end(up, &created, &stored, NULL), TG_OK);
    ck_assert_str_eq(stored.path, "");
    tg_data_row_release(&stored);
}

static uint64_t stored_bytes(void)
{
    struct tg_store_stats stats;
    tg_store_stats(store, &stats);
    return stats.data_bytes;
}

static void append(void)
{
    FILE *file = fopen(path, "ae");
    ck_assert_ptr_nonnull(file);
    fputc('x', file);
    fclose(file);
}

/* Reading where it is ----------------------------------------------------------------- */

START_TEST(a_registered_file_is_read_where_it_is)
{
    char sha256[TG_SHA256_HEX], inside[256];
    tg_sha256_hex(bytes, n, sha256);
    register_file(path);
    ck_assert(created);
    ck_assert_str_eq(row.sha256, sha256);
    ck_assert_str_eq(row.path, path);
    ck_assert_str_eq(row.format, "npy");
    ck_assert_ptr_nonnull(strstr(row.members, "20000"));
    assert_reads(sha256, bytes, n);
    snprintf(inside, sizeof inside, "%s/data/%.2s/%s", dir, sha256, sha256);
    ck_assert_int_lt(access(inside, F_OK), 0);
    ck_assert_uint_eq(stored_bytes(), 0);
    reopen_store();
    assert_reads(sha256, bytes, n);
    ck_assert_uint_eq(stored_bytes(), 0);
    ck_assert_int_eq(check_store(), TG_OK);
}
END_TEST

#ifdef TG_TESTING
START_TEST(an_unchanged_file_is_not_read_again)
{
    register_file(path);
    tg_point_set("register.read=error");
    register_file(path);
    ck_assert(!created);
    ck_assert_str_eq(row.path, path);
    ck_assert_uint_eq(tg_point_seen("register.read"), 0);
    append();
    ck_assert_int_eq(try_register(path), TG_BAD_ARRAY);
}
END_TEST
#endif

START_TEST(a_changed_file_gives_its_new_digest_and_the_old_one_goes)
{
    char first[TG_SHA256_HEX], second[TG_SHA256_HEX];
    register_file(path);
    memcpy(first, row.sha256, sizeof first);
    bytes[n - 1] ^= 1;
    write_file(path, bytes, n);
    tg_sha256_hex(bytes, n, second);
    register_file(path);
    ck_assert(created);
    ck_assert_str_eq(row.sha256, second);
    assert_reads(second, bytes, n);
    ck_assert_int_eq(try_read(first), TG_UNKNOWN_DATA);
}
END_TEST

START_TEST(what_a_waiting_job_needs_keeps_its_record)
{
    char first[1][TG_SHA256_HEX], id[TG_ID_SIZE];
    struct tg_job_row job = plain_row();
    struct tg_submit submit = {.row = &job, .ninputs = 1};
    bool existing;
    register_file(path);
    memcpy(first[0], row.sha256, sizeof first[0]);
    submit.inputs = (const char(*)[TG_SHA256_HEX])first;
    ck_assert_int_eq(tg_store_submit(store, &submit, id, &existing, &report), TG_OK);
    bytes[n - 1] ^= 1;
    write_file(path, bytes, n);
    register_file(path);
    ck_assert_int_eq(try_read(first[0]), TG_DATA_CHANGED);
    ck_assert_int_eq(tg_data_delete(store, first[0], NULL), TG_CONFLICT);
}
END_TEST

START_TEST(deleting_and_retention_leave_the_file_alone)
{
    const struct tg_retention tight = {.max_bytes = 1};
    register_file(path);
    sql("UPDATE blob SET touched = touched - 7200");
    ck_assert_int_eq(tg_store_retain(store, &tight), TG_OK);
    assert_reads(row.sha256, bytes, n);
    ck_assert_int_eq(tg_data_delete(store, row.sha256, NULL), TG_OK);
    ck_assert_int_eq(try_read(row.sha256), TG_UNKNOWN_DATA);
    ck_assert_int_eq(access(path, F_OK), 0);
    ck_assert_uint_eq(stored_bytes(), 0);
    ck_assert_int_eq(check_store(), TG_OK);
}
END_TEST

/* Beside uploads ---------------------------------------------------------------------- */

START_TEST(what_is_stored_already_stays_what_is_used)
{
    upload(NULL);
    register_file(path);
    ck_assert(!created);
    ck_assert_str_eq(row.path, "");
    ck_assert_int_eq(unlink(path), 0);
    assert_reads(row.sha256, bytes, n);
}
END_TEST

START_TEST(an_upload_takes_the_place_of_a_registered_file)
{
    register_file(path);
    bytes[n - 1] ^= 1; /* another file's bytes do not */
    upload(NULL);
    bytes[n - 1] ^= 1;
    ck_assert_uint_eq(stored_bytes(), n);
    upload(row.sha256);
    ck_assert(created);
    ck_assert_uint_eq(stored_bytes(), 2 * n);
    ck_assert_int_eq(unlink(path), 0);
    assert_reads(row.sha256, bytes, n);
    ck_assert_int_eq(check_store(), TG_OK);
    ck_assert_uint_eq(stored_bytes(), 2 * n);
    ck_assert_int_eq(tg_data_delete(store, row.sha256, NULL), TG_OK);
    ck_assert_uint_eq(stored_bytes(), n);
}
END_TEST

START_TEST(the_same_content_at_another_path_is_read_there_from_then_on)
{
    char other[192];
    snprintf(other, sizeof other, "%s/b.npy", folder);
    write_file(other, bytes, n);
    register_file(path);
    register_file(other);
    ck_assert(!created);
    ck_assert_str_eq(row.path, other);
    ck_assert_int_eq(unlink(path), 0);
    assert_reads(row.sha256, bytes, n);
}
END_TEST

/* Changes ----------------------------------------------------------------------------- */

static void overwrite_same_length(void)
{
    bytes[n - 1] ^= 1;
    write_file(path, bytes, n);
    bytes[n - 1] ^= 1;
}

static void replace_keeping_the_time(void)
{
    char other[200];
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    snprintf(other, sizeof other, "%s.new", path);
    write_file(other, bytes, n);
    const struct timespec times[] = {st.st_atim, st.st_mtim};
    ck_assert_int_eq(utimensat(AT_FDCWD, other, times, 0), 0);
    ck_assert_int_eq(rename(other, path), 0);
}

static void cut(void)
{
    ck_assert_int_eq(truncate(path, (off_t)n / 2), 0);
}

static void take_away(void)
{
    ck_assert_int_eq(unlink(path), 0);
}

static const struct {
    void (*change)(void);
    enum tg_err err;
    const char *words;
} changes[] = {
    {append, TG_DATA_CHANGED, "now has 160129"},
    {overwrite_same_length, TG_DATA_CHANGED, "was written to"},
    {replace_keeping_the_time, TG_DATA_CHANGED, "replaced by another file"},
    {cut, TG_DATA_CHANGED, "now has 80064"},
    {take_away, TG_NOT_FOUND, "There is no file"},
};
enum { NCHANGES = sizeof changes / sizeof *changes };

START_TEST(a_change_is_found_and_said_when_the_file_is_opened)
{
    register_file(path);
    changes[_i].change();
    ck_assert_int_eq(try_read(row.sha256), changes[_i].err);
    ck_assert_msg(strstr(report.detail, changes[_i].words) != NULL, "%s", report.detail);
    ck_assert_msg(strstr(report.detail, "files/a.npy") != NULL, "%s", report.detail);
    ck_assert_int_eq(check_store(), TG_OK); /* the store is whole all the same */
}
END_TEST

/* A job that had it open must not count. */
START_TEST(a_change_while_it_is_read_is_found_at_the_end)
{
    struct tg_reading reading;
    const void *map;
    void *handle;
    size_t size;
    register_file(path);
    tg_reading_init(&reading, store);
    struct tg_opener opener = tg_reading_opener(&reading);
    ck_assert_int_eq(opener.open(opener.self, row.sha256, &map, &size, &handle), TG_OK);
    ck_assert_int_eq(tg_reading_check(&reading, NULL), TG_OK);
    changes[_i].change();
    volatile unsigned char last = ((const unsigned char *)map)[size - 1]; /* gone if cut */
    (void)last;
    if (_i % 2)
        ck_assert_int_eq(tg_reading_check(&reading, NULL), TG_DATA_CHANGED);
    opener.close(opener.self, handle);
    tg_report_init(&report);
    ck_assert_int_eq(tg_reading_check(&reading, &report), TG_DATA_CHANGED);
    ck_assert_msg(strstr(report.detail, "files/a.npy") != NULL, "%s", report.detail);
}
END_TEST

static int looks;
static bool change_at_once(void *arg)
{
    (void)arg;
    append();
    looks++;
    return false;
}

static bool is_gone(void *arg)
{
    (void)arg;
    return true;
}

START_TEST(a_file_that_changes_while_it_is_hashed_is_not_registered)
{
    tg_report_init(&report);
    ck_assert_int_eq(
        tg_data_register(store, path, change_at_once, NULL, &created, &row, &report),
        TG_DATA_CHANGED);
    ck_assert_int_gt(looks, 0);
    ck_assert_ptr_nonnull(strstr(report.detail, "changed while it was read"));
    ck_assert_int_eq(tg_data_register(store, path, is_gone, NULL, &created, &row, NULL),
                     TG_CANCELLED);
}
END_TEST

START_TEST(a_file_written_this_moment_is_told_from_one_written_right_after)
{
    for (int i = 0; i < 20; i++) {
        bytes[n - 1] ^= 1;
        write_file(path, bytes, n);
        register_file(path);
        bytes[n - 1] ^= 1;
        write_file(path, bytes, n); /* as long as before, at once */
        ck_assert_int_eq(try_read(row.sha256), TG_DATA_CHANGED);
        bytes[n - 1] ^= 1;
    }
}
END_TEST

/* What a worker does for a job -------------------------------------------------------- */

START_TEST(what_a_job_derives_is_kept_only_while_its_inputs_are_what_they_were)
{
    struct tg_pool pool = {.options = {.workers = 1,
                                       .store = store,
                                       .hub = tg_hub_new(),
                                       .partials = tg_partials_new(),
                                       .derived = tg_derived_open(dir, 1 << 20)}};
    struct tg_worker worker = {.pool = &pool, .item.id = "J"};
    const double value = 42, shown = 7;
    double got = 0;
    uint64_t seen = 0;
    struct tg_buf frame;
    const void *map;
    void *handle;
    size_t size;
    register_file(path);
    tg_meter_init(&worker.meter);
    tg_meter_start(&worker.meter, 0, 1);
    tg_reading_init(&worker.reading, store);
    struct tg_opener opener = tg_reading_opener(&worker.reading);
    struct tg_ctx ctx = tg_worker_ctx(&worker);
    ck_assert_int_eq(opener.open(opener.self, row.sha256, &map, &size, &handle), TG_OK);

    tg_ctx_partial(&ctx, "grid", 1, 1, &shown);
    tg_buf_init(&frame, 1000);
    ck_assert(tg_partials_write(pool.options.partials, "J", &seen, &frame));
    ck_assert_ptr_nonnull(strstr(frame.p, "[[7]]"));
    tg_buf_release(&frame);

    ck_assert(!tg_ctx_recall(&ctx, "before", &got, sizeof got));
    tg_ctx_keep(&ctx, "before", &value, sizeof value);
    tg_ctx_progress(&ctx, "reading", 1, 2, "files");
    ck_assert_int_eq(tg_ctx_poll(&ctx), TG_OK);
    append();
    tg_ctx_keep(&ctx, "after", &value, sizeof value);
    ck_assert(tg_ctx_recall(&ctx, "before", &got, sizeof got));
    ck_assert_double_eq(got, value);
    ck_assert(!tg_ctx_recall(&ctx, "after", &got, sizeof got));
    tg_ctx_progress(&ctx, "computing", 1, 2, "files"); /* a new phase is told at once */
    ck_assert_int_eq(tg_ctx_poll(&ctx), TG_CANCELLED); /* in vain to go on */

    opener.close(opener.self, handle);
    tg_meter_destroy(&worker.meter);
    tg_derived_close(pool.options.derived);
    tg_partials_free(pool.options.partials);
    tg_hub_free(pool.options.hub);
}
END_TEST

/* What may be read -------------------------------------------------------------------- */

static void assert_refused(const char *which, enum tg_err err, const char *words)
{
    ck_assert_msg(try_register(which) == err, "%s: %s", which, report.detail);
    ck_assert_msg(strstr(report.detail, words) != NULL, "%s: %s", which, report.detail);
}

START_TEST(without_the_setting_nothing_is_read_and_the_setting_is_named)
{
    register_file(path);
    *data_folders = '\0';
    reopen_store();
    assert_refused(path, TG_PATH, "data-folders");
    ck_assert_int_eq(try_read(row.sha256), TG_UNKNOWN_DATA); /* no row was filled */
    char sha256[TG_SHA256_HEX];
    tg_sha256_hex(bytes, n, sha256);
    ck_assert_int_eq(try_read(sha256), TG_PATH);
}
END_TEST

START_TEST(a_folder_whose_name_begins_the_same_is_another_one)
{
    char other[160], file[224];
    snprintf(other, sizeof other, "%s2", folder);
    snprintf(file, sizeof file, "%s/a.npy", other);
    ck_assert_int_eq(mkdir(other, 0700), 0);
    write_file(file, bytes, n);
    assert_refused(file, TG_PATH, "is not below a folder");
}
END_TEST

START_TEST(ways_out_of_the_folder_are_closed)
{
    char outside[160], link[192], text[300];
    snprintf(outside, sizeof outside, "%s/secret.npy", dir);
    write_file(outside, bytes, n);
    snprintf(text, sizeof text, "%s/../secret.npy", folder);
    assert_refused(text, TG_PATH, "without \"..\"");
    snprintf(text, sizeof text, "%s/..", folder);
    assert_refused(text, TG_PATH, "without \"..\"");
    assert_refused("files/a.npy", TG_PATH, "absolute");
    assert_refused("", TG_PATH, "absolute");
    snprintf(link, sizeof link, "%s/link.npy", folder);
    ck_assert_int_eq(symlink(outside, link), 0);
    assert_refused(link, TG_PATH, "leads out");
    ck_assert_int_eq(unlink(link), 0);
    ck_assert_int_eq(symlink("../secret.npy", link), 0);
    assert_refused(link, TG_PATH, "leads out");
    ck_assert_int_eq(unlink(link), 0);
    ck_assert_int_eq(symlink(dir, link), 0); /* a folder on the way */
    snprintf(text, sizeof text, "%s/secret.npy", link);
    assert_refused(text, TG_PATH, "leads out");
}
END_TEST

START_TEST(what_lies_elsewhere_is_not_told)
{
    char there[400], nowhere[400];
    ck_assert_int_eq(try_register("/etc/passwd"), TG_PATH);
    snprintf(there, sizeof there, "%s", report.detail);
    ck_assert_int_eq(try_register("/etc/passwe"), TG_PATH);
    snprintf(nowhere, sizeof nowhere, "%s", report.detail);
    *strstr(there, "passwd") = *strstr(nowhere, "passwe") = '\0';
    ck_assert_str_eq(there, nowhere);
}
END_TEST

START_TEST(a_link_within_the_folder_registers_what_it_names)
{
    char link[192], linked_folder[160];
    snprintf(link, sizeof link, "%s/latest.npy", folder);
    ck_assert_int_eq(symlink("a.npy", link), 0);
    register_file(link);
    ck_assert_str_eq(row.path, path);
    snprintf(linked_folder, sizeof linked_folder, "%s/also", dir);
    ck_assert_int_eq(symlink(folder, linked_folder), 0);
    snprintf(data_folders, sizeof data_folders, "%s", linked_folder);
    reopen_store();
    snprintf(link, sizeof link, "%s/a.npy", linked_folder);
    register_file(link);
    register_file(path); /* where the folder really is */
    assert_reads(row.sha256, bytes, n);
}
END_TEST

START_TEST(a_link_swapped_after_registering_does_not_lead_out)
{
    char moved[192], outside[160];
    register_file(path);
    snprintf(outside, sizeof outside, "%s/secret.npy", dir);
    snprintf(moved, sizeof moved, "%s/moved.npy", folder);
    ck_assert_int_eq(rename(path, outside), 0); /* the same inode, length and time */
    ck_assert_int_eq(symlink(outside, path), 0);
    ck_assert_int_eq(try_read(row.sha256), TG_PATH);
}
END_TEST

START_TEST(only_plain_files_of_arrays_are_taken)
{
    char text[192];
    assert_refused(folder, TG_PATH, "is not below"); /* the folder itself */
    snprintf(text, sizeof text, "%s/sub", folder);
    ck_assert_int_eq(mkdir(text, 0700), 0);
    assert_refused(text, TG_PATH, "not a plain file");
    snprintf(text, sizeof text, "%s/pipe", folder);
    ck_assert_int_eq(mkfifo(text, 0600), 0);
    assert_refused(text, TG_PATH, "not a plain file");
    snprintf(text, sizeof text, "%s/none.npy", folder);
    assert_refused(text, TG_NOT_FOUND, "There is no file");
    write_file(text, "", 0);
    assert_refused(text, TG_BAD_ARRAY, "empty");
    write_file(text, "\x80\x04pickle", 8);
    ck_assert_int_eq(try_register(text), TG_BAD_ARRAY);
}
END_TEST

START_TEST(folders_have_to_be_absolute)
{
    tg_store_close(store);
    snprintf(data_folders, sizeof data_folders, "%s:here", folder);
    ck_assert_int_eq(try_open(&store), TG_INVALID);
    ck_assert_ptr_nonnull(strstr(report.detail, "'here'"));
    *data_folders = '\0';
    open_store();
}
END_TEST

/* Older stores and troubles ----------------------------------------------------------- */

START_TEST(a_store_from_before_is_brought_up_to_date_with_all_it_has)
{
    char sha256[TG_SHA256_HEX];
    tg_sha256_hex(bytes, n, sha256);
    upload(NULL);
    tg_store_close(store);
    sql("DROP INDEX blob_path; ALTER TABLE blob DROP COLUMN inode; "
        "ALTER TABLE blob DROP COLUMN mtime_ns; ALTER TABLE blob DROP COLUMN path; "
        "PRAGMA user_version = 1");
    open_store();
    assert_reads(sha256, bytes, n);
    bytes[n - 1] ^= 1;
    write_file(path, bytes, n);
    register_file(path);
    assert_reads(row.sha256, bytes, n);
    ck_assert_int_eq(check_store(), TG_OK);
}
END_TEST

#ifdef TG_TESTING
static const char *const points[] = {"register.find", "register.open", "register.read",
                                     "register.map",  "store.commit",  "store.query"};

START_TEST(registering_survives_every_failed_call)
{
    bool hit = true;
    for (long round = 1; hit; round++) {
        char spec[80];
        snprintf(spec, sizeof spec, "%s=error@%ld", points[_i], round);
        tg_point_set(spec);
        enum tg_err err = try_register(path);
        hit = tg_point_seen(points[_i]) >= (unsigned long)round;
        tg_point_set(NULL);
        ck_assert_msg(!err || err == TG_PATH || err == TG_BAD_ARRAY || err == TG_STORE,
                      "%s: %s", spec, tg_err_slug(err));
        for (int i = 0; i < 300 && !tg_store_is_writable(store); i++)
            usleep(10000);
        register_file(path);
        assert_reads(row.sha256, bytes, n);
        ck_assert_int_eq(tg_data_delete(store, row.sha256, NULL), TG_OK);
        ck_assert_int_lt(round, 100);
        ck_assert(hit || round > 1);
    }
    ck_assert_int_eq(check_store(), TG_OK);
}
END_TEST
#endif

Suite *registered_suite(void)
{
    Suite *suite = suite_create("registered");
    TCase *tc = tcase_create("registered");
    tcase_add_checked_fixture(tc, setup_files, teardown_files);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_registered_file_is_read_where_it_is);
    tcase_add_test(tc, a_changed_file_gives_its_new_digest_and_the_old_one_goes);
    tcase_add_test(tc, what_a_waiting_job_needs_keeps_its_record);
    tcase_add_test(tc, deleting_and_retention_leave_the_file_alone);
    tcase_add_test(tc, what_is_stored_already_stays_what_is_used);
    tcase_add_test(tc, an_upload_takes_the_place_of_a_registered_file);
    tcase_add_test(tc, the_same_content_at_another_path_is_read_there_from_then_on);
    tcase_add_loop_test(tc, a_change_is_found_and_said_when_the_file_is_opened, 0, NCHANGES);
    tcase_add_loop_test(tc, a_change_while_it_is_read_is_found_at_the_end, 0, NCHANGES);
    tcase_add_test(tc, a_file_that_changes_while_it_is_hashed_is_not_registered);
    tcase_add_test(tc, a_file_written_this_moment_is_told_from_one_written_right_after);
    tcase_add_test(tc, what_a_job_derives_is_kept_only_while_its_inputs_are_what_they_were);
    tcase_add_test(tc, without_the_setting_nothing_is_read_and_the_setting_is_named);
    tcase_add_test(tc, a_folder_whose_name_begins_the_same_is_another_one);
    tcase_add_test(tc, ways_out_of_the_folder_are_closed);
    tcase_add_test(tc, what_lies_elsewhere_is_not_told);
    tcase_add_test(tc, a_link_within_the_folder_registers_what_it_names);
    tcase_add_test(tc, a_link_swapped_after_registering_does_not_lead_out);
    tcase_add_test(tc, only_plain_files_of_arrays_are_taken);
    tcase_add_test(tc, folders_have_to_be_absolute);
    tcase_add_test(tc, a_store_from_before_is_brought_up_to_date_with_all_it_has);
#ifdef TG_TESTING
    tcase_add_test(tc, an_unchanged_file_is_not_read_again);
    tcase_add_loop_test(tc, registering_survives_every_failed_call, 0, 6);
#endif
    suite_add_tcase(suite, tc);
    return suite;
}
