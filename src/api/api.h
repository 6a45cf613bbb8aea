/**
 * The API: what OpenRisk answers over HTTP. Built by the composition root, served by http/.
 */
#ifndef OPENRISK_API_API_H
#define OPENRISK_API_API_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/token.h"
#include "base/clock.h"
#include "cache/cache.h"
#include "cache/second.h"
#include "http/http.h"
#include "metrics/metrics.h"
#include "store/pool.h"
#include "store/watch.h"

struct api;

/** How long an answer is kept at most, by setting: CACHE_TTL_RISKS, … */
enum ttl { TTL_RISKS, TTL_STATS, TTL_MATRIX, TTL_TRENDS };
enum { TTLS = 4 };

struct api_settings {
    const struct clock *clock;
    struct pool *pool;          /* for all routes … */
    struct pool *password_pool; /* … but those that hash a password: one worker, a line of 16 */
    struct watch *watch;        /* of the database, for /health and /readyz */
    uint8_t token_key[TOKEN_KEY_BYTES];
    const char *public_url;      /* "https://risk.example.org" or NULL: from the Host header */
    const char *trusted_proxies; /* or NULL */
    const char *version;
    const char *ops_token; /* or NULL: no token needed on the ops listener */
    size_t import_max_bytes;
    struct cache *responses; /* answers; NULL: nothing is cached, and then … */
    struct cache *sessions;  /* … these are NULL too */
    struct generations *generations;
    bool is_strict;              /* each request needs a look at the generations of its own time */
    struct second_level *second; /* of `responses`; or NULL */
    const char *epoch;           /* of the database */
    unsigned ttl_ms[TTLS];
    unsigned wait_timeout_ms;    /* waiting for somebody else's load */
    unsigned acquire_timeout_ms; /* waiting for a worker */
    unsigned write_timeout_ms;   /* waiting for other writers */
    unsigned log_hit_sample;     /* one hit in so many is logged; 0: none */
    unsigned login_burst;        /* failed sign-ins per account and address before 429 */
    unsigned login_drain_ms;
    /** Put what is asked for into a reading. Any thread. */
    void (*read_metrics)(void *context, struct metrics_reading *reading);
    void *metrics_context;
    struct hour *hour; /* the last one; see hour.h */
};

/** Texts are borrowed and must outlive the API. */
struct api *api_new(const struct api_settings *settings);
void api_free(struct api *api); /* NULL allowed */

/** For the public listener and for the ops listener (/livez, /readyz). */
struct http_app api_public_app(struct api *api);
struct http_app api_ops_app(struct api *api);

/** Is there a web interface, at "/"? */
bool api_has_pages(const struct api *api);

/** The start is over: from now on /readyz may answer 200. Thread-safe. */
void api_set_ready(struct api *api);
/** From now on /readyz answers 503: the server is going down. Thread-safe. */
void api_set_draining(struct api *api);

/**
 * Fill the cache with what the first screen asks for: each cacheable list and figure without
 * parameters. `ret_count`: how many. Before the server is ready; nothing without a cache.
 */
enum status api_warm(struct api *api, struct db *db, unsigned *ret_count,
                     struct err *err) MUST_CHECK;

/** A reading of all metrics, those that are asked for too. Any thread. */
struct metrics_reading *api_read_metrics(const struct api *api);

/** The OpenAPI document, to be freed; made from the route and field tables. */
char *api_openapi(const char *version);

#endif
