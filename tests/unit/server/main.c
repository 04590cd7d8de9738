/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Unit tests of server/. */
#include "../suite.h"

Suite *accept_suite(void);
Suite *auth_suite(void);
Suite *behind_suite(void);
Suite *config_suite(void);
Suite *damage_suite(void);
Suite *data_suite(void);
Suite *derived_suite(void);
Suite *events_suite(void);
Suite *guard_suite(void);
Suite *http_suite(void);
Suite *janitor_suite(void);
Suite *jobs_suite(void);
Suite *machine_suite(void);
Suite *metrics_suite(void);
Suite *partials_suite(void);
Suite *pool_suite(void);
Suite *privilege_suite(void);
Suite *registered_suite(void);
Suite *routes_suite(void);
Suite *scheduler_suite(void);
Suite *store_suite(void);

int main(void)
{
    Suite *(*const suites[])(void) = {
        behind_suite, damage_suite, data_suite, derived_suite, events_suite, guard_suite,
        registered_suite, store_suite,
        accept_suite, auth_suite, http_suite, metrics_suite, routes_suite, scheduler_suite,
        config_suite, janitor_suite, machine_suite, privilege_suite,
        jobs_suite, partials_suite, pool_suite,
        NULL,
    };
    return tg_run_suites(suites);
}
