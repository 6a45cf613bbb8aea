/*
 * The circuit breaker, with a clock of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cache/breaker.h"

enum { FAILURES = 5, MIN_MS = 1000, MAX_MS = 8000, JITTER = 20, NOW_MS = 1000000 };
static const struct breaker_settings settings = {.failures = FAILURES,
                                                 .open_min_ms = MIN_MS,
                                                 .open_max_ms = MAX_MS,
                                                 .jitter_hundredths = JITTER};

static struct breaker closed_breaker(uint64_t seed)
{
    struct breaker breaker;
    breaker_init(&breaker, &settings, seed);
    assert_true(breaker_succeeded(&breaker));
    return breaker;
}

/** From closed. */
static void open_it(struct breaker *breaker, int64_t now_ms)
{
    for (int i = 0; i < FAILURES - 1; i++)
        assert_false(breaker_failed(breaker, now_ms));
    assert_true(breaker_failed(breaker, now_ms));
    assert_int_equal(breaker->state, BREAKER_OPEN);
}

static void nothing_is_known_at_the_start(void **state)
{
    (void)state;
    struct breaker breaker;
    breaker_init(&breaker, &settings, 1);
    assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
    assert_true(breaker_failed(&breaker, NOW_MS));
    assert_int_equal(breaker.state, BREAKER_OPEN);
    assert_in_range(breaker.due_ms, NOW_MS + MIN_MS * (100 - JITTER) / 100, NOW_MS + MIN_MS);
}

static void failures_in_a_row_open_it(void **state)
{
    (void)state;
    struct breaker breaker = closed_breaker(1);
    open_it(&breaker, NOW_MS);
    assert_false(breaker_failed(&breaker, NOW_MS)); /* of what was asked before */
    assert_false(breaker_succeeded(&breaker));
    assert_int_equal(breaker.state, BREAKER_OPEN);
}

static void an_answer_in_between_begins_the_row_anew(void **state)
{
    (void)state;
    struct breaker breaker = closed_breaker(1);
    for (int i = 0; i < FAILURES - 1; i++)
        assert_false(breaker_failed(&breaker, NOW_MS));
    assert_false(breaker_succeeded(&breaker));
    open_it(&breaker, NOW_MS);
}

static void there_is_one_probe_when_it_is_time(void **state)
{
    (void)state;
    struct breaker breaker = closed_breaker(1);
    open_it(&breaker, NOW_MS);
    assert_false(breaker_try(&breaker, breaker.due_ms - 1));
    assert_true(breaker_try(&breaker, breaker.due_ms));
    assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
    assert_false(breaker_try(&breaker, breaker.due_ms + MAX_MS));
    assert_true(breaker_succeeded(&breaker));
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    open_it(&breaker, NOW_MS);
}

static void waits_double_up_to_the_most(void **state)
{
    (void)state;
    static const int64_t wait_ms[] = {1000, 2000, 4000, 8000, 8000, 8000};
    for (uint64_t seed = 0; seed < 1000; seed++) {
        struct breaker breaker = closed_breaker(seed);
        open_it(&breaker, NOW_MS);
        int64_t now_ms = NOW_MS;
        for (size_t i = 0; i < sizeof wait_ms / sizeof *wait_ms; i++) {
            int64_t waits_ms = breaker.due_ms - now_ms;
            assert_in_range(waits_ms, wait_ms[i] * (100 - JITTER) / 100, wait_ms[i]);
            now_ms = breaker.due_ms;
            assert_true(breaker_try(&breaker, now_ms));
            assert_true(breaker_failed(&breaker, now_ms));
        }
    }
}

static void nodes_wait_differently(void **state)
{
    (void)state;
    enum { NODES = 100, APART_MS = 10 };
    bool taken[MIN_MS / APART_MS + 1] = {false};
    unsigned slots = 0;
    for (uint64_t seed = 0; seed < NODES; seed++) {
        struct breaker breaker = closed_breaker(seed);
        open_it(&breaker, 0);
        slots += !taken[breaker.due_ms / APART_MS];
        taken[breaker.due_ms / APART_MS] = true;
    }
    assert_in_range(slots, 15, MIN_MS * JITTER / 100 / APART_MS + 1);
}

static void without_jitter_a_wait_is_what_it_is(void **state)
{
    (void)state;
    struct breaker_settings exact = settings;
    exact.jitter_hundredths = 0;
    struct breaker breaker;
    breaker_init(&breaker, &exact, 1);
    assert_true(breaker_failed(&breaker, NOW_MS));
    assert_int_equal(breaker.due_ms, NOW_MS + MIN_MS);
}

/** Who answers nothing but probes would otherwise be back each second. */
static void only_an_answer_in_earnest_makes_the_wait_short_again(void **state)
{
    (void)state;
    struct breaker breaker = closed_breaker(1);
    open_it(&breaker, NOW_MS);
    assert_true(breaker_try(&breaker, breaker.due_ms));
    assert_true(breaker_succeeded(&breaker));
    open_it(&breaker, NOW_MS);
    assert_true(breaker.due_ms > NOW_MS + MIN_MS);
    assert_true(breaker_try(&breaker, breaker.due_ms));
    assert_true(breaker_succeeded(&breaker));
    assert_false(breaker_succeeded(&breaker));
    open_it(&breaker, NOW_MS);
    assert_true(breaker.due_ms <= NOW_MS + MIN_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_known_at_the_start),
        cmocka_unit_test(failures_in_a_row_open_it),
        cmocka_unit_test(an_answer_in_between_begins_the_row_anew),
        cmocka_unit_test(there_is_one_probe_when_it_is_time),
        cmocka_unit_test(waits_double_up_to_the_most),
        cmocka_unit_test(nodes_wait_differently),
        cmocka_unit_test(without_jitter_a_wait_is_what_it_is),
        cmocka_unit_test(only_an_answer_in_earnest_makes_the_wait_short_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
