#include "http/request.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "http/address.h"

/* A body that nobody wants is read on for so long, so that the client gets to read the answer. */
enum { DISCARD_BYTES = 64 << 20, DISCARD_MS = 5000 };

enum { SPARES_MAX = 64, SPARE_BYTES_MAX = 8192 };

/* A request that is used again hides a use after its end from AddressSanitizer. */
#ifdef __SANITIZE_ADDRESS__
static const bool keeps_spares = false;
#else
static const bool keeps_spares = true;
#endif

static struct http_request *take_spare(struct http_loop *loop)
{
    struct http_request *request = loop->spare;
    if (!request)
        return mem_zalloc(1, sizeof *request);
    loop->spare = request->next_spare;
    loop->spare_count--;
    memset((char *)request + sizeof request->arena, 0, sizeof *request - sizeof request->arena);
    return request;
}

static void free_request(struct http_request *request)
{
    arena_release(&request->arena);
    free(request);
}

static void give_spare(struct http_loop *loop, struct http_request *request)
{
    if (!keeps_spares || loop->spare_count >= SPARES_MAX ||
        request->arena.total_bytes > SPARE_BYTES_MAX) {
        free_request(request);
        return;
    }
    arena_clear(&request->arena);
    request->next_spare = loop->spare;
    loop->spare = request;
    loop->spare_count++;
}

void requests_release(struct http_loop *loop)
{
    for (struct http_request *request; (request = loop->spare);) {
        loop->spare = request->next_spare;
        free_request(request);
    }
    loop->spare_count = 0;
    targets_release(&loop->targets);
}

struct http_request *request_new(struct http_loop *loop, struct connection *connection,
                                 struct MHD_Connection *library, const char *target)
{
    struct http_server *server = loop->server;
    struct http_request *request = take_spare(loop);
    request->loop = loop;
    request->server = server;
    request->connection = connection;
    request->library = library;
    connection->request = request;
    request->line_target = target;
    request->target = targets_get(&loop->targets, target ? target : "");
    request->received_us = clock_monotonic_us();
    request->reply.file = -1;
    connection_expect(connection,
                      request->received_us / 1000 + server->settings.request_timeout_ms);
    buf_init(&request->body, 0);
    return request;
}

static void drop_body(struct http_request *request)
{
    if (request->body.length > 0)
        atomic_fetch_sub(&request->server->body_bytes, request->body.length);
    buf_release(&request->body);
}

/** A reply that never went to the library. */
static void drop_reply(struct http_reply *reply)
{
    if (reply->file >= 0)
        close(reply->file);
    if (reply->release)
        reply->release(reply->owner);
}

void request_end(struct http_request *request)
{
    struct http_server *server = request->server;
    if (request->has_farewell)
        connection_recall(&server->connections, request->connection);
    request->connection->request = NULL;
    if (request->begun && server->app.done)
        server->app.done(server->app.context, request);
    if (!request->queued)
        drop_reply(&request->reply);
    drop_body(request);
    target_unref(request->target);
    connection_wait(request->connection,
                    clock_monotonic_coarse_ms() + server->settings.idle_timeout_ms);
    give_spare(request->loop, request);
}

/** The server's own refusal; it ends the connection. */
static void refuse(struct http_request *request, int http_status, const char *detail)
{
    struct http_app *app = &request->server->app;
    app->problem(app->context, request, http_status, detail);
    assert(request->replied);
    request->closes = true;
}

/** Says how large a body may be, where there may be one. */
static void refuse_body(struct http_request *request)
{
    size_t limit = request->max_body_bytes;
    refuse(request, 413,
           limit == 0
               ? "the body is too large"
               : arena_format(&request->arena,
                              "the body is too large: it may have at most %zu bytes", limit));
}

static void prepare_farewell(struct http_request *request)
{
    size_t size = 0;
    const char *bytes = reply_as_bytes(request, &size);
    request->has_farewell = true;
    connection_set_farewell(&request->server->connections, request->connection, bytes, size);
}

/** The answer is known while the body still comes. */
static enum MHD_Result start_discard(struct http_request *request)
{
    drop_body(request);
    request->stage = STAGE_DISCARD;
    prepare_farewell(request);
    int64_t deadline_ms = clock_monotonic_ms() + DISCARD_MS;
    if (deadline_ms < atomic_load(&request->connection->deadline_ms))
        connection_expect(request->connection, deadline_ms);
    return MHD_YES;
}

/** After `begin`, or a refusal instead of it. */
static enum MHD_Result answer_early(struct http_request *request)
{
    const struct guard_framing *framing = &request->framing;
    if (framing->length == 0 && !framing->chunked) {
        /* An answer in the library's first call would end the connection. */
        request->stage = STAGE_ANSWER;
        return MHD_YES;
    }
    if (framing->expects_continue || framing->length > DISCARD_BYTES)
        return reply_queue(request);
    return start_discard(request);
}

static enum MHD_Result serve_head(struct http_request *request, const char *method,
                                  const char *version)
{
    const char *detail = NULL;
    struct http_app *app = &request->server->app;
    int refused = head_read(request, method, version, &detail);
    if (refused) {
        /* How the rest is framed is not to be trusted, so nothing of it is read. */
        refuse(request, refused, detail);
        return reply_queue(request);
    }
    request->begun = true;
    app->begin(app->context, request);
    const struct guard_framing *framing = &request->framing;
    bool unwanted = framing->length > request->max_body_bytes ||
                    (framing->chunked && request->max_body_bytes == 0);
    if (!request->replied && unwanted)
        refuse_body(request);
    if (request->replied)
        return answer_early(request);
    buf_init(&request->body, request->max_body_bytes);
    request->stage = STAGE_BODY;
    return MHD_YES;
}

static enum MHD_Result take_body(struct http_request *request, const char *bytes, size_t length)
{
    struct http_server *server = request->server;
    if (length > request->max_body_bytes - request->body.length) {
        refuse_body(request);
        return start_discard(request);
    }
    size_t limit = server->settings.max_body_bytes_in_flight;
    if (atomic_fetch_add(&server->body_bytes, length) + length > limit) {
        atomic_fetch_sub(&server->body_bytes, length);
        refuse(request, 503, "too many bodies are being received at the moment");
        return start_discard(request);
    }
    buf_put(&request->body, bytes, length);
    return MHD_YES;
}

static enum MHD_Result discard_body(struct http_request *request, size_t length)
{
    request->discarded_bytes += length;
    if (request->discarded_bytes > DISCARD_BYTES)
        connection_say_farewell(&request->server->connections, request->connection);
    return MHD_YES;
}

static enum MHD_Result hand_over(struct http_request *request)
{
    struct http_server *server = request->server;
    connection_expect(request->connection, CONNECTION_NO_DEADLINE);
    if (!connections_begin_work(&server->connections))
        return MHD_NO;
    request->stage = STAGE_ANSWER;
    server->app.handle(server->app.context, request);
    /* A suspended request may be answered by now, and is another thread's to touch. */
    if (request->suspended)
        return MHD_YES;
    connections_end_work(&server->connections);
    return reply_queue(request);
}

enum MHD_Result request_serve(struct http_request *request, const char *method, const char *version,
                              const char *bytes, size_t *length)
{
    size_t received = *length;
    *length = 0;
    switch (request->stage) {
    case STAGE_HEAD:
        return serve_head(request, method, version);
    case STAGE_BODY:
        return received > 0 ? take_body(request, bytes, received) : hand_over(request);
    case STAGE_DISCARD:
        if (received > 0)
            return discard_body(request, received);
        if (!connection_recall(&request->server->connections, request->connection))
            return MHD_NO;
        return reply_queue(request);
    case STAGE_ANSWER:
        return reply_queue(request);
    }
    return MHD_NO;
}

/** Is nothing on its way out, neither of ours nor of the library's? */
static bool is_unanswered(const struct http_request *request)
{
    return request && !MHD_get_connection_info(request->library, MHD_CONNECTION_INFO_HTTP_STATUS);
}

/** Its headers are in, but we were not asked: that lasts only while the library judges them. */
static bool is_judged(const struct connection *connection)
{
    const struct http_request *request = connection->request;
    return is_unanswered(request) && request->stage == STAGE_HEAD &&
           MHD_get_connection_info(request->library, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
}

static bool is_in_chunks(const struct connection *connection)
{
    const struct http_request *request = connection->request;
    return is_unanswered(request) && request->framing.chunked &&
           (request->stage == STAGE_BODY || request->stage == STAGE_DISCARD);
}

/** In lines of the head, or of the trailer after the last chunk. */
static bool is_in_lines(const struct connection *connection)
{
    const struct http_request *request = connection->request;
    return is_in_chunks(connection) || (is_unanswered(request) && request->stage == STAGE_HEAD);
}

/**
 * The library does not say which request it refuses. One that is being judged is certain; else it
 * must be the only one of this loop at a place where such a refusal comes from.
 */
static bool find_refused(struct connections *connections, int http_status, const char *page,
                         struct connection **ret_connection)
{
    if (connections_of_loop(connections, is_judged, ret_connection) == 1)
        return true;
    if (http_status == 431)
        return connections_of_loop(connections, is_in_lines, ret_connection) == 1;
    return strstr(page, "chunk") &&
           connections_of_loop(connections, is_in_chunks, ret_connection) == 1;
}

void request_refused_by_library(struct http_server *server, int http_status, const char *page)
{
    struct connection *connection;
    if (!find_refused(&server->connections, http_status, page, &connection)) {
        if (server->app.unread)
            server->app.unread(server->app.context, http_status);
        return;
    }
    struct http_request *request = connection->request;
    if (!request->replied)
        refuse(request, http_status,
               http_status == 431   ? "the request's head is too large"
               : http_status == 413 ? "the body is too large"
                                    : "the length of the body or of a chunk is not a number");
    prepare_farewell(request);
    connection_say_farewell(&server->connections, connection);
}

void http_expect_body(struct http_request *request, size_t max_bytes)
{
    request->max_body_bytes = max_bytes;
}

void http_suspend(struct http_request *request)
{
    assert(request->stage == STAGE_ANSWER && !request->replied && !request->suspended);
    request->suspended = true;
    MHD_suspend_connection(request->library);
}

void http_reply_later(struct http_request *request, const struct http_reply *reply)
{
    struct connections *connections = &request->server->connections;
    http_reply(request, reply);
    MHD_resume_connection(request->library);
    connections_end_work_elsewhere(connections);
}

struct arena *http_arena(struct http_request *request)
{
    return &request->arena;
}

enum http_method http_method(const struct http_request *request)
{
    return request->method;
}

const char *http_path(const struct http_request *request)
{
    return request->target->path;
}

struct http_params http_query(const struct http_request *request)
{
    return request->target->query;
}

void *http_note(const struct http_request *request)
{
    return request->target->note;
}

struct arena *http_note_arena(struct http_request *request)
{
    return &request->target->arena;
}

void http_set_note(struct http_request *request, void *note)
{
    request->target->note = note;
}

const char *http_header(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->headers.count; i++)
        if (text_equal_nocase(request->headers.items[i].name, name))
            return request->headers.items[i].value;
    return NULL;
}

/** The value of `name` in one Cookie header ("a=1; b=2"), NULL if it is not there. */
static const char *find_cookie(struct arena *arena, const char *cookies, const char *name)
{
    struct texts pairs = text_split(arena, cookies, ';');
    for (size_t i = 0; i < pairs.count; i++) {
        char *pair = text_trim(arena, pairs.items[i]), *equals = strchr(pair, '=');
        if (!equals)
            continue;
        *equals = '\0';
        if (strcmp(pair, name) == 0)
            return equals + 1;
    }
    return NULL;
}

const char *http_cookie(struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->headers.count; i++) {
        if (!text_equal_nocase(request->headers.items[i].name, "Cookie"))
            continue;
        const char *value = find_cookie(&request->arena, request->headers.items[i].value, name);
        if (value)
            return value;
    }
    return NULL;
}

const char *http_body(const struct http_request *request, size_t *ret_length)
{
    *ret_length = request->body.length;
    return request->body.data;
}

bool http_has_body(const struct http_request *request)
{
    return request->framing.length > 0 || request->framing.chunked;
}

const char *http_peer(const struct http_request *request)
{
    return request->connection->peer;
}

int64_t http_received_us(const struct http_request *request)
{
    return request->received_us;
}

void http_set_data(struct http_request *request, void *data)
{
    request->data = data;
}

void *http_data(const struct http_request *request)
{
    return request->data;
}

const char *http_client_address(struct http_request *request, const char *trusted)
{
    return address_of_client(&request->arena, http_peer(request), request->headers, trusted);
}
