/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Patterns of names against every way to match, and where other matchers do not end. */
#include "proto/pattern.h"

#include <string.h>

#include "../suite.h"

Suite *pattern_suite(void);

/* By definition: a star takes each number of bytes in turn. */
static bool matches(const char *pattern, const char *name)
{
    if (*pattern != '*')
        return !*pattern ? !*name
                         : *name && (*pattern == '?' || *pattern == *name) &&
                               matches(pattern + 1, name + 1);
    for (const char *rest = name;; rest++) {
        if (matches(pattern + 1, rest))
            return true;
        if (!*rest)
            return false;
    }
}

/* Number `i` in the digits `a`, `b`, `*`, `?` (or the first two): all short texts. */
static void write_text(int i, int base, char *text)
{
    for (; i; i = (i - 1) / base)
        *text++ = "ab*?"[(i - 1) % base];
    *text = '\0';
}

START_TEST(all_short_patterns_match_what_they_say)
{
    char pattern[8], name[8];
    for (int i = 0; i < 5461; i++) /* up to six bytes of four */
        for (int j = 0; j < 127; j++) { /* of two */
            write_text(i, 4, pattern);
            write_text(j, 2, name);
            if (tg_pattern_matches(pattern, name) != matches(pattern, name))
                ck_abort_msg("`%s` and `%s`", pattern, name);
        }
}
END_TEST

START_TEST(names_of_tensors_are_chosen)
{
    ck_assert(tg_pattern_matches("layer?.*.weight", "layer3.0.conv.weight"));
    ck_assert(!tg_pattern_matches("layer?.*.weight", "layer13.0.conv.weight"));
    ck_assert(!tg_pattern_matches("fc", "fc.bias"));
    ck_assert(tg_pattern_matches("*", ""));
    ck_assert(tg_pattern_matches("[a]", "[a]"));
}
END_TEST

/* Tried out, this takes 2^100 steps. */
START_TEST(many_stars_take_no_longer)
{
    char pattern[201], name[201];
    for (size_t i = 0; i < 200; i += 2)
        memcpy(pattern + i, "*a", 2);
    memset(name, 'a', 200);
    pattern[199] = 'b';
    pattern[200] = name[200] = '\0';
    ck_assert(!tg_pattern_matches(pattern, name));
}
END_TEST

Suite *pattern_suite(void)
{
    Suite *suite = suite_create("pattern");
    TCase *tc = tcase_create("pattern");
    tcase_add_test(tc, all_short_patterns_match_what_they_say);
    tcase_add_test(tc, names_of_tensors_are_chosen);
    tcase_add_test(tc, many_stars_take_no_longer);
    suite_add_tcase(suite, tc);
    return suite;
}
