/*
 * The watch: it knows whether the database is there, says so to who must know, comes back by
 * itself, and lets the tick come whatever the database does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/engine.h"
#include "store/watch.h"
#include "store_fixture.h"

static const struct clock system_clock;
enum { PATIENCE_MS = 20000, INTERVAL_MS = 10, LIMIT_MS = 100 };

/* SQLite, that goes away and comes back when a test says so. An engine has no context. */
static atomic_bool away;          /* nothing can be opened or read */
static atomic_bool opening_takes; /* as long as this is set */
static atomic_bool reading_takes;
static atomic_uint openings, waits, closings;

static void wait_while(atomic_bool *flag)
{
    if (!*flag)
        return;
    waits++;
    while (*flag)
        sched_yield();
}

static enum status flaky_open(struct engine_shared *shared, struct engine_conn **ret_conn,
                              struct err *err)
{
    openings++;
    wait_while(&opening_takes);
    if (away)
        return err_set(err, UNAVAILABLE, NULL, "away");
    return sqlite_engine.open(shared, ret_conn, err);
}

static enum status flaky_begin_read(struct engine_conn *conn, struct err *err)
{
    wait_while(&reading_takes);
    return away ? err_set(err, UNAVAILABLE, NULL, "away") : sqlite_engine.begin_read(conn, err);
}

static void flaky_close(struct engine_conn *conn)
{
    closings++;
    sqlite_engine.close(conn);
}

struct fixture {
    struct store_fixture store;
    struct db_engine engine;
    struct database *database;
    struct db_watcher watcher;
    struct watch *watch;
    _Atomic uint64_t looks, last_failed; /* looks are numbered in `doubts` */
    atomic_uint seen, failures, ticks;
    unsigned interval_ms;
    _Atomic int64_t known_of_risks;
};

static struct db_look look(void *context)
{
    struct fixture *fixture = context;
    return (struct db_look){.doubts = ++fixture->looks,
                            .began_ms = clock_monotonic_ms(),
                            .known = {[SCOPE_RISKS] = fixture->known_of_risks}};
}

static void seen(void *context, struct db_look look, const int64_t generations[SCOPES])
{
    struct fixture *fixture = context;
    (void)look, (void)generations;
    fixture->seen++;
}

static void failed(void *context, struct db_look look)
{
    struct fixture *fixture = context;
    fixture->last_failed = look.doubts;
    fixture->failures++;
}

static void committed(void *context, unsigned scopes, const int64_t generations[SCOPES])
{
    (void)context, (void)scopes, (void)generations;
}

static void tick(void *context)
{
    ((struct fixture *)context)->ticks++;
}

static int setup(void **state)
{
    struct fixture *fixture = mem_zalloc(1, sizeof *fixture);
    struct err err;
    away = opening_takes = reading_takes = false;
    openings = waits = closings = 0;
    fixture->interval_ms = INTERVAL_MS;
    store_fixture_open(&fixture->store);
    fixture->engine = sqlite_engine;
    fixture->engine.open = flaky_open;
    fixture->engine.begin_read = flaky_begin_read;
    fixture->engine.close = flaky_close;
    AUTO_FREE char *url = mem_format("sqlite:%s", database_path(fixture->store.database));
    assert_int_equal(database_new_of(&fixture->engine, url, &fixture->database, &err), OK);
    fixture->watcher = (struct db_watcher){
        .context = fixture, .look = look, .seen = seen, .committed = committed, .failed = failed};
    database_watch(fixture->database, &fixture->watcher);
    *state = fixture;
    return 0;
}

static enum status start(struct fixture *fixture)
{
    struct err err;
    struct watch_settings settings = {.clock = &system_clock,
                                      .interval_ms = fixture->interval_ms,
                                      .limit_ms = LIMIT_MS,
                                      .tick = tick,
                                      .context = fixture};
    return watch_start(fixture->database, &settings, &fixture->watch, &err);
}

/** Whatever was opened has been closed. */
static int teardown(void **state)
{
    struct fixture *fixture = *state;
    away = opening_takes = reading_takes = false;
    watch_stop(fixture->watch);
    database_free(fixture->database);
    store_fixture_close(&fixture->store);
    free(fixture);
    return 0;
}

static struct watch_state state_of(struct fixture *fixture)
{
    struct watch_state state;
    watch_state(fixture->watch, &state);
    return state;
}

static void wait_until_up(struct fixture *fixture, bool up)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (state_of(fixture).is_up != up) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("it was not noticed that the database is %s", up ? "back" : "away");
        sched_yield();
    }
}

static void wait_for(const atomic_uint *count, unsigned least, const char *what)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (*count < least) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("only %u %s", *count, what);
        sched_yield();
    }
}

static void it_looks_again_and_again_on_one_connection(void **state)
{
    struct fixture *fixture = *state;
    int64_t before_ms = clock_monotonic_ms();
    assert_int_equal(start(fixture), OK);
    struct watch_state first = state_of(fixture);
    assert_true(first.is_up);
    assert_in_range(first.since_ms, before_ms, first.checked_ms);
    assert_true(first.checked_ms <= clock_monotonic_ms());
    wait_for(&fixture->seen, fixture->seen + 5, "looks have been told of");
    assert_true(state_of(fixture).checked_ms > first.checked_ms);
    assert_int_equal(state_of(fixture).since_ms, first.since_ms);
    assert_int_equal(fixture->failures, 0);
    assert_int_equal(openings, 1);
    watch_stop(fixture->watch);
    fixture->watch = NULL;
    assert_int_equal(closings, 1);
}

static void a_database_that_is_away_cannot_be_watched(void **state)
{
    struct fixture *fixture = *state;
    away = true;
    assert_int_equal(start(fixture), UNAVAILABLE);
    assert_null(fixture->watch);
}

static void it_tells_that_the_database_goes_and_finds_it_when_it_is_back(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(start(fixture), OK);
    uint64_t looks = fixture->looks;
    int64_t went_ms = clock_monotonic_ms();
    away = true;
    wait_until_up(fixture, false);
    assert_true(state_of(fixture).since_ms >= went_ms);
    wait_for(&fixture->failures, 3, "looks have failed");
    assert_true(fixture->last_failed > looks); /* with what was noted before it began */
    assert_int_equal(closings, 1);
    assert_true(openings > 1); /* it tries */
    int64_t came_ms = clock_monotonic_ms();
    away = false;
    wait_until_up(fixture, true);
    assert_true(state_of(fixture).since_ms >= came_ms);
    assert_int_equal(closings, 1);
}

static void ticks_come_while_opening_a_connection_takes_long(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(start(fixture), OK);
    opening_takes = away = true;
    wait_for(&waits, 1, "looks wait for a connection");
    assert_false(state_of(fixture).is_up);
    assert_int_equal(fixture->failures, 1); /* by which everybody knows */
    unsigned ticks = fixture->ticks;
    wait_for(&fixture->ticks, ticks + 5, "ticks while a look waits");
    assert_int_equal(waits, 1);
}

static void a_look_that_does_not_end_is_no_good_sign(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(start(fixture), OK);
    reading_takes = true;
    wait_until_up(fixture, false);
    assert_int_equal(fixture->failures, 0);
    reading_takes = false;
    wait_until_up(fixture, true);
}

/* Asking */

struct asker {
    struct watch_waiter waiter; /* first */
    struct fixture *fixture;
    uint64_t looks;  /* when it was told */
    atomic_int told; /* the status + 1 */
};

static void looked(struct watch_waiter *waiter, enum status status, const struct err *why)
{
    struct asker *asker = (struct asker *)waiter;
    (void)why;
    asker->looks = asker->fixture->looks;
    asker->told += (int)status + 1;
}

static struct asker asker_of(struct fixture *fixture)
{
    return (struct asker){.waiter.looked = looked, .fixture = fixture};
}

static void assert_told(struct asker *asker, enum status status)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (asker->told == 0 && clock_monotonic_ms() < until_ms)
        sched_yield();
    assert_int_equal(asker->told, (int)status + 1);
}

static void who_asks_is_told_after_a_look_that_began_since(void **state)
{
    struct fixture *fixture = *state;
    struct asker during = asker_of(fixture), other = asker_of(fixture);
    assert_int_equal(start(fixture), OK);
    reading_takes = true;
    wait_for(&waits, 1, "looks have begun");
    uint64_t looks = fixture->looks; /* this one is under way */
    assert_true(watch_ask(fixture->watch, &during.waiter));
    assert_true(watch_ask(fixture->watch, &other.waiter));
    reading_takes = false;
    assert_told(&during, OK);
    assert_told(&other, OK);
    assert_true(during.looks > looks);
    assert_int_equal(other.looks, during.looks); /* they shared it */
}

static void who_asks_does_not_wait_for_the_next_turn(void **state)
{
    struct fixture *fixture = *state;
    struct asker asker = asker_of(fixture);
    fixture->interval_ms = 10 * PATIENCE_MS;
    assert_int_equal(start(fixture), OK);
    assert_true(watch_ask(fixture->watch, &asker.waiter));
    assert_told(&asker, OK);
}

static void nobody_waits_for_a_database_that_is_away(void **state)
{
    struct fixture *fixture = *state;
    struct asker first = asker_of(fixture), during = asker_of(fixture), late = asker_of(fixture);
    assert_int_equal(start(fixture), OK);
    reading_takes = true;
    wait_for(&waits, 1, "looks have begun");
    assert_true(watch_ask(fixture->watch, &first.waiter));
    away = true;
    reading_takes = false;
    assert_told(&first, UNAVAILABLE);
    wait_until_up(fixture, false);
    assert_false(watch_ask(fixture->watch, &during.waiter));
    away = false;
    wait_until_up(fixture, true);
    assert_true(watch_ask(fixture->watch, &late.waiter));
    assert_told(&late, OK);
    assert_int_equal(during.told, 0);
}

static void who_still_waits_when_it_stops_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct asker asker = asker_of(fixture);
    assert_int_equal(start(fixture), OK);
    reading_takes = true;
    wait_for(&waits, 1, "looks have begun");
    assert_true(watch_ask(fixture->watch, &asker.waiter));
    reading_takes = false;
    watch_stop(fixture->watch);
    fixture->watch = NULL;
    assert_true(asker.told > 0);
}

/* Going back */

static int64_t generation_of(struct fixture *fixture, enum scope scope)
{
    struct err err;
    int64_t generations[SCOPES];
    assert_int_equal(db_begin_read(fixture->store.db, &err), OK);
    assert_int_equal(db_read_generations(fixture->store.db, generations, &err), OK);
    db_rollback(fixture->store.db);
    return generations[scope];
}

static void a_database_that_has_gone_back_is_lifted_over_what_was_known(void **state)
{
    struct fixture *fixture = *state;
    const int64_t future = INT64_C(1) << 60; /* beyond any clock */
    assert_int_equal(start(fixture), OK);
    int64_t accounts = generation_of(fixture, SCOPE_ACCOUNTS);
    assert_true(generation_of(fixture, SCOPE_RISKS) < future);
    fixture->known_of_risks = future;
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (generation_of(fixture, SCOPE_RISKS) <= future && clock_monotonic_ms() < until_ms)
        sched_yield();
    assert_true(generation_of(fixture, SCOPE_RISKS) > future);
    /* And the others: who signed in since is not known any more, although that bumps nothing. */
    assert_true(generation_of(fixture, SCOPE_ACCOUNTS) > accounts);
}

#define WATCH_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WATCH_TEST(it_looks_again_and_again_on_one_connection),
        WATCH_TEST(a_database_that_is_away_cannot_be_watched),
        WATCH_TEST(it_tells_that_the_database_goes_and_finds_it_when_it_is_back),
        WATCH_TEST(ticks_come_while_opening_a_connection_takes_long),
        WATCH_TEST(a_look_that_does_not_end_is_no_good_sign),
        WATCH_TEST(who_asks_is_told_after_a_look_that_began_since),
        WATCH_TEST(who_asks_does_not_wait_for_the_next_turn),
        WATCH_TEST(nobody_waits_for_a_database_that_is_away),
        WATCH_TEST(who_still_waits_when_it_stops_is_told),
        WATCH_TEST(a_database_that_has_gone_back_is_lifted_over_what_was_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
