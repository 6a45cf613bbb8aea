/*
 * What goes out beside the body: the headers of every answer, ETag and 304.
 */
#include <inttypes.h>
#include <string.h>

#include "api/internal.h"
#include "api/problem.h"
#include "base/id.h"
#include "base/mem.h"

enum { REQUEST_ID_MAX = 64 };

static bool is_request_id(const char *text)
{
    size_t length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                 "0123456789._-");
    return length > 0 && length <= REQUEST_ID_MAX && !text[length];
}

const struct http_param output_fixed_headers[] = {
    {"Cache-Control", "private, no-cache"},
    {"Vary", "Accept-Encoding, Authorization, Cookie"},
    {"X-Content-Type-Options", "nosniff"},
    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
};
const size_t output_fixed_header_count = COUNT_OF(output_fixed_headers);

const char *output_given_request_id(const struct http_request *request)
{
    const char *id = http_header(request, "X-Request-Id");
    return id && is_request_id(id) ? id : NULL;
}

void output_request_id(struct http_request *request, const char *given)
{
    static const struct clock system_clock = {0};
    char made[ID_SIZE];
    http_add_header(request, "X-Request-Id",
                    given ? given : id_new(clock_now_ms(&system_clock), made));
}

void output_common_headers(struct http_request *request)
{
    output_request_id(request, output_given_request_id(request));
    for (size_t i = 0; i < output_fixed_header_count; i++)
        http_add_header(request, output_fixed_headers[i].name, output_fixed_headers[i].value);
}

/** Is this ETag in a list like `"a", W/"b"`, or is the list `*`? */
static bool is_tag_listed(const char *list, const char *tag)
{
    size_t length = strlen(tag);
    if (strcmp(list, "*") == 0)
        return true;
    for (const char *at = list; (at = strstr(at, tag)); at++)
        if (at[length] == '\0' || at[length] == ',' || at[length] == ' ')
            return true;
    return false;
}

int output_status(const struct http_request *request, int http_status, const char *tag)
{
    const char *known = http_status == 200 ? http_header(request, "If-None-Match") : NULL;
    return known && is_tag_listed(known, tag) ? 304 : http_status;
}

bool output_shared(struct http_request *request, struct http_shared *shared, int http_status)
{
    if (!shared || output_given_request_id(request) || !http_may_share(request))
        return false;
    http_reply_shared(request, shared, http_status);
    return true;
}

void output_headers(struct http_request *request, const struct http_param *headers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        http_add_header(request, headers[i].name, headers[i].value);
    output_request_id(request, output_given_request_id(request));
}

struct http_reply output_reply(struct http_request *request, const struct route *route,
                               const struct call *call)
{
    const struct buf *out = call->question.out->buf;
    struct http_reply reply = {
        .status = call->status,
        .content_type = call->content_type,
        .body = out->data,
        .length = out->length,
        .file = call->file,
        .file_bytes = call->file_bytes,
    };
    if (call->file >= 0)
        return reply;
    if (out->length == 0) {
        reply.content_type = NULL;
        return reply;
    }
    if (route->method != HTTP_GET && call->question.version == 0)
        return reply; /* not the state of a thing, so nothing to compare with */
    char digest[17];
    token_digest(out->data, out->length, digest);
    char *tag =
        arena_format(http_arena(request), "\"%" PRId64 ".%s\"", call->question.version, digest);
    http_add_header(request, "ETag", tag);
    if (route->method == HTTP_GET) /* 304: the library leaves the body out, and says its length */
        reply.status = output_status(request, call->status, tag);
    return reply;
}

void output_problem(void *context, struct http_request *request, int http_status,
                    const char *detail)
{
    (void)context;
    struct err err;
    err_set(&err, MALFORMED, NULL, "%s", detail);
    output_common_headers(request);
    struct http_reply reply = problem_reply(request, http_status, &err);
    http_reply(request, &reply);
}
