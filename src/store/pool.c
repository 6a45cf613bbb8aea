/*
 * The pool.
 *
 * The problem. Thousands of clients share a handful of database connections. A client must be
 * served in its turn, or be told in time that it is not; a database that goes away, comes back,
 * drops connections silently or refuses further ones must neither stop the server nor cost more
 * than what it costs by itself; and an operator must see all of it.
 *
 * The choice. A job does not ask for a connection: it stands in line, and connections are made
 * ready for the line. A worker (a thread) gets one, takes the job that has waited longest, runs it,
 * and takes the next one with the connection that it has in hand; only when the line is empty does
 * the connection go to the idle stack and the worker to rest. So nobody is overtaken; a job is in
 * line, where its deadline is watched, for as long as a connection is being opened or checked; and
 * when opening fails there is no job that would have to be put back. Under load neither the stack
 * nor a condition variable is touched: the cost of a job is the lock, taken twice.
 *
 * Connections are not bound to workers, so that the fewest possible are used and the rest grows old
 * (pool_connections.c). There are as many workers as connections at most: one without a connection
 * could do nothing but open one.
 *
 * A supervisor (pool_supervisor.c) watches over times: deadlines, which must be told also when all
 * workers are busy or stuck; jobs that hold a connection for long; idle connections; the next try
 * when the database is away. It never waits for the database itself, or a server that does not
 * answer would delay what it has to tell. Therefore it is a worker that tries.
 *
 * What the lock guards: all that changes, see pool_internal.h. It is held for a few instructions
 * at a time; never while a connection is opened, checked, used or closed, nor for the log (but in
 * the one line about a thread that could not be started).
 *
 * Rejected: borrowing (acquire, use, release on threads of the caller's), for which the event loops
 * would have to wait, and which can be forgotten; here one connection per job, given back, is so by
 * construction. A connection per worker for good, as before: with a hundred of them the idle ones
 * never age, since any worker may take the next job. A lock-free line: the lock costs 50 ns, a
 * query a hundred times that.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "store/pool_internal.h"

const char *const pool_closed_names[] = {"lifetime", "idle",     "surplus", "broken",
                                         "check",    "stopping", NULL};
const char *const pool_verdict_names[] = {"ok", "near_capacity", "exhausted", "down", NULL};
const int64_t pool_wait_bounds_us[POOL_WAIT_BOUNDS] = {500,     1000,    2500,    5000,    10000,
                                                       25000,   50000,   100000,  250000,  500000,
                                                       1000000, 2500000, 5000000, 10000000};

/* In line */

void pool_take_out(struct pool *pool, struct pool_job *job)
{
    pool_line_remove(&pool->line, job);
    job->is_submitted = false;
    if (pool->stopping && pool->line.count == 0) {
        pthread_cond_broadcast(&pool->work);
        pool_watch_by(pool, 0);
    }
}

static void count_wait(struct pool_wait *wait, int64_t waited_us)
{
    size_t bucket = 0;
    while (bucket < POOL_WAIT_BOUNDS && waited_us > pool_wait_bounds_us[bucket])
        bucket++;
    wait->buckets[bucket]++;
    wait->count++;
    wait->total_us += (uint64_t)waited_us;
    if ((uint64_t)waited_us > wait->max_us)
        wait->max_us = (uint64_t)waited_us;
}

/* Workers */

/** Run the job that waits longest. Lets go of the lock. Returns the time. */
static int64_t run_next(struct worker *worker, struct connection *connection, int64_t now_us,
                        bool *ret_is_broken)
{
    struct pool *pool = worker->pool;
    struct pool_job *job = pool->line.first;
    struct err err;
    pool_take_out(pool, job);
    count_wait(&pool->counters.wait, now_us - job->submitted_us);
    pool->counters.jobs++;
    pool->in_use++;
    worker->label = job->label;
    worker->started_ms = now_us / 1000;
    worker->is_warned_about = false;
    worker->is_running = true;
    pool_watch_by(pool, worker->started_ms + pool->settings.leak_warning_ms);
    pthread_mutex_unlock(&pool->lock);

    err_init(&err);
    struct db *db = connection->db;
    job->run(job, db, OK, &err);
    if (db_in_transaction(db)) {
        log_event(LOG_ERROR, "transaction_left_open", LOG_TEXT("pool", pool->settings.name),
                  LOG_TEXT("job", worker->label));
        db_rollback(db);
    }
    *ret_is_broken = db_is_broken(db);
    int64_t now_ms = clock_monotonic_ms();

    pthread_mutex_lock(&pool->lock);
    worker->is_running = false;
    pool->in_use--;
    return now_ms;
}

/** Serve the line with the connection. Returns it if it can serve on. Lets go of the lock. */
static struct connection *serve(struct worker *worker, struct connection *held)
{
    struct pool *pool = worker->pool;
    int64_t now_us = clock_monotonic_us();
    bool is_broken;
    if (now_us / 1000 > pool->line.first->deadline_ms) {
        pool_tell_late(pool); /* the supervisor has not come to it yet */
        return held;
    }
    int64_t now_ms = run_next(worker, held, now_us, &is_broken);
    return pool_connection_judge(pool, held, is_broken, now_ms);
}

/**
 * How many workers could go and get a connection for somebody in line. One that is being checked
 * will soon be there; one that is being opened may take long, or never come, so it is counted upon
 * only where the alternative is to open one more.
 */
static unsigned wanted_workers(const struct pool *pool, int64_t now_ms)
{
    if (pool->line.count == 0)
        return pool_is_lost(pool) && pool_may_open(pool, now_ms) ? 1 : 0;
    if (pool->line.count <= pool->checking)
        return 0;
    unsigned left = pool->line.count - pool->checking;
    unsigned idle = left < pool->idle.count ? left : pool->idle.count;
    left -= idle;
    if (left <= pool->opening || !pool_may_open(pool, now_ms))
        return idle;
    unsigned room = pool->outage.is_on ? 1 : pool->settings.max_open - pool->open - pool->opening;
    left -= pool->opening;
    return idle + (left < room ? left : room);
}

static void wake_up(struct pool *pool)
{
    pool->resting--;
    pool->called -= pool->called > 0; /* it may have woken by itself */
}

static void *work(void *context)
{
    struct worker *worker = context;
    struct pool *pool = worker->pool;
    struct connection *held = NULL;
    pthread_mutex_lock(&pool->lock);
    wake_up(pool); /* start_worker() counted it as one that rests and has been called */
    for (;;) {
        if (held && pool->line.count == 0) {
            pool_connection_give(pool, held, clock_monotonic_ms());
            held = NULL;
        }
        if (pool->stopping && pool->line.count == 0)
            break;
        if (held) {
            held = serve(worker, held);
        } else if (wanted_workers(pool, clock_monotonic_ms()) > 0) {
            held = pool_connection_get(pool);
        } else {
            pool->resting++;
            pthread_cond_wait(&pool->work, &pool->lock);
            wake_up(pool);
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/** With the lock held. */
static bool start_worker(struct pool *pool)
{
    struct worker *worker = &pool->workers[pool->worker_count];
    worker->pool = pool;
    int failed = thread_start(&worker->thread, POOL_STACK_BYTES, work, worker);
    if (failed)
        log_event(LOG_ERROR, "no_worker", LOG_TEXT("pool", pool->settings.name),
                  LOG_TEXT("error", strerror(failed)));
    pool->worker_count += failed == 0;
    pool->resting += failed == 0;
    pool->called += failed == 0;
    return failed == 0;
}

void pool_call_workers(struct pool *pool, int64_t now_ms)
{
    unsigned wanted = wanted_workers(pool, now_ms);
    while (pool->called < wanted) {
        if (pool->resting > pool->called) {
            pool->called++;
            pthread_cond_signal(&pool->work);
        } else if (pool->worker_count == pool->settings.max_open || !start_worker(pool)) {
            return;
        }
    }
}

/* The door */

/**
 * The line is full when it holds `max_waiting` beyond those for whom there is room: a connection
 * that is idle, is got just now, or could be opened.
 */
static bool is_full(const struct pool *pool)
{
    return pool->line.count >= pool->settings.max_waiting + pool->settings.max_open - pool->in_use;
}

static enum status admit(struct pool *pool, struct err *err)
{
    enum status status = OK;
    if (pool->stopping)
        status = err_set(err, UNAVAILABLE, NULL, "the server is stopping");
    else if (is_full(pool))
        status = err_set(err, BUSY, NULL, "the server is busy; try again");
    else if (pool->worker_count == 0 && !start_worker(pool))
        status = err_set(err, UNAVAILABLE, NULL, "the server has no worker");
    if (status != OK) {
        pool->counters.refused++;
        err->retry_after_s = 1;
    }
    return status;
}

enum status pool_submit(struct pool *pool, struct pool_job *job, struct err *err)
{
    int64_t now_us = clock_monotonic_us();
    pthread_mutex_lock(&pool->lock);
    assert(!job->is_submitted);
    enum status status = admit(pool, err);
    if (status == OK) {
        if (job->deadline_ms > pool->last_deadline_ms)
            job->deadline_ms = pool->last_deadline_ms;
        job->is_submitted = true;
        job->submitted_us = now_us;
        pool_line_add(&pool->line, job);
        pool_watch_by(pool, job->deadline_ms + 1);
        if (pool->outage.is_on)
            pool_watch_by(pool, pool->outage.next_probe_ms);
        pool_call_workers(pool, now_us / 1000);
    }
    pthread_mutex_unlock(&pool->lock);
    return status;
}

void pool_hurry(struct pool *pool, int64_t deadline_ms)
{
    pthread_mutex_lock(&pool->lock);
    pool->last_deadline_ms = deadline_ms;
    /* The order of deadlines stays: all of those at its end become equal. */
    for (struct pool_job *job = pool->line.last_late; job && job->deadline_ms > deadline_ms;
         job = job->previous_late)
        job->deadline_ms = deadline_ms;
    if (pool->line.count > 0)
        pool_watch_by(pool, deadline_ms + 1);
    pthread_mutex_unlock(&pool->lock);
}

/* Statistics */

/**
 * down: connections cannot be opened, and none is left. exhausted: somebody waits, and no
 * connection is to be had: as many as there may be are in use, or the others cannot be opened just
 * now. near_capacity: four fifths of what there may be are in use. One that is opened, checked or
 * closed just now counts as neither used nor free.
 */
static enum pool_verdict verdict_of(const struct pool_statistics *now)
{
    if (now->is_down && now->open == 0)
        return POOL_DOWN;
    if (now->waiting > 0 && now->idle == 0 && (now->in_use >= now->max_open || now->is_down))
        return POOL_EXHAUSTED;
    return 5 * (uint64_t)now->in_use >= 4 * (uint64_t)now->max_open ? POOL_NEAR_CAPACITY : POOL_OK;
}

void pool_statistics(struct pool *pool, struct pool_statistics *ret_statistics)
{
    pthread_mutex_lock(&pool->lock);
    struct pool_statistics now = pool->counters;
    now.open = pool->open;
    now.in_use = pool->in_use;
    now.idle = pool->idle.count;
    now.opening = pool->opening;
    now.waiting = pool->line.count;
    now.workers = pool->worker_count;
    now.max_open = pool->settings.max_open;
    now.max_idle = pool->settings.max_idle;
    now.max_waiting = pool->settings.max_waiting;
    now.is_down = pool->outage.is_on;
    now.down_since_ms = pool->outage.is_on ? pool->outage.since_ms : 0;
    pthread_mutex_unlock(&pool->lock);
    now.verdict = verdict_of(&now);
    *ret_statistics = now;
}

/* Life */

struct pool_settings pool_usual(const char *name, unsigned max_open)
{
    return (struct pool_settings){
        .name = name,
        .max_open = max_open,
        .max_idle = max_open,
        .max_waiting = 4 * max_open,
        .lifetime_ms = 30 * 60 * 1000,
        .idle_time_ms = 5 * 60 * 1000,
        .surplus_time_ms = 1000,
        .leak_warning_ms = 10 * 1000,
        .look_after_ms = 1000,
        .ping_after_ms = 30 * 1000,
        .ping_limit_ms = 250,
        .retry_first_ms = 100,
        .retry_last_ms = 2000,
    };
}

static void free_parts(struct pool *pool)
{
    pthread_cond_destroy(&pool->watch);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    free(pool->workers);
    free(pool);
}

enum status pool_new(struct database *database, const struct pool_settings *settings,
                     struct pool **ret_pool, struct err *err)
{
    if (settings->max_open == 0)
        return err_set(err, INVALID, settings->name, "needs at least one connection");
    struct pool *pool = mem_zalloc(1, sizeof *pool);
    pool->database = database;
    pool->settings = *settings;
    pool->workers = mem_zalloc(settings->max_open, sizeof *pool->workers);
    pool->jitter = (uint64_t)clock_monotonic_us() ^ (uintptr_t)pool;
    pool->jitter += pool->jitter == 0;
    pool->wake_ms = INT64_MAX;
    pool->last_deadline_ms = INT64_MAX;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    thread_condition_init(&pool->watch);
    int failed = thread_start(&pool->supervisor, POOL_STACK_BYTES, pool_supervise, pool);
    if (failed) {
        free_parts(pool);
        return err_set(err, UNAVAILABLE, NULL, "cannot start a thread: %s", strerror(failed));
    }
    *ret_pool = pool;
    return OK;
}

void pool_free(struct pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pool_watch_by(pool, 0);
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    /* It ends when the line is empty, and nobody starts workers after that. */
    pthread_join(pool->supervisor, NULL);
    for (unsigned i = 0; i < pool->worker_count; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_mutex_lock(&pool->lock);
    for (struct connection *idle; (idle = pool->idle.top);) {
        pool_idle_remove(pool, idle);
        pool_connection_close(pool, idle, CLOSED_STOPPING);
    }
    pthread_mutex_unlock(&pool->lock);
    free_parts(pool);
}
