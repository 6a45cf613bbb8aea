/*
 * The pool: jobs run once, in the order in which they came, with a connection of their own; a full
 * line refuses, a late job is told so, and stopping finishes what was accepted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/pool.h"
#include "store_fixture.h"

enum { DEADLINE_MS = 20000, MANY = 500, CLIENTS = 8 };

struct log {
    pthread_mutex_t lock; /* guards all */
    pthread_cond_t changed;
    int order[MANY];
    size_t count;
    bool open; /* jobs of `wait_for_gate` may go on */
};

struct test_job {
    struct pool_job job; /* first */
    struct log *log;
    int number;
    enum status status;
    bool had_connection;
};

static void note(struct test_job *job, struct db *db, enum status status)
{
    pthread_mutex_lock(&job->log->lock);
    job->status = status;
    job->had_connection = db != NULL;
    job->log->order[job->log->count++] = job->number;
    pthread_cond_broadcast(&job->log->changed);
    pthread_mutex_unlock(&job->log->lock);
}

static void run(struct pool_job *job, struct db *db, enum status status, const struct err *err)
{
    (void)err;
    note((struct test_job *)job, db, status);
}

static void wait_for_gate(struct pool_job *job, struct db *db, enum status status,
                          const struct err *err)
{
    struct test_job *own = (struct test_job *)job;
    (void)err;
    note(own, db, status);
    pthread_mutex_lock(&own->log->lock);
    while (!own->log->open)
        pthread_cond_wait(&own->log->changed, &own->log->lock);
    pthread_mutex_unlock(&own->log->lock);
}

static void leave_transaction_open(struct pool_job *job, struct db *db, enum status status,
                                   const struct err *err)
{
    struct err ignored;
    (void)err;
    assert_int_equal(db_begin_write(db, 1, 1000, &ignored), OK);
    note((struct test_job *)job, db, status);
}

static void wait_count(struct log *log, size_t count)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DEADLINE_MS / 1000;
    pthread_mutex_lock(&log->lock);
    while (log->count < count)
        if (pthread_cond_timedwait(&log->changed, &log->lock, &until) != 0)
            break;
    assert_int_equal(log->count, count);
    pthread_mutex_unlock(&log->lock);
}

static void open_gate(struct log *log)
{
    pthread_mutex_lock(&log->lock);
    log->open = true;
    pthread_cond_broadcast(&log->changed);
    pthread_mutex_unlock(&log->lock);
}

struct fixture {
    struct store_fixture store;
    struct pool *pool;
    struct log log;
    struct test_job jobs[MANY];
};

static void start(struct fixture *fixture, unsigned workers, unsigned waiting)
{
    struct pool_settings settings = {
        .name = "test", .max_workers = workers, .max_waiting = waiting};
    struct err err;
    assert_int_equal(pool_new(fixture->store.database, &settings, &fixture->pool, &err), OK);
    fixture->log = (struct log){0};
    pthread_mutex_init(&fixture->log.lock, NULL);
    pthread_cond_init(&fixture->log.changed, NULL);
    for (int i = 0; i < MANY; i++)
        fixture->jobs[i] = (struct test_job){
            .job = {.run = run, .deadline_ms = clock_monotonic_ms() + DEADLINE_MS},
            .log = &fixture->log,
            .number = i,
        };
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    store_fixture_open(&fixture->store);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    pool_free(fixture->pool);
    store_fixture_close(&fixture->store);
    free(fixture);
    return 0;
}

static void one_worker_runs_jobs_in_the_order_they_came(void **state)
{
    struct fixture *fixture = *state;
    struct err err;
    start(fixture, 1, MANY);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(pool_submit(fixture->pool, &fixture->jobs[i].job, &err), OK);
    wait_count(&fixture->log, MANY);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(fixture->log.order[i], i);
        assert_int_equal(fixture->jobs[i].status, OK);
        assert_true(fixture->jobs[i].had_connection);
    }
}

static void a_full_line_refuses_at_once_and_counts_it(void **state)
{
    struct fixture *fixture = *state;
    struct pool_statistics statistics;
    struct err err;
    start(fixture, 2, 3);
    for (int i = 0; i < 2; i++)
        fixture->jobs[i].job.run = wait_for_gate;
    for (int i = 0; i < 5; i++)
        assert_int_equal(pool_submit(fixture->pool, &fixture->jobs[i].job, &err), OK);
    assert_int_equal(pool_submit(fixture->pool, &fixture->jobs[5].job, &err), BUSY);
    assert_int_not_equal(err.retry_after_s, 0);
    wait_count(&fixture->log, 2);
    pool_statistics(fixture->pool, &statistics);
    assert_int_equal(statistics.busy, 2);
    assert_int_equal(statistics.waiting, 3);
    assert_int_equal(statistics.refused, 1);
    open_gate(&fixture->log);
    wait_count(&fixture->log, 5);
}

static void a_job_whose_deadline_passed_in_line_is_told_so(void **state)
{
    struct fixture *fixture = *state;
    struct err err;
    start(fixture, 1, 2);
    fixture->jobs[0].job.run = wait_for_gate;
    fixture->jobs[1].job.deadline_ms = clock_monotonic_ms() - 1;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pool_submit(fixture->pool, &fixture->jobs[i].job, &err), OK);
    open_gate(&fixture->log);
    wait_count(&fixture->log, 2);
    assert_int_equal(fixture->jobs[1].status, BUSY);
    assert_false(fixture->jobs[1].had_connection);
}

static void a_transaction_left_open_is_rolled_back(void **state)
{
    struct fixture *fixture = *state;
    struct err err;
    start(fixture, 1, 2);
    fixture->jobs[0].job.run = leave_transaction_open;
    fixture->jobs[1].job.run = leave_transaction_open; /* would wait for the first for ever */
    for (int i = 0; i < 2; i++)
        assert_int_equal(pool_submit(fixture->pool, &fixture->jobs[i].job, &err), OK);
    wait_count(&fixture->log, 2);
}

static void stopping_finishes_what_was_accepted(void **state)
{
    struct fixture *fixture = *state;
    struct err err;
    start(fixture, 3, MANY);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(pool_submit(fixture->pool, &fixture->jobs[i].job, &err), OK);
    pool_free(fixture->pool);
    fixture->pool = NULL;
    assert_int_equal(fixture->log.count, MANY);
}

struct client {
    struct fixture *fixture;
    int first;
};

static void *submit_share(void *argument)
{
    struct client *client = argument;
    struct err err;
    for (int i = client->first; i < MANY; i += CLIENTS)
        if (pool_submit(client->fixture->pool, &client->fixture->jobs[i].job, &err) != OK)
            abort();
    return NULL;
}

static void jobs_of_many_threads_each_run_exactly_once(void **state)
{
    struct fixture *fixture = *state;
    pthread_t threads[CLIENTS];
    struct client clients[CLIENTS];
    bool seen[MANY] = {false};
    start(fixture, 4, MANY);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){.fixture = fixture, .first = i};
        pthread_create(&threads[i], NULL, submit_share, &clients[i]);
    }
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    wait_count(&fixture->log, MANY);
    for (int i = 0; i < MANY; i++) {
        assert_false(seen[fixture->log.order[i]]);
        seen[fixture->log.order[i]] = true;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_worker_runs_jobs_in_the_order_they_came, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_full_line_refuses_at_once_and_counts_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_job_whose_deadline_passed_in_line_is_told_so, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_transaction_left_open_is_rolled_back, setup, teardown),
        cmocka_unit_test_setup_teardown(stopping_finishes_what_was_accepted, setup, teardown),
        cmocka_unit_test_setup_teardown(jobs_of_many_threads_each_run_exactly_once, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
