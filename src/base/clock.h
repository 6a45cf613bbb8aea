/**
 * Time: the wall clock, which can be shifted, the monotonic clock, and dates.
 *
 * Wall time is int64_t milliseconds since 1970-01-01 UTC; a day is int32_t days since then. Code
 * that decides by the date takes `now_ms` from its caller, who asked the clock once per request;
 * SQL never asks. Thread-safe; a `struct clock` is set up at the start and then only read.
 */
#ifndef OPENRISK_BASE_CLOCK_H
#define OPENRISK_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Where the program gets the time of day from: the system's clock plus an offset. */
struct clock {
    int64_t offset_ms; /* 0 but in tests, which move a server to another day */
};

enum { CLOCK_TIME_SIZE = 25, CLOCK_DATE_SIZE = 11 };
#define CLOCK_DAY_MS INT64_C(86400000)

int64_t clock_now_ms(const struct clock *clock);
/** The system's wall clock in µs, for the log: never shifted. */
int64_t clock_now_us(void);
/** For deadlines and durations; never goes back. */
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void);
/** The monotonic clock and the wall clock as of the last tick of the kernel, up to 4 ms (of a
 * kernel with 100 ticks per second: 10 ms) ago, for a fifth of the cost. */
int64_t clock_monotonic_coarse_ms(void);
int64_t clock_now_coarse_ms(const struct clock *clock);

int32_t clock_day(int64_t time_ms);

/** "2026-11-23T14:03:07.123Z" (RFC 3339). Returns `buffer`, which holds CLOCK_TIME_SIZE bytes. */
const char *clock_format_time(int64_t time_ms, char *buffer);
/** "2026-11-23". Returns `buffer`, which holds CLOCK_DATE_SIZE bytes. */
const char *clock_format_day(int32_t day, char *buffer);

/** A date that exists, as YYYY-MM-DD, from year 1970 to 9999. */
bool clock_parse_day(const char *text, int32_t *ret_day);
/** An RFC 3339 time with Z or an offset, in UTC's years 1970 to 9999; fractions beyond milliseconds
 * are cut. */
bool clock_parse_time(const char *text, int64_t *ret_time_ms);

#endif
