#include "store/query_label.h"

#include <string.h>

#include "base/mem.h"
#include "store/list.h"

/** After the table's: the lists, whose texts are built, and what is no query of ours. */
static const char *const others[] = {
    [LABEL_BEGIN] = "begin_write",
    [LABEL_COMMIT] = "commit",
    [LABEL_OTHER] = "other",
};
enum { OTHERS = LABEL_OTHER + 1 };

static size_t list_count(void)
{
    size_t count = 0;
    while (all_lists[count])
        count++;
    return count;
}

size_t query_label_count(void)
{
    return QUERIES + OTHERS + list_count();
}

const char *query_label_name(size_t label)
{
    if (label < QUERIES)
        return queries[label].name;
    if (label < QUERIES + OTHERS)
        return others[label - QUERIES];
    return all_lists[label - QUERIES - OTHERS]->name;
}

size_t query_label(const struct query *query)
{
    if (query >= queries && query < queries + QUERIES)
        return (size_t)(query - queries);
    for (size_t i = 0; all_lists[i]; i++)
        if (all_lists[i]->name == query->name)
            return QUERIES + OTHERS + i;
    return query_label_of(LABEL_OTHER);
}

size_t query_label_of(enum query_label label)
{
    return QUERIES + (size_t)label;
}
