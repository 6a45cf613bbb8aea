#include "api/key.h"

#include <string.h>

#include "api/internal.h"

/* Between the parts of a key. No part can hold it: control characters are refused in paths and
 * parameters alike. */
#define SEPARATOR '\x1f'

enum { NUMBER_SIZE = 24, KEY_PARTS_MAX = 2 * LIST_FILTERS_MAX + ROUTE_ARGS_MAX + 16 };

struct key_parts {
    struct {
        const char *text;
        size_t length;
    } items[KEY_PARTS_MAX];
    size_t count, bytes;
    char numbers[ROUTE_PARAMS_MAX + 4][NUMBER_SIZE];
    size_t number_count;
};

static void add_text(struct key_parts *parts, const char *text)
{
    size_t length = strlen(text);
    parts->items[parts->count].text = text;
    parts->items[parts->count++].length = length;
    parts->bytes += length + 1;
}

static void add_number(struct key_parts *parts, int64_t number)
{
    char *end = parts->numbers[parts->number_count++] + NUMBER_SIZE - 1;
    uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
    *end = '\0';
    do
        *--end = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (number < 0)
        *--end = '-';
    add_text(parts, end);
}

static void add_list(struct key_parts *parts, const struct list_request *list)
{
    const struct list_spec *spec = list->spec;
    for (size_t i = 0; i < spec->filter_count; i++) {
        if (!list->values[i])
            continue;
        add_text(parts, spec->filters[i].name);
        add_text(parts, list->values[i]);
    }
    add_text(parts, spec->sorts[list->sort].name);
    add_text(parts, list->descending ? "desc" : "asc");
    add_number(parts, list->limit);
    if (list->after)
        add_text(parts, list->after);
    else
        add_number(parts, list->page);
}

struct cache_key key_of_question(const struct api *api, const struct route *route,
                                 const struct question *question, int32_t day, struct arena *arena)
{
    struct key_parts parts;
    parts.count = parts.bytes = parts.number_count = 0;
    add_text(&parts, route->pattern);
    add_number(&parts, day);
    for (size_t i = 0; i < ROUTE_ARGS_MAX && question->args[i]; i++)
        add_text(&parts, question->args[i]);
    for (size_t i = 0; i < route->param_count; i++) {
        add_number(&parts, question->params[i]);
        add_text(&parts, question->texts[i] ? question->texts[i] : "");
    }
    if (route->list)
        add_list(&parts, &question->list);
    char *text = arena_alloc(arena, parts.bytes), *at = text;
    for (size_t i = 0; i < parts.count; i++) {
        memcpy(at, parts.items[i].text, parts.items[i].length);
        at += parts.items[i].length;
        *at++ = SEPARATOR;
    }
    struct fingerprint fingerprint = fingerprint_of(api->fingerprint_key, text, parts.bytes);
    return (struct cache_key){.text = text, .length = parts.bytes, .hash = fingerprint.words[0]};
}
