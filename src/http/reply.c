#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "http/request.h"

void http_add_header(struct http_request *request, const char *name, const char *value)
{
    assert(!text_has_control(name, false) && !text_has_control(value, false));
    struct reply_header *header = arena_alloc(&request->arena, sizeof *header);
    *header = (struct reply_header){.next = request->reply_headers,
                                    .name = arena_strdup(&request->arena, name),
                                    .value = arena_strdup(&request->arena, value)};
    request->reply_headers = header;
}

void http_reply(struct http_request *request, const struct http_reply *reply)
{
    assert(!request->replied && reply->status >= 200 && reply->status <= 599);
    request->reply = *reply;
    request->replied = true;
}

int http_replied_status(const struct http_request *request)
{
    return request->replied ? request->reply.status : 0;
}

const char *http_added_header(const struct http_request *request, const char *name)
{
    for (const struct reply_header *header = request->reply_headers; header; header = header->next)
        if (strcmp(header->name, name) == 0)
            return header->value;
    return NULL;
}

static struct MHD_Response *make_response(const struct http_reply *reply)
{
    if (reply->file >= 0)
        return MHD_create_response_from_fd64(reply->file_bytes, reply->file);
    if (reply->release)
        return MHD_create_response_from_buffer_with_free_callback_cls(
            reply->length, (void *)reply->body, reply->release, reply->owner);
    /* The library touches the bytes no more once it has said that the request is completed. */
    return MHD_create_response_from_buffer(reply->length, (void *)reply->body,
                                           MHD_RESPMEM_PERSISTENT);
}

/* A header takes a row of the library's list (its size on 64 bits) and copies of both texts. */
enum { RESPONSE_BYTES = 256, HEADER_ROW_BYTES = 56 };

struct http_shared {
    struct MHD_Response *response;
    size_t bytes;
};

static bool add_header(struct http_shared *shared, const char *name, const char *value)
{
    assert(!text_has_control(name, false) && !text_has_control(value, false));
    shared->bytes += mem_footprint(HEADER_ROW_BYTES) + mem_footprint(strlen(name) + 1) +
                     mem_footprint(strlen(value) + 1);
    return MHD_add_response_header(shared->response, name, value) == MHD_YES;
}

struct http_shared *http_shared_new(const struct http_reply *reply,
                                    const struct http_param *headers, size_t header_count)
{
    struct http_shared *shared = mem_zalloc(1, sizeof *shared);
    shared->response = make_response(reply);
    if (!shared->response) {
        reply->release(reply->owner);
        free(shared);
        return NULL;
    }
    shared->bytes = mem_footprint(sizeof *shared) + mem_footprint(RESPONSE_BYTES);
    bool complete = add_header(shared, "Content-Type", reply->content_type);
    for (size_t i = 0; complete && i < header_count; i++)
        complete = add_header(shared, headers[i].name, headers[i].value);
    if (!complete) {
        http_shared_free(shared);
        return NULL;
    }
    return shared;
}

void http_shared_free(struct http_shared *shared)
{
    if (!shared)
        return;
    MHD_destroy_response(shared->response);
    free(shared);
}

size_t http_shared_bytes(const struct http_shared *shared)
{
    return shared->bytes;
}

bool http_may_share(const struct http_request *request)
{
    return !request->closes &&
           !atomic_load_explicit(&request->server->draining, memory_order_relaxed);
}

void http_reply_shared(struct http_request *request, struct http_shared *shared, int status)
{
    assert(!request->replied);
    request->reply.status = status;
    request->shared = shared;
    request->replied = true;
}

enum MHD_Result reply_queue(struct http_request *request)
{
    struct http_server *server = request->server;
    assert(request->replied);
    connection_expect(request->connection,
                      clock_monotonic_coarse_ms() + server->settings.reply_timeout_ms);
    if (request->shared)
        return MHD_queue_response(request->library, (unsigned)request->reply.status,
                                  request->shared->response);
    struct MHD_Response *response = make_response(&request->reply);
    if (!response)
        return MHD_NO;
    request->queued = true; /* so the library closes the file and releases the body */
    if (request->reply.content_type)
        MHD_add_response_header(response, "Content-Type", request->reply.content_type);
    for (const struct reply_header *header = request->reply_headers; header; header = header->next)
        MHD_add_response_header(response, header->name, header->value);
    if (request->closes || atomic_load(&server->draining))
        MHD_add_response_header(response, "Connection", "close");
    enum MHD_Result result =
        MHD_queue_response(request->library, (unsigned)request->reply.status, response);
    MHD_destroy_response(response);
    return result;
}

const char *reply_as_bytes(struct http_request *request, size_t *ret_size)
{
    enum { HEAD_MAX_BYTES = 16 * 1024, DATE_SIZE = 64 };
    const struct http_reply *reply = &request->reply;
    if (reply->file >= 0 || request->shared)
        return NULL;
    char date[DATE_SIZE];
    time_t now = time(NULL);
    struct tm utc;
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &utc));
    AUTO_BUF struct buf out;
    buf_init(&out, HEAD_MAX_BYTES + reply->length);
    buf_printf(&out, "HTTP/1.1 %d %s\r\nDate: %s\r\nConnection: close\r\nContent-Length: %zu\r\n",
               reply->status, MHD_get_reason_phrase_for((unsigned)reply->status), date,
               reply->length);
    if (reply->content_type)
        buf_printf(&out, "Content-Type: %s\r\n", reply->content_type);
    for (const struct reply_header *header = request->reply_headers; header; header = header->next)
        buf_printf(&out, "%s: %s\r\n", header->name, header->value);
    buf_puts(&out, "\r\n");
    if (request->method != HTTP_HEAD)
        buf_put(&out, reply->body, reply->length);
    if (out.overflow)
        return NULL;
    *ret_size = out.length;
    return arena_memdup(&request->arena, out.data, out.length);
}
