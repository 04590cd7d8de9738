/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What of this machine the process may use: affinity, cgroups (v1 and v2) and limits. */
#ifndef TG_SERVER_MACHINE_H
#define TG_SERVER_MACHINE_H

#include <stdint.h>

/* Cores by affinity mask and cgroup quota, at least 1. */
unsigned tg_machine_cores(void);
/* Bytes of memory: the least of what there is, the cgroup's limit and RLIMIT_AS. */
uint64_t tg_machine_memory(void);

#endif
