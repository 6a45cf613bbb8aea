
#include "api/handlers.h"
#include "api/internal.h"

static void put_redis(struct json_writer *out, const struct redis_statistics *redis)
{
    json_open_object(out, "redis");
    json_put_string(out, "status", redis->state == BREAKER_CLOSED ? "UP" : "DOWN");
    json_put_string(out, "breaker", breaker_state_names[redis->state]);
    json_put_int(out, "for_ms", clock_monotonic_ms() - redis->since_ms);
    json_close_object(out);
}

enum status health_get(struct call *call, struct err *err)
{
    (void)err;
    struct api *api = call->api;
    struct watch_state database;
    watch_state(api->settings.watch, &database);
    bool up = database.is_up;
    int64_t ago_ms = clock_monotonic_ms() - database.checked_ms;

    struct pool_statistics pool;
    pool_statistics(api->settings.pool, &pool);
    bool draining = atomic_load(&api->draining);
    bool crowded = pool.verdict == POOL_EXHAUSTED || pool.verdict == POOL_DOWN;
    struct second_statistics second;
    bool is_shared = api_second(api, &second);
    bool alone = second.redis.state != BREAKER_CLOSED;
    struct json_writer *out = call->question.out;
    json_open_object(out, NULL);
    json_put_string(out, "status", !up ? "DOWN" : draining || crowded || alone ? "DEGRADED" : "UP");
    json_put_string(out, "version", api->settings.version);
    json_open_object(out, "checks");
    json_open_object(out, "database");
    json_put_string(out, "status", up ? "UP" : "DOWN");
    if (up)
        json_put_int(out, "latency_us", database.latency_us);
    json_put_int(out, "checked_ms_ago", ago_ms);
    json_close_object(out);
    json_open_object(out, "pool");
    json_put_string(out, "status", crowded ? "DEGRADED" : "UP");
    json_put_string(out, "verdict", pool_verdict_names[pool.verdict]);
    json_put_int(out, "open", pool.open);
    json_put_int(out, "in_use", pool.in_use);
    json_put_int(out, "idle", pool.idle);
    json_put_int(out, "waiting", pool.waiting);
    json_put_int(out, "max_open", pool.max_open);
    json_close_object(out);
    if (is_shared)
        put_redis(out, &second.redis);
    else
        json_put_null(out, "redis");
    json_close_object(out);
    json_close_object(out);
    if (!up)
        call->status = 503;
    return OK;
}

enum status openapi_get(struct call *call, struct err *err)
{
    (void)err;
    buf_puts(call->question.out->buf, call->api->openapi);
    return OK;
}

/** In a program without the web interface. */
enum status front_page(struct call *call, struct err *err)
{
    (void)err;
    call->content_type = "text/plain; charset=utf-8";
    buf_printf(call->question.out->buf,
               "OpenRisk %s is running, as an API: this program was built without its web "
               "interface.\n\n"
               "Sign in:   POST /api/v1/auth/login  {\"email\":…,\"password\":…}\n"
               "The API:   GET  /api/v1/openapi.json\n"
               "Health:    GET  /api/v1/health\n",
               call->api->settings.version);
    return OK;
}
