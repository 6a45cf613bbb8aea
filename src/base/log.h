/**
 * The log: one line per event on standard error, in logfmt.
 *
 *     log_event(LOG_INFO, "request", LOG_TEXT("route", "GET /risks"), LOG_INT("status", 200));
 *     → time=2026-11-23T14:03:07.123Z level=info event=request route="GET /risks" status=200
 *
 * Control characters and quotes in values are escaped, so that a value cannot forge a line. Never
 * pass a password, a token or a body. Thread-safe; a line is written with one write(2).
 */
#ifndef OPENRISK_BASE_LOG_H
#define OPENRISK_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
extern const char *const log_level_names[]; /* NULL-terminated */

struct log_item {
    const char *name;
    const char *text; /* NULL: the number counts */
    int64_t number;
};

#define LOG_TEXT(item_name, item_text)                                                             \
    ((struct log_item){.name = (item_name), .text = (item_text) ? (item_text) : ""})
#define LOG_INT(item_name, item_number)                                                            \
    ((struct log_item){.name = (item_name), .number = (item_number)})

/** Lines below `level` are dropped. Set once at the start. */
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);

void log_write(enum log_level level, const char *event, const struct log_item *items, size_t count);
#define log_event(level, event, ...)                                                               \
    log_write((level), (event), (const struct log_item[]){__VA_ARGS__},                            \
              sizeof((const struct log_item[]){__VA_ARGS__}) / sizeof(struct log_item))

#endif
