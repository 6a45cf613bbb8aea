#include "app/keeper.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

enum { STACK_BYTES = 256 * 1024 };

struct keeper {
    struct database *database;
    struct cache *cache;
    struct db *db; /* the thread's; NULL: to be opened (again) */
    bool failing;  /* the last read failed; the thread's */
    pthread_t thread;
    pthread_mutex_t lock; /* guards `stopping` */
    pthread_cond_t stop;
    bool stopping;
};

/** A transaction begins by reading the generations, and tells the watcher. */
static enum status read_generations(struct keeper *keeper, struct err *err)
{
    enum status status = OK;
    if (!keeper->db)
        status = db_open(keeper->database, &keeper->db, err);
    if (status == OK)
        status = db_begin_read(keeper->db, err);
    if (status != OK)
        return status;
    status = db_settle(keeper->db, err);
    db_rollback(keeper->db);
    return status;
}

/** A line when it begins to fail, and one when it is over. */
static void poll_generations(struct keeper *keeper)
{
    struct err err;
    char text[ERR_FIELD_SIZE + ERR_MESSAGE_SIZE];
    err_init(&err);
    enum status status = read_generations(keeper, &err);
    if (status != OK && !keeper->failing)
        log_event(LOG_ERROR, "generations_not_read",
                  LOG_TEXT("error", err_text(&err, text, sizeof text)),
                  LOG_TEXT("hint", "cached answers are checked one by one until it works again"));
    if (status == OK && keeper->failing)
        log_event(LOG_INFO, "generations_read_again");
    if (status != OK) {
        db_close(keeper->db);
        keeper->db = NULL;
    }
    keeper->failing = status != OK;
}

/** Until the next turn. False when it is to stop. */
static bool rest(struct keeper *keeper)
{
    struct timespec until = thread_deadline(clock_monotonic_ms() + KEEPER_POLL_MS);
    pthread_mutex_lock(&keeper->lock);
    int woken = 0;
    while (!keeper->stopping && woken == 0)
        woken = pthread_cond_timedwait(&keeper->stop, &keeper->lock, &until);
    bool goes_on = !keeper->stopping;
    pthread_mutex_unlock(&keeper->lock);
    return goes_on;
}

static void *keep(void *context)
{
    struct keeper *keeper = context;
    do {
        poll_generations(keeper);
        cache_tick(keeper->cache, clock_monotonic_ms());
    } while (rest(keeper));
    return NULL;
}

static void keeper_free(struct keeper *keeper)
{
    db_close(keeper->db);
    pthread_cond_destroy(&keeper->stop);
    pthread_mutex_destroy(&keeper->lock);
    free(keeper);
}

enum status keeper_start(struct database *database, struct cache *cache, struct keeper **ret_keeper,
                         struct err *err)
{
    struct keeper *keeper = mem_zalloc(1, sizeof *keeper);
    keeper->database = database;
    keeper->cache = cache;
    pthread_mutex_init(&keeper->lock, NULL);
    thread_condition_init(&keeper->stop);
    enum status status = read_generations(keeper, err);
    if (status == OK) {
        int failed = thread_start(&keeper->thread, STACK_BYTES, keep, keeper);
        if (failed)
            status = err_set(err, UNAVAILABLE, NULL, "cannot start a thread: %s", strerror(failed));
    }
    if (status != OK) {
        keeper_free(keeper);
        return status;
    }
    *ret_keeper = keeper;
    return OK;
}

void keeper_stop(struct keeper *keeper)
{
    if (!keeper)
        return;
    pthread_mutex_lock(&keeper->lock);
    keeper->stopping = true;
    pthread_cond_signal(&keeper->stop);
    pthread_mutex_unlock(&keeper->lock);
    pthread_join(keeper->thread, NULL);
    keeper_free(keeper);
}
