/* What commits bump, and over what: the numbers that caches, tokens and other nodes go by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store_fixture.h"

enum { WAIT_MS = 5000, EVERY_SCOPE = (1 << SCOPES) - 1 };
#define NOW_MS INT64_C(1772366400000)
#define FUTURE (INT64_C(1) << 60) /* beyond any clock */

/** A connection to a database that is watched, as a server's is. */
struct fixture {
    struct store_fixture store;
    struct database *database;
    struct db *db;
    struct db_watcher watcher;
    int64_t known[SCOPES]; /* what the watcher says */
    unsigned committed;    /* what it was told, of all commits */
    int64_t committed_to[SCOPES];
    struct err err;
};

static struct db_look look(void *context)
{
    struct fixture *fixture = context;
    struct db_look look = {.began_ms = clock_monotonic_ms()};
    memcpy(look.known, fixture->known, sizeof look.known);
    return look;
}

static void seen(void *context, struct db_look look, const int64_t generations[SCOPES])
{
    (void)context, (void)look, (void)generations;
}

static void committed(void *context, unsigned scopes, const int64_t generations[SCOPES])
{
    struct fixture *fixture = context;
    fixture->committed |= scopes;
    for (int scope = 0; scope < SCOPES; scope++)
        if (scopes & 1u << scope)
            fixture->committed_to[scope] = generations[scope];
}

static void doubtful(void *context)
{
    (void)context;
}

static int setup(void **state)
{
    struct fixture *fixture = mem_zalloc(1, sizeof *fixture);
    err_init(&fixture->err);
    store_fixture_open(&fixture->store);
    fixture->watcher = (struct db_watcher){.context = fixture,
                                           .look = look,
                                           .seen = seen,
                                           .committed = committed,
                                           .doubtful = doubtful};
    assert_int_equal(database_new(fixture->store.url, &fixture->database, &fixture->err), OK);
    database_watch(fixture->database, &fixture->watcher);
    assert_int_equal(db_open(fixture->database, &fixture->db, &fixture->err), OK);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    db_close(fixture->db);
    database_free(fixture->database);
    store_fixture_close(&fixture->store);
    free(fixture);
    return 0;
}

static void begin(struct fixture *fixture, int64_t now_ms, unsigned scopes)
{
    assert_int_equal(db_begin_write(fixture->db, now_ms, WAIT_MS, &fixture->err), OK);
    db_touch(fixture->db, scopes);
}

static void commit(struct fixture *fixture, int64_t now_ms, unsigned scopes)
{
    begin(fixture, now_ms, scopes);
    assert_int_equal(db_commit(fixture->db, &fixture->err), OK);
}

/** As they are now, for everybody. */
static void read_all(struct fixture *fixture, int64_t generations[SCOPES])
{
    assert_int_equal(db_begin_read(fixture->store.db, &fixture->err), OK);
    assert_int_equal(db_read_generations(fixture->store.db, generations, &fixture->err), OK);
    db_rollback(fixture->store.db);
}

/** These scopes, at what they are now; and nothing the next time. */
static void assert_bumped(struct fixture *fixture, unsigned scopes)
{
    int64_t now[SCOPES], bumped[SCOPES];
    read_all(fixture, now);
    memset(bumped, 0xff, sizeof bumped);
    assert_int_equal(db_take_bumped(fixture->db, bumped), scopes);
    for (int scope = 0; scope < SCOPES; scope++)
        assert_int_equal(bumped[scope], scopes & 1u << scope ? now[scope] : 0);
    memset(bumped, 0xff, sizeof bumped);
    assert_int_equal(db_take_bumped(fixture->db, bumped), 0);
    for (int scope = 0; scope < SCOPES; scope++)
        assert_int_equal(bumped[scope], 0);
}

static void a_commit_tells_what_it_has_bumped(void **state)
{
    struct fixture *fixture = *state;
    assert_bumped(fixture, 0);
    for (unsigned scopes = 0; scopes <= EVERY_SCOPE; scopes++) {
        commit(fixture, NOW_MS, scopes);
        assert_bumped(fixture, scopes);
    }
}

static void several_commits_are_told_together(void **state)
{
    struct fixture *fixture = *state;
    commit(fixture, NOW_MS, TOUCHES_RISKS);
    commit(fixture, NOW_MS, TOUCHES_RISKS | TOUCHES_ACCOUNTS);
    commit(fixture, NOW_MS, TOUCHES_RISKS); /* the newest of each */
    assert_bumped(fixture, TOUCHES_RISKS | TOUCHES_ACCOUNTS);
    assert_int_equal(fixture->committed, TOUCHES_RISKS | TOUCHES_ACCOUNTS);
}

static void the_watcher_is_told_the_same(void **state)
{
    struct fixture *fixture = *state;
    int64_t bumped[SCOPES];
    commit(fixture, NOW_MS, TOUCHES_ASSETS | TOUCHES_RISKS);
    db_take_bumped(fixture->db, bumped);
    assert_int_equal(fixture->committed, TOUCHES_ASSETS | TOUCHES_RISKS);
    assert_memory_equal(bumped, fixture->committed_to, sizeof bumped);
}

static void what_did_not_take_effect_has_bumped_nothing(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, NOW_MS, EVERY_SCOPE);
    db_rollback(fixture->db);
    assert_bumped(fixture, 0);
    store_fixture_fail_commits(&fixture->store, true);
    begin(fixture, NOW_MS, EVERY_SCOPE);
    enum status status = db_commit(fixture->db, &fixture->err);
    store_fixture_fail_commits(&fixture->store, false);
    assert_int_not_equal(status, OK);
    db_rollback(fixture->db);
    assert_bumped(fixture, 0);
    assert_int_equal(fixture->committed, 0);
}

static void who_reads_or_leaves_a_note_has_bumped_nothing(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(db_begin_read(fixture->db, &fixture->err), OK);
    assert_int_equal(db_settle(fixture->db, &fixture->err), OK);
    db_rollback(fixture->db);
    assert_int_equal(db_begin_note(fixture->db, NOW_MS, WAIT_MS, &fixture->err), OK);
    assert_int_equal(db_commit(fixture->db, &fixture->err), OK);
    commit(fixture, NOW_MS, 0);
    assert_bumped(fixture, 0);
}

static void another_connection_has_its_own(void **state)
{
    struct fixture *fixture = *state;
    int64_t bumped[SCOPES];
    AUTO_DB struct db *other = NULL;
    assert_int_equal(db_open(fixture->database, &other, &fixture->err), OK);
    commit(fixture, NOW_MS, TOUCHES_RISKS);
    assert_int_equal(db_take_bumped(other, bumped), 0);
    assert_bumped(fixture, TOUCHES_RISKS);
}

/* Over what */

static void a_generation_is_the_time_unless_it_is_that_already(void **state)
{
    struct fixture *fixture = *state;
    int64_t first[SCOPES], again[SCOPES], earlier[SCOPES];
    const int64_t then_ms = NOW_MS + INT64_C(400000000000); /* after whatever the clock says */
    commit(fixture, then_ms, TOUCHES_RISKS);
    read_all(fixture, first);
    assert_int_equal(first[SCOPE_RISKS], then_ms * 1000);
    commit(fixture, then_ms, TOUCHES_RISKS);
    read_all(fixture, again);
    assert_int_equal(again[SCOPE_RISKS], first[SCOPE_RISKS] + 1);
    commit(fixture, NOW_MS, TOUCHES_RISKS); /* the clock was set back */
    read_all(fixture, earlier);
    assert_int_equal(earlier[SCOPE_RISKS], again[SCOPE_RISKS] + 1);
    assert_int_equal(earlier[SCOPE_ASSETS], first[SCOPE_ASSETS]);
}

static void a_generation_goes_beyond_what_was_known(void **state)
{
    struct fixture *fixture = *state;
    int64_t before[SCOPES], after[SCOPES];
    read_all(fixture, before);
    fixture->known[SCOPE_ASSETS] = FUTURE;
    commit(fixture, NOW_MS, TOUCHES_ASSETS | TOUCHES_RISKS);
    read_all(fixture, after);
    assert_int_equal(after[SCOPE_ASSETS], FUTURE + 1);
    assert_true(after[SCOPE_RISKS] > before[SCOPE_RISKS] && after[SCOPE_RISKS] < FUTURE);
    assert_int_equal(after[SCOPE_ACCOUNTS], before[SCOPE_ACCOUNTS]);
    assert_bumped(fixture, TOUCHES_ASSETS | TOUCHES_RISKS);
    fixture->known[SCOPE_ASSETS] = FUTURE - 5; /* less than what it is: the next one, then */
    commit(fixture, NOW_MS, TOUCHES_ASSETS);
    read_all(fixture, after);
    assert_int_equal(after[SCOPE_ASSETS], FUTURE + 2);
}

static unsigned behind(struct fixture *fixture)
{
    assert_int_equal(db_begin_read(fixture->db, &fixture->err), OK);
    assert_int_equal(db_settle(fixture->db, &fixture->err), OK);
    unsigned scopes = db_scopes_behind(fixture->db);
    db_rollback(fixture->db);
    return scopes;
}

static void a_database_that_knows_less_than_was_known_is_behind(void **state)
{
    struct fixture *fixture = *state;
    int64_t now[SCOPES];
    assert_int_equal(behind(fixture), 0); /* nothing was known */
    read_all(fixture, now);
    memcpy(fixture->known, now, sizeof now);
    assert_int_equal(behind(fixture), 0);
    for (unsigned scopes = 0; scopes <= EVERY_SCOPE; scopes++) {
        for (int scope = 0; scope < SCOPES; scope++)
            fixture->known[scope] = now[scope] + (scopes >> scope & 1);
        assert_int_equal(behind(fixture), scopes);
    }
    commit(fixture, NOW_MS, TOUCHES_ASSETS); /* makes good for what it touches */
    assert_int_equal(behind(fixture), EVERY_SCOPE & ~(unsigned)TOUCHES_ASSETS);
    commit(fixture, NOW_MS, EVERY_SCOPE);
    assert_int_equal(behind(fixture), 0);
}

static void where_nobody_watches_nothing_is_behind(void **state)
{
    struct fixture *fixture = *state;
    struct db *db = fixture->store.db;
    assert_int_equal(db_begin_read(db, &fixture->err), OK);
    assert_int_equal(db_settle(db, &fixture->err), OK);
    assert_int_equal(db_scopes_behind(db), 0);
    db_rollback(db);
}

#define GENERATIONS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GENERATIONS_TEST(a_commit_tells_what_it_has_bumped),
        GENERATIONS_TEST(several_commits_are_told_together),
        GENERATIONS_TEST(the_watcher_is_told_the_same),
        GENERATIONS_TEST(what_did_not_take_effect_has_bumped_nothing),
        GENERATIONS_TEST(who_reads_or_leaves_a_note_has_bumped_nothing),
        GENERATIONS_TEST(another_connection_has_its_own),
        GENERATIONS_TEST(a_generation_is_the_time_unless_it_is_that_already),
        GENERATIONS_TEST(a_generation_goes_beyond_what_was_known),
        GENERATIONS_TEST(a_database_that_knows_less_than_was_known_is_behind),
        GENERATIONS_TEST(where_nobody_watches_nothing_is_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
