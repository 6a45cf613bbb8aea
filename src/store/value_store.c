/*
 * An index holds the value of each risk, and thousands of risks have the same one. So the next
 * value is asked for, and the next after that, which the index finds without a look at those
 * between: a "loose index scan". Neither engine does it by itself for SELECT DISTINCT. Folding is
 * ours, so the values are compared here; that is why they are counted.
 */
#include "store/value_store.h"

#include <stdlib.h>
#include <string.h>

#include "store/gather.h"
#include "store/queries.h"

const char *const value_member_names[] = {"owner", "category", "tag", "framework", "source", NULL};

static const enum query_id query_of[] = {
    [VALUE_OWNER] = QUERY_OWNERS_IN_USE,   [VALUE_CATEGORY] = QUERY_CATEGORIES_IN_USE,
    [VALUE_TAG] = QUERY_TAGS_IN_USE,       [VALUE_FRAMEWORK] = QUERY_FRAMEWORKS_IN_USE,
    [VALUE_SOURCE] = QUERY_SOURCES_IN_USE,
};

struct found {
    const char *value, *folded;
};

static int compare(const void *a, const void *b)
{
    const struct found *one = a, *other = b;
    int order = strcmp(one->folded, other->folded);
    return order ? order : strcmp(one->value, other->value);
}

static struct value_list list_of(struct gathered *all, size_t most, struct arena *arena)
{
    struct value_list list = {.is_complete = all->count <= most};
    struct found *found = all->items;
    size_t count = all->count < most ? all->count : most;
    if (all->count)
        qsort(found, all->count, sizeof *found, compare);
    list.items.items = arena_zalloc(arena, count + 1, sizeof *list.items.items);
    for (; list.items.count < count; list.items.count++)
        list.items.items[list.items.count] = found[list.items.count].value;
    return list;
}

enum status value_store_find(struct db *db, enum value_member member, const char *part, size_t most,
                             struct arena *arena, struct value_list *ret_list, struct err *err)
{
    struct gathered all = {.item_size = sizeof(struct found), .arena = arena};
    AUTO_ROWS struct db_rows rows = {0};
    size_t looked_at = 0;
    /* One more tells whether there are more. */
    enum status status = db_select(db, &queries[query_of[member]],
                                   DB_PARAMS(DB_INT(VALUES_LOOKED_AT_MAX + 1)), &rows, err);
    if (status != OK)
        return status;
    while (db_next(&rows) && ++looked_at <= VALUES_LOOKED_AT_MAX) {
        const char *folded = text_fold(arena, db_text(&rows, 0));
        if (part && !strstr(folded, part))
            continue;
        *(struct found *)gather(&all) = (struct found){db_text_copy(&rows, 0, arena), folded};
    }
    status = db_end(&rows, err);
    if (status != OK)
        return status;
    *ret_list = list_of(&all, most, arena);
    ret_list->is_complete &= looked_at <= VALUES_LOOKED_AT_MAX;
    return OK;
}
