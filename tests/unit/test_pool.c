/*
 * The pool's line: jobs run once, in the order in which they came, with a connection of their own;
 * a full line refuses, a late job is told so at its deadline, stopping finishes what was accepted;
 * and the figures say what goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "pool_fixture.h"

enum { CLIENTS = 8, SLACK_MS = 5000 };

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

static void start(struct pool_fixture *fixture, unsigned max_open, unsigned max_waiting)
{
    fixture->settings.max_open = max_open;
    fixture->settings.max_waiting = max_waiting;
    pool_fixture_start(fixture);
}

/** Keep all `count` connections in use until the gate is opened. */
static void occupy(struct pool_fixture *fixture, int count)
{
    for (int i = 0; i < count; i++)
        fixture->jobs[i].job.run = pool_fixture_run_gated;
    pool_fixture_submit(fixture, 0, count);
    pool_fixture_wait_begun(fixture, count);
}

static void one_worker_runs_jobs_in_the_order_they_came(void **state)
{
    struct pool_fixture *fixture = *state;
    start(fixture, 1, FIXTURE_JOBS);
    pool_fixture_submit(fixture, 0, FIXTURE_JOBS);
    pool_fixture_wait_ended(fixture, FIXTURE_JOBS);
    for (int i = 0; i < FIXTURE_JOBS; i++) {
        assert_int_equal(fixture->order[i], i);
        assert_int_equal(fixture->jobs[i].status, OK);
        assert_true(fixture->jobs[i].had_connection);
    }
}

/**
 * A worker may be slow between taking a job and the note that it began, so the notes may differ
 * from the order of taking, by as many as there are other workers.
 */
static void
five_hundred_jobs_in_line_for_ten_connections_are_served_in_order_and_in_time(void **state)
{
    struct pool_fixture *fixture = *state;
    bool has_begun[FIXTURE_JOBS] = {false};
    int before = 0; /* all with lower numbers have begun */
    start(fixture, 10, FIXTURE_JOBS);
    occupy(fixture, 10);
    pool_fixture_submit(fixture, 10, FIXTURE_JOBS);
    assert_int_equal(pool_fixture_statistics(fixture).waiting, FIXTURE_JOBS - 10);
    pool_fixture_open_gate(fixture);
    pool_fixture_wait_ended(fixture, FIXTURE_JOBS);
    for (int i = 0; i < FIXTURE_JOBS; i++) {
        int number = fixture->order[i], missing = 0;
        has_begun[number] = true;
        while (before < FIXTURE_JOBS && has_begun[before])
            before++;
        for (int other = before; other < number; other++)
            missing += !has_begun[other];
        assert_in_range(missing, 0, 9);
        assert_int_equal(fixture->jobs[i].status, OK);
        assert_true(fixture->jobs[i].ended_ms <= fixture->jobs[i].job.deadline_ms);
    }
    struct pool_statistics now = pool_fixture_wait_until(fixture, pool_fixture_is_at_rest);
    assert_int_equal(now.opened, 10);
    assert_int_equal(faulty_counts().most_open, 10);
    printf("# figure: 500 jobs in line for 10 connections: longest wait %.1f ms\n",
           (double)now.wait.max_us / 1000);
}

static void a_full_line_refuses_the_excess_at_once_and_counts_it(void **state)
{
    struct pool_fixture *fixture = *state;
    struct err err;
    start(fixture, 10, 40);
    occupy(fixture, 10);
    pool_fixture_submit(fixture, 10, 50);
    for (int i = 50; i < FIXTURE_JOBS; i++) {
        err_init(&err);
        assert_int_equal(pool_submit(fixture->pool, &fixture->jobs[i].job, &err), BUSY);
        assert_int_equal(err.retry_after_s, 1);
    }
    struct pool_statistics now = pool_fixture_statistics(fixture);
    assert_int_equal(now.in_use, 10);
    assert_int_equal(now.waiting, 40);
    assert_int_equal(now.refused, 450);
    pool_fixture_open_gate(fixture);
    pool_fixture_wait_ended(fixture, 50);
    assert_false(fixture->jobs[50].has_ended);
    printf("# figure: 500 jobs at once for 10 connections and the line of 40: %d refused\n",
           (int)now.refused);
}

static void a_late_job_is_told_at_its_deadline_though_all_workers_are_busy(void **state)
{
    struct pool_fixture *fixture = *state;
    start(fixture, 2, 3);
    occupy(fixture, 2);
    int64_t now_ms = clock_monotonic_ms();
    fixture->jobs[2].job.deadline_ms = now_ms + 80; /* the later one comes first */
    fixture->jobs[3].job.deadline_ms = now_ms + 40;
    pool_fixture_submit(fixture, 2, 5);
    pool_fixture_wait_ended(fixture, 2);
    assert_int_equal(fixture->order[2], 3);
    assert_int_equal(fixture->order[3], 2);
    for (int i = 2; i < 4; i++) {
        const struct test_job *late = &fixture->jobs[i];
        assert_int_equal(late->status, BUSY);
        assert_false(late->had_connection);
        assert_int_equal(late->retry_after_s, 1);
        assert_in_range(late->ended_ms, late->job.deadline_ms, late->job.deadline_ms + SLACK_MS);
    }
    assert_int_equal(pool_fixture_statistics(fixture).timed_out, 2);
    pool_fixture_open_gate(fixture);
    pool_fixture_wait_ended(fixture, 5);
    assert_int_equal(fixture->jobs[4].status, OK);
}

static void a_job_that_comes_late_is_not_run(void **state)
{
    struct pool_fixture *fixture = *state;
    start(fixture, 1, 3);
    fixture->jobs[0].job.deadline_ms = clock_monotonic_ms() - 1;
    pool_fixture_submit(fixture, 0, 1);
    pool_fixture_wait_ended(fixture, 1);
    assert_int_not_equal(fixture->jobs[0].status, OK);
    assert_false(fixture->jobs[0].had_connection);
}

static void leave_transaction_open(struct pool_job *job, struct db *db, enum status status,
                                   const struct err *err)
{
    struct err ignored;
    if (db_begin_write(db, 1, 1000, &ignored) != OK)
        abort();
    pool_fixture_run(job, db, status, err);
}

static void a_transaction_left_open_is_rolled_back(void **state)
{
    struct pool_fixture *fixture = *state;
    start(fixture, 1, 2);
    fixture->jobs[0].job.run = leave_transaction_open;
    fixture->jobs[1].job.run = leave_transaction_open; /* would wait for the first for ever */
    pool_fixture_submit(fixture, 0, 2);
    pool_fixture_wait_ended(fixture, 2);
}

static void stopping_finishes_what_was_accepted(void **state)
{
    struct pool_fixture *fixture = *state;
    start(fixture, 3, FIXTURE_JOBS);
    pool_fixture_submit(fixture, 0, FIXTURE_JOBS);
    pool_free(fixture->pool);
    fixture->pool = NULL;
    assert_int_equal(fixture->ended, FIXTURE_JOBS);
    for (int i = 0; i < FIXTURE_JOBS; i++)
        assert_int_equal(fixture->jobs[i].status, OK);
    assert_int_equal(faulty_counts().open, 0);
}

struct client {
    struct pool_fixture *fixture;
    int first;
};

static void *submit_share(void *argument)
{
    struct client *client = argument;
    for (int i = client->first; i < FIXTURE_JOBS; i += CLIENTS)
        pool_fixture_submit(client->fixture, i, i + 1);
    return NULL;
}

static void jobs_of_many_threads_each_run_exactly_once(void **state)
{
    struct pool_fixture *fixture = *state;
    pthread_t threads[CLIENTS];
    struct client clients[CLIENTS];
    start(fixture, 4, FIXTURE_JOBS);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){.fixture = fixture, .first = i};
        pthread_create(&threads[i], NULL, submit_share, &clients[i]);
    }
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    pool_fixture_wait_ended(fixture, FIXTURE_JOBS);
    for (int i = 0; i < FIXTURE_JOBS; i++) /* that none ran twice the fixture checks */
        assert_int_equal(fixture->jobs[i].status, OK);
}

static void submit_again(struct pool_job *job, struct db *db, enum status status,
                         const struct err *err)
{
    struct test_job *own = (struct test_job *)job;
    (void)db;
    (void)status;
    (void)err;
    own->job.run = pool_fixture_run;
    pool_fixture_submit(own->fixture, own->number, own->number + 1);
}

static void a_job_that_was_called_may_be_submitted_again(void **state)
{
    struct pool_fixture *fixture = *state;
    start(fixture, 1, 1);
    fixture->jobs[0].job.run = submit_again;
    pool_fixture_submit(fixture, 0, 1);
    pool_fixture_wait_ended(fixture, 1);
    assert_int_equal(fixture->jobs[0].status, OK);
}

/* Figures */

static bool has_leak(const struct pool_statistics *now)
{
    return now->leaks > 0;
}

/** Runs with standard error going to a file; returns what was written there. */
static char *logged_by(void (*act)(struct pool_fixture *), struct pool_fixture *fixture)
{
    static char text[4096];
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    assert_true(file && saved >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    act(fixture);
    dup2(saved, STDERR_FILENO);
    close(saved);
    fflush(stderr);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static unsigned count_of(const char *text, const char *words)
{
    unsigned count = 0;
    for (; (text = strstr(text, words)); text += strlen(words))
        count++;
    return count;
}

static void hold_long(struct pool_fixture *fixture)
{
    occupy(fixture, 1);
    pool_fixture_wait_until(fixture, has_leak);
    pool_fixture_submit(fixture, 1, 2);
    pool_fixture_open_gate(fixture);
    pool_fixture_wait_ended(fixture, 2);
}

static void a_job_that_holds_its_connection_for_long_is_logged_and_counted_once(void **state)
{
    struct pool_fixture *fixture = *state;
    fixture->settings.leak_warning_ms = 20;
    start(fixture, 1, 2);
    fixture->jobs[0].job.label = "/risks/{id}";
    const char *text = logged_by(hold_long, fixture);
    unsigned lines = count_of(text, "event=connection_held_long ");
    /* On a machine that stands still the job after it may be long, too. */
    if (count_of(text, "event=connection_held_long pool=test job=/risks/{id} ms=") != 1)
        fail_msg("%s", text);
    assert_int_equal(pool_fixture_statistics(fixture).leaks, lines);
}

static void waiting_times_of_jobs_that_were_run_are_counted(void **state)
{
    struct pool_fixture *fixture = *state;
    start(fixture, 1, 10);
    occupy(fixture, 1);
    fixture->jobs[1].job.deadline_ms = clock_monotonic_ms() + 30;
    pool_fixture_submit(fixture, 1, 3);
    pool_fixture_wait_ended(fixture, 1); /* the late one */
    pool_fixture_open_gate(fixture);
    pool_fixture_wait_ended(fixture, 3);
    struct pool_statistics now = pool_fixture_wait_until(fixture, pool_fixture_is_at_rest);
    uint64_t sum = 0, above_25_ms = 0;
    for (int i = 0; i <= POOL_WAIT_BOUNDS; i++) {
        sum += now.wait.buckets[i];
        above_25_ms += i > 5 ? now.wait.buckets[i] : 0;
    }
    assert_int_equal(pool_wait_bounds_us[5], 25000);
    assert_int_equal(now.jobs, 2);
    assert_int_equal(now.wait.count, 2);
    assert_int_equal(sum, 2);
    assert_in_range(above_25_ms, 1, 2);
    assert_in_range(now.wait.max_us, 30000, now.wait.total_us);
}

static void the_verdict_says_how_full_the_pool_is(void **state)
{
    struct pool_fixture *fixture = *state;
    start(fixture, 5, 10);
    assert_int_equal(pool_fixture_statistics(fixture).verdict, POOL_OK);
    occupy(fixture, 5);
    assert_int_equal(pool_fixture_statistics(fixture).verdict, POOL_NEAR_CAPACITY);
    pool_fixture_submit(fixture, 5, 6);
    assert_int_equal(pool_fixture_statistics(fixture).verdict, POOL_EXHAUSTED);
    pool_fixture_open_gate(fixture);
    pool_fixture_wait_ended(fixture, 6);
    struct pool_statistics now = pool_fixture_wait_until(fixture, pool_fixture_is_at_rest);
    assert_int_equal(now.verdict, POOL_OK);
}

static void four_fifths_in_use_is_near_capacity(void **state)
{
    struct pool_fixture *fixture = *state;
    start(fixture, 5, 10);
    occupy(fixture, 3);
    assert_int_equal(pool_fixture_statistics(fixture).verdict, POOL_OK);
    fixture->jobs[3].job.run = pool_fixture_run_gated;
    pool_fixture_submit(fixture, 3, 4);
    pool_fixture_wait_begun(fixture, 4);
    assert_int_equal(pool_fixture_statistics(fixture).verdict, POOL_NEAR_CAPACITY);
    pool_fixture_open_gate(fixture);
    pool_fixture_wait_ended(fixture, 4);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_worker_runs_jobs_in_the_order_they_came),
        TEST(five_hundred_jobs_in_line_for_ten_connections_are_served_in_order_and_in_time),
        TEST(a_full_line_refuses_the_excess_at_once_and_counts_it),
        TEST(a_late_job_is_told_at_its_deadline_though_all_workers_are_busy),
        TEST(a_job_that_comes_late_is_not_run),
        TEST(a_transaction_left_open_is_rolled_back),
        TEST(stopping_finishes_what_was_accepted),
        TEST(jobs_of_many_threads_each_run_exactly_once),
        TEST(a_job_that_was_called_may_be_submitted_again),
        TEST(a_job_that_holds_its_connection_for_long_is_logged_and_counted_once),
        TEST(waiting_times_of_jobs_that_were_run_are_counted),
        TEST(the_verdict_says_how_full_the_pool_is),
        TEST(four_fifths_in_use_is_near_capacity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
