/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Serving: the daemon's life from open store to closed store. */
#ifndef TG_SERVER_SERVE_H
#define TG_SERVER_SERVE_H

#include "server/config.h"

/*
 * Starts everything, serves until SIGTERM or SIGINT, and shuts down: running jobs get the
 * configured grace and then go back to the queue; a second signal ends the grace. The caller
 * has blocked the signals (tg_block_signals) before the first thread is made.
 */
TG_MUST_CHECK enum tg_err tg_serve(const struct tg_config *config, const char *store_dir,
                                   struct tg_report *report);
void tg_block_signals(void);

#endif
