/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Tokens. Only the SHA-256 of a token is kept: a token is 32 random bytes, so a slow
 * password hash would add nothing.
 */
#include "server/auth.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/digest.h"

enum { TOKEN_BYTES = 32, TOKEN_MAX = 256 };

struct entry {
    char name[64];
    enum tg_scope scope;
    char hash[TG_SHA256_HEX];
};

struct tg_auth {
    char *path; /* NULL: open */
    pthread_rwlock_t lock;
    struct entry *entry; /* guarded by lock */
    size_t n;            /* guarded by lock */
};

static const char *const scope_names[] = {"none", "read", "submit", "admin"};

/* The highest of a comma-separated list; TG_SCOPE_NONE when a name is unknown. */
static enum tg_scope parse_scopes(const char *text)
{
    enum tg_scope highest = TG_SCOPE_NONE;
    for (const char *p = text;;) {
        size_t n = strcspn(p, ",");
        enum tg_scope scope = TG_SCOPE_ADMIN;
        while (scope &&
               (strlen(scope_names[scope]) != n || memcmp(p, scope_names[scope], n)))
            scope--;
        if (!scope)
            return TG_SCOPE_NONE;
        if (scope > highest)
            highest = scope;
        if (!p[n])
            return highest;
        p += n + 1;
    }
}

static bool is_name(const char *name)
{
    size_t n = strlen(name);
    return n && n < sizeof(((struct entry *)NULL)->name) &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                        "0123456789-._@") == n;
}

static enum tg_err parse_line(char *line, struct entry *entry, bool *found,
                              const char *path, size_t number, struct tg_report *report)
{
    char *rest = NULL;
    const char *name = strtok_r(line, " \t\r\n", &rest);
    *found = name && *name != '#';
    if (!*found)
        return TG_OK;
    const char *scopes = strtok_r(NULL, " \t\r\n", &rest);
    const char *hash = strtok_r(NULL, " \t\r\n", &rest);
    if (!scopes || !hash || strtok_r(NULL, " \t\r\n", &rest) || !is_name(name) ||
        !tg_sha256_is_hex(hash) || !parse_scopes(scopes))
        return tg_fault_add(
            report, TG_BAD_REQUEST, NULL,
            "%s, line %zu: expected NAME, SCOPES (read, submit, admin) and the "
            "SHA-256 of a token; --make-token prints such a line.",
            path, number);
    snprintf(entry->name, sizeof(entry->name), "%s", name);
    snprintf(entry->hash, sizeof(entry->hash), "%s", hash);
    entry->scope = parse_scopes(scopes);
    return TG_OK;
}

static enum tg_err read_entries(FILE *file, const char *path, struct entry **entries,
                                size_t *n, struct tg_report *report)
{
    char *line = NULL;
    size_t size = 0;
    enum tg_err err = TG_OK;
    for (size_t number = 1; !err && getline(&line, &size, file) >= 0; number++) {
        struct entry entry;
        bool found;
        err = parse_line(line, &entry, &found, path, number, report);
        if (err || !found)
            continue;
        struct entry *grown = realloc(*entries, (*n + 1) * sizeof(entry));
        if (!grown) {
            err = TG_NOMEM;
            continue;
        }
        *entries = grown;
        grown[(*n)++] = entry;
    }
    free(line);
    return err;
}

static enum tg_err read_file(const char *path, struct entry **entries, size_t *n,
                             struct tg_report *report)
{
    struct stat stat;
    FILE *file = fopen(path, "re");
    if (!file || fstat(fileno(file), &stat)) {
        enum tg_err err =
            tg_fault_add(report, TG_BAD_REQUEST, NULL,
                         "Cannot read the token file %s: %s.", path, strerror(errno));
        if (file)
            fclose(file);
        return err;
    }
    enum tg_err err;
    if (!S_ISREG(stat.st_mode) || stat.st_mode & 022)
        err = tg_fault_add(
            report, TG_FORBIDDEN, NULL,
            "The token file %s may be written by others; run chmod go-w on it.", path);
    else
        err = read_entries(file, path, entries, n, report);
    fclose(file);
    return err;
}

enum tg_err tg_auth_load(const char *path, struct tg_auth **auth,
                         struct tg_report *report)
{
    struct tg_auth *made = calloc(1, sizeof(*made));
    if (!made)
        return TG_NOMEM;
    pthread_rwlock_init(&made->lock, NULL);
    enum tg_err err = TG_OK;
    if (path && *path) {
        made->path = strdup(path);
        err = made->path ? tg_auth_reload(made, report) : TG_NOMEM;
    }
    if (err) {
        tg_auth_free(made);
        return err;
    }
    *auth = made;
    return TG_OK;
}

enum tg_err tg_auth_reload(struct tg_auth *auth, struct tg_report *report)
{
    struct entry *entries = NULL;
    size_t n = 0;
    if (!auth->path)
        return TG_OK;
    enum tg_err err = read_file(auth->path, &entries, &n, report);
    if (!err) {
        pthread_rwlock_wrlock(&auth->lock);
        struct entry *old = auth->entry;
        auth->entry = entries;
        auth->n = n;
        pthread_rwlock_unlock(&auth->lock);
        entries = old;
    }
    free(entries);
    return err;
}

void tg_auth_free(struct tg_auth *auth)
{
    if (!auth)
        return;
    pthread_rwlock_destroy(&auth->lock);
    free(auth->entry);
    free(auth->path);
    free(auth);
}

bool tg_auth_is_open(const struct tg_auth *auth)
{
    return !auth->path;
}

/* The token of "Bearer TOKEN", or NULL. */
static const char *bearer(const char *authorization)
{
    if (!authorization || strncasecmp(authorization, "Bearer ", 7))
        return NULL;
    const char *token = authorization + 7;
    token += strspn(token, " ");
    size_t n = strlen(token);
    return n && n <= TOKEN_MAX ? token : NULL;
}

enum tg_err tg_auth_check(struct tg_auth *auth, const char *authorization,
                          enum tg_scope scope, char name[64])
{
    name[0] = '\0';
    if (tg_auth_is_open(auth) || scope == TG_SCOPE_NONE)
        return TG_OK;
    const char *token = bearer(authorization);
    if (!token)
        return TG_UNAUTHORIZED;
    char hash[TG_SHA256_HEX];
    tg_sha256_hex(token, strlen(token), hash);
    enum tg_scope granted = TG_SCOPE_NONE;
    pthread_rwlock_rdlock(&auth->lock);
    /*
     * Every entry is compared, so the time taken tells nothing about which one matched.
     */
    for (size_t i = 0; i < auth->n; i++) {
        const struct entry *entry = &auth->entry[i];
        if (tg_equal_constant_time(hash, entry->hash, TG_SHA256_HEX)) {
            granted = entry->scope;
            memcpy(name, entry->name, sizeof(entry->name));
        }
    }
    pthread_rwlock_unlock(&auth->lock);
    if (granted == TG_SCOPE_NONE)
        return TG_UNAUTHORIZED;
    return granted >= scope ? TG_OK : TG_FORBIDDEN;
}

enum tg_err tg_auth_make(const char *spec, struct tg_buf *out, struct tg_report *report)
{
    const char *colon = strchr(spec, ':');
    char name[64] = "";
    if (colon && (size_t)(colon - spec) < sizeof(name))
        memcpy(name, spec, (size_t)(colon - spec));
    if (!is_name(name) || !parse_scopes(colon + 1))
        return tg_fault_add_value(report, TG_BAD_REQUEST, NULL, spec,
                                  "NAME:read, NAME:submit, NAME:admin",
                                  "A token needs a name (letters, digits, - . _ @) and a "
                                  "scope, as in alice:submit.");
    unsigned char bytes[TOKEN_BYTES];
    char token[4 + 2 * TOKEN_BYTES + 1] = "tgt_";
    char hash[TG_SHA256_HEX];
    if (!tg_random_bytes(bytes, sizeof(bytes)))
        return tg_fault_add(report, TG_INTERNAL, NULL,
                            "The system gives no random bytes.");
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(token + 4 + 2 * i, 3, "%02x", bytes[i]);
    tg_sha256_hex(token, strlen(token), hash);
    tg_buf_printf(out, "%s\n%s %s %s\n", token, name, colon + 1, hash);
    return tg_buf_failed(out) ? TG_NOMEM : TG_OK;
}
