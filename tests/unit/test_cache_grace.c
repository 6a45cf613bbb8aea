/*
 * The cache while the database is away: what is kept is given to those who are told that it is
 * unverified, for a while, and everybody else finds all as ever.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cache_fixture.h"

enum { FRESH_MS = 1000, GRACE_MS = 30000, TTL_MS = 60000, VALUE_BYTES = 1000 };
static const struct cache_terms terms = {.scopes = SCOPE_A, .ttl_ms = TTL_MS};

/** A cache with one value, that shows the database's generation. */
struct fixture {
    struct generations *k;
    struct cache *cache;
    struct test_values values;
    struct test_value *value;
    struct cache_key key;
    char text[TEST_KEY_SIZE];
    int64_t now_ms, database;
};

static struct cache_look look(struct fixture *fixture)
{
    struct cache_look look = generations_look(fixture->k);
    look.began_ms = fixture->now_ms;
    return look;
}

/** One read of the generations … */
static void see(struct fixture *fixture)
{
    struct cache_vector vector = test_vector(fixture->database, 0);
    generations_seen(fixture->k, look(fixture), &vector);
}

/** … and one that got no answer. */
static void fail_to_see(struct fixture *fixture)
{
    generations_failed(fixture->k, look(fixture));
}

static int setup(void **state)
{
    struct cache_settings settings = {
        .max_bytes = 1 << 20, .entry_max_bytes = 1 << 16, .shards_max = 1};
    struct fixture *fixture = mem_zalloc(1, sizeof *fixture);
    fixture->k = generations_new(FRESH_MS, GRACE_MS);
    fixture->cache = cache_new(&settings, fixture->k);
    fixture->key = test_key(1, fixture->text);
    fixture->now_ms = 1000000;
    fixture->database = 5;
    see(fixture);
    fixture->value = test_value_new(&fixture->values, VALUE_BYTES);
    struct cache_vector vector = test_vector(5, 0);
    assert_true(cache_put(fixture->cache, &fixture->key, &terms, &vector, fixture->now_ms,
                          &fixture->value->value));
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    cache_free(fixture->cache);
    generations_free(fixture->k);
    cache_value_unref(&fixture->value->value);
    assert_int_equal(fixture->values.freed, fixture->values.made);
    free(fixture);
    return 0;
}

static struct cache_statistics statistics_of(struct fixture *fixture)
{
    struct cache_statistics statistics;
    cache_statistics(fixture->cache, &statistics);
    return statistics;
}

static bool is_given(struct fixture *fixture)
{
    struct cache_value *value = cache_get(fixture->cache, &fixture->key, fixture->now_ms);
    cache_value_unref(value);
    return value != NULL;
}

/** To one who got nothing from cache_get(). */
static bool is_given_unverified(struct fixture *fixture)
{
    assert_false(is_given(fixture));
    struct cache_value *value =
        cache_get_unverified(fixture->cache, &fixture->key, fixture->now_ms);
    if (value)
        assert_ptr_equal(value, &fixture->value->value);
    cache_value_unref(value);
    return value != NULL;
}

static void while_the_database_is_away_it_is_given_unverified_for_a_grace(void **state)
{
    struct fixture *fixture = *state;
    int64_t seen_ms = fixture->now_ms;
    fixture->now_ms += FRESH_MS + 1;
    assert_false(is_given_unverified(fixture)); /* late, but nobody says that it is away */
    fail_to_see(fixture);
    assert_true(is_given_unverified(fixture));
    fixture->now_ms = seen_ms + GRACE_MS;
    assert_true(is_given_unverified(fixture));
    fixture->now_ms += 1;
    assert_false(is_given_unverified(fixture));
    see(fixture);
    assert_true(is_given(fixture));
    assert_int_equal(statistics_of(fixture).unverified, 2);
    assert_int_equal(statistics_of(fixture).hits, 3);
}

static void away_and_fresh_still_it_is_given_as_ever(void **state)
{
    struct fixture *fixture = *state;
    fixture->now_ms += FRESH_MS;
    fail_to_see(fixture);
    assert_true(is_given(fixture));
    assert_int_equal(statistics_of(fixture).unverified, 0);
}

static void while_it_is_there_nobody_gets_it_unverified(void **state)
{
    struct fixture *fixture = *state;
    assert_null(cache_get_unverified(fixture->cache, &fixture->key, fixture->now_ms));
    fixture->now_ms += 200;
    fail_to_see(fixture);
    fixture->now_ms += 200;
    see(fixture);
    assert_null(cache_get_unverified(fixture->cache, &fixture->key, fixture->now_ms));
}

static void after_a_doubt_it_is_given_unverified_only_while_away(void **state)
{
    struct fixture *fixture = *state;
    generations_doubt(fixture->k);
    assert_false(is_given_unverified(fixture));
    fixture->now_ms += 200;
    fail_to_see(fixture);
    assert_true(is_given_unverified(fixture));
    fixture->database++; /* the commit had taken effect */
    fixture->now_ms += 200;
    see(fixture);
    assert_false(is_given_unverified(fixture));
}

static void what_k_has_passed_is_given_to_nobody(void **state)
{
    struct fixture *fixture = *state;
    struct cache_vector bumped = test_vector(6, 0);
    generations_raise(fixture->k, SCOPE_A, &bumped);
    fixture->now_ms += FRESH_MS + 1;
    fail_to_see(fixture);
    assert_true(generations_have_grace(fixture->k, fixture->now_ms));
    assert_false(is_given_unverified(fixture));
}

static void what_would_expire_meanwhile_is_given_until_the_grace_ends(void **state)
{
    struct fixture *fixture = *state;
    fixture->now_ms += TTL_MS - TTL_MS / 10 - FRESH_MS;
    see(fixture);
    fixture->now_ms += TTL_MS / 5 + FRESH_MS + 1;
    fail_to_see(fixture);
    assert_true(generations_have_grace(fixture->k, fixture->now_ms));
    assert_true(is_given_unverified(fixture));
}

static void what_had_expired_before_is_given_to_nobody(void **state)
{
    struct fixture *fixture = *state;
    fixture->now_ms += TTL_MS + TTL_MS / 10 + 1;
    see(fixture);
    fixture->now_ms += FRESH_MS + 1;
    fail_to_see(fixture);
    assert_true(generations_have_grace(fixture->k, fixture->now_ms));
    assert_false(is_given_unverified(fixture));
}

static void landed(struct cache_waiter *waiter, const struct cache_landing *landing)
{
    (void)waiter;
    assert_int_equal(landing->status, UNAVAILABLE);
}

static void who_loads_while_away_leads_as_ever(void **state)
{
    struct fixture *fixture = *state;
    struct cache_waiter first, second = {.landed = landed, .deadline_ms = INT64_MAX};
    struct cache_flight *flight;
    struct cache_value *value;
    fixture->now_ms += FRESH_MS + 1;
    fail_to_see(fixture);
    assert_int_equal(cache_enter(fixture->cache, &fixture->key, &terms, fixture->now_ms, &first,
                                 &value, &flight),
                     CACHE_LEADS);
    assert_int_equal(cache_enter(fixture->cache, &fixture->key, &terms, fixture->now_ms, &second,
                                 &value, &flight),
                     CACHE_WAITS);
    struct err err;
    struct cache_landing failure = {.err = &err,
                                    .status = err_set(&err, UNAVAILABLE, NULL, "it is away")};
    assert_true(cache_land(flight, &failure));
    assert_int_equal(statistics_of(fixture).waiting, 0);
    assert_true(is_given_unverified(fixture)); /* what is kept stays */
}

static void what_the_database_has_lost_is_given_to_nobody(void **state)
{
    struct fixture *fixture = *state;
    fixture->now_ms += 10;
    fail_to_see(fixture);
    fixture->now_ms += FRESH_MS;
    assert_true(is_given_unverified(fixture));
    fixture->database = 4; /* it was restored */
    fixture->now_ms += 10;
    see(fixture);
    assert_false(is_given_unverified(fixture));
    fixture->now_ms += 10;
    fail_to_see(fixture); /* nor when it goes away once more */
    assert_false(is_given_unverified(fixture));
    fixture->database = 6;
    fixture->now_ms += 10;
    see(fixture);
    fail_to_see(fixture);
    assert_false(is_given_unverified(fixture));
}

#define GRACE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GRACE_TEST(while_the_database_is_away_it_is_given_unverified_for_a_grace),
        GRACE_TEST(away_and_fresh_still_it_is_given_as_ever),
        GRACE_TEST(while_it_is_there_nobody_gets_it_unverified),
        GRACE_TEST(after_a_doubt_it_is_given_unverified_only_while_away),
        GRACE_TEST(what_k_has_passed_is_given_to_nobody),
        GRACE_TEST(what_would_expire_meanwhile_is_given_until_the_grace_ends),
        GRACE_TEST(what_had_expired_before_is_given_to_nobody),
        GRACE_TEST(who_loads_while_away_leads_as_ever),
        GRACE_TEST(what_the_database_has_lost_is_given_to_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
