/**
 * What the server refuses before the application sees it.
 *
 * The HTTP library's parser is lenient, and what one party overlooks another may read differently:
 * that is how requests are smuggled through a proxy. So a request must be unmistakable:
 *
 * - the method is one of http_method_names (else 501);
 * - the target is printable ASCII that begins with '/'; %XX is complete, and what it decodes to is
 *   UTF-8 without control characters; no "//", no segment "." or "..", no encoded '/';
 * - a '?' begins the query, `name=value` joined by '&', where '+' is a space: UTF-8 without NUL;
 * - names of headers are tokens, values are UTF-8 without control characters but tab;
 * - exactly one Host (HTTP/1.0: at most one);
 * - at most one Content-Length, of digits only; or one Transfer-Encoding, which is `chunked` and
 *   nothing else, and not in HTTP/1.0; never both;
 * - Expect is `100-continue` (else 417).
 *
 * Pure functions, thread-safe. Each returns 0, or the HTTP status of the refusal and its reason.
 */
#ifndef OPENRISK_HTTP_GUARD_H
#define OPENRISK_HTTP_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "http/http.h"

/** How the body comes. */
struct guard_framing {
    uint64_t length; /* 0 if there is none, or it is chunked */
    bool chunked;
    bool expects_continue; /* the client waits for 100 before it sends the body */
};

int guard_method(const char *method, enum http_method *ret_method,
                 const char **ret_detail) MUST_CHECK;

int guard_target(struct arena *arena, const char *target, const char **ret_path,
                 struct http_params *ret_query, const char **ret_detail) MUST_CHECK;

int guard_headers(struct http_params headers, bool http_1_0, struct guard_framing *ret_framing,
                  const char **ret_detail) MUST_CHECK;

#endif
