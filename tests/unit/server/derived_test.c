/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What was derived comes back whole or not at all, whatever happened to it. */
#include "../suite.h"

#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/ctx.h"
#include "proto/digest.h"
#include "server/derived.h"
#include "server/log.h"
#include "server/metrics.h"
#include "server/point.h"

Suite *derived_suite(void);

enum { BLOCK = 4096, N = 10 * BLOCK - 1000, FILE_BYTES = 10 * BLOCK };

static char dir[64];
static struct tg_derived *derived;
static unsigned char value[N], got[N];

static void open_derived(uint64_t blocks)
{
    derived = tg_derived_open(dir, blocks * BLOCK);
    ck_assert_ptr_nonnull(derived);
}

static void reopen(uint64_t blocks)
{
    tg_derived_close(derived);
    open_derived(blocks);
}

static void setup(void)
{
    ck_assert(tg_log_set_level("error"));
    snprintf(dir, sizeof(dir), "/tmp/tangentd-derived-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    open_derived(1000);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void teardown(void)
{
#ifdef TG_TESTING
    tg_point_set(NULL);
#endif
    tg_derived_close(derived);
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* The bytes of the value under a key: a mix of its text, so that no two are alike. */
static const void *bytes_of(const char *key)
{
    unsigned x = 1;
    for (size_t i = 0; i < N; i++) {
        x = x * 1664525u + 1013904223u + (unsigned char)key[i % strlen(key)];
        value[i] = (unsigned char)(x >> 24);
    }
    return value;
}

static void keep(const char *key)
{
    tg_derived_keep(derived, key, bytes_of(key), N);
}

static bool recall(const char *key)
{
    memset(got, 0xa5, N);
    bool kept = tg_derived_recall(derived, key, got, N);
    if (kept)
        bytes_of(key);
    else
        memset(value, 0xa5, N); /* as it was */
    ck_assert_mem_eq(got, value, N);
    return kept;
}

static void path_of(const char *key, char path[160])
{
    char name[TG_SHA256_HEX];
    tg_sha256_hex(key, strlen(key), name);
    snprintf(path, 160, "%s/derived/%s", dir, name);
}

static int files;
static int count_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)path, (void)st, (void)ftw;
    files += type != FTW_D;
    return 0;
}

static int count_files(void)
{
    char path[80];
    files = 0;
    snprintf(path, sizeof(path), "%s/derived", dir);
    nftw(path, count_one, 8, FTW_PHYS);
    return files;
}

static int64_t bytes_told(void)
{
    return (int64_t)atomic_load(&tg_metrics()->derived_bytes);
}

START_TEST(what_was_kept_comes_back_in_this_life_and_the_next)
{
    int64_t hits = (int64_t)atomic_load(&tg_metrics()->derived_hits);
    int64_t misses = (int64_t)atomic_load(&tg_metrics()->derived_misses);
    ck_assert(!recall("a"));
    keep("a");
    keep("b");
    ck_assert(recall("a") && recall("b"));
    ck_assert(!recall("c"));
    ck_assert_int_eq(bytes_told(), 2 * FILE_BYTES);
    reopen(1000);
    ck_assert(recall("b") && recall("a"));
    ck_assert_int_eq(bytes_told(), 2 * FILE_BYTES);
    ck_assert_int_eq((int64_t)atomic_load(&tg_metrics()->derived_hits), hits + 4);
    ck_assert_int_eq((int64_t)atomic_load(&tg_metrics()->derived_misses), misses + 2);
}
END_TEST

START_TEST(a_key_has_the_value_kept_last)
{
    keep("a");
    tg_derived_keep(derived, "a", bytes_of("other"), N);
    ck_assert(tg_derived_recall(derived, "a", got, N));
    ck_assert_mem_eq(got, bytes_of("other"), N);
    ck_assert_int_eq(bytes_told(), FILE_BYTES);
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

START_TEST(a_value_of_another_length_is_not_the_one_asked_for)
{
    keep("a");
    memset(got, 0xa5, N);
    ck_assert(!tg_derived_recall(derived, "a", got, N - 8));
    for (size_t i = 0; i < N; i++)
        MUST(got[i] == 0xa5);
}
END_TEST

START_TEST(an_empty_value_is_one_and_the_longest_key_fits)
{
    char longest[TG_KEY_MAX], longer[TG_KEY_MAX + 1];
    memset(longest, 'k', sizeof(longest));
    memset(longer, 'k', sizeof(longer));
    longest[TG_KEY_MAX - 1] = longer[TG_KEY_MAX] = '\0';
    tg_derived_keep(derived, "nothing", "", 0);
    ck_assert(tg_derived_recall(derived, "nothing", got, 0));
    keep(longest);
    ck_assert(recall(longest));
    keep(longer);
    ck_assert(!recall(longer));
    ck_assert_int_eq(count_files(), 2);
}
END_TEST

START_TEST(what_was_used_longest_ago_goes_first)
{
    reopen(35); /* room for three */
    keep("a");
    keep("b");
    keep("c");
    ck_assert(recall("a"));
    keep("d");
    ck_assert(!recall("b"));
    ck_assert(recall("c") && recall("a") && recall("d"));
    ck_assert_int_eq(bytes_told(), 3 * FILE_BYTES);
    ck_assert_int_eq(count_files(), 3);
}
END_TEST

START_TEST(the_order_of_use_survives_a_restart_and_the_limit_may_shrink)
{
    const struct timespec tick = {.tv_nsec = 20000000}; /* file systems have coarse clocks */
    const char *const keys[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++) {
        keep(keys[i]);
        nanosleep(&tick, NULL);
    }
    ck_assert(recall("a"));
    reopen(20);
    ck_assert_int_eq(count_files(), 2);
    ck_assert(!recall("b"));
    ck_assert(recall("a") && recall("c"));
    reopen(0);
    ck_assert_int_eq(count_files(), 0);
    ck_assert_int_eq(bytes_told(), 0);
    keep("a");
    ck_assert(!recall("a"));
}
END_TEST

START_TEST(a_value_larger_than_the_limit_drives_nothing_out)
{
    static char big[40 * BLOCK];
    reopen(35);
    keep("a");
    tg_derived_keep(derived, "big", big, sizeof(big));
    ck_assert(!tg_derived_recall(derived, "big", big, sizeof(big)));
    ck_assert(recall("a"));
}
END_TEST

/* Damage ------------------------------------------------------------------------------ */

static void flip(const char *path, off_t at)
{
    unsigned char byte;
    int fd = open(path, O_RDWR);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
    byte ^= 0x10;
    ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

START_TEST(a_flipped_bit_is_found_wherever_it_is)
{
    char path[160];
    struct stat st;
    path_of("a", path);
    keep("a");
    ck_assert_int_eq(stat(path, &st), 0);
    for (off_t at = 0; at < st.st_size; at += at < 600 ? 1 : 997) {
        keep("a");
        flip(path, at);
        ck_assert_msg(!recall("a"), "byte %ld", (long)at);
        ck_assert_msg(access(path, F_OK) < 0, "byte %ld stays", (long)at);
    }
    ck_assert_int_eq(bytes_told(), 0);
    keep("a");
    ck_assert(recall("a"));
}
END_TEST

START_TEST(a_torn_file_is_not_kept_and_a_longer_one_neither)
{
    char path[160];
    struct stat st;
    path_of("a", path);
    keep("a");
    ck_assert_int_eq(stat(path, &st), 0);
    const off_t sizes[] = {0, 1, 300, 496, st.st_size / 2, st.st_size - 1, st.st_size + 1};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        keep("a");
        ck_assert_int_eq(truncate(path, sizes[i]), 0);
        ck_assert_msg(!recall("a"), "%ld bytes", (long)sizes[i]);
        ck_assert_int_lt(access(path, F_OK), 0);
    }
}
END_TEST

START_TEST(a_file_of_another_key_is_not_mistaken_for_it)
{
    char a[160], b[160];
    path_of("a", a);
    path_of("b", b);
    keep("a");
    ck_assert_int_eq(rename(a, b), 0);
    ck_assert(!recall("b"));
    ck_assert(!recall("a"));
}
END_TEST

START_TEST(foreign_names_and_what_was_not_finished_go_at_the_start)
{
    const char *const strays[] = {"new-0", "new-17", "README", "ABCD"};
    char path[160], target[80];
    keep("a");
    for (size_t i = 0; i < sizeof(strays) / sizeof(strays[0]); i++) {
        snprintf(path, sizeof(path), "%s/derived/%s", dir, strays[i]);
        close(open(path, O_CREAT | O_WRONLY, 0600));
    }
    snprintf(target, sizeof(target), "%s/precious", dir);
    close(open(target, O_CREAT | O_WRONLY, 0600));
    path_of("link", path);
    ck_assert_int_eq(symlink(target, path), 0);
    reopen(1000);
    ck_assert_int_eq(count_files(), 1);
    ck_assert(recall("a"));
    ck_assert_int_eq(access(target, F_OK), 0); /* the link went, not what it names */
}
END_TEST

START_TEST(files_taken_away_from_outside_are_only_missed)
{
    char path[160];
    reopen(35);
    keep("a");
    keep("b");
    path_of("a", path);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert(!recall("a"));
    ck_assert(recall("b"));
    keep("c");
    keep("d");
    ck_assert(recall("b") && recall("c") && recall("d"));
}
END_TEST

START_TEST(without_a_folder_nothing_is_kept_and_nothing_breaks)
{
    char path[80];
    tg_derived_close(derived);
    derived = tg_derived_open("/nonexistent", 1 << 20);
    ck_assert_ptr_null(derived);
    keep("a");
    ck_assert(!recall("a"));
    snprintf(path, sizeof(path), "%s/derived", dir);
    ck_assert_int_eq(rmdir(path), 0);
    close(open(path, O_CREAT | O_WRONLY, 0600)); /* a file in its place */
    derived = tg_derived_open(dir, 1 << 20);
    ck_assert_ptr_null(derived);
}
END_TEST

/* Threads ----------------------------------------------------------------------------- */

enum { THREADS = 6, KEYS = 5, TURNS = 300 };

static char mixed[] = "another key's bytes";

/* Keeps and recalls values of few keys, each filled with one number of its key. */
static void *take_turns(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg;
    static _Thread_local unsigned char mine[N];
    for (int turn = 0; turn < TURNS; turn++) {
        char key[16];
        int k = rand_r(&seed) % KEYS;
        snprintf(key, sizeof(key), "key %d", k);
        if (rand_r(&seed) % 2) {
            memset(mine, k, N);
            tg_derived_keep(derived, key, mine, N);
        } else if (tg_derived_recall(derived, key, mine, N)) {
            for (size_t i = 0; i < N; i++)
                if (mine[i] != k)
                    return mixed;
        }
    }
    return NULL;
}

START_TEST(many_threads_keep_and_recall_at_once)
{
    pthread_t thread[THREADS];
    reopen(45); /* four of five, so that some are always driven out */
    for (uintptr_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, take_turns, (void *)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++) {
        void *fault;
        pthread_join(thread[i], &fault);
        ck_assert_ptr_null(fault);
    }
    ck_assert_int_le(count_files(), 4);
    ck_assert_int_eq(bytes_told(), count_files() * FILE_BYTES);
}
END_TEST

/* A life that ends by kill -9 --------------------------------------------------------- */

static void keep_until_killed(void)
{
    for (unsigned i = 0;; i++)
        keep(i % 2 ? "a" : "b");
}

START_TEST(a_kill_at_any_time_leaves_whole_values_only)
{
    unsigned seed = 7;
    int kept = 0;
    for (int round = 0; round < 40; round++) {
        pid_t child = fork();
        if (!child)
            keep_until_killed();
        usleep((useconds_t)(rand_r(&seed) % 1000 * (round + 1)));
        kill(child, SIGKILL);
        ck_assert_int_eq(waitpid(child, NULL, 0), child);
        reopen(1000);
        ck_assert_int_le(count_files(), 2);
        kept += recall("a") + recall("b");
        ck_assert_int_eq(bytes_told(), count_files() * FILE_BYTES);
    }
    ck_assert_int_gt(kept, 0);
    keep("a");
    ck_assert(recall("a"));
}
END_TEST

/* Troubles of the disk ---------------------------------------------------------------- */

#ifdef TG_TESTING
static const char *const points[] = {"derived.create", "derived.write", "derived.rename",
                                     "derived.open",   "derived.map",   "derived.unlink"};
static const char *const actions[] = {"error", "full"};

START_TEST(a_failed_call_costs_the_value_and_nothing_else)
{
    const char *point = points[_i / 2];
    bool hit = true;
    for (long round = 1; hit; round++) {
        char spec[80];
        reopen(35);
        keep("a");
        keep("b");
        keep("c");
        snprintf(spec, sizeof(spec), "%s=%s@%ld", point, actions[_i % 2], round);
        tg_point_set(spec);
        keep("d"); /* drives "a" out */
        (void)recall("d");
        (void)recall("b");
        hit = tg_point_seen(point) >= (unsigned long)round;
        tg_point_set(NULL);
        ck_assert_int_le(bytes_told(), 3 * FILE_BYTES);
        ck_assert_int_eq(bytes_told(), count_files() * FILE_BYTES);
        ck_assert(recall("b") && recall("c"));
        keep("d");
        ck_assert(recall("d"));
        ck_assert_int_lt(round, 20);
        ck_assert(hit || round > 1);
    }
}
END_TEST

START_TEST(a_kill_in_each_call_leaves_a_folder_that_works)
{
    char spec[80];
    snprintf(spec, sizeof(spec), "%s=kill", points[_i]);
    reopen(35);
    keep("a");
    keep("b");
    keep("c");
    pid_t child = fork();
    if (!child) {
        tg_point_set(spec);
        keep("d");
        (void)recall("d");
        _exit(0);
    }
    int how;
    ck_assert_int_eq(waitpid(child, &how, 0), child);
    ck_assert_int_eq(WTERMSIG(how), SIGKILL);
    reopen(35);
    ck_assert_int_le(count_files(), 3);
    ck_assert(recall("b") && recall("c"));
    keep("d");
    ck_assert(recall("d"));
}
END_TEST

START_TEST(a_folder_that_cannot_be_made_is_done_without)
{
    tg_derived_close(derived);
    tg_point_set("derived.mkdir=full");
    derived = tg_derived_open(dir, 1 << 20);
    ck_assert_ptr_null(derived);
}
END_TEST
#endif

Suite *derived_suite(void)
{
    Suite *suite = suite_create("derived");
    TCase *tc = tcase_create("derived");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, what_was_kept_comes_back_in_this_life_and_the_next);
    tcase_add_test(tc, a_key_has_the_value_kept_last);
    tcase_add_test(tc, a_value_of_another_length_is_not_the_one_asked_for);
    tcase_add_test(tc, an_empty_value_is_one_and_the_longest_key_fits);
    tcase_add_test(tc, what_was_used_longest_ago_goes_first);
    tcase_add_test(tc, the_order_of_use_survives_a_restart_and_the_limit_may_shrink);
    tcase_add_test(tc, a_value_larger_than_the_limit_drives_nothing_out);
    tcase_add_test(tc, a_flipped_bit_is_found_wherever_it_is);
    tcase_add_test(tc, a_torn_file_is_not_kept_and_a_longer_one_neither);
    tcase_add_test(tc, a_file_of_another_key_is_not_mistaken_for_it);
    tcase_add_test(tc, foreign_names_and_what_was_not_finished_go_at_the_start);
    tcase_add_test(tc, files_taken_away_from_outside_are_only_missed);
    tcase_add_test(tc, without_a_folder_nothing_is_kept_and_nothing_breaks);
    tcase_add_test(tc, many_threads_keep_and_recall_at_once);
    tcase_add_test(tc, a_kill_at_any_time_leaves_whole_values_only);
#ifdef TG_TESTING
    tcase_add_loop_test(tc, a_failed_call_costs_the_value_and_nothing_else, 0, 12);
    tcase_add_loop_test(tc, a_kill_in_each_call_leaves_a_folder_that_works, 0, 6);
    tcase_add_test(tc, a_folder_that_cannot_be_made_is_done_without);
#endif
    suite_add_tcase(suite, tc);
    return suite;
}
