/**
 * What the files of this room share: where the series of the started table lie.
 */
#ifndef OPENRISK_METRICS_INTERNAL_H
#define OPENRISK_METRICS_INTERNAL_H

#include "metrics/metrics.h"

/** The numbers of a reading, laid out as `layout` says. */
struct metrics_reading {
    size_t count;
    double values[];
};

/**
 * The series of a metric lie together, one after the other; a histogram's has its buckets, then
 * its sum in µs. What is counted comes before what is asked for.
 */
struct metrics_layout {
    struct metric_values values[METRIC_SETS];
    size_t first[METRICS];
    size_t width[METRICS]; /* of one series */
    size_t counted, all;
};

/** NULL unless started. */
const struct metrics_layout *metrics_layout(void);
/** Where the series is. */
size_t metrics_place(const struct metrics_layout *layout, enum metric metric, size_t first,
                     size_t second);
/** How many blocks of cells there are, taken or not; for tests. */
size_t metrics_block_count(void);

#endif
