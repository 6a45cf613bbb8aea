/**
 * The caches of a server, and what ties them to its database: composed in one place.
 *
 * Once they are made, every transaction of the database raises K before anyone is told of what it
 * read or wrote (store/db.h, cache/generations.h).
 */
#ifndef OPENRISK_APP_CACHES_H
#define OPENRISK_APP_CACHES_H

#include "cache/cache.h"
#include "store/db.h"

struct caches {
    struct generations *generations; /* NULL, and so the next two: nothing is cached */
    struct cache *responses;
    struct cache *sessions;
    struct db_watcher watcher;
};

/**
 * Of a migrated database that no other thread uses yet. `caches` must outlive its connections, and
 * stay where it is.
 */
void caches_init(struct caches *caches, struct database *database, size_t max_bytes);
/** After the last one is closed. Zeroed is allowed. */
void caches_release(struct caches *caches);

#endif
