/*
 * The connection to Redis, with a real one that stalls, dies, is full, comes late, or wants a
 * password. One that lies is in test_redis_peer.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "redis_fixture.h"

enum { LIMIT_MS = 50, FAILURES = 5, BACK_WITHIN_MS = 10000 };

static void what_was_set_is_found(void **state)
{
    struct redis_fixture *fixture = *state;
    redis_fixture_start(fixture, 0);
    static const char value[] = "one\r\ntwo\0three";
    struct test_write write;
    struct test_read read;
    assert_true(test_set(fixture->redis, &write, "key", value, sizeof value));
    test_wait_until_done(&write);
    assert_int_equal(test_get_now(fixture->redis, &read, "key"), REDIS_FOUND);
    assert_int_equal(read.length, sizeof value);
    assert_memory_equal(read.value, value, sizeof value);
    assert_int_equal(test_get_now(fixture->redis, &read, "other"), REDIS_ABSENT);
    struct redis_statistics statistics = test_statistics(fixture->redis);
    assert_int_equal(statistics.state, BREAKER_CLOSED);
    assert_string_equal(statistics.trouble, "");
    assert_int_equal(statistics.connects, 1);
    assert_int_equal(statistics.sets, 1);
    assert_int_equal(statistics.gets, 2);
    assert_int_equal(statistics.found, 1);
    assert_int_equal(statistics.absent, 1);
    assert_int_equal(statistics.reading + statistics.writing + statistics.writing_bytes, 0);
}

static void a_value_is_kept_for_its_time(void **state)
{
    struct redis_fixture *fixture = *state;
    redis_fixture_start(fixture, 0);
    test_set_now(fixture->redis, "key", "value");
    char answer[80];
    redis_server_ask(&fixture->server, "PTTL key", answer, sizeof answer);
    assert_in_range(strtol(answer + 1, NULL, 10), 60000 - PATIENCE_MS, 60000);
}

static void a_megabyte_is_as_good_as_a_word(void **state)
{
    struct redis_fixture *fixture = *state;
    redis_fixture_start(fixture, 0);
    enum { BYTES = 1024 * 1024 };
    AUTO_FREE char *value = mem_alloc(BYTES);
    memset(value, 'x', BYTES);
    struct test_write write;
    struct test_read read;
    assert_true(test_set(fixture->redis, &write, "key", value, BYTES));
    test_wait_until_done(&write);
    assert_int_equal(test_get_now(fixture->redis, &read, "key"), REDIS_FOUND);
    assert_int_equal(read.length, BYTES);
}

static void what_is_not_worth_writing_is_not_written(void **state)
{
    struct redis_fixture *fixture = *state;
    redis_fixture_start(fixture, 0);
    struct test_write write;
    struct test_read read;
    test_write_init(&write, "key", "value", 5);
    write.kept_ms = 0;
    assert_true(redis_set(fixture->redis, &write.write));
    test_wait_until_done(&write);
    assert_int_equal(test_get_now(fixture->redis, &read, "key"), REDIS_ABSENT);
    struct redis_statistics statistics = test_statistics(fixture->redis);
    assert_int_equal(statistics.sets + statistics.set_errors + statistics.dropped, 0);
    assert_int_equal(statistics.writing + statistics.writing_bytes, 0);
}

static void a_redis_that_stalls_holds_nobody_up(void **state)
{
    struct redis_fixture *fixture = *state;
    redis_fixture_start(fixture, LIMIT_MS);
    test_set_now(fixture->redis, "key", "value");
    uint64_t opened = test_statistics(fixture->redis).opened;
    redis_server_signal(&fixture->server, SIGSTOP);
    static struct test_read read;
    int64_t longest_ms = 0;
    unsigned asked = 0;
    for (;; asked++) {
        int64_t began_ms = clock_monotonic_ms();
        if (!test_get(fixture->redis, &read, "key"))
            break;
        test_wait_for_answer(&read);
        assert_int_equal(read.result, REDIS_FAILED);
        int64_t took_ms = read.answered_ms - began_ms;
        longest_ms = took_ms > longest_ms ? took_ms : longest_ms;
    }
    assert_in_range(asked, 1, FAILURES);
    assert_true(longest_ms < WELL_WITHIN_MS);
    printf("# figure: stalled Redis, limit %d ms: the longest read took %" PRId64 " ms, %u asked\n",
           LIMIT_MS, longest_ms, asked);
    test_wait_for_state(fixture->redis, BREAKER_OPEN);
    struct redis_statistics statistics = test_statistics(fixture->redis);
    assert_int_equal(statistics.opened, opened + 1);
    assert_string_not_equal(statistics.trouble, "");
    assert_true(statistics.refused > 0);
    assert_false(test_get(fixture->redis, &read, "key"));
    struct test_write write;
    assert_false(test_set(fixture->redis, &write, "key", "value", 5));
    int64_t back_ms = clock_monotonic_ms();
    redis_server_signal(&fixture->server, SIGCONT);
    test_wait_for_state(fixture->redis, BREAKER_CLOSED);
    int64_t took_ms = clock_monotonic_ms() - back_ms;
    printf("# figure: used again %" PRId64 " ms after the stall\n", took_ms);
    assert_true(took_ms < BACK_WITHIN_MS);
    assert_string_equal(test_statistics(fixture->redis).trouble, "");
    assert_int_equal(test_get_now(fixture->redis, &read, "key"), REDIS_FOUND);
}

static void five_reads_out_of_time_open_the_breaker(void **state)
{
    struct redis_fixture *fixture = *state;
    redis_fixture_start(fixture, LIMIT_MS);
    uint64_t opened = test_statistics(fixture->redis).opened;
    redis_server_signal(&fixture->server, SIGSTOP);
    static struct test_read reads[FAILURES];
    for (unsigned i = 0; i < COUNT_OF(reads); i++) {
        assert_int_equal(test_statistics(fixture->redis).state, BREAKER_CLOSED);
        assert_true(test_get(fixture->redis, &reads[i], "key"));
        test_wait_for_answer(&reads[i]);
    }
    test_wait_for_state(fixture->redis, BREAKER_OPEN);
    struct redis_statistics statistics = test_statistics(fixture->redis);
    assert_int_equal(statistics.get_timeouts, FAILURES);
    assert_int_equal(statistics.opened, opened + 1);
    assert_string_equal(statistics.trouble, "no answer to a read within 50 ms");
    for (unsigned i = 0; i < COUNT_OF(reads); i++)
        assert_int_equal(atomic_load(&reads[i].answers), 1);
}

static void however_many_wait_in_a_stall_it_is_one_failure(void **state)
{
    struct redis_fixture *fixture = *state;
    redis_fixture_start(fixture, LIMIT_MS);
    uint64_t opened = test_statistics(fixture->redis).opened;
    static struct test_read reads[10 * FAILURES];
    redis_server_signal(&fixture->server, SIGSTOP);
    for (unsigned i = 0; i < COUNT_OF(reads); i++)
        assert_true(test_get(fixture->redis, &reads[i], "key"));
    for (unsigned i = 0; i < COUNT_OF(reads); i++)
        test_wait_for_answer(&reads[i]);
    redis_server_signal(&fixture->server, SIGCONT);
    assert_int_equal(test_statistics(fixture->redis).get_timeouts, COUNT_OF(reads));
    static struct test_read after;
    assert_int_equal(test_get_now(fixture->redis, &after, "key"), REDIS_ABSENT);
    assert_int_equal(test_statistics(fixture->redis).opened, opened);
}

static void one_that_is_written_to_only_is_found_stalled_too(void **state)
{
    struct redis_fixture *fixture = *state;
    redis_fixture_start(fixture, LIMIT_MS);
    redis_server_signal(&fixture->server, SIGSTOP);
    static struct test_write write;
    assert_true(test_set(fixture->redis, &write, "key", "value", 5));
    test_wait_until_done(&write);
    test_wait_for_state(fixture->redis, BREAKER_OPEN);
    struct redis_statistics statistics = test_statistics(fixture->redis);
    assert_int_equal(statistics.set_errors, 1);
    assert_int_equal(statistics.writing + statistics.writing_bytes, 0);
}

static bool has_connected_again(void *context)
{
    struct redis_fixture *fixture = context;
    return test_statistics(fixture->redis).connects > 1;
}

static void a_redis_that_dies_is_used_again_when_it_is_back(void **state)
{
    struct redis_fixture *fixture = *state;
    redis_fixture_start(fixture, 0);
    test_set_now(fixture->redis, "key", "value");
    redis_server_kill(&fixture->server);
    test_wait_for_state(fixture->redis, BREAKER_OPEN);
    struct redis_statistics statistics = test_statistics(fixture->redis);
    assert_non_null(strstr(statistics.trouble, "onnection"));
    assert_true(statistics.connect_errors >= 4);
    struct test_read read;
    assert_false(test_get(fixture->redis, &read, "key"));
    redis_server_restart(&fixture->server);
    int64_t back_ms = clock_monotonic_ms();
    test_wait(has_connected_again, fixture, "the connection");
    test_wait_for_state(fixture->redis, BREAKER_CLOSED);
    int64_t took_ms = clock_monotonic_ms() - back_ms;
    printf("# figure: used again %" PRId64 " ms after the restart\n", took_ms);
    assert_true(took_ms < BACK_WITHIN_MS);
    assert_int_equal(test_get_now(fixture->redis, &read, "key"), REDIS_ABSENT);
}

static void one_that_is_absent_at_the_start_joins_when_it_appears(void **state)
{
    struct redis_fixture *fixture = *state;
    redis_server_start(&fixture->server, NULL);
    redis_server_kill(&fixture->server);
    struct redis_settings settings = test_redis_settings(fixture->server.port);
    fixture->redis = test_redis_start(&settings);
    assert_int_not_equal(test_statistics(fixture->redis).state, BREAKER_CLOSED);
    test_wait_for_state(fixture->redis, BREAKER_OPEN);
    struct test_read read;
    assert_false(test_get(fixture->redis, &read, "key"));
    assert_non_null(strstr(test_statistics(fixture->redis).trouble, "cannot connect"));
    redis_server_restart(&fixture->server);
    test_wait_for_state(fixture->redis, BREAKER_CLOSED);
    assert_int_equal(test_get_now(fixture->redis, &read, "key"), REDIS_ABSENT);
}

static void a_name_that_nobody_has_is_as_good_as_absent(void **state)
{
    struct redis_fixture *fixture = *state;
    struct redis_settings settings = test_redis_settings(6379);
    settings.address.host = "no..name"; /* refused by the resolver itself */
    fixture->redis = test_redis_start(&settings);
    test_wait_for_state(fixture->redis, BREAKER_OPEN);
    assert_non_null(strstr(test_statistics(fixture->redis).trouble, "cannot connect"));
}

static const char *const with_password[] = {"--requirepass", "correct-horse", NULL};

/** Not let in; `words` say why, without the password. */
static void assert_kept_out(const char *const *options, const char *user, const char *password,
                            int database, const char *words)
{
    struct redis_server server;
    redis_server_start(&server, options);
    struct redis_settings settings = test_redis_settings(server.port);
    settings.address.user = user;
    settings.address.password = password;
    settings.address.database = database;
    struct redis *redis = test_redis_start(&settings);
    test_wait_for_state(redis, BREAKER_OPEN);
    struct redis_statistics statistics = test_statistics(redis);
    struct test_read read;
    bool asked = test_get(redis, &read, "key");
    redis_stop(redis);
    redis_server_stop(&server);
    assert_false(asked);
    assert_int_equal(statistics.connects, 0);
    assert_true(statistics.connect_errors >= 1);
    if (!strstr(statistics.trouble, words))
        fail_msg("%s", statistics.trouble);
    assert_null(strstr(statistics.trouble, "hunter2"));
}

static void who_is_not_let_in_is_told_why(void **state)
{
    (void)state;
    assert_kept_out(with_password, NULL, "hunter2", 0,
                    "Redis refused the password or user (WRONGPASS invalid");
    assert_kept_out(with_password, "nobody", "hunter2", 0,
                    "Redis refused the password or user (WRONGPASS invalid");
    assert_kept_out(with_password, NULL, NULL, 0, "Redis wants a password (NOAUTH");
    assert_kept_out(NULL, NULL, "hunter2", 0,
                    "Redis refused the password or user (ERR AUTH <password> called without");
    assert_kept_out(NULL, NULL, NULL, 99, "Redis refused the database 99 (ERR");
}

/** It answers with the whole command then. */
static void a_password_is_not_repeated_from_an_answer(void **state)
{
    (void)state;
    static const char *const options[] = {"--rename-command", "AUTH", "", NULL};
    assert_kept_out(options, "app", "hunter2", 0, "Redis refused the password or user (ERR)");
}

static void user_password_and_database_let_in(void **state)
{
    struct redis_fixture *fixture = *state;
    redis_server_start(&fixture->server, NULL);
    redis_server_tell(&fixture->server, "ACL SETUSER app on >hunter2 ~* +@all");
    struct redis_settings settings = test_redis_settings(fixture->server.port);
    settings.address.user = "app";
    settings.address.password = "hunter2";
    settings.address.database = 3;
    fixture->redis = test_redis_start(&settings);
    test_wait_for_state(fixture->redis, BREAKER_CLOSED);
    test_set_now(fixture->redis, "key", "value");
    char answer[400];
    redis_server_ask(&fixture->server, "EXISTS key", answer, sizeof answer);
    assert_string_equal(answer, ":0");
    redis_server_tell(&fixture->server, "SWAPDB 0 3");
    redis_server_ask(&fixture->server, "EXISTS key", answer, sizeof answer);
    assert_string_equal(answer, ":1");
}

static void the_default_user_needs_a_password_only(void **state)
{
    struct redis_fixture *fixture = *state;
    redis_server_start(&fixture->server, with_password);
    struct redis_settings settings = test_redis_settings(fixture->server.port);
    settings.address.password = "correct-horse";
    fixture->redis = test_redis_start(&settings);
    test_wait_for_state(fixture->redis, BREAKER_CLOSED);
    struct test_read read;
    assert_int_equal(test_get_now(fixture->redis, &read, "key"), REDIS_ABSENT);
}

static void a_full_redis_is_still_read(void **state)
{
    struct redis_fixture *fixture = *state;
    redis_fixture_start(fixture, 0);
    test_set_now(fixture->redis, "key", "value");
    redis_server_tell(&fixture->server, "CONFIG SET maxmemory-policy noeviction");
    redis_server_tell(&fixture->server, "CONFIG SET maxmemory 1");
    enum { WRITES = 20 };
    for (unsigned i = 0; i < WRITES; i++)
        test_set_now(fixture->redis, "other", "value");
    struct test_read read;
    assert_int_equal(test_get_now(fixture->redis, &read, "key"), REDIS_FOUND);
    assert_int_equal(test_get_now(fixture->redis, &read, "other"), REDIS_ABSENT);
    struct redis_statistics statistics = test_statistics(fixture->redis);
    assert_int_equal(statistics.set_errors, WRITES);
    assert_int_equal(statistics.sets, 1);
    assert_int_equal(statistics.state, BREAKER_CLOSED);
    assert_int_equal(statistics.opened, 0);
    redis_server_tell(&fixture->server, "CONFIG SET maxmemory 0");
    test_set_now(fixture->redis, "other", "value");
    assert_int_equal(test_get_now(fixture->redis, &read, "other"), REDIS_FOUND);
}

/** It takes the key for a list. */
static void fail_reads(struct redis *redis, unsigned count)
{
    struct test_read read;
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(test_get_now(redis, &read, "list"), REDIS_FAILED);
}

static void reads_that_are_answered_with_errors_open_the_breaker(void **state)
{
    struct redis_fixture *fixture = *state;
    redis_fixture_start(fixture, 0);
    char answer[80];
    struct test_read read;
    redis_server_ask(&fixture->server, "LPUSH list 1", answer, sizeof answer);
    fail_reads(fixture->redis, FAILURES - 1);
    assert_int_equal(test_get_now(fixture->redis, &read, "key"), REDIS_ABSENT);
    fail_reads(fixture->redis, FAILURES - 1);
    assert_int_equal(test_statistics(fixture->redis).opened, 0);
    fail_reads(fixture->redis, 1);
    test_wait_for_state(fixture->redis, BREAKER_CLOSED); /* as probes are answered */
    struct redis_statistics statistics = test_statistics(fixture->redis);
    assert_int_equal(statistics.get_errors, 2 * FAILURES - 1);
    assert_int_equal(statistics.opened, 1);
}

static int64_t used_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

/** What all threads but this one have used of the processor. */
static int64_t others_used_us(void)
{
    return used_us(CLOCK_PROCESS_CPUTIME_ID) - used_us(CLOCK_THREAD_CPUTIME_ID);
}

static bool two_failed(void *context)
{
    return test_statistics(context).connect_errors > 1;
}

/** From the first failure to the second, which is most of a second. */
static void who_waits_for_a_redis_needs_no_processor(void **state)
{
    struct redis_fixture *fixture = *state;
    struct redis_settings settings = test_redis_settings(test_free_port());
    int64_t began_us = clock_monotonic_us(), before_us = others_used_us();
    fixture->redis = test_redis_start(&settings);
    test_wait(two_failed, fixture->redis, "a second try");
    int64_t took_us = clock_monotonic_us() - began_us, spent_us = others_used_us() - before_us;
    printf("# figure: without a Redis: %" PRId64 " us of the processor in %" PRId64 " ms\n",
           spent_us, took_us / 1000);
    assert_true(spent_us < took_us / 5);
}

static bool has_expired(void *context)
{
    char answer[80];
    redis_server_ask(context, "EXISTS key", answer, sizeof answer);
    return strcmp(answer, ":0") == 0;
}

static void an_idle_connection_needs_no_processor(void **state)
{
    struct redis_fixture *fixture = *state;
    redis_fixture_start(fixture, 0);
    struct test_write write;
    test_write_init(&write, "key", "value", 5);
    write.kept_ms = 500;
    assert_true(redis_set(fixture->redis, &write.write));
    test_wait_until_done(&write);
    int64_t began_us = clock_monotonic_us(), before_us = others_used_us();
    test_wait(has_expired, &fixture->server, "half a second");
    int64_t took_us = clock_monotonic_us() - began_us, spent_us = others_used_us() - before_us;
    printf("# figure: idle: %" PRId64 " us of the processor in %" PRId64 " ms\n", spent_us,
           took_us / 1000);
    assert_true(spent_us < took_us / 5);
}

static void stopping_answers_each_exactly_once(void **state)
{
    struct redis_fixture *fixture = *state;
    redis_fixture_start(fixture, 0);
    redis_server_signal(&fixture->server, SIGSTOP);
    enum { COUNT = 500 };
    static struct test_read reads[COUNT];
    static struct test_write writes[COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        assert_true(test_get(fixture->redis, &reads[i], "key"));
        assert_true(test_set(fixture->redis, &writes[i], "key", "value", 5));
    }
    redis_stop(fixture->redis);
    fixture->redis = NULL;
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(atomic_load(&reads[i].answers), 1);
        assert_int_equal(reads[i].result, REDIS_FAILED);
        assert_int_equal(atomic_load(&writes[i].done), 1);
    }
}

static void what_was_never_connected_can_be_stopped(void **state)
{
    (void)state;
    struct redis_settings settings = test_redis_settings(test_free_port());
    for (unsigned i = 0; i < 20; i++)
        redis_stop(test_redis_start(&settings));
    redis_stop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REDIS_TEST(what_was_set_is_found),
        REDIS_TEST(a_value_is_kept_for_its_time),
        REDIS_TEST(a_megabyte_is_as_good_as_a_word),
        REDIS_TEST(what_is_not_worth_writing_is_not_written),
        REDIS_TEST(a_redis_that_stalls_holds_nobody_up),
        REDIS_TEST(five_reads_out_of_time_open_the_breaker),
        REDIS_TEST(however_many_wait_in_a_stall_it_is_one_failure),
        REDIS_TEST(one_that_is_written_to_only_is_found_stalled_too),
        REDIS_TEST(a_redis_that_dies_is_used_again_when_it_is_back),
        REDIS_TEST(one_that_is_absent_at_the_start_joins_when_it_appears),
        REDIS_TEST(a_name_that_nobody_has_is_as_good_as_absent),
        REDIS_TEST(who_is_not_let_in_is_told_why),
        REDIS_TEST(a_password_is_not_repeated_from_an_answer),
        REDIS_TEST(user_password_and_database_let_in),
        REDIS_TEST(the_default_user_needs_a_password_only),
        REDIS_TEST(a_full_redis_is_still_read),
        REDIS_TEST(reads_that_are_answered_with_errors_open_the_breaker),
        REDIS_TEST(who_waits_for_a_redis_needs_no_processor),
        REDIS_TEST(an_idle_connection_needs_no_processor),
        REDIS_TEST(stopping_answers_each_exactly_once),
        REDIS_TEST(what_was_never_connected_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
