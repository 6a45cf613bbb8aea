/** The last hour in steps of ten seconds: api/hour.c. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "api/count.h"
#include "api/hour.h"
#include "app/telemetry.h"
#include "base/clock.h"

enum { FIRST_MS = 1000 };

struct fixture {
    struct clock clock;
    struct telemetry telemetry;
    struct hour *hour;
    struct arena arena;
    int64_t now_ms;
};

/** What is asked for is not asked: it is 0. */
static void end_step(struct fixture *fixture, int64_t after_ms)
{
    fixture->now_ms += after_ms;
    hour_take(fixture->hour, metrics_read(), 1000000 + fixture->now_ms, fixture->now_ms);
}

static int setup(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){.now_ms = FIRST_MS};
    telemetry_start(&fixture.telemetry, "none");
    fixture.hour = hour_new(&fixture.clock);
    arena_init(&fixture.arena);
    end_step(&fixture, 0);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    hour_free(fixture->hour);
    telemetry_stop(&fixture->telemetry);
    arena_release(&fixture->arena);
    return 0;
}

static void request(size_t route, const char *status, int64_t us)
{
    size_t place = 0;
    while (strcmp(count_statuses.items[place], status) != 0)
        place++;
    metrics_add(METRIC_REQUESTS, route, place, 1);
    metrics_observe(METRIC_REQUEST_SECONDS, route, 0, us);
}

static const struct hour_step *newest(struct fixture *fixture)
{
    const struct hour_step *step;
    assert_int_equal(hour_steps(fixture->hour, 1, &fixture->arena, &step), 1);
    return step;
}

static void nothing_is_known_before_the_first_step_has_ended(void **state)
{
    struct fixture *fixture = *state;
    const struct hour_step *steps[HOUR_STEPS];
    assert_int_equal(hour_steps(fixture->hour, HOUR_STEPS, &fixture->arena, steps), 0);
}

static void a_step_has_what_happened_in_it_and_nothing_of_before(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < 10; i++)
        request(3, "200", 400);
    end_step(fixture, 10000);
    request(3, "503", 400);
    request(3, "404", 400);
    request(route_count, "404", 400);
    end_step(fixture, 12000);
    const struct hour_step *step = newest(fixture);
    assert_int_equal(step->took_ms, 12000);
    assert_int_equal(step->ended_at, 1000000 + FIRST_MS + 22000);
    assert_int_equal(step->routes[3].count, 2);
    assert_int_equal(step->routes[3].errors, 1);
    assert_int_equal(step->routes[4].count, 0);
    assert_int_equal(step->routes[route_count].count, 1);
    assert_int_equal(step->all.count, 3);
    assert_int_equal(step->all.errors, 1);
}

/** As histogram_quantile() has it: bounds 0.5, 1, 2.5, 5 … ms. */
static void quantiles_lie_between_the_bounds_of_their_bucket(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < 90; i++)
        request(0, "200", 100);
    for (int i = 0; i < 10; i++)
        request(0, "200", 2000);
    end_step(fixture, 10000);
    const struct hour_requests *requests = &newest(fixture)->routes[0];
    assert_int_equal(requests->p50_us, 277); /* 500 × 50 / 90 */
    assert_int_equal(requests->p95_us, 1750); /* 1000 + 1500 × 5 / 10 */
    assert_int_equal(requests->p99_us, 2350); /* 1000 + 1500 × 9 / 10 */
    assert_int_equal(newest(fixture)->routes[1].p99_us, 0);
}

static void beyond_the_last_bound_it_is_the_last_bound(void **state)
{
    struct fixture *fixture = *state;
    request(0, "200", 3600 * 1000000ll);
    end_step(fixture, 10000);
    assert_int_equal(newest(fixture)->routes[0].p50_us, 10 * 1000000);
}

static void what_passed_by_the_cache_is_not_in_its_hit_rate(void **state)
{
    struct fixture *fixture = *state;
    for (size_t result = 0; result < count_results.count; result++)
        metrics_add(METRIC_CACHE_REQUESTS, COUNT_RESPONSES, result, 1 + result);
    metrics_add(METRIC_CACHE_REQUESTS, COUNT_SESSIONS, RESULT_HIT_L1, 1000);
    end_step(fixture, 10000);
    assert_int_equal(newest(fixture)->cache_hits, 1 + 2 + 3);
    assert_int_equal(newest(fixture)->cache_requests, 1 + 2 + 3 + 4 + 5);
}

static void the_ring_keeps_an_hour_the_oldest_first(void **state)
{
    struct fixture *fixture = *state;
    const struct hour_step *steps[HOUR_STEPS];
    for (int i = 0; i < HOUR_STEPS + 5; i++) {
        for (int j = 0; j <= i; j++)
            request(0, "200", 1);
        end_step(fixture, HOUR_STEP_MS);
    }
    assert_int_equal(hour_steps(fixture->hour, HOUR_STEPS, &fixture->arena, steps), HOUR_STEPS);
    for (unsigned i = 0; i < HOUR_STEPS; i++)
        assert_int_equal(steps[i]->routes[0].count, i + 6);
    assert_int_equal(hour_steps(fixture->hour, 6, &fixture->arena, steps), 6);
    assert_int_equal(steps[0]->routes[0].count, HOUR_STEPS);
}

static struct metrics_reading *read_metrics(const void *context)
{
    (void)context;
    return metrics_read();
}

static void its_thread_ends_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct err err;
    int64_t began_ms = clock_monotonic_ms();
    assert_int_equal(hour_start(fixture->hour, read_metrics, NULL, &err), OK);
    hour_stop(fixture->hour);
    hour_stop(fixture->hour);
    assert_in_range(clock_monotonic_ms() - began_ms, 0, HOUR_STEP_MS / 2);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_known_before_the_first_step_has_ended),
        TEST(a_step_has_what_happened_in_it_and_nothing_of_before),
        TEST(quantiles_lie_between_the_bounds_of_their_bucket),
        TEST(beyond_the_last_bound_it_is_the_last_bound),
        TEST(what_passed_by_the_cache_is_not_in_its_hit_rate),
        TEST(the_ring_keeps_an_hour_the_oldest_first),
        TEST(its_thread_ends_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
