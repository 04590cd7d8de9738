/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Log lines on stderr: time, level, text; with systemd's journal the level as <N>. */
#ifndef TG_SERVER_LOG_H
#define TG_SERVER_LOG_H

#include <stdbool.h>

enum tg_level { TG_LOG_ERROR, TG_LOG_WARN, TG_LOG_INFO, TG_LOG_DEBUG };
bool tg_log_set_level(const char *name); /* false if unknown */
void tg_log(enum tg_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
