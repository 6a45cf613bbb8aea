/*
 * Every statement can be prepared, declares what it touches, and is served by an index: the plans
 * of all static queries, and of every list in each order, direction, form, and with each filter.
 * With PostgreSQL: every statement can be prepared.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store/engine.h"
#include "store/list.h"
#include "store/queries.h"
#include "store/sqlite.h"
#include "store_fixture.h"

static int setup(void **state)
{
    static struct store_fixture store;
    store_fixture_open(&store);
    *state = &store;
    return 0;
}

static int teardown(void **state)
{
    store_fixture_close(*state);
    return 0;
}

static sqlite3 *handle_of(struct store_fixture *store)
{
    return sqlite_handle(db_engine_conn(store->db, &sqlite_engine));
}

/**
 * A plan step that reads a whole table of the register without an index. A log is kept in the order
 * of its rows: reading it in that order up to a limit is what its "SCAN" means.
 */
static bool is_full_scan(const char *step, const char *log)
{
    static const char *const tables[] = {"risk",       "asset",      "mitigation",     "sub_action",
                                         "risk_asset", "risk_label", "risk_history",   "audit_log",
                                         "token",      "account",    "import_baseline"};
    if (strncmp(step, "SCAN ", 5) != 0 || strstr(step, "USING"))
        return false;
    if (log && strcmp(step + 5, log) == 0)
        return false;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        if (strcmp(step + 5, tables[i]) == 0)
            return true;
    return false;
}

/** The first bad step of a plan, in the arena; NULL if all are good. */
static const char *bad_step(struct store_fixture *store, const char *sql, const char *log,
                            bool sorting_is_bad)
{
    sqlite3_stmt *plan;
    const char *bad = NULL;
    char *explain = arena_format(&store->arena, "EXPLAIN QUERY PLAN %s", sql);
    if (sqlite3_prepare_v2(handle_of(store), explain, -1, &plan, NULL) != SQLITE_OK)
        return arena_strdup(&store->arena, sqlite3_errmsg(handle_of(store)));
    while (sqlite3_step(plan) == SQLITE_ROW) {
        const char *step = (const char *)sqlite3_column_text(plan, 3);
        bool sorts = strstr(step, "USE TEMP B-TREE FOR ORDER BY") != NULL;
        if (is_full_scan(step, log) || (sorting_is_bad && sorts))
            bad = arena_strdup(&store->arena, step);
    }
    sqlite3_finalize(plan);
    return bad;
}

/** Those that are about everything by their nature: checks, exports, counts of the few users. */
static bool reads_everything(const struct query *query)
{
    static const char *const names[] = {"risks_all",     "assets_all",           "history_figures",
                                        "account_count", "account_other_admins", NULL};
    return strncmp(query->name, "check_", 6) == 0 || text_index(names, query->name) >= 0;
}

static void every_query_can_be_prepared(void **state)
{
    struct store_fixture *store = *state;
    for (size_t i = 0; i < QUERIES; i++) {
        sqlite3_stmt *statement = NULL;
        assert_non_null(queries[i].name);
        if (sqlite3_prepare_v2(handle_of(store), queries[i].sql, -1, &statement, NULL) != SQLITE_OK)
            fail_msg("%s: %s", queries[i].name, sqlite3_errmsg(handle_of(store)));
        sqlite3_finalize(statement);
    }
}

enum { PARAMETERS = 64, TEXT_OID = 25 };

/** Give the parameters up to the highest that the text does not name a type; their count. */
static int type_the_unused(const char *sql, Oid types[PARAMETERS])
{
    bool used[PARAMETERS + 1] = {false};
    int highest = 0;
    for (const char *at = strchr(sql, '$'); at; at = strchr(at + 1, '$')) {
        int number = (int)strtol(at + 1, NULL, 10);
        assert_in_range(number, 1, PARAMETERS);
        used[number] = true;
        highest = number > highest ? number : highest;
    }
    for (int i = 0; i < highest; i++)
        types[i] = used[i + 1] ? 0 : TEXT_OID;
    return highest;
}

static void every_query_can_be_prepared_for_postgres(void **state)
{
    struct store_fixture *store = *state;
    PGconn *conn = PQconnectdb(store->url);
    for (size_t i = 0; i < QUERIES; i++) {
        const char *sql = queries[i].postgres ? queries[i].postgres : queries[i].sql;
        Oid types[PARAMETERS];
        PGresult *result =
            PQprepare(conn, queries[i].name, sql, type_the_unused(sql, types), types);
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            fail_msg("%s: %s", queries[i].name, PQerrorMessage(conn));
        PQclear(result);
    }
    PQfinish(conn);
}

static void a_query_declares_what_it_touches_exactly_if_it_writes(void **state)
{
    struct store_fixture *store = *state;
    for (size_t i = 0; i < QUERIES; i++) {
        sqlite3_stmt *statement = NULL;
        assert_int_equal(sqlite3_prepare_v2(handle_of(store), queries[i].sql, -1, &statement, NULL),
                         SQLITE_OK);
        bool writes = !sqlite3_stmt_readonly(statement);
        sqlite3_finalize(statement);
        if (writes != (queries[i].touches != READS))
            fail_msg("%s writes: %d, touches: %x", queries[i].name, writes, queries[i].touches);
    }
}

static void every_query_uses_an_index(void **state)
{
    struct store_fixture *store = *state;
    for (size_t i = 0; i < QUERIES; i++) {
        if (reads_everything(&queries[i]) || strncmp(queries[i].sql, "PRAGMA", 6) == 0)
            continue;
        const char *bad = bad_step(store, queries[i].sql, NULL, false);
        if (bad)
            fail_msg("%s: %s", queries[i].name, bad);
    }
}

static const char *sample_value(const struct list_filter *filter)
{
    switch (filter->kind) {
    case LIST_NAME:
    case LIST_LEVEL:
        return filter->names[0];
    case LIST_HUNDREDTHS:
    case LIST_TIME:
    case LIST_NUMBER:
        return "100";
    case LIST_SCALE:
        return "5";
    case LIST_DATE:
        return "2026-01-31";
    case LIST_FLAG:
        return "true";
    case LIST_TEXT:
    case LIST_SEARCH:
    case LIST_SEARCH_NAME:
        return "phishing mail";
    }
    return "";
}

/**
 * All forms of a list's page. Sifting and walking must never sort: that is what they are for.
 * Collecting may sort what it found, at most LIST_COUNT_MAX rows, and an export all of it.
 * Searching an asset's name tests each name, which is what its index of names is scanned for.
 */
static void check_list(struct store_fixture *store, struct list_request *request)
{
    const char *log = strcmp(request->spec->row, "seq") == 0 ? request->spec->table : NULL;
    for (int form = 0; form <= 2; form++) {
        struct query query = list_page_query(request, DIALECT_SQLITE, form, &store->arena);
        /* The outer SELECT orders the rows of one page again. */
        char *inner = arena_strdup(&store->arena, strstr(query.sql, " IN (SELECT") + 5);
        char *end = strstr(inner, " OFFSET $");
        end[strcspn(end, ")")] = '\0';
        const char *bad = bad_step(store, inner, log, form != 0);
        if (!bad)
            bad = bad_step(store, query.sql, log, false);
        if (bad)
            fail_msg("%s\n%s", query.sql, bad);
    }
    struct query all = list_all_query(request, DIALECT_SQLITE, "", NULL, &store->arena);
    const char *bad_all = bad_step(store, all.sql, log, false);
    if (bad_all)
        fail_msg("%s\n%s", all.sql, bad_all);
    struct query count = list_count_query(request, DIALECT_SQLITE, &store->arena);
    const char *bad = bad_step(store, count.sql, log, false);
    if (bad)
        fail_msg("%s\n%s", count.sql, bad);
}

static void every_list_uses_an_index_in_every_order_and_with_every_filter(void **state)
{
    struct store_fixture *store = *state;
    for (size_t l = 0; all_lists[l]; l++) {
        const struct list_spec *spec = all_lists[l];
        for (size_t sort = 0; sort < spec->sort_count; sort++)
            for (int descending = 0; descending <= 1; descending++)
                for (int after = 0; after <= 1; after++)
                    for (size_t filter = 0; filter <= spec->filter_count; filter++) {
                        struct list_request request;
                        list_request_init(&request, spec);
                        request.sort = sort;
                        request.descending = descending != 0;
                        request.after_key = after ? "100" : NULL;
                        request.after_id = after ? "100" : NULL;
                        if (filter < spec->filter_count)
                            request.values[filter] = sample_value(&spec->filters[filter]);
                        check_list(store, &request);
                        arena_clear(&store->arena);
                    }
    }
}

static void pairs_of_filters_use_an_index(void **state)
{
    struct store_fixture *store = *state;
    for (size_t a = 0; a < risk_list.filter_count; a++)
        for (size_t b = a + 1; b < risk_list.filter_count; b++)
            for (size_t sort = 0; sort < risk_list.sort_count; sort++) {
                struct list_request request;
                list_request_init(&request, &risk_list);
                request.sort = sort;
                request.values[a] = sample_value(&risk_list.filters[a]);
                request.values[b] = sample_value(&risk_list.filters[b]);
                check_list(store, &request);
                arena_clear(&store->arena);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_query_can_be_prepared),
        cmocka_unit_test(a_query_declares_what_it_touches_exactly_if_it_writes),
        cmocka_unit_test(every_query_uses_an_index),
        cmocka_unit_test(every_list_uses_an_index_in_every_order_and_with_every_filter),
        cmocka_unit_test(pairs_of_filters_use_an_index),
    };
    const struct CMUnitTest postgres_tests[] = {
        cmocka_unit_test(every_query_can_be_prepared_for_postgres),
    };
    if (strcmp(store_fixture_engine(), "postgres") == 0)
        return cmocka_run_group_tests(postgres_tests, setup, teardown);
    return cmocka_run_group_tests(tests, setup, teardown);
}
