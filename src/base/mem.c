/*
 * The heap. From a certain size on glibc gives an allocation pages of its own, which go back to the
 * system when it is freed. But with each one that comes back it raises that size, up to 32 MiB, and
 * then bodies of answers lie among everything else and leave holes behind: with a full cache that
 * evicts, the process grew by 1.7 times the cache's budget, and went on growing. A size that is
 * fixed keeps the growth at what the cache counts. To be fixed, too, is how much may be free at a
 * heap's end before it is given back, or each large answer gives it back and takes it again.
 *
 * The system limits the number of mappings to 65,530; beyond half of that the heaps take over.
 */
#include "base/mem.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAPPED_BYTES_MIN = 32 << 10,
    FREE_BYTES_MAX = 1 << 20,
    MAPPINGS_MAX = 32768,
    PAGE_BYTES = 4096,
    CHUNK_BYTES_MIN = 32,
};

void mem_init(void)
{
    /* Only another heap than glibc's, such as a sanitizer's, refuses: then nothing is to be set. */
    mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES_MIN);
    mallopt(M_TRIM_THRESHOLD, FREE_BYTES_MAX);
    mallopt(M_MMAP_MAX, MAPPINGS_MAX);
}

static void *checked(void *memory)
{
    if (!memory) {
        fputs("openrisk: out of memory\n", stderr);
        abort();
    }
    return memory;
}

void *mem_alloc(size_t size)
{
    return checked(malloc(size ? size : 1));
}

void *mem_zalloc(size_t count, size_t size)
{
    return checked(calloc(count ? count : 1, size ? size : 1));
}

void *mem_aligned(size_t alignment, size_t size)
{
    size_t whole = (size + alignment - 1) / alignment * alignment;
    return memset(checked(aligned_alloc(alignment, whole)), 0, whole);
}

void *mem_realloc(void *memory, size_t size)
{
    return checked(realloc(memory, size ? size : 1));
}

char *mem_strdup(const char *text)
{
    return checked(strdup(text));
}

char *mem_format(const char *format, ...)
{
    va_list args;
    char *text = NULL;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    return checked(text);
}

static size_t rounded_up(size_t size, size_t unit)
{
    return (size + unit - 1) / unit * unit;
}

size_t mem_footprint(size_t size)
{
    enum { SIZE_BEFORE_BYTES = 8, UNIT_BYTES = 16 };
    size_t chunk = rounded_up(size + SIZE_BEFORE_BYTES, UNIT_BYTES);
    if (chunk >= MAPPED_BYTES_MIN)
        return rounded_up(chunk + SIZE_BEFORE_BYTES, PAGE_BYTES);
    return chunk < CHUNK_BYTES_MIN ? CHUNK_BYTES_MIN : chunk;
}

void mem_free_pointer(void *pointer_to_pointer)
{
    free(*(void **)pointer_to_pointer);
}
