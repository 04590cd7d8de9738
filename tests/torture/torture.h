/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parts of the torture. */
#ifndef TG_TESTS_TORTURE_H
#define TG_TESTS_TORTURE_H

#include <check.h>

TCase *calls_case(void);    /* allocations of one thread, without HTTP */
TCase *requests_case(void); /* allocations of the daemon, over HTTP */
TCase *troubles_case(void); /* calls into the store and files */

#endif
