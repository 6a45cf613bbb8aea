#include "store/list.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { TEXT_MAX = 300 };

/* Between the parts of a token; no text of the register holds it. */
#define TOKEN_SEPARATOR '\x1e'

void list_request_init(struct list_request *request, const struct list_spec *spec)
{
    *request = (struct list_request){
        .spec = spec,
        .page = 1,
        .limit = LIST_LIMIT_DEFAULT,
        .descending = !spec->sorts[0].ascending_first,
    };
}

/** "12.5" → 1250; up to two decimals. */
static bool parse_hundredths(const char *text, int64_t *ret_value)
{
    int64_t whole = 0, part = 0;
    size_t digits = 0;
    for (; *text >= '0' && *text <= '9' && digits < 9; text++, digits++)
        whole = whole * 10 + (*text - '0');
    if (digits == 0)
        return false;
    if (*text == '.') {
        text++;
        int place = 10;
        if (*text < '0' || *text > '9')
            return false;
        for (; *text >= '0' && *text <= '9' && place > 0; text++, place /= 10)
            part += (*text - '0') * place;
    }
    *ret_value = whole * 100 + part;
    return *text == '\0';
}

static enum status parse_value(const struct list_filter *filter, const char *value,
                               struct arena *arena, const char **ret_value, struct err *err)
{
    int64_t number;
    int32_t day;
    switch (filter->kind) {
    case LIST_TEXT:
    case LIST_SEARCH:
    case LIST_SEARCH_NAME:
        if (text_length(value) > TEXT_MAX)
            return err_set(err, MALFORMED, filter->name, "may have at most %d characters",
                           TEXT_MAX);
        if (text_has_control(value, false))
            return err_set(err, MALFORMED, filter->name, "must not contain control characters");
        *ret_value =
            filter->kind == LIST_TEXT ? arena_strdup(arena, value) : text_fold(arena, value);
        if (!**ret_value)
            *ret_value = NULL; /* an empty box filters nothing */
        else if (text_split(arena, *ret_value, ' ').count > LIST_WORDS_MAX)
            return err_set(err, MALFORMED, filter->name, "may have at most %d words",
                           LIST_WORDS_MAX);
        return OK;
    case LIST_NAME:
    case LIST_LEVEL:
        if (text_index(filter->names, value) < 0)
            return err_set(err, MALFORMED, filter->name, "must be one of %s",
                           text_alternatives(arena, filter->names));
        *ret_value = arena_strdup(arena, value);
        return OK;
    case LIST_HUNDREDTHS:
        if (!parse_hundredths(value, &number))
            return err_set(err, MALFORMED, filter->name,
                           "must be a number with at most two decimals");
        *ret_value = arena_format(arena, "%" PRId64, number);
        return OK;
    case LIST_DATE:
        if (!clock_parse_day(value, &day))
            return err_set(err, MALFORMED, filter->name,
                           "must be a date that exists, as YYYY-MM-DD");
        *ret_value = arena_strdup(arena, value);
        return OK;
    case LIST_TIME:
        if (clock_parse_day(value, &day))
            number = day * CLOCK_DAY_MS;
        else if (!clock_parse_time(value, &number))
            return err_set(err, MALFORMED, filter->name,
                           "must be a time as 2026-01-31T12:00:00Z, or a date");
        *ret_value = arena_format(arena, "%" PRId64, number);
        return OK;
    case LIST_NUMBER:
        if (!text_to_int(value, &number))
            return err_set(err, MALFORMED, filter->name, "must be a whole number");
        *ret_value = arena_format(arena, "%" PRId64, number);
        return OK;
    case LIST_SCALE:
        if (!text_to_int(value, &number) || number < 1 || number > LIST_SCALE_MAX)
            return err_set(err, MALFORMED, filter->name, "must be a whole number from 1 to %d",
                           LIST_SCALE_MAX);
        *ret_value = arena_format(arena, "%" PRId64, number);
        return OK;
    case LIST_FLAG:
        if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0 && *value)
            return err_set(err, MALFORMED, filter->name, "must be true or false");
        *ret_value = *value ? arena_strdup(arena, value) : "true"; /* "?overdue" alone is true */
        return OK;
    }
    abort();
}

static enum status parse_range(const char *name, const char *value, int64_t min, int64_t max,
                               int64_t *ret_value, struct err *err)
{
    int64_t number;
    if (!text_to_int(value, &number) || number < min || number > max)
        return err_set(err, MALFORMED, name, "must be a whole number from %" PRId64 " to %" PRId64,
                       min, max);
    *ret_value = number;
    return OK;
}

static enum status set_sort(struct list_request *request, const char *value, struct arena *arena,
                            struct err *err)
{
    const struct list_spec *spec = request->spec;
    const char *names[16] = {0};
    for (size_t i = 0; i < spec->sort_count; i++) {
        if (strcmp(spec->sorts[i].name, value) == 0) {
            request->sort = i;
            if (!request->sort_dir_set)
                request->descending = !spec->sorts[i].ascending_first;
            return OK;
        }
        names[i] = spec->sorts[i].name;
    }
    return err_set(err, MALFORMED, "sort_by", "must be one of %s", text_alternatives(arena, names));
}

/** The position of a parameter among all that a list knows, for `seen`; -1 if it is unknown. */
static int parameter_index(const struct list_spec *spec, const char *name)
{
    static const char *const common[] = {"sort_by", "sort_dir", "page", "limit", "after", NULL};
    int index = text_index(common, name);
    if (index >= 0)
        return LIST_FILTERS_MAX + index;
    for (size_t i = 0; i < spec->filter_count; i++)
        if (!spec->filters[i].internal && strcmp(spec->filters[i].name, name) == 0)
            return (int)i;
    return -1;
}

enum status list_request_set(struct list_request *request, const char *name, const char *value,
                             struct arena *arena, struct err *err)
{
    int index = parameter_index(request->spec, name);
    if (index < 0)
        return err_set(err, MALFORMED, name, "is not a parameter of this list");
    if (request->seen & 1u << index)
        return err_set(err, MALFORMED, name, "is given twice");
    request->seen |= 1u << index;
    if (index < LIST_FILTERS_MAX)
        return parse_value(&request->spec->filters[index], value, arena, &request->values[index],
                           err);
    if (strcmp(name, "sort_by") == 0)
        return set_sort(request, value, arena, err);
    if (strcmp(name, "page") == 0)
        return parse_range(name, value, 1, LIST_DEPTH_MAX, &request->page, err);
    if (strcmp(name, "limit") == 0)
        return parse_range(name, value, 1, LIST_LIMIT_MAX, &request->limit, err);
    if (strcmp(name, "after") == 0) {
        request->after = arena_strdup(arena, value);
        return OK;
    }
    if (strcmp(value, "asc") != 0 && strcmp(value, "desc") != 0)
        return err_set(err, MALFORMED, name, "must be asc or desc");
    request->descending = value[0] == 'd';
    request->sort_dir_set = true;
    return OK;
}

void list_request_filter(struct list_request *request, const char *name, const char *value)
{
    for (size_t i = 0; i < request->spec->filter_count; i++) {
        if (strcmp(request->spec->filters[i].name, name) == 0) {
            request->values[i] = value;
            return;
        }
    }
    abort();
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/** The token's text from its hex form; NULL if it is not one. */
static char *token_decode(const char *hex, struct arena *arena)
{
    size_t length = strlen(hex);
    if (length % 2 || length > 8192)
        return NULL;
    char *text = arena_alloc(arena, length / 2 + 1);
    for (size_t i = 0; i < length; i += 2) {
        int high = hex_digit(hex[i]), low = hex_digit(hex[i + 1]);
        if (high < 0 || low < 0)
            return NULL;
        text[i / 2] = (char)(high << 4 | low);
    }
    text[length / 2] = '\0';
    return text_is_utf8(text, length / 2) ? text : NULL;
}

/** Take the token apart: sort, direction, key, id. It must belong to this order. */
static enum status parse_after(struct list_request *request, struct arena *arena, struct err *err)
{
    char *text = token_decode(request->after, arena), *parts[4] = {0};
    size_t count = 0;
    while (text && count < 4) {
        parts[count++] = text;
        text = strchr(text, TOKEN_SEPARATOR);
        if (text)
            *text++ = '\0';
    }
    const struct list_sort *sort = &request->spec->sorts[request->sort];
    int64_t number;
    if (count != 4 || text || strcmp(parts[0], sort->name) != 0 ||
        strcmp(parts[1], request->descending ? "desc" : "asc") != 0 ||
        (!sort->text_key && !text_to_int(parts[2], &number)) ||
        (request->spec->id_is_number && !text_to_int(parts[3], &number)))
        return err_set(err, MALFORMED, "after",
                       "must be the `next` of an earlier answer in the same order");
    request->after_key = parts[2];
    request->after_id = parts[3];
    return OK;
}

enum status list_request_finish(struct list_request *request, struct arena *arena, struct err *err)
{
    if (request->after) {
        if (request->page != 1)
            return err_set(err, MALFORMED, "after", "cannot be combined with page");
        return parse_after(request, arena, err);
    }
    if (request->page * request->limit > LIST_DEPTH_MAX)
        return err_set(err, MALFORMED, "page",
                       "page × limit may be at most %d: filter, or read on with after",
                       LIST_DEPTH_MAX);
    return OK;
}

char *list_request_next(const struct list_request *request, const char *key, const char *id,
                        struct arena *arena)
{
    char *text = arena_format(arena, "%s%c%s%c%s%c%s", request->spec->sorts[request->sort].name,
                              TOKEN_SEPARATOR, request->descending ? "desc" : "asc",
                              TOKEN_SEPARATOR, key, TOKEN_SEPARATOR, id);
    size_t length = strlen(text);
    return text_hex(text, length, arena_alloc(arena, 2 * length + 1));
}
