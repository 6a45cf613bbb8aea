/*
 * The connection to Redis, used by many threads at a time and by its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "redis_fixture.h"

enum { READERS = 8, READS_EACH = 250 };

struct reader {
    struct redis *redis;
    unsigned number;
    struct test_read reads[READS_EACH];
    pthread_t thread;
};

static void *ask_for_all(void *context)
{
    struct reader *reader = context;
    for (unsigned i = 0; i < READS_EACH; i++) {
        char key[32];
        snprintf(key, sizeof key, "key-%u", reader->number * READS_EACH + i);
        if (!test_get(reader->redis, &reader->reads[i], key))
            break;
    }
    return NULL;
}

static void everyone_gets_their_own_value(void **state)
{
    struct redis_fixture *fixture = *state;
    redis_fixture_start(fixture, 0);
    static struct test_write writes[READERS * READS_EACH];
    for (unsigned i = 0; i < READERS * READS_EACH; i++) {
        char key[32];
        snprintf(key, sizeof key, "key-%u", i);
        assert_true(test_set(fixture->redis, &writes[i], key, writes[i].key, strlen(key)));
    }
    for (unsigned i = 0; i < READERS * READS_EACH; i++)
        test_wait_until_done(&writes[i]);
    struct reader *readers = mem_zalloc(READERS, sizeof *readers);
    int64_t began_us = clock_monotonic_us();
    for (unsigned i = 0; i < READERS; i++) {
        readers[i].redis = fixture->redis;
        readers[i].number = i;
        assert_int_equal(pthread_create(&readers[i].thread, NULL, ask_for_all, &readers[i]), 0);
    }
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(readers[i].thread, NULL);
    for (unsigned i = 0; i < READERS * READS_EACH; i++) {
        struct test_read *read = &readers[i / READS_EACH].reads[i % READS_EACH];
        test_wait_for_answer(read);
        assert_int_equal(read->result, REDIS_FOUND);
        assert_string_equal(read->value, read->key);
    }
    printf("# figure: %d reads from %d threads at a time: %.1f ms\n", READERS * READS_EACH, READERS,
           (double)(clock_monotonic_us() - began_us) / 1000);
    for (unsigned i = 0; i < READERS * READS_EACH; i++)
        assert_int_equal(atomic_load(&readers[i / READS_EACH].reads[i % READS_EACH].answers), 1);
    free(readers);
    struct redis_statistics statistics = test_statistics(fixture->redis);
    assert_int_equal(statistics.gets, READERS * READS_EACH);
    assert_int_equal(statistics.found, READERS * READS_EACH);
    assert_int_equal(statistics.reading, 0);
}

/** Each answer asks for the next, and writes. */
struct chain {
    struct redis_read read; /* first */
    struct redis *redis;
    struct test_write writes[3];
    unsigned links;
    atomic_bool broke;
    atomic_uint ended;
};

static void ask_again(struct redis_read *base, enum redis_result result, const char *value,
                      size_t length)
{
    struct chain *chain = (struct chain *)base;
    (void)value, (void)length;
    if (chain->links == COUNT_OF(chain->writes)) {
        atomic_store(&chain->ended, 1);
        return;
    }
    bool goes_on = result == REDIS_ABSENT &&
                   test_set(chain->redis, &chain->writes[chain->links++], "key", "value", 5) &&
                   redis_get(chain->redis, base);
    if (!goes_on)
        atomic_store(&chain->broke, true);
}

static bool has_ended(void *context)
{
    struct chain *chain = context;
    return atomic_load(&chain->ended) || atomic_load(&chain->broke);
}

static void who_is_answered_may_ask_and_write(void **state)
{
    struct redis_fixture *fixture = *state;
    redis_fixture_start(fixture, 0);
    static struct chain chain;
    chain = (struct chain){.redis = fixture->redis,
                           .read = {.key = "absent", .key_length = 6, .answered = ask_again}};
    assert_true(redis_get(fixture->redis, &chain.read));
    test_wait(has_ended, &chain, "the end of the chain");
    assert_false(atomic_load(&chain.broke));
    for (unsigned i = 0; i < COUNT_OF(chain.writes); i++)
        test_wait_until_done(&chain.writes[i]);
}

enum { LOADERS = 4, KEYS = 50, COMINGS = 3 };

/** Threads that ask and write as fast as they can. */
struct load {
    struct redis *redis;
    atomic_bool stops;
    atomic_uint_fast64_t asked, answered, found, wrong, written, done;
};

struct load_read {
    struct redis_read read; /* first */
    struct load *load;
    char key[16];
};

struct load_write {
    struct redis_write write; /* first */
    struct load *load;
    char key[16];
};

static void load_answered(struct redis_read *base, enum redis_result result, const char *value,
                          size_t length)
{
    struct load_read *read = (struct load_read *)base;
    if (result == REDIS_FOUND)
        atomic_fetch_add(&read->load->found, 1);
    if (result == REDIS_FOUND &&
        (length != strlen(read->key) || memcmp(value, read->key, length) != 0))
        atomic_fetch_add(&read->load->wrong, 1);
    atomic_fetch_add(&read->load->answered, 1);
    free(read);
}

static int64_t load_pack(struct redis_write *base, struct buf *key, struct buf *value)
{
    struct load_write *write = (struct load_write *)base;
    buf_puts(key, write->key);
    buf_puts(value, write->key);
    return 60000;
}

static void load_done(struct redis_write *base)
{
    struct load_write *write = (struct load_write *)base;
    atomic_fetch_add(&write->load->done, 1);
    free(write);
}

static void *ask_and_write(void *context)
{
    struct load *load = context;
    for (unsigned i = 0; !atomic_load(&load->stops); i++) {
        struct load_read *read = mem_zalloc(1, sizeof *read);
        read->load = load;
        read->read.answered = load_answered;
        read->read.key_length = (size_t)snprintf(read->key, sizeof read->key, "key-%u", i % KEYS);
        read->read.key = read->key;
        atomic_fetch_add(&load->asked, 1);
        if (!redis_get(load->redis, &read->read)) {
            atomic_fetch_sub(&load->asked, 1);
            free(read);
            sched_yield();
        }
        struct load_write *write = mem_zalloc(1, sizeof *write);
        write->load = load;
        write->write =
            (struct redis_write){.bytes = sizeof write->key, .pack = load_pack, .done = load_done};
        snprintf(write->key, sizeof write->key, "key-%u", i % KEYS);
        atomic_fetch_add(&load->written, 1);
        if (!redis_set(load->redis, &write->write)) {
            atomic_fetch_sub(&load->written, 1);
            free(write);
        }
    }
    return NULL;
}

static bool finds_more(void *context)
{
    struct load *load = context;
    return atomic_exchange(&load->found, 0) > 0;
}

static void under_load_each_is_answered_once_while_redis_comes_and_goes(void **state)
{
    struct redis_fixture *fixture = *state;
    redis_fixture_start(fixture, 0);
    static struct load load;
    load = (struct load){.redis = fixture->redis};
    pthread_t threads[LOADERS];
    for (unsigned i = 0; i < LOADERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_and_write, &load), 0);
    for (unsigned i = 0; i < COMINGS; i++) {
        test_wait(finds_more, &load, "something found");
        redis_server_kill(&fixture->server);
        test_wait_for_state(fixture->redis, BREAKER_OPEN);
        redis_server_restart(&fixture->server);
        test_wait_for_state(fixture->redis, BREAKER_CLOSED);
        finds_more(&load);
    }
    test_wait(finds_more, &load, "something found at the end");
    atomic_store(&load.stops, true);
    for (unsigned i = 0; i < LOADERS; i++)
        pthread_join(threads[i], NULL);
    redis_stop(fixture->redis);
    fixture->redis = NULL;
    printf("# figure: %" PRIuFAST64 " reads and %" PRIuFAST64
           " writes while Redis came and went %d times\n",
           atomic_load(&load.asked), atomic_load(&load.written), COMINGS);
    assert_int_equal(atomic_load(&load.wrong), 0);
    assert_int_equal(atomic_load(&load.answered), atomic_load(&load.asked));
    assert_int_equal(atomic_load(&load.done), atomic_load(&load.written));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REDIS_TEST(everyone_gets_their_own_value),
        REDIS_TEST(who_is_answered_may_ask_and_write),
        REDIS_TEST(under_load_each_is_answered_once_while_redis_comes_and_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
