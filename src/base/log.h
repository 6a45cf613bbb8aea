/**
 * The log: one line per event on standard error, in logfmt or as JSON.
 *
 *     log_event(LOG_INFO, "request", LOG_TEXT("route", "/risks"), LOG_INT("status", 200));
 *     → time=2026-11-23T14:03:07.123Z level=info event=request route=/risks status=200
 *     → {"time":"2026-11-23T14:03:07.123Z","level":"info","event":"request","route":"/risks",…}
 *
 * What could forge a line, or command a terminal, is escaped in values; a line has at most 8 KiB,
 * and what is beyond is cut. Names of items are constants of the code, in snake_case. Never pass a
 * password, a token or a body.
 *
 * Commands and tests write each line at once, with one write(2), which may wait for whoever reads.
 * Between log_start() and log_stop() a thread of its own writes, and nobody else waits: see
 * log_writer.c. Thread-safe.
 */
#ifndef OPENRISK_BASE_LOG_H
#define OPENRISK_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
extern const char *const log_level_names[]; /* NULL-terminated */

enum log_format { LOG_LOGFMT, LOG_JSON };
extern const char *const log_format_names[]; /* NULL-terminated */

struct log_item {
    const char *name;
    const char *text; /* NULL: the number counts */
    int64_t number;
};

static inline const char *log_text(const char *text)
{
    return text ? text : "";
}
#define LOG_TEXT(item_name, item_text)                                                             \
    ((struct log_item){.name = (item_name), .text = log_text(item_text)})
#define LOG_INT(item_name, item_number)                                                            \
    ((struct log_item){.name = (item_name), .number = (item_number)})

/** Lines below `level` are dropped. Set once at the start. */
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);
/** Logfmt, if it is not set. Set once at the start. */
void log_set_format(enum log_format format);

void log_write(enum log_level level, const char *event, const struct log_item *items, size_t count);
#define log_event(level, event, ...)                                                               \
    log_write((level), (event), (const struct log_item[]){__VA_ARGS__},                            \
              sizeof((const struct log_item[]){__VA_ARGS__}) / sizeof(struct log_item))

/**
 * From now on a thread writes the log: a call of log_event() never waits, and makes no system call
 * but to wake that thread. What it cannot take is counted, and told by a line
 * `event=log_dropped lines=N`. The process must ignore SIGPIPE. UNAVAILABLE if there is no thread;
 * then, and where this is not called, lines are written at once.
 */
enum status log_start(struct err *err) MUST_CHECK;
/**
 * Write what is left, but not beyond `deadline_ms` (monotonic): if nobody reads by then it is
 * counted as dropped. Then lines are written at once again. What others log at the same moment may
 * be lost: stop them first. Without log_start() it does nothing.
 */
void log_stop(int64_t deadline_ms);

/** Since the process began. */
struct log_statistics {
    uint64_t written; /* lines, whole */
    uint64_t dropped; /* lines: a ring was full, or the writing failed */
    unsigned rings;   /* threads that have logged at one time, at most */
};
struct log_statistics log_statistics(void);

#endif
