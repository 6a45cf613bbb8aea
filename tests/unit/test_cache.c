/*
 * The cache as those who ask see it: one load however many want it, and nobody is given what was
 * outdated when they came. Many threads at a time are in test_cache_stress.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cache_fixture.h"

enum { FRESH_MS = 1000, TTL_MS = 60000, VALUE_BYTES = 1000, ENTRY_MAX_BYTES = 100000 };
static const struct cache_terms terms = {.scopes = SCOPE_A, .ttl_ms = TTL_MS};

/** A cache, and a database of which it is only known that it is at generation `database` of A. */
struct fixture {
    struct generations *k;
    struct cache *cache;
    struct test_values values;
    struct cache_key key;
    char text[TEST_KEY_SIZE];
    int64_t now_ms, database;
};

/** Who asked, and what came of it. */
struct asker {
    struct cache_waiter waiter; /* first */
    enum cache_entrance entrance;
    struct cache_flight *flight;
    unsigned landings;
    enum status status;
    int retry_after_s;
    struct cache_value *value; /* a reference */
};

/** One read of the generations; the clock is the fixture's. */
static struct cache_look see(struct fixture *fixture)
{
    struct cache_look look = generations_look(fixture->k);
    struct cache_vector vector = test_vector(fixture->database, 0);
    look.began_ms = fixture->now_ms;
    generations_seen(fixture->k, look, &vector);
    return look;
}

static int setup(void **state)
{
    struct cache_settings settings = {
        .max_bytes = 1 << 20, .entry_max_bytes = ENTRY_MAX_BYTES, .shards_max = 1};
    struct fixture *fixture = mem_zalloc(1, sizeof *fixture);
    fixture->k = generations_new(FRESH_MS, 0);
    fixture->cache = cache_new(&settings, fixture->k);
    fixture->key = test_key(1, fixture->text);
    fixture->now_ms = 1000000;
    fixture->database = 5;
    see(fixture);
    *state = fixture;
    return 0;
}

static struct cache_statistics statistics_of(struct fixture *fixture)
{
    struct cache_statistics statistics;
    cache_statistics(fixture->cache, &statistics);
    return statistics;
}

/** Nobody flies, nobody waits, and every value was destroyed. */
static int teardown(void **state)
{
    struct fixture *fixture = *state;
    struct cache_statistics statistics = statistics_of(fixture);
    cache_free(fixture->cache);
    generations_free(fixture->k);
    assert_int_equal(statistics.flights, 0);
    assert_int_equal(statistics.waiting, 0);
    assert_int_equal(fixture->values.freed, fixture->values.made);
    free(fixture);
    return 0;
}

static void landed(struct cache_waiter *waiter, const struct cache_landing *landing)
{
    struct asker *asker = (struct asker *)waiter;
    asker->landings++;
    asker->status = landing->status;
    if (landing->status == OK)
        asker->value = cache_value_ref(landing->value);
    else
        asker->retry_after_s = landing->err->retry_after_s;
}

static enum cache_entrance ask_for(struct fixture *fixture, const struct cache_key *key,
                                   struct asker *asker)
{
    *asker = (struct asker){.waiter = {.landed = landed, .deadline_ms = INT64_MAX}};
    return cache_enter(fixture->cache, key, &terms, fixture->now_ms, &asker->waiter, &asker->value,
                       &asker->flight);
}

static enum cache_entrance ask(struct fixture *fixture, struct asker *asker)
{
    return ask_for(fixture, &fixture->key, asker);
}

static void let_go(struct asker *asker)
{
    cache_value_unref(asker->value);
    asker->value = NULL;
}

/** The leader's load so far: it has its snapshot, in which nobody has made the value yet. */
static void begin_load(struct fixture *fixture, struct asker *leader)
{
    struct cache_look look = see(fixture);
    struct cache_vector vector = test_vector(fixture->database, 0);
    assert_null(cache_found_at(leader->flight, look.began_ms, &vector));
}

/** What a snapshot at this generation shows. */
static struct cache_landing loaded(struct fixture *fixture, int64_t generation, size_t bytes)
{
    struct test_value *value = test_value_new(&fixture->values, bytes);
    value->number = generation;
    return (struct cache_landing){.value = &value->value, .vector = test_vector(generation, 0)};
}

/** The rest of it; the asker keeps the value. False if it must be done again. */
static bool land(struct fixture *fixture, struct asker *leader, int64_t generation)
{
    struct cache_landing landing = loaded(fixture, generation, VALUE_BYTES);
    leader->value = landing.value;
    if (cache_land(leader->flight, &landing))
        return true;
    let_go(leader);
    return false;
}

/** A whole load, of which nothing else is asked. */
static void store(struct fixture *fixture)
{
    struct asker leader;
    assert_int_equal(ask(fixture, &leader), CACHE_LEADS);
    begin_load(fixture, &leader);
    assert_true(land(fixture, &leader, fixture->database));
    let_go(&leader);
}

/** A writer's commit, from inside this process. */
static void commit(struct fixture *fixture)
{
    struct cache_vector bumped = test_vector(++fixture->database, 0);
    generations_raise(fixture->k, SCOPE_A, &bumped);
}

static void assert_hit(struct fixture *fixture, int64_t generation)
{
    struct asker asker;
    assert_int_equal(ask(fixture, &asker), CACHE_HIT);
    assert_int_equal(test_value_of(asker.value)->number, generation);
    let_go(&asker);
}

static void assert_landed(struct asker *waiter, int64_t generation)
{
    assert_int_equal(waiter->landings, 1);
    assert_int_equal(waiter->status, OK);
    assert_int_equal(test_value_of(waiter->value)->number, generation);
    let_go(waiter);
}

/* One load */

static void one_loads_and_all_others_get_its_value(void **state)
{
    enum { WAITERS = 50 };
    struct fixture *fixture = *state;
    struct asker leader, waiters[WAITERS];
    assert_int_equal(ask(fixture, &leader), CACHE_LEADS);
    for (int i = 0; i < WAITERS; i++) {
        if (i == WAITERS / 2)
            begin_load(fixture, &leader);
        assert_int_equal(ask(fixture, &waiters[i]), CACHE_WAITS);
    }
    struct cache_statistics statistics = statistics_of(fixture);
    assert_int_equal(statistics.flights, 1);
    assert_int_equal(statistics.waiting, WAITERS);
    assert_true(land(fixture, &leader, 5));
    for (int i = 0; i < WAITERS; i++) {
        assert_ptr_equal(waiters[i].value, leader.value);
        assert_landed(&waiters[i], 5);
    }
    let_go(&leader);
    assert_hit(fixture, 5);
    statistics = statistics_of(fixture);
    assert_int_equal(statistics.loads, 1);
    assert_int_equal(statistics.coalesced, WAITERS);
    assert_int_equal(statistics.hits, 1);
    assert_int_equal(statistics.stores, 1);
    assert_int_equal(statistics.entries, 1);
}

static void other_keys_have_loads_of_their_own(void **state)
{
    struct fixture *fixture = *state;
    struct cache_key same_hash = {.text = "other", .length = 5, .hash = fixture->key.hash};
    struct asker leader, other, waiter;
    assert_int_equal(ask(fixture, &leader), CACHE_LEADS);
    assert_int_equal(ask_for(fixture, &same_hash, &other), CACHE_LEADS);
    assert_int_equal(ask_for(fixture, &same_hash, &waiter), CACHE_WAITS);
    begin_load(fixture, &leader);
    begin_load(fixture, &other);
    assert_true(land(fixture, &leader, 5));
    assert_int_equal(waiter.landings, 0);
    assert_true(land(fixture, &other, 5));
    assert_landed(&waiter, 5);
    let_go(&leader);
    let_go(&other);
}

static void a_failed_load_fails_for_all_and_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct asker leader, waiters[3];
    assert_int_equal(ask(fixture, &leader), CACHE_LEADS);
    for (size_t i = 0; i < COUNT_OF(waiters); i++)
        assert_int_equal(ask(fixture, &waiters[i]), CACHE_WAITS);
    struct err err;
    struct cache_landing landing = {.err = &err, .status = err_set(&err, UNAVAILABLE, NULL, "no")};
    err.retry_after_s = 7;
    commit(fixture); /* a failure is not repeated, whatever K is */
    assert_true(cache_land(leader.flight, &landing));
    assert_false(landing.stored);
    for (size_t i = 0; i < COUNT_OF(waiters); i++) {
        assert_int_equal(waiters[i].landings, 1);
        assert_int_equal(waiters[i].status, UNAVAILABLE);
        assert_int_equal(waiters[i].retry_after_s, 7);
    }
    assert_int_equal(statistics_of(fixture).load_failures, 1);
    assert_int_equal(statistics_of(fixture).entries, 0);
    store(fixture); /* the next one leads again */
}

/** Asks again when it lands, which would wait for ever if a lock were held. */
struct curious {
    struct cache_waiter waiter; /* first */
    struct fixture *fixture;
    bool *saw_hit;
};

static void ask_again(struct cache_waiter *waiter, const struct cache_landing *landing)
{
    struct curious *curious = (struct curious *)waiter;
    struct cache_value *value =
        cache_get(curious->fixture->cache, &curious->fixture->key, curious->fixture->now_ms);
    *curious->saw_hit = value && value == landing->value;
    cache_value_unref(value);
    free(curious);
}

static void a_waiter_may_go_and_find_what_was_stored_when_it_lands(void **state)
{
    struct fixture *fixture = *state;
    struct asker leader;
    struct cache_flight *flight;
    struct cache_value *value;
    bool saw_hit = false;
    struct curious *curious = mem_zalloc(1, sizeof *curious);
    *curious =
        (struct curious){.waiter = {.landed = ask_again}, .fixture = fixture, .saw_hit = &saw_hit};
    assert_int_equal(ask(fixture, &leader), CACHE_LEADS);
    assert_int_equal(cache_enter(fixture->cache, &fixture->key, &terms, fixture->now_ms,
                                 &curious->waiter, &value, &flight),
                     CACHE_WAITS);
    begin_load(fixture, &leader);
    assert_true(land(fixture, &leader, 5));
    assert_true(saw_hit);
    let_go(&leader);
}

/* Writes while somebody loads */

static void who_comes_after_a_write_does_not_join(void **state)
{
    struct fixture *fixture = *state;
    struct asker early, waiter, late;
    assert_int_equal(ask(fixture, &early), CACHE_LEADS);
    begin_load(fixture, &early);
    assert_int_equal(ask(fixture, &waiter), CACHE_WAITS);
    commit(fixture);
    assert_int_equal(ask(fixture, &late), CACHE_LEADS);
    begin_load(fixture, &late);
    assert_true(land(fixture, &late, 6));
    assert_int_equal(waiter.landings, 0);
    let_go(&late);
    assert_hit(fixture, 6);
    assert_false(land(fixture, &early, 5)); /* its snapshot is from before the write */
    assert_true(land(fixture, &early, 6));
    assert_landed(&waiter, 6);
    let_go(&early);
}

/* The commit took effect, but whoever made it could not tell. */
static void who_comes_after_a_doubt_does_not_join(void **state)
{
    struct fixture *fixture = *state;
    struct asker early, late;
    assert_int_equal(ask(fixture, &early), CACHE_LEADS);
    begin_load(fixture, &early);
    fixture->database = 6;
    generations_doubt(fixture->k);
    assert_int_equal(ask(fixture, &late), CACHE_LEADS);
    assert_true(land(fixture, &early, 5)); /* to those who came before the doubt */
    assert_null(cache_get(fixture->cache, &fixture->key, fixture->now_ms));
    begin_load(fixture, &late);
    assert_true(land(fixture, &late, 6));
    assert_hit(fixture, 6);
    let_go(&early);
    let_go(&late);
}

/* Another process may have written meanwhile: what is fresh says how long that may go unnoticed. */
static void who_comes_long_after_the_snapshot_does_not_join(void **state)
{
    struct fixture *fixture = *state;
    struct asker slow, waiters[2], late;
    assert_int_equal(ask(fixture, &slow), CACHE_LEADS);
    fixture->now_ms += 10 * FRESH_MS; /* without a snapshot nothing grows old */
    assert_int_equal(ask(fixture, &waiters[0]), CACHE_WAITS);
    begin_load(fixture, &slow);
    fixture->now_ms += FRESH_MS;
    assert_int_equal(ask(fixture, &waiters[1]), CACHE_WAITS);
    fixture->now_ms += 1;
    assert_int_equal(ask(fixture, &late), CACHE_LEADS);
    begin_load(fixture, &late);
    assert_true(land(fixture, &late, 5));
    assert_true(land(fixture, &slow, 5));
    for (size_t i = 0; i < COUNT_OF(waiters); i++)
        assert_landed(&waiters[i], 5);
    let_go(&late);
    let_go(&slow);
}

static void a_load_that_a_write_passed_is_repeated_and_then_kept(void **state)
{
    struct fixture *fixture = *state;
    struct asker leader, waiter;
    assert_int_equal(ask(fixture, &leader), CACHE_LEADS);
    assert_int_equal(ask(fixture, &waiter), CACHE_WAITS);
    begin_load(fixture, &leader);
    commit(fixture);
    assert_false(land(fixture, &leader, 5));
    assert_int_equal(waiter.landings, 0);
    assert_int_equal(statistics_of(fixture).waiting, 1);
    begin_load(fixture, &leader);
    assert_true(land(fixture, &leader, 6));
    assert_landed(&waiter, 6);
    let_go(&leader);
    assert_hit(fixture, 6);
    assert_int_equal(statistics_of(fixture).repeats, 1);
    assert_int_equal(statistics_of(fixture).loads, 1);
}

static void a_load_that_is_passed_twice_is_given_but_not_kept(void **state)
{
    struct fixture *fixture = *state;
    struct asker leader, waiter;
    assert_int_equal(ask(fixture, &leader), CACHE_LEADS);
    assert_int_equal(ask(fixture, &waiter), CACHE_WAITS);
    begin_load(fixture, &leader);
    commit(fixture);
    assert_false(land(fixture, &leader, 5));
    begin_load(fixture, &leader);
    commit(fixture);
    assert_true(land(fixture, &leader, 6));
    assert_landed(&waiter, 6);
    let_go(&leader);
    struct cache_statistics statistics = statistics_of(fixture);
    assert_int_equal(statistics.repeats, 1);
    assert_int_equal(statistics.passed, 1);
    assert_int_equal(statistics.stores, 0);
    assert_int_equal(statistics.entries, 0);
    assert_int_equal(ask(fixture, &leader), CACHE_LEADS);
    begin_load(fixture, &leader);
    assert_true(land(fixture, &leader, 7));
    let_go(&leader);
}

static void a_write_to_what_it_does_not_depend_on_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct cache_vector bumped = test_vector(0, 9);
    struct asker leader, waiter;
    assert_int_equal(ask(fixture, &leader), CACHE_LEADS);
    begin_load(fixture, &leader);
    generations_raise(fixture->k, SCOPE_B, &bumped);
    assert_int_equal(ask(fixture, &waiter), CACHE_WAITS);
    assert_true(land(fixture, &leader, 5));
    assert_landed(&waiter, 5);
    let_go(&leader);
    generations_raise(fixture->k, SCOPE_B, &bumped);
    assert_hit(fixture, 5);
}

static void a_snapshot_finds_what_is_kept_of_its_state(void **state)
{
    struct fixture *fixture = *state;
    struct asker leader;
    store(fixture);
    fixture->now_ms += FRESH_MS + 1; /* so that K must be read again */
    assert_int_equal(ask(fixture, &leader), CACHE_LEADS);
    struct cache_vector vector = test_vector(5, 0);
    leader.value = cache_found_at(leader.flight, see(fixture).began_ms, &vector);
    assert_non_null(leader.value);
    struct cache_landing landing = {.value = leader.value, .vector = vector};
    assert_true(cache_land(leader.flight, &landing));
    let_go(&leader);
    assert_int_equal(fixture->values.made, 1);
    fixture->database = 6; /* by another process */
    fixture->now_ms += FRESH_MS + 1;
    assert_int_equal(ask(fixture, &leader), CACHE_LEADS);
    begin_load(fixture, &leader); /* finds nothing */
    assert_true(land(fixture, &leader, 6));
    let_go(&leader);
}

/* Hits */

static void nothing_is_given_at_once_while_k_is_not_to_be_relied_on(void **state)
{
    struct fixture *fixture = *state;
    store(fixture);
    fixture->now_ms += FRESH_MS;
    assert_hit(fixture, 5);
    fixture->now_ms += 1;
    assert_null(cache_get(fixture->cache, &fixture->key, fixture->now_ms));
    see(fixture);
    assert_hit(fixture, 5);
    generations_doubt(fixture->k);
    assert_null(cache_get(fixture->cache, &fixture->key, fixture->now_ms));
    see(fixture);
    assert_hit(fixture, 5);
    assert_int_equal(statistics_of(fixture).hits, 3);
}

static void what_was_put_is_found_until_a_write(void **state)
{
    struct fixture *fixture = *state;
    struct cache_landing old = loaded(fixture, 4, VALUE_BYTES),
                         now = loaded(fixture, 5, VALUE_BYTES);
    assert_false(
        cache_put(fixture->cache, &fixture->key, &terms, &old.vector, fixture->now_ms, old.value));
    assert_true(
        cache_put(fixture->cache, &fixture->key, &terms, &now.vector, fixture->now_ms, now.value));
    struct cache_value *value = cache_get(fixture->cache, &fixture->key, fixture->now_ms);
    assert_ptr_equal(value, now.value);
    commit(fixture);
    assert_null(cache_get(fixture->cache, &fixture->key, fixture->now_ms));
    cache_value_unref(value);
    cache_value_unref(old.value);
    cache_value_unref(now.value);
    assert_int_equal(statistics_of(fixture).passed, 1);
    assert_int_equal(statistics_of(fixture).lost[LOST_OUTDATED], 1);
}

static void what_is_too_large_is_given_but_passes_by(void **state)
{
    struct fixture *fixture = *state;
    struct asker leader, waiter;
    store(fixture);
    struct cache_key other = {.text = "other", .length = 5, .hash = 77};
    assert_int_equal(ask_for(fixture, &other, &leader), CACHE_LEADS);
    assert_int_equal(ask_for(fixture, &other, &waiter), CACHE_WAITS);
    begin_load(fixture, &leader);
    struct cache_landing landing = loaded(fixture, 5, ENTRY_MAX_BYTES);
    assert_true(cache_land(leader.flight, &landing));
    assert_false(landing.stored);
    assert_landed(&waiter, 5);
    cache_value_unref(landing.value);
    landing = loaded(fixture, 5, ENTRY_MAX_BYTES - other.length);
    assert_true(
        cache_put(fixture->cache, &other, &terms, &landing.vector, fixture->now_ms, landing.value));
    cache_value_unref(landing.value);
    assert_int_equal(statistics_of(fixture).too_large, 1);
    assert_hit(fixture, 5);
}

/* Waiting */

static void who_waits_too_long_hears_so(void **state)
{
    struct fixture *fixture = *state;
    struct asker leader, waiters[4];
    assert_int_equal(ask(fixture, &leader), CACHE_LEADS);
    for (size_t i = 0; i < COUNT_OF(waiters); i++) {
        assert_int_equal(ask(fixture, &waiters[i]), CACHE_WAITS);
        waiters[i].waiter.deadline_ms = fixture->now_ms + (i % 2 == 0 ? 200 : 100);
    }
    cache_tick(fixture->cache, fixture->now_ms + 99);
    assert_int_equal(statistics_of(fixture).waiting, 4);
    cache_tick(fixture->cache, fixture->now_ms + 199);
    for (size_t i = 0; i < COUNT_OF(waiters); i += 2) {
        assert_int_equal(waiters[i].landings, 0);
        assert_int_equal(waiters[i + 1].landings, 1);
        assert_int_equal(waiters[i + 1].status, BUSY);
        assert_int_not_equal(waiters[i + 1].retry_after_s, 0);
    }
    struct asker last;
    assert_int_equal(ask(fixture, &last), CACHE_WAITS); /* behind those that are left */
    begin_load(fixture, &leader);
    assert_true(land(fixture, &leader, 5));
    for (size_t i = 0; i < COUNT_OF(waiters); i += 2)
        assert_landed(&waiters[i], 5);
    assert_landed(&last, 5);
    assert_int_equal(waiters[1].landings, 1);
    assert_int_equal(statistics_of(fixture).late, 2);
    let_go(&leader);
}

/* Shards */

static void every_shard_keeps_its_share(void **state)
{
    enum { COUNT = 10000, MAX_BYTES = 64 << 20, SHARDS = 16 };
    struct fixture *fixture = *state;
    struct cache_settings settings = {
        .max_bytes = MAX_BYTES, .entry_max_bytes = MAX_BYTES, .shards_max = SHARDS};
    struct cache *large = cache_new(&settings, fixture->k);
    struct cache_statistics statistics;
    char text[TEST_KEY_SIZE];
    for (uint64_t i = 0; i < COUNT; i++) {
        struct cache_landing landing = loaded(fixture, 5, VALUE_BYTES);
        struct cache_key key = test_key(i, text);
        assert_true(cache_put(large, &key, &terms, &landing.vector, 1, landing.value));
        cache_value_unref(landing.value);
    }
    for (uint64_t i = 0; i < COUNT; i++) {
        struct cache_key key = test_key(i, text);
        struct cache_value *value = cache_get(large, &key, 1);
        assert_non_null(value);
        cache_value_unref(value);
    }
    struct cache_landing most = loaded(fixture, 5, MAX_BYTES / SHARDS / 4 + 1);
    assert_false(cache_put(large, &fixture->key, &terms, &most.vector, 1, most.value));
    cache_value_unref(most.value);
    cache_statistics(large, &statistics);
    cache_free(large);
    assert_int_equal(statistics.entries, COUNT);
    assert_int_equal(statistics.hits, COUNT);
    assert_int_equal(statistics.too_large, 1);
    assert_int_equal(statistics.max_bytes, MAX_BYTES);
    assert_in_range(statistics.bytes, COUNT * VALUE_BYTES, MAX_BYTES);
}

#define CACHE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CACHE_TEST(one_loads_and_all_others_get_its_value),
        CACHE_TEST(other_keys_have_loads_of_their_own),
        CACHE_TEST(a_failed_load_fails_for_all_and_leaves_nothing),
        CACHE_TEST(a_waiter_may_go_and_find_what_was_stored_when_it_lands),
        CACHE_TEST(who_comes_after_a_write_does_not_join),
        CACHE_TEST(who_comes_after_a_doubt_does_not_join),
        CACHE_TEST(who_comes_long_after_the_snapshot_does_not_join),
        CACHE_TEST(a_load_that_a_write_passed_is_repeated_and_then_kept),
        CACHE_TEST(a_load_that_is_passed_twice_is_given_but_not_kept),
        CACHE_TEST(a_write_to_what_it_does_not_depend_on_changes_nothing),
        CACHE_TEST(a_snapshot_finds_what_is_kept_of_its_state),
        CACHE_TEST(nothing_is_given_at_once_while_k_is_not_to_be_relied_on),
        CACHE_TEST(what_was_put_is_found_until_a_write),
        CACHE_TEST(what_is_too_large_is_given_but_passes_by),
        CACHE_TEST(who_waits_too_long_hears_so),
        CACHE_TEST(every_shard_keeps_its_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
