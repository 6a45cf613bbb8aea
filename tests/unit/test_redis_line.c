/*
 * The connection to Redis: how much may wait for it, in which order it goes, and whose an answer is
 * that comes late.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <string.h>

#include "base/mem.h"
#include "redis_peer.h"

enum { SLOW_MS = 200, GIVEN_UP_MS = 1000 };

static void answer_the_first_with_the_second(struct redis_peer *peer, int fd)
{
    struct peer_fixture *fixture = peer->context;
    struct peer_command command;
    for (int i = 0; i < 2; i++) {
        if (!peer_hear_in_earnest(fd, &command))
            return;
        atomic_fetch_add(&fixture->heard, 1);
    }
    peer_say(fd, "$5\r\nfirst\r\n$6\r\nsecond\r\n");
    peer_hear_all(fd);
}

static void a_late_answer_is_given_to_nobody(void **state)
{
    struct peer_fixture *fixture = *state;
    struct redis_settings settings = peer_serve(fixture, answer_the_first_with_the_second);
    settings.limit_ms = GIVEN_UP_MS;
    peer_connect(fixture, &settings);
    static struct test_read first, second;
    assert_int_equal(test_get_now(fixture->redis, &first, "first"), REDIS_FAILED);
    assert_int_equal(test_get_now(fixture->redis, &second, "second"), REDIS_FOUND);
    assert_string_equal(second.value, "second");
    assert_int_equal(atomic_load(&first.answers), 1);
    struct redis_statistics statistics = peer_statistics(fixture);
    assert_int_equal(statistics.get_timeouts, 1);
    assert_int_equal(statistics.found, 1);
    assert_int_equal(statistics.reading, 0);
}

static void answer_probes_alone(struct redis_peer *peer, int fd)
{
    struct peer_command command;
    (void)peer;
    if (peer_hear_in_earnest(fd, &command))
        peer_hear_all(fd);
}

static void more_than_the_most_is_refused(void **state)
{
    struct peer_fixture *fixture = *state;
    enum { MOST = 10, BYTES = 1000 };
    static const char value[BYTES];
    static struct test_read reads[MOST + 1];
    static struct test_write writes[MOST + 1], large;
    struct redis_settings settings = peer_serve(fixture, answer_probes_alone);
    settings.reads_max = settings.writes_max = MOST;
    settings.writes_max_bytes = MOST * BYTES;
    peer_connect(fixture, &settings);
    for (unsigned i = 0; i < MOST; i++)
        assert_true(test_get(fixture->redis, &reads[i], "key"));
    assert_false(test_get(fixture->redis, &reads[MOST], "key"));
    assert_int_equal(peer_statistics(fixture).refused, 1);
    for (unsigned i = 0; i < MOST - 1; i++)
        assert_true(test_set(fixture->redis, &writes[i], "key", value, BYTES));
    assert_false(test_set(fixture->redis, &large, "key", value, BYTES + 1));
    assert_true(test_set(fixture->redis, &writes[MOST - 1], "key", value, 0));
    assert_false(test_set(fixture->redis, &writes[MOST], "key", value, 0));
    struct redis_statistics statistics = peer_statistics(fixture);
    assert_int_equal(statistics.reading, MOST);
    assert_int_equal(statistics.writing, MOST);
    assert_int_equal(statistics.writing_bytes, (MOST - 1) * BYTES);
    assert_int_equal(statistics.dropped, 2);
    peer_end(fixture);
    for (unsigned i = 0; i < MOST; i++) {
        assert_int_equal(atomic_load(&reads[i].answers), 1);
        assert_int_equal(atomic_load(&writes[i].done), 1);
    }
    assert_int_equal(atomic_load(&reads[MOST].answers), 0);
    assert_int_equal(atomic_load(&writes[MOST].done), 0);
    assert_int_equal(atomic_load(&large.done), 0);
}

static void reads_that_were_given_up_count_until_they_are_answered(void **state)
{
    struct peer_fixture *fixture = *state;
    static struct test_read reads[3];
    struct redis_settings settings = peer_serve(fixture, answer_probes_alone);
    settings.limit_ms = GIVEN_UP_MS;
    settings.reads_max = 2;
    settings.breaker.failures = 100;
    peer_connect(fixture, &settings);
    for (unsigned i = 0; i < 2; i++)
        assert_true(test_get(fixture->redis, &reads[i], "key"));
    for (unsigned i = 0; i < 2; i++)
        test_wait_for_answer(&reads[i]);
    assert_int_equal(peer_statistics(fixture).reading, 0);
    assert_false(test_get(fixture->redis, &reads[2], "key"));
}

enum { WRITES = 64, WRITE_BYTES = 64 * 1024, WRITES_ON_THE_WIRE = 1024 * 1024 / WRITE_BYTES };

/** Answers nothing until it has heard as many writes as there may be, and then a read. */
static void answer_writes_after_a_read(struct redis_peer *peer, int fd)
{
    struct peer_fixture *fixture = peer->context;
    struct peer_command command;
    do {
        if (atomic_load(&fixture->heard) == WRITES_ON_THE_WIRE) {
            struct pollfd more = {.fd = fd, .events = POLLIN};
            atomic_store(&fixture->sent, (size_t)poll(&more, 1, SLOW_MS));
            atomic_store(&fixture->may_go_on, true);
        }
        if (!peer_hear_in_earnest(fd, &command))
            return;
        atomic_fetch_add(&fixture->heard, 1);
    } while (strcmp(command.words[0], "SET") == 0);
    for (unsigned i = atomic_load(&fixture->heard); i > 1; i--)
        peer_say(fd, "+OK\r\n");
    peer_say(fd, "$-1\r\n");
    while (peer_hear_in_earnest(fd, &command))
        peer_say(fd, "+OK\r\n");
}

static bool may_go_on(void *context)
{
    struct peer_fixture *fixture = context;
    return atomic_load(&fixture->may_go_on);
}

static void reads_pass_the_writes_that_wait(void **state)
{
    struct peer_fixture *fixture = *state;
    AUTO_FREE char *value = mem_zalloc(1, WRITE_BYTES);
    static struct test_write writes[WRITES];
    struct test_read read;
    struct redis_settings settings = peer_serve(fixture, answer_writes_after_a_read);
    peer_connect(fixture, &settings);
    for (unsigned i = 0; i < WRITES; i++)
        assert_true(test_set(fixture->redis, &writes[i], "key", value, WRITE_BYTES));
    test_wait(may_go_on, fixture, "as many writes as there may be");
    assert_int_equal(atomic_load(&fixture->sent), 0); /* and no more */
    assert_int_equal(test_get_now(fixture->redis, &read, "key"), REDIS_ABSENT);
    assert_int_equal(atomic_load(&fixture->heard), WRITES_ON_THE_WIRE + 1);
    for (unsigned i = 0; i < WRITES; i++)
        test_wait_until_done(&writes[i]);
    struct redis_statistics statistics = peer_statistics(fixture);
    assert_int_equal(statistics.sets, WRITES);
    assert_int_equal(statistics.dropped, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PEER_TEST(a_late_answer_is_given_to_nobody),
        PEER_TEST(more_than_the_most_is_refused),
        PEER_TEST(reads_that_were_given_up_count_until_they_are_answered),
        PEER_TEST(reads_pass_the_writes_that_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
