/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Accept headers, media types, entity tags, request targets, origins. */
#include <check.h>
#include <string.h>

#include "server/accept.h"
#include "server/origin.h"
#include "server/uri.h"

Suite *accept_suite(void);

static const char *const types[] = {"application/json", "text/plain", "text/csv"};

static int choose(const char *accept)
{
    return tg_accept_choose(accept, types, 3);
}

START_TEST(the_first_offer_is_the_default)
{
    ck_assert_int_eq(choose(NULL), 0);
    ck_assert_int_eq(choose(""), 0);
    ck_assert_int_eq(choose("*/*"), 0);
    ck_assert_int_eq(choose("text/*"), 1);
    ck_assert_int_eq(choose("text/csv, text/plain"), 1);
}
END_TEST

START_TEST(the_highest_quality_wins)
{
    ck_assert_int_eq(choose("application/json;q=0.5, text/csv;q=0.501"), 2);
    ck_assert_int_eq(choose("text/plain ; q=0.2 , */* ; q=0.1"), 1);
    ck_assert_int_eq(choose("text/html,application/xhtml+xml,*/*;q=0.8"), 0);
    ck_assert_int_eq(choose("TEXT/CSV"), 2);
    ck_assert_int_eq(choose("text/csv;header=present;q=0.9, application/json;q=0.8"), 2);
}
END_TEST

/* RFC 9110, section 12.5.1: the most specific range decides, even to refuse. */
START_TEST(the_most_specific_range_decides)
{
    ck_assert_int_eq(choose("*/*, application/json;q=0"), 1);
    ck_assert_int_eq(choose("text/*;q=0.3, text/csv;q=0.7, */*;q=0.5"), 2);
    ck_assert_int_eq(choose("application/json;q=0, text/*;q=0"), -1);
    ck_assert_int_eq(choose("image/png"), -1);
    ck_assert_int_eq(choose("application/jsonx"), -1);
    ck_assert_int_eq(choose(";;,,;q=,"), -1);
}
END_TEST

START_TEST(a_media_type_is_compared_without_its_parameters)
{
    ck_assert(tg_media_is("application/json; charset=utf-8", "application/json"));
    ck_assert(tg_media_is("Application/JSON", "application/json"));
    ck_assert(!tg_media_is("application/json5", "application/json"));
    ck_assert(!tg_media_is("application/jso", "application/json"));
}
END_TEST

START_TEST(an_entity_tag_is_found_in_a_list)
{
    ck_assert(tg_etag_matches("\"a\"", "\"a\""));
    ck_assert(tg_etag_matches("W/\"a\"", "\"a\""));
    ck_assert(tg_etag_matches("\"x\", \"a\"", "W/\"a\""));
    ck_assert(tg_etag_matches("*", "\"a\""));
    ck_assert(!tg_etag_matches("\"ab\"", "\"a\""));
    ck_assert(!tg_etag_matches("a", "\"a\""));
    ck_assert(!tg_etag_matches(NULL, "\"a\""));
}
END_TEST

START_TEST(a_target_is_decoded)
{
    char path[64];
    ck_assert_int_eq(tg_uri_path("/v1/j%6Fbs?x=%20y", path, sizeof(path), NULL), TG_OK);
    ck_assert_str_eq(path, "/v1/jobs");
    ck_assert_int_eq(tg_uri_path("http://localhost:1/livez", path, sizeof(path), NULL),
                     TG_OK);
    ck_assert_str_eq(path, "/livez");
    ck_assert_int_eq(tg_uri_path("/", path, sizeof(path), NULL), TG_OK);
    ck_assert_str_eq(path, "/");
}
END_TEST

START_TEST(a_target_that_could_mislead_is_refused)
{
    static const char *const targets[] = {
        "",
        "*",
        "livez",
        "//livez",
        "/a//b",
        "/a/",
        "/a/../b",
        "/a/%2e%2E",
        "/./a",
        "/..",
        "/a%00b",
        "/a%0ab",
        "/a%7f",
        "/a%",
        "/a%2",
        "/a%zz",
        "/a\x01",
        "/a?x=%00",
        "/a?x=%",
        "/a?\x1f",
        "/a%2f%2fb",
        "http://",
        "/?a=1%0d%0aSet-Cookie:x",
    };
    char path[64];
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
        ck_assert_msg(tg_uri_path(targets[i], path, sizeof(path), NULL) == TG_BAD_REQUEST,
                      "%s", targets[i]);
    ck_assert_int_eq(tg_uri_path("/12345678", path, 8, NULL), TG_BAD_REQUEST);
}
END_TEST

START_TEST(escaping_leaves_unreserved_characters)
{
    struct tg_buf out;
    tg_buf_init(&out, 100);
    tg_uri_escape(&out, "a-Z_0.~ &=\xc3\xa9");
    ck_assert_str_eq(out.p, "a-Z_0.~%20%26%3D%C3%A9");
    tg_buf_release(&out);
}
END_TEST

START_TEST(only_this_machine_is_local)
{
    ck_assert(tg_origin_is_local(NULL, NULL));
    ck_assert(tg_origin_is_local("localhost:8748", NULL));
    ck_assert(tg_origin_is_local("127.0.0.1", NULL));
    ck_assert(tg_origin_is_local("[::1]:8748", "http://[::1]:8748"));
    ck_assert(tg_origin_is_local("localhost:8748", "http://LOCALHOST:8748"));
    ck_assert(!tg_origin_is_local("rebound.example:8748", NULL));
    ck_assert(!tg_origin_is_local("localhost.example", NULL));
    ck_assert(!tg_origin_is_local("127.evil.example", NULL));
    ck_assert(!tg_origin_is_local("localhost:8748", "http://evil.example"));
    ck_assert(!tg_origin_is_local("localhost:8748", "http://localhost:3000"));
    ck_assert(!tg_origin_is_local("localhost:8748", "null"));
    ck_assert(!tg_origin_is_local(NULL, "http://evil.example"));
}
END_TEST

Suite *accept_suite(void)
{
    Suite *suite = suite_create("accept");
    TCase *tcase = tcase_create("headers");
    tcase_add_test(tcase, the_first_offer_is_the_default);
    tcase_add_test(tcase, the_highest_quality_wins);
    tcase_add_test(tcase, the_most_specific_range_decides);
    tcase_add_test(tcase, a_media_type_is_compared_without_its_parameters);
    tcase_add_test(tcase, an_entity_tag_is_found_in_a_list);
    tcase_add_test(tcase, a_target_is_decoded);
    tcase_add_test(tcase, a_target_that_could_mislead_is_refused);
    tcase_add_test(tcase, escaping_leaves_unreserved_characters);
    tcase_add_test(tcase, only_this_machine_is_local);
    suite_add_tcase(suite, tcase);
    return suite;
}
