/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Configuration: one table of settings, read from defaults, a file, the environment and the
 * command line, later ones winning.
 *
 * DESIGN. TG_CONFIG_MAP is the list: XX(field, ctype, type, "--flag", "ENV", default, lo, hi,
 * help). The file has lines `name = value`, names being the flag without dashes ("max-body"
 * for --max-body), and `#` comments. Sizes take K, M, G, T (powers of 1024); durations
 * are seconds.
 */
#ifndef TG_SERVER_CONFIG_H
#define TG_SERVER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "proto/buf.h"

#define TG_CONFIG_MAP(XX)                                                                \
    XX(listen, char *, STRING, "listen", "127.0.0.1:8748", 0, 0,                         \
       "address and port to listen on; any other than loopback needs a token file")      \
    XX(store, char *, STRING, "store", "", 0, 0,                                         \
       "directory of the store; default $STATE_DIRECTORY, as root /var/lib/tangentd, else "  \
       "$XDG_STATE_HOME/tangentd or ~/.local/state/tangentd")                            \
    XX(workers, int64_t, INT, "workers", "0", 0, 1024,                                   \
       "worker threads; 0 is one per core this process may use")                         \
    XX(memory, int64_t, SIZE, "memory", "0", 0, 1e18,                                    \
       "memory for running jobs; 0 is 80 % of what the machine or cgroup has")           \
    XX(long_job, double, REAL, "long-job", "10", 0, 1e9,                                 \
       "seconds from which a job counts as long; long jobs never take every worker")     \
    XX(max_queued, int64_t, INT, "max-queued", "10000", 1, 1e9,                          \
       "jobs that may wait; beyond it submissions get 429")                              \
    XX(max_run, double, REAL, "max-run", "0", 0, 1e9,                                    \
       "seconds any job may run; 0 is no limit")                                         \
    XX(max_body, int64_t, SIZE, "max-body", "256M", 1024, 1e18,                          \
       "largest JSON body")                                                              \
    XX(max_data, int64_t, SIZE, "max-data", "1T", 1024, 1e18,                            \
       "largest uploaded file")                                                          \
    XX(data_folders, char *, STRING, "data-folders", "", 0, 0,                           \
       "folders, separated by ':', whose files may be registered and then are read where "  \
       "they are instead of being uploaded; empty is none")                              \
    XX(max_connections, int64_t, INT, "max-connections", "2048", 1, 65536,               \
       "connections at once")                                                            \
    XX(max_connections_per_address, int64_t, INT, "max-connections-per-address", "1024", \
       0, 65536, "connections at once from one address; 0 is no limit")                  \
    XX(request_timeout, double, REAL, "request-timeout", "20", 1, 1e6,                   \
       "seconds for the request line and headers, and of silence within a body")         \
    XX(min_body_rate, int64_t, SIZE, "min-body-rate", "1K", 0, 1e12,                     \
       "bytes a second a body must keep up on average after request-timeout")            \
    XX(token_file, char *, STRING, "token-file", "", 0, 0,                               \
       "file of hashed tokens; see --make-token")                                        \
    XX(tls_cert, char *, STRING, "tls-cert", "", 0, 0, "PEM certificate; turns on TLS")  \
    XX(tls_key, char *, STRING, "tls-key", "", 0, 0, "PEM key of the certificate")       \
    XX(user, char *, STRING, "user", "tangentd", 0, 0,                                   \
       "user to become when started as root")                                            \
    XX(keep_jobs, int64_t, INT, "keep-jobs", "100000", 0, 1e15,                          \
       "finished jobs kept; 0 is no limit")                                              \
    XX(keep_days, double, REAL, "keep-days", "0", 0, 1e6,                                \
       "days a finished job is kept; 0 is no limit")                                     \
    XX(keep_data, int64_t, SIZE, "keep-data", "0", 0, 1e18,                              \
       "bytes of stored data that no job uses any more; 0 is no limit")                  \
    XX(max_derived, int64_t, SIZE, "max-derived", "4G", 0, 1e18,                         \
       "bytes of what analyses derived from their inputs, kept for later jobs; 0 is none") \
    XX(drain, double, REAL, "drain", "10", 0, 3600,                                      \
       "seconds running jobs get to finish at shutdown")                                 \
    XX(log_level, char *, STRING, "log-level", "info", 0, 0,                             \
       "error, warn, info or debug")

struct tg_config {
#define XX(field, ctype, type, flag, def, lo, hi, help) ctype field;
    TG_CONFIG_MAP(XX)
#undef XX
};

/* What the command line asks for. */
enum tg_action {
    TG_ACTION_SERVE, TG_ACTION_HELP, TG_ACTION_VERSION, TG_ACTION_KINDS, TG_ACTION_DESCRIBE,
    TG_ACTION_CHECK, TG_ACTION_MAKE_TOKEN, TG_ACTION_OPENAPI, TG_ACTION_PRINT_CONFIG
};

struct tg_command {
    enum tg_action action;
    const char *argument;  /* of --describe (a kind), --make-token (NAME:scope,scope) */
};

/*
 * Defaults, then the file (--config FILE, $TANGENTD_CONFIG, or none), then TANGENTD_<NAME>
 * variables, then flags. Every fault is reported. release frees strings.
 */
TG_MUST_CHECK enum tg_err tg_config_load(int argc, char **argv, struct tg_config *config,
                                         struct tg_command *command, struct tg_report *report);
void tg_config_release(struct tg_config *config);
void tg_config_help(struct tg_buf *out);     /* --help */
void tg_config_markdown(struct tg_buf *out); /* docs/configuration.md */
void tg_config_example(struct tg_buf *out);  /* tangentd.conf.example: all at its default */
/* A configuration file that says the same as `config`; what is at its default is a comment. */
void tg_config_print(const struct tg_config *config, struct tg_buf *out);

#endif
