/**
 * OpenRisk without its metrics, to measure what they cost: linked instead of src/metrics/metrics.c,
 * so that counting is a call that does nothing. Only for script/bench; /metrics has zeros.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "metrics/internal.h"

static struct metrics_layout layout;
static const double zeros[METRIC_BOUNDS_MAX + 2];

void metrics_start(const struct metric_values values[METRIC_SETS])
{
    (void)values;
}

void metrics_stop(void) {}

void metrics_add(enum metric metric, size_t first, size_t second, uint64_t count)
{
    (void)metric, (void)first, (void)second, (void)count;
}

void metrics_move(enum metric metric, int64_t by)
{
    (void)metric, (void)by;
}

void metrics_observe(enum metric metric, size_t first, size_t second, int64_t us)
{
    (void)metric, (void)first, (void)second, (void)us;
}

struct metrics_reading *metrics_read(void)
{
    return mem_zalloc(1, sizeof(struct metrics_reading));
}

void metrics_reading_free(struct metrics_reading *reading)
{
    free(reading);
}

void metrics_reading_free_pointer(struct metrics_reading **reading)
{
    metrics_reading_free(*reading);
}

void metrics_set(struct metrics_reading *reading, enum metric metric, size_t first, size_t second,
                 double value)
{
    (void)reading, (void)metric, (void)first, (void)second, (void)value;
}

void metrics_set_histogram(struct metrics_reading *reading, enum metric metric, size_t first,
                           size_t second, const uint64_t *buckets, uint64_t total_us)
{
    (void)reading, (void)metric, (void)first, (void)second, (void)buckets, (void)total_us;
}

double metrics_value(const struct metrics_reading *reading, enum metric metric, size_t first,
                     size_t second)
{
    (void)reading, (void)metric, (void)first, (void)second;
    return 0;
}

const double *metrics_buckets(const struct metrics_reading *reading, enum metric metric,
                              size_t first, size_t second)
{
    (void)reading, (void)metric, (void)first, (void)second;
    return zeros;
}

size_t metrics_count_of(enum metric_set set)
{
    (void)set;
    return 0;
}

const struct metrics_layout *metrics_layout(void)
{
    return &layout;
}

size_t metrics_place(const struct metrics_layout *at, enum metric metric, size_t first,
                     size_t second)
{
    (void)at, (void)metric, (void)first, (void)second;
    return 0;
}
