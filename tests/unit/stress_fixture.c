#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "stress_fixture.h"

enum { STACK_BYTES = 256 * 1024, TOLD_MS = 60000 };

void stress_world_init(struct stress_world *world)
{
    pthread_mutex_init(&world->lock, NULL);
}

void stress_node_init(struct stress_node *node, struct stress_world *world, struct generations *k,
                      struct cache *cache)
{
    *node = (struct stress_node){.world = world, .k = k, .cache = cache};
}

/** From the upper bits: the lower ones of a row of numbers hang together. */
uint64_t stress_chance(struct stress_client *client, uint64_t many)
{
    return (test_random(&client->random) >> 32) % many;
}

/** Let others run in the middle of something. */
static void dawdle(struct stress_client *client)
{
    for (uint64_t turns = stress_chance(client, 4); turns > 0; turns--)
        sched_yield();
}

static const struct cache_terms *terms_of(const struct stress_world *world, uint64_t number)
{
    return &world->kinds[number % world->kind_count];
}

/** What who comes now must not be given less than. */
static struct cache_vector known_here(struct stress_node *node)
{
    struct cache_vector known = generations_known(node->k).vector;
    for (int scope = 0; scope < STRESS_SCOPES; scope++) {
        int64_t acknowledged = atomic_load(&node->acknowledged[scope]);
        if (known.of[scope] < acknowledged)
            known.of[scope] = acknowledged;
    }
    return known;
}

static void acknowledge(struct stress_node *node, int scope, int64_t generation)
{
    int64_t now = atomic_load(&node->acknowledged[scope]);
    while (now < generation &&
           !atomic_compare_exchange_weak(&node->acknowledged[scope], &now, generation))
        continue;
}

void stress_write(struct stress_client *client)
{
    struct stress_node *node = client->node;
    struct cache_vector bumped = {0};
    int scope = (int)stress_chance(client, STRESS_SCOPES);
    pthread_mutex_lock(&node->world->lock);
    bumped.of[scope] = ++node->world->database.of[scope];
    pthread_mutex_unlock(&node->world->lock);
    dawdle(client);
    if (stress_chance(client, 8) == 0)
        generations_doubt(node->k);
    else
        generations_raise(node->k, 1u << scope, &bumped);
    acknowledge(node, scope, bumped.of[scope]);
}

int64_t stress_look(struct stress_client *client, struct cache_vector *ret_vector)
{
    struct stress_node *node = client->node;
    struct cache_look look = generations_look(node->k);
    pthread_mutex_lock(&node->world->lock);
    *ret_vector = node->world->database;
    pthread_mutex_unlock(&node->world->lock);
    dawdle(client);
    if (!generations_seen(node->k, look, ret_vector))
        atomic_fetch_add(&node->world->backwards, 1);
    return look.began_ms;
}

static struct cache_value *make_value(struct stress_client *client, uint64_t number,
                                      const struct cache_vector *vector)
{
    struct stress_world *world = client->node->world;
    return world->make((int64_t)number, vector, stress_chance(client, world->value_bytes_max));
}

/** What was given to one who came when `known` was known. */
static void check(struct stress_client *client, uint64_t number, const struct cache_vector *known,
                  struct cache_value *value)
{
    struct stress_world *world = client->node->world;
    const struct test_value *given = test_value_of(value);
    unsigned scopes = terms_of(world, number)->scopes;
    atomic_fetch_add(&world->given, 1);
    if (given->number != (int64_t)number)
        atomic_fetch_add(&world->mixed_up, 1);
    if (!cache_vector_covers(&given->vector, known, scopes))
        atomic_fetch_add(&world->stale, 1);
    if (!cache_vector_covers(&given->vector, &client->seen, scopes))
        atomic_fetch_add(&world->backwards, 1);
    for (int scope = 0; scope < STRESS_SCOPES; scope++)
        if (scopes & 1u << scope)
            client->seen.of[scope] = given->vector.of[scope];
    cache_value_unref(value);
}

static void load_once(struct stress_client *client, uint64_t number, struct cache_flight *flight,
                      struct cache_landing *landing)
{
    static const struct err away;
    dawdle(client);
    if (stress_chance(client, 16) == 0) {
        *landing = (struct cache_landing){.status = UNAVAILABLE, .err = &away};
        return;
    }
    *landing = (struct cache_landing){0};
    int64_t began_ms = stress_look(client, &landing->vector);
    landing->value = cache_found_at(flight, began_ms, &landing->vector);
    if (!landing->value)
        landing->value = make_value(client, number, &landing->vector);
    dawdle(client);
}

/** NULL if it failed. */
static struct cache_value *load(struct stress_client *client, uint64_t number,
                                struct cache_flight *flight)
{
    struct cache_landing landing;
    for (;;) {
        load_once(client, number, flight, &landing);
        if (cache_land(flight, &landing))
            return landing.value;
        cache_value_unref(landing.value);
    }
}

static void tell_client(struct stress_client *client, const struct cache_landing *landing)
{
    pthread_mutex_lock(&client->lock);
    if (++client->told > 1)
        atomic_fetch_add(&client->node->world->told_twice, 1);
    bool is_given = landing && landing->status == OK;
    client->value = is_given ? cache_value_ref(landing->value) : NULL;
    pthread_cond_signal(&client->changed);
    pthread_mutex_unlock(&client->lock);
}

static void landed(struct cache_waiter *waiter, const struct cache_landing *landing)
{
    tell_client((struct stress_client *)waiter, landing);
}

static void answered(struct cache_inquiry *inquiry, const struct cache_landing *landing)
{
    tell_client(CONTAINER_OF(inquiry, struct stress_client, inquiry), landing);
}

/** NULL if there is nothing for it. Who is never told ends the test. */
static struct cache_value *wait_until_told(struct stress_client *client)
{
    struct timespec until = thread_deadline(clock_monotonic_ms() + TOLD_MS);
    pthread_mutex_lock(&client->lock);
    while (client->told == 0)
        if (pthread_cond_timedwait(&client->changed, &client->lock, &until) != 0)
            abort();
    struct cache_value *value = client->value;
    pthread_mutex_unlock(&client->lock);
    return value;
}

static struct cache_value *lead(struct stress_client *client, uint64_t number,
                                struct cache_flight *flight)
{
    client->inquiry = (struct cache_inquiry){.answered = answered};
    struct cache_value *value =
        cache_ask_second(flight, &client->inquiry) ? wait_until_told(client) : NULL;
    return value ? value : load(client, number, flight);
}

void stress_read(struct stress_client *client)
{
    struct stress_node *node = client->node;
    char text[TEST_KEY_SIZE];
    uint64_t number = stress_chance(client, node->world->keys);
    struct cache_key key = test_key(number, text);
    struct cache_vector known = known_here(node);
    struct cache_flight *flight;
    struct cache_value *value = NULL;
    bool impatient = stress_chance(client, 8) == 0;
    client->waiter.deadline_ms = impatient ? 0 : INT64_MAX;
    pthread_mutex_lock(&client->lock);
    client->told = 0;
    pthread_mutex_unlock(&client->lock);
    switch (cache_enter(node->cache, &key, terms_of(node->world, number), clock_monotonic_ms(),
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
        atomic_fetch_add(&node->world->refused, 1);
}

void stress_get_or_put(struct stress_client *client)
{
    struct stress_node *node = client->node;
    char text[TEST_KEY_SIZE];
    uint64_t number = stress_chance(client, node->world->keys);
    struct cache_key key = test_key(number, text);
    struct cache_vector known = known_here(node), vector;
    struct cache_value *value = cache_get(node->cache, &key, clock_monotonic_ms());
    if (value) {
        check(client, number, &known, value);
        return;
    }
    stress_look(client, &vector);
    value = make_value(client, number, &vector);
    dawdle(client);
    cache_put(node->cache, &key, terms_of(node->world, number), &vector, clock_monotonic_ms(),
              value);
    cache_value_unref(value);
}

static void *live(void *context)
{
    struct stress_client *client = context;
    client->node->world->live(client);
    return NULL;
}

void stress_start(struct stress_client *clients, size_t count, struct stress_node *nodes,
                  size_t node_count)
{
    for (size_t i = 0; i < count; i++) {
        clients[i] = (struct stress_client){.waiter = {.landed = landed},
                                            .node = &nodes[i % node_count],
                                            .random = test_mix(i + 1)};
        pthread_mutex_init(&clients[i].lock, NULL);
        thread_condition_init(&clients[i].changed);
    }
    for (size_t i = 0; i < count; i++)
        assert_int_equal(thread_start(&clients[i].thread, STACK_BYTES, live, &clients[i]), 0);
}

void stress_join(struct stress_client *clients, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pthread_join(clients[i].thread, NULL);
}
