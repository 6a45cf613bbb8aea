/**
 * A database connection: statements, rows, transactions. The same for every engine.
 *
 * A `struct db` belongs to one thread at a time and is not thread-safe. Statements are prepared
 * once per connection and kept by their text. SQL texts number parameters $1, $2, …; values go in
 * in that order, whatever the order in the text.
 *
 * Every statement runs inside a transaction that the caller began: a read transaction sees one
 * snapshot, a write transaction is alone among the writers (but for notes, see db_begin_note()).
 * db_commit() first bumps the generation of each scope that its writing queries declare (see
 * store/queries.h), so that no writer can forget it. db_rollback() is always allowed and never
 * fails.
 *
 *     AUTO_ROWS struct db_rows rows = {0};
 *     enum status status = db_select(db, &queries[QUERY_RISK_BY_REF], DB_PARAMS(DB_INT(ref)),
 * &rows, err); if (status != OK) return status; while (db_next(&rows)) use(db_int(&rows, 0));
 *     return db_end(&rows, err);
 *
 * Errors: CONFLICT for a violated constraint (field = its column, "title" …), BUSY when a deadline
 * or the busy timeout passes, UNAVAILABLE when the database is away or full, INTERNAL otherwise;
 * the engine's own words go to the log, never into `err`.
 */
#ifndef OPENRISK_STORE_DB_H
#define OPENRISK_STORE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/field.h"
#include "base/status.h"

struct db;
struct db_engine;
struct database;

/** What a cached answer may depend on; a set of these is a scope mask. */
enum scope { SCOPE_RISKS, SCOPE_ASSETS, SCOPE_ACCOUNTS };
enum { SCOPES = 3 };
extern const char *const scope_names[];

enum {
    READS = 0, /* not a writing query */
    TOUCHES_RISKS = 1 << SCOPE_RISKS,
    TOUCHES_ASSETS = 1 << SCOPE_ASSETS,
    TOUCHES_ACCOUNTS = 1 << SCOPE_ACCOUNTS,
    TOUCHES_NOTHING = 1 << 30, /* explicit: writes rows that no cached answer shows */
};

/** The SQL that an engine speaks. */
enum db_dialect { DIALECT_SQLITE, DIALECT_POSTGRES };
enum { DIALECTS = 2 };

/** Why the database failed or refused a statement, as metrics count it. */
enum db_error {
    DB_ERROR_UNAVAILABLE,
    DB_ERROR_TIMEOUT,
    DB_ERROR_BUSY,
    DB_ERROR_FULL,
    DB_ERROR_OTHER
};
extern const char *const db_error_names[]; /* NULL-terminated */

struct query {
    const char *name; /* for logs and metrics: "risk_by_ref" */
    const char *sql;
    unsigned touches; /* the scopes a writing query touches */
    /* The text for PostgreSQL where it must differ; NULL: the same. Empty: there is nothing to do,
     * and there are no rows. */
    const char *postgres;
    bool streams; /* very many rows, which the engine must not hold in memory together */
    /* How it is best executed depends on its values: never by one plan for all of them. */
    bool plans_anew;
};

enum db_kind { DB_KIND_NULL, DB_KIND_INT, DB_KIND_TEXT };
struct db_value {
    enum db_kind kind;
    int64_t integer;
    const char *text; /* borrowed until the statement has ended */
};
#define DB_NULL ((struct db_value){.kind = DB_KIND_NULL})
#define DB_INT(value) ((struct db_value){.kind = DB_KIND_INT, .integer = (value)})
/** NULL is NULL. */
#define DB_TEXT(value) db_text_value(value)
struct db_value db_text_value(const char *text);
/** NULL for 0. */
#define DB_INT_OR_NULL(value)                                                                      \
    ((struct db_value){.kind = (value) ? DB_KIND_INT : DB_KIND_NULL, .integer = (value)})
#define DB_PARAMS(...)                                                                             \
    ((const struct db_value[]){__VA_ARGS__}),                                                      \
        (sizeof((const struct db_value[]){__VA_ARGS__}) / sizeof(struct db_value))
#define DB_NO_PARAMS NULL, 0

/* A database: where it is and what all its connections share. Thread-safe. */

/**
 * `url`: "sqlite:PATH" or "postgres://…", as libpq takes it. Nothing is opened yet. INVALID with
 * field "DATABASE_URL".
 */
enum status database_new(const char *url, struct database **ret_database,
                         struct err *err) MUST_CHECK;
void database_free(struct database *database); /* all connections are closed; NULL allowed */
const char *database_engine_name(const struct database *database); /* "sqlite", "postgres" */
bool database_url_is_valid(const char *url);
/** A URL as it may be shown: without the password. */
char *database_shown_url(const char *url, struct arena *arena);

struct db_limits {
    int connect_ms;   /* for opening a connection */
    int statement_ms; /* for a statement, unless db_bulk() is on; 0: no limit */
    int64_t slow_ms;  /* one that takes longer is logged, with every engine; 0: none is */
};
/** Before the first connection is opened. Engines without a network ignore the first two. */
void database_set_limits(struct database *database, const struct db_limits *limits);
/**
 * The program is going to stop: nothing waits for the other side beyond `deadline_ms` (monotonic)
 * any more, neither a statement nor the opening of a connection. What is under way then has failed.
 * Engines without a network ignore it. Never waits.
 */
void database_hurry(struct database *database, int64_t deadline_ms);
/** The file of a SQLite database; NULL for other engines. */
const char *database_path(const struct database *database);

/**
 * Who is told what becomes of the generations: the cache. Whatever this process reads or writes,
 * the watcher hears of it before anyone can be told. All functions are thread-safe.
 */
struct db_look {     /* what `look` returned */
    uint64_t doubts; /* the watcher's own … */
    int64_t began_ms;
    int64_t known[SCOPES]; /* the newest generations known then: a commit bumps beyond them */
};
struct db_watcher {
    void *context;
    /** A transaction is about to begin … */
    struct db_look (*look)(void *context);
    /** … and these are the generations of its snapshot. */
    void (*seen)(void *context, struct db_look look, const int64_t generations[SCOPES]);
    /** These scopes were bumped; before db_commit() returns. */
    void (*committed)(void *context, unsigned scopes, const int64_t generations[SCOPES]);
    /** A commit failed, and whether it took effect is not known. */
    void (*doubtful)(void *context);
    /** A look at the database that began so has failed (store/watch.h). */
    void (*failed)(void *context, struct db_look look);
};
/**
 * Once, when the database is migrated and before other threads use it; `watcher` must outlive all
 * connections.
 */
void database_watch(struct database *database, const struct db_watcher *watcher);

enum status db_open(struct database *database, struct db **ret_db, struct err *err) MUST_CHECK;
void db_close(struct db *db); /* NULL allowed; rolls back */
void db_close_pointer(struct db **db);
#define AUTO_DB __attribute__((cleanup(db_close_pointer)))

enum db_dialect db_dialect(const struct db *db);
/** The connection is lost and cannot be used any more: close it. Never for a file. */
bool db_is_broken(const struct db *db);
/**
 * Outside of transactions: does the other side still answer? With 0 only what is known here is
 * looked at, without waiting; else it is asked, and has so many ms. Never false for a file.
 */
bool db_is_alive(struct db *db, int ping_timeout_ms);
/** From now on statements have so many ms, instead of the database's limit; 0: no limit. */
void db_set_statement_limit(struct db *db, int limit_ms);

/**
 * Hear at once of generations that anybody bumps: outside of transactions. Where the engine cannot
 * do it, it does nothing. A hint: nothing may depend on it, for it can be lost anywhere.
 */
enum status db_listen(struct db *db, struct err *err) MUST_CHECK;
/** Between transactions: what becomes readable when somebody has rung, for poll(2); or −1. */
int db_doorbell(const struct db *db);
/** Has somebody rung since this was asked the last time? Never waits. */
bool db_rang(struct db *db);

enum status db_begin_read(struct db *db, struct err *err) MUST_CHECK;
/** Waits for other writers up to `timeout_ms`, then BUSY. `now_ms` is the writer's wall clock. */
enum status db_begin_write(struct db *db, int64_t now_ms, int timeout_ms,
                           struct err *err) MUST_CHECK;
/**
 * The same for a note: a write that touches no scope, and neither reads nor changes what other
 * writers rely on. It need not be alone, so where the engine can do it, it does not wait for them:
 * nobody should be kept from signing in by a long import.
 */
enum status db_begin_note(struct db *db, int64_t now_ms, int timeout_ms,
                          struct err *err) MUST_CHECK;
/** On failure the transaction is rolled back, or its fate unknown with UNAVAILABLE. */
enum status db_commit(struct db *db, struct err *err) MUST_CHECK;
void db_rollback(struct db *db);
bool db_in_transaction(const struct db *db);

/** In a write transaction: its commit bumps these scopes too, whatever its queries touch. */
void db_touch(struct db *db, unsigned scopes);
/**
 * Of the transaction's snapshot, where a watcher is set; else zeros. Valid until the next one. In
 * a transaction that has read something: then they are known.
 */
const int64_t *db_generations(const struct db *db);
/**
 * The scopes in which the transaction's snapshot is older than what the watcher knew before: the
 * database has gone back, see cache/generations.h. A commit that touches them makes good for it.
 */
unsigned db_scopes_behind(const struct db *db);
/**
 * What commits have bumped since this was asked the last time: their scopes, and in
 * `ret_generations` the newest number of each, 0 for the others.
 */
unsigned db_take_bumped(struct db *db, int64_t ret_generations[SCOPES]);
/**
 * In a read transaction: what is asked for before the next row is read is the last of it, so its
 * end can go out with that. A hint, which saves a way to the server; db_rollback() is still called.
 */
void db_last_round(struct db *db);
/**
 * Wait until it is known that the transaction has begun, and at which generations; whatever reads
 * something does that first.
 */
enum status db_settle(struct db *db, struct err *err) MUST_CHECK;
/** In a transaction: read them. One statement, which a watched transaction begins with. */
enum status db_read_generations(struct db *db, int64_t ret_generations[SCOPES],
                                struct err *err) MUST_CHECK;

/**
 * A hint: very many rows are going to be written in one transaction, so take more memory; with
 * false, give it back. Outside of transactions.
 */
void db_bulk(struct db *db, bool on);

/** Statements run since the connection was opened; for tests and the log. */
uint64_t db_statement_count(const struct db *db);
/** How often an answer of the other side was waited for; 0 for a file. */
uint64_t db_round_trip_count(const struct db *db);
/** Time spent in statements since then, µs. */
uint64_t db_statement_us(const struct db *db);

struct db_statement;
struct db_rows {
    struct db *db;
    struct db_statement *statement;
    enum status status;
    int64_t started_us;
    size_t label; /* see query_label.h */
};

/**
 * Run a query for its rows. At most one running query per SQL text and connection. Several may be
 * begun before the first db_next(): over a network they then cost one round trip together.
 */
enum status db_select(struct db *db, const struct query *query, const struct db_value *params,
                      size_t count, struct db_rows *ret_rows, struct err *err) MUST_CHECK;
/** The next row, or the first; false after the last one and on failure. */
bool db_next(struct db_rows *rows);
/** End it; tells a failure of db_next(). */
enum status db_end(struct db_rows *rows, struct err *err) MUST_CHECK;
void db_rows_release(struct db_rows *rows);
#define AUTO_ROWS __attribute__((cleanup(db_rows_release)))

int64_t db_int(const struct db_rows *rows, int column); /* 0 for NULL */
bool db_is_null(const struct db_rows *rows, int column);
const char *db_text(const struct db_rows *rows, int column); /* valid until db_next; NULL */
int db_column_count(const struct db_rows *rows);             /* of the current row */
char *db_text_copy(const struct db_rows *rows, int column, struct arena *arena);

/** Run a query that has no rows. `ret_changed` (rows touched) may be NULL. */
enum status db_exec(struct db *db, const struct query *query, const struct db_value *params,
                    size_t count, int64_t *ret_changed, struct err *err) MUST_CHECK;
/**
 * As db_exec() for a write whose failure the caller has nothing to say about: it may be sent
 * without waiting, and a failure is then told by a later call of this transaction, db_commit() at
 * the latest.
 */
enum status db_queue(struct db *db, const struct query *query, const struct db_value *params,
                     size_t count, struct err *err) MUST_CHECK;
/** The first column of the first row, NOT_FOUND if there is no row. */
enum status db_select_int(struct db *db, const struct query *query, const struct db_value *params,
                          size_t count, int64_t *ret_value, struct err *err) MUST_CHECK;
enum status db_select_text(struct db *db, const struct query *query, const struct db_value *params,
                           size_t count, struct arena *arena, char **ret_text,
                           struct err *err) MUST_CHECK;

/* Records and columns: a table's fields in its order are columns in the same order. */

/** Values for all fields of a table, in its order; texts made for the purpose go to `arena`. */
void db_bind_record(const struct field_table *table, const void *record, struct arena *arena,
                    struct db_value *values);
/** Read columns `first`, `first` + 1, … into a record. Texts are copied into `arena`. */
void db_read_record(const struct db_rows *rows, int first, const struct field_table *table,
                    struct arena *arena, void *record);

#endif
