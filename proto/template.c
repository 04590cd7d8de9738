/* SPDX-License-Identifier: GPL-3.0-or-later */
/* JSON written in C. */
#include "proto/template.h"

#include <stdlib.h>
#include <string.h>

#include "core/err.h"

json_t *tg_json_template(const char *text)
{
    char *json = strdup(text);
    if (!json)
        return NULL;
    for (char *p = json; *p; p++)
        if (*p == '\'')
            *p = '"';
    json_error_t error;
    json_t *value = json_loads(json, 0, &error);
    free(json);
    if (!value && json_error_code(&error) != json_error_out_of_memory)
        TG_BUG("a template is not JSON");
    return value;
}
