/**
 * What the tests of PostgreSQL's engine share: a migrated database, a second connection that is
 * libpq's own and sees what the server sees, and statements that no query of the program has.
 *
 *     struct postgres_fixture f; postgres_fixture_open(&f);
 *     … f.store.db, ask_int(&f, "SELECT count(*) FROM risk") …
 *     postgres_fixture_close(&f);
 */
#ifndef OPENRISK_TESTS_POSTGRES_FIXTURE_H
#define OPENRISK_TESTS_POSTGRES_FIXTURE_H

#include <libpq-fe.h>

#include "store_fixture.h"

enum { LIMIT_MS = 400, WRITE_MS = 2000, SLACK_MS = 1000 };
#define NOW_MS INT64_C(1772366400000)

struct postgres_fixture {
    struct store_fixture store;
    struct db *db; /* the store's */
    PGconn *server;
    struct err err; /* of the last call */
};

void postgres_fixture_open(struct postgres_fixture *f);
void postgres_fixture_close(struct postgres_fixture *f);

/** A further database object for the same URL, with limits; and a connection of it. */
struct database *fixture_database(struct postgres_fixture *f, struct db_limits limits);
struct db *fixture_connect(struct database *database);

/** Asked of the server past the engine. The test fails if it does not answer with one value. */
int64_t ask_int(struct postgres_fixture *f, const char *sql);
/** In the fixture's arena. */
const char *ask_text(struct postgres_fixture *f, const char *sql);
/** Any command. */
void tell(struct postgres_fixture *f, const char *sql);
/** Wait until the query gives `wanted`. */
void wait_until_int(struct postgres_fixture *f, const char *sql, int64_t wanted);

/** Queries with their own texts. */
struct query reads(const char *sql);
struct query writes(const char *sql);

/** The process at the server that serves a connection, asked in a transaction of its own. */
int64_t backend_of(struct db *db);
/** End it, and wait until it is gone. */
void end_backend(struct postgres_fixture *f, int64_t backend);

/* In a transaction of `db`: one value of a query without parameters. */
enum status select_int(struct db *db, const char *sql, int64_t *ret_value, struct err *err);
enum status run(struct db *db, const char *sql, struct err *err);
enum status queue(struct db *db, const char *sql, struct err *err);

#endif
