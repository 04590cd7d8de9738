/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Handlers of health, metrics and status. None takes a lock that compute holds. */
#include "server/handle.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "linalg/linalg.h"
#include "proto/problem.h"
#include "server/accept.h"
#include "server/clock.h"
#include "server/metrics.h"
#include "server/routes.h"

enum tg_err tg_handle_livez(struct tg_request *request, struct tg_response *response,
                            struct tg_report *report)
{
    (void)request;
    (void)report;
    response->type = "text/plain";
    tg_buf_puts(&response->body, "ok\n");
    return TG_OK;
}

static enum tg_err check_ready(const struct tg_server *server, struct tg_report *report)
{
    if (atomic_load(&server->draining))
        return tg_fault_add(report, TG_DRAINING, NULL, "The daemon is shutting down.");
    if (!tg_store_is_writable(server->store))
        return tg_fault_add(report, TG_STORE, NULL,
                            "The store cannot be written; is the disk full?");
    if (tg_pool_is_full(server->pool))
        return tg_fault_add(report, TG_QUEUE_FULL, NULL, "The queue is full.");
    return TG_OK;
}

enum tg_err tg_handle_readyz(struct tg_request *request, struct tg_response *response,
                             struct tg_report *report)
{
    enum tg_err err = check_ready(request->server, report);
    if (err != TG_QUEUE_FULL)
        return err ? err : tg_answer_json(response, 200, json_pack("{s:b}", "ready", 1));
    /* A submission would get 429; to whoever probes us, not ready is 503. */
    json_t *problem = tg_problem(err, report, request->path);
    json_object_set_new(problem, "status", json_integer(503));
    TG_TRY(tg_answer_json(response, 503, problem));
    response->type = "application/problem+json";
    return TG_OK;
}

static uint64_t resident_bytes(void)
{
    unsigned long long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%llu %llu", &total, &resident) != 2)
        resident = 0;
    fclose(file);
    return resident * (unsigned long long)sysconf(_SC_PAGESIZE);
}

static void refresh_gauges(const struct tg_server *server)
{
    struct tg_pool_stats pool;
    struct tg_store_stats store;
    tg_pool_stats(server->pool, &pool);
    tg_store_stats(server->store, &store);
    TG_GAUGE(jobs_queued, pool.sched.queued);
    TG_GAUGE(jobs_running, pool.sched.running);
    TG_GAUGE(workers, pool.workers);
    TG_GAUGE(memory_bytes, pool.memory_bytes);
    TG_GAUGE(memory_reserved_bytes, pool.sched.reserved_bytes);
    TG_GAUGE(store_writable, tg_store_is_writable(server->store));
    TG_GAUGE(store_commits, store.commits);
    TG_GAUGE(store_operations, store.operations);
    TG_GAUGE(store_write_errors, store.write_errors);
    TG_GAUGE(data_bytes, store.data_bytes);
    TG_GAUGE(data_files, store.data_files);
    TG_GAUGE(resident_bytes, resident_bytes());
}

enum tg_err tg_handle_metrics(struct tg_request *request, struct tg_response *response,
                              struct tg_report *report)
{
    static const char *const types[] = {"text/plain", "application/openmetrics-text"};
    int choice = tg_accept_choose(tg_request_header(request, "Accept"), types, 2);
    (void)report;
    refresh_gauges(request->server);
    response->type = choice == 1
                         ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                         : "text/plain; version=0.0.4; charset=utf-8";
    tg_metrics_write(&response->body, choice == 1);
    return TG_OK;
}

static json_t *count_jobs(const struct tg_server *server)
{
    uint64_t counts[TG_STATE_COUNT];
    json_t *jobs = json_object();
    if (tg_store_counts(server->store, counts))
        return jobs;
    for (int i = 0; i < TG_STATE_COUNT; i++)
        json_object_set_new(jobs, tg_state_names[i], json_integer((json_int_t)counts[i]));
    return jobs;
}

static json_t *describe_store(const struct tg_server *server)
{
    struct tg_store_stats stats;
    tg_store_stats(server->store, &stats);
    return json_pack("{s:b, s:I, s:I, s:I, s:f, s:I, s:I}", "writable",
                     tg_store_is_writable(server->store), "commits",
                     (json_int_t)stats.commits, "operations",
                     (json_int_t)stats.operations, "write_errors",
                     (json_int_t)stats.write_errors, "commit_seconds",
                     stats.commit_seconds, "data_files", (json_int_t)stats.data_files,
                     "data_bytes", (json_int_t)stats.data_bytes);
}

enum tg_err tg_handle_status(struct tg_request *request, struct tg_response *response,
                             struct tg_report *report)
{
    const struct tg_server *server = request->server;
    const struct tg_blas_info blas = tg_blas_describe();
    struct tg_pool_stats pool;
    (void)report;
    tg_pool_stats(server->pool, &pool);
    json_t *status = json_pack(
        "{s:s, s:s, s:f, s:b, s:{s:i, s:i, s:i}, s:{s:I, s:I, s:I}, s:{s:I, s:I, s:f, "
        "s:b}, s:o, s:o, s:{s:s, s:s}}",
        "name", "tangentd", "version", PACKAGE_VERSION, "uptime_s",
        tg_clock_wall() - server->started, "draining", atomic_load(&server->draining),
        "workers", "total", (int)pool.workers, "busy", (int)pool.busy, "helping",
        (int)pool.helping, "memory", "budget_bytes", (json_int_t)pool.memory_bytes,
        "reserved_bytes", (json_int_t)pool.sched.reserved_bytes, "resident_bytes",
        (json_int_t)resident_bytes(), "queue", "queued", (json_int_t)pool.sched.queued,
        "running", (json_int_t)pool.sched.running, "expected_wait_s",
        tg_pool_expected_wait(server->pool), "full", tg_pool_is_full(server->pool),
        "jobs", count_jobs(server), "store", describe_store(server), "blas", "config",
        blas.config, "core", blas.core);
    return tg_answer_json(response, 200, status);
}
