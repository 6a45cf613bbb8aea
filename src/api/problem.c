#include "api/problem.h"

#include <stdio.h>

#include "base/buf.h"
#include "json/json_write.h"

enum { PROBLEM_MAX_BYTES = 16384 };

int problem_http_status(enum status status)
{
    switch (status) {
    case OK:
        return 200;
    case MALFORMED:
        return 400;
    case INVALID:
        return 422;
    case UNAUTHENTICATED:
        return 401;
    case DENIED:
        return 403;
    case NOT_FOUND:
        return 404;
    case CONFLICT:
        return 409;
    case STALE:
        return 412;
    case TOO_LARGE:
        return 413;
    case LIMITED:
        return 429;
    case BUSY:
    case UNAVAILABLE:
        return 503;
    case INTERNAL:
        return 500;
    }
    return 500;
}

static const char *title_of(int http_status)
{
    switch (http_status) {
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 409:
        return "Conflict";
    case 412:
        return "Precondition Failed";
    case 413:
        return "Content Too Large";
    case 415:
        return "Unsupported Media Type";
    case 422:
        return "Unprocessable Content";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 501:
        return "Not Implemented";
    case 503:
        return "Service Unavailable";
    default:
        return http_status >= 500 ? "Internal Server Error" : "Request Refused";
    }
}

static void put_errors(struct json_writer *out, const struct err *err)
{
    size_t listed = err->count < ERR_ITEMS_MAX ? err->count : ERR_ITEMS_MAX;
    json_open_array(out, "errors");
    for (size_t i = 0; i < listed; i++) {
        if (!err->items[i].field[0])
            continue;
        json_open_object(out, NULL);
        json_put_string(out, "field", err->items[i].field);
        json_put_string(out, "message", err->items[i].message);
        json_close_object(out);
    }
    json_close_array(out);
}

char *problem_body(struct arena *arena, int http_status, const struct err *err, size_t *ret_length)
{
    char line[ERR_FIELD_SIZE + ERR_MESSAGE_SIZE];
    err_text(err, line, sizeof line);
    char *detail = arena_strdup(arena, line);
    if (err->count > 1)
        detail = arena_format(arena, "%s (and %zu more)", line, err->count - 1);

    AUTO_BUF struct buf body;
    buf_init(&body, PROBLEM_MAX_BYTES);
    struct json_writer out;
    json_writer_init(&out, &body);
    json_open_object(&out, NULL);
    json_put_string(&out, "type", "about:blank");
    json_put_string(&out, "title", title_of(http_status));
    json_put_int(&out, "status", http_status);
    json_put_string(&out, "detail", detail);
    put_errors(&out, err);
    json_put_string(&out, "error", detail);
    json_close_object(&out);
    *ret_length = body.length;
    return arena_memdup(arena, body.data, body.length);
}

struct http_reply problem_reply(struct http_request *request, int http_status,
                                const struct err *err)
{
    if (http_status == 401)
        http_add_header(request, "WWW-Authenticate", "Bearer");
    if (http_status == 429 || http_status == 503) {
        char seconds[16];
        snprintf(seconds, sizeof seconds, "%d", err->retry_after_s > 0 ? err->retry_after_s : 1);
        http_add_header(request, "Retry-After", seconds);
    }
    struct http_reply reply = {
        .status = http_status,
        .content_type = "application/problem+json",
        .file = -1,
    };
    reply.body = problem_body(http_arena(request), http_status, err, &reply.length);
    return reply;
}
