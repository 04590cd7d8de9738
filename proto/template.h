/* SPDX-License-Identifier: GPL-3.0-or-later */
/* JSON written in C: ' stands for ", so that templates can be read. */
#ifndef TG_PROTO_TEMPLATE_H
#define TG_PROTO_TEMPLATE_H

#include <jansson.h>

/* The value of a constant text; new reference, NULL without memory. A bug if malformed. */
json_t *tg_json_template(const char *text);

#endif
