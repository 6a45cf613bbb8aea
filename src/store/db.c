#include "store/db.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "metrics/metrics.h"
#include "store/engine.h"
#include "store/query_label.h"

/* Statements kept per connection. Lists build texts from filters and sorts; the least recently used
 * one gives way. */
enum { STATEMENTS_MAX = 128 };

const char *const db_error_names[] = {"unavailable", "timeout", "busy", "full", "other", NULL};
const char *const scope_names[] = {"risks", "assets", "accounts", NULL};

struct db_statement {
    struct engine_statement *prepared;
    char *sql;
    const char *asked; /* where the text stood; it may be gone */
    uint64_t last_used;
    bool running;
};

struct db {
    struct database *database;
    const struct db_engine *engine;
    struct engine_conn *conn;
    enum { IDLE, READING, WRITING } transaction;
    bool is_note;                                 /* see db_begin_note() */
    enum { MORE_TO_COME, LAST_ROUND, ENDED } end; /* see db_last_round() */
    int64_t now_ms;                               /* of the write transaction */
    unsigned touched;                             /* scopes that its queries touched so far */
    int64_t generations[SCOPES];                  /* of the snapshot */
    struct db_rows observed;                      /* … on their way, until db_settle() */
    struct db_look look;                          /* from before they were asked for */
    unsigned bumped;                              /* see db_take_bumped() */
    int64_t bumped_to[SCOPES];
    uint64_t statements, statement_us;
    struct db_statement kept[STATEMENTS_MAX];
    size_t kept_count;
};

struct db_value db_text_value(const char *text)
{
    return text ? (struct db_value){.kind = DB_KIND_TEXT, .text = text} : DB_NULL;
}

enum status db_open(struct database *database, struct db **ret_db, struct err *err)
{
    struct engine_conn *conn;
    enum status status = database->engine->open(database->shared, &conn, err);
    if (status != OK)
        return status;
    struct db *db = mem_zalloc(1, sizeof *db);
    db->database = database;
    db->engine = database->engine;
    db->conn = conn;
    *ret_db = db;
    return OK;
}

enum db_dialect db_dialect(const struct db *db)
{
    return db->engine->dialect;
}

bool db_is_broken(const struct db *db)
{
    return db->engine->is_broken && db->engine->is_broken(db->conn);
}

bool db_is_alive(struct db *db, int ping_timeout_ms)
{
    assert(db->transaction == IDLE);
    return !db->engine->is_alive || db->engine->is_alive(db->conn, ping_timeout_ms);
}

void db_set_statement_limit(struct db *db, int limit_ms)
{
    if (db->engine->set_statement_limit)
        db->engine->set_statement_limit(db->conn, limit_ms);
}

enum status db_listen(struct db *db, struct err *err)
{
    if (!db->engine->doorbell)
        return OK;
    enum status status = db_begin_note(db, 0, 0, err);
    if (status != OK)
        return status;
    status = db_exec(db, &queries[QUERY_LISTEN], DB_NO_PARAMS, NULL, err);
    if (status == OK)
        return db_commit(db, err);
    db_rollback(db);
    return status;
}

int db_doorbell(const struct db *db)
{
    return db->engine->doorbell ? db->engine->doorbell(db->conn) : -1;
}

bool db_rang(struct db *db)
{
    assert(db->transaction == IDLE);
    return db->engine->rang && db->engine->rang(db->conn);
}

static void forget(struct db *db, struct db_statement *statement)
{
    db->engine->finalize(statement->prepared);
    free(statement->sql);
    *statement = (struct db_statement){0};
}

void db_close(struct db *db)
{
    if (!db)
        return;
    db_rollback(db);
    for (size_t i = 0; i < db->kept_count; i++)
        forget(db, &db->kept[i]);
    db->engine->close(db->conn);
    free(db);
}

void db_close_pointer(struct db **db)
{
    db_close(*db);
}

struct engine_conn *db_engine_conn(struct db *db, const struct db_engine *engine)
{
    return db->engine == engine ? db->conn : NULL;
}

enum status db_script(struct db *db, const char *sql, struct err *err)
{
    return db->engine->script(db->conn, sql, err);
}

/** In metrics, and in the log if it was slow: by its name, for values may be secrets. */
static void measured(const struct db *db, size_t label, int64_t took_us)
{
    int64_t slow_us = db->database->slow_us;
    metrics_observe(METRIC_QUERY_SECONDS, label, 0, took_us);
    if (slow_us > 0 && took_us > slow_us)
        log_event(LOG_WARN, "slow_query", LOG_TEXT("query", query_label_name(label)),
                  LOG_INT("ms", took_us / 1000));
}

/** Begin by reading the generations, so that no state is ever shown that the watcher has not seen.
 */
static enum status observe(struct db *db, struct err *err)
{
    if (!db->database->watcher)
        return OK;
    enum status status =
        db_select(db, &queries[QUERY_GENERATIONS], DB_NO_PARAMS, &db->observed, err);
    if (status != OK)
        db_rollback(db);
    return status;
}

static bool next_row(struct db_rows *rows);

static enum status take_generations(struct db_rows *rows, int64_t ret_generations[SCOPES],
                                    struct err *err)
{
    int64_t found[SCOPES] = {0};
    while (next_row(rows)) {
        int scope = text_index(scope_names, db_text(rows, 0));
        if (scope >= 0)
            found[scope] = db_int(rows, 1);
    }
    enum status status = db_end(rows, err);
    if (status == OK)
        memcpy(ret_generations, found, sizeof found);
    return status;
}

enum status db_settle(struct db *db, struct err *err)
{
    const struct db_watcher *watcher = db->database->watcher;
    if (!db->observed.statement)
        return OK;
    enum status status = take_generations(&db->observed, db->generations, err);
    if (status == OK)
        watcher->seen(watcher->context, db->look, db->generations);
    return status;
}

static void look(struct db *db)
{
    const struct db_watcher *watcher = db->database->watcher;
    if (watcher)
        db->look = watcher->look(watcher->context);
}

enum status db_begin_read(struct db *db, struct err *err)
{
    assert(db->transaction == IDLE);
    look(db);
    enum status status = db->engine->begin_read(db->conn, err);
    if (status != OK)
        return status;
    db->transaction = READING;
    db->end = MORE_TO_COME;
    return observe(db, err);
}

static enum status begin_write(struct db *db, int64_t now_ms, int timeout_ms, bool is_note,
                               struct err *err)
{
    assert(db->transaction == IDLE);
    look(db);
    int64_t started_us = clock_monotonic_us();
    enum status status = db->engine->begin_write(db->conn, timeout_ms, !is_note, err);
    measured(db, query_label_of(LABEL_BEGIN), clock_monotonic_us() - started_us);
    if (status != OK)
        return status;
    db->transaction = WRITING;
    db->end = MORE_TO_COME;
    db->is_note = is_note;
    db->now_ms = now_ms;
    db->touched = 0;
    return observe(db, err);
}

enum status db_begin_write(struct db *db, int64_t now_ms, int timeout_ms, struct err *err)
{
    return begin_write(db, now_ms, timeout_ms, false, err);
}

enum status db_begin_note(struct db *db, int64_t now_ms, int timeout_ms, struct err *err)
{
    return begin_write(db, now_ms, timeout_ms, true, err);
}

void db_last_round(struct db *db)
{
    assert(db->transaction == READING && db->end == MORE_TO_COME);
    db->end = LAST_ROUND;
    if (db->engine->last_round)
        db->engine->last_round(db->conn);
}

const int64_t *db_generations(const struct db *db)
{
    return db->generations;
}

unsigned db_scopes_behind(const struct db *db)
{
    unsigned scopes = 0;
    for (int scope = 0; scope < SCOPES; scope++)
        scopes |= (unsigned)(db->generations[scope] < db->look.known[scope]) << scope;
    return scopes;
}

void db_touch(struct db *db, unsigned scopes)
{
    assert(db->transaction == WRITING);
    db->touched |= scopes;
}

enum status db_read_generations(struct db *db, int64_t ret_generations[SCOPES], struct err *err)
{
    AUTO_ROWS struct db_rows rows = {0};
    enum status status = db_settle(db, err);
    if (status == OK)
        status = db_select(db, &queries[QUERY_GENERATIONS], DB_NO_PARAMS, &rows, err);
    if (status == OK)
        status = take_generations(&rows, ret_generations, err);
    return status;
}

/**
 * generation = max(generation + 1, now in µs), for each touched scope, in their order. And beyond
 * what was known before: more than one, if the database has gone back.
 */
static enum status bump_generations(struct db *db, int64_t ret_bumped[SCOPES], struct err *err)
{
    for (int scope = 0; scope < SCOPES; scope++) {
        if (!(db->touched & (1u << scope)))
            continue;
        int64_t least = db->now_ms * 1000;
        if (least <= db->look.known[scope])
            least = db->look.known[scope] + 1;
        enum status status = db_select_int(db, &queries[QUERY_GENERATION_BUMP],
                                           DB_PARAMS(DB_TEXT(scope_names[scope]), DB_INT(least)),
                                           &ret_bumped[scope], err);
        if (status == NOT_FOUND) {
            log_event(LOG_ERROR, "no_generation", LOG_TEXT("scope", scope_names[scope]));
            return err_set(err, INTERNAL, NULL, "the database is damaged");
        }
        if (status != OK)
            return status;
    }
    return OK;
}

static void note_bumped(struct db *db, unsigned scopes, const int64_t bumped[SCOPES])
{
    db->bumped |= scopes;
    for (int scope = 0; scope < SCOPES; scope++)
        if (bumped[scope] > db->bumped_to[scope])
            db->bumped_to[scope] = bumped[scope];
}

static enum status commit_write(struct db *db, struct err *err)
{
    const struct db_watcher *watcher = db->database->watcher;
    int64_t bumped[SCOPES] = {0};
    unsigned scopes = db->touched & ((1u << SCOPES) - 1);
    assert(!db->is_note || scopes == 0);
    enum status status = db_settle(db, err);
    if (status == OK)
        status = bump_generations(db, bumped, err);
    if (status != OK) {
        db->engine->rollback(db->conn);
        return status;
    }
    int64_t started_us = clock_monotonic_us();
    status = db->engine->commit(db->conn, err);
    measured(db, query_label_of(LABEL_COMMIT), clock_monotonic_us() - started_us);
    if (watcher && status != OK)
        watcher->doubtful(watcher->context);
    else if (watcher && scopes)
        watcher->committed(watcher->context, scopes, bumped);
    if (status == OK)
        note_bumped(db, scopes, bumped);
    return status;
}

unsigned db_take_bumped(struct db *db, int64_t ret_generations[SCOPES])
{
    unsigned scopes = db->bumped;
    memcpy(ret_generations, db->bumped_to, sizeof db->bumped_to);
    memset(db->bumped_to, 0, sizeof db->bumped_to);
    db->bumped = 0;
    return scopes;
}

enum status db_commit(struct db *db, struct err *err)
{
    assert(db->transaction != IDLE);
    enum status status =
        db->transaction == WRITING ? commit_write(db, err) : db->engine->commit(db->conn, err);
    db->transaction = IDLE;
    return status;
}

void db_rollback(struct db *db)
{
    db_rows_release(&db->observed);
    db->engine->rollback(db->conn);
    db->transaction = IDLE;
}

bool db_in_transaction(const struct db *db)
{
    return db->transaction != IDLE;
}

void db_bulk(struct db *db, bool on)
{
    db->engine->bulk(db->conn, on);
}

uint64_t db_statement_count(const struct db *db)
{
    return db->statements;
}

uint64_t db_round_trip_count(const struct db *db)
{
    return db->engine->round_trips ? db->engine->round_trips(db->conn) : 0;
}

uint64_t db_statement_us(const struct db *db)
{
    return db->statement_us;
}

/** A place for another statement: a free one, or that of the least recently used. */
static struct db_statement *place(struct db *db)
{
    if (db->kept_count < STATEMENTS_MAX)
        return &db->kept[db->kept_count++];
    struct db_statement *oldest = NULL;
    for (size_t i = 0; i < db->kept_count; i++)
        if (!db->kept[i].running && (!oldest || db->kept[i].last_used < oldest->last_used))
            oldest = &db->kept[i];
    assert(oldest); /* nobody nests 128 queries */
    forget(db, oldest);
    return oldest;
}

static enum status find_statement(struct db *db, const struct query *query, const char *sql,
                                  struct db_statement **ret_statement, struct err *err)
{
    size_t at = 0;
    /* Most texts are constants: the same address is most likely the same text. */
    while (at < db->kept_count &&
           !(db->kept[at].asked == sql && strcmp(db->kept[at].sql, sql) == 0))
        at++;
    if (at == db->kept_count)
        for (at = 0; at < db->kept_count && strcmp(db->kept[at].sql, sql) != 0; at++)
            ;
    if (at < db->kept_count) {
        *ret_statement = &db->kept[at];
        return OK;
    }
    struct engine_statement *prepared;
    enum status status = db->engine->prepare(db->conn, sql, &prepared, err);
    if (status != OK)
        return status;
    if (query->plans_anew && db->engine->plan_anew)
        db->engine->plan_anew(prepared);
    struct db_statement *statement = place(db);
    *statement = (struct db_statement){.prepared = prepared, .sql = mem_strdup(sql), .asked = sql};
    *ret_statement = statement;
    return OK;
}

static const char *text_of(const struct db *db, const struct query *query)
{
    return db->engine->dialect == DIALECT_POSTGRES && query->postgres ? query->postgres
                                                                      : query->sql;
}

enum status db_select(struct db *db, const struct query *query, const struct db_value *params,
                      size_t count, struct db_rows *ret_rows, struct err *err)
{
    assert(db->transaction != IDLE);
    assert(query->touches == 0 || db->transaction == WRITING);
    assert(db->end != ENDED);
    const char *sql = text_of(db, query);
    *ret_rows = (struct db_rows){.db = db};
    if (!*sql)
        return OK; /* nothing to do with this engine */
    struct db_statement *statement;
    enum status status = find_statement(db, query, sql, &statement, err);
    if (status != OK)
        return status;
    assert(!statement->running);
    status = db->engine->bind(statement->prepared, params, count, query->streams, err);
    if (status != OK)
        return status;
    statement->running = true;
    statement->last_used = ++db->statements;
    db->touched |= query->touches;
    *ret_rows = (struct db_rows){.db = db,
                                 .statement = statement,
                                 .started_us = clock_monotonic_us(),
                                 .label = query_label(query)};
    return OK;
}

static bool next_row(struct db_rows *rows)
{
    if (rows->status != OK || !rows->statement)
        return false;
    if (rows->db->end == LAST_ROUND)
        rows->db->end = ENDED;
    struct err ignored;
    enum engine_step step =
        rows->db->engine->step(rows->statement->prepared, &rows->status, &ignored);
    return step == ENGINE_ROW;
}

bool db_next(struct db_rows *rows)
{
    struct err ignored;
    if (rows->status == OK && rows->statement)
        rows->status = db_settle(rows->db, &ignored);
    return next_row(rows);
}

/**
 * The generations that a transaction begins with come over a network together with the answer to
 * what was asked after them: then the time was that statement's.
 */
static bool is_beside_another(const struct db_rows *rows)
{
    return rows == &rows->db->observed && rows->db->statements > rows->statement->last_used;
}

void db_rows_release(struct db_rows *rows)
{
    if (!rows->statement)
        return;
    bool is_beside = is_beside_another(rows);
    rows->db->engine->reset(rows->statement->prepared);
    rows->statement->running = false;
    rows->statement = NULL;
    int64_t took_us = clock_monotonic_us() - rows->started_us;
    rows->db->statement_us += (uint64_t)took_us;
    if (!is_beside)
        measured(rows->db, rows->label, took_us);
}

enum status db_end(struct db_rows *rows, struct err *err)
{
    enum status status = rows->status;
    db_rows_release(rows);
    if (status != OK)
        err_set(err, status, NULL,
                status == BUSY          ? "the database is busy; try again"
                : status == UNAVAILABLE ? "the database cannot be used"
                                        : "the database refused a statement");
    return status;
}

int64_t db_int(const struct db_rows *rows, int column)
{
    return rows->db->engine->column_int(rows->statement->prepared, column);
}

bool db_is_null(const struct db_rows *rows, int column)
{
    return rows->db->engine->column_is_null(rows->statement->prepared, column);
}

const char *db_text(const struct db_rows *rows, int column)
{
    return rows->db->engine->column_text(rows->statement->prepared, column);
}

int db_column_count(const struct db_rows *rows)
{
    return rows->db->engine->column_count(rows->statement->prepared);
}

char *db_text_copy(const struct db_rows *rows, int column, struct arena *arena)
{
    return arena_strdup(arena, db_text(rows, column));
}

enum status db_exec(struct db *db, const struct query *query, const struct db_value *params,
                    size_t count, int64_t *ret_changed, struct err *err)
{
    AUTO_ROWS struct db_rows rows = {0};
    enum status status = db_select(db, query, params, count, &rows, err);
    if (status != OK)
        return status;
    status = db_settle(db, err);
    if (status != OK)
        return status;
    if (rows.statement && db->engine->step(rows.statement->prepared, &status, err) == ENGINE_FAILED)
        return status;
    if (ret_changed)
        *ret_changed = rows.statement ? db->engine->changed(db->conn) : 0;
    return OK;
}

enum status db_queue(struct db *db, const struct query *query, const struct db_value *params,
                     size_t count, struct err *err)
{
    if (!db->engine->queue)
        return db_exec(db, query, params, count, NULL, err);
    AUTO_ROWS struct db_rows rows = {0};
    enum status status = db_select(db, query, params, count, &rows, err);
    if (status == OK && rows.statement)
        status = db->engine->queue(rows.statement->prepared, err);
    return status;
}
