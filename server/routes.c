/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Routes: the table, and the search in it. */
#include "server/routes.h"

#include <stdio.h>
#include <string.h>

#include "server/handle.h"

static const struct tg_query submit_query[] = {
    {"dry_run", "boolean", "check and price the job, keep nothing"},
    {0},
};
static const struct tg_query wait_query[] = {
    {"wait", "number", "seconds to hold the answer until the job ends, at most 300"},
    {0},
};
static const struct tg_query list_query[] = {
    {"kind", "string", "only jobs of this kind"},
    {"state", "string", "only jobs in these states, separated by commas"},
    {"name", "string", "only jobs whose name contains this"},
    {"since", "string", "created at or after: RFC 3339 or Unix seconds"},
    {"until", "string", "created before: RFC 3339 or Unix seconds"},
    {"limit", "integer", "most jobs of a page, 50 if not given, at most 1000"},
    {"before", "string", "the page after this job, from `next`"},
    {"view", "string", "`rows`: a flat array for dashboards"},
    {0},
};
static const struct tg_query format_query[] = {
    {"format", "string", "json, text, csv, npz, npy or vega-lite; wins over Accept"},
    {0},
};
static const struct tg_query events_query[] = {
    {"since", "integer", "replay what came after this event number"},
    {0},
};
static const struct tg_query data_query[] = {
    {"limit", "integer", "most files of a page, 100 if not given, at most 1000"},
    {"after", "string", "the page after this digest, from `next`"},
    {0},
};

#define VEGA_LITE "application/vnd.vegalite.v5+json"
#define NPZ       "application/x-npz"
#define NPY       "application/x-npy"
#define JSON_BODY SIZE_MAX
#define UPLOAD    .begin = tg_begin_data, .piece = tg_piece_data, .abort = tg_abort_data

const struct tg_route tg_routes[] = {
    {"POST", "/v1/jobs", TG_SCOPE_SUBMIT, JSON_BODY, tg_handle_submit, "Submit a job",
     .query = submit_query, .answers = "200:Job|DryRun 202:Job"},
    {"GET", "/v1/jobs", TG_SCOPE_READ, 0, tg_handle_list, "List jobs, newest first",
     .query = list_query, .answers = "200:JobList|JobRows"},
    {"GET", "/v1/jobs/{id}", TG_SCOPE_READ, 0, tg_handle_job,
     "State and progress of a job", .query = wait_query, .answers = "200:Job 304:"},
    {"DELETE", "/v1/jobs/{id}", TG_SCOPE_SUBMIT, 0, tg_handle_cancel, "Cancel a job",
     .answers = "200:Job 202:Job"},
    {"POST", "/v1/jobs/{id}/retry", TG_SCOPE_SUBMIT, 4096, tg_handle_retry,
     "Run a failed, cancelled or expired job again, as a new job", .answers = "202:Job"},
    {"GET", "/v1/jobs/{id}/result", TG_SCOPE_READ, 0, tg_handle_result,
     "The result of a job", .query = format_query, .answers = "200:Result 206: 304:",
     .media = "text/plain text/csv " NPZ " " NPY " " VEGA_LITE},
    {"GET", "/v1/jobs/{id}/result/arrays/{name}", TG_SCOPE_READ, 0,
     tg_handle_result_array, "One array of a result", .query = format_query,
     .answers = "200:Array 206: 304:", .media = NPY " text/csv text/plain"},
    {"GET", "/v1/jobs/{id}/result/figures/{name}", TG_SCOPE_READ, 0,
     tg_handle_result_figure, "One figure of a result, a Vega-Lite specification",
     .query = format_query, .answers = "200:Figure 304:", .media = VEGA_LITE},
    {"GET", "/v1/jobs/{id}/events", TG_SCOPE_READ, 0, tg_handle_job_events,
     "The events of a job as server-sent events", .query = events_query,
     .answers = "200: 204:", .media = "text/event-stream"},
    {"GET", "/v1/events", TG_SCOPE_READ, 0, tg_handle_events,
     "The events of all jobs as server-sent events", .query = events_query,
     .answers = "200:", .media = "text/event-stream"},
    {"PUT", "/v1/data/{sha256}", TG_SCOPE_SUBMIT, 0, tg_handle_data_end,
     "Store a file of arrays under its digest; Content-Range resumes", UPLOAD,
     .answers = "200:Data 201:Data 202:Upload"},
    {"GET", "/v1/data/{sha256}", TG_SCOPE_READ, 0, tg_handle_data_get,
     "A stored file; one byte range may be asked for", .answers = "200: 206: 304:",
     .media = NPY " " NPZ " application/vnd.safetensors text/csv"},
    {"DELETE", "/v1/data/{sha256}", TG_SCOPE_SUBMIT, 0, tg_handle_data_delete,
     "Remove a stored file that no job uses", .answers = "204:"},
    {"POST", "/v1/data", TG_SCOPE_SUBMIT, 0, tg_handle_data_end,
     "Store a file of arrays, or register one that stays where it is; the digest is "
     "computed",
     UPLOAD, .order = "DataPath", .answers = "200:Data 201:Data"},
    {"GET", "/v1/data", TG_SCOPE_READ, 0, tg_handle_data_list, "List stored files",
     .query = data_query, .answers = "200:DataList"},
    {"GET", "/v1/kinds", TG_SCOPE_NONE, 0, tg_handle_kinds, "The kinds of jobs",
     .answers = "200:KindList"},
    {"GET", "/v1/kinds/{kind}", TG_SCOPE_NONE, 0, tg_handle_kind,
     "One kind: parameters, inputs, outputs, an example", .answers = "200:Kind"},
    {"GET", "/v1/status", TG_SCOPE_READ, 0, tg_handle_status,
     "Version, workers, memory, queue and store", .answers = "200:Status"},
    {"GET", "/v1/problems/{slug}", TG_SCOPE_NONE, 0, tg_handle_problem,
     "What an error means", .answers = "200:ProblemType", .media = "text/html"},
    {"GET", "/openapi.json", TG_SCOPE_NONE, 0, tg_handle_openapi, "This description",
     .answers = "200:OpenAPI"},
    {"GET", "/livez", TG_SCOPE_NONE, 0, tg_handle_livez, "The process answers",
     .answers = "200:", .media = "text/plain"},
    {"GET", "/readyz", TG_SCOPE_NONE, 0, tg_handle_readyz, "New jobs would be taken",
     .answers = "200:Ready"},
    {"GET", "/metrics", TG_SCOPE_READ, 0, tg_handle_metrics,
     "Metrics as Prometheus or OpenMetrics text",
     .answers = "200:", .media = "text/plain application/openmetrics-text"},
    {"GET", "/", TG_SCOPE_NONE, 0, tg_handle_page, "The page",
     .answers = "200:", .media = "text/html"},
    {"GET", "/page/{file}", TG_SCOPE_NONE, 0, tg_handle_page, "Parts of the page",
     .answers = "200:", .media = "text/javascript text/css"},
};
const size_t tg_nroutes = sizeof(tg_routes) / sizeof(tg_routes[0]);

/* Match a path with a template; copies the {..} parts behind one another into storage. */
static bool matches(const char *template, const char *path, const char *arg[4],
                    char *storage, size_t size)
{
    size_t nargs = 0;
    while (*template && *path) {
        if (*template != '{') {
            if (*template ++ != *path++)
                return false;
            continue;
        }
        size_t n = strcspn(path, "/");
        if (!n || n >= size || nargs == 4)
            return false;
        memcpy(storage, path, n);
        storage[n] = '\0';
        arg[nargs++] = storage;
        storage += n + 1;
        size -= n + 1;
        path += n;
        template += strcspn(template, "}") + 1;
    }
    return !*template && !*path;
}

static void allow_add(char allow[64], const char *method)
{
    size_t n = strlen(allow);
    if (n)
        n += (size_t)snprintf(allow + n, 64 - n, ", ");
    snprintf(allow + n, 64 - n, "%s", method);
}

enum tg_err tg_route_find(const char *method, const char *path,
                          const struct tg_route **route, const char *arg[4],
                          char *storage, size_t size, char allow[64])
{
    const char *wanted = !strcmp(method, "HEAD") ? "GET" : method;
    allow[0] = '\0';
    for (size_t i = 0; i < tg_nroutes; i++) {
        const struct tg_route *candidate = &tg_routes[i];
        if (!matches(candidate->path, path, arg, storage, size))
            continue;
        if (!strcmp(candidate->method, wanted)) {
            *route = candidate;
            return TG_OK;
        }
        allow_add(allow, candidate->method);
        if (!strcmp(candidate->method, "GET"))
            allow_add(allow, "HEAD");
    }
    if (!*allow)
        return TG_NOT_FOUND;
    allow_add(allow, "OPTIONS");
    return TG_METHOD;
}
