#include "store/list.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "domain/score.h"
#include "store/search.h"

enum { PARAMS_MAX = 160, SQL_MAX_BYTES = 65536 };

/* Building a statement: its text, and its parameters in the order of their numbers. */
struct builder {
    const struct list_request *request;
    enum db_dialect dialect;
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

/**
 * A condition's text with its parameters in place of ? and today's date in place of !. A + speaks
 * to SQLite's planner only, and not where matches are collected by their index.
 */
static void put_condition(struct builder *b, const char *condition, const struct db_value *values)
{
    for (; *condition; condition++) {
        if (*condition == '?')
            put_param(b, *values++);
        else if (*condition == '!')
            put_param(b, DB_TEXT(b->today));
        else if (*condition != '+' || (b->dialect == DIALECT_SQLITE && b->form != COLLECT))
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

/** The same so that PostgreSQL's index of trigrams finds it; short words are only compared. */
static void put_patterns(struct builder *b, const struct search *search)
{
    for (size_t i = 0; i < search->words.count; i++) {
        buf_printf(&b->sql, "%ssearch_text LIKE ", i ? " AND " : "");
        put_param(b, DB_TEXT(search_pattern(search->words.items[i], b->arena)));
    }
}

/* SQLite: FTS5 finds candidates that have all the trigrams, anywhere */
#define CANDIDATES "IN (SELECT rowid FROM risk_search WHERE risk_search MATCH ?)"

static void put_candidates(struct builder *b, const struct search *search)
{
    const struct db_value trigrams[] = {DB_TEXT(search->trigrams)};
    if (b->dialect == DIALECT_SQLITE) {
        put_condition(b, b->form == COLLECT ? "ref " CANDIDATES : "+ref " CANDIDATES, trigrams);
        return;
    }
    buf_puts(&b->sql, "ref IN (SELECT risk_ref FROM risk_text WHERE ");
    put_patterns(b, search);
    buf_putc(&b->sql, ')');
}

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
    if (b->form != WALK)
        put_candidates(b, &search);
    if (b->form != WALK && b->dialect == DIALECT_POSTGRES)
        return; /* they have been compared */
    if (b->form != WALK)
        buf_puts(&b->sql, " AND ");
    put_words(b, "(SELECT search_text FROM risk_text WHERE risk_ref = ref)", &search);
}

/** Matches of a search alone are counted without a look at the risks. False for a prefix. */
static bool put_search_alone(struct builder *b, const char *folded)
{
    struct search search = search_parse(folded, b->arena);
    if (search.prefix)
        return false;
    if (b->dialect == DIALECT_POSTGRES) {
        buf_puts(&b->sql, " FROM risk_text WHERE ");
        put_patterns(b, &search);
        return true;
    }
    const struct db_value trigrams[] = {DB_TEXT(search.trigrams)};
    /* In this order candidates are made one by one, and no more than are counted */
    put_condition(b,
                  " FROM risk_search CROSS JOIN risk_text ON risk_ref = risk_search.rowid "
                  "WHERE risk_search MATCH ? AND ",
                  trigrams);
    put_words(b, "risk_text.search_text", &search);
    return true;
}

static void put_filter(struct builder *b, const struct list_filter *filter, const char *value)
{
    const char *order = b->request->spec->sorts[b->request->sort].name, *condition = NULL;
    bool bounds = filter->same_order && strcmp(filter->same_order, order) == 0;
    if (bounds)
        condition = filter->bound;
    else if (b->form == SIFT && filter->sift)
        condition = filter->sift;
    else if (b->form != COLLECT)
        condition = filter->walk;
    if (!condition)
        condition = filter->collect;
    struct db_value values[2] = {DB_NULL, DB_NULL};
    switch (filter->kind) {
    case LIST_TEXT:
    case LIST_NAME:
    case LIST_DATE:
    case LIST_SEARCH_NAME:
        values[0] = values[1] = DB_TEXT(value);
        break;
    case LIST_HUNDREDTHS:
    case LIST_TIME:
    case LIST_NUMBER:
    case LIST_SCALE:
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

static bool is_filtered(const struct list_request *request)
{
    for (size_t i = 0; i < request->spec->filter_count; i++)
        if (request->values[i])
            return true;
    return false;
}

/**
 * Does a filter's index give its matches in this order, or bound it? Then a collected page ends
 * after its last row.
 */
static bool is_collected_in_order(const struct list_request *request)
{
    const struct list_spec *spec = request->spec;
    const char *order = spec->sorts[request->sort].name;
    for (size_t i = 0; i < spec->filter_count; i++) {
        const struct list_filter *filter = &spec->filters[i];
        if (request->values[i] && ((filter->same_order && strcmp(filter->same_order, order) == 0) ||
                                   (filter->in_order && strcmp(filter->in_order, order) == 0)))
            return true;
    }
    return false;
}

/**
 * PostgreSQL's planner would rather walk through an order than collect and sort, and relies on the
 * matches being spread evenly over it; where low impacts have no high score, it walks through most
 * of the table. As an expression that no index has, the key can only be sorted by.
 */
static void put_key(struct builder *b)
{
    const struct list_sort *sort = &b->request->spec->sorts[b->request->sort];
    bool only_sorts = b->dialect == DIALECT_POSTGRES && b->form == COLLECT &&
                      is_filtered(b->request) && !is_collected_in_order(b->request);
    buf_printf(&b->sql, only_sorts ? "(%s %s)" : "%s", sort->key, sort->text_key ? "|| ''" : "+ 0");
}

static void put_key_value(struct builder *b)
{
    const struct list_request *request = b->request;
    const struct list_sort *sort = &request->spec->sorts[request->sort];
    put_param(b, sort->text_key ? DB_TEXT(request->after_key)
                                : DB_INT(strtoll(request->after_key, NULL, 10)));
}

/** An id that is a number compares as one. */
static void put_id_value(struct builder *b)
{
    int64_t number;
    const char *id = b->request->after_id;
    put_param(b, text_to_int(id, &number) ? DB_INT(number) : DB_TEXT(id));
}

/* Which of the rows behind the last one: all; those with the same key; those with another one */
enum behind { ALL_BEHIND, SAME_KEY, OTHER_KEY };

/**
 * key ≤ last key and (key < last key or id after last id), so that the key bounds the index.
 *
 * That still goes through all rows with the last key, which may be most of the table. PostgreSQL
 * begins at the row itself with (key, id) < (last key, last id) where both go in one direction;
 * else the two parts are read separately.
 */
static void put_after(struct builder *b, enum behind behind)
{
    const struct list_request *request = b->request;
    const char *past = request->descending ? "<" : ">";
    const char *id_past = id_descending(request) ? "<" : ">";
    if (!request->after_key)
        return;
    buf_puts(&b->sql, " AND ");
    if (behind == ALL_BEHIND && past[0] == id_past[0] && b->dialect == DIALECT_POSTGRES) {
        buf_putc(&b->sql, '(');
        put_key(b);
        buf_printf(&b->sql, ", %s) %s (", request->spec->id, past);
        put_key_value(b);
        buf_puts(&b->sql, ", ");
        put_id_value(b);
        buf_putc(&b->sql, ')');
        return;
    }
    put_key(b);
    buf_printf(&b->sql, " %s ",
               behind == ALL_BEHIND ? past[0] == '<' ? "<=" : ">="
               : behind == SAME_KEY ? "="
                                    : past);
    put_key_value(b);
    if (behind == OTHER_KEY)
        return;
    buf_puts(&b->sql, " AND ");
    if (behind == ALL_BEHIND) {
        buf_putc(&b->sql, '(');
        put_key(b);
        buf_printf(&b->sql, " %s ", past);
        put_key_value(b);
        buf_puts(&b->sql, " OR ");
    }
    buf_printf(&b->sql, "%s %s ", request->spec->id, id_past);
    put_id_value(b);
    if (behind == ALL_BEHIND)
        buf_putc(&b->sql, ')');
}

static void put_order(struct builder *b)
{
    const struct list_request *request = b->request;
    buf_puts(&b->sql, " ORDER BY ");
    put_key(b);
    buf_printf(&b->sql, " %s, %s %s", request->descending ? "DESC" : "ASC", request->spec->id,
               id_descending(request) ? "DESC" : "ASC");
}

static void builder_init(struct builder *b, const struct list_request *request,
                         enum db_dialect dialect, enum form form, const char *today,
                         struct arena *arena)
{
    *b = (struct builder){
        .request = request, .dialect = dialect, .form = form, .today = today, .arena = arena};
    buf_init(&b->sql, SQL_MAX_BYTES);
}

/** The text goes to the arena. Its plan depends on the values that it is asked for with, if any. */
static struct query builder_finish(struct builder *b)
{
    if (b->sql.overflow)
        abort();
    struct query query = {.name = b->request->spec->name,
                          .sql = arena_memdup(b->arena, b->sql.data, b->sql.length),
                          .plans_anew = is_filtered(b->request) || b->request->after_key};
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

/**
 * One more tells whether there is a next page. PostgreSQL reckons with a limit that stands in the
 * text, and keeps the plan of a text without parameters.
 */
static void put_limit(struct builder *b)
{
    int64_t limit = b->request->limit + 1;
    if (b->dialect == DIALECT_POSTGRES) {
        buf_printf(&b->sql, " LIMIT %" PRId64, limit);
        return;
    }
    buf_puts(&b->sql, " LIMIT ");
    put_param(b, DB_INT(limit));
}

static void put_offset(struct builder *b)
{
    const struct list_request *request = b->request;
    int64_t offset = request->after_key ? 0 : (request->page - 1) * request->limit;
    if (b->dialect == DIALECT_POSTGRES && offset == 0)
        return;
    buf_puts(&b->sql, " OFFSET ");
    put_param(b, DB_INT(offset));
}

static void put_part(struct builder *b, enum behind behind)
{
    const struct list_spec *spec = b->request->spec;
    buf_printf(&b->sql, "(SELECT %s, %s, %s AS key", spec->row, spec->id,
               spec->sorts[b->request->sort].key);
    put_where(b);
    put_after(b, behind);
    put_order(b);
    put_limit(b);
    buf_putc(&b->sql, ')');
}

/** Where the index of the order has its ids in the other direction: see put_after(). */
static void put_parts(struct builder *b)
{
    const struct list_request *request = b->request;
    buf_puts(&b->sql, " FROM (");
    put_part(b, SAME_KEY);
    buf_puts(&b->sql, " UNION ALL ");
    put_part(b, OTHER_KEY);
    buf_printf(&b->sql, ") AS parts ORDER BY key %s, id %s", request->descending ? "DESC" : "ASC",
               id_descending(request) ? "DESC" : "ASC");
    put_limit(b);
    buf_putc(&b->sql, ')');
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
    if (b->dialect == DIALECT_POSTGRES && b->form != COLLECT && request->after_key &&
        spec->sorts[request->sort].id_opposite) {
        put_parts(b);
    } else {
        put_where(b);
        put_after(b, ALL_BEHIND);
        put_order(b);
        put_limit(b);
        put_offset(b);
        buf_puts(&b->sql, ")");
    }
    put_order(b);
    return builder_finish(b);
}

/* Only the numbers are sorted; who wants more of the rows reads them by these. */
static struct query build_all(struct builder *b, const char *before, const char *after)
{
    buf_printf(&b->sql, "%sSELECT %s", before, b->request->spec->row);
    put_where(b);
    if (after)
        buf_puts(&b->sql, after);
    else
        put_order(b);
    struct query query = builder_finish(b);
    query.streams = true;
    return query;
}

struct query list_page_query(const struct list_request *request, enum db_dialect dialect, int form,
                             struct arena *arena)
{
    struct builder b;
    builder_init(&b, request, dialect, (enum form)form, "2026-01-01", arena);
    return build_page(&b);
}

struct query list_count_query(const struct list_request *request, enum db_dialect dialect,
                              struct arena *arena)
{
    struct builder b;
    builder_init(&b, request, dialect, COLLECT, "2026-01-01", arena);
    return build_count(&b);
}

struct query list_all_query(const struct list_request *request, enum db_dialect dialect,
                            const char *before, const char *after, struct arena *arena)
{
    struct builder b;
    builder_init(&b, request, dialect, COLLECT, "2026-01-01", arena);
    return build_all(&b, before, after);
}

enum status list_select_all(struct db *db, const struct list_request *request, const char *today,
                            const char *before, const char *after, struct arena *arena,
                            struct db_rows *ret_rows, struct err *err)
{
    struct builder b;
    builder_init(&b, request, db_dialect(db), COLLECT, today, arena);
    struct query query = build_all(&b, before, after);
    return db_select(db, &query, b.params, b.count, ret_rows, err);
}

/** Ask how many there are. `b` holds the parameters. */
static enum status select_count(struct db *db, struct builder *b, struct db_rows *ret_rows,
                                struct err *err)
{
    const struct list_request *request = b->request;
    if (!is_filtered(request) && request->spec->total)
        return db_select(db, request->spec->total, DB_NO_PARAMS, ret_rows, err);
    struct query query = build_count(b);
    return db_select(db, &query, b->params, b->count, ret_rows, err);
}

static enum status read_count(struct db_rows *rows, bool is_exact, struct list_total *ret_total,
                              struct err *err)
{
    int64_t count = db_next(rows) ? db_int(rows, 0) : 0;
    enum status status = db_end(rows, err);
    if (status != OK)
        return status;
    is_exact |= count <= LIST_COUNT_MAX;
    *ret_total =
        (struct list_total){.total = is_exact ? count : LIST_COUNT_MAX, .is_exact = is_exact};
    return OK;
}

static enum form form_for(const struct list_request *request, const struct list_total *total)
{
    if (!total->is_exact)
        return WALK;
    if (total->total < LIST_SIFT_MIN)
        return COLLECT;
    for (size_t i = 0; i < request->spec->filter_count; i++)
        if (request->values[i] && !request->spec->filters[i].sift)
            return COLLECT;
    return SIFT;
}

static enum status select_page(struct db *db, struct builder *b, struct db_rows *ret_rows,
                               struct err *err)
{
    struct query query = build_page(b);
    return db_select(db, &query, b->params, b->count, ret_rows, err);
}

/** Without filters a page is always walked to, so it is asked for together with the count. */
enum status list_read(struct db *db, const struct list_request *request, const char *today,
                      struct arena *arena, list_row *row, void *context,
                      struct list_result *ret_result, struct err *err)
{
    struct list_result result = {0};
    struct builder counting, paging;
    bool filtered = is_filtered(request), known = !filtered && request->spec->total;
    AUTO_ROWS struct db_rows count = {0};
    AUTO_ROWS struct db_rows rows = {0};
    builder_init(&counting, request, db_dialect(db), COLLECT, today, arena);
    builder_init(&paging, request, db_dialect(db), WALK, today, arena);
    enum status status = select_count(db, &counting, &count, err);
    if (status == OK && !filtered)
        status = select_page(db, &paging, &rows, err);
    if (status == OK)
        status = read_count(&count, known, &result.total, err);
    if (status == OK && filtered) {
        paging.form = form_for(request, &result.total);
        status = select_page(db, &paging, &rows, err);
    }
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
            next = list_request_next(request, db_text_copy(&rows, 0, arena),
                                     db_text_copy(&rows, 1, arena), arena);
    }
    status = db_end(&rows, err);
    if (status == OK)
        *ret_result = result;
    return status;
}
