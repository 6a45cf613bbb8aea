#include "service/name_table.h"

#include <string.h>

#include "base/id.h"

struct name_slot {
    const char *name; /* NULL: free */
    uint64_t hash;
    void *value;
};

void name_table_init(struct name_table *table, struct arena *arena)
{
    *table = (struct name_table){.arena = arena};
    id_random(&table->seed, sizeof table->seed);
}

static uint64_t hash_of(const struct name_table *table, const char *name)
{
    uint64_t hash = table->seed;
    for (; *name; name++) {
        hash = (hash ^ (unsigned char)*name) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 29;
    }
    return hash;
}

/** Where the name is, or would be. */
static struct name_slot *find(const struct name_table *table, const char *name, uint64_t hash)
{
    for (size_t at = hash & (table->capacity - 1);; at = (at + 1) & (table->capacity - 1)) {
        struct name_slot *slot = &table->slots[at];
        if (!slot->name || (slot->hash == hash && strcmp(slot->name, name) == 0))
            return slot;
    }
}

static void grow(struct name_table *table)
{
    struct name_table larger = *table;
    larger.capacity = table->capacity ? 2 * table->capacity : 64;
    larger.slots = arena_zalloc(table->arena, larger.capacity, sizeof *larger.slots);
    for (size_t i = 0; i < table->capacity; i++)
        if (table->slots[i].name)
            *find(&larger, table->slots[i].name, table->slots[i].hash) = table->slots[i];
    *table = larger;
}

void *name_table_get(const struct name_table *table, const char *name)
{
    return table->count ? find(table, name, hash_of(table, name))->value : NULL;
}

void name_table_put(struct name_table *table, const char *name, void *value)
{
    if (2 * table->count >= table->capacity)
        grow(table);
    uint64_t hash = hash_of(table, name);
    struct name_slot *slot = find(table, name, hash);
    table->count += !slot->name;
    *slot = (struct name_slot){.name = name, .hash = hash, .value = value};
}
