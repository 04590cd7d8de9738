/* SPDX-License-Identifier: GPL-3.0-or-later */
/* server/machine.c: never more than the kernel gives this process. */
#include "../suite.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server/machine.h"

Suite *machine_suite(void);

START_TEST(there_is_a_core_and_no_more_than_the_process_may_use)
{
    cpu_set_t all, one;
    int cpu = 0;
    ck_assert_int_eq(sched_getaffinity(0, sizeof all, &all), 0);
    ck_assert_uint_ge(tg_machine_cores(), 1);
    ck_assert_uint_le(tg_machine_cores(), (unsigned)CPU_COUNT(&all));
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
    ck_assert_uint_eq(tg_machine_cores(), 1);
    ck_assert_int_eq(sched_setaffinity(0, sizeof all, &all), 0);
}
END_TEST

START_TEST(memory_is_at_most_what_is_installed)
{
    uint64_t installed =
        (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    ck_assert_uint_le(tg_machine_memory(), installed);
    ck_assert_uint_gt(tg_machine_memory(), 0);
}
END_TEST

/* Sanitizers need more addresses than any such limit leaves. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
START_TEST(a_limit_on_the_address_space_is_a_limit_on_memory)
{
    struct rlimit before, limit;
    ck_assert_int_eq(getrlimit(RLIMIT_AS, &before), 0);
    limit = before;
    limit.rlim_cur = 64 << 20;
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
    uint64_t bytes = tg_machine_memory();
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &before), 0);
    ck_assert_uint_le(bytes, 64 << 20);
}
END_TEST
#endif

Suite *machine_suite(void)
{
    Suite *suite = suite_create("machine");
    TCase *tc = tcase_create("limits");
    tcase_add_test(tc, there_is_a_core_and_no_more_than_the_process_may_use);
    tcase_add_test(tc, memory_is_at_most_what_is_installed);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    tcase_add_test(tc, a_limit_on_the_address_space_is_a_limit_on_memory);
#endif
    suite_add_tcase(suite, tc);
    return suite;
}
