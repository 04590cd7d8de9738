/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Deadlines: heap[i - 1] is at place i; its parent is at place i / 2. */
#include "server/deadlines.h"

#include <stdlib.h>

void tg_deadlines_release(struct tg_deadlines *deadlines)
{
    free(deadlines->heap);
    *deadlines = (struct tg_deadlines){0};
}

static void put(struct tg_deadlines *deadlines, struct tg_dated *dated, size_t place)
{
    deadlines->heap[place - 1] = dated;
    dated->place = place;
}

/* Puts `dated` where it belongs, `place` being free. */
static void settle(struct tg_deadlines *deadlines, struct tg_dated *dated, size_t place)
{
    struct tg_dated **heap = deadlines->heap;
    while (place > 1 && dated->time < heap[place / 2 - 1]->time) {
        put(deadlines, heap[place / 2 - 1], place);
        place /= 2;
    }
    for (size_t child; (child = 2 * place) <= deadlines->n; place = child) {
        if (child < deadlines->n && heap[child]->time < heap[child - 1]->time)
            child++;
        if (dated->time <= heap[child - 1]->time)
            break;
        put(deadlines, heap[child - 1], place);
    }
    put(deadlines, dated, place);
}

bool tg_deadlines_add(struct tg_deadlines *deadlines, struct tg_dated *dated)
{
    if (deadlines->n == deadlines->size) {
        size_t size = deadlines->size ? 2 * deadlines->size : 64;
        struct tg_dated **heap = realloc(deadlines->heap, size * sizeof(struct tg_dated *));
        if (!heap)
            return false;
        deadlines->heap = heap;
        deadlines->size = size;
    }
    settle(deadlines, dated, ++deadlines->n);
    return true;
}

void tg_deadlines_remove(struct tg_deadlines *deadlines, struct tg_dated *dated)
{
    size_t place = dated->place;
    if (!place)
        return;
    dated->place = 0;
    struct tg_dated *last = deadlines->heap[--deadlines->n];
    if (last != dated)
        settle(deadlines, last, place);
}

const struct tg_dated *tg_deadlines_first(const struct tg_deadlines *deadlines)
{
    return deadlines->n ? deadlines->heap[0] : NULL;
}
