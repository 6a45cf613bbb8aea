#include "http/target.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http/guard.h"

/* FNV-1a by eight bytes at a time. Collisions cost a place, nothing else, so it needs no key. */
static uint64_t hash_of(const char *raw, size_t length)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325) ^ length, word;
    for (; length >= sizeof word; raw += sizeof word, length -= sizeof word) {
        memcpy(&word, raw, sizeof word);
        hash = (hash ^ word) * UINT64_C(0x100000001B3);
        hash ^= hash >> 32;
    }
    word = 0;
    memcpy(&word, raw, length);
    hash = (hash ^ word) * UINT64_C(0x100000001B3);
    return hash ^ hash >> 32;
}

static struct target *target_new(const char *raw, size_t length, uint64_t hash)
{
    struct target *target = mem_zalloc(1, sizeof *target);
    target->references = 1;
    arena_init(&target->arena);
    target->hash = hash;
    target->length = length;
    target->raw = arena_memdup(&target->arena, raw, length);
    target->path = "";
    target->refused =
        guard_target(&target->arena, target->raw, &target->path, &target->query, &target->detail);
    return target;
}

struct target *targets_get(struct targets *targets, const char *raw)
{
    size_t length = strlen(raw);
    uint64_t hash = hash_of(raw, length);
    struct target **place = &targets->kept[hash % TARGETS_KEPT], *target = *place;
    if (target && target->hash == hash && target->length == length &&
        memcmp(target->raw, raw, length) == 0) {
        target->references++;
        return target;
    }
    target = target_new(raw, length, hash);
    if (!target->refused && length <= TARGET_KEPT_BYTES_MAX) {
        target_unref(*place);
        *place = target;
        target->references++;
    }
    return target;
}

void target_unref(struct target *target)
{
    if (!target || --target->references > 0)
        return;
    arena_release(&target->arena);
    free(target);
}

void targets_release(struct targets *targets)
{
    for (size_t i = 0; i < TARGETS_KEPT; i++) {
        target_unref(targets->kept[i]);
        targets->kept[i] = NULL;
    }
}
