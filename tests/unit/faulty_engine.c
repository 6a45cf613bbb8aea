/*
 * Connections and statements are the other engine's own, so that what is not replaced here, now or
 * later, is passed on by itself. What this engine must know of them stands in tables beside them.
 */
#include "faulty_engine.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECTIONS = 64, STATEMENTS = 2048, PARAMS_MAX = 256 };

struct connection {
    const struct engine_conn *conn; /* NULL: free */
    uint64_t breaks;                /* when it was opened */
    bool is_lost;
};

struct statement {
    const struct engine_statement *statement; /* NULL: free */
    struct engine_conn *conn;
    bool is_target; /* of mischief */
};

static struct db_engine engine;
static const struct db_engine *other;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct {
    struct faulty_counts counts;
    long calls, fails_at; /* 0: none */
    enum faulty_way way;
    faulty_cut *cut;
    bool is_down, is_held;
    unsigned opening, limit;
    uint64_t breaks; /* connections opened before the last break are lost */
    enum mischief mischief;
    const char *beginning; /* of the statements that it happens to */
    struct connection connections[CONNECTIONS];
    struct statement statements[STATEMENTS];
} state;

/* The tables; NULL finds a free place. */

static struct connection *find_connection(const struct engine_conn *conn)
{
    for (size_t i = 0; i < CONNECTIONS; i++)
        if (state.connections[i].conn == conn)
            return &state.connections[i];
    abort();
}

static struct statement *find_statement(const struct engine_statement *statement)
{
    for (size_t i = 0; i < STATEMENTS; i++)
        if (state.statements[i].statement == statement)
            return &state.statements[i];
    abort();
}

static struct statement look_up(const struct engine_statement *statement)
{
    pthread_mutex_lock(&lock);
    struct statement known = *find_statement(statement);
    pthread_mutex_unlock(&lock);
    return known;
}

/** Is it lost by now? */
static bool is_lost(struct connection *connection)
{
    return connection->is_lost |= connection->breaks < state.breaks;
}

/** A call that can fail. OK: it is made. */
static enum status call(struct engine_conn *conn, struct err *err)
{
    pthread_mutex_lock(&lock);
    struct connection *connection = find_connection(conn);
    bool is_turn = !is_lost(connection) && ++state.calls == state.fails_at;
    connection->is_lost |= is_turn && state.way == FAULTY_LOSES;
    bool lost = connection->is_lost;
    faulty_cut *cut = is_turn && state.way == FAULTY_CUTS ? state.cut : NULL;
    pthread_mutex_unlock(&lock);
    if (lost)
        return err_set(err, UNAVAILABLE, NULL, "the connection is lost, says the test");
    if (cut)
        cut(conn);
    else if (is_turn)
        return err_set(err, BUSY, NULL, "refused, says the test");
    return OK;
}

/* Connections */

/** Count it as open, if it may be. */
static enum status may_open(uint64_t *ret_breaks, struct err *err)
{
    enum status status = OK;
    pthread_mutex_lock(&lock);
    state.counts.opens++;
    state.opening++;
    pthread_cond_broadcast(&changed);
    while (state.is_held)
        pthread_cond_wait(&changed, &lock);
    state.opening--;
    bool is_turn = state.way == FAULTY_LOSES && ++state.calls == state.fails_at;
    if (state.is_down || is_turn)
        status = err_set(err, UNAVAILABLE, NULL, "the database is away, says the test");
    else if (state.limit && state.counts.open >= state.limit)
        status = err_set(err, UNAVAILABLE, NULL, "too many connections, says the test");
    else if (++state.counts.open > state.counts.most_open)
        state.counts.most_open = state.counts.open;
    *ret_breaks = state.breaks;
    pthread_mutex_unlock(&lock);
    return status;
}

static enum status open_one(struct engine_shared *shared, struct engine_conn **ret_conn,
                            struct err *err)
{
    uint64_t breaks;
    enum status status = may_open(&breaks, err);
    if (status != OK)
        return status;
    status = other->open(shared, ret_conn, err);
    pthread_mutex_lock(&lock);
    if (status == OK)
        *find_connection(NULL) = (struct connection){*ret_conn, breaks, false};
    else
        state.counts.open--;
    pthread_mutex_unlock(&lock);
    return status;
}

/** Forgotten first: its address may be another one's as soon as it is closed. */
static void close_one(struct engine_conn *conn)
{
    pthread_mutex_lock(&lock);
    find_connection(conn)->conn = NULL;
    pthread_mutex_unlock(&lock);
    other->close(conn);
    pthread_mutex_lock(&lock);
    state.counts.open--;
    pthread_mutex_unlock(&lock);
}

static bool is_broken(const struct engine_conn *conn)
{
    pthread_mutex_lock(&lock);
    bool lost = find_connection(conn)->is_lost; /* as far as has been noticed */
    pthread_mutex_unlock(&lock);
    return lost || (other->is_broken && other->is_broken(conn));
}

static bool is_alive(struct engine_conn *conn, int ping_timeout_ms)
{
    pthread_mutex_lock(&lock);
    (*(ping_timeout_ms ? &state.counts.pings : &state.counts.looks))++;
    bool lost = is_lost(find_connection(conn));
    pthread_mutex_unlock(&lock);
    return !lost && (!other->is_alive || other->is_alive(conn, ping_timeout_ms));
}

/* Transactions */

static enum status script(struct engine_conn *conn, const char *sql, struct err *err)
{
    enum status status = call(conn, err);
    return status == OK ? other->script(conn, sql, err) : status;
}

static enum status begin_read(struct engine_conn *conn, struct err *err)
{
    enum status status = call(conn, err);
    return status == OK ? other->begin_read(conn, err) : status;
}

static enum status begin_write(struct engine_conn *conn, int timeout_ms, bool alone,
                               struct err *err)
{
    enum status status = call(conn, err);
    return status == OK ? other->begin_write(conn, timeout_ms, alone, err) : status;
}

static enum status commit(struct engine_conn *conn, struct err *err)
{
    enum status status = call(conn, err);
    if (status == OK)
        return other->commit(conn, err);
    other->rollback(conn); /* that is what a commit that fails has done */
    return status;
}

/** It cannot be refused, so it is nobody's turn then. */
static void rollback(struct engine_conn *conn)
{
    struct err ignored;
    pthread_mutex_lock(&lock);
    bool can_fail = state.way != FAULTY_REFUSES;
    pthread_mutex_unlock(&lock);
    if (can_fail)
        call(conn, &ignored);
    other->rollback(conn);
}

/* Statements */

static enum status prepare(struct engine_conn *conn, const char *sql,
                           struct engine_statement **ret_statement, struct err *err)
{
    enum status status = call(conn, err);
    if (status == OK)
        status = other->prepare(conn, sql, ret_statement, err);
    if (status != OK)
        return status;
    pthread_mutex_lock(&lock);
    bool is_target = state.mischief && strncmp(sql, state.beginning, strlen(state.beginning)) == 0;
    *find_statement(NULL) = (struct statement){*ret_statement, conn, is_target};
    pthread_mutex_unlock(&lock);
    return OK;
}

/** Forgotten first, as in close_one(). */
static void finalize(struct engine_statement *statement)
{
    pthread_mutex_lock(&lock);
    find_statement(statement)->statement = NULL;
    pthread_mutex_unlock(&lock);
    other->finalize(statement);
}

/** `values`: as they are written. */
static void change(struct db_value *values, size_t count)
{
    static char texts[2][200]; /* they may be read when the statement is run */
    for (size_t i = 0; i < count && state.mischief == NULL_TO_EMPTY; i++)
        if (values[i].kind == DB_KIND_NULL)
            values[i] = DB_TEXT("");
    if (state.mischief == MOVE_A_LETTER) {
        size_t last = strlen(values[0].text) - 1;
        snprintf(texts[0], sizeof texts[0], "%.*s", (int)last, values[0].text);
        snprintf(texts[1], sizeof texts[1], "%c%s", values[0].text[last], values[1].text);
        values[0] = DB_TEXT(texts[0]);
        values[1] = DB_TEXT(texts[1]);
    }
}

static enum status bind_it(struct engine_statement *statement, const struct db_value *params,
                           size_t count, bool streams, struct err *err)
{
    struct db_value values[PARAMS_MAX];
    struct statement known = look_up(statement);
    enum status status = call(known.conn, err);
    if (status != OK)
        return status;
    if (!known.is_target)
        return other->bind(statement, params, count, streams, err);
    memcpy(values, params, count * sizeof *params);
    change(values, count);
    return other->bind(statement, values, count, streams, err);
}

static enum status queue(struct engine_statement *statement, struct err *err)
{
    enum status status = call(look_up(statement).conn, err);
    return status == OK ? other->queue(statement, err) : status;
}

/** Is this the row that is to be lost? */
static bool loses_it(const struct statement *known)
{
    pthread_mutex_lock(&lock);
    bool loses = known->is_target && state.mischief == LOSE_A_ROW;
    if (loses)
        state.mischief = NO_MISCHIEF;
    pthread_mutex_unlock(&lock);
    return loses;
}

static enum engine_step step(struct engine_statement *statement, enum status *ret_status,
                             struct err *err)
{
    struct statement known = look_up(statement);
    enum status status = call(known.conn, err);
    if (status == OK)
        return loses_it(&known) ? ENGINE_DONE : other->step(statement, ret_status, err);
    *ret_status = status;
    return ENGINE_FAILED;
}

/* Control */

const struct db_engine *faulty_engine(const struct db_engine *inner)
{
    memset(&state, 0, sizeof state);
    other = inner;
    engine = *inner;
    engine.open = open_one;
    engine.close = close_one;
    engine.is_broken = is_broken;
    engine.is_alive = is_alive;
    engine.script = script;
    engine.begin_read = begin_read;
    engine.begin_write = begin_write;
    engine.commit = commit;
    engine.rollback = rollback;
    engine.prepare = prepare;
    engine.finalize = finalize;
    engine.bind = bind_it;
    engine.queue = inner->queue ? queue : NULL;
    engine.step = step;
    return &engine;
}

void faulty_set_way(enum faulty_way way, faulty_cut *cut)
{
    pthread_mutex_lock(&lock);
    state.way = way;
    state.cut = cut;
    pthread_mutex_unlock(&lock);
}

long faulty_fail_at(long n)
{
    pthread_mutex_lock(&lock);
    long calls = state.calls;
    state.fails_at = n ? calls + n : 0;
    pthread_mutex_unlock(&lock);
    return calls;
}

void faulty_set_down(bool is_down, bool breaks)
{
    pthread_mutex_lock(&lock);
    state.is_down = is_down;
    state.breaks += breaks;
    pthread_mutex_unlock(&lock);
}

void faulty_break_all(void)
{
    pthread_mutex_lock(&lock);
    state.breaks++;
    pthread_mutex_unlock(&lock);
}

void faulty_set_limit(unsigned limit)
{
    pthread_mutex_lock(&lock);
    state.limit = limit;
    pthread_mutex_unlock(&lock);
}

void faulty_hold_opening(bool is_held)
{
    pthread_mutex_lock(&lock);
    state.is_held = is_held;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

void faulty_wait_opening(unsigned count)
{
    pthread_mutex_lock(&lock);
    while (state.opening < count)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

void faulty_do(enum mischief mischief, const char *beginning)
{
    pthread_mutex_lock(&lock);
    state.mischief = mischief;
    state.beginning = beginning;
    for (size_t i = 0; i < STATEMENTS; i++)
        state.statements[i].is_target = false;
    pthread_mutex_unlock(&lock);
}

struct faulty_counts faulty_counts(void)
{
    pthread_mutex_lock(&lock);
    struct faulty_counts counts = state.counts;
    pthread_mutex_unlock(&lock);
    return counts;
}
