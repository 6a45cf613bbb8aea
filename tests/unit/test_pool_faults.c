/*
 * The pool under stress: whatever call of the engine fails, each job ends, no connection stays out,
 * and nothing is lost. Clean under ThreadSanitizer, see script/test --full.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "pool_fixture.h"
#include "store/queries.h"

enum { BUMPS = 1000, CLIENTS = 32, STRESS_JOBS_PER_CLIENT = 60 };

static int setup(void **state)
{
    *state = pool_fixture_new();
    return 0;
}

static int teardown(void **state)
{
    pool_fixture_free(*state);
    return 0;
}

static int64_t generation_now(struct pool_fixture *fixture)
{
    int64_t generations[SCOPES];
    struct err err;
    assert_int_equal(db_begin_read(fixture->store.db, &err), OK);
    assert_int_equal(db_read_generations(fixture->store.db, generations, &err), OK);
    db_rollback(fixture->store.db);
    return generations[SCOPE_RISKS];
}

/* The n-th call fails */

enum { FAULT_JOBS = 12, FAULT_CONNECTIONS = 3 };

/** Run reads and bumps while the n-th call fails (0: none). Returns the calls that there were. */
static long run_with_fault(struct pool_fixture *fixture, long n, int *ret_failures)
{
    int64_t before = generation_now(fixture);
    pool_fixture_start(fixture);
    long began = faulty_fail_at(n);
    for (int i = 0; i < FAULT_JOBS; i++)
        fixture->jobs[i].job.run = i % 2 ? pool_fixture_run_bump : pool_fixture_run_read;
    fixture->begun = fixture->ended = 0;
    pool_fixture_submit(fixture, 0, FAULT_JOBS);
    pool_fixture_wait_ended(fixture, FAULT_JOBS);
    int written = 0;
    *ret_failures = 0;
    for (int i = 0; i < FAULT_JOBS; i++) {
        const struct test_job *job = &fixture->jobs[i];
        *ret_failures += job->status != OK;
        written += job->status == OK && i % 2;
        if (job->status != OK)
            assert_int_equal(job->status, UNAVAILABLE);
    }
    struct pool_statistics now = pool_fixture_wait_until(fixture, pool_fixture_is_at_rest);
    long calls = faulty_fail_at(0) - began;
    assert_int_equal(now.in_use, 0);
    assert_int_equal(now.open, faulty_counts().open);
    assert_int_equal(generation_now(fixture) - before, written);
    pool_free(fixture->pool);
    fixture->pool = NULL;
    assert_int_equal(faulty_counts().open, 0);
    return calls;
}

static void whichever_call_fails_each_job_ends_and_each_connection_comes_back(void **state)
{
    struct pool_fixture *fixture = *state;
    int failures, hit = 0;
    fixture->settings.max_open = FAULT_CONNECTIONS;
    fixture->settings.max_waiting = FAULT_JOBS;
    fixture->settings.retry_first_ms = fixture->settings.retry_last_ms = 1;
    long calls = run_with_fault(fixture, 0, &failures);
    assert_int_equal(failures, 0);
    for (long n = 1; n <= calls; n++) {
        run_with_fault(fixture, n, &failures);
        assert_in_range(failures, 0, 1); /* none for opening and rolling back */
        hit += failures;
    }
    assert_true(hit > calls / 2);
    printf("# figure: %ld calls, each made to fail once: %d jobs heard of it\n", calls, hit);
}

/* Bumps */

struct client {
    struct pool_fixture *fixture;
    struct test_job *jobs;
    int count;
    unsigned seed;
    pthread_t thread;
    int failed;
};

/** Submit one job after the other, as a client that waits for each answer. */
static void *bump_in_turn(void *argument)
{
    struct client *client = argument;
    struct pool_fixture *fixture = client->fixture;
    for (int i = 0; i < client->count; i++) {
        struct test_job *job = &client->jobs[i];
        struct err err;
        *job = (struct test_job){
            .job = {.run = pool_fixture_run_bump,
                    .deadline_ms = clock_monotonic_ms() + 3 * FIXTURE_DEADLINE_MS,
                    .label = "bump"},
            .fixture = fixture,
        };
        if (pool_submit(fixture->pool, &job->job, &err) != OK)
            abort();
        pthread_mutex_lock(&fixture->lock);
        while (!job->has_ended)
            pthread_cond_wait(&fixture->changed, &fixture->lock);
        client->failed += job->status != OK;
        fixture->begun = 0; /* `order` is not looked at */
        pthread_mutex_unlock(&fixture->lock);
    }
    return NULL;
}

static void a_thousand_bumps_by_32_clients_are_all_there(void **state)
{
    struct pool_fixture *fixture = *state;
    struct client clients[CLIENTS];
    int64_t before = generation_now(fixture);
    fixture->settings.max_open = 10;
    fixture->settings.max_waiting = CLIENTS;
    pool_fixture_start(fixture);
    for (int i = 0; i < CLIENTS; i++) {
        int count = BUMPS * (i + 1) / CLIENTS - BUMPS * i / CLIENTS;
        clients[i] = (struct client){.fixture = fixture, .count = count};
        clients[i].jobs = calloc((size_t)count, sizeof *clients[i].jobs);
        pthread_create(&clients[i].thread, NULL, bump_in_turn, &clients[i]);
    }
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        assert_int_equal(clients[i].failed, 0);
    }
    pool_fixture_wait_until(fixture, pool_fixture_is_at_rest);
    for (int i = 0; i < CLIENTS; i++)
        free(clients[i].jobs);
    assert_int_equal(generation_now(fixture) - before, BUMPS);
}

/* Everything at once */

struct stress_job {
    struct pool_job job; /* first */
    struct stress *stress;
    bool reads;
    bool was_called; /* guarded by stress->lock */
};

struct stress {
    struct pool_fixture *fixture;
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t changed;
    unsigned running, most_running, called, ok;
};

static void run_stress(struct pool_job *job, struct db *db, enum status status,
                       const struct err *why)
{
    struct stress_job *own = (struct stress_job *)job;
    struct stress *stress = own->stress;
    struct err err = *why;
    int64_t generations[SCOPES];
    if (db) {
        pthread_mutex_lock(&stress->lock);
        if (++stress->running > stress->most_running)
            stress->most_running = stress->running;
        pthread_mutex_unlock(&stress->lock);
        status = db_begin_read(db, &err);
        if (status == OK && own->reads)
            status = db_read_generations(db, generations, &err);
        if (status == OK)
            db_rollback(db);
    }
    pthread_mutex_lock(&stress->lock);
    stress->running -= db != NULL;
    stress->called++;
    own->was_called = true;
    stress->ok += status == OK;
    pthread_cond_broadcast(&stress->changed);
    pthread_mutex_unlock(&stress->lock);
}

struct stress_client {
    struct stress *stress;
    pthread_t thread;
    unsigned accepted, refused;
    uint64_t random;
    struct stress_job jobs[STRESS_JOBS_PER_CLIENT];
};

static unsigned draw(struct stress_client *client, unsigned below)
{
    client->random = client->random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(client->random >> 33) % below;
}

static void make_trouble(struct stress_client *client)
{
    switch (draw(client, 4)) {
    case 0:
        faulty_break_all();
        break;
    case 1:
        faulty_set_down(draw(client, 4) == 0, draw(client, 2));
        break;
    case 2:
        faulty_set_limit(draw(client, 6));
        break;
    case 3:
        faulty_fail_at(1 + draw(client, 50));
        break;
    }
}

static void wait_called(const struct stress_job *job)
{
    struct stress *stress = job->stress;
    pthread_mutex_lock(&stress->lock);
    while (!job->was_called)
        pthread_cond_wait(&stress->changed, &stress->lock);
    pthread_mutex_unlock(&stress->lock);
}

/** Submit jobs with all kinds of deadlines, and make trouble now and then. */
static void *submit_in_trouble(void *argument)
{
    struct stress_client *client = argument;
    struct stress *stress = client->stress;
    struct pool_fixture *fixture = stress->fixture;
    for (int i = 0; i < STRESS_JOBS_PER_CLIENT; i++) {
        struct stress_job *job = &client->jobs[i];
        struct err err;
        *job = (struct stress_job){
            .job = {.run = run_stress,
                    .deadline_ms = clock_monotonic_ms() + draw(client, 200),
                    .label = "stress"},
            .stress = stress,
            .reads = draw(client, 2),
        };
        if (draw(client, 16) == 0)
            make_trouble(client);
        if (pool_submit(fixture->pool, &job->job, &err) != OK) {
            client->refused++;
            continue;
        }
        client->accepted++;
        if (draw(client, 4) > 0)
            wait_called(job);
    }
    return NULL;
}

static void start_stress(struct pool_fixture *fixture)
{
    fixture->settings.max_open = 6;
    fixture->settings.max_idle = 2;
    fixture->settings.max_waiting = 200;
    fixture->settings.lifetime_ms = 100;
    fixture->settings.idle_time_ms = 10;
    fixture->settings.surplus_time_ms = 2;
    fixture->settings.leak_warning_ms = FIXTURE_DEADLINE_MS;
    fixture->settings.look_after_ms = 1;
    fixture->settings.ping_after_ms = 3;
    fixture->settings.retry_first_ms = 1;
    fixture->settings.retry_last_ms = 4;
    pool_fixture_start(fixture);
}

/** All is over: each accepted job was called once, and no connection is out. */
static void check_stress(const struct stress *stress, unsigned accepted, unsigned refused,
                         const struct pool_statistics *now)
{
    uint64_t closed = 0;
    for (int reason = 0; reason < POOL_CLOSED_REASONS; reason++)
        closed += now->closed[reason];
    assert_int_equal(stress->called, accepted);
    assert_true(stress->ok > 0);
    assert_int_equal(now->refused, refused);
    assert_int_equal(now->jobs + now->timed_out, accepted);
    assert_int_equal(now->opened, closed + now->open);
    assert_int_equal(now->open, faulty_counts().open);
    assert_in_range(faulty_counts().most_open, 1, 6);
    assert_in_range(stress->most_running, 1, 6);
}

static bool is_all_closed(const struct pool_statistics *now)
{
    return pool_fixture_is_at_rest(now) && now->open == 0;
}

static void under_stress_each_job_ends_once_and_every_connection_comes_back(void **state)
{
    struct pool_fixture *fixture = *state;
    struct stress stress = {.fixture = fixture};
    struct stress_client *clients = calloc(CLIENTS, sizeof *clients);
    unsigned accepted = 0, refused = 0;
    pthread_mutex_init(&stress.lock, NULL);
    pthread_cond_init(&stress.changed, NULL);
    start_stress(fixture);
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i].stress = &stress;
        clients[i].random = (i + 1) * 0x9E3779B97F4A7C15u;
        pthread_create(&clients[i].thread, NULL, submit_in_trouble, &clients[i]);
    }
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        accepted += clients[i].accepted;
        refused += clients[i].refused;
    }
    pthread_mutex_lock(&stress.lock);
    while (stress.called < accepted)
        pthread_cond_wait(&stress.changed, &stress.lock);
    pthread_mutex_unlock(&stress.lock);
    struct pool_statistics now = pool_fixture_wait_until(fixture, is_all_closed);
    check_stress(&stress, accepted, refused, &now);
    printf("# figure: stress: %u jobs, %u well, %u late; %u connections opened, %u not\n", accepted,
           stress.ok, (unsigned)now.timed_out, (unsigned)now.opened, (unsigned)now.open_failures);
    pool_free(fixture->pool);
    fixture->pool = NULL;
    free(clients);
    pthread_cond_destroy(&stress.changed);
    pthread_mutex_destroy(&stress.lock);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(whichever_call_fails_each_job_ends_and_each_connection_comes_back),
        TEST(a_thousand_bumps_by_32_clients_are_all_there),
        TEST(under_stress_each_job_ends_once_and_every_connection_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
