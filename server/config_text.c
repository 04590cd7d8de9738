/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Configuration as text: --help, the page of documentation, and a configuration file. */
#include <inttypes.h>
#include <string.h>

#include "server/config_private.h"

static const char *const type_names[] = {"TEXT", "NUMBER", "SIZE", "NUMBER"};

enum { HELP_COLUMN = 30, HELP_WIDTH = 90 };

/* Words broken at `width`; the lines after the first begin with `indent` and spaces. */
static void wrap(struct tg_buf *out, const char *text, size_t column, const char *prefix,
                 size_t width)
{
    size_t at = column;
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, " ");
        if (at > column && at + 1 + n > width) {
            tg_buf_printf(out, "\n%s%*s", prefix, (int)(column - strlen(prefix)), "");
            at = column;
        } else if (at > column) {
            tg_buf_puts(out, " ");
            at++;
        }
        tg_buf_add(out, p, n);
        at += n;
        p += n + strspn(p + n, " ");
    }
    tg_buf_puts(out, "\n");
}

static void help_row(struct tg_buf *out, const char *flag, const char *argument,
                     const char *text)
{
    size_t n = 4 + strlen(flag) + (argument ? 1 + strlen(argument) : 0);
    tg_buf_printf(out, "  --%s%s%s", flag, argument ? " " : "", argument ? argument : "");
    if (n + 2 > HELP_COLUMN) {
        tg_buf_puts(out, "\n");
        n = 0;
    }
    tg_buf_printf(out, "%*s", (int)(HELP_COLUMN - n), "");
    wrap(out, text, HELP_COLUMN, "", HELP_WIDTH);
}

static void help_setting(struct tg_buf *out, const struct tg_setting *setting)
{
    struct tg_buf text;
    tg_buf_init(&text, 4096);
    tg_buf_puts(&text, setting->help);
    if (*setting->def)
        tg_buf_printf(&text, " (%s)", setting->def);
    help_row(out, setting->flag, type_names[setting->type], text.p ? text.p : setting->help);
    tg_buf_release(&text);
}

void tg_config_help(struct tg_buf *out)
{
    tg_buf_puts(out, "Usage: tangentd [OPTION]...\n\n"
                     "Runs analysis jobs about neural networks and answers over HTTP.\n\n"
                     "Instead of serving:\n");
    for (size_t i = 0; i < tg_naction_flags; i++)
        help_row(out, tg_action_flags[i].flag, tg_action_flags[i].argument,
                 tg_action_flags[i].help);
    tg_buf_puts(out, "\nSettings, with their defaults:\n");
    help_row(out, "config", "FILE", "read settings from lines 'name = value' of this file "
                                    "($TANGENTD_CONFIG)");
    for (size_t i = 0; i < tg_nsettings; i++)
        help_setting(out, &tg_settings[i]);
    tg_buf_puts(out, "\nA setting is read from the file, then the environment "
                     "(TANGENTD_MAX_BODY for --max-body),\nthen the command line; the last "
                     "one wins. Sizes take K, M, G and T, powers of 1024.\n");
}

void tg_config_markdown(struct tg_buf *out)
{
    char variable[TG_VARIABLE_SIZE];
    tg_buf_puts(
        out,
        "<!-- Made by `tangentd --config-markdown` from the table in server/config.h. -->\n"
        "# Configuration\n\n"
        "Every setting has a default and can be given in a file, in the environment and on "
        "the command line.\nThey are read in that order, and the last one wins. The file is "
        "the one that `--config FILE` or\n`TANGENTD_CONFIG` names; it has lines `name = "
        "value`, and lines that begin with `#` are comments.\n`tangentd --print-config` "
        "prints the settings in effect as such a file. Sizes take K, M, G and T,\npowers of "
        "1024; times are in seconds.\n\n"
        "| setting | type | default | environment | meaning |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < tg_nsettings; i++) {
        const struct tg_setting *setting = &tg_settings[i];
        tg_buf_printf(out, "| `--%s` | %s | %s%s%s | `%s` | %s |\n", setting->flag,
                      type_names[setting->type], *setting->def ? "`" : "", setting->def,
                      *setting->def ? "`" : "", tg_setting_variable(setting, variable),
                      setting->help);
    }
    tg_buf_puts(out, "\nThese do one thing and end:\n\n| option | does |\n|---|---|\n");
    for (size_t i = 0; i < tg_naction_flags; i++) {
        const struct tg_action_flag *flag = &tg_action_flags[i];
        tg_buf_printf(out, "| `--%s%s%s` | %s |\n", flag->flag, flag->argument ? " " : "",
                      flag->argument ? flag->argument : "", flag->help);
    }
    tg_buf_puts(out, "\nSIGHUP reads the token file again. SIGTERM and SIGINT let running "
                     "jobs go on for `drain` seconds,\nthen put them back into the queue and "
                     "end; a second signal does so at once.\n");
}

static void print_whole(struct tg_buf *out, int64_t value, bool units)
{
    static const char letters[] = "KMGT";
    int unit = -1;
    while (units && unit < 3 && value && value % 1024 == 0) {
        value /= 1024;
        unit++;
    }
    tg_buf_printf(out, "%" PRId64, value);
    if (unit >= 0)
        tg_buf_add(out, &letters[unit], 1);
}

static void print_value(struct tg_buf *out, const struct tg_config *config,
                        const struct tg_setting *setting)
{
    const void *field = (const char *)config + setting->offset;
    switch (setting->type) {
    case TG_SET_STRING:
        tg_buf_puts(out, *(const char *const *)field);
        break;
    case TG_SET_INT:
    case TG_SET_SIZE:
        print_whole(out, *(const int64_t *)field, setting->type == TG_SET_SIZE);
        break;
    case TG_SET_REAL:
        tg_buf_double(out, *(const double *)field);
        break;
    }
}

void tg_config_print(const struct tg_config *config, struct tg_buf *out)
{
    struct tg_buf value;
    for (size_t i = 0; i < tg_nsettings; i++) {
        const struct tg_setting *setting = &tg_settings[i];
        tg_buf_puts(out, i ? "\n# " : "# ");
        wrap(out, setting->help, 2, "# ", HELP_WIDTH);
        tg_buf_init(&value, 1 << 20);
        print_value(&value, config, setting);
        const char *text = value.p ? value.p : "";
        tg_buf_printf(out, "%s%s =%s%s\n", strcmp(text, setting->def) ? "" : "#",
                      setting->flag, *text ? " " : "", text);
        tg_buf_release(&value);
    }
}
