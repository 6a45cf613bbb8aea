/*
 * PostgreSQL as an engine.
 *
 * A statement over a network costs a round trip, however small it is. So nothing waits until an
 * answer is needed: BEGIN, the reading of the generations and all statements up to the first whose
 * rows are looked at go out together (postgres_wire.h), and the end of a reading transaction is not
 * waited for at all. A load whose statements do not depend on each other's rows takes one round
 * trip.
 *
 * Reading transactions are REPEATABLE READ READ ONLY: one snapshot. Writing ones are READ COMMITTED
 * and begin by taking one lock (an advisory one, released with the transaction), so that a writer
 * is alone among the writers as with SQLite: sums, versions, the last administrator, the score of a
 * risk whose asset changes are all read, changed and written. READ COMMITTED, because the first
 * statement after the lock must see what the one before us has committed; a snapshot taken before
 * it would not.
 * Rejected: rows locked one by one, which is another order of locks per service function, deadlocks
 * where two differ, and nothing that guards what is not there yet (a link to an asset whose
 * criticality changes). SERIALIZABLE, whose failures every caller must be ready to repeat.
 *
 * Statements are prepared at their first use, in the same round trip; those of lists never. Rows
 * come as text. Queries with very many rows go through a cursor, so that memory holds ROWS_FETCHED
 * of them.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "store/postgres_wire.h"

enum {
    PARAMS_MAX = 250,
    ROWS_FETCHED = 500,
    CONNECT_MS = 5000, /* where nothing else is set: in commands */
    LAST_WORDS_MS = 100,
    NETWORK_MS = 1000, /* an answer's way, beyond what the server may take for it; or as long
                          again, if that is shorter */
    TEXT_OID = 25,     /* pg_type.dat: the same in every server */
};
/* Any number that no other program uses in this database: "OpenRisk". */
#define WRITER_LOCK "5723058961826178923"

static const char *const schemes[] = {"postgres://", "postgresql://", NULL};

/* What the connections share */

/**
 * Where a password's special characters stand as they are, its parts become a host, a port or a
 * database, and the library's words about these would show them.
 */
static bool may_hold_password(const PQconninfoOption *option)
{
    if (!option->val)
        return false;
    if (strcmp(option->keyword, "host") == 0 || strcmp(option->keyword, "dbname") == 0)
        return strchr(option->val, '@') != NULL;
    return strcmp(option->keyword, "port") == 0 &&
           option->val[strspn(option->val, "0123456789,")] != '\0';
}

static bool is_understood(const char *url)
{
    char *words = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &words);
    PQfreemem(words); /* they may quote the password */
    bool is_understood = options != NULL;
    for (const PQconninfoOption *option = options; option && option->keyword; option++)
        is_understood &= !may_hold_password(option);
    PQconninfoFree(options);
    return is_understood;
}

static enum status postgres_shared_new(const char *url, struct engine_shared **ret_shared,
                                       struct err *err)
{
    if (!is_understood(url))
        return err_set(err, INVALID, "DATABASE_URL",
                       "is not understood: write postgres://USER:PASSWORD@HOST:PORT/DATABASE, with "
                       "%% codes for special characters");
    struct engine_shared *shared = mem_zalloc(1, sizeof *shared);
    shared->url = mem_strdup(url);
    shared->limits.connect_ms = CONNECT_MS;
    atomic_init(&shared->end_ms, INT64_MAX);
    *ret_shared = shared;
    return OK;
}

static void postgres_shared_free(struct engine_shared *shared)
{
    free(shared->url);
    free(shared);
}

static void postgres_set_limits(struct engine_shared *shared, const struct db_limits *limits)
{
    shared->limits = *limits;
}

static void postgres_hurry(struct engine_shared *shared, int64_t deadline_ms)
{
    atomic_store(&shared->end_ms, deadline_ms);
}

static const char *postgres_path(const struct engine_shared *shared)
{
    (void)shared;
    return NULL;
}

/* Connections */

/** What the server still has to say is taken, or it would log that nobody listens. */
static void postgres_close(struct engine_conn *conn)
{
    if (!conn->is_broken)
        postgres_round_within(conn, LAST_WORDS_MS);
    PQfinish(conn->pg);
    free(conn);
}

static int patience_ms(int statement_ms)
{
    return statement_ms + (statement_ms < NETWORK_MS ? statement_ms : NETWORK_MS);
}

static enum status postgres_open(struct engine_shared *shared, struct engine_conn **ret_conn,
                                 struct err *err)
{
    struct engine_conn *conn = mem_zalloc(1, sizeof *conn);
    conn->shared = shared;
    conn->limit_ms = patience_ms(shared->limits.statement_ms);
    enum status status = postgres_connect(conn, err);
    if (status != OK) {
        postgres_close(conn);
        return status;
    }
    *ret_conn = conn;
    return OK;
}

static bool postgres_is_broken(const struct engine_conn *conn)
{
    return conn->is_broken;
}

static bool postgres_is_alive(struct engine_conn *conn, int ping_timeout_ms)
{
    postgres_take(conn);
    if (ping_timeout_ms > 0 && !conn->is_broken) {
        postgres_ask(conn, ASKED_QUIETLY, "SELECT 1");
        postgres_round_within(conn, ping_timeout_ms);
    }
    return !conn->is_broken;
}

static void set_number(struct engine_conn *conn, const char *name, int value)
{
    char sql[80];
    snprintf(sql, sizeof sql, "SET %s = %d", name, value);
    postgres_ask(conn, ASKED_COMMAND, sql);
}

static void postgres_set_statement_limit(struct engine_conn *conn, int limit_ms)
{
    conn->limit_ms = patience_ms(limit_ms);
    postgres_sync(conn);
    set_number(conn, "statement_timeout", limit_ms);
}

/**
 * Very many rows are going to be written, for as long as it takes. Afterwards the planner must know
 * of them before anyone asks, and not only when the server comes to it.
 */
static void postgres_bulk(struct engine_conn *conn, bool on)
{
    if (!on && !conn->is_broken) {
        postgres_ask(conn, ASKED_QUIETLY, "ANALYZE");
        postgres_round(conn);
    }
    postgres_set_statement_limit(conn, on ? 0 : conn->shared->limits.statement_ms);
    set_number(conn, "idle_in_transaction_session_timeout", on ? 0 : 60000);
}

static uint64_t postgres_round_trips(const struct engine_conn *conn)
{
    return conn->round_trips;
}

/* Transactions */

static enum status told(const struct engine_conn *conn, struct err *err)
{
    if (conn->failed != OK && err)
        *err = conn->failed_err;
    return conn->failed;
}

/** What comes before is over: a failure there is not one of this transaction. */
static enum status start(struct engine_conn *conn, const char *sql, struct err *err)
{
    postgres_take(conn);
    conn->failed = OK;
    conn->committed = false;
    if (conn->is_broken)
        return err_set(err, UNAVAILABLE, NULL, "the database cannot be used");
    postgres_sync(conn);
    postgres_ask(conn, ASKED_COMMAND, sql);
    conn->in_transaction = true;
    conn->is_last_round = false;
    conn->transactions++;
    return OK;
}

static enum status postgres_begin_read(struct engine_conn *conn, struct err *err)
{
    return start(conn, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err);
}

static enum status postgres_begin_write(struct engine_conn *conn, int timeout_ms, bool alone,
                                        struct err *err)
{
    int lock_ms = timeout_ms > 0 ? timeout_ms : 1; /* 0 would be no limit */
    postgres_sync(conn); /* or a failure of what was asked before would skip it */
    if (conn->set_lock_ms != lock_ms)
        set_number(conn, "lock_timeout", lock_ms);
    conn->set_lock_ms = lock_ms;
    enum status status = start(conn, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", err);
    if (status != OK)
        return status;
    if (alone)
        postgres_ask(conn, ASKED_COMMAND, "SELECT pg_advisory_xact_lock(" WRITER_LOCK ")");
    conn->lock_ms = lock_ms;
    return OK;
}

/** If a statement fails, the end is skipped, and db_rollback() has it to do after all. */
static void postgres_last_round(struct engine_conn *conn)
{
    conn->is_last_round = true;
}

static void postgres_rollback(struct engine_conn *conn)
{
    conn->is_last_round = false;
    if (conn->is_broken || !conn->in_transaction)
        return;
    conn->in_transaction = false;
    /* What is still on its way may fail, and is of no transaction then. */
    for (size_t i = 0; i < conn->count; i++) {
        struct asked *asked = postgres_nth(conn, i);
        asked->is_over = true;
        if (asked->kind == ASKED_EXECUTE)
            asked->statement = NULL;
    }
    postgres_sync(conn);
    postgres_ask(conn, ASKED_QUIETLY, "ROLLBACK");
    postgres_sync(conn);
    postgres_flush(conn);
}

static enum status postgres_commit(struct engine_conn *conn, struct err *err)
{
    postgres_ask(conn, ASKED_COMMIT, "COMMIT");
    postgres_round(conn);
    if (conn->committed) {
        conn->in_transaction = false;
        return OK;
    }
    if (conn->failed == OK)
        return err_set(err, INTERNAL, NULL, "the database refused to commit");
    postgres_rollback(conn);
    return told(conn, err);
}

/* Statements */

/** Which parameters the text uses; the server can infer the type of those only. */
static void find_parameters(struct engine_statement *statement)
{
    bool used[PARAMS_MAX + 1] = {false};
    for (const char *c = statement->sql; (c = strchr(c, '$')); c++) {
        long number = strtol(c + 1, NULL, 10);
        if (number < 1 || number > PARAMS_MAX)
            continue;
        used[number] = true;
        if (number > statement->highest)
            statement->highest = (int)number;
    }
    for (int i = 1; i <= statement->highest; i++)
        statement->types[i - 1] = used[i] ? 0 : TEXT_OID;
}

static enum status postgres_prepare(struct engine_conn *conn, const char *sql,
                                    struct engine_statement **ret_statement, struct err *err)
{
    (void)err; /* the server says what it thinks of it when it is used */
    struct engine_statement *statement = mem_zalloc(1, sizeof *statement);
    statement->conn = conn;
    statement->sql = mem_strdup(sql);
    snprintf(statement->name, sizeof statement->name, "s%u", ++conn->names);
    find_parameters(statement);
    *ret_statement = statement;
    return OK;
}

/**
 * Prepared statements are planned with their values five times only. Then the server settles for
 * one plan for all values if it deems that no dearer, and it knows nothing of a word then: it takes
 * the most frequent one for rare, and looks at all texts that have it.
 */
static void postgres_plan_anew(struct engine_statement *statement)
{
    statement->plans_anew = true;
}

/** Answers that are still on their way to it go to nobody. */
static void abandon(struct engine_statement *statement, enum asked_kind kind)
{
    struct engine_conn *conn = statement->conn;
    for (size_t i = 0; i < conn->count; i++) {
        struct asked *asked = postgres_nth(conn, i);
        if (asked->statement == statement && asked->kind == kind)
            asked->statement = NULL;
    }
}

static void put_command(struct engine_statement *statement, const char *command)
{
    char sql[64];
    snprintf(sql, sizeof sql, "%s %s", command, statement->name);
    postgres_ask(statement->conn, ASKED_QUIETLY, sql);
}

static void postgres_reset(struct engine_statement *statement)
{
    struct engine_conn *conn = statement->conn;
    if (statement->is_asked)
        abandon(statement, ASKED_EXECUTE);
    statement->is_asked = false;
    bool is_there = conn->in_transaction && statement->transaction == conn->transactions;
    if (statement->is_open && is_there && !conn->is_broken && conn->failed == OK)
        put_command(statement, "CLOSE");
    statement->is_open = false;
    PQclear(statement->result);
    statement->result = NULL;
    statement->has_failed = false;
}

static void postgres_finalize(struct engine_statement *statement)
{
    struct engine_conn *conn = statement->conn;
    postgres_reset(statement);
    /* It may be on its way still, but not from before a failure: the name would be unknown. */
    bool is_there = statement->state == PREPARED ||
                    (statement->state == PREPARING && statement->batch == conn->batch);
    if (statement->state == PREPARING)
        abandon(statement, ASKED_PREPARE);
    if (is_there && !conn->is_broken && conn->failed == OK)
        put_command(statement, "DEALLOCATE");
    free(statement->sql);
    free(statement);
}

static void send_prepare(struct engine_statement *statement)
{
    struct engine_conn *conn = statement->conn;
    int sent = PQsendPrepare(conn->pg, statement->name, statement->sql, statement->highest,
                             statement->types);
    statement->state = PREPARING;
    statement->batch = conn->batch;
    postgres_asked(conn, sent, ASKED_PREPARE, statement);
}

static void send_fetch(struct engine_statement *statement)
{
    struct engine_conn *conn = statement->conn;
    char sql[64];
    snprintf(sql, sizeof sql, "FETCH FORWARD %d FROM %s", ROWS_FETCHED, statement->name);
    int sent = PQsendQueryParams(conn->pg, sql, 0, NULL, NULL, NULL, NULL, 0);
    postgres_asked(conn, sent, ASKED_EXECUTE, statement);
}

static void send_cursor(struct engine_statement *statement, const char *const *values)
{
    struct engine_conn *conn = statement->conn;
    AUTO_FREE char *sql =
        mem_format("DECLARE %s NO SCROLL CURSOR FOR %s", statement->name, statement->sql);
    int sent = PQsendQueryParams(conn->pg, sql, statement->highest, statement->types, values, NULL,
                                 NULL, 0);
    postgres_asked(conn, sent, ASKED_COMMAND, NULL);
    statement->is_open = true;
    statement->transaction = conn->transactions;
    send_fetch(statement);
}

static enum status postgres_bind(struct engine_statement *statement, const struct db_value *params,
                                 size_t count, bool streams, struct err *err)
{
    struct engine_conn *conn = statement->conn;
    const char *values[PARAMS_MAX];
    char numbers[PARAMS_MAX][24];
    if (count < (size_t)statement->highest)
        return err_set(err, INTERNAL, NULL, "a statement lacks a parameter");
    /* Of a transaction that was rolled back before it was known whether this was prepared */
    if (statement->state == PREPARING && statement->batch != conn->batch)
        postgres_round(conn);
    if (conn->failed != OK)
        return told(conn, err);
    for (int i = 0; i < statement->highest; i++) {
        values[i] = params[i].kind == DB_KIND_NULL ? NULL : params[i].text;
        if (params[i].kind != DB_KIND_INT)
            continue;
        snprintf(numbers[i], sizeof numbers[i], "%" PRId64, params[i].integer);
        values[i] = numbers[i];
    }
    statement->row = -1;
    statement->streams = streams;
    if (streams) {
        send_cursor(statement, values);
        return OK;
    }
    if (statement->state == NOT_PREPARED && !statement->plans_anew)
        send_prepare(statement);
    int sent = statement->plans_anew
                   ? PQsendQueryParams(conn->pg, statement->sql, statement->highest,
                                       statement->types, values, NULL, NULL, 0)
                   : PQsendQueryPrepared(conn->pg, statement->name, statement->highest, values,
                                         NULL, NULL, 0);
    postgres_asked(conn, sent, ASKED_EXECUTE, statement);
    return OK;
}

static enum status postgres_queue(struct engine_statement *statement, struct err *err)
{
    return told(statement->conn, err);
}

/** Wait for the rows. False if there are none because something failed. */
static bool arrive(struct engine_statement *statement)
{
    if (statement->is_asked)
        postgres_round(statement->conn);
    return statement->result && !statement->has_failed;
}

static enum engine_step postgres_step(struct engine_statement *statement, enum status *ret_status,
                                      struct err *err)
{
    struct engine_conn *conn = statement->conn;
    for (;;) {
        if (!arrive(statement)) {
            *ret_status = told(conn, err);
            if (*ret_status == OK)
                *ret_status = err_set(err, INTERNAL, NULL, "the database refused a statement");
            return ENGINE_FAILED;
        }
        int rows = PQntuples(statement->result);
        if (++statement->row < rows)
            return ENGINE_ROW;
        if (!statement->streams || rows < ROWS_FETCHED)
            break;
        send_fetch(statement);
        statement->row = -1;
    }
    const char *changed = PQcmdTuples(statement->result);
    conn->changed = strtoll(changed, NULL, 10);
    return ENGINE_DONE;
}

static int64_t postgres_changed(struct engine_conn *conn)
{
    return conn->changed;
}

/* Rows */

static const char *postgres_column_text(struct engine_statement *statement, int column)
{
    return PQgetisnull(statement->result, statement->row, column)
               ? NULL
               : PQgetvalue(statement->result, statement->row, column);
}

static int64_t postgres_column_int(struct engine_statement *statement, int column)
{
    const char *text = postgres_column_text(statement, column);
    return text ? strtoll(text, NULL, 10) : 0;
}

static bool postgres_column_is_null(struct engine_statement *statement, int column)
{
    return PQgetisnull(statement->result, statement->row, column) != 0;
}

static int postgres_column_count(struct engine_statement *statement)
{
    return PQnfields(statement->result);
}

const struct db_engine postgres_engine = {
    .name = "postgres",
    .dialect = DIALECT_POSTGRES,
    .schemes = schemes,
    .shared_new = postgres_shared_new,
    .shared_free = postgres_shared_free,
    .set_limits = postgres_set_limits,
    .hurry = postgres_hurry,
    .path = postgres_path,
    .open = postgres_open,
    .close = postgres_close,
    .is_broken = postgres_is_broken,
    .is_alive = postgres_is_alive,
    .set_statement_limit = postgres_set_statement_limit,
    .doorbell = postgres_doorbell,
    .rang = postgres_rang,
    .round_trips = postgres_round_trips,
    .script = postgres_script,
    .last_round = postgres_last_round,
    .begin_read = postgres_begin_read,
    .begin_write = postgres_begin_write,
    .commit = postgres_commit,
    .rollback = postgres_rollback,
    .bulk = postgres_bulk,
    .prepare = postgres_prepare,
    .plan_anew = postgres_plan_anew,
    .finalize = postgres_finalize,
    .bind = postgres_bind,
    .queue = postgres_queue,
    .step = postgres_step,
    .reset = postgres_reset,
    .changed = postgres_changed,
    .column_int = postgres_column_int,
    .column_is_null = postgres_column_is_null,
    .column_text = postgres_column_text,
    .column_count = postgres_column_count,
};
