/*
 * The first level: what it keeps, what it gives up and why, and that it never takes more than it
 * may. How well it chooses is measured in test_cache_eviction.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <malloc.h>
#include <string.h>

#include "base/mem.h"
#include "cache_fixture.h"

enum { FRESH_MS = 1000, NOW_MS = 1000000, TTL_MS = 100000, VALUE_BYTES = 1000 };
static const struct cache_terms terms = {.scopes = SCOPE_A, .ttl_ms = TTL_MS};

struct fixture {
    struct generations *k;
    struct memory *memory;
    struct test_values values;
    char text[TEST_KEY_SIZE];
};

static void start(struct fixture *fixture, size_t max_bytes)
{
    *fixture = (struct fixture){.k = generations_new(FRESH_MS, 0)};
    fixture->memory = memory_new(max_bytes, fixture->k);
}

/** Every value was destroyed, and none twice: that would have crashed. */
static void stop(struct fixture *fixture)
{
    memory_free(fixture->memory);
    generations_free(fixture->k);
    assert_int_equal(fixture->values.freed, fixture->values.made);
}

static struct memory_statistics statistics_of(const struct fixture *fixture)
{
    struct memory_statistics statistics;
    memory_statistics(fixture->memory, &statistics);
    return statistics;
}

/** Put a value that only the memory has a reference of, and destroy what had to go. */
static bool put_for(struct fixture *fixture, uint64_t number, int64_t generation, int64_t now_ms,
                    size_t bytes)
{
    struct cache_key key = test_key(number, fixture->text);
    struct cache_vector vector = test_vector(generation, 0);
    struct test_value *value = test_value_new(&fixture->values, bytes);
    value->number = (int64_t)number;
    value->vector = vector;
    bool stored = memory_put(fixture->memory, &key, &terms, &vector, now_ms, &value->value);
    cache_value_unref(&value->value);
    test_values_bury(memory_take_dead(fixture->memory));
    return stored;
}

static bool put(struct fixture *fixture, uint64_t number, int64_t generation)
{
    return put_for(fixture, number, generation, NOW_MS, VALUE_BYTES);
}

static struct test_value *get_at(struct fixture *fixture, uint64_t number, int64_t now_ms)
{
    struct cache_key key = test_key(number, fixture->text);
    struct cache_value *value = memory_get(fixture->memory, &key, now_ms);
    test_values_bury(memory_take_dead(fixture->memory));
    if (value)
        assert_int_equal(test_value_of(value)->number, number);
    return test_value_of(value);
}

static bool has(struct fixture *fixture, uint64_t number)
{
    return get_at(fixture, number, NOW_MS) != NULL;
}

static void raise_to(struct fixture *fixture, unsigned scopes, int64_t generation)
{
    struct cache_vector vector = test_vector(generation, generation);
    generations_raise(fixture->k, scopes, &vector);
}

static void what_was_put_is_given(void **state)
{
    enum { COUNT = 10000 };
    struct fixture fixture;
    (void)state;
    start(&fixture, 64 << 20);
    for (uint64_t i = 0; i < COUNT; i++)
        assert_true(put(&fixture, i, 1));
    for (uint64_t i = 0; i < COUNT; i++)
        assert_true(has(&fixture, i));
    assert_false(has(&fixture, COUNT));
    assert_int_equal(statistics_of(&fixture).entries, COUNT);
    assert_int_equal(fixture.values.freed, 0);
    stop(&fixture);
}

static void texts_of_one_hash_are_told_apart(void **state)
{
    struct fixture fixture;
    (void)state;
    start(&fixture, 1 << 20);
    static const char *const texts[] = {"a", "b", "aa"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct cache_key key = {.text = texts[i], .length = strlen(texts[i]), .hash = 7};
        struct cache_vector vector = test_vector(1, 0);
        struct test_value *value = test_value_new(&fixture.values, VALUE_BYTES);
        value->number = (int64_t)i;
        assert_null(memory_get(fixture.memory, &key, NOW_MS));
        assert_true(memory_put(fixture.memory, &key, &terms, &vector, NOW_MS, &value->value));
        cache_value_unref(&value->value);
    }
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct cache_key key = {.text = texts[i], .length = strlen(texts[i]), .hash = 7};
        assert_int_equal(test_value_of(memory_get(fixture.memory, &key, NOW_MS))->number, i);
    }
    stop(&fixture);
}

/* The budget */

enum { KEY_LENGTH_MAX = 400 };

static struct cache_key long_key(uint64_t number, char text[KEY_LENGTH_MAX])
{
    size_t length = sizeof number + test_mix(number) % (KEY_LENGTH_MAX - sizeof number);
    memset(text, 'k', length);
    memcpy(text, &number, sizeof number);
    return (struct cache_key){.text = text, .length = length, .hash = test_mix(number + 1)};
}

/** What an entry with such a key takes besides its value. */
static size_t measure_entry(size_t key_length)
{
    static const char text[KEY_LENGTH_MAX];
    struct fixture probe;
    start(&probe, 1 << 20);
    struct cache_key key = {.text = text, .length = key_length, .hash = 1};
    struct cache_vector vector = test_vector(1, 0);
    struct test_value *value = test_value_new(&probe.values, VALUE_BYTES);
    size_t before = statistics_of(&probe).bytes;
    assert_true(memory_put(probe.memory, &key, &terms, &vector, NOW_MS, &value->value));
    size_t bytes = statistics_of(&probe).bytes - before - VALUE_BYTES;
    cache_value_unref(&value->value);
    stop(&probe);
    return bytes;
}

/** Random keys, some more often than others, sizes, writes, and time that passes. */
struct workload {
    struct fixture fixture;
    uint64_t keys, step_ms, steps_per_write;
    uint64_t random;
    int64_t now_ms, generation;
    size_t empty_bytes, entry_bytes[KEY_LENGTH_MAX];
};

static void workload_start(struct workload *workload, size_t max_bytes)
{
    workload->random = 42;
    workload->now_ms = NOW_MS;
    workload->generation = 1;
    start(&workload->fixture, max_bytes);
    workload->empty_bytes = statistics_of(&workload->fixture).bytes;
    for (size_t length = 0; length < KEY_LENGTH_MAX; length++)
        workload->entry_bytes[length] = measure_entry(length);
}

static void workload_put(struct workload *workload, const struct cache_key *key)
{
    enum { SMALLEST = 300, LARGEST = 3000 };
    struct fixture *fixture = &workload->fixture;
    struct cache_vector vector = test_vector(workload->generation, 0);
    size_t bytes = SMALLEST + test_random(&workload->random) % (LARGEST - SMALLEST);
    struct test_value *value = test_value_new(&fixture->values, bytes);
    test_value_add_bytes(value, workload->entry_bytes[key->length]);
    value->number = workload->generation;
    assert_true(memory_put(fixture->memory, key, &terms, &vector, workload->now_ms, &value->value));
    cache_value_unref(&value->value);
}

static void workload_step(struct workload *workload)
{
    char text[KEY_LENGTH_MAX];
    struct fixture *fixture = &workload->fixture;
    uint64_t *random = &workload->random, most = test_random(random) % workload->keys + 1;
    workload->now_ms += (int64_t)workload->step_ms;
    if (test_random(random) % workload->steps_per_write == 0)
        raise_to(fixture, SCOPE_A, ++workload->generation);
    struct cache_key key = long_key(test_random(random) % most, text);
    struct cache_value *found = memory_get(fixture->memory, &key, workload->now_ms);
    if (found)
        assert_int_equal(test_value_of(found)->number, workload->generation);
    else
        workload_put(workload, &key);
    test_values_bury(memory_take_dead(fixture->memory));
}

/* So few entries that the tables keep their first size. */
static void the_bytes_are_those_of_values_and_keys(void **state)
{
    enum { STEPS = 30000, MAX_BYTES = 24 << 10 };
    static struct workload workload = {.keys = 60, .step_ms = 1000, .steps_per_write = 500};
    (void)state;
    workload_start(&workload, MAX_BYTES);
    for (int i = 0; i < STEPS; i++) {
        workload_step(&workload);
        struct memory_statistics statistics = statistics_of(&workload.fixture);
        assert_in_range(statistics.bytes, 1, MAX_BYTES);
        assert_int_equal(statistics.bytes, workload.empty_bytes + workload.fixture.values.bytes);
        assert_int_equal(statistics.entries,
                         workload.fixture.values.made - workload.fixture.values.freed);
    }
    struct memory_statistics statistics = statistics_of(&workload.fixture);
    for (int why = 0; why < MEMORY_LOSSES; why++)
        assert_true(why == LOST_REPLACED || statistics.lost[why] > 0);
    stop(&workload.fixture);
}

static void the_budget_holds_while_tables_grow(void **state)
{
    enum { STEPS = 300000, MAX_BYTES = 2 << 20 };
    static struct workload workload = {.keys = 3000, .step_ms = 2, .steps_per_write = 20000};
    (void)state;
    workload_start(&workload, MAX_BYTES);
    size_t most = 0;
    for (int i = 0; i < STEPS; i++) {
        workload_step(&workload);
        size_t bytes = statistics_of(&workload.fixture).bytes;
        assert_in_range(bytes, workload.fixture.values.bytes + workload.empty_bytes, MAX_BYTES);
        most = bytes > most ? bytes : most;
    }
    assert_in_range(most, MAX_BYTES / 100 * 99, MAX_BYTES);
    stop(&workload.fixture);
}

/* All that is kept comes to the main queue at once, and then is remembered one by one. */
static void the_budget_holds_while_outdated_entries_are_asked_for(void **state)
{
    enum { MAX_BYTES = 100000, USED_BYTES = 100 };
    struct fixture fixture;
    (void)state;
    start(&fixture, MAX_BYTES);
    uint64_t count = 0;
    while (statistics_of(&fixture).lost[LOST_CAPACITY] == 0) {
        assert_true(put_for(&fixture, count, 1, NOW_MS, USED_BYTES));
        assert_true(has(&fixture, count) && has(&fixture, count));
        count++;
    }
    raise_to(&fixture, SCOPE_A, 2);
    for (uint64_t number = 0; number < count; number++) {
        assert_false(has(&fixture, number));
        assert_in_range(statistics_of(&fixture).bytes, 1, MAX_BYTES);
    }
    stop(&fixture);
}

static void what_is_larger_than_all_of_it_is_refused(void **state)
{
    struct fixture fixture;
    (void)state;
    start(&fixture, 100000);
    assert_false(put_for(&fixture, 1, 1, NOW_MS, 100000));
    assert_false(has(&fixture, 1));
    assert_true(put_for(&fixture, 1, 1, NOW_MS, 50000));
    assert_true(has(&fixture, 1));
    stop(&fixture);
}

/** Sanitizers have an allocator of their own, which tells nothing. */
static bool allocator_tells(void)
{
    enum { SIZE = 100000 };
    size_t before = mallinfo2().uordblks;
    AUTO_FREE char *memory = mem_alloc(SIZE);
    memset(memory, 1, SIZE);
    return mallinfo2().uordblks >= before + SIZE && memory[0] == 1;
}

static size_t allocated_bytes(void)
{
    return mallinfo2().uordblks + mallinfo2().hblkhd;
}

/* Of entries, and of tables that have grown. */
static void the_bytes_are_what_the_allocator_gave(void **state)
{
    enum { COUNT = 100000, MAX_BYTES = 8 << 20 };
    struct fixture fixture;
    (void)state;
    size_t before = allocated_bytes();
    start(&fixture, MAX_BYTES);
    for (uint64_t i = 0; i < COUNT; i++) {
        assert_true(put_for(&fixture, i, 1, NOW_MS, mem_footprint(sizeof(struct test_value))));
        assert_true(i % 2 == 0 || (has(&fixture, i) && has(&fixture, i)));
    }
    size_t given = allocated_bytes() - before, said = statistics_of(&fixture).bytes;
    print_message("# figure: cache: %zu entries and their tables take %zu bytes and say %zu\n",
                  statistics_of(&fixture).entries, given, said);
    assert_in_range(said, given - given / 100, given + given / 100);
    stop(&fixture);
}

/* Time */

static void entries_expire_about_their_time_but_not_together(void **state)
{
    enum { COUNT = 1000, TENTH = TTL_MS / 10, PARTS = 10 };
    struct fixture fixture;
    (void)state;
    start(&fixture, 16 << 20);
    for (uint64_t i = 0; i < COUNT; i++)
        assert_true(put(&fixture, i, 1));
    for (uint64_t i = 0; i < COUNT; i++)
        assert_non_null(get_at(&fixture, i, NOW_MS + TTL_MS - TENTH - 1));
    unsigned left = COUNT;
    for (int part = 1; part <= PARTS; part++) {
        unsigned lasting = 0;
        for (uint64_t i = 0; i < COUNT; i++)
            lasting +=
                get_at(&fixture, i, NOW_MS + TTL_MS - TENTH + part * 2 * TENTH / PARTS) != NULL;
        assert_in_range(left - lasting, COUNT / PARTS / 2, COUNT / PARTS * 2);
        left = lasting;
    }
    assert_int_equal(left, 0);
    assert_int_equal(statistics_of(&fixture).lost[LOST_EXPIRED], COUNT);
    assert_int_equal(statistics_of(&fixture).entries, 0);
    stop(&fixture);
}

static void an_expired_entry_is_replaced_by_an_equal_one(void **state)
{
    struct fixture fixture;
    (void)state;
    start(&fixture, 1 << 20);
    assert_true(put(&fixture, 1, 1));
    assert_false(put(&fixture, 1, 1));
    assert_true(put_for(&fixture, 1, 1, NOW_MS + 2 * TTL_MS, VALUE_BYTES));
    assert_non_null(get_at(&fixture, 1, NOW_MS + 2 * TTL_MS));
    stop(&fixture);
}

/* Generations */

static void a_write_hides_every_older_entry(void **state)
{
    enum { COUNT = 100 };
    struct fixture fixture;
    (void)state;
    start(&fixture, 1 << 20);
    raise_to(&fixture, SCOPE_A | SCOPE_B, 5);
    for (uint64_t i = 0; i < COUNT; i++)
        assert_true(put(&fixture, i, 5 + (int64_t)(i % 2)));
    raise_to(&fixture, SCOPE_B, 9); /* which these do not depend on */
    for (uint64_t i = 0; i < COUNT; i++)
        assert_true(has(&fixture, i));
    raise_to(&fixture, SCOPE_A, 6);
    for (uint64_t i = 0; i < COUNT; i++)
        assert_int_equal(has(&fixture, i), i % 2 == 1);
    assert_int_equal(statistics_of(&fixture).lost[LOST_OUTDATED], COUNT / 2);
    assert_int_equal(statistics_of(&fixture).entries, COUNT / 2);
    stop(&fixture);
}

static void a_newer_value_is_never_replaced_by_an_older_one(void **state)
{
    struct fixture fixture;
    (void)state;
    start(&fixture, 1 << 20);
    assert_true(put(&fixture, 1, 5));
    assert_false(put(&fixture, 1, 4));
    assert_int_equal(get_at(&fixture, 1, NOW_MS)->vector.of[0], 5);
    assert_false(put(&fixture, 1, 5));
    assert_true(put(&fixture, 1, 6));
    assert_int_equal(get_at(&fixture, 1, NOW_MS)->vector.of[0], 6);
    assert_int_equal(statistics_of(&fixture).lost[LOST_REPLACED], 1);
    assert_int_equal(statistics_of(&fixture).entries, 1);
    stop(&fixture);
}

static void a_snapshot_finds_what_shows_its_own_state(void **state)
{
    struct fixture fixture;
    (void)state;
    start(&fixture, 1 << 20);
    assert_true(put(&fixture, 1, 5));
    struct cache_key key = test_key(1, fixture.text);
    struct cache_vector older = test_vector(4, 9), same = test_vector(5, 9),
                        newer = test_vector(6, 0);
    assert_null(memory_get_at(fixture.memory, &key, &older, NOW_MS));
    assert_non_null(memory_get_at(fixture.memory, &key, &same, NOW_MS));
    assert_non_null(memory_get_at(fixture.memory, &key, NULL, NOW_MS));
    assert_null(memory_get_at(fixture.memory, &key, &newer, NOW_MS));
    assert_true(has(&fixture, 1));
    stop(&fixture);
}

/* What stays */

enum { BUDGET = 200 * VALUE_BYTES };

/** Keys that nobody asks for again, four times as many as there is room for. */
static void scan(struct fixture *fixture, int64_t generation)
{
    static uint64_t next = 1000000;
    for (int i = 0; i < 4 * BUDGET / VALUE_BYTES; i++)
        assert_true(put(fixture, next++, generation));
}

/** Without a use. */
static bool is_kept(struct fixture *fixture, uint64_t number)
{
    struct cache_key key = test_key(number, fixture->text);
    bool is_there = memory_get_at(fixture->memory, &key, NULL, NOW_MS) != NULL;
    test_values_bury(memory_take_dead(fixture->memory));
    return is_there;
}

static void what_was_used_more_than_once_survives_a_scan(void **state)
{
    struct fixture fixture;
    (void)state;
    start(&fixture, BUDGET);
    for (uint64_t uses = 0; uses < 4; uses++) {
        assert_true(put(&fixture, uses, 1));
        for (uint64_t i = 0; i < uses; i++)
            assert_true(has(&fixture, uses));
    }
    scan(&fixture, 1);
    for (uint64_t uses = 0; uses < 4; uses++)
        assert_int_equal(is_kept(&fixture, uses), uses > 1);
    stop(&fixture);
}

static void what_comes_back_soon_survives_a_scan_unused(void **state)
{
    struct fixture fixture;
    (void)state;
    start(&fixture, BUDGET);
    for (int i = 0; i < 2; i++) {
        assert_true(put(&fixture, 1, 1)); /* for the second time after it was forgotten */
        scan(&fixture, 1);
        assert_false(is_kept(&fixture, 1));
    }
    assert_true(put(&fixture, 1, 1));
    for (uint64_t other = 100; is_kept(&fixture, 1); other++)
        assert_true(put(&fixture, other, 1));
    assert_true(put(&fixture, 1, 1));
    scan(&fixture, 1);
    assert_true(is_kept(&fixture, 1));
    stop(&fixture);
}

static void what_was_worth_keeping_is_so_after_a_write(void **state)
{
    struct fixture fixture;
    (void)state;
    start(&fixture, BUDGET);
    for (int64_t generation = 1; generation < 4; generation++) {
        raise_to(&fixture, SCOPE_A, generation);
        assert_false(is_kept(&fixture, 1));
        assert_true(put(&fixture, 1, generation));
        if (generation == 1)
            assert_true(has(&fixture, 1) && has(&fixture, 1));
        scan(&fixture, generation);
        assert_true(is_kept(&fixture, 1));
    }
    stop(&fixture);
}

static void what_is_not_used_any_more_goes_in_the_end(void **state)
{
    enum { COUNT = 150 };
    struct fixture fixture;
    (void)state;
    start(&fixture, BUDGET);
    for (uint64_t number = 0; number < 2 * COUNT; number++) {
        assert_true(put(&fixture, number, 1));
        for (int use = 0; use < 5; use++)
            assert_true(has(&fixture, number));
    }
    unsigned old = 0;
    for (uint64_t number = 2 * COUNT; number < 10 * COUNT; number++) {
        assert_true(put(&fixture, number, 1));
        for (int use = 0; use < 5; use++)
            assert_true(has(&fixture, number));
    }
    for (uint64_t number = 0; number < 2 * COUNT; number++)
        old += is_kept(&fixture, number);
    assert_int_equal(old, 0);
    stop(&fixture);
}

/* Values */

static void what_was_let_go_of_is_handed_out_once(void **state)
{
    struct fixture fixture;
    (void)state;
    start(&fixture, 1 << 20);
    struct cache_key key = test_key(1, fixture.text);
    struct test_value *values[3];
    for (int64_t i = 0; i < 3; i++) {
        struct cache_vector vector = test_vector(i, 0);
        values[i] = test_value_new(&fixture.values, VALUE_BYTES);
        assert_true(memory_put(fixture.memory, &key, &terms, &vector, NOW_MS, &values[i]->value));
        assert_int_equal(values[i]->value.references, 2);
    }
    struct cache_value *dead = memory_take_dead(fixture.memory);
    assert_ptr_equal(dead, &values[1]->value);
    assert_ptr_equal(dead->next_dead, &values[0]->value);
    assert_null(dead->next_dead->next_dead);
    assert_null(memory_take_dead(fixture.memory));
    assert_int_equal(values[0]->value.references, 2); /* its reference came along */
    test_values_bury(dead);
    for (int i = 0; i < 3; i++)
        cache_value_unref(&values[i]->value);
    assert_int_equal(fixture.values.freed, 2);
    stop(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_given),
        cmocka_unit_test(texts_of_one_hash_are_told_apart),
        cmocka_unit_test(the_bytes_are_those_of_values_and_keys),
        cmocka_unit_test(the_budget_holds_while_tables_grow),
        cmocka_unit_test(the_budget_holds_while_outdated_entries_are_asked_for),
        cmocka_unit_test(what_is_larger_than_all_of_it_is_refused),
        cmocka_unit_test(entries_expire_about_their_time_but_not_together),
        cmocka_unit_test(an_expired_entry_is_replaced_by_an_equal_one),
        cmocka_unit_test(a_write_hides_every_older_entry),
        cmocka_unit_test(a_newer_value_is_never_replaced_by_an_older_one),
        cmocka_unit_test(a_snapshot_finds_what_shows_its_own_state),
        cmocka_unit_test(what_was_used_more_than_once_survives_a_scan),
        cmocka_unit_test(what_comes_back_soon_survives_a_scan_unused),
        cmocka_unit_test(what_was_worth_keeping_is_so_after_a_write),
        cmocka_unit_test(what_is_not_used_any_more_goes_in_the_end),
        cmocka_unit_test(what_was_let_go_of_is_handed_out_once),
    };
    const struct CMUnitTest measured[] = {
        cmocka_unit_test(the_bytes_are_what_the_allocator_gave),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (allocator_tells())
        failed += cmocka_run_group_tests(measured, NULL, NULL);
    return failed;
}
