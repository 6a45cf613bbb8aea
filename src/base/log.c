#include "base/log.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

enum { LINE_MAX_BYTES = 8192 };

const char *const log_level_names[] = {"debug", "info", "warn", "error", NULL};

static _Atomic int threshold = LOG_INFO;

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&threshold, (int)level, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&threshold, memory_order_relaxed);
}

/** U+0080 to U+009F, two bytes in UTF-8; terminals take some of them for commands. */
static bool is_c1_control(const unsigned char *c)
{
    return c[0] == 0xC2 && c[1] >= 0x80 && c[1] < 0xA0;
}

static bool needs_quotes(const char *text)
{
    if (!*text)
        return true;
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if (*c <= ' ' || *c == '"' || *c == '=' || *c == '\\' || *c == 0x7F || is_c1_control(c))
            return true;
    return false;
}

static void put_value(struct buf *line, const char *text)
{
    if (!needs_quotes(text)) {
        buf_puts(line, text);
        return;
    }
    buf_putc(line, '"');
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\')
            buf_printf(line, "\\%c", *c);
        else if (*c == '\n')
            buf_puts(line, "\\n");
        else if (*c < 0x20 || *c == 0x7F)
            buf_printf(line, "\\x%02x", *c);
        else if (is_c1_control(c))
            buf_printf(line, "\\u%04x", *++c);
        else
            buf_putc(line, (char)*c);
    }
    buf_putc(line, '"');
}

void log_write(enum log_level level, const char *event, const struct log_item *items, size_t count)
{
    if (!log_enabled(level))
        return;
    static const struct clock system_clock = {0};
    char time[CLOCK_TIME_SIZE];
    AUTO_BUF struct buf line;
    buf_init(&line, LINE_MAX_BYTES - 1);
    buf_printf(&line,
               "time=%s level=%s event=", clock_format_time(clock_now_ms(&system_clock), time),
               log_level_names[level]);
    put_value(&line, event);
    for (size_t i = 0; i < count; i++) {
        buf_printf(&line, " %s=", items[i].name);
        if (items[i].text)
            put_value(&line, items[i].text);
        else
            buf_printf(&line, "%" PRId64, items[i].number);
    }
    line.max_bytes++; /* the line feed always fits */
    line.overflow = false;
    buf_putc(&line, '\n');
    ssize_t written = write(STDERR_FILENO, line.data, line.length);
    (void)written; /* there is nowhere to report a log that cannot be written */
}
