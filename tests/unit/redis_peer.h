/**
 * A peer that speaks as a Redis does, or does not: a thread that takes one connection after the
 * other and does with each what the test says.
 */
#ifndef OPENRISK_TESTS_REDIS_PEER_H
#define OPENRISK_TESTS_REDIS_PEER_H

#include <pthread.h>

#include "redis_fixture.h"

enum { PEER_WORDS_MAX = 6, PEER_WORD_SIZE = 80 };

/** A command; what does not fit of its words is cut. */
struct peer_command {
    size_t count;
    char words[PEER_WORDS_MAX][PEER_WORD_SIZE];
};

struct redis_peer {
    void (*serve)(struct redis_peer *peer, int fd); /* on the peer's thread; fd is closed after */
    void *context;                                  /* the test's */
    int port, listener;
    pthread_t thread;
    atomic_int fd; /* of the connection, or −1 */
    atomic_bool stopping;
    atomic_uint connections;
};

void redis_peer_start(struct redis_peer *peer, void (*serve)(struct redis_peer *peer, int fd),
                      void *context);
/** Ends what it waits for in peer_hear(). */
void redis_peer_stop(struct redis_peer *peer);

/** Waits for a command; false if the connection ends. */
bool peer_hear(int fd, struct peer_command *ret_command);
/** Answers PING until something else comes, which is in `ret_command` then. */
bool peer_hear_in_earnest(int fd, struct peer_command *ret_command);
void peer_say(int fd, const char *text);
void peer_say_bytes(int fd, const void *bytes, size_t length);
/** Until the other side ends it. */
void peer_hear_all(int fd);

/** A peer, who is connected with it, and what tests tell their peers. */
struct peer_fixture {
    struct redis_peer peer; /* its context is the fixture */
    struct redis *redis;
    const char *words; /* what the peer says … */
    size_t length;     /* … if they hold a NUL */
    atomic_bool may_go_on;
    atomic_uint heard;
    atomic_size_t sent;
};

int peer_setup(void **state);
int peer_teardown(void **state);
#define PEER_TEST(name) cmocka_unit_test_setup_teardown(name, peer_setup, peer_teardown)

/** Starts the peer; the settings lead to it. */
struct redis_settings peer_serve(struct peer_fixture *fixture,
                                 void (*serve)(struct redis_peer *peer, int fd));
/** Connects, and waits until the breaker is closed. */
void peer_connect(struct peer_fixture *fixture, const struct redis_settings *settings);
/** Ends both, for another turn. */
void peer_end(struct peer_fixture *fixture);
struct redis_statistics peer_statistics(struct peer_fixture *fixture);

#endif
