#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "postgres_fixture.h"

enum { PATIENCE_MS = 20000 };

void postgres_fixture_open(struct postgres_fixture *f)
{
    *f = (struct postgres_fixture){0};
    setenv("OPENRISK_TEST_ENGINE", "postgres", 1);
    store_fixture_open(&f->store);
    err_init(&f->err);
    f->db = f->store.db;
    f->server = PQconnectdb(f->store.url);
    assert_int_equal(PQstatus(f->server), CONNECTION_OK);
}

void postgres_fixture_close(struct postgres_fixture *f)
{
    PQfinish(f->server);
    store_fixture_close(&f->store);
}

struct database *fixture_database(struct postgres_fixture *f, struct db_limits limits)
{
    struct database *database;
    assert_int_equal(database_new(f->store.url, &database, &f->err), OK);
    database_set_limits(database, &limits);
    return database;
}

struct db *fixture_connect(struct database *database)
{
    struct db *db;
    struct err err;
    assert_int_equal(db_open(database, &db, &err), OK);
    return db;
}

const char *ask_text(struct postgres_fixture *f, const char *sql)
{
    PGresult *result = PQexec(f->server, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1)
        fail_msg("%s: %s", sql, PQerrorMessage(f->server));
    const char *text = arena_strdup(&f->store.arena, PQgetvalue(result, 0, 0));
    PQclear(result);
    return text;
}

int64_t ask_int(struct postgres_fixture *f, const char *sql)
{
    return strtoll(ask_text(f, sql), NULL, 10);
}

void tell(struct postgres_fixture *f, const char *sql)
{
    PGresult *result = PQexec(f->server, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(f->server));
    PQclear(result);
}

void wait_until_int(struct postgres_fixture *f, const char *sql, int64_t wanted)
{
    int64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (ask_int(f, sql) != wanted) {
        if (clock_monotonic_ms() > deadline_ms)
            fail_msg("%s does not become %" PRId64, sql, wanted);
        sched_yield();
    }
}

struct query reads(const char *sql)
{
    return (struct query){.name = "test_reads", .sql = sql, .touches = READS};
}

struct query writes(const char *sql)
{
    return (struct query){.name = "test_writes", .sql = sql, .touches = TOUCHES_NOTHING};
}

enum status select_int(struct db *db, const char *sql, int64_t *ret_value, struct err *err)
{
    struct query query = reads(sql);
    return db_select_int(db, &query, DB_NO_PARAMS, ret_value, err);
}

enum status run(struct db *db, const char *sql, struct err *err)
{
    struct query query = writes(sql);
    return db_exec(db, &query, DB_NO_PARAMS, NULL, err);
}

enum status queue(struct db *db, const char *sql, struct err *err)
{
    struct query query = writes(sql);
    return db_queue(db, &query, DB_NO_PARAMS, err);
}

int64_t backend_of(struct db *db)
{
    struct err err;
    int64_t backend;
    assert_int_equal(db_begin_read(db, &err), OK);
    assert_int_equal(select_int(db, "SELECT pg_backend_pid()", &backend, &err), OK);
    db_rollback(db);
    return backend;
}

void end_backend(struct postgres_fixture *f, int64_t backend)
{
    char sql[120];
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%" PRId64 ")", backend);
    tell(f, sql);
    snprintf(sql, sizeof sql, "SELECT count(*) FROM pg_stat_activity WHERE pid = %" PRId64,
             backend);
    wait_until_int(f, sql, 0);
}
