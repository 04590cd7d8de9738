/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A store, a pool and the way down to them, for tests of jobs that really run. */
#ifndef TG_TESTS_JOBS_FIXTURE_H
#define TG_TESTS_JOBS_FIXTURE_H

#include "store_fixture.h"

#include <jansson.h>
#include <math.h>

#include "core/rng.h"
#include "server/clock.h"
#include "server/jobs.h"

static struct tg_pool *pool;
static struct tg_hub *hub;
static struct tg_partials *partials;
static struct tg_jobs jobs;
static struct tg_config config;
static char narrow[TG_SHA256_HEX], wide[TG_SHA256_HEX]; /* stored layers */

enum { HUGE_LAYERS = 24 }; /* a job of so many runs for a minute */

/* Stores an array of n x d normal numbers. */
static inline void store_layer(size_t n, size_t d, char sha256[TG_SHA256_HEX])
{
    size_t bytes = sizeof(double) * n * d;
    char header[128];
    double *numbers = malloc(bytes);
    struct tg_upload *upload;
    struct tg_data_row row;
    bool created;
    ck_assert_ptr_nonnull(numbers);
    memset(header, ' ', sizeof header);
    memcpy(header, "\x93NUMPY\x01\x00\x76\x00", 10);
    int text =
        snprintf(header + 10, 118,
                 "{'descr': '<f8', 'fortran_order': False, 'shape': (%zu, %zu), }", n, d);
    header[10 + text] = ' ';
    header[127] = '\n';
    tg_rng_normal(1, 0, 0, n * d, numbers);
    ck_assert_int_eq(tg_upload_begin(store, NULL, 0, &upload, NULL), TG_OK);
    ck_assert_int_eq(tg_upload_write(upload, header, sizeof header, NULL), TG_OK);
    ck_assert_int_eq(tg_upload_write(upload, numbers, bytes, NULL), TG_OK);
    ck_assert_int_eq(tg_upload_end(upload, &created, &row, NULL), TG_OK);
    memcpy(sha256, row.sha256, TG_SHA256_HEX);
    tg_data_row_release(&row);
    free(numbers);
}

static inline void start_pool(unsigned workers, uint64_t memory_bytes, double long_s,
                              size_t max_queued)
{
    const struct tg_pool_options options = {.workers = workers,
                                            .memory_bytes = memory_bytes,
                                            .long_s = long_s,
                                            .max_queued = max_queued,
                                            .store = store,
                                            .hub = hub,
                                            .partials = partials};
    tg_report_init(&report);
    ck_assert_int_eq(tg_pool_start(&options, &pool, &report), TG_OK);
    jobs = (struct tg_jobs){.store = store,
                            .pool = pool,
                            .config = &config,
                            .memory_bytes = memory_bytes,
                            .lanes = workers};
}

static inline void stop_pool(void)
{
    tg_pool_stop(pool, 0);
    pool = NULL;
}

static inline void setup_jobs(void)
{
    setup();
    config = (struct tg_config){.max_body = 64 << 20};
    hub = tg_hub_new();
    partials = tg_partials_new();
    ck_assert(hub && partials);
    store_layer(400, 120, narrow);
    store_layer(1500, 600, wide);
}

static inline void teardown_jobs(void)
{
    stop_pool();
    tg_partials_free(partials);
    tg_hub_free(hub);
    teardown();
}

/* Compares copies of a stored layer; jobs of other thresholds are other jobs. */
static inline char *svcca_body(int layers, double threshold, const char *members)
{
    char text[256];
    struct tg_buf body;
    tg_buf_init(&body, 1 << 20);
    snprintf(text, sizeof text,
             "{\"kind\": \"svcca\", %s \"params\": {\"threshold\": %.4f}, "
             "\"inputs\": {\"layers\": {",
             members, threshold);
    tg_buf_puts(&body, text);
    for (int i = 0; i < layers; i++) {
        snprintf(text, sizeof text, "%s\"l%d\": {\"sha256\": \"%s\"}", i ? ", " : "", i,
                 layers < HUGE_LAYERS ? narrow : wide);
        tg_buf_puts(&body, text);
    }
    tg_buf_puts(&body, "}}}");
    tg_buf_add(&body, "", 1);
    ck_assert(!tg_buf_failed(&body));
    return tg_buf_take(&body, NULL);
}

static inline enum tg_err submit_body(const char *body, const char *token, const char *key,
                                      char id[TG_ID_SIZE], enum tg_cache *cache)
{
    const struct tg_jobs_submit order = {
        .body = body, .n = strlen(body), .token = token, .idempotency_key = key};
    tg_report_init(&report);
    return tg_jobs_submit(&jobs, &order, id, cache, &report);
}

static inline void submit_svcca(int layers, double threshold, const char *token,
                                const char *members, char id[TG_ID_SIZE])
{
    enum tg_cache cache;
    char *body = svcca_body(layers, threshold, members);
    ck_assert_msg(submit_body(body, token, NULL, id, &cache) == TG_OK, "%s", report.detail);
    ck_assert_int_eq(cache, TG_CACHE_MISS);
    free(body);
}

static inline bool wait_state(const char *id, enum tg_state state, double seconds)
{
    for (double until = tg_clock_monotonic() + seconds; state_of(id) != state;) {
        if (tg_clock_monotonic() > until)
            return false;
        usleep(1000);
    }
    return true;
}

/* The seconds until the job is over. */
static inline double wait_end(const char *id)
{
    double began = tg_clock_monotonic();
    while (!tg_state_is_terminal(state_of(id))) {
        ck_assert_msg(tg_clock_monotonic() < began + 60, "the job does not end");
        usleep(1000);
    }
    return tg_clock_monotonic() - began;
}

static inline void wait_running(const char *id)
{
    ck_assert(wait_state(id, TG_RUNNING, 20));
}

/* The slug of the type in the problem of a job. */
static inline void assert_problem(const char *id, const char *slug)
{
    struct tg_job_row row = get_job(id);
    json_t *problem = json_loads(row.problem, 0, NULL);
    const char *type = json_string_value(json_object_get(problem, "type"));
    ck_assert_ptr_nonnull(type);
    ck_assert_str_eq(strrchr(type, '/') + 1, slug);
    json_decref(problem);
    tg_job_row_release(&row);
}

#endif
