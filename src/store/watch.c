#include "store/watch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "store/engine.h"

enum {
    STACK_BYTES = 256 * 1024,
    LATE_MS = 1000, /* a look may take that much longer than its limit, then the database is down */
};

struct watch {
    struct database *database;
    struct watch_settings settings;
    struct db *db; /* the looking thread's; NULL: to be opened (again) */
    pthread_t looker, ticker;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t stop;
    bool stopping;
    struct watch_state state; /* `is_up`: by the last look alone */
};

static enum status open_if_need_be(struct watch *watch, struct err *err)
{
    if (watch->db)
        return OK;
    enum status status = db_open(watch->database, &watch->db, err);
    if (status == OK)
        db_set_statement_limit(watch->db, watch->settings.limit_ms);
    return status;
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
    if (status == OK)
        db_rollback(watch->db);
    return status;
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

/** Until the next turn. False when it is to stop. */
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

static void *keep_looking(void *context)
{
    struct watch *watch = context;
    while (rest(watch)) {
        struct err err;
        err_init(&err);
        look(watch, &err);
    }
    return NULL;
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
    if (looks)
        pthread_join(watch->looker, NULL);
    if (ticks)
        pthread_join(watch->ticker, NULL);
}

static void watch_free(struct watch *watch)
{
    db_close(watch->db);
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
    enum status status = look(watch, err);
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
