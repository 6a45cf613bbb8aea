/**
 * The pool: workers, the line before them, and the database connections that they borrow.
 *
 * A job waits in line (first come, first served) until there is a connection for it, then runs on a
 * worker with that connection. Workers and connections are made on demand, up to `max_open` of
 * each. The line has a limit and each job a deadline. While the database is away jobs stay in line;
 * the pool tries again and again to open a connection, and goes on at once when one opens. Knows
 * nothing of risks.
 *
 *     struct pool_settings settings = pool_usual("general", 10);
 *     … pool_new(database, &settings, &pool, err) …
 *     struct work { struct pool_job job; … } *work = …;  (zeroed)
 *     work->job = (struct pool_job){.run = run, .deadline_ms = …, .label = "GET /risks"};
 *     … pool_submit(pool, &work->job, err) …              from now on the pool's, until `run`
 *     pool_free(pool);
 *
 * Thread-safe. One mutex guards everything, see pool_internal.h; no job runs with it held.
 */
#ifndef OPENRISK_STORE_POOL_H
#define OPENRISK_STORE_POOL_H

#include "store/db.h"

struct pool;

/** Embedded, zeroed, in what the job needs; the owner's again once `run` was called. */
struct pool_job {
    /**
     * Called exactly once per accepted job.
     *
     * With `status` OK: on a worker, with a connection outside any transaction. A transaction left
     * open is rolled back.
     *
     * Else `db` is NULL: BUSY (the deadline passed in line) or UNAVAILABLE (likewise, and there is
     * no connection to the database; or the pool is stopping and there is none). It may be called
     * by the thread that watches over all deadlines then, and must not wait for anything.
     */
    void (*run)(struct pool_job *job, struct db *db, enum status status, const struct err *err);
    int64_t deadline_ms; /* monotonic; the latest start */
    const char *label;   /* what it is, for the log; must outlive the job, as a constant does */

    /* The pool's. */
    struct pool_job *next, *previous;           /* in order of arrival */
    struct pool_job *next_late, *previous_late; /* in order of deadlines */
    int64_t submitted_us;
    bool is_submitted;
};

struct pool_settings {
    const char *name;
    unsigned max_open;    /* connections, those being opened included; at least 1 */
    unsigned max_idle;    /* kept idle for long */
    unsigned max_waiting; /* jobs in line beyond those for which there is a worker */

    int64_t lifetime_ms;     /* a connection's, less up to a tenth at random */
    int64_t idle_time_ms;    /* an idle connection is closed after this … */
    int64_t surplus_time_ms; /* … and those beyond max_idle after this */
    int64_t leak_warning_ms; /* a job that runs for longer is logged and counted */

    int64_t look_after_ms; /* idle for so long: is its socket still open? */
    int64_t ping_after_ms; /* idle for so long: does the other side answer … */
    int ping_limit_ms;     /* … in so many ms? */

    int64_t retry_first_ms, retry_last_ms; /* between tries to open while that fails: from, to */
};

/** Why connections were closed. */
enum pool_closed {
    CLOSED_LIFETIME, /* old enough */
    CLOSED_IDLE,     /* idle for too long */
    CLOSED_SURPLUS,  /* idle, and more than are kept */
    CLOSED_BROKEN,   /* lost while a job had it */
    CLOSED_CHECK,    /* found dead before use */
    CLOSED_STOPPING, /* the pool has been freed */
};
enum { POOL_CLOSED_REASONS = 6 };
extern const char *const pool_closed_names[]; /* NULL-terminated */

/** The state in one word; see pool_verdict(). */
enum pool_verdict { POOL_OK, POOL_NEAR_CAPACITY, POOL_EXHAUSTED, POOL_DOWN };
extern const char *const pool_verdict_names[]; /* NULL-terminated */

enum { POOL_WAIT_BOUNDS = 14 };
/** Upper bounds of the buckets of waiting times; there is one more bucket, for what lies above. */
extern const int64_t pool_wait_bounds_us[POOL_WAIT_BOUNDS];

/** How long jobs that were run had stood in line. */
struct pool_wait {
    uint64_t count;
    uint64_t total_us, max_us;
    uint64_t buckets[POOL_WAIT_BOUNDS + 1]; /* each counts only what the one below does not */
};

/** The state at one moment, and counters since the start. */
struct pool_statistics {
    /* Connections: `open` are those in use, those idle, and those being checked or closed. */
    unsigned open, in_use, idle;
    unsigned opening; /* not yet among them; open + opening never exceeds max_open */
    unsigned waiting; /* jobs in line */
    unsigned workers;
    unsigned max_open, max_idle, max_waiting;
    bool is_down;          /* the last try to open a connection failed … */
    int64_t down_since_ms; /* … as the first one did then (monotonic) */
    enum pool_verdict verdict;

    uint64_t jobs;    /* that were run with a connection */
    uint64_t refused; /* at once, since the line was full */
    uint64_t timed_out;
    uint64_t opened, open_failures, closed[POOL_CLOSED_REASONS];
    uint64_t leaks; /* jobs that ran for longer than leak_warning_ms */
    struct pool_wait wait;
};

/** The times that suit a server; lifetime 30 min, idle time 5 min, a line of 4 x max_open. */
struct pool_settings pool_usual(const char *name, unsigned max_open);

/** `database` is borrowed. Opens nothing. UNAVAILABLE if its thread cannot be started. */
enum status pool_new(struct database *database, const struct pool_settings *settings,
                     struct pool **ret_pool, struct err *err) MUST_CHECK;
/**
 * Never waits. BUSY at once if the line is full, UNAVAILABLE if the pool stops or no thread can be
 * started; then `run` is not called. A job must not be submitted again before its `run` was called.
 */
enum status pool_submit(struct pool *pool, struct pool_job *job, struct err *err) MUST_CHECK;
/**
 * The server is going to stop: from now on nobody waits in line beyond `deadline_ms` (monotonic),
 * whatever the job's own deadline is. Never waits.
 */
void pool_hurry(struct pool *pool, int64_t deadline_ms);
/** The database is known to be there again: if connections could not be opened, try at once. */
void pool_retry(struct pool *pool);
void pool_statistics(struct pool *pool, struct pool_statistics *ret_statistics);
/**
 * Refuse new jobs, finish all that were accepted, join the threads, close the connections. If the
 * database is away, so that there is no connection to finish them with, the jobs in line are told
 * UNAVAILABLE at once. NULL allowed.
 */
void pool_free(struct pool *pool);

#endif
