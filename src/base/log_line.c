#include "base/log_line.h"

#include <string.h>

#include <utf8proc.h>

#include "base/clock.h"

/* What always fits: the quote of the value that was cut, a brace, the line feed. */
enum { CLOSING_BYTES = 3, ESCAPE_MAX_BYTES = 7 };

enum { QUOTE = '"', NEXT_LINE_LAST = 0x9F, LINE_SEPARATOR = 0x2028, PARAGRAPH_SEPARATOR = 0x2029 };

struct line {
    char *at, *end;
    bool is_full; /* something did not fit: nothing comes after it */
};

static void put(struct line *line, const char *bytes, size_t length)
{
    line->is_full |= length > (size_t)(line->end - line->at);
    if (line->is_full)
        return;
    memcpy(line->at, bytes, length);
    line->at += length;
}

static void puts_to(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

static void put_int(struct line *line, int64_t value)
{
    char digits[20], *at = digits + sizeof digits;
    uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do
        *--at = (char)('0' + left % 10);
    while (left /= 10);
    if (value < 0)
        *--at = '-';
    put(line, at, (size_t)(digits + sizeof digits - at));
}

static void put_hex(struct line *line, const char *prefix, unsigned value, unsigned digits)
{
    char text[ESCAPE_MAX_BYTES];
    size_t length = strlen(prefix);
    memcpy(text, prefix, length);
    while (digits-- > 0)
        text[length++] = "0123456789abcdef"[value >> (4 * digits) & 0xF];
    put(line, text, length);
}

/** Bytes that stand for themselves in any value: ASCII but controls, quotes and backslashes. */
static bool is_plain(unsigned char c)
{
    return c >= ' ' && c < 0x7F && c != QUOTE && c != '\\';
}

/** The character that begins here, or −1 if this is no UTF-8; `ret_length` is at least 1. */
static int32_t character(const unsigned char *at, size_t *ret_length)
{
    utf8proc_int32_t point;
    utf8proc_ssize_t length = utf8proc_iterate(at, -1, &point); /* a NUL continues nothing */
    *ret_length = length > 0 ? (size_t)length : 1;
    return length > 0 ? point : -1;
}

/**
 * Not to be seen as they are: controls, of which U+0080 to U+009F are two bytes, since terminals
 * take some of them for commands; and what some readers take for the end of a line.
 */
static bool is_escaped(int32_t point)
{
    return point < ' ' || (point >= 0x7F && point <= NEXT_LINE_LAST) || point == LINE_SEPARATOR ||
           point == PARAGRAPH_SEPARATOR;
}

static void put_special(struct line *line, enum log_format format, int32_t point,
                        const unsigned char *bytes, size_t length)
{
    static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */
    if (point == QUOTE || point == '\\')
        put(line, point == QUOTE ? "\\\"" : "\\\\", 2);
    else if (point == '\n')
        put(line, "\\n", 2);
    else if (point < 0 && format == LOG_JSON)
        puts_to(line, replacement);
    else if (point < 0x80 && is_escaped(point) && format == LOG_LOGFMT)
        put_hex(line, "\\x", *bytes, 2);
    else if (is_escaped(point))
        put_hex(line, "\\u", (unsigned)point, 4);
    else
        put(line, (const char *)bytes, length);
}

/** What stands between the quotes. If it is too long, what fits. */
static void put_escaped(struct line *line, enum log_format format, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    while (*at && !line->is_full) {
        size_t length = 0, room = (size_t)(line->end - line->at);
        while (is_plain(at[length]))
            length++;
        if (length > 0) {
            put(line, (const char *)at, length < room ? length : room);
            line->is_full |= length > room;
        } else {
            int32_t point = character(at, &length);
            put_special(line, format, point, at, length);
        }
        at += length;
    }
}

static void put_quoted(struct line *line, enum log_format format, const char *text)
{
    put(line, "\"", 1);
    if (line->is_full)
        return;
    put_escaped(line, format, text);
    *line->at++ = QUOTE;
    line->is_full |= line->at > line->end; /* it was the one that always fits */
}

static bool needs_quotes(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    if (!*at)
        return true;
    for (size_t length; *at; at += length) {
        length = 1;
        if (*at == ' ' || *at == '=')
            return true;
        if (!is_plain(*at) && (*at < 0x80 || is_escaped(character(at, &length))))
            return true;
    }
    return false;
}

static void put_text(struct line *line, enum log_format format, const char *text)
{
    if (format == LOG_JSON || needs_quotes(text))
        put_quoted(line, format, text);
    else
        put_escaped(line, format, text);
}

static void put_item(struct line *line, enum log_format format, const struct log_item *item)
{
    char *before = line->at;
    puts_to(line, format == LOG_JSON ? ",\"" : " ");
    puts_to(line, item->name);
    puts_to(line, format == LOG_JSON ? "\":" : "=");
    char *value = line->at;
    if (item->text && !line->is_full)
        put_text(line, format, item->text);
    else
        put_int(line, item->number);
    /* A text may be cut, a number may not, and a name needs a value. */
    if (line->is_full && (!item->text || line->at == value))
        line->at = before;
}

size_t log_line(enum log_format format, const struct log_entry *entry,
                char ret_line[LOG_LINE_MAX_BYTES])
{
    char time[CLOCK_TIME_SIZE];
    struct line line = {.at = ret_line, .end = ret_line + LOG_LINE_MAX_BYTES - CLOSING_BYTES};
    puts_to(&line, format == LOG_JSON ? "{\"time\":\"" : "time=");
    puts_to(&line, clock_format_time(entry->time_us / 1000, time));
    puts_to(&line, format == LOG_JSON ? "\",\"level\":\"" : " level=");
    puts_to(&line, log_level_names[entry->level]);
    puts_to(&line, format == LOG_JSON ? "\",\"event\":" : " event=");
    put_text(&line, format, entry->event);
    for (size_t i = 0; i < entry->count && !line.is_full; i++)
        put_item(&line, format, &entry->items[i]);
    if (format == LOG_JSON)
        *line.at++ = '}';
    *line.at++ = '\n';
    return (size_t)(line.at - ret_line);
}
