#include "cache_fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

static void free_value(struct cache_value *value)
{
    struct test_value *own = test_value_of(value);
    atomic_fetch_sub(&own->all->bytes, own->bytes);
    atomic_fetch_add(&own->all->freed, 1);
    free(own);
}

struct test_value *test_value_new(struct test_values *all, size_t bytes)
{
    struct test_value *value = mem_zalloc(1, sizeof *value);
    value->all = all;
    cache_value_init(&value->value, bytes, free_value);
    atomic_fetch_add(&all->made, 1);
    test_value_add_bytes(value, bytes);
    return value;
}

void test_value_add_bytes(struct test_value *value, size_t bytes)
{
    value->bytes += bytes;
    atomic_fetch_add(&value->all->bytes, bytes);
}

struct test_value *test_value_of(struct cache_value *value)
{
    return (struct test_value *)value;
}

void test_values_bury(struct cache_value *dead)
{
    for (struct cache_value *next; dead; dead = next) {
        next = dead->next_dead;
        cache_value_unref(dead);
    }
}

struct cache_key test_key(uint64_t number, char buffer[TEST_KEY_SIZE])
{
    int length = snprintf(buffer, TEST_KEY_SIZE, "key-%012" PRIu64, number);
    return (struct cache_key){
        .text = buffer, .length = (size_t)length, .hash = test_mix(number + 1)};
}

struct cache_vector test_vector(int64_t of_a, int64_t of_b)
{
    return (struct cache_vector){.of = {of_a, of_b}};
}

/* xorshift64 (Marsaglia, "Xorshift RNGs", 2003). */
uint64_t test_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* The last steps of splitmix64 (Steele, Lea and Flood, OOPSLA 2014). */
uint64_t test_mix(uint64_t number)
{
    number *= UINT64_C(0x9E3779B97F4A7C15);
    number = (number ^ number >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    number = (number ^ number >> 27) * UINT64_C(0x94D049BB133111EB);
    return number ^ number >> 31;
}
