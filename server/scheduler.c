/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Scheduler: lists of waiting jobs by class, token and length. */
#include "server/scheduler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "server/deadlines.h"

/* How far a list is searched past jobs that do not fit. */
enum { LOOK_AHEAD = 64, BUCKETS = 4096 };

struct job {
    struct tg_sched_item item;
    uint64_t age; /* order of arrival */
    unsigned bypassed;
    struct token *token;
    struct list *list;
    struct job *prev, *next; /* in its list */
    struct job *same_bucket;
    struct tg_dated dated;
};

struct list {
    struct job *first, *last;
};

enum { SHORT, LONG, LENGTHS };

struct token {
    char name[64];
    double given; /* weighted seconds */
    size_t waiting, running;
    struct list list[TG_PRIORITY_COUNT][LENGTHS];
    struct token *next;
};

struct tg_sched {
    struct tg_sched_options options;
    struct tg_sched_stats stats;
    unsigned long_running;
    uint64_t arrivals;
    struct token *tokens;
    /* The oldest that was passed over too often: its class waits until it fits. */
    struct job *held[TG_PRIORITY_COUNT][LENGTHS];
    struct job *bucket[BUCKETS];         /* by id */
    struct tg_deadlines deadlines;
};

struct tg_sched *tg_sched_new(const struct tg_sched_options *options)
{
    struct tg_sched *sched = calloc(1, sizeof(*sched));
    if (sched)
        sched->options = *options;
    return sched;
}

static void free_list(struct list *list)
{
    while (list->first) {
        struct job *job = list->first;
        list->first = job->next;
        free(job);
    }
}

void tg_sched_free(struct tg_sched *sched)
{
    if (!sched)
        return;
    while (sched->tokens) {
        struct token *token = sched->tokens;
        sched->tokens = token->next;
        for (int level = 0; level < TG_PRIORITY_COUNT; level++)
            for (int length = 0; length < LENGTHS; length++)
                free_list(&token->list[level][length]);
        free(token);
    }
    tg_deadlines_release(&sched->deadlines);
    free(sched);
}

/* Tokens ----------------------------------------------------------------------------- */

static struct token *find_token(struct tg_sched *sched, const char *name)
{
    struct token *token = sched->tokens;
    while (token && strcmp(token->name, name) != 0)
        token = token->next;
    return token;
}

static struct token *make_token(struct tg_sched *sched, const char *name)
{
    struct token *token = calloc(1, sizeof(*token));
    if (!token)
        return NULL;
    memcpy(token->name, name, sizeof(token->name));
    token->next = sched->tokens;
    sched->tokens = token;
    return token;
}

/* A token that had nothing here begins level with the least served of the others; a machine
 * that was idle forgets. */
static void enter(struct tg_sched *sched, struct token *token)
{
    double least = INFINITY;
    for (struct token *other = sched->tokens; other; other = other->next)
        if (other != token && other->waiting + other->running)
            least = fmin(least, other->given);
    if (isfinite(least))
        token->given = fmax(token->given, least);
    else
        for (struct token *other = sched->tokens; other; other = other->next)
            other->given = 0;
}

static double weight(const struct tg_sched *sched, const struct tg_sched_item *item)
{
    double memory = sched->options.memory_bytes
                        ? (double)item->bytes / (double)sched->options.memory_bytes
                        : 0;
    return fmax(memory, 1.0 / (double)sched->options.workers);
}

/* Lists ------------------------------------------------------------------------------ */

static bool is_long(const struct tg_sched *sched, const struct tg_sched_item *item)
{
    return item->seconds > sched->options.long_s;
}

static int length_of(const struct tg_sched *sched, const struct tg_sched_item *item)
{
    return is_long(sched, item) ? LONG : SHORT;
}

static struct job **bucket_of(struct tg_sched *sched, const char *id)
{
    uint32_t hash = 2166136261U; /* FNV-1a */
    for (const char *p = id; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 16777619U;
    return &sched->bucket[hash % BUCKETS];
}

static void link_job(struct tg_sched *sched, struct job *job)
{
    struct list *list =
        &job->token->list[job->item.priority][length_of(sched, &job->item)];
    struct job **bucket = bucket_of(sched, job->item.id);
    job->list = list;
    job->prev = list->last;
    *(list->last ? &list->last->next : &list->first) = job;
    list->last = job;
    job->same_bucket = *bucket;
    *bucket = job;
    job->age = sched->arrivals++;
    job->token->waiting++;
    sched->stats.queued++;
    sched->stats.queued_s += job->item.seconds;
}

/* After the held one is gone: the next that was passed over as often. */
static struct job *find_held(const struct tg_sched *sched, int level, int length)
{
    struct job *held = NULL;
    for (const struct token *token = sched->tokens; token; token = token->next) {
        struct job *job = token->list[level][length].first;
        for (int i = 0; job && i <= LOOK_AHEAD; i++, job = job->next)
            if (job->bypassed >= sched->options.max_bypass && (!held || job->age < held->age))
                held = job;
    }
    return held;
}

static void unlink_job(struct tg_sched *sched, struct job *job)
{
    struct list *list = job->list;
    struct job **at = bucket_of(sched, job->item.id);
    *(job->prev ? &job->prev->next : &list->first) = job->next;
    *(job->next ? &job->next->prev : &list->last) = job->prev;
    while (*at != job)
        at = &(*at)->same_bucket;
    *at = job->same_bucket;
    tg_deadlines_remove(&sched->deadlines, &job->dated);
    struct job **held = &sched->held[job->item.priority][length_of(sched, &job->item)];
    if (*held == job)
        *held = find_held(sched, (int)job->item.priority, length_of(sched, &job->item));
    job->token->waiting--;
    sched->stats.queued--;
    sched->stats.queued_s -= job->item.seconds;
    if (!sched->stats.queued)
        sched->stats.queued_s = 0; /* no rounding left behind */
}

bool tg_sched_is_full(const struct tg_sched *sched)
{
    return sched->stats.queued >= sched->options.max_queued;
}

enum tg_err tg_sched_push(struct tg_sched *sched, const struct tg_sched_item *item,
                          bool force)
{
    if (item->bytes > sched->options.memory_bytes)
        return TG_TOO_LARGE_JOB;
    if (!force && tg_sched_is_full(sched))
        return TG_QUEUE_FULL;
    struct token *token = find_token(sched, item->token);
    if (!token)
        token = make_token(sched, item->token);
    struct job *job = calloc(1, sizeof(*job));
    if (!token || !job) {
        free(job);
        return TG_NOMEM;
    }
    job->item = *item;
    job->token = token;
    job->dated.time = item->deadline;
    job->dated.owner = job;
    if (item->deadline > 0 && !tg_deadlines_add(&sched->deadlines, &job->dated)) {
        free(job);
        return TG_NOMEM;
    }
    if (!token->waiting && !token->running)
        enter(sched, token);
    link_job(sched, job);
    return TG_OK;
}

bool tg_sched_remove(struct tg_sched *sched, const char *id)
{
    struct job *job = *bucket_of(sched, id);
    while (job && strcmp(job->item.id, id) != 0)
        job = job->same_bucket;
    if (!job)
        return false;
    unlink_job(sched, job);
    free(job);
    return true;
}

/* Taking ----------------------------------------------------------------------------- */

static bool fits(const struct tg_sched *sched, const struct job *job)
{
    return job->item.bytes <= sched->options.memory_bytes - sched->stats.reserved_bytes;
}

static bool may_be_long(const struct tg_sched *sched)
{
    return sched->long_running < (sched->options.workers + 1) / 2;
}

/* Jobs of this length may start now, if they fit. */
static bool is_open(const struct tg_sched *sched, int length)
{
    return length == SHORT || may_be_long(sched);
}

static const struct job *oldest(const struct job *a, const struct job *b)
{
    return !a || (b && b->age < a->age) ? b : a;
}

/* The first job of a token and class that may start. */
static const struct job *first_of(const struct tg_sched *sched, const struct token *token,
                                  int level)
{
    const struct job *first = NULL;
    for (int length = 0; length < LENGTHS; length++) {
        if (!is_open(sched, length))
            continue;
        const struct job *job = token->list[level][length].first;
        for (int i = 0; job && !fits(sched, job); i++)
            job = i < LOOK_AHEAD ? job->next : NULL;
        first = oldest(first, job);
    }
    return first;
}

/* The job of a class to take: of the token that was given least; NULL when none may start. */
static const struct job *choose(const struct tg_sched *sched, int level)
{
    const struct job *best = NULL;
    for (const struct token *token = sched->tokens; token; token = token->next) {
        const struct job *job = token->waiting ? first_of(sched, token, level) : NULL;
        if (!job)
            continue;
        if (!best || token->given < best->token->given)
            best = job;
        else if (token->given <= best->token->given)
            best = oldest(best, job);
    }
    return best;
}

/* Counts the overtaking of the older jobs of a list that only memory keeps from starting. */
static void count_list(struct tg_sched *sched, struct job **held, const struct list *list,
                       const struct job *taken)
{
    struct job *job = list->first;
    for (int i = 0; job && i <= LOOK_AHEAD && job->age < taken->age; i++, job = job->next) {
        if (fits(sched, job) || ++job->bypassed < sched->options.max_bypass)
            continue;
        if (!*held || job->age < (*held)->age)
            *held = job;
    }
}

static void count_overtaken(struct tg_sched *sched, const struct job *taken)
{
    for (struct token *token = sched->tokens; token; token = token->next)
        for (int level = 0; level <= (int)taken->item.priority; level++)
            for (int length = 0; length < LENGTHS; length++)
                if (is_open(sched, length))
                    count_list(sched, &sched->held[level][length],
                               &token->list[level][length], taken);
}

static const struct job *held_of(const struct tg_sched *sched, int level)
{
    const struct job *held = NULL;
    for (int length = 0; length < LENGTHS; length++)
        if (is_open(sched, length))
            held = oldest(held, sched->held[level][length]);
    return held;
}

static const struct job *next_job(const struct tg_sched *sched)
{
    for (int level = 0; level < TG_PRIORITY_COUNT; level++) {
        const struct job *held = held_of(sched, level);
        if (held)
            return fits(sched, held) ? held : NULL;
        const struct job *job = choose(sched, level);
        if (job)
            return job;
    }
    return NULL;
}

bool tg_sched_take(struct tg_sched *sched, struct tg_sched_item *item)
{
    const struct job *chosen = next_job(sched);
    if (!chosen)
        return false;
    struct job *job = *bucket_of(sched, chosen->item.id);
    while (job != chosen)
        job = job->same_bucket;
    *item = job->item;
    count_overtaken(sched, job);
    unlink_job(sched, job);
    sched->stats.running++;
    sched->stats.reserved_bytes += item->bytes;
    sched->long_running += is_long(sched, item);
    job->token->running++;
    job->token->given += item->seconds * weight(sched, item);
    free(job);
    return true;
}

void tg_sched_done(struct tg_sched *sched, const struct tg_sched_item *item, double seconds)
{
    struct token *token = find_token(sched, item->token);
    sched->stats.running--;
    sched->stats.reserved_bytes -= item->bytes;
    sched->long_running -= is_long(sched, item);
    token->running--;
    token->given += (seconds - item->seconds) * weight(sched, item);
}

/* Deadlines -------------------------------------------------------------------------- */

bool tg_sched_take_expired(struct tg_sched *sched, double now, struct tg_sched_item *item)
{
    const struct tg_dated *first = tg_deadlines_first(&sched->deadlines);
    if (!first || first->time > now)
        return false;
    struct job *job = first->owner;
    *item = job->item;
    unlink_job(sched, job);
    free(job);
    return true;
}

double tg_sched_next_deadline(const struct tg_sched *sched)
{
    const struct tg_dated *first = tg_deadlines_first(&sched->deadlines);
    return first ? first->time : 0;
}

void tg_sched_stats(const struct tg_sched *sched, struct tg_sched_stats *stats)
{
    *stats = sched->stats;
}
