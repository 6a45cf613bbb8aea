/**
 * For the tests of the cache under many threads: clients of one node or several that read, write,
 * look, fail and doubt, over a model of a database. Each notes what its node knew and had
 * acknowledged when it came, and what it has seen so far, and must not be given anything older.
 *
 *     static struct stress_world world = {.kinds = …, .live = …}; stress_world_init(&world);
 *     stress_node_init(&node, &world, k, cache);
 *     stress_start(clients, THREADS, nodes, NODES); … stress_join(clients, THREADS);
 *     assert_int_equal(world.stale, 0); …
 */
#ifndef OPENRISK_TESTS_STRESS_FIXTURE_H
#define OPENRISK_TESTS_STRESS_FIXTURE_H

#include <pthread.h>

#include "cache_fixture.h"

enum { STRESS_SCOPES = 2 };

struct stress_client;

struct stress_world {
    /* The test's to set. */
    const struct cache_terms *kinds; /* what keys depend on: a key's number modulo … */
    unsigned kind_count;             /* … this */
    unsigned keys;
    size_t value_bytes_max;
    struct cache_value *(*make)(int64_t number, const struct cache_vector *vector, size_t bytes);
    void (*live)(struct stress_client *client); /* what a client's thread does */
    /* What came of it. */
    pthread_mutex_t lock; /* guards `database`: a commit, or the beginning of a snapshot */
    struct cache_vector database;
    atomic_uint given, refused, stale, backwards, mixed_up, told_twice;
};
void stress_world_init(struct stress_world *world);

struct stress_node {
    struct stress_world *world;
    struct generations *k;
    struct cache *cache;
    _Atomic int64_t acknowledged[STRESS_SCOPES]; /* what was written here */
};
/** All is borrowed. */
void stress_node_init(struct stress_node *node, struct stress_world *world, struct generations *k,
                      struct cache *cache);

/** One of the threads. It waits for one thing at a time. */
struct stress_client {
    struct cache_waiter waiter; /* first */
    struct cache_inquiry inquiry;
    struct stress_node *node;
    pthread_t thread;
    uint64_t random;
    struct cache_vector seen; /* the newest that it was shown of each scope */
    pthread_mutex_t lock;     /* guards what follows */
    pthread_cond_t changed;
    unsigned told;
    struct cache_value *value; /* a reference; NULL: it was refused, or nothing was found */
};

void stress_start(struct stress_client *clients, size_t count, struct stress_node *nodes,
                  size_t node_count);
void stress_join(struct stress_client *clients, size_t count);

/* What a client does. */

/** Below `many`. */
uint64_t stress_chance(struct stress_client *client, uint64_t many);
/** A commit on its node, whose answer is lost now and then. Other nodes hear of it later. */
void stress_write(struct stress_client *client);
/** A snapshot, or a look, as the watch takes it; the time of its beginning. */
int64_t stress_look(struct stress_client *client, struct cache_vector *ret_vector);
/** Something by a flight: found, waited for, asked of the second level, or loaded. */
void stress_read(struct stress_client *client);
/** Something that is there at once or not at all, and is put there. */
void stress_get_or_put(struct stress_client *client);

#endif
