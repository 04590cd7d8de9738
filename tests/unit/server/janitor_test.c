/* SPDX-License-Identifier: GPL-3.0-or-later */
/* server/janitor.c: who is slow is dropped, who waits for the daemon is not. */
#include "../suite.h"

#include <errno.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "server/janitor.h"

Suite *janitor_suite(void);

static const struct tg_janitor_limits limits = {
    .headers_s = 0.2, .idle_s = 0.6, .min_body_rate = 1000};
static struct tg_janitor *janitor;
static struct tg_peer *peer;
static int fd[2];

static void setup(void)
{
    janitor = tg_janitor_new(&limits);
    ck_assert_ptr_nonnull(janitor);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
    peer = tg_peer_add(janitor, fd[0]);
    ck_assert_ptr_nonnull(peer);
}

static void teardown(void)
{
    tg_peer_remove(peer);
    tg_janitor_free(janitor);
    close(fd[0]);
    close(fd[1]);
}

static void wait_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* The other end of a socket that was shut down reads its end. */
static bool is_dropped(void)
{
    char byte;
    return recv(fd[1], &byte, 1, MSG_DONTWAIT) == 0;
}

/* Sends `n` bytes of body every 50 ms, `times` times. */
static void trickle(size_t n, int times)
{
    for (int i = 0; i < times; i++) {
        tg_peer_enter(peer, TG_PEER_BODY);
        wait_ms(50);
        tg_peer_received(peer, n);
    }
}

START_TEST(silence_before_the_headers_end_is_cut)
{
    ck_assert(!is_dropped());
    wait_ms(450);
    ck_assert(is_dropped());
}
END_TEST

START_TEST(a_handler_may_take_its_time)
{
    tg_peer_enter(peer, TG_PEER_BUSY);
    wait_ms(900);
    ck_assert(!is_dropped());
}
END_TEST

START_TEST(between_requests_a_connection_may_rest_longer)
{
    tg_peer_enter(peer, TG_PEER_IDLE);
    wait_ms(400);
    ck_assert(!is_dropped());
    wait_ms(500);
    ck_assert(is_dropped());
}
END_TEST

START_TEST(a_body_that_trickles_is_cut)
{
    trickle(1, 10); /* 20 bytes a second */
    tg_peer_enter(peer, TG_PEER_BODY);
    wait_ms(100);
    ck_assert(is_dropped());
}
END_TEST

START_TEST(a_body_that_flows_may_last)
{
    trickle(1000, 10); /* up to 20000 bytes a second */
    ck_assert(!is_dropped());
}
END_TEST

START_TEST(silence_within_a_body_is_cut)
{
    trickle(1 << 20, 1);
    tg_peer_enter(peer, TG_PEER_BODY);
    wait_ms(450);
    ck_assert(is_dropped());
}
END_TEST

START_TEST(a_new_request_begins_with_a_clean_sheet)
{
    trickle(1, 3);
    tg_peer_enter(peer, TG_PEER_HEADERS);
    trickle(100, 3);
    ck_assert(!is_dropped());
}
END_TEST

Suite *janitor_suite(void)
{
    Suite *suite = suite_create("janitor");
    TCase *tc = tcase_create("stages");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, silence_before_the_headers_end_is_cut);
    tcase_add_test(tc, a_handler_may_take_its_time);
    tcase_add_test(tc, between_requests_a_connection_may_rest_longer);
    tcase_add_test(tc, a_body_that_trickles_is_cut);
    tcase_add_test(tc, a_body_that_flows_may_last);
    tcase_add_test(tc, silence_within_a_body_is_cut);
    tcase_add_test(tc, a_new_request_begins_with_a_clean_sheet);
    suite_add_tcase(suite, tc);
    return suite;
}
