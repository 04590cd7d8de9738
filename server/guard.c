/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Guards of mapped files: the list of them, and the handler.
 *
 * DESIGN. The signal comes from the very instruction that read the page, so the handler may
 * do what a function called there might do. That includes taking `mu`: nothing touches a
 * guarded page while it holds it.
 */
#include "server/guard.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <unistd.h>

struct tg_guard {
    LIST_ENTRY(tg_guard) next;
    uintptr_t first, end; /* whole pages */
    atomic_bool broken;
};

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static LIST_HEAD(, tg_guard) guards; /* guarded by mu */
static struct sigaction before;
static uintptr_t page;
static pthread_once_t installed = PTHREAD_ONCE_INIT;

static struct tg_guard *find_locked(uintptr_t at)
{
    struct tg_guard *guard;
    LIST_FOREACH(guard, &guards, next)
    {
        if (at >= guard->first && at < guard->end)
            return guard;
    }
    return NULL;
}

static bool mend_locked(struct tg_guard *guard, uintptr_t at)
{
    uintptr_t from = at / page * page;
    atomic_store(&guard->broken, true);
    return mmap((void *)from, guard->end - from, PROT_READ,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
}

static void handle(int signo, siginfo_t *info, void *context)
{
    (void)context;
    pthread_mutex_lock(&mu);
    struct tg_guard *guard = find_locked((uintptr_t)info->si_addr);
    bool mended = guard && mend_locked(guard, (uintptr_t)info->si_addr);
    pthread_mutex_unlock(&mu);
    if (!mended)
        sigaction(signo, &before, NULL); /* and the access is tried again */
}

static void install(void)
{
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_RESTART};
    page = (uintptr_t)sysconf(_SC_PAGESIZE);
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &before);
}

struct tg_guard *tg_guard_new(void *map, size_t n)
{
    struct tg_guard *guard = calloc(1, sizeof(*guard));
    if (!guard)
        return NULL;
    pthread_once(&installed, install);
    guard->first = (uintptr_t)map;
    guard->end = guard->first + (n + page - 1) / page * page;
    pthread_mutex_lock(&mu);
    LIST_INSERT_HEAD(&guards, guard, next);
    pthread_mutex_unlock(&mu);
    return guard;
}

bool tg_guard_is_broken(const struct tg_guard *guard)
{
    return atomic_load(&guard->broken);
}

void tg_guard_free(struct tg_guard *guard)
{
    if (!guard)
        return;
    pthread_mutex_lock(&mu);
    LIST_REMOVE(guard, next);
    pthread_mutex_unlock(&mu);
    free(guard);
}
