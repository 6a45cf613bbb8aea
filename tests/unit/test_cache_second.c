/*
 * The cache with a second level: two nodes over one Redis. What the one has loaded the other need
 * not load, and gives it only to those who may have it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>

#include "base/mem.h"
#include "second_fixture.h"

enum { TTL_MS = 600000, LENGTH = 100, NODES = 2, KEY = 3 };
enum { MAX_BYTES = 1 << 20, ENTRY_MAX_BYTES = 64 << 10, FRESH_MS = 600000 };
static const uint64_t hash_key = 1;
static const struct cache_terms terms = {.scopes = SCOPE_A, .ttl_ms = TTL_MS};

struct node {
    struct clock clock;
    struct generations *k;
    struct redis *redis;
    struct second_level *second;
    struct cache *cache;
};

struct fixture {
    struct redis_server server;
    struct node nodes[NODES];
    char text[TEST_KEY_SIZE];
    struct cache_key key;
};

static void see(struct node *node, int64_t of_a)
{
    struct cache_vector vector = test_vector(of_a, 1);
    assert_true(generations_seen(node->k, generations_look(node->k), &vector));
}

static void node_start(struct node *node, int port, unsigned fresh_ms)
{
    struct redis_settings redis = test_redis_settings(port);
    struct cache_settings settings = {
        .max_bytes = MAX_BYTES, .entry_max_bytes = ENTRY_MAX_BYTES, .shards_max = 1};
    node->k = generations_new(fresh_ms, 0);
    node->redis = test_redis_start(&redis);
    struct second_settings second = second_test_settings(node->redis, &node->clock, &hash_key);
    node->second = second_new(&second);
    node->cache = cache_new(&settings, node->k);
    cache_set_second(node->cache, node->second);
    see(node, 1);
}

static void node_stop(struct node *node)
{
    redis_stop(node->redis);
    second_free(node->second);
    cache_free(node->cache);
    generations_free(node->k);
}

static int setup(void **state)
{
    struct fixture *fixture = mem_zalloc(1, sizeof *fixture);
    redis_server_start(&fixture->server, NULL);
    for (int i = 0; i < NODES; i++)
        node_start(&fixture->nodes[i], fixture->server.port, FRESH_MS);
    for (int i = 0; i < NODES; i++)
        test_wait_for_state(fixture->nodes[i].redis, BREAKER_CLOSED);
    fixture->key = test_key(KEY, fixture->text);
    *state = fixture;
    return 0;
}

/** Whatever was made has been freed, and nobody is left waiting. */
static int teardown(void **state)
{
    struct fixture *fixture = *state;
    unsigned left = 0;
    for (int i = 0; i < NODES; i++) {
        struct cache_statistics statistics;
        cache_statistics(fixture->nodes[i].cache, &statistics);
        left += statistics.flights + statistics.waiting;
        node_stop(&fixture->nodes[i]);
    }
    redis_server_stop(&fixture->server);
    free(fixture);
    return left == 0 && second_values.made == second_values.freed ? 0 : -1;
}

static struct cache_statistics counts_of(struct node *node)
{
    struct cache_statistics statistics;
    cache_statistics(node->cache, &statistics);
    return statistics;
}

/** Who has asked a node for the fixture's key. The first leads, the others wait. */
struct client {
    struct cache_waiter waiter; /* first */
    struct cache_inquiry inquiry;
    struct cache_flight *flight;
    atomic_uint landings, answers;
    struct cache_value *value; /* a reference; of a landing, or of a hit */
    bool stored;
};

static void take(struct client *client, const struct cache_landing *landing)
{
    assert_int_equal(landing->status, OK);
    client->value = cache_value_ref(landing->value);
    client->stored = landing->stored;
}

static void landed(struct cache_waiter *waiter, const struct cache_landing *landing)
{
    struct client *client = (struct client *)waiter;
    take(client, landing);
    atomic_fetch_add(&client->landings, 1);
}

static void answered(struct cache_inquiry *inquiry, const struct cache_landing *landing)
{
    struct client *client = (struct client *)((char *)inquiry - offsetof(struct client, inquiry));
    if (landing)
        take(client, landing);
    atomic_fetch_add(&client->answers, 1);
}

static enum cache_entrance enter(struct fixture *fixture, struct node *node, struct client *client)
{
    *client = (struct client){.waiter = {.landed = landed, .deadline_ms = INT64_MAX},
                              .inquiry.answered = answered};
    return cache_enter(node->cache, &fixture->key, &terms, clock_monotonic_ms(), &client->waiter,
                       &client->value, &client->flight);
}

static bool is_answered(void *context)
{
    return atomic_load(&((struct client *)context)->answers) > 0;
}

static bool has_landed(void *context)
{
    return atomic_load(&((struct client *)context)->landings) > 0;
}

/** Leads, asks the second level, and is answered; the flight is over if something was found. */
static void lead_and_ask(struct fixture *fixture, struct node *node, struct client *client)
{
    assert_int_equal(enter(fixture, node, client), CACHE_LEADS);
    assert_true(cache_ask_second(client->flight, &client->inquiry));
    test_wait(is_answered, client, "an answer to the one who leads");
}

static bool load_and_land(struct client *client, int64_t number, int64_t of_a)
{
    struct cache_landing landing = {.vector = test_vector(of_a, 1)};
    landing.value = second_test_value(number, &landing.vector, LENGTH);
    bool lands = cache_land(client->flight, &landing);
    client->stored = lands && landing.stored;
    cache_value_unref(landing.value);
    return lands;
}

/** The number of what was given, or −1; lets go of it. */
static int64_t given(struct client *client)
{
    if (!client->value)
        return -1;
    int64_t number = test_value_of(client->value)->number;
    cache_value_unref(client->value);
    client->value = NULL;
    return number;
}

/** A node has loaded it at this generation, and Redis has it. */
static void load_on(struct fixture *fixture, struct node *node, int64_t number, int64_t of_a)
{
    struct client client;
    uint64_t sets = test_statistics(node->redis).sets;
    lead_and_ask(fixture, node, &client);
    assert_null(client.value);
    assert_true(load_and_land(&client, number, of_a));
    assert_true(client.stored);
    test_wait_for_sets(node->redis, sets + 1);
}

static void who_leads_is_given_what_another_node_has_loaded(void **state)
{
    struct fixture *fixture = *state;
    struct node *first = &fixture->nodes[0], *second = &fixture->nodes[1];
    struct client client;
    load_on(fixture, first, 41, 1);
    assert_int_equal(counts_of(first).loads, 1);
    assert_int_equal(counts_of(first).second_hits, 0);
    lead_and_ask(fixture, second, &client);
    assert_true(client.stored);
    assert_int_equal(given(&client), 41);
    assert_int_equal(counts_of(second).loads, 0);
    assert_int_equal(counts_of(second).second_hits, 1);
    assert_int_equal(counts_of(second).flights, 0);
    assert_int_equal(enter(fixture, second, &client), CACHE_HIT);
    assert_int_equal(given(&client), 41);
    struct redis_statistics redis = test_statistics(second->redis);
    assert_int_equal(redis.sets + redis.writing, 0); /* it is there already */
}

static void what_was_put_is_found_by_another_node_too(void **state)
{
    struct fixture *fixture = *state;
    struct node *first = &fixture->nodes[0], *second = &fixture->nodes[1];
    struct client client;
    struct cache_vector vector = test_vector(1, 1);
    struct cache_value *value = second_test_value(8, &vector, LENGTH);
    assert_true(
        cache_put(first->cache, &fixture->key, &terms, &vector, clock_monotonic_ms(), value));
    cache_value_unref(value);
    test_wait_for_sets(first->redis, 1);
    lead_and_ask(fixture, second, &client);
    assert_int_equal(given(&client), 8);
}

static void who_waits_for_one_who_asks_is_given_it_too(void **state)
{
    enum { WAITERS = 5 };
    struct fixture *fixture = *state;
    struct node *second = &fixture->nodes[1];
    struct client leader, waiters[WAITERS];
    load_on(fixture, &fixture->nodes[0], 41, 1);
    redis_server_signal(&fixture->server, SIGSTOP);
    assert_int_equal(enter(fixture, second, &leader), CACHE_LEADS);
    assert_true(cache_ask_second(leader.flight, &leader.inquiry));
    for (int i = 0; i < WAITERS; i++)
        assert_int_equal(enter(fixture, second, &waiters[i]), CACHE_WAITS);
    redis_server_signal(&fixture->server, SIGCONT);
    test_wait(is_answered, &leader, "an answer to the one who leads");
    assert_int_equal(given(&leader), 41);
    for (int i = 0; i < WAITERS; i++) {
        assert_int_equal(waiters[i].landings, 1); /* before the leader was answered */
        assert_int_equal(given(&waiters[i]), 41);
    }
    assert_int_equal(leader.landings, 0);
    assert_int_equal(counts_of(second).coalesced, WAITERS);
    assert_int_equal(counts_of(second).loads, 0);
}

static void who_waits_for_one_who_finds_nothing_is_given_what_that_one_loads(void **state)
{
    struct fixture *fixture = *state;
    struct node *node = &fixture->nodes[0];
    struct client leader, waiter;
    redis_server_signal(&fixture->server, SIGSTOP);
    assert_int_equal(enter(fixture, node, &leader), CACHE_LEADS);
    assert_true(cache_ask_second(leader.flight, &leader.inquiry));
    assert_int_equal(enter(fixture, node, &waiter), CACHE_WAITS);
    redis_server_signal(&fixture->server, SIGCONT);
    test_wait(is_answered, &leader, "an answer to the one who leads");
    assert_null(leader.value);
    assert_int_equal(waiter.landings, 0);
    assert_true(load_and_land(&leader, 6, 1));
    assert_int_equal(waiter.landings, 1);
    assert_int_equal(given(&waiter), 6);
    assert_int_equal(counts_of(node).loads, 1);
}

static void what_k_has_passed_meanwhile_is_not_given(void **state)
{
    struct fixture *fixture = *state;
    struct node *second = &fixture->nodes[1];
    struct client leader, waiter, late;
    struct cache_vector bumped = test_vector(2, 0);
    load_on(fixture, &fixture->nodes[0], 41, 1);
    redis_server_signal(&fixture->server, SIGSTOP);
    assert_int_equal(enter(fixture, second, &leader), CACHE_LEADS);
    assert_true(cache_ask_second(leader.flight, &leader.inquiry));
    assert_int_equal(enter(fixture, second, &waiter), CACHE_WAITS);
    generations_raise(second->k, SCOPE_A, &bumped);
    assert_int_equal(enter(fixture, second, &late), CACHE_LEADS); /* another flight */
    redis_server_signal(&fixture->server, SIGCONT);
    test_wait(is_answered, &leader, "an answer to the one who leads");
    assert_null(leader.value); /* though it was there */
    assert_int_equal(test_statistics(second->redis).found, 1);
    assert_int_equal(waiter.landings, 0);
    assert_int_equal(counts_of(second).second_hits, 0);
    assert_int_equal(counts_of(second).flights, 2);
    assert_true(load_and_land(&leader, 42, 2));
    assert_int_equal(given(&waiter), 42);
    assert_true(load_and_land(&late, 42, 2));
    assert_int_equal(counts_of(second).loads, 2);
}

static bool is_not_fresh(void *context)
{
    struct node *node = context;
    return !generations_are_fresh(node->k, clock_monotonic_ms());
}

/** Other nodes have had longer to write than a fresh K allows, before the last one came. */
static void what_an_old_k_says_is_not_given_to_who_came_when_it_was_old(void **state)
{
    struct fixture *fixture = *state;
    struct node *second = &fixture->nodes[1];
    struct client leader, waiter;
    load_on(fixture, &fixture->nodes[0], 41, 1);
    node_stop(second);
    node_start(second, fixture->server.port, 1000);
    test_wait_for_state(second->redis, BREAKER_CLOSED);
    redis_server_signal(&fixture->server, SIGSTOP);
    see(second, 1);
    assert_int_equal(enter(fixture, second, &leader), CACHE_LEADS);
    assert_true(cache_ask_second(leader.flight, &leader.inquiry));
    test_wait(is_not_fresh, second, "the end of K's time");
    assert_int_equal(enter(fixture, second, &waiter), CACHE_WAITS);
    redis_server_signal(&fixture->server, SIGCONT);
    test_wait(is_answered, &leader, "an answer to the one who leads");
    assert_null(leader.value);
    see(second, 2);
    assert_false(load_and_land(&leader, 41, 1));
    assert_true(load_and_land(&leader, 42, 2));
    assert_int_equal(given(&waiter), 42);
}

static void a_write_elsewhere_that_is_known_here_hides_what_was_stored(void **state)
{
    struct fixture *fixture = *state;
    struct node *first = &fixture->nodes[0], *second = &fixture->nodes[1];
    struct client client;
    load_on(fixture, first, 41, 1);
    see(second, 2);
    lead_and_ask(fixture, second, &client);
    assert_null(client.value);
    assert_true(load_and_land(&client, 42, 2));
    test_wait_for_sets(second->redis, 1);
    see(first, 2);
    lead_and_ask(fixture, first, &client);
    assert_int_equal(given(&client), 42);
}

static void what_is_not_kept_here_is_not_stored_there(void **state)
{
    struct fixture *fixture = *state;
    struct node *node = &fixture->nodes[0];
    struct client client;
    struct cache_vector bumped = test_vector(2, 0);
    lead_and_ask(fixture, node, &client);
    generations_raise(node->k, SCOPE_A, &bumped);
    assert_false(load_and_land(&client, 41, 1)); /* K has passed it; again */
    bumped.of[0] = 3;
    generations_raise(node->k, SCOPE_A, &bumped);
    assert_true(load_and_land(&client, 42, 2)); /* … and again: now it lands */
    assert_false(client.stored);
    struct redis_statistics redis = test_statistics(node->redis);
    assert_int_equal(redis.sets + redis.writing, 0);
    assert_int_equal(counts_of(node).passed, 1);
}

static void nobody_asks_for_what_an_unreliable_k_says(void **state)
{
    struct fixture *fixture = *state;
    struct node *second = &fixture->nodes[1];
    struct client client;
    load_on(fixture, &fixture->nodes[0], 41, 1);
    generations_doubt(second->k);
    assert_int_equal(enter(fixture, second, &client), CACHE_LEADS);
    assert_false(cache_ask_second(client.flight, &client.inquiry));
    assert_true(load_and_land(&client, 43, 1));
    assert_int_equal(client.answers, 0);
    assert_int_equal(test_statistics(second->redis).gets, 0);
}

static void nobody_asks_where_there_is_none_or_it_is_away(void **state)
{
    struct fixture *fixture = *state;
    struct node *alone = &fixture->nodes[0], *away = &fixture->nodes[1];
    struct client client;
    cache_set_second(alone->cache, NULL);
    assert_int_equal(enter(fixture, alone, &client), CACHE_LEADS);
    assert_false(cache_ask_second(client.flight, &client.inquiry));
    assert_true(load_and_land(&client, 1, 1));
    assert_int_equal(test_statistics(alone->redis).sets, 0);
    redis_server_kill(&fixture->server);
    test_wait_for_state(away->redis, BREAKER_OPEN);
    assert_int_equal(enter(fixture, away, &client), CACHE_LEADS);
    assert_false(cache_ask_second(client.flight, &client.inquiry));
    assert_true(load_and_land(&client, 1, 1));
    assert_true(client.stored); /* in memory */
    assert_int_equal(client.answers, 0);
}

static void who_asks_when_redis_dies_loads(void **state)
{
    struct fixture *fixture = *state;
    struct node *second = &fixture->nodes[1];
    struct client leader, waiter;
    load_on(fixture, &fixture->nodes[0], 41, 1);
    redis_server_signal(&fixture->server, SIGSTOP);
    assert_int_equal(enter(fixture, second, &leader), CACHE_LEADS);
    assert_true(cache_ask_second(leader.flight, &leader.inquiry));
    assert_int_equal(enter(fixture, second, &waiter), CACHE_WAITS);
    redis_server_kill(&fixture->server);
    test_wait(is_answered, &leader, "an answer to the one who leads");
    assert_null(leader.value);
    assert_true(load_and_land(&leader, 44, 1));
    test_wait(has_landed, &waiter, "a landing");
    assert_int_equal(given(&waiter), 44);
}

/** Is it in the memory of a node, `later_ms` from now? */
static bool is_kept(struct fixture *fixture, struct node *node, int64_t later_ms)
{
    struct cache_value *value =
        cache_get(node->cache, &fixture->key, clock_monotonic_ms() + later_ms);
    cache_value_unref(value);
    return value != NULL;
}

static void what_is_found_is_kept_no_longer_than_who_stored_it_said(void **state)
{
    enum { LEFT_MS = 60000 };
    struct fixture *fixture = *state;
    struct node *second = &fixture->nodes[1];
    struct client client;
    load_on(fixture, &fixture->nodes[0], 41, 1);
    second->clock.offset_ms = TTL_MS - LEFT_MS;
    lead_and_ask(fixture, second, &client);
    assert_int_equal(given(&client), 41);
    assert_true(is_kept(fixture, second, 0));
    assert_false(is_kept(fixture, second, LEFT_MS * 12 / 10)); /* entries differ by a tenth */
}

static void what_is_found_is_kept_no_longer_than_who_asks_wants(void **state)
{
    enum { WANTED_MS = 60000 };
    struct fixture *fixture = *state;
    struct node *second = &fixture->nodes[1];
    struct cache_terms brief = {.scopes = SCOPE_A, .ttl_ms = WANTED_MS};
    struct client client = {.inquiry.answered = answered};
    load_on(fixture, &fixture->nodes[0], 41, 1);
    assert_int_equal(cache_enter(second->cache, &fixture->key, &brief, clock_monotonic_ms(),
                                 &client.waiter, &client.value, &client.flight),
                     CACHE_LEADS);
    assert_true(cache_ask_second(client.flight, &client.inquiry));
    test_wait(is_answered, &client, "an answer to the one who leads");
    assert_int_equal(given(&client), 41);
    assert_true(is_kept(fixture, second, 0));
    assert_false(is_kept(fixture, second, WANTED_MS * 12 / 10));
}

#define CACHE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CACHE_TEST(who_leads_is_given_what_another_node_has_loaded),
        CACHE_TEST(what_was_put_is_found_by_another_node_too),
        CACHE_TEST(who_waits_for_one_who_asks_is_given_it_too),
        CACHE_TEST(who_waits_for_one_who_finds_nothing_is_given_what_that_one_loads),
        CACHE_TEST(what_k_has_passed_meanwhile_is_not_given),
        CACHE_TEST(what_an_old_k_says_is_not_given_to_who_came_when_it_was_old),
        CACHE_TEST(a_write_elsewhere_that_is_known_here_hides_what_was_stored),
        CACHE_TEST(what_is_not_kept_here_is_not_stored_there),
        CACHE_TEST(nobody_asks_for_what_an_unreliable_k_says),
        CACHE_TEST(nobody_asks_where_there_is_none_or_it_is_away),
        CACHE_TEST(who_asks_when_redis_dies_loads),
        CACHE_TEST(what_is_found_is_kept_no_longer_than_who_stored_it_said),
        CACHE_TEST(what_is_found_is_kept_no_longer_than_who_asks_wants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
