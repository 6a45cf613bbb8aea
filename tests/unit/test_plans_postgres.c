/*
 * PostgreSQL: every statement can be prepared and declares what it touches; and in a register of
 * 100,000 risks none looks at many more rows than a list counts, in whatever order and with
 * whatever filter, be its value a rare or a frequent one.
 *
 * What counts is the plan after some executions: the server plans five times with the values at
 * hand, and then settles for one plan for all values if that seems no dearer. So every text is run
 * six times with each of its values, and a plan for all values is tried with the others too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "plans_fixture.h"
#include "store/engine.h"
#include "store/list.h"
#include "store/queries.h"

enum {
    RISKS = 100000,        /* in the register */
    EXECUTIONS_BEFORE = 5, /* the server's own number */
    LOOKED_UP_MAX = 250,
    LIST_VISITED_MAX = 5 * LIST_COUNT_MAX / 2,
    RECORDS_MAX = 4000,
    STATEMENTS_MAX = 4000,
};

/* What list_read() asks for, as the engine sees it */

struct record {
    const char *sql;
    bool plans_anew;
    double visited_max;
    struct db_value params[64];
    size_t count;
    bool is_looked_at;
};

struct recorder {
    struct arena arena;
    struct record *records; /* each text with each set of values once */
    size_t count;
    struct engine_statement *statements[STATEMENTS_MAX];
    const char *texts[STATEMENTS_MAX]; /* of the statements */
    bool plan_anew[STATEMENTS_MAX];
    struct record *last, *last_but_one; /* of those asked for */
    double visited_max;                 /* for what is noted */
    size_t statement_count;
};

/* An engine's functions have no room for a context. */
static struct recorder recorder;

static enum status note_prepare(struct engine_conn *conn, const char *sql,
                                struct engine_statement **ret_statement, struct err *err)
{
    enum status status = postgres_engine.prepare(conn, sql, ret_statement, err);
    size_t i = recorder.statement_count++;
    assert_true(i < STATEMENTS_MAX);
    recorder.statements[i] = *ret_statement;
    recorder.texts[i] = arena_strdup(&recorder.arena, sql);
    return status;
}

/** The last that stood at this address. */
static size_t place_of(const struct engine_statement *statement)
{
    for (size_t i = recorder.statement_count; i-- > 0;)
        if (recorder.statements[i] == statement)
            return i;
    fail_msg("an unknown statement");
    return 0;
}

static void note_plan_anew(struct engine_statement *statement)
{
    recorder.plan_anew[place_of(statement)] = true;
    postgres_engine.plan_anew(statement);
}

static bool same_values(const struct record *record, const struct db_value *params, size_t count)
{
    if (record->count != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct db_value *a = &record->params[i], *b = &params[i];
        if (a->kind != b->kind || a->integer != b->integer ||
            (a->kind == DB_KIND_TEXT && strcmp(a->text, b->text) != 0))
            return false;
    }
    return true;
}

static void note(size_t place, const struct db_value *params, size_t count)
{
    const char *sql = recorder.texts[place];
    recorder.last_but_one = recorder.last;
    for (size_t i = 0; i < recorder.count; i++) {
        recorder.last = &recorder.records[i];
        if (strcmp(recorder.last->sql, sql) == 0 && same_values(recorder.last, params, count))
            return;
    }
    assert_true(recorder.count < RECORDS_MAX);
    struct record *record = &recorder.records[recorder.count++];
    recorder.last = record;
    assert_true(count <= sizeof record->params / sizeof record->params[0]);
    *record = (struct record){.sql = sql,
                              .plans_anew = recorder.plan_anew[place],
                              .visited_max = recorder.visited_max,
                              .count = count};
    for (size_t i = 0; i < count; i++) {
        record->params[i] = params[i];
        if (params[i].kind == DB_KIND_TEXT)
            record->params[i].text = arena_strdup(&recorder.arena, params[i].text);
    }
}

static enum status note_bind(struct engine_statement *statement, const struct db_value *params,
                             size_t count, bool streams, struct err *err)
{
    note(place_of(statement), params, count);
    return postgres_engine.bind(statement, params, count, streams, err);
}

struct fixture {
    struct plans_fixture plans;
    struct arena arena;
    struct database *database; /* the same, through the recorder */
    struct db *db;
    struct db_engine engine;
    const char *rare_asset, *often_asset; /* their ids */
};

static void must(enum status status, const struct err *err)
{
    char text[ERR_FIELD_SIZE + ERR_MESSAGE_SIZE];
    if (status != OK)
        fail_msg("%s", err_text(err, text, sizeof text));
}

static const char *some_asset(struct fixture *fixture, const char *which)
{
    AUTO_FREE char *sql = mem_format("SELECT id FROM asset ORDER BY risk_count %s LIMIT 1", which);
    return plans_text(&fixture->plans, sql, &recorder.arena);
}

static int setup(void **state)
{
    static struct fixture fixture;
    struct err err;
    err_init(&err);
    plans_fixture_open(&fixture.plans);
    arena_init(&fixture.arena);
    arena_init(&recorder.arena);
    recorder.records = mem_zalloc(RECORDS_MAX, sizeof *recorder.records);
    fixture.engine = postgres_engine;
    fixture.engine.prepare = note_prepare;
    fixture.engine.plan_anew = note_plan_anew;
    fixture.engine.bind = note_bind;
    must(database_new_of(&fixture.engine, fixture.plans.url, &fixture.database, &err), &err);
    must(db_open(fixture.database, &fixture.db, &err), &err);
    fixture.rare_asset = some_asset(&fixture, "ASC");
    fixture.often_asset = some_asset(&fixture, "DESC");
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    db_close(fixture->db);
    database_free(fixture->database);
    plans_fixture_close(&fixture->plans);
    arena_release(&fixture->arena);
    arena_release(&recorder.arena);
    free(recorder.records);
    return 0;
}

/* Texts */

static const char *postgres_text(const struct query *query)
{
    return query->postgres ? query->postgres : query->sql;
}

static bool writes(const char *sql)
{
    return strncmp(sql, "SELECT", 6) != 0 && strncmp(sql, "LISTEN", 6) != 0;
}

static void a_query_declares_what_it_touches_exactly_if_it_writes(void **state)
{
    (void)state;
    for (size_t i = 0; i < QUERIES; i++) {
        const char *sql = postgres_text(&queries[i]);
        if (*sql != '\0' && writes(sql) != (queries[i].touches != READS))
            fail_msg("%s writes: %d, touches: %x", queries[i].name, writes(sql),
                     queries[i].touches);
    }
}

/** Later migrations forget it easily: the type of a column of theirs is changed by them. */
static void every_text_is_ordered_by_bytes_and_every_number_has_eight(void **state)
{
    struct fixture *fixture = *state;
    char *wrong = plans_text(
        &fixture->plans,
        "SELECT COALESCE(string_agg(table_name || '.' || column_name || ' ' || data_type || ' ' "
        "|| COALESCE(collation_name, '(no collation)'), ', '), '') FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND data_type <> 'bigint' "
        "AND NOT (data_type = 'text' AND collation_name IS NOT DISTINCT FROM 'C')",
        &fixture->arena);
    assert_string_equal(wrong, "");
}

/* Single statements */

/** Those that are about everything by their nature: checks, exports, counts of the few users. */
static bool reads_everything(const struct query *query)
{
    static const char *const names[] = {
        "risks_all",     "risks_count",          "assets_all", "history_figures",
        "account_count", "account_other_admins", NULL};
    return strncmp(query->name, "check_", 6) == 0 || text_index(names, query->name) >= 0;
}

/** The plan for all values, which is what the server settles for. */
static void every_query_uses_an_index(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < QUERIES; i++) {
        const char *sql = postgres_text(&queries[i]);
        char *words;
        if (*sql == '\0' || reads_everything(&queries[i]))
            continue;
        if (!plans_prepare(&fixture->plans, "looked_at", sql, &fixture->arena, &words))
            fail_msg("%s: %s", queries[i].name, words);
        plans_exec(&fixture->plans, "SET plan_cache_mode = force_generic_plan");
        char *bad = plans_whole_table(&fixture->plans, "looked_at", &fixture->arena);
        plans_exec(&fixture->plans, "DEALLOCATE looked_at; RESET plan_cache_mode");
        if (bad)
            fail_msg("%s\n%s", queries[i].name, bad);
    }
    arena_clear(&fixture->arena);
}

/** For a page of 20 risks, or for one. */
static void what_is_looked_up_is_found_at_once(void **state)
{
    struct fixture *fixture = *state;
    const char *refs = "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]";
    const char *id =
        plans_text(&fixture->plans, "SELECT id FROM risk WHERE ref = 777", &recorder.arena);
    const struct {
        enum query_id query;
        struct db_value params[2];
        size_t count;
    } asked[] = {
        {QUERY_RISK_BY_ID, {DB_TEXT(id)}, 1},
        {QUERY_RISK_BY_REF, {DB_INT(777)}, 1},
        {QUERY_RISK_BY_EXTERNAL_ID, {DB_TEXT("CISA-KEV"), DB_TEXT("EXT-778")}, 2},
        {QUERY_RISKS_TOP, {DB_INT(10)}, 1},
        {QUERY_ASSETS_OF_RISK, {DB_TEXT(id)}, 1},
        {QUERY_ASSETS_OF_RISKS, {DB_TEXT(refs)}, 1},
        {QUERY_MITIGATIONS_OF_RISK, {DB_TEXT(id)}, 1},
        {QUERY_MITIGATIONS_OF_RISKS, {DB_TEXT(refs)}, 1},
        {QUERY_SUB_ACTIONS_OF_RISK, {DB_TEXT(id)}, 1},
        {QUERY_SUB_ACTIONS_OF_RISKS, {DB_TEXT(refs)}, 1},
        {QUERY_HISTORY_OF_RISK, {DB_INT(777)}, 1},
        {QUERY_BASELINES_OF_RISK, {DB_INT(778)}, 1},
        {QUERY_TOKEN_BY_HASH, {DB_TEXT("c4ca4238a0b923820dcc509a6f75849b")}, 1},
    };
    double most = 0;
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        const struct query *query = &queries[asked[i].query];
        char *words;
        assert_true(plans_prepare(&fixture->plans, "looked_at", postgres_text(query),
                                  &fixture->arena, &words));
        for (int before = 0; before < EXECUTIONS_BEFORE; before++)
            plans_plan(&fixture->plans, "looked_at", asked[i].params, asked[i].count,
                       &fixture->arena);
        struct plan plan = plans_execute(&fixture->plans, "looked_at", asked[i].params,
                                         asked[i].count, &fixture->arena);
        most = plan.visited > most ? plan.visited : most;
        if (plan.visited > LOOKED_UP_MAX)
            fail_msg("%s visits %.0f rows\n%s", query->name, plan.visited, plan.text);
        plans_exec(&fixture->plans, "DEALLOCATE looked_at");
    }
    printf("# figure: looking up: at most %.0f rows visited\n", most);
    arena_clear(&fixture->arena);
}

/* Lists */

static void ignore_row(void *context, const struct db_rows *rows)
{
    (void)context;
    (void)rows;
}

static struct list_total read_list(struct fixture *fixture, const struct list_request *request)
{
    struct list_result result;
    struct err err;
    err_init(&err);
    must(db_begin_read(fixture->db, &err), &err);
    must(list_read(fixture->db, request, "2026-03-01", &fixture->arena, ignore_row, NULL, &result,
                   &err),
         &err);
    must(db_commit(fixture->db, &err), &err);
    arena_clear(&fixture->arena);
    return result.total;
}

/** Values of a filter: one that few rows have and one that many have, where there are such. */
static const char *const *values_of(const struct list_spec *spec, const struct list_filter *filter)
{
    static const struct {
        const char *list, *filter, *values[8];
    } known[] = {
        {"risk_list", "q", {"zyxel", "vulnerability", "vulnerability zyxel", "a r-777", "ci"}},
        {"risk_list", "status", {"DRAFT", "ACTIVE"}},
        {"risk_list", "level", {"CRITICAL", "LOW"}},
        {"risk_list", "tag", {"tag397", "tag0"}},
        {"risk_list", "category", {"Category 39", "Category 0"}},
        {"risk_list", "owner", {"owner298@example.org", "owner0@example.org"}},
        {"risk_list", "asset_id", {"RARE", "OFTEN"}},
        {"risk_list", "framework", {"Framework 11", "Framework 0"}},
        {"risk_list", "min_score", {"2700", "200"}},
        {"risk_list", "max_score", {"101", "2000"}},
        {"risk_list", "review_before", {"2024-06-03", "2027-01-01"}},
        {"risk_list", "source", {"scanner", "CISA-KEV"}},
        {"risk_list", "impact", {"1", "5"}},
        {"risk_list", "probability", {"1", "5"}},
        {"risk_list", "open", {"false", "true"}},
        {"mitigation_list", "overdue", {"true", "false"}},
        {"mitigation_list", "status", {"IN_PROGRESS", "DONE"}},
        {"mitigation_list", "assignee", {"owner298@example.org", "owner0@example.org"}},
        {"asset_list", "q", {"server 2999", "server"}},
        {"asset_list", "criticality", {"CRITICAL", "MEDIUM"}},
        {"asset_list", "type", {"mainframe", "server"}},
        {"user_list", "role", {"admin", "viewer"}},
        {"history_list", "risk_ref", {"777"}},
        {"audit_list", "actor", {"user1999@example.org", "user1@example.org"}},
        {"audit_list", "action", {"login!", "PATCH /risks/{id}"}},
        {"audit_list", "result", {"denied", "ok"}},
        {"audit_list", "since", {"1785999000000", "1780000000000"}},
        {"audit_list", "until", {"1780001000000", "1786000000000"}},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].list, spec->name) == 0 && strcmp(known[i].filter, filter->name) == 0)
            return known[i].values;
    fail_msg("%s has a filter %s: which of its values are rare, which frequent?", spec->name,
             filter->name);
    return NULL;
}

/** A value as the list takes it: assets are known by their ids. */
static const char *value_of(struct fixture *fixture, const char *known)
{
    if (strcmp(known, "RARE") == 0)
        return fixture->rare_asset;
    if (strcmp(known, "OFTEN") == 0)
        return fixture->often_asset;
    return known;
}

/** Read on behind the row in the middle of the whole list. */
static void set_after(struct fixture *fixture, struct list_request *request)
{
    const struct list_spec *spec = request->spec;
    const struct list_sort *sort = &spec->sorts[request->sort];
    const char *id_order = request->descending != sort->id_opposite ? "DESC" : "ASC";
    for (int column = 0; column <= 1; column++) {
        AUTO_FREE char *sql =
            mem_format("SELECT %s FROM %s WHERE %s ORDER BY %s %s, %s %s LIMIT 1 "
                       "OFFSET (SELECT count(*) / 2 FROM %s)",
                       column ? spec->id : sort->key, spec->table, spec->base, sort->key,
                       request->descending ? "DESC" : "ASC", spec->id, id_order, spec->table);
        char *text = plans_text(&fixture->plans, sql, &recorder.arena);
        if (column)
            request->after_id = text;
        else
            request->after_key = text;
    }
}

/**
 * How many rows has this value of a filter alone? By the statement that counts them, whose last
 * value is where it stops. More than a quarter of all lie on nearly every page: as good as all.
 */
static double size_of(struct fixture *fixture, size_t filter, const char *value)
{
    struct list_request request;
    list_request_init(&request, &risk_list);
    request.values[filter] = value;
    read_list(fixture, &request);
    struct record count = *recorder.last_but_one;
    count.params[count.count - 1] = DB_INT(INT32_MAX);
    double size = plans_number(&fixture->plans, count.sql, count.params, count.count);
    return size > RISKS / 4 ? RISKS : size;
}

static void read_with_values(struct fixture *fixture, struct list_request *request, size_t filter)
{
    const struct list_spec *spec = request->spec;
    const char *const *value = values_of(spec, &spec->filters[filter]);
    for (; *value; value++) {
        request->values[filter] = value_of(fixture, *value);
        read_list(fixture, request);
    }
    request->values[filter] = NULL;
}

static void read_every_order(struct fixture *fixture, const struct list_spec *spec)
{
    for (size_t sort = 0; sort < spec->sort_count; sort++)
        for (int descending = 0; descending <= 1; descending++)
            for (int after = 0; after <= 1; after++) {
                struct list_request request;
                list_request_init(&request, spec);
                request.sort = sort;
                request.descending = descending != 0;
                if (after)
                    set_after(fixture, &request);
                read_list(fixture, &request);
                for (size_t filter = 0; filter < spec->filter_count; filter++)
                    read_with_values(fixture, &request, filter);
            }
}

/* What the statements do */

enum { SLOWEST = 3, FAILURES_SHOWN = 5 };

struct figures {
    size_t statements, generic, failures;
    struct {
        double ms;
        const struct record *record;
    } slowest[SLOWEST];
    double visited;
    const struct record *most;
};

static char *shown(const struct record *record, struct arena *arena)
{
    const char *from = strstr(record->sql, " FROM ");
    char *text = arena_format(arena, "…%s", from ? from : record->sql);
    for (size_t i = 0; i < record->count; i++)
        text = record->params[i].kind == DB_KIND_TEXT
                   ? arena_format(arena, "%s, '%s'", text, record->params[i].text)
                   : arena_format(arena, "%s, %jd", text, (intmax_t)record->params[i].integer);
    return text;
}

static void judge(struct fixture *fixture, const struct record *record, const struct plan *plan,
                  struct figures *figures)
{
    struct figures *f = figures;
    f->statements++;
    f->generic += plan->is_generic;
    for (size_t i = 0; i < SLOWEST; i++) {
        if (plan->ms <= f->slowest[i].ms)
            continue;
        memmove(&f->slowest[i + 1], &f->slowest[i], (SLOWEST - 1 - i) * sizeof f->slowest[0]);
        f->slowest[i].ms = plan->ms;
        f->slowest[i].record = record;
        break;
    }
    if (plan->visited > f->visited) {
        f->visited = plan->visited;
        f->most = record;
    }
    bool may_read_whole_table = record->visited_max >= RISKS;
    if (plan->visited <= record->visited_max && (!plan->reads_whole_table || may_read_whole_table))
        return;
    if (++f->failures <= FAILURES_SHOWN)
        printf("visits %.0f rows: %s\n%s\n", plan->visited, shown(record, &fixture->arena),
               plan->text);
    else
        printf("visits %.0f rows: %s\n", plan->visited, shown(record, &fixture->arena));
}

/** All values of the text of record `first`, each after five executions with `trained`. */
static void look_at_text(struct fixture *fixture, size_t first, size_t trained,
                         struct figures *figures)
{
    const struct record *records = recorder.records;
    const char *sql = records[first].sql;
    char *words;
    if (!plans_prepare(&fixture->plans, "looked_at", sql, &fixture->arena, &words))
        fail_msg("%s: %s", sql, words);
    for (int i = 0; i < EXECUTIONS_BEFORE && !records[first].plans_anew; i++)
        plans_plan(&fixture->plans, "looked_at", records[trained].params, records[trained].count,
                   &fixture->arena);
    struct plan plan = plans_execute(&fixture->plans, "looked_at", records[trained].params,
                                     records[trained].count, &fixture->arena);
    judge(fixture, &records[trained], &plan, figures);
    for (size_t i = first; plan.is_generic && i < recorder.count; i++) {
        if (i == trained || strcmp(records[i].sql, sql) != 0)
            continue;
        struct plan other = plans_execute(&fixture->plans, "looked_at", records[i].params,
                                          records[i].count, &fixture->arena);
        judge(fixture, &records[i], &other, figures);
    }
    plans_exec(&fixture->plans, "DEALLOCATE looked_at");
    arena_clear(&fixture->arena);
}

static void look_at_all(struct fixture *fixture, const char *what)
{
    struct figures figures = {0};
    struct record *records = recorder.records;
    for (size_t i = 0; i < recorder.count; i++) {
        if (records[i].is_looked_at)
            continue;
        for (size_t j = i; j < recorder.count; j++) {
            if (strcmp(records[j].sql, records[i].sql) != 0)
                continue;
            records[j].is_looked_at = true;
            look_at_text(fixture, i, j, &figures);
        }
    }
    printf("# figure: %s: %zu plans of %zu statements looked at, %zu for all values; "
           "at most %.0f rows visited\n",
           what, figures.statements, recorder.count, figures.generic, figures.visited);
    if (figures.most)
        printf("# figure: most rows: %s\n", shown(figures.most, &fixture->arena));
    for (size_t i = 0; i < SLOWEST && figures.slowest[i].record; i++)
        printf("# figure: %.1f ms: %s\n", figures.slowest[i].ms,
               shown(figures.slowest[i].record, &fixture->arena));
    recorder.count = 0;
    arena_clear(&fixture->arena);
    if (figures.failures)
        fail_msg("%zu statements look at too many rows", figures.failures);
}

static void no_list_looks_at_many_rows_in_any_order_with_any_filter(void **state)
{
    struct fixture *fixture = *state;
    recorder.visited_max = LIST_VISITED_MAX;
    for (size_t i = 0; all_lists[i]; i++)
        read_every_order(fixture, all_lists[i]);
    look_at_all(fixture, "lists");
}

/**
 * Who asks for two things that many have each is told how many have both: that takes a look at one
 * of the sets, or at both. Nobody should look at what is in neither.
 */
static void pairs_of_filters_look_at_their_sets_at_most(void **state)
{
    struct fixture *fixture = *state;
    enum { VALUES = 8 };
    double sizes[LIST_FILTERS_MAX][VALUES];
    for (size_t filter = 0; filter < risk_list.filter_count; filter++) {
        const char *const *values = values_of(&risk_list, &risk_list.filters[filter]);
        for (size_t i = 0; values[i]; i++)
            sizes[filter][i] = size_of(fixture, filter, value_of(fixture, values[i]));
    }
    recorder.count = 0;
    struct list_request request;
    list_request_init(&request, &risk_list);
    for (size_t a = 0; a < risk_list.filter_count; a++)
        for (size_t b = a + 1; b < risk_list.filter_count; b++) {
            const char *const *of_a = values_of(&risk_list, &risk_list.filters[a]);
            const char *const *of_b = values_of(&risk_list, &risk_list.filters[b]);
            for (size_t i = 0; of_a[i]; i++)
                for (size_t j = 0; of_b[j]; j++) {
                    recorder.visited_max = LIST_VISITED_MAX + sizes[a][i] + sizes[b][j];
                    request.values[a] = value_of(fixture, of_a[i]);
                    request.values[b] = value_of(fixture, of_b[j]);
                    read_list(fixture, &request);
                }
            request.values[a] = request.values[b] = NULL;
        }
    look_at_all(fixture, "pairs of filters");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_declares_what_it_touches_exactly_if_it_writes),
        cmocka_unit_test(every_text_is_ordered_by_bytes_and_every_number_has_eight),
        cmocka_unit_test(every_query_uses_an_index),
        cmocka_unit_test(what_is_looked_up_is_found_at_once),
        cmocka_unit_test(no_list_looks_at_many_rows_in_any_order_with_any_filter),
        cmocka_unit_test(pairs_of_filters_look_at_their_sets_at_most),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
