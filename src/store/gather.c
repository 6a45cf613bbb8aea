#include "store/gather.h"

#include <string.h>

void *gather(struct gathered *all)
{
    if (all->count == all->capacity) {
        size_t capacity = all->capacity ? 2 * all->capacity : 32;
        void *items = arena_zalloc(all->arena, capacity, all->item_size);
        if (all->count)
            memcpy(items, all->items, all->count * all->item_size);
        all->items = items;
        all->capacity = capacity;
    }
    return (char *)all->items + all->item_size * all->count++;
}
