#include "faulty_engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

/* This engine's own; `inner` are the other engine's, which calls them the same. */
struct engine_shared {
    struct faulty *faulty;
    struct engine_shared *inner;
};
struct engine_conn {
    struct faulty *faulty;
    struct engine_conn *inner;
    uint64_t breaks; /* when it was opened */
    bool is_broken;
};
struct engine_statement {
    struct engine_conn *conn;
    struct engine_statement *inner;
};

static const struct db_engine *inner_of(const struct engine_conn *conn)
{
    return conn->faulty->inner;
}

static enum status lost(struct err *err)
{
    return err_set(err, UNAVAILABLE, NULL, "the database cannot be used");
}

/** Is it this call's turn to fail? A failure breaks the connection. */
static bool fails(struct engine_conn *conn)
{
    struct faulty *faulty = conn->faulty;
    pthread_mutex_lock(&faulty->lock);
    if (conn->breaks < faulty->breaks || ++faulty->calls == faulty->fails_at)
        conn->is_broken = true;
    pthread_mutex_unlock(&faulty->lock);
    return conn->is_broken;
}

static enum status shared_new(const char *url, struct engine_shared **ret_shared, struct err *err)
{
    char *inner_url;
    struct faulty *faulty = (struct faulty *)(uintptr_t)strtoumax(url, &inner_url, 16);
    struct engine_shared *inner;
    enum status status = faulty->inner->shared_new(inner_url + 1, &inner, err);
    if (status != OK)
        return status;
    *ret_shared = mem_zalloc(1, sizeof **ret_shared);
    **ret_shared = (struct engine_shared){faulty, inner};
    return OK;
}

static void shared_free(struct engine_shared *shared)
{
    shared->faulty->inner->shared_free(shared->inner);
    free(shared);
}

static void set_limits(struct engine_shared *shared, const struct db_limits *limits)
{
    if (shared->faulty->inner->set_limits)
        shared->faulty->inner->set_limits(shared->inner, limits);
}

static const char *path(const struct engine_shared *shared)
{
    return shared->faulty->inner->path(shared->inner);
}

/** Count it as open, if it may be. */
static enum status may_open(struct faulty *faulty, uint64_t *ret_breaks, struct err *err)
{
    enum status status = OK;
    pthread_mutex_lock(&faulty->lock);
    faulty->opens++;
    faulty->opening++;
    pthread_cond_broadcast(&faulty->changed);
    while (faulty->is_held)
        pthread_cond_wait(&faulty->changed, &faulty->lock);
    faulty->opening--;
    if (faulty->is_down || ++faulty->calls == faulty->fails_at)
        status = err_set(err, UNAVAILABLE, NULL, "the database is away, says the test");
    else if (faulty->limit && faulty->open >= faulty->limit)
        status = err_set(err, UNAVAILABLE, NULL, "too many connections, says the test");
    else if (++faulty->open > faulty->most_open)
        faulty->most_open = faulty->open;
    *ret_breaks = faulty->breaks;
    pthread_mutex_unlock(&faulty->lock);
    return status;
}

static enum status open_one(struct engine_shared *shared, struct engine_conn **ret_conn,
                            struct err *err)
{
    uint64_t breaks;
    struct engine_conn *inner;
    enum status status = may_open(shared->faulty, &breaks, err);
    if (status != OK)
        return status;
    if (shared->faulty->inner->open(shared->inner, &inner, err) != OK)
        abort();
    *ret_conn = mem_zalloc(1, sizeof **ret_conn);
    **ret_conn = (struct engine_conn){shared->faulty, inner, breaks, false};
    return OK;
}

static void close_one(struct engine_conn *conn)
{
    inner_of(conn)->close(conn->inner);
    pthread_mutex_lock(&conn->faulty->lock);
    conn->faulty->open--;
    pthread_mutex_unlock(&conn->faulty->lock);
    free(conn);
}

static bool is_broken(const struct engine_conn *conn)
{
    const struct db_engine *inner = inner_of(conn);
    return conn->is_broken || (inner->is_broken && inner->is_broken(conn->inner));
}

static bool is_alive(struct engine_conn *conn, int ping_timeout_ms)
{
    struct faulty *faulty = conn->faulty;
    pthread_mutex_lock(&faulty->lock);
    (*(ping_timeout_ms ? &faulty->pings : &faulty->looks))++;
    conn->is_broken |= conn->breaks < faulty->breaks;
    pthread_mutex_unlock(&faulty->lock);
    const struct db_engine *inner = inner_of(conn);
    return !conn->is_broken && (!inner->is_alive || inner->is_alive(conn->inner, ping_timeout_ms));
}

static void set_statement_limit(struct engine_conn *conn, int limit_ms)
{
    if (inner_of(conn)->set_statement_limit)
        inner_of(conn)->set_statement_limit(conn->inner, limit_ms);
}

static enum status script(struct engine_conn *conn, const char *sql, struct err *err)
{
    return fails(conn) ? lost(err) : inner_of(conn)->script(conn->inner, sql, err);
}

static enum status begin_read(struct engine_conn *conn, struct err *err)
{
    return fails(conn) ? lost(err) : inner_of(conn)->begin_read(conn->inner, err);
}

static enum status begin_write(struct engine_conn *conn, int timeout_ms, bool alone,
                               struct err *err)
{
    return fails(conn) ? lost(err)
                       : inner_of(conn)->begin_write(conn->inner, timeout_ms, alone, err);
}

static enum status commit(struct engine_conn *conn, struct err *err)
{
    if (!fails(conn))
        return inner_of(conn)->commit(conn->inner, err);
    inner_of(conn)->rollback(conn->inner);
    return lost(err);
}

static void rollback(struct engine_conn *conn)
{
    fails(conn);
    inner_of(conn)->rollback(conn->inner);
}

static void bulk(struct engine_conn *conn, bool on)
{
    inner_of(conn)->bulk(conn->inner, on);
}

static enum status prepare(struct engine_conn *conn, const char *sql,
                           struct engine_statement **ret_statement, struct err *err)
{
    struct engine_statement *inner;
    enum status status =
        fails(conn) ? lost(err) : inner_of(conn)->prepare(conn->inner, sql, &inner, err);
    if (status != OK)
        return status;
    *ret_statement = mem_zalloc(1, sizeof **ret_statement);
    **ret_statement = (struct engine_statement){conn, inner};
    return OK;
}

static void finalize(struct engine_statement *statement)
{
    inner_of(statement->conn)->finalize(statement->inner);
    free(statement);
}

static enum status bind(struct engine_statement *statement, const struct db_value *params,
                        size_t count, bool streams, struct err *err)
{
    if (fails(statement->conn))
        return lost(err);
    return inner_of(statement->conn)->bind(statement->inner, params, count, streams, err);
}

static enum status queue(struct engine_statement *statement, struct err *err)
{
    if (fails(statement->conn))
        return lost(err);
    return inner_of(statement->conn)->queue(statement->inner, err);
}

static enum engine_step step(struct engine_statement *statement, enum status *ret_status,
                             struct err *err)
{
    if (!fails(statement->conn))
        return inner_of(statement->conn)->step(statement->inner, ret_status, err);
    *ret_status = lost(err);
    return ENGINE_FAILED;
}

static void reset(struct engine_statement *statement)
{
    inner_of(statement->conn)->reset(statement->inner);
}

static int64_t changed(struct engine_conn *conn)
{
    return inner_of(conn)->changed(conn->inner);
}

static int64_t column_int(struct engine_statement *statement, int column)
{
    return inner_of(statement->conn)->column_int(statement->inner, column);
}

static bool column_is_null(struct engine_statement *statement, int column)
{
    return inner_of(statement->conn)->column_is_null(statement->inner, column);
}

static const char *column_text(struct engine_statement *statement, int column)
{
    return inner_of(statement->conn)->column_text(statement->inner, column);
}

static int column_count(struct engine_statement *statement)
{
    return inner_of(statement->conn)->column_count(statement->inner);
}

static const struct db_engine faulty_engine = {
    .name = "faulty",
    .shared_new = shared_new,
    .shared_free = shared_free,
    .set_limits = set_limits,
    .path = path,
    .open = open_one,
    .close = close_one,
    .is_broken = is_broken,
    .is_alive = is_alive,
    .set_statement_limit = set_statement_limit,
    .script = script,
    .begin_read = begin_read,
    .begin_write = begin_write,
    .commit = commit,
    .rollback = rollback,
    .bulk = bulk,
    .prepare = prepare,
    .finalize = finalize,
    .bind = bind,
    .step = step,
    .reset = reset,
    .changed = changed,
    .column_int = column_int,
    .column_is_null = column_is_null,
    .column_text = column_text,
    .column_count = column_count,
};

/* Control */

void faulty_init(struct faulty *faulty, const struct db_engine *inner)
{
    *faulty = (struct faulty){.inner = inner, .engine = faulty_engine};
    faulty->engine.dialect = inner->dialect;
    faulty->engine.queue = inner->queue ? queue : NULL;
    pthread_mutex_init(&faulty->lock, NULL);
    pthread_cond_init(&faulty->changed, NULL);
}

void faulty_release(struct faulty *faulty)
{
    pthread_cond_destroy(&faulty->changed);
    pthread_mutex_destroy(&faulty->lock);
}

void faulty_database(struct faulty *faulty, const char *url, struct database **ret_database)
{
    struct err err;
    AUTO_FREE char *own_url = mem_format("%" PRIxPTR ":%s", (uintptr_t)faulty, url);
    if (database_new_of(&faulty->engine, own_url, ret_database, &err) != OK)
        abort();
}

long faulty_fail_at(struct faulty *faulty, long n)
{
    pthread_mutex_lock(&faulty->lock);
    long calls = faulty->calls;
    faulty->fails_at = n ? calls + n : 0;
    pthread_mutex_unlock(&faulty->lock);
    return calls;
}

void faulty_set_down(struct faulty *faulty, bool is_down, bool breaks)
{
    pthread_mutex_lock(&faulty->lock);
    faulty->is_down = is_down;
    faulty->breaks += breaks;
    pthread_mutex_unlock(&faulty->lock);
}

void faulty_break_all(struct faulty *faulty)
{
    pthread_mutex_lock(&faulty->lock);
    faulty->breaks++;
    pthread_mutex_unlock(&faulty->lock);
}

void faulty_set_limit(struct faulty *faulty, unsigned limit)
{
    pthread_mutex_lock(&faulty->lock);
    faulty->limit = limit;
    pthread_mutex_unlock(&faulty->lock);
}

void faulty_hold_opening(struct faulty *faulty, bool is_held)
{
    pthread_mutex_lock(&faulty->lock);
    faulty->is_held = is_held;
    pthread_cond_broadcast(&faulty->changed);
    pthread_mutex_unlock(&faulty->lock);
}

void faulty_wait_opening(struct faulty *faulty, unsigned count)
{
    pthread_mutex_lock(&faulty->lock);
    while (faulty->opening < count)
        pthread_cond_wait(&faulty->changed, &faulty->lock);
    pthread_mutex_unlock(&faulty->lock);
}

struct faulty_counts faulty_counts(struct faulty *faulty)
{
    pthread_mutex_lock(&faulty->lock);
    struct faulty_counts counts = {faulty->open, faulty->most_open, faulty->opens, faulty->looks,
                                   faulty->pings};
    pthread_mutex_unlock(&faulty->lock);
    return counts;
}
