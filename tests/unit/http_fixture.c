#include "http_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

enum { FLOOD_BYTES = 64 << 20, RESPONSE_MAX_BYTES = 1 << 20 };

static void reply_text(struct http_request *request, int status, const char *text)
{
    http_reply(request, &(struct http_reply){.status = status,
                                             .content_type = "text/plain",
                                             .body = text,
                                             .length = strlen(text),
                                             .file = -1});
}

static void note_thread(struct fixture *fixture)
{
    for (unsigned i = 0; i < fixture->thread_count; i++)
        if (pthread_equal(fixture->threads[i], pthread_self()))
            return;
    fixture->threads[fixture->thread_count++] = pthread_self();
}

static void count_one(struct fixture *fixture, unsigned *counter)
{
    pthread_mutex_lock(&fixture->lock);
    ++*counter;
    note_thread(fixture);
    pthread_cond_broadcast(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/** As an application does: while the server closes, each answer must say so. */
static void reply_shared(struct fixture *fixture, struct http_request *request, int status)
{
    pthread_mutex_lock(&fixture->lock);
    struct http_shared *shared = fixture->shared;
    pthread_mutex_unlock(&fixture->lock);
    if (http_may_share(request))
        http_reply_shared(request, shared, status);
    else
        reply_text(request, 200, "not shared");
}

static void begin(void *context, struct http_request *request)
{
    struct fixture *fixture = context;
    count_one(fixture, &fixture->begun);
    http_set_data(request, fixture);
    if (strcmp(http_path(request), "/echo") == 0 || strcmp(http_path(request), "/shared") == 0)
        http_expect_body(request, 100);
    if (strcmp(http_path(request), "/big") == 0)
        http_expect_body(request, 1 << 20);
    if (strcmp(http_path(request), "/early") == 0)
        reply_text(request, 401, "who are you?");
    if (strcmp(http_path(request), "/shared/soon") == 0)
        reply_shared(fixture, request, 200);
}

static void reply_file(struct http_request *request)
{
    char name[] = "/tmp/http_fixture_XXXXXX";
    int file = mkstemp(name);
    assert_true(file >= 0);
    unlink(name);
    AUTO_FREE char *bytes = mem_zalloc(1, FIXTURE_FILE_BYTES);
    memset(bytes, 'f', FIXTURE_FILE_BYTES);
    assert_int_equal(write(file, bytes, FIXTURE_FILE_BYTES), FIXTURE_FILE_BYTES);
    http_reply(request, &(struct http_reply){.status = 200,
                                             .content_type = "text/plain",
                                             .file = file,
                                             .file_bytes = FIXTURE_FILE_BYTES});
}

static void reply_query(struct http_request *request)
{
    struct http_params query = http_query(request);
    const char *text = "";
    for (size_t i = 0; i < query.count; i++)
        text = arena_format(http_arena(request), "%s[%s=%s]", text, query.items[i].name,
                            query.items[i].value);
    reply_text(request, 200, text);
}

static void reply_flood(struct http_request *request)
{
    char *flood = arena_zalloc(http_arena(request), 1, FLOOD_BYTES);
    http_reply(request, &(struct http_reply){
                            .status = 200, .body = flood, .length = FLOOD_BYTES, .file = -1});
}

static void reply_header(struct http_request *request)
{
    const char *header = http_header(request, "x-test"), *cookie = http_cookie(request, "c");
    http_add_header(request, "X-Answer", "yes");
    reply_text(request, 200,
               arena_format(http_arena(request), "%s|%s", header ? header : "none",
                            cookie ? cookie : "none"));
}

static void suspend(struct fixture *fixture, struct http_request *request)
{
    pthread_mutex_lock(&fixture->lock);
    http_suspend(request);
    fixture->suspended[fixture->suspended_count++] = request;
    pthread_cond_broadcast(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
}

static void take_note(struct fixture *fixture, struct http_request *request)
{
    const char *known = http_note(request), *note = known;
    struct arena *arena = http_note_arena(request);
    if (!note)
        note = arena_format(arena, "%s with %zu parameters", http_path(request),
                            http_query(request).count);
    http_set_note(request, (void *)note);
    pthread_mutex_lock(&fixture->lock);
    fixture->note = note;
    pthread_mutex_unlock(&fixture->lock);
    if (strcmp(http_path(request), "/note/later") == 0)
        suspend(fixture, request);
    else
        reply_text(request, 200, known ? known : "new");
}

static void handle(void *context, struct http_request *request)
{
    struct fixture *fixture = context;
    count_one(fixture, &fixture->handled);
    const char *path = http_path(request);
    size_t length;
    const char *body = http_body(request, &length);
    if (strcmp(path, "/later") == 0)
        suspend(fixture, request);
    else if (strcmp(path, "/file") == 0)
        reply_file(request);
    else if (strcmp(path, "/flood") == 0)
        reply_flood(request);
    else if (strcmp(path, "/query") == 0)
        reply_query(request);
    else if (strcmp(path, "/header") == 0)
        reply_header(request);
    else if (starts_with(path, "/note"))
        take_note(fixture, request);
    else if (starts_with(path, "/shared"))
        reply_shared(fixture, request, strcmp(path, "/shared/304") == 0 ? 304 : 200);
    else if (strcmp(path, "/client") == 0)
        reply_text(request, 200, http_client_address(request, "127.0.0.1, 10.0.0.0/8"));
    else if (strcmp(path, "/peer") == 0)
        reply_text(request, 200, http_client_address(request, NULL));
    else if (strcmp(path, "/big") == 0)
        reply_text(request, 200, arena_format(http_arena(request), "%zu bytes", length));
    else
        reply_text(request, 200, body);
}

static void done(void *context, struct http_request *request)
{
    struct fixture *fixture = context;
    assert_ptr_equal(http_data(request), fixture);
    count_one(fixture, &fixture->done);
}

static void problem(void *context, struct http_request *request, int http_status,
                    const char *detail)
{
    struct fixture *fixture = context;
    count_one(fixture, &fixture->problems);
    const char *body =
        arena_format(http_arena(request), "{\"status\":%d,\"detail\":\"%s\"}", http_status, detail);
    http_reply(request, &(struct http_reply){.status = http_status,
                                             .content_type = "application/problem+json",
                                             .body = body,
                                             .length = strlen(body),
                                             .file = -1});
}

struct http_settings fixture_settings(void)
{
    return (struct http_settings){.listen = "127.0.0.1:0",
                                  .loops = 2,
                                  .max_connections = 4000,
                                  .idle_timeout_ms = 30000,
                                  .request_timeout_ms = 30000,
                                  .reply_timeout_ms = 30000,
                                  .max_body_bytes_in_flight = 4 << 20,
                                  .name = "test"};
}

struct fixture *fixture_start(const struct http_settings *settings)
{
    signal(SIGPIPE, SIG_IGN);
    struct fixture *fixture = mem_zalloc(1, sizeof *fixture);
    pthread_mutex_init(&fixture->lock, NULL);
    pthread_cond_init(&fixture->changed, NULL);
    struct http_app app = {
        .context = fixture, .begin = begin, .handle = handle, .done = done, .problem = problem};
    struct err err;
    if (http_server_start(settings, &app, &fixture->server, &err) != OK)
        fail_msg("%s", err.items[0].message);
    return fixture;
}

void fixture_stop(struct fixture *fixture)
{
    http_server_free(fixture->server);
    assert_int_equal(fixture->begun, fixture->done);
    free(fixture);
}

void fixture_wait(struct fixture *fixture, const unsigned *counter, unsigned count)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += FIXTURE_PATIENCE_MS / 1000;
    pthread_mutex_lock(&fixture->lock);
    int failure = 0;
    while (*counter < count && !failure)
        failure = pthread_cond_timedwait(&fixture->changed, &fixture->lock, &deadline);
    unsigned reached = *counter;
    pthread_mutex_unlock(&fixture->lock);
    if (reached < count)
        fail_msg("waited for %u, got %u", count, reached);
}

static void *answer_all(void *context)
{
    struct fixture *fixture = context;
    pthread_mutex_lock(&fixture->lock);
    for (unsigned i = 0; i < fixture->suspended_count; i++) {
        const char *text = arena_format(http_arena(fixture->suspended[i]), "%s, later",
                                        http_path(fixture->suspended[i]));
        http_reply_later(fixture->suspended[i], &(struct http_reply){.status = 200,
                                                                     .content_type = "text/plain",
                                                                     .body = text,
                                                                     .length = strlen(text),
                                                                     .file = -1});
    }
    fixture->suspended_count = 0;
    pthread_mutex_unlock(&fixture->lock);
    return NULL;
}

void fixture_answer_later(struct fixture *fixture)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, answer_all, fixture), 0);
    pthread_join(thread, NULL);
}

void *fixture_drain(void *context)
{
    struct fixture *fixture = context;
    http_server_drain(fixture->server, clock_monotonic_ms() + FIXTURE_PATIENCE_MS);
    return NULL;
}

/** Its body follows it. */
struct shared_owner {
    struct fixture *fixture;
    char body[];
};

static void release_shared(void *context)
{
    struct shared_owner *owner = context;
    struct fixture *fixture = owner->fixture;
    free(owner);
    pthread_mutex_lock(&fixture->lock);
    fixture->released++;
    pthread_cond_broadcast(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
}

void fixture_share(struct fixture *fixture, size_t bytes)
{
    static const struct http_param header = {"X-Shared", "yes"};
    struct shared_owner *owner = mem_alloc(sizeof *owner + bytes);
    owner->fixture = fixture;
    memset(owner->body, 's', bytes);
    struct http_reply reply = {.status = 200,
                               .content_type = "text/plain",
                               .body = owner->body,
                               .length = bytes,
                               .release = release_shared,
                               .owner = owner,
                               .file = -1};
    struct http_shared *shared = http_shared_new(&reply, &header, 1);
    assert_non_null(shared);
    pthread_mutex_lock(&fixture->lock);
    fixture->shared = shared;
    pthread_mutex_unlock(&fixture->lock);
}

void fixture_unshare(struct fixture *fixture)
{
    pthread_mutex_lock(&fixture->lock);
    struct http_shared *shared = fixture->shared;
    fixture->shared = NULL;
    pthread_mutex_unlock(&fixture->lock);
    http_shared_free(shared);
}

int client_connect(const struct fixture *fixture)
{
    const char *address = http_server_address(fixture->server);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1))};
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(client >= 0);
    if (connect(client, (struct sockaddr *)&to, sizeof to) != 0)
        fail_msg("connect: %s", strerror(errno));
    return client;
}

void client_send_bytes(int socket, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(socket, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0)
            fail_msg("send: %s", strerror(errno));
        bytes += sent;
        size -= (size_t)sent;
    }
}

void client_send(int socket, const char *bytes)
{
    client_send_bytes(socket, bytes, strlen(bytes));
}

/** Receive up to `size` bytes; 0 when the server has closed or reset, −1 when patience ends. */
static ssize_t receive(int socket, char *bytes, size_t size, int64_t deadline_ms)
{
    struct pollfd ready = {.fd = socket, .events = POLLIN};
    int64_t left_ms = deadline_ms - clock_monotonic_ms();
    if (left_ms <= 0 || poll(&ready, 1, (int)left_ms) != 1)
        return -1;
    ssize_t received = recv(socket, bytes, size, 0);
    return received < 0 ? 0 : received;
}

static char response[RESPONSE_MAX_BYTES];

/** Byte by byte up to the blank line, so that the next response stays in the socket. */
static size_t read_head(int socket, int64_t deadline_ms)
{
    size_t length = 0;
    while (length < 4 || memcmp(response + length - 4, "\r\n\r\n", 4) != 0) {
        assert_true(length + 1 < sizeof response);
        ssize_t received = receive(socket, response + length, 1, deadline_ms);
        if (received != 1) {
            response[length] = '\0';
            fail_msg("%s after '%s'", received == 0 ? "closed" : "silence", response);
        }
        length++;
    }
    response[length] = '\0';
    return length;
}

const char *client_read_head(int socket)
{
    read_head(socket, clock_monotonic_ms() + FIXTURE_PATIENCE_MS);
    return response;
}

void client_read_bytes(int socket, char *bytes, size_t size)
{
    int64_t deadline_ms = clock_monotonic_ms() + FIXTURE_PATIENCE_MS;
    while (size > 0) {
        ssize_t received = receive(socket, bytes, size, deadline_ms);
        if (received <= 0)
            fail_msg("%zu bytes are missing", size);
        bytes += received;
        size -= (size_t)received;
    }
}

const char *client_read(int socket)
{
    size_t length = read_head(socket, clock_monotonic_ms() + FIXTURE_PATIENCE_MS);
    const char *field = strcasestr(response, "\r\nContent-Length:");
    size_t body = field ? strtoul(field + strlen("\r\nContent-Length:"), NULL, 10) : 0;
    assert_true(length + body < sizeof response);
    client_read_bytes(socket, response + length, body);
    length += body;
    response[length] = '\0';
    return response;
}

bool client_closed_within(int socket, int patience_ms)
{
    int64_t deadline_ms = clock_monotonic_ms() + patience_ms;
    static char ignored[65536];
    ssize_t received;
    do
        received = receive(socket, ignored, sizeof ignored, deadline_ms);
    while (received > 0);
    return received == 0;
}

void client_expect_close(int socket)
{
    if (!client_closed_within(socket, FIXTURE_PATIENCE_MS))
        fail_msg("the connection is still open");
    close(socket);
}

const char *client_exchange(const struct fixture *fixture, const char *request)
{
    int client = client_connect(fixture);
    client_send(client, request);
    client_read(client);
    close(client);
    return response;
}

int response_status(const char *text)
{
    assert_memory_equal(text, "HTTP/1.1 ", 9);
    return atoi(text + 9);
}

const char *response_body(const char *text)
{
    return strstr(text, "\r\n\r\n") + 4;
}

void expect_body(const char *received, const char *body)
{
    assert_int_equal(response_status(received), 200);
    assert_string_equal(response_body(received), body);
}

int fixture_set_up(void **state)
{
    struct http_settings settings = fixture_settings();
    *state = fixture_start(&settings);
    return 0;
}

int fixture_tear_down(void **state)
{
    fixture_stop(*state);
    return 0;
}
