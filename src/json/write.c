#include "json/json_write.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

void json_writer_init(struct json_writer *out, struct buf *buf)
{
    *out = (struct json_writer){.buf = buf};
}

/** How many bytes stand as they are before one that is escaped, or the end. */
static size_t plain_bytes(const char *text)
{
    const char *at = text;
    while ((unsigned char)*at >= 0x20 && *at != '"' && *at != '\\')
        at++;
    return (size_t)(at - text);
}

static void put_escape(struct buf *buf, unsigned char c)
{
    static const char short_escapes[0x20] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    char escape = c >= 0x20 ? (char)c : short_escapes[c];
    if (escape)
        buf_put(buf, (const char[]){'\\', escape}, 2);
    else
        buf_printf(buf, "\\u%04x", c);
}

/** `before` and the text, with quotes, and `after`; either may be 0. Most texts need no escapes. */
static void put_quoted(struct buf *buf, char before, const char *text, char after)
{
    size_t plain = plain_bytes(text);
    char *at = buf_room(buf, plain + 4);
    if (!at)
        return;
    if (before)
        *at++ = before;
    *at++ = '"';
    memcpy(at, text, plain);
    at += plain;
    if (!text[plain]) {
        *at++ = '"';
        if (after)
            *at++ = after;
        buf_filled(buf, at);
        return;
    }
    buf_filled(buf, at);
    for (text += plain; *text; text += plain) {
        put_escape(buf, (unsigned char)*text++);
        plain = plain_bytes(text);
        buf_put(buf, text, plain);
    }
    buf_putc(buf, '"');
    if (after)
        buf_putc(buf, after);
}

/** What comes before a value: a comma, and its name inside an object. */
static void begin_value(struct json_writer *out, const char *name)
{
    uint32_t bit = UINT32_C(1) << out->depth;
    char comma = out->has_item & bit ? ',' : 0;
    out->has_item |= bit;
    if (name)
        put_quoted(out->buf, comma, name, ':');
    else if (comma)
        buf_putc(out->buf, comma);
}

static void open(struct json_writer *out, const char *name, char bracket)
{
    begin_value(out, name);
    assert(out->depth < JSON_WRITE_DEPTH_MAX);
    out->depth++;
    out->has_item &= ~(UINT32_C(1) << out->depth);
    buf_putc(out->buf, bracket);
}

static void close(struct json_writer *out, char bracket)
{
    assert(out->depth > 0);
    out->depth--;
    buf_putc(out->buf, bracket);
}

void json_open_object(struct json_writer *out, const char *name)
{
    open(out, name, '{');
}

void json_close_object(struct json_writer *out)
{
    close(out, '}');
}

void json_open_array(struct json_writer *out, const char *name)
{
    open(out, name, '[');
}

void json_close_array(struct json_writer *out)
{
    close(out, ']');
}

void json_put_raw(struct json_writer *out, const char *name, const char *json_text)
{
    begin_value(out, name);
    buf_puts(out->buf, json_text ? json_text : "null");
}

void json_put_string(struct json_writer *out, const char *name, const char *text_or_null)
{
    begin_value(out, name);
    if (text_or_null)
        put_quoted(out->buf, 0, text_or_null, 0);
    else
        buf_puts(out->buf, "null");
}

void json_put_int(struct json_writer *out, const char *name, int64_t value)
{
    begin_value(out, name);
    buf_put_int(out->buf, value);
}

void json_put_real(struct json_writer *out, const char *name, double value)
{
    /* A browser writes 5.0 as 5 and 1e16 with all its digits; so do we, or a value that came back
     * unchanged would look changed. */
    if (value >= -0x1p63 && value < 0x1p63 && (double)(int64_t)value == value) {
        json_put_int(out, name, (int64_t)value);
        return;
    }
    char text[40];
    int digits = 15;
    do
        snprintf(text, sizeof text, "%.*g", digits, value);
    while (strtod(text, NULL) != value && digits++ < 17);
    json_put_raw(out, name, text);
}

void json_put_bool(struct json_writer *out, const char *name, bool value)
{
    json_put_raw(out, name, value ? "true" : "false");
}

void json_put_null(struct json_writer *out, const char *name)
{
    json_put_raw(out, name, NULL);
}

void json_put_hundredths(struct json_writer *out, const char *name, int64_t hundredths)
{
    unsigned rest = (unsigned)(llabs(hundredths % 100));
    begin_value(out, name);
    if (hundredths < 0 && hundredths > -100)
        buf_putc(out->buf, '-');
    buf_put_int(out->buf, hundredths / 100);
    if (rest % 10)
        buf_printf(out->buf, ".%02u", rest);
    else if (rest)
        buf_printf(out->buf, ".%u", rest / 10);
}

void json_put_time(struct json_writer *out, const char *name, int64_t time_ms)
{
    char text[CLOCK_TIME_SIZE];
    json_put_string(out, name, time_ms ? clock_format_time(time_ms, text) : NULL);
}

void json_put_texts(struct json_writer *out, const char *name, struct texts texts)
{
    json_open_array(out, name);
    for (size_t i = 0; i < texts.count; i++)
        json_put_string(out, NULL, texts.items[i]);
    json_close_array(out);
}

/** A container with its items, through a writer of its own, which has depth to spare. */
static void put_items(struct buf *buf, const json *value)
{
    struct json_writer out;
    const json *item;
    json_writer_init(&out, buf);
    if (json_kind(value) == JSON_KIND_ARRAY) {
        json_open_array(&out, NULL);
        for (size_t i = 0; (item = json_item(value, i)); i++)
            json_put_value(&out, NULL, item);
        json_close_array(&out);
    } else {
        json_open_object(&out, NULL);
        for (const char *name = NULL; (item = json_next_member(value, &name));)
            json_put_value(&out, name, item);
        json_close_object(&out);
    }
}

void json_put_value(struct json_writer *out, const char *name, const json *value_or_null)
{
    const json *value = value_or_null;
    int64_t integer;
    double real;
    bool truth;
    switch (value ? json_kind(value) : JSON_KIND_NULL) {
    case JSON_KIND_NULL:
        json_put_null(out, name);
        return;
    case JSON_KIND_BOOL:
        json_put_bool(out, name, json_as_bool(value, &truth) && truth);
        return;
    case JSON_KIND_INT:
        if (json_as_int(value, &integer))
            json_put_int(out, name, integer);
        return;
    case JSON_KIND_REAL:
        if (json_as_real(value, &real))
            json_put_real(out, name, real);
        return;
    case JSON_KIND_STRING:
        json_put_string(out, name, json_as_string(value));
        return;
    case JSON_KIND_ARRAY:
    case JSON_KIND_OBJECT:
        begin_value(out, name);
        put_items(out->buf, value);
        return;
    }
}

void json_put_field(struct json_writer *out, const struct field *field, const void *record)
{
    const char *name = field->name;
    switch (field->kind) {
    case FIELD_TEXT:
    case FIELD_LONG_TEXT:
    case FIELD_DATE:
        json_put_string(out, name, *FIELD_OF(char *, record, field));
        return;
    case FIELD_INT:
        json_put_int(out, name, *FIELD_OF(int64_t, record, field));
        return;
    case FIELD_BOOL:
        json_put_bool(out, name, *FIELD_OF(bool, record, field));
        return;
    case FIELD_ENUM:
        json_put_string(out, name, field->names[*FIELD_OF(int, record, field)]);
        return;
    case FIELD_TIME:
        json_put_time(out, name, *FIELD_OF(int64_t, record, field));
        return;
    case FIELD_HUNDREDTHS:
        json_put_hundredths(out, name, *FIELD_OF(int64_t, record, field));
        return;
    case FIELD_TEXTS:
        json_put_texts(out, name, *FIELD_OF(struct texts, record, field));
        return;
    case FIELD_OBJECT:
        json_put_raw(out, name, *FIELD_OF(char *, record, field));
        return;
    }
}

void json_put_fields(struct json_writer *out, const struct field_table *table, field_mask mask,
                     const void *record)
{
    for (size_t i = 0; i < table->count; i++)
        if ((mask & FIELD_BIT(i)) && !(table->fields[i].flags & FIELD_HIDDEN))
            json_put_field(out, &table->fields[i], record);
}

char *json_field_text(const struct field *field, const void *record, struct arena *arena)
{
    AUTO_BUF struct buf buf;
    buf_init(&buf, SIZE_MAX);
    struct json_writer out;
    struct field unnamed = *field;
    unnamed.name = NULL;
    json_writer_init(&out, &buf);
    json_put_field(&out, &unnamed, record);
    return arena_memdup(arena, buf.data, buf.length);
}
