/**
 * The test client's connections: raw sockets, one request at a time on each.
 *
 *     struct wire wire;
 *     status = wire_open(&wire, "http://127.0.0.1:8080", 64, err);
 *     if (!wire_send(&wire, &wire.connections[0], request, length)) …
 *     while ((connection = wire_next(&wire)))
 *         … connection->answer …
 *     wire_release(&wire);
 *
 * For one thread: what it does before wire_send() happens before the request's first byte, and what
 * wire_next() gave it came before all that it does afterwards.
 */
#ifndef OPENRISK_TESTS_CLIENT_WIRE_H
#define OPENRISK_TESTS_CLIENT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/epoll.h>

#include "answer.h"
#include "base/buf.h"
#include "base/status.h"

enum { WIRE_EVENTS = 64 };

struct connection {
    unsigned number;
    int socket;                   /* −1: closed */
    bool waits;                   /* its request was sent, and the answer is not whole */
    char fault[ERR_MESSAGE_SIZE]; /* why it was closed; "" for one in use */
    struct buf in;
    size_t head_bytes; /* 0 until the head of the answer is there */
    struct answer answer;
};

struct wire {
    char host[32]; /* "127.0.0.1:8080" */
    struct connection *connections;
    size_t count, waiting;
    int epoll;
    struct epoll_event events[WIRE_EVENTS];
    int event, event_count; /* the next one to look at, and behind the last */
};

/**
 * Connect `count` times; `url` is http://IPV4:PORT. Raises the limit of descriptors if need be. The
 * wire must be released also after a failure.
 */
enum status wire_open(struct wire *wire, const char *url, size_t count, struct err *err) MUST_CHECK;
void wire_release(struct wire *wire);
#define AUTO_WIRE __attribute__((cleanup(wire_release)))

/** Send a whole request on a connection that does not wait. False: its `fault` says why. */
bool wire_send(struct wire *wire, struct connection *connection, const char *request,
               size_t length) MUST_CHECK;

/**
 * The next connection that waited and has its answer, valid until the next request on it; or that
 * has a fault instead. NULL when none waits, or when nothing came for a minute: then `waiting` is
 * above 0.
 */
struct connection *wire_next(struct wire *wire);

/** Close it; it waits no more. */
void wire_close(struct wire *wire, struct connection *connection);

#endif
