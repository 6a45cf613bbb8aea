/**
 * Errors as answers: RFC 9457 application/problem+json. The one place that maps a status to HTTP.
 */
#ifndef OPENRISK_API_PROBLEM_H
#define OPENRISK_API_PROBLEM_H

#include "http/http.h"

int problem_http_status(enum status status);

/**
 * Make the reply for an error: {type,title,status,detail,errors[],error}; adds Retry-After and
 * WWW-Authenticate where they belong. The body lives in the request's arena.
 */
struct http_reply problem_reply(struct http_request *request, int http_status,
                                const struct err *err);
/** Its body alone, in the arena. */
char *problem_body(struct arena *arena, int http_status, const struct err *err, size_t *ret_length);

#endif
