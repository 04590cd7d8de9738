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

static const char *const markdown_head =
    "<!-- Generated from the table of settings by `make generated`. -->\n\n"
    "# Configuration\n\n"
    "Every setting has a default and can be given in a file, in the environment and on the "
    "command\nline. They are read in that order, and the last one wins. `tangentd "
    "--print-config` prints the\nsettings in effect as a configuration file; faults are all "
    "reported at once, each with its file and\nline, variable or flag.\n\n"
    "## The file\n\n"
    "`--config FILE` or, without it, the variable `TANGENTD_CONFIG` names the file; there is "
    "none by\ndefault (the systemd unit names one). A line is `name = value`, a comment, which "
    "begins with `#`, or\nempty. The value goes to the end of the line; white space around it "
    "does not count, and there are no\nquotes. Sizes take K, M, G and T, powers of 1024; times "
    "are in seconds. `tangentd.conf.example`\nlists every setting at its default.\n\n"
    "    # answers on the network, with tokens\n"
    "    listen = 0.0.0.0:8748\n"
    "    token-file = /etc/tangentd/tokens\n"
    "    memory = 12G\n\n"
    "## Settings\n\n"
    "On the command line a setting `name` is `--name VALUE` or `--name=VALUE`.\n\n"
    "| setting | default | allowed | environment | meaning |\n|---|---|---|---|---|\n";

static const char *const markdown_tail =
    "\n## The environment otherwise\n\n"
    "| variable | meaning |\n|---|---|\n"
    "| `TANGENTD_CONFIG` | the configuration file |\n"
    "| `STATE_DIRECTORY`, `XDG_STATE_HOME`, `HOME` | where the store is unless `store` says; "
    "systemd sets the first |\n"
    "| `NOTIFY_SOCKET` | set by systemd: told when the daemon is ready and when it stops |\n"
    "| `JOURNAL_STREAM` | set by systemd: log lines carry their level and no time |\n"
    "\n## Signals\n\n"
    "SIGHUP reads the token file again. SIGTERM and SIGINT let running jobs go on for `drain` "
    "seconds,\nthen put them back into the queue and end; a second signal does so at once.\n";

void tg_config_markdown(struct tg_buf *out)
{
    char variable[TG_VARIABLE_SIZE], allowed[TG_ALLOWED_SIZE];
    tg_buf_puts(out, markdown_head);
    for (size_t i = 0; i < tg_nsettings; i++) {
        const struct tg_setting *setting = &tg_settings[i];
        const char *quote = *setting->def ? "`" : "";
        tg_setting_allowed(setting, allowed);
        tg_buf_printf(out, "| `%s` | %s%s%s | %s | `%s` | %s |\n", setting->flag, quote,
                      setting->def, quote, allowed, tg_setting_variable(setting, variable),
                      setting->help);
    }
    tg_buf_puts(out, "\n## Instead of serving\n\n| option | does |\n|---|---|\n");
    for (size_t i = 0; i < tg_naction_flags; i++) {
        const struct tg_action_flag *flag = &tg_action_flags[i];
        tg_buf_printf(out, "| `--%s%s%s` | %s |\n", flag->flag, flag->argument ? " " : "",
                      flag->argument ? flag->argument : "", flag->help);
    }
    tg_buf_puts(out, markdown_tail);
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

/* The setting as lines of a file; a comment when it is at its default. */
static void print_setting(struct tg_buf *out, const struct tg_setting *setting,
                          const char *text)
{
    tg_buf_puts(out, "# ");
    wrap(out, setting->help, 2, "# ", HELP_WIDTH);
    tg_buf_printf(out, "%s%s =%s%s\n", strcmp(text, setting->def) ? "" : "#",
                  setting->flag, *text ? " " : "", text);
}

void tg_config_print(const struct tg_config *config, struct tg_buf *out)
{
    struct tg_buf value;
    for (size_t i = 0; i < tg_nsettings; i++) {
        tg_buf_init(&value, 1 << 20);
        print_value(&value, config, &tg_settings[i]);
        tg_buf_puts(out, i ? "\n" : "");
        print_setting(out, &tg_settings[i], value.p ? value.p : "");
        tg_buf_release(&value);
    }
}

void tg_config_example(struct tg_buf *out)
{
    tg_buf_puts(out, "# Settings of tangentd, each at its default. docs/configuration.md says "
                     "more.\n# The environment (TANGENTD_MAX_BODY for max-body) and the command "
                     "line win over this file.\n");
    for (size_t i = 0; i < tg_nsettings; i++) {
        tg_buf_puts(out, "\n");
        print_setting(out, &tg_settings[i], tg_settings[i].def);
    }
}
