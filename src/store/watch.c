#include "store/watch.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "store/engine.h"

enum {
    STACK_BYTES = 256 * 1024,
    LATE_MS = 1000, /* a look may take that much longer than its limit, then the database is down */
    RING_MS = 5,    /* between looks that somebody rang for: writers may ring all the time */
};

struct watch {
    struct database *database;
    struct watch_settings settings;
    struct db *db;  /* the looking thread's; NULL: to be opened (again) */
    bool is_behind; /* likewise: the database had gone back when it was looked at last */
    int wake;       /* an eventfd: somebody waits for a look, or it is to stop */
    pthread_t looker, ticker;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t stop;
    bool stopping;
    struct watch_state state;     /* `is_up`: by the last look alone */
    struct watch_waiter *waiting; /* for the next look */
};

static enum status open_if_need_be(struct watch *watch, struct err *err)
{
    if (watch->db)
        return OK;
    enum status status = db_open(watch->database, &watch->db, err);
    if (status != OK)
        return status;
    /* Half of it for the server, half for the way: see NETWORK_MS in postgres.c. */
    db_set_statement_limit(watch->db, watch->settings.limit_ms / 2);
    return db_listen(watch->db, err);
}

/**
 * The database has gone back. What was cached of its lost future is given up for good when the
 * generations are beyond it: all of them, since not all that was lost had bumped one; a sign-in
 * does not, and whoever signed in then is nobody now. Another writer may be in the way; then the
 * next look tries again.
 */
static void lift(struct watch *watch)
{
    char text[ERR_FIELD_SIZE + ERR_MESSAGE_SIZE];
    struct err err;
    err_init(&err);
    if (!watch->is_behind)
        log_event(LOG_WARN, "database_went_back",
                  LOG_TEXT("hint", "it was restored, or a standby has taken over: what it does not "
                                   "know any more is not given away"));
    watch->is_behind = true;
    enum status status = db_begin_write(watch->db, clock_now_ms(watch->settings.clock),
                                        watch->settings.limit_ms, &err);
    if (status == OK) {
        db_touch(watch->db, (1u << SCOPES) - 1);
        status = db_commit(watch->db, &err);
    }
    if (status != OK)
        log_event(LOG_WARN, "generations_not_lifted",
                  LOG_TEXT("error", err_text(&err, text, sizeof text)));
}

/** Where nobody watches the database, a transaction begins with nothing, and they are asked for. */
static enum status read_generations(struct watch *watch, struct err *err)
{
    int64_t generations[SCOPES];
    enum status status = db_begin_read(watch->db, err);
    if (status != OK)
        return status;
    status = watch->database->watcher ? db_settle(watch->db, err)
                                      : db_read_generations(watch->db, generations, err);
    if (status != OK)
        return status;
    db_rollback(watch->db);
    if (watch->database->watcher && db_scopes_behind(watch->db))
        lift(watch);
    else
        watch->is_behind = false;
    return OK;
}

/** Takes down how a look went. A line when they begin to fail, and one when that is over. */
static void note(struct watch *watch, enum status status, const struct err *err, int64_t took_us)
{
    char text[ERR_FIELD_SIZE + ERR_MESSAGE_SIZE];
    int64_t now_ms = clock_monotonic_ms();
    pthread_mutex_lock(&watch->lock);
    struct watch_state before = watch->state;
    watch->state.is_up = status == OK;
    watch->state.checked_ms = now_ms;
    if (status == OK)
        watch->state.latency_us = took_us;
    if (before.is_up != (status == OK) || before.checked_ms == 0)
        watch->state.since_ms = now_ms;
    pthread_mutex_unlock(&watch->lock);
    if (before.checked_ms == 0 || before.is_up == (status == OK))
        return;
    if (status != OK) {
        log_event(LOG_ERROR, "database_away", LOG_TEXT("error", err_text(err, text, sizeof text)));
        return;
    }
    log_event(LOG_INFO, "database_back", LOG_INT("away_ms", now_ms - before.since_ms));
    if (watch->settings.back)
        watch->settings.back(watch->settings.back_context);
}

static enum status look(struct watch *watch, struct err *err)
{
    const struct db_watcher *watcher = watch->database->watcher;
    struct db_look before = watcher ? watcher->look(watcher->context) : (struct db_look){0};
    enum status status = open_if_need_be(watch, err);
    int64_t began_us = clock_monotonic_us();
    if (status == OK)
        status = read_generations(watch, err);
    note(watch, status, err, clock_monotonic_us() - began_us);
    if (status == OK)
        return OK;
    if (watcher)
        watcher->failed(watcher->context, before);
    db_close(watch->db); /* may take its time, so it comes last */
    watch->db = NULL;
    return status;
}

/* Turns */

/** Those who wait now; with `stopping`, so that there will be none. */
static struct watch_waiter *take_waiting(struct watch *watch)
{
    uint64_t count;
    pthread_mutex_lock(&watch->lock);
    struct watch_waiter *first = watch->waiting;
    watch->waiting = NULL;
    if (read(watch->wake, &count, sizeof count) < 0)
        count = 0; /* nobody has */
    pthread_mutex_unlock(&watch->lock);
    return first;
}

static void tell(struct watch_waiter *waiter, enum status status, const struct err *why)
{
    for (struct watch_waiter *next; waiter; waiter = next) {
        next = waiter->next;
        waiter->looked(waiter, status, why);
    }
}

static void wake(struct watch *watch)
{
    static const uint64_t one = 1;
    if (write(watch->wake, &one, sizeof one) < 0)
        return; /* it is awake already */
}

bool watch_ask(struct watch *watch, struct watch_waiter *waiter)
{
    pthread_mutex_lock(&watch->lock);
    bool waits = watch->state.is_up && !watch->stopping;
    bool is_first = waits && !watch->waiting;
    if (waits) {
        waiter->next = watch->waiting;
        watch->waiting = waiter;
    }
    pthread_mutex_unlock(&watch->lock);
    if (is_first)
        wake(watch);
    return waits;
}

/** Look, for all who waited before it began. Who came since hears a failure too. */
static void look_for_them(struct watch *watch)
{
    struct err err;
    err_init(&err);
    struct watch_waiter *waiting = take_waiting(watch);
    enum status status = look(watch, &err);
    if (status != OK)
        status = UNAVAILABLE;
    tell(waiting, status, &err);
    if (status != OK)
        tell(take_waiting(watch), status, &err);
}

static bool is_stopping(struct watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    bool stopping = watch->stopping;
    pthread_mutex_unlock(&watch->lock);
    return stopping;
}

/** Until somebody waits for a look, rings, or `until_ms`. */
static void listen_until(struct watch *watch, int64_t until_ms)
{
    int64_t heard_ms = clock_monotonic_ms() + RING_MS;
    for (;;) {
        int64_t now_ms = clock_monotonic_ms(), left_ms = until_ms - now_ms;
        bool hears = watch->db && now_ms >= heard_ms;
        if (left_ms <= 0 || (hears && (db_rang(watch->db) || db_is_broken(watch->db))))
            return;
        if (!hears && watch->db && heard_ms - now_ms < left_ms)
            left_ms = heard_ms - now_ms;
        struct pollfd events[] = {{.fd = watch->wake, .events = POLLIN},
                                  {.fd = hears ? db_doorbell(watch->db) : -1, .events = POLLIN}};
        if (poll(events, COUNT_OF(events), (int)left_ms) > 0 && events[0].revents)
            return;
    }
}

static void *keep_looking(void *context)
{
    struct watch *watch = context;
    /* Asked before it listens, too: the look before may have taken the ring that says so. */
    while (!is_stopping(watch)) {
        listen_until(watch, clock_monotonic_ms() + watch->settings.interval_ms);
        if (!is_stopping(watch))
            look_for_them(watch);
    }
    return NULL;
}

/** Until the next tick. False when it is to stop. */
static bool rest(struct watch *watch)
{
    struct timespec until = thread_deadline(clock_monotonic_ms() + watch->settings.interval_ms);
    pthread_mutex_lock(&watch->lock);
    int woken = 0;
    while (!watch->stopping && woken == 0)
        woken = pthread_cond_timedwait(&watch->stop, &watch->lock, &until);
    bool goes_on = !watch->stopping;
    pthread_mutex_unlock(&watch->lock);
    return goes_on;
}

static void *keep_ticking(void *context)
{
    struct watch *watch = context;
    while (rest(watch))
        watch->settings.tick(watch->settings.context);
    return NULL;
}

static void end_threads(struct watch *watch, bool looks, bool ticks)
{
    pthread_mutex_lock(&watch->lock);
    watch->stopping = true;
    pthread_cond_broadcast(&watch->stop);
    pthread_mutex_unlock(&watch->lock);
    wake(watch);
    if (looks)
        pthread_join(watch->looker, NULL);
    if (ticks)
        pthread_join(watch->ticker, NULL);
}

static void watch_free(struct watch *watch)
{
    struct err err;
    err_set(&err, UNAVAILABLE, NULL, "the server is going down");
    tell(take_waiting(watch), UNAVAILABLE, &err);
    db_close(watch->db);
    close(watch->wake);
    pthread_cond_destroy(&watch->stop);
    pthread_mutex_destroy(&watch->lock);
    free(watch);
}

static enum status start_threads(struct watch *watch, struct err *err)
{
    int failed = thread_start(&watch->looker, STACK_BYTES, keep_looking, watch);
    bool looks = failed == 0;
    if (looks && watch->settings.tick)
        failed = thread_start(&watch->ticker, STACK_BYTES, keep_ticking, watch);
    if (!failed)
        return OK;
    end_threads(watch, looks, false);
    return err_set(err, UNAVAILABLE, NULL, "cannot start a thread: %s", strerror(failed));
}

enum status watch_start(struct database *database, const struct watch_settings *settings,
                        struct watch **ret_watch, struct err *err)
{
    struct watch *watch = mem_zalloc(1, sizeof *watch);
    watch->database = database;
    watch->settings = *settings;
    pthread_mutex_init(&watch->lock, NULL);
    thread_condition_init(&watch->stop);
    watch->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    enum status status = watch->wake >= 0 ? look(watch, err)
                                          : err_set(err, UNAVAILABLE, NULL,
                                                    "cannot make an eventfd: %s", strerror(errno));
    if (status == OK)
        status = start_threads(watch, err);
    if (status != OK) {
        watch_free(watch);
        return status;
    }
    *ret_watch = watch;
    return OK;
}

void watch_state(struct watch *watch, struct watch_state *ret_state)
{
    pthread_mutex_lock(&watch->lock);
    *ret_state = watch->state;
    pthread_mutex_unlock(&watch->lock);
    int64_t age_ms = clock_monotonic_ms() - ret_state->checked_ms;
    if (age_ms > watch->settings.limit_ms + LATE_MS)
        ret_state->is_up = false;
}

void watch_stop(struct watch *watch)
{
    if (!watch)
        return;
    end_threads(watch, true, watch->settings.tick != NULL);
    watch_free(watch);
}
