/**
 * The watch: looks at the database all the time, on a connection of its own, and knows whether it
 * is there.
 *
 * A look is a transaction that reads the generations. So the database's watcher, if it has one
 * (store/db.h), soon hears of what another process writes, and of looks that failed. A look has a
 * limit, so that a connection on which nothing comes any more is noticed; after a failure the
 * connection is closed, and the next look opens another.
 *
 * Whoever needs to know what was written until now, by whatever process, waits for a look that
 * begins after now: watch_ask(). All who wait when a look begins share it. Where the engine has a
 * doorbell (db_listen()), a look is made as soon as somebody has written.
 *
 * If a look finds the database older than what was known before (db_scopes_behind()), the watch
 * lifts all generations over what was known, and says so in the log.
 *
 * Opening one may take as long as the database's limits allow. What must come in time whatever the
 * database does is `tick`, so it has a thread of its own.
 *
 * Thread-safe.
 */
#ifndef OPENRISK_STORE_WATCH_H
#define OPENRISK_STORE_WATCH_H

#include "base/clock.h"
#include "store/db.h"

struct watch;

struct watch_settings {
    const struct clock *clock;
    unsigned interval_ms;        /* between looks, and between ticks */
    int limit_ms;                /* that a look may wait for an answer */
    void (*tick)(void *context); /* never waits for the database; or NULL */
    void *context;
    void (*back)(void *context); /* after looks had failed, one went well; or NULL */
    void *back_context;
};

/** Times are of the monotonic clock. */
struct watch_state {
    bool is_up;         /* the last look went well, and it was not long ago */
    int64_t latency_us; /* of the last look that went well */
    int64_t checked_ms; /* when the last look ended */
    int64_t since_ms;   /* when looks began to go well, or to fail, as the last one did */
};

/**
 * Looks once before it returns, and fails as that look does. `database` is borrowed, and no
 * database_watch() comes later.
 */
enum status watch_start(struct database *database, const struct watch_settings *settings,
                        struct watch **ret_watch, struct err *err) MUST_CHECK;
void watch_state(struct watch *watch, struct watch_state *ret_state);

/** Embedded by who asks; theirs again once `looked` is called. */
struct watch_waiter {
    /** Once, on the watch's thread, and not under a lock. UNAVAILABLE if the database did not
     * answer. */
    void (*looked)(struct watch_waiter *waiter, enum status status, const struct err *why);
    struct watch_waiter *next; /* its own */
};
/**
 * Wait for a look that begins from now on. False, and `looked` is not called, if the last one has
 * failed: nobody waits for a database that is away.
 */
bool watch_ask(struct watch *watch, struct watch_waiter *waiter) MUST_CHECK;

/** Waits for the end of the look that is under way; who still waits hears that it failed. NULL
 * allowed. */
void watch_stop(struct watch *watch);

#endif
