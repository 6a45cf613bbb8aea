/*
 * Each event loop has a listening socket of its own (SO_REUSEPORT), because the kernel then spreads
 * the connections evenly; one socket shared by all loops once left all of them with one loop.
 *
 * SO_REUSEPORT alone would let a second server join in silence and take half of the connections. So
 * the first socket is bound and listens without it, which fails if anything else is there, and
 * is opened to the others only afterwards. The port is never free in between, which matters when
 * the kernel chose it (port 0).
 */
#include "http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"

enum { BACKLOG = 1024, PORT_MAX = 65535 };

union listen_address {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
};

static bool parse_listen(const char *listen_text, union listen_address *ret_address)
{
    char host[INET6_ADDRSTRLEN + 2];
    int64_t port;
    const char *colon = strrchr(listen_text, ':');
    size_t length = colon ? (size_t)(colon - listen_text) : 0;
    if (!colon || length >= sizeof host || !text_to_int(colon + 1, &port) || port < 0 ||
        port > PORT_MAX)
        return false;
    memcpy(host, listen_text, length);
    host[length] = '\0';
    *ret_address = (union listen_address){0};
    if (host[0] == '[' && host[length - 1] == ']') {
        host[length - 1] = '\0';
        ret_address->ipv6.sin6_family = AF_INET6;
        ret_address->ipv6.sin6_port = htons((uint16_t)port);
        return inet_pton(AF_INET6, host + 1, &ret_address->ipv6.sin6_addr) == 1;
    }
    ret_address->ipv4.sin_family = AF_INET;
    ret_address->ipv4.sin_port = htons((uint16_t)port);
    return inet_pton(AF_INET, host, &ret_address->ipv4.sin_addr) == 1;
}

static void format_listen(const union listen_address *address, char *text, size_t size)
{
    char host[INET6_ADDRSTRLEN];
    if (address->any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &address->ipv6.sin6_addr, host, sizeof host);
        snprintf(text, size, "[%s]:%d", host, ntohs(address->ipv6.sin6_port));
    } else {
        inet_ntop(AF_INET, &address->ipv4.sin_addr, host, sizeof host);
        snprintf(text, size, "%s:%d", host, ntohs(address->ipv4.sin_port));
    }
}

static int switch_on(int socket, int option)
{
    return setsockopt(socket, SOL_SOCKET, option, &(int){1}, sizeof(int));
}

/** A listening socket, or −1 with errno. */
static int listen_on(const union listen_address *address, bool shared)
{
    int one = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (one < 0)
        return -1;
    socklen_t size =
        address->any.sa_family == AF_INET6 ? sizeof address->ipv6 : sizeof address->ipv4;
    if (switch_on(one, SO_REUSEADDR) == 0 && (!shared || switch_on(one, SO_REUSEPORT) == 0) &&
        bind(one, &address->any, size) == 0 && listen(one, BACKLOG) == 0)
        return one;
    int failure = errno;
    close(one);
    errno = failure;
    return -1;
}

static enum status describe_failure(const char *address, struct err *err)
{
    if (errno == EADDRINUSE)
        return err_set(err, CONFLICT, NULL, "something listens on %s already", address);
    return err_set(err, INVALID, NULL, "cannot listen on %s: %s", address, strerror(errno));
}

static enum status open_others(const union listen_address *address, size_t count, int *sockets,
                               const char *text, struct err *err)
{
    if (count > 1 && switch_on(sockets[0], SO_REUSEPORT) != 0)
        return describe_failure(text, err);
    for (size_t i = 1; i < count; i++) {
        sockets[i] = listen_on(address, true);
        if (sockets[i] < 0) {
            enum status status = describe_failure(text, err);
            while (--i > 0)
                close(sockets[i]);
            return status;
        }
    }
    return OK;
}

enum status listen_open(const char *listen, size_t count, int *ret_sockets, char *ret_address,
                        size_t address_size, struct err *err)
{
    union listen_address address;
    if (!parse_listen(listen, &address))
        return err_set(err, INVALID, NULL,
                       "'%s' is not an address such as 127.0.0.1:8080 or [::1]:8080", listen);
    ret_sockets[0] = listen_on(&address, false);
    if (ret_sockets[0] < 0)
        return describe_failure(listen, err);
    socklen_t size = sizeof address;
    getsockname(ret_sockets[0], &address.any, &size);
    format_listen(&address, ret_address, address_size);
    enum status status = open_others(&address, count, ret_sockets, ret_address, err);
    if (status != OK)
        close(ret_sockets[0]);
    return status;
}
