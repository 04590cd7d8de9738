/* SPDX-License-Identifier: GPL-3.0-or-later */
/* JSON made in C. */
#ifndef TG_PROTO_TEMPLATE_H
#define TG_PROTO_TEMPLATE_H

#include <jansson.h>

/*
 * The value of a constant, well-formed text in which ' stands for ". New reference, NULL
 * without memory.
 */
json_t *tg_json_template(const char *text);

/*
 * Add and take `value`. When that fails, or value is NULL, the whole is dropped and becomes
 * NULL; adding to NULL keeps it NULL. So a builder checks once at the end.
 */
void tg_json_set(json_t **object, const char *name, json_t *value);
void tg_json_append(json_t **list, json_t *value);

#endif
