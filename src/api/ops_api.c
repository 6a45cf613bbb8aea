/*
 * GET /ops: the last hour as series, one number per step, so that a page can draw them as they are.
 *
 * Answered on the event loop, as GET /pool is, since it is asked when nothing else is answered.
 */
#include "api/handlers.h"
#include "api/hour.h"
#include "api/internal.h"

enum { PARAM_MINUTES };

struct series {
    const struct hour_step *const *steps;
    size_t count;
};

/** Requests of a route in a step; beyond the routes: of all. */
static const struct hour_requests *requests_of(const struct hour_step *step, size_t route)
{
    return route <= route_count ? &step->routes[route] : &step->all;
}

static bool is_used(const struct series *series, size_t route)
{
    for (size_t i = 0; i < series->count; i++)
        if (series->steps[i]->routes[route].count > 0)
            return true;
    return false;
}

static void put_per_second(struct json_writer *out, uint32_t count, const struct hour_step *step)
{
    json_put_hundredths(out, NULL, step->took_ms ? (int64_t)count * 100000 / step->took_ms : 0);
}

static void put_rates(struct json_writer *out, const char *name, const struct series *series,
                      size_t route, bool of_errors)
{
    json_open_array(out, name);
    for (size_t i = 0; i < series->count; i++) {
        const struct hour_requests *requests = requests_of(series->steps[i], route);
        put_per_second(out, of_errors ? requests->errors : requests->count, series->steps[i]);
    }
    json_close_array(out);
}

/** In ms; null where there was no request. `place`: of the member in struct hour_requests. */
static void put_quantiles(struct json_writer *out, const char *name, const struct series *series,
                          size_t route, size_t place)
{
    json_open_array(out, name);
    for (size_t i = 0; i < series->count; i++) {
        const struct hour_requests *requests = requests_of(series->steps[i], route);
        const uint32_t *us = (const void *)((const char *)requests + place);
        if (requests->count > 0)
            json_put_hundredths(out, NULL, *us / 10);
        else
            json_put_null(out, NULL);
    }
    json_close_array(out);
}

static void put_requests(struct json_writer *out, const struct series *series, size_t route)
{
    put_rates(out, "rate", series, route, false);
    put_rates(out, "errors", series, route, true);
    put_quantiles(out, "p50_ms", series, route, offsetof(struct hour_requests, p50_us));
    put_quantiles(out, "p95_ms", series, route, offsetof(struct hour_requests, p95_us));
    put_quantiles(out, "p99_ms", series, route, offsetof(struct hour_requests, p99_us));
}

static void put_routes(struct json_writer *out, const struct series *series)
{
    json_open_array(out, "routes");
    for (size_t route = 0; route <= route_count; route++) {
        if (!is_used(series, route))
            continue;
        const struct route *found = route < route_count ? &routes[route] : NULL;
        char label[ROUTE_LABEL_SIZE];
        json_open_object(out, NULL);
        json_put_string(out, "route", route_label(found, label));
        json_put_string(out, "method", route_method(found));
        put_requests(out, series, route);
        json_close_object(out);
    }
    json_close_array(out);
}

/** null where nothing was asked that could have been kept. */
static void put_cache(struct json_writer *out, const struct series *series)
{
    json_open_array(out, "hit_rate");
    for (size_t i = 0; i < series->count; i++) {
        const struct hour_step *step = series->steps[i];
        if (step->cache_requests > 0)
            json_put_hundredths(out, NULL, (int64_t)step->cache_hits * 100 / step->cache_requests);
        else
            json_put_null(out, NULL);
    }
    json_close_array(out);
}

static void put_state(struct json_writer *out, const struct series *series)
{
    json_open_object(out, "pool");
    json_open_array(out, "in_use");
    for (size_t i = 0; i < series->count; i++)
        json_put_int(out, NULL, series->steps[i]->connections_in_use);
    json_close_array(out);
    json_open_array(out, "waiting");
    for (size_t i = 0; i < series->count; i++)
        json_put_int(out, NULL, series->steps[i]->waiting);
    json_close_array(out);
    json_close_object(out);
    json_open_object(out, "process");
    json_open_array(out, "cpu");
    for (size_t i = 0; i < series->count; i++) {
        const struct hour_step *step = series->steps[i];
        json_put_hundredths(out, NULL,
                            step->took_ms ? (int64_t)step->cpu_ms * 100 / step->took_ms : 0);
    }
    json_close_array(out);
    json_open_array(out, "resident_bytes");
    for (size_t i = 0; i < series->count; i++)
        json_put_int(out, NULL, (int64_t)series->steps[i]->resident_bytes);
    json_close_array(out);
    json_close_object(out);
}

enum status ops_get(struct call *call, struct err *err)
{
    (void)err;
    struct json_writer *out = call->question.out;
    const struct hour_step *steps[HOUR_STEPS];
    size_t most = (size_t)call->question.params[PARAM_MINUTES] * 60 * 1000 / HOUR_STEP_MS;
    struct series series = {.steps = steps};
    series.count = hour_steps(call->api->settings.hour, most, http_arena(call->request), steps);
    json_open_object(out, NULL);
    json_put_int(out, "step_seconds", HOUR_STEP_MS / 1000);
    json_open_array(out, "at");
    for (size_t i = 0; i < series.count; i++)
        json_put_time(out, NULL, steps[i]->ended_at);
    json_close_array(out);
    json_open_object(out, "all");
    put_requests(out, &series, route_count + 1);
    json_close_object(out);
    put_routes(out, &series);
    put_cache(out, &series);
    put_state(out, &series);
    json_close_object(out);
    return OK;
}
