/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Verification of a store at rest. Changes nothing; every fault is a line.
 *
 * DESIGN. What can be asked of the database is a table of queries that must yield no row:
 * each row is a fault, its first column names what is concerned. Blobs are read and
 * hashed; registered files are not ours and may have changed, so they are left alone.
 */
#include "server/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

struct check {
    struct tg_db db;
    int dir_fd;
    void (*print)(const char *line);
    size_t faults;
};

static const struct {
    const char *sql, *fault;
} rules[] = {
    {"SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
     "database"},
    {"SELECT \"table\" FROM pragma_foreign_key_check",
     "a row refers to nothing, in table"},
    {"SELECT id FROM job WHERE state NOT BETWEEN 0 AND 6", "unknown state of job"},
    {"SELECT id FROM job WHERE (state >= 3) <> (finished > 0)",
     "state and time of end do not agree in job"},
    {"SELECT id FROM job WHERE (state = 3) <> (result IS NOT NULL)",
     "state and result do not agree in job"},
    {"SELECT id FROM job WHERE state IN (1, 2) AND attempt NOT BETWEEN 1 AND 3",
     "impossible attempt of job"},
    {"SELECT id FROM job WHERE NOT EXISTS (SELECT 1 FROM event WHERE event.seq = job.seq "
     "AND event.job = job.id AND event.type = CASE job.state WHEN 0 THEN 'queued' WHEN 1 "
     "THEN 'running' WHEN 2 THEN 'cancelling' WHEN 3 THEN 'succeeded' WHEN 4 THEN "
     "'failed' WHEN 5 THEN 'cancelled' WHEN 6 THEN 'expired' END)",
     "the last event does not tell the state of job"},
    {"SELECT job FROM event GROUP BY job HAVING MAX(seq) <> "
     "IFNULL((SELECT seq FROM job WHERE id = event.job), MAX(event.seq))",
     "events after the last one of job"},
    {"SELECT id FROM result WHERE id NOT IN (SELECT result FROM job WHERE result IS NOT "
     "NULL)",
     "no job has result"},
    {"SELECT sha256 FROM result_output WHERE sha256 NOT IN (SELECT sha256 FROM blob)",
     "a result needs the missing array"},
    {"SELECT sha256 FROM job_input JOIN job ON job.id = job_input.job WHERE finished = 0 "
     "AND "
     "sha256 NOT IN (SELECT sha256 FROM blob)",
     "a job needs the missing data"},
    {"SELECT sha256 FROM blob WHERE path IS NOT NULL AND "
     "(content IS NOT NULL OR path NOT LIKE '/%')",
     "impossible record of the registered file"},
};

static void fault(struct check *check, const char *what, const char *which)
{
    char line[320];
    snprintf(line, sizeof line, "%s %s", what, which);
    check->print(line);
    check->faults++;
}

static enum tg_err check_rule(struct check *check, const char *sql, const char *what)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(check->db.sqlite, sql, -1, &stmt, NULL);
    while (rc == SQLITE_OK && tg_db_row(&check->db, stmt)) {
        const unsigned char *which = sqlite3_column_text(stmt, 0);
        fault(check, what, which ? (const char *)which : "?");
    }
    int end = sqlite3_finalize(stmt);
    return tg_db_fail(&check->db, rc == SQLITE_OK ? end : rc);
}

static const char *hash_file(struct check *check, const char *sha256, uint64_t *n,
                             char digest[TG_SHA256_HEX])
{
    enum { STEP = 1 << 20 };
    char path[TG_DATA_PATH_SIZE];
    tg_data_path(sha256, path);
    int fd = openat(check->dir_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? "the file is missing of data"
                               : "the file cannot be read of data";
    struct tg_sha256 *sha = tg_sha256_new();
    char *buffer = malloc(STEP);
    ssize_t got = sha && buffer ? 1 : -1;
    *n = 0;
    while (got > 0) {
        got = read(fd, buffer, STEP);
        if (got > 0) {
            tg_sha256_add(sha, buffer, (size_t)got);
            *n += (uint64_t)got;
        }
    }
    if (sha)
        tg_sha256_end(sha, digest);
    tg_sha256_free(sha);
    free(buffer);
    close(fd);
    return got < 0 ? "the file cannot be read of data" : NULL;
}

static void check_blob(struct check *check, sqlite3_stmt *stmt)
{
    const char *sha256 = (const char *)sqlite3_column_text(stmt, 0);
    uint64_t bytes = (uint64_t)sqlite3_column_int64(stmt, 1), n = 0;
    char digest[TG_SHA256_HEX] = "";
    if (!sha256 || !tg_sha256_is_hex(sha256)) {
        fault(check, "not a digest:", sha256 ? sha256 : "?");
        return;
    }
    const char *what = NULL;
    if (sqlite3_column_type(stmt, 2) == SQLITE_NULL) {
        what = hash_file(check, sha256, &n, digest);
    } else {
        const void *content = sqlite3_column_blob(stmt, 2);
        n = (uint64_t)sqlite3_column_bytes(stmt, 2);
        tg_sha256_hex(content ? content : "", n, digest);
    }
    if (!what && n != bytes)
        what = "wrong length of data";
    if (!what && strcmp(digest, sha256) != 0)
        what = "wrong digest of data";
    if (what)
        fault(check, what, sha256);
}

static enum tg_err check_blobs(struct check *check)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(
        check->db.sqlite, "SELECT sha256, bytes, content FROM blob WHERE path IS NULL", -1,
        &stmt, NULL);
    while (rc == SQLITE_OK && tg_db_row(&check->db, stmt))
        check_blob(check, stmt);
    int end = sqlite3_finalize(stmt);
    return tg_db_fail(&check->db, rc == SQLITE_OK ? end : rc);
}

static enum tg_err check_all(struct check *check, struct tg_report *report)
{
    int64_t version = tg_db_pragma(&check->db, "PRAGMA user_version");
    if (version != tg_db_schema_version())
        return tg_fault_add(report, TG_STORE, NULL,
                            "The store has schema version %lld; this tangentd checks "
                            "version %d.",
                            (long long)version, tg_db_schema_version());
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        TG_TRY(check_rule(check, rules[i].sql, rules[i].fault));
    return check_blobs(check);
}

static enum tg_err check_locked(struct check *check, const char *dir,
                                struct tg_report *report)
{
    char *path;
    bool damaged;
    TG_TRY(tg_wal_check(check->dir_fd, &damaged));
    if (damaged)
        fault(check, "database:", "the write-ahead log is damaged, transactions are lost");
    if (asprintf(&path, "%s/tangentd.db", dir) < 0)
        return TG_NOMEM;
    enum tg_err err = tg_db_open(&check->db, path, true);
    free(path);
    if (!err)
        err = check_all(check, report);
    if (err && check->db.rc)
        fault(check, "database:", sqlite3_errstr(check->db.rc));
    tg_db_close(&check->db);
    if (!err && check->faults)
        err = TG_STORE;
    if (check->faults)
        tg_fault_add(report, err, NULL, "The store has %zu faults.", check->faults);
    return err;
}

enum tg_err tg_store_check(const char *dir, void (*print)(const char *line),
                           struct tg_report *report)
{
    struct check check = {.print = print};
    check.dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int lock_fd =
        check.dir_fd < 0 ? -1 : openat(check.dir_fd, "lock", O_RDWR | O_CLOEXEC);
    enum tg_err err;
    if (lock_fd < 0)
        err = tg_fault_add(report, TG_STORE, NULL, "There is no store in %s: %s.", dir,
                           strerrordesc_np(errno));
    else if (flock(lock_fd, LOCK_EX | LOCK_NB) < 0)
        err = tg_fault_add(report, TG_STORE, NULL,
                           "A tangentd uses this store; stop it before the check.");
    else
        err = check_locked(&check, dir, report);
    if (lock_fd >= 0)
        close(lock_fd);
    if (check.dir_fd >= 0)
        close(check.dir_fd);
    return err;
}
