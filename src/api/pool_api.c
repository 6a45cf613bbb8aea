/*
 * GET /pool: what the pools do, for people and programs.
 *
 * It is answered on the event loop for whoever is known there, since it is asked when nothing else
 * is answered any more: when all workers are busy, or the database is away.
 */
#include "api/handlers.h"
#include "api/internal.h"

static void put_wait(struct json_writer *out, const struct pool_wait *wait)
{
    json_open_object(out, "wait");
    json_put_int(out, "count", (int64_t)wait->count);
    json_put_int(out, "mean_us", (int64_t)(wait->count ? wait->total_us / wait->count : 0));
    json_put_int(out, "max_us", (int64_t)wait->max_us);
    json_close_object(out);
}

static void put_counters(struct json_writer *out, const struct pool_statistics *now)
{
    json_put_int(out, "jobs", (int64_t)now->jobs);
    json_put_int(out, "refused", (int64_t)now->refused);
    json_put_int(out, "timed_out", (int64_t)now->timed_out);
    json_put_int(out, "held_long", (int64_t)now->leaks);
    put_wait(out, &now->wait);
    json_put_int(out, "opened", (int64_t)now->opened);
    json_put_int(out, "open_failures", (int64_t)now->open_failures);
    json_open_object(out, "closed");
    for (int reason = 0; reason < POOL_CLOSED_REASONS; reason++)
        json_put_int(out, pool_closed_names[reason], (int64_t)now->closed[reason]);
    json_close_object(out);
}

static void put_pool(struct json_writer *out, const char *name, struct pool *pool)
{
    struct pool_statistics now;
    pool_statistics(pool, &now);
    json_open_object(out, name);
    json_put_string(out, "verdict", pool_verdict_names[now.verdict]);
    json_put_int(out, "open", now.open);
    json_put_int(out, "in_use", now.in_use);
    json_put_int(out, "idle", now.idle);
    json_put_int(out, "opening", now.opening);
    json_put_int(out, "max_open", now.max_open);
    json_put_int(out, "max_idle", now.max_idle);
    json_put_int(out, "waiting", now.waiting);
    json_put_int(out, "max_waiting", now.max_waiting);
    json_put_int(out, "workers", now.workers);
    if (now.is_down)
        json_put_int(out, "cannot_open_for_ms", clock_monotonic_ms() - now.down_since_ms);
    else
        json_put_null(out, "cannot_open_for_ms");
    put_counters(out, &now);
    json_close_object(out);
}

enum status pool_get_state(struct call *call, struct err *err)
{
    (void)err;
    const struct api_settings *settings = &call->api->settings;
    struct json_writer *out = call->question.out;
    json_open_object(out, NULL);
    put_pool(out, "general", settings->pool);
    put_pool(out, "password", settings->password_pool);
    json_close_object(out);
    return OK;
}
