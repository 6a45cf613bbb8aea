/**
 * The last hour in steps of ten seconds, for installations without Prometheus: GET /ops.
 *
 * A thread of its own reads the metrics each ten seconds and keeps what a person looks for first:
 * per route the number of requests, of errors and three quantiles, and what cache, pool and process
 * did. The ring is of fixed size and made at the start; nothing is written anywhere, so an hour is
 * gone with the process.
 *
 * Quantiles are worked out when a step ends, from the histogram of that step, by linear
 * interpolation inside a bucket, as Prometheus's histogram_quantile() does it. They cannot be put
 * together to those of a longer time.
 *
 * Thread-safe; the lock is held while a step is written or copied.
 */
#ifndef OPENRISK_API_HOUR_H
#define OPENRISK_API_HOUR_H

#include "api/route.h"
#include "metrics/metrics.h"

enum { HOUR_STEP_MS = 10 * 1000, HOUR_STEPS = 360 };

/** Quantiles are in µs, 0 without requests; an error is an answer of 500 and above. */
struct hour_requests {
    uint32_t count, errors;
    uint32_t p50_us, p95_us, p99_us;
};

/** What happened in one step, or how it was at its end. */
struct hour_step {
    int64_t ended_at; /* wall clock */
    uint32_t took_ms;
    struct hour_requests all;
    uint32_t cache_hits, cache_requests;  /* of answers */
    uint32_t connections_in_use, waiting; /* of the general pool, at the end */
    uint32_t cpu_ms;
    uint64_t resident_bytes;       /* at the end */
    struct hour_requests routes[]; /* route_count, and one more for no route */
};

struct hour;

/** `clock` is borrowed. Nothing is read until hour_start(). */
struct hour *hour_new(const struct clock *clock);
/** Starts the thread; `read` makes a reading. UNAVAILABLE if there can be none. */
enum status hour_start(struct hour *hour, struct metrics_reading *(*read)(const void *context),
                       const void *context, struct err *err) MUST_CHECK;
/** Ends the thread. Again, or if it was not started, is nothing. */
void hour_stop(struct hour *hour);
void hour_free(struct hour *hour); /* NULL allowed */

/** End a step by hand: what the thread does, and tests. The reading is the hour's then. */
void hour_take(struct hour *hour, struct metrics_reading *reading, int64_t now_ms,
               int64_t monotonic_ms);

/** The newest `most` steps, the oldest first, as copies in `arena`. Returns their number. */
size_t hour_steps(struct hour *hour, size_t most, struct arena *arena,
                  const struct hour_step **ret_steps);

#endif
