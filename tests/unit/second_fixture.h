/**
 * For the tests of the second level: values of cache_fixture.h that can be sent, a hash, several
 * levels over one Redis as if each were another node's, and what Redis holds past them.
 *
 * Whatever goes wrong in here fails the test.
 */
#ifndef OPENRISK_TESTS_SECOND_FIXTURE_H
#define OPENRISK_TESTS_SECOND_FIXTURE_H

#include "cache/second.h"
#include "cache_fixture.h"
#include "redis_fixture.h"

/** All values that are made from bytes, as a codec has no context. */
extern struct test_values second_values;

/** Makes test values from bytes whatever these are, so that nothing but the seal refuses any. */
extern const struct second_codec second_test_codec;

/** Some hash of both texts and of the number that is its context (no cipher). */
void second_test_hash(const void *context, const void *first, size_t first_length,
                      const void *second, size_t second_length,
                      uint8_t ret_hash[SECOND_HASH_BYTES]);

/** One of `second_values`, with one reference; its bytes are `length` more than its numbers. */
struct cache_value *second_test_value(int64_t number, const struct cache_vector *vector,
                                      size_t length);

/** Settings of a node that reads and writes what `hash_key` seals. All is borrowed. */
struct second_settings second_test_settings(struct redis *redis, const struct clock *clock,
                                            const uint64_t *hash_key);

/** A question and what came of it. */
struct test_question {
    struct second_question question; /* first */
    atomic_uint answers;
    struct cache_value *value; /* a reference; NULL */
    int64_t ttl_ms;
};
bool test_ask(struct second_level *second, struct test_question *question,
              const struct cache_key *key, unsigned scopes, const struct cache_vector *vector);
void test_wait_for_question(struct test_question *question);

/** So many values have been written there, by this connection. */
void test_wait_for_sets(struct redis *redis, uint64_t sets);

/* Past the second level, in buffers of TEST_STORED_MAX: what Redis has under a name. */
enum { TEST_STORED_MAX = 1 << 20 };
bool test_stored(struct redis *redis, const char *name, size_t name_length, struct buf *ret_bytes);
void test_store(struct redis *redis, const char *name, size_t name_length, const void *bytes,
                size_t length);

#endif
