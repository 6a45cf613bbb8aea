#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "second_fixture.h"

struct test_values second_values;

/* Values as bytes */

struct packed {
    int64_t number;
    struct cache_vector vector;
};

static void pack_value(const struct cache_value *value, struct buf *out)
{
    const struct test_value *own = (const struct test_value *)value;
    struct packed packed = {.number = own->number, .vector = own->vector};
    buf_put(out, &packed, sizeof packed);
    for (size_t i = sizeof packed; i < own->value.bytes; i++)
        buf_putc(out, 'v');
}

static struct cache_value *unpack_value(const char *bytes, size_t length)
{
    struct packed packed;
    if (length < sizeof packed)
        return NULL;
    memcpy(&packed, bytes, sizeof packed);
    return second_test_value(packed.number, &packed.vector, length - sizeof packed);
}

const struct second_codec second_test_codec = {.pack = pack_value, .unpack = unpack_value};

struct cache_value *second_test_value(int64_t number, const struct cache_vector *vector,
                                      size_t length)
{
    struct test_value *value = test_value_new(&second_values, sizeof(struct packed) + length);
    value->number = number;
    value->vector = *vector;
    return &value->value;
}

static uint64_t mixed_in(uint64_t state, const void *bytes, size_t length)
{
    const uint8_t *byte = bytes;
    state = test_mix(state ^ length);
    for (size_t i = 0; i < length; i++)
        state = test_mix(state * 257 + byte[i] + 1);
    return state;
}

void second_test_hash(const void *context, const void *first, size_t first_length,
                      const void *second, size_t second_length, uint8_t ret_hash[SECOND_HASH_BYTES])
{
    uint64_t key;
    memcpy(&key, context, sizeof key);
    uint64_t state = mixed_in(mixed_in(test_mix(key), first, first_length), second, second_length);
    for (size_t at = 0; at < SECOND_HASH_BYTES; at += sizeof state) {
        state = test_mix(state + 1);
        memcpy(ret_hash + at, &state, sizeof state);
    }
}

struct second_settings second_test_settings(struct redis *redis, const struct clock *clock,
                                            const uint64_t *hash_key)
{
    return (struct second_settings){.redis = redis,
                                    .space = "test:1",
                                    .hash = second_test_hash,
                                    .hash_context = hash_key,
                                    .codec = second_test_codec,
                                    .clock = clock,
                                    .value_max_bytes = TEST_STORED_MAX};
}

/* Asking */

static void answered(struct second_question *base, struct cache_value *value, int64_t ttl_ms)
{
    struct test_question *question = (struct test_question *)base;
    question->value = value;
    question->ttl_ms = ttl_ms;
    atomic_fetch_add(&question->answers, 1);
}

bool test_ask(struct second_level *second, struct test_question *question,
              const struct cache_key *key, unsigned scopes, const struct cache_vector *vector)
{
    *question = (struct test_question){.question.answered = answered};
    return second_ask(second, key, scopes, vector, &question->question);
}

static bool is_answered(void *context)
{
    struct test_question *question = context;
    return atomic_load(&question->answers) > 0;
}

void test_wait_for_question(struct test_question *question)
{
    test_wait(is_answered, question, "an answer of the second level");
}

struct wanted_sets {
    struct redis *redis;
    uint64_t sets;
};

static bool are_set(void *context)
{
    struct wanted_sets *wanted = context;
    return test_statistics(wanted->redis).sets >= wanted->sets;
}

void test_wait_for_sets(struct redis *redis, uint64_t sets)
{
    struct wanted_sets wanted = {redis, sets};
    test_wait(are_set, &wanted, "writes to Redis");
}

/* Past it */

struct raw_read {
    struct redis_read read; /* first */
    struct buf *bytes;
    enum redis_result result;
    atomic_bool is_answered;
};

static void raw_answered(struct redis_read *base, enum redis_result result, const char *value,
                         size_t length)
{
    struct raw_read *read = (struct raw_read *)base;
    if (result == REDIS_FOUND)
        buf_put(read->bytes, value, length);
    read->result = result;
    atomic_store(&read->is_answered, true);
}

static bool is_raw_answered(void *context)
{
    struct raw_read *read = context;
    return atomic_load(&read->is_answered);
}

bool test_stored(struct redis *redis, const char *name, size_t name_length, struct buf *ret_bytes)
{
    struct raw_read read = {
        .read = {.key = name, .key_length = name_length, .answered = raw_answered},
        .bytes = ret_bytes};
    buf_clear(ret_bytes);
    assert_true(redis_get(redis, &read.read));
    test_wait(is_raw_answered, &read, "an answer of Redis");
    assert_int_not_equal(read.result, REDIS_FAILED);
    return read.result == REDIS_FOUND;
}

struct raw_write {
    struct redis_write write; /* first */
    const char *name;
    size_t name_length;
    const void *bytes;
    size_t length;
    atomic_bool is_done;
};

static int64_t pack_raw(struct redis_write *base, struct buf *key, struct buf *value)
{
    const struct raw_write *write = (const struct raw_write *)base;
    buf_put(key, write->name, write->name_length);
    buf_put(value, write->bytes, write->length);
    return INT64_C(3600000);
}

static void raw_done(struct redis_write *base)
{
    atomic_store(&((struct raw_write *)base)->is_done, true);
}

static bool is_raw_done(void *context)
{
    struct raw_write *write = context;
    return atomic_load(&write->is_done);
}

void test_store(struct redis *redis, const char *name, size_t name_length, const void *bytes,
                size_t length)
{
    struct raw_write write = {.write = {.bytes = length, .pack = pack_raw, .done = raw_done},
                              .name = name,
                              .name_length = name_length,
                              .bytes = bytes,
                              .length = length};
    uint64_t sets = test_statistics(redis).sets;
    assert_true(redis_set(redis, &write.write));
    test_wait(is_raw_done, &write, "the end of a write");
    test_wait_for_sets(redis, sets + 1);
}
