#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static char empty[1];

void buf_init(struct buf *buf, size_t max_bytes)
{
    /* Sums of sizes below cannot overflow, even if there is no cap (SIZE_MAX). */
    *buf = (struct buf){.data = empty,
                        .max_bytes = max_bytes < SIZE_MAX / 4 ? max_bytes : SIZE_MAX / 4};
}

void buf_release(struct buf *buf)
{
    if (buf->data != empty)
        free(buf->data);
    buf_init(buf, buf->max_bytes);
}

void buf_clear(struct buf *buf)
{
    buf->length = 0;
    buf->overflow = false;
    if (buf->data != empty)
        buf->data[0] = '\0';
}

static bool reserve(struct buf *buf, size_t extra)
{
    if (buf->overflow || extra > buf->max_bytes - buf->length) {
        buf->overflow = true;
        return false;
    }
    size_t need = buf->length + extra + 1;
    if (need > buf->capacity) {
        size_t capacity = buf->capacity ? buf->capacity * 2 : 256;
        if (capacity < need)
            capacity = need;
        if (capacity > buf->max_bytes + 1)
            capacity = buf->max_bytes + 1;
        buf->data = mem_realloc(buf->data == empty ? NULL : buf->data, capacity);
        buf->capacity = capacity;
    }
    return true;
}

void buf_put(struct buf *buf, const void *bytes, size_t length)
{
    if (length == 0 || !reserve(buf, length))
        return;
    memcpy(buf->data + buf->length, bytes, length);
    buf->length += length;
    buf->data[buf->length] = '\0';
}

char *buf_room(struct buf *buf, size_t most)
{
    return reserve(buf, most) ? buf->data + buf->length : NULL;
}

void buf_filled(struct buf *buf, const char *end)
{
    buf->length = (size_t)(end - buf->data);
    buf->data[buf->length] = '\0';
}

void buf_puts(struct buf *buf, const char *text)
{
    buf_put(buf, text, strlen(text));
}

void buf_putc(struct buf *buf, char c)
{
    buf_put(buf, &c, 1);
}

void buf_put_int(struct buf *buf, int64_t value)
{
    char text[20], *at = text + sizeof text;
    uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do
        *--at = (char)('0' + left % 10);
    while (left /= 10);
    if (value < 0)
        *--at = '-';
    buf_put(buf, at, (size_t)(text + sizeof text - at));
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length > 0 && reserve(buf, (size_t)length)) {
        vsnprintf(buf->data + buf->length, (size_t)length + 1, format, again);
        buf->length += (size_t)length;
    }
    va_end(again);
}

char *buf_detach(struct buf *buf, size_t *ret_length)
{
    if (buf->data == empty)
        buf->data = mem_strdup("");
    char *data = buf->data;
    if (ret_length)
        *ret_length = buf->length;
    buf_init(buf, buf->max_bytes);
    return data;
}
