/**
 * A growing text with a cap.
 *
 * The cap is given at the start; what would pass it is dropped and `overflow` is set, so that a
 * writer checks once at its end. The bytes are on the heap and always followed by a NUL.
 *
 *     AUTO_BUF struct buf out; buf_init(&out, 1 << 20);
 *     buf_puts(&out, "hello");
 *     if (out.overflow) …
 *
 * Not thread-safe.
 */
#ifndef OPENRISK_BASE_BUF_H
#define OPENRISK_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *data; /* never NULL after buf_init() */
    size_t length;
    size_t capacity;
    size_t max_bytes;
    bool overflow;
};

void buf_init(struct buf *buf, size_t max_bytes);
void buf_release(struct buf *buf);
#define AUTO_BUF __attribute__((cleanup(buf_release)))

/** Empty, capacity kept. */
void buf_clear(struct buf *buf);
void buf_put(struct buf *buf, const void *bytes, size_t length);
void buf_puts(struct buf *buf, const char *text);
void buf_putc(struct buf *buf, char c);
/**
 * Room for `most` bytes at the end, to be written by the caller, who then says where they end; NULL
 * beyond the cap. A byte more may be written: a terminator.
 */
char *buf_room(struct buf *buf, size_t most);
void buf_filled(struct buf *buf, const char *end);
void buf_put_int(struct buf *buf, int64_t value); /* as "%" PRId64, several times as fast */
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** The bytes become the caller's, to be freed; the buffer is as new. */
char *buf_detach(struct buf *buf, size_t *ret_length);

#endif
