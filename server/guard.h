/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Guards of mapped files: a page that cannot be read is noted instead of ending the process.
 *
 * DESIGN. The kernel answers an access to a mapped page that the file has lost (somebody cut
 * it), or that the disk cannot read, with SIGBUS. Inside a guarded mapping the handler puts
 * zeroes in the place of that page and of all behind it and marks the guard as broken; the
 * reader goes on, and whoever holds the guard asks tg_guard_is_broken() before anything that
 * was read counts. A SIGBUS anywhere else ends the process as ever.
 */
#ifndef TG_SERVER_GUARD_H
#define TG_SERVER_GUARD_H

#include <stdbool.h>
#include <stddef.h>

struct tg_guard;

/* Guards a mapping of n bytes, which stays until the guard is freed. NULL without memory. */
struct tg_guard *tg_guard_new(void *map, size_t n);
bool tg_guard_is_broken(const struct tg_guard *guard);
void tg_guard_free(struct tg_guard *guard);

#endif
