/* SPDX-License-Identifier: GPL-3.0-or-later */
/* server/config.c: every source of settings, which one wins, and what is told when wrong.
 */
#include "../suite.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/config_private.h"

Suite *config_suite(void);

static struct tg_config config;
static struct tg_command command;
static struct tg_report report;
static char path[] = "/tmp/tangentd-config-XXXXXX";

static void setup(void)
{
    char variable[TG_VARIABLE_SIZE];
    for (size_t i = 0; i < tg_nsettings; i++)
        unsetenv(tg_setting_variable(&tg_settings[i], variable));
    unsetenv("TANGENTD_CONFIG");
    memcpy(path + sizeof path - 7, "XXXXXX", 6);
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void teardown(void)
{
    tg_config_release(&config);
    unlink(path);
}

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static enum tg_err load(const char *a, const char *b, const char *c)
{
    const char *given[] = {"tangentd", a, b, c};
    char *argv[5] = {NULL};
    int argc = 0;
    while (argc < 4 && given[argc]) {
        argv[argc] = (char *)(uintptr_t)given[argc];
        argc++;
    }
    tg_config_release(&config);
    tg_report_init(&report);
    return tg_config_load(argc, argv, &config, &command, &report);
}

START_TEST(without_any_source_defaults_hold)
{
    ck_assert_int_eq(load(NULL, NULL, NULL), TG_OK);
    ck_assert_int_eq(command.action, TG_ACTION_SERVE);
    ck_assert_str_eq(config.listen, "127.0.0.1:8748");
    ck_assert_int_eq(config.max_body, 256 << 20);
    ck_assert_int_eq(config.max_data, INT64_C(1) << 40);
    ck_assert_double_eq(config.drain, 10);
    ck_assert_str_eq(config.token_file, "");
}
END_TEST

START_TEST(the_file_gives_way_to_the_environment_and_that_to_flags)
{
    write_file("workers = 2\nmax-queued = 20\nkeep-jobs=200 \n");
    setenv("TANGENTD_CONFIG", path, 1);
    setenv("TANGENTD_MAX_QUEUED", "30", 1);
    setenv("TANGENTD_KEEP_JOBS", "300", 1);
    ck_assert_int_eq(load("--keep-jobs", "400", NULL), TG_OK);
    ck_assert_int_eq(config.workers, 2);
    ck_assert_int_eq(config.max_queued, 30);
    ck_assert_int_eq(config.keep_jobs, 400);
}
END_TEST

START_TEST(the_flag_names_the_file_before_the_variable)
{
    write_file("workers = 7\n");
    setenv("TANGENTD_CONFIG", "/nonexistent/tangentd.conf", 1);
    ck_assert_int_eq(load("--config", path, NULL), TG_OK);
    ck_assert_int_eq(config.workers, 7);
    ck_assert_int_eq(load(NULL, NULL, NULL), TG_INVALID);
    ck_assert_str_eq(report.fault[0].pointer, "/nonexistent/tangentd.conf");
}
END_TEST

START_TEST(values_may_follow_an_equals_sign)
{
    ck_assert_int_eq(load("--drain=0.5", "--store=/a=b", "--listen=[::1]:0"), TG_OK);
    ck_assert_double_eq(config.drain, 0.5);
    ck_assert_str_eq(config.store, "/a=b");
    ck_assert_str_eq(config.listen, "[::1]:0");
}
END_TEST

START_TEST(every_fault_of_a_file_is_told_with_its_line)
{
    char where[96];
    static const struct {
        int line;
        const char *detail;
    } told[] = {{2, "workers"}, {4, "max-body"}, {5, "max-body"}, {6, "name = value"}};
    write_file("# settings\n"
               "workers = many\n"
               "\n"
               "  max-boddy = 1M\n"
               "max-body = 1Q\n"
               "max-body 1M\n"
               "drain = 3\n");
    ck_assert_int_eq(load("--config", path, NULL), TG_INVALID);
    ck_assert_uint_eq(report.count, 4);
    for (size_t i = 0; i < 4; i++) {
        snprintf(where, sizeof where, "%s:%d", path, told[i].line);
        ck_assert_str_eq(report.fault[i].pointer, where);
        ck_assert_ptr_nonnull(strstr(report.fault[i].detail, told[i].detail));
    }
}
END_TEST

START_TEST(faults_of_all_sources_come_together)
{
    write_file("workers = -1\n");
    setenv("TANGENTD_DRAIN", "soon", 1);
    setenv("TANGENTD_CONFIG", path, 1);
    ck_assert_int_eq(load("--wrokers", "3", "--max-queued=0"), TG_INVALID);
    ck_assert_uint_eq(report.count, 4);
    ck_assert_str_eq(report.fault[1].pointer, "TANGENTD_DRAIN");
    ck_assert_str_eq(report.fault[2].pointer, "--wrokers");
    ck_assert_ptr_nonnull(strstr(report.fault[2].detail, "'workers'"));
    ck_assert_str_eq(report.fault[3].pointer, "--max-queued");
    ck_assert_str_eq(report.fault[3].got, "0");
}
END_TEST

static const char *const wrong[] = {
    "--workers=",
    "--workers=1.5",
    "--workers= 1",
    "--workers=1K",
    "--workers=1025",
    "--drain=nan",
    "--drain=-1",
    "--drain=3601",
    "--drain=1s",
    "--memory=-1",
    "--memory=8G8",
    "--max-data=9223372036854775807K",
    "--max-body=1",
    "--tls-cert=x",
    "--log-level=all",
    "workers=1",
    "--",
    "-v",
    "--help=all",
    "--max-body",
};

START_TEST(wrong_values_are_refused)
{
    ck_assert_msg(load(wrong[_i], NULL, NULL) == TG_INVALID, "%s", wrong[_i]);
    ck_assert_uint_eq(report.count, 1);
}
END_TEST

START_TEST(the_ends_of_a_range_belong_to_it)
{
    char flag[128];
    for (size_t i = 0; i < tg_nsettings; i++) {
        const struct tg_setting *setting = &tg_settings[i];
        const double ends[] = {setting->lo, setting->hi};
        for (int k = 0; k < 2 && setting->type != TG_SET_STRING; k++) {
            snprintf(flag, sizeof flag, "--%s=%.0f", setting->flag, ends[k]);
            ck_assert_msg(load(flag, NULL, NULL) == TG_OK, "%s", flag);
            snprintf(flag, sizeof flag, "--%s=%.0f", setting->flag,
                     k ? setting->hi * 1.1 + 1 : setting->lo - 1);
            ck_assert_msg(load(flag, NULL, NULL) == TG_INVALID, "%s", flag);
        }
    }
}
END_TEST

START_TEST(sizes_have_units)
{
    static const struct {
        const char *text;
        int64_t bytes;
    } sizes[] = {{"2000", 2000},  {"3k", 3072},       {"3K", 3072},
                 {"5M", 5242880}, {"7G", 7516192768}, {"2T", INT64_C(2199023255552)}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        ck_assert_int_eq(load("--max-body", sizes[i].text, NULL), TG_OK);
        ck_assert_int_eq(config.max_body, sizes[i].bytes);
    }
}
END_TEST

START_TEST(what_is_printed_reads_back_the_same)
{
    struct tg_buf first, second;
    tg_buf_init(&first, 1 << 20);
    tg_buf_init(&second, 1 << 20);
    ck_assert_int_eq(load("--max-body=3M", "--drain=0.1", "--store=/srv/a b"), TG_OK);
    tg_config_print(&config, &first);
    tg_buf_add(&first, "", 1);
    write_file(first.p);
    ck_assert_int_eq(load("--config", path, NULL), TG_OK);
    ck_assert_int_eq(config.max_body, 3 << 20);
    ck_assert_double_eq(config.drain, 0.1);
    ck_assert_str_eq(config.store, "/srv/a b");
    tg_config_print(&config, &second);
    tg_buf_add(&second, "", 1);
    ck_assert_str_eq(first.p, second.p);
    tg_buf_release(&first);
    tg_buf_release(&second);
}
END_TEST

/* With every line of the example uncommented nothing changes. */
START_TEST(the_example_says_the_defaults)
{
    struct tg_buf example, defaults, print;
    tg_buf_init(&example, 1 << 20);
    tg_buf_init(&defaults, 1 << 20);
    tg_buf_init(&print, 1 << 20);
    ck_assert_int_eq(load(NULL, NULL, NULL), TG_OK);
    tg_config_print(&config, &defaults);
    tg_config_example(&example);
    tg_buf_add(&example, "", 1);
    for (char *p = example.p; (p = strstr(p, "\n#")); p++)
        if (p[2] != ' ')
            p[1] = ' ';
    write_file(example.p);
    ck_assert_int_eq(load("--config", path, NULL), TG_OK);
    tg_config_print(&config, &print);
    ck_assert_uint_eq(print.n, defaults.n);
    ck_assert_int_eq(memcmp(print.p, defaults.p, print.n), 0);
    tg_buf_release(&example);
    tg_buf_release(&defaults);
    tg_buf_release(&print);
}
END_TEST

START_TEST(actions_take_their_argument)
{
    ck_assert_int_eq(load("--make-token", "ann:submit", NULL), TG_OK);
    ck_assert_int_eq(command.action, TG_ACTION_MAKE_TOKEN);
    ck_assert_str_eq(command.argument, "ann:submit");
    ck_assert_int_eq(load("--describe", NULL, NULL), TG_INVALID);
    ck_assert_int_eq(load("--store=/x", "--check", NULL), TG_OK);
    ck_assert_int_eq(command.action, TG_ACTION_CHECK);
}
END_TEST

START_TEST(every_setting_is_in_the_help_and_on_the_page)
{
    char text[96], variable[TG_VARIABLE_SIZE];
    struct tg_buf help, page;
    tg_buf_init(&help, 1 << 20);
    tg_buf_init(&page, 1 << 20);
    tg_config_help(&help);
    tg_config_markdown(&page);
    tg_buf_add(&help, "", 1);
    tg_buf_add(&page, "", 1);
    for (size_t i = 0; i < tg_nsettings; i++) {
        snprintf(text, sizeof text, "\n  --%s ", tg_settings[i].flag);
        ck_assert_msg(strstr(help.p, text) != NULL, "%s", text);
        snprintf(text, sizeof text, "| `%s` |",
                 tg_setting_variable(&tg_settings[i], variable));
        ck_assert_msg(strstr(page.p, text) != NULL, "%s", text);
    }
    tg_buf_release(&help);
    tg_buf_release(&page);
}
END_TEST

Suite *config_suite(void)
{
    Suite *suite = suite_create("config");
    TCase *tc = tcase_create("sources");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, without_any_source_defaults_hold);
    tcase_add_test(tc, the_file_gives_way_to_the_environment_and_that_to_flags);
    tcase_add_test(tc, the_flag_names_the_file_before_the_variable);
    tcase_add_test(tc, values_may_follow_an_equals_sign);
    tcase_add_test(tc, every_fault_of_a_file_is_told_with_its_line);
    tcase_add_test(tc, faults_of_all_sources_come_together);
    tcase_add_loop_test(tc, wrong_values_are_refused, 0, sizeof wrong / sizeof *wrong);
    tcase_add_test(tc, the_ends_of_a_range_belong_to_it);
    tcase_add_test(tc, sizes_have_units);
    tcase_add_test(tc, what_is_printed_reads_back_the_same);
    tcase_add_test(tc, the_example_says_the_defaults);
    tcase_add_test(tc, actions_take_their_argument);
    tcase_add_test(tc, every_setting_is_in_the_help_and_on_the_page);
    suite_add_tcase(suite, tc);
    return suite;
}
