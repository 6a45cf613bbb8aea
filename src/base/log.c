#include "base/log.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "base/log_line.h"
#include "base/log_writer.h"

const char *const log_level_names[] = {"debug", "info", "warn", "error", NULL};
const char *const log_format_names[] = {"logfmt", "json", NULL};

static _Atomic int threshold = LOG_INFO;
static _Atomic int chosen = LOG_LOGFMT;

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&threshold, (int)level, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&threshold, memory_order_relaxed);
}

void log_set_format(enum log_format format)
{
    atomic_store_explicit(&chosen, (int)format, memory_order_relaxed);
}

enum log_format log_format(void)
{
    return (enum log_format)atomic_load_explicit(&chosen, memory_order_relaxed);
}

void log_write(enum log_level level, const char *event, const struct log_item *items, size_t count)
{
    if (!log_enabled(level))
        return;
    char line[LOG_LINE_MAX_BYTES];
    const struct log_entry entry = {
        .time_us = clock_now_us(), .level = level, .event = event, .items = items, .count = count};
    log_writer_put(entry.time_us, line, log_line(log_format(), &entry, line));
}
