/*
 * PostgreSQL's engine on a connection that works: what failures mean, what a transaction that has
 * failed leaves behind, values, and statements that are prepared.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "postgres_fixture.h"
#include "store/engine.h"
#include "store/migrate.h"
#include "store/queries.h"

static int setup(void **state)
{
    static struct postgres_fixture f;
    postgres_fixture_open(&f);
    tell(&f, "CREATE TABLE note (id BIGINT CONSTRAINT note_id_key UNIQUE, text TEXT)");
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    postgres_fixture_close(*state);
    return 0;
}

static void begin_write(struct postgres_fixture *f)
{
    assert_int_equal(db_begin_write(f->db, NOW_MS, WRITE_MS, &f->err), OK);
}

static void begin_read(struct postgres_fixture *f)
{
    assert_int_equal(db_begin_read(f->db, &f->err), OK);
}

/** Whatever was before: transactions work, both kinds. */
static void assert_usable(struct postgres_fixture *f)
{
    int64_t before = ask_int(f, "SELECT count(*) FROM note"), count;
    assert_false(db_is_broken(f->db));
    begin_write(f);
    assert_int_equal(queue(f->db, "INSERT INTO note VALUES (NULL, 'still usable')", &f->err), OK);
    assert_int_equal(db_commit(f->db, &f->err), OK);
    begin_read(f);
    assert_int_equal(select_int(f->db, "SELECT count(*) FROM note", &count, &f->err), OK);
    db_rollback(f->db);
    assert_int_equal(count, before + 1);
}

/* Failures */

static void a_violated_constraint_names_its_field(void **state)
{
    struct postgres_fixture *f = *state;
    static const struct {
        const char *sql, *field;
    } cases[] = {
        {"INSERT INTO account VALUES ('a1','one@example.org',NULL,'admin',1,NULL,0,1,1,NULL,1)",
         NULL},
        {"INSERT INTO account VALUES ('a1','two@example.org',NULL,'admin',1,NULL,0,1,1,NULL,1)",
         "id"},
        {"INSERT INTO account VALUES ('a2','one@example.org',NULL,'admin',1,NULL,0,1,1,NULL,1)",
         "email"},
        {"INSERT INTO token VALUES ('t1','h','a1',0,NULL,'s',1,1,NULL)", NULL},
        {"INSERT INTO token VALUES ('t1','i','a1',0,NULL,'s',1,1,NULL)", "id"},
        {"INSERT INTO token VALUES ('t2','h','a1',0,NULL,'s',1,1,NULL)", "hash"},
        {"INSERT INTO token VALUES ('t3','j','nobody',0,NULL,'s',1,1,NULL)", "user_id"},
        {"INSERT INTO risk SELECT 'r1',901,'t',NULL,1,1,1,'LOW','OPEN',NULL,'t',NULL,'','','s','x',"
         "'{}',NULL,NULL,1,1,1,NULL,'t'",
         NULL},
        {"INSERT INTO risk SELECT 'r1',902,'t',NULL,1,1,1,'LOW','OPEN',NULL,'t',NULL,'','','s','y',"
         "'{}',NULL,NULL,1,1,1,NULL,'t'",
         "id"},
        {"INSERT INTO risk SELECT 'r2',901,'t',NULL,1,1,1,'LOW','OPEN',NULL,'t',NULL,'','','s','y',"
         "'{}',NULL,NULL,1,1,1,NULL,'t'",
         "ref"},
        {"INSERT INTO risk SELECT 'r2',902,'t',NULL,1,1,1,'LOW','OPEN',NULL,'t',NULL,'','','s','x',"
         "'{}',NULL,NULL,1,1,1,NULL,'t'",
         "external_id"},
        {"INSERT INTO risk SELECT 'r2',902,NULL,NULL,1,1,1,'LOW','OPEN',NULL,'t',NULL,'','','s',"
         "'x','{}',NULL,NULL,1,1,1,NULL,'t'",
         "title"},
        {"INSERT INTO asset VALUES ('s1','N',NULL,'LOW',NULL,'e',0,NULL,1,1,1,'n')", NULL},
        {"INSERT INTO asset VALUES ('s2','N',NULL,'LOW',NULL,'f',0,NULL,1,1,1,'n')", "name"},
        {"INSERT INTO asset VALUES ('s2','M',NULL,'LOW',NULL,'e',0,NULL,1,1,1,'m')", "external_id"},
        {"INSERT INTO risk_asset VALUES (901,'s1')", NULL},
        {"INSERT INTO risk_asset VALUES (901,'s1')", "asset_id"},
        {"INSERT INTO risk_asset VALUES (901,'s3')", "asset_id"},
        {"INSERT INTO risk_asset VALUES (999,'s1')", "risk_ref"},
        {"INSERT INTO risk_label VALUES ('tag','l',901)", NULL},
        {"INSERT INTO risk_label VALUES ('tag','l',901)", "risk_ref"},
        {"INSERT INTO import_baseline VALUES ('s','x',901,'{}')", NULL},
        {"INSERT INTO import_baseline VALUES ('s','x',901,'{}')", "external_id"},
        {"INSERT INTO meta VALUES ('schema','1')", "name"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        err_init(&f->err);
        begin_write(f);
        enum status status = run(f->db, cases[i].sql, &f->err);
        if (!cases[i].field) {
            assert_int_equal(status, OK);
            assert_int_equal(db_commit(f->db, &f->err), OK);
            continue;
        }
        db_rollback(f->db);
        assert_int_equal(status, CONFLICT);
        if (strcmp(f->err.items[0].field, cases[i].field) != 0)
            fail_msg("%s: \"%s\" and not \"%s\"", cases[i].sql, f->err.items[0].field,
                     cases[i].field);
    }
    assert_usable(f);
}

static void the_tests_above_violate_every_unique_index(void **state)
{
    struct postgres_fixture *f = *state;
    /* What is not violated there has numbers that the program reckons with, or is reached by ON
     * CONFLICT; a new index must be put there, or here. */
    assert_string_equal(
        ask_text(f, "SELECT string_agg(indexrelid::regclass::text, ' ' ORDER BY "
                    "indexrelid::regclass::text COLLATE \"C\") FROM pg_index "
                    "WHERE indisunique AND indrelid IN (SELECT oid FROM pg_class "
                    "WHERE relnamespace = current_schema()::regnamespace)"),
        "account_email_key account_pkey asset_by_external_id asset_by_name asset_pkey "
        "audit_log_pkey cache_generation_pkey counter_pkey day_figure_pkey import_baseline_pkey "
        "meta_pkey mitigation_pkey mitigation_tally_pkey note_id_key risk_asset_of_asset "
        "risk_asset_pkey risk_by_external_id risk_history_pkey risk_id_key risk_label_pkey "
        "risk_pkey risk_tally_pkey risk_text_pkey sub_action_pkey token_hash_key token_pkey");
}

/** Nothing of the database's own words. */
static void assert_discreet(const struct err *err)
{
    static const char *const words[] = {"SELECT", "INSERT", "relation", "no_such", "note", NULL};
    for (const char *const *word = words; *word; word++)
        if (strstr(err->items[0].message, *word))
            fail_msg("it says: %s", err->items[0].message);
}

static void what_the_server_refuses_is_our_own_fault_and_tells_no_sql(void **state)
{
    struct postgres_fixture *f = *state;
    static const char *const wrong[] = {"SELECT 1 FROM no_such_table", "SELECT no_such FROM note",
                                        "SELECT 1 / (SELECT 0)", "SELEC 1"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        int64_t value;
        begin_read(f);
        assert_int_equal(select_int(f->db, wrong[i], &value, &f->err), INTERNAL);
        assert_discreet(&f->err);
        db_rollback(f->db);
    }
    assert_usable(f);
}

static void what_the_server_has_no_room_for_is_unavailable(void **state)
{
    struct postgres_fixture *f = *state;
    static const struct {
        const char *state;
        enum status status;
    } cases[] = {{"53100", UNAVAILABLE}, {"53200", UNAVAILABLE}, {"58030", UNAVAILABLE},
                 {"57P01", UNAVAILABLE}, {"40001", BUSY},        {"40P01", BUSY},
                 {"55P03", BUSY},        {"XX001", INTERNAL},    {"22003", INTERNAL}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FREE char *sql = mem_format(
            "DO $$BEGIN RAISE EXCEPTION 'secret of the server' USING ERRCODE = '%s'; END$$",
            cases[i].state);
        begin_write(f);
        assert_int_equal(run(f->db, sql, &f->err), cases[i].status);
        assert_null(strstr(f->err.items[0].message, "secret"));
        db_rollback(f->db);
    }
    assert_usable(f);
}

static void a_statement_that_takes_too_long_is_ended(void **state)
{
    struct postgres_fixture *f = *state;
    struct database *database = fixture_database(f, (struct db_limits){5000, LIMIT_MS});
    AUTO_DB struct db *db = fixture_connect(database);
    int64_t value, began_ms = clock_monotonic_ms();
    assert_int_equal(db_begin_read(db, &f->err), OK);
    assert_int_equal(select_int(db, "SELECT 1 FROM pg_sleep(20)", &value, &f->err), BUSY);
    assert_true(clock_monotonic_ms() - began_ms < LIMIT_MS + SLACK_MS);
    db_rollback(db);
    assert_false(db_is_broken(db));
    assert_int_equal(db_begin_read(db, &f->err), OK);
    assert_int_equal(select_int(db, "SELECT 42", &value, &f->err), OK);
    assert_int_equal(value, 42);
    db_rollback(db);

    db_set_statement_limit(db, LIMIT_MS / 4);
    assert_int_equal(db_begin_read(db, &f->err), OK);
    assert_int_equal(select_int(db, "SELECT 1 FROM pg_sleep(0.3)", &value, &f->err), BUSY);
    db_rollback(db);
    assert_false(db_is_broken(db));
    db_close(db);
    db = NULL;
    database_free(database);
}

/* Queued statements */

static void a_queued_failure_is_told_by_the_commit(void **state)
{
    struct postgres_fixture *f = *state;
    begin_write(f);
    assert_int_equal(queue(f->db, "INSERT INTO note VALUES (1, 'a')", &f->err), OK);
    assert_int_equal(queue(f->db, "INSERT INTO note VALUES (1, 'b')", &f->err), OK);
    assert_int_equal(queue(f->db, "INSERT INTO note VALUES (2, 'c')", &f->err), OK);
    assert_int_equal(db_commit(f->db, &f->err), CONFLICT);
    assert_string_equal(f->err.items[0].field, "id");
    assert_false(db_in_transaction(f->db));
    assert_int_equal(ask_int(f, "SELECT count(*) FROM note WHERE id IN (1, 2)"), 0);
    assert_usable(f);
}

static void a_queued_failure_is_told_by_whatever_waits(void **state)
{
    struct postgres_fixture *f = *state;
    int64_t value;
    begin_write(f);
    assert_int_equal(queue(f->db, "INSERT INTO note VALUES (3, 'a'), (3, 'b')", &f->err), OK);
    assert_int_equal(select_int(f->db, "SELECT 1", &value, &f->err), CONFLICT);
    /* … and by all that follow, too. */
    assert_int_equal(select_int(f->db, "SELECT 1", &value, &f->err), CONFLICT);
    assert_int_equal(queue(f->db, "INSERT INTO note VALUES (4, 'c')", &f->err), CONFLICT);
    assert_int_equal(db_commit(f->db, &f->err), CONFLICT);
    assert_string_equal(f->err.items[0].field, "id");
    assert_int_equal(ask_int(f, "SELECT count(*) FROM note WHERE id IN (3, 4)"), 0);
    assert_usable(f);
}

static void what_fails_after_its_rollback_is_of_no_transaction(void **state)
{
    struct postgres_fixture *f = *state;
    struct query first = reads("SELECT count(*) AS asked_for_in_vain FROM note");
    struct query wrong = reads("SELECT 1 FROM no_such_table_at_all");
    for (int round = 0; round < 3; round++) {
        struct db_rows rows = {0};
        int64_t value;
        begin_write(f);
        assert_int_equal(queue(f->db, "INSERT INTO note VALUES (5, 'a'), (5, 'b')", &f->err), OK);
        /* Prepared behind the failure, that is not at all … */
        assert_int_equal(db_select(f->db, &first, DB_NO_PARAMS, &rows, &f->err), OK);
        db_rows_release(&rows);
        db_rollback(f->db);
        /* … and here it is not waited for that it is known. */
        begin_read(f);
        assert_int_equal(db_select_int(f->db, &first, DB_NO_PARAMS, &value, &f->err), OK);
        db_rollback(f->db);

        begin_read(f); /* what cannot be prepared */
        assert_int_equal(db_select(f->db, &wrong, DB_NO_PARAMS, &rows, &f->err), OK);
        db_rows_release(&rows);
        db_rollback(f->db);
        assert_usable(f);
    }
}

static void a_lock_that_is_not_had_is_of_no_later_transaction(void **state)
{
    struct postgres_fixture *f = *state;
    struct db *other = fixture_connect(f->store.database);
    int64_t value;
    begin_write(f);
    assert_int_equal(queue(f->db, "INSERT INTO note VALUES (NULL, 'held')", &f->err), OK);
    assert_int_equal(db_settle(f->db, &f->err), OK);
    assert_int_equal(select_int(f->db, "SELECT 1", &value, &f->err), OK);
    assert_int_equal(db_begin_write(other, NOW_MS, 100, &f->err), OK);
    assert_int_equal(queue(other, "INSERT INTO note VALUES (6, 'never')", &f->err), OK);
    db_rollback(other); /* without waiting for the lock */
    assert_int_equal(db_begin_read(other, &f->err), OK);
    assert_int_equal(select_int(other, "SELECT count(*) FROM note WHERE id = 6", &value, &f->err),
                     OK);
    assert_int_equal(value, 0);
    db_rollback(other);
    db_rollback(f->db);
    db_close(other);
}

static void ten_thousand_queued_inserts_are_all_there(void **state)
{
    struct postgres_fixture *f = *state;
    struct query insert = writes("INSERT INTO note VALUES ($1, $2)");
    int64_t count;
    begin_write(f);
    uint64_t before = db_round_trip_count(f->db);
    for (int64_t i = 0; i < 10000; i++)
        assert_int_equal(
            db_queue(f->db, &insert, DB_PARAMS(DB_INT(100000 + i), DB_TEXT("x")), &f->err), OK);
    assert_int_equal(
        select_int(f->db, "SELECT count(*) FROM note WHERE id >= 100000", &count, &f->err), OK);
    assert_int_equal(count, 10000);
    assert_int_equal(db_commit(f->db, &f->err), OK);
    uint64_t trips = db_round_trip_count(f->db) - before;
    printf("# figure: 10,000 queued inserts: %" PRIu64 " round trips\n", trips);
    assert_true(trips <= 10000 / 256 + 4);
    assert_int_equal(ask_int(f, "SELECT count(*) FROM note WHERE id >= 100000"), 10000);
    tell(f, "DELETE FROM note");
}

static void one_bad_among_ten_thousand_leaves_nothing(void **state)
{
    struct postgres_fixture *f = *state;
    struct query insert = writes("INSERT INTO note VALUES ($1, $2)");
    for (int64_t bad = 1; bad < 10000; bad += 3333) {
        enum status status = OK;
        begin_write(f);
        for (int64_t i = 0; i < 10000 && status == OK; i++)
            status = db_queue(f->db, &insert, DB_PARAMS(DB_INT(i == bad ? 0 : i), DB_TEXT("x")),
                              &f->err);
        if (status == OK)
            status = db_commit(f->db, &f->err);
        else
            db_rollback(f->db);
        assert_int_equal(status, CONFLICT);
        assert_string_equal(f->err.items[0].field, "id");
        assert_int_equal(ask_int(f, "SELECT count(*) FROM note WHERE id IS NOT NULL"), 0);
    }
    assert_usable(f);
}

/* Values */

static void values_come_back_as_they_went(void **state)
{
    struct postgres_fixture *f = *state;
    AUTO_FREE char *long_text = mem_zalloc(1, (1 << 20) + 1);
    for (int i = 0; i < 1 << 20; i++)
        long_text[i] = "0123456789abcdef'\\%_"[(unsigned)i * 7919u % 20];
    const char *const texts[] = {"",
                                 "'",
                                 "\"",
                                 "\\",
                                 "%",
                                 "_",
                                 "$1",
                                 "a\nb\tc\r",
                                 "NULL",
                                 "\\x00",
                                 "Straße £ 漢字 😀 e\xcc\x81",
                                 "'; DROP TABLE note; --",
                                 long_text};
    const int64_t numbers[] = {0, -1, INT64_MAX, INT64_MIN, INT64_C(9007199254740993)};
    struct query insert = writes("INSERT INTO note VALUES ($1, $2)");
    struct query back = reads("SELECT id, text, NULL FROM note WHERE id = $1 AND text = $2");
    struct query missing = reads("SELECT id FROM note WHERE id IS NULL AND text IS NULL");
    begin_write(f);
    assert_int_equal(db_queue(f->db, &insert, DB_PARAMS(DB_NULL, DB_NULL), &f->err), OK);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        AUTO_ROWS struct db_rows rows = {0};
        int64_t number = numbers[i % COUNT_OF(numbers)] - (int64_t)(i / COUNT_OF(numbers)) * 2 *
                                                              (i % COUNT_OF(numbers) == 3 ? -1 : 1);
        assert_int_equal(
            db_queue(f->db, &insert, DB_PARAMS(DB_INT(number), DB_TEXT(texts[i])), &f->err), OK);
        assert_int_equal(
            db_select(f->db, &back, DB_PARAMS(DB_INT(number), DB_TEXT(texts[i])), &rows, &f->err),
            OK);
        assert_true(db_next(&rows));
        assert_int_equal(db_column_count(&rows), 3);
        assert_true(db_int(&rows, 0) == number);
        assert_string_equal(db_text(&rows, 1), texts[i]);
        assert_true(db_is_null(&rows, 2));
        assert_null(db_text(&rows, 2));
        assert_int_equal(db_int(&rows, 2), 0);
        assert_false(db_next(&rows));
        assert_int_equal(db_end(&rows, &f->err), OK);
    }
    int64_t value = 1;
    assert_int_equal(db_select_int(f->db, &missing, DB_NO_PARAMS, &value, &f->err), OK);
    assert_int_equal(value, 0);
    db_rollback(f->db);
}

static void changed_counts_the_rows_of_its_own_statement(void **state)
{
    struct postgres_fixture *f = *state;
    struct query change = writes("UPDATE note SET text = $1 WHERE id < $2");
    int64_t changed = -1;
    begin_write(f);
    assert_int_equal(
        run(f->db, "INSERT INTO note SELECT i, 'x' FROM generate_series(1, 7) i", &f->err), OK);
    assert_int_equal(queue(f->db, "DELETE FROM note WHERE id = 7", &f->err), OK);
    assert_int_equal(db_exec(f->db, &change, DB_PARAMS(DB_TEXT("y"), DB_INT(4)), &changed, &f->err),
                     OK);
    assert_int_equal(changed, 3);
    assert_int_equal(
        db_exec(f->db, &change, DB_PARAMS(DB_TEXT("y"), DB_INT(-4)), &changed, &f->err), OK);
    assert_int_equal(changed, 0);
    db_rollback(f->db);
}

/* Prepared statements */

static void the_least_recently_used_statement_gives_way(void **state)
{
    struct postgres_fixture *f = *state;
    struct db *db = fixture_connect(f->store.database);
    int64_t value;
    assert_int_equal(db_begin_read(db, &f->err), OK);
    for (int64_t i = 0; i < 200; i++) {
        AUTO_FREE char *sql = mem_format("SELECT %" PRId64, i);
        assert_int_equal(select_int(db, sql, &value, &f->err), OK);
        assert_int_equal(value, i);
        assert_int_equal(select_int(db, "SELECT 1000", &value, &f->err), OK); /* used often */
    }
    struct query count = reads("SELECT count(*) FROM pg_prepared_statements");
    struct query often =
        reads("SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT 1000'");
    assert_int_equal(db_select_int(db, &often, DB_NO_PARAMS, &value, &f->err), OK);
    assert_int_equal(value, 1);
    assert_int_equal(db_select_int(db, &count, DB_NO_PARAMS, &value, &f->err), OK);
    assert_int_equal(value, 128);
    assert_int_equal(select_int(db, "SELECT 0", &value, &f->err), OK); /* given up, made again */
    assert_int_equal(value, 0);
    db_rollback(db);
    db_close(db);
}

static void a_statement_that_could_not_be_prepared_is_prepared_again(void **state)
{
    struct postgres_fixture *f = *state;
    int64_t value;
    for (int i = 0; i < 2; i++) {
        begin_read(f);
        assert_int_equal(select_int(f->db, "SELECT count(*) FROM later", &value, &f->err),
                         INTERNAL);
        db_rollback(f->db);
    }
    tell(f, "CREATE TABLE later (id BIGINT)");
    begin_read(f);
    assert_int_equal(select_int(f->db, "SELECT count(*) FROM later", &value, &f->err), OK);
    assert_int_equal(value, 0);
    db_rollback(f->db);
    /* A column more, while it is prepared: that is what a migration does. */
    tell(f, "ALTER TABLE later ADD COLUMN more TEXT");
    begin_read(f);
    assert_int_equal(select_int(f->db, "SELECT count(*) FROM later", &value, &f->err), OK);
    assert_int_equal(value, 0);
    db_rollback(f->db);
}

/* Migrations */

/** Let go of the writers' lock once the other has waited for it beyond a statement's limit. */
static void *hold_lock(void *argument)
{
    PGconn *conn = argument;
    AUTO_FREE char *sql = mem_format(
        "DO $$BEGIN WHILE NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT "
        "granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) "
        "LOOP PERFORM pg_sleep(0.01); END LOOP; PERFORM pg_sleep(%d / 1000.0); END$$; "
        "SELECT pg_advisory_unlock_all()",
        2 * LIMIT_MS);
    PQclear(PQexec(conn, sql));
    return NULL;
}

static void a_second_starter_waits_longer_than_a_statement_may_take(void **state)
{
    struct postgres_fixture *f = *state;
    AUTO_FREE char *url = mem_format("%s_empty", f->store.url);
    AUTO_FREE char *create = mem_format("CREATE DATABASE %s", strrchr(url, '/') + 1);
    AUTO_FREE char *drop = mem_format("DROP DATABASE %s WITH (FORCE)", strrchr(url, '/') + 1);
    tell(f, create);
    PGconn *holder = PQconnectdb(url);
    PQclear(PQexec(holder, "SELECT pg_advisory_lock(5723058961826178923)"));
    pthread_t thread;
    struct database *database;
    assert_int_equal(database_new(url, &database, &f->err), OK);
    database_set_limits(database, &(struct db_limits){5000, LIMIT_MS});
    struct db *db = fixture_connect(database);
    assert_int_equal(pthread_create(&thread, NULL, hold_lock, holder), 0);
    enum status status = migrate(db, NOW_MS, &f->err);
    pthread_join(thread, NULL);
    assert_int_equal(status, OK);
    assert_int_equal(migrate_check(db, &f->err), OK);
    db_close(db);
    database_free(database);
    PQfinish(holder);
    tell(f, drop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_violated_constraint_names_its_field),
        cmocka_unit_test(the_tests_above_violate_every_unique_index),
        cmocka_unit_test(what_the_server_refuses_is_our_own_fault_and_tells_no_sql),
        cmocka_unit_test(what_the_server_has_no_room_for_is_unavailable),
        cmocka_unit_test(a_statement_that_takes_too_long_is_ended),
        cmocka_unit_test(a_queued_failure_is_told_by_the_commit),
        cmocka_unit_test(a_queued_failure_is_told_by_whatever_waits),
        cmocka_unit_test(what_fails_after_its_rollback_is_of_no_transaction),
        cmocka_unit_test(a_lock_that_is_not_had_is_of_no_later_transaction),
        cmocka_unit_test(ten_thousand_queued_inserts_are_all_there),
        cmocka_unit_test(one_bad_among_ten_thousand_leaves_nothing),
        cmocka_unit_test(values_come_back_as_they_went),
        cmocka_unit_test(changed_counts_the_rows_of_its_own_statement),
        cmocka_unit_test(the_least_recently_used_statement_gives_way),
        cmocka_unit_test(a_statement_that_could_not_be_prepared_is_prepared_again),
        cmocka_unit_test(a_second_starter_waits_longer_than_a_statement_may_take),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
