/**
 * Reading: from a question to its answer, by the cache or by a load.
 *
 *   event loop   reading_begin    a hit is answered at once: no worker, no database
 *                reading_enter    somebody loads it already: wait; else lead, in the pool's line
 *   worker       reading_run      load it in a snapshot, keep it, answer all who wait
 *
 * If the event loop does not know who asks (the first request with a token, or after a change of
 * accounts), one request leads in finding that out, too, and all who bring that token wait for it.
 * So the line before the workers holds one request per question, not one per client.
 */
#ifndef OPENRISK_API_READING_H
#define OPENRISK_API_READING_H

#include "api/internal.h"

/** In `begin`: is this target known already? Then route and question are. */
bool reading_recall(struct passage *passage);
/** In `begin`, when route and token are known: true if it was answered. */
bool reading_begin(struct passage *passage);
/**
 * In `handle`, suspended: true if somebody else will answer it, or it was answered. False if it
 * needs a worker.
 */
bool reading_enter(struct passage *passage);
/** On a worker. `status` and `why` are the pool's. */
void reading_run(struct passage *passage, struct db *db, enum status status, const struct err *why);

#endif
