/**
 * A line of the log as text. Part of base/log.h.
 */
#ifndef OPENRISK_BASE_LOG_LINE_H
#define OPENRISK_BASE_LOG_LINE_H

#include "base/log.h"

enum { LOG_LINE_MAX_BYTES = 8192 };

/** What a line says. */
struct log_entry {
    int64_t time_us; /* wall clock */
    enum log_level level;
    const char *event;
    const struct log_item *items;
    size_t count;
};

/** What log_set_format() has set. */
enum log_format log_format(void);

/** With its line feed, which is the only one; without a NUL. Returns the length. */
size_t log_line(enum log_format format, const struct log_entry *entry,
                char ret_line[LOG_LINE_MAX_BYTES]);

#endif
