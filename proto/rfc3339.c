/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Times as text. */
#include "proto/rfc3339.h"

#include <stddef.h>
#include <time.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Exactly n digits at *p, which moves behind them. */
static bool digits(const char **p, int n, int lo, int hi, int *out)
{
    *out = 0;
    for (int i = 0; i < n; i++, ++*p) {
        if (!is_digit(**p))
            return false;
        *out = *out * 10 + (**p - '0');
    }
    return *out >= lo && *out <= hi;
}

static bool literal(const char **p, char c)
{
    if (**p != c)
        return false;
    ++*p;
    return true;
}

static bool read_date(const char **p, struct tm *tm)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month;
    if (!digits(p, 4, 1970, 9999, &year) || !literal(p, '-') ||
        !digits(p, 2, 1, 12, &month) || !literal(p, '-'))
        return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    tm->tm_year = year - 1900;
    tm->tm_mon = month - 1;
    return digits(p, 2, 1, days[month - 1] + (month == 2 && leap), &tm->tm_mday);
}

/* Second 60 is a leap second, which timegm counts as the next minute's first. */
static bool read_clock(const char **p, struct tm *tm, double *fraction)
{
    double scale = 0.1;
    if (!digits(p, 2, 0, 23, &tm->tm_hour) || !literal(p, ':') ||
        !digits(p, 2, 0, 59, &tm->tm_min) || !literal(p, ':') ||
        !digits(p, 2, 0, 60, &tm->tm_sec))
        return false;
    *fraction = 0;
    if (**p != '.')
        return true;
    ++*p;
    if (!is_digit(**p))
        return false;
    for (; is_digit(**p); ++*p, scale /= 10)
        *fraction += scale * (**p - '0');
    return true;
}

static bool read_zone(const char **p, int *minutes)
{
    int hour, minute;
    *minutes = 0;
    if (**p == 'Z' || **p == 'z') {
        ++*p;
        return true;
    }
    int sign = **p == '-' ? -1 : 1;
    if (**p != '+' && **p != '-')
        return false;
    ++*p;
    if (!digits(p, 2, 0, 23, &hour) || !literal(p, ':') || !digits(p, 2, 0, 59, &minute))
        return false;
    *minutes = sign * (60 * hour + minute);
    return true;
}

bool tg_rfc3339_read(const char *text, double *seconds)
{
    struct tm tm = {0};
    double fraction;
    int minutes;
    const char *p = text;
    if (!read_date(&p, &tm) || (*p != 'T' && *p != 't' && *p != ' '))
        return false;
    p++;
    if (!read_clock(&p, &tm, &fraction) || !read_zone(&p, &minutes) || *p)
        return false;
    *seconds = (double)timegm(&tm) + fraction - 60.0 * minutes;
    return true;
}
