#include "app/settings.h"

#include <string.h>
#include <unistd.h>

#include "app/config.h"
#include "app/units.h"
#include "base/log.h"
#include "base/mem.h"
#include "cache/redis_url.h"
#include "domain/account.h"

/* By what they mean. */
static const char *const flag_names[] = {"false", "true", NULL};
static const char *const consistency_names[] = {"bounded", "strict", NULL};
const char *const app_env_names[] = {"development", "staging", "production", NULL};

static int64_t processors(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? count : 1;
}

static int64_t default_loops(const struct config *config)
{
    (void)config;
    return processors() < 4 ? processors() : 4;
}

/* The pool's defaults by APP_ENV. */
static const struct {
    int64_t max, max_idle, lifetime, idle_time;
} pool_profiles[APP_ENVS] = {
    [ENV_DEVELOPMENT] = {10, 2, 10 * MINUTE, 2 * MINUTE},
    [ENV_STAGING] = {50, 10, 30 * MINUTE, 5 * MINUTE},
    [ENV_PRODUCTION] = {100, 25, HOUR, 10 * MINUTE},
};

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool is_sqlite(const struct config *config)
{
    const char *url = config->database_url; /* NULL if it is refused anyway */
    return url && strncmp(url, "sqlite:", 7) == 0;
}

/** SQLite works in this process: with more readers than processors they only wait for these. */
static int64_t default_pool_max(const struct config *config)
{
    int64_t profile = pool_profiles[config->app_env].max;
    return is_sqlite(config) ? smaller(2 * processors(), profile) : profile;
}

static int64_t default_pool_max_idle(const struct config *config)
{
    return smaller(pool_profiles[config->app_env].max_idle, config->db_pool_max);
}

static int64_t default_pool_lifetime(const struct config *config)
{
    return pool_profiles[config->app_env].lifetime;
}

static int64_t default_pool_idle_time(const struct config *config)
{
    return smaller(pool_profiles[config->app_env].idle_time, config->db_pool_lifetime);
}

/** With SQLite the processors say how many connections there are, but not how many clients. */
static int64_t default_pool_max_waiting(const struct config *config)
{
    return 4 * (is_sqlite(config) ? pool_profiles[config->app_env].max : config->db_pool_max);
}

/* Without REDIS_HOST these are not set, so that what `openrisk config` prints can be read again. */
static int64_t default_redis_port(const struct config *config)
{
    return config->redis_host ? REDIS_DEFAULT_PORT : -1;
}

static int64_t default_redis_db(const struct config *config)
{
    return config->redis_host ? 0 : -1;
}

#define AT(member) offsetof(struct config, member)
const struct setting settings[] = {
    {"APP_ENV",
     SETTING_CHOICE,
     AT(app_env),
     {"development"},
     .names = app_env_names,
     .about = "The profile that the other defaults follow."},
    {"PORT",
     SETTING_COUNT,
     AT(port),
     {NULL},
     .max = 65535,
     .about = "Short for OPENRISK_LISTEN=127.0.0.1:PORT."},
    {"OPENRISK_LISTEN",
     SETTING_ADDRESS,
     AT(listen),
     {"127.0.0.1:8080"},
     .about = "Where the API is served; port 0 asks for a free one."},
    {"OPENRISK_OPS_LISTEN",
     SETTING_ADDRESS,
     AT(ops_listen),
     {"127.0.0.1:2112"},
     .about = "Where /livez and /readyz are served; port 0 asks for a free one."},
    {"OPENRISK_OPS_TOKEN",
     SETTING_TEXT,
     AT(ops_token),
     {NULL},
     .min = 16,
     .max = 256,
     .secret = true,
     .about = "If set, the ops listener wants it as Authorization: Bearer."},
    {"OPENRISK_PUBLIC_URL",
     SETTING_URL,
     AT(public_url),
     {NULL},
     .max = 2000,
     .about = "How browsers reach the API; with https, cookies are sent over TLS only."},
    {"OPENRISK_TRUSTED_PROXIES",
     SETTING_NETWORKS,
     AT(trusted_proxies),
     {NULL},
     .max = 4000,
     .about = "Peers whose X-Forwarded-For is believed."},
    {"DATABASE_URL",
     SETTING_DATABASE,
     AT(database_url),
     {"sqlite:openrisk-data/openrisk.db"},
     .max = 4000,
     .about = "Where the data is; the folder and the file are made if need be."},
    {"INITIAL_ADMIN_EMAIL",
     SETTING_EMAIL,
     AT(initial_admin_email),
     {"admin@localhost"},
     .about = "The first administrator, made when there is no user yet."},
    {"INITIAL_ADMIN_PASSWORD",
     SETTING_TEXT,
     AT(initial_admin_password),
     {NULL},
     .min = PASSWORD_MIN,
     .max = PASSWORD_MAX,
     .secret = true,
     .about = "Their password; if not set, a random one is printed once."},
    {"LOG_LEVEL",
     SETTING_CHOICE,
     AT(log_level),
     {"info"},
     .names = log_level_names,
     .about = "What serve logs: events of this level and above."},
    {"LOG_FORMAT",
     SETTING_CHOICE,
     AT(log_format),
     {"logfmt"},
     .names = log_format_names,
     .about = "How: logfmt, or json, one object per line."},
    {"LOG_HIT_SAMPLE",
     SETTING_COUNT,
     AT(log_hit_sample),
     {"100"},
     .max = 1000000000,
     .about =
         "Of the requests that the cache answers, one in so many is logged; 1: all; 0: none."},
    {"LOG_SLOW_MS",
     SETTING_COUNT,
     AT(log_slow_ms),
     {"500"},
     .max = DAY,
     .about = "A statement of the database that takes longer, in milliseconds, is logged with its "
              "name; 0: none."},
    {"HTTP_LOOPS", SETTING_COUNT, AT(http_loops), .compute = default_loops,
     .computed = "processors, at most 4", .min = 1, .max = 64,
     .about = "Threads that serve connections."},
    {"HTTP_MAX_CONNECTIONS",
     SETTING_COUNT,
     AT(http_max_connections),
     {"1024"},
     .min = 8,
     .max = 100000,
     .about = "Connections to the API at one time."},
    {"HTTP_IDLE_TIMEOUT",
     SETTING_DURATION,
     AT(http_idle_timeout),
     {"60s"},
     .min = SECOND,
     .max = HOUR,
     .about = "How long a connection may wait between requests."},
    {"HTTP_REQUEST_TIMEOUT",
     SETTING_DURATION,
     AT(http_request_timeout),
     {"30s"},
     .min = 100,
     .max = HOUR,
     .about = "From a request's first line to the last byte of its body."},
    {"HTTP_REPLY_TIMEOUT",
     SETTING_DURATION,
     AT(http_reply_timeout),
     {"60s"},
     .min = 100,
     .max = HOUR,
     .about = "From an answer to the client's taking its last byte."},
    {"HTTP_BODY_BUDGET",
     SETTING_SIZE,
     AT(http_body_budget),
     {"64MiB"},
     .min = MIB,
     .max = 64 * GIB,
     .about = "Memory for the bodies of all requests together; beyond it they get 503."},
    {"IMPORT_MAX_BYTES",
     SETTING_SIZE,
     AT(import_max_bytes),
     {"32MiB"},
     .min = KIB,
     .max = 4 * GIB,
     .about = "The largest body of POST /import/risks; at most HTTP_BODY_BUDGET."},
    {"OPENRISK_NODES",
     SETTING_COUNT,
     AT(nodes),
     {"1"},
     .min = 1,
     .max = 1000,
     .about = "How many servers share the database; for the warning at the start when their "
              "DB_POOL_MAX together come near what the database allows."},
    {"DB_POOL_MAX", SETTING_COUNT, AT(db_pool_max), .compute = default_pool_max,
     .computed = "10 (staging 50, production 100); with SQLite at most 2 x processors", .min = 1,
     .max = 1000, .about = "Database connections for requests; one more hashes passwords."},
    {"DB_POOL_MAX_IDLE", SETTING_COUNT, AT(db_pool_max_idle), .compute = default_pool_max_idle,
     .computed = "2 (staging 10, production 25), at most DB_POOL_MAX", .min = 0, .max = 1000,
     .about = "Idle connections that are kept; further ones are closed after a second."},
    {"DB_POOL_LIFETIME", SETTING_DURATION, AT(db_pool_lifetime), .compute = default_pool_lifetime,
     .computed = "10m (staging 30m, production 1h)", .min = SECOND, .max = 7 * DAY,
     .about = "A connection is closed after this, less up to a tenth at random."},
    {"DB_POOL_IDLE_TIME", SETTING_DURATION, AT(db_pool_idle_time),
     .compute = default_pool_idle_time,
     .computed = "2m (staging 5m, production 10m), at most DB_POOL_LIFETIME", .min = SECOND,
     .max = 7 * DAY, .about = "A connection that has been idle for this is closed."},
    {"DB_POOL_MAX_WAITING", SETTING_COUNT, AT(db_pool_max_waiting),
     .compute = default_pool_max_waiting,
     .computed = "4 x DB_POOL_MAX; with SQLite 40 (staging 200, production 400)", .min = 0,
     .max = 100000,
     .about = "Requests that may wait for a connection; further ones get 503 at once."},
    {"DB_POOL_ACQUIRE_TIMEOUT",
     SETTING_DURATION,
     AT(db_pool_acquire_timeout),
     {"5s", "2s", "1s"},
     .min = 10,
     .max = 10 * MINUTE,
     .about = "How long they may wait."},
    {"DB_POOL_LEAK_WARNING",
     SETTING_DURATION,
     AT(db_pool_leak_warning),
     {"5s", "10s", "10s"},
     .min = 10,
     .max = DAY,
     .about = "A request that holds its connection for longer is logged and counted."},
    {"DB_CONNECT_TIMEOUT",
     SETTING_DURATION,
     AT(db_connect_timeout),
     {"5s", "2s", "1s"},
     .min = 100,
     .max = 10 * MINUTE,
     .about = "How long opening a connection may take. Not for SQLite."},
    {"DB_STATEMENT_TIMEOUT",
     SETTING_DURATION,
     AT(db_statement_timeout),
     {"30s", "10s", "5s"},
     .min = 100,
     .max = DAY,
     .about = "How long one statement of a request may take. Not for SQLite."},
    {"DB_WRITE_TIMEOUT",
     SETTING_DURATION,
     AT(db_write_timeout),
     {"5s"},
     .min = 10,
     .max = 10 * MINUTE,
     .about = "How long a write may wait for other writers."},
    {"CACHE_ENABLED",
     SETTING_CHOICE,
     AT(cache_enabled),
     {"true"},
     .names = flag_names,
     .about = "Keep answers and sessions in memory."},
    {"CACHE_MAX_BYTES",
     SETTING_SIZE,
     AT(cache_max_bytes),
     {"16MiB", "64MiB", "256MiB"},
     .min = MIB,
     .max = 64 * GIB,
     .about = "Memory for cached answers, every byte counted."},
    {"CACHE_TTL_RISKS",
     SETTING_DURATION,
     AT(cache_ttl_risks),
     {"30s", "120s", "300s"},
     .min = SECOND,
     .max = DAY,
     .about =
         "How long answers about risks, mitigations and assets are kept at most, give or take a "
         "tenth; a write outdates them at once."},
    {"CACHE_TTL_STATS",
     SETTING_DURATION,
     AT(cache_ttl_stats),
     {"30s", "120s", "600s"},
     .min = SECOND,
     .max = DAY,
     .about = "The same for key figures, distribution, mitigation metrics and top risks."},
    {"CACHE_TTL_MATRIX",
     SETTING_DURATION,
     AT(cache_ttl_matrix),
     {"30s", "120s", "600s"},
     .min = SECOND,
     .max = DAY,
     .about = "The same for the risk matrix."},
    {"CACHE_TTL_TRENDS",
     SETTING_DURATION,
     AT(cache_ttl_trends),
     {"30s", "120s", "600s"},
     .min = SECOND,
     .max = DAY,
     .about = "The same for the trends."},
    {"CACHE_WAIT_TIMEOUT",
     SETTING_DURATION,
     AT(cache_wait_timeout),
     {"5s"},
     .min = 100,
     .max = 10 * MINUTE,
     .about = "How long a request may wait for an answer that another one is loading; then 503."},
    {"CACHE_DB_GRACE",
     SETTING_DURATION,
     AT(cache_db_grace),
     {"30s"},
     .max = HOUR,
     .about = "While the database is away, how long what is in the cache is still given, marked as "
              "unverified; 0: not at all."},
    {"CACHE_CONSISTENCY",
     SETTING_CHOICE,
     AT(cache_consistency),
     {"bounded"},
     .names = consistency_names,
     .about = "With several servers: bounded: what another one has written is seen within a "
              "second; strict: every answer is checked against the database first."},
    {"REDIS_URL",
     SETTING_REDIS,
     AT(redis_url),
     {NULL},
     .max = 2000,
     .about = "The Redis in which servers share cached answers; or give REDIS_HOST and what goes "
              "with it. Printed without its password."},
    {"REDIS_HOST",
     SETTING_HOST,
     AT(redis_host),
     {NULL},
     .max = 253,
     .about = "Where Redis is, if REDIS_URL is not given."},
    {"REDIS_PORT", SETTING_COUNT, AT(redis_port), .compute = default_redis_port, .computed = "6379",
     .min = 1, .max = 65535, .about = "The port of REDIS_HOST."},
    {"REDIS_USERNAME",
     SETTING_TEXT,
     AT(redis_username),
     {NULL},
     .min = 1,
     .max = 256,
     .about = "Who signs in at REDIS_HOST; if not set, Redis's default user."},
    {"REDIS_PASSWORD",
     SETTING_TEXT,
     AT(redis_password),
     {NULL},
     .min = 1,
     .max = 512,
     .secret = true,
     .about = "Their password."},
    {"REDIS_DB", SETTING_COUNT, AT(redis_db), .compute = default_redis_db, .computed = "0",
     .min = 0, .max = REDIS_DATABASE_MAX, .about = "The number of the database at REDIS_HOST."},
    {"REDIS_TIMEOUT",
     SETTING_DURATION,
     AT(redis_timeout),
     {"50ms"},
     .min = 1,
     .max = 10 * SECOND,
     .about = "How long an answer of Redis is waited for."},
    {"LOGIN_BURST",
     SETTING_COUNT,
     AT(login_burst),
     {"10"},
     .min = 1,
     .max = 1000,
     .about = "Failed sign-ins in a row before 429: per account and address, and five times as "
              "many per address."},
    {"LOGIN_DRAIN",
     SETTING_DURATION,
     AT(login_drain),
     {"30s"},
     .min = 10,
     .max = DAY,
     .about = "After this time one failed sign-in is forgotten."},
    {"SHUTDOWN_TIMEOUT",
     SETTING_DURATION,
     AT(shutdown_timeout),
     {"10s"},
     .min = 100,
     .max = 10 * MINUTE,
     .about = "What a server that is told to stop has to finish its requests."},
    {"OPENRISK_CLOCK_OFFSET",
     SETTING_DURATION,
     AT(clock_offset),
     {"0"},
     .min = -3650 * DAY,
     .max = 3650 * DAY,
     .about = "Shifts the clock, for tests: -3d is three days ago."},
};
#undef AT
const size_t settings_count = COUNT_OF(settings);

const struct setting *setting_find(const char *name)
{
    for (size_t i = 0; i < settings_count; i++)
        if (strcmp(settings[i].name, name) == 0)
            return &settings[i];
    return NULL;
}

const char *setting_default(const struct setting *setting, enum app_env env)
{
    return setting->defaults[env] ? setting->defaults[env] : setting->defaults[0];
}
