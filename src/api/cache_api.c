#include "api/handlers.h"
#include "api/internal.h"
#include "service/cache_service.h"

static void put_generations(struct json_writer *out, const char *name, const int64_t *generations)
{
    json_open_object(out, name);
    for (int scope = 0; scope < SCOPES; scope++)
        json_put_int(out, scope_names[scope], generations[scope]);
    json_close_object(out);
}

static void put_part(struct json_writer *out, const char *name, struct cache *cache)
{
    struct cache_statistics now = {0};
    if (cache)
        cache_statistics(cache, &now);
    uint64_t misses = now.loads + now.second_hits + now.coalesced, asked = now.hits + misses;
    json_open_object(out, name);
    json_put_int(out, "entries", (int64_t)now.entries);
    json_put_int(out, "bytes", (int64_t)now.bytes);
    json_put_int(out, "max_bytes", (int64_t)now.max_bytes);
    json_put_int(out, "hits", (int64_t)now.hits);
    json_put_int(out, "unverified", (int64_t)now.unverified);
    json_put_int(out, "misses", (int64_t)misses);
    json_put_int(out, "coalesced", (int64_t)now.coalesced);
    if (asked > 0)
        json_put_hundredths(out, "hit_rate", (int64_t)(100 * now.hits / asked));
    else
        json_put_null(out, "hit_rate");
    json_put_int(out, "second_hits", (int64_t)now.second_hits);
    json_put_int(out, "loads", (int64_t)now.loads);
    json_put_int(out, "load_failures", (int64_t)now.load_failures);
    json_put_int(out, "repeats", (int64_t)now.repeats);
    json_put_int(out, "stores", (int64_t)now.stores);
    json_put_int(out, "passed", (int64_t)now.passed);
    json_put_int(out, "too_large", (int64_t)now.too_large);
    json_put_int(out, "late", (int64_t)now.late);
    json_open_object(out, "evictions");
    json_put_int(out, "capacity", (int64_t)now.lost[LOST_CAPACITY]);
    json_put_int(out, "expired", (int64_t)now.lost[LOST_EXPIRED]);
    json_put_int(out, "outdated", (int64_t)now.lost[LOST_OUTDATED]);
    json_put_int(out, "replaced", (int64_t)now.lost[LOST_REPLACED]);
    json_close_object(out);
    json_put_int(out, "loading", now.flights);
    json_put_int(out, "waiting", now.waiting);
    json_close_object(out);
}

/** null: none is configured. */
static void put_second(struct json_writer *out, const struct api *api)
{
    struct second_statistics now;
    if (!api_second(api, &now)) {
        json_put_null(out, "second_level");
        return;
    }
    const struct redis_statistics *redis = &now.redis;
    json_open_object(out, "second_level");
    json_put_string(out, "breaker", breaker_state_names[redis->state]);
    json_put_int(out, "for_ms", clock_monotonic_ms() - redis->since_ms);
    json_put_string(out, "trouble", redis->trouble);
    json_put_int(out, "hits", (int64_t)now.hits);
    json_put_int(out, "misses", (int64_t)now.misses);
    json_put_int(out, "refused", (int64_t)now.refused);
    json_put_int(out, "expired", (int64_t)now.expired);
    json_put_int(out, "not_asked", (int64_t)redis->refused);
    json_put_int(out, "timeouts", (int64_t)redis->get_timeouts);
    json_put_int(out, "errors", (int64_t)redis->get_errors);
    json_put_int(out, "stores", (int64_t)redis->sets);
    json_put_int(out, "store_errors", (int64_t)redis->set_errors);
    json_put_int(out, "dropped", (int64_t)redis->dropped);
    json_put_int(out, "too_large", (int64_t)now.too_large);
    json_put_int(out, "opened", (int64_t)redis->opened);
    json_put_int(out, "reading", redis->reading);
    json_put_int(out, "writing", redis->writing);
    json_close_object(out);
}

enum status cache_get_state(struct call *call, struct err *err)
{
    const struct api_settings *settings = &call->api->settings;
    struct json_writer *out = call->question.out;
    int64_t generations[SCOPES], age_ms = -1;
    /* Before they are read, which makes K young. */
    if (settings->generations)
        age_ms = generations_age_ms(settings->generations, clock_monotonic_ms());
    enum status status = cache_service_generations(call->question.service, generations, err);
    if (status != OK)
        return status;
    json_open_object(out, NULL);
    json_put_bool(out, "enabled", settings->responses != NULL);
    put_generations(out, "generations", generations);
    if (age_ms >= 0)
        json_put_int(out, "age_ms", age_ms);
    else
        json_put_null(out, "age_ms");
    put_part(out, "responses", settings->responses);
    put_part(out, "sessions", settings->sessions);
    put_second(out, call->api);
    json_close_object(out);
    return OK;
}

enum status cache_invalidate(struct call *call, struct err *err)
{
    struct question *question = &call->question;
    int64_t scope = question->params[0], generations[SCOPES];
    bool all = scope == CACHE_ALL_SCOPES;
    enum status status =
        cache_service_invalidate(question->service, all ? (1u << SCOPES) - 1 : 1u << scope,
                                 all ? "" : scope_names[scope], generations, err);
    if (status == OK)
        put_generations(question->out, NULL, generations);
    return status;
}
