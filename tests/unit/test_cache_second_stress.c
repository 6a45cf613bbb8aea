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
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/thread.h"
#include "second_fixture.h"

enum {
    NODES = 2,
    THREADS = 8,
    KEYS = 32,
    KINDS = 4,
    SCOPES_USED = 2,
    ROUNDS = 2,
    GIVEN_PER_ROUND = 20000
};
enum { MAX_BYTES = 24 << 10, ENTRY_MAX_BYTES = 4 << 10, VALUE_BYTES_MAX = 2 << 10 };
enum { STACK_BYTES = 256 * 1024, LIMIT_MS = 50 };

static const uint64_t hash_key = 1;
static const struct clock system_clock;
/** What keys depend on. There are more of them than have room in memory. */
static const struct cache_terms kinds[KINDS] = {
    {SCOPE_A, 60000}, {SCOPE_B, 60000}, {SCOPE_A | SCOPE_B, 60000}, {SCOPE_A | SCOPE_B, 40}};

static const struct cache_terms *terms_of(uint64_t number)
{
    return &kinds[number % KINDS];
}

struct world;

struct node {
    struct world *world;
    struct generations *k;
    struct redis *redis;
    struct second_level *second;
    struct cache *cache;
};

struct world {
    struct redis_server server;
    struct node nodes[NODES];
    pthread_mutex_t lock; /* guards `database`: a commit, or the beginning of a snapshot */
    struct cache_vector database;
    atomic_bool is_over;
    atomic_uint given, refused, stale, backwards, mixed_up, told_twice;
};

/** One of the threads, with a node of its own. It waits for one thing at a time. */
struct client {
    struct cache_waiter waiter; /* first */
    struct cache_inquiry inquiry;
    struct world *world;
    struct node *node;
    pthread_t thread;
    uint64_t random;
    struct cache_vector seen; /* the newest that it was shown of each scope */
    pthread_mutex_t lock;     /* guards what follows */
    pthread_cond_t changed;
    unsigned told;
    struct cache_value *value; /* a reference; NULL: it was refused, or nothing was found */
};

/** Below `many`. From the upper bits: the lower ones of a row of numbers hang together. */
static uint64_t chance(struct client *client, uint64_t many)
{
    return (test_random(&client->random) >> 32) % many;
}

/** Let others run in the middle of something. */
static void dawdle(struct client *client)
{
    for (uint64_t turns = chance(client, 4); turns > 0; turns--)
        sched_yield();
}

/** A commit on its node, whose answer is lost now and then. The other one hears of it later. */
static void write_something(struct client *client)
{
    struct world *world = client->world;
    struct cache_vector bumped = {0};
    int scope = (int)chance(client, SCOPES_USED);
    pthread_mutex_lock(&world->lock);
    bumped.of[scope] = ++world->database.of[scope];
    pthread_mutex_unlock(&world->lock);
    dawdle(client);
    if (chance(client, 8) == 0)
        generations_doubt(client->node->k);
    else
        generations_raise(client->node->k, 1u << scope, &bumped);
}

/** A snapshot, or a look; the time of its beginning. */
static int64_t read_generations(struct client *client, struct cache_vector *ret_vector)
{
    struct world *world = client->world;
    struct cache_look look = generations_look(client->node->k);
    pthread_mutex_lock(&world->lock);
    *ret_vector = world->database;
    pthread_mutex_unlock(&world->lock);
    dawdle(client);
    if (!generations_seen(client->node->k, look, ret_vector))
        atomic_fetch_add(&world->backwards, 1);
    return look.began_ms;
}

static struct cache_value *make_value(struct client *client, uint64_t number,
                                      const struct cache_vector *vector)
{
    return second_test_value((int64_t)number, vector, chance(client, VALUE_BYTES_MAX));
}

/** What was given to one who came when its node knew `known`. */
static void check(struct client *client, uint64_t number, const struct cache_vector *known,
                  struct cache_value *value)
{
    struct world *world = client->world;
    const struct test_value *given = test_value_of(value);
    unsigned scopes = terms_of(number)->scopes;
    atomic_fetch_add(&world->given, 1);
    if (given->number != (int64_t)number)
        atomic_fetch_add(&world->mixed_up, 1);
    if (!cache_vector_covers(&given->vector, known, scopes))
        atomic_fetch_add(&world->stale, 1);
    if (!cache_vector_covers(&given->vector, &client->seen, scopes))
        atomic_fetch_add(&world->backwards, 1);
    for (int scope = 0; scope < SCOPES_USED; scope++)
        if (scopes & 1u << scope)
            client->seen.of[scope] = given->vector.of[scope];
    cache_value_unref(value);
}

static void load_once(struct client *client, uint64_t number, struct cache_flight *flight,
                      struct cache_landing *landing)
{
    static const struct err away;
    dawdle(client);
    if (chance(client, 16) == 0) {
        *landing = (struct cache_landing){.status = UNAVAILABLE, .err = &away};
        return;
    }
    *landing = (struct cache_landing){0};
    int64_t began_ms = read_generations(client, &landing->vector);
    landing->value = cache_found_at(flight, began_ms, &landing->vector);
    if (!landing->value)
        landing->value = make_value(client, number, &landing->vector);
    dawdle(client);
}

/** NULL if it failed. */
static struct cache_value *load(struct client *client, uint64_t number, struct cache_flight *flight)
{
    struct cache_landing landing;
    for (;;) {
        load_once(client, number, flight, &landing);
        if (cache_land(flight, &landing))
            return landing.value;
        cache_value_unref(landing.value);
    }
}

static void tell_client(struct client *client, const struct cache_landing *landing)
{
    pthread_mutex_lock(&client->lock);
    if (++client->told > 1)
        atomic_fetch_add(&client->world->told_twice, 1);
    bool is_given = landing && landing->status == OK;
    client->value = is_given ? cache_value_ref(landing->value) : NULL;
    pthread_cond_signal(&client->changed);
    pthread_mutex_unlock(&client->lock);
}

static void landed(struct cache_waiter *waiter, const struct cache_landing *landing)
{
    tell_client((struct client *)waiter, landing);
}

static void answered(struct cache_inquiry *inquiry, const struct cache_landing *landing)
{
    tell_client((struct client *)((char *)inquiry - offsetof(struct client, inquiry)), landing);
}

/** NULL if there is nothing for it. Who is never told ends the test. */
static struct cache_value *wait_until_told(struct client *client)
{
    struct timespec until = thread_deadline(clock_monotonic_ms() + 3 * PATIENCE_MS);
    pthread_mutex_lock(&client->lock);
    while (client->told == 0)
        if (pthread_cond_timedwait(&client->changed, &client->lock, &until) != 0)
            abort();
    struct cache_value *value = client->value;
    pthread_mutex_unlock(&client->lock);
    return value;
}

static struct cache_value *lead(struct client *client, uint64_t number, struct cache_flight *flight)
{
    client->inquiry = (struct cache_inquiry){.answered = answered};
    struct cache_value *value =
        cache_ask_second(flight, &client->inquiry) ? wait_until_told(client) : NULL;
    return value ? value : load(client, number, flight);
}

static void read_something(struct client *client)
{
    struct world *world = client->world;
    char text[TEST_KEY_SIZE];
    uint64_t number = chance(client, KEYS);
    struct cache_key key = test_key(number, text);
    struct cache_vector known = generations_known(client->node->k).vector;
    struct cache_flight *flight;
    struct cache_value *value = NULL;
    bool impatient = chance(client, 8) == 0;
    client->waiter.deadline_ms = impatient ? 0 : INT64_MAX;
    pthread_mutex_lock(&client->lock);
    client->told = 0;
    pthread_mutex_unlock(&client->lock);
    switch (cache_enter(client->node->cache, &key, terms_of(number), clock_monotonic_ms(),
                        &client->waiter, &value, &flight)) {
    case CACHE_HIT:
        break;
    case CACHE_WAITS:
        value = wait_until_told(client);
        break;
    case CACHE_LEADS:
        value = lead(client, number, flight);
        break;
    }
    if (value)
        check(client, number, &known, value);
    else
        atomic_fetch_add(&world->refused, 1);
}

static void *live(void *context)
{
    struct client *client = context;
    struct cache_vector vector;
    while (!client->world->is_over) {
        uint64_t what = chance(client, 1024);
        if (what == 0)
            write_something(client);
        else if (what < 8)
            cache_tick(client->node->cache, 1);
        else if (what < 40)
            read_generations(client, &vector); /* as the watch does */
        else
            read_something(client);
    }
    return NULL;
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
    return progress->world->given >= progress->given;
}

static bool has_helped(void *context)
{
    const struct progress *progress = context;
    return second_hits(progress->world) > progress->hits;
}

static void go_on(struct world *world)
{
    struct progress progress = {.world = world, .given = world->given + GIVEN_PER_ROUND};
    test_wait(has_gone_on, &progress, "answers");
}

/** Both nodes use it again. */
static void come_back(struct world *world)
{
    struct progress progress = {.world = world};
    for (int i = 0; i < NODES; i++)
        test_wait_for_state(world->nodes[i].redis, BREAKER_CLOSED);
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
    static struct client clients[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        clients[i] = (struct client){.waiter = {.landed = landed},
                                     .world = world,
                                     .node = &world->nodes[i % NODES],
                                     .random = test_mix(i + 1)};
        pthread_mutex_init(&clients[i].lock, NULL);
        thread_condition_init(&clients[i].changed);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(thread_start(&clients[i].thread, STACK_BYTES, live, &clients[i]), 0);
    trouble_redis(world);
    world->is_over = true;
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(clients[i].thread, NULL);
}

static void node_start(struct world *world, struct node *node)
{
    struct redis_settings redis = test_redis_settings(world->server.port);
    struct cache_settings settings = {
        .max_bytes = MAX_BYTES, .entry_max_bytes = ENTRY_MAX_BYTES, .shards_max = 1};
    redis.limit_ms = LIMIT_MS;
    node->world = world;
    node->k = generations_new(1000, 0);
    node->redis = test_redis_start(&redis);
    struct second_settings second = second_test_settings(node->redis, &system_clock, &hash_key);
    node->second = second_new(&second);
    node->cache = cache_new(&settings, node->k);
    cache_set_second(node->cache, node->second);
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
        struct node *node = &world->nodes[i];
        struct cache_statistics statistics;
        struct second_statistics second;
        cache_statistics(node->cache, &statistics);
        second_statistics(node->second, &second);
        *ret_refused += second.refused;
        add(sum, &statistics);
        redis_stop(node->redis);
        second_free(node->second);
        cache_free(node->cache);
        generations_free(node->k);
    }
}

static void nobody_is_given_less_than_the_node_knew_whatever_becomes_of_redis(void **state)
{
    static struct world world;
    struct cache_statistics sum = {0};
    uint64_t not_believed = 0;
    (void)state;
    pthread_mutex_init(&world.lock, NULL);
    redis_server_start(&world.server, NULL);
    for (int i = 0; i < NODES; i++)
        node_start(&world, &world.nodes[i]);
    run(&world);
    stop_nodes(&world, &sum, &not_believed);
    redis_server_stop(&world.server);
    print_message("# figure: two nodes: %u answers to %d threads amid %d writes and %d failures of "
                  "Redis, %u stale; %u hits in memory, %u in Redis, %u loads, %u waited\n",
                  world.given, THREADS, (int)(world.database.of[0] + world.database.of[1]),
                  3 * ROUNDS, world.stale + world.backwards, (unsigned)sum.hits,
                  (unsigned)sum.second_hits, (unsigned)sum.loads, (unsigned)sum.coalesced);
    assert_int_equal(world.stale, 0);
    assert_int_equal(world.backwards, 0);
    assert_int_equal(world.mixed_up, 0);
    assert_int_equal(world.told_twice, 0);
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
