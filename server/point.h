/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fault points: named places where a test can make the daemon fail, wait or die.
 *
 * DESIGN. Only in builds configured with --enable-testing; otherwise TG_POINT() is the
 * constant 0. TANGENTD_POINTS="store.commit=full@3,store.after_commit=kill" makes the
 * third commit find the disk full and kills the process after the next; actions are error
 * (an I/O error), full, invalid (EINVAL), kill and sleep:MS, "@N" the N-th time only
 * (default: every time).
 */
#ifndef TG_SERVER_POINT_H
#define TG_SERVER_POINT_H

#ifdef TG_TESTING
/* The errno with which the caller should behave as if the operation failed, or 0. */
int tg_point(const char *name);
void tg_point_set(const char *spec);          /* replaces all points; NULL clears */
unsigned long tg_point_seen(const char *name); /* how often it was passed since it was set */
#define TG_POINT(name) tg_point(name)
#else
#define TG_POINT(name) 0
#endif

#endif
