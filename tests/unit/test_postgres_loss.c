/*
 * PostgreSQL's engine and a connection that is lost: at every point each path says UNAVAILABLE and
 * nothing hangs, and whether a commit took effect is doubtful only if it was asked for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "postgres_fixture.h"

/** Who is told, and how often. */
struct told {
    int seen, committed, doubtful;
};

struct fixture {
    struct postgres_fixture pg;
    struct told told;
    struct db_watcher watcher;
    struct database *database; /* watched, with limits */
    struct db *db;             /* of it; lost in the course of the test */
    int64_t backend;
};

static struct db_look look(void *context)
{
    (void)context;
    return (struct db_look){0};
}

static void seen(void *context, struct db_look at, const int64_t generations[SCOPES])
{
    (void)at;
    (void)generations;
    ((struct told *)context)->seen++;
}

static void committed(void *context, unsigned scopes, const int64_t generations[SCOPES])
{
    (void)scopes;
    (void)generations;
    ((struct told *)context)->committed++;
}

static void doubtful(void *context)
{
    ((struct told *)context)->doubtful++;
}

static int setup_group(void **state)
{
    static struct fixture f;
    postgres_fixture_open(&f.pg);
    tell(&f.pg, "CREATE TABLE note (id BIGINT, text TEXT)");
    f.watcher = (struct db_watcher){&f.told, look, seen, committed, doubtful};
    f.database = fixture_database(&f.pg, (struct db_limits){5000, LIMIT_MS});
    database_watch(f.database, &f.watcher);
    *state = &f;
    return 0;
}

static int teardown_group(void **state)
{
    struct fixture *f = *state;
    database_free(f->database);
    postgres_fixture_close(&f->pg);
    return 0;
}

static int setup(void **state)
{
    struct fixture *f = *state;
    f->db = fixture_connect(f->database);
    f->backend = backend_of(f->db);
    f->told = (struct told){0};
    tell(&f->pg, "TRUNCATE note; INSERT INTO note SELECT i FROM generate_series(1, 5000) i");
    return 0;
}

/** Whatever happened, it can be closed. */
static int teardown(void **state)
{
    struct fixture *f = *state;
    db_close(f->db);
    f->db = NULL;
    wait_until_int(&f->pg, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", 0);
    return 0;
}

static void lose(struct fixture *f)
{
    end_backend(&f->pg, f->backend);
}

/** It is lost, that is known, and stays so. */
static void assert_lost(struct fixture *f)
{
    struct err *err = &f->pg.err;
    db_rollback(f->db);
    assert_true(db_is_broken(f->db));
    assert_false(db_in_transaction(f->db));
    assert_false(db_is_alive(f->db, 0));
    assert_false(db_is_alive(f->db, 100));
    assert_int_equal(db_begin_read(f->db, err), UNAVAILABLE);
    assert_int_equal(db_begin_write(f->db, NOW_MS, 100, err), UNAVAILABLE);
    assert_int_equal(db_begin_write(f->db, NOW_MS, 200, err), UNAVAILABLE);
    assert_string_equal(err->items[0].message, "the database cannot be used");
}

static void assert_told(struct fixture *f, int was_committed, int was_doubtful)
{
    assert_int_equal(f->told.committed, was_committed);
    assert_int_equal(f->told.doubtful, was_doubtful);
}

static void begin_write(struct fixture *f)
{
    assert_int_equal(db_begin_write(f->db, NOW_MS, WRITE_MS, &f->pg.err), OK);
    db_touch(f->db, TOUCHES_RISKS);
}

/* While nothing is going on */

static void a_lost_connection_is_known_without_a_ping(void **state)
{
    struct fixture *f = *state;
    assert_true(db_is_alive(f->db, 0));
    lose(f);
    assert_false(db_is_alive(f->db, 0));
    assert_lost(f);
}

static void a_ping_that_nobody_answers_says_so(void **state)
{
    struct fixture *f = *state;
    lose(f);
    assert_false(db_is_alive(f->db, 1000));
    assert_lost(f);
}

static void it_is_alive_while_a_rollback_is_on_its_way(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 50; i++) {
        assert_int_equal(db_begin_read(f->db, &f->pg.err), OK);
        assert_int_equal(db_settle(f->db, &f->pg.err), OK);
        db_rollback(f->db);
        assert_true(db_is_alive(f->db, 0));
        assert_true(db_is_alive(f->db, i % 2 ? 1000 : 0));
    }
    uint64_t before = db_round_trip_count(f->db);
    assert_true(db_is_alive(f->db, 0));
    assert_int_equal(db_round_trip_count(f->db), before);
}

static void a_reader_begins_on_a_lost_connection(void **state)
{
    struct fixture *f = *state;
    int64_t value;
    lose(f);
    /* Whether that is known already or with the first answer depends on the network. */
    enum status status = db_begin_read(f->db, &f->pg.err);
    if (status == OK)
        status = select_int(f->db, "SELECT 1", &value, &f->pg.err);
    assert_int_equal(status, UNAVAILABLE);
    assert_int_equal(f->told.seen, 0);
    assert_lost(f);
}

static void a_writer_begins_on_a_lost_connection(void **state)
{
    struct fixture *f = *state;
    lose(f);
    enum status status = db_begin_write(f->db, NOW_MS, WRITE_MS, &f->pg.err);
    if (status == OK) {
        db_touch(f->db, TOUCHES_RISKS);
        status = db_commit(f->db, &f->pg.err);
    }
    assert_int_equal(status, UNAVAILABLE);
    assert_told(f, 0, 0);
    assert_lost(f);
}

/* In a transaction */

static void lost_after_begin(void **state)
{
    struct fixture *f = *state;
    int64_t value;
    assert_int_equal(db_begin_read(f->db, &f->pg.err), OK);
    assert_int_equal(select_int(f->db, "SELECT 1", &value, &f->pg.err), OK);
    lose(f);
    assert_int_equal(select_int(f->db, "SELECT 2", &value, &f->pg.err), UNAVAILABLE);
    assert_int_equal(select_int(f->db, "SELECT 2", &value, &f->pg.err), UNAVAILABLE);
    assert_int_equal(select_int(f->db, "SELECT 3", &value, &f->pg.err), UNAVAILABLE);
    assert_lost(f);
}

static void lost_between_the_rows_of_a_stream(void **state)
{
    struct fixture *f = *state;
    struct query query = {.name = "test", .sql = "SELECT id FROM note", .streams = true};
    AUTO_ROWS struct db_rows rows = {0};
    int64_t count = 0;
    assert_int_equal(db_begin_read(f->db, &f->pg.err), OK);
    assert_int_equal(db_select(f->db, &query, DB_NO_PARAMS, &rows, &f->pg.err), OK);
    for (; db_next(&rows); count++)
        if (count == 700)
            lose(f);
    assert_true(count > 700 && count < 5000); /* those that were here already */
    assert_int_equal(db_end(&rows, &f->pg.err), UNAVAILABLE);
    assert_lost(f);
}

static void lost_in_the_middle_of_a_statement(void **state)
{
    struct fixture *f = *state;
    struct query query = reads("SELECT id, pg_terminate_backend(pg_backend_pid()) FROM note");
    AUTO_ROWS struct db_rows rows = {0};
    assert_int_equal(db_begin_read(f->db, &f->pg.err), OK);
    assert_int_equal(db_select(f->db, &query, DB_NO_PARAMS, &rows, &f->pg.err), OK);
    while (db_next(&rows))
        continue;
    assert_int_equal(db_end(&rows, &f->pg.err), UNAVAILABLE);
    assert_lost(f);
}

static void lost_before_the_commit(void **state)
{
    struct fixture *f = *state;
    begin_write(f);
    assert_int_equal(run(f->db, "INSERT INTO note VALUES (9001)", &f->pg.err), OK);
    lose(f);
    assert_int_equal(db_commit(f->db, &f->pg.err), UNAVAILABLE);
    assert_told(f, 0, 0); /* the generations could not be bumped, so nothing was asked for */
    assert_int_equal(ask_int(&f->pg, "SELECT count(*) FROM note WHERE id = 9001"), 0);
    assert_lost(f);
}

/** A constraint that is looked at by COMMIT ends the server's process there. */
static void lost_during_the_commit(void **state)
{
    struct fixture *f = *state;
    tell(&f->pg, "CREATE FUNCTION end_me() RETURNS trigger LANGUAGE plpgsql AS "
                 "$$BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); "
                 "PERFORM pg_sleep(1); RETURN NULL; END$$;"
                 "CREATE CONSTRAINT TRIGGER ends AFTER INSERT ON note DEFERRABLE INITIALLY "
                 "DEFERRED FOR EACH ROW EXECUTE FUNCTION end_me()");
    begin_write(f);
    assert_int_equal(run(f->db, "INSERT INTO note VALUES (9002)", &f->pg.err), OK);
    assert_int_equal(db_commit(f->db, &f->pg.err), UNAVAILABLE);
    tell(&f->pg, "DROP FUNCTION end_me CASCADE");
    assert_told(f, 0, 1);
    assert_lost(f);
}

static void a_commit_that_is_refused_is_not_lost(void **state)
{
    struct fixture *f = *state;
    int64_t value;
    tell(&f->pg, "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
                 "$$BEGIN RAISE unique_violation; END$$;"
                 "CREATE CONSTRAINT TRIGGER refuses AFTER INSERT ON note DEFERRABLE INITIALLY "
                 "DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()");
    begin_write(f);
    assert_int_equal(run(f->db, "INSERT INTO note VALUES (9003)", &f->pg.err), OK);
    assert_int_equal(db_commit(f->db, &f->pg.err), CONFLICT);
    tell(&f->pg, "DROP FUNCTION refuse CASCADE");
    assert_int_equal(f->told.committed, 0);
    assert_false(db_is_broken(f->db));
    assert_int_equal(db_begin_read(f->db, &f->pg.err), OK);
    assert_int_equal(
        select_int(f->db, "SELECT count(*) FROM note WHERE id = 9003", &value, &f->pg.err), OK);
    assert_int_equal(value, 0);
    db_rollback(f->db);
}

struct waiter {
    struct fixture *f;
    enum status status;
    struct err err;
};

static void *wait_for_lock(void *argument)
{
    struct waiter *waiter = argument;
    int64_t value;
    waiter->status = db_begin_write(waiter->f->db, NOW_MS, 20000, &waiter->err);
    if (waiter->status == OK)
        waiter->status = select_int(waiter->f->db, "SELECT 1", &value, &waiter->err);
    return NULL;
}

static void lost_while_it_waits_for_the_lock(void **state)
{
    struct fixture *f = *state;
    struct waiter waiter = {.f = f};
    pthread_t thread;
    int64_t value;
    db_set_statement_limit(f->db, 20000);
    assert_int_equal(db_begin_write(f->pg.db, NOW_MS, WRITE_MS, &f->pg.err), OK);
    assert_int_equal(select_int(f->pg.db, "SELECT 1", &value, &f->pg.err), OK);
    assert_int_equal(pthread_create(&thread, NULL, wait_for_lock, &waiter), 0);
    wait_until_int(&f->pg,
                   "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted", 1);
    int64_t began_ms = clock_monotonic_ms();
    lose(f);
    pthread_join(thread, NULL);
    assert_true(clock_monotonic_ms() - began_ms < SLACK_MS);
    assert_int_equal(waiter.status, UNAVAILABLE);
    db_rollback(f->pg.db);
    assert_lost(f);
}

static void idle_in_a_transaction_for_too_long(void **state)
{
    struct fixture *f = *state;
    int64_t value;
    char gone[120];
    begin_write(f);
    assert_int_equal(run(f->db, "SET idle_in_transaction_session_timeout = 1", &f->pg.err), OK);
    snprintf(gone, sizeof gone, "SELECT count(*) FROM pg_stat_activity WHERE pid = %" PRId64,
             f->backend);
    wait_until_int(&f->pg, gone, 0);
    assert_int_equal(select_int(f->db, "SELECT 1", &value, &f->pg.err), UNAVAILABLE);
    assert_told(f, 0, 0);
    assert_lost(f);
}

/* A server that is silent: one that sleeps without a limit of its own */

static void a_silent_server_is_waited_for_so_long(void **state)
{
    struct fixture *f = *state;
    int64_t value;
    begin_write(f);
    assert_int_equal(run(f->db, "SET statement_timeout = 0", &f->pg.err), OK);
    int64_t began_ms = clock_monotonic_ms();
    assert_int_equal(select_int(f->db, "SELECT 1 FROM pg_sleep(30)", &value, &f->pg.err),
                     UNAVAILABLE);
    assert_true(clock_monotonic_ms() - began_ms < LIMIT_MS + 1000 + SLACK_MS);
    assert_lost(f);
    end_backend(&f->pg, f->backend);
}

static void a_silent_server_is_pinged_no_longer_than_said(void **state)
{
    struct fixture *f = *state;
    begin_write(f);
    assert_int_equal(run(f->db, "SET statement_timeout = 0", &f->pg.err), OK);
    assert_int_equal(queue(f->db, "SELECT pg_sleep(30)", &f->pg.err), OK);
    db_rollback(f->db);
    assert_true(db_is_alive(f->db, 0)); /* for all that is known */
    int64_t began_ms = clock_monotonic_ms();
    assert_false(db_is_alive(f->db, 200));
    assert_true(clock_monotonic_ms() - began_ms < 200 + SLACK_MS);
    assert_lost(f);
    began_ms = clock_monotonic_ms();
    db_close(f->db);
    f->db = NULL;
    assert_true(clock_monotonic_ms() - began_ms < SLACK_MS);
    end_backend(&f->pg, f->backend);
}

static void a_silent_server_does_not_keep_one_from_closing(void **state)
{
    struct fixture *f = *state;
    begin_write(f);
    assert_int_equal(run(f->db, "SET statement_timeout = 0", &f->pg.err), OK);
    assert_int_equal(queue(f->db, "SELECT pg_sleep(30)", &f->pg.err), OK);
    int64_t began_ms = clock_monotonic_ms();
    db_close(f->db);
    f->db = NULL;
    assert_true(clock_monotonic_ms() - began_ms < SLACK_MS);
    end_backend(&f->pg, f->backend);
}

/** A port that takes connections, as the kernel does, and says nothing. */
static int silent_port(int *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 5), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    *ret_port = ntohs(address.sin_port);
    return listener;
}

static enum status open_url(const char *url, int connect_ms, struct err *err)
{
    struct database *database;
    struct db *db = NULL;
    enum status status = database_new(url, &database, err);
    if (status != OK)
        return status;
    database_set_limits(database, &(struct db_limits){connect_ms, 1000});
    status = db_open(database, &db, err);
    db_close(db);
    database_free(database);
    return status;
}

static void a_server_that_never_greets_is_waited_for_so_long(void **state)
{
    struct fixture *f = *state;
    int port, listener = silent_port(&port);
    AUTO_FREE char *url = mem_format("postgres://someone:secret@127.0.0.1:%d/db", port);
    int64_t began_ms = clock_monotonic_ms();
    assert_int_equal(open_url(url, 300, &f->pg.err), UNAVAILABLE);
    assert_true(clock_monotonic_ms() - began_ms < 300 + SLACK_MS);
    assert_string_equal(f->pg.err.items[0].field, "DATABASE_URL");
    close(listener);
    /* … and nobody listens at all. */
    assert_int_equal(open_url(url, 5000, &f->pg.err), UNAVAILABLE);
    assert_non_null(strstr(f->pg.err.items[0].message, "refused"));
    assert_null(strstr(f->pg.err.items[0].message, "secret"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_lost_connection_is_known_without_a_ping),
        TEST(a_ping_that_nobody_answers_says_so),
        TEST(it_is_alive_while_a_rollback_is_on_its_way),
        TEST(a_reader_begins_on_a_lost_connection),
        TEST(a_writer_begins_on_a_lost_connection),
        TEST(lost_after_begin),
        TEST(lost_between_the_rows_of_a_stream),
        TEST(lost_in_the_middle_of_a_statement),
        TEST(lost_before_the_commit),
        TEST(lost_during_the_commit),
        TEST(a_commit_that_is_refused_is_not_lost),
        TEST(lost_while_it_waits_for_the_lock),
        TEST(idle_in_a_transaction_for_too_long),
        TEST(a_silent_server_is_waited_for_so_long),
        TEST(a_silent_server_is_pinged_no_longer_than_said),
        TEST(a_silent_server_does_not_keep_one_from_closing),
        TEST(a_server_that_never_greets_is_waited_for_so_long),
    };
    return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
