/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tangentd: what the command line asks for. */
#include <jansson.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "proto/jsonwrite.h"
#include "proto/schema.h"
#include "server/auth.h"
#include "server/log.h"
#include "server/privilege.h"
#include "server/routes.h"
#include "server/serve.h"
#include "server/store.h"

enum { TEXT_MAX = 16 << 20 };

static void print_report(const struct tg_report *report)
{
    for (size_t i = 0; i < report->count && i < TG_FAULT_MAX; i++) {
        const struct tg_fault *fault = &report->fault[i];
        fprintf(stderr, "tangentd: %s%s%s\n", fault->pointer, *fault->pointer ? ": " : "",
                fault->detail);
    }
}

static enum tg_err describe(const char *name, struct tg_buf *out, struct tg_report *report)
{
    const struct tg_kind *kind = tg_kind_find(name);
    if (!kind)
        return tg_fault_add(report, TG_INVALID, "--describe",
                            "There is no kind '%s'; tangentd --kinds lists them.", name);
    tg_kind_help(kind, out);
    return TG_OK;
}

static void list_kinds(struct tg_buf *out)
{
    for (size_t i = 0; i < tg_nkinds; i++)
        tg_buf_printf(out, "%-12s %s\n", tg_kinds[i]->name, tg_kinds[i]->title);
}

static void write_openapi(struct tg_buf *out)
{
    json_t *openapi = tg_openapi();
    if (openapi)
        tg_json_write_pretty(openapi, 90, out);
    else
        out->failed = true;
    json_decref(openapi);
}

/* The actions that only print. */
static enum tg_err write_answer(const struct tg_command *command,
                                const struct tg_config *config, struct tg_buf *out,
                                struct tg_report *report)
{
    switch (command->action) {
    case TG_ACTION_HELP:
        tg_config_help(out);
        return TG_OK;
    case TG_ACTION_VERSION:
        tg_buf_puts(out, "tangentd " PACKAGE_VERSION "\n");
        return TG_OK;
    case TG_ACTION_KINDS:
        list_kinds(out);
        return TG_OK;
    case TG_ACTION_DESCRIBE:
        return describe(command->argument, out, report);
    case TG_ACTION_MAKE_TOKEN:
        return tg_auth_make(command->argument, out, report);
    case TG_ACTION_OPENAPI:
        write_openapi(out);
        return TG_OK;
    case TG_ACTION_PRINT_CONFIG:
        tg_config_print(config, out);
        return TG_OK;
    case TG_ACTION_SERVE:
    case TG_ACTION_CHECK:
        break;
    }
    TG_BUG("not an action that prints");
}

static enum tg_err print_answer(const struct tg_command *command,
                                const struct tg_config *config, struct tg_report *report)
{
    struct tg_buf out;
    tg_buf_init(&out, TEXT_MAX);
    enum tg_err err = write_answer(command, config, &out, report);
    if (!err && tg_buf_failed(&out))
        err = tg_fault_add(report, TG_NOMEM, NULL, "There is no memory for this.");
    if (!err && (fwrite(out.p ? out.p : "", 1, out.n, stdout) != out.n || fflush(stdout)))
        err = tg_fault_add(report, TG_INTERNAL, NULL, "The output cannot be written.");
    tg_buf_release(&out);
    return err;
}

static void print_line(const char *line)
{
    printf("%s\n", line);
}

static enum tg_err check(const char *dir, struct tg_report *report)
{
    enum tg_err err = tg_store_check(dir, print_line, report);
    if (!err)
        printf("%s is sound\n", dir);
    return err;
}

/* A thread a connection: few arenas of malloc, and what is freed goes back to the system. */
static void tune_memory(void)
{
    mallopt(M_ARENA_MAX, 4);
    mallopt(M_TRIM_THRESHOLD, 1 << 20);
    mallopt(M_MMAP_THRESHOLD, 256 << 10);
}

static void raise_file_limit(void)
{
    struct rlimit files;
    if (!getrlimit(RLIMIT_NOFILE, &files)) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static enum tg_err use_store(const struct tg_command *command, const struct tg_config *config,
                             struct tg_report *report)
{
    char dir[PATH_MAX];
    TG_TRY(tg_store_dir(config, dir, sizeof(dir), report));
    if (command->action == TG_ACTION_CHECK)
        return check(dir, report);
    tg_log_set_level(config->log_level);
    umask(077);
    tune_memory();
    raise_file_limit();
    tg_block_signals();
    TG_TRY(tg_drop_privilege(config, dir, report));
    return tg_serve(config, dir, report);
}

int main(int argc, char **argv)
{
    static struct tg_report report;
    struct tg_config config;
    struct tg_command command;
    json_object_seed(0);
    tg_report_init(&report);
    enum tg_err err = tg_config_load(argc, argv, &config, &command, &report);
    if (err) {
        print_report(&report);
        return 2;
    }
    if (command.action == TG_ACTION_SERVE || command.action == TG_ACTION_CHECK)
        err = use_store(&command, &config, &report);
    else
        err = print_answer(&command, &config, &report);
    if (err) {
        if (!report.count)
            tg_fault_add(&report, err, NULL, "%s.", tg_err_title(err));
        print_report(&report);
    }
    tg_config_release(&config);
    return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
