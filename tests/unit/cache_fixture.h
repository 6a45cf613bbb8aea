/**
 * For the tests of the cache: values that are counted, keys, vectors, and chance that repeats.
 */
#ifndef OPENRISK_TESTS_CACHE_FIXTURE_H
#define OPENRISK_TESTS_CACHE_FIXTURE_H

#include "cache/cache.h"

/** The scopes that the tests use. */
enum { SCOPE_A = 1 << 0, SCOPE_B = 1 << 1 };

/** What became of a test's values. */
struct test_values {
    atomic_uint made, freed;
    atomic_size_t bytes; /* of those that live */
};

/** Says how large it is without being so. */
struct test_value {
    struct cache_value value; /* first */
    struct test_values *all;
    size_t bytes;               /* that `all` counts for it */
    struct cache_vector vector; /* of the state that it shows; the test's to set */
    int64_t number;             /* what it shows; the test's to set */
};

/** One reference, the caller's. `bytes` is what it says it takes. */
struct test_value *test_value_new(struct test_values *all, size_t bytes);
/** Count `bytes` more for it as long as it lives. */
void test_value_add_bytes(struct test_value *value, size_t bytes);
struct test_value *test_value_of(struct cache_value *value);
/** Let go of what memory_take_dead() gave. */
void test_values_bury(struct cache_value *dead);

enum { TEST_KEY_SIZE = 32 };
/** The key "key-NUMBER", in `buffer`; all are of one length. */
struct cache_key test_key(uint64_t number, char buffer[TEST_KEY_SIZE]);
struct cache_vector test_vector(int64_t of_a, int64_t of_b);

/** The next of a row of numbers that the first value of `state` decides; it must not be 0. */
uint64_t test_random(uint64_t *state);
/** 64 bits that depend on all bits of `number`. */
uint64_t test_mix(uint64_t number);

#endif
