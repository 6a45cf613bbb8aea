/**
 * An arena: memory that is released all at once.
 *
 * One per request, import batch or command; what lives in it is never freed on its own. Blocks grow
 * from 4 KiB; large requests get a block of their own. Not thread-safe: one owner at a time, which
 * may change with the request it belongs to.
 */
#ifndef OPENRISK_BASE_ARENA_H
#define OPENRISK_BASE_ARENA_H

#include <stddef.h>

struct arena_block;
struct arena {
    struct arena_block *block; /* newest first */
    size_t used_bytes;         /* in the newest block */
    size_t total_bytes;        /* reserved in all blocks */
};

void arena_init(struct arena *arena);
/** Gives everything back; the arena is empty and may be used again. */
void arena_release(struct arena *arena);
/** Empties the arena but keeps its newest block, for loops. */
void arena_clear(struct arena *arena);
#define AUTO_ARENA __attribute__((cleanup(arena_release)))

/** Aligned for any type, not zeroed. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((malloc, returns_nonnull));
/** Zeroed; `count * size` is checked for overflow. */
void *arena_zalloc(struct arena *arena, size_t count, size_t size)
    __attribute__((malloc, returns_nonnull));
/** A copy with a final NUL. `arena_strdup(arena, NULL)` is NULL. */
char *arena_strdup(struct arena *arena, const char *text);
char *arena_memdup(struct arena *arena, const void *bytes, size_t size);
char *arena_format(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3), returns_nonnull));

#endif
