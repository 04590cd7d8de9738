/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The metrics page in both of its formats. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "server/metrics.h"

Suite *metrics_suite(void);

static struct tg_buf page;

static const char *write_page(int openmetrics)
{
    tg_buf_init(&page, 1 << 20);
    tg_metrics_write(&page, openmetrics);
    return page.p;
}

static void teardown(void)
{
    tg_buf_release(&page);
}

START_TEST(counters_and_gauges_have_help_type_and_value)
{
    TG_GAUGE(http_requests, 1);
    TG_COUNT_N(http_requests, 2);
    TG_COUNT(http_requests);
    TG_GAUGE(workers, 8);
    const char *text = write_page(0);
    ck_assert_ptr_nonnull(
        strstr(text, "# HELP tangentd_http_requests_total HTTP requests answered\n"
                     "# TYPE tangentd_http_requests_total counter\n"
                     "tangentd_http_requests_total 4\n"));
    ck_assert_ptr_nonnull(
        strstr(text, "# TYPE tangentd_workers gauge\ntangentd_workers 8\n"));
    ck_assert_ptr_null(strstr(text, "# EOF"));
}
END_TEST

START_TEST(openmetrics_names_a_counter_without_total_and_ends_with_eof)
{
    const char *text = write_page(1);
    ck_assert_ptr_nonnull(strstr(text, "# TYPE tangentd_http_requests counter\n"
                                       "tangentd_http_requests_total "));
    ck_assert_ptr_null(strstr(text, "_total counter"));
    ck_assert_str_eq(text + strlen(text) - 6, "# EOF\n");
}
END_TEST

/* A name is of [a-z_], counters and only they end in _total. */
START_TEST(every_line_is_well_formed)
{
    char name[128], type[16];
    const char *text = write_page(0);
    unsigned families = 0;
    for (const char *p = text; (p = strstr(p, "# TYPE ")); p++) {
        ck_assert_int_eq(sscanf(p, "# TYPE %127s %15s", name, type), 2);
        ck_assert_uint_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
        bool total = strlen(name) > 6 && !strcmp(name + strlen(name) - 6, "_total");
        ck_assert_msg(total == !strcmp(type, "counter"), "%s", name);
        families++;
    }
    ck_assert_uint_ge(families, 20);
}
END_TEST

Suite *metrics_suite(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tcase = tcase_create("page");
    tcase_add_checked_fixture(tcase, NULL, teardown);
    tcase_add_test(tcase, counters_and_gauges_have_help_type_and_value);
    tcase_add_test(tcase, openmetrics_names_a_counter_without_total_and_ends_with_eof);
    tcase_add_test(tcase, every_line_is_well_formed);
    suite_add_tcase(suite, tcase);
    return suite;
}
