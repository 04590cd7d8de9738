/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Serving.
 *
 * DESIGN. Bottom up on the way in (numbers, store, queue, HTTP) and top down on the way out.
 * Signals are blocked in every thread and taken by this one, so no handler runs and nothing
 * has to be async-signal-safe. While jobs get their grace, HTTP goes on: results can be
 * fetched, new work gets 503.
 */
#include "server/serve.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "linalg/linalg.h"
#include "server/clock.h"
#include "server/cost.h"
#include "server/log.h"
#include "server/machine.h"
#include "server/notify.h"
#include "server/routes.h"

static const double memory_share = 0.8, keeper_every_s = 60, http_grace_s = 2,
                    stop_margin_s = 60;
/* For the daemon itself: connections, SQLite, bodies under way. */
static const uint64_t memory_base = 64 << 20, memory_least = 64 << 20;

struct service {
    struct tg_server server;
    struct tg_http *http;
    struct tg_derived *derived;
    pthread_t keeper;
    pthread_mutex_t mu;
    pthread_cond_t stop; /* monotonic */
    bool stopping;       /* guarded by mu */
    bool has_keeper;
    unsigned recovered;
};

/* The keeper ------------------------------------------------------------------------- */

static void retain(const struct tg_server *server)
{
    const struct tg_config *config = server->config;
    const struct tg_retention retention = {
        .max_jobs = (uint64_t)config->keep_jobs,
        .max_age_s = config->keep_days * 86400,
        .max_bytes = (uint64_t)config->keep_data,
    };
    enum tg_err err = tg_store_retain(server->store, &retention);
    if (err)
        tg_log(TG_LOG_WARN, "retention: %s", tg_err_title(err));
}

static void *keep(void *arg)
{
    struct service *service = arg;
    pthread_setname_np(pthread_self(), "keeper");
    pthread_mutex_lock(&service->mu);
    while (!service->stopping) {
        struct timespec until = tg_clock_timespec(tg_clock_monotonic() + keeper_every_s);
        pthread_cond_timedwait(&service->stop, &service->mu, &until);
        if (service->stopping)
            break;
        pthread_mutex_unlock(&service->mu);
        retain(&service->server);
        pthread_mutex_lock(&service->mu);
    }
    pthread_mutex_unlock(&service->mu);
    return NULL;
}

static enum tg_err start_keeper(struct service *service, struct tg_report *report)
{
    service->has_keeper = !pthread_create(&service->keeper, NULL, keep, service);
    return service->has_keeper ? TG_OK
                               : tg_fault_add(report, TG_NOMEM, NULL,
                                              "A thread cannot be started.");
}

static void stop_keeper(struct service *service)
{
    if (!service->has_keeper)
        return;
    pthread_mutex_lock(&service->mu);
    service->stopping = true;
    pthread_cond_signal(&service->stop);
    pthread_mutex_unlock(&service->mu);
    pthread_join(service->keeper, NULL);
}

/* Up --------------------------------------------------------------------------------- */

static void bump(void *hub, uint64_t seq)
{
    (void)seq;
    tg_hub_bump(hub);
}

static enum tg_err start_store(struct service *service, const char *dir,
                               struct tg_report *report)
{
    struct tg_server *server = &service->server;
    server->hub = tg_hub_new();
    server->partials = tg_partials_new();
    if (!server->hub || !server->partials)
        return tg_fault_add(report, TG_NOMEM, NULL, "There is no memory to start.");
    const struct tg_store_options options = {
        .dir = dir,
        .data_max_bytes = (size_t)server->config->max_data,
        .data_folders = server->config->data_folders,
        .on_commit = bump,
        .arg = server->hub,
    };
    TG_TRY(tg_auth_load(server->config->token_file, &server->auth, report));
    return tg_store_open(&options, &server->store, report);
}

static enum tg_err start_numbers(struct tg_report *report)
{
    const struct tg_blas_info blas = tg_blas_describe();
    TG_TRY(tg_blas_start(report));
    tg_cost_calibrate();
    tg_log(TG_LOG_INFO, "BLAS: %s, core %s, %.1f GFLOP/s on one core", blas.config, blas.core,
           tg_cost_flops_per_second() / 1e9);
    return TG_OK;
}

static uint64_t memory_budget(const struct tg_config *config)
{
    if (config->memory)
        return (uint64_t)config->memory;
    uint64_t share = (uint64_t)(memory_share * (double)tg_machine_memory());
    return share > memory_base + memory_least ? share - memory_base : memory_least;
}

static enum tg_err start_pool(struct service *service, struct tg_report *report)
{
    struct tg_server *server = &service->server;
    const struct tg_config *config = server->config;
    const struct tg_pool_options options = {
        .workers = config->workers ? (unsigned)config->workers : tg_machine_cores(),
        .memory_bytes = memory_budget(config),
        .long_s = config->long_job,
        .max_queued = (size_t)config->max_queued,
        .store = server->store,
        .hub = server->hub,
        .partials = server->partials,
        .derived = service->derived,
    };
    TG_TRY(tg_pool_start(&options, &server->pool, report));
    server->jobs = (struct tg_jobs){
        .store = server->store,
        .pool = server->pool,
        .config = config,
        .memory_bytes = options.memory_bytes,
        .lanes = options.workers,
    };
    tg_log(TG_LOG_INFO, "%u workers, %.1f MiB of memory for jobs", options.workers,
           (double)options.memory_bytes / 0x1p20);
    return TG_OK;
}

static void queue_again(void *arg, const struct tg_job_row *row)
{
    struct service *service = arg;
    if (!tg_pool_push(service->server.pool, row, true))
        service->recovered++;
}

static enum tg_err recover(struct service *service, struct tg_report *report)
{
    enum tg_err err = tg_store_recover(service->server.store, queue_again, service);
    if (err)
        return tg_fault_add(report, err, NULL, "The jobs of an earlier life cannot be "
                                               "queued.");
    if (service->recovered)
        tg_log(TG_LOG_INFO, "%u jobs of an earlier life are queued", service->recovered);
    return TG_OK;
}

static enum tg_err start(struct service *service, const char *dir, struct tg_report *report)
{
    TG_TRY(start_store(service, dir, report));
    TG_TRY(start_numbers(report));
    service->derived = tg_derived_open(dir, (uint64_t)service->server.config->max_derived);
    TG_TRY(start_pool(service, report));
    TG_TRY(recover(service, report));
    TG_TRY(start_keeper(service, report));
    return tg_http_start(&service->server, &service->http, report);
}

/* The address as a URL; the port is the one that was bound. */
static void announce(const struct service *service, const char *dir)
{
    const struct tg_config *config = service->server.config;
    const char *listen = config->listen, *colon = strrchr(listen, ':');
    char text[256];
    int host = colon ? (int)(colon - listen) : (int)strlen(listen);
    snprintf(text, sizeof(text), "tangentd %s listening on %s://%.*s:%u/", PACKAGE_VERSION,
             *config->tls_cert ? "https" : "http", host, listen,
             tg_http_port(service->http));
    tg_log(TG_LOG_INFO, "store: %s", dir);
    printf("%s\n", text);
    fflush(stdout);
    tg_notify("READY=1\nSTATUS=Serving.");
}

/* Signals ---------------------------------------------------------------------------- */

static void signal_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

void tg_block_signals(void)
{
    sigset_t set;
    signal_set(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void reload(struct tg_server *server)
{
    struct tg_report report;
    tg_report_init(&report);
    if (tg_auth_reload(server->auth, &report))
        tg_log(TG_LOG_ERROR, "the tokens stay as they were: %s", report.detail);
    else
        tg_log(TG_LOG_INFO, "the tokens were read again");
}

/* Returns at the first signal to end. */
static void wait_for_end(struct tg_server *server)
{
    sigset_t set;
    int signo;
    signal_set(&set);
    for (;;) {
        if (sigwait(&set, &signo))
            continue;
        if (signo != SIGHUP)
            return;
        reload(server);
    }
}

/* Until no job runs, the grace is over, or a second signal comes. */
static void wait_for_jobs(struct tg_server *server)
{
    const struct timespec step = {.tv_nsec = 20000000};
    double until = tg_clock_monotonic() + server->config->drain;
    struct tg_pool_stats stats;
    sigset_t set;
    signal_set(&set);
    for (;;) {
        tg_pool_stats(server->pool, &stats);
        if (!stats.busy || tg_clock_monotonic() >= until)
            return;
        int signo = sigtimedwait(&set, NULL, &step);
        if (signo == SIGTERM || signo == SIGINT)
            return;
    }
}

/* Down ------------------------------------------------------------------------------- */

/* systemd waits for the grace of jobs and of connections, and for the ends being written. */
static void tell_stopping(const struct tg_config *config)
{
    char text[64];
    const double seconds = config->drain + http_grace_s + stop_margin_s;
    snprintf(text, sizeof(text), "STOPPING=1\nEXTEND_TIMEOUT_USEC=%.0f", seconds * 1e6);
    tg_notify(text);
}

static void stop(struct service *service)
{
    struct tg_server *server = &service->server;
    if (server->hub)
        tg_hub_close(server->hub);
    if (service->http)
        tg_http_stop(service->http, http_grace_s);
    stop_keeper(service);
    tg_pool_stop(server->pool, 0);
    tg_derived_close(service->derived);
    tg_store_close(server->store);
    tg_auth_free(server->auth);
    tg_partials_free(server->partials);
    tg_hub_free(server->hub);
    pthread_cond_destroy(&service->stop);
    pthread_mutex_destroy(&service->mu);
}

enum tg_err tg_serve(const struct tg_config *config, const char *store_dir,
                     struct tg_report *report)
{
    struct service service = {.server = {.config = config, .started = tg_clock_wall()}};
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&service.stop, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&service.mu, NULL);
    atomic_init(&service.server.draining, false);

    enum tg_err err = start(&service, store_dir, report);
    if (!err) {
        announce(&service, store_dir);
        wait_for_end(&service.server);
        tg_log(TG_LOG_INFO, "shutting down");
        tell_stopping(config);
        atomic_store(&service.server.draining, true);
        tg_pool_close(service.server.pool);
        wait_for_jobs(&service.server);
    }
    stop(&service);
    if (!err)
        tg_log(TG_LOG_INFO, "stopped");
    return err;
}
