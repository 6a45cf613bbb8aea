/**
 * What a database engine does for db.c: one struct of functions per engine.
 *
 * All are called by the thread that owns the connection. `struct engine_conn` and
 * `struct engine_statement` are the engine's own. Errors: see store/db.h; an engine logs its own
 * words and gives `err` only what a client may see.
 */
#ifndef OPENRISK_STORE_ENGINE_H
#define OPENRISK_STORE_ENGINE_H

#include "store/db.h"

struct engine_shared;
struct engine_conn;
struct engine_statement;

enum engine_step { ENGINE_ROW, ENGINE_DONE, ENGINE_FAILED };

struct db_engine {
    const char *name;
    enum db_dialect dialect;
    const char *const *schemes; /* what its URLs begin with, NULL-terminated */

    /** What the connections share, from the whole URL. */
    enum status (*shared_new)(const char *url, struct engine_shared **ret_shared, struct err *err);
    void (*shared_free)(struct engine_shared *shared);
    void (*set_limits)(struct engine_shared *shared, const struct db_limits *limits); /* or NULL */
    /** See database_hurry(); NULL without a network. Thread-safe. */
    void (*hurry)(struct engine_shared *shared, int64_t deadline_ms);
    /** The file, NULL if the engine has none. Borrowed. */
    const char *(*path)(const struct engine_shared *shared);

    enum status (*open)(struct engine_shared *shared, struct engine_conn **ret_conn,
                        struct err *err);
    void (*close)(struct engine_conn *conn); /* all statements have been finalized */
    /** See db_is_broken(), db_is_alive(), db_set_statement_limit(); NULL without a network. */
    bool (*is_broken)(const struct engine_conn *conn);
    bool (*is_alive)(struct engine_conn *conn, int ping_timeout_ms);
    void (*set_statement_limit)(struct engine_conn *conn, int limit_ms);
    /** See db_doorbell() and db_rang(); NULL: there is none. */
    int (*doorbell)(struct engine_conn *conn);
    bool (*rang)(struct engine_conn *conn);
    uint64_t (*round_trips)(const struct engine_conn *conn);

    /** For the engine's own scripts (migrations): several statements, no parameters. */
    enum status (*script)(struct engine_conn *conn, const char *sql, struct err *err);

    void (*last_round)(struct engine_conn *conn); /* see db_last_round(); or NULL */
    enum status (*begin_read)(struct engine_conn *conn, struct err *err);
    /** `alone`: no other writer may be at work until it ends. */
    enum status (*begin_write)(struct engine_conn *conn, int timeout_ms, bool alone,
                               struct err *err);
    enum status (*commit)(struct engine_conn *conn, struct err *err);
    void (*rollback)(struct engine_conn *conn); /* also without a transaction */

    void (*bulk)(struct engine_conn *conn, bool on); /* see db_bulk() */

    enum status (*prepare)(struct engine_conn *conn, const char *sql,
                           struct engine_statement **ret_statement, struct err *err);
    /** See `plans_anew` in struct query; before the first bind. NULL: plans do not depend on
     * values. */
    void (*plan_anew)(struct engine_statement *statement);
    void (*finalize)(struct engine_statement *statement);
    /** The values are read at once or at the first step. A failure may be told by any later call.
     */
    enum status (*bind)(struct engine_statement *statement, const struct db_value *params,
                        size_t count, bool streams, struct err *err);
    /** Bound: run it without waiting for its end, see db_queue(). NULL: it is stepped instead. */
    enum status (*queue)(struct engine_statement *statement, struct err *err);
    /** `ret_status` and `err` only with ENGINE_FAILED. */
    enum engine_step (*step)(struct engine_statement *statement, enum status *ret_status,
                             struct err *err);
    /** Ready to be bound again. */
    void (*reset)(struct engine_statement *statement);
    int64_t (*changed)(struct engine_conn *conn); /* rows touched by the last statement */

    int64_t (*column_int)(struct engine_statement *statement, int column);
    bool (*column_is_null)(struct engine_statement *statement, int column);
    const char *(*column_text)(struct engine_statement *statement, int column);
    int (*column_count)(struct engine_statement *statement);
};

extern const struct db_engine sqlite_engine, postgres_engine;

struct database {
    const struct db_engine *engine;
    struct engine_shared *shared;
    const struct db_watcher *watcher; /* or NULL */
    int64_t slow_us;                  /* statements that take longer are logged; 0: none */
};

/** A database of an engine that is no part of the program: a test's. */
enum status database_new_of(const struct db_engine *engine, const char *url,
                            struct database **ret_database, struct err *err) MUST_CHECK;

/** The connection behind a `struct db`, for what only one engine can do (files.c). */
struct engine_conn *db_engine_conn(struct db *db, const struct db_engine *engine);
/** Run an engine's script inside the transaction that is open. */
enum status db_script(struct db *db, const char *sql, struct err *err) MUST_CHECK;

#endif
