/**
 * The open connections of a server, and their deadlines.
 *
 * The HTTP library's timeout counts inactivity only, so a client that sends a byte a second stays
 * for ever. Here each connection has one absolute deadline, moved on when a request line has been
 * read, when its reply begins and when that has been taken. A thread of its own looks at all
 * connections a few times per shortest timeout and ends those that are late with shutdown(2); the
 * event loop then notices a closed connection and cleans up as always.
 *
 * `lock` guards the list and every field marked so. connections_remove() is called from the
 * library's notification that a connection is closed, which comes before its close(2): a
 * descriptor of a connection on the list is therefore never one that was reused.
 */
#ifndef OPENRISK_HTTP_CONNECTIONS_H
#define OPENRISK_HTTP_CONNECTIONS_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct sockaddr;

struct connection {
    struct connection *previous, *next; /* lock */
    int socket;
    pthread_t loop;               /* its event loop */
    struct http_request *request; /* the one in progress; only for its event loop */
    char peer[INET6_ADDRSTRLEN];
    _Atomic int64_t deadline_ms; /* CONNECTION_NO_DEADLINE while the application works */
    atomic_bool waiting;         /* for a request line: may be closed when the server drains */
    bool seemed_idle;            /* lock: at the last look, while the server drains */
    const char *farewell;        /* lock: sent when the deadline passes; NULL for none */
    size_t farewell_bytes;       /* lock */
    bool lingers;                /* lock: the farewell was said, the client may read it */
};

#define CONNECTION_NO_DEADLINE INT64_MAX

/*
 * The pulse. When epoll_wait(2) gives the library (0.9.75) exactly as many events as it asks for,
 * 128, it asks for more before it looks at these, and waits: all 128 clients hang until something
 * else happens on that loop. So there is an eventfd in each loop's epoll set, as an event that the
 * library passes over, and the watcher beats it while there are enough connections for this.
 */

struct connections {
    pthread_mutex_t lock;
    pthread_cond_t changed;  /* first one came, last one went, draining, stopping, less is busy */
    struct connection *list; /* lock */
    unsigned count;          /* lock */
    bool draining, ending;   /* lock: idle ones are closed, all are closed */
    bool stopping;           /* lock: the watcher is to return */
    pthread_t watcher;
    int64_t interval_ms; /* between two looks of the watcher */
    int pulse;           /* an eventfd */

    /* Requests that are with the application: in its `handle`, or suspended. */
    atomic_uint busy;
    atomic_bool closed_to_work; /* no request may become busy any more */
};

/** `shortest_ms` is the shortest of the deadlines. UNAVAILABLE if there is no thread or event. */
enum status connections_init(struct connections *connections, int64_t shortest_ms,
                             struct err *err) MUST_CHECK;
/** Every connection must have been removed. */
void connections_release(struct connections *connections);

/** Let the event loop that waits on this epoll descriptor feel the pulse. */
enum status connections_pulse(struct connections *connections, int epoll,
                              struct err *err) MUST_CHECK;

/** A new connection, on the list; `deadline_ms` is for its first request line. */
struct connection *connections_add(struct connections *connections, int socket,
                                   const struct sockaddr *peer, int64_t deadline_ms);
/** Off the list, and freed. */
void connections_remove(struct connections *connections, struct connection *connection);
unsigned connections_count(struct connections *connections);
/** On an event loop: how many of its connections `matches` accepts; `ret_first` gets one of them.
 */
unsigned connections_of_loop(struct connections *connections,
                             bool (*matches)(const struct connection *connection),
                             struct connection **ret_first);

/** The connection is to end at `deadline_ms` unless this is called again. */
void connection_expect(struct connection *connection, int64_t deadline_ms);
/** The same while it waits for a request line, when it is also closed by draining. */
void connection_wait(struct connection *connection, int64_t deadline_ms);

/**
 * The last words, for a client that still sends when its deadline passes: raw bytes that live until
 * connection_recall() or connections_remove().
 */
void connection_set_farewell(struct connections *connections, struct connection *connection,
                             const char *bytes, size_t size);
/** No farewell any more. False if it was said already, so that nothing may be sent after it. */
bool connection_recall(struct connections *connections, struct connection *connection);
/** Say it now, before the deadline. */
void connection_say_farewell(struct connections *connections, struct connection *connection);

/** Ask to hand a request to the application. False if the server closes. */
bool connections_begin_work(struct connections *connections);
/** Back on the event loop that handed it over. */
void connections_end_work(struct connections *connections);
/** The same from any other thread, which may touch nothing of the server afterwards. */
void connections_end_work_elsewhere(struct connections *connections);

/**
 * Close connections that wait for a request, until all are gone or `deadline_ms` has passed; then
 * close all, let no request become busy any more, and wait until none is and all are gone.
 */
void connections_drain(struct connections *connections, int64_t deadline_ms);

#endif
