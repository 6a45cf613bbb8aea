/*
 * The doorbell: whoever commits rings, and who listens looks at once. But only a hint: the watch
 * finds out without it too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "postgres_fixture.h"
#include "store/watch.h"

enum { PATIENCE_MS = 20000, NEVER_MS = 600000, OFTEN_MS = 20 };
static const struct clock system_clock;

/** Who listens, and another who writes: the store's connection. */
struct fixture {
    struct postgres_fixture pg;
    struct database *database; /* of who listens */
    struct db *listener;
    struct db_watcher watcher;
    struct watch *watch;
    atomic_uint looks, failures;
    _Atomic int64_t known; /* the newest generation of risks that a look has found */
};

static struct db_look look(void *context)
{
    (void)context;
    return (struct db_look){.began_ms = clock_monotonic_ms()};
}

static void seen(void *context, struct db_look look, const int64_t generations[SCOPES])
{
    struct fixture *fixture = context;
    (void)look;
    fixture->known = generations[SCOPE_RISKS];
    fixture->looks++;
}

static void committed(void *context, unsigned scopes, const int64_t generations[SCOPES])
{
    (void)context, (void)scopes, (void)generations;
}

static void doubtful(void *context)
{
    (void)context;
}

static void failed(void *context, struct db_look look)
{
    (void)look;
    ((struct fixture *)context)->failures++;
}

static int setup(void **state)
{
    struct fixture *fixture = mem_zalloc(1, sizeof *fixture);
    postgres_fixture_open(&fixture->pg);
    fixture->database = fixture_database(&fixture->pg, (struct db_limits){PATIENCE_MS, 0});
    fixture->watcher = (struct db_watcher){fixture, look, seen, committed, doubtful, failed};
    database_watch(fixture->database, &fixture->watcher);
    fixture->listener = fixture_connect(fixture->database);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    watch_stop(fixture->watch);
    db_close(fixture->listener);
    database_free(fixture->database);
    postgres_fixture_close(&fixture->pg);
    free(fixture);
    return 0;
}

/** A commit that bumps `scopes`; what the generation of risks is then. */
static int64_t commit(struct fixture *fixture, struct db *db, unsigned scopes)
{
    int64_t bumped[SCOPES];
    assert_int_equal(db_begin_write(db, NOW_MS, WRITE_MS, &fixture->pg.err), OK);
    db_touch(db, scopes);
    assert_int_equal(db_commit(db, &fixture->pg.err), OK);
    db_take_bumped(db, bumped);
    return bumped[SCOPE_RISKS];
}

static void listen_there(struct fixture *fixture)
{
    assert_int_equal(db_listen(fixture->listener, &fixture->pg.err), OK);
    assert_false(db_rang(fixture->listener));
}

static void wait_for_ring(struct fixture *fixture)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    struct pollfd bell = {.fd = db_doorbell(fixture->listener), .events = POLLIN};
    while (!db_rang(fixture->listener)) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("nobody has rung");
        assert_true(poll(&bell, 1, PATIENCE_MS) > 0);
    }
}

/** Whatever was sent before the answer to a question has come with it. */
static void assert_silent(struct fixture *fixture)
{
    backend_of(fixture->listener);
    assert_false(db_rang(fixture->listener));
}

static void a_commit_of_anyone_rings(void **state)
{
    struct fixture *fixture = *state;
    listen_there(fixture);
    for (unsigned scopes = 1; scopes < 1u << SCOPES; scopes++) {
        commit(fixture, fixture->pg.db, scopes);
        wait_for_ring(fixture);
        assert_silent(fixture); /* once */
    }
    tell(&fixture->pg, "UPDATE cache_generation SET generation = generation + 1");
    wait_for_ring(fixture);
}

static void ones_own_commit_rings_too(void **state)
{
    struct fixture *fixture = *state;
    listen_there(fixture);
    commit(fixture, fixture->listener, TOUCHES_RISKS);
    wait_for_ring(fixture);
    assert_silent(fixture);
}

static void many_rings_are_heard_as_one(void **state)
{
    struct fixture *fixture = *state;
    listen_there(fixture);
    for (int i = 0; i < 20; i++)
        commit(fixture, fixture->pg.db, TOUCHES_RISKS);
    backend_of(fixture->listener); /* they have all come, in the middle of something else */
    assert_true(db_rang(fixture->listener));
    assert_silent(fixture);
}

static void nothing_else_rings(void **state)
{
    struct fixture *fixture = *state;
    struct db *db = fixture->pg.db;
    struct err *err = &fixture->pg.err;
    listen_there(fixture);
    backend_of(db);
    assert_int_equal(db_begin_write(db, NOW_MS, WRITE_MS, err), OK);
    db_touch(db, TOUCHES_RISKS);
    assert_int_equal(run(db, "UPDATE cache_generation SET generation = generation + 1", err), OK);
    db_rollback(db);
    assert_int_equal(db_begin_note(db, NOW_MS, WRITE_MS, err), OK);
    assert_int_equal(db_commit(db, err), OK);
    commit(fixture, db, 0);
    assert_silent(fixture);
    tell(&fixture->pg, "ALTER TABLE cache_generation DISABLE TRIGGER ring");
    commit(fixture, db, TOUCHES_RISKS);
    assert_silent(fixture);
}

static void who_does_not_listen_hears_nothing(void **state)
{
    struct fixture *fixture = *state;
    commit(fixture, fixture->pg.db, TOUCHES_RISKS);
    commit(fixture, fixture->listener, TOUCHES_RISKS);
    assert_silent(fixture);
}

/* The watch */

static void start_watch(struct fixture *fixture, unsigned interval_ms)
{
    struct watch_settings settings = {
        .clock = &system_clock, .interval_ms = interval_ms, .limit_ms = PATIENCE_MS};
    assert_int_equal(watch_start(fixture->database, &settings, &fixture->watch, &fixture->pg.err),
                     OK);
}

static void wait_until_known(struct fixture *fixture, int64_t generation)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (fixture->known < generation) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("the watch does not know of a commit");
        sched_yield();
    }
}

static void the_watch_looks_as_soon_as_somebody_has_committed(void **state)
{
    struct fixture *fixture = *state;
    start_watch(fixture, NEVER_MS);
    for (int i = 0; i < 10; i++)
        wait_until_known(fixture, commit(fixture, fixture->pg.db, TOUCHES_RISKS));
    assert_int_equal(fixture->failures, 0);
}

static void without_the_bell_the_watch_looks_in_its_turn(void **state)
{
    struct fixture *fixture = *state;
    tell(&fixture->pg, "ALTER TABLE cache_generation DISABLE TRIGGER ring");
    start_watch(fixture, OFTEN_MS);
    for (int i = 0; i < 10; i++)
        wait_until_known(fixture, commit(fixture, fixture->pg.db, TOUCHES_RISKS));
}

static void the_watch_does_not_look_before_its_turn_without_a_reason(void **state)
{
    struct fixture *fixture = *state;
    start_watch(fixture, NEVER_MS);
    unsigned looks = fixture->looks;
    tell(&fixture->pg, "ALTER TABLE cache_generation DISABLE TRIGGER ring");
    int64_t unheard = commit(fixture, fixture->pg.db, TOUCHES_RISKS);
    tell(&fixture->pg, "ALTER TABLE cache_generation ENABLE TRIGGER ring");
    assert_true(fixture->known < unheard);
    wait_until_known(fixture, commit(fixture, fixture->pg.db, TOUCHES_RISKS));
    watch_stop(fixture->watch);
    fixture->watch = NULL;
    assert_int_equal(fixture->looks, looks + 1);
}

static void writers_that_ring_all_the_time_are_heard(void **state)
{
    struct fixture *fixture = *state;
    int64_t last = 0;
    start_watch(fixture, NEVER_MS);
    for (int i = 0; i < 300; i++)
        last = commit(fixture, fixture->pg.db, TOUCHES_RISKS);
    wait_until_known(fixture, last);
}

static struct watch_state state_of_watch(struct fixture *fixture)
{
    struct watch_state state;
    watch_state(fixture->watch, &state);
    return state;
}

static void a_connection_that_is_lost_is_noticed_at_once(void **state)
{
    struct fixture *fixture = *state;
    start_watch(fixture, NEVER_MS);
    end_backend(&fixture->pg, ask_int(&fixture->pg, "SELECT pid FROM pg_stat_activity WHERE "
                                                    "datname = current_database() "
                                                    "ORDER BY backend_start DESC LIMIT 1"));
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (fixture->failures == 0) {
        assert_true(clock_monotonic_ms() < until_ms);
        sched_yield();
    }
    assert_false(state_of_watch(fixture).is_up);
}

#define DOORBELL_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DOORBELL_TEST(a_commit_of_anyone_rings),
        DOORBELL_TEST(ones_own_commit_rings_too),
        DOORBELL_TEST(many_rings_are_heard_as_one),
        DOORBELL_TEST(nothing_else_rings),
        DOORBELL_TEST(who_does_not_listen_hears_nothing),
        DOORBELL_TEST(the_watch_looks_as_soon_as_somebody_has_committed),
        DOORBELL_TEST(without_the_bell_the_watch_looks_in_its_turn),
        DOORBELL_TEST(the_watch_does_not_look_before_its_turn_without_a_reason),
        DOORBELL_TEST(writers_that_ring_all_the_time_are_heard),
        DOORBELL_TEST(a_connection_that_is_lost_is_noticed_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
