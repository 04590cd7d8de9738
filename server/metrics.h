/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Metrics: one table; counters are atomics bumped where things happen, gauges are read when
 * the page is asked for. No lock is shared with compute.
 */
#ifndef TG_SERVER_METRICS_H
#define TG_SERVER_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "proto/buf.h"

/* XX(field, "name", TYPE, "help") - TYPE COUNTER or GAUGE */
#define TG_METRICS_MAP(XX)                                                               \
    XX(http_requests, "tangentd_http_requests_total", COUNTER, "HTTP requests answered") \
    XX(http_errors, "tangentd_http_errors_total", COUNTER, "answers with status >= 400") \
    XX(http_connections, "tangentd_http_connections", GAUGE, "open connections")         \
    XX(http_dropped, "tangentd_http_dropped_total", COUNTER, "connections dropped for slowness") \
    XX(http_received_bytes, "tangentd_http_received_bytes_total", COUNTER, "body bytes received") \
    XX(http_sent_bytes, "tangentd_http_sent_bytes_total", COUNTER, "body bytes sent")    \
    XX(jobs_submitted, "tangentd_jobs_submitted_total", COUNTER, "jobs accepted")        \
    XX(jobs_cached, "tangentd_jobs_cached_total", COUNTER, "jobs answered from a stored result") \
    XX(jobs_succeeded, "tangentd_jobs_succeeded_total", COUNTER, "jobs that succeeded")  \
    XX(jobs_failed, "tangentd_jobs_failed_total", COUNTER, "jobs that failed")           \
    XX(jobs_cancelled, "tangentd_jobs_cancelled_total", COUNTER, "jobs cancelled or expired") \
    XX(jobs_queued, "tangentd_jobs_queued", GAUGE, "jobs waiting")                       \
    XX(jobs_running, "tangentd_jobs_running", GAUGE, "jobs running")                     \
    XX(workers, "tangentd_workers", GAUGE, "worker threads")                             \
    XX(memory_bytes, "tangentd_memory_bytes", GAUGE, "memory for running jobs")          \
    XX(memory_reserved_bytes, "tangentd_memory_reserved_bytes", GAUGE,                   \
       "memory reserved by running jobs")                                                \
    XX(store_writable, "tangentd_store_writable", GAUGE, "1 while the store takes writes") \
    XX(store_commits, "tangentd_store_commits_total", COUNTER, "transactions committed") \
    XX(store_operations, "tangentd_store_operations_total", COUNTER, "operations committed") \
    XX(store_write_errors, "tangentd_store_write_errors_total", COUNTER, "failed writes") \
    XX(data_bytes, "tangentd_data_bytes", GAUGE, "bytes of stored data")                 \
    XX(data_files, "tangentd_data_files", GAUGE, "stored files")                         \
    XX(derived_hits, "tangentd_derived_hits_total", COUNTER, "derived values recalled")  \
    XX(derived_misses, "tangentd_derived_misses_total", COUNTER,                         \
       "derived values asked for and not kept")                                          \
    XX(derived_bytes, "tangentd_derived_bytes", GAUGE, "bytes of kept derived values")   \
    XX(sse_streams, "tangentd_event_streams", GAUGE, "open event streams")               \
    XX(resident_bytes, "process_resident_memory_bytes", GAUGE, "resident memory")

struct tg_metrics {
#define XX(field, name, type, help) atomic_int_fast64_t field;
    TG_METRICS_MAP(XX)
#undef XX
};

struct tg_metrics *tg_metrics(void); /* the one table */
#define TG_COUNT(field) atomic_fetch_add_explicit(&tg_metrics()->field, 1, memory_order_relaxed)
#define TG_COUNT_N(field, n)                                                             \
    atomic_fetch_add_explicit(&tg_metrics()->field, (n), memory_order_relaxed)
#define TG_GAUGE(field, n)                                                               \
    atomic_store_explicit(&tg_metrics()->field, (int_fast64_t)(n), memory_order_relaxed)

/* The page: Prometheus text 0.0.4, or OpenMetrics 1.0.0. */
void tg_metrics_write(struct tg_buf *out, int openmetrics);
void tg_metrics_markdown(struct tg_buf *out); /* docs/metrics.md */

#endif
