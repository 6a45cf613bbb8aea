/**
 * What the kernel says of this process, for the standard metrics process_….
 */
#ifndef OPENRISK_METRICS_PROCESS_H
#define OPENRISK_METRICS_PROCESS_H

struct metrics_reading;

/** Put the process_… metrics into a reading; NaN for what cannot be read. Thread-safe. */
void process_read(struct metrics_reading *reading);

#endif
