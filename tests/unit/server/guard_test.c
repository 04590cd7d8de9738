/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Guarded mappings: a page that went is noted, and nothing else is forgiven. */
#include "../suite.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server/guard.h"

Suite *guard_suite(void);

enum { PAGES = 64 };
static size_t page, n;
static FILE *file;
static unsigned char *map;

static void setup(void)
{
    page = (size_t)sysconf(_SC_PAGESIZE);
    n = PAGES * page;
    file = tmpfile();
    ck_assert_ptr_nonnull(file);
    for (size_t i = 0; i < n; i++)
        ck_assert_int_ne(putc((int)(i / page) + 1, file), EOF);
    ck_assert_int_eq(fflush(file), 0);
    map = mmap(NULL, n, PROT_READ, MAP_PRIVATE, fileno(file), 0);
    ck_assert(map != MAP_FAILED);
}

static void teardown(void)
{
    munmap(map, n);
    fclose(file);
}

static void cut(size_t pages)
{
    ck_assert_int_eq(ftruncate(fileno(file), (off_t)(pages * page)), 0);
}

static unsigned sum(const unsigned char *p)
{
    unsigned sum = 0;
    for (size_t i = 0; i < n; i += page)
        sum += p[i];
    return sum;
}

START_TEST(reading_what_is_there_breaks_nothing)
{
    struct tg_guard *guard = tg_guard_new(map, n);
    ck_assert_uint_eq(sum(map), PAGES * (PAGES + 1) / 2);
    ck_assert(!tg_guard_is_broken(guard));
    tg_guard_free(guard);
}
END_TEST

START_TEST(a_page_that_went_reads_as_zeroes_and_is_noted)
{
    struct tg_guard *guard = tg_guard_new(map, n);
    cut(10);
    ck_assert(!tg_guard_is_broken(guard));
    ck_assert_uint_eq(sum(map), 10 * 11 / 2);
    ck_assert(tg_guard_is_broken(guard));
    tg_guard_free(guard);
}
END_TEST

START_TEST(only_the_guard_of_that_mapping_breaks)
{
    unsigned char *other = mmap(NULL, n, PROT_READ, MAP_PRIVATE, fileno(file), 0);
    struct tg_guard *guards[] = {tg_guard_new(map, n), tg_guard_new(other, n)};
    cut(10);
    ck_assert_uint_eq(sum(other), 10 * 11 / 2);
    ck_assert(!tg_guard_is_broken(guards[0]));
    ck_assert(tg_guard_is_broken(guards[1]));
    ck_assert_uint_eq(map[9 * page], 10);
    tg_guard_free(guards[0]);
    tg_guard_free(guards[1]);
    munmap(other, n);
}
END_TEST

#ifndef __SANITIZE_THREAD__
static void *read_all(void *arg)
{
    (void)arg;
    return (void *)(uintptr_t)sum(map);
}

START_TEST(many_threads_may_meet_it_at_once)
{
    enum { THREADS = 8 };
    pthread_t thread[THREADS];
    struct tg_guard *guard = tg_guard_new(map, n);
    cut(20);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, read_all, NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        void *got;
        pthread_join(thread[i], &got);
        ck_assert_uint_eq((uintptr_t)got, 20 * 21 / 2);
    }
    ck_assert(tg_guard_is_broken(guard));
    tg_guard_free(guard);
}
END_TEST
#endif

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/* The runner expects this one to die by SIGBUS. */
START_TEST(without_a_guard_the_process_ends_as_ever)
{
    const struct rlimit no_core = {0};
    setrlimit(RLIMIT_CORE, &no_core);
    tg_guard_free(tg_guard_new(map, n));
    cut(10);
    ck_assert_uint_eq(sum(map), 0);
}
END_TEST
#endif

Suite *guard_suite(void)
{
    Suite *suite = suite_create("guard");
    TCase *tc = tcase_create("guard");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, reading_what_is_there_breaks_nothing);
    tcase_add_test(tc, a_page_that_went_reads_as_zeroes_and_is_noted);
    tcase_add_test(tc, only_the_guard_of_that_mapping_breaks);
#ifndef __SANITIZE_THREAD__ /* it takes the zeroes for a write that races */
    tcase_add_test(tc, many_threads_may_meet_it_at_once);
#endif
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they take the signal */
    tcase_add_test_raise_signal(tc, without_a_guard_the_process_ends_as_ever, SIGBUS);
#endif
    suite_add_tcase(suite, tc);
    return suite;
}
