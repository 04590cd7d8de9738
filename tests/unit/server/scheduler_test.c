/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Scheduler: its promises one by one, and all of them together in a simulation with virtual
 * time that keeps its own books.
 */
#include "../suite.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/rng.h"
#include "server/scheduler.h"

Suite *scheduler_suite(void);

static struct tg_sched *sched;

static void start(unsigned workers, uint64_t memory, unsigned max_bypass)
{
    const struct tg_sched_options options = {.workers = workers,
                                             .memory_bytes = memory,
                                             .long_s = 10,
                                             .max_bypass = max_bypass,
                                             .max_queued = 50000};
    sched = tg_sched_new(&options);
    ck_assert_ptr_nonnull(sched);
}

static void teardown(void)
{
    tg_sched_free(sched);
    sched = NULL;
}

static struct tg_sched_item make(const char *id, const char *token, uint64_t bytes,
                                 double seconds)
{
    struct tg_sched_item item = {
        .priority = TG_PRIORITY_NORMAL, .bytes = bytes, .seconds = seconds};
    snprintf(item.id, sizeof(item.id), "%s", id);
    snprintf(item.token, sizeof(item.token), "%s", token);
    return item;
}

static void push(const char *id, const char *token, uint64_t bytes, double seconds)
{
    const struct tg_sched_item item = make(id, token, bytes, seconds);
    MUST(tg_sched_push(sched, &item, false) == TG_OK);
}

static void push_with(const char *id, enum tg_priority priority, double deadline)
{
    struct tg_sched_item item = make(id, "", 1, 1);
    item.priority = priority;
    item.deadline = deadline;
    MUST(tg_sched_push(sched, &item, false) == TG_OK);
}

static struct tg_sched_item take(const char *id)
{
    struct tg_sched_item item;
    MUST(tg_sched_take(sched, &item));
    MUST(!strcmp(item.id, id));
    return item;
}

static void take_none(void)
{
    struct tg_sched_item item;
    MUST(!tg_sched_take(sched, &item));
}

START_TEST(one_token_is_first_come_first_served)
{
    start(4, 100, 8);
    push("1", "a", 10, 1);
    push("2", "a", 10, 20);
    push("3", "a", 10, 1);
    take("1");
    take("2");
    take("3");
    take_none();
}
END_TEST

START_TEST(higher_classes_go_first)
{
    start(4, 100, 8);
    push_with("low", TG_PRIORITY_LOW, 0);
    push_with("normal", TG_PRIORITY_NORMAL, 0);
    push_with("high", TG_PRIORITY_HIGH, 0);
    take("high");
    take("normal");
    take("low");
}
END_TEST

START_TEST(what_does_not_fit_is_passed_over_but_not_for_ever)
{
    char id[16];
    start(4, 100, 3);
    push("running", "a", 50, 1);
    struct tg_sched_item running = take("running");
    push("big", "a", 100, 1);
    for (int i = 0; i < 6; i++) {
        snprintf(id, sizeof(id), "s%d", i);
        push(id, "a", 1, 1);
    }
    struct tg_sched_item small[3] = {take("s0"), take("s1"), take("s2")};
    take_none();
    for (int i = 0; i < 3; i++)
        tg_sched_done(sched, &small[i], 1);
    take_none();
    tg_sched_done(sched, &running, 1);
    struct tg_sched_item big = take("big");
    take_none();
    tg_sched_done(sched, &big, 1);
    take("s3");
}
END_TEST

START_TEST(what_can_never_fit_is_refused)
{
    start(1, 100, 3);
    const struct tg_sched_item item = make("1", "a", 101, 1);
    ck_assert_int_eq(tg_sched_push(sched, &item, true), TG_TOO_LARGE_JOB);
}
END_TEST

START_TEST(long_jobs_leave_workers_to_short_ones)
{
    start(4, 100, 8);
    push("l1", "a", 1, 11);
    push("l2", "a", 1, 11);
    push("l3", "a", 1, 11);
    push("s", "a", 1, 1);
    struct tg_sched_item first = take("l1");
    take("l2");
    take("s");
    take_none();
    tg_sched_done(sched, &first, 11);
    take("l3");
}
END_TEST

START_TEST(a_token_that_comes_late_does_not_wait_for_the_backlog_of_another)
{
    char id[16];
    start(1, 100, 8);
    for (int i = 0; i < 5; i++) {
        snprintf(id, sizeof(id), "a%d", i);
        push(id, "a", 1, 1);
    }
    struct tg_sched_item item = take("a0");
    push("b0", "b", 1, 1);
    push("b1", "b", 1, 1);
    tg_sched_done(sched, &item, 1);
    unsigned of_b = 0; /* of the next four: they take turns */
    for (int i = 0; i < 4; i++) {
        ck_assert(tg_sched_take(sched, &item));
        of_b += item.id[0] == 'b';
        tg_sched_done(sched, &item, 1);
    }
    ck_assert_uint_eq(of_b, 2);
}
END_TEST

START_TEST(two_busy_tokens_get_the_same_time)
{
    char id[16];
    double served[2] = {0, 0}, now = 0, ends[3] = {0, 0, 0};
    struct tg_sched_item running[3];
    bool busy[3] = {false, false, false};
    start(3, 1000, 8);
    for (int i = 0; i < 2000; i++) {
        snprintf(id, sizeof(id), "a%d", i);
        push(id, "a", 1, 1);
        if (i < 400) {
            snprintf(id, sizeof(id), "b%d", i);
            push(id, "b", 1, 5);
        }
    }
    for (int step = 0; step < 900; step++) {
        for (int w = 0; w < 3; w++) {
            if (busy[w])
                continue;
            busy[w] = tg_sched_take(sched, &running[w]);
            ck_assert(busy[w]);
            ends[w] = now + running[w].seconds;
        }
        int first = ends[0] <= ends[1] && ends[0] <= ends[2] ? 0 : ends[1] <= ends[2] ? 1 : 2;
        now = ends[first];
        served[running[first].token[0] - 'a'] += running[first].seconds;
        tg_sched_done(sched, &running[first], running[first].seconds);
        busy[first] = false;
    }
    ck_assert_double_ge(served[0] + served[1], 1000);
    ck_assert_double_le(fabs(served[0] - served[1]), 3 * 5);
}
END_TEST

START_TEST(a_wrong_estimate_is_corrected_at_the_end)
{
    start(1, 100, 8);
    push("a1", "a", 1, 1);
    push("b1", "b", 1, 1);
    push("a2", "a", 1, 1);
    push("b2", "b", 1, 1);
    push("b3", "b", 1, 1);
    struct tg_sched_item item = take("a1");
    tg_sched_done(sched, &item, 2.5);
    item = take("b1");
    tg_sched_done(sched, &item, 1);
    item = take("b2");
    tg_sched_done(sched, &item, 1);
    item = take("b3"); /* 2 < 2.5 */
    tg_sched_done(sched, &item, 1);
    take("a2");
}
END_TEST

START_TEST(a_removed_job_is_not_taken)
{
    start(4, 100, 8);
    push("1", "a", 1, 1);
    push("2", "a", 1, 1);
    push("3", "a", 1, 1);
    ck_assert(tg_sched_remove(sched, "2"));
    ck_assert(!tg_sched_remove(sched, "2"));
    ck_assert(!tg_sched_remove(sched, "9"));
    take("1");
    take("3");
    take_none();
    ck_assert(!tg_sched_remove(sched, "1"));
}
END_TEST

START_TEST(expired_jobs_come_out_in_the_order_of_their_deadlines)
{
    struct tg_sched_item item;
    start(4, 100, 8);
    push_with("c", TG_PRIORITY_LOW, 30);
    push_with("a", TG_PRIORITY_HIGH, 10);
    push_with("never", TG_PRIORITY_HIGH, 0);
    push_with("b", TG_PRIORITY_NORMAL, 20);
    push_with("gone", TG_PRIORITY_NORMAL, 5);
    ck_assert(tg_sched_remove(sched, "gone"));
    ck_assert_double_eq(tg_sched_next_deadline(sched), 10);
    ck_assert(!tg_sched_take_expired(sched, 9, &item));
    ck_assert(tg_sched_take_expired(sched, 25, &item));
    ck_assert_str_eq(item.id, "a");
    ck_assert(tg_sched_take_expired(sched, 25, &item));
    ck_assert_str_eq(item.id, "b");
    ck_assert(!tg_sched_take_expired(sched, 25, &item));
    take("never");
    take("c");
    ck_assert_double_eq(tg_sched_next_deadline(sched), 0);
}
END_TEST

START_TEST(the_queue_has_a_limit_that_recovery_ignores)
{
    const struct tg_sched_options options = {
        .workers = 1, .memory_bytes = 10, .long_s = 1, .max_bypass = 1, .max_queued = 1};
    const struct tg_sched_item item = make("2", "a", 1, 1);
    sched = tg_sched_new(&options);
    push("1", "a", 1, 1);
    ck_assert(tg_sched_is_full(sched));
    ck_assert_int_eq(tg_sched_push(sched, &item, false), TG_QUEUE_FULL);
    ck_assert_int_eq(tg_sched_push(sched, &item, true), TG_OK);
}
END_TEST

/* Quadratic work would take minutes here. */
START_TEST(many_waiting_jobs_cost_no_more_each)
{
    char id[16];
    struct tg_sched_item item;
    start(2, 100, 8);
    push("running", "t0", 60, 1);
    struct tg_sched_item running = take("running");
    for (int i = 0; i < 50000; i++) {
        char token[16];
        snprintf(id, sizeof(id), "j%d", i);
        snprintf(token, sizeof(token), "t%d", i % 7);
        push(id, token, i < 40000 ? 50 : 1, i % 3 ? 1 : 20);
    }
    for (int i = 0; i < 40000; i++)
        (void)tg_sched_take(sched, &item);
    tg_sched_done(sched, &running, 1);
    for (int i = 0; i < 10000; i++) {
        snprintf(id, sizeof(id), "j%d", i * 5);
        tg_sched_remove(sched, id);
    }
}
END_TEST

/* Simulation ------------------------------------------------------------------------- */

enum { MAX_JOBS = 512, EVENTS = 500, MEMORY = 1000, BYPASS = 4 };
static const double long_s = 10;

enum where { WAITING, RUNNING, ENDED };

struct sim_job {
    struct tg_sched_item item;
    enum where where;
    double run_s, ends;
    unsigned overtaken;
};

struct sim {
    uint64_t seed, draws;
    unsigned workers, running, long_running;
    uint64_t reserved;
    double now;
    struct sim_job job[MAX_JOBS];
    int n;
};

static double draw(struct sim *sim)
{
    double x;
    tg_rng_uniform(sim->seed, 0, sim->draws++, 1, &x);
    return x;
}

static bool is_long(const struct sim_job *job)
{
    return job->item.seconds > long_s;
}

static bool is_open(const struct sim *sim, const struct sim_job *job)
{
    return !is_long(job) || sim->long_running < (sim->workers + 1) / 2;
}

static bool fits(const struct sim *sim, const struct sim_job *job)
{
    return job->item.bytes <= MEMORY - sim->reserved;
}

static struct sim_job *job_of(struct sim *sim, const struct tg_sched_item *item)
{
    int i;
    MUST(sscanf(item->id, "j%d", &i) == 1);
    return &sim->job[i];
}

static void arrive(struct sim *sim)
{
    struct sim_job *job = &sim->job[sim->n];
    char id[16], token[16];
    snprintf(id, sizeof(id), "j%d", sim->n);
    snprintf(token, sizeof(token), "t%d", (int)(3 * draw(sim)));
    double size = draw(sim), length = -log(draw(sim));
    job->item = make(id, token, (uint64_t)(1 + (MEMORY - 1) * size * size * size), 5 * length);
    job->item.priority = (enum tg_priority)(int)(TG_PRIORITY_COUNT * draw(sim));
    if (draw(sim) < 0.1)
        job->item.deadline = sim->now + 100 * draw(sim);
    job->run_s = job->item.seconds * (0.5 + draw(sim));
    MUST(tg_sched_push(sched, &job->item, false) == TG_OK);
    sim->n++;
}

static void cancel(struct sim *sim)
{
    if (!sim->n)
        return;
    struct sim_job *job = &sim->job[(int)(sim->n * draw(sim))];
    MUST(tg_sched_remove(sched, job->item.id) == (job->where == WAITING));
    if (job->where == WAITING)
        job->where = ENDED;
}

static void finish(struct sim *sim)
{
    struct sim_job *first = NULL;
    for (int i = 0; i < sim->n; i++)
        if (sim->job[i].where == RUNNING && (!first || sim->job[i].ends < first->ends))
            first = &sim->job[i];
    if (!first)
        return;
    sim->now = fmax(sim->now, first->ends);
    tg_sched_done(sched, &first->item, first->run_s);
    first->where = ENDED;
    sim->running--;
    sim->long_running -= is_long(first);
    sim->reserved -= first->item.bytes;
}

static void expire(struct sim *sim)
{
    struct tg_sched_item item;
    while (tg_sched_take_expired(sched, sim->now, &item)) {
        struct sim_job *job = job_of(sim, &item);
        MUST(job->where == WAITING);
        MUST(item.deadline <= sim->now);
        job->where = ENDED;
    }
    for (int i = 0; i < sim->n; i++)
        MUST(sim->job[i].where != WAITING || sim->job[i].item.deadline <= 0 ||
                  sim->job[i].item.deadline > sim->now);
}

/* `taken` goes before older jobs of its class or a higher one that memory alone holds up. */
static void count_overtaken(struct sim *sim, const struct sim_job *taken)
{
    for (struct sim_job *job = sim->job; job < taken; job++)
        if (job->where == WAITING && job->item.priority <= taken->item.priority &&
            is_open(sim, job) && !fits(sim, job))
            MUST(++job->overtaken <= BYPASS);
}

/* Nothing was taken: then nothing may start, unless one that was overtaken too often waits. */
static void check_nothing_may_start(const struct sim *sim)
{
    int held = TG_PRIORITY_COUNT;
    for (int i = 0; i < sim->n; i++) {
        const struct sim_job *job = &sim->job[i];
        if (job->where == WAITING && job->overtaken >= BYPASS && is_open(sim, job) &&
            (int)job->item.priority < held)
            held = (int)job->item.priority;
    }
    for (int i = 0; i < sim->n; i++) {
        const struct sim_job *job = &sim->job[i];
        if (job->where == WAITING && (int)job->item.priority < held)
            MUST(!is_open(sim, job) || !fits(sim, job));
    }
}

static void check_class(const struct sim *sim, const struct sim_job *taken)
{
    for (int i = 0; i < sim->n; i++) {
        const struct sim_job *job = &sim->job[i];
        if (job->where == WAITING && job->item.priority < taken->item.priority)
            MUST(!is_open(sim, job) || !fits(sim, job));
    }
}

static void take_all(struct sim *sim)
{
    struct tg_sched_item item;
    while (sim->running < sim->workers) {
        if (!tg_sched_take(sched, &item)) {
            check_nothing_may_start(sim);
            return;
        }
        struct sim_job *job = job_of(sim, &item);
        MUST(job->where == WAITING);
        check_class(sim, job);
        count_overtaken(sim, job);
        job->where = RUNNING;
        job->ends = sim->now + job->run_s;
        sim->running++;
        sim->long_running += is_long(job);
        sim->reserved += job->item.bytes;
    }
}

static void check_books(const struct sim *sim)
{
    struct tg_sched_stats stats;
    size_t waiting = 0;
    for (int i = 0; i < sim->n; i++)
        waiting += sim->job[i].where == WAITING;
    tg_sched_stats(sched, &stats);
    MUST(stats.queued == waiting);
    MUST(stats.running == sim->running);
    MUST(stats.reserved_bytes == sim->reserved);
    MUST(sim->reserved <= MEMORY);
    MUST(sim->long_running <= (sim->workers + 1) / 2);
}

START_TEST(promises_hold_in_simulation)
{
    static struct sim sim;
    sim = (struct sim){.seed = (uint64_t)_i};
    sim.workers = 1 + (unsigned)(4 * draw(&sim));
    start(sim.workers, MEMORY, BYPASS);
    for (int event = 0; event < EVENTS; event++) {
        double what = draw(&sim);
        if (what < 0.5)
            arrive(&sim);
        else if (what < 0.55)
            cancel(&sim);
        else
            finish(&sim);
        expire(&sim);
        take_all(&sim);
        check_books(&sim);
    }
    for (int i = 0; i < MAX_JOBS; i++) {
        finish(&sim);
        expire(&sim);
        take_all(&sim);
        check_books(&sim);
    }
    for (int i = 0; i < sim.n; i++)
        MUST(sim.job[i].where == ENDED);
}
END_TEST

Suite *scheduler_suite(void)
{
    Suite *suite = suite_create("scheduler");
    TCase *order = tcase_create("order");
    tcase_add_checked_fixture(order, NULL, teardown);
    tcase_add_test(order, one_token_is_first_come_first_served);
    tcase_add_test(order, higher_classes_go_first);
    tcase_add_test(order, what_does_not_fit_is_passed_over_but_not_for_ever);
    tcase_add_test(order, what_can_never_fit_is_refused);
    tcase_add_test(order, long_jobs_leave_workers_to_short_ones);
    tcase_add_test(order, a_token_that_comes_late_does_not_wait_for_the_backlog_of_another);
    tcase_add_test(order, two_busy_tokens_get_the_same_time);
    tcase_add_test(order, a_wrong_estimate_is_corrected_at_the_end);
    tcase_add_test(order, a_removed_job_is_not_taken);
    tcase_add_test(order, expired_jobs_come_out_in_the_order_of_their_deadlines);
    tcase_add_test(order, the_queue_has_a_limit_that_recovery_ignores);
    tcase_add_test(order, many_waiting_jobs_cost_no_more_each);
    suite_add_tcase(suite, order);
    TCase *simulation = tcase_create("simulation");
    tcase_add_checked_fixture(simulation, NULL, teardown);
    tcase_add_loop_test(simulation, promises_hold_in_simulation, 0, 200);
    suite_add_tcase(suite, simulation);
    return suite;
}
