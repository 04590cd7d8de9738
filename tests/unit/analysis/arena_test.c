/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Arena: cap, alignment, zeroing, measuring. */
#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/arena.h"

Suite *arena_suite(void);

enum { MIB = 1 << 20 };

static struct tg_arena *arena;

static void start(void)
{
    arena = tg_arena_new(8 * MIB);
    ck_assert_ptr_nonnull(arena);
}

static void finish(void)
{
    tg_arena_free(arena);
}

static bool is_filled(const unsigned char *piece, int with, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (piece[i] != with)
            return false;
    return true;
}

START_TEST(pieces_are_aligned_zeroed_and_apart)
{
    static const size_t sizes[] = {1, 63, 64, 65, 4096, MIB - 1, MIB, MIB + 1};
    unsigned char *piece[8];
    for (int i = 0; i < 8; i++) {
        piece[i] = tg_arena_alloc(arena, sizes[i], 1);
        ck_assert_ptr_nonnull(piece[i]);
        ck_assert_uint_eq((uintptr_t)piece[i] % 64, 0);
        ck_assert(is_filled(piece[i], 0, sizes[i]));
        memset(piece[i], i + 1, sizes[i]);
    }
    for (int i = 0; i < 8; i++)
        ck_assert(is_filled(piece[i], i + 1, sizes[i]));
}
END_TEST

START_TEST(the_cap_is_reached_exactly_and_never_passed)
{
    ck_assert_ptr_nonnull(tg_arena_alloc(arena, 4 * MIB, 2));
    ck_assert_uint_eq(tg_arena_used(arena), 8 * MIB);
    ck_assert(!tg_arena_failed(arena));
    ck_assert_ptr_null(tg_arena_alloc(arena, 1, 1));
    ck_assert(tg_arena_failed(arena));
    ck_assert_uint_eq(tg_arena_high_water(arena), 8 * MIB);
}
END_TEST

START_TEST(sizes_that_overflow_fail)
{
    ck_assert_ptr_null(tg_arena_alloc(arena, SIZE_MAX / 2, 3));
    ck_assert_ptr_null(tg_arena_alloc(arena, SIZE_MAX, 1));
    ck_assert(tg_arena_failed(arena));
    ck_assert_uint_eq(tg_arena_used(arena), 0);
}
END_TEST

START_TEST(nothing_is_a_valid_piece)
{
    ck_assert_ptr_nonnull(tg_arena_alloc(arena, 0, 8));
    ck_assert(!tg_arena_failed(arena));
}
END_TEST

static void lay_out(struct tg_arena *a)
{
    for (size_t n = 0; n < 300; n += 7)
        tg_arena_alloc(a, n, 8);
    tg_arena_alloc(a, 2 * MIB + 5, 1);
    tg_arena_strdup(a, "a name");
    tg_arena_printf(a, "%0100d", 3);
}

START_TEST(measuring_counts_what_a_real_arena_uses)
{
    struct tg_arena *measure = tg_arena_new_measuring();
    lay_out(arena);
    lay_out(measure);
    ck_assert(tg_arena_is_measuring(measure));
    ck_assert(!tg_arena_is_measuring(arena));
    ck_assert_ptr_null(tg_arena_alloc(measure, 1, 0));
    ck_assert_ptr_nonnull(tg_arena_alloc(arena, 1, 0));
    ck_assert(!tg_arena_failed(measure));
    ck_assert_uint_eq(tg_arena_high_water(measure), tg_arena_high_water(arena));
    ck_assert_ptr_null(tg_arena_alloc(measure, SIZE_MAX, 2));
    ck_assert(tg_arena_failed(measure));
    tg_arena_free(measure);
}
END_TEST

START_TEST(texts_are_copied)
{
    ck_assert_str_eq(tg_arena_strdup(arena, "two words"), "two words");
    ck_assert_str_eq(tg_arena_printf(arena, "%s-%d", "n", 42), "n-42");
    struct tg_arena *tight = tg_arena_new(64);
    ck_assert_ptr_null(tg_arena_printf(tight, "%064d", 1));
    ck_assert(tg_arena_failed(tight));
    tg_arena_free(tight);
    tg_arena_free(NULL);
}
END_TEST

static long resident_pages(void)
{
    long size, resident;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld %ld", &size, &resident) != 2)
        resident = -1;
    if (file)
        fclose(file);
    return resident;
}

START_TEST(untouched_pieces_cost_no_memory)
{
    long before = resident_pages();
    if (before < 0)
        return; /* no /proc here */
    struct tg_arena *big = tg_arena_new((size_t)1 << 32);
    ck_assert_ptr_nonnull(tg_arena_alloc(big, 1 << 30, 1));
    ck_assert_int_lt((resident_pages() - before) * sysconf(_SC_PAGESIZE), 4 * MIB);
    tg_arena_free(big);
}
END_TEST

Suite *arena_suite(void)
{
    Suite *suite = suite_create("arena");
    TCase *tc = tcase_create("pieces under a cap");
    tcase_add_checked_fixture(tc, start, finish);
    tcase_add_test(tc, pieces_are_aligned_zeroed_and_apart);
    tcase_add_test(tc, the_cap_is_reached_exactly_and_never_passed);
    tcase_add_test(tc, sizes_that_overflow_fail);
    tcase_add_test(tc, nothing_is_a_valid_piece);
    tcase_add_test(tc, measuring_counts_what_a_real_arena_uses);
    tcase_add_test(tc, texts_are_copied);
    tcase_add_test(tc, untouched_pieces_cost_no_memory);
    suite_add_tcase(suite, tc);
    return suite;
}
