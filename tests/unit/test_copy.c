/*
 * Copying a register from database to database: everything arrives, or nothing does. The engine of
 * both sides is SQLite behind a wrapper that fails a call, or loses or changes a row on its way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "faulty_engine.h"
#include "service/check.h"
#include "service/import.h"
#include "store/copy.h"
#include "store/engine.h"
#include "store/migrate.h"
#include "store_fixture.h"

enum { WRITE_TIMEOUT_MS = 1000 };

static const char text[] =
    "{\"assets\":[{\"id\":\"00000000-0000-7000-8000-000000000001\",\"name\":\"Asset\"}],"
    "\"risks\":[{\"title\":\"Süd’s façade\",\"impact\":4,\"probability\":5,\"tags\":[\"t\"],"
    "\"frameworks\":[\"f\"],\"asset_ids\":[\"00000000-0000-7000-8000-000000000001\"],"
    "\"source\":\"scan\",\"external_id\":\"x-1\","
    "\"mitigations\":[{\"title\":\"M\",\"cost\":5,\"sub_actions\":[{\"title\":\"S\"}]}]},"
    "{\"title\":\"B\",\"impact\":1,\"probability\":1}]}";

/** What an import does not make; NULL beside empty texts, and an id far beyond the others. */
static const char more[] =
    "INSERT INTO account VALUES "
    "('u1', 'a@example.org', NULL, 'admin', 1, 'hash', 0, 5, 6, NULL, 1),"
    "('u2', 'b@example.org', '', 'viewer', 0, NULL, 1, 5, 6, 9007199254740993, 2);"
    "INSERT INTO token VALUES ('t1', 'h1', 'u1', 0, 'cron', 'read', 1, 2, NULL);"
    "INSERT INTO audit_log VALUES (4000000000, 1, NULL, 'x', 'y', '', '', 'ok', '{}');"
    "INSERT INTO meta VALUES ('token_key', '00ff');";

/* The two sides */

struct side {
    char *path;
    struct database *database;
    struct db *db;
};

struct house {
    struct store_fixture store;     /* the source, as those see it who use it meanwhile */
    const struct db_engine *engine; /* of both sides */
    struct side from, to;           /* as the copy sees both */
    int64_t rows[COPY_TABLES];
};

static void must(enum status status, const struct err *err)
{
    char message[400];
    if (status != OK)
        fail_msg("%s: %s", status_name(status), err_text(err, message, sizeof message));
}

static void open_side(struct side *side, const struct house *house, const char *name)
{
    struct err err;
    side->path = mem_format("%s/%s", house->store.folder, name);
    AUTO_FREE char *url = mem_format("sqlite:%s", side->path);
    must(database_new_of(house->engine, url, &side->database, &err), &err);
    must(db_open(side->database, &side->db, &err), &err);
}

static void close_side(struct side *side)
{
    db_close(side->db);
    database_free(side->database);
    free(side->path);
}

static void run(struct db *db, const char *sql)
{
    struct err err;
    must(db_begin_write(db, 1, WRITE_TIMEOUT_MS, &err), &err);
    must(db_script(db, sql, &err), &err);
    must(db_commit(db, &err), &err);
}

static int64_t ask(struct db *db, const char *sql)
{
    struct query query = {.name = "test", .sql = sql};
    struct err err;
    int64_t value = -1;
    must(db_begin_read(db, &err), &err);
    must(db_select_int(db, &query, DB_NO_PARAMS, &value, &err), &err);
    db_rollback(db);
    return value;
}

static int setup(void **state)
{
    struct house *house = mem_zalloc(1, sizeof *house);
    struct import_options options = {.format = IMPORT_JSON};
    struct import_result result = {0};
    struct err err;
    log_set_level(LOG_ERROR);
    house->engine = faulty_engine(&sqlite_engine);
    faulty_set_way(FAULTY_REFUSES, NULL);
    store_fixture_open(&house->store);
    must(import_risks(&house->store.service, &options, text, strlen(text), &result, &err), &err);
    run(house->store.db, more);
    open_side(&house->from, house, "test.db");
    open_side(&house->to, house, "target.db");
    *state = house;
    return 0;
}

static int teardown(void **state)
{
    struct house *house = *state;
    close_side(&house->from);
    close_side(&house->to);
    store_fixture_close(&house->store);
    free(house);
    return 0;
}

static enum status copy_with(struct house *house, copy_progress *progress, void *context,
                             struct err *err)
{
    struct copy_options options = {.now_ms = house->store.service.now_ms,
                                   .write_timeout_ms = WRITE_TIMEOUT_MS,
                                   .progress = progress,
                                   .context = context};
    enum status status = copy_register(house->from.db, house->to.db, &options, house->rows, err);
    assert_false(db_in_transaction(house->from.db));
    assert_false(db_in_transaction(house->to.db));
    return status;
}

static enum status copy(struct house *house, struct err *err)
{
    return copy_with(house, NULL, NULL, err);
}

static void assert_untouched(struct house *house)
{
    assert_int_equal(ask(house->to.db, "SELECT count(*) FROM sqlite_schema"), 0);
    assert_int_equal(ask(house->to.db, "SELECT count(*) FROM pragma_application_id "
                                       "WHERE application_id <> 0"),
                     0);
}

static void assert_refused(struct house *house, enum status expected, const char *because)
{
    struct err err;
    char message[400];
    enum status status = copy(house, &err);
    if (status != expected || !strstr(err_text(&err, message, sizeof message), because))
        fail_msg("%s: %s, not \"%s\"", status_name(status), status == OK ? "" : message, because);
}

/** Rows that one side has and the other has not, with values of the same types. */
static void assert_same_rows(struct house *house, const char *table, const char *where)
{
    static const char *const orders[][2] = {{"main", "other"}, {"other", "main"}};
    for (size_t i = 0; i < COUNT_OF(orders); i++) {
        AUTO_FREE char *sql = mem_format(
            "SELECT count(*) FROM (SELECT * FROM %s.%s %s EXCEPT SELECT * FROM %s.%s %s)",
            orders[i][0], table, where, orders[i][1], table, where);
        if (ask(house->to.db, sql) != 0)
            fail_msg("table %s is not the same", table);
    }
}

static void attach_source(struct house *house)
{
    struct err err;
    AUTO_FREE char *sql = mem_format("ATTACH '%s' AS other", house->from.path);
    must(db_script(house->to.db, sql, &err), &err);
}

static void gather(void *context, const char *difference)
{
    buf_printf(context, "%s\n", difference);
}

static void assert_clean(struct house *house)
{
    struct service service = service_new(house->to.db, &house->store.arena,
                                         house->store.service.now_ms, &house->store.caller);
    AUTO_BUF struct buf all;
    struct err err;
    int64_t differences = 0;
    buf_init(&all, 1 << 16);
    must(check_register(&service, gather, &all, &differences, &err), &err);
    assert_string_equal(all.data, "");
}

/* What arrives */

static void everything_arrives_as_it_was(void **state)
{
    struct house *house = *state;
    struct err err;
    must(copy(house, &err), &err);
    attach_source(house);
    for (size_t i = 0; i < COPY_TABLES; i++) {
        const char *name = copy_tables[i].name;
        AUTO_FREE char *sql = mem_format("SELECT count(*) FROM main.%s", name);
        assert_int_equal(ask(house->to.db, sql), house->rows[i]);
        assert_true(house->rows[i] > 0); /* the test leaves no table out */
        if (strcmp(name, "cache_generation") != 0)
            assert_same_rows(house, name, strcmp(name, "meta") ? "" : "WHERE name <> 'epoch'");
    }
    assert_int_equal(ask(house->to.db, "SELECT count(*) FROM main.risk_search('\"ade\"')"), 1);
    assert_clean(house);
}

static void the_copy_is_no_continuation_for_a_cache(void **state)
{
    struct house *house = *state;
    struct err err;
    run(house->from.db, "UPDATE cache_generation SET generation = 9000000000000000");
    must(copy(house, &err), &err);
    attach_source(house);
    assert_int_equal(ask(house->to.db, "SELECT count(*) FROM main.meta JOIN other.meta AS o "
                                       "ON o.name = 'epoch' AND o.name = main.meta.name "
                                       "WHERE main.meta.value = o.value"),
                     0);
    assert_int_equal(ask(house->to.db, "SELECT min(generation) FROM main.cache_generation"),
                     9000000000000001);
}

static void a_target_that_only_has_the_schema_is_empty(void **state)
{
    struct house *house = *state;
    struct err err;
    must(migrate(house->to.db, 1, &err), &err);
    must(copy(house, &err), &err);
    assert_clean(house);
}

static bool write_once(void *context, bool is_comparing, int64_t done, int64_t all)
{
    struct house *house = context;
    assert_true(done <= all);
    if (!is_comparing && done == 0)
        run(house->store.db, "DELETE FROM token; UPDATE account SET full_name = 'later'");
    return true;
}

static void what_is_written_meanwhile_is_not_in_the_copy(void **state)
{
    struct house *house = *state;
    struct err err;
    must(copy_with(house, write_once, house, &err), &err);
    assert_int_equal(ask(house->from.db, "SELECT count(*) FROM token"), 0);
    assert_int_equal(ask(house->to.db, "SELECT count(*) FROM token"), 1);
    assert_int_equal(ask(house->to.db, "SELECT count(*) FROM account WHERE full_name = 'later'"),
                     0);
}

/* What does not */

static void every_call_that_fails_leaves_the_target_as_it_was(void **state)
{
    struct house *house = *state;
    struct err err;
    enum status status;
    long n = 0;
    do {
        faulty_fail_at(++n);
        status = copy(house, &err);
        faulty_fail_at(0);
        if (status != OK) {
            assert_int_equal(status, BUSY);
            assert_untouched(house);
        }
    } while (status != OK);
    assert_true(n > 100);
    assert_clean(house);
    printf("# figure: %ld calls failed, one after the other\n", n - 1);
}

static void a_row_that_is_lost_stops_the_copy(void **state)
{
    struct house *house = *state;
    for (size_t i = 0; i < COPY_TABLES; i++) {
        AUTO_FREE char *insert = mem_format("INSERT INTO %s VALUES", copy_tables[i].name);
        AUTO_FREE char *because = mem_format("table %s has ", copy_tables[i].name);
        /* What others refer to is missed by the database, earlier. */
        const char *name = copy_tables[i].name;
        bool is_missed = strcmp(name, "account") == 0 || strcmp(name, "risk") == 0 ||
                         strcmp(name, "asset") == 0 || strcmp(name, "mitigation") == 0;
        close_side(&house->to);
        open_side(&house->to, house, "target.db");
        faulty_do(LOSE_A_ROW, insert);
        assert_refused(house, CONFLICT, is_missed ? "refuses a row of table" : because);
        assert_untouched(house);
    }
}

static void a_value_that_changes_on_its_way_stops_the_copy(void **state)
{
    static const struct {
        enum mischief mischief;
        const char *beginning, *table;
    } cases[] = {
        {NULL_TO_EMPTY, "INSERT INTO account VALUES", "account"},
        {MOVE_A_LETTER, "INSERT INTO token VALUES", "token"},
    };
    struct house *house = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FREE char *because =
            mem_format("table %s reads differently in the target", cases[i].table);
        close_side(&house->to);
        open_side(&house->to, house, "target.db");
        faulty_do(cases[i].mischief, cases[i].beginning);
        assert_refused(house, CONFLICT, because);
        assert_untouched(house);
    }
}

static bool give_up(void *context, bool is_comparing, int64_t done, int64_t all)
{
    int *left = context;
    (void)is_comparing;
    assert_true(done <= all);
    return --*left > 0;
}

static void a_copy_that_is_stopped_leaves_the_target_as_it_was(void **state)
{
    struct house *house = *state;
    struct err err;
    int at = 0, left;
    enum status status;
    do {
        left = ++at;
        status = copy_with(house, give_up, &left, &err);
        if (status != OK) {
            assert_int_equal(status, CONFLICT);
            assert_string_equal(err.items[0].message, "stopped; nothing was changed");
            assert_untouched(house);
        }
    } while (status != OK);
    assert_true(at > 3); /* before, between, and after everything is compared */
}

/* Refusals */

static void a_target_that_is_not_empty_is_refused(void **state)
{
    struct house *house = *state;
    struct err err;
    must(migrate(house->to.db, 1, &err), &err);
    run(house->to.db, "INSERT INTO audit_log VALUES (1, 1, NULL, 'x', 'y', '', '', 'ok', '{}')");
    assert_refused(house, CONFLICT, "target: it is not empty: there are rows in table audit_log");
    run(house->to.db, "INSERT INTO account VALUES "
                      "('u1', 'a@example.org', NULL, 'admin', 1, 'hash', 0, 5, 6, NULL, 1)");
    assert_refused(house, CONFLICT, "target: it is not empty: it has 1 users and 0 risks");
    assert_int_equal(ask(house->to.db, "SELECT count(*) FROM account"), 1);
}

static void a_second_copy_is_refused(void **state)
{
    struct house *house = *state;
    struct err err;
    must(copy(house, &err), &err);
    assert_refused(house, CONFLICT, "it has 2 users and 2 risks");
    assert_clean(house);
}

static void one_register_by_two_names_is_refused(void **state)
{
    struct house *house = *state;
    struct err err;
    must(copy(house, &err), &err);
    AUTO_FREE char *sql = mem_format("ATTACH '%s' AS other", house->to.path);
    must(db_script(house->from.db, sql, &err), &err);
    run(house->from.db, "UPDATE main.meta SET value = (SELECT value FROM other.meta WHERE "
                        "name = 'epoch') WHERE name = 'epoch'");
    assert_refused(house, CONFLICT, "target: it is the source itself");
}

static void schemas_that_do_not_fit_are_refused(void **state)
{
    struct house *house = *state;
    struct err err;
    run(house->from.db, "UPDATE meta SET value = '9999' WHERE name = 'schema'");
    assert_refused(house, CONFLICT, "source: the database has schema 9999");
    run(house->from.db, "UPDATE meta SET value = '0' WHERE name = 'schema'");
    assert_refused(house, CONFLICT, "source: ");
    assert_untouched(house);
    must(migrate(house->to.db, 1, &err), &err);
    run(house->to.db, "UPDATE meta SET value = '9999' WHERE name = 'schema'");
    AUTO_FREE char *ours =
        mem_format("UPDATE meta SET value = '%d' WHERE name = 'schema'", migrate_newest());
    run(house->from.db, ours);
    assert_refused(house, CONFLICT, "target: the database has schema 9999");
}

static void a_source_without_a_schema_is_refused(void **state)
{
    struct house *house = *state;
    struct side full = house->from;
    open_side(&house->from, house, "nothing.db");
    assert_refused(house, CONFLICT, "source: there is no OpenRisk database");
    assert_untouched(house);
    close_side(&house->from);
    house->from = full;
}

static void a_target_with_a_writer_is_busy(void **state)
{
    struct house *house = *state;
    struct side writer = {0};
    struct err err;
    open_side(&writer, house, "target.db");
    must(db_begin_write(writer.db, 1, WRITE_TIMEOUT_MS, &err), &err);
    assert_refused(house, BUSY, "target: ");
    db_rollback(writer.db);
    close_side(&writer);
}

/* The list of tables */

static void the_list_has_all_tables_by_their_keys(void **state)
{
    struct house *house = *state;
    for (size_t i = 0; i < COPY_TABLES; i++) {
        AUTO_FREE char *sql =
            mem_format("SELECT (SELECT group_concat(name, ', ') FROM (SELECT name FROM "
                       "pragma_table_info('%s') WHERE pk > 0 ORDER BY pk)) = '%s'",
                       copy_tables[i].name, copy_tables[i].key);
        if (ask(house->from.db, sql) != 1)
            fail_msg("%s is not the primary key of %s", copy_tables[i].key, copy_tables[i].name);
    }
    /* The search index and its shadow tables are derived. */
    assert_int_equal(ask(house->from.db, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' "
                                         "AND name NOT LIKE 'risk\\_search%' ESCAPE '\\' "
                                         "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"),
                     COPY_TABLES);
}

static void a_table_comes_after_those_that_it_refers_to(void **state)
{
    struct house *house = *state;
    for (size_t i = 0; i < COPY_TABLES; i++)
        for (size_t later = i + 1; later < COPY_TABLES; later++) {
            AUTO_FREE char *sql = mem_format(
                "SELECT count(*) FROM pragma_foreign_key_list('%s') WHERE \"table\" = '%s'",
                copy_tables[i].name, copy_tables[later].name);
            assert_int_equal(ask(house->from.db, sql), 0);
        }
}

/** The rows of what a migration fills are deleted first, so nothing else may be marked so. */
static void what_migrations_fill_is_marked(void **state)
{
    struct house *house = *state;
    struct err err;
    must(migrate(house->to.db, 1, &err), &err);
    for (size_t i = 0; i < COPY_TABLES; i++) {
        AUTO_FREE char *sql = mem_format("SELECT count(*) > 0 FROM %s", copy_tables[i].name);
        assert_int_equal(ask(house->to.db, sql), copy_tables[i].is_begun);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(everything_arrives_as_it_was),
        TEST(the_copy_is_no_continuation_for_a_cache),
        TEST(a_target_that_only_has_the_schema_is_empty),
        TEST(what_is_written_meanwhile_is_not_in_the_copy),
        TEST(every_call_that_fails_leaves_the_target_as_it_was),
        TEST(a_row_that_is_lost_stops_the_copy),
        TEST(a_value_that_changes_on_its_way_stops_the_copy),
        TEST(a_copy_that_is_stopped_leaves_the_target_as_it_was),
        TEST(a_target_that_is_not_empty_is_refused),
        TEST(a_second_copy_is_refused),
        TEST(one_register_by_two_names_is_refused),
        TEST(schemas_that_do_not_fit_are_refused),
        TEST(a_source_without_a_schema_is_refused),
        TEST(a_target_with_a_writer_is_busy),
        TEST(the_list_has_all_tables_by_their_keys),
        TEST(a_table_comes_after_those_that_it_refers_to),
        TEST(what_migrations_fill_is_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
