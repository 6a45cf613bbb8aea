/**
 * A hash table from texts to pointers, for one piece of work: things are added, never taken out.
 *
 * Lives in an arena; texts and values are borrowed. Not thread-safe.
 */
#ifndef OPENRISK_SERVICE_NAME_TABLE_H
#define OPENRISK_SERVICE_NAME_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

struct name_slot;
struct name_table {
    struct arena *arena;
    struct name_slot *slots; /* open addressing, linear probing; at most half full */
    size_t count, capacity;
    uint64_t seed; /* random, so that a file cannot bring names that all meet in one place */
};

void name_table_init(struct name_table *table, struct arena *arena);
/** NULL if the name is not there. */
void *name_table_get(const struct name_table *table, const char *name);
/** Add a name, or replace its value, which is not NULL. */
void name_table_put(struct name_table *table, const char *name, void *value);

#endif
