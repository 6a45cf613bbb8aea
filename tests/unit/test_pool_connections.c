/*
 * The pool's connections: as few as are needed, never more than allowed, none too old, none that
 * has died unseen; and what becomes of the line while the database is away.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "pool_fixture.h"

enum { NEVER_MS = 3600 * 1000, SLACK_MS = 5000 };

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

static void start(struct pool_fixture *fixture, unsigned max_open)
{
    fixture->settings.max_open = fixture->settings.max_idle = max_open;
    fixture->settings.max_waiting = FIXTURE_JOBS;
    pool_fixture_start(fixture);
}

/** Run the jobs one after the other, each reading. */
static void read_in_turn(struct pool_fixture *fixture, int first, int end)
{
    for (int i = first; i < end; i++) {
        fixture->jobs[i].job.run = pool_fixture_run_read;
        pool_fixture_submit(fixture, i, i + 1);
        pool_fixture_wait_ended(fixture, i + 1);
        pool_fixture_wait_until(fixture, pool_fixture_is_at_rest);
    }
}

/* Age */

static bool one_is_left(const struct pool_statistics *now)
{
    return now->open == 1;
}

static void the_one_used_last_is_used_next_and_the_others_grow_old(void **state)
{
    struct pool_fixture *fixture = *state;
    fixture->settings.idle_time_ms = 300;
    start(fixture, 4);
    pool_fixture_open_connections(fixture, 4);
    struct pool_statistics now = pool_fixture_statistics(fixture);
    assert_int_equal(now.open, 4);
    int next = 4;
    while (now.open > 1 && next < FIXTURE_JOBS) {
        struct pool_statistics before = now;
        int64_t until_ms = clock_monotonic_ms() + 5;
        read_in_turn(fixture, next, next + 1);
        next++;
        while (clock_monotonic_ms() < until_ms || now.idle < now.open)
            now = pool_fixture_statistics(fixture);
        assert_true(now.open <= before.open);
    }
    assert_int_equal(now.open, 1);
    assert_int_equal(now.opened, 4);
    assert_int_equal(now.closed[CLOSED_IDLE], 3);
    assert_int_equal(faulty_counts().open, 1);
}

static bool none_is_left(const struct pool_statistics *now)
{
    return now->open == 0;
}

static void idle_ones_are_closed_after_their_time(void **state)
{
    struct pool_fixture *fixture = *state;
    fixture->settings.idle_time_ms = 20;
    start(fixture, 3);
    pool_fixture_open_connections(fixture, 3);
    struct pool_statistics now = pool_fixture_wait_until(fixture, none_is_left);
    assert_int_equal(now.closed[CLOSED_IDLE], 3);
}

static void those_beyond_max_idle_are_closed_sooner(void **state)
{
    struct pool_fixture *fixture = *state;
    fixture->settings.surplus_time_ms = 20;
    fixture->settings.max_open = 4;
    fixture->settings.max_idle = 1;
    pool_fixture_start(fixture);
    pool_fixture_open_connections(fixture, 4);
    struct pool_statistics now = pool_fixture_wait_until(fixture, one_is_left);
    assert_int_equal(now.closed[CLOSED_SURPLUS], 3);
    assert_int_equal(now.idle, 1);
}

static void a_burst_now_and_then_does_not_open_and_close_connections(void **state)
{
    struct pool_fixture *fixture = *state;
    fixture->settings.surplus_time_ms = NEVER_MS;
    fixture->settings.leak_warning_ms = 5; /* the supervisor looks around so soon after each job */
    fixture->settings.max_open = 4;
    fixture->settings.max_idle = 0;
    fixture->settings.max_waiting = FIXTURE_JOBS;
    pool_fixture_start(fixture);
    pool_fixture_open_connections(fixture, 4);
    for (int i = 4; i < 104; i += 20) {
        int64_t until_ms = clock_monotonic_ms() + 20;
        pool_fixture_submit(fixture, i, i + 20);
        pool_fixture_wait_ended(fixture, i + 20);
        while (clock_monotonic_ms() < until_ms)
            assert_int_equal(pool_fixture_statistics(fixture).open, 4);
    }
    assert_int_equal(pool_fixture_statistics(fixture).opened, 4);
}

static bool two_have_aged(const struct pool_statistics *now)
{
    return now->closed[CLOSED_LIFETIME] >= 2;
}

static void idle_ones_are_closed_at_the_end_of_their_lifetime(void **state)
{
    struct pool_fixture *fixture = *state;
    fixture->settings.lifetime_ms = 40;
    start(fixture, 2);
    pool_fixture_open_connections(fixture, 2);
    struct pool_statistics now = pool_fixture_wait_until(fixture, two_have_aged);
    assert_int_equal(now.open, 0);
}

static void one_in_use_is_closed_at_the_end_of_its_lifetime_when_it_is_given_back(void **state)
{
    struct pool_fixture *fixture = *state;
    fixture->settings.lifetime_ms = 10;
    start(fixture, 1);
    fixture->jobs[0].job.run = pool_fixture_run_gated;
    pool_fixture_submit(fixture, 0, 2); /* the second is in line, and would get it */
    int64_t until_ms = clock_monotonic_ms() + 100;
    pool_fixture_wait_begun(fixture, 1);
    while (clock_monotonic_ms() < until_ms)
        assert_int_equal(pool_fixture_statistics(fixture).open, 1);
    pool_fixture_open_gate(fixture);
    pool_fixture_wait_ended(fixture, 2);
    struct pool_statistics now = pool_fixture_statistics(fixture);
    assert_int_equal(now.opened, 2);
    assert_true(now.closed[CLOSED_LIFETIME] >= 1);
    assert_int_equal(fixture->jobs[1].status, OK);
    assert_int_equal(faulty_counts().most_open, 1);
}

static void connections_that_are_being_opened_count_as_open(void **state)
{
    struct pool_fixture *fixture = *state;
    start(fixture, 3);
    faulty_hold_opening(true);
    pool_fixture_submit(fixture, 0, 100);
    faulty_wait_opening(3);
    struct pool_statistics now = pool_fixture_statistics(fixture);
    assert_int_equal(now.opening, 3);
    assert_int_equal(now.open, 0);
    assert_int_equal(now.waiting,
                     100); /* nobody has left the line for a connection that may fail */
    faulty_hold_opening(false);
    pool_fixture_wait_ended(fixture, 100);
    pool_fixture_wait_until(fixture, pool_fixture_is_at_rest);
    assert_int_equal(faulty_counts().opens, 3);
    assert_int_equal(faulty_counts().most_open, 3);
}

static bool is_opening_one(const struct pool_statistics *now)
{
    return now->opening == 1 && now->idle == 1;
}

static void an_idle_connection_is_used_while_another_one_takes_long_to_open(void **state)
{
    struct pool_fixture *fixture = *state;
    start(fixture, 2);
    fixture->jobs[0].job.run = pool_fixture_run_gated;
    pool_fixture_submit(fixture, 0, 1);
    pool_fixture_wait_begun(fixture, 1);
    faulty_hold_opening(true);
    pool_fixture_submit(fixture, 1, 2);
    faulty_wait_opening(1);
    pool_fixture_open_gate(fixture); /* the first connection serves the second job, and rests */
    pool_fixture_wait_ended(fixture, 2);
    pool_fixture_wait_until(fixture, is_opening_one);
    pool_fixture_submit(fixture, 2, 3);
    pool_fixture_wait_ended(fixture, 3);
    faulty_hold_opening(false);
    assert_int_equal(fixture->jobs[2].status, OK);
}

/* Checks */

static void one_that_was_used_just_now_is_not_looked_at(void **state)
{
    struct pool_fixture *fixture = *state;
    fixture->settings.look_after_ms = NEVER_MS;
    fixture->settings.ping_after_ms = NEVER_MS;
    start(fixture, 1);
    read_in_turn(fixture, 0, 20);
    struct faulty_counts counts = faulty_counts();
    assert_int_equal(counts.looks + counts.pings, 0);
    assert_int_equal(counts.opens, 1);
}

static void an_idle_one_is_looked_at_before_use(void **state)
{
    struct pool_fixture *fixture = *state;
    fixture->settings.look_after_ms = 0;
    start(fixture, 1);
    read_in_turn(fixture, 0, 2);
    assert_true(faulty_counts().looks >= 1);
    assert_int_equal(faulty_counts().pings, 0);
}

static void one_that_was_idle_for_long_is_pinged_before_use(void **state)
{
    struct pool_fixture *fixture = *state;
    fixture->settings.look_after_ms = 10;
    fixture->settings.ping_after_ms = 20;
    start(fixture, 1);
    read_in_turn(fixture, 0, 1);
    for (int64_t until_ms = clock_monotonic_ms() + 30; clock_monotonic_ms() < until_ms;)
        assert_int_equal(pool_fixture_statistics(fixture).idle, 1);
    read_in_turn(fixture, 1, 2);
    assert_int_equal(faulty_counts().pings, 1);
}

static void an_idle_one_that_has_died_is_replaced_and_no_job_notices(void **state)
{
    struct pool_fixture *fixture = *state;
    fixture->settings.look_after_ms = 0;
    start(fixture, 3);
    pool_fixture_open_connections(fixture, 3);
    faulty_break_all();
    read_in_turn(fixture, 3, 10);
    for (int i = 3; i < 10; i++)
        assert_int_equal(fixture->jobs[i].status, OK);
    struct pool_statistics now = pool_fixture_statistics(fixture);
    assert_int_equal(now.closed[CLOSED_CHECK], 3);
    assert_int_equal(now.opened, 4);
    assert_int_equal(now.open, 1);
    assert_int_equal(faulty_counts().open, 1);
}

static void after_one_broke_in_use_the_others_are_looked_at(void **state)
{
    struct pool_fixture *fixture = *state;
    fixture->settings.look_after_ms = NEVER_MS;
    fixture->settings.ping_after_ms = NEVER_MS;
    start(fixture, 3);
    pool_fixture_open_connections(fixture, 3);
    faulty_break_all();
    read_in_turn(fixture, 3, 10);
    assert_int_equal(fixture->jobs[3].status, UNAVAILABLE); /* it found out */
    for (int i = 4; i < 10; i++)
        assert_int_equal(fixture->jobs[i].status, OK);
    struct pool_statistics now = pool_fixture_statistics(fixture);
    assert_int_equal(now.closed[CLOSED_BROKEN], 1);
    assert_int_equal(now.closed[CLOSED_CHECK], 2);
    assert_int_equal(now.open, 1);
}

/* The database away */

static bool has_tried_thrice(const struct pool_statistics *now)
{
    return now->open_failures >= 3;
}

static void while_the_database_is_away_jobs_wait_to_their_deadline_and_hear_why(void **state)
{
    struct pool_fixture *fixture = *state;
    fixture->settings.retry_first_ms = 10;
    fixture->settings.retry_last_ms = 40;
    start(fixture, 4);
    faulty_set_down(true, true);
    int64_t deadline_ms = clock_monotonic_ms() + 300;
    for (int i = 0; i < 8; i++)
        fixture->jobs[i].job.deadline_ms = deadline_ms;
    pool_fixture_submit(fixture, 0, 8);
    pool_fixture_wait_ended(fixture, 8);
    for (int i = 0; i < 8; i++) {
        const struct test_job *job = &fixture->jobs[i];
        assert_int_equal(job->status, UNAVAILABLE);
        assert_string_equal(job->message, "the database does not answer");
        assert_int_equal(job->retry_after_s, 1);
        assert_in_range(job->ended_ms, deadline_ms, deadline_ms + SLACK_MS);
    }
    struct pool_statistics now = pool_fixture_statistics(fixture);
    assert_int_equal(now.timed_out, 8);
    assert_true(now.is_down);
    assert_true(now.down_since_ms <= deadline_ms);
    assert_int_equal(now.verdict, POOL_DOWN);
    assert_int_equal(now.open, 0);
}

static bool is_down(const struct pool_statistics *now)
{
    return now->is_down;
}

static bool is_well_again(const struct pool_statistics *now)
{
    return !now->is_down && now->open == 1 && now->idle == 1;
}

static void that_it_is_back_is_found_out_even_if_nobody_waits(void **state)
{
    struct pool_fixture *fixture = *state;
    fixture->settings.retry_first_ms = 10;
    fixture->settings.retry_last_ms = 40;
    start(fixture, 4);
    faulty_set_down(true, true);
    fixture->jobs[0].job.deadline_ms = clock_monotonic_ms() + 50;
    pool_fixture_submit(fixture, 0, 1);
    pool_fixture_wait_ended(fixture, 1);
    assert_true(pool_fixture_statistics(fixture).is_down);
    faulty_set_down(false, false);
    pool_fixture_wait_until(fixture, is_well_again);
}

static void who_is_told_that_it_is_back_tries_at_once(void **state)
{
    struct pool_fixture *fixture = *state;
    fixture->settings.retry_first_ms = fixture->settings.retry_last_ms = 3600 * 1000;
    start(fixture, 4);
    faulty_set_down(true, true);
    pool_fixture_submit(fixture, 0, 1);
    pool_fixture_wait_until(fixture, is_down);
    faulty_set_down(false, false);
    pool_retry(fixture->pool);
    pool_fixture_wait_ended(fixture, 1);
    assert_int_equal(fixture->jobs[0].status, OK);
}

/** At most one per worker before the first has failed, then 10, 20, 40, 40 … ms less a fifth. */
static void tries_to_open_are_few_and_further_and_further_apart(void **state)
{
    struct pool_fixture *fixture = *state;
    fixture->settings.retry_first_ms = 10;
    fixture->settings.retry_last_ms = 40;
    start(fixture, 4);
    faulty_set_down(true, true);
    int64_t began_ms = clock_monotonic_ms();
    pool_fixture_submit(fixture, 0, 100);
    pool_fixture_wait_until(fixture, has_tried_thrice);
    while (clock_monotonic_ms() < began_ms + 200)
        assert_true(pool_fixture_statistics(fixture).opening <= 4);
    struct pool_statistics now = pool_fixture_statistics(fixture);
    int64_t took_ms = clock_monotonic_ms() - began_ms;
    assert_in_range(now.open_failures, 3, 4 + 2 + took_ms / 32);
    faulty_set_down(false, false);
    pool_fixture_wait_ended(fixture, 100);
}

static void when_it_is_back_the_line_goes_on_in_its_order(void **state)
{
    struct pool_fixture *fixture = *state;
    fixture->settings.retry_first_ms = 5;
    fixture->settings.retry_last_ms = 20;
    start(fixture, 1);
    faulty_set_down(true, true);
    pool_fixture_submit(fixture, 0, FIXTURE_JOBS);
    pool_fixture_wait_until(fixture, has_tried_thrice);
    assert_int_equal(pool_fixture_statistics(fixture).waiting, FIXTURE_JOBS);
    faulty_set_down(false, false);
    pool_fixture_wait_ended(fixture, FIXTURE_JOBS);
    for (int i = 0; i < FIXTURE_JOBS; i++) {
        assert_int_equal(fixture->order[i], i);
        assert_int_equal(fixture->jobs[i].status, OK);
    }
    struct pool_statistics now = pool_fixture_statistics(fixture);
    assert_false(now.is_down);
    assert_int_equal(now.opened, 1);
}

static bool has_failed(const struct pool_statistics *now)
{
    return now->open_failures > 0;
}

static void too_many_connections_does_not_stop_those_that_are_open(void **state)
{
    struct pool_fixture *fixture = *state;
    start(fixture, 8);
    faulty_set_limit(2);
    for (int i = 0; i < 8; i++)
        fixture->jobs[i].job.run = pool_fixture_run_gated;
    pool_fixture_submit(fixture, 0, FIXTURE_JOBS);
    pool_fixture_wait_begun(fixture, 2);
    pool_fixture_wait_until(fixture, has_failed);
    pool_fixture_open_gate(fixture);
    pool_fixture_wait_ended(fixture, FIXTURE_JOBS);
    for (int i = 0; i < FIXTURE_JOBS; i++)
        assert_int_equal(fixture->jobs[i].status, OK);
    assert_int_equal(faulty_counts().most_open, 2);
}

static void with_connections_in_use_and_no_more_to_be_had_the_pool_is_busy(void **state)
{
    struct pool_fixture *fixture = *state;
    start(fixture, 8);
    faulty_set_limit(1);
    fixture->jobs[0].job.run = pool_fixture_run_gated;
    pool_fixture_submit(fixture, 0, 1);
    pool_fixture_wait_begun(fixture, 1);
    fixture->jobs[1].job.deadline_ms = clock_monotonic_ms() + 50;
    pool_fixture_submit(fixture, 1, 3);
    struct pool_statistics now = pool_fixture_wait_until(fixture, has_failed);
    assert_int_equal(now.verdict, POOL_EXHAUSTED);
    pool_fixture_wait_ended(fixture, 1);
    assert_int_equal(fixture->jobs[1].status, BUSY);
    pool_fixture_open_gate(fixture);
    pool_fixture_wait_ended(fixture, 3);
    assert_int_equal(fixture->jobs[2].status, OK);
}

static void a_database_that_does_not_answer_does_not_delay_what_is_to_be_told(void **state)
{
    struct pool_fixture *fixture = *state;
    start(fixture, 1);
    faulty_hold_opening(true);
    fixture->jobs[0].job.deadline_ms = clock_monotonic_ms() + 30;
    pool_fixture_submit(fixture, 0, 2);
    faulty_wait_opening(1);
    pool_fixture_wait_ended(fixture, 1);
    assert_int_equal(fixture->jobs[0].status, UNAVAILABLE);
    faulty_hold_opening(false);
    pool_fixture_wait_ended(fixture, 2);
    assert_int_equal(fixture->jobs[1].status, OK);
}

static void stopping_while_the_database_is_away_ends_promptly(void **state)
{
    struct pool_fixture *fixture = *state;
    start(fixture, 3);
    faulty_set_down(true, true);
    pool_fixture_submit(fixture, 0, 10);
    pool_fixture_wait_until(fixture, has_failed);
    int64_t began_ms = clock_monotonic_ms();
    pool_free(fixture->pool);
    fixture->pool = NULL;
    assert_in_range(clock_monotonic_ms() - began_ms, 0, SLACK_MS);
    assert_int_equal(fixture->ended, 10);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(fixture->jobs[i].status, UNAVAILABLE);
        assert_string_equal(fixture->jobs[i].message, "the server is stopping");
    }
}

static void stopping_finishes_the_line_with_the_one_connection_there_is(void **state)
{
    struct pool_fixture *fixture = *state;
    start(fixture, 3);
    faulty_set_limit(1);
    pool_fixture_submit(fixture, 0, FIXTURE_JOBS);
    pool_free(fixture->pool);
    fixture->pool = NULL;
    assert_int_equal(fixture->ended, FIXTURE_JOBS);
    for (int i = 0; i < FIXTURE_JOBS; i++)
        assert_int_equal(fixture->jobs[i].status, OK);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_one_used_last_is_used_next_and_the_others_grow_old),
        TEST(idle_ones_are_closed_after_their_time),
        TEST(those_beyond_max_idle_are_closed_sooner),
        TEST(a_burst_now_and_then_does_not_open_and_close_connections),
        TEST(idle_ones_are_closed_at_the_end_of_their_lifetime),
        TEST(one_in_use_is_closed_at_the_end_of_its_lifetime_when_it_is_given_back),
        TEST(connections_that_are_being_opened_count_as_open),
        TEST(an_idle_connection_is_used_while_another_one_takes_long_to_open),
        TEST(one_that_was_used_just_now_is_not_looked_at),
        TEST(an_idle_one_is_looked_at_before_use),
        TEST(one_that_was_idle_for_long_is_pinged_before_use),
        TEST(an_idle_one_that_has_died_is_replaced_and_no_job_notices),
        TEST(after_one_broke_in_use_the_others_are_looked_at),
        TEST(while_the_database_is_away_jobs_wait_to_their_deadline_and_hear_why),
        TEST(that_it_is_back_is_found_out_even_if_nobody_waits),
        TEST(who_is_told_that_it_is_back_tries_at_once),
        TEST(tries_to_open_are_few_and_further_and_further_apart),
        TEST(when_it_is_back_the_line_goes_on_in_its_order),
        TEST(too_many_connections_does_not_stop_those_that_are_open),
        TEST(with_connections_in_use_and_no_more_to_be_had_the_pool_is_busy),
        TEST(a_database_that_does_not_answer_does_not_delay_what_is_to_be_told),
        TEST(stopping_while_the_database_is_away_ends_promptly),
        TEST(stopping_finishes_the_line_with_the_one_connection_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
