/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Arena: memory that is taken in pieces and given back as a whole, under a hard cap.
 *
 * DESIGN. A job's arena is created with the cap that its estimate reserved. An analysis
 * lays its whole workspace out in one static layout() function; estimate() calls it with a
 * measuring arena (no memory behind it, only the sum), run() with a real one, so the two
 * cannot drift apart. Every piece starts on a 64-byte boundary.
 */
#ifndef TG_CORE_ARENA_H
#define TG_CORE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct tg_arena;

/* A real arena. Returns NULL when the small control block cannot be allocated. */
struct tg_arena *tg_arena_new(size_t cap);

/* A measuring arena: alloc returns NULL and counts; for estimate(). */
struct tg_arena *tg_arena_new_measuring(void);
bool tg_arena_is_measuring(const struct tg_arena *arena);

/* Frees every piece and the arena. NULL is allowed. */
void tg_arena_free(struct tg_arena *arena);

/*
 * `count * size` zeroed bytes, 64-byte aligned. NULL over the cap, on overflow, when the
 * system has no memory, and always from a measuring arena (which counts the bytes).
 * tg_arena_failed() tells a failure from measuring. A count of 0 gives a valid pointer.
 */
void *tg_arena_alloc(struct tg_arena *arena, size_t count, size_t size);
bool tg_arena_failed(const struct tg_arena *arena);

char *tg_arena_strdup(struct tg_arena *arena, const char *text);
char *tg_arena_printf(struct tg_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Bytes in use now (rounded to 64 a piece) and the most there ever were. */
size_t tg_arena_used(const struct tg_arena *arena);
size_t tg_arena_high_water(const struct tg_arena *arena);

#endif
