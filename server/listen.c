/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The listening socket. */
#include "server/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* "host:port" or "[host]:port" in two; an empty host is every address. */
static bool split(const char *address, char host[256], const char **port)
{
    const char *colon = strrchr(address, ':');
    const char *begin = address;
    const char *end = colon;
    if (!colon || !colon[1])
        return false;
    if (*begin == '[') {
        if (colon == begin || colon[-1] != ']')
            return false;
        begin++;
        end--;
    }
    if (end < begin || end - begin > 255 ||
        (begin == address && memchr(begin, ':', (size_t)(end - begin))))
        return false;
    snprintf(host, 256, "%.*s", (int)(end - begin), begin);
    *port = colon + 1;
    return strlen(*port) <= 5 && strspn(*port, "0123456789") == strlen(*port);
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof(in));
        return ntohl(in.sin_addr.s_addr) >> 24 == 127;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof(in6));
        return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr) ||
               (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr) && in6.sin6_addr.s6_addr[12] == 127);
    }
    return false;
}

static int open_socket(const struct addrinfo *info)
{
    int on = 1;
    int off = 0;
    int fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (info->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, info->ai_addr, info->ai_addrlen) || listen(fd, 511)) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static unsigned bound_port(int fd)
{
    struct sockaddr_storage address;
    socklen_t n = sizeof(address);
    char port[8];
    unsigned number = 0;
    if (!getsockname(fd, (struct sockaddr *)&address, &n) &&
        !getnameinfo((struct sockaddr *)&address, n, NULL, 0, port, sizeof(port),
                     NI_NUMERICSERV))
        for (const char *p = port; *p; p++)
            number = 10 * number + (unsigned)(*p - '0');
    return number;
}

enum tg_err tg_listen(const char *address, struct tg_listener *listener,
                      struct tg_report *report)
{
    char host[256];
    const char *port;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *infos = NULL;
    if (!split(address, host, &port))
        return tg_fault_add(report, TG_BAD_REQUEST, NULL,
                            "Cannot listen on '%s': write HOST:PORT or [IPV6]:PORT.",
                            address);
    int error = getaddrinfo(*host ? host : NULL, port, &hints, &infos);
    if (error)
        return tg_fault_add(report, TG_BAD_REQUEST, NULL, "Cannot resolve '%s': %s.",
                            address, gai_strerror(error));
    listener->fd = -1;
    for (const struct addrinfo *info = infos; info && listener->fd < 0;
         info = info->ai_next) {
        listener->fd = open_socket(info);
        listener->loopback = is_loopback(info->ai_addr);
    }
    int bind_errno = errno;
    freeaddrinfo(infos);
    if (listener->fd < 0)
        return tg_fault_add(report, TG_INTERNAL, NULL, "Cannot listen on %s: %s.",
                            address, strerror(bind_errno));
    listener->port = bound_port(listener->fd);
    return TG_OK;
}
