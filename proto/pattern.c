/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/pattern.h"

#include <stddef.h>

/*
 * What stands before a `*` may match as early as it can, so only the last `*` is ever taken
 * back to: fnmatch(3) tries all of them, in time that is exponential in their number.
 */
bool tg_pattern_matches(const char *pattern, const char *name)
{
    const char *star = NULL, *tried = NULL;
    while (*name) {
        if (*pattern == '*') {
            star = pattern++;
            tried = name;
        } else if (*pattern && (*pattern == '?' || *pattern == *name)) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star + 1;
            name = ++tried;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}
