/* K: it only rises, and says when it may not be relied on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cache_fixture.h"

enum { FRESH_MS = 1000, GRACE_MS = 30000, NOW_MS = 1000000 };

static int setup(void **state)
{
    *state = generations_new(FRESH_MS, GRACE_MS);
    return 0;
}

static int teardown(void **state)
{
    generations_free(*state);
    return 0;
}

/** A look as of now, but of a clock that stands at NOW_MS. */
static struct cache_look look(const struct generations *k)
{
    struct cache_look look = generations_look(k);
    look.began_ms = NOW_MS;
    return look;
}

static void see(struct generations *k, struct cache_look seen, int64_t of_a, int64_t of_b)
{
    struct cache_vector vector = test_vector(of_a, of_b);
    generations_seen(k, seen, &vector);
}

static void raise(struct generations *k, unsigned scopes, int64_t of_a, int64_t of_b)
{
    struct cache_vector vector = test_vector(of_a, of_b);
    generations_raise(k, scopes, &vector);
}

static void assert_known(const struct generations *k, int64_t of_a, int64_t of_b)
{
    struct cache_known known = generations_known(k);
    assert_true(known.vector.of[0] == of_a && known.vector.of[1] == of_b);
    for (int scope = 2; scope < CACHE_SCOPES_MAX; scope++)
        assert_true(known.vector.of[scope] == 0);
}

static bool holds(const struct generations *k, unsigned scopes, int64_t of_a, int64_t of_b)
{
    struct cache_vector vector = test_vector(of_a, of_b);
    return generations_hold(k, &vector, scopes);
}

static void nothing_is_known_at_first(void **state)
{
    struct generations *k = *state;
    assert_known(k, 0, 0);
    assert_false(generations_are_fresh(k, clock_monotonic_ms()));
    assert_int_equal(generations_age_ms(k, NOW_MS), -1);
    assert_int_equal(generations_fresh_ms(k), FRESH_MS);
    raise(k, SCOPE_A, 5, 0); /* a write tells of one scope, and nothing of other processes */
    assert_false(generations_are_fresh(k, clock_monotonic_ms()));
    assert_int_equal(generations_age_ms(k, NOW_MS), -1);
}

static void it_only_rises_scope_by_scope(void **state)
{
    struct generations *k = *state;
    see(k, look(k), 5, 7);
    assert_known(k, 5, 7);
    see(k, look(k), 9, 3);
    assert_known(k, 9, 7);
    see(k, look(k), 1, 1);
    assert_known(k, 9, 7);
    raise(k, SCOPE_A | SCOPE_B, 2, 8);
    assert_known(k, 9, 8);
    raise(k, SCOPE_A, 10, 99); /* of the other scope a write says nothing */
    assert_known(k, 10, 8);
    raise(k, 0, 99, 99);
    assert_known(k, 10, 8);
}

static void what_it_has_passed_does_not_hold(void **state)
{
    struct generations *k = *state;
    see(k, look(k), 5, 7);
    assert_true(holds(k, SCOPE_A | SCOPE_B, 5, 7));
    assert_true(holds(k, SCOPE_A | SCOPE_B, 6, 8)); /* newer than what is known */
    assert_false(holds(k, SCOPE_A | SCOPE_B, 4, 9));
    assert_false(holds(k, SCOPE_A | SCOPE_B, 9, 6));
    assert_true(holds(k, SCOPE_A, 5, 0));
    assert_true(holds(k, SCOPE_B, 0, 7));
    assert_true(holds(k, 0, 0, 0));
    assert_false(holds(k, 1u << (CACHE_SCOPES_MAX - 1) | SCOPE_A, 4, 0));
}

static void a_vector_covers_another_in_each_scope_or_not(void **state)
{
    struct cache_vector newer = test_vector(6, 8), older = test_vector(5, 8),
                        mixed = test_vector(7, 1);
    (void)state;
    assert_true(cache_vector_covers(&newer, &newer, SCOPE_A | SCOPE_B));
    assert_true(cache_vector_covers(&newer, &older, SCOPE_A | SCOPE_B));
    assert_false(cache_vector_covers(&older, &newer, SCOPE_A | SCOPE_B));
    assert_true(cache_vector_covers(&older, &newer, SCOPE_B));
    assert_false(cache_vector_covers(&mixed, &newer, SCOPE_A | SCOPE_B));
    assert_false(cache_vector_covers(&newer, &mixed, SCOPE_A | SCOPE_B));
    assert_true(cache_vector_covers(&mixed, &newer, SCOPE_A));
}

static void what_is_known_differs_by_scopes_and_doubts(void **state)
{
    struct generations *k = *state;
    see(k, look(k), 5, 7);
    struct cache_known before = generations_known(k), after = generations_known(k);
    assert_true(cache_known_equal(&before, &after, SCOPE_A | SCOPE_B));
    raise(k, SCOPE_B, 0, 8);
    after = generations_known(k);
    assert_true(cache_known_equal(&before, &after, SCOPE_A));
    assert_false(cache_known_equal(&before, &after, SCOPE_B));
    assert_false(cache_known_equal(&after, &before, SCOPE_B));
    generations_doubt(k);
    after = generations_known(k);
    assert_false(cache_known_equal(&before, &after, SCOPE_A));
}

static void a_doubt_lasts_until_a_read_that_began_after_it(void **state)
{
    struct generations *k = *state;
    see(k, look(k), 5, 7);
    assert_true(generations_are_fresh(k, NOW_MS));
    struct cache_look before = look(k);
    generations_doubt(k);
    assert_false(generations_are_fresh(k, NOW_MS));
    see(k, before, 5, 7);
    assert_false(generations_are_fresh(k, NOW_MS));
    raise(k, SCOPE_A, 6, 0);
    assert_false(generations_are_fresh(k, NOW_MS));
    see(k, look(k), 6, 7);
    assert_true(generations_are_fresh(k, NOW_MS));
}

static void a_read_confirms_no_doubt_that_came_while_it_read(void **state)
{
    struct generations *k = *state;
    see(k, look(k), 5, 7);
    generations_doubt(k);
    struct cache_look first = look(k);
    generations_doubt(k);
    struct cache_look second = look(k);
    see(k, first, 5, 7);
    assert_false(generations_are_fresh(k, NOW_MS));
    see(k, second, 5, 7);
    assert_true(generations_are_fresh(k, NOW_MS));
    see(k, first, 5, 7); /* an older read that ends later takes nothing back */
    assert_true(generations_are_fresh(k, NOW_MS));
}

static void it_is_fresh_for_a_while_after_a_read_began(void **state)
{
    struct generations *k = *state;
    struct cache_look first = look(k), second = look(k);
    second.began_ms = NOW_MS + 300;
    see(k, first, 5, 7);
    assert_true(generations_are_fresh(k, NOW_MS + FRESH_MS));
    assert_false(generations_are_fresh(k, NOW_MS + FRESH_MS + 1));
    assert_int_equal(generations_age_ms(k, NOW_MS + 40), 40);
    see(k, second, 5, 7);
    see(k, first, 5, 7); /* the youngest one counts, whichever ended last */
    assert_true(generations_are_fresh(k, NOW_MS + 300 + FRESH_MS));
    assert_false(generations_are_fresh(k, NOW_MS + 300 + FRESH_MS + 1));
    assert_int_equal(generations_age_ms(k, NOW_MS + 340), 40);
    assert_int_equal(generations_age_ms(k, NOW_MS), 0); /* asked with an older time */
    raise(k, SCOPE_A, 6, 0);                            /* a write makes it no fresher */
    assert_false(generations_are_fresh(k, NOW_MS + 300 + FRESH_MS + 1));
}

/* Going back */

static void a_read_that_finds_less_than_was_known_makes_it_doubtful(void **state)
{
    struct generations *k = *state;
    see(k, look(k), 5, 7);
    assert_true(generations_are_fresh(k, NOW_MS));
    struct cache_vector older = test_vector(9, 6);
    assert_false(generations_seen(k, look(k), &older)); /* of one scope is enough */
    assert_known(k, 9, 7);
    assert_false(generations_are_fresh(k, NOW_MS));
    assert_false(generations_seen(k, look(k), &older)); /* as long as it is so */
    assert_false(generations_are_fresh(k, NOW_MS));
    see(k, look(k), 9, 8); /* lifted */
    assert_true(generations_are_fresh(k, NOW_MS));
}

static void a_read_that_began_before_a_write_is_none_that_goes_back(void **state)
{
    struct generations *k = *state;
    see(k, look(k), 5, 7);
    struct cache_look before = look(k);
    raise(k, SCOPE_A, 6, 0);
    struct cache_vector seen = test_vector(5, 7);
    assert_true(generations_seen(k, before, &seen));
    assert_known(k, 6, 7);
    assert_true(generations_are_fresh(k, NOW_MS));
}

static void it_reaches_what_is_not_newer_in_any_scope(void **state)
{
    struct generations *k = *state;
    struct cache_vector same = test_vector(5, 7), older = test_vector(5, 0),
                        newer = test_vector(0, 8);
    see(k, look(k), 5, 7);
    assert_true(generations_reach(k, &same));
    assert_true(generations_reach(k, &older));
    assert_false(generations_reach(k, &newer));
}

/* Away */

static struct cache_look look_at(const struct generations *k, int64_t now_ms)
{
    struct cache_look taken = generations_look(k);
    taken.began_ms = now_ms;
    return taken;
}

static void a_failed_read_makes_it_away_until_a_later_one_went_well(void **state)
{
    struct generations *k = *state;
    see(k, look(k), 5, 7);
    assert_false(generations_are_away(k));
    generations_failed(k, look_at(k, NOW_MS + 200));
    assert_true(generations_are_away(k));
    assert_true(generations_are_fresh(k, NOW_MS + 200)); /* others have had no time to write */
    see(k, look_at(k, NOW_MS + 100), 5, 7);              /* from before, but it took long */
    assert_true(generations_are_away(k));
    generations_doubt(k);
    raise(k, SCOPE_A, 6, 0); /* a commit says nothing of what others wrote */
    assert_true(generations_are_away(k));
    see(k, look_at(k, NOW_MS + 400), 6, 7);
    assert_false(generations_are_away(k));
    assert_true(generations_are_fresh(k, NOW_MS + 400));
}

static void an_older_read_that_fails_late_does_not_make_it_away(void **state)
{
    struct generations *k = *state;
    see(k, look_at(k, NOW_MS + 100), 5, 7);
    generations_failed(k, look_at(k, NOW_MS));
    assert_false(generations_are_away(k));
    generations_failed(k, look_at(k, NOW_MS + 200));
    see(k, look_at(k, NOW_MS + 300), 5, 7);
    generations_failed(k, look_at(k, NOW_MS + 250));
    assert_false(generations_are_away(k));
    generations_failed(k, look_at(k, NOW_MS + 400));
    assert_true(generations_are_away(k));
}

static void the_grace_lasts_from_the_youngest_read_while_it_is_away(void **state)
{
    struct generations *k = *state;
    generations_failed(k, look(k));
    assert_false(generations_have_grace(k, NOW_MS)); /* it has never been there */
    see(k, look_at(k, NOW_MS + 100), 5, 7);
    assert_false(generations_have_grace(k, NOW_MS + 100 + FRESH_MS + 1)); /* late, but not away */
    generations_failed(k, look_at(k, NOW_MS + 200));
    assert_true(generations_have_grace(k, NOW_MS + 200));
    generations_failed(k, look_at(k, NOW_MS + 20000)); /* a further failure makes it no longer */
    assert_true(generations_have_grace(k, NOW_MS + 100 + GRACE_MS));
    assert_false(generations_have_grace(k, NOW_MS + 100 + GRACE_MS + 1));
    see(k, look_at(k, NOW_MS + 50000), 5, 7);
    assert_false(generations_have_grace(k, NOW_MS + 50000));
    generations_failed(k, look_at(k, NOW_MS + 50200));
    assert_true(generations_have_grace(k, NOW_MS + 50000 + GRACE_MS));
}

static void there_may_be_no_grace(void **state)
{
    struct generations *k = generations_new(FRESH_MS, 0);
    (void)state;
    see(k, look(k), 5, 7);
    generations_failed(k, look_at(k, NOW_MS + 200));
    assert_true(generations_are_away(k));
    assert_false(generations_have_grace(k, NOW_MS));
    generations_free(k);
}

static void a_look_takes_its_time_before_the_read(void **state)
{
    int64_t before_ms = clock_monotonic_ms();
    struct cache_look taken = generations_look(*state);
    assert_in_range(taken.began_ms, before_ms, clock_monotonic_ms());
}

/* Many at a time */

enum { THREADS = 8, RAISES = 20000 };

struct raiser {
    struct generations *k;
    int64_t first;
    atomic_uint *falls;
};

/** Every thread raises by numbers of its own, up and down, and never sees K fall. */
static void *raise_and_watch(void *context)
{
    struct raiser *raiser = context;
    struct generations *k = raiser->k;
    uint64_t random = (uint64_t)raiser->first + 1;
    struct cache_known last = generations_known(k);
    for (int64_t i = 0; i < RAISES; i++) {
        int64_t to = raiser->first + (int64_t)(test_random(&random) % (uint64_t)(i + 1)) * THREADS;
        if (i % 7 == 0)
            generations_failed(k, generations_look(k));
        if (i % 3 == 0)
            see(k, generations_look(k), to, to);
        else
            raise(k, i % 3 == 1 ? SCOPE_A : SCOPE_B, to, to);
        struct cache_known now = generations_known(k);
        if (!cache_vector_covers(&now.vector, &last.vector, SCOPE_A | SCOPE_B))
            atomic_fetch_add(raiser->falls, 1);
        last = now;
    }
    raise(k, SCOPE_A | SCOPE_B, raiser->first + RAISES * THREADS, raiser->first);
    return NULL;
}

static void it_only_rises_for_many_threads(void **state)
{
    pthread_t threads[THREADS];
    struct raiser raisers[THREADS];
    atomic_uint falls = 0;
    for (int i = 0; i < THREADS; i++) {
        raisers[i] = (struct raiser){.k = *state, .first = i, .falls = &falls};
        assert_int_equal(pthread_create(&threads[i], NULL, raise_and_watch, &raisers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(falls, 0);
    assert_true(generations_known(*state).vector.of[0] == THREADS - 1 + RAISES * THREADS);
}

#define K_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        K_TEST(nothing_is_known_at_first),
        K_TEST(it_only_rises_scope_by_scope),
        K_TEST(what_it_has_passed_does_not_hold),
        K_TEST(a_vector_covers_another_in_each_scope_or_not),
        K_TEST(what_is_known_differs_by_scopes_and_doubts),
        K_TEST(a_doubt_lasts_until_a_read_that_began_after_it),
        K_TEST(a_read_confirms_no_doubt_that_came_while_it_read),
        K_TEST(it_is_fresh_for_a_while_after_a_read_began),
        K_TEST(a_read_that_finds_less_than_was_known_makes_it_doubtful),
        K_TEST(a_read_that_began_before_a_write_is_none_that_goes_back),
        K_TEST(it_reaches_what_is_not_newer_in_any_scope),
        K_TEST(a_failed_read_makes_it_away_until_a_later_one_went_well),
        K_TEST(an_older_read_that_fails_late_does_not_make_it_away),
        K_TEST(the_grace_lasts_from_the_youngest_read_while_it_is_away),
        K_TEST(there_may_be_no_grace),
        K_TEST(a_look_takes_its_time_before_the_read),
        K_TEST(it_only_rises_for_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
