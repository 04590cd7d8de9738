/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Origin: see origin.h. */
#include "server/origin.h"

#include <string.h>
#include <strings.h>

static bool is_loopback_name(const char *host)
{
    if (!strncmp(host, "[::1]", 5))
        return !host[5] || host[5] == ':';
    size_t n = strcspn(host, ":");
    if (n == strlen("localhost") && !strncasecmp(host, "localhost", n))
        return true;
    return !strncmp(host, "127.", 4) && strspn(host, "0123456789.") == n;
}

bool tg_origin_is_local(const char *host, const char *origin)
{
    if (!host)
        return !origin;
    if (!is_loopback_name(host))
        return false;
    if (!origin)
        return true;
    const char *authority = strstr(origin, "://");
    return authority && !strcasecmp(authority + 3, host);
}
