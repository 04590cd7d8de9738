/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Routes: the table of everything the daemon answers, and the server its handlers see. */
#ifndef TG_SERVER_ROUTES_H
#define TG_SERVER_ROUTES_H

#include <jansson.h>
#include <stdatomic.h>

#include "server/auth.h"
#include "server/config.h"
#include "server/events.h"
#include "server/http.h"
#include "server/jobs.h"
#include "server/pool.h"
#include "server/store.h"

struct tg_server {
    const struct tg_config *config;
    struct tg_store *store;
    struct tg_pool *pool;
    struct tg_hub *hub;
    struct tg_partials *partials;
    struct tg_auth *auth;
    struct tg_jobs jobs;
    double started;        /* Unix seconds */
    atomic_bool draining;
};

extern const struct tg_route tg_routes[];
extern const size_t tg_nroutes;

/* The route of a method and path, its {..} parts copied to `arg` (from `storage`).
 * TG_NOT_FOUND, or TG_METHOD with the allowed methods in `allow`. HEAD matches GET. */
TG_MUST_CHECK enum tg_err tg_route_find(const char *method, const char *path,
                                        const struct tg_route **route, const char *arg[4],
                                        char *storage, size_t size, char allow[64]);

/* OpenAPI 3.1 of the table and the kinds. New reference. */
json_t *tg_openapi(void);

#endif
