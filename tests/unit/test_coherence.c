/*
 * The cache over a real database: whoever asks after a commit gets what was committed, whenever the
 * commit came, whoever made it, and even if it could not tell whether it took effect.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/caches.h"
#include "base/clock.h"
#include "base/mem.h"
#include "cache_fixture.h"
#include "service/cache_service.h"
#include "service/risk_service.h"
#include "store_fixture.h"

enum { PATIENCE_MS = 20000, TTL_MS = 600000, VALUE_BYTES = 1000, CACHE_BYTES = 16 << 20 };
static const struct clock system_clock;
static const struct cache_terms terms = {.scopes = TOUCHES_RISKS, .ttl_ms = TTL_MS};

/** A register with one risk, whose version tells its states apart. */
struct fixture {
    struct store_fixture store; /* its connection is the writer's */
    struct caches caches;       /* as in a server */
    struct db_watcher watcher;  /* stands between the database and the caches' own */
    struct test_values values;
    const char *id;
    int64_t committed; /* the version */
    struct reader *early, *late;
    struct load *load;           /* a transaction of it is about to begin; NULL */
    bool clock_stands;           /* for those who ask, so that K stays fresh */
    unsigned reads, hits, stale; /* of those who came after a commit */
};

/** A connection that reads. */
struct reader {
    struct fixture *fixture;
    struct db *db;
    struct arena arena;
};

/** When something happens, as a load sees it. */
enum moment {
    BEFORE_LOOK,
    AFTER_LOOK,        /* before its transaction has a snapshot */
    AFTER_SNAPSHOT,    /* before K is raised to that */
    AFTER_GENERATIONS, /* before the row is read */
    AFTER_ROW,         /* before it lands */
    AFTER_LANDING,
    MOMENTS,
    NEVER = MOMENTS,
};

struct load {
    struct reader *reader;
    uint64_t key;
    enum moment moment;
    void (*happens)(struct load *load);
};

static void reach(struct load *load, enum moment moment)
{
    if (!load || load->moment != moment)
        return;
    load->moment = NEVER; /* a load that is repeated is not disturbed again */
    load->happens(load);
}

static struct db_look look(void *context)
{
    struct fixture *fixture = context;
    const struct db_watcher *watcher = &fixture->caches.watcher;
    struct db_look taken = watcher->look(watcher->context);
    reach(fixture->load, AFTER_LOOK);
    return taken;
}

static void seen(void *context, struct db_look taken, const int64_t generations[SCOPES])
{
    struct fixture *fixture = context;
    const struct db_watcher *watcher = &fixture->caches.watcher;
    reach(fixture->load, AFTER_SNAPSHOT);
    watcher->seen(watcher->context, taken, generations);
}

static void committed(void *context, unsigned scopes, const int64_t generations[SCOPES])
{
    const struct db_watcher *watcher = &((struct fixture *)context)->caches.watcher;
    watcher->committed(watcher->context, scopes, generations);
}

static void doubtful(void *context)
{
    const struct db_watcher *watcher = &((struct fixture *)context)->caches.watcher;
    watcher->doubtful(watcher->context);
}

static struct reader *reader_new(struct fixture *fixture)
{
    struct err err;
    struct reader *reader = mem_zalloc(1, sizeof *reader);
    reader->fixture = fixture;
    arena_init(&reader->arena);
    assert_int_equal(db_open(fixture->store.database, &reader->db, &err), OK);
    return reader;
}

static void reader_free(struct reader *reader)
{
    db_close(reader->db);
    arena_release(&reader->arena);
    free(reader);
}

/** Where the clock stands there is one thread, whose transactions can be disturbed. */
static struct fixture *start(bool clock_stands)
{
    struct fixture *fixture = mem_zalloc(1, sizeof *fixture);
    struct risk_change change = {.risk = risk_defaults()};
    struct risk_page page;
    struct err err;
    store_fixture_open(&fixture->store);
    caches_init(&fixture->caches, fixture->store.database, CACHE_BYTES, 0);
    fixture->watcher = (struct db_watcher){.context = fixture,
                                           .look = look,
                                           .seen = seen,
                                           .committed = committed,
                                           .doubtful = doubtful};
    if (clock_stands)
        database_watch(fixture->store.database, &fixture->watcher);
    fixture->clock_stands = clock_stands;
    change.risk.title = "Watched";
    change.risk.impact = change.risk.probability = 3;
    assert_int_equal(risk_service_create(&fixture->store.service, &change, &page, &err), OK);
    fixture->id = page.risk.id;
    fixture->committed = page.risk.version;
    fixture->early = reader_new(fixture);
    fixture->late = reader_new(fixture);
    return fixture;
}

static int setup(void **state)
{
    *state = start(true);
    return 0;
}

static int setup_with_time(void **state)
{
    *state = start(false);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    reader_free(fixture->early);
    reader_free(fixture->late);
    store_fixture_close(&fixture->store);
    caches_release(&fixture->caches);
    assert_int_equal(fixture->values.freed, fixture->values.made);
    free(fixture);
    return 0;
}

static int64_t now_ms(const struct fixture *fixture)
{
    return fixture->clock_stands ? 1 : clock_monotonic_ms();
}

/* Writing */

static enum status change_by(struct service *service, const char *id, struct err *err)
{
    struct arena arena;
    arena_init(&arena);
    struct service own = *service;
    struct risk_change change = {.mask = field_bit(&risk_table, "title")};
    struct risk_page page;
    own.arena = &arena;
    static unsigned number;
    change.risk.title = arena_format(&arena, "Change %u", number++);
    enum status status = risk_service_update(&own, id, 0, &change, &page, err);
    arena_release(&arena);
    return status;
}

static void commit(struct fixture *fixture)
{
    struct err err;
    assert_int_equal(change_by(&fixture->store.service, fixture->id, &err), OK);
    fixture->committed++;
}

/* Reading */

/** The version that the snapshot shows. */
static int64_t read_risk(struct reader *reader)
{
    struct fixture *fixture = reader->fixture;
    struct service service = service_new(reader->db, &reader->arena, fixture->store.service.now_ms,
                                         &fixture->store.caller);
    struct risk_page page;
    struct err err;
    service.in_snapshot = true;
    assert_int_equal(risk_service_get(&service, fixture->id, &page, &err), OK);
    int64_t version = page.risk.version;
    arena_clear(&reader->arena);
    return version;
}

/** As in api/reading.c. */
static void load_once(struct load *load, struct cache_flight *flight, struct cache_landing *landing)
{
    struct fixture *fixture = load->reader->fixture;
    struct db *db = load->reader->db;
    struct err err;
    *landing = (struct cache_landing){0};
    reach(load, BEFORE_LOOK);
    int64_t began_ms = clock_monotonic_ms();
    fixture->load = load;
    assert_int_equal(db_begin_read(db, &err), OK);
    assert_int_equal(db_settle(db, &err), OK);
    fixture->load = NULL;
    memcpy(landing->vector.of, db_generations(db), SCOPES * sizeof *landing->vector.of);
    landing->value = cache_found_at(flight, began_ms, &landing->vector);
    reach(load, AFTER_GENERATIONS);
    if (!landing->value) {
        struct test_value *value = test_value_new(&fixture->values, VALUE_BYTES);
        value->number = read_risk(load->reader);
        landing->value = &value->value;
    }
    db_rollback(db);
    reach(load, AFTER_ROW);
}

static int64_t load_and_land(struct load *load, struct cache_flight *flight)
{
    struct cache_landing landing;
    for (;;) {
        load_once(load, flight, &landing);
        if (cache_land(flight, &landing))
            break;
        cache_value_unref(landing.value);
    }
    reach(load, AFTER_LANDING);
    int64_t version = test_value_of(landing.value)->number;
    cache_value_unref(landing.value);
    return version;
}

/** The version that is shown. Nobody may join: all who came before have landed or are too old. */
static int64_t read_through(struct load *load)
{
    struct fixture *fixture = load->reader->fixture;
    char text[TEST_KEY_SIZE];
    struct cache_key key = test_key(load->key, text);
    struct cache_waiter waiter = {0};
    struct cache_flight *flight;
    struct cache_value *value;
    enum cache_entrance entrance = cache_enter(fixture->caches.responses, &key, &terms,
                                               now_ms(fixture), &waiter, &value, &flight);
    assert_int_not_equal(entrance, CACHE_WAITS);
    if (entrance == CACHE_LEADS)
        return load_and_land(load, flight);
    int64_t version = test_value_of(value)->number;
    cache_value_unref(value);
    fixture->hits++;
    return version;
}

static int64_t read_again(struct reader *reader, uint64_t number)
{
    struct load load = {.reader = reader, .key = number, .moment = NEVER};
    return read_through(&load);
}

/** Is it kept, and may it be given away? */
static bool is_hit(struct fixture *fixture, uint64_t number)
{
    char text[TEST_KEY_SIZE];
    struct cache_key key = test_key(number, text);
    struct cache_value *value = cache_get(fixture->caches.responses, &key, now_ms(fixture));
    bool found = value != NULL;
    cache_value_unref(value);
    return found;
}

/* Commits while somebody loads */

static void count_read(struct fixture *fixture, int64_t version)
{
    fixture->reads++;
    fixture->stale += version != fixture->committed;
}

static void commit_only(struct load *load)
{
    commit(load->reader->fixture);
}

/** And somebody asks right after it. */
static void commit_and_read(struct load *load)
{
    struct fixture *fixture = load->reader->fixture;
    commit(fixture);
    count_read(fixture, read_again(fixture->late, load->key));
}

static void the_next_read_is_fresh_whenever_the_commit_came(void **state)
{
    struct fixture *fixture = *state;
    const char *full = getenv("OPENRISK_TEST_FULL");
    unsigned rounds = full && *full ? 1000 : 200;
    for (unsigned round = 0; round < rounds; round++) {
        for (enum moment moment = 0; moment < MOMENTS; moment++) {
            struct load load = {.reader = fixture->early,
                                .key = round * MOMENTS + moment,
                                .moment = moment,
                                .happens = round % 2 == 0 ? commit_and_read : commit_only};
            int64_t known = fixture->committed;
            assert_true(read_through(&load) >= known);
            count_read(fixture, read_again(fixture->early, load.key));
        }
    }
    struct cache_statistics statistics;
    cache_statistics(fixture->caches.responses, &statistics);
    print_message("# figure: cache: %u commits in the middle of a load, at %d moments: %u stale of "
                  "the %u reads after them (%u from the cache, %u loads repeated)\n",
                  rounds * MOMENTS, MOMENTS, fixture->stale, fixture->reads, fixture->hits,
                  (unsigned)statistics.repeats);
    assert_int_equal(fixture->stale, 0);
    assert_int_equal(fixture->reads, rounds * MOMENTS + rounds * MOMENTS / 2);
    /* Those whose snapshot was from before the commit. */
    assert_int_equal(statistics.repeats, 3 * rounds);
    /* The next read of all but what landed before the commit; there, what the late reader left. */
    assert_int_equal(fixture->hits, (MOMENTS - 1) * rounds + rounds / 2);
}

static void deleting_what_is_cached_needs_no_change(void **state)
{
    struct fixture *fixture = *state;
    int64_t generations[SCOPES];
    struct err err;
    read_again(fixture->early, 1);
    assert_true(is_hit(fixture, 1));
    assert_int_equal(cache_service_invalidate(&fixture->store.service, TOUCHES_ASSETS, "assets",
                                              generations, &err),
                     OK);
    assert_true(is_hit(fixture, 1));
    assert_int_equal(cache_service_invalidate(&fixture->store.service, TOUCHES_RISKS, "risks",
                                              generations, &err),
                     OK);
    assert_false(is_hit(fixture, 1));
    assert_int_equal(generations_known(fixture->caches.generations).vector.of[SCOPE_RISKS],
                     generations[SCOPE_RISKS]);
    assert_int_equal(read_again(fixture->early, 1), fixture->committed);
    assert_true(is_hit(fixture, 1));
}

/* Commits that fail */

static void fail_to_commit(struct fixture *fixture)
{
    struct err err;
    store_fixture_fail_commits(&fixture->store, true);
    enum status status = change_by(&fixture->store.service, fixture->id, &err);
    store_fixture_fail_commits(&fixture->store, false);
    assert_int_equal(status, UNAVAILABLE);
}

static void after_a_failed_commit_nothing_is_given_until_a_read_confirmed_k(void **state)
{
    enum { ROUNDS = 20 };
    struct fixture *fixture = *state;
    for (int round = 0; round < ROUNDS; round++) {
        assert_int_equal(read_again(fixture->early, 1), fixture->committed);
        assert_true(is_hit(fixture, 1));
        unsigned made = fixture->values.made;
        fail_to_commit(fixture);
        assert_false(is_hit(fixture, 1));
        assert_int_equal(read_again(fixture->early, 1), fixture->committed);
        assert_int_equal(fixture->values.made, made); /* the snapshot found what is kept */
        assert_true(is_hit(fixture, 1));
        commit(fixture);
        assert_false(is_hit(fixture, 1));
    }
}

static void disturb_by_failing(struct load *load)
{
    fail_to_commit(load->reader->fixture);
}

static void a_read_that_began_before_the_failure_confirms_nothing(void **state)
{
    struct fixture *fixture = *state;
    for (enum moment moment = 0; moment < MOMENTS; moment++) {
        struct load load = {.reader = fixture->early,
                            .key = moment,
                            .moment = moment,
                            .happens = disturb_by_failing};
        assert_int_equal(read_through(&load), fixture->committed);
        assert_int_equal(is_hit(fixture, moment), moment == BEFORE_LOOK);
        assert_int_equal(read_again(fixture->early, moment), fixture->committed);
        assert_true(is_hit(fixture, moment));
    }
}

/* Commits of other processes */

/** A database of its own, of whose commits nobody is told. */
static void commit_as_another_process(struct fixture *fixture)
{
    struct database *database;
    struct db *db;
    struct err err;
    assert_int_equal(database_new(fixture->store.url, &database, &err), OK);
    assert_int_equal(db_open(database, &db, &err), OK);
    struct service other =
        service_new(db, NULL, fixture->store.service.now_ms, &fixture->store.caller);
    assert_int_equal(change_by(&other, fixture->id, &err), OK);
    fixture->committed++;
    db_close(db);
    database_free(database);
}

/** Give others the processor until K is that high; the time since `since_ms`. */
static int64_t wait_for_k(const struct fixture *fixture, int64_t above, int64_t since_ms)
{
    for (;;) {
        struct cache_known known = generations_known(fixture->caches.generations);
        int64_t passed_ms = clock_monotonic_ms() - since_ms;
        if (known.vector.of[SCOPE_RISKS] > above)
            return passed_ms;
        if (passed_ms > PATIENCE_MS)
            fail_msg("nobody noticed the commit in %d ms", PATIENCE_MS);
        sched_yield();
    }
}

static void the_watch_finds_what_another_process_committed(void **state)
{
    enum { ROUNDS = 5 };
    struct fixture *fixture = *state;
    struct watch *watch;
    struct err err;
    int64_t longest_ms = 0;
    assert_int_equal(caches_watch(&fixture->caches, fixture->store.database, &system_clock, NULL,
                                  NULL, &watch, &err),
                     OK);
    assert_true(generations_are_fresh(fixture->caches.generations, clock_monotonic_ms()));
    for (int round = 0; round < ROUNDS; round++) {
        read_again(fixture->early, 1);
        int64_t known = generations_known(fixture->caches.generations).vector.of[SCOPE_RISKS];
        commit_as_another_process(fixture);
        int64_t passed_ms = wait_for_k(fixture, known, clock_monotonic_ms());
        longest_ms = passed_ms > longest_ms ? passed_ms : longest_ms;
        assert_false(is_hit(fixture, 1));
        assert_int_equal(read_again(fixture->early, 1), fixture->committed);
    }
    watch_stop(watch);
    print_message("# figure: cache: a commit of another process was noticed after %d ms at most\n",
                  (int)longest_ms);
    assert_in_range(longest_ms, 0, CACHES_FRESH_MS);
}

/* Even without the watch: K is not relied on for longer. */
static void nothing_is_given_a_second_after_another_process_committed(void **state)
{
    struct fixture *fixture = *state;
    read_again(fixture->early, 1);
    commit_as_another_process(fixture);
    int64_t committed_ms = clock_monotonic_ms(), arrived_ms, version;
    do {
        arrived_ms = clock_monotonic_ms();
        version = read_again(fixture->early, 1);
        assert_true(version == fixture->committed || arrived_ms <= committed_ms + CACHES_FRESH_MS);
        sched_yield();
    } while (version != fixture->committed);
}

/* Waiting */

struct patient {
    struct cache_waiter waiter; /* first */
    pthread_mutex_t lock;       /* guards what follows */
    pthread_cond_t changed;
    unsigned landings;
    enum status status;
};

static void landed(struct cache_waiter *waiter, const struct cache_landing *landing)
{
    struct patient *patient = (struct patient *)waiter;
    pthread_mutex_lock(&patient->lock);
    patient->landings++;
    patient->status = landing->status;
    pthread_cond_signal(&patient->changed);
    pthread_mutex_unlock(&patient->lock);
}

static void wait_for_landing(struct patient *patient)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_MS / 1000;
    pthread_mutex_lock(&patient->lock);
    while (patient->landings == 0)
        if (pthread_cond_timedwait(&patient->changed, &patient->lock, &until) != 0)
            break;
    assert_int_equal(patient->landings, 1);
    pthread_mutex_unlock(&patient->lock);
}

static void the_watch_ends_waits_that_take_too_long(void **state)
{
    struct fixture *fixture = *state;
    struct patient patient = {.waiter = {.landed = landed}};
    struct cache_flight *flight;
    struct cache_value *value;
    struct watch *watch;
    struct err err;
    char text[TEST_KEY_SIZE];
    struct cache_key key = test_key(1, text);
    pthread_mutex_init(&patient.lock, NULL);
    pthread_cond_init(&patient.changed, NULL);
    int64_t now_ms = clock_monotonic_ms();
    patient.waiter.deadline_ms = now_ms + 100;
    assert_int_equal(cache_enter(fixture->caches.responses, &key, &terms, now_ms, &patient.waiter,
                                 &value, &flight),
                     CACHE_LEADS);
    assert_int_equal(cache_enter(fixture->caches.responses, &key, &terms, now_ms, &patient.waiter,
                                 &value, &flight),
                     CACHE_WAITS);
    assert_int_equal(caches_watch(&fixture->caches, fixture->store.database, &system_clock, NULL,
                                  NULL, &watch, &err),
                     OK);
    wait_for_landing(&patient);
    assert_int_equal(patient.status, BUSY);
    assert_true(clock_monotonic_ms() >= patient.waiter.deadline_ms);
    watch_stop(watch);
    struct cache_landing landing = {.err = &err, .status = err_set(&err, BUSY, NULL, "the end")};
    assert_true(cache_land(flight, &landing));
    assert_int_equal(patient.landings, 1);
}

#define COHERENCE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TIMED_TEST(name) cmocka_unit_test_setup_teardown(name, setup_with_time, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        COHERENCE_TEST(the_next_read_is_fresh_whenever_the_commit_came),
        COHERENCE_TEST(deleting_what_is_cached_needs_no_change),
        COHERENCE_TEST(after_a_failed_commit_nothing_is_given_until_a_read_confirmed_k),
        COHERENCE_TEST(a_read_that_began_before_the_failure_confirms_nothing),
        TIMED_TEST(the_watch_finds_what_another_process_committed),
        TIMED_TEST(nothing_is_given_a_second_after_another_process_committed),
        TIMED_TEST(the_watch_ends_waits_that_take_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
