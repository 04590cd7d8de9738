/* SPDX-License-Identifier: GPL-3.0-or-later */
/* JSON made in C. */
#include "proto/template.h"

#include <stdlib.h>
#include <string.h>

#include "proto/jsonload.h"

json_t *tg_json_template(const char *text)
{
    char *json = strdup(text);
    if (!json)
        return NULL;
    for (char *p = json; *p; p++)
        if (*p == '\'')
            *p = '"';
    json_t *value = tg_json_load(json);
    free(json);
    return value;
}

void tg_json_set(json_t **object, const char *name, json_t *value)
{
    if (json_object_set_new(*object, name, value)) {
        json_decref(*object);
        *object = NULL;
    }
}

void tg_json_append(json_t **list, json_t *value)
{
    if (json_array_append_new(*list, value)) {
        json_decref(*list);
        *list = NULL;
    }
}
