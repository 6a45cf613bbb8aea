#include "api/hour.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/count.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

enum { STACK_BYTES = 128 * 1024 };

struct hour {
    const struct clock *clock;
    size_t step_bytes;
    /* The thread's alone */
    struct metrics_reading *(*read)(const void *context);
    const void *context;
    struct metrics_reading *last; /* at the end of the newest step */
    int64_t last_ms;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t stop;
    bool is_running, is_stopping;
    size_t count; /* of the steps so far; the newest is at (count − 1) % HOUR_STEPS */
    char *steps;
    pthread_t thread;
};

struct hour *hour_new(const struct clock *clock)
{
    struct hour *hour = mem_zalloc(1, sizeof *hour);
    hour->clock = clock;
    hour->step_bytes = sizeof(struct hour_step) + (route_count + 1) * sizeof(struct hour_requests);
    hour->step_bytes = (hour->step_bytes + 7) / 8 * 8;
    hour->steps = mem_zalloc(HOUR_STEPS, hour->step_bytes);
    pthread_mutex_init(&hour->lock, NULL);
    thread_condition_init(&hour->stop);
    return hour;
}

void hour_free(struct hour *hour)
{
    if (!hour)
        return;
    hour_stop(hour);
    pthread_cond_destroy(&hour->stop);
    pthread_mutex_destroy(&hour->lock);
    metrics_reading_free(hour->last);
    free(hour->steps);
    free(hour);
}

static struct hour_step *step_at(const struct hour *hour, size_t number)
{
    return (struct hour_step *)(hour->steps + number % HOUR_STEPS * hour->step_bytes);
}

/* A step */

enum { BUCKETS_MAX = METRIC_BOUNDS_MAX + 1 };

/** Where a quantile lies; beyond the last bound nothing is known but that. */
static uint32_t quantile_us(const double *buckets, double count, double quantile)
{
    const struct metric_row *row = &metric_table[METRIC_REQUEST_SECONDS];
    double rank = quantile * count, below = 0;
    size_t i = 0;
    while (i < row->bound_count && below + buckets[i] < rank)
        below += buckets[i++];
    if (i == row->bound_count)
        return (uint32_t)row->bounds_us[i - 1];
    double from_us = i > 0 ? (double)row->bounds_us[i - 1] : 0;
    double part = buckets[i] > 0 ? (rank - below) / buckets[i] : 0;
    return (uint32_t)(from_us + ((double)row->bounds_us[i] - from_us) * part);
}

static void put_requests(struct hour_requests *requests, const double *buckets, double errors)
{
    double count = 0;
    for (size_t i = 0; i <= metric_table[METRIC_REQUEST_SECONDS].bound_count; i++)
        count += buckets[i];
    *requests = (struct hour_requests){.count = (uint32_t)count, .errors = (uint32_t)errors};
    if (count <= 0)
        return;
    requests->p50_us = quantile_us(buckets, count, 0.50);
    requests->p95_us = quantile_us(buckets, count, 0.95);
    requests->p99_us = quantile_us(buckets, count, 0.99);
}

static double grown(const struct metrics_reading *now, const struct metrics_reading *before,
                    enum metric metric, size_t first, size_t second)
{
    return metrics_value(now, metric, first, second) - metrics_value(before, metric, first, second);
}

static void put_routes(struct hour_step *step, const struct metrics_reading *now,
                       const struct metrics_reading *before)
{
    size_t bounds = metric_table[METRIC_REQUEST_SECONDS].bound_count;
    double all[BUCKETS_MAX] = {0}, all_errors = 0;
    for (size_t route = 0; route <= route_count; route++) {
        const double *newer = metrics_buckets(now, METRIC_REQUEST_SECONDS, route, 0);
        const double *older = metrics_buckets(before, METRIC_REQUEST_SECONDS, route, 0);
        double buckets[BUCKETS_MAX], errors = 0;
        for (size_t i = 0; i <= bounds; i++) {
            buckets[i] = newer[i] - older[i];
            all[i] += buckets[i];
        }
        for (size_t status = 0; status < count_statuses.count; status++)
            if (count_is_error(status))
                errors += grown(now, before, METRIC_REQUESTS, route, status);
        all_errors += errors;
        put_requests(&step->routes[route], buckets, errors);
    }
    put_requests(&step->all, all, all_errors);
}

static void put_cache(struct hour_step *step, const struct metrics_reading *now,
                      const struct metrics_reading *before)
{
    for (size_t result = 0; result < count_results.count; result++) {
        double count = grown(now, before, METRIC_CACHE_REQUESTS, COUNT_RESPONSES, result);
        step->cache_requests += (uint32_t)(result == RESULT_BYPASS ? 0 : count);
        step->cache_hits += (uint32_t)(result <= RESULT_UNVERIFIED ? count : 0);
    }
}

void hour_take(struct hour *hour, struct metrics_reading *reading, int64_t now_ms,
               int64_t monotonic_ms)
{
    struct metrics_reading *before = hour->last;
    int64_t took_ms = monotonic_ms - hour->last_ms;
    hour->last = reading;
    hour->last_ms = monotonic_ms;
    if (!before)
        return;
    pthread_mutex_lock(&hour->lock);
    struct hour_step *step = step_at(hour, hour->count++);
    memset(step, 0, hour->step_bytes);
    step->ended_at = now_ms;
    step->took_ms = (uint32_t)took_ms;
    put_routes(step, reading, before);
    put_cache(step, reading, before);
    step->connections_in_use =
        (uint32_t)metrics_value(reading, METRIC_POOL_CONNECTIONS, POOL_GENERAL, STATE_IN_USE);
    step->waiting = (uint32_t)metrics_value(reading, METRIC_POOL_WAITERS, POOL_GENERAL, 0);
    step->cpu_ms = (uint32_t)(1000 * grown(reading, before, METRIC_PROCESS_CPU, 0, 0));
    step->resident_bytes = (uint64_t)metrics_value(reading, METRIC_PROCESS_RESIDENT, 0, 0);
    pthread_mutex_unlock(&hour->lock);
    metrics_reading_free(before);
}

/* The thread */

/** Until `due_ms`. False if it is to stop. */
static bool wait_until(struct hour *hour, int64_t due_ms)
{
    struct timespec until = thread_deadline(due_ms);
    pthread_mutex_lock(&hour->lock);
    while (!hour->is_stopping && clock_monotonic_ms() < due_ms)
        pthread_cond_timedwait(&hour->stop, &hour->lock, &until);
    bool goes_on = !hour->is_stopping;
    pthread_mutex_unlock(&hour->lock);
    return goes_on;
}

/** A step that could not be taken in time, since the machine slept, is a long one. */
static void *run(void *context)
{
    struct hour *hour = context;
    int64_t due_ms = clock_monotonic_ms();
    do {
        int64_t now_ms = clock_monotonic_ms();
        hour_take(hour, hour->read(hour->context), clock_now_ms(hour->clock), now_ms);
        due_ms = now_ms >= due_ms + HOUR_STEP_MS ? now_ms + HOUR_STEP_MS : due_ms + HOUR_STEP_MS;
    } while (wait_until(hour, due_ms));
    return NULL;
}

enum status hour_start(struct hour *hour, struct metrics_reading *(*read)(const void *context),
                       const void *context, struct err *err)
{
    hour->read = read;
    hour->context = context;
    int failed = thread_start(&hour->thread, STACK_BYTES, run, hour);
    if (failed)
        return err_set(err, UNAVAILABLE, NULL, "no thread can be started: %s", strerror(failed));
    hour->is_running = true;
    return OK;
}

void hour_stop(struct hour *hour)
{
    if (!hour->is_running)
        return;
    pthread_mutex_lock(&hour->lock);
    hour->is_stopping = true;
    pthread_cond_signal(&hour->stop);
    pthread_mutex_unlock(&hour->lock);
    pthread_join(hour->thread, NULL);
    hour->is_running = false;
}

size_t hour_steps(struct hour *hour, size_t most, struct arena *arena,
                  const struct hour_step **ret_steps)
{
    pthread_mutex_lock(&hour->lock);
    size_t kept = hour->count < HOUR_STEPS ? hour->count : HOUR_STEPS;
    size_t count = kept < most ? kept : most;
    for (size_t i = 0; i < count; i++) {
        struct hour_step *copy = arena_alloc(arena, hour->step_bytes);
        ret_steps[i] = memcpy(copy, step_at(hour, hour->count - count + i), hour->step_bytes);
    }
    pthread_mutex_unlock(&hour->lock);
    return count;
}
