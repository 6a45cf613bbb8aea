#include "plans_fixture.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "store/migrate.h"

enum { SQL_MAX_BYTES = 65536, PARAMS_MAX = 100, TEXT_OID = 25 };
/* Held by who makes the database: "Plans". Any number, the same in all test programs. */
#define MAKER_LOCK "344858980979"
#define FIXTURE_NOW_MS INT64_C(1780000000000)
/* Tables of fewer rows may be read as a whole. */
#define MANY_ROWS 10000

static void fail(const char *what, const char *words)
{
    fprintf(stderr, "plans: %s: %s\n", what, words);
    abort();
}

static PGconn *connect_to(const char *url)
{
    PGconn *conn = PQconnectdb(url);
    if (PQstatus(conn) != CONNECTION_OK)
        fail("connecting", PQerrorMessage(conn));
    return conn;
}

static PGresult *ask(PGconn *conn, const char *sql)
{
    PGresult *result = PQexec(conn, sql);
    ExecStatusType outcome = PQresultStatus(result);
    if (outcome != PGRES_COMMAND_OK && outcome != PGRES_TUPLES_OK && outcome != PGRES_COPY_IN)
        fail(sql, PQerrorMessage(conn));
    return result;
}

static void exec_on(PGconn *conn, const char *sql)
{
    PQclear(ask(conn, sql));
}

static char *read_file(const char *name)
{
    AUTO_FREE char *path = mem_format("%s/%s", TESTS_FOLDER, name);
    FILE *file = fopen(path, "re");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        fail("no such file", path);
    size_t size = (size_t)ftell(file);
    rewind(file);
    char *text = mem_zalloc(1, size + 1);
    if (fread(text, 1, size, file) != size)
        fail("cannot be read", path);
    fclose(file);
    return text;
}

/** The catalogue of data/kev.csv as table `kev`, with the numbers of its lines. */
static void copy_catalogue(PGconn *conn)
{
    AUTO_FREE char *csv = read_file("data/kev.csv");
    exec_on(conn, "CREATE TABLE kev (cve TEXT, vendor TEXT, product TEXT, title TEXT, added TEXT, "
                  "description TEXT, action TEXT, due TEXT, ransomware TEXT, notes TEXT, "
                  "cwes TEXT, line BIGINT GENERATED ALWAYS AS IDENTITY)");
    exec_on(conn, "COPY kev (cve, vendor, product, title, added, description, action, due, "
                  "ransomware, notes, cwes) FROM STDIN (FORMAT csv, HEADER)");
    if (PQputCopyData(conn, csv, (int)strlen(csv)) != 1 || PQputCopyEnd(conn, NULL) != 1)
        fail("COPY", PQerrorMessage(conn));
    PQclear(PQgetResult(conn));
    PQclear(PQgetResult(conn));
}

static void migrate_at(const char *url)
{
    struct database *database;
    struct db *db = NULL;
    struct err err;
    char text[ERR_FIELD_SIZE + ERR_MESSAGE_SIZE];
    err_init(&err);
    if (database_new(url, &database, &err) != OK || db_open(database, &db, &err) != OK ||
        migrate(db, FIXTURE_NOW_MS, &err) != OK)
        fail("migrate", err_text(&err, text, sizeof text));
    db_close(db);
    database_free(database);
}

/** A name that no other schema and register has: what is left of an older one is not taken. */
static char *database_name(const char *fill)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i <= migration_count; i++)
        for (const char *c = i ? migrations[i - 1].sql[DIALECT_POSTGRES] : fill; *c; c++)
            hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
    return mem_format("plans_%016" PRIx64, hash);
}

static bool exists(PGconn *conn, const char *name)
{
    AUTO_FREE char *sql = mem_format("SELECT 1 FROM pg_database WHERE datname = '%s'", name);
    PGresult *result = ask(conn, sql);
    bool is_there = PQntuples(result) > 0;
    PQclear(result);
    return is_there;
}

static char *url_of(const char *cluster, const char *name)
{
    const char *slash = strrchr(cluster, '/');
    return mem_format("%.*s/%s", (int)(slash - cluster), cluster, name);
}

/** It gets its name when it is complete. Two statements of a script would be one transaction. */
static void make(PGconn *conn, const char *cluster, const char *name, const char *fill)
{
    AUTO_FREE char *url = url_of(cluster, "plans_unfinished");
    exec_on(conn, "DROP DATABASE IF EXISTS plans_unfinished WITH (FORCE)");
    exec_on(conn, "CREATE DATABASE plans_unfinished TEMPLATE template0");
    /* Statistics of all rows, not of some taken at random: the same plans each time. */
    exec_on(conn, "ALTER DATABASE plans_unfinished SET default_statistics_target = 1000");
    migrate_at(url);
    PGconn *filler = connect_to(url);
    copy_catalogue(filler);
    exec_on(filler, fill);
    exec_on(filler, "VACUUM (ANALYZE)");
    PQfinish(filler);
    AUTO_FREE char *rename = mem_format("ALTER DATABASE plans_unfinished RENAME TO %s", name);
    exec_on(conn, rename);
}

void plans_fixture_open(struct plans_fixture *plans)
{
    const char *cluster = getenv("OPENRISK_TEST_POSTGRES");
    if (!cluster || !strrchr(cluster, '/'))
        fail("OPENRISK_TEST_POSTGRES", "names no cluster; script/test does it");
    AUTO_FREE char *fill = read_file("unit/register.sql");
    AUTO_FREE char *name = database_name(fill);
    plans->url = url_of(cluster, name);
    PGconn *conn = connect_to(cluster);
    exec_on(conn, "SET client_min_messages = warning");
    exec_on(conn, "SELECT pg_advisory_lock(" MAKER_LOCK ")");
    if (!exists(conn, name))
        make(conn, cluster, name, fill);
    PQfinish(conn); /* with its lock */
    plans->conn = connect_to(plans->url);
    /* As the engine's connections have it. */
    exec_on(plans->conn, "SET random_page_cost = 1.1; SET max_parallel_workers_per_gather = 0;"
                         "SET jit = off");
}

void plans_fixture_close(struct plans_fixture *plans)
{
    PQfinish(plans->conn);
    free(plans->url);
}

void plans_exec(struct plans_fixture *plans, const char *sql)
{
    exec_on(plans->conn, sql);
}

char *plans_text(struct plans_fixture *plans, const char *sql, struct arena *arena)
{
    PGresult *result = ask(plans->conn, sql);
    if (PQntuples(result) == 0)
        fail(sql, "no rows");
    char *text = arena_strdup(arena, PQgetvalue(result, 0, 0));
    PQclear(result);
    return text;
}

double plans_number(struct plans_fixture *plans, const char *sql, const struct db_value *params,
                    size_t count)
{
    const char *values[PARAMS_MAX];
    char numbers[PARAMS_MAX][24];
    for (size_t i = 0; i < count; i++) {
        snprintf(numbers[i], sizeof numbers[i], "%" PRId64, params[i].integer);
        values[i] = params[i].kind == DB_KIND_INT ? numbers[i] : params[i].text;
    }
    PGresult *result = PQexecParams(plans->conn, sql, (int)count, NULL, values, NULL, NULL, 0);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        fail(sql, PQerrorMessage(plans->conn));
    double number = strtod(PQgetvalue(result, 0, 0), NULL);
    PQclear(result);
    return number;
}

bool plans_prepare(struct plans_fixture *plans, const char *name, const char *sql,
                   struct arena *arena, char **ret_words)
{
    Oid types[PARAMS_MAX] = {0};
    int highest = 0;
    for (int i = 1; i <= PARAMS_MAX; i++) {
        char parameter[8];
        snprintf(parameter, sizeof parameter, "$%d", i);
        const char *found = strstr(sql, parameter);
        while (found && isdigit((unsigned char)found[strlen(parameter)]))
            found = strstr(found + 1, parameter);
        types[i - 1] = found ? 0 : TEXT_OID;
        highest = found ? i : highest;
    }
    PGresult *result = PQprepare(plans->conn, name, sql, highest, types);
    bool is_prepared = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (!is_prepared)
        *ret_words = arena_strdup(arena, PQresultErrorMessage(result));
    PQclear(result);
    return is_prepared;
}

/** `EXPLAIN … EXECUTE name(values)`: what it says. */
static char *explain(struct plans_fixture *plans, const char *options, const char *name,
                     const struct db_value *params, size_t count, struct arena *arena)
{
    AUTO_BUF struct buf sql;
    AUTO_BUF struct buf lines;
    buf_init(&sql, SQL_MAX_BYTES);
    buf_init(&lines, SQL_MAX_BYTES);
    buf_printf(&sql, "EXPLAIN (%s) EXECUTE %s", options, name);
    for (size_t i = 0; i < count; i++) {
        buf_puts(&sql, i ? ", " : "(");
        if (params[i].kind == DB_KIND_TEXT) {
            char *quoted = PQescapeLiteral(plans->conn, params[i].text, strlen(params[i].text));
            buf_puts(&sql, quoted);
            PQfreemem(quoted);
        } else if (params[i].kind == DB_KIND_INT) {
            buf_printf(&sql, "%" PRId64, params[i].integer);
        } else {
            buf_puts(&sql, "NULL");
        }
    }
    buf_puts(&sql, count ? ")" : "");
    if (sql.overflow)
        fail(name, "too long");
    PGresult *result = ask(plans->conn, sql.data);
    for (int row = 0; row < PQntuples(result); row++)
        buf_printf(&lines, "%s\n", PQgetvalue(result, row, 0));
    PQclear(result);
    return arena_strdup(arena, lines.data);
}

void plans_plan(struct plans_fixture *plans, const char *name, const struct db_value *params,
                size_t count, struct arena *arena)
{
    explain(plans, "COSTS OFF", name, params, count, arena);
}

/** The number behind `label` in a line of a plan; -1 if it is not there. */
static double number_behind(const char *line, const char *label)
{
    const char *found = strstr(line, label);
    return found ? strtod(found + strlen(label), NULL) : -1;
}

static double rows_of_table(struct plans_fixture *plans, const char *name)
{
    AUTO_FREE char *sql = mem_format("SELECT reltuples FROM pg_class WHERE oid = '%.*s'::regclass",
                                     (int)strcspn(name, " \n"), name);
    PGresult *result = ask(plans->conn, sql);
    double rows = strtod(PQgetvalue(result, 0, 0), NULL);
    PQclear(result);
    return rows;
}

/**
 * What a bitmap holds is counted where it is made. Rows are given per loop, rounded: one that finds
 * nothing looked at something too. Those that a filter removes stand in lines below their node.
 */
static void read_plan(struct plans_fixture *plans, struct plan *plan)
{
    double loops = 0, scanned = 0;
    const char *table = NULL;
    for (const char *line = plan->text; *line; line += strcspn(line, "\n") + 1) {
        AUTO_FREE char *one = mem_format("%.*s", (int)strcspn(line, "\n"), line);
        double rows = number_behind(one, "(actual rows=");
        double removed = number_behind(one, "Rows Removed by ");
        const char *removed_by = strstr(one, "Rows Removed by ");
        if (rows >= 0) {
            loops = number_behind(one, " loops=");
            table = strstr(one, "Seq Scan on ");
            table = table ? line + (table - one) + strlen("Seq Scan on ") : NULL;
            scanned = rows * loops;
            if (strstr(one, " Scan") && !strstr(one, "Bitmap Heap Scan"))
                plan->visited += rows > 1 ? rows * loops : loops;
        } else if (removed_by) {
            removed = number_behind(removed_by, ": ");
            plan->visited += removed * loops;
            scanned += removed * loops;
        }
        double all = table ? rows_of_table(plans, table) : 0;
        if (all > MANY_ROWS && scanned >= 0.9 * all)
            plan->reads_whole_table = true;
        if (number_behind(one, "Execution Time: ") >= 0)
            plan->ms = number_behind(one, "Execution Time: ");
    }
}

struct plan plans_execute(struct plans_fixture *plans, const char *name,
                          const struct db_value *params, size_t count, struct arena *arena)
{
    struct plan plan = {
        .text = explain(plans, "ANALYZE, COSTS OFF, TIMING OFF", name, params, count, arena)};
    read_plan(plans, &plan);
    AUTO_FREE char *sql =
        mem_format("SELECT generic_plans > 0 FROM pg_prepared_statements WHERE name = '%s'", name);
    plan.is_generic = *plans_text(plans, sql, arena) == 't';
    return plan;
}

char *plans_whole_table(struct plans_fixture *plans, const char *name, struct arena *arena)
{
    struct db_value values[PARAMS_MAX];
    AUTO_FREE char *sql = mem_format("SELECT COALESCE(array_length(parameter_types, 1), 0) "
                                     "FROM pg_prepared_statements WHERE name = '%s'",
                                     name);
    size_t count = (size_t)strtol(plans_text(plans, sql, arena), NULL, 10);
    for (size_t i = 0; i < count; i++)
        values[i] = DB_NULL;
    char *text = explain(plans, "COSTS OFF", name, values, count, arena);
    for (const char *at = text; (at = strstr(at, "Seq Scan on ")); at++)
        if (rows_of_table(plans, at + strlen("Seq Scan on ")) > MANY_ROWS)
            return text;
    return NULL;
}
