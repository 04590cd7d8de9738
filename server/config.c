/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Configuration: the rows of TG_CONFIG_MAP and the four places they are read from.
 *
 * DESIGN. Every source ends in set(), which knows only a row and a text, so a value means the
 * same wherever it stands. A fault's pointer says where: "--workers", "TANGENTD_WORKERS" or
 * "FILE:12".
 */
#include "server/config_private.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/fault.h"

const struct tg_setting tg_settings[] = {
#define XX(field, ctype, type, flag, def, lo, hi, help)                                  \
    {flag, TG_SET_##type, offsetof(struct tg_config, field), def, lo, hi, help},
    TG_CONFIG_MAP(XX)
#undef XX
};
enum { NSETTINGS = sizeof(tg_settings) / sizeof(tg_settings[0]) };
const size_t tg_nsettings = NSETTINGS;

const struct tg_action_flag tg_action_flags[] = {
    {"help", NULL, TG_ACTION_HELP, "print this"},
    {"version", NULL, TG_ACTION_VERSION, "print the version"},
    {"kinds", NULL, TG_ACTION_KINDS, "list the kinds of jobs"},
    {"describe", "KIND", TG_ACTION_DESCRIBE, "describe one kind of job"},
    {"openapi", NULL, TG_ACTION_OPENAPI, "print the OpenAPI description"},
    {"check", NULL, TG_ACTION_CHECK, "verify the store; no daemon may be using it"},
    {"make-token", "NAME:SCOPE", TG_ACTION_MAKE_TOKEN,
     "print a new token and its line for the token file; scopes are read, submit, admin"},
    {"print-config", NULL, TG_ACTION_PRINT_CONFIG,
     "print the settings in effect as a configuration file"},
};
enum { NACTIONS = sizeof(tg_action_flags) / sizeof(tg_action_flags[0]) };
const size_t tg_naction_flags = NACTIONS;

/* Values ----------------------------------------------------------------------------- */

static bool parse_whole(const char *text, bool units, double lo, double hi, int64_t *out)
{
    static const char letters[] = "KMGT";
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || errno || isspace((unsigned char)*text))
        return false;
    const char *unit = units && *end ? strchr(letters, toupper((unsigned char)*end)) : NULL;
    if (unit) {
        end++;
        if (__builtin_mul_overflow(value, 1LL << (10 * (unit - letters + 1)), &value))
            return false;
    }
    *out = value;
    return !*end && (double)value >= lo && (double)value <= hi;
}

static bool parse_real(const char *text, double lo, double hi, double *out)
{
    char *end;
    *out = strtod(text, &end);
    return end != text && !*end && !isspace((unsigned char)*text) && *out >= lo &&
           *out <= hi;
}

void tg_setting_allowed(const struct tg_setting *setting, char out[TG_ALLOWED_SIZE])
{
    static const char *const what[] = {"text", "a whole number", "a size such as 512M",
                                       "a number"};
    if (setting->type == TG_SET_STRING)
        snprintf(out, TG_ALLOWED_SIZE, "%s", what[setting->type]);
    else if (setting->hi >= 1e12)
        snprintf(out, TG_ALLOWED_SIZE, "%s of at least %.15g", what[setting->type],
                 setting->lo);
    else
        snprintf(out, TG_ALLOWED_SIZE, "%s from %.15g to %.15g", what[setting->type],
                 setting->lo, setting->hi);
}

static enum tg_err set(struct tg_config *config, const struct tg_setting *setting,
                       const char *where, const char *text, struct tg_report *report)
{
    void *field = (char *)config + setting->offset;
    char allowed[TG_ALLOWED_SIZE];
    bool valid = true;
    switch (setting->type) {
    case TG_SET_STRING: {
        char *copy = strdup(text);
        if (!copy)
            return tg_fault_add(report, TG_NOMEM, where, "There is no memory for this.");
        free(*(char **)field);
        *(char **)field = copy;
        return TG_OK;
    }
    case TG_SET_INT:
    case TG_SET_SIZE:
        valid = parse_whole(text, setting->type == TG_SET_SIZE, setting->lo, setting->hi,
                            field);
        break;
    case TG_SET_REAL:
        valid = parse_real(text, setting->lo, setting->hi, field);
        break;
    }
    if (valid)
        return TG_OK;
    tg_setting_allowed(setting, allowed);
    return tg_fault_add_value(report, TG_INVALID, where, text, allowed,
                              "'%s' has to be %s, not '%s'.", setting->flag, allowed, text);
}

static const struct tg_setting *find_setting(const char *name, size_t n)
{
    for (size_t i = 0; i < NSETTINGS; i++)
        if (strlen(tg_settings[i].flag) == n && !memcmp(tg_settings[i].flag, name, n))
            return &tg_settings[i];
    return NULL;
}

static enum tg_err unknown(struct tg_report *report, const char *where, const char *name,
                           bool flag)
{
    const char *names[NSETTINGS + NACTIONS + 1];
    size_t n = 0;
    for (size_t i = 0; i < NSETTINGS; i++)
        names[n++] = tg_settings[i].flag;
    for (size_t i = 0; i < NACTIONS && flag; i++)
        names[n++] = tg_action_flags[i].flag;
    if (flag)
        names[n++] = "config";
    const char *near = tg_nearest(name, names, n);
    if (near)
        return tg_fault_add(report, TG_INVALID, where,
                            "There is no setting '%s'; did you mean '%s'?", name, near);
    return tg_fault_add(report, TG_INVALID, where,
                        "There is no setting '%s'; tangentd --help lists them.", name);
}

/* Sources ---------------------------------------------------------------------------- */

static enum tg_err load_defaults(struct tg_config *config, struct tg_report *report)
{
    for (size_t i = 0; i < NSETTINGS; i++)
        TG_TRY(set(config, &tg_settings[i], tg_settings[i].flag, tg_settings[i].def, report));
    return TG_OK;
}

static char *trim(char *text)
{
    text += strspn(text, " \t");
    size_t n = strlen(text);
    while (n && strchr(" \t\r\n", text[n - 1]))
        text[--n] = '\0';
    return text;
}

static void load_line(struct tg_config *config, const char *where, char *line,
                      struct tg_report *report)
{
    line = trim(line);
    if (!*line || *line == '#')
        return;
    char *equals = strchr(line, '=');
    if (!equals) {
        tg_fault_add(report, TG_INVALID, where, "A line has the form 'name = value'.");
        return;
    }
    *equals = '\0';
    const char *name = trim(line);
    const struct tg_setting *setting = find_setting(name, strlen(name));
    if (setting)
        (void)!set(config, setting, where, trim(equals + 1), report);
    else
        unknown(report, where, name, false);
}

static void load_file(struct tg_config *config, const char *path, struct tg_report *report)
{
    char *line = NULL, where[sizeof(report->fault[0].pointer)];
    size_t size = 0;
    FILE *file = fopen(path, "re");
    if (!file) {
        tg_fault_add(report, TG_INVALID, path, "The configuration cannot be read: %s.",
                     strerror(errno));
        return;
    }
    for (unsigned number = 1; getline(&line, &size, file) >= 0; number++) {
        snprintf(where, sizeof(where), "%.140s:%u", path, number);
        load_line(config, where, line, report);
    }
    if (ferror(file))
        tg_fault_add(report, TG_INVALID, path, "The configuration cannot be read: %s.",
                     strerror(errno));
    free(line);
    fclose(file);
}

char *tg_setting_variable(const struct tg_setting *setting, char out[TG_VARIABLE_SIZE])
{
    int n = snprintf(out, TG_VARIABLE_SIZE, "TANGENTD_%s", setting->flag);
    for (int i = 0; i < n; i++)
        out[i] = out[i] == '-' ? '_' : (char)toupper((unsigned char)out[i]);
    return out;
}

static void load_environment(struct tg_config *config, struct tg_report *report)
{
    char name[TG_VARIABLE_SIZE];
    for (size_t i = 0; i < NSETTINGS; i++) {
        const char *value = getenv(tg_setting_variable(&tg_settings[i], name));
        if (value)
            (void)!set(config, &tg_settings[i], name, value, report);
    }
}

/* One argument of the command line: --name, --name=value or --name value. */
struct flag {
    const char *whole, *name, *value;
    size_t n; /* of the name */
};

static bool split_flag(const char *arg, struct flag *flag)
{
    if (strncmp(arg, "--", 2) != 0 || !arg[2])
        return false;
    flag->whole = arg;
    flag->name = arg + 2;
    flag->n = strcspn(flag->name, "=");
    flag->value = flag->name[flag->n] ? flag->name + flag->n + 1 : NULL;
    return true;
}

static bool is_named(const struct flag *flag, const char *name)
{
    return strlen(name) == flag->n && !memcmp(flag->name, name, flag->n);
}

/* Whether the flag has its value, given with it or as the argument after it. */
static bool take_value(struct flag *flag, int argc, char **argv, int *i,
                       struct tg_report *report)
{
    if (!flag->value && *i + 1 < argc)
        flag->value = argv[++*i];
    if (!flag->value)
        tg_fault_add(report, TG_INVALID, flag->whole, "'%s' needs a value.", flag->whole);
    return flag->value != NULL;
}

/* False when it is no action. */
static bool load_action(struct flag *flag, int argc, char **argv, int *i,
                        struct tg_command *command, struct tg_report *report)
{
    for (size_t k = 0; k < NACTIONS; k++) {
        if (!is_named(flag, tg_action_flags[k].flag))
            continue;
        if (tg_action_flags[k].argument && !take_value(flag, argc, argv, i, report))
            return true;
        if (!tg_action_flags[k].argument && flag->value)
            tg_fault_add(report, TG_INVALID, flag->whole, "'--%s' takes no value.",
                         tg_action_flags[k].flag);
        *command = (struct tg_command){tg_action_flags[k].action, flag->value};
        return true;
    }
    return false;
}

static void load_flag(struct flag *flag, int argc, char **argv, int *i,
                      struct tg_config *config, struct tg_command *command,
                      struct tg_report *report)
{
    char where[64], name[64];
    snprintf(name, sizeof(name), "%.*s", (int)flag->n, flag->name);
    snprintf(where, sizeof(where), "--%.60s", name);
    const struct tg_setting *setting = find_setting(flag->name, flag->n);
    if (load_action(flag, argc, argv, i, command, report))
        return;
    if (is_named(flag, "config"))
        (void)take_value(flag, argc, argv, i, report);
    else if (!setting) {
        unknown(report, where, name, true);
        if (!flag->value && *i + 1 < argc && strncmp(argv[*i + 1], "--", 2) != 0)
            ++*i; /* probably its value */
    } else if (take_value(flag, argc, argv, i, report))
        (void)!set(config, setting, where, flag->value, report);
}

static void load_flags(int argc, char **argv, struct tg_config *config,
                       struct tg_command *command, struct tg_report *report)
{
    struct flag flag;
    for (int i = 1; i < argc; i++) {
        if (split_flag(argv[i], &flag))
            load_flag(&flag, argc, argv, &i, config, command, report);
        else
            tg_fault_add(report, TG_INVALID, argv[i],
                         "'%s' is no option; options begin with two dashes.", argv[i]);
    }
}

static const char *file_name(int argc, char **argv)
{
    const char *path = getenv("TANGENTD_CONFIG");
    struct flag flag;
    for (int i = 1; i < argc; i++)
        if (split_flag(argv[i], &flag) && is_named(&flag, "config"))
            path = flag.value ? flag.value : i + 1 < argc ? argv[i + 1] : NULL;
    return path;
}

static void check_together(const struct tg_config *config, struct tg_report *report)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    bool known = false;
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
        known = known || !strcmp(config->log_level, levels[i]);
    if (!known)
        tg_fault_add(report, TG_INVALID, "--log-level",
                     "'log-level' has to be error, warn, info or debug, not '%s'.",
                     config->log_level);
    if (!*config->tls_cert != !*config->tls_key)
        tg_fault_add(report, TG_INVALID, *config->tls_cert ? "--tls-key" : "--tls-cert",
                     "TLS needs both 'tls-cert' and 'tls-key'.");
}

enum tg_err tg_config_load(int argc, char **argv, struct tg_config *config,
                           struct tg_command *command, struct tg_report *report)
{
    *config = (struct tg_config){0};
    *command = (struct tg_command){TG_ACTION_SERVE, NULL};
    enum tg_err err = load_defaults(config, report);
    if (!err) {
        const char *path = file_name(argc, argv);
        if (path && *path)
            load_file(config, path, report);
        load_environment(config, report);
        load_flags(argc, argv, config, command, report);
        check_together(config, report);
        err = report->code;
    }
    if (err)
        tg_config_release(config);
    return err;
}

void tg_config_release(struct tg_config *config)
{
    for (size_t i = 0; i < NSETTINGS; i++)
        if (tg_settings[i].type == TG_SET_STRING)
            free(*(char **)((char *)config + tg_settings[i].offset));
    *config = (struct tg_config){0};
}
