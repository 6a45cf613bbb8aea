/**
 * How lines of the log get to standard error. Part of base/log.h, which says the rest.
 */
#ifndef OPENRISK_BASE_LOG_WRITER_H
#define OPENRISK_BASE_LOG_WRITER_H

#include "base/log.h"

/** A line with its line feed: into this thread's ring if there is a writer, else at once. */
void log_writer_put(int64_t time_us, const char *line, size_t length);

#endif
