/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The list of kinds. */
#include "proto/kind.h"

#include <string.h>

#define TG_KIND(name) extern const struct tg_kind tg_kind_##name;
#include "proto/kinds.def"
#undef TG_KIND

const struct tg_kind *const tg_kinds[] = {
#define TG_KIND(name) &tg_kind_##name,
#include "proto/kinds.def"
#undef TG_KIND
};
const size_t tg_nkinds = sizeof(tg_kinds) / sizeof(tg_kinds[0]);

const struct tg_kind *tg_kind_find(const char *name)
{
    for (size_t i = 0; i < tg_nkinds; i++)
        if (!strcmp(tg_kinds[i]->name, name))
            return tg_kinds[i];
    return NULL;
}
