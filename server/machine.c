/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The machine: a limit of any group above ours is a limit of ours, so all are read. */
#include "server/machine.h"

#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* The first line of a small file; false if there is none. */
static bool read_line(const char *path, char *line, int size)
{
    FILE *file = fopen(path, "re");
    bool found = file && fgets(line, size, file);
    if (file)
        fclose(file);
    return found;
}

typedef void visit_fn(const char *line, void *arg);

/* Reads `name` of the group `group` below `mount` and of every group above it. */
static void visit_groups(const char *mount, char *group, const char *name, visit_fn *visit,
                         void *arg)
{
    char path[PATH_MAX], line[128];
    for (;;) {
        int n = snprintf(path, sizeof(path), "%s%s/%s", mount, group, name);
        if (n < (int)sizeof(path) && read_line(path, line, sizeof(line)))
            visit(line, arg);
        char *slash = strrchr(group, '/');
        if (!slash)
            return;
        *slash = '\0';
    }
}

/* Whether the comma-separated list holds `name`; an empty list is that of cgroup v2. */
static bool has_controller(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',')
        if (strcspn(p, ",") == n && !strncmp(p, name, n))
            return true;
    return false;
}

struct limit_file {
    const char *controller, *v1, *v2;
};

static void visit_limits(const struct limit_file *file, visit_fn *visit, void *arg)
{
    char line[PATH_MAX], mount[64];
    FILE *groups = fopen("/proc/self/cgroup", "re");
    while (groups && fgets(line, sizeof(line), groups)) {
        char *list = strchr(line, ':');
        char *group = list ? strchr(list + 1, ':') : NULL;
        if (!group)
            continue;
        *group++ = '\0';
        group[strcspn(group, "\n")] = '\0';
        if (!list[1]) {
            visit_groups("/sys/fs/cgroup", group, file->v2, visit, arg);
        } else if (has_controller(list + 1, file->controller)) {
            snprintf(mount, sizeof(mount), "/sys/fs/cgroup/%s", file->controller);
            visit_groups(mount, group, file->v1, visit, arg);
        }
    }
    if (groups)
        fclose(groups);
}

static void least_bytes(const char *line, void *arg)
{
    uint64_t *least = arg, bytes;
    if (sscanf(line, "%" SCNu64, &bytes) == 1 && bytes < *least)
        *least = bytes;
}

uint64_t tg_machine_memory(void)
{
    static const struct limit_file file = {"memory", "memory.limit_in_bytes", "memory.max"};
    uint64_t least =
        (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    struct rlimit space;
    if (!getrlimit(RLIMIT_AS, &space) && space.rlim_cur < least)
        least = space.rlim_cur;
    visit_limits(&file, least_bytes, &least);
    return least;
}

/* cpu.max is "quota period" or "max period"; v1 has no such pair and is left to affinity. */
static void least_cores(const char *line, void *arg)
{
    unsigned *least = arg;
    uint64_t quota, period;
    if (sscanf(line, "%" SCNu64 " %" SCNu64, &quota, &period) != 2 || !period)
        return;
    uint64_t cores = quota / period + (quota % period != 0);
    if (cores < *least)
        *least = (unsigned)cores;
}

unsigned tg_machine_cores(void)
{
    static const struct limit_file file = {"", "", "cpu.max"};
    cpu_set_t set;
    unsigned cores = 1;
    if (!sched_getaffinity(0, sizeof(set), &set))
        cores = (unsigned)CPU_COUNT(&set);
    visit_limits(&file, least_cores, &cores);
    return cores ? cores : 1;
}

/* Sanitizers keep marks of their own between what lies on a stack. */
__attribute__((no_sanitize("address", "thread"))) static bool is_zero(const uint64_t *p,
                                                                      size_t bytes)
{
    for (size_t i = 0; i < bytes / sizeof(*p); i++)
        if (p[i])
            return false;
    return true;
}

void tg_machine_trim_stack(void)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    pthread_attr_t attr;
    void *stack;
    size_t size;
    if (pthread_getattr_np(pthread_self(), &attr))
        return;
    if (!pthread_attr_getstack(&attr, &stack, &size)) {
        uintptr_t at = ((uintptr_t)__builtin_frame_address(0) + page) & ~(page - 1);
        for (; at + page <= (uintptr_t)stack + size; at += page)
            if (is_zero((const uint64_t *)at, page))
                madvise((void *)at, page, MADV_DONTNEED);
    }
    pthread_attr_destroy(&attr);
}
