/**
 * The keeper: a thread that keeps the cache honest while nothing else happens.
 *
 * Every KEEPER_POLL_MS it reads the generations on a connection of its own, so that what another
 * process writes to the database is seen, and ends the wait of requests whose deadline has passed.
 * While it cannot read, K becomes doubtful after KEEPER_FRESH_MS, and each answer is checked
 * against the database before it is given away.
 */
#ifndef OPENRISK_APP_KEEPER_H
#define OPENRISK_APP_KEEPER_H

#include "cache/cache.h"
#include "store/db.h"

enum { KEEPER_POLL_MS = 200, KEEPER_FRESH_MS = 1000 };

struct keeper;

/**
 * Of a database that is watched (database_watch()). Reads once before it returns. Both are
 * borrowed. UNAVAILABLE if there is no thread.
 */
enum status keeper_start(struct database *database, struct cache *cache, struct keeper **ret_keeper,
                         struct err *err) MUST_CHECK;
/** Waits for the thread. NULL allowed. */
void keeper_stop(struct keeper *keeper);

#endif
