/**
 * The configuration: where the values come from, and what they are.
 *
 * Later sources win: the built-in default, the default of the APP_ENV profile, the file of
 * `--config`, the environment, the command line. A value of no characters counts as not given.
 */
#ifndef OPENRISK_APP_CONFIG_H
#define OPENRISK_APP_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "app/settings.h"
#include "base/arena.h"
#include "base/status.h"
#include "cache/redis.h"

enum cache_consistency { CONSISTENCY_BOUNDED, CONSISTENCY_STRICT };

/** The values. Sizes in bytes, times in milliseconds. Texts may be NULL where that is said. */
struct config {
    int app_env;  /* enum app_env */
    int64_t port; /* −1: not set; else `listen` says it too */
    const char *listen;
    const char *ops_listen;
    const char *ops_token;       /* or NULL */
    const char *public_url;      /* or NULL */
    const char *trusted_proxies; /* or NULL */
    const char *database_url;
    const char *initial_admin_email;
    const char *initial_admin_password; /* or NULL */
    int log_level;                      /* enum log_level */
    int log_format;                     /* enum log_format */
    int64_t log_hit_sample;             /* 0: no hit is logged */
    int64_t log_slow_ms;                /* 0: no statement is */
    int64_t http_loops;
    int64_t http_max_connections;
    int64_t http_idle_timeout;
    int64_t http_request_timeout;
    int64_t http_reply_timeout;
    int64_t http_body_budget;
    int64_t import_max_bytes;
    int64_t nodes;
    int64_t db_pool_max;
    int64_t db_pool_max_idle;
    int64_t db_pool_lifetime;
    int64_t db_pool_idle_time;
    int64_t db_pool_max_waiting;
    int64_t db_pool_acquire_timeout;
    int64_t db_pool_leak_warning;
    int64_t db_connect_timeout;
    int64_t db_statement_timeout;
    int64_t db_write_timeout;
    int cache_enabled; /* 0 or 1 */
    int64_t cache_max_bytes;
    int64_t cache_ttl_risks;
    int64_t cache_ttl_stats;
    int64_t cache_ttl_matrix;
    int64_t cache_ttl_trends;
    int64_t cache_wait_timeout;
    int64_t cache_db_grace; /* 0: none */
    int cache_consistency;  /* enum cache_consistency */
    const char *redis_url;  /* or NULL; for what follows, see config_redis() */
    const char *redis_host; /* or NULL */
    int64_t redis_port;
    const char *redis_username; /* or NULL */
    const char *redis_password; /* or NULL */
    int64_t redis_db;
    int64_t redis_timeout;
    int64_t login_burst;
    int64_t login_drain;
    int64_t shutdown_timeout;
    int64_t clock_offset;
};

struct config_sources {
    const char *file;         /* or NULL */
    char *const *environment; /* "NAME=value", NULL-terminated */
    const char *database_url; /* of --database, or NULL */
};

struct loaded_config {
    struct config values;
    const char **origins; /* per setting: "default", "environment", "risk.conf line 3" */
    struct arena arena;   /* of all texts */
};

/**
 * Read and check everything. INVALID, with an item for each wrong value, up to the error's
 * capacity. `ret_config` must be released also after a failure.
 */
enum status config_load(const struct config_sources *sources, struct loaded_config *ret_config,
                        struct err *err) MUST_CHECK;
void config_release(struct loaded_config *config);

/**
 * Where Redis is, by REDIS_URL or REDIS_HOST and the others of a configuration that was loaded;
 * texts go to `arena` or are those of `config`. False if there is no Redis.
 */
bool config_redis(const struct config *config, struct arena *arena,
                  struct redis_address *ret_address);

/** Each setting, its value and its origin, aligned. */
void config_print(const struct loaded_config *config, FILE *out);
/** Each setting, its default and its text, for --help. */
void config_print_help(FILE *out);
/** docs/configuration.md */
void config_print_markdown(FILE *out);

#endif
