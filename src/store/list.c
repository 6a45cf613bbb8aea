#include "store/list.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "domain/score.h"
#include "store/search.h"

enum { PARAMS_MAX = 64, TEXT_MAX = 300, SQL_MAX_BYTES = 32768 };

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
        (!sort->text_key && !text_to_int(parts[2], &number)))
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

/* Building a statement: its text, and its parameters in the order of their numbers. */
struct builder {
    const struct list_request *request;
    const char *today;
    /* SIFT and WALK both follow the index of the order; SIFT while sets of matches are small */
    enum form { COLLECT, SIFT, WALK } form;
    struct arena *arena;
    struct buf sql;
    struct db_value params[PARAMS_MAX];
    size_t count;
};

static void put_param(struct builder *b, struct db_value value)
{
    if (b->count == PARAMS_MAX)
        abort();
    b->params[b->count++] = value;
    buf_printf(&b->sql, "$%zu", b->count);
}

/** A condition's text with its parameters in place of ? and today's date in place of !. */
static void put_condition(struct builder *b, const char *condition, const struct db_value *values)
{
    for (; *condition; condition++) {
        if (*condition == '?')
            put_param(b, *values++);
        else if (*condition == '!')
            put_param(b, DB_TEXT(b->today));
        else
            buf_putc(&b->sql, *condition);
    }
}

static void level_range(int level, struct db_value *values)
{
    static const int64_t from[] = {0, SCORE_MEDIUM, SCORE_HIGH, SCORE_CRITICAL, SCORE_MAX + 1};
    values[0] = DB_INT(from[level]);
    values[1] = DB_INT(from[level + 1] - 1);
}

static void put_words(struct builder *b, const char *text, const struct search *search)
{
    for (size_t i = 0; i < search->words.count; i++) {
        buf_printf(&b->sql, "%sinstr(%s, ", i ? " AND " : "", text);
        put_param(b, DB_TEXT(search->words.items[i]));
        buf_puts(&b->sql, ") > 0");
    }
}

/* SQLite: FTS5 finds candidates that have all the trigrams, anywhere */
#define CANDIDATES "IN (SELECT rowid FROM risk_search WHERE risk_search MATCH ?)"

static void put_search(struct builder *b, const char *folded)
{
    struct search search = search_parse(folded, b->arena);
    if (search.prefix) {
        const struct db_value range[] = {DB_TEXT(search.prefix), DB_TEXT(search.prefix_end)};
        put_condition(b,
                      b->form == COLLECT ? "title_fold >= ? AND title_fold < ?"
                                         : "+title_fold >= ? AND +title_fold < ?",
                      range);
        return;
    }
    const struct db_value trigrams[] = {DB_TEXT(search.trigrams)};
    if (b->form == COLLECT)
        put_condition(b, "ref " CANDIDATES " AND ", trigrams);
    else if (b->form == SIFT)
        put_condition(b, "+ref " CANDIDATES " AND ", trigrams);
    put_words(b, "(SELECT search_text FROM risk_text WHERE risk_ref = ref)", &search);
}

/** Matches of a search alone are counted without a look at the risks. False for a prefix. */
static bool put_search_alone(struct builder *b, const char *folded)
{
    struct search search = search_parse(folded, b->arena);
    if (search.prefix)
        return false;
    const struct db_value trigrams[] = {DB_TEXT(search.trigrams)};
    /* SQLite: in this order candidates are made one by one, and no more than are counted */
    put_condition(b,
                  " FROM risk_search CROSS JOIN risk_text ON risk_ref = risk_search.rowid "
                  "WHERE risk_search MATCH ? AND ",
                  trigrams);
    put_words(b, "risk_text.search_text", &search);
    return true;
}

static void put_filter(struct builder *b, const struct list_filter *filter, const char *value)
{
    const char *order = b->request->spec->sorts[b->request->sort].name;
    bool bounds = filter->same_order && strcmp(filter->same_order, order) == 0;
    const char *condition =
        b->form != COLLECT && filter->walk && !bounds ? filter->walk : filter->collect;
    struct db_value values[2] = {DB_NULL, DB_NULL};
    switch (filter->kind) {
    case LIST_TEXT:
    case LIST_NAME:
    case LIST_DATE:
    case LIST_SEARCH_NAME:
        values[0] = DB_TEXT(value);
        break;
    case LIST_HUNDREDTHS:
    case LIST_TIME:
    case LIST_NUMBER:
        values[0] = DB_INT(strtoll(value, NULL, 10));
        break;
    case LIST_LEVEL:
        level_range(text_index(filter->names, value), values);
        break;
    case LIST_FLAG:
        if (strcmp(value, "false") == 0)
            condition = filter->otherwise;
        break;
    case LIST_SEARCH:
        put_search(b, value);
        return;
    }
    put_condition(b, condition, values);
}

static void put_where(struct builder *b)
{
    const struct list_spec *spec = b->request->spec;
    buf_printf(&b->sql, " FROM %s WHERE %s", spec->table, spec->base);
    for (size_t i = 0; i < spec->filter_count; i++) {
        const char *value = b->request->values[i];
        if (!value)
            continue;
        buf_puts(&b->sql, " AND ");
        put_filter(b, &spec->filters[i], value);
    }
}

static bool id_descending(const struct list_request *request)
{
    return request->descending != request->spec->sorts[request->sort].id_opposite;
}

/** key ≤ last key and (key < last key or id after last id), so that the key bounds the index. */
static void put_after(struct builder *b)
{
    const struct list_request *request = b->request;
    const struct list_sort *sort = &request->spec->sorts[request->sort];
    if (!request->after_key)
        return;
    struct db_value key = sort->text_key ? DB_TEXT(request->after_key)
                                         : DB_INT(strtoll(request->after_key, NULL, 10));
    const char *past = request->descending ? "<" : ">";
    buf_printf(&b->sql, " AND %s %s= ", sort->key, past);
    put_param(b, key);
    buf_printf(&b->sql, " AND (%s %s ", sort->key, past);
    put_param(b, key);
    buf_printf(&b->sql, " OR %s %s ", request->spec->id, id_descending(request) ? "<" : ">");
    /* An id that is a number compares as one. */
    int64_t number;
    put_param(b, text_to_int(request->after_id, &number) ? DB_INT(number)
                                                         : DB_TEXT(request->after_id));
    buf_putc(&b->sql, ')');
}

static void put_order(struct builder *b)
{
    const struct list_request *request = b->request;
    buf_printf(&b->sql, " ORDER BY %s %s, %s %s", request->spec->sorts[request->sort].key,
               request->descending ? "DESC" : "ASC", request->spec->id,
               id_descending(request) ? "DESC" : "ASC");
}

static void builder_init(struct builder *b, const struct list_request *request, enum form form,
                         const char *today, struct arena *arena)
{
    *b = (struct builder){.request = request, .form = form, .today = today, .arena = arena};
    buf_init(&b->sql, SQL_MAX_BYTES);
}

/** The text goes to the arena. */
static struct query builder_finish(struct builder *b)
{
    if (b->sql.overflow)
        abort();
    struct query query = {.name = b->request->spec->name,
                          .sql = arena_memdup(b->arena, b->sql.data, b->sql.length)};
    buf_release(&b->sql);
    return query;
}

/** The position of the only filter that is set; -1 if there are more, or none. */
static int only_filter(const struct list_request *request)
{
    int only = -1;
    for (size_t i = 0; i < request->spec->filter_count; i++) {
        if (!request->values[i])
            continue;
        if (only >= 0)
            return -1;
        only = (int)i;
    }
    return only;
}

/** Count a filter's matches without the table of the list, where that is possible. */
static bool put_alone(struct builder *b)
{
    int only = only_filter(b->request);
    if (only < 0)
        return false;
    const struct list_filter *filter = &b->request->spec->filters[only];
    const char *value = b->request->values[only];
    if (filter->kind == LIST_SEARCH)
        return put_search_alone(b, value);
    if (!filter->alone)
        return false;
    buf_puts(&b->sql, " FROM ");
    put_condition(b, filter->alone, (const struct db_value[]){DB_TEXT(value)});
    return true;
}

static struct query build_count(struct builder *b)
{
    buf_puts(&b->sql, "SELECT count(*) FROM (SELECT 1");
    if (!put_alone(b))
        put_where(b);
    buf_puts(&b->sql, " LIMIT ");
    put_param(b, DB_INT(LIST_COUNT_MAX + 1));
    buf_puts(&b->sql, ") AS found");
    return builder_finish(b);
}

/*
 * The inner SELECT finds the page's rows with narrow columns only, so that sorting and skipping
 * never carry whole rows; the outer one fetches them.
 */
static struct query build_page(struct builder *b)
{
    const struct list_request *request = b->request;
    const struct list_spec *spec = request->spec;
    buf_printf(&b->sql, "SELECT %s, %s, %s FROM %s WHERE %s IN (SELECT %s",
               spec->sorts[request->sort].key, spec->id, spec->columns, spec->table, spec->row,
               spec->row);
    put_where(b);
    put_after(b);
    put_order(b);
    buf_puts(&b->sql, " LIMIT ");
    put_param(b, DB_INT(request->limit + 1)); /* one more tells whether there is a next page */
    buf_puts(&b->sql, " OFFSET ");
    put_param(b, DB_INT(request->after_key ? 0 : (request->page - 1) * request->limit));
    buf_puts(&b->sql, ")");
    put_order(b);
    return builder_finish(b);
}

struct query list_page_query(const struct list_request *request, int form, struct arena *arena)
{
    struct builder b;
    builder_init(&b, request, (enum form)form, "2026-01-01", arena);
    return build_page(&b);
}

struct query list_count_query(const struct list_request *request, struct arena *arena)
{
    struct builder b;
    builder_init(&b, request, COLLECT, "2026-01-01", arena);
    return build_count(&b);
}

static bool is_filtered(const struct list_request *request)
{
    for (size_t i = 0; i < request->spec->filter_count; i++)
        if (request->values[i])
            return true;
    return false;
}

static enum status count_all(struct db *db, const struct list_request *request, const char *today,
                             struct arena *arena, struct list_total *ret_total, struct err *err)
{
    int64_t count;
    enum status status;
    if (!is_filtered(request) && request->spec->total) {
        status = db_select_int(db, request->spec->total, DB_NO_PARAMS, &count, err);
        if (status != OK)
            return status;
        *ret_total = (struct list_total){.total = count, .is_exact = true};
        return OK;
    }
    struct builder b;
    builder_init(&b, request, COLLECT, today, arena);
    struct query query = build_count(&b);
    status = db_select_int(db, &query, b.params, b.count, &count, err);
    if (status != OK)
        return status;
    *ret_total = (struct list_total){
        .total = count > LIST_COUNT_MAX ? LIST_COUNT_MAX : count,
        .is_exact = count <= LIST_COUNT_MAX,
    };
    return OK;
}

static enum form form_for(const struct list_request *request, const struct list_total *total)
{
    if (!total->is_exact)
        return WALK;
    if (total->total < LIST_SIFT_MIN)
        return COLLECT;
    for (size_t i = 0; i < request->spec->filter_count; i++)
        if (request->values[i] && !request->spec->filters[i].sifts)
            return COLLECT;
    return SIFT;
}

/** The token that reads on after the current row. */
static char *next_token(const struct list_request *request, const struct db_rows *rows,
                        struct arena *arena)
{
    char *text =
        arena_format(arena, "%s%c%s%c%s%c%s", request->spec->sorts[request->sort].name,
                     TOKEN_SEPARATOR, request->descending ? "desc" : "asc", TOKEN_SEPARATOR,
                     db_text_copy(rows, 0, arena), TOKEN_SEPARATOR, db_text_copy(rows, 1, arena));
    size_t length = strlen(text);
    char *hex = arena_alloc(arena, 2 * length + 1);
    for (size_t i = 0; i < length; i++) {
        static const char digits[] = "0123456789abcdef";
        hex[2 * i] = digits[(unsigned char)text[i] >> 4];
        hex[2 * i + 1] = digits[text[i] & 15];
    }
    hex[2 * length] = '\0';
    return hex;
}

enum status list_read(struct db *db, const struct list_request *request, const char *today,
                      struct arena *arena, list_row *row, void *context,
                      struct list_result *ret_result, struct err *err)
{
    struct list_result result = {0};
    enum status status = count_all(db, request, today, arena, &result.total, err);
    if (status != OK)
        return status;
    struct builder b;
    builder_init(&b, request, form_for(request, &result.total), today, arena);
    struct query query = build_page(&b);
    AUTO_ROWS struct db_rows rows = {0};
    status = db_select(db, &query, b.params, b.count, &rows, err);
    if (status != OK)
        return status;
    const char *next = NULL;
    while (db_next(&rows)) {
        if (result.count == (size_t)request->limit) {
            result.next = next;
            break;
        }
        row(context, &rows);
        if (++result.count == (size_t)request->limit)
            next = next_token(request, &rows, arena);
    }
    status = db_end(&rows, err);
    if (status == OK)
        *ret_result = result;
    return status;
}
