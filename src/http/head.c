/*
 * Taking a request's head over from the HTTP library.
 *
 * With a body, everything is copied into the request's arena, because the library may reset its own
 * memory before such a request has ended (when a chunk is malformed, for instance).
 *
 * The library (0.9.75) ends a value at a NUL, takes a bare LF for a line's end, and glues a folded
 * line to the *name* of the header before it, so that "Transfer-Encoding: chunked" could reach us
 * under another name. None of it shows in the texts, but it shows in their places: the library
 * parses in one buffer, where a line that was read as it should be begins two bytes after the end
 * of the one before. Later versions refuse such lines themselves.
 */
#include <stdint.h>
#include <string.h>

#include "http/request.h"

static enum MHD_Result take_header(void *context, enum MHD_ValueKind kind, const char *name,
                                   size_t name_length, const char *value, size_t value_length)
{
    (void)kind, (void)name_length, (void)value_length;
    struct http_params *headers = context;
    struct http_param *items = (struct http_param *)headers->items;
    items[headers->count++] = (struct http_param){name, value ? value : ""};
    return MHD_YES;
}

static struct http_params library_headers(struct http_request *request)
{
    int count = MHD_get_connection_values(request->library, MHD_HEADER_KIND, NULL, NULL);
    struct http_params headers = {
        .items = arena_zalloc(&request->arena, (size_t)count + 1, sizeof *headers.items)};
    MHD_get_connection_values_n(request->library, MHD_HEADER_KIND, take_header, &headers);
    return headers;
}

static size_t head_bytes(const struct http_request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->library, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info ? info->header_size : 0;
}

/** Does `next` begin where the line's rest `text` and CR LF end? */
static bool follows(const char *text, size_t gap, uintptr_t next)
{
    return (uintptr_t)text + strlen(text) + gap == next;
}

static bool lines_are_plain(const struct http_request *request, const char *method,
                            const char *version, struct http_params headers)
{
    if (MHD_VERSION >= 0x00097700)
        return true;
    if (!follows(method, 1, (uintptr_t)request->line_target) ||
        strlen(method) + 1 + request->target->length + 1 != (size_t)(version - method))
        return false;
    const char *end = version;
    for (size_t i = 0; i < headers.count; i++) {
        if (!follows(end, 2, (uintptr_t)headers.items[i].name))
            return false;
        end = headers.items[i].value;
    }
    return follows(end, 4, (uintptr_t)method + head_bytes(request));
}

static void copy_headers(struct arena *arena, struct http_params headers)
{
    struct http_param *items = (struct http_param *)headers.items;
    for (size_t i = 0; i < headers.count; i++)
        items[i] = (struct http_param){arena_strdup(arena, items[i].name),
                                       arena_strdup(arena, items[i].value)};
}

int head_read(struct http_request *request, const char *method, const char *version,
              const char **ret_detail)
{
    enum {
        TABLE_ROW_BYTES = 64
    }; /* what the library's memory gives for a header beyond its text */
    struct http_params headers = library_headers(request);
    request->headers = headers;
    if (!lines_are_plain(request, method, version, headers)) {
        *ret_detail = "a line of the head is folded, holds a NUL or does not end in CR LF";
        return 400;
    }
    if (head_bytes(request) + headers.count * TABLE_ROW_BYTES >
        CONNECTION_MEMORY_BYTES - REPLY_HEAD_BYTES) {
        *ret_detail = "the request's head is too large";
        return 431;
    }
    int refused = guard_method(method, &request->method, ret_detail);
    if (!refused && request->target->refused) {
        *ret_detail = request->target->detail;
        refused = request->target->refused;
    }
    if (!refused)
        refused = guard_headers(request->headers, strcmp(version, "HTTP/1.0") == 0,
                                &request->framing, ret_detail);
    if (http_has_body(request))
        copy_headers(&request->arena, request->headers);
    return refused;
}
