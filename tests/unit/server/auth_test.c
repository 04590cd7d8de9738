/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tokens: the file, scopes, and what is not a token. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/auth.h"

Suite *auth_suite(void);

/* The tokens "tgt_reader", "tgt_submitter" and "tgt_boss", by sha256sum. */
#define READER    "1349902a33b84ec3e8d73cc5e9d38fb9dec61d331bab53f2a4e17d830571f898"
#define SUBMITTER "a735d625b1fbf835a7c8ad0585f1972b399a133c142b9ed5097f3c8d94a21f80"
#define BOSS      "a086a8de2a437e03c12086da10b7b9a12580d98e6b9a10ca9643297fc08e27b6"
static const char file_text[] = "# name scopes hash\n"
                                "\n"
                                "rita read " READER "\n"
                                "sam  read,submit\t" SUBMITTER "\r\n"
                                "boss admin " BOSS "\n";

static char path[64];
static struct tg_report report;
static char name[64];

static void write_file(const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
    ck_assert_int_eq(chmod(path, mode), 0);
}

static void setup(void)
{
    snprintf(path, sizeof(path), "/tmp/tg-auth-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    tg_report_init(&report);
}

static void teardown(void)
{
    unlink(path);
}

static struct tg_auth *load(void)
{
    struct tg_auth *auth = NULL;
    write_file(file_text, 0600);
    ck_assert_int_eq(tg_auth_load(path, &auth, &report), TG_OK);
    return auth;
}

START_TEST(without_a_file_everybody_may_do_everything)
{
    struct tg_auth *auth;
    ck_assert_int_eq(tg_auth_load("", &auth, &report), TG_OK);
    ck_assert(tg_auth_is_open(auth));
    ck_assert_int_eq(tg_auth_check(auth, NULL, TG_SCOPE_ADMIN, name), TG_OK);
    ck_assert_str_eq(name, "");
    tg_auth_free(auth);
}
END_TEST

START_TEST(a_scope_includes_the_lower_ones)
{
    static const struct {
        const char *header, *name;
        enum tg_scope scope;
    } tokens[] = {
        {"Bearer tgt_reader", "rita", TG_SCOPE_READ},
        {"Bearer tgt_submitter", "sam", TG_SCOPE_SUBMIT},
        {"bearer   tgt_boss", "boss", TG_SCOPE_ADMIN},
    };
    struct tg_auth *auth = load();
    ck_assert(!tg_auth_is_open(auth));
    for (size_t i = 0; i < 3; i++)
        for (enum tg_scope scope = TG_SCOPE_READ; scope <= TG_SCOPE_ADMIN; scope++) {
            enum tg_err err = tg_auth_check(auth, tokens[i].header, scope, name);
            ck_assert_int_eq(err, scope <= tokens[i].scope ? TG_OK : TG_FORBIDDEN);
            ck_assert_str_eq(name, tokens[i].name);
        }
    tg_auth_free(auth);
}
END_TEST

START_TEST(anything_else_is_unauthorized)
{
    char long_token[600] = "Bearer ";
    memset(long_token + 7, 'a', 500);
    const char *const headers[] = {
        NULL,
        "",
        "Bearer",
        "Bearer ",
        "Bearer tgt_reader2",
        "Bearer tgt_reade",
        "Basic tgt_reader",
        "tgt_reader",
        "Bearer TGT_READER",
        "Bearer tgt_reader ",
        long_token,
        /* the hash is no token */
        "Bearer " READER,
    };
    struct tg_auth *auth = load();
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
        ck_assert_int_eq(tg_auth_check(auth, headers[i], TG_SCOPE_READ, name),
                         TG_UNAUTHORIZED);
    ck_assert_int_eq(tg_auth_check(auth, NULL, TG_SCOPE_NONE, name), TG_OK);
    tg_auth_free(auth);
}
END_TEST

START_TEST(a_file_that_others_may_write_is_refused)
{
    static const mode_t modes[] = {0620, 0602, 0666};
    struct tg_auth *auth;
    for (size_t i = 0; i < 3; i++) {
        write_file(file_text, modes[i]);
        ck_assert_int_eq(tg_auth_load(path, &auth, NULL), TG_FORBIDDEN);
    }
    ck_assert_int_ne(tg_auth_load("/nonexistent/tokens", &auth, &report), TG_OK);
    ck_assert_ptr_nonnull(strstr(report.detail, "/nonexistent/tokens"));
}
END_TEST

START_TEST(a_malformed_line_is_told_by_its_number)
{
    static const char *const lines[] = {
        "rita",
        "rita read",
        "rita read abc",
        "rita write " READER,
        "rita read, " READER,
        "rita none " READER,
        "ri/ta read " READER,
        "rita read " READER " more",
    };
    struct tg_auth *auth;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        char text[400];
        snprintf(text, sizeof(text), "# one\n%s\n", lines[i]);
        write_file(text, 0600);
        tg_report_init(&report);
        ck_assert_msg(tg_auth_load(path, &auth, &report) == TG_BAD_REQUEST, "%s",
                      lines[i]);
        ck_assert_ptr_nonnull(strstr(report.detail, "line 2"));
    }
}
END_TEST

START_TEST(a_reload_takes_the_new_file_or_keeps_the_old_set)
{
    struct tg_auth *auth = load();
    write_file("nonsense\n", 0600);
    ck_assert_int_eq(tg_auth_reload(auth, &report), TG_BAD_REQUEST);
    ck_assert_int_eq(tg_auth_check(auth, "Bearer tgt_reader", TG_SCOPE_READ, name),
                     TG_OK);
    write_file("rita submit " READER "\n", 0600);
    ck_assert_int_eq(tg_auth_reload(auth, &report), TG_OK);
    ck_assert_int_eq(tg_auth_check(auth, "Bearer tgt_reader", TG_SCOPE_SUBMIT, name),
                     TG_OK);
    ck_assert_int_eq(tg_auth_check(auth, "Bearer tgt_boss", TG_SCOPE_READ, name),
                     TG_UNAUTHORIZED);
    tg_auth_free(auth);
}
END_TEST

START_TEST(a_new_token_works_with_the_line_made_for_it)
{
    struct tg_buf out;
    struct tg_auth *auth;
    char header[200];
    tg_buf_init(&out, 1000);
    ck_assert_int_eq(tg_auth_make("alice:read,submit", &out, &report), TG_OK);
    size_t n = strcspn(out.p, "\n");
    ck_assert_uint_eq(n, 4 + 64);
    snprintf(header, sizeof(header), "Bearer %.*s", (int)n, out.p);
    write_file(out.p + n + 1, 0600);
    ck_assert_ptr_null(strstr(out.p + n, "tgt_"));
    ck_assert_int_eq(tg_auth_load(path, &auth, &report), TG_OK);
    ck_assert_int_eq(tg_auth_check(auth, header, TG_SCOPE_SUBMIT, name), TG_OK);
    ck_assert_str_eq(name, "alice");
    tg_auth_free(auth);
    tg_buf_release(&out);
}
END_TEST

START_TEST(a_token_needs_a_name_and_a_scope)
{
    static const char *const specs[] = {
        "", "alice", "alice:", ":read", "alice:write", "al ice:read", "alice:read,"};
    struct tg_buf out;
    tg_buf_init(&out, 1000);
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
        ck_assert_int_eq(tg_auth_make(specs[i], &out, NULL), TG_BAD_REQUEST);
    ck_assert_uint_eq(out.n, 0);
}
END_TEST

Suite *auth_suite(void)
{
    Suite *suite = suite_create("auth");
    TCase *tcase = tcase_create("tokens");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, without_a_file_everybody_may_do_everything);
    tcase_add_test(tcase, a_scope_includes_the_lower_ones);
    tcase_add_test(tcase, anything_else_is_unauthorized);
    tcase_add_test(tcase, a_file_that_others_may_write_is_refused);
    tcase_add_test(tcase, a_malformed_line_is_told_by_its_number);
    tcase_add_test(tcase, a_reload_takes_the_new_file_or_keeps_the_old_set);
    tcase_add_test(tcase, a_new_token_works_with_the_line_made_for_it);
    tcase_add_test(tcase, a_token_needs_a_name_and_a_scope);
    suite_add_tcase(suite, tcase);
    return suite;
}
