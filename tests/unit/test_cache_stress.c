/*
 * The cache under many threads that read, write, fail, doubt and tick at the same moment, over a
 * model of a database. Each reader notes which writes were acknowledged when it came and what it
 * has seen so far, and must not be given anything older.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stress_fixture.h"

enum { THREADS = 8, STEPS = 30000, KEYS = 4 };
enum { MAX_BYTES = 64 << 10, ENTRY_MAX_BYTES = 12 << 10, VALUE_BYTES_MAX = 16 << 10 };

/** What each key depends on. */
static const struct cache_terms terms[KEYS] = {
    {SCOPE_A, 60000}, {SCOPE_B, 60000}, {SCOPE_A | SCOPE_B, 60000}, {SCOPE_A | SCOPE_B, 20}};

static struct test_values values;

static struct cache_value *make(int64_t number, const struct cache_vector *vector, size_t bytes)
{
    struct test_value *value = test_value_new(&values, bytes);
    value->number = number;
    value->vector = *vector;
    return &value->value;
}

static void live(struct stress_client *client)
{
    for (int step = 0; step < STEPS; step++) {
        uint64_t what = stress_chance(client, 64);
        if (what == 0)
            stress_write(client);
        else if (what == 1)
            cache_tick(client->node->cache, 1);
        else if (what < 8)
            stress_get_or_put(client);
        else
            stress_read(client);
    }
}

static void nobody_is_ever_given_what_is_outdated(void **state)
{
    static struct stress_world world = {.kinds = terms,
                                        .kind_count = KEYS,
                                        .keys = KEYS,
                                        .value_bytes_max = VALUE_BYTES_MAX,
                                        .make = make,
                                        .live = live};
    static struct stress_client clients[THREADS];
    struct stress_node node;
    struct cache_settings settings = {
        .max_bytes = MAX_BYTES, .entry_max_bytes = ENTRY_MAX_BYTES, .shards_max = 1};
    struct cache_statistics statistics;
    (void)state;
    struct generations *k = generations_new(1000, 0);
    struct cache *cache = cache_new(&settings, k);
    stress_world_init(&world);
    stress_node_init(&node, &world, k, cache);
    stress_start(clients, THREADS, &node, 1);
    stress_join(clients, THREADS);
    cache_statistics(cache, &statistics);
    cache_free(cache);
    generations_free(k);
    print_message("# figure: cache: %u answers to %d threads amid %d writes, %u stale; %u hits, "
                  "%u waited, %u repeated\n",
                  world.given, THREADS, (int)(world.database.of[0] + world.database.of[1]),
                  world.stale + world.backwards, (unsigned)statistics.hits,
                  (unsigned)statistics.coalesced, (unsigned)statistics.repeats);
    assert_int_equal(world.stale, 0);
    assert_int_equal(world.backwards, 0);
    assert_int_equal(world.mixed_up, 0);
    assert_int_equal(world.told_twice, 0);
    assert_int_equal(statistics.flights, 0);
    assert_int_equal(statistics.waiting, 0);
    assert_int_equal(values.freed, values.made);
    /* What it is about did happen. */
    assert_true(statistics.hits > 0 && statistics.coalesced > 0 && statistics.repeats > 0);
    assert_true(statistics.late > 0 && statistics.load_failures > 0 && statistics.too_large > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nobody_is_ever_given_what_is_outdated)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
