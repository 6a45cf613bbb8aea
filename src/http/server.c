#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/listen.h"
#include "http/request.h"

enum { LOOP_STACK_BYTES = 256 * 1024, BACKLOG_MS = 500 };

static struct connection *connection_of(struct MHD_Connection *library)
{
    return MHD_get_connection_info(library, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static enum MHD_Result accept_policy(void *context, const struct sockaddr *peer, socklen_t size)
{
    (void)peer, (void)size;
    const struct http_loop *loop = context;
    struct http_server *server = loop->server;
    if (connections_count(&server->connections) < server->settings.max_connections)
        return MHD_YES;
    if (server->app.crowded)
        server->app.crowded(server->app.context);
    return MHD_NO;
}

static void notice_connection(void *context, struct MHD_Connection *library, void **socket_context,
                              enum MHD_ConnectionNotificationCode code)
{
    const struct http_loop *loop = context;
    struct http_server *server = loop->server;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        connections_remove(&server->connections, *socket_context);
        return;
    }
    int socket = MHD_get_connection_info(library, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    const struct sockaddr *peer =
        MHD_get_connection_info(library, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    *socket_context = connections_add(&server->connections, socket, peer,
                                      clock_monotonic_ms() + server->settings.idle_timeout_ms);
}

static void *notice_request_line(void *context, const char *target, struct MHD_Connection *library)
{
    return request_new(context, connection_of(library), library, target);
}

static enum MHD_Result serve(void *context, struct MHD_Connection *library, const char *url,
                             const char *method, const char *version, const char *bytes,
                             size_t *length, void **request)
{
    (void)context, (void)library, (void)url;
    return request_serve(*request, method, version, bytes, length);
}

static void notice_completed(void *context, struct MHD_Connection *library, void **request,
                             enum MHD_RequestTerminationCode code)
{
    (void)context, (void)library, (void)code;
    if (*request)
        request_end(*request);
    *request = NULL;
}

/**
 * The library's log. Nothing in it is for an operator, but it is the one place that tells of a
 * refusal by the library itself before its page goes out.
 */
static void notice_log(void *context, const char *format, va_list arguments)
{
    static const char refusal[] = "Error processing request (HTTP response code is %u";
    if (strncmp(format, refusal, sizeof refusal - 1) != 0)
        return;
    unsigned http_status = va_arg(arguments, unsigned);
    const struct http_loop *loop = context;
    request_refused_by_library(loop->server, (int)http_status, va_arg(arguments, const char *));
}

static enum status start_loop(struct http_loop *loop, int listener, struct err *err)
{
    struct http_server *server = loop->server;
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    getsockname(listener, (struct sockaddr *)&address, &size);
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TURBO | MHD_USE_ITC |
                     MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    if (address.ss_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    /* At its own limit a loop would leave clients waiting in the backlog; we close them. */
    intptr_t never_reached = (intptr_t)server->settings.max_connections + 1;
    const struct MHD_OptionItem options[] = {
        {MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)notice_log, loop},
        {MHD_OPTION_LISTEN_SOCKET, listener, NULL},
        {MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY_BYTES, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, never_reached, NULL},
        {MHD_OPTION_THREAD_STACK_SIZE, LOOP_STACK_BYTES, NULL},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)notice_connection, loop},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)notice_request_line, loop},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)notice_completed, loop},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_Daemon *daemon = MHD_start_daemon(flags, 0, accept_policy, loop, serve, loop,
                                                 MHD_OPTION_ARRAY, options, MHD_OPTION_END);
    if (!daemon)
        return err_set(err, UNAVAILABLE, NULL, "cannot start an event loop on %s", server->address);
    int epoll = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    enum status status = connections_pulse(&server->connections, epoll, err);
    if (status != OK)
        MHD_stop_daemon(daemon);
    else
        loop->daemon = daemon;
    return status;
}

static int64_t shortest_timeout_ms(const struct http_settings *settings)
{
    unsigned shortest = settings->idle_timeout_ms;
    if (settings->request_timeout_ms < shortest)
        shortest = settings->request_timeout_ms;
    return settings->reply_timeout_ms < shortest ? settings->reply_timeout_ms : shortest;
}

static enum status start_loops(struct http_server *server, const int *listeners, struct err *err)
{
    unsigned wanted = server->settings.loops;
    server->loops = mem_zalloc(wanted, sizeof *server->loops);
    for (; server->running < wanted; server->running++) {
        struct http_loop *loop = &server->loops[server->running];
        loop->server = server;
        enum status status = start_loop(loop, listeners[server->running], err);
        if (status != OK) {
            /* Whether the library closes a socket it was given is not said. */
            for (unsigned i = server->running + 1; i < wanted; i++)
                close(listeners[i]);
            return status;
        }
    }
    return OK;
}

enum status http_server_start(const struct http_settings *settings, const struct http_app *app,
                              struct http_server **ret_server, struct err *err)
{
    struct http_server *server = mem_zalloc(1, sizeof *server);
    server->app = *app;
    server->settings = *settings;
    enum status status = connections_init(&server->connections, shortest_timeout_ms(settings), err);
    if (status != OK) {
        free(server);
        return status;
    }
    AUTO_FREE int *listeners = mem_zalloc(settings->loops, sizeof *listeners);
    status = listen_open(settings->listen, settings->loops, listeners, server->address,
                         sizeof server->address, err);
    if (status == OK)
        status = start_loops(server, listeners, err);
    if (status != OK) {
        http_server_free(server);
        return status;
    }
    *ret_server = server;
    return OK;
}

const char *http_server_address(const struct http_server *server)
{
    return server->address;
}

unsigned http_server_connections(struct http_server *server)
{
    return connections_count(&server->connections);
}

/** How many connections the kernel has made that this listener's event loop has not taken yet. */
static unsigned in_backlog(const struct http_loop *loop)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    int listener = MHD_get_daemon_info(loop->daemon, MHD_DAEMON_INFO_LISTEN_FD)->listen_fd;
    /* Of a listening socket this field is the length of its queue (Linux, tcp_get_info()). */
    return getsockopt(listener, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_unacked : 0;
}

/**
 * Whoever was let in by the kernel before has perhaps asked already; with the listener they would
 * be reset. Under a flood of new ones there is no end to that, so it is not waited for long.
 */
static void take_backlog(const struct http_server *server, int64_t deadline_ms)
{
    int64_t end_ms = clock_monotonic_ms() + BACKLOG_MS;
    for (unsigned i = 0; i < server->running; i++)
        while (in_backlog(&server->loops[i]) > 0 && clock_monotonic_ms() < end_ms &&
               clock_monotonic_ms() < deadline_ms)
            poll(NULL, 0, 1);
}

void http_server_drain(struct http_server *server, int64_t deadline_ms)
{
    if (server->running == 0)
        return;
    atomic_store(&server->draining, true);
    take_backlog(server, deadline_ms);
    AUTO_FREE int *listeners = mem_zalloc(server->running, sizeof *listeners);
    for (unsigned i = 0; i < server->running; i++) {
        /* An event loop may be about to accept on it, so it is closed only after the loop. */
        listeners[i] = MHD_quiesce_daemon(server->loops[i].daemon);
        shutdown(listeners[i], SHUT_RDWR);
    }
    /* All connections are gone before the library stops: it aborts if one is suspended, and 0.9.75
     * crashes when a request that it would refuse by itself comes while it stops. */
    connections_drain(&server->connections, deadline_ms);
    for (unsigned i = 0; i < server->running; i++) {
        MHD_stop_daemon(server->loops[i].daemon);
        requests_release(&server->loops[i]);
        close(listeners[i]);
    }
    server->running = 0;
}

void http_server_free(struct http_server *server)
{
    if (!server)
        return;
    http_server_drain(server, clock_monotonic_ms());
    connections_release(&server->connections);
    free(server->loops);
    free(server);
}
