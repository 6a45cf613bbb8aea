#include "app/telemetry.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/count.h"
#include "api/route.h"
#include "app/commit.h"
#include "app/server.h"
#include "base/clock.h"
#include "base/log.h"
#include "metrics/process.h"
#include "store/query_label.h"

_Static_assert((int)POOL_WAIT_BOUNDS + 2 <= (int)METRIC_BOUNDS_MAX, "a wait's buckets fit");

/* Labels */

enum { L2_HIT, L2_MISS, L2_NOT_ASKED };
enum { OP_GET, OP_GET_TIMEOUT, OP_SET, OP_CONNECT, OP_REFUSED };
static const char *const l2_results[] = {"hit", "miss", "not_asked", NULL};
static const char *const l2_ops[] = {"get", "get_timeout", "set", "connect", "refused", NULL};
enum { LOG_RESULT_WRITTEN, LOG_RESULT_DROPPED };
static const char *const log_results[] = {"written", "dropped", NULL};

static struct metric_values values_of(const char *const *names)
{
    size_t count = 0;
    while (names[count])
        count++;
    return (struct metric_values){.items = names, .count = count};
}

static struct metric_values make_routes(struct telemetry *telemetry)
{
    char label[ROUTE_LABEL_SIZE];
    telemetry->routes = mem_zalloc(route_count + 1, sizeof *telemetry->routes);
    for (size_t i = 0; i <= route_count; i++) {
        const struct route *route = i < route_count ? &routes[i] : NULL;
        telemetry->routes[i] = mem_format("%s,%s", route_label(route, label), route_method(route));
    }
    return (struct metric_values){(const char *const *)telemetry->routes, route_count + 1};
}

static struct metric_values make_queries(struct telemetry *telemetry)
{
    size_t count = query_label_count();
    telemetry->queries = mem_zalloc(count, sizeof *telemetry->queries);
    for (size_t i = 0; i < count; i++)
        telemetry->queries[i] = query_label_name(i);
    return (struct metric_values){telemetry->queries, count};
}

void telemetry_start(struct telemetry *telemetry, const char *store)
{
    telemetry->build = mem_format("%s,%s,%s", OPENRISK_VERSION, OPENRISK_COMMIT, store);
    const struct metric_values values[METRIC_SETS] = {
        [SET_ROUTE] = make_routes(telemetry),
        [SET_STATUS] = count_statuses,
        [SET_REJECTED] = count_rejections,
        [SET_LOGIN] = count_logins,
        [SET_CACHE] = count_caches,
        [SET_CACHE_RESULT] = count_results,
        [SET_CACHE_LOSS] = values_of(memory_loss_names),
        [SET_L2_RESULT] = values_of(l2_results),
        [SET_L2_OP] = values_of(l2_ops),
        [SET_POOL] = count_pools,
        [SET_CONNECTION] = count_connections,
        [SET_CLOSED] = values_of(pool_closed_names),
        [SET_QUERY] = make_queries(telemetry),
        [SET_DB_ERROR] = values_of(db_error_names),
        [SET_BREAKER] = values_of(breaker_state_names),
        [SET_COMMAND] = values_of(redis_command_names),
        [SET_LOG_RESULT] = values_of(log_results),
        [SET_BUILD] = {(const char *const *)&telemetry->build, 1},
    };
    metrics_start(values);
}

void telemetry_stop(struct telemetry *telemetry)
{
    metrics_stop();
    for (size_t i = 0; telemetry->routes && i <= route_count; i++)
        free(telemetry->routes[i]);
    free(telemetry->routes);
    free(telemetry->queries);
    free(telemetry->build);
    *telemetry = (struct telemetry){0};
}

/* Reading */

static void put(struct metrics_reading *reading, enum metric metric, size_t first, double value)
{
    metrics_set(reading, metric, first, 0, value);
}

static void read_pool(struct metrics_reading *reading, size_t place, struct pool *pool)
{
    struct pool_statistics now;
    pool_statistics(pool, &now);
    unsigned other = now.open - now.in_use - now.idle;
    metrics_set(reading, METRIC_POOL_CONNECTIONS, place, STATE_IN_USE, now.in_use);
    metrics_set(reading, METRIC_POOL_CONNECTIONS, place, STATE_IDLE, now.idle);
    metrics_set(reading, METRIC_POOL_CONNECTIONS, place, STATE_OPENING, now.opening);
    metrics_set(reading, METRIC_POOL_CONNECTIONS, place, STATE_OTHER, other);
    for (size_t reason = 0; reason < POOL_CLOSED_REASONS; reason++)
        metrics_set(reading, METRIC_POOL_CLOSED, place, reason, (double)now.closed[reason]);
    put(reading, METRIC_POOL_CONNECTIONS_MAX, place, now.max_open);
    put(reading, METRIC_POOL_WAITERS, place, now.waiting);
    put(reading, METRIC_POOL_WAITERS_MAX, place, now.max_waiting);
    put(reading, METRIC_POOL_TIMEOUTS, place, (double)now.timed_out);
    put(reading, METRIC_POOL_REJECTED, place, (double)now.refused);
    put(reading, METRIC_POOL_OPENED, place, (double)now.opened);
    put(reading, METRIC_POOL_OPEN_FAILURES, place, (double)now.open_failures);
    put(reading, METRIC_POOL_LEAKS, place, (double)now.leaks);
    metrics_set_histogram(reading, METRIC_POOL_WAIT_SECONDS, place, 0, now.wait.buckets,
                          now.wait.total_us);
}

static void read_cache(struct metrics_reading *reading, enum count_cache place, struct cache *cache)
{
    struct cache_statistics now = {0};
    if (cache)
        cache_statistics(cache, &now);
    for (size_t why = 0; why < MEMORY_LOSSES; why++)
        metrics_set(reading, METRIC_CACHE_EVICTIONS, place, why, (double)now.lost[why]);
    put(reading, METRIC_CACHE_BYTES, place, (double)now.bytes);
    put(reading, METRIC_CACHE_BYTES_MAX, place, (double)now.max_bytes);
    put(reading, METRIC_CACHE_ENTRIES, place, (double)now.entries);
    put(reading, METRIC_CACHE_LOAD_FAILURES, place, (double)now.load_failures);
}

static void read_coherence(struct metrics_reading *reading, const struct generations *k)
{
    int64_t age_ms = k ? generations_age_ms(k, clock_monotonic_ms()) : -1;
    put(reading, METRIC_COHERENCE_LAG, 0, age_ms < 0 ? NAN : (double)age_ms / 1e3);
    put(reading, METRIC_COHERENCE_LIMIT, 0, CACHES_FRESH_MS / 1e3);
}

static void read_log(struct metrics_reading *reading)
{
    struct log_statistics now = log_statistics();
    put(reading, METRIC_LOG_LINES, LOG_RESULT_WRITTEN, (double)now.written);
    put(reading, METRIC_LOG_LINES, LOG_RESULT_DROPPED, (double)now.dropped);
}

static void read_redis(struct metrics_reading *reading, struct second_level *level)
{
    struct second_statistics now = {.redis = {.used_bytes = -1, .max_bytes = -1}};
    if (level)
        second_statistics(level, &now);
    const struct redis_statistics *redis = &now.redis;
    for (size_t state = 0; breaker_state_names[state]; state++)
        put(reading, METRIC_BREAKER, state, level && state == (size_t)redis->state);
    put(reading, METRIC_L2_REQUESTS, L2_HIT, (double)now.hits);
    put(reading, METRIC_L2_REQUESTS, L2_MISS, (double)now.misses);
    put(reading, METRIC_L2_REQUESTS, L2_NOT_ASKED, (double)redis->refused);
    put(reading, METRIC_L2_ERRORS, OP_GET, (double)redis->get_errors);
    put(reading, METRIC_L2_ERRORS, OP_GET_TIMEOUT, (double)redis->get_timeouts);
    put(reading, METRIC_L2_ERRORS, OP_SET, (double)redis->set_errors);
    put(reading, METRIC_L2_ERRORS, OP_CONNECT, (double)redis->connect_errors);
    put(reading, METRIC_L2_ERRORS, OP_REFUSED, (double)(now.refused + now.expired));
    put(reading, METRIC_REDIS_USED_BYTES, 0,
        redis->used_bytes < 0 ? NAN : (double)redis->used_bytes);
    put(reading, METRIC_REDIS_MAX_BYTES, 0, redis->max_bytes < 0 ? NAN : (double)redis->max_bytes);
}

void telemetry_read(void *context, struct metrics_reading *reading)
{
    struct server *server = context;
    struct watch_state database;
    watch_state(server->watch, &database);
    put(reading, METRIC_DB_UP, 0, database.is_up);
    put(reading, METRIC_CONNECTIONS, 0, http_server_connections(server->public_server));
    put(reading, METRIC_CONNECTIONS_MAX, 0, (double)server->config->http_max_connections);
    read_pool(reading, POOL_GENERAL, server->pool);
    read_pool(reading, POOL_PASSWORD, server->password_pool);
    read_cache(reading, COUNT_RESPONSES, server->caches.responses);
    read_cache(reading, COUNT_SESSIONS, server->caches.sessions);
    read_coherence(reading, server->caches.generations);
    read_redis(reading, server->second);
    read_log(reading);
    put(reading, METRIC_BUILD, 0, 1);
    process_read(reading);
}
