/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Selection by digits against sorting. */
#include "stats/selection.h"

#include <math.h>
#include <stdlib.h>

#include "core/rng.h"
#include "../suite.h"

Suite *selection_suite(void);

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct tg_selection select_from(const double *x, size_t n, int64_t rank)
{
    static int64_t count[TG_SELECTION_COUNTS];
    struct tg_selection selection;
    tg_selection_start(&selection, rank, count);
    do {
        tg_selection_add(&selection, n / 3, x);
        tg_selection_add(&selection, n - n / 3, x + n / 3);
    } while (!tg_selection_done(&selection));
    return selection;
}

static void assert_every_rank(const double *x, size_t n)
{
    double *sorted = malloc(n * sizeof(*x));
    ck_assert_ptr_nonnull(sorted);
    for (size_t i = 0; i < n; i++)
        sorted[i] = x[i];
    qsort(sorted, n, sizeof(*sorted), by_size);
    for (size_t rank = 0; rank < n; rank++) {
        struct tg_selection found = select_from(x, n, (int64_t)rank);
        ck_assert_double_eq(found.value, sorted[rank]);
        if (rank + 1 < n)
            ck_assert_double_eq(found.next, sorted[rank + 1]);
        else
            ck_assert_double_nan(found.next);
    }
    free(sorted);
}

START_TEST(every_rank_of_numbers_of_any_size_is_found)
{
    enum { N = 60 };
    double x[N];
    tg_rng_normal(1, 0, 0, N, x);
    for (int i = 0; i < N; i++)
        x[i] = fabs(x[i]) * pow(10, i % 7 * 40 - 100);
    x[3] = x[7] = 0;
    assert_every_rank(x, N);
}
END_TEST

START_TEST(equal_and_nearly_equal_numbers_are_told_apart)
{
    enum { N = 40 };
    double x[N];
    for (int i = 0; i < N; i++)
        x[i] = 1 + i % 5 * 0x1p-52;
    assert_every_rank(x, N);
    assert_every_rank((const double[]){2.5}, 1);
}
END_TEST

Suite *selection_suite(void)
{
    Suite *suite = suite_create("selection");
    TCase *tcase = tcase_create("selection");
    tcase_add_test(tcase, every_rank_of_numbers_of_any_size_is_found);
    tcase_add_test(tcase, equal_and_nearly_equal_numbers_are_told_apart);
    suite_add_tcase(suite, tcase);
    return suite;
}
