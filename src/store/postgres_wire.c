#include "store/postgres_wire.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "metrics/metrics.h"

/* How often one who waits looks whether the program is going to stop (database_hurry()). */
enum { LOOK_UP_MS = 250 };

/* Asking */

struct asked *postgres_nth(struct engine_conn *conn, size_t n)
{
    return &conn->asked[(conn->first + n) % COUNT_OF(conn->asked)];
}

void postgres_break(struct engine_conn *conn, const char *why)
{
    if (!conn->is_broken) {
        metrics_add(METRIC_DB_ERRORS, DB_ERROR_UNAVAILABLE, 0, 1);
        log_event(LOG_WARN, "database_connection_lost", LOG_TEXT("error", why));
    }
    conn->is_broken = true;
}

void postgres_asked(struct engine_conn *conn, int sent, enum asked_kind kind,
                    struct engine_statement *statement)
{
    char words[300];
    if (!sent)
        postgres_break(conn, postgres_words(PQerrorMessage(conn->pg), words, sizeof words));
    assert(conn->count < COUNT_OF(conn->asked));
    *postgres_nth(conn, conn->count++) = (struct asked){kind, statement, false};
    if (statement && kind == ASKED_EXECUTE)
        statement->is_asked = true;
    if (conn->count >= POSTGRES_ASKED_MAX)
        postgres_round(conn);
}

void postgres_ask(struct engine_conn *conn, enum asked_kind kind, const char *sql)
{
    postgres_asked(conn, PQsendQueryParams(conn->pg, sql, 0, NULL, NULL, NULL, NULL, 0), kind,
                   NULL);
}

void postgres_sync(struct engine_conn *conn)
{
    if (conn->count == 0 || postgres_nth(conn, conn->count - 1)->kind == ASKED_SYNC)
        return;
    int sent = PQpipelineSync(conn->pg);
    if (!sent)
        postgres_break(conn, "a synchronisation point could not be sent");
    *postgres_nth(conn, conn->count++) = (struct asked){ASKED_SYNC, NULL, false};
    conn->batch++;
}

void postgres_flush(struct engine_conn *conn)
{
    if (!conn->is_broken && PQflush(conn->pg) < 0)
        postgres_break(conn, "what was asked could not be sent");
}

/* Answers */

static void fail_transaction(struct engine_conn *conn, enum status status, const struct err *err)
{
    if (conn->failed == OK) {
        conn->failed = status;
        conn->failed_err = *err;
    }
}

/** Whoever waits for this answer is told that there is none. */
static void refuse(struct asked *asked)
{
    struct engine_statement *statement = asked->statement;
    if (!statement)
        return;
    if (asked->kind == ASKED_PREPARE)
        statement->state = NOT_PREPARED;
    else {
        statement->is_asked = false;
        statement->has_failed = true;
    }
}

static void take_failure(struct engine_conn *conn, struct asked *asked, const PGresult *result)
{
    static const char *const doing[] = {"a command", "a command", "commit", "the end",
                                        "prepare",   "execute",   ""};
    struct err err;
    err_init(&err);
    /* The statement after a failure: the transaction has its reason already. */
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    bool follows = state && strcmp(state, "25P02") == 0 && conn->failed != OK;
    if (asked->kind != ASKED_QUIETLY && !asked->is_over && !follows) {
        const char *sql = asked->statement ? asked->statement->sql : doing[asked->kind];
        enum status status = postgres_failure(conn, result, sql, &err);
        fail_transaction(conn, status, &err);
    }
    refuse(asked);
}

/** The answer to the first that was asked. Consumes it. */
static void take_answer(struct engine_conn *conn, PGresult *result)
{
    struct asked *asked = postgres_nth(conn, 0);
    struct engine_statement *statement = asked->statement;
    ExecStatusType outcome = PQresultStatus(result);
    if (outcome == PGRES_PIPELINE_ABORTED) {
        refuse(asked);
    } else if (outcome != PGRES_TUPLES_OK && outcome != PGRES_COMMAND_OK) {
        take_failure(conn, asked, result);
    } else if (asked->kind == ASKED_END) {
        conn->in_transaction = false;
    } else if (asked->kind == ASKED_COMMIT) {
        conn->committed = strcmp(PQcmdStatus(result), "COMMIT") == 0;
    } else if (statement && asked->kind == ASKED_PREPARE) {
        statement->state = PREPARED;
    } else if (statement && asked->kind == ASKED_EXECUTE) {
        PQclear(statement->result);
        statement->result = result;
        statement->is_asked = false;
        return;
    }
    PQclear(result);
}

static void forget_first(struct engine_conn *conn)
{
    conn->first = (conn->first + 1) % COUNT_OF(conn->asked);
    conn->count--;
}

/** All that libpq has read so far. An answer is followed by a NULL, a synchronisation point not. */
static void take_here(struct engine_conn *conn)
{
    while (conn->count > 0 && !conn->is_broken && !PQisBusy(conn->pg)) {
        PGresult *result = PQgetResult(conn->pg);
        if (!result && PQstatus(conn->pg) == CONNECTION_BAD) {
            postgres_break(conn, "the server has closed the connection");
        } else if (!result) {
            forget_first(conn);
        } else if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            assert(postgres_nth(conn, 0)->kind == ASKED_SYNC);
            PQclear(result);
            forget_first(conn);
        } else {
            take_answer(conn, result);
        }
    }
}

/** Nothing will come any more. */
static void give_up(struct engine_conn *conn)
{
    struct err err;
    err_init(&err);
    enum status status = err_set(&err, UNAVAILABLE, NULL, "the database cannot be used");
    fail_transaction(conn, status, &err);
    for (; conn->count > 0; forget_first(conn))
        refuse(postgres_nth(conn, 0));
}

/* Over TLS the library may hold the rest of a record that is larger than what it has asked for, and
 * no socket tells of that. A second look takes it, unless another record has just come: so there is
 * also one after so long a wait. */
enum { TLS_LOOK_MS = 20 };

static bool consume(struct engine_conn *conn)
{
    return PQconsumeInput(conn->pg) && (!PQsslInUse(conn->pg) || PQconsumeInput(conn->pg));
}

/**
 * Until one of the events has come, or for `look_ms` (0: for as long as it takes). False after the
 * deadline (0: none), and when the program stops.
 */
static bool wait_for_events(const struct engine_conn *conn, short events, int look_ms,
                            int64_t deadline_ms)
{
    struct pollfd socket = {.fd = PQsocket(conn->pg), .events = events};
    int most_ms = look_ms ? look_ms : LOOK_UP_MS;
    for (;;) {
        int64_t end_ms = atomic_load(&conn->shared->end_ms);
        if (deadline_ms && deadline_ms < end_ms)
            end_ms = deadline_ms;
        int64_t left_ms = end_ms - clock_monotonic_ms();
        if (left_ms <= 0)
            return false;
        int ready = poll(&socket, 1, left_ms < most_ms ? (int)left_ms : most_ms);
        if (ready > 0 || (ready == 0 && look_ms && left_ms > look_ms))
            return true;
        if (ready < 0 && errno != EINTR)
            return false;
    }
}

/** Until something may be read, or written if that is wanted. */
static bool wait_for_socket(const struct engine_conn *conn, bool writes, int64_t deadline_ms)
{
    short events = (short)(POLLIN | (writes ? POLLOUT : 0));
    return wait_for_events(conn, events, PQsslInUse(conn->pg) ? TLS_LOOK_MS : 0, deadline_ms);
}

void postgres_round_within(struct engine_conn *conn, int limit_ms)
{
    if (conn->is_last_round) {
        conn->is_last_round = false;
        postgres_ask(conn, ASKED_END, "ROLLBACK");
    }
    postgres_sync(conn);
    conn->round_trips += conn->count > 0;
    size_t before = 0;
    int64_t deadline_ms = 0;
    while (conn->count > 0 && !conn->is_broken) {
        int unsent = PQflush(conn->pg);
        take_here(conn);
        if (conn->count == 0 || conn->is_broken)
            break;
        if (conn->count != before && limit_ms > 0) /* it is getting on */
            deadline_ms = clock_monotonic_ms() + limit_ms;
        before = conn->count;
        if (unsent < 0 || !wait_for_socket(conn, unsent > 0, deadline_ms))
            postgres_break(conn, "the server does not answer in time");
        else if (!consume(conn))
            take_here(conn); /* its last words, then the end */
    }
    if (conn->is_broken)
        give_up(conn);
}

void postgres_round(struct engine_conn *conn)
{
    postgres_round_within(conn, conn->limit_ms ? conn->limit_ms + conn->lock_ms : 0);
    conn->lock_ms = 0; /* it has been taken */
}

void postgres_take(struct engine_conn *conn)
{
    if (conn->is_broken)
        return;
    struct pollfd socket = {.fd = PQsocket(conn->pg), .events = POLLIN};
    while (!conn->is_broken && poll(&socket, 1, 0) > 0) {
        bool more = consume(conn);
        take_here(conn);
        PQisBusy(conn->pg); /* last words that no one has asked for are a notice */
        if (!more)
            postgres_break(conn, "the server has closed the connection");
    }
    take_here(conn);
}

int postgres_doorbell(struct engine_conn *conn)
{
    return PQsocket(conn->pg);
}

bool postgres_rang(struct engine_conn *conn)
{
    bool rang = false;
    postgres_take(conn);
    for (PGnotify *notify; (notify = PQnotifies(conn->pg)); rang = true)
        PQfreemem(notify);
    return rang;
}

/* Outside the pipeline */

/** All results of what was sent by PQsendQuery(); the first failure counts. */
static enum status await_script(struct engine_conn *conn, const char *sql, int limit_ms,
                                struct err *err)
{
    enum status status = OK;
    int64_t deadline_ms = limit_ms ? clock_monotonic_ms() + limit_ms : 0;
    for (;;) {
        int unsent = PQflush(conn->pg);
        while (!PQisBusy(conn->pg)) {
            PGresult *result = PQgetResult(conn->pg);
            if (!result)
                return status;
            if (PQresultStatus(result) == PGRES_FATAL_ERROR && status == OK)
                status = postgres_failure(conn, result, sql, err);
            PQclear(result);
        }
        if (unsent < 0 || !wait_for_socket(conn, unsent > 0, deadline_ms) || !consume(conn)) {
            postgres_break(conn, "the server does not answer");
            return err_set(err, UNAVAILABLE, NULL, "the database cannot be used");
        }
    }
}

enum status postgres_script(struct engine_conn *conn, const char *sql, struct err *err)
{
    postgres_round(conn);
    if (conn->failed != OK) {
        *err = conn->failed_err;
        return conn->failed;
    }
    if (!PQexitPipelineMode(conn->pg) || !PQsendQuery(conn->pg, sql)) {
        postgres_break(conn, "a script could not be sent");
        return err_set(err, UNAVAILABLE, NULL, "the database cannot be used");
    }
    enum status status = await_script(conn, sql, conn->limit_ms, err);
    if (!conn->is_broken && !PQenterPipelineMode(conn->pg))
        postgres_break(conn, "the pipeline could not be entered again");
    if (status != OK)
        fail_transaction(conn, status, err);
    return status;
}

/* Connecting */

static enum status unreachable(struct engine_conn *conn, struct err *err)
{
    char words[ERR_MESSAGE_SIZE];
    return err_set(err, UNAVAILABLE, "DATABASE_URL", "cannot be used: %.160s",
                   postgres_words(PQerrorMessage(conn->pg), words, sizeof words));
}

static enum status finish_connecting(struct engine_conn *conn, int64_t deadline_ms, struct err *err)
{
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (next != PGRES_POLLING_OK) {
        if (next == PGRES_POLLING_FAILED)
            return unreachable(conn, err);
        if (!wait_for_events(conn, next == PGRES_POLLING_READING ? POLLIN : POLLOUT, 0,
                             deadline_ms))
            return err_set(err, UNAVAILABLE, "DATABASE_URL", "cannot be used: no answer in time");
        next = PQconnectPoll(conn->pg);
    }
    return OK;
}

static bool parameter_is(const struct engine_conn *conn, const char *name, const char *value)
{
    const char *now = PQparameterStatus(conn->pg, name);
    return now && strcmp(now, value) == 0;
}

/** What we rely on. A standby cannot be written to. */
static enum status check_server(const struct engine_conn *conn, struct err *err)
{
    if (PQserverVersion(conn->pg) < 140000)
        return err_set(err, UNAVAILABLE, "DATABASE_URL",
                       "is a server of version %d; OpenRisk needs PostgreSQL 14 or newer",
                       PQserverVersion(conn->pg) / 10000);
    if (!parameter_is(conn, "server_encoding", "UTF8"))
        return err_set(err, UNAVAILABLE, "DATABASE_URL",
                       "is a database with the encoding %s; create it with ENCODING 'UTF8'",
                       PQparameterStatus(conn->pg, "server_encoding"));
    if (parameter_is(conn, "in_hot_standby", "on"))
        return err_set(err, UNAVAILABLE, "DATABASE_URL",
                       "is a standby, which cannot be written to; name the primary, or all of them "
                       "with target_session_attrs=read-write");
    return OK;
}

/**
 * A transaction whose client has vanished must not keep its lock for hours: the server ends it, and
 * looks after a client that is silent. Cursors are read to their end. The planner's default is a
 * disk that seeks, where reading a whole table is cheaper than looking up a tenth of it; a register
 * is in memory. Many clients ask for little each, so none takes several processors, or a compiler.
 */
static enum status set_up(struct engine_conn *conn, int64_t deadline_ms, struct err *err)
{
    AUTO_FREE char *sql =
        mem_format("SET statement_timeout = %d; SET idle_in_transaction_session_timeout = '60s';"
                   "SET client_connection_check_interval = '10s'; SET cursor_tuple_fraction = 1;"
                   "SET random_page_cost = 1.1; SET max_parallel_workers_per_gather = 0;"
                   "SET jit = off;"
                   "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10;"
                   "SET tcp_keepalives_count = 3",
                   conn->shared->limits.statement_ms);
    int64_t left_ms = deadline_ms - clock_monotonic_ms();
    if (PQsetnonblocking(conn->pg, 1) != 0 || !PQsendQuery(conn->pg, sql))
        return unreachable(conn, err);
    enum status status = await_script(conn, "set up", left_ms > 1 ? (int)left_ms : 1, err);
    if (status == OK && !PQenterPipelineMode(conn->pg))
        return unreachable(conn, err);
    return status;
}

/** What the server says unasked; also that it ends this connection. */
static void note_notice(void *context, const PGresult *result)
{
    struct engine_conn *conn = context;
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    char text[300];
    const char *words =
        postgres_words(PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), text, sizeof text);
    if (severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0))
        postgres_break(conn, words);
    else
        log_event(LOG_DEBUG, "database_notice", LOG_TEXT("text", words));
}

enum status postgres_connect(struct engine_conn *conn, struct err *err)
{
    /* What stands before the URL may be overruled by it, what stands behind may not. */
    static const char *const names[] = {"fallback_application_name",
                                        "gssencmode",
                                        "keepalives_idle",
                                        "keepalives_interval",
                                        "keepalives_count",
                                        "tcp_user_timeout",
                                        "dbname",
                                        "client_encoding",
                                        NULL};
    const char *const values[] = {"openrisk", "disable",         "30",   "10", "3",
                                  "30000",    conn->shared->url, "UTF8", NULL};
    int64_t deadline_ms = clock_monotonic_ms() + conn->shared->limits.connect_ms;
    conn->pg = PQconnectStartParams(names, values, 1);
    if (!conn->pg)
        abort(); /* out of memory, as in base/mem.c */
    if (PQstatus(conn->pg) == CONNECTION_BAD)
        return unreachable(conn, err);
    PQsetNoticeReceiver(conn->pg, note_notice, conn);
    enum status status = finish_connecting(conn, deadline_ms, err);
    if (status == OK)
        status = check_server(conn, err);
    if (status == OK)
        status = set_up(conn, deadline_ms, err);
    return status;
}
