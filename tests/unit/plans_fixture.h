/**
 * A PostgreSQL database with a register of 100,000 risks (tests/unit/register.sql), and what the
 * planner does in it.
 *
 * The database is made once per cluster (OPENRISK_TEST_POSTGRES, a superuser's URL) and found by
 * later programs. It is only read; who wants to write does it in a transaction and rolls back.
 */
#ifndef OPENRISK_TESTS_PLANS_FIXTURE_H
#define OPENRISK_TESTS_PLANS_FIXTURE_H

#include <libpq-fe.h>

#include "store/db.h"

struct plans_fixture {
    char *url;
    PGconn *conn; /* of the test's own, to ask for plans */
};

void plans_fixture_open(struct plans_fixture *plans);
void plans_fixture_close(struct plans_fixture *plans);

/** Run any statements; ends the test if they fail. */
void plans_exec(struct plans_fixture *plans, const char *sql);
/** The first column of the first row, in the arena; ends the test without one. */
char *plans_text(struct plans_fixture *plans, const char *sql, struct arena *arena);

/** The number that a statement with values gives. */
double plans_number(struct plans_fixture *plans, const char *sql, const struct db_value *params,
                    size_t count);

/** What one execution did. */
struct plan {
    char *text;      /* EXPLAIN's, in the arena */
    double visited;  /* rows and entries of indexes that scans looked at */
    double ms;       /* of the execution */
    bool is_generic; /* one plan for all values, as the server settles for after five executions */
    bool reads_whole_table; /* a sequential scan of a table with many rows, to its end */
};

/** Prepare `name` as the engine does; false with the server's words in the arena. */
bool plans_prepare(struct plans_fixture *plans, const char *name, const char *sql,
                   struct arena *arena, char **ret_words);
/** Plan an execution of it without executing; the server counts it as one. */
void plans_plan(struct plans_fixture *plans, const char *name, const struct db_value *params,
                size_t count, struct arena *arena);
/** Its plan, with NULLs for values, if that goes through a table with many rows; else NULL. */
char *plans_whole_table(struct plans_fixture *plans, const char *name, struct arena *arena);
struct plan plans_execute(struct plans_fixture *plans, const char *name,
                          const struct db_value *params, size_t count, struct arena *arena);

#endif
