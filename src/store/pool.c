#include "store/pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

enum { WORKER_STACK_BYTES = 512 * 1024 };

struct pool {
    struct database *database;
    struct pool_settings settings;
    pthread_t *threads;

    pthread_mutex_t lock;      /* guards all below */
    pthread_cond_t job_or_end; /* a job came, or `stopping` */
    struct pool_job *first, **last;
    bool stopping;
    struct pool_statistics statistics; /* workers, busy, waiting and the counters */
};

/** The next job, waiting for one; NULL when the pool stops and the line is empty. */
static struct pool_job *take(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    while (!pool->first && !pool->stopping)
        pthread_cond_wait(&pool->job_or_end, &pool->lock);
    struct pool_job *job = pool->first;
    if (job) {
        pool->first = job->next;
        if (!pool->first)
            pool->last = &pool->first;
        pool->statistics.waiting--;
        pool->statistics.busy++;
        pool->statistics.jobs++;
        if (clock_monotonic_ms() > job->deadline_ms)
            pool->statistics.timed_out++;
    }
    pthread_mutex_unlock(&pool->lock);
    return job;
}

static void finished(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->statistics.busy--;
    pthread_mutex_unlock(&pool->lock);
}

static void run(struct pool *pool, struct pool_job *job, struct db **connection)
{
    struct err err;
    err_init(&err);
    enum status status = OK;
    if (clock_monotonic_ms() > job->deadline_ms) {
        status = err_set(&err, BUSY, NULL, "the server is busy; try again");
        err.retry_after_s = 1;
    } else if (!*connection) {
        status = db_open(pool->database, connection, &err);
    }
    if (status != OK) {
        job->run(job, NULL, status, &err);
        return;
    }
    job->run(job, *connection, OK, &err);
    if (db_in_transaction(*connection)) {
        log_event(LOG_ERROR, "transaction_left_open", LOG_TEXT("pool", pool->settings.name));
        db_rollback(*connection);
    }
}

static void *work(void *argument)
{
    struct pool *pool = argument;
    AUTO_DB struct db *connection = NULL;
    for (struct pool_job *job; (job = take(pool));) {
        run(pool, job, &connection);
        finished(pool);
    }
    return NULL;
}

enum status pool_new(struct database *database, const struct pool_settings *settings,
                     struct pool **ret_pool, struct err *err)
{
    if (settings->max_workers == 0)
        return err_set(err, INVALID, settings->name, "needs at least one worker");
    struct pool *pool = mem_zalloc(1, sizeof *pool);
    pool->database = database;
    pool->settings = *settings;
    pool->threads = mem_zalloc(settings->max_workers, sizeof *pool->threads);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->job_or_end, NULL);
    pool->last = &pool->first;
    pool->statistics.max_workers = settings->max_workers;
    pool->statistics.max_waiting = settings->max_waiting;
    *ret_pool = pool;
    return OK;
}

/** Start one more worker, if there are not enough. With the lock held. */
static bool start_worker(struct pool *pool)
{
    struct pool_statistics *now = &pool->statistics;
    int failed = thread_start(&pool->threads[now->workers], WORKER_STACK_BYTES, work, pool);
    if (failed)
        log_event(LOG_ERROR, "no_worker", LOG_TEXT("pool", pool->settings.name),
                  LOG_TEXT("error", strerror(failed)));
    else
        now->workers++;
    return !failed;
}

enum status pool_submit(struct pool *pool, struct pool_job *job, struct err *err)
{
    enum status status = OK;
    pthread_mutex_lock(&pool->lock);
    struct pool_statistics *now = &pool->statistics;
    bool idle_worker = now->busy + now->waiting < now->workers;
    if (pool->stopping)
        status = err_set(err, UNAVAILABLE, NULL, "the server is stopping");
    else if (!idle_worker && now->workers < now->max_workers && !start_worker(pool) &&
             now->workers == 0)
        status = err_set(err, UNAVAILABLE, NULL, "the server has no worker");
    else if (now->busy + now->waiting >= now->workers + now->max_waiting)
        status = err_set(err, BUSY, NULL, "the server is busy; try again");
    if (status == OK) {
        job->next = NULL;
        *pool->last = job;
        pool->last = &job->next;
        now->waiting++;
        pthread_cond_signal(&pool->job_or_end);
    } else {
        now->refused++;
        err->retry_after_s = 1;
    }
    pthread_mutex_unlock(&pool->lock);
    return status;
}

void pool_statistics(struct pool *pool, struct pool_statistics *ret_statistics)
{
    pthread_mutex_lock(&pool->lock);
    *ret_statistics = pool->statistics;
    pthread_mutex_unlock(&pool->lock);
}

void pool_free(struct pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->job_or_end);
    unsigned workers = pool->statistics.workers;
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < workers; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->job_or_end);
    pthread_mutex_destroy(&pool->lock);
    free(pool->threads);
    free(pool);
}
