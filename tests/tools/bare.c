/*
 * A bare libmicrohttpd server: it answers every request with the bytes of one file. script/bench
 * measures what OpenRisk adds to it, so it is set up like OpenRisk's own event loop
 * (src/http/server.c) and does nothing that the library does not do by itself.
 *
 *   bare PORT FILE ["NAME: VALUE" …]     on 127.0.0.1; port 0 asks for a free one
 *
 * Prints "ready listen=http://127.0.0.1:PORT" and serves until SIGTERM or SIGINT.
 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECTION_MEMORY_BYTES = 10 * 1024, FILE_BYTES_MAX = 1 << 20, NAME_BYTES_MAX = 64 };

static void require(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "bare: %s\n", what);
        exit(1);
    }
}

static struct MHD_Response *response_of(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *bytes = malloc(FILE_BYTES_MAX);
    require(file && bytes, "the file cannot be read");
    size_t size = fread(bytes, 1, FILE_BYTES_MAX, file);
    require(!ferror(file) && feof(file), "the file cannot be read, or is too large");
    fclose(file);
    return MHD_create_response_from_buffer(size, bytes, MHD_RESPMEM_MUST_FREE);
}

static void add_header(struct MHD_Response *response, const char *header)
{
    const char *colon = strstr(header, ": ");
    char name[NAME_BYTES_MAX];
    require(colon && colon - header < NAME_BYTES_MAX, "a header is \"NAME: VALUE\"");
    snprintf(name, sizeof name, "%.*s", (int)(colon - header), header);
    require(MHD_add_response_header(response, name, colon + 2) == MHD_YES, header);
}

static enum MHD_Result serve(void *context, struct MHD_Connection *connection, const char *url,
                             const char *method, const char *version, const char *body,
                             size_t *length, void **request)
{
    (void)url, (void)method, (void)version, (void)body;
    static char seen;
    /* An answer to the first call would close the connection. */
    if (!*request) {
        *request = &seen;
        return MHD_YES;
    }
    if (*length > 0) {
        *length = 0;
        return MHD_YES;
    }
    return MHD_queue_response(connection, MHD_HTTP_OK, context);
}

int main(int argc, char **argv)
{
    require(argc >= 3, "PORT FILE [\"NAME: VALUE\" …]");
    struct MHD_Response *response = response_of(argv[2]);
    require(response, "the library has no memory");
    for (int i = 3; i < argc; i++)
        add_header(response, argv[i]);

    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    /* Blocked before the library starts its thread, which inherits it. */
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);

    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TURBO | MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME, 0,
        NULL, NULL, serve, response, MHD_OPTION_SOCK_ADDR, &address,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_END);
    require(daemon, "the port cannot be opened");
    unsigned port = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    printf("ready listen=http://127.0.0.1:%u\n", port);
    fflush(stdout);

    int signal_number;
    sigwait(&signals, &signal_number);
    MHD_stop_daemon(daemon);
    MHD_destroy_response(response);
    return 0;
}
