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
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cache_fixture.h"

enum { THREADS = 8, STEPS = 30000, KEYS = 4, SCOPES_USED = 2, PATIENCE_S = 60 };
enum { MAX_BYTES = 64 << 10, ENTRY_MAX_BYTES = 12 << 10, VALUE_BYTES_MAX = 16 << 10 };

/** What each key depends on. */
static const struct cache_terms terms[KEYS] = {
    {SCOPE_A, 60000}, {SCOPE_B, 60000}, {SCOPE_A | SCOPE_B, 60000}, {SCOPE_A | SCOPE_B, 20}};

struct world {
    struct generations *k;
    struct cache *cache;
    struct test_values values;
    pthread_mutex_t lock; /* guards `database`: a commit, or the beginning of a snapshot */
    struct cache_vector database;
    _Atomic int64_t acknowledged[SCOPES_USED];
    atomic_uint given, refused, stale, backwards, mixed_up, landed_twice;
};

/** One of the threads. It waits for one flight at a time. */
struct client {
    struct cache_waiter waiter; /* first */
    struct world *world;
    pthread_t thread;
    uint64_t random;
    struct cache_vector seen; /* the newest that it was shown of each scope */
    pthread_mutex_t lock;     /* guards what follows */
    pthread_cond_t changed;
    unsigned landings;
    struct cache_value *value; /* a reference; NULL: it was refused */
};

static struct cache_vector acknowledged(struct world *world)
{
    return test_vector(atomic_load(&world->acknowledged[0]), atomic_load(&world->acknowledged[1]));
}

static void acknowledge(struct world *world, int scope, int64_t generation)
{
    int64_t now = atomic_load(&world->acknowledged[scope]);
    while (now < generation &&
           !atomic_compare_exchange_weak(&world->acknowledged[scope], &now, generation))
        continue;
}

/** Let others run in the middle of something. */
static void dawdle(struct client *client)
{
    for (uint64_t turns = test_random(&client->random) % 4; turns > 0; turns--)
        sched_yield();
}

/** A commit, whose answer is lost now and then. */
static void write_something(struct client *client)
{
    struct world *world = client->world;
    int scope = (int)(test_random(&client->random) % SCOPES_USED);
    pthread_mutex_lock(&world->lock);
    int64_t generation = ++world->database.of[scope];
    pthread_mutex_unlock(&world->lock);
    struct cache_vector bumped = {0};
    bumped.of[scope] = generation;
    dawdle(client);
    if (test_random(&client->random) % 8 == 0)
        generations_doubt(world->k);
    else
        generations_raise(world->k, 1u << scope, &bumped);
    acknowledge(world, scope, generation);
}

/** A snapshot; the time of its beginning. */
static int64_t read_generations(struct client *client, struct cache_vector *ret_vector)
{
    struct world *world = client->world;
    struct cache_look look = generations_look(world->k);
    pthread_mutex_lock(&world->lock);
    *ret_vector = world->database;
    pthread_mutex_unlock(&world->lock);
    dawdle(client);
    generations_seen(world->k, look, ret_vector);
    return look.began_ms;
}

static struct cache_value *make_value(struct client *client, uint64_t number,
                                      const struct cache_vector *vector)
{
    size_t bytes = test_random(&client->random) % VALUE_BYTES_MAX;
    struct test_value *value = test_value_new(&client->world->values, bytes);
    value->number = (int64_t)number;
    value->vector = *vector;
    return &value->value;
}

/** What was given to one who came when `known` was acknowledged. */
static void check(struct client *client, uint64_t number, const struct cache_vector *known,
                  struct cache_value *value)
{
    struct world *world = client->world;
    const struct test_value *given = test_value_of(value);
    unsigned scopes = terms[number].scopes;
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
    if (test_random(&client->random) % 16 == 0) {
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

static void landed(struct cache_waiter *waiter, const struct cache_landing *landing)
{
    struct client *client = (struct client *)waiter;
    pthread_mutex_lock(&client->lock);
    if (++client->landings > 1)
        atomic_fetch_add(&client->world->landed_twice, 1);
    client->value = landing->status == OK ? cache_value_ref(landing->value) : NULL;
    pthread_cond_signal(&client->changed);
    pthread_mutex_unlock(&client->lock);
}

/** NULL if it was refused. A waiter that never lands ends the test. */
static struct cache_value *wait_for_landing(struct client *client)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&client->lock);
    while (client->landings == 0)
        if (pthread_cond_timedwait(&client->changed, &client->lock, &until) != 0)
            abort();
    struct cache_value *value = client->value;
    pthread_mutex_unlock(&client->lock);
    return value;
}

static void read_something(struct client *client)
{
    struct world *world = client->world;
    char text[TEST_KEY_SIZE];
    uint64_t number = test_random(&client->random) % KEYS;
    struct cache_key key = test_key(number, text);
    struct cache_vector known = acknowledged(world);
    struct cache_flight *flight;
    struct cache_value *value = NULL;
    bool impatient = test_random(&client->random) % 8 == 0;
    client->waiter.deadline_ms = impatient ? 0 : INT64_MAX;
    pthread_mutex_lock(&client->lock);
    client->landings = 0;
    pthread_mutex_unlock(&client->lock);
    switch (cache_enter(world->cache, &key, &terms[number], clock_monotonic_ms(), &client->waiter,
                        &value, &flight)) {
    case CACHE_HIT:
        break;
    case CACHE_WAITS:
        value = wait_for_landing(client);
        break;
    case CACHE_LEADS:
        value = load(client, number, flight);
        break;
    }
    if (value)
        check(client, number, &known, value);
    else
        atomic_fetch_add(&world->refused, 1);
}

/** What is found at once or not at all. */
static void get_or_put(struct client *client)
{
    struct world *world = client->world;
    char text[TEST_KEY_SIZE];
    uint64_t number = test_random(&client->random) % KEYS;
    struct cache_key key = test_key(number, text);
    struct cache_vector known = acknowledged(world), vector;
    struct cache_value *value = cache_get(world->cache, &key, clock_monotonic_ms());
    if (value) {
        check(client, number, &known, value);
        return;
    }
    read_generations(client, &vector);
    value = make_value(client, number, &vector);
    dawdle(client);
    cache_put(world->cache, &key, &terms[number], &vector, clock_monotonic_ms(), value);
    cache_value_unref(value);
}

static void *live(void *context)
{
    struct client *client = context;
    for (int step = 0; step < STEPS; step++) {
        uint64_t what = test_random(&client->random) % 64;
        if (what == 0)
            write_something(client);
        else if (what == 1)
            cache_tick(client->world->cache, 1);
        else if (what < 8)
            get_or_put(client);
        else
            read_something(client);
    }
    return NULL;
}

static void run(struct world *world)
{
    static struct client clients[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        clients[i] = (struct client){
            .waiter = {.landed = landed}, .world = world, .random = test_mix(i + 1)};
        pthread_mutex_init(&clients[i].lock, NULL);
        pthread_cond_init(&clients[i].changed, NULL);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&clients[i].thread, NULL, live, &clients[i]), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(clients[i].thread, NULL);
}

static void nobody_is_ever_given_what_is_outdated(void **state)
{
    static struct world world;
    struct cache_settings settings = {
        .max_bytes = MAX_BYTES, .entry_max_bytes = ENTRY_MAX_BYTES, .shards_max = 1};
    struct cache_statistics statistics;
    (void)state;
    world.k = generations_new(1000, 0);
    world.cache = cache_new(&settings, world.k);
    pthread_mutex_init(&world.lock, NULL);
    run(&world);
    cache_statistics(world.cache, &statistics);
    cache_free(world.cache);
    generations_free(world.k);
    print_message("# figure: cache: %u answers to %d threads amid %d writes, %u stale; %u hits, "
                  "%u waited, %u repeated\n",
                  world.given, THREADS, (int)(world.database.of[0] + world.database.of[1]),
                  world.stale + world.backwards, (unsigned)statistics.hits,
                  (unsigned)statistics.coalesced, (unsigned)statistics.repeats);
    assert_int_equal(world.stale, 0);
    assert_int_equal(world.backwards, 0);
    assert_int_equal(world.mixed_up, 0);
    assert_int_equal(world.landed_twice, 0);
    assert_int_equal(statistics.flights, 0);
    assert_int_equal(statistics.waiting, 0);
    assert_int_equal(world.values.freed, world.values.made);
    /* What it is about did happen. */
    assert_true(statistics.hits > 0 && statistics.coalesced > 0 && statistics.repeats > 0);
    assert_true(statistics.late > 0 && statistics.load_failures > 0 && statistics.too_large > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nobody_is_ever_given_what_is_outdated)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
