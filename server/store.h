/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Store: jobs, events, results and data, safe on disk before anybody is told.
 *
 * DESIGN. One directory:
 *   tangentd.db        SQLite, WAL, synchronous=FULL
 *   data/ab/abcdef...  blobs of more than TG_BLOB_INLINE_MAX bytes, by SHA-256
 *   part/              uploads under way; a broken one can be resumed
 *   derived/           what can be derived again (server/derived.h)
 *   lock               held by the running daemon
 * One writer thread owns the write connection. Callers post an operation and sleep until
 * the transaction that holds it is on disk; whatever is waiting when the writer is free goes
 * into one transaction (group commit). Readers have their own read-only connections. Every
 * state change and its event are one transaction; the table of legal transitions in store.c
 * is the only way a state changes; terminal rows are immutable. Each running attempt is
 * named by its number, and a result is taken only from the attempt that is running, so a
 * result exists once. Blobs are written to part/, fsynced, renamed, and their directory
 * fsynced, before the transaction that names them.
 *
 * When a write fails (disk full, I/O error) the operation fails with TG_STORE and
 * nothing of it is kept; the store turns unwritable, tells so through
 * tg_store_is_writable(), and probes, once a second, until it can write again. Until then
 * every operation is refused at once with TG_STORE, the ends of running jobs too: whoever
 * ends an attempt must keep its result and try again. Reading goes on.
 *
 * All functions may be called from any thread unless said otherwise. Strings in rows are
 * malloc'ed and freed by the release function.
 */
#ifndef TG_SERVER_STORE_H
#define TG_SERVER_STORE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "proto/digest.h"
#include "proto/job.h"

enum { TG_ID_SIZE = 27, TG_BLOB_INLINE_MAX = 64 * 1024, TG_MAX_ATTEMPTS = 3 };

enum tg_state {
    TG_QUEUED, TG_RUNNING, TG_CANCELLING, TG_SUCCEEDED, TG_FAILED, TG_JOB_CANCELLED,
    TG_EXPIRED, TG_STATE_COUNT
};
extern const char *const tg_state_names[]; /* "queued", ..., NULL */
bool tg_state_is_terminal(enum tg_state state);

struct tg_store;

struct tg_job_row {
    char id[TG_ID_SIZE];       /* 26 characters, sorts by time of creation (ULID) */
    char *kind, *name, *token; /* token: the name of the submitter's token, "" if open */
    char *canonical;
    char hash[TG_SHA256_HEX];
    enum tg_state state;
    enum tg_priority priority;
    double created, started, finished; /* Unix seconds; 0: not yet */
    double max_run_s, deadline;        /* 0: none */
    bool keep;
    int attempt;               /* 1 for the first run; 0 before it */
    uint64_t peak_bytes;       /* estimate, with decoded inputs */
    double flops, seconds;     /* estimate */
    char *retry_of;            /* "" or the id */
    char *problem;             /* problem JSON for failed, cancelled, expired; "" else */
    uint64_t seq;              /* the last event's number: changes with every change */
    bool has_result;
};
void tg_job_row_release(struct tg_job_row *row);

struct tg_event {
    uint64_t seq;
    char job[TG_ID_SIZE];
    char type[16];             /* the state's name, or "removed" */
    double time;
    char *data;                /* JSON object */
};
void tg_event_release(struct tg_event *event);

struct tg_store_options {
    const char *dir;
    size_t data_max_bytes;       /* most bytes of one stored file */
    const char *data_folders;    /* "/a:/b/c": files below may be registered; NULL or "": none */
    double probe_s;              /* between probes of a store that cannot be written; 0: 1 */
    void (*on_commit)(void *arg, uint64_t last_seq); /* after each commit; writer thread */
    void *arg;
};

/* Opens or makes the store; fails with TG_STORE if another daemon holds it or it is newer. */
TG_MUST_CHECK enum tg_err tg_store_open(const struct tg_store_options *options,
                                        struct tg_store **store, struct tg_report *report);
/* Waits for posted operations, checkpoints the WAL, frees. */
void tg_store_close(struct tg_store *store);
bool tg_store_is_writable(struct tg_store *store);

/* Jobs ------------------------------------------------------------------------------- */

struct tg_submit {
    const struct tg_job_row *row;        /* id, created, seq and state are filled in */
    const struct tg_inline_blob *blob;   /* stored first; may be 0 */
    size_t nblobs;
    const char (*inputs)[TG_SHA256_HEX]; /* digests the job refers to: protected from removal */
    size_t ninputs;
    const char *idempotency_key;         /* NULL: none */
    const char *fingerprint;             /* digest of the request, for the key */
    const char *result_of;               /* NULL, or the id of a finished job whose result
                                            this one shares: the row starts as succeeded */
};
/*
 * On TG_OK *id is the committed job; *existing tells that the key named it before.
 * TG_KEY_REUSED, TG_UNKNOWN_DATA (an input vanished), TG_BAD_ARRAY (a blob is no array),
 * TG_NOT_FOUND or TG_CONFLICT (result_of is gone or has no result), TG_STORE.
 */
TG_MUST_CHECK enum tg_err tg_store_submit(struct tg_store *store, const struct tg_submit *submit,
                                          char id[TG_ID_SIZE], bool *existing,
                                          struct tg_report *report);

/* queued -> running; *attempt is the new number. TG_CONFLICT if it is not queued. */
TG_MUST_CHECK enum tg_err tg_store_start(struct tg_store *store, const char *id, int *attempt);

/* The arrays of a result: npy bytes by digest. */
struct tg_blob_bytes { char sha256[TG_SHA256_HEX]; const char *head; size_t nhead;
                       const void *body; size_t nbody; };
/* running or cancelling -> succeeded with its document. TG_CONFLICT if attempt is not running. */
TG_MUST_CHECK enum tg_err tg_store_succeed(struct tg_store *store, const char *id, int attempt,
                                           const char *document,
                                           const struct tg_blob_bytes *blobs, size_t nblobs);
/* To failed, cancelled or expired with a problem document; attempt 0: from queued. */
TG_MUST_CHECK enum tg_err tg_store_end(struct tg_store *store, const char *id, int attempt,
                                       enum tg_state state, const char *problem);
/* queued -> cancelled at once, running -> cancelling; *now is the state after. Idempotent. */
TG_MUST_CHECK enum tg_err tg_store_cancel(struct tg_store *store, const char *id,
                                          const char *problem, enum tg_state *now);
/* running -> queued, when the daemon shuts down in the middle; the attempt is not counted. */
TG_MUST_CHECK enum tg_err tg_store_requeue(struct tg_store *store, const char *id, int attempt);

/* TG_NOT_FOUND; TG_GONE when retention removed it (report says why). */
TG_MUST_CHECK enum tg_err tg_store_get(struct tg_store *store, const char *id,
                                       struct tg_job_row *row, struct tg_report *report);
/* The result document text, malloc'ed. TG_CONFLICT if the job has none. */
TG_MUST_CHECK enum tg_err tg_store_result(struct tg_store *store, const char *id,
                                          char **document, struct tg_report *report);
/* The newest succeeded job of this hash: its id, or TG_NOT_FOUND. */
TG_MUST_CHECK enum tg_err tg_store_find_result(struct tg_store *store, const char *hash,
                                               char id[TG_ID_SIZE]);
/* A queued or running job of this hash to share: its id, or TG_NOT_FOUND. */
TG_MUST_CHECK enum tg_err tg_store_find_active(struct tg_store *store, const char *hash,
                                               char id[TG_ID_SIZE]);

struct tg_job_filter {
    const char *kind, *name, *token; /* NULL: any; name: contains */
    unsigned states;                 /* bit set; 0: any */
    double since, until;             /* created; 0: any */
    const char *before;              /* id: rows older than it (next page); NULL: newest */
    size_t limit;
};
/* Newest first. *rows is malloc'ed; release each and free it. */
TG_MUST_CHECK enum tg_err tg_store_list(struct tg_store *store,
                                        const struct tg_job_filter *filter,
                                        struct tg_job_row **rows, size_t *n);
/* Counts by state. */
TG_MUST_CHECK enum tg_err tg_store_counts(struct tg_store *store,
                                          uint64_t counts[TG_STATE_COUNT]);

/* Events with seq > since, of one job or (job NULL) of all, oldest first, at most limit.
 * *oldest is the first number still kept. */
TG_MUST_CHECK enum tg_err tg_store_events(struct tg_store *store, const char *job,
                                          uint64_t since, size_t limit,
                                          struct tg_event **events, size_t *n,
                                          uint64_t *oldest);

/*
 * After open, before any worker: jobs of an earlier life that were running go back to queued,
 * or to failed (problem `interrupted`) after TG_MAX_ATTEMPTS; cancelling ones to cancelled.
 * Then `each` is called for every queued job, oldest first.
 */
TG_MUST_CHECK enum tg_err tg_store_recover(struct tg_store *store,
                                           void (*each)(void *arg, const struct tg_job_row *row),
                                           void *arg);

struct tg_retention {
    uint64_t max_jobs;  /* terminal jobs kept; 0: no limit */
    double max_age_s;   /* of terminal jobs; 0: no limit */
    uint64_t max_bytes; /* of unused blobs; 0: no limit */
};
/*
 * Removes terminal jobs beyond the limits (never `keep` ones, which do not count either) and
 * leaves tombstones, which are kept for a year. Then removes unused blobs that nobody sent
 * or referred to for an hour, oldest first, while unused ones exceed max_bytes. Inputs of
 * jobs that are live or pinned, and arrays of stored results, are in use.
 */
TG_MUST_CHECK enum tg_err tg_store_retain(struct tg_store *store,
                                          const struct tg_retention *retention);

/* Data ------------------------------------------------------------------------------- */

struct tg_data_row {
    char sha256[TG_SHA256_HEX];
    uint64_t bytes;
    double created;
    char *format;  /* "npy", ... as recognised; "result" arrays are npy too */
    char *members; /* JSON: [{"name", "dtype", "shape"}] */
    char *path;    /* of a registered file; "" of what is stored here */
};
void tg_data_row_release(struct tg_data_row *row);

TG_MUST_CHECK enum tg_err tg_data_get(struct tg_store *store, const char *sha256,
                                      struct tg_data_row *row, struct tg_report *report);
/* It is about to be used: retention spares it for an hour. TG_NOT_FOUND. */
TG_MUST_CHECK enum tg_err tg_data_touch(struct tg_store *store, const char *sha256,
                                        struct tg_report *report);
/* Sorted by digest, after `after` (NULL: from the start). */
TG_MUST_CHECK enum tg_err tg_data_list(struct tg_store *store, const char *after, size_t limit,
                                       struct tg_data_row **rows, size_t *n);
/* TG_CONFLICT while a live or pinned job or a stored result refers to it. */
TG_MUST_CHECK enum tg_err tg_data_delete(struct tg_store *store, const char *sha256,
                                         struct tg_report *report);

/* A sentence on what is wrong with a file. */
enum { TG_WHY_SIZE = 240 };

/* By what a file is known again. */
struct tg_stamp { uint64_t bytes, inode; int64_t mtime_ns; };

/* An opened blob: mapped or in memory; stays valid until closed even if deleted meanwhile. */
struct tg_blob {
    const void *bytes;
    size_t n;
    void *map;
    bool mapped;
    int fd;     /* or -1 */
    char *path; /* of a registered file, or NULL */
    struct tg_stamp stamp;
};
/* TG_UNKNOWN_DATA; TG_DATA_CHANGED, TG_PATH or TG_NOT_FOUND with the reason, of a registered
 * file. */
TG_MUST_CHECK enum tg_err tg_data_open(struct tg_store *store, const char *sha256,
                                       struct tg_blob *blob, struct tg_report *report);
void tg_blob_close(struct tg_blob *blob);

/*
 * Registers a file that stays where it is, below one of the data_folders: reads and hashes
 * it once, in constant memory, and keeps its path, digest, length, time of modification and
 * inode. From then on the digest names it as it names stored data, and whoever opens it
 * finds out when it is not what it was. Unless it has changed, a file that is registered
 * already is not read again. Records of the same path under other digests go, but for those
 * that live or pinned jobs need. What is stored under the digest stays what is used.
 * `gone` ends the reading with TG_CANCELLED when it becomes true. Errors: TG_PATH,
 * TG_NOT_FOUND, TG_BAD_ARRAY, TG_DATA_CHANGED (while it was read).
 */
TG_MUST_CHECK enum tg_err tg_data_register(struct tg_store *store, const char *path,
                                           bool (*gone)(void *arg), void *arg, bool *created,
                                           struct tg_data_row *row, struct tg_report *report);

/*
 * Reading data for a job. A registered file may change while a job reads it, and a disk may
 * fail under any: so what was computed counts only if check() or end() says TG_OK
 * afterwards. The opener of a reading holds no file descriptors, so a job may read more
 * files than the process may have open. check() may be called from any thread while
 * nothing is opened or closed, all else from one at a time.
 */
struct tg_opened;
struct tg_reading {
    struct tg_store *store;
    struct tg_opened *opened; /* private: what is open now */
    double read;              /* private: bytes since pages were let go */
    pthread_mutex_t mu;       /* private: guards the two below */
    enum tg_err err;          /* private: the first thing found wrong */
    char why[TG_WHY_SIZE];    /* private: and in words, or why something could not be opened */
};
void tg_reading_init(struct tg_reading *reading, struct tg_store *store);
struct tg_opener tg_reading_opener(struct tg_reading *reading);
/* Whether all that is or was open has the bytes that its digest names: TG_DATA_CHANGED, or
 * TG_STORE of what is stored here. */
TG_MUST_CHECK enum tg_err tg_reading_check(struct tg_reading *reading,
                                           struct tg_report *report);
/*
 * So many more bytes were read and are not wanted again soon: each TG_READING_WINDOW of them
 * all pages of what is open leave the process. They stay in the page cache as long as the
 * kernel likes, so a file of any length takes a window of memory and is still read once.
 */
enum { TG_READING_WINDOW = 64 << 20 };
void tg_reading_was_read(struct tg_reading *reading, double bytes);

/*
 * Uploads. begin() with the digest (resumable: bytes of a broken upload are kept under it)
 * or NULL (computed). `offset` > 0 continues a broken upload: TG_CONFLICT unless that many
 * bytes lie here. One upload of a digest at a time (TG_CONFLICT). write() streams to disk
 * in constant memory; end() checks the digest (TG_DIGEST_MISMATCH removes the part),
 * recognises the format (TG_BAD_ARRAY removes it too), commits, and fills `row`; keep()
 * leaves the part of a known digest for resumption, unless writing it failed; abort() is
 * keep() when nobody is left to tell. end, keep and abort free the upload, whatever they
 * answer.
 */
struct tg_upload;
TG_MUST_CHECK enum tg_err tg_upload_begin(struct tg_store *store, const char *sha256,
                                          uint64_t offset, struct tg_upload **upload,
                                          struct tg_report *report);
TG_MUST_CHECK enum tg_err tg_upload_write(struct tg_upload *upload, const void *p, size_t n,
                                          struct tg_report *report);
TG_MUST_CHECK enum tg_err tg_upload_end(struct tg_upload *upload, bool *created,
                                        struct tg_data_row *row, struct tg_report *report);
TG_MUST_CHECK enum tg_err tg_upload_keep(struct tg_upload *upload, struct tg_report *report);
void tg_upload_abort(struct tg_upload *upload);
/* Bytes that a broken upload of this digest left; 0 if none. */
uint64_t tg_upload_offset(struct tg_store *store, const char *sha256);

/* Health ----------------------------------------------------------------------------- */

struct tg_store_stats {
    uint64_t commits, operations, write_errors, data_files, data_bytes;
    double commit_seconds; /* total */
};
void tg_store_stats(struct tg_store *store, struct tg_store_stats *stats);

/*
 * Verify a store that no daemon holds: SQLite's log and integrity_check, schema version, every blob
 * present with the right digest, every state legal, every result's arrays present. Faults
 * go to the report, a line each through `print`. TG_OK when all is well.
 */
TG_MUST_CHECK enum tg_err tg_store_check(const char *dir, void (*print)(const char *line),
                                         struct tg_report *report);

#endif
