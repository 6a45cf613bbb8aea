#include "pool_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "store/engine.h"
#include "store/queries.h"

enum { STEP_MS = 1 };

static void give_up(const struct pool_fixture *fixture, const char *what, int64_t have,
                    int64_t wanted)
{
    fprintf(stderr, "pool fixture: %s: %lld instead of %lld (begun %d, ended %d)\n", what,
            (long long)have, (long long)wanted, fixture->begun, fixture->ended);
    abort();
}

struct pool_fixture *pool_fixture_new(void)
{
    struct pool_fixture *fixture = mem_zalloc(1, sizeof *fixture);
    struct err err;
    store_fixture_open(&fixture->store);
    bool is_postgres = strcmp(store_fixture_engine(), "postgres") == 0;
    if (database_new_of(faulty_engine(is_postgres ? &postgres_engine : &sqlite_engine),
                        fixture->store.url, &fixture->database, &err) != OK)
        abort();
    fixture->settings = pool_usual("test", 1);
    pthread_mutex_init(&fixture->lock, NULL);
    thread_condition_init(&fixture->changed);
    return fixture;
}

void pool_fixture_free(struct pool_fixture *fixture)
{
    pool_free(fixture->pool);
    database_free(fixture->database);
    store_fixture_close(&fixture->store);
    pthread_cond_destroy(&fixture->changed);
    pthread_mutex_destroy(&fixture->lock);
    free(fixture);
}

void pool_fixture_start(struct pool_fixture *fixture)
{
    struct err err;
    if (pool_new(fixture->database, &fixture->settings, &fixture->pool, &err) != OK)
        abort();
    for (int i = 0; i < FIXTURE_JOBS; i++)
        fixture->jobs[i] = (struct test_job){
            .job = {.run = pool_fixture_run,
                    .deadline_ms = clock_monotonic_ms() + FIXTURE_DEADLINE_MS,
                    .label = "a test's job"},
            .fixture = fixture,
            .number = i,
        };
}

/* Jobs */

static struct test_job *begin(struct pool_job *job)
{
    struct test_job *own = (struct test_job *)job;
    struct pool_fixture *fixture = own->fixture;
    pthread_mutex_lock(&fixture->lock);
    fixture->order[fixture->begun++] = own->number;
    pthread_cond_broadcast(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
    return own;
}

static void end(struct test_job *own, struct db *db, enum status status, const struct err *err)
{
    struct pool_fixture *fixture = own->fixture;
    pthread_mutex_lock(&fixture->lock);
    if (own->has_ended)
        give_up(fixture, "a job ran twice", own->number, own->number);
    own->has_ended = true;
    own->status = status;
    own->had_connection = db != NULL;
    own->ended_ms = clock_monotonic_ms();
    if (status != OK) {
        own->retry_after_s = err->retry_after_s;
        snprintf(own->message, sizeof own->message, "%s", err->items[0].message);
    }
    fixture->ended++;
    pthread_cond_broadcast(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
}

void pool_fixture_run(struct pool_job *job, struct db *db, enum status status,
                      const struct err *err)
{
    end(begin(job), db, status, err);
}

void pool_fixture_run_gated(struct pool_job *job, struct db *db, enum status status,
                            const struct err *err)
{
    struct test_job *own = begin(job);
    struct pool_fixture *fixture = own->fixture;
    pthread_mutex_lock(&fixture->lock);
    while (!fixture->is_open && status == OK)
        pthread_cond_wait(&fixture->changed, &fixture->lock);
    pthread_mutex_unlock(&fixture->lock);
    end(own, db, status, err);
}

void pool_fixture_run_read(struct pool_job *job, struct db *db, enum status status,
                           const struct err *why)
{
    struct test_job *own = begin(job);
    int64_t generations[SCOPES];
    struct err err = *why;
    if (status == OK)
        status = db_begin_read(db, &err);
    if (status == OK && db)
        status = db_read_generations(db, generations, &err);
    if (status == OK)
        status = db_commit(db, &err);
    end(own, db, status, &err); /* after an error the transaction is left to the pool */
}

void pool_fixture_run_bump(struct pool_job *job, struct db *db, enum status status,
                           const struct err *why)
{
    struct test_job *own = begin(job);
    struct err err = *why;
    if (status == OK)
        status = db_begin_write(db, 0, FIXTURE_DEADLINE_MS, &err); /* so a bump adds 1 */
    if (status == OK) {
        db_touch(db, 1u << SCOPE_RISKS);
        status = db_commit(db, &err);
    }
    end(own, db, status, &err);
}

void pool_fixture_submit(struct pool_fixture *fixture, int first, int end)
{
    struct err err;
    for (int i = first; i < end; i++)
        if (pool_submit(fixture->pool, &fixture->jobs[i].job, &err) != OK)
            give_up(fixture, err.items[0].message, i, end);
}

void pool_fixture_open_gate(struct pool_fixture *fixture)
{
    pthread_mutex_lock(&fixture->lock);
    fixture->is_open = true;
    pthread_cond_broadcast(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
}

/* Waiting */

static void wait_for(struct pool_fixture *fixture, const int *counter, int count, const char *what)
{
    struct timespec until = thread_deadline(clock_monotonic_ms() + FIXTURE_DEADLINE_MS);
    pthread_mutex_lock(&fixture->lock);
    while (*counter < count)
        if (pthread_cond_timedwait(&fixture->changed, &fixture->lock, &until) != 0)
            give_up(fixture, what, *counter, count);
    pthread_mutex_unlock(&fixture->lock);
}

void pool_fixture_wait_begun(struct pool_fixture *fixture, int count)
{
    wait_for(fixture, &fixture->begun, count, "jobs begun");
}

void pool_fixture_wait_ended(struct pool_fixture *fixture, int count)
{
    wait_for(fixture, &fixture->ended, count, "jobs ended");
}

struct pool_statistics pool_fixture_statistics(struct pool_fixture *fixture)
{
    struct pool_statistics now;
    pool_statistics(fixture->pool, &now);
    return now;
}

struct pool_statistics pool_fixture_wait_until(struct pool_fixture *fixture,
                                               bool (*holds)(const struct pool_statistics *now))
{
    int64_t until_ms = clock_monotonic_ms() + FIXTURE_DEADLINE_MS;
    struct pool_statistics now = pool_fixture_statistics(fixture);
    while (!holds(&now)) {
        if (clock_monotonic_ms() > until_ms)
            give_up(fixture, "a state did not come; open", now.open, now.max_open);
        struct timespec step = thread_deadline(clock_monotonic_ms() + STEP_MS);
        pthread_mutex_lock(&fixture->lock);
        pthread_cond_timedwait(&fixture->changed, &fixture->lock, &step);
        pthread_mutex_unlock(&fixture->lock);
        now = pool_fixture_statistics(fixture);
    }
    return now;
}

void pool_fixture_open_connections(struct pool_fixture *fixture, int count)
{
    for (int i = 0; i < count; i++)
        fixture->jobs[i].job.run = pool_fixture_run_gated;
    pool_fixture_submit(fixture, 0, count);
    pool_fixture_wait_begun(fixture, count);
    pool_fixture_open_gate(fixture);
    pool_fixture_wait_ended(fixture, count);
    pool_fixture_wait_until(fixture, pool_fixture_is_at_rest);
}

bool pool_fixture_is_at_rest(const struct pool_statistics *now)
{
    return now->in_use == 0 && now->waiting == 0 && now->opening == 0 && now->idle == now->open;
}
