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
#include "store/watch.h"

/**
 * What was written elsewhere is seen within CACHES_BOUND_MS. So K is fresh for that long, less what
 * the coarse clock that hits go by may be behind. The database is looked at each CACHES_LOOK_MS,
 * and a look has CACHES_LOOK_LIMIT_MS: so one that does not answer is known to be away before K is
 * doubtful.
 */
enum { CACHES_BOUND_MS = 1000, COARSE_CLOCK_MS = 20 };
enum {
    CACHES_LOOK_MS = 200,
    CACHES_LOOK_LIMIT_MS = 700,
    CACHES_FRESH_MS = CACHES_BOUND_MS - COARSE_CLOCK_MS
};

enum { CACHES_ENTRY_MAX_BYTES = 1 << 20 };

struct caches {
    struct generations *generations; /* NULL, and so the next two: nothing is cached */
    struct cache *responses;
    struct cache *sessions;
    struct db_watcher watcher;
};

/**
 * Of a migrated database that no other thread uses yet. `caches` must outlive its connections, and
 * stay where it is. For `grace_ms` after the database was last there, see cache/generations.h.
 */
void caches_init(struct caches *caches, struct database *database, size_t max_bytes,
                 unsigned grace_ms);
/**
 * Start the watch of the database, which tells K what other processes write and whether the
 * database is away, and ends the wait of requests whose deadline has passed. For zeroed caches it
 * only watches. `back` hears when the database is there again; see store/watch.h.
 */
enum status caches_watch(struct caches *caches, struct database *database,
                         const struct clock *clock, void (*back)(void *context), void *back_context,
                         struct watch **ret_watch, struct err *err) MUST_CHECK;
/** After the last one is closed. Zeroed is allowed. */
void caches_release(struct caches *caches);

#endif
