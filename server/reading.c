/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading data for a job: what is open, and whether it stays what it was. */
#include "server/store_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/guard.h"
#include "server/log.h"

struct tg_opened {
    struct tg_blob blob;
    struct tg_guard *guard; /* NULL: in memory */
    char sha256[TG_SHA256_HEX];
    struct tg_opened *next, **place; /* in the list of the reading */
};

void tg_reading_init(struct tg_reading *reading, struct tg_store *store)
{
    *reading = (struct tg_reading){.store = store, .mu = PTHREAD_MUTEX_INITIALIZER};
}

static enum tg_err open_guarded(struct tg_reading *reading, const char *sha256,
                                struct tg_opened *opened)
{
    char why[TG_WHY_SIZE];
    enum tg_err err = tg_blob_open(reading->store, sha256, &opened->blob, why);
    if (err) {
        if (!reading->err)
            memcpy(reading->why, why, sizeof(why));
        return err;
    }
    struct tg_blob *blob = &opened->blob;
    snprintf(opened->sha256, sizeof(opened->sha256), "%s", sha256);
    if (blob->fd >= 0)
        close(blob->fd);
    blob->fd = -1;
    if (blob->mapped)
        opened->guard = tg_guard_new(blob->map, blob->n);
    if (!blob->mapped || opened->guard)
        return TG_OK;
    tg_blob_close(blob);
    return TG_NOMEM;
}

static enum tg_err open_input(void *self, const char *sha256, const void **bytes, size_t *n,
                              void **handle)
{
    struct tg_reading *reading = self;
    struct tg_opened *opened = calloc(1, sizeof(*opened));
    if (!opened)
        return TG_NOMEM;
    enum tg_err err = open_guarded(reading, sha256, opened);
    if (err) {
        free(opened);
        return err;
    }
    opened->next = reading->opened;
    opened->place = &reading->opened;
    if (opened->next)
        opened->next->place = &opened->next;
    reading->opened = opened;
    *bytes = opened->blob.bytes;
    *n = opened->blob.n;
    *handle = opened;
    return TG_OK;
}

static void check_locked(struct tg_reading *reading, const struct tg_opened *opened)
{
    const struct tg_blob *blob = &opened->blob;
    if (reading->err)
        return;
    if (blob->path)
        reading->err = tg_registered_check(blob->path, &blob->stamp, reading->why);
    if (reading->err || !opened->guard || !tg_guard_is_broken(opened->guard))
        return;
    reading->err = blob->path ? TG_DATA_CHANGED : TG_STORE;
    snprintf(reading->why, sizeof(reading->why), "The data %s could not be read to its end.",
             opened->sha256);
    tg_log(TG_LOG_ERROR, "the data %s could not be read to its end", opened->sha256);
}

static void close_input(void *self, void *handle)
{
    struct tg_reading *reading = self;
    struct tg_opened *opened = handle;
    pthread_mutex_lock(&reading->mu);
    check_locked(reading, opened);
    pthread_mutex_unlock(&reading->mu);
    *opened->place = opened->next;
    if (opened->next)
        opened->next->place = opened->place;
    tg_guard_free(opened->guard);
    tg_blob_close(&opened->blob);
    free(opened);
}

static const char *tell_why(void *self)
{
    const struct tg_reading *reading = self;
    return reading->why;
}

struct tg_opener tg_reading_opener(struct tg_reading *reading)
{
    return (struct tg_opener){reading, open_input, close_input, tell_why};
}

enum tg_err tg_reading_check(struct tg_reading *reading, struct tg_report *report)
{
    pthread_mutex_lock(&reading->mu);
    for (const struct tg_opened *opened = reading->opened; opened && !reading->err;
         opened = opened->next)
        check_locked(reading, opened);
    enum tg_err err = reading->err;
    pthread_mutex_unlock(&reading->mu);
    return err ? tg_fault_add(report, err, NULL, "%s", reading->why) : TG_OK;
}

/* Guarded maps are private, read only and never written, so nothing is lost with a page. */
void tg_reading_was_read(struct tg_reading *reading, double bytes)
{
    reading->read += bytes;
    if (reading->read < TG_READING_WINDOW)
        return;
    reading->read = 0;
    for (const struct tg_opened *opened = reading->opened; opened; opened = opened->next)
        if (opened->guard)
            madvise(opened->blob.map, opened->blob.n, MADV_DONTNEED);
}
