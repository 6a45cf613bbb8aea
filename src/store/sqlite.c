/*
 * SQLite as an engine.
 *
 * WAL: readers see a snapshot and never wait for the writer. There is one writer at a time.
 * SQLite's own answer to a busy writer is to sleep and try again; within this process writers
 * wait on the mutex `writer` instead, with a deadline, and are woken at once. Only a writer of
 * another process (openrisk import beside a server) is waited for by the busy handler. BEGIN
 * IMMEDIATE takes the write lock at once: upgrading a read transaction fails at once in spite of
 * the busy timeout.
 *
 * synchronous=FULL: a commit that was acknowledged survives a power cut.
 */
#include "store/sqlite.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "metrics/metrics.h"
#include "store/engine.h"

enum {
    PARAMS_MAX = 250,
    PAGE_BYTES = 8192, /* of a new file; with 4096 an import of many risks takes a tenth longer */
    PAGE_CACHE_KIB = 1024,
    BULK_CACHE_KIB = 256 * 1024,
    BUSY_TIMEOUT_MS = 5000,
    WAL_KEPT_BYTES = 64 << 20,
};

struct engine_shared {
    char *path;
    pthread_mutex_t writer; /* held from begin_write to commit or rollback */
};

struct engine_conn {
    struct engine_shared *shared;
    sqlite3 *handle;
    bool writing; /* this connection holds shared->writer */
};

struct engine_statement {
    struct engine_conn *conn;
    sqlite3_stmt *statement;
    int index[PARAMS_MAX + 1]; /* of $n, 0 if the text does not use it */
    int highest;
};

static const char *const schemes[] = {"sqlite:", NULL};

static enum status sqlite_shared_new(const char *url, struct engine_shared **ret_shared,
                                     struct err *err)
{
    const char *location = url + strlen(schemes[0]);
    if (!*location)
        return err_set(err, INVALID, "DATABASE_URL", "names no file: write sqlite:PATH");
    if (sqlite3_threadsafe() == 0)
        return err_set(err, INTERNAL, NULL, "this SQLite library was built without threads");
    /* Nobody asks the library how much memory it uses; counting takes a lock at each allocation.
     * Refused, and no harm, once a connection is open. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    struct engine_shared *shared = mem_zalloc(1, sizeof *shared);
    shared->path = mem_strdup(location);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutex_init(&shared->writer, &attributes);
    pthread_mutexattr_destroy(&attributes);
    *ret_shared = shared;
    return OK;
}

static void sqlite_shared_free(struct engine_shared *shared)
{
    pthread_mutex_destroy(&shared->writer);
    free(shared->path);
    free(shared);
}

static const char *sqlite_path(const struct engine_shared *shared)
{
    return shared->path;
}

struct sqlite3 *sqlite_handle(struct engine_conn *conn)
{
    return conn ? conn->handle : NULL;
}

/** The column named in "UNIQUE constraint failed: risk.source, risk.external_id": the last one. */
static const char *violated_column(const char *message)
{
    const char *dot = strrchr(message, '.');
    return dot ? dot + 1 : NULL;
}

/** Log what the library says and translate it. */
static enum status failed(struct engine_conn *conn, const char *doing, struct err *err)
{
    int code = conn->handle ? sqlite3_extended_errcode(conn->handle) : SQLITE_CANTOPEN;
    const char *message = conn->handle ? sqlite3_errmsg(conn->handle) : "out of memory";
    switch (code & 0xFF) {
    case SQLITE_CONSTRAINT:
        return err_set(err, CONFLICT, violated_column(message), "is already taken");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        metrics_add(METRIC_DB_ERRORS, DB_ERROR_BUSY, 0, 1);
        return err_set(err, BUSY, NULL, "another writer is at work; try again");
    case SQLITE_FULL:
        metrics_add(METRIC_DB_ERRORS, DB_ERROR_FULL, 0, 1);
        log_event(LOG_ERROR, "database_full", LOG_TEXT("doing", doing), LOG_TEXT("error", message));
        return err_set(err, UNAVAILABLE, NULL, "the database's disk is full");
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        metrics_add(METRIC_DB_ERRORS, DB_ERROR_UNAVAILABLE, 0, 1);
        log_event(LOG_ERROR, "database_unavailable", LOG_TEXT("doing", doing),
                  LOG_INT("code", code), LOG_TEXT("error", message));
        return err_set(err, UNAVAILABLE, NULL, "the database cannot be used");
    default:
        metrics_add(METRIC_DB_ERRORS, DB_ERROR_OTHER, 0, 1);
        log_event(LOG_ERROR, "database_error", LOG_TEXT("doing", doing), LOG_INT("code", code),
                  LOG_TEXT("error", message));
        return err_set(err, INTERNAL, NULL, "the database refused a statement");
    }
}

static enum status sqlite_script(struct engine_conn *conn, const char *sql, struct err *err)
{
    if (sqlite3_exec(conn->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        return failed(conn, sql, err);
    return OK;
}

static void sqlite_close(struct engine_conn *conn)
{
    sqlite3_close_v2(conn->handle);
    free(conn);
}

static int pragma(struct engine_conn *conn, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    int value = 0;
    if (sqlite3_prepare_v2(conn->handle, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        value = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

/** Before anything is changed: the file must be ours, or empty. */
static enum status set_up(struct engine_conn *conn, struct err *err)
{
    const char *path = conn->shared->path;
    sqlite3_busy_timeout(conn->handle, BUSY_TIMEOUT_MS);
    if (pragma(conn, "PRAGMA application_id") != SQLITE_APPLICATION_ID &&
        pragma(conn, "PRAGMA schema_version") != 0)
        return err_set(err, CONFLICT, "DATABASE_URL", "%s belongs to another program", path);
    AUTO_FREE char *settings =
        mem_format("PRAGMA page_size=%d; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA "
                   "foreign_keys=ON;"
                   "PRAGMA trusted_schema=OFF; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-%d;"
                   "PRAGMA journal_size_limit=%d;",
                   PAGE_BYTES, PAGE_CACHE_KIB, WAL_KEPT_BYTES);
    sqlite3_db_config(conn->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
    enum status status = sqlite_script(conn, settings, err);
    if (status == UNAVAILABLE)
        err_set(err, status, "DATABASE_URL", "%s cannot be used: is it an OpenRisk database?",
                path);
    return status;
}

static enum status sqlite_open(struct engine_shared *shared, struct engine_conn **ret_conn,
                               struct err *err)
{
    struct engine_conn *conn = mem_zalloc(1, sizeof *conn);
    conn->shared = shared;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_PRIVATECACHE;
    enum status status;
    if (sqlite3_open_v2(shared->path, &conn->handle, flags, NULL) != SQLITE_OK) {
        failed(conn, "open", NULL);
        status = err_set(err, UNAVAILABLE, "DATABASE_URL", "%s cannot be opened: %s", shared->path,
                         conn->handle ? sqlite3_errmsg(conn->handle) : strerror(ENOMEM));
    } else {
        status = set_up(conn, err);
        if (status == OK)
            chmod(shared->path, 0600);
    }
    if (status != OK) {
        sqlite_close(conn);
        return status;
    }
    *ret_conn = conn;
    return OK;
}

static enum status sqlite_begin_read(struct engine_conn *conn, struct err *err)
{
    return sqlite_script(conn, "BEGIN DEFERRED", err);
}

static void let_next_writer(struct engine_conn *conn)
{
    if (conn->writing) {
        conn->writing = false;
        pthread_mutex_unlock(&conn->shared->writer);
    }
}

static enum status sqlite_begin_write(struct engine_conn *conn, int timeout_ms, bool alone,
                                      struct err *err)
{
    (void)alone; /* there is one at a time anyway */
    struct timespec until = thread_deadline(clock_monotonic_ms() + timeout_ms);
    if (pthread_mutex_clocklock(&conn->shared->writer, CLOCK_MONOTONIC, &until) != 0) {
        metrics_add(METRIC_DB_ERRORS, DB_ERROR_BUSY, 0, 1);
        return err_set(err, BUSY, NULL, "another writer is at work; try again");
    }
    conn->writing = true;
    sqlite3_busy_timeout(conn->handle, timeout_ms);
    enum status status = sqlite_script(conn, "BEGIN IMMEDIATE", err);
    if (status != OK)
        let_next_writer(conn);
    return status;
}

static void sqlite_rollback(struct engine_conn *conn)
{
    if (!sqlite3_get_autocommit(conn->handle))
        sqlite3_exec(conn->handle, "ROLLBACK", NULL, NULL, NULL);
    let_next_writer(conn);
}

static enum status sqlite_commit(struct engine_conn *conn, struct err *err)
{
    enum status status = sqlite_script(conn, "COMMIT", err);
    if (status != OK)
        sqlite_rollback(conn);
    let_next_writer(conn);
    return status;
}

/** Pages that do not fit the cache are written out and read again and again. */
static void sqlite_bulk(struct engine_conn *conn, bool on)
{
    AUTO_FREE char *sql = mem_format("PRAGMA cache_size=-%d; PRAGMA shrink_memory;",
                                     on ? BULK_CACHE_KIB : PAGE_CACHE_KIB);
    sqlite3_exec(conn->handle, sql, NULL, NULL, NULL);
}

static void sqlite_finalize(struct engine_statement *statement)
{
    sqlite3_finalize(statement->statement);
    free(statement);
}

static enum status sqlite_prepare(struct engine_conn *conn, const char *sql,
                                  struct engine_statement **ret_statement, struct err *err)
{
    struct engine_statement *statement = mem_zalloc(1, sizeof *statement);
    statement->conn = conn;
    if (sqlite3_prepare_v3(conn->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement->statement,
                           NULL) != SQLITE_OK) {
        free(statement);
        return failed(conn, sql, err);
    }
    /* SQLite numbers $n by first appearance; find where each one really is. */
    int parameters = sqlite3_bind_parameter_count(statement->statement);
    for (int at = 1; at <= parameters; at++) {
        const char *name = sqlite3_bind_parameter_name(statement->statement, at);
        int64_t number = 0;
        if (!name || name[0] != '$' || !text_to_int(name + 1, &number) || number < 1 ||
            number > PARAMS_MAX) {
            log_event(LOG_ERROR, "bad_parameter", LOG_TEXT("sql", sql), LOG_TEXT("name", name));
            sqlite_finalize(statement);
            return err_set(err, INTERNAL, NULL, "a statement has a parameter without a number");
        }
        statement->index[number] = at;
        if (number > statement->highest)
            statement->highest = (int)number;
    }
    *ret_statement = statement;
    return OK;
}

static enum status sqlite_bind(struct engine_statement *statement, const struct db_value *params,
                               size_t count, bool streams, struct err *err)
{
    (void)streams; /* rows always come one by one */
    if (count < (size_t)statement->highest) {
        log_event(LOG_ERROR, "missing_parameter",
                  LOG_TEXT("sql", sqlite3_sql(statement->statement)));
        return err_set(err, INTERNAL, NULL, "a statement lacks a parameter");
    }
    for (int number = 1; number <= statement->highest; number++) {
        int at = statement->index[number], code = SQLITE_OK;
        const struct db_value *value = &params[number - 1];
        if (at == 0)
            continue;
        switch (value->kind) {
        case DB_KIND_NULL:
            code = sqlite3_bind_null(statement->statement, at);
            break;
        case DB_KIND_INT:
            code = sqlite3_bind_int64(statement->statement, at, value->integer);
            break;
        case DB_KIND_TEXT:
            code = sqlite3_bind_text(statement->statement, at, value->text, -1, SQLITE_STATIC);
            break;
        }
        if (code != SQLITE_OK)
            return failed(statement->conn, sqlite3_sql(statement->statement), err);
    }
    return OK;
}

static enum engine_step sqlite_step(struct engine_statement *statement, enum status *ret_status,
                                    struct err *err)
{
    int code = sqlite3_step(statement->statement);
    if (code == SQLITE_ROW)
        return ENGINE_ROW;
    if (code == SQLITE_DONE)
        return ENGINE_DONE;
    *ret_status = failed(statement->conn, sqlite3_sql(statement->statement), err);
    return ENGINE_FAILED;
}

static void sqlite_reset(struct engine_statement *statement)
{
    sqlite3_reset(statement->statement);
    sqlite3_clear_bindings(statement->statement);
}

static int64_t sqlite_changed(struct engine_conn *conn)
{
    return sqlite3_changes64(conn->handle);
}

static int64_t sqlite_column_int(struct engine_statement *statement, int column)
{
    return sqlite3_column_int64(statement->statement, column);
}

static bool sqlite_column_is_null(struct engine_statement *statement, int column)
{
    return sqlite3_column_type(statement->statement, column) == SQLITE_NULL;
}

static const char *sqlite_column_text(struct engine_statement *statement, int column)
{
    return (const char *)sqlite3_column_text(statement->statement, column);
}

static int sqlite_column_count(struct engine_statement *statement)
{
    return sqlite3_column_count(statement->statement);
}

const struct db_engine sqlite_engine = {
    .name = "sqlite",
    .dialect = DIALECT_SQLITE,
    .schemes = schemes,
    .shared_new = sqlite_shared_new,
    .shared_free = sqlite_shared_free,
    .path = sqlite_path,
    .open = sqlite_open,
    .close = sqlite_close,
    .script = sqlite_script,
    .begin_read = sqlite_begin_read,
    .begin_write = sqlite_begin_write,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .bulk = sqlite_bulk,
    .prepare = sqlite_prepare,
    .finalize = sqlite_finalize,
    .bind = sqlite_bind,
    .step = sqlite_step,
    .reset = sqlite_reset,
    .changed = sqlite_changed,
    .column_int = sqlite_column_int,
    .column_is_null = sqlite_column_is_null,
    .column_text = sqlite_column_text,
    .column_count = sqlite_column_count,
};
