/**
 * A server: workers, the API and its two listeners over a database, with a cache or without.
 *
 * A process has one. A test has two over one database, to compare them.
 */
#ifndef OPENRISK_APP_SERVER_H
#define OPENRISK_APP_SERVER_H

#include "api/api.h"
#include "app/caches.h"
#include "app/config.h"
#include "auth/seal.h"
#include "base/mem.h"
#include "http/http.h"
#include "service/account_service.h"
#include "store/pool.h"
#include "store/watch.h"

/** Connections beside DB_POOL_MAX: for passwords, the watch, and the start. */
enum { SERVER_OTHER_CONNECTIONS = 3 };

struct server {
    const struct config *config;
    struct database *database;
    struct caches caches; /* zeroed: nothing is cached */
    struct redis *redis;  /* and its use as the second level; NULL: none is configured */
    struct second_level *second;
    struct seal_key second_key;
    struct watch *watch;
    struct pool *pool;
    struct pool *password_pool;
    struct hour *hour;
    struct api *api;
    struct http_server *public_server;
    struct http_server *ops_server;
};

/**
 * Start a zeroed one, which must be released also after a failure and stays where it is. The
 * database is migrated, and no other thread uses it yet; password_init() was called. All is
 * borrowed. INVALID, naming the setting, for an address that cannot be used.
 */
enum status server_start(struct server *server, const struct config *config,
                         struct database *database, const struct clock *clock,
                         const struct register_identity *identity, struct err *err) MUST_CHECK;
/** Not ready any more; finish what runs until `deadline_ms` (monotonic), then stop. */
void server_drain(struct server *server, int64_t deadline_ms);
/** When its database has no connection but its own. Zeroed is allowed. */
void server_release(struct server *server);
#define AUTO_SERVER CLEANUP(server_release)

#endif
