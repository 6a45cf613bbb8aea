/*
 * The supervisor: one thread per pool that watches over times, and never waits for the database.
 * (It closes idle connections, which says good-bye and does not listen for an answer.)
 *
 * `wake_ms` is when the next time comes; whoever brings in an earlier one moves it forward
 * (pool_watch_by()). It is not moved back when a job is served in time: so under load the thread
 * wakes once per deadline's length, not once per job, and finds that there is nothing to do.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "store/pool_internal.h"

/* A probe is due and a worker was called for it: when to call again if none has come. */
enum { CALL_AGAIN_MS = 50 };

void pool_watch_by(struct pool *pool, int64_t at_ms)
{
    if (at_ms >= pool->wake_ms)
        return;
    pool->wake_ms = at_ms;
    pthread_cond_signal(&pool->watch);
}

/* Those in line */

/** Take the job out and tell it why. Lets go of the lock. */
static void tell(struct pool *pool, struct pool_job *job, enum status status, struct err *err)
{
    pool_take_out(pool, job);
    err->retry_after_s = 1;
    pthread_mutex_unlock(&pool->lock);
    job->run(job, NULL, status, err);
    pthread_mutex_lock(&pool->lock);
}

/**
 * Why nobody could take it: there are too many, or there is no connection at all. What the engine
 * said names hosts and files: that is for the log.
 */
static enum status reason_of_delay(const struct pool *pool, struct err *ret_err)
{
    err_init(ret_err);
    if (pool->open > 0)
        return err_set(ret_err, BUSY, NULL, "the server is busy; try again");
    return err_set(ret_err, UNAVAILABLE, NULL, "the database does not answer");
}

void pool_tell_late(struct pool *pool)
{
    struct err err;
    for (struct pool_job *job;
         (job = pool->line.first_late) && clock_monotonic_ms() > job->deadline_ms;) {
        enum status status = reason_of_delay(pool, &err);
        pool->counters.timed_out++;
        tell(pool, job, status, &err);
    }
}

/** There is no connection, none is being opened but to find out whether that can be done again. */
static bool is_helpless(const struct pool *pool)
{
    const struct outage *outage = &pool->outage;
    return (outage->is_on && pool->open == 0 && pool->opening == (outage->is_probing ? 1u : 0u)) ||
           pool->worker_count == 0;
}

/** Stopping finishes what was accepted, unless there is nothing to do it with. */
static void tell_stopping(struct pool *pool)
{
    struct err err;
    while (pool->stopping && pool->line.count > 0 && is_helpless(pool)) {
        err_init(&err);
        enum status status = err_set(&err, UNAVAILABLE, NULL, "the server is stopping");
        tell(pool, pool->line.first, status, &err);
    }
}

/* Those that run */

static struct worker *find_overdue(struct pool *pool, int64_t now_ms)
{
    for (unsigned i = 0; i < pool->worker_count; i++) {
        struct worker *worker = &pool->workers[i];
        if (worker->is_running && !worker->is_warned_about &&
            now_ms - worker->started_ms >= pool->settings.leak_warning_ms)
            return worker;
    }
    return NULL;
}

/** Lets go of the lock. */
static void warn_of_leaks(struct pool *pool, int64_t now_ms)
{
    for (struct worker *worker; (worker = find_overdue(pool, now_ms));) {
        const char *label = worker->label;
        int64_t ran_ms = now_ms - worker->started_ms;
        worker->is_warned_about = true;
        pthread_mutex_unlock(&pool->lock);
        log_event(LOG_WARN, "connection_held_long", LOG_TEXT("pool", pool->settings.name),
                  LOG_TEXT("job", label), LOG_INT("ms", ran_ms));
        pthread_mutex_lock(&pool->lock);
        pool->counters.leaks++; /* what is counted is in the log already */
    }
}

/* Idle connections */

/**
 * One that is too old. Those beyond `max_idle` have a second: if they were closed at once when they
 * are given back, each small burst would open and close a connection.
 */
static struct connection *find_aged(const struct pool *pool, int64_t now_ms,
                                    enum pool_closed *ret_reason)
{
    const struct pool_settings *settings = &pool->settings;
    struct connection *bottom = pool->idle.bottom;
    if (!bottom)
        return NULL;
    int64_t idle_ms = now_ms - bottom->idle_since_ms;
    *ret_reason = CLOSED_IDLE;
    if (idle_ms >= settings->idle_time_ms)
        return bottom;
    *ret_reason = CLOSED_SURPLUS;
    if (pool->idle.count > settings->max_idle && idle_ms >= settings->surplus_time_ms)
        return bottom;
    *ret_reason = CLOSED_LIFETIME;
    struct connection *aged = bottom;
    while (aged && now_ms < aged->expires_ms)
        aged = aged->above;
    return aged;
}

/** Lets go of the lock. */
static void close_aged(struct pool *pool, int64_t now_ms)
{
    enum pool_closed reason;
    for (struct connection *aged; (aged = find_aged(pool, now_ms, &reason));) {
        pool_idle_remove(pool, aged);
        pool_connection_close(pool, aged, reason);
    }
}

/* The times */

static int64_t earlier(int64_t a_ms, int64_t b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

static int64_t next_time(const struct pool *pool, int64_t now_ms)
{
    const struct pool_settings *settings = &pool->settings;
    int64_t next_ms = INT64_MAX;
    if (pool->line.first_late)
        next_ms = pool->line.first_late->deadline_ms + 1;
    for (unsigned i = 0; i < pool->worker_count; i++)
        if (pool->workers[i].is_running && !pool->workers[i].is_warned_about)
            next_ms = earlier(next_ms, pool->workers[i].started_ms + settings->leak_warning_ms);
    const struct connection *bottom = pool->idle.bottom;
    if (bottom)
        next_ms = earlier(next_ms, bottom->idle_since_ms + (pool->idle.count > settings->max_idle
                                                                ? settings->surplus_time_ms
                                                                : settings->idle_time_ms));
    for (const struct connection *idle = bottom; idle; idle = idle->above)
        next_ms = earlier(next_ms, idle->expires_ms);
    const struct outage *outage = &pool->outage;
    if (outage->is_on && !outage->is_probing &&
        (pool_is_lost(pool) ||
         (pool->line.count > 0 && pool->open + pool->opening < settings->max_open)))
        next_ms = earlier(next_ms, outage->next_probe_ms > now_ms ? outage->next_probe_ms
                                                                  : now_ms + CALL_AGAIN_MS);
    return next_ms;
}

void *pool_supervise(void *context)
{
    struct pool *pool = context;
    pthread_mutex_lock(&pool->lock);
    while (!pool->stopping || pool->line.count > 0) {
        int64_t now_ms = clock_monotonic_ms();
        if (now_ms < pool->wake_ms) {
            if (pool->wake_ms == INT64_MAX) {
                pthread_cond_wait(&pool->watch, &pool->lock);
            } else {
                struct timespec until = thread_deadline(pool->wake_ms);
                pthread_cond_timedwait(&pool->watch, &pool->lock, &until);
            }
            continue;
        }
        pool->wake_ms = INT64_MAX; /* those who bring in a time from now on move it forward */
        pool_tell_late(pool);
        tell_stopping(pool);
        warn_of_leaks(pool, now_ms);
        close_aged(pool, now_ms);
        if (pool->outage.is_on)
            pool_call_workers(pool, clock_monotonic_ms());
        now_ms = clock_monotonic_ms();
        pool->wake_ms = earlier(pool->wake_ms, next_time(pool, now_ms));
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}
