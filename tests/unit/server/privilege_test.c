/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * server/privilege.c. Becoming another user is tried for real in a child process, where
 * the tests run as root.
 */
#include "../suite.h"

#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/privilege.h"

Suite *privilege_suite(void);

static char top[] = "/tmp/tangentd-user-XXXXXX";
static char dir[128], user[] = "nobody", empty[] = "";
static struct tg_config config;
static struct tg_report report;

static void setup(void)
{
    memcpy(top + sizeof top - 7, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(top));
    ck_assert_int_eq(chmod(top, 0755), 0);
    snprintf(dir, sizeof dir, "%s/a/store", top);
    config = (struct tg_config){.user = user, .store = empty};
    tg_report_init(&report);
    unsetenv("STATE_DIRECTORY");
    unsetenv("XDG_STATE_HOME");
}

static void teardown(void)
{
    char parent[64], file[192];
    snprintf(file, sizeof file, "%s/file", dir);
    snprintf(parent, sizeof parent, "%s/a", top);
    unlink(file);
    rmdir(dir);
    rmdir(parent);
    rmdir(top);
}

/* The exit status of a child that drops its privileges and then calls `then`. */
static int drop_and(int (*then)(void))
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (!child)
        _exit(tg_drop_privilege(&config, dir, &report) ? 100 : then());
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int look_around(void)
{
    const struct passwd *nobody = getpwnam(user);
    uid_t real, effective, saved;
    gid_t groups[16];
    if (!nobody || getresuid(&real, &effective, &saved))
        return 1;
    if (real != nobody->pw_uid || effective != nobody->pw_uid || saved != nobody->pw_uid)
        return 2;
    if (getgid() != nobody->pw_gid || getegid() != nobody->pw_gid)
        return 3;
    for (int i = 0, n = getgroups(16, groups); i < n; i++)
        if (groups[i] == 0)
            return 4;
    if (!setuid(0) || !seteuid(0) || !setgid(0))
        return 5;
    return access(dir, R_OK | W_OK | X_OK) ? 6 : 0;
}

START_TEST(root_becomes_the_user_for_good_and_gives_it_the_store)
{
    struct stat st;
    if (geteuid() != 0)
        return;
    ck_assert_int_eq(drop_and(look_around), 0);
    ck_assert_int_eq(stat(dir, &st), 0);
    ck_assert_uint_eq(st.st_uid, getpwnam(user)->pw_uid);
    ck_assert_uint_eq(st.st_mode & 07777, 0700);
}
END_TEST

static int may_not_write(void)
{
    return access(dir, W_OK) ? 0 : 1;
}

/* A directory with something in it may be anything; it is not given away. */
START_TEST(a_directory_of_roots_that_is_not_empty_stays_roots)
{
    char file[192], parent[64];
    if (geteuid() != 0)
        return;
    snprintf(parent, sizeof parent, "%s/a", top);
    snprintf(file, sizeof file, "%s/file", dir);
    ck_assert_int_eq(mkdir(parent, 0755), 0);
    ck_assert_int_eq(mkdir(dir, 0755), 0);
    int fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(drop_and(may_not_write), 0);
}
END_TEST

START_TEST(a_user_that_is_missing_is_refused)
{
    char nobody_at_all[] = "no-such-user-here";
    if (geteuid() != 0)
        return;
    config.user = nobody_at_all;
    ck_assert_int_eq(tg_drop_privilege(&config, dir, &report), TG_FORBIDDEN);
    ck_assert_ptr_nonnull(strstr(report.detail, nobody_at_all));
    ck_assert_uint_eq(geteuid(), 0);
}
END_TEST

static int still_root(void)
{
    return geteuid() ? 1 : 0;
}

START_TEST(staying_root_has_to_be_said)
{
    char root[] = "root";
    if (geteuid() != 0)
        return;
    config.user = root;
    ck_assert_int_eq(drop_and(still_root), 0);
}
END_TEST

START_TEST(a_directory_that_cannot_be_made_is_told)
{
    snprintf(dir, sizeof dir, "/proc/tangentd/store");
    ck_assert_int_eq(tg_drop_privilege(&config, dir, &report), TG_STORE);
    ck_assert_ptr_nonnull(strstr(report.detail, dir));
}
END_TEST

static void assert_store_dir(const char *expected)
{
    char out[PATH_MAX];
    ck_assert_int_eq(tg_store_dir(&config, out, sizeof out, &report), TG_OK);
    ck_assert_str_eq(out, expected);
}

START_TEST(the_store_is_where_the_most_specific_says)
{
    char set[] = "/srv/store", small[8];
    setenv("HOME", "/home/ann", 1);
    assert_store_dir(geteuid() ? "/home/ann/.local/state/tangentd" : "/var/lib/tangentd");
    setenv("XDG_STATE_HOME", "/home/ann/state", 1);
    assert_store_dir(geteuid() ? "/home/ann/state/tangentd" : "/var/lib/tangentd");
    setenv("STATE_DIRECTORY", "/var/lib/private/tangentd:/other", 1);
    assert_store_dir("/var/lib/private/tangentd");
    config.store = set;
    assert_store_dir("/srv/store");
    ck_assert_int_eq(tg_store_dir(&config, small, sizeof small, &report), TG_INVALID);
}
END_TEST

Suite *privilege_suite(void)
{
    Suite *suite = suite_create("privilege");
    TCase *tc = tcase_create("drop");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, root_becomes_the_user_for_good_and_gives_it_the_store);
    tcase_add_test(tc, a_directory_of_roots_that_is_not_empty_stays_roots);
    tcase_add_test(tc, a_user_that_is_missing_is_refused);
    tcase_add_test(tc, staying_root_has_to_be_said);
    tcase_add_test(tc, a_directory_that_cannot_be_made_is_told);
    tcase_add_test(tc, the_store_is_where_the_most_specific_says);
    suite_add_tcase(suite, tc);
    return suite;
}
