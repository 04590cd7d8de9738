/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fault points: named places where a test can make the daemon fail, wait or die.
 *
 * DESIGN. Only in builds configured with --enable-testing; otherwise TG_POINT() is the
 * constant false. TANGENTD_POINTS="store.commit=error@3,store.after_commit=kill" makes the
 * third commit fail and kills the process after the next; actions are error, kill and
 * sleep:MS, "@N" the N-th time only (default: every time).
 */
#ifndef TG_SERVER_POINT_H
#define TG_SERVER_POINT_H

#include <stdbool.h>

#ifdef TG_TESTING
/* True when the caller should behave as if the operation failed. */
bool tg_point(const char *name);
void tg_point_set(const char *spec); /* replaces all points; NULL clears */
#define TG_POINT(name) tg_point(name)
#else
#define TG_POINT(name) false
#endif

#endif
