#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { FIRST_BLOCK_BYTES = 4096, LARGEST_GROWN_BLOCK_BYTES = 1 << 20 };

struct arena_block {
    struct arena_block *older;
    size_t size_bytes;
    max_align_t data[];
};

void arena_init(struct arena *arena)
{
    *arena = (struct arena){0};
}

static void free_blocks(struct arena_block *block)
{
    while (block) {
        struct arena_block *older = block->older;
        free(block);
        block = older;
    }
}

void arena_release(struct arena *arena)
{
    free_blocks(arena->block);
    arena_init(arena);
}

void arena_clear(struct arena *arena)
{
    if (!arena->block)
        return;
    free_blocks(arena->block->older);
    arena->block->older = NULL;
    arena->used_bytes = 0;
    arena->total_bytes = arena->block->size_bytes;
}

static struct arena_block *new_block(struct arena *arena, size_t size)
{
    struct arena_block *block = mem_alloc(sizeof *block + size);
    block->size_bytes = size;
    arena->total_bytes += size;
    return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    const size_t align = _Alignof(max_align_t);
    if (size > SIZE_MAX / 2)
        abort();
    size = (size + align - 1) / align * align;
    if (arena->block && arena->block->size_bytes - arena->used_bytes >= size) {
        void *memory = (char *)arena->block->data + arena->used_bytes;
        arena->used_bytes += size;
        return memory;
    }
    size_t grown = arena->block ? arena->total_bytes : FIRST_BLOCK_BYTES;
    if (grown > LARGEST_GROWN_BLOCK_BYTES)
        grown = LARGEST_GROWN_BLOCK_BYTES;
    if (arena->block && size > grown / 4) {
        /* A large piece goes behind the current block, whose free rest stays in use. */
        struct arena_block *block = new_block(arena, size);
        block->older = arena->block->older;
        arena->block->older = block;
        return block->data;
    }
    struct arena_block *block = new_block(arena, size > grown ? size : grown);
    block->older = arena->block;
    arena->block = block;
    arena->used_bytes = size;
    return block->data;
}

void *arena_zalloc(struct arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        abort();
    return memset(arena_alloc(arena, bytes), 0, bytes);
}

char *arena_memdup(struct arena *arena, const void *bytes, size_t size)
{
    char *copy = arena_alloc(arena, size + 1);
    if (size)
        memcpy(copy, bytes, size);
    copy[size] = '\0';
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return text ? arena_memdup(arena, text, strlen(text)) : NULL;
}

char *arena_format(struct arena *arena, const char *format, ...)
{
    /* Most texts fit here and are formatted once; measuring alone would cost as much again. */
    char buffer[1024];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(buffer, sizeof buffer, format, args);
    va_end(args);
    if (length < 0)
        abort();
    char *text;
    if ((size_t)length < sizeof buffer) {
        text = arena_memdup(arena, buffer, (size_t)length);
    } else {
        text = arena_alloc(arena, (size_t)length + 1);
        vsnprintf(text, (size_t)length + 1, format, again);
    }
    va_end(again);
    return text;
}
