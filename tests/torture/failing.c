/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Allocations that fail on demand. */
#include "failing.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum prey { NOBODY, MINE, OTHERS };
static _Atomic(enum prey) prey;
static atomic_long countdown; /* at 1 the next allocation fails */
static _Thread_local bool spared;
static _Thread_local bool hunting; /* this thread called fail_mine() or fail_others() */

static void hunt(enum prey whom, long n)
{
    hunting = true;
    atomic_store(&countdown, n);
    atomic_store(&prey, whom);
}

void fail_mine(long n)
{
    hunt(MINE, n);
}

void fail_others(long n)
{
    hunt(OTHERS, n);
}

bool fail_stop(void)
{
    atomic_store(&prey, NOBODY);
    return atomic_load(&countdown) < 1;
}

static bool fails(void)
{
    enum prey now = atomic_load_explicit(&prey, memory_order_relaxed);
    if (now == NOBODY || (now == MINE) != hunting || spared ||
        atomic_fetch_sub(&countdown, 1) != 1)
        return false;
    errno = ENOMEM;
    return true;
}

#ifdef __has_feature /* clang's way to tell */
#if __has_feature(address_sanitizer)
#define ASAN
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define ASAN
#endif

#ifdef ASAN
#define REAL(name) __interceptor_##name

/* AddressSanitizer calls this in every new thread and gives up when it fails. */
int pthread_getattr_np(pthread_t thread, pthread_attr_t *attr)
{
    int (*next)(pthread_t, pthread_attr_t *);
    spared = true;
    *(void **)&next = dlsym(RTLD_NEXT, "pthread_getattr_np");
    int error = next(thread, attr);
    spared = false;
    return error;
}

/* libzip loses the state of a checksum when it cannot make the source that goes with it.
 */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libzip.so\n";
}
#else
#define REAL(name) __libc_##name
#endif
void *REAL(malloc)(size_t size);
void *REAL(calloc)(size_t count, size_t size);
void *REAL(realloc)(void *p, size_t size);
void *REAL(memalign)(size_t alignment, size_t size);

void *malloc(size_t size)
{
    return fails() ? NULL : REAL(malloc)(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : REAL(calloc)(count, size);
}

void *realloc(void *p, size_t size)
{
    return fails() ? NULL : REAL(realloc)(p, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : REAL(memalign)(alignment, size);
}
