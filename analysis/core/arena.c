/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Arena: a list of pieces under one cap. Large pieces are mapped, so that what is never
 * touched costs nothing and what is freed goes back to the system at once. */
#include "core/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/err.h"

enum { ALIGN = 64, MAP_FROM = 1 << 20, HUGE_FROM = 8 << 20 };

struct piece {
    struct piece *next;
    void *base;
    size_t bytes;
    bool mapped;
};

struct tg_arena {
    size_t cap, used;
    bool measuring, failed;
    struct piece *pieces;
};

struct tg_arena *tg_arena_new(size_t cap)
{
    struct tg_arena *arena = calloc(1, sizeof(*arena));
    if (arena)
        arena->cap = cap;
    return arena;
}

struct tg_arena *tg_arena_new_measuring(void)
{
    struct tg_arena *arena = tg_arena_new(SIZE_MAX);
    if (arena)
        arena->measuring = true;
    return arena;
}

bool tg_arena_is_measuring(const struct tg_arena *arena)
{
    return arena->measuring;
}

void tg_arena_free(struct tg_arena *arena)
{
    if (!arena)
        return;
    while (arena->pieces) {
        struct piece *piece = arena->pieces;
        arena->pieces = piece->next;
        if (piece->mapped)
            munmap(piece->base, piece->bytes);
        else
            free(piece->base);
        free(piece);
    }
    free(arena);
}

static void *obtain(size_t bytes, bool *mapped)
{
    *mapped = bytes >= MAP_FROM;
    if (*mapped) {
        void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
            return NULL;
        if (bytes >= HUGE_FROM)
            (void)madvise(p, bytes, MADV_HUGEPAGE); /* a page fault for 2 MiB, not for 4 KiB */
        return p;
    }
    void *p = aligned_alloc(ALIGN, bytes);
    return p ? memset(p, 0, bytes) : NULL;
}

void *tg_arena_alloc(struct tg_arena *arena, size_t count, size_t size)
{
    size_t bytes, used;
    if (!tg_mul_ok(count, size, &bytes) || !tg_add_ok(bytes, ALIGN - 1, &bytes))
        goto fail;
    bytes &= ~(size_t)(ALIGN - 1);
    if (!bytes)
        bytes = ALIGN;
    if (!tg_add_ok(arena->used, bytes, &used) || used > arena->cap)
        goto fail;
    if (arena->measuring) {
        arena->used = used;
        return NULL;
    }
    struct piece *piece = malloc(sizeof(*piece));
    if (!piece)
        goto fail;
    piece->base = obtain(bytes, &piece->mapped);
    if (!piece->base) {
        free(piece);
        goto fail;
    }
    piece->bytes = bytes;
    piece->next = arena->pieces;
    arena->pieces = piece;
    arena->used = used;
    return piece->base;
fail:
    arena->failed = true;
    return NULL;
}

bool tg_arena_failed(const struct tg_arena *arena)
{
    return arena->failed;
}

char *tg_arena_strdup(struct tg_arena *arena, const char *text)
{
    size_t n = strlen(text) + 1;
    char *p = tg_arena_alloc(arena, n, 1);
    return p ? memcpy(p, text, n) : NULL;
}

char *tg_arena_printf(struct tg_arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0)
        return NULL;
    char *p = tg_arena_alloc(arena, (size_t)n + 1, 1);
    if (!p)
        return NULL;
    va_start(args, format);
    vsnprintf(p, (size_t)n + 1, format, args);
    va_end(args);
    return p;
}

size_t tg_arena_used(const struct tg_arena *arena)
{
    return arena->used;
}

size_t tg_arena_high_water(const struct tg_arena *arena)
{
    return arena->used; /* pieces are only freed all together */
}
