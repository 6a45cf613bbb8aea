/**
 * For the tests of the connection to Redis: a Redis of their own, and who asks and writes.
 *
 *     struct redis_server server; redis_server_start(&server, NULL);
 *     struct redis_settings settings = test_redis_settings(server.port);
 *     … redis_start() … test_wait_for_state(redis, BREAKER_CLOSED);
 *     redis_stop(redis); redis_server_stop(&server);
 *
 * Whatever goes wrong in here fails the test.
 */
#ifndef OPENRISK_TESTS_REDIS_FIXTURE_H
#define OPENRISK_TESTS_REDIS_FIXTURE_H

#include <stdatomic.h>
#include <sys/types.h>

#include "cache/redis.h"

enum { PATIENCE_MS = 20000, WELL_WITHIN_MS = 5000 };

/** A redis-server on a free port of the loopback, with a folder of its own. It dies with us. */
struct redis_server {
    const char *const *options;
    char folder[64];
    int port;
    pid_t pid; /* 0: it does not run */
};

/** `options` as on its command line, NULL-terminated, or NULL. Waits until it answers. */
void redis_server_start(struct redis_server *server, const char *const *options);
/** Ends it at once (SIGKILL). */
void redis_server_kill(struct redis_server *server);
/** Again, on the same port. */
void redis_server_restart(struct redis_server *server);
/** SIGSTOP, SIGCONT. */
void redis_server_signal(struct redis_server *server, int number);
/** Ends it if it runs, and removes its folder. */
void redis_server_stop(struct redis_server *server);
/** What it answers to a command that another client sends: the first line, in `answer`. */
void redis_server_ask(struct redis_server *server, const char *command, char *answer, size_t size);
/** It must answer "+OK". */
void redis_server_tell(struct redis_server *server, const char *command);
/** A port of the loopback on which nobody listens. */
int test_free_port(void);

/** As usual, but patient: a busy machine shall not fail a test that is not about time. */
struct redis_settings test_redis_settings(int port);
struct redis *test_redis_start(const struct redis_settings *settings);
void test_wait_for_state(struct redis *redis, enum breaker_state state);
struct redis_statistics test_statistics(struct redis *redis);
/** Fails the test, with these words, unless `is_so` becomes true. */
void test_wait(bool (*is_so)(void *context), void *context, const char *words);

/** A server and a connection to it. */
struct redis_fixture {
    struct redis_server server;
    struct redis *redis;
};

int redis_fixture_setup(void **state);
int redis_fixture_teardown(void **state);
#define REDIS_TEST(name)                                                                           \
    cmocka_unit_test_setup_teardown(name, redis_fixture_setup, redis_fixture_teardown)
/** Both; waits until the breaker is closed. `limit_ms` 0: a patient one. */
void redis_fixture_start(struct redis_fixture *fixture, unsigned limit_ms);

enum { TEST_VALUE_SIZE = 64 };

struct test_read {
    struct redis_read read; /* first */
    char key[32];
    atomic_uint answers;
    enum redis_result result;
    size_t length;               /* of the whole value … */
    char value[TEST_VALUE_SIZE]; /* … of which this is the beginning */
    int64_t answered_ms;
};

struct test_write {
    struct redis_write write; /* first */
    char key[32];
    const char *value;
    size_t length;
    int64_t kept_ms;
    atomic_uint packed, done;
};

/** `read` is the test's and must live until it is answered. */
bool test_get(struct redis *redis, struct test_read *read, const char *key);
void test_wait_for_answer(struct test_read *read);
/** Asks and waits; the test fails if it is not even asked. */
enum redis_result test_get_now(struct redis *redis, struct test_read *read, const char *key);
/** Makes it ready for redis_set(), to be kept for a minute. */
void test_write_init(struct test_write *write, const char *key, const char *value, size_t length);
bool test_set(struct redis *redis, struct test_write *write, const char *key, const char *value,
              size_t length);
void test_wait_until_done(struct test_write *write);
void test_set_now(struct redis *redis, const char *key, const char *value);

#endif
