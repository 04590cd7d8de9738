/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Deadlines: the earliest of many times, as a binary heap whose entries can be taken out. */
#ifndef TG_SERVER_DEADLINES_H
#define TG_SERVER_DEADLINES_H

#include <stdbool.h>
#include <stddef.h>

/* One time; lies inside its owner. */
struct tg_dated {
    double time;
    void *owner;
    size_t place; /* private: position from 1; 0 while it is in no heap */
};

struct tg_deadlines {
    struct tg_dated **heap;
    size_t n, size;
};

void tg_deadlines_release(struct tg_deadlines *deadlines);
/* False without memory. */
bool tg_deadlines_add(struct tg_deadlines *deadlines, struct tg_dated *dated);
/* Does nothing when it is not in the heap. */
void tg_deadlines_remove(struct tg_deadlines *deadlines, struct tg_dated *dated);
/* NULL when empty. */
const struct tg_dated *tg_deadlines_first(const struct tg_deadlines *deadlines);

#endif
