/**
 * A pool over a migrated database (store_fixture.h) whose engine can fail, and jobs that note how
 * they ended.
 *
 *     struct pool_fixture *fixture = pool_fixture_new();
 *     fixture->settings.max_open = 3; …
 *     pool_fixture_start(fixture);
 *     pool_fixture_submit(fixture, 0, 10);
 *     pool_fixture_wait_ended(fixture, 10);
 *     … fixture->jobs[0].status …
 *     pool_fixture_free(fixture);
 */
#ifndef OPENRISK_TESTS_POOL_FIXTURE_H
#define OPENRISK_TESTS_POOL_FIXTURE_H

#include <pthread.h>

#include "faulty_engine.h"
#include "store/pool.h"
#include "store_fixture.h"

enum { FIXTURE_DEADLINE_MS = 20000, FIXTURE_JOBS = 500 };

struct pool_fixture;

struct test_job {
    struct pool_job job; /* first */
    struct pool_fixture *fixture;
    int number;
    /* Guarded by the fixture's lock: */
    bool has_ended;
    enum status status; /* the pool's, or of what it did */
    bool had_connection;
    int retry_after_s;
    int64_t ended_ms;
    char message[ERR_MESSAGE_SIZE];
};

struct pool_fixture {
    struct store_fixture store;
    struct database *database;
    struct pool_settings settings; /* as a server's, but for a name, max_open 1 */
    struct pool *pool;
    struct test_job jobs[FIXTURE_JOBS];

    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    int order[FIXTURE_JOBS]; /* in which jobs began */
    int begun, ended;
    bool is_open; /* the gate of pool_fixture_run_gated */
};

struct pool_fixture *pool_fixture_new(void);
void pool_fixture_free(struct pool_fixture *fixture);
/** With `settings`; the jobs run pool_fixture_run and have FIXTURE_DEADLINE_MS from now. */
void pool_fixture_start(struct pool_fixture *fixture);

/* What jobs do: nothing; wait for the gate; read the generations; bump one. */
typedef void job_function(struct pool_job *job, struct db *db, enum status status,
                          const struct err *err);
job_function pool_fixture_run, pool_fixture_run_gated, pool_fixture_run_read, pool_fixture_run_bump;

/** Submit jobs `first` to `end` - 1; all are accepted, or the program ends. */
void pool_fixture_submit(struct pool_fixture *fixture, int first, int end);
void pool_fixture_open_gate(struct pool_fixture *fixture);
/* Wait; after FIXTURE_DEADLINE_MS the program ends. */
void pool_fixture_wait_begun(struct pool_fixture *fixture, int count);
void pool_fixture_wait_ended(struct pool_fixture *fixture, int count);
/** Until `holds` says so of the statistics. Returns these. */
struct pool_statistics pool_fixture_wait_until(struct pool_fixture *fixture,
                                               bool (*holds)(const struct pool_statistics *now));
struct pool_statistics pool_fixture_statistics(struct pool_fixture *fixture);
/** Run all of `count` jobs at one time, so that each has a connection of its own, then end them. */
void pool_fixture_open_connections(struct pool_fixture *fixture, int count);
/** No job runs or waits any more. */
bool pool_fixture_is_at_rest(const struct pool_statistics *now);

#endif
