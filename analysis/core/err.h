/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Errors: one table of codes, and the report that carries every fault of a request.
 *
 * DESIGN. TG_ERR_MAP is the single list of what can go wrong. It gives the enum, the HTTP
 * status, the slug under /v1/problems/ and the title. Functions return `enum tg_err`; a
 * caller that wants to know more hands in a `struct tg_report`, which collects faults with
 * JSON pointers. A report may be NULL wherever one is accepted.
 */
#ifndef TG_CORE_ERR_H
#define TG_CORE_ERR_H

#include <stdbool.h>
#include <stddef.h>

/* XX(CODE, http_status, slug, title) */
#define TG_ERR_MAP(XX)                                                                   \
    XX(OK, 200, "ok", "Success")                                                         \
    XX(INVALID, 422, "invalid-parameters", "The request does not describe a valid job")  \
    XX(BAD_JSON, 400, "malformed-json", "The body is not valid JSON")                    \
    XX(BAD_REQUEST, 400, "bad-request", "The request is malformed")                      \
    XX(BAD_ARRAY, 422, "unreadable-array", "The array cannot be read")                   \
    XX(UNKNOWN_DATA, 422, "unknown-data", "The job names data that is not stored")       \
    XX(DATA_CHANGED, 409, "data-changed",                                                \
       "A registered file is not what it was when it was registered")                    \
    XX(TOO_LARGE_JOB, 422, "job-too-large", "The job can never fit into memory")         \
    XX(KEY_REUSED, 422, "idempotency-key-reused",                                        \
       "The Idempotency-Key was used for another request")                               \
    XX(DIGEST_MISMATCH, 422, "digest-mismatch", "The body does not have this SHA-256")   \
    XX(UNAUTHORIZED, 401, "unauthorized", "A valid token is required")                   \
    XX(FORBIDDEN, 403, "forbidden", "The token does not have the needed scope")          \
    XX(PATH, 403, "path-not-allowed", "The daemon may not read this file")               \
    XX(NOT_FOUND, 404, "not-found", "There is nothing here")                             \
    XX(METHOD, 405, "method-not-allowed", "This path does not take this method")         \
    XX(NOT_ACCEPTABLE, 406, "not-acceptable", "No such representation")                  \
    XX(REQUEST_TIMEOUT, 408, "request-timeout", "The request took too long to arrive")   \
    XX(CONFLICT, 409, "conflict", "The resource is not in the needed state")             \
    XX(GONE, 410, "gone", "The job was removed by retention")                            \
    XX(LENGTH_REQUIRED, 411, "length-required", "A Content-Length is required")          \
    XX(BODY_TOO_LARGE, 413, "body-too-large", "The body is larger than allowed")         \
    XX(MEDIA_TYPE, 415, "unsupported-media-type", "The content type is not supported")   \
    XX(RANGE, 416, "range-not-satisfiable", "The range lies outside the data")           \
    XX(QUEUE_FULL, 429, "queue-full", "Too many jobs are waiting")                       \
    XX(INTERNAL, 500, "internal", "A fault inside the daemon")                           \
    XX(NOMEM, 503, "out-of-memory", "There is no memory for this now")                   \
    XX(STORE, 503, "store-unavailable", "The store cannot take new work now")            \
    XX(DRAINING, 503, "shutting-down", "The daemon is shutting down")                    \
    XX(CANCELLED, 409, "cancelled", "The job was cancelled")                             \
    XX(DEADLINE, 409, "deadline", "The job ran past its time limit")                     \
    XX(INTERRUPTED, 500, "interrupted", "The job was interrupted too often")             \
    XX(NUMERIC, 422, "numerical-failure", "The numbers do not allow this analysis")

enum tg_err {
#define XX(code, status, slug, title) TG_##code,
    TG_ERR_MAP(XX)
#undef XX
    TG_ERR_COUNT
};

int tg_err_status(enum tg_err err);        /* HTTP status */
const char *tg_err_slug(enum tg_err err);  /* "invalid-parameters" */
const char *tg_err_title(enum tg_err err); /* one sentence */
enum tg_err tg_err_from_slug(const char *slug); /* TG_ERR_COUNT if unknown */

#define TG_MUST_CHECK __attribute__((warn_unused_result))

enum { TG_FAULT_MAX = 64 };

/* One fault of a request. `got` and `allowed` are "" where they would say nothing. */
struct tg_fault {
    char pointer[160]; /* RFC 6901 JSON pointer, "" for the whole document */
    char detail[240];  /* what is wrong and what to do, a whole sentence */
    char got[80];
    char allowed[200];
};

/* Every fault found so far, at most TG_FAULT_MAX kept; `count` goes on counting. */
struct tg_report {
    enum tg_err code;  /* the first fault's code; TG_OK while there is none */
    char detail[400];  /* one sentence for the whole; the first fault's detail by default */
    size_t count;
    struct tg_fault fault[TG_FAULT_MAX];
};

void tg_report_init(struct tg_report *report);

/*
 * Add a fault and return `code`. `pointer` may be NULL (whole document). The message is
 * truncated to fit. With report == NULL only the code is returned.
 */
enum tg_err tg_fault_add(struct tg_report *report, enum tg_err code, const char *pointer,
                         const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The same with what was got and what is allowed (either may be NULL). */
enum tg_err tg_fault_add_value(struct tg_report *report, enum tg_err code,
                               const char *pointer, const char *got, const char *allowed,
                               const char *format, ...)
    __attribute__((format(printf, 6, 7)));

#define TG_TRY(expr)                                                                     \
    do {                                                                                 \
        enum tg_err tg_try_err = (expr);                                                 \
        if (tg_try_err)                                                                  \
            return tg_try_err;                                                           \
    } while (0)

/* A state that no input can reach. Prints file and line and aborts. */
#define TG_BUG(what) tg_bug(__FILE__, __LINE__, what)
_Noreturn void tg_bug(const char *file, int line, const char *what);

/* Size arithmetic that reports overflow instead of wrapping. */
static inline bool tg_mul_ok(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}
static inline bool tg_add_ok(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

#endif
