/**
 * Gathering rows: an array that grows in an arena. For the stores only.
 *
 * Items are zeroed and move when the array grows, so keep no pointer to one until all are in.
 */
#ifndef OPENRISK_STORE_GATHER_H
#define OPENRISK_STORE_GATHER_H

#include "base/arena.h"

struct gathered {
    void *items;
    size_t count, capacity, item_size;
    struct arena *arena;
};

/** A place for one more item. */
void *gather(struct gathered *all);

#endif
