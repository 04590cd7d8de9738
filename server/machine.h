/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What of this machine the process may use: affinity, cgroups (v1 and v2) and limits. */
#ifndef TG_SERVER_MACHINE_H
#define TG_SERVER_MACHINE_H

#include <stdint.h>

/* Cores by affinity mask and cgroup quota, at least 1. */
unsigned tg_machine_cores(void);
/* Bytes of memory: the least of what there is, the cgroup's limit and RLIMIT_AS. */
uint64_t tg_machine_memory(void);

/*
 * Give back the pages above the caller's frame in this thread's stack that are all zeroes; they
 * read as zeroes again. Thread-local memory of libraries lies there (OpenBLAS has 60 KiB) and is
 * written in every thread, used or not. For threads that sleep for long.
 */
void tg_machine_trim_stack(void);

#endif
