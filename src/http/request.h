/**
 * Inside the room: a server, and a request from its request line to its end.
 *
 * A request is made when its request line has been read and freed by request_end(). All functions
 * run on the event loop of its connection, but for http_reply_later(). Its stages:
 *
 *   HEAD     the headers come; then the guard, `begin`
 *   BODY     the body comes and is kept; then `handle`
 *   DISCARD  the answer is known, but the client still sends: its body is dropped
 *   ANSWER   nothing more to read: the library's next call takes the answer
 */
#ifndef OPENRISK_HTTP_REQUEST_H
#define OPENRISK_HTTP_REQUEST_H

#include <microhttpd.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "http/connections.h"
#include "http/guard.h"
#include "http/http.h"
#include "http/target.h"

struct http_server {
    struct http_app app;
    struct http_settings settings;
    char address[INET6_ADDRSTRLEN + 16];
    struct http_loop *loops;
    unsigned running; /* of the loops; 0 once drained */
    struct connections connections;
    atomic_size_t body_bytes; /* of all requests together */
    atomic_bool draining;
};

/**
 * An event loop. Requests that have ended stay with it, so that the next one finds warm memory; it
 * is its loop's alone.
 */
struct http_loop {
    struct http_server *server;
    struct MHD_Daemon *daemon; /* NULL once drained */
    struct targets targets;
    struct http_request *spare;
    unsigned spare_count;
};

enum request_stage { STAGE_HEAD, STAGE_BODY, STAGE_DISCARD, STAGE_ANSWER };

struct reply_header {
    const struct reply_header *next;
    const char *name;
    const char *value;
};

struct http_request {
    struct arena arena; /* first: it outlives the rest when the request is used again */
    struct http_loop *loop;
    struct http_server *server;
    struct connection *connection;
    struct MHD_Connection *library;
    struct http_request *next_spare;
    enum request_stage stage;

    const char *line_target; /* in the library's memory, only to compare positions */
    struct target *target;   /* a reference */
    enum http_method method;
    struct http_params headers;
    struct guard_framing framing;
    int64_t received_us;

    size_t max_body_bytes;
    struct buf body;
    uint64_t discarded_bytes;

    void *data;
    bool begun;     /* `done` is owed */
    bool suspended; /* since `handle`; only for the event loop */
    bool replied, queued;
    bool closes;       /* the reply says Connection: close */
    bool has_farewell; /* the connection may have one of ours */
    struct http_reply reply;
    struct http_shared *shared; /* goes out instead of `reply`, whose status counts; or NULL */
    const struct reply_header *reply_headers; /* the last one added first */
};

struct http_request *request_new(struct http_loop *loop, struct connection *connection,
                                 struct MHD_Connection *library, const char *target);
/** Free the spare requests and the targets of a loop that has ended. */
void requests_release(struct http_loop *loop);
/** The library's calls: head, pieces of the body, end. MHD_NO closes the connection. */
enum MHD_Result request_serve(struct http_request *request, const char *method, const char *version,
                              const char *bytes, size_t *length);
void request_end(struct http_request *request);

/**
 * The library refuses a request on this event loop by itself and is about to send a page in HTML:
 * if it is certain which request that is, answer it before the library does.
 */
void request_refused_by_library(struct http_server *server, int http_status, const char *page);

/** head.c: take the head over from the library and judge it. 0, or the status of the refusal. */
int head_read(struct http_request *request, const char *method, const char *version,
              const char **ret_detail) MUST_CHECK;

/** reply.c: give the reply to the library. */
enum MHD_Result reply_queue(struct http_request *request);
/** reply.c: the reply as bytes, in the arena; NULL if it is a file. */
const char *reply_as_bytes(struct http_request *request, size_t *ret_size);

/** The library's memory for one connection: request head, its table of headers, reply head. */
enum { CONNECTION_MEMORY_BYTES = 10 * 1024, REPLY_HEAD_BYTES = 2 * 1024 };

#endif
