/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The rows of the configuration table, for reading values and for writing text. */
#ifndef TG_SERVER_CONFIG_PRIVATE_H
#define TG_SERVER_CONFIG_PRIVATE_H

#include "server/config.h"

enum tg_setting_type { TG_SET_STRING, TG_SET_INT, TG_SET_SIZE, TG_SET_REAL };

struct tg_setting {
    const char *flag; /* without dashes */
    enum tg_setting_type type;
    size_t offset;    /* in struct tg_config */
    const char *def;
    double lo, hi;
    const char *help;
};
extern const struct tg_setting tg_settings[];
extern const size_t tg_nsettings;

struct tg_action_flag {
    const char *flag, *argument; /* argument: what the help calls it, or NULL */
    enum tg_action action;
    const char *help;
};
extern const struct tg_action_flag tg_action_flags[];
extern const size_t tg_naction_flags;

enum { TG_VARIABLE_SIZE = 64, TG_ALLOWED_SIZE = 96 };
/* "max-body" to "TANGENTD_MAX_BODY"; returns `out`. */
char *tg_setting_variable(const struct tg_setting *setting, char out[TG_VARIABLE_SIZE]);
/* "a whole number from 1 to 65536"; an upper end that is there for safety only is left out. */
void tg_setting_allowed(const struct tg_setting *setting, char out[TG_ALLOWED_SIZE]);

#endif
