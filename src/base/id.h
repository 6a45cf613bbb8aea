/**
 * Identifiers: UUID version 7 (RFC 9562, section 5.7) as 36 characters of text.
 *
 * Within one process each new id sorts after all earlier ones, whatever the clock does: the twelve
 * bits after the version count up within a millisecond (section 6.2, method 1). Thread-safe.
 */
#ifndef OPENRISK_BASE_ID_H
#define OPENRISK_BASE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ID_SIZE = 37 };

/** Write a new id and its NUL. Returns `buffer`, which holds ID_SIZE bytes. */
const char *id_new(int64_t now_ms, char *buffer);

/** True for 36 characters in a UUID's lower-case form, of any version. */
bool id_is_valid(const char *text);

/** Random bytes from the kernel. */
void id_random(void *bytes, size_t size);

#endif
