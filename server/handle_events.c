/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Handlers of events: server-sent events from the durable log.
 *
 * DESIGN. The id of a frame is the event's number in the store, so a client that comes
 * back with Last-Event-ID misses nothing, across restarts of the daemon too. Progress and
 * partial outputs are not durable: their frames have no id. A new stream gets the newest of
 * them from each job that runs, and the last partial outputs of a job come before its
 * end. Each stream is a thread that sleeps on the hub; how often a woken one looks into the
 * store is limited by how many streams there are.
 */
#include "server/handle.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/jsonwrite.h"
#include "server/clock.h"
#include "server/machine.h"
#include "server/metrics.h"
#include "server/routes.h"

/* From OUT_ENOUGH bytes on, what there is to say waits until they are sent. */
enum { EVENTS_AT_ONCE = 256, RUNNING_MAX = 16, OUT_ENOUGH = 1 << 18, OUT_MAX = 8 << 20 };
static const double beat_s = 15, progress_s = 0.25;
/*
 * Longest sleep, for a client that left is noticed then; rest after a wake, per stream.
 */
static const double sleep_s = 5, rest_s = 0.0002;

struct running {
    char id[TG_ID_SIZE];
    double done, total;    /* as told last; the total changes with the phase */
    uint64_t seen_partial; /* as tg_partials_write counts them */
};

struct stream {
    struct tg_server *server;
    char job[TG_ID_SIZE];                /* "": all jobs */
    uint64_t since; /* the last event sent */
    /* Versions of the hub; 0: not looked yet. */
    uint64_t seen_events, seen_progress, seen_partials;
    double next_beat, next_progress, next_partials;
    bool ended;
    struct running running[RUNNING_MAX]; /* jobs whose progress is told */
    size_t nrunning;
    struct tg_buf out;
    size_t given; /* of out */
};

/* Which jobs run ------------------------------------------------------------------- */

static void add_running(struct stream *stream, const char *id)
{
    if (stream->nrunning == RUNNING_MAX)
        return;
    struct running *running = &stream->running[stream->nrunning++];
    *running = (struct running){.done = -1};
    memcpy(running->id, id, TG_ID_SIZE);
}

static struct running *find_running(struct stream *stream, const char *id)
{
    for (size_t i = 0; i < stream->nrunning; i++)
        if (!strcmp(stream->running[i].id, id))
            return &stream->running[i];
    return NULL;
}

static bool is_terminal_type(const char *type)
{
    for (int i = 0; i < TG_STATE_COUNT; i++)
        if (!strcmp(type, tg_state_names[i]))
            return tg_state_is_terminal((enum tg_state)i);
    return true; /* "removed" */
}

static enum tg_err list_running(struct stream *stream)
{
    const struct tg_job_filter filter = {.states = 1u << TG_RUNNING,
                                         .limit = RUNNING_MAX};
    struct tg_job_row *rows;
    size_t n;
    TG_TRY(tg_store_list(stream->server->store, &filter, &rows, &n));
    for (size_t i = 0; i < n; i++) {
        if (!*stream->job || !strcmp(stream->job, rows[i].id))
            add_running(stream, rows[i].id);
        tg_job_row_release(&rows[i]);
    }
    free(rows);
    return TG_OK;
}

/* Frames --------------------------------------------------------------------------- */

/* What the job has shown since the stream looked last; false when something is left. */
static bool write_partials_of(struct stream *stream, struct running *running, size_t enough)
{
    while (tg_partials_write(stream->server->partials, running->id, &running->seen_partial,
                             &stream->out))
        if (stream->out.n >= enough)
            return false;
    return true;
}

static void write_event(struct stream *stream, const struct tg_event *event)
{
    bool terminal = is_terminal_type(event->type);
    struct running *running = find_running(stream, event->job);
    if (running)
        write_partials_of(stream, running, SIZE_MAX);
    tg_buf_printf(&stream->out, "id: %llu\nevent: %s\ndata: %s\n\n",
                  (unsigned long long)event->seq, event->type, event->data);
    stream->since = event->seq;
    if (running)
        *running = stream->running[--stream->nrunning];
    if (!strcmp(event->type, tg_state_names[TG_RUNNING]))
        add_running(stream, event->job);
    if (*stream->job && terminal)
        stream->ended = true;
}

static enum tg_err write_events(struct stream *stream)
{
    struct tg_event *events;
    uint64_t oldest;
    size_t n;
    TG_TRY(tg_store_events(stream->server->store, *stream->job ? stream->job : NULL,
                           stream->since, EVENTS_AT_ONCE, &events, &n, &oldest));
    if (!*stream->job && stream->since && stream->since + 1 < oldest)
        tg_buf_printf(&stream->out, "event: resync\ndata: {\"oldest\":%llu}\n\n",
                      (unsigned long long)oldest);
    bool more = n == EVENTS_AT_ONCE;
    for (size_t i = 0; i < n; i++) {
        if (stream->out.n >= OUT_ENOUGH)
            more = true;
        else if (!stream->ended)
            write_event(stream, &events[i]);
        tg_event_release(&events[i]);
    }
    free(events);
    if (more)
        stream->seen_events = 0;
    return TG_OK;
}

static void write_progress(struct stream *stream)
{
    for (size_t i = 0; i < stream->nrunning; i++) {
        struct running *running = &stream->running[i];
        struct tg_progress progress;
        if (!tg_pool_progress(stream->server->pool, running->id, &progress) ||
            (progress.done == running->done && progress.total == running->total))
            continue;
        running->done = progress.done;
        running->total = progress.total;
        json_t *frame =
            json_pack("{s:s, s:s, s:{s:f, s:f, s:f, s:s, s:s, s:o}}", "id", running->id,
                      "state", tg_state_names[TG_RUNNING], "progress", "fraction",
                      progress.fraction, "done", progress.done, "total", progress.total,
                      "unit", progress.unit, "phase", progress.phase, "eta_s",
                      progress.eta_s < 0 ? json_null() : json_real(progress.eta_s));
        if (!frame)
            continue;
        tg_buf_puts(&stream->out, "event: progress\ndata: ");
        tg_json_write(frame, &stream->out);
        tg_buf_puts(&stream->out, "\n\n");
        json_decref(frame);
    }
}

static void write_partials(struct stream *stream)
{
    for (size_t i = 0; i < stream->nrunning; i++) {
        if (write_partials_of(stream, &stream->running[i], OUT_ENOUGH))
            continue;
        stream->seen_partials = 0;
        stream->next_partials = 0;
        return;
    }
}

/* The stream ----------------------------------------------------------------------- */

/* Fill `out` with what there is to say now; empty when there is nothing. */
static enum tg_err look(struct stream *stream, uint64_t version)
{
    double now = tg_clock_monotonic();
    if (version != stream->seen_events) {
        stream->seen_events = version;
        TG_TRY(write_events(stream));
    }
    if (version != stream->seen_progress && now >= stream->next_progress) {
        stream->seen_progress = version;
        stream->next_progress = now + progress_s;
        if (!stream->ended)
            write_progress(stream);
    }
    if (version != stream->seen_partials && now >= stream->next_partials &&
        stream->out.n < OUT_ENOUGH) {
        stream->seen_partials = version;
        stream->next_partials = now + TG_PARTIAL_EVERY_S;
        if (!stream->ended)
            write_partials(stream);
    }
    if (!stream->out.n && now >= stream->next_beat)
        tg_buf_puts(&stream->out, ": hb\n\n");
    if (stream->out.n)
        stream->next_beat = now + beat_s;
    return tg_buf_failed(&stream->out) ? TG_NOMEM : TG_OK;
}

static bool sleep_until_change(struct stream *stream, uint64_t version)
{
    double now = tg_clock_monotonic();
    double timeout = fmin(sleep_s, stream->next_beat - now);
    if (version != stream->seen_progress)
        timeout = fmin(timeout, stream->next_progress - now);
    if (version != stream->seen_partials)
        timeout = fmin(timeout, stream->next_partials - now);
    if (!tg_hub_wait(stream->server->hub, version, timeout))
        return false;
    double rest = fmin(0.2, rest_s * (double)atomic_load(&tg_metrics()->sse_streams));
    const struct timespec time = tg_clock_timespec(rest);
    nanosleep(&time, NULL);
    return !atomic_load(&stream->server->draining);
}

static ssize_t give(struct stream *stream, char *p, size_t max)
{
    size_t n = stream->out.n - stream->given;
    if (n > max)
        n = max;
    memcpy(p, stream->out.p + stream->given, n);
    stream->given += n;
    if (stream->given == stream->out.n) {
        tg_buf_release(&stream->out);
        stream->given = 0;
    }
    return (ssize_t)n;
}

static ssize_t stream_read(void *state, char *p, size_t max)
{
    struct stream *stream = state;
    if (stream->out.n)
        return give(stream, p, max);
    if (stream->ended)
        return -1;
    uint64_t version = tg_hub_version(stream->server->hub) + 1; /* never 0 */
    if (look(stream, version))
        return -1;
    if (stream->out.n)
        return give(stream, p, max);
    return sleep_until_change(stream, version) ? 0 : -1;
}

static void stream_free(void *state)
{
    struct stream *stream = state;
    TG_COUNT_N(sse_streams, -1);
    tg_buf_release(&stream->out);
    free(stream);
}

/* The number of the newest event. The store tells what lies after a number, so it is
 * found by doubling and halving. */
static enum tg_err newest_event(struct tg_store *store, uint64_t *newest)
{
    uint64_t lo = 0, hi = 0, oldest = 1, step = 1;
    for (bool doubling = true; doubling || lo < hi;) {
        struct tg_event *events;
        size_t n;
        uint64_t at = doubling ? lo + step - 1 : lo + (hi - lo) / 2;
        TG_TRY(tg_store_events(store, NULL, at, 1, &events, &n, &oldest));
        if (n) {
            lo = events->seq;
            step *= 2;
            tg_event_release(events);
        } else {
            hi = at;
            doubling = false;
        }
        free(events);
    }
    *newest = lo ? lo : oldest - 1;
    return TG_OK;
}

static enum tg_err start_stream(struct tg_request *request, struct tg_response *response,
                                const char *job, uint64_t since)
{
    struct stream *stream = calloc(1, sizeof(*stream));
    if (!stream)
        return TG_NOMEM;
    stream->server = request->server;
    stream->since = since;
    snprintf(stream->job, sizeof(stream->job), "%s", job ? job : "");
    tg_buf_init(&stream->out, OUT_MAX);
    tg_buf_puts(&stream->out, "retry: 2000\n\n");
    stream->next_beat = tg_clock_monotonic() + beat_s;
    TG_COUNT(sse_streams);
    enum tg_err err = list_running(stream);
    if (err) {
        stream_free(stream);
        return err;
    }
    response->type = "text/event-stream";
    tg_response_header(response, "Cache-Control", "no-cache");
    tg_response_header(response, "X-Accel-Buffering", "no");
    response->stream = stream_read;
    response->stream_free = stream_free;
    response->stream_state = stream;
    tg_machine_trim_stack();
    return TG_OK;
}

/* Last-Event-ID (sent when a stream is taken up again) or ?since=. */
static enum tg_err parse_cursor(const struct tg_request *request, bool *given,
                                uint64_t *since, struct tg_report *report)
{
    const char *text = tg_request_header(request, "Last-Event-ID");
    if (!text || !*text)
        text = tg_request_query(request, "since");
    *given = text;
    if (!text || tg_parse_u64(text, since))
        return TG_OK;
    return tg_fault_add_value(report, TG_BAD_REQUEST, NULL, text, NULL,
                              "Last-Event-ID and `since` are event numbers.");
}

enum tg_err tg_handle_events(struct tg_request *request, struct tg_response *response,
                             struct tg_report *report)
{
    uint64_t since = 0;
    bool given;
    TG_TRY(parse_cursor(request, &given, &since, report));
    if (!given)
        TG_TRY(newest_event(request->server->store, &since));
    return start_stream(request, response, NULL, since);
}

enum tg_err tg_handle_job_events(struct tg_request *request, struct tg_response *response,
                                 struct tg_report *report)
{
    uint64_t since = 0;
    bool given;
    struct tg_job_row row;
    TG_TRY(parse_cursor(request, &given, &since, report));
    TG_TRY(tg_store_get(request->server->store, request->arg[0], &row, report));
    bool nothing_left = tg_state_is_terminal(row.state) && since >= row.seq;
    tg_job_row_release(&row);
    if (nothing_left) {
        response->status = 204; /* tells an EventSource not to come back */
        return TG_OK;
    }
    return start_stream(request, response, request->arg[0], since);
}
