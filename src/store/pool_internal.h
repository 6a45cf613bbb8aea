/**
 * What the files of the pool share. See pool.c for how it works.
 *
 *     pool.c              the line's door, the workers, statistics
 *     pool_line.c         the line
 *     pool_connections.c  connections: idle ones, opening, checking, closing; the database away
 *     pool_supervisor.c   a thread that watches over times
 *
 * All functions here are called with the lock held. Those that say so let go of it meanwhile.
 */
#ifndef OPENRISK_STORE_POOL_INTERNAL_H
#define OPENRISK_STORE_POOL_INTERNAL_H

#include <pthread.h>

#include "store/pool.h"

enum { POOL_STACK_BYTES = 512 * 1024 };

/**
 * A connection is opening → held by a worker ⇄ idle → closing. Idle: guarded by the lock. Else: the
 * thread's that opens, holds, checks or closes it.
 */
struct connection {
    struct db *db;
    struct connection *above, *below; /* in the stack of idle ones */
    int64_t expires_ms;               /* opened + lifetime, less a random part */
    int64_t idle_since_ms;
    uint64_t breaks; /* the pool's `breaks` when it was last known to be alive */
};

struct worker {
    struct pool *pool;
    pthread_t thread;
    /* Guarded by the lock: the job that runs. */
    const char *label;
    int64_t started_ms;
    bool is_running, is_warned_about;
};

struct line {
    struct pool_job *first, *last;           /* by arrival: `next`, `previous` */
    struct pool_job *first_late, *last_late; /* the same jobs by deadline */
    unsigned count;
};

struct idle_stack {
    struct connection *top, *bottom; /* last used, longest idle */
    unsigned count;
};

/** While connections cannot be opened. */
struct outage {
    bool is_on;
    bool is_probing; /* one worker tries */
    int64_t since_ms, next_probe_ms, backoff_ms;
};

struct pool {
    /* Set up by pool_new(), then only read. */
    struct database *database;
    struct pool_settings settings;
    struct worker *workers; /* max_open of them, `worker_count` of them started */
    pthread_t supervisor;

    pthread_mutex_t lock; /* guards all below, and what it is said of above */
    pthread_cond_t work;  /* a worker may have something to do, or `stopping` */
    pthread_cond_t watch; /* `wake_ms` was moved forward */
    bool stopping;
    int64_t last_deadline_ms; /* no job's is later */
    struct line line;
    unsigned worker_count;
    unsigned resting;  /* workers that wait for `work` … */
    unsigned called;   /* … and how many of them have been called and are not awake yet */
    unsigned checking; /* workers that look whether an idle connection is fit for use */
    struct idle_stack idle;
    uint64_t breaks; /* how many connections were found dead */
    uint64_t jitter; /* state of the random numbers */
    struct outage outage;
    int64_t wake_ms; /* when the supervisor looks at the times again */
    unsigned open, opening, in_use;
    struct pool_statistics counters; /* only its counters */
};

/* pool_line.c */

void pool_line_add(struct line *line, struct pool_job *job);
void pool_line_remove(struct line *line, struct pool_job *job);

/* pool.c */

/** Wake or start workers for what is in line. Whenever something came to be done, or with. */
void pool_call_workers(struct pool *pool, int64_t now_ms);
/** Take a job out, as it has been served or not; those who wait for the end of the line hear it. */
void pool_take_out(struct pool *pool, struct pool_job *job);

/* pool_connections.c */

/**
 * There is no connection, and none could be opened. Then one is tried for even if nobody waits, or
 * a quiet server would say for hours that it has none.
 */
bool pool_is_lost(const struct pool *pool);
/** May one more connection be opened? */
bool pool_may_open(const struct pool *pool, int64_t now_ms);
/**
 * For whom there is one idle, or pool_may_open(): a connection that is fit for use; NULL if the
 * idle one was not, or none could be opened. Lets go of the lock.
 */
struct connection *pool_connection_get(struct pool *pool);
/** A worker has nothing to do with it: on the stack. */
void pool_connection_give(struct pool *pool, struct connection *connection, int64_t now_ms);
/**
 * A job has had it. Returns it if it can serve the next one; else it has been closed, and NULL.
 * Lets go of the lock.
 */
struct connection *pool_connection_judge(struct pool *pool, struct connection *connection,
                                         bool is_broken, int64_t now_ms);
/** Lets go of the lock. */
void pool_connection_close(struct pool *pool, struct connection *connection,
                           enum pool_closed reason);
/** Take one out of the stack. */
void pool_idle_remove(struct pool *pool, struct connection *connection);

/* pool_supervisor.c */

/** The supervisor's thread; `context` is the pool. */
void *pool_supervise(void *context);
/** Tell all in line whose deadline has passed. Lets go of the lock. */
void pool_tell_late(struct pool *pool);
/** See to it that the supervisor looks at the times at `at_ms` or before. */
void pool_watch_by(struct pool *pool, int64_t at_ms);

#endif
