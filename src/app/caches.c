#include "app/caches.h"

#include <string.h>

#include "api/count.h"
#include "base/clock.h"

/* A session takes a few hundred bytes. */
enum { SESSIONS_BYTES = 1 << 20, SHARDS_MAX = 16 };

_Static_assert(CACHES_LOOK_MS + CACHES_LOOK_LIMIT_MS < CACHES_FRESH_MS, "away before doubtful");
_Static_assert((int)SCOPES <= (int)CACHE_SCOPES_MAX, "a vector has a place for each scope");

static struct db_look look(void *context)
{
    struct cache_look now = generations_look(context);
    struct db_look before = {.doubts = now.doubts, .began_ms = now.began_ms};
    memcpy(before.known, now.known.of, sizeof before.known);
    return before;
}

static struct cache_look look_of(struct db_look before)
{
    return (struct cache_look){.doubts = before.doubts,
                               .began_ms = before.began_ms,
                               .known = cache_vector_of(before.known, SCOPES)};
}

static void seen(void *context, struct db_look before, const int64_t generations[SCOPES])
{
    struct cache_vector vector = cache_vector_of(generations, SCOPES);
    generations_seen(context, look_of(before), &vector);
}

static void failed(void *context, struct db_look before)
{
    generations_failed(context, look_of(before));
}

static void committed(void *context, unsigned scopes, const int64_t generations[SCOPES])
{
    struct cache_vector vector = cache_vector_of(generations, SCOPES);
    generations_raise(context, scopes, &vector);
}

static void doubtful(void *context)
{
    generations_doubt(context);
}

void caches_init(struct caches *caches, struct database *database, size_t max_bytes,
                 unsigned grace_ms)
{
    struct cache_settings responses = {.max_bytes = max_bytes,
                                       .entry_max_bytes = CACHES_ENTRY_MAX_BYTES,
                                       .shards_max = SHARDS_MAX,
                                       .label = COUNT_RESPONSES};
    struct cache_settings sessions = {.max_bytes = SESSIONS_BYTES,
                                      .entry_max_bytes = SESSIONS_BYTES,
                                      .shards_max = SHARDS_MAX,
                                      .label = COUNT_SESSIONS};
    caches->generations = generations_new(CACHES_FRESH_MS, grace_ms);
    caches->responses = cache_new(&responses, caches->generations);
    caches->sessions = cache_new(&sessions, caches->generations);
    caches->watcher = (struct db_watcher){.context = caches->generations,
                                          .look = look,
                                          .seen = seen,
                                          .committed = committed,
                                          .doubtful = doubtful,
                                          .failed = failed};
    database_watch(database, &caches->watcher);
}

static void tick(void *context)
{
    struct caches *caches = context;
    int64_t now_ms = clock_monotonic_ms();
    cache_tick(caches->responses, now_ms);
    cache_tick(caches->sessions, now_ms);
}

enum status caches_watch(struct caches *caches, struct database *database,
                         const struct clock *clock, void (*back)(void *context), void *back_context,
                         struct watch **ret_watch, struct err *err)
{
    struct watch_settings settings = {.clock = clock,
                                      .interval_ms = CACHES_LOOK_MS,
                                      .limit_ms = CACHES_LOOK_LIMIT_MS,
                                      .back = back,
                                      .back_context = back_context};
    if (caches->generations) {
        settings.tick = tick;
        settings.context = caches;
    }
    return watch_start(database, &settings, ret_watch, err);
}

void caches_release(struct caches *caches)
{
    cache_free(caches->responses);
    cache_free(caches->sessions);
    generations_free(caches->generations);
}
