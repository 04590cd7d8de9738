/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The route table and the search in it. */
#include <check.h>
#include <string.h>

#include "server/routes.h"

Suite *routes_suite(void);

static const struct tg_route *route;
static const char *arg[4];
static char storage[256], allow[64];

static enum tg_err find(const char *method, const char *path)
{
    route = NULL;
    memset(arg, 0, sizeof(arg));
    return tg_route_find(method, path, &route, arg, storage, sizeof(storage), allow);
}

START_TEST(a_path_is_found_with_its_parts)
{
    ck_assert_int_eq(find("GET", "/v1/jobs/01ABC/result/arrays/scores"), TG_OK);
    ck_assert_str_eq(route->path, "/v1/jobs/{id}/result/arrays/{name}");
    ck_assert_str_eq(arg[0], "01ABC");
    ck_assert_str_eq(arg[1], "scores");
    ck_assert_ptr_null(arg[2]);
}
END_TEST

START_TEST(the_method_chooses_among_routes_of_one_path)
{
    ck_assert_int_eq(find("GET", "/v1/jobs"), TG_OK);
    ck_assert_int_eq(route->scope, TG_SCOPE_READ);
    ck_assert_int_eq(find("POST", "/v1/jobs"), TG_OK);
    ck_assert_int_eq(route->scope, TG_SCOPE_SUBMIT);
}
END_TEST

START_TEST(head_is_answered_by_get)
{
    ck_assert_int_eq(find("HEAD", "/livez"), TG_OK);
    ck_assert_str_eq(route->method, "GET");
}
END_TEST

START_TEST(other_methods_are_told_what_is_allowed)
{
    ck_assert_int_eq(find("PATCH", "/v1/data/abc"), TG_METHOD);
    ck_assert_str_eq(allow, "PUT, GET, HEAD, DELETE, OPTIONS");
    ck_assert_int_eq(find("OPTIONS", "/v1/jobs"), TG_METHOD);
    ck_assert_str_eq(allow, "POST, GET, HEAD, OPTIONS");
    ck_assert_int_eq(find("get", "/livez"), TG_METHOD);
}
END_TEST

START_TEST(unknown_paths_are_not_found)
{
    static const char *const paths[] = {
        "/v1",          "/v1/job",          "/v1/jobs/", "/livez/x",
        "/v1/jobs/a/b", "/v1/jobs//result", "/V1/jobs",  "/v1/jobs/a/results"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        ck_assert_msg(find("GET", paths[i]) == TG_NOT_FOUND, "%s", paths[i]);
}
END_TEST

START_TEST(a_part_that_does_not_fit_is_not_found)
{
    char path[400] = "/v1/jobs/";
    memset(path + strlen(path), 'x', 300);
    ck_assert_int_eq(find("GET", path), TG_NOT_FOUND);
}
END_TEST

START_TEST(every_route_is_complete)
{
    for (size_t i = 0; i < tg_nroutes; i++) {
        const struct tg_route *row = &tg_routes[i];
        ck_assert_msg(row->handler && row->summary && *row->summary && row->answers, "%s",
                      row->path);
        ck_assert_msg(!row->begin == !row->piece && !row->begin == !row->abort, "%s",
                      row->path);
        if (strcmp(row->method, "GET") != 0)
            ck_assert_msg(row->scope >= TG_SCOPE_SUBMIT, "%s changes something",
                          row->path);
    }
}
END_TEST

Suite *routes_suite(void)
{
    Suite *suite = suite_create("routes");
    TCase *tcase = tcase_create("find");
    tcase_add_test(tcase, a_path_is_found_with_its_parts);
    tcase_add_test(tcase, the_method_chooses_among_routes_of_one_path);
    tcase_add_test(tcase, head_is_answered_by_get);
    tcase_add_test(tcase, other_methods_are_told_what_is_allowed);
    tcase_add_test(tcase, unknown_paths_are_not_found);
    tcase_add_test(tcase, a_part_that_does_not_fit_is_not_found);
    tcase_add_test(tcase, every_route_is_complete);
    suite_add_tcase(suite, tcase);
    return suite;
}
