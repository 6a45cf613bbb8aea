/*
 * Counting by many threads, reading meanwhile, and the text that Prometheus reads. Each case starts
 * the metrics anew, with labels of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/thread.h"
#include "metrics/internal.h"
#include "store/pool.h"

enum { TEXT_MAX = 1 << 20, STACK_BYTES = 256 * 1024 };

static const char *const route_names[] = {"/risks,GET", "/risks/{id},PATCH", "none,none"};
static const char *const status_names[] = {"200", "404", "other"};
static const char *const build_names[] = {"1.2,abc,sqlite"};
static const char *const other_names[] = {"a", "b"};
enum { ROUTES = COUNT_OF(route_names), STATUSES = COUNT_OF(status_names) };

static int start(void **state)
{
    (void)state;
    struct metric_values values[METRIC_SETS];
    for (int set = 0; set < METRIC_SETS; set++)
        values[set] = (struct metric_values){other_names, COUNT_OF(other_names)};
    values[SET_ROUTE] = (struct metric_values){route_names, ROUTES};
    values[SET_STATUS] = (struct metric_values){status_names, STATUSES};
    values[SET_BUILD] = (struct metric_values){build_names, COUNT_OF(build_names)};
    metrics_start(values);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    metrics_stop();
    return 0;
}

/* What a scrape says */

/** What /metrics would answer. The caller releases `ret_text`. */
static void scrape(struct buf *ret_text)
{
    AUTO_READING struct metrics_reading *reading = metrics_read();
    buf_init(ret_text, TEXT_MAX);
    metrics_write(reading, ret_text);
    assert_false(ret_text->overflow);
}

/** The line of this series, after its name; it must be there once. */
static const char *line_of(const char *text, const char *series)
{
    const char *found = NULL;
    size_t length = strlen(series);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, series, length) != 0 || line[length] != ' ')
            continue;
        if (found)
            fail_msg("%s is there twice", series);
        found = line + length + 1;
    }
    if (!found)
        fail_msg("%s is not there", series);
    return found;
}

static double value_in(const char *text, const char *series)
{
    return strtod(line_of(text, series), NULL);
}

static double value_now(const char *series)
{
    AUTO_BUF struct buf text;
    scrape(&text);
    return value_in(text.data, series);
}

static void assert_line(const char *text, const char *series, const char *expected)
{
    char value[64];
    snprintf(value, sizeof value, "%.*s", (int)strcspn(line_of(text, series), "\n"),
             line_of(text, series));
    if (strcmp(value, expected) != 0)
        fail_msg("%s is %s, not %s", series, value, expected);
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (; (text = strstr(text, part)); text++)
        count++;
    return count;
}

/* The table */

static void the_table_keeps_its_rules(void **state)
{
    (void)state;
    for (int i = 0; i < METRICS; i++) {
        const struct metric_row *row = &metric_table[i];
        const char *total = strlen(row->name) > 6 ? row->name + strlen(row->name) - 6 : "";
        assert_non_null(row->name);
        assert_true(strncmp(row->name, "openrisk_", 9) == 0 ||
                    strncmp(row->name, "process_", 8) == 0);
        assert_int_equal(strspn(row->name, "abcdefghijklmnopqrstuvwxyz0123456789_"),
                         strlen(row->name));
        assert_int_equal(strcmp(total, "_total") == 0, row->kind == METRIC_COUNTER);
        assert_int_equal(row->help[strlen(row->help) - 1], '.');
        assert_null(strpbrk(row->help, "\\\n|"));
        for (int j = 0; j < i; j++)
            assert_string_not_equal(row->name, metric_table[j].name);
        /* Else a place in it would mean another one in the text. */
        assert_true(row->sets[0] != SET_NONE || row->sets[1] == SET_NONE);
    }
}

static void bounds_ascend_and_only_histograms_have_them(void **state)
{
    (void)state;
    for (int i = 0; i < METRICS; i++) {
        const struct metric_row *row = &metric_table[i];
        assert_int_equal(row->bound_count > 0, row->kind == METRIC_HISTOGRAM);
        assert_true(row->bound_count <= METRIC_BOUNDS_MAX);
        for (size_t j = 0; j < row->bound_count; j++)
            assert_true(row->bounds_us[j] > (j ? row->bounds_us[j - 1] : 0));
    }
}

static void the_pool_waits_by_the_bounds_of_its_metric(void **state)
{
    (void)state;
    const struct metric_row *row = &metric_table[METRIC_POOL_WAIT_SECONDS];
    assert_int_equal(row->bound_count, POOL_WAIT_BOUNDS);
    assert_memory_equal(row->bounds_us, pool_wait_bounds_us, sizeof pool_wait_bounds_us);
}

/* Counting */

static void every_series_is_there_from_the_start_at_0(void **state)
{
    (void)state;
    AUTO_BUF struct buf text;
    scrape(&text);
    size_t series = 0, zeros = 0;
    for (int i = 0; i < METRICS; i++) {
        const struct metric_row *row = &metric_table[i];
        size_t lines = row->kind == METRIC_HISTOGRAM ? row->bound_count + 3 : 1;
        series += lines * metrics_count_of(row->sets[0]) * metrics_count_of(row->sets[1]);
    }
    for (const char *line = text.data; *line; line = strchr(line, '\n') + 1)
        zeros += *line != '#' && strncmp(strchr(line, '\n') - 2, " 0", 2) == 0;
    assert_int_equal(zeros, series);
    assert_int_equal(count_of(text.data, "\n"), series + 2 * METRICS);
    assert_line(text.data, "openrisk_http_requests_in_flight", "0");
    assert_line(text.data,
                "openrisk_http_requests_total{route=\"none\",method=\"none\",status=\"other\"}",
                "0");
    assert_line(text.data,
                "openrisk_http_request_duration_seconds_bucket{route=\"none\",method=\"none\","
                "le=\"+Inf\"}",
                "0");
}

static void every_pair_of_labels_counts_for_itself(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROUTES; i++)
        for (size_t j = 0; j < STATUSES; j++)
            metrics_add(METRIC_REQUESTS, i, j, 1 + 10 * i + j);
    metrics_add(METRIC_REQUESTS, 2, 1, 100);
    AUTO_BUF struct buf text;
    scrape(&text);
    static const char *const routes[ROUTES] = {"route=\"/risks\",method=\"GET\"",
                                               "route=\"/risks/{id}\",method=\"PATCH\"",
                                               "route=\"none\",method=\"none\""};
    for (size_t i = 0; i < ROUTES; i++)
        for (size_t j = 0; j < STATUSES; j++) {
            AUTO_FREE char *series = mem_format("openrisk_http_requests_total{%s,status=\"%s\"}",
                                                routes[i], status_names[j]);
            double more = i == 2 && j == 1 ? 100 : 0;
            assert_true(value_in(text.data, series) == (double)(1 + 10 * i + j) + more);
        }
}

static void counts_of_one_metric_are_in_no_other(void **state)
{
    (void)state;
    for (int i = 0; i < METRICS; i++)
        if (!metric_table[i].is_asked_for && metric_table[i].kind == METRIC_COUNTER)
            metrics_add((enum metric)i, 0, 0, (uint64_t)i + 1);
    AUTO_READING struct metrics_reading *reading = metrics_read();
    for (int i = 0; i < METRICS; i++)
        if (!metric_table[i].is_asked_for && metric_table[i].kind == METRIC_COUNTER)
            assert_true(metrics_value(reading, (enum metric)i, 0, 0) == i + 1);
}

static void a_duration_as_long_as_a_bound_belongs_to_it(void **state)
{
    (void)state;
    const struct metric_row *row = &metric_table[METRIC_REQUEST_SECONDS];
    int64_t total_us = 0;
    for (size_t i = 0; i < row->bound_count; i++) {
        metrics_observe(METRIC_REQUEST_SECONDS, 1, 0, row->bounds_us[i]);
        metrics_observe(METRIC_REQUEST_SECONDS, 1, 0, row->bounds_us[i] + 1);
        total_us += 2 * row->bounds_us[i] + 1;
    }
    AUTO_READING struct metrics_reading *reading = metrics_read();
    const double *buckets = metrics_buckets(reading, METRIC_REQUEST_SECONDS, 1, 0);
    /* The first has its bound alone, each other one its bound and what is just beyond the last. */
    assert_true(buckets[0] == 1);
    for (size_t i = 1; i < row->bound_count; i++)
        assert_true(buckets[i] == 2);
    assert_true(buckets[row->bound_count] == 1);
    assert_true(buckets[row->bound_count + 1] == (double)total_us);
    const double *others = metrics_buckets(reading, METRIC_REQUEST_SECONDS, 0, 0);
    for (size_t i = 0; i < row->bound_count + 2; i++)
        assert_true(others[i] == 0);
}

static void buckets_of_the_text_hold_the_smaller_ones(void **state)
{
    (void)state;
    metrics_observe(METRIC_COMMAND_SECONDS, 1, 0, -5); /* a clock may not go back, and if it does */
    metrics_observe(METRIC_COMMAND_SECONDS, 1, 0, 50);
    metrics_observe(METRIC_COMMAND_SECONDS, 1, 0, 51);
    metrics_observe(METRIC_COMMAND_SECONDS, 1, 0, 1000000);
    metrics_observe(METRIC_COMMAND_SECONDS, 1, 0, INT64_C(3600000000));
    AUTO_BUF struct buf text;
    scrape(&text);
#define NAME "openrisk_redis_command_duration_seconds"
    assert_line(text.data, NAME "_bucket{command=\"b\",le=\"5e-05\"}", "2");
    assert_line(text.data, NAME "_bucket{command=\"b\",le=\"0.0001\"}", "3");
    assert_line(text.data, NAME "_bucket{command=\"b\",le=\"0.5\"}", "3");
    assert_line(text.data, NAME "_bucket{command=\"b\",le=\"1\"}", "4");
    assert_line(text.data, NAME "_bucket{command=\"b\",le=\"+Inf\"}", "5");
    assert_line(text.data, NAME "_count{command=\"b\"}", "5");
    assert_line(text.data, NAME "_sum{command=\"b\"}", "3601.000101");
    assert_line(text.data, NAME "_count{command=\"a\"}", "0");
#undef NAME
}

static void before_the_start_and_after_the_stop_nothing_is_counted(void **state)
{
    (void)state;
    metrics_add(METRIC_LOGINS, 0, 0, 1);
    metrics_move(METRIC_IN_FLIGHT, 1);
    metrics_observe(METRIC_REQUEST_SECONDS, 0, 0, 1);
    assert_int_equal(metrics_count_of(SET_ROUTE), 0);
    start(state);
    assert_true(value_now("openrisk_login_attempts_total{result=\"a\"}") == 0);
    metrics_add(METRIC_LOGINS, 0, 0, 3);
    assert_true(value_now("openrisk_login_attempts_total{result=\"a\"}") == 3);
    stop(state);
    metrics_add(METRIC_LOGINS, 0, 0, 1);
    metrics_observe(METRIC_REQUEST_SECONDS, 0, 0, 1);
    metrics_stop();
    start(state);
    assert_true(value_now("openrisk_login_attempts_total{result=\"a\"}") == 0);
    assert_true(value_now("openrisk_http_requests_in_flight") == 0);
    stop(state);
}

/* Threads */

static void run_thread(void *(*run)(void *), void *context)
{
    pthread_t thread;
    assert_int_equal(thread_start(&thread, STACK_BYTES, run, context), 0);
    pthread_join(thread, NULL);
}

static void *go_up(void *context)
{
    metrics_move(METRIC_IN_FLIGHT, *(int *)context);
    return NULL;
}

static void a_gauge_goes_up_in_one_thread_and_down_in_another(void **state)
{
    (void)state;
    int by = 5;
    metrics_move(METRIC_IN_FLIGHT, 0); /* This thread has a block of its own before the other. */
    run_thread(go_up, &by);
    assert_int_equal(metrics_block_count(), 2);
    assert_true(value_now("openrisk_http_requests_in_flight") == 5);
    /* Now this thread's cell is below 0, and that of the other has not gone. */
    metrics_move(METRIC_IN_FLIGHT, -3);
    assert_true(value_now("openrisk_http_requests_in_flight") == 2);
    metrics_move(METRIC_IN_FLIGHT, -2);
    assert_true(value_now("openrisk_http_requests_in_flight") == 0);
}

static void *count_one(void *context)
{
    (void)context;
    metrics_add(METRIC_LOGINS, 1, 0, 1);
    return NULL;
}

static void threads_one_after_the_other_count_in_one_block(void **state)
{
    (void)state;
    enum { THREADS = 500 };
    metrics_add(METRIC_LOGINS, 1, 0, 1); /* takes one itself */
    for (int i = 0; i < THREADS; i++)
        run_thread(count_one, NULL);
    assert_int_equal(metrics_block_count(), 2);
    assert_true(value_now("openrisk_login_attempts_total{result=\"b\"}") == THREADS + 1);
}

/** Threads that wait for each other, so that each needs a block. */
struct crowd {
    pthread_barrier_t all_count;
};

static void *count_in_crowd(void *context)
{
    struct crowd *crowd = context;
    metrics_add(METRIC_LOGINS, 1, 0, 1);
    pthread_barrier_wait(&crowd->all_count);
    return NULL;
}

static void as_many_blocks_as_threads_at_a_time(void **state)
{
    (void)state;
    enum { THREADS = 20, ROUNDS = 5 };
    struct crowd crowd;
    pthread_barrier_init(&crowd.all_count, NULL, THREADS);
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(thread_start(&threads[i], STACK_BYTES, count_in_crowd, &crowd), 0);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(metrics_block_count(), THREADS);
    }
    pthread_barrier_destroy(&crowd.all_count);
    assert_true(value_now("openrisk_login_attempts_total{result=\"b\"}") == THREADS * ROUNDS);
}

enum { WRITERS = 6, TURNS = 30000, LONG_US = 700 };

static void *count_much(void *context)
{
    (void)context;
    for (int i = 0; i < TURNS; i++) {
        metrics_move(METRIC_IN_FLIGHT, 1);
        metrics_add(METRIC_REQUESTS, (size_t)i % ROUTES, (size_t)i % STATUSES, 1);
        metrics_observe(METRIC_REQUEST_SECONDS, (size_t)i % ROUTES, 0, i % 2 ? LONG_US : 1);
        metrics_move(METRIC_IN_FLIGHT, -1);
    }
    return NULL;
}

/** All that is counted, one number after the other; `ret_count` of them. */
static const double *cells_of(const struct metrics_reading *reading, size_t *ret_count)
{
    *ret_count = metrics_layout()->counted;
    return reading->values;
}

struct reader {
    atomic_bool stops;
    unsigned readings;
    size_t gone_back; /* cells that did; a gauge is none of them */
};

static void compare(struct reader *reader, const struct metrics_reading *before,
                    const struct metrics_reading *after)
{
    size_t count, gauge = metrics_place(metrics_layout(), METRIC_IN_FLIGHT, 0, 0);
    const double *old = cells_of(before, &count), *new = cells_of(after, &count);
    for (size_t i = 0; i < count; i++)
        reader->gone_back += i != gauge && new[i] < old[i];
}

static void *read_on(void *context)
{
    struct reader *reader = context;
    struct metrics_reading *before = metrics_read();
    while (!atomic_load(&reader->stops)) {
        struct metrics_reading *after = metrics_read();
        compare(reader, before, after);
        metrics_reading_free(before);
        before = after;
        reader->readings++;
    }
    metrics_reading_free(before);
    return NULL;
}

static void many_threads_count_exactly_while_one_reads(void **state)
{
    (void)state;
    struct reader reader = {0};
    pthread_t reading, writers[WRITERS];
    assert_int_equal(thread_start(&reading, STACK_BYTES, read_on, &reader), 0);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(thread_start(&writers[i], STACK_BYTES, count_much, NULL), 0);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(writers[i], NULL);
    atomic_store(&reader.stops, true);
    pthread_join(reading, NULL);
    assert_int_equal(reader.gone_back, 0);
    printf("# figure: %u readings while %d threads counted %d times each\n", reader.readings,
           WRITERS, TURNS);

    double requests = 0, durations = 0, long_ones = 0, total_us = 0;
    AUTO_READING struct metrics_reading *now = metrics_read();
    for (size_t i = 0; i < ROUTES; i++) {
        for (size_t j = 0; j < STATUSES; j++)
            requests += metrics_value(now, METRIC_REQUESTS, i, j);
        const struct metric_row *row = &metric_table[METRIC_REQUEST_SECONDS];
        const double *buckets = metrics_buckets(now, METRIC_REQUEST_SECONDS, i, 0);
        for (size_t j = 0; j <= row->bound_count; j++)
            durations += buckets[j];
        long_ones += buckets[1];
        total_us += buckets[row->bound_count + 1];
    }
    assert_true(requests == WRITERS * TURNS);
    assert_true(durations == WRITERS * TURNS);
    assert_true(long_ones == WRITERS * TURNS / 2);
    assert_true(total_us == WRITERS * TURNS / 2 * (double)(1 + LONG_US));
    assert_true(metrics_value(now, METRIC_IN_FLIGHT, 0, 0) == 0);
}

/* The text */

static void help_and_type_stand_once_before_their_series(void **state)
{
    (void)state;
    AUTO_BUF struct buf text;
    scrape(&text);
    const char *at = text.data;
    for (int i = 0; i < METRICS; i++) {
        const struct metric_row *row = &metric_table[i];
        AUTO_FREE char *head = mem_format("# HELP %s %s\n# TYPE %s %s\n", row->name, row->help,
                                          row->name, metric_kind_names[row->kind]);
        assert_memory_equal(at, head, strlen(head));
        at += strlen(head);
        for (; *at && *at != '#'; at = strchr(at, '\n') + 1)
            assert_memory_equal(at, row->name, strlen(row->name));
    }
    assert_int_equal(*at, '\0');
}

/** After one `name="value"`, or NULL if there is none. */
static const char *after_label(const char *at)
{
    size_t name = strspn(at, "abcdefghijklmnopqrstuvwxyz_");
    if (name == 0 || at[name] != '=' || at[name + 1] != '"')
        return NULL;
    at += name + 2;
    at += strcspn(at, "\"\\\n");
    return *at == '"' ? at + 1 : NULL;
}

static void every_line_is_well_formed(void **state)
{
    (void)state;
    AUTO_BUF struct buf text;
    scrape(&text);
    for (const char *line = text.data; *line; line = strchr(line, '\n') + 1) {
        if (*line == '#')
            continue;
        const char *at = line + strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789_");
        assert_true(at > line);
        if (*at == '{') {
            do
                assert_non_null(at = after_label(at + 1));
            while (*at == ',');
            assert_int_equal(*at++, '}');
        }
        assert_int_equal(*at, ' ');
        char *end;
        strtod(at + 1, &end);
        assert_true(end > at + 1 && *end == '\n');
    }
}

static void numbers_are_written_as_they_are(void **state)
{
    (void)state;
    static const uint64_t buckets[METRIC_BOUNDS_MAX] = {1, 0, 2, [14] = 4};
    AUTO_READING struct metrics_reading *reading = metrics_read();
    metrics_set(reading, METRIC_COHERENCE_LAG, 0, 0, NAN);
    metrics_set(reading, METRIC_COHERENCE_LIMIT, 0, 0, 0.98);
    metrics_set(reading, METRIC_PROCESS_START, 0, 0, 1764143054.25);
    metrics_set(reading, METRIC_CACHE_BYTES, 1, 0, 17179869184.0);
    metrics_set(reading, METRIC_DB_UP, 0, 0, 1);
    metrics_set(reading, METRIC_BUILD, 0, 0, 1);
    metrics_set_histogram(reading, METRIC_POOL_WAIT_SECONDS, 1, 0, buckets, 123456789);
    AUTO_BUF struct buf text;
    buf_init(&text, TEXT_MAX);
    metrics_write(reading, &text);
    assert_line(text.data, "openrisk_cache_coherence_lag_seconds", "NaN");
    assert_line(text.data, "openrisk_cache_coherence_limit_seconds", "0.98");
    assert_line(text.data, "process_start_time_seconds", "1764143054.25");
    assert_line(text.data, "openrisk_cache_bytes{cache=\"b\"}", "17179869184");
    assert_line(text.data, "openrisk_db_up", "1");
    assert_line(text.data, "openrisk_build_info{version=\"1.2\",commit=\"abc\",store=\"sqlite\"}",
                "1");
#define NAME "openrisk_db_pool_wait_seconds"
    assert_line(text.data, NAME "_bucket{pool=\"b\",le=\"0.0005\"}", "1");
    assert_line(text.data, NAME "_bucket{pool=\"b\",le=\"0.0025\"}", "3");
    assert_line(text.data, NAME "_bucket{pool=\"b\",le=\"10\"}", "3");
    assert_line(text.data, NAME "_bucket{pool=\"b\",le=\"+Inf\"}", "7");
    assert_line(text.data, NAME "_sum{pool=\"b\"}", "123.456789");
    assert_line(text.data, NAME "_count{pool=\"b\"}", "7");
    assert_line(text.data, NAME "_count{pool=\"a\"}", "0");
#undef NAME
}

static void the_page_has_a_row_for_every_metric(void **state)
{
    (void)state;
    AUTO_BUF struct buf page;
    buf_init(&page, TEXT_MAX);
    metrics_write_markdown(&page);
    for (int i = 0; i < METRICS; i++) {
        AUTO_FREE char *row = mem_format("\n| `%s` | %s | ", metric_table[i].name,
                                         metric_kind_names[metric_table[i].kind]);
        assert_int_equal(count_of(page.data, row), 1);
    }
}

int main(void)
{
#define STARTED(test) cmocka_unit_test_setup_teardown(test, start, stop)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_keeps_its_rules),
        cmocka_unit_test(bounds_ascend_and_only_histograms_have_them),
        cmocka_unit_test(the_pool_waits_by_the_bounds_of_its_metric),
        STARTED(every_series_is_there_from_the_start_at_0),
        STARTED(every_pair_of_labels_counts_for_itself),
        STARTED(counts_of_one_metric_are_in_no_other),
        STARTED(a_duration_as_long_as_a_bound_belongs_to_it),
        STARTED(buckets_of_the_text_hold_the_smaller_ones),
        cmocka_unit_test(before_the_start_and_after_the_stop_nothing_is_counted),
        STARTED(a_gauge_goes_up_in_one_thread_and_down_in_another),
        STARTED(threads_one_after_the_other_count_in_one_block),
        STARTED(as_many_blocks_as_threads_at_a_time),
        STARTED(many_threads_count_exactly_while_one_reads),
        STARTED(help_and_type_stand_once_before_their_series),
        STARTED(every_line_is_well_formed),
        STARTED(numbers_are_written_as_they_are),
        STARTED(the_page_has_a_row_for_every_metric),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
