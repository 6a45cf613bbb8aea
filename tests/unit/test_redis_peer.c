/*
 * The connection to Redis, with a peer that lies, sends without end, does not let in, or goes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "redis_peer.h"

enum { LIMIT_MS = 50, SLOW_MS = 200 };

/** Badly on the first connection, well on those that follow. */
static void lie_once(struct redis_peer *peer, int fd)
{
    struct peer_fixture *fixture = peer->context;
    struct peer_command command;
    while (peer_hear_in_earnest(fd, &command)) {
        if (atomic_load(&peer->connections) > 1)
            peer_say(fd, "$2\r\nok\r\n");
        else if (fixture->length)
            peer_say_bytes(fd, fixture->words, fixture->length);
        else
            peer_say(fd, fixture->words);
        if (atomic_load(&peer->connections) == 1 && atomic_load(&fixture->may_go_on))
            return;
    }
}

static bool takes_a_read(void *context)
{
    static struct test_read read;
    if (!test_get(context, &read, "key"))
        return false;
    test_wait_for_answer(&read);
    assert_int_equal(read.result, REDIS_FOUND);
    assert_string_equal(read.value, "ok");
    return true;
}

static void assert_dropped(struct peer_fixture *fixture, const char *words, size_t length,
                           bool closes)
{
    fixture->words = words;
    fixture->length = length;
    atomic_store(&fixture->may_go_on, closes);
    struct redis_settings settings = peer_serve(fixture, lie_once);
    peer_connect(fixture, &settings);
    static struct test_read read;
    assert_int_equal(test_get_now(fixture->redis, &read, "key"), REDIS_FAILED);
    test_wait(takes_a_read, fixture->redis, words);
    struct redis_statistics statistics = peer_statistics(fixture);
    peer_end(fixture);
    assert_int_equal(atomic_load(&read.answers), 1);
    assert_int_equal(statistics.connects, 2);
    assert_int_equal(statistics.get_errors, 1);
    assert_int_equal(statistics.opened, 0);
}

static void who_lies_is_left(void **state)
{
    static const char *const lies[] = {
        "hello\r\n",
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "\r\n",
        ":1\r\n",
        ":1000000000000000000000\r\n",
        "+OK\r\n",
        "+PONG\r\n",
        "*0\r\n",
        "*1\r\n$1\r\nx\r\n",
        "*1000000000\r\n",
        "*2147483647\r\n",
        "*9223372036854775807\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
        "$-2\r\n",
        "$x\r\n",
        "$99999999999999999999\r\n",
        "%1\r\n+a\r\n+b\r\n",
        ">2\r\n+a\r\n+b\r\n",
        "_\r\n",
    };
    for (size_t i = 0; i < COUNT_OF(lies); i++)
        assert_dropped(*state, lies[i], 0, false);
    assert_dropped(*state, "\0\0\0\r\n", 5, false);
}

/** Once; then it says "ok" to everything. */
static void answer_the_probe_twice(struct redis_peer *peer, int fd)
{
    struct peer_command command;
    bool lies = atomic_load(&peer->connections) == 1;
    if (!peer_hear(fd, &command))
        return;
    peer_say(fd, lies ? "+PONG\r\n+PONG\r\n" : "+PONG\r\n");
    while (peer_hear_in_earnest(fd, &command))
        peer_say(fd, "$2\r\nok\r\n");
}

static bool has_connected_twice(void *context)
{
    return peer_statistics(context).connects == 2;
}

static void an_answer_to_nothing_is_a_lie(void **state)
{
    struct peer_fixture *fixture = *state;
    struct redis_settings settings = peer_serve(fixture, answer_the_probe_twice);
    peer_connect(fixture, &settings);
    test_wait(has_connected_twice, fixture, "another connection");
    assert_string_equal(peer_statistics(fixture).trouble,
                        "not the answer of a Redis: nothing was asked");
    test_wait(takes_a_read, fixture->redis, "an answer");
}

static void half_an_answer_is_none(void **state)
{
    static const char *const halves[] = {"",          "$",           "$5",  "$5\r\n",
                                         "$5\r\nval", "$5\r\nvalue", "-ERR"};
    for (size_t i = 0; i < COUNT_OF(halves); i++)
        assert_dropped(*state, halves[i], 0, true);
}

static void an_answer_beyond_the_cap_is_not_taken(void **state)
{
    size_t most = redis_usual().value_max_bytes;
    AUTO_FREE char *answer = mem_alloc(most + 100);
    int head = snprintf(answer, 100, "$%zu\r\n", most + 1);
    memset(answer + head, 'x', most + 1);
    memcpy(answer + head + most + 1, "\r\n", 2);
    assert_dropped(*state, answer, (size_t)head + most + 3, false);
}

static void send_without_end(struct redis_peer *peer, int fd)
{
    struct peer_fixture *fixture = peer->context;
    static const char much[16384] = {'x'};
    struct peer_command command;
    if (atomic_load(&peer->connections) > 1 || !peer_hear_in_earnest(fd, &command))
        return;
    peer_say(fd, fixture->words);
    ssize_t sent;
    while ((sent = send(fd, much, sizeof much, MSG_NOSIGNAL)) > 0)
        atomic_fetch_add(&fixture->sent, (size_t)sent);
}

static void an_answer_without_end_takes_no_memory(void **state)
{
    enum { SOCKETS_BYTES = 32 * 1024 * 1024 }; /* what the kernel may hold of it */
    static const char *const begins[] = {"$2000000000\r\n", "$9223372036854775807\r\n", "+"};
    struct peer_fixture *fixture = *state;
    for (size_t i = 0; i < COUNT_OF(begins); i++) {
        fixture->words = begins[i];
        atomic_store(&fixture->sent, 0);
        struct redis_settings settings = peer_serve(fixture, send_without_end);
        peer_connect(fixture, &settings);
        static struct test_read read;
        assert_int_equal(test_get_now(fixture->redis, &read, "key"), REDIS_FAILED);
        peer_end(fixture);
        size_t sent = atomic_load(&fixture->sent);
        printf("# figure: %zu bytes sent until the connection was dropped\n", sent);
        assert_in_range(sent, settings.value_max_bytes, settings.value_max_bytes + SOCKETS_BYTES);
    }
}

static void answer_byte_by_byte(struct redis_peer *peer, int fd)
{
    (void)peer;
    struct peer_command command;
    while (peer_hear_in_earnest(fd, &command))
        for (const char *c = "$9\r\nok\r\n$1\r\nx\r\n"; *c; c++) {
            peer_say_bytes(fd, c, 1);
            poll(NULL, 0, 1); /* else they would travel together */
        }
}

static void an_answer_may_come_byte_by_byte(void **state)
{
    struct peer_fixture *fixture = *state;
    struct redis_settings settings = peer_serve(fixture, answer_byte_by_byte);
    peer_connect(fixture, &settings);
    struct test_read read;
    assert_int_equal(test_get_now(fixture->redis, &read, "key"), REDIS_FOUND);
    assert_string_equal(read.value, "ok\r\n$1\r\nx");
    assert_int_equal(test_get_now(fixture->redis, &read, "key"), REDIS_FOUND);
    assert_int_equal(peer_statistics(fixture).connects, 1);
}

static void answer_after_a_while(struct redis_peer *peer, int fd)
{
    (void)peer;
    struct peer_command command;
    while (peer_hear(fd, &command)) {
        poll(NULL, 0, SLOW_MS); /* this is the delay that is tested */
        peer_say(fd, "+PONG\r\n");
    }
}

static bool has_tried_three_times(void *context)
{
    return peer_statistics(context).connect_errors >= 3;
}

static void who_is_slow_is_not_used(void **state)
{
    struct peer_fixture *fixture = *state;
    struct redis_settings settings = peer_serve(fixture, answer_after_a_while);
    settings.limit_ms = LIMIT_MS;
    settings.breaker.open_min_ms = 100;
    fixture->redis = test_redis_start(&settings);
    test_wait(has_tried_three_times, fixture, "three tries");
    struct redis_statistics statistics = peer_statistics(fixture);
    assert_int_equal(statistics.connects, 0);
    assert_int_not_equal(statistics.state, BREAKER_CLOSED);
    assert_string_equal(statistics.trouble, "no answer to the probe within 50 ms");
}

static void say_nothing(struct redis_peer *peer, int fd)
{
    (void)peer;
    peer_hear_all(fd);
}

static void who_does_not_let_in_is_left(void **state)
{
    struct peer_fixture *fixture = *state;
    struct redis_settings settings = peer_serve(fixture, say_nothing);
    settings.address.password = "hunter2";
    settings.connect_limit_ms = 100;
    fixture->redis = test_redis_start(&settings);
    test_wait_for_state(fixture->redis, BREAKER_OPEN);
    assert_string_equal(peer_statistics(fixture).trouble, "not let in within 100 ms");
}

static bool has_connected(void *context)
{
    struct peer_fixture *fixture = context;
    return atomic_load(&fixture->peer.connections) > 0;
}

static void a_handshake_can_be_stopped(void **state)
{
    struct peer_fixture *fixture = *state;
    struct redis_settings settings = peer_serve(fixture, say_nothing);
    fixture->redis = test_redis_start(&settings);
    test_wait(has_connected, fixture, "a connection");
    int64_t began_ms = clock_monotonic_ms();
    redis_stop(fixture->redis);
    fixture->redis = NULL;
    assert_true(clock_monotonic_ms() - began_ms < WELL_WITHIN_MS);
}

static void say_as_told(struct redis_peer *peer, int fd)
{
    struct peer_fixture *fixture = peer->context;
    struct peer_command command;
    while (peer_hear(fd, &command))
        peer_say(fd, fixture->words);
}

static void who_answers_the_probe_with_an_error_is_not_used(void **state)
{
    struct peer_fixture *fixture = *state;
    fixture->words = "-LOADING \x1b[31m\xff is loading\r\n";
    struct redis_settings settings = peer_serve(fixture, say_as_told);
    fixture->redis = test_redis_start(&settings);
    test_wait_for_state(fixture->redis, BREAKER_OPEN);
    assert_string_equal(peer_statistics(fixture).trouble,
                        "Redis answered the probe with an error (LOADING ?[31m? is loading)");
}

static void answer_reads_as_told(struct redis_peer *peer, int fd)
{
    struct peer_fixture *fixture = peer->context;
    struct peer_command command;
    while (peer_hear_in_earnest(fd, &command))
        peer_say(fd, strcmp(command.words[0], "GET") == 0 ? fixture->words : "-OOM no room\r\n");
}

static void errors_in_a_row_open_the_breaker_whatever_the_writes_do(void **state)
{
    struct peer_fixture *fixture = *state;
    fixture->words = "-MOVED 1 127.0.0.1:6381\r\n";
    struct redis_settings settings = peer_serve(fixture, answer_reads_as_told);
    peer_connect(fixture, &settings);
    struct test_read read;
    for (unsigned i = 0; i < 5; i++) {
        test_set_now(fixture->redis, "key", "value");
        assert_int_equal(test_get_now(fixture->redis, &read, "key"), REDIS_FAILED);
    }
    test_wait_for_state(fixture->redis, BREAKER_OPEN);
    struct redis_statistics statistics = peer_statistics(fixture);
    assert_int_equal(statistics.get_errors, 5);
    assert_int_equal(statistics.set_errors, 5);
    assert_non_null(strstr(statistics.trouble, "MOVED"));
}

static void answer_the_probe_and_go(struct redis_peer *peer, int fd)
{
    struct peer_command command;
    if (peer_hear(fd, &command))
        peer_say(fd, "+PONG\r\n");
    (void)peer;
}

static bool has_opened_three_times(void *context)
{
    return peer_statistics(context).opened >= 3;
}

static void who_goes_after_the_probe_is_not_tried_without_end(void **state)
{
    struct peer_fixture *fixture = *state;
    struct redis_settings settings = peer_serve(fixture, answer_the_probe_and_go);
    settings.breaker.open_min_ms = 200;
    fixture->redis = test_redis_start(&settings);
    int64_t began_ms = clock_monotonic_ms();
    test_wait(has_opened_three_times, fixture, "three times open");
    assert_true(clock_monotonic_ms() - began_ms >= (200 + 400) * 80 / 100);
    assert_in_range(atomic_load(&fixture->peer.connections), 3, 3 * 6);
}

static void go_when_told(struct redis_peer *peer, int fd)
{
    struct peer_fixture *fixture = peer->context;
    answer_the_probe_and_go(peer, fd);
    if (atomic_load(&peer->connections) > 1) {
        peer_hear_all(fd);
        return;
    }
    while (!atomic_load(&fixture->may_go_on) && !atomic_load(&peer->stopping))
        poll(NULL, 0, 1);
}

struct stood {
    struct peer_fixture *fixture;
    int64_t until_ms;
};

static bool has_stood_for_long(void *context)
{
    struct stood *stood = context;
    return clock_monotonic_ms() >= stood->until_ms;
}

static bool is_connected_again(void *context)
{
    return peer_statistics(context).connects > 1;
}

static void an_idle_connection_may_be_closed(void **state)
{
    struct peer_fixture *fixture = *state;
    struct redis_settings settings = peer_serve(fixture, go_when_told);
    settings.breaker.failures = 1;
    settings.breaker.open_min_ms = settings.breaker.open_max_ms = 100;
    peer_connect(fixture, &settings);
    struct stood stood = {fixture, clock_monotonic_ms() + 2 * settings.breaker.open_max_ms};
    test_wait(has_stood_for_long, &stood, "its time");
    atomic_store(&fixture->may_go_on, true);
    test_wait(is_connected_again, fixture, "another connection");
    struct redis_statistics statistics = peer_statistics(fixture);
    assert_int_equal(statistics.state, BREAKER_CLOSED);
    assert_int_equal(statistics.opened, 0);
    assert_string_equal(statistics.trouble, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PEER_TEST(who_lies_is_left),
        PEER_TEST(an_answer_to_nothing_is_a_lie),
        PEER_TEST(half_an_answer_is_none),
        PEER_TEST(an_answer_beyond_the_cap_is_not_taken),
        PEER_TEST(an_answer_without_end_takes_no_memory),
        PEER_TEST(an_answer_may_come_byte_by_byte),
        PEER_TEST(who_is_slow_is_not_used),
        PEER_TEST(who_does_not_let_in_is_left),
        PEER_TEST(a_handshake_can_be_stopped),
        PEER_TEST(who_answers_the_probe_with_an_error_is_not_used),
        PEER_TEST(errors_in_a_row_open_the_breaker_whatever_the_writes_do),
        PEER_TEST(who_goes_after_the_probe_is_not_tried_without_end),
        PEER_TEST(an_idle_connection_may_be_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
