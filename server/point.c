/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fault points; an empty file unless configured with --enable-testing. */
#include "server/point.h"

#ifdef TG_TESTING

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_POINTS = 32 };
enum action { ERROR, FULL, INVALID, KILL, SLEEP };

static struct {
    char name[40];
    enum action action;
    long sleep_ms;
    unsigned long only; /* 0: every time */
    unsigned long seen;
} points[MAX_POINTS];
static size_t npoints;
static bool loaded;
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER; /* guards all of the above */

_Noreturn static void refuse(const char *entry)
{
    fprintf(stderr, "TANGENTD_POINTS: cannot read \"%s\"\n", entry);
    exit(2);
}

static unsigned long number(const char *text, const char *entry)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (end == text || *end)
        refuse(entry);
    return value;
}

/* NAME=ACTION[@N] */
static void add_locked(const char *entry)
{
    char text[128];
    if (npoints == MAX_POINTS || strlen(entry) >= sizeof text)
        refuse(entry);
    snprintf(text, sizeof text, "%s", entry);
    char *action = strchr(text, '=');
    if (!action || (size_t)(action - text) >= sizeof points->name)
        refuse(entry);
    *action++ = 0;
    memset(&points[npoints], 0, sizeof *points);
    memcpy(points[npoints].name, text, strlen(text) + 1);
    char *only = strchr(action, '@');
    if (only) {
        *only++ = 0;
        points[npoints].only = number(only, entry);
    }
    if (!strncmp(action, "sleep:", 6)) {
        points[npoints].action = SLEEP;
        points[npoints].sleep_ms = (long)number(action + 6, entry);
    } else if (!strcmp(action, "kill")) {
        points[npoints].action = KILL;
    } else if (!strcmp(action, "full")) {
        points[npoints].action = FULL;
    } else if (!strcmp(action, "invalid")) {
        points[npoints].action = INVALID;
    } else if (strcmp(action, "error") != 0) {
        refuse(entry);
    }
    npoints++;
}

static void set_locked(const char *spec)
{
    npoints = 0;
    loaded = true;
    while (spec && *spec) {
        size_t n = strcspn(spec, ",");
        char entry[128];
        if (n >= sizeof entry)
            refuse(spec);
        memcpy(entry, spec, n);
        entry[n] = 0;
        if (n)
            add_locked(entry);
        spec += n + (spec[n] == ',');
    }
}

void tg_point_set(const char *spec)
{
    pthread_mutex_lock(&mu);
    set_locked(spec);
    pthread_mutex_unlock(&mu);
}

unsigned long tg_point_seen(const char *name)
{
    unsigned long seen = 0;
    pthread_mutex_lock(&mu);
    for (size_t i = 0; i < npoints; i++)
        if (!strcmp(points[i].name, name))
            seen = points[i].seen;
    pthread_mutex_unlock(&mu);
    return seen;
}

int tg_point(const char *name)
{
    int error = 0;
    long sleep_ms = 0;
    pthread_mutex_lock(&mu);
    if (!loaded)
        set_locked(getenv("TANGENTD_POINTS"));
    for (size_t i = 0; i < npoints; i++) {
        if (strcmp(points[i].name, name) != 0)
            continue;
        points[i].seen++;
        if (points[i].only && points[i].only != points[i].seen)
            continue;
        switch (points[i].action) {
        case ERROR:
            error = EIO;
            break;
        case FULL:
            error = ENOSPC;
            break;
        case INVALID:
            error = EINVAL;
            break;
        case KILL:
            kill(getpid(), SIGKILL);
            break;
        case SLEEP:
            sleep_ms += points[i].sleep_ms;
            break;
        }
    }
    pthread_mutex_unlock(&mu);
    if (sleep_ms) {
        struct timespec wait = {sleep_ms / 1000, sleep_ms % 1000 * 1000000};
        nanosleep(&wait, NULL);
    }
    return error;
}

#endif
