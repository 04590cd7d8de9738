/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Hub: wakes those who wait for a change. Durable events live in the store; the hub only
 * says "look again". Its version grows with every commit and every progress report.
 */
#ifndef TG_SERVER_EVENTS_H
#define TG_SERVER_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

struct tg_hub;
struct tg_hub *tg_hub_new(void);
void tg_hub_free(struct tg_hub *hub);
uint64_t tg_hub_version(struct tg_hub *hub);
void tg_hub_bump(struct tg_hub *hub);
/* Sleep until the version differs from `seen`, `timeout_s` passed, or the hub is closed.
 * False when it was closed (shutdown). */
bool tg_hub_wait(struct tg_hub *hub, uint64_t seen, double timeout_s);
void tg_hub_close(struct tg_hub *hub);

#endif
