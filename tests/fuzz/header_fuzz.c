/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Request lines and headers: a request's head as text, each line handed to whoever reads
 * it in the server. What is accepted must hold what its reader promises.
 */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "proto/rfc3339.h"
#include "server/accept.h"
#include "server/auth.h"
#include "server/header.h"
#include "server/origin.h"
#include "server/routes.h"
#include "server/uri.h"

#define TOKEN "tgt_0123456789"
#define ETAG  "\"0123456789abcdef-json\""

static void require(bool promise)
{
    if (!promise)
        abort();
}

static void check_route(const char *method, const char *path)
{
    const struct tg_route *route = NULL;
    const char *arg[4] = {NULL};
    char storage[512], allow[64];
    enum tg_err err =
        tg_route_find(method, path, &route, arg, storage, sizeof(storage), allow);
    require(err ? err == TG_NOT_FOUND || *allow : route != NULL);
    for (size_t i = 0; !err && i < 4 && arg[i]; i++)
        require(*arg[i] && !strchr(arg[i], '/') && strstr(path, arg[i]));
}

/* A path that is taken is plain, and comes back from its escaped form. */
static void check_target(const char *method, const char *target)
{
    char path[512], again[512];
    struct tg_buf escaped;
    struct tg_report report;
    tg_report_init(&report);
    if (tg_uri_path(target, path, sizeof(path), &report)) {
        require(report.detail[0]);
        return;
    }
    size_t n = strlen(path);
    require(path[0] == '/' && !strstr(path, "//") && !strstr(path, "/../") &&
            !strstr(path, "/./"));
    for (size_t i = 0; i < n; i++)
        require((unsigned char)path[i] >= 0x20 && path[i] != 0x7f);
    tg_buf_init(&escaped, 1 << 12);
    tg_buf_puts(&escaped, "/");
    tg_uri_escape(&escaped, path + 1);
    require(!tg_buf_failed(&escaped) &&
            !tg_uri_path(escaped.p, again, sizeof(again), NULL) && !strcmp(path, again));
    tg_buf_release(&escaped);
    check_route(method, path);
}

static void check_accept(const char *value)
{
    static const char *const types[] = {"application/json", "text/plain",
                                        "application/x-npy"};
    int all = tg_accept_choose(value, types, 3);
    require(all >= -1 && all < 3);
    for (int i = 0; i < 3;
         i++) /* what is chosen is wanted, what is not may be unwanted */
        require(all >= 0 || tg_accept_choose(value, &types[i], 1) < 0);
    require(all < 0 || !tg_accept_choose(value, &types[all], 1));
}

static void check_range(const char *value)
{
    static const uint64_t sizes[] = {0, 1, 1000, UINT64_MAX};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint64_t first, last;
        if (tg_range_parse(value, sizes[i], &first, &last) == TG_RANGE_PART)
            require(first <= last && last < sizes[i]);
    }
}

static void check_content_range(const char *value)
{
    char text[80];
    uint64_t first, last, total;
    if (!tg_content_range_parse(value, &first, &last, &total))
        return;
    uint64_t number[3];
    require(first <= last && last < total);
    snprintf(text, sizeof(text), "bytes %llu-%llu/%llu", (unsigned long long)first,
             (unsigned long long)last, (unsigned long long)total);
    require(tg_content_range_parse(text, &number[0], &number[1], &number[2]) &&
            number[0] == first && number[1] == last && number[2] == total);
}

static void check_prefer(const char *value)
{
    struct tg_prefer prefer = tg_prefer_parse(value);
    require(prefer.wait_s >= 0 && prefer.wait_s <= TG_WAIT_MAX_S);
    require(prefer.wait_given || prefer.wait_s <= 0);
}

static void check_etag(const char *value)
{
    bool found = tg_etag_matches(value, ETAG);
    require(found == tg_etag_matches(value, "W/" ETAG));
    require(!found || strstr(value, ETAG) || strchr(value, '*'));
}

static void check_host(const char *value)
{
    if (tg_origin_is_local(value, NULL))
        require(!strncasecmp(value, "localhost", 9) || !strncmp(value, "127.", 4) ||
                !strncmp(value, "[::1]", 5));
    require(!tg_origin_is_local(NULL, value));
}

static void check_origin(const char *value)
{
    if (tg_origin_is_local("localhost:8748", value))
        require(!strcasecmp(strstr(value, "://") + 3, "localhost:8748"));
}

/* Tokens from a file, as the daemon has them. */
static struct tg_auth *load_tokens(void)
{
    struct tg_auth *auth = NULL;
    char path[] = "/tmp/tangentd-fuzz-XXXXXX", hash[TG_SHA256_HEX];
    tg_sha256_hex(TOKEN, strlen(TOKEN), hash);
    int fd = mkstemp(path);
    require(fd >= 0 && dprintf(fd, "anna submit %s\n", hash) > 0);
    require(!tg_auth_load(path, &auth, NULL));
    close(fd);
    unlink(path);
    return auth;
}

static void check_authorization(const char *value)
{
    static struct tg_auth *auth;
    char name[64];
    if (!auth)
        auth = load_tokens();
    bool known = !tg_auth_check(auth, value, TG_SCOPE_SUBMIT, name);
    require(tg_auth_check(auth, value, TG_SCOPE_ADMIN, name) != TG_OK);
    if (known)
        require(!strncasecmp(value, "Bearer ", 7) && strstr(value, TOKEN) &&
                !strcmp(name, "anna"));
}

static void check_time(const char *value)
{
    double seconds;
    if (tg_rfc3339_read(value, &seconds))
        require(seconds > -1e12 && seconds < 1e12);
}

static void check_media(const char *value)
{
    if (tg_media_is(value, "application/json"))
        require(!strncasecmp(value + strspn(value, " \t"), "application/json", 16));
    require(!tg_header_has(value, "no-store") || strcasestr(value, "no-store"));
}

static const struct {
    const char *name;
    void (*check)(const char *value);
} readers[] = {
    {"Accept", check_accept},
    {"Range", check_range},
    {"Content-Range", check_content_range},
    {"Prefer", check_prefer},
    {"If-None-Match", check_etag},
    {"Host", check_host},
    {"Origin", check_origin},
    {"Authorization", check_authorization},
    {"Since", check_time},
    {"Content-Type", check_media},
};

/* "NAME: value"; a name may be cut to its first letters, so that mutations need not
 * spell. */
static void check_line(char *line)
{
    char *colon = strchr(line, ':');
    if (!colon)
        return;
    size_t n = (size_t)(colon - line);
    const char *value = colon + 1 + (colon[1] == ' ');
    for (size_t i = 0; n && i < sizeof(readers) / sizeof(readers[0]); i++)
        if (!strncasecmp(readers[i].name, line, n))
            readers[i].check(value);
}

/* "METHOD target HTTP/1.1" */
static void check_request_line(char *line)
{
    char *target = strchr(line, ' ');
    if (!target)
        return;
    *target++ = '\0';
    target[strcspn(target, " ")] = '\0';
    check_target(line, target);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool first = true;
    for (size_t at = 0; at < size; first = false) {
        const uint8_t *newline = memchr(data + at, '\n', size - at);
        size_t n = newline ? (size_t)(newline - data) - at : size - at;
        char *line = strndup((const char *)data + at, n); /* ends at a NUL, too */
        if (!line)
            break;
        if (first)
            check_request_line(line);
        else
            check_line(line);
        free(line);
        at += n + 1;
    }
    return 0;
}
