/*
 * How well the first level chooses what to keep: it misses less often than an exact LRU with as
 * many slots, on requests as they are (Zipf's law: the n-th most wanted key is wanted 1/n as often
 * as the first), and the more so when somebody reads through keys that nobody else wants.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cache_fixture.h"

enum {
    REQUESTS = 1000000,
    WANTED = 10000, /* keys that are asked for again and again */
    SLOTS = 1000,
    SCAN_EVERY = 10000,
    SCAN_KEYS = 1000,
    KEYS_MAX = WANTED + REQUESTS / SCAN_EVERY * SCAN_KEYS,
    NOW_MS = 1000,
    VALUE_BYTES = 4000,
};

/* The requests */

struct trace {
    uint32_t *keys;
    size_t count;
};

/** By bisection of the summed shares of the keys. */
static uint32_t zipf(const double *sums, uint64_t *random)
{
    double at = (double)(test_random(random) >> 11) * 0x1p-53 * sums[WANTED - 1];
    uint32_t low = 0, high = WANTED - 1;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (sums[middle] > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static struct trace trace_new(bool with_scans)
{
    static double sums[WANTED];
    struct trace trace = {.keys = mem_zalloc(REQUESTS + KEYS_MAX, sizeof *trace.keys)};
    uint64_t random = 20261123;
    uint32_t fresh = WANTED;
    for (int i = 0; i < WANTED; i++)
        sums[i] = (i > 0 ? sums[i - 1] : 0) + 1.0 / (i + 1);
    for (int i = 0; i < REQUESTS; i++) {
        trace.keys[trace.count++] = zipf(sums, &random);
        for (int scanned = 0; with_scans && i % SCAN_EVERY == 0 && scanned < SCAN_KEYS; scanned++)
            trace.keys[trace.count++] = fresh++;
    }
    return trace;
}

/* The rival: exact LRU, a ring of keys from the one used last to the one used longest ago. */

struct lru {
    uint32_t newer[KEYS_MAX + 1], older[KEYS_MAX + 1];
    bool kept[KEYS_MAX];
    size_t count;
};
enum { HEAD = KEYS_MAX };

static void lru_unlink(struct lru *lru, uint32_t key)
{
    lru->newer[lru->older[key]] = lru->newer[key];
    lru->older[lru->newer[key]] = lru->older[key];
}

static void lru_push(struct lru *lru, uint32_t key)
{
    lru->newer[key] = HEAD;
    lru->older[key] = lru->older[HEAD];
    lru->newer[lru->older[HEAD]] = key;
    lru->older[HEAD] = key;
}

static double lru_miss_ratio(const struct trace *trace, size_t slots)
{
    static struct lru lru;
    size_t misses = 0;
    memset(&lru, 0, sizeof lru);
    lru.newer[HEAD] = lru.older[HEAD] = HEAD;
    for (size_t i = 0; i < trace->count; i++) {
        uint32_t key = trace->keys[i];
        if (lru.kept[key]) {
            lru_unlink(&lru, key);
        } else {
            misses++;
            lru.kept[key] = true;
            if (lru.count++ == slots) {
                uint32_t oldest = lru.newer[HEAD];
                lru_unlink(&lru, oldest);
                lru.kept[oldest] = false;
                lru.count--;
            }
        }
        lru_push(&lru, key);
    }
    return (double)misses / (double)trace->count;
}

/* Ours */

struct outcome {
    double miss_ratio;
    size_t entries_most;
    size_t table_bytes; /* besides entries, in the end */
};

static bool ask(struct memory *memory, uint32_t number, struct test_values *values)
{
    static const struct cache_terms terms = {.scopes = SCOPE_A, .ttl_ms = 1000000};
    char text[TEST_KEY_SIZE];
    struct cache_key key = test_key(number, text);
    if (memory_get(memory, &key, NOW_MS))
        return true;
    struct cache_vector vector = test_vector(1, 0);
    struct test_value *value = test_value_new(values, VALUE_BYTES);
    assert_true(memory_put(memory, &key, &terms, &vector, NOW_MS, &value->value));
    cache_value_unref(&value->value);
    test_values_bury(memory_take_dead(memory));
    return false;
}

static struct outcome run(const struct trace *trace, size_t max_bytes, size_t entry_bytes)
{
    struct generations *k = generations_new(1000, 0);
    struct memory *memory = memory_new(max_bytes, k);
    struct memory_statistics statistics;
    struct test_values values = {0};
    struct outcome outcome = {0};
    size_t misses = 0;
    for (size_t i = 0; i < trace->count; i++) {
        misses += !ask(memory, trace->keys[i], &values);
        memory_statistics(memory, &statistics);
        if (statistics.entries > outcome.entries_most)
            outcome.entries_most = statistics.entries;
    }
    outcome.miss_ratio = (double)misses / (double)trace->count;
    outcome.table_bytes = statistics.bytes - statistics.entries * entry_bytes;
    memory_free(memory);
    generations_free(k);
    assert_int_equal(values.made, misses);
    assert_int_equal(values.freed, misses);
    return outcome;
}

/** The bytes of one entry, all of which are of one size. */
static size_t measure_entry(void)
{
    struct generations *k = generations_new(1000, 0);
    struct memory *memory = memory_new(1 << 20, k);
    struct memory_statistics before, after;
    struct test_values values = {0};
    memory_statistics(memory, &before);
    ask(memory, 0, &values);
    memory_statistics(memory, &after);
    memory_free(memory);
    generations_free(k);
    return after.bytes - before.bytes;
}

/** The budget is for SLOTS entries and the tables that they were seen to need. */
static void compare(const char *what, bool with_scans, double ours_most, double *ret_gain)
{
    struct trace trace = trace_new(with_scans);
    struct trace part = {trace.keys, REQUESTS / 10};
    size_t entry_bytes = measure_entry();
    struct outcome first = run(&part, SLOTS * entry_bytes, entry_bytes);
    struct outcome ours = run(&trace, SLOTS * entry_bytes + first.table_bytes, entry_bytes);
    double rival = lru_miss_ratio(&trace, ours.entries_most);
    free(trace.keys);
    print_message("# figure: cache: %s: S3-FIFO misses %.4f, LRU %.4f of %zu requests (%zu entries "
                  "of %d keys)\n",
                  what, ours.miss_ratio, rival, trace.count, ours.entries_most, WANTED);
    assert_in_range(ours.entries_most, SLOTS * 99 / 100, SLOTS * 101 / 100);
    assert_true(ours.miss_ratio < ours_most);
    assert_true(ours.miss_ratio < rival);
    *ret_gain = rival - ours.miss_ratio;
}

static void it_misses_less_than_an_lru(void **state)
{
    double plain, with_scans;
    (void)state;
    compare("Zipf 1.0", false, 0.28, &plain);
    compare("Zipf 1.0 with scans", true, 0.36, &with_scans);
    assert_true(with_scans > plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_misses_less_than_an_lru)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
