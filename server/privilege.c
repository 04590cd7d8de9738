/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Privilege: root's part of the start-up, as short as it can be. */
#include "server/privilege.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum tg_err tg_store_dir(const struct tg_config *config, char *out, size_t size,
                         struct tg_report *report)
{
    const char *state = getenv("STATE_DIRECTORY"), *xdg = getenv("XDG_STATE_HOME"),
               *home = getenv("HOME");
    int n;
    if (*config->store)
        n = snprintf(out, size, "%s", config->store);
    else if (state && *state)
        n = snprintf(out, size, "%.*s", (int)strcspn(state, ":"), state);
    else if (!geteuid())
        n = snprintf(out, size, "/var/lib/tangentd");
    else if (xdg && *xdg)
        n = snprintf(out, size, "%s/tangentd", xdg);
    else if (home && *home)
        n = snprintf(out, size, "%s/.local/state/tangentd", home);
    else
        return tg_fault_add(report, TG_INVALID, "--store",
                            "There is no home directory; say where the store is with "
                            "--store DIR.");
    if (n < 0 || (size_t)n >= size)
        return tg_fault_add(report, TG_INVALID, "--store", "The path is too long.");
    return TG_OK;
}

static enum tg_err make_dirs(const char *dir, struct tg_report *report)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s", dir);
    for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(path, 0755); /* what fails here fails below */
        *slash = '/';
    }
    if (mkdir(path, 0700) && errno != EEXIST)
        return tg_fault_add(report, TG_STORE, "--store", "%.150s cannot be made: %s.", dir,
                            strerror(errno));
    return TG_OK;
}

static bool is_empty(int fd)
{
    DIR *dir = fdopendir(dup(fd));
    unsigned entries = 0;
    while (dir && readdir(dir))
        entries++;
    if (dir)
        closedir(dir);
    return entries == 2; /* "." and ".." */
}

static enum tg_err give_dir(const char *path, const struct passwd *user,
                            struct tg_report *report)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool given = fd >= 0 && !fstat(fd, &st) &&
                 (st.st_uid != 0 || !is_empty(fd) || !fchown(fd, user->pw_uid, user->pw_gid));
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (given)
        return TG_OK;
    return tg_fault_add(report, TG_STORE, "--store", "%.120s cannot be given to %.40s: %s.",
                        path, user->pw_name, strerror(error));
}

static enum tg_err become(const struct passwd *user, struct tg_report *report)
{
    if (initgroups(user->pw_name, user->pw_gid) || setgid(user->pw_gid) ||
        setuid(user->pw_uid))
        return tg_fault_add(report, TG_FORBIDDEN, "--user", "The user cannot be changed: %s.",
                            strerror(errno));
    if (user->pw_uid && !setuid(0))
        return tg_fault_add(report, TG_FORBIDDEN, "--user",
                            "The user was changed but root could be had back.");
    return TG_OK;
}

enum tg_err tg_drop_privilege(const struct tg_config *config, const char *dir,
                              struct tg_report *report)
{
    TG_TRY(make_dirs(dir, report));
    if (geteuid() != 0 || !strcmp(config->user, "root"))
        return TG_OK;
    const struct passwd *user = getpwnam(config->user);
    if (!user)
        return tg_fault_add(report, TG_FORBIDDEN, "--user",
                            "Started as root, but there is no user '%.40s' to become. Make "
                            "it (useradd --system %.40s), name another with --user, or stay "
                            "root with --user=root.",
                            config->user, config->user);
    TG_TRY(give_dir(dir, user, report));
    return become(user, report);
}
