/**
 * For the tests of the HTTP room: a server with a tiny application, and a client that speaks raw
 * bytes. Everything waits with a deadline and fails the test when that passes.
 *
 * The application's paths:
 *   /echo        a body up to 100 bytes is answered with itself
 *   /big         a body up to 1 MiB is answered with its length
 *   /none        answered; a body is refused with 413
 *   /early       answered with 401 in `begin`, whatever body follows
 *   /later       suspended until fixture_answer_later()
 *   /file        a file of FIXTURE_FILE_BYTES
 *   /flood       64 MiB
 *   /query       names and values of the query
 *   /client      the client's address behind 127.0.0.1 and 10.0.0.0/8
 *   /peer        the peer's address
 *   /header      the value of X-Test and of the cookie `c`
 *   /shared      what fixture_share() made, in `handle`; a body up to 100 bytes is taken
 *   /shared/304  the same with status 304
 *   /shared/soon the same with 200, in `begin`
 *   /note        the note on this target, or "new" where there was none; then there is one
 *   /note/later  gets a note and is suspended
 */
#ifndef OPENRISK_TESTS_HTTP_FIXTURE_H
#define OPENRISK_TESTS_HTTP_FIXTURE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "http/http.h"

enum { FIXTURE_FILE_BYTES = 300000, FIXTURE_PATIENCE_MS = 10000 };

struct fixture {
    struct http_server *server;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct http_request *suspended[8];       /* lock */
    unsigned suspended_count;                /* lock */
    unsigned begun, handled, done, problems; /* lock */
    pthread_t threads[8];                    /* lock: event loops that were seen in `begin` */
    unsigned thread_count;                   /* lock */
    struct http_shared *shared;              /* lock */
    unsigned released;                       /* lock: bodies of shared replies */
    const char *note;                        /* lock: of the last request for /note… */
};

/** Deadlines of 30 s, 2 loops, 4,000 connections, a free port. */
struct http_settings fixture_settings(void);
struct fixture *fixture_start(const struct http_settings *settings);
/** Checks that `done` was called once for each `begin`. */
void fixture_stop(struct fixture *fixture);

/** For cmocka: the state is a fixture with these settings. */
int fixture_set_up(void **state);
int fixture_tear_down(void **state);

/** Wait until the counter (a member of the fixture) is at least `count`. */
void fixture_wait(struct fixture *fixture, const unsigned *counter, unsigned count);
/** Answer all suspended requests from a thread of their own. */
void fixture_answer_later(struct fixture *fixture);

/** For a thread: end the server, with patience. */
void *fixture_drain(void *fixture);

/** From now on /shared is answered with a reply of so many bytes "s", and `X-Shared: yes`. */
void fixture_share(struct fixture *fixture, size_t bytes);
/** No more; what is on its way goes on. */
void fixture_unshare(struct fixture *fixture);

/** A connection to the server. */
int client_connect(const struct fixture *fixture);
void client_send(int socket, const char *bytes);
void client_send_bytes(int socket, const char *bytes, size_t size);
/** The next response with its body, by its Content-Length; valid until the next call. */
const char *client_read(int socket);
/** The same for the answer to HEAD. */
const char *client_read_head(int socket);
/** So many bytes. */
void client_read_bytes(int socket, char *bytes, size_t size);
/** Until the server closes; what came is thrown away. */
void client_expect_close(int socket);
/** True once the server has closed or reset, false after `patience_ms`. */
bool client_closed_within(int socket, int patience_ms);
/** Connect, send, read one response, close. */
const char *client_exchange(const struct fixture *fixture, const char *request);
int response_status(const char *response);
const char *response_body(const char *response);
/** It is 200 with this body. */
void expect_body(const char *response, const char *body);

#endif
