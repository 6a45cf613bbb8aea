/*
 * The second level over a real Redis: what one node stored another finds, and of all that Redis
 * may hold nothing else is ever given.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "second_fixture.h"

enum { TTL_MS = 600000, LENGTH = 20, KEY_SCOPES = SCOPE_A | SCOPE_B };
static const uint64_t hash_key = 1, other_hash_key = 2;
static const struct cache_terms terms = {.scopes = KEY_SCOPES, .ttl_ms = TTL_MS};

/** Two nodes that share a Redis. What the first has stored, the second asks for. */
struct fixture {
    struct redis_fixture redis; /* the first node's */
    struct redis *reading;      /* the second one's */
    struct clock clock;         /* of both */
    struct second_level *writer, *reader;
    struct cache_vector vector;
    char text[TEST_KEY_SIZE];
    struct cache_key key;
};

static int setup(void **state)
{
    struct fixture *fixture = mem_zalloc(1, sizeof *fixture);
    redis_fixture_start(&fixture->redis, 0);
    struct redis_settings settings = test_redis_settings(fixture->redis.server.port);
    fixture->reading = test_redis_start(&settings);
    test_wait_for_state(fixture->reading, BREAKER_CLOSED);
    struct second_settings writer =
        second_test_settings(fixture->redis.redis, &fixture->clock, &hash_key);
    struct second_settings reader =
        second_test_settings(fixture->reading, &fixture->clock, &hash_key);
    fixture->writer = second_new(&writer);
    fixture->reader = second_new(&reader);
    fixture->vector = test_vector(INT64_C(1700000000000000), 2);
    fixture->key = test_key(7, fixture->text);
    *state = fixture;
    return 0;
}

/** Whatever was made has been freed. */
static int teardown(void **state)
{
    struct fixture *fixture = *state;
    redis_stop(fixture->redis.redis);
    redis_stop(fixture->reading);
    redis_server_stop(&fixture->redis.server);
    second_free(fixture->writer);
    second_free(fixture->reader);
    free(fixture);
    return second_values.made == second_values.freed && second_values.bytes == 0 ? 0 : -1;
}

static struct second_statistics counts_of(struct second_level *second)
{
    struct second_statistics statistics;
    second_statistics(second, &statistics);
    return statistics;
}

/** As the fixture's key, vector and terms say but for `number`; waits until it is there. */
static void put(struct fixture *fixture, const struct cache_key *key,
                const struct cache_vector *vector, int64_t number)
{
    struct cache_value *value = second_test_value(number, vector, LENGTH);
    uint64_t sets = test_statistics(fixture->redis.redis).sets;
    second_put(fixture->writer, key, &terms, vector, value);
    cache_value_unref(value);
    test_wait_for_sets(fixture->redis.redis, sets + 1);
}

/** The number of what is found, −1 for nothing; `ret_question` may be NULL. */
static int64_t found(struct second_level *second, const struct cache_key *key, unsigned scopes,
                     const struct cache_vector *vector, struct test_question *ret_question)
{
    struct test_question own, *question = ret_question ? ret_question : &own;
    assert_true(test_ask(second, question, key, scopes, vector));
    test_wait_for_question(question);
    assert_int_equal(question->answers, 1);
    if (!question->value)
        return -1;
    const struct test_value *value = test_value_of(question->value);
    assert_true(cache_vector_equal(&value->vector, vector, scopes));
    int64_t number = value->number;
    cache_value_unref(question->value);
    return number;
}

/** What is stored under the fixture's key and vector, and the name, in `question`. */
static void put_and_take(struct fixture *fixture, struct test_question *question,
                         struct buf *ret_bytes)
{
    put(fixture, &fixture->key, &fixture->vector, 5);
    assert_int_equal(found(fixture->reader, &fixture->key, KEY_SCOPES, &fixture->vector, question),
                     5);
    assert_true(test_stored(fixture->reading, question->question.name,
                            question->question.read.key_length, ret_bytes));
}

static void what_one_node_stores_another_finds(void **state)
{
    struct fixture *fixture = *state;
    struct test_question question;
    assert_int_equal(found(fixture->reader, &fixture->key, KEY_SCOPES, &fixture->vector, NULL), -1);
    put(fixture, &fixture->key, &fixture->vector, 41);
    assert_int_equal(found(fixture->reader, &fixture->key, KEY_SCOPES, &fixture->vector, &question),
                     41);
    assert_in_range(question.ttl_ms, TTL_MS - PATIENCE_MS, TTL_MS);
    assert_int_equal(counts_of(fixture->reader).hits, 1);
    assert_int_equal(counts_of(fixture->reader).misses, 1);
    assert_int_equal(counts_of(fixture->reader).refused, 0);
}

/** Redis drops it by itself, and not much later. */
static void what_is_stored_has_an_end_in_redis_too(void **state)
{
    struct fixture *fixture = *state;
    struct test_question question;
    char command[SECOND_NAME_MAX + 8], answer[40];
    put(fixture, &fixture->key, &fixture->vector, 1);
    assert_int_equal(found(fixture->reader, &fixture->key, KEY_SCOPES, &fixture->vector, &question),
                     1);
    snprintf(command, sizeof command, "PTTL %.*s", (int)question.question.read.key_length,
             question.question.name);
    redis_server_ask(&fixture->redis.server, command, answer, sizeof answer);
    assert_int_equal(answer[0], ':');
    assert_in_range(atoll(answer + 1), TTL_MS - PATIENCE_MS, TTL_MS);
}

static void values_of_any_length_come_back_as_they_were(void **state)
{
    struct fixture *fixture = *state;
    static const size_t lengths[] = {0, 1, 4096, 300000};
    enum { KEY_LENGTH = 5000 };
    AUTO_FREE char *text = mem_zalloc(1, KEY_LENGTH); /* of zeros */
    struct cache_key keys[] = {fixture->key, {"", 0, 1}, {text, KEY_LENGTH, 2}};
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        for (size_t j = 0; j < COUNT_OF(lengths); j++) {
            struct test_question question;
            struct cache_vector vector = test_vector((int64_t)j + 1, 0);
            struct cache_value *value = second_test_value((int64_t)j, &vector, lengths[j]);
            uint64_t sets = test_statistics(fixture->redis.redis).sets;
            second_put(fixture->writer, &keys[i], &terms, &vector, value);
            test_wait_for_sets(fixture->redis.redis, sets + 1);
            assert_true(test_ask(fixture->reader, &question, &keys[i], KEY_SCOPES, &vector));
            test_wait_for_question(&question);
            assert_non_null(question.value);
            assert_int_equal(question.value->bytes, value->bytes);
            assert_int_equal(test_value_of(question.value)->number, j);
            cache_value_unref(question.value);
            cache_value_unref(value);
        }
}

static void the_longest_names_have_room(void **state)
{
    struct fixture *fixture = *state;
    enum { EVERY_SCOPE = (1 << CACHE_SCOPES_MAX) - 1 };
    char space[SECOND_SPACE_MAX + 1];
    memset(space, 's', SECOND_SPACE_MAX);
    space[SECOND_SPACE_MAX] = '\0';
    struct second_settings settings =
        second_test_settings(fixture->redis.redis, &fixture->clock, &hash_key);
    settings.space = space;
    struct second_level *second = second_new(&settings);
    struct cache_terms all = {.scopes = EVERY_SCOPE, .ttl_ms = TTL_MS};
    struct cache_vector vector;
    for (int scope = 0; scope < CACHE_SCOPES_MAX; scope++)
        vector.of[scope] = INT64_MIN + scope; /* 16 digits */
    struct cache_value *value = second_test_value(3, &vector, LENGTH);
    second_put(second, &fixture->key, &all, &vector, value);
    cache_value_unref(value);
    test_wait_for_sets(fixture->redis.redis, 1);
    assert_int_equal(found(second, &fixture->key, EVERY_SCOPE, &vector, NULL), 3);
    vector.of[CACHE_SCOPES_MAX - 1]++;
    assert_int_equal(found(second, &fixture->key, EVERY_SCOPE, &vector, NULL), -1);
    second_free(second);
}

/* What is not found */

static void another_state_or_key_has_another_name(void **state)
{
    struct fixture *fixture = *state;
    char text[TEST_KEY_SIZE];
    struct cache_key other = test_key(8, text);
    struct cache_vector newer = fixture->vector, older = fixture->vector, beside = fixture->vector;
    newer.of[1]++;
    older.of[0]--;
    beside.of[2]++;
    put(fixture, &fixture->key, &fixture->vector, 1);
    struct second_level *reader = fixture->reader;
    assert_int_equal(found(reader, &fixture->key, KEY_SCOPES, &newer, NULL), -1);
    assert_int_equal(found(reader, &fixture->key, KEY_SCOPES, &older, NULL), -1);
    assert_int_equal(found(reader, &fixture->key, SCOPE_A, &fixture->vector, NULL), -1);
    assert_int_equal(found(reader, &fixture->key, SCOPE_B, &fixture->vector, NULL), -1);
    assert_int_equal(found(reader, &other, KEY_SCOPES, &fixture->vector, NULL), -1);
    assert_int_equal(counts_of(reader).refused, 0);
    assert_int_equal(counts_of(reader).misses, 5);
    /* What happens in a scope that it does not depend on does not matter. */
    assert_int_equal(found(reader, &fixture->key, KEY_SCOPES, &beside, NULL), 1);
}

/** One of another program or register: nothing is found, nor believed if somebody moves it there.
 */
static void assert_foreign(struct fixture *fixture, const struct second_settings *settings)
{
    AUTO_BUF struct buf bytes;
    struct test_question ours, theirs;
    struct second_level *foreign = second_new(settings);
    buf_init(&bytes, TEST_STORED_MAX);
    put_and_take(fixture, &ours, &bytes);
    assert_int_equal(found(foreign, &fixture->key, KEY_SCOPES, &fixture->vector, &theirs), -1);
    assert_int_equal(counts_of(foreign).refused, 0);
    test_store(fixture->reading, theirs.question.name, theirs.question.read.key_length, bytes.data,
               bytes.length);
    assert_int_equal(found(foreign, &fixture->key, KEY_SCOPES, &fixture->vector, NULL), -1);
    assert_int_equal(counts_of(foreign).refused, 1);
    second_free(foreign);
}

static void who_lives_in_another_space_finds_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct second_settings settings =
        second_test_settings(fixture->reading, &fixture->clock, &hash_key);
    settings.space = "test:2";
    assert_foreign(fixture, &settings);
}

static void who_has_another_secret_finds_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct second_settings settings =
        second_test_settings(fixture->reading, &fixture->clock, &other_hash_key);
    assert_foreign(fixture, &settings);
}

/** `bytes` under the name of `question`: refused, and counted. */
static void assert_refused(struct fixture *fixture, const struct test_question *question,
                           const char *bytes, size_t length)
{
    struct second_statistics before = counts_of(fixture->reader);
    test_store(fixture->reading, question->question.name, question->question.read.key_length, bytes,
               length);
    assert_int_equal(found(fixture->reader, &fixture->key, KEY_SCOPES, &fixture->vector, NULL), -1);
    struct second_statistics after = counts_of(fixture->reader);
    assert_int_equal(after.refused, before.refused + 1);
    assert_int_equal(after.misses, before.misses + 1);
    assert_int_equal(after.hits, before.hits);
}

static void a_value_with_any_byte_changed_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t changes[] = {0x01, 0x80, 0xff};
    AUTO_BUF struct buf bytes;
    struct test_question question;
    buf_init(&bytes, TEST_STORED_MAX);
    put_and_take(fixture, &question, &bytes);
    for (size_t at = 0; at < bytes.length; at++)
        for (size_t i = 0; i < COUNT_OF(changes); i++) {
            bytes.data[at] ^= (char)changes[i];
            assert_refused(fixture, &question, bytes.data, bytes.length);
            bytes.data[at] ^= (char)changes[i];
        }
    print_message("# figure: second level: each of %zu bytes changed in %zu ways, none given\n",
                  bytes.length, COUNT_OF(changes));
    test_store(fixture->reading, question.question.name, question.question.read.key_length,
               bytes.data, bytes.length);
    assert_int_equal(found(fixture->reader, &fixture->key, KEY_SCOPES, &fixture->vector, NULL), 5);
}

static void a_value_that_is_cut_or_has_more_is_refused(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUF struct buf bytes;
    struct test_question question;
    buf_init(&bytes, TEST_STORED_MAX);
    put_and_take(fixture, &question, &bytes);
    size_t length = bytes.length;
    AUTO_FREE char *again = mem_alloc(length);
    memcpy(again, bytes.data, length);
    buf_put(&bytes, again, length);
    for (size_t cut = 0; cut <= bytes.length; cut++)
        if (cut != length)
            assert_refused(fixture, &question, bytes.data, cut);
    for (size_t first = 1; first < length; first++)
        assert_refused(fixture, &question, bytes.data + first, length - first);
}

/** Each of them is genuine where it belongs. */
static void values_that_change_places_are_refused(void **state)
{
    struct fixture *fixture = *state;
    enum { PLACES = 3 };
    AUTO_BUF struct buf bytes;
    char text[TEST_KEY_SIZE];
    struct cache_vector newer = fixture->vector;
    newer.of[0]++;
    const struct place {
        struct cache_key key;
        struct cache_vector vector;
    } places[PLACES] = {{fixture->key, fixture->vector},
                        {fixture->key, newer}, /* the same thing, later */
                        {test_key(8, text), fixture->vector}};
    struct test_question questions[PLACES];
    buf_init(&bytes, TEST_STORED_MAX);
    for (int from = 0; from < PLACES; from++)
        for (int to = 0; to < PLACES; to++) {
            for (int i = 0; i < PLACES; i++) {
                put(fixture, &places[i].key, &places[i].vector, i);
                assert_int_equal(found(fixture->reader, &places[i].key, KEY_SCOPES,
                                       &places[i].vector, &questions[i]),
                                 i);
            }
            uint64_t refused = counts_of(fixture->reader).refused;
            const struct second_question *source = &questions[from].question,
                                         *target = &questions[to].question;
            assert_true(
                test_stored(fixture->reading, source->name, source->read.key_length, &bytes));
            test_store(fixture->reading, target->name, target->read.key_length, bytes.data,
                       bytes.length);
            assert_int_equal(
                found(fixture->reader, &places[to].key, KEY_SCOPES, &places[to].vector, NULL),
                from == to ? to : -1);
            assert_int_equal(counts_of(fixture->reader).refused, refused + (from != to));
        }
}

static struct cache_value *unpack_nothing(const char *bytes, size_t length)
{
    (void)bytes, (void)length;
    return NULL;
}

static void what_cannot_be_unpacked_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct second_settings settings =
        second_test_settings(fixture->reading, &fixture->clock, &hash_key);
    settings.codec.unpack = unpack_nothing;
    struct second_level *reader = second_new(&settings);
    put(fixture, &fixture->key, &fixture->vector, 1);
    assert_int_equal(found(reader, &fixture->key, KEY_SCOPES, &fixture->vector, NULL), -1);
    assert_int_equal(counts_of(reader).refused, 1);
    second_free(reader);
}

/* Time and size */

static void what_is_too_old_is_not_given_whatever_redis_says(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUF struct buf bytes;
    struct test_question question;
    buf_init(&bytes, TEST_STORED_MAX);
    put_and_take(fixture, &question, &bytes);
    fixture->clock.offset_ms = TTL_MS / 2;
    assert_int_equal(found(fixture->reader, &fixture->key, KEY_SCOPES, &fixture->vector, &question),
                     5);
    assert_in_range(question.ttl_ms, 1, TTL_MS / 2);
    fixture->clock.offset_ms = TTL_MS;
    assert_int_equal(found(fixture->reader, &fixture->key, KEY_SCOPES, &fixture->vector, NULL), -1);
    assert_true(test_stored(fixture->reading, question.question.name,
                            question.question.read.key_length, &bytes));
    assert_int_equal(counts_of(fixture->reader).expired, 1);
    assert_int_equal(counts_of(fixture->reader).refused, 0);
}

static struct redis_statistics redis_counts(struct fixture *fixture)
{
    return test_statistics(fixture->redis.redis);
}

static bool writes_nothing(void *context)
{
    return redis_counts(context).writing == 0;
}

static void what_has_no_time_left_is_not_stored(void **state)
{
    struct fixture *fixture = *state;
    struct cache_terms none = {.scopes = KEY_SCOPES, .ttl_ms = 0};
    struct cache_value *value = second_test_value(1, &fixture->vector, LENGTH);
    second_put(fixture->writer, &fixture->key, &none, &fixture->vector, value);
    cache_value_unref(value);
    test_wait(writes_nothing, fixture, "the end of a write");
    assert_int_equal(redis_counts(fixture).sets, 0);
    assert_int_equal(found(fixture->reader, &fixture->key, KEY_SCOPES, &fixture->vector, NULL), -1);
}

static void what_is_too_large_is_not_stored_and_counted(void **state)
{
    struct fixture *fixture = *state;
    struct cache_value *value = second_test_value(1, &fixture->vector, 1000);
    struct second_settings settings =
        second_test_settings(fixture->redis.redis, &fixture->clock, &hash_key);
    settings.value_max_bytes = value->bytes - 1;
    struct second_level *tight = second_new(&settings);
    settings.value_max_bytes = value->bytes;
    struct second_level *just = second_new(&settings);
    second_put(tight, &fixture->key, &terms, &fixture->vector, value);
    test_wait(writes_nothing, fixture, "the end of a write");
    assert_int_equal(counts_of(tight).too_large, 1);
    assert_int_equal(redis_counts(fixture).sets, 0);
    second_put(just, &fixture->key, &terms, &fixture->vector, value);
    test_wait_for_sets(fixture->redis.redis, 1);
    assert_int_equal(counts_of(just).too_large, 0);
    assert_int_equal(found(just, &fixture->key, KEY_SCOPES, &fixture->vector, NULL), 1);
    cache_value_unref(value);
    second_free(tight);
    second_free(just);
}

/* Without Redis */

static void without_redis_nothing_is_asked_and_nothing_is_kept(void **state)
{
    struct fixture *fixture = *state;
    struct redis_settings nobody = test_redis_settings(test_free_port());
    struct redis *redis = test_redis_start(&nobody);
    struct second_settings settings = second_test_settings(redis, &fixture->clock, &hash_key);
    struct second_level *second = second_new(&settings);
    struct cache_value *value = second_test_value(1, &fixture->vector, LENGTH);
    struct test_question question;
    second_put(second, &fixture->key, &terms, &fixture->vector, value);
    assert_int_equal(value->references, 1);
    cache_value_unref(value);
    assert_false(test_ask(second, &question, &fixture->key, KEY_SCOPES, &fixture->vector));
    redis_stop(redis);
    assert_int_equal(question.answers, 0);
    second_free(second);
}

static void each_question_is_answered_once_whatever_becomes_of_redis(void **state)
{
    enum { QUESTIONS = 200 };
    static struct test_question questions[QUESTIONS];
    struct fixture *fixture = *state;
    size_t asked = 0;
    put(fixture, &fixture->key, &fixture->vector, 1);
    struct redis_settings quick = test_redis_settings(fixture->redis.server.port);
    quick.limit_ms = 100;
    struct redis *redis = test_redis_start(&quick);
    test_wait_for_state(redis, BREAKER_CLOSED);
    struct second_settings settings = second_test_settings(redis, &fixture->clock, &hash_key);
    struct second_level *second = second_new(&settings);
    redis_server_signal(&fixture->redis.server, SIGSTOP);
    while (asked < QUESTIONS / 2 &&
           test_ask(second, &questions[asked], &fixture->key, KEY_SCOPES, &fixture->vector))
        asked++;
    assert_true(asked > 0);
    for (size_t i = 0; i < asked; i++)
        test_wait_for_question(&questions[i]); /* too late */
    redis_server_signal(&fixture->redis.server, SIGCONT);
    test_wait_for_state(redis, BREAKER_CLOSED);
    size_t late = asked;
    while (asked < QUESTIONS &&
           test_ask(second, &questions[asked], &fixture->key, KEY_SCOPES, &fixture->vector))
        asked++;
    assert_true(asked > late);
    redis_stop(redis); /* with them under way */
    for (size_t i = 0; i < asked; i++) {
        assert_int_equal(questions[i].answers, 1);
        assert_true(i >= late || !questions[i].value);
        cache_value_unref(questions[i].value);
    }
    second_free(second);
}

#define SECOND_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SECOND_TEST(what_one_node_stores_another_finds),
        SECOND_TEST(what_is_stored_has_an_end_in_redis_too),
        SECOND_TEST(values_of_any_length_come_back_as_they_were),
        SECOND_TEST(the_longest_names_have_room),
        SECOND_TEST(another_state_or_key_has_another_name),
        SECOND_TEST(who_lives_in_another_space_finds_nothing),
        SECOND_TEST(who_has_another_secret_finds_nothing),
        SECOND_TEST(a_value_with_any_byte_changed_is_refused),
        SECOND_TEST(a_value_that_is_cut_or_has_more_is_refused),
        SECOND_TEST(values_that_change_places_are_refused),
        SECOND_TEST(what_cannot_be_unpacked_is_refused),
        SECOND_TEST(what_is_too_old_is_not_given_whatever_redis_says),
        SECOND_TEST(what_has_no_time_left_is_not_stored),
        SECOND_TEST(what_is_too_large_is_not_stored_and_counted),
        SECOND_TEST(without_redis_nothing_is_asked_and_nothing_is_kept),
        SECOND_TEST(each_question_is_answered_once_whatever_becomes_of_redis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
