#include "http/connections.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

enum {
    WATCHER_STACK_BYTES = 256 * 1024,
    INTERVAL_MIN_MS = 5,
    INTERVAL_MAX_MS = 250,
    LINGER_MS = 1000, /* between the last words and the end */
    DRAIN_LOOK_MS = 20,
    PULSE_MS = 10,
    PULSE_CONNECTIONS = 100, /* fewer cannot make 128 events */
};

/** Under the lock. */
static void say_farewell(struct connection *connection, int64_t now_ms)
{
    if (connection->farewell) {
        /* It fits the socket's empty buffer; a client that is gone may be ignored. */
        (void)!send(connection->socket, connection->farewell, connection->farewell_bytes,
                    MSG_DONTWAIT | MSG_NOSIGNAL);
        connection->farewell = NULL;
    }
    shutdown(connection->socket, SHUT_WR);
    connection->lingers = true;
    connection_expect(connection, now_ms + LINGER_MS);
}

/** Is there something in its socket that the library has not read? */
static bool has_unread(const struct connection *connection)
{
    int bytes = 0;
    return ioctl(connection->socket, FIONREAD, &bytes) == 0 && bytes > 0;
}

/** Under the lock. */
static void end_one(struct connections *connections, struct connection *one, int64_t now_ms)
{
    bool late = atomic_load(&one->deadline_ms) <= now_ms;
    if (late && one->farewell) {
        say_farewell(one, now_ms);
    } else if (late || connections->ending) {
        shutdown(one->socket, SHUT_RDWR);
        connection_expect(one, CONNECTION_NO_DEADLINE);
    } else if (connections->draining) {
        /* Only the reading half, and only if nobody asks: the library (0.9.75) drops a request that
         * it has read when the reading half is closed. Its event loop may have taken the request
         * from the socket and not come to see that it is one; the second look is for that. */
        bool is_idle = atomic_load(&one->waiting) && !has_unread(one);
        if (is_idle && one->seemed_idle) {
            shutdown(one->socket, SHUT_RD);
            atomic_store(&one->waiting, false);
        }
        one->seemed_idle = is_idle;
    }
}

/** Under the lock: when the watcher is to look again, after `now_ms`. */
static int64_t beat(const struct connections *connections, int64_t now_ms, int64_t look_ms)
{
    if (connections->count < PULSE_CONNECTIONS)
        return look_ms;
    eventfd_write(connections->pulse, 1);
    return look_ms < now_ms + PULSE_MS ? look_ms : now_ms + PULSE_MS;
}

static void *watch(void *context)
{
    struct connections *connections = context;
    int64_t looked_ms = 0; /* for late connections */
    pthread_mutex_lock(&connections->lock);
    while (!connections->stopping) {
        if (!connections->list) {
            pthread_cond_wait(&connections->changed, &connections->lock);
            continue;
        }
        int64_t now_ms = clock_monotonic_ms();
        int64_t interval_ms = connections->draining ? DRAIN_LOOK_MS : connections->interval_ms;
        if (now_ms >= looked_ms + interval_ms || connections->ending) {
            for (struct connection *one = connections->list; one; one = one->next)
                end_one(connections, one, now_ms);
            looked_ms = now_ms;
        }
        struct timespec next = thread_deadline(beat(connections, now_ms, looked_ms + interval_ms));
        pthread_cond_timedwait(&connections->changed, &connections->lock, &next);
    }
    pthread_mutex_unlock(&connections->lock);
    return NULL;
}

static void release_parts(struct connections *connections)
{
    if (connections->pulse >= 0)
        close(connections->pulse);
    pthread_cond_destroy(&connections->changed);
    pthread_mutex_destroy(&connections->lock);
}

enum status connections_init(struct connections *connections, int64_t shortest_ms, struct err *err)
{
    *connections = (struct connections){.interval_ms = shortest_ms / 10};
    if (connections->interval_ms < INTERVAL_MIN_MS)
        connections->interval_ms = INTERVAL_MIN_MS;
    if (connections->interval_ms > INTERVAL_MAX_MS)
        connections->interval_ms = INTERVAL_MAX_MS;
    pthread_mutex_init(&connections->lock, NULL);
    thread_condition_init(&connections->changed);
    connections->pulse = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int failure = connections->pulse < 0 ? errno
                                         : thread_start(&connections->watcher, WATCHER_STACK_BYTES,
                                                        watch, connections);
    if (failure) {
        release_parts(connections);
        return err_set(err, UNAVAILABLE, NULL, "cannot start a thread or make an event: %s",
                       strerror(failure));
    }
    return OK;
}

void connections_release(struct connections *connections)
{
    pthread_mutex_lock(&connections->lock);
    connections->stopping = true;
    pthread_cond_broadcast(&connections->changed);
    pthread_mutex_unlock(&connections->lock);
    pthread_join(connections->watcher, NULL);
    release_parts(connections);
}

enum status connections_pulse(struct connections *connections, int epoll, struct err *err)
{
    /* The library passes over an event without a pointer. Edge-triggered, as nobody reads it. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, connections->pulse, &event) != 0)
        return err_set(err, UNAVAILABLE, NULL, "cannot add an event to a loop: %s",
                       strerror(errno));
    return OK;
}

/** The address without port; one of IPv4 in an IPv6 dress is shown as what it is. */
static void write_peer(const struct sockaddr *peer, char *text, size_t size)
{
    if (peer->sa_family == AF_INET6) {
        const struct in6_addr *address = &((const struct sockaddr_in6 *)peer)->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(address))
            inet_ntop(AF_INET, &address->s6_addr[12], text, (socklen_t)size);
        else
            inet_ntop(AF_INET6, address, text, (socklen_t)size);
    } else {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)peer)->sin_addr, text, (socklen_t)size);
    }
}

struct connection *connections_add(struct connections *connections, int socket,
                                   const struct sockaddr *peer, int64_t deadline_ms)
{
    struct connection *connection = mem_zalloc(1, sizeof *connection);
    connection->socket = socket;
    connection->loop = pthread_self();
    write_peer(peer, connection->peer, sizeof connection->peer);
    connection_wait(connection, deadline_ms);
    pthread_mutex_lock(&connections->lock);
    connection->next = connections->list;
    if (connections->list)
        connections->list->previous = connection;
    connections->list = connection;
    if (connections->count++ == 0)
        pthread_cond_broadcast(&connections->changed);
    pthread_mutex_unlock(&connections->lock);
    return connection;
}

void connections_remove(struct connections *connections, struct connection *connection)
{
    pthread_mutex_lock(&connections->lock);
    if (connection->next)
        connection->next->previous = connection->previous;
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        connections->list = connection->next;
    if (--connections->count == 0)
        pthread_cond_broadcast(&connections->changed);
    pthread_mutex_unlock(&connections->lock);
    free(connection);
}

unsigned connections_count(struct connections *connections)
{
    pthread_mutex_lock(&connections->lock);
    unsigned count = connections->count;
    pthread_mutex_unlock(&connections->lock);
    return count;
}

unsigned connections_of_loop(struct connections *connections,
                             bool (*matches)(const struct connection *connection),
                             struct connection **ret_first)
{
    unsigned count = 0;
    pthread_mutex_lock(&connections->lock);
    for (struct connection *one = connections->list; one; one = one->next)
        if (pthread_equal(one->loop, pthread_self()) && matches(one) && count++ == 0)
            *ret_first = one;
    pthread_mutex_unlock(&connections->lock);
    return count;
}

void connection_expect(struct connection *connection, int64_t deadline_ms)
{
    atomic_store_explicit(&connection->waiting, false, memory_order_release);
    atomic_store_explicit(&connection->deadline_ms, deadline_ms, memory_order_release);
}

void connection_wait(struct connection *connection, int64_t deadline_ms)
{
    atomic_store_explicit(&connection->deadline_ms, deadline_ms, memory_order_release);
    atomic_store_explicit(&connection->waiting, true, memory_order_release);
}

void connection_set_farewell(struct connections *connections, struct connection *connection,
                             const char *bytes, size_t size)
{
    pthread_mutex_lock(&connections->lock);
    connection->farewell = bytes;
    connection->farewell_bytes = size;
    pthread_mutex_unlock(&connections->lock);
}

bool connection_recall(struct connections *connections, struct connection *connection)
{
    pthread_mutex_lock(&connections->lock);
    connection->farewell = NULL;
    bool silent = !connection->lingers;
    pthread_mutex_unlock(&connections->lock);
    return silent;
}

void connection_say_farewell(struct connections *connections, struct connection *connection)
{
    pthread_mutex_lock(&connections->lock);
    if (!connection->lingers)
        say_farewell(connection, clock_monotonic_ms());
    pthread_mutex_unlock(&connections->lock);
}

/*
 * `busy` is raised before `closed_to_work` is looked at, and connections_drain() does the two in
 * the opposite order, both sequentially consistent: either the drain sees the request and waits,
 * or the request sees the drain and stays away.
 */
bool connections_begin_work(struct connections *connections)
{
    atomic_fetch_add(&connections->busy, 1);
    if (!atomic_load(&connections->closed_to_work))
        return true;
    connections_end_work(connections);
    return false;
}

void connections_end_work(struct connections *connections)
{
    if (atomic_fetch_sub(&connections->busy, 1) == 1 && atomic_load(&connections->closed_to_work)) {
        pthread_mutex_lock(&connections->lock);
        pthread_cond_broadcast(&connections->changed);
        pthread_mutex_unlock(&connections->lock);
    }
}

void connections_end_work_elsewhere(struct connections *connections)
{
    /* Event loops are joined before a server is freed, other threads are not: the count may only
     * be seen to fall by one who has taken the lock after us. Only a drain that has closed the
     * server to work waits for it; the watcher would be woken for nothing by every answer. */
    pthread_mutex_lock(&connections->lock);
    if (atomic_fetch_sub(&connections->busy, 1) == 1 && atomic_load(&connections->closed_to_work))
        pthread_cond_broadcast(&connections->changed);
    pthread_mutex_unlock(&connections->lock);
}

void connections_drain(struct connections *connections, int64_t deadline_ms)
{
    struct timespec deadline = thread_deadline(deadline_ms);
    pthread_mutex_lock(&connections->lock);
    connections->draining = true;
    pthread_cond_broadcast(&connections->changed);
    while (connections->count > 0 && clock_monotonic_ms() < deadline_ms)
        pthread_cond_timedwait(&connections->changed, &connections->lock, &deadline);
    atomic_store(&connections->closed_to_work, true);
    connections->ending = true;
    pthread_cond_broadcast(&connections->changed);
    while (connections->count > 0 || atomic_load(&connections->busy) > 0)
        pthread_cond_wait(&connections->changed, &connections->lock);
    pthread_mutex_unlock(&connections->lock);
}
