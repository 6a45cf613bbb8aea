/*
 * PostgreSQL's engine and the way to the server: what costs a round trip, streams, who waits for
 * whom, and how the server knows us.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "postgres_fixture.h"
#include "service/risk_service.h"
#include "service/stats_service.h"
#include "store/figure_store.h"
#include "store/risk_store.h"

enum { ROWS = 10000 };

/* AddressSanitizer keeps what was freed; more than a stream may need. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=8";
}

static int setup(void **state)
{
    static struct postgres_fixture f;
    postgres_fixture_open(&f);
    tell(&f, "CREATE TABLE note (id BIGINT PRIMARY KEY, text TEXT)");
    tell(&f, "INSERT INTO note SELECT i, 'note ' || i FROM generate_series(1, 10000) i");
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    postgres_fixture_close(*state);
    return 0;
}

static void begin_read(struct postgres_fixture *f)
{
    assert_int_equal(db_begin_read(f->db, &f->err), OK);
}

static int64_t read_int(struct postgres_fixture *f, const char *sql)
{
    int64_t value = -1;
    assert_int_equal(select_int(f->db, sql, &value, &f->err), OK);
    return value;
}

/* Streams */

static const struct query stream = {
    .name = "test_stream", .sql = "SELECT id, text FROM note ORDER BY id", .streams = true};

static void a_stream_and_queries_for_each_row(void **state)
{
    struct postgres_fixture *f = *state;
    struct query nested = reads("SELECT id FROM note WHERE id = $1 + 1");
    AUTO_ROWS struct db_rows rows = {0};
    int64_t count = 0;
    begin_read(f);
    assert_int_equal(db_select(f->db, &stream, DB_NO_PARAMS, &rows, &f->err), OK);
    while (db_next(&rows)) {
        int64_t next = 0;
        enum status status =
            db_select_int(f->db, &nested, DB_PARAMS(DB_INT(db_int(&rows, 0))), &next, &f->err);
        assert_int_equal(status, count == ROWS - 1 ? NOT_FOUND : OK);
        assert_int_equal(db_int(&rows, 0), ++count);
        assert_int_equal(strtoll(db_text(&rows, 1) + strlen("note "), NULL, 10), count);
    }
    assert_int_equal(db_end(&rows, &f->err), OK);
    assert_int_equal(count, ROWS);
    db_rollback(f->db);
}

static void two_streams_at_once(void **state)
{
    struct postgres_fixture *f = *state;
    struct query other = {.name = "test_other",
                          .sql = "SELECT id FROM note WHERE id > $1 ORDER BY id",
                          .streams = true};
    AUTO_ROWS struct db_rows one = {0}, two = {0};
    begin_read(f);
    assert_int_equal(db_select(f->db, &stream, DB_NO_PARAMS, &one, &f->err), OK);
    assert_int_equal(db_select(f->db, &other, DB_PARAMS(DB_INT(10)), &two, &f->err), OK);
    for (int64_t i = 1; i <= ROWS - 10; i++) {
        assert_true(db_next(&one));
        assert_true(db_next(&two));
        assert_int_equal(db_int(&two, 0) - db_int(&one, 0), 10);
    }
    assert_false(db_next(&two));
    assert_int_equal(db_end(&two, &f->err), OK);
    assert_int_equal(db_end(&one, &f->err), OK);
    db_rollback(f->db);
}

static int64_t most_memory_kib(void)
{
    char line[200];
    int64_t kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, file))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtoll(line + 6, NULL, 10);
    fclose(file);
    return kib;
}

static void a_stream_needs_no_memory_for_all_of_it(void **state)
{
    struct postgres_fixture *f = *state;
    struct query large = {.name = "test_large",
                          .sql = "SELECT repeat(chr(65 + i % 20), 10000) "
                                 "FROM generate_series(1, 20000) i",
                          .streams = true};
    AUTO_ROWS struct db_rows rows = {0};
    int64_t count = 0, before_kib = most_memory_kib();
    begin_read(f);
    assert_int_equal(db_select(f->db, &large, DB_NO_PARAMS, &rows, &f->err), OK);
    for (; db_next(&rows); count++)
        assert_int_equal(strlen(db_text(&rows, 0)), 10000);
    assert_int_equal(db_end(&rows, &f->err), OK);
    db_rollback(f->db);
    int64_t more_kib = most_memory_kib() - before_kib;
    assert_int_equal(count, 20000);
    printf("# figure: a stream of 200 MB: %" PRId64 " MB of memory\n", more_kib / 1024);
    assert_true(more_kib < 80 * 1024);
}

static void a_stream_may_be_abandoned_anywhere(void **state)
{
    struct postgres_fixture *f = *state;
    static const int64_t ends[] = {0, 1, 499, 500, 501, 1000, ROWS};
    for (int all_in_one = 0; all_in_one <= 1; all_in_one++) {
        if (all_in_one)
            begin_read(f);
        for (size_t i = 0; i < COUNT_OF(ends); i++) {
            struct db_rows rows = {0};
            if (!all_in_one)
                begin_read(f);
            assert_int_equal(db_select(f->db, &stream, DB_NO_PARAMS, &rows, &f->err), OK);
            for (int64_t row = 0; row < ends[i]; row++)
                assert_true(db_next(&rows));
            db_rows_release(&rows);
            assert_int_equal(read_int(f, "SELECT 7"), 7);
            assert_int_equal(read_int(f, "SELECT count(*) FROM pg_cursors WHERE name <> ''"), 0);
            if (!all_in_one)
                db_rollback(f->db);
        }
    }
    db_rollback(f->db);
    /* … and with the transaction. */
    struct db_rows rows = {0};
    begin_read(f);
    assert_int_equal(db_select(f->db, &stream, DB_NO_PARAMS, &rows, &f->err), OK);
    assert_true(db_next(&rows));
    db_rollback(f->db);
    db_rows_release(&rows);
    assert_int_equal(db_begin_write(f->db, NOW_MS, WRITE_MS, &f->err), OK);
    assert_int_equal(run(f->db, "UPDATE note SET text = text WHERE id = 1", &f->err), OK);
    assert_int_equal(db_commit(f->db, &f->err), OK);
}

static void a_lock_limit_set_behind_an_abandoned_stream_is_set(void **state)
{
    struct postgres_fixture *f = *state;
    struct db_rows rows = {0};
    begin_read(f);
    assert_int_equal(db_select(f->db, &stream, DB_NO_PARAMS, &rows, &f->err), OK);
    assert_true(db_next(&rows));
    db_rollback(f->db);
    db_rows_release(&rows); /* closes a cursor that is gone */
    assert_int_equal(db_begin_write(f->db, NOW_MS, 1234, &f->err), OK);
    assert_int_equal(read_int(f, "SELECT setting::bigint FROM pg_settings "
                                 "WHERE name = 'lock_timeout'"),
                     1234);
    db_rollback(f->db);
}

static void a_stream_that_fails_in_the_middle_says_so(void **state)
{
    struct postgres_fixture *f = *state;
    struct query failing = {.name = "test_failing",
                            .sql = "SELECT 1 / (1700 - i) FROM generate_series(1, 10000) i",
                            .streams = true};
    AUTO_ROWS struct db_rows rows = {0};
    int64_t count = 0;
    begin_read(f);
    assert_int_equal(db_select(f->db, &failing, DB_NO_PARAMS, &rows, &f->err), OK);
    while (db_next(&rows))
        count++;
    assert_int_equal(db_end(&rows, &f->err), INTERNAL);
    assert_true(count >= 1500 && count < 1700);
    db_rollback(f->db);
    begin_read(f);
    assert_int_equal(read_int(f, "SELECT count(*) FROM note"), ROWS);
    db_rollback(f->db);
}

/* Round trips */

static void queries_begun_together_cost_one_round_trip(void **state)
{
    struct postgres_fixture *f = *state;
    for (int round = 0; round < 2; round++) { /* the first prepares them, too */
        struct db_rows rows[5] = {0};
        static const char *const texts[] = {"SELECT 1", "SELECT 2", "SELECT 3", "SELECT 4",
                                            "SELECT id FROM note WHERE id = 5"};
        uint64_t before = db_round_trip_count(f->db);
        begin_read(f);
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            struct query query = reads(texts[i]);
            assert_int_equal(db_select(f->db, &query, DB_NO_PARAMS, &rows[i], &f->err), OK);
        }
        for (size_t i = COUNT_OF(rows); i-- > 0;) {
            assert_true(db_next(&rows[i]));
            assert_int_equal(db_int(&rows[i], 0), i + 1);
            assert_false(db_next(&rows[i]));
            assert_int_equal(db_end(&rows[i], &f->err), OK);
        }
        db_rollback(f->db);
        assert_int_equal(db_round_trip_count(f->db) - before, 1);
    }
}

static void make_risks(struct postgres_fixture *f, int count)
{
    for (int i = 0; i < count; i++) {
        struct risk_change change = {.risk = risk_defaults()};
        struct risk_page page;
        change.risk.title = "A risk";
        change.risk.impact = change.risk.probability = 3;
        assert_int_equal(risk_service_create(&f->store.service, &change, &page, &f->err), OK);
    }
}

static struct db_look no_look(void *context)
{
    (void)context;
    return (struct db_look){0};
}

static void count_seen(void *context, struct db_look look, const int64_t generations[SCOPES])
{
    (void)look;
    assert_true(generations[SCOPE_RISKS] > 0);
    ++*(int *)context;
}

static void note_commit(void *context, unsigned scopes, const int64_t generations[SCOPES])
{
    (void)context;
    assert_true(scopes & TOUCHES_RISKS);
    assert_true(generations[SCOPE_RISKS] > 0);
}

/* What the work of a request costs, on a connection that has done it before. The numbers are what
 * follows from what must be known before what; one more is a regression that a network makes felt.
 */

static enum status get_by_ref(struct service *service, struct err *err)
{
    struct risk_page page;
    return risk_service_get(service, "R-1", &page, err);
}

static enum status get_what_is_not_there(struct service *service, struct err *err)
{
    struct risk_page page;
    return risk_service_get(service, "R-999", &page, err) == NOT_FOUND ? OK : INTERNAL;
}

static enum status list(struct service *service, struct err *err)
{
    struct list_request request;
    struct risk_list_page page;
    list_request_init(&request, &risk_list);
    return risk_service_list(service, &request, &page, err);
}

static enum status list_of_filter(struct service *service, struct err *err)
{
    struct list_request request;
    struct risk_list_page page;
    list_request_init(&request, &risk_list);
    for (size_t i = 0; i < risk_list.filter_count; i++)
        if (strcmp(risk_list.filters[i].name, "status") == 0)
            request.values[i] = risk_status_names[0];
    return risk_service_list(service, &request, &page, err);
}

static enum status stats(struct service *service, struct err *err)
{
    static struct tally tally;
    struct mitigation_metrics metrics;
    return stats_service_get(service, &tally, &metrics, err);
}

static enum status trend(struct service *service, struct err *err)
{
    struct day_figure days[30];
    return stats_service_trend(service, COUNT_OF(days), days, err);
}

static enum status top(struct service *service, struct err *err)
{
    struct risk *risks;
    size_t count;
    return risk_service_top(service, 10, &risks, &count, err);
}

static enum status create(struct service *service, struct err *err)
{
    struct risk_page page;
    struct risk_change change = {.risk = risk_defaults()};
    change.risk.title = "Another";
    change.risk.impact = change.risk.probability = 4;
    return risk_service_create(service, &change, &page, err);
}

static enum status update(struct service *service, struct err *err)
{
    static int64_t impact;
    struct risk_page page;
    struct risk_change change = {.risk = {.impact = 1 + impact++ % 5}};
    change.mask = field_bit(&risk_table, "impact");
    return risk_service_update(service, "R-1", 0, &change, &page, err);
}

static void each_kind_of_work_costs_so_many_round_trips(void **state)
{
    struct postgres_fixture *f = *state;
    static const struct {
        const char *name;
        enum status (*work)(struct service *service, struct err *err);
        uint64_t trips;
    } works[] = {
        /* Generations, the risk and all that hangs on it, asked for together. */
        {"a risk", get_by_ref, 1},
        {"a risk that is not there", get_what_is_not_there, 1},
        {"statistics", stats, 1},
        {"a trend", trend, 1},
        {"the highest scores", top, 1},
        /* The rows with their count; then what hangs on them, by their numbers. With a filter the
         * count comes first, for it decides in which form the rows are read. */
        {"a list", list, 2},
        {"a list with a filter", list_of_filter, 3},
        /* The lock with a number for it or what is there; the row, which may be refused; what there
         * is now, for the answer; the generations, with all that was queued; the commit. */
        {"a new risk", create, 5},
        {"a change", update, 5},
    };
    int seen = 0;
    struct db_watcher watcher = {&seen, no_look, count_seen, note_commit, NULL};
    struct database *database = fixture_database(f, (struct db_limits){5000, 5000});
    database_watch(database, &watcher);
    struct db *db = fixture_connect(database);
    struct service service = f->store.service;
    service.db = db;
    make_risks(f, 20);
    for (size_t i = 0; i < COUNT_OF(works); i++)
        for (int warm = 0; warm <= 1; warm++) {
            int seen_before = seen;
            uint64_t before = db_round_trip_count(db);
            assert_int_equal(works[i].work(&service, &f->err), OK);
            uint64_t trips = db_round_trip_count(db) - before;
            assert_int_equal(seen, seen_before + 1);
            if (warm && trips != works[i].trips)
                fail_msg("%s: %" PRIu64 " round trips and not %" PRIu64, works[i].name, trips,
                         works[i].trips);
        }
    db_close(db);
    database_free(database);
}

/* Writers and readers */

struct writer {
    struct database *database;
    pthread_t thread;
    int64_t waited_ms, saw;
    enum status status;
};

static void *write_one_more(void *argument)
{
    struct writer *writer = argument;
    struct err err;
    struct db *db = fixture_connect(writer->database);
    int64_t began_ms = clock_monotonic_ms();
    writer->status = db_begin_write(db, NOW_MS, 10000, &err);
    if (writer->status == OK)
        writer->status = select_int(db, "SELECT count(*) FROM note", &writer->saw, &err);
    if (writer->status == OK)
        writer->status = run(db, "INSERT INTO note SELECT max(id) + 1, 'w' FROM note", &err);
    if (writer->status == OK)
        writer->status = db_commit(db, &err);
    writer->waited_ms = clock_monotonic_ms() - began_ms;
    db_close(db);
    return NULL;
}

static const char waiting_sql[] =
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";

static void a_writer_waits_for_the_one_before_and_sees_what_it_committed(void **state)
{
    struct postgres_fixture *f = *state;
    struct writer writer = {.database = f->store.database};
    assert_int_equal(db_begin_write(f->db, NOW_MS, WRITE_MS, &f->err), OK);
    int64_t before = read_int(f, "SELECT count(*) FROM note");
    assert_int_equal(pthread_create(&writer.thread, NULL, write_one_more, &writer), 0);
    wait_until_int(f, waiting_sql, 1);
    assert_int_equal(run(f->db, "INSERT INTO note VALUES (0, 'first')", &f->err), OK);

    /* Meanwhile nobody who reads waits, … */
    struct db *reader = fixture_connect(f->store.database);
    int64_t value, began_ms = clock_monotonic_ms();
    assert_int_equal(db_begin_read(reader, &f->err), OK);
    assert_int_equal(select_int(reader, "SELECT count(*) FROM note", &value, &f->err), OK);
    assert_int_equal(value, before);

    /* … and with no time there is no wait. */
    struct db *hasty = fixture_connect(f->store.database);
    assert_int_equal(db_begin_write(hasty, NOW_MS, 0, &f->err), OK);
    assert_int_equal(select_int(hasty, "SELECT 1", &value, &f->err), BUSY);
    db_rollback(hasty);
    assert_true(clock_monotonic_ms() - began_ms < SLACK_MS);

    assert_int_equal(db_commit(f->db, &f->err), OK);
    pthread_join(writer.thread, NULL);
    assert_int_equal(writer.status, OK);
    assert_int_equal(writer.saw, before + 1);

    /* What a reader sees does not move. */
    assert_int_equal(select_int(reader, "SELECT count(*) FROM note", &value, &f->err), OK);
    assert_int_equal(value, before);
    db_rollback(reader);
    assert_int_equal(db_begin_read(reader, &f->err), OK);
    assert_int_equal(select_int(reader, "SELECT count(*) FROM note", &value, &f->err), OK);
    assert_int_equal(value, before + 2);
    db_rollback(reader);
    db_close(reader);
    db_close(hasty);
}

static void many_writers_lose_nothing(void **state)
{
    struct postgres_fixture *f = *state;
    struct writer writers[8];
    int64_t before = ask_int(f, "SELECT count(*) FROM note");
    for (size_t i = 0; i < COUNT_OF(writers); i++) {
        writers[i] = (struct writer){.database = f->store.database};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_one_more, &writers[i]), 0);
    }
    int64_t sum = 0;
    for (size_t i = 0; i < COUNT_OF(writers); i++) {
        pthread_join(writers[i].thread, NULL);
        assert_int_equal(writers[i].status, OK);
        sum += writers[i].saw - before;
    }
    assert_int_equal(sum, 0 + 1 + 2 + 3 + 4 + 5 + 6 + 7); /* one after the other */
    assert_int_equal(ask_int(f, "SELECT count(*) FROM note"), before + 8);
}

static void a_reader_cannot_write(void **state)
{
    struct postgres_fixture *f = *state;
    int64_t value;
    begin_read(f);
    assert_int_not_equal(
        select_int(f->db, "SELECT nextval('risk_history_seq_seq')", &value, &f->err), OK);
    db_rollback(f->db);
}

/* How the server knows us */

static void assert_setting(struct postgres_fixture *f, struct db *db, const char *name,
                           const char *wanted)
{
    char *value;
    struct query query = reads("SELECT current_setting($1)");
    assert_int_equal(db_begin_read(db, &f->err), OK);
    assert_int_equal(
        db_select_text(db, &query, DB_PARAMS(DB_TEXT(name)), &f->store.arena, &value, &f->err), OK);
    db_rollback(db);
    if (strcmp(value, wanted) != 0)
        fail_msg("%s is %s and not %s", name, value, wanted);
}

static void the_server_knows_who_we_are_and_for_how_long_to_wait(void **state)
{
    struct postgres_fixture *f = *state;
    struct database *database = fixture_database(f, (struct db_limits){5000, 7000});
    struct db *db = fixture_connect(database);
    static const char *const settings[][2] = {
        {"application_name", "openrisk"},
        {"statement_timeout", "7s"},
        {"idle_in_transaction_session_timeout", "1min"},
        {"client_connection_check_interval", "10s"},
        {"tcp_keepalives_idle", "30"},
        {"tcp_keepalives_interval", "10"},
        {"tcp_keepalives_count", "3"},
        {"client_encoding", "UTF8"},
    };
    for (size_t i = 0; i < COUNT_OF(settings); i++)
        assert_setting(f, db, settings[i][0], settings[i][1]);
    db_bulk(db, true);
    assert_setting(f, db, "statement_timeout", "0");
    assert_setting(f, db, "idle_in_transaction_session_timeout", "0");
    db_bulk(db, false);
    assert_setting(f, db, "statement_timeout", "7s");
    assert_setting(f, db, "idle_in_transaction_session_timeout", "1min");
    db_close(db);
    database_free(database);
}

static void the_url_may_say_who_we_are_but_not_how_texts_are_coded(void **state)
{
    struct postgres_fixture *f = *state;
    AUTO_FREE char *url = mem_format("%s?application_name=risks%%20of%%20ours&client_encoding="
                                     "LATIN1&options=-c%%20work_mem%%3D5MB",
                                     f->store.url);
    struct database *database;
    assert_int_equal(database_new(url, &database, &f->err), OK);
    struct db *db = fixture_connect(database);
    assert_setting(f, db, "application_name", "risks of ours");
    assert_setting(f, db, "client_encoding", "UTF8");
    assert_setting(f, db, "work_mem", "5MB");
    db_close(db);
    database_free(database);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_needs_no_memory_for_all_of_it),
        cmocka_unit_test(a_stream_and_queries_for_each_row),
        cmocka_unit_test(two_streams_at_once),
        cmocka_unit_test(a_stream_may_be_abandoned_anywhere),
        cmocka_unit_test(a_lock_limit_set_behind_an_abandoned_stream_is_set),
        cmocka_unit_test(a_stream_that_fails_in_the_middle_says_so),
        cmocka_unit_test(queries_begun_together_cost_one_round_trip),
        cmocka_unit_test(each_kind_of_work_costs_so_many_round_trips),
        cmocka_unit_test(a_writer_waits_for_the_one_before_and_sees_what_it_committed),
        cmocka_unit_test(many_writers_lose_nothing),
        cmocka_unit_test(a_reader_cannot_write),
        cmocka_unit_test(the_server_knows_who_we_are_and_for_how_long_to_wait),
        cmocka_unit_test(the_url_may_say_who_we_are_but_not_how_texts_are_coded),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
