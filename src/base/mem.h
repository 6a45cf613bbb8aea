/**
 * Memory that is always there.
 *
 * Every input of OpenRisk is capped, so running out of memory means a machine that cannot run it:
 * these functions log and abort instead of returning NULL. Thread-safe.
 */
#ifndef OPENRISK_BASE_MEM_H
#define OPENRISK_BASE_MEM_H

#include <stddef.h>

/** Set up the C library's heap for a server that keeps much and runs for long; first in main(). */
void mem_init(void);

void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));
/** Zeroed; `count * size` is checked for overflow. */
void *mem_zalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
/** Zeroed, at a multiple of `alignment`, a power of 2. */
void *mem_aligned(size_t alignment, size_t size) __attribute__((returns_nonnull));
void *mem_realloc(void *memory, size_t size) __attribute__((returns_nonnull));
char *mem_strdup(const char *text) __attribute__((malloc, returns_nonnull));
char *mem_format(const char *format, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

/**
 * What an allocation of `size` bytes takes after mem_init(): the C library (glibc) puts 8 bytes
 * before it and rounds up to a multiple of 16, at least 32; large ones have pages of their own. For
 * budgets that count every byte.
 */
size_t mem_footprint(size_t size);

/** For `AUTO_FREE char *name = …`: freed when the name goes out of scope. */
void mem_free_pointer(void *pointer_to_pointer);
#define AUTO_FREE __attribute__((cleanup(mem_free_pointer)))
#define CLEANUP(function) __attribute__((cleanup(function)))

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
/** The struct of this type whose member the pointer points to. */
#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#endif
