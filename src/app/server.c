#include "app/server.h"

#include <stdio.h>
#include <string.h>

#include "api/answer.h"
#include "api/hour.h"
#include "app/build_id.h"
#include "app/telemetry.h"
#include "base/clock.h"

/* Hashing a password takes 20 MB and 25 ms: one at a time, and a short line before it. */
enum { PASSWORD_WORKERS = 1, PASSWORD_WAITING = 16 };
/* As often as metrics may well be read. */
enum { MEMORY_EACH_MS = 5000 };
enum { OPS_LOOPS = 1, OPS_CONNECTIONS = 64, OPS_BODY_BYTES = 64 << 10 };

static void set_times(struct pool_settings *pool, const struct config *config)
{
    pool->lifetime_ms = config->db_pool_lifetime;
    pool->idle_time_ms = config->db_pool_idle_time;
    pool->leak_warning_ms = config->db_pool_leak_warning;
}

static enum status start_pools(struct server *server, struct err *err)
{
    const struct config *config = server->config;
    struct pool_settings general = pool_usual("general", (unsigned)config->db_pool_max);
    struct pool_settings password = pool_usual("password", PASSWORD_WORKERS);
    set_times(&general, config);
    set_times(&password, config);
    general.max_idle = (unsigned)config->db_pool_max_idle;
    general.max_waiting = (unsigned)config->db_pool_max_waiting;
    password.max_waiting = PASSWORD_WAITING;
    enum status status = pool_new(server->database, &general, &server->pool, err);
    if (status != OK)
        return status;
    return pool_new(server->database, &password, &server->password_pool, err);
}

static void hash_sealed(const void *context, const void *first, size_t first_length,
                        const void *second, size_t second_length,
                        uint8_t ret_hash[SECOND_HASH_BYTES])
{
    seal_of(context, first, first_length, second, second_length, ret_hash);
}

_Static_assert((int)SEAL_BYTES == (int)SECOND_HASH_BYTES, "a seal fits its place");

/** The second level, if one is configured. It need not be there. */
static enum status start_second(struct server *server, const struct clock *clock,
                                const struct register_identity *identity, struct err *err)
{
    char build[BUILD_ID_SIZE];
    AUTO_ARENA struct arena arena;
    arena_init(&arena);
    struct redis_settings redis = redis_usual();
    if (!config_redis(server->config, &arena, &redis.address))
        return OK;
    redis.limit_ms = (unsigned)server->config->redis_timeout;
    redis.memory_each_ms = MEMORY_EACH_MS;
    enum status status = redis_start(&redis, &server->redis, err);
    if (status != OK)
        return status;
    server->second_key = seal_key_for(identity->token_key, "second level");
    struct second_settings second = {
        .redis = server->redis,
        .space = arena_format(&arena, "openrisk:%s:%s", build_id(build), identity->epoch),
        .hash = hash_sealed,
        .hash_context = &server->second_key,
        .codec = answer_codec,
        .clock = clock,
        .value_max_bytes = CACHES_ENTRY_MAX_BYTES,
    };
    server->second = second_new(&second);
    cache_set_second(server->caches.responses, server->second);
    return OK;
}

static enum status start_caches(struct server *server, const struct clock *clock,
                                const struct register_identity *identity, struct err *err)
{
    const struct config *config = server->config;
    if (!config->cache_enabled)
        return OK;
    /* Whoever wants each answer to be verified wants none that is not. */
    bool strict = config->cache_consistency == CONSISTENCY_STRICT;
    caches_init(&server->caches, server->database, (size_t)config->cache_max_bytes,
                strict ? 0 : (unsigned)config->cache_db_grace);
    return start_second(server, clock, identity, err);
}

static void make_api(struct server *server, const struct clock *clock,
                     const struct register_identity *identity)
{
    const struct config *config = server->config;
    struct api_settings all = {
        .clock = clock,
        .pool = server->pool,
        .password_pool = server->password_pool,
        .watch = server->watch,
        .public_url = config->public_url,
        .trusted_proxies = config->trusted_proxies,
        .version = OPENRISK_VERSION,
        .ops_token = config->ops_token,
        .responses = server->caches.responses,
        .sessions = server->caches.sessions,
        .generations = server->caches.generations,
        .is_strict = config->cache_consistency == CONSISTENCY_STRICT,
        .second = server->second,
        .epoch = identity->epoch,
        .ttl_ms = {[TTL_RISKS] = (unsigned)config->cache_ttl_risks,
                   [TTL_STATS] = (unsigned)config->cache_ttl_stats,
                   [TTL_MATRIX] = (unsigned)config->cache_ttl_matrix,
                   [TTL_TRENDS] = (unsigned)config->cache_ttl_trends},
        .wait_timeout_ms = (unsigned)config->cache_wait_timeout,
        .import_max_bytes = (size_t)config->import_max_bytes,
        .acquire_timeout_ms = (unsigned)config->db_pool_acquire_timeout,
        .write_timeout_ms = (unsigned)config->db_write_timeout,
        .log_hit_sample = (unsigned)config->log_hit_sample,
        .login_burst = (unsigned)config->login_burst,
        .login_drain_ms = (unsigned)config->login_drain,
        .read_metrics = telemetry_read,
        .metrics_context = server,
        .hour = server->hour,
    };
    memcpy(all.token_key, identity->token_key, sizeof all.token_key);
    server->api = api_new(&all);
}

/** Say which setting an address that cannot be used came from. */
static enum status blame(const char *setting, enum status status, struct err *err)
{
    if (status != OK)
        snprintf(err->items[0].field, sizeof err->items[0].field, "%s", setting);
    return status;
}

static enum status listen_on(struct server *server, struct err *err)
{
    const struct config *config = server->config;
    struct http_settings public_settings = {
        .name = "api",
        .listen = config->listen,
        .loops = (unsigned)config->http_loops,
        .max_connections = (unsigned)config->http_max_connections,
        .idle_timeout_ms = (unsigned)config->http_idle_timeout,
        .request_timeout_ms = (unsigned)config->http_request_timeout,
        .reply_timeout_ms = (unsigned)config->http_reply_timeout,
        .max_body_bytes_in_flight = (size_t)config->http_body_budget,
    };
    struct http_settings ops_settings = public_settings;
    ops_settings.name = "ops";
    ops_settings.listen = config->ops_listen;
    ops_settings.loops = OPS_LOOPS;
    ops_settings.max_connections = OPS_CONNECTIONS;
    ops_settings.max_body_bytes_in_flight = OPS_BODY_BYTES;
    struct http_app public_app = api_public_app(server->api);
    struct http_app ops_app = api_ops_app(server->api);
    enum status status =
        http_server_start(&public_settings, &public_app, &server->public_server, err);
    if (status != OK)
        return blame("OPENRISK_LISTEN", status, err);
    status = http_server_start(&ops_settings, &ops_app, &server->ops_server, err);
    return blame("OPENRISK_OPS_LISTEN", status, err);
}

/** Whoever waits for a connection need not wait for the pools' next try to open one. */
static void try_again(void *context)
{
    struct server *server = context;
    pool_retry(server->pool);
    pool_retry(server->password_pool);
}

static struct metrics_reading *read_metrics(const void *api)
{
    return api_read_metrics(api);
}

enum status server_start(struct server *server, const struct config *config,
                         struct database *database, const struct clock *clock,
                         const struct register_identity *identity, struct err *err)
{
    server->config = config;
    server->database = database;
    enum status status = start_caches(server, clock, identity, err);
    if (status == OK)
        status = start_pools(server, err);
    if (status == OK)
        status =
            caches_watch(&server->caches, database, clock, try_again, server, &server->watch, err);
    if (status != OK)
        return status;
    server->hour = hour_new(clock);
    make_api(server, clock, identity);
    status = listen_on(server, err);
    return status == OK ? hour_start(server->hour, read_metrics, server->api, err) : status;
}

/** Redis first: whoever waits for it goes on to the workers. */
static void stop_workers(struct server *server)
{
    redis_end(server->redis);
    watch_stop(server->watch);
    pool_free(server->password_pool);
    pool_free(server->pool);
    server->watch = NULL;
    server->password_pool = server->pool = NULL;
}

/**
 * /readyz says no, so that a load balancer sends nothing new; the API's listener finishes what
 * runs. Who waits for a connection has half of the time for it; what runs on one has nearly all,
 * so that there is some left to say that the database did not answer. Then the ops listener, so
 * that the state could be watched to the end; then the workers, which have nothing left to do.
 */
void server_drain(struct server *server, int64_t deadline_ms)
{
    int64_t now_ms = clock_monotonic_ms(), left_ms = deadline_ms - now_ms;
    api_set_draining(server->api);
    pool_hurry(server->pool, now_ms + left_ms / 2);
    pool_hurry(server->password_pool, now_ms + left_ms / 2);
    database_hurry(server->database, deadline_ms - left_ms / 10);
    http_server_drain(server->public_server, deadline_ms);
    http_server_drain(server->ops_server, deadline_ms);
    hour_stop(server->hour); /* it asks all of them */
    stop_workers(server);
}

void server_release(struct server *server)
{
    http_server_free(server->public_server);
    http_server_free(server->ops_server);
    if (server->hour)
        hour_stop(server->hour);
    stop_workers(server);
    redis_stop(server->redis);
    second_free(server->second);
    api_free(server->api);
    hour_free(server->hour);
    caches_release(&server->caches);
}
