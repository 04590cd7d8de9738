/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a fault says: where (JSON pointer), what was got, and what was probably meant. */
#ifndef TG_PROTO_FAULT_H
#define TG_PROTO_FAULT_H

#include <jansson.h>

#include "core/err.h"
#include "proto/json.h"

enum { TG_POINTER_SIZE = sizeof(((struct tg_fault *)0)->pointer) };
enum { TG_GOT_SIZE = sizeof(((struct tg_fault *)0)->got) };

/* `base` and one more reference token, "~" and "/" escaped; returns `out`. May be `base`. */
char *tg_pointer_add(char out[TG_POINTER_SIZE], const char *base, const char *member);
char *tg_pointer_index(char out[TG_POINTER_SIZE], const char *base, size_t index);

/* A JSON value in few words; `body` (or NULL) tells the shape of number arrays. */
char *tg_value_text(const json_t *value, const struct tg_json_body *body,
                    char out[TG_GOT_SIZE]);

/* The choice that `word` is probably a slip of, or NULL. NULL choices are passed over. */
const char *tg_nearest(const char *word, const char *const *choice, size_t n);

/* The fault of a name that is none of the choices, with the nearest and the list. */
enum tg_err tg_fault_unknown(struct tg_report *report, const char *pointer, const char *what,
                             const char *word, const char *const *choice, size_t n);

/* "a, b, c", cut with "..." when it does not fit; returns `out`. */
char *tg_join(char *out, size_t size, const char *const *choice, size_t n);

#endif
