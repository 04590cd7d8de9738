/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Privilege: the store's directory, and the user to be when started as root.
 *
 * DESIGN. Only making the directory of a new store and giving it to the user happens as
 * root; everything else is opened afterwards.
 */
#ifndef TG_SERVER_PRIVILEGE_H
#define TG_SERVER_PRIVILEGE_H

#include <stddef.h>

#include "server/config.h"

/* The store's directory: the setting, or its default. TG_INVALID when there is no home. */
TG_MUST_CHECK enum tg_err tg_store_dir(const struct tg_config *config, char *out, size_t size,
                                       struct tg_report *report);

/*
 * As root: makes `dir` if it is missing, gives it to the configured user if it is empty, and
 * becomes that user for good. Otherwise only makes `dir`.
 */
TG_MUST_CHECK enum tg_err tg_drop_privilege(const struct tg_config *config, const char *dir,
                                            struct tg_report *report);

#endif
