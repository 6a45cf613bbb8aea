/**
 * What the program counts and measures: one table of metrics, cells that threads count in, and the
 * text that Prometheus reads.
 *
 * A row of the table has up to two sets of labels, and a series for each pair of their values, from
 * the start, at 0: a counter that appears only with its first event hides that event from rate().
 * What a set's values are is told by the rooms that they belong to, through metrics_start().
 *
 *     metrics_add(METRIC_LOGINS, LOGIN_OK, 0, 1);
 *     metrics_observe(METRIC_REQUEST_SECONDS, route, 0, took_us);
 *     …
 *     AUTO_READING struct metrics_reading *reading = metrics_read();
 *     metrics_set(reading, METRIC_DB_UP, 0, 0, 1);     what is asked for, not counted
 *     metrics_write(reading, &text);
 *
 * Counting. Each thread has a block of cells of its own, which nobody else writes, so counting is
 * an addition in memory that the thread has in its cache: no lock, no atomic read-modify-write, no
 * cache line that another thread writes. A reading sums the blocks. It is not one moment: a request
 * may be in its counter and not yet in its histogram; but no cell ever goes back, so no counter
 * does. A block outlives its thread and is the next new thread's, who goes on counting in it.
 *
 * Rejected: shared atomic counters (every request of every core then takes the same cache line), a
 * lock per metric (the same, and waiting), and a client library (there is none for C in Debian 12).
 *
 * There is one set of cells in a process, as there is one log: what is counted is the process's.
 * Before metrics_start() and after metrics_stop() counting does nothing. Counting and reading are
 * thread-safe; starting and stopping are for while there is one thread. Labels are of constant
 * texts or of texts that live until metrics_stop().
 */
#ifndef OPENRISK_METRICS_METRICS_H
#define OPENRISK_METRICS_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum metric {
    METRIC_REQUESTS,
    METRIC_REQUEST_SECONDS,
    METRIC_IN_FLIGHT,
    METRIC_CONNECTIONS,
    METRIC_CONNECTIONS_MAX,
    METRIC_REJECTED,
    METRIC_LOGINS,
    METRIC_CACHE_REQUESTS,
    METRIC_CACHE_EVICTIONS,
    METRIC_CACHE_BYTES,
    METRIC_CACHE_BYTES_MAX,
    METRIC_CACHE_ENTRIES,
    METRIC_CACHE_LOAD_SECONDS,
    METRIC_CACHE_LOAD_FAILURES,
    METRIC_COHERENCE_LAG,
    METRIC_COHERENCE_LIMIT,
    METRIC_L2_REQUESTS,
    METRIC_L2_ERRORS,
    METRIC_DB_UP,
    METRIC_POOL_CONNECTIONS,
    METRIC_POOL_CONNECTIONS_MAX,
    METRIC_POOL_WAITERS,
    METRIC_POOL_WAITERS_MAX,
    METRIC_POOL_WAIT_SECONDS,
    METRIC_POOL_TIMEOUTS,
    METRIC_POOL_REJECTED,
    METRIC_POOL_OPENED,
    METRIC_POOL_OPEN_FAILURES,
    METRIC_POOL_CLOSED,
    METRIC_POOL_LEAKS,
    METRIC_QUERY_SECONDS,
    METRIC_DB_ERRORS,
    METRIC_BREAKER,
    METRIC_COMMAND_SECONDS,
    METRIC_REDIS_USED_BYTES,
    METRIC_REDIS_MAX_BYTES,
    METRIC_LOG_LINES,
    METRIC_BUILD,
    METRIC_PROCESS_CPU,
    METRIC_PROCESS_RESIDENT,
    METRIC_PROCESS_VIRTUAL,
    METRIC_PROCESS_FDS,
    METRIC_PROCESS_FDS_MAX,
    METRIC_PROCESS_START,
    METRIC_PROCESS_THREADS,
    METRICS,
};

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
extern const char *const metric_kind_names[]; /* as Prometheus writes them */

/** What a metric may be told apart by. */
enum metric_set {
    SET_NONE, /* one series */
    SET_ROUTE,
    SET_STATUS,
    SET_REJECTED,
    SET_LOGIN,
    SET_CACHE,
    SET_CACHE_RESULT,
    SET_CACHE_LOSS,
    SET_L2_RESULT,
    SET_L2_OP,
    SET_POOL,
    SET_CONNECTION,
    SET_CLOSED,
    SET_QUERY,
    SET_DB_ERROR,
    SET_BREAKER,
    SET_COMMAND,
    SET_LOG_RESULT,
    SET_BUILD,
    METRIC_SETS,
};

/** The values of a set, each a text without quotes and backslashes. */
struct metric_values {
    const char *const *items;
    size_t count;
};

struct metric_row {
    const char *name;
    enum metric_kind kind;
    enum metric_set sets[2];
    const int64_t *bounds_us; /* of a histogram: upper bounds, in µs; told in seconds */
    size_t bound_count;
    bool is_asked_for; /* by metrics_set() in a reading; nobody counts it */
    const char *help;
};
extern const struct metric_row metric_table[METRICS];

/** The labels of a set: "cache"; "route,method" whose values are such pairs: "/risks,GET". */
extern const char *const metric_set_labels[METRIC_SETS];

enum { METRIC_BOUNDS_MAX = 16 };

/** `values`: of each set but SET_NONE; the arrays are copied. */
void metrics_start(const struct metric_values values[METRIC_SETS]);
void metrics_stop(void);

/** `first` and `second` are places in the row's sets; 0 where it has none. */
void metrics_add(enum metric metric, size_t first, size_t second, uint64_t count);
/** A gauge that threads move up and down together. */
void metrics_move(enum metric metric, int64_t by);
/** A duration, for a histogram. */
void metrics_observe(enum metric metric, size_t first, size_t second, int64_t us);

/** All series at about one moment. */
struct metrics_reading;
struct metrics_reading *metrics_read(void);
void metrics_reading_free(struct metrics_reading *reading); /* NULL allowed */
void metrics_reading_free_pointer(struct metrics_reading **reading);
#define AUTO_READING __attribute__((cleanup(metrics_reading_free_pointer)))

/** Only rows that are asked for. */
void metrics_set(struct metrics_reading *reading, enum metric metric, size_t first, size_t second,
                 double value);
/** `buckets` count each by itself, one more than there are bounds. */
void metrics_set_histogram(struct metrics_reading *reading, enum metric metric, size_t first,
                           size_t second, const uint64_t *buckets, uint64_t total_us);

double metrics_value(const struct metrics_reading *reading, enum metric metric, size_t first,
                     size_t second);
/** The buckets of a histogram, each by itself: as many as bounds, and one more. */
const double *metrics_buckets(const struct metrics_reading *reading, enum metric metric,
                              size_t first, size_t second);
size_t metrics_count_of(enum metric_set set);

/** Prometheus's text format, version 0.0.4. */
void metrics_write(const struct metrics_reading *reading, struct buf *out);
/** The reference page of the table. */
void metrics_write_markdown(struct buf *out);

#endif
