/*
 * Two nodes over one Redis under many threads that read, write, look and doubt, while Redis dies,
 * stalls, forgets and comes back; over a model of a database. Each reader notes what its node knew
 * when it came, and what it has seen so far, and must not be given anything older.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>

#include "second_fixture.h"
#include "stress_fixture.h"

enum { NODES = 2, THREADS = 8, KEYS = 32, KINDS = 4, ROUNDS = 2, GIVEN_PER_ROUND = 20000 };
enum { MAX_BYTES = 24 << 10, ENTRY_MAX_BYTES = 4 << 10, VALUE_BYTES_MAX = 2 << 10 };
enum { LIMIT_MS = 50 };

static const uint64_t hash_key = 1;
static const struct clock system_clock;
/** What keys depend on. There are more of them than have room in memory. */
static const struct cache_terms kinds[KINDS] = {
    {SCOPE_A, 60000}, {SCOPE_B, 60000}, {SCOPE_A | SCOPE_B, 60000}, {SCOPE_A | SCOPE_B, 40}};

/** What a node has beside its cache. */
struct level {
    struct redis *redis;
    struct second_level *second;
};

struct world {
    struct stress_world stress; /* first */
    struct redis_server server;
    struct stress_node nodes[NODES];
    struct level levels[NODES];
    atomic_bool is_over;
};

static void live(struct stress_client *client)
{
    const struct world *world = (const struct world *)client->node->world;
    struct cache_vector vector;
    while (!world->is_over) {
        uint64_t what = stress_chance(client, 1024);
        if (what == 0)
            stress_write(client);
        else if (what < 8)
            cache_tick(client->node->cache, 1);
        else if (what < 40)
            stress_look(client, &vector); /* as the watch does */
        else
            stress_read(client);
    }
}

/* What happens to Redis */

struct progress {
    struct world *world;
    unsigned given;
    uint64_t hits; /* of the second level */
};

static uint64_t second_hits(struct world *world)
{
    uint64_t hits = 0;
    for (int i = 0; i < NODES; i++) {
        struct cache_statistics statistics;
        cache_statistics(world->nodes[i].cache, &statistics);
        hits += statistics.second_hits;
    }
    return hits;
}

static bool has_gone_on(void *context)
{
    const struct progress *progress = context;
    return progress->world->stress.given >= progress->given;
}

static bool has_helped(void *context)
{
    const struct progress *progress = context;
    return second_hits(progress->world) > progress->hits;
}

static void go_on(struct world *world)
{
    struct progress progress = {.world = world, .given = world->stress.given + GIVEN_PER_ROUND};
    test_wait(has_gone_on, &progress, "answers");
}

/** Both nodes use it again. */
static void come_back(struct world *world)
{
    struct progress progress = {.world = world};
    for (int i = 0; i < NODES; i++)
        test_wait_for_state(world->levels[i].redis, BREAKER_CLOSED);
    progress.hits = second_hits(world);
    test_wait(has_helped, &progress, "hits of the second level");
    go_on(world);
}

static void trouble_redis(struct world *world)
{
    struct redis_server *server = &world->server;
    come_back(world);
    for (int round = 0; round < ROUNDS; round++) {
        redis_server_kill(server);
        go_on(world);
        redis_server_restart(server);
        come_back(world);
        redis_server_signal(server, SIGSTOP);
        go_on(world);
        redis_server_signal(server, SIGCONT);
        come_back(world);
        redis_server_tell(server, "FLUSHALL");
        come_back(world);
    }
}

static void run(struct world *world)
{
    static struct stress_client clients[THREADS];
    stress_start(clients, THREADS, world->nodes, NODES);
    trouble_redis(world);
    world->is_over = true;
    stress_join(clients, THREADS);
}

static void node_start(struct world *world, int i)
{
    struct redis_settings redis = test_redis_settings(world->server.port);
    struct cache_settings settings = {
        .max_bytes = MAX_BYTES, .entry_max_bytes = ENTRY_MAX_BYTES, .shards_max = 1};
    struct level *level = &world->levels[i];
    redis.limit_ms = LIMIT_MS;
    level->redis = test_redis_start(&redis);
    struct second_settings second = second_test_settings(level->redis, &system_clock, &hash_key);
    level->second = second_new(&second);
    struct generations *k = generations_new(1000, 0);
    struct cache *cache = cache_new(&settings, k);
    cache_set_second(cache, level->second);
    stress_node_init(&world->nodes[i], &world->stress, k, cache);
}

static void add(struct cache_statistics *sum, const struct cache_statistics *more)
{
    sum->hits += more->hits;
    sum->loads += more->loads;
    sum->second_hits += more->second_hits;
    sum->coalesced += more->coalesced;
    sum->flights += more->flights;
    sum->waiting += more->waiting;
}

static void stop_nodes(struct world *world, struct cache_statistics *sum, uint64_t *ret_refused)
{
    for (int i = 0; i < NODES; i++) {
        struct stress_node *node = &world->nodes[i];
        struct level *level = &world->levels[i];
        struct cache_statistics statistics;
        struct second_statistics second;
        cache_statistics(node->cache, &statistics);
        second_statistics(level->second, &second);
        *ret_refused += second.refused;
        add(sum, &statistics);
        redis_stop(level->redis);
        second_free(level->second);
        cache_free(node->cache);
        generations_free(node->k);
    }
}

static void nobody_is_given_less_than_the_node_knew_whatever_becomes_of_redis(void **state)
{
    static struct world world = {.stress = {.kinds = kinds,
                                            .kind_count = KINDS,
                                            .keys = KEYS,
                                            .value_bytes_max = VALUE_BYTES_MAX,
                                            .make = second_test_value,
                                            .live = live}};
    const struct stress_world *stress = &world.stress;
    struct cache_statistics sum = {0};
    uint64_t not_believed = 0;
    (void)state;
    stress_world_init(&world.stress);
    redis_server_start(&world.server, NULL);
    for (int i = 0; i < NODES; i++)
        node_start(&world, i);
    run(&world);
    stop_nodes(&world, &sum, &not_believed);
    redis_server_stop(&world.server);
    print_message("# figure: two nodes: %u answers to %d threads amid %d writes and %d failures of "
                  "Redis, %u stale; %u hits in memory, %u in Redis, %u loads, %u waited\n",
                  stress->given, THREADS, (int)(stress->database.of[0] + stress->database.of[1]),
                  3 * ROUNDS, stress->stale + stress->backwards, (unsigned)sum.hits,
                  (unsigned)sum.second_hits, (unsigned)sum.loads, (unsigned)sum.coalesced);
    assert_int_equal(stress->stale, 0);
    assert_int_equal(stress->backwards, 0);
    assert_int_equal(stress->mixed_up, 0);
    assert_int_equal(stress->told_twice, 0);
    assert_int_equal(not_believed, 0); /* all that was there was theirs */
    assert_int_equal(sum.flights, 0);
    assert_int_equal(sum.waiting, 0);
    assert_int_equal(second_values.freed, second_values.made);
    assert_true(sum.hits > 0 && sum.loads > 0 && sum.coalesced > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_given_less_than_the_node_knew_whatever_becomes_of_redis)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
