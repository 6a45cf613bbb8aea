/**
 * The HTTP server: listeners, requests, replies. Knows nothing of OpenRisk.
 *
 * The only room that uses the HTTP library. A server runs `loops` event loops on one port. For each
 * request it calls the application twice, both times on an event loop, which must never wait:
 *
 *   1. `begin`, when the headers are in and the request is well-formed: the application finds its
 *      route and says how large a body may be (`http_expect_body`), or answers at once
 *      (`http_reply`; the body, if any, is then discarded).
 *   2. `handle`, when the whole body is in (`http_body`): answer with `http_reply`, or call
 *      `http_suspend` and hand the request to another thread, which answers later with
 *      `http_reply_later`, exactly once.
 *   3. `done`, once per request for which `begin` was called, when the request has ended, whether
 *      or not the answer reached the client. Called on an event loop; may be NULL.
 *
 * A request and its arena live until `done` has returned; a suspended request lives at least until
 * `http_reply_later`, even if its client has gone.
 *
 * The server itself refuses what is ambiguous or hostile: see http/guard.h for the rules, and
 * `struct http_settings` for the deadlines. A request's head may have 8 kB, with 64 bytes more for
 * each header; a reply's head has 2 kB or more. Its own refusals are application/problem+json made
 * by `problem`, so that there is one form of error. The exceptions are requests that the HTTP
 * library refuses before there is anything to hold on to, such as a line that is not HTTP: it
 * closes the connection, or answers with a short page of its own first.
 *
 * The process must ignore SIGPIPE. A client that closes its sending half while its request is
 * suspended counts as gone.
 */
#ifndef OPENRISK_HTTP_HTTP_H
#define OPENRISK_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
};
extern const char *const http_method_names[]; /* NULL-terminated, in the order of the enum */

struct http_server;
struct http_request;

/** A decoded `name=value` of the query string, in the order of the request. */
struct http_param {
    const char *name;
    const char *value;
};

struct http_params {
    const struct http_param *items;
    size_t count;
};

struct http_app {
    void *context;
    void (*begin)(void *context, struct http_request *request);
    void (*handle)(void *context, struct http_request *request);
    void (*done)(void *context, struct http_request *request);
    /**
     * Reply for a refusal by the server itself (400, 413, 417, 431, 501, 503); calls http_reply. On
     * an event loop, once, possibly without `begin` before it: then there is no `done` after it,
     * and path, query and headers may be empty. `detail` is for people.
     */
    void (*problem)(void *context, struct http_request *request, int http_status,
                    const char *detail);
    /** A connection was closed at once, as there are `max_connections` already. Or NULL. */
    void (*crowded)(void *context);
    /** The library refused with this status and a page of its own what is no request of ours yet.
     * Or NULL. */
    void (*unread)(void *context, int http_status);
};

struct http_settings {
    const char *listen;              /* "127.0.0.1:8080", "[::1]:0"; port 0 = any free one */
    unsigned loops;                  /* event loops, ≥ 1 */
    unsigned max_connections;        /* over all loops; one more is closed at once */
    unsigned idle_timeout_ms;        /* waiting for a request line, at most this long in all */
    unsigned request_timeout_ms;     /* from the request line to the last byte of the body */
    unsigned reply_timeout_ms;       /* from the reply to its last byte taken by the client */
    size_t max_body_bytes_in_flight; /* budget for all bodies together; beyond: 503 */
    const char *name;                /* for logs: "api", "ops" */
};

/**
 * Start listening. OK; CONFLICT if something listens on that address already (also another server
 * with SO_REUSEPORT); INVALID for an address that cannot be used. `app` and `settings` are copied,
 * texts in them must outlive the server.
 */
enum status http_server_start(const struct http_settings *settings, const struct http_app *app,
                              struct http_server **ret_server, struct err *err) MUST_CHECK;

/** "127.0.0.1:8080", with the port that was really taken. Valid while the server lives. */
const char *http_server_address(const struct http_server *server);

/** How many connections are open. Thread-safe. */
unsigned http_server_connections(struct http_server *server);

/**
 * Stop accepting, close idle connections, let requests finish until `deadline_ms` (monotonic),
 * then close the rest. Every suspended request must still be answered with http_reply_later by the
 * application. Afterwards answers carry `Connection: close`.
 */
void http_server_drain(struct http_server *server, int64_t deadline_ms);
/** Release a drained (or never used) server. NULL is allowed. No request may be suspended. */
void http_server_free(struct http_server *server);

/* The request. All texts are UTF-8 without NUL, valid until `done`. Read-only, any one thread. */

struct arena *http_arena(struct http_request *request);
enum http_method http_method(const struct http_request *request);
/** Decoded path without the query; "/api/v1/risks". Dot segments, "//" and "%2F" are refused. */
const char *http_path(const struct http_request *request);
struct http_params http_query(const struct http_request *request);
/** First header of this name, case ignored; NULL if there is none. */
const char *http_header(const struct http_request *request, const char *name);
/** Value of a cookie of this name; NULL if there is none. */
const char *http_cookie(struct http_request *request, const char *name);
/** Not NUL-terminated text is possible: `length` counts, but a NUL follows. Bytes as received. */
const char *http_body(const struct http_request *request, size_t *ret_length);
/** Does the head announce a body? */
bool http_has_body(const struct http_request *request);
/** The peer's address without port: "127.0.0.1", "::1". */
const char *http_peer(const struct http_request *request);
/** Monotonic µs when the request line was read. */
int64_t http_received_us(const struct http_request *request);

/**
 * A note on the target: what the application has made of path and query alone. The server may keep
 * it and have it at hand when the same target is asked for again. Only in `begin` and `handle`; a
 * note lives in the note's arena, at least until `done`, and is not changed once it is set.
 */
void *http_note(const struct http_request *request); /* NULL: none yet */
struct arena *http_note_arena(struct http_request *request);
void http_set_note(struct http_request *request, void *note);

/** A place for the application's own pointer. */
void http_set_data(struct http_request *request, void *data);
void *http_data(const struct http_request *request);

/** In `begin`: allow a body up to `max_bytes` (default 0: any body is refused with 413). */
void http_expect_body(struct http_request *request, size_t max_bytes);

/** In `handle`: the answer will come by http_reply_later. */
void http_suspend(struct http_request *request);

/* The reply. Made by one thread, between `begin` and http_reply(_later). */

/** Add a header to the coming reply. Control characters in the value are refused by assertion. */
void http_add_header(struct http_request *request, const char *name, const char *value);

/**
 * A reply's body: bytes, or a file. With HEAD the same headers go out without it; for 304 give the
 * body that a 200 would have, which is not sent but measured.
 */
struct http_reply {
    int status;
    const char *content_type; /* NULL with an empty body */
    const char *body;         /* lives until `done` (for instance in the arena), or … */
    size_t length;
    void (*release)(void *owner); /* … until this is called, once, on any thread; or NULL */
    void *owner;
    int file;            /* a file to send instead of `body`, closed by the server; −1 for none */
    uint64_t file_bytes; /* its size from offset 0 */
};

void http_reply(struct http_request *request, const struct http_reply *reply);
void http_reply_later(struct http_request *request, const struct http_reply *reply);

/**
 * A reply that many requests are answered with: built once with its headers, sent without copying.
 * Only X-Request-Id and the like, which differ, cannot be in it.
 */
struct http_shared;
/** NULL if there is no memory. `reply` is a body with `release`, which is called in any case. */
struct http_shared *http_shared_new(const struct http_reply *reply,
                                    const struct http_param *headers, size_t header_count);
void http_shared_free(struct http_shared *shared); /* NULL allowed; replies on their way go on */
/** The memory it takes, without the body. */
size_t http_shared_bytes(const struct http_shared *shared);
/** False while the server closes: then every answer must say so, and needs headers of its own. */
bool http_may_share(const struct http_request *request);
/** In `begin` or `handle`; with `status` 304 the body is left out. `shared` lives until `done`. */
void http_reply_shared(struct http_request *request, struct http_shared *shared, int status);

/** The status of the reply, 0 before it; for logs and metrics in `done`. */
int http_replied_status(const struct http_request *request);
/** Likewise: what http_add_header() has added under this name; NULL if nothing. */
const char *http_added_header(const struct http_request *request, const char *name);

/**
 * A client's address behind trusted proxies: walks X-Forwarded-For from the right while the hop is
 * in `trusted` ("127.0.0.1, 10.0.0.0/8", may be NULL), else the peer. Always a valid address.
 */
const char *http_client_address(struct http_request *request, const char *trusted);
/** Is every entry of such a list an address or a network? Else `err` names the entry. */
enum status http_check_trusted(const char *trusted, struct err *err) MUST_CHECK;

#endif
