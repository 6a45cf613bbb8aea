#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "answer.h"
#include "base/mem.h"
#include "base/text.h"

enum {
    ANSWER_MAX_BYTES = 8 << 20,
    CHUNK_BYTES = 64 << 10,
    PATIENCE_MS = 60000,
    SPARE_DESCRIPTORS = 32, /* beside the connections */
};

static enum status raise_descriptor_limit(size_t connections, struct err *err)
{
    struct rlimit limit;
    rlim_t need = connections + SPARE_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return err_set(err, INTERNAL, NULL, "no limit of descriptors: %s", strerror(errno));
    if (limit.rlim_cur >= need)
        return OK;
    limit.rlim_cur = need;
    if (limit.rlim_max < need || setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return err_set(err, UNAVAILABLE, NULL, "needs %zu descriptors; see ulimit -Hn",
                       (size_t)need);
    return OK;
}

static enum status parse_url(struct wire *wire, const char *url, struct sockaddr_in *ret_address,
                             struct err *err)
{
    static const char scheme[] = "http://";
    struct sockaddr_in address = {.sin_family = AF_INET};
    char ip[INET_ADDRSTRLEN] = "";
    int64_t port = 0;
    if (strncmp(url, scheme, sizeof scheme - 1) == 0)
        snprintf(wire->host, sizeof wire->host, "%s", url + sizeof scheme - 1);
    const char *colon = strchr(wire->host, ':');
    if (colon && (size_t)(colon - wire->host) < sizeof ip)
        memcpy(ip, wire->host, (size_t)(colon - wire->host));
    if (!colon || inet_pton(AF_INET, ip, &address.sin_addr) != 1 ||
        !text_to_int(colon + 1, &port) || port < 1 || port > UINT16_MAX)
        return err_set(err, INVALID, "--url", "must be like http://127.0.0.1:8080");
    address.sin_port = htons((uint16_t)port);
    *ret_address = address;
    return OK;
}

/** Connecting may block: the backlog of a busy server is shorter than a herd. */
static enum status open_connection(struct wire *wire, struct connection *connection,
                                   const struct sockaddr_in *address, struct err *err)
{
    const int on = 1;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    connection->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->socket < 0 ||
        connect(connection->socket, (const struct sockaddr *)address, sizeof *address) != 0 ||
        setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        epoll_ctl(wire->epoll, EPOLL_CTL_ADD, connection->socket, &event) != 0)
        return err_set(err, UNAVAILABLE, NULL, "connection %u to %s: %s", connection->number,
                       wire->host, strerror(errno));
    return OK;
}

enum status wire_open(struct wire *wire, const char *url, size_t count, struct err *err)
{
    struct sockaddr_in address;
    *wire = (struct wire){.epoll = epoll_create1(EPOLL_CLOEXEC)};
    if (wire->epoll < 0)
        return err_set(err, INTERNAL, NULL, "epoll: %s", strerror(errno));
    enum status status = parse_url(wire, url, &address, err);
    if (status == OK)
        status = raise_descriptor_limit(count, err);
    wire->connections = mem_zalloc(count, sizeof *wire->connections);
    while (status == OK && wire->count < count) {
        struct connection *connection = &wire->connections[wire->count];
        connection->number = (unsigned)wire->count++;
        buf_init(&connection->in, ANSWER_MAX_BYTES);
        status = open_connection(wire, connection, &address, err);
    }
    return status;
}

void wire_close(struct wire *wire, struct connection *connection)
{
    if (connection->waits)
        wire->waiting--;
    connection->waits = false;
    if (connection->socket >= 0)
        close(connection->socket);
    connection->socket = -1;
}

void wire_release(struct wire *wire)
{
    for (size_t i = 0; i < wire->count; i++) {
        wire_close(wire, &wire->connections[i]);
        buf_release(&wire->connections[i].in);
    }
    free(wire->connections);
    if (wire->epoll > 0)
        close(wire->epoll);
    *wire = (struct wire){0};
}

/** Its end; whoever waits for it learns why. */
static void give_up(struct wire *wire, struct connection *connection, const char *why)
{
    snprintf(connection->fault, sizeof connection->fault, "%s", why);
    wire_close(wire, connection);
}

bool wire_send(struct wire *wire, struct connection *connection, const char *request, size_t length)
{
    if (connection->socket < 0)
        return false;
    buf_clear(&connection->in);
    connection->head_bytes = 0;
    connection->answer = (struct answer){0};
    ssize_t sent = send(connection->socket, request, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent != (ssize_t)length) {
        /* A small request always fits into the buffer of a socket on which nothing is under way. */
        give_up(wire, connection, sent < 0 ? strerror(errno) : "took only a part of the request");
        return false;
    }
    connection->waits = true;
    wire->waiting++;
    return true;
}

/** With what has come: true once the answer is whole, or if it is wrong. */
static bool is_complete(struct wire *wire, struct connection *connection)
{
    struct err err = {0};
    struct buf *in = &connection->in;
    enum status status = OK;
    if (!connection->head_bytes) {
        const char *end = memmem(in->data, in->length, "\r\n\r\n", 4);
        if (!end)
            return false;
        connection->head_bytes = (size_t)(end - in->data) + 4;
        status = answer_read_head(&connection->answer, in->data, connection->head_bytes, &err);
    }
    size_t whole = connection->head_bytes + connection->answer.length;
    if (status == OK && in->length > whole)
        status = err_set(&err, MALFORMED, NULL, "sent %zu bytes more than the answer has",
                         in->length - whole);
    if (status != OK) {
        give_up(wire, connection, err.items[0].message);
        return true;
    }
    connection->answer.body = in->data + connection->head_bytes;
    return in->length == whole;
}

/** Take what is there: true if the caller must hear of this connection. */
static bool receive(struct wire *wire, struct connection *connection)
{
    static char chunk[CHUNK_BYTES];
    bool waited = connection->waits;
    ssize_t got = recv(connection->socket, chunk, sizeof chunk, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (got <= 0 || !waited) {
        give_up(wire, connection,
                got < 0    ? strerror(errno)
                : got == 0 ? "closed before its answer"
                           : "sent what nobody asked for");
        return waited;
    }
    buf_put(&connection->in, chunk, (size_t)got);
    if (connection->in.overflow) {
        give_up(wire, connection, "sent an answer that is too long");
        return true;
    }
    if (!is_complete(wire, connection))
        return false;
    if (connection->waits) {
        connection->waits = false;
        wire->waiting--;
    }
    return true;
}

struct connection *wire_next(struct wire *wire)
{
    while (wire->waiting > 0) {
        while (wire->event < wire->event_count) {
            struct connection *connection = wire->events[wire->event++].data.ptr;
            if (connection->socket >= 0 && receive(wire, connection))
                return connection;
        }
        wire->event = 0;
        do
            wire->event_count = epoll_wait(wire->epoll, wire->events, WIRE_EVENTS, PATIENCE_MS);
        while (wire->event_count < 0 && errno == EINTR);
        if (wire->event_count <= 0)
            return NULL;
    }
    return NULL;
}
