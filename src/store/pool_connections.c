/*
 * The pool's connections: a stack of idle ones, and what happens to one from open to close.
 *
 * The last used one is taken first, so that those which a quiet hour does not need stay at the
 * bottom, grow old there and are closed; taken in turn, all would be kept warm for ever.
 *
 * Before use a connection is looked at if it may have died unseen: its socket after a second of
 * idleness, its other side (a round trip) after half a minute, since firewalls forget connections
 * without closing them. And when one is found dead, those that were last known to be alive before
 * that are looked at too: a restarted server has closed them all. Asking before each use instead
 * would cost a round trip per request.
 *
 * While the database is away. A failed try to open holds further ones back, for 100 ms, doubling to
 * 2 s, with jitter, so that several servers do not knock in step; then one worker tries, and the
 * others wait for what it finds. Only tries to open are held back: connections that exist are used
 * on, for "too many connections" is no reason to stop those that are open.
 */
#include "store/pool_internal.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

/** A number from 0 to `below` - 1; `below` > 0. Need not be hard to guess (xorshift64). */
static int64_t random_below(struct pool *pool, int64_t below)
{
    uint64_t x = pool->jitter;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    pool->jitter = x;
    return (int64_t)(x >> 1) % below;
}

/* The stack */

void pool_idle_remove(struct pool *pool, struct connection *connection)
{
    struct idle_stack *idle = &pool->idle;
    *(connection->above ? &connection->above->below : &idle->top) = connection->below;
    *(connection->below ? &connection->below->above : &idle->bottom) = connection->above;
    idle->count--;
}

void pool_connection_give(struct pool *pool, struct connection *connection, int64_t now_ms)
{
    struct idle_stack *idle = &pool->idle;
    connection->idle_since_ms = now_ms;
    connection->above = NULL;
    connection->below = idle->top;
    *(idle->top ? &idle->top->above : &idle->bottom) = connection;
    idle->top = connection;
    idle->count++;
    const struct pool_settings *settings = &pool->settings;
    pool_watch_by(pool, connection->expires_ms);
    pool_watch_by(pool, now_ms + (idle->count > settings->max_idle ? settings->surplus_time_ms
                                                                   : settings->idle_time_ms));
}

/* Opening */

bool pool_is_lost(const struct pool *pool)
{
    return pool->outage.is_on && pool->open + pool->opening == 0 && !pool->stopping;
}

bool pool_may_open(const struct pool *pool, int64_t now_ms)
{
    const struct outage *outage = &pool->outage;
    if (pool->open + pool->opening >= pool->settings.max_open)
        return false;
    return !outage->is_on || (!outage->is_probing && now_ms >= outage->next_probe_ms);
}

void pool_retry(struct pool *pool)
{
    struct outage *outage = &pool->outage;
    pthread_mutex_lock(&pool->lock);
    if (outage->is_on) {
        int64_t now_ms = clock_monotonic_ms();
        outage->next_probe_ms = now_ms;
        outage->backoff_ms =
            pool->settings.retry_first_ms / 2; /* a try under way may be too early */
        pool_call_workers(pool, now_ms);
    }
    pthread_mutex_unlock(&pool->lock);
}

/** A try has failed. Returns whether that is news. */
static bool note_failure(struct pool *pool, bool was_probe, int64_t now_ms)
{
    struct outage *outage = &pool->outage;
    bool is_news = !outage->is_on;
    pool->counters.open_failures++;
    if (pool->stopping)
        pool_watch_by(pool, 0);
    if (!is_news && !was_probe)
        return false; /* it began before the one that failed first had ended */
    const struct pool_settings *settings = &pool->settings;
    int64_t backoff_ms = is_news ? settings->retry_first_ms : 2 * outage->backoff_ms;
    if (backoff_ms > settings->retry_last_ms)
        backoff_ms = settings->retry_last_ms;
    if (is_news)
        outage->since_ms = now_ms;
    outage->is_on = true;
    outage->backoff_ms = backoff_ms;
    outage->next_probe_ms = now_ms + backoff_ms - random_below(pool, backoff_ms / 5 + 1);
    pool_watch_by(pool, outage->next_probe_ms);
    return is_news;
}

static void log_failure(const struct pool *pool, const struct err *err)
{
    char text[ERR_FIELD_SIZE + ERR_MESSAGE_SIZE];
    log_event(LOG_WARN, "pool_cannot_open", LOG_TEXT("pool", pool->settings.name),
              LOG_TEXT("error", err_text(err, text, sizeof text)));
}

/** Lets go of the lock. */
static struct connection *open_one(struct pool *pool)
{
    struct outage *outage = &pool->outage;
    bool is_probe = outage->is_on;
    uint64_t breaks = pool->breaks;
    struct db *db = NULL;
    struct err err;
    err_init(&err);
    pool->opening++;
    if (is_probe)
        outage->is_probing = true;
    pthread_mutex_unlock(&pool->lock);

    enum status status = db_open(pool->database, &db, &err);

    pthread_mutex_lock(&pool->lock);
    int64_t now_ms = clock_monotonic_ms();
    pool->opening--;
    if (is_probe)
        outage->is_probing = false;
    if (status != OK) {
        if (note_failure(pool, is_probe, now_ms)) {
            pthread_mutex_unlock(&pool->lock);
            log_failure(pool, &err);
            pthread_mutex_lock(&pool->lock);
        }
        return NULL;
    }
    pool->open++;
    pool->counters.opened++;
    struct connection *connection = mem_zalloc(1, sizeof *connection);
    int64_t lifetime_ms = pool->settings.lifetime_ms;
    connection->db = db;
    connection->breaks = breaks;
    connection->expires_ms = now_ms + lifetime_ms - random_below(pool, lifetime_ms / 10 + 1);
    if (outage->is_on) {
        int64_t away_ms = now_ms - outage->since_ms;
        outage->is_on = false;
        pool_call_workers(pool, now_ms);
        pthread_mutex_unlock(&pool->lock);
        log_event(LOG_INFO, "pool_opens_again", LOG_TEXT("pool", pool->settings.name),
                  LOG_INT("after_ms", away_ms));
        pthread_mutex_lock(&pool->lock);
    }
    return connection;
}

/* Closing */

void pool_connection_close(struct pool *pool, struct connection *connection,
                           enum pool_closed reason)
{
    pthread_mutex_unlock(&pool->lock);
    db_close(connection->db);
    free(connection);
    pthread_mutex_lock(&pool->lock);
    pool->open--; /* only now: the database has counted it until it was closed */
    pool->counters.closed[reason]++;
    if (pool->stopping)
        pool_watch_by(pool, 0);
    pool_call_workers(pool, clock_monotonic_ms());
}

/* Checking */

/** Ask it if it may have died unseen. Lets go of the lock. */
static bool is_fit(struct pool *pool, struct connection *connection, int64_t idle_ms)
{
    const struct pool_settings *settings = &pool->settings;
    bool ping = idle_ms >= settings->ping_after_ms;
    if (!ping && idle_ms < settings->look_after_ms && connection->breaks == pool->breaks)
        return true;
    uint64_t breaks = pool->breaks;
    pthread_mutex_unlock(&pool->lock);
    bool alive = db_is_alive(connection->db, ping ? settings->ping_limit_ms : 0);
    pthread_mutex_lock(&pool->lock);
    connection->breaks = breaks;
    if (!alive)
        pool->breaks++;
    return alive;
}

/** The idle one that was used last; NULL if it is not fit for use. Lets go of the lock. */
static struct connection *take_idle(struct pool *pool)
{
    struct connection *connection = pool->idle.top;
    enum pool_closed reason = CLOSED_LIFETIME;
    int64_t now_ms = clock_monotonic_ms();
    pool_idle_remove(pool, connection);
    if (now_ms < connection->expires_ms) {
        pool->checking++;
        bool fit = is_fit(pool, connection, now_ms - connection->idle_since_ms);
        pool->checking--;
        if (fit)
            return connection;
        reason = CLOSED_CHECK;
    }
    pool_connection_close(pool, connection, reason);
    return NULL;
}

struct connection *pool_connection_get(struct pool *pool)
{
    return pool->idle.top ? take_idle(pool) : open_one(pool);
}

struct connection *pool_connection_judge(struct pool *pool, struct connection *connection,
                                         bool is_broken, int64_t now_ms)
{
    enum pool_closed reason;
    if (is_broken) {
        pool->breaks++;
        reason = CLOSED_BROKEN;
    } else if (now_ms >= connection->expires_ms) {
        reason = CLOSED_LIFETIME;
    } else if (pool->line.count > 0 && !is_fit(pool, connection, 0)) {
        reason = CLOSED_CHECK;
    } else {
        return connection;
    }
    pool_connection_close(pool, connection, reason);
    return NULL;
}
