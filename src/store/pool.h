/**
 * The pool: workers that hold a database connection each, and the line before them.
 *
 * A job waits in line (first come, first served) until a worker is free, then runs there with the
 * worker's connection. Workers are started on demand up to `max_workers`; their number is the
 * number of connections. The line has a limit and each job a deadline. Knows nothing of risks.
 *
 * Thread-safe. One mutex guards the line, the workers' states and the counters.
 */
#ifndef OPENRISK_STORE_POOL_H
#define OPENRISK_STORE_POOL_H

#include "store/db.h"

struct pool;

/** Embedded in what the job needs; the owner's again once `run` was called. */
struct pool_job {
    /**
     * Called exactly once per accepted job: on a worker with `status` OK and a connection outside
     * any transaction; or with `db` NULL and BUSY (the deadline passed in line) or UNAVAILABLE
     * (no connection could be opened, or the pool is stopping). A transaction left open is rolled
     * back.
     */
    void (*run)(struct pool_job *job, struct db *db, enum status status, const struct err *err);
    int64_t deadline_ms; /* monotonic; the latest start */
    struct pool_job *next;
};

struct pool_settings {
    const char *name;
    unsigned max_workers;
    unsigned max_waiting;
};

struct pool_statistics {
    unsigned workers, busy, waiting, max_workers, max_waiting;
    uint64_t jobs, refused, timed_out;
};

enum status pool_new(struct database *database, const struct pool_settings *settings,
                     struct pool **ret_pool, struct err *err) MUST_CHECK;
/** BUSY at once if the line is full; then `run` is not called. */
enum status pool_submit(struct pool *pool, struct pool_job *job, struct err *err) MUST_CHECK;
void pool_statistics(struct pool *pool, struct pool_statistics *ret_statistics);
/** Refuse new jobs, finish all that were accepted, join the workers, close. NULL allowed. */
void pool_free(struct pool *pool);

#endif
