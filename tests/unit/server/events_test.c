/* SPDX-License-Identifier: GPL-3.0-or-later */
/* server/events.c: who waits wakes at a change, at the timeout and at the end. */
#include "../suite.h"

#include <pthread.h>
#include <time.h>

#include "server/events.h"

Suite *events_suite(void);

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

START_TEST(bump_raises_the_version)
{
    struct tg_hub *hub = tg_hub_new();
    uint64_t before = tg_hub_version(hub);
    tg_hub_bump(hub);
    ck_assert_uint_gt(tg_hub_version(hub), before);
    tg_hub_free(hub);
}
END_TEST

START_TEST(wait_returns_at_once_when_something_changed)
{
    struct tg_hub *hub = tg_hub_new();
    uint64_t seen = tg_hub_version(hub);
    tg_hub_bump(hub);
    double t0 = seconds();
    ck_assert(tg_hub_wait(hub, seen, 60));
    ck_assert_double_lt(seconds() - t0, 10);
    tg_hub_free(hub);
}
END_TEST

START_TEST(wait_ends_at_the_timeout)
{
    struct tg_hub *hub = tg_hub_new();
    double t0 = seconds();
    ck_assert(tg_hub_wait(hub, tg_hub_version(hub), 0.05));
    ck_assert_double_ge(seconds() - t0, 0.05);
    ck_assert(tg_hub_wait(hub, tg_hub_version(hub), -1));
    tg_hub_free(hub);
}
END_TEST

struct waiter {
    struct tg_hub *hub;
    uint64_t seen;
    bool open;
};

static void *wait_long(void *arg)
{
    struct waiter *waiter = arg;
    waiter->open = tg_hub_wait(waiter->hub, waiter->seen, 1e300);
    return NULL;
}

enum { WAITERS = 8 };

static void wake_all(void (*act)(struct tg_hub *hub), bool expect_open)
{
    struct tg_hub *hub = tg_hub_new();
    struct waiter waiter[WAITERS];
    pthread_t thread[WAITERS];
    for (int i = 0; i < WAITERS; i++) {
        waiter[i] = (struct waiter){hub, tg_hub_version(hub), !expect_open};
        pthread_create(&thread[i], NULL, wait_long, &waiter[i]);
    }
    sleep_ms(20);
    act(hub);
    for (int i = 0; i < WAITERS; i++) {
        pthread_join(thread[i], NULL);
        ck_assert_int_eq(waiter[i].open, expect_open);
    }
    tg_hub_free(hub);
}

START_TEST(bump_wakes_every_waiter)
{
    wake_all(tg_hub_bump, true);
}
END_TEST

START_TEST(close_wakes_every_waiter_and_says_so)
{
    wake_all(tg_hub_close, false);
}
END_TEST

START_TEST(a_closed_hub_never_waits)
{
    struct tg_hub *hub = tg_hub_new();
    tg_hub_close(hub);
    ck_assert(!tg_hub_wait(hub, tg_hub_version(hub), 60));
    tg_hub_free(hub);
}
END_TEST

Suite *events_suite(void)
{
    Suite *suite = suite_create("events");
    TCase *tc = tcase_create("hub");
    tcase_add_test(tc, bump_raises_the_version);
    tcase_add_test(tc, wait_returns_at_once_when_something_changed);
    tcase_add_test(tc, wait_ends_at_the_timeout);
    tcase_add_test(tc, bump_wakes_every_waiter);
    tcase_add_test(tc, close_wakes_every_waiter_and_says_so);
    tcase_add_test(tc, a_closed_hub_never_waits);
    suite_add_tcase(suite, tc);
    return suite;
}
