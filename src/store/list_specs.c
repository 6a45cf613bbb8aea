/*
 * The lists of the program: what can be filtered and sorted, and how.
 *
 * In `walk` a unary + keeps SQLite from taking the column's own index, which would collect.
 * PostgreSQL's planner knows that a limit ends a walk; for it the + is left out.
 */
#include "base/mem.h"
#include "domain/account.h"
#include "domain/mitigation.h"
#include "domain/risk.h"
#include "store/list.h"
#include "store/queries.h"

#define SPEC_FILTERS(array) .filters = (array), .filter_count = COUNT_OF(array)
#define SPEC_SORTS(array) .sorts = (array), .sort_count = COUNT_OF(array)

/* Rows that are known by a set of their numbers: collected by it, sifted through it, or looked up
 * in it one by one. `set` is a table and a condition on it. */
#define IN_SET(set)                                                                                \
    "ref IN (SELECT risk_ref FROM " set ")", "EXISTS (SELECT 1 FROM " set " AND risk_ref = ref)",  \
        .sift = "+ref IN (SELECT risk_ref FROM " set ")"
#define LABELLED(kind) "risk_label WHERE kind = '" kind "' AND label = ?"

/* Keys of orders, as in migrations/0003_orders.sql. Risks without one come last in the first
 * direction. As a mere column PostgreSQL would join by the ref, from the first risk on. */
#define REF "ref + 0"
#define REVIEW "COALESCE(review_date, '9999-12-31')"
#define TEXT_OR_LAST(column) "COALESCE('0' || " column ", '1')"
/* As `column = ?`, by the index of that order. A range, for SQLite does not see that rows of one
 * key are in the order of the index, if the key is an expression. */
#define BOUND_BY(column)                                                                           \
    .same_order = column, .bound = TEXT_OR_LAST(column) " BETWEEN '0' || ? AND '0' || ?"

static const struct list_filter risk_filters[] = {
    {"q", LIST_SEARCH, .sift = "",
     .about = "words, all of which are in title, description, external id or ref; "
              "one or two characters: the beginning of the title"},
    {"status", LIST_NAME, "status = ?", "+status = ?", .same_order = "status", .in_order = "score",
     .names = risk_status_names, .about = "exact"},
    {"level", LIST_LEVEL, "score BETWEEN ? AND ?", "+score BETWEEN ? AND ?", .same_order = "score",
     .names = level_names, .about = "exact"},
    {"tag", LIST_TEXT, IN_SET(LABELLED("tag")), .alone = LABELLED("tag"), .about = "has this tag"},
    {"category", LIST_TEXT, "category = ?", "+category = ?", BOUND_BY("category"),
     .in_order = "score", .about = "exact"},
    {"owner", LIST_TEXT, "owner = ?", "+owner = ?", BOUND_BY("owner"), .in_order = "score",
     .about = "exact"},
    {"asset_id", LIST_TEXT, IN_SET("risk_asset WHERE asset_id = ?"),
     .alone = "risk_asset WHERE asset_id = ? AND "
              "(SELECT deleted_at FROM risk WHERE ref = risk_ref) IS NULL",
     .about = "threatens this asset"},
    {"framework", LIST_TEXT, IN_SET(LABELLED("framework")), .alone = LABELLED("framework"),
     .about = "has this framework"},
    {"min_score", LIST_HUNDREDTHS, "score >= ?", "+score >= ?", .same_order = "score",
     .about = "at least"},
    {"max_score", LIST_HUNDREDTHS, "score <= ?", "+score <= ?", .same_order = "score",
     .about = "at most"},
    {"review_before", LIST_DATE, "review_date < ?", "+review_date < ?", .same_order = "review_date",
     .bound = REVIEW " < ?", .about = "to be reviewed before this day"},
    {"source", LIST_TEXT, "source = ?", "+source = ?", .same_order = "source",
     .bound = "COALESCE(source, '') BETWEEN ? AND ?", .in_order = "score",
     .about = "exact: where it was imported from"},
    {"impact", LIST_SCALE, "impact = ?", "+impact = ?", .same_order = "impact", .about = "exact"},
    {"probability", LIST_SCALE, "probability = ?", "+probability = ?", .same_order = "probability",
     .about = "exact"},
    {"open", LIST_FLAG, "status IN ('DRAFT', 'ACTIVE', 'MITIGATED', 'ACCEPTED')",
     "+status <> 'CLOSED'", .otherwise = "+status = 'CLOSED'",
     .about = "not CLOSED: what is scored, and counted in the matrix"},
};

static const struct list_sort risk_sorts[] = {
    {"score", "score", .id_opposite = true},
    {"title", "title_fold", .text_key = true, .ascending_first = true},
    {"created_at", "created_at"},
    {"updated_at", "updated_at"},
    {"impact", "impact"},
    {"probability", "probability"},
    {"status", "status", .text_key = true, .ascending_first = true},
    {"source", "COALESCE(source, '')", .text_key = true, .ascending_first = true},
    {"ref", REF, .ascending_first = true},
    {"owner", TEXT_OR_LAST("owner"), .text_key = true, .ascending_first = true},
    {"category", TEXT_OR_LAST("category"), .text_key = true, .ascending_first = true},
    {"review_date", REVIEW, .text_key = true, .ascending_first = true},
};

const struct list_spec risk_list = {
    .name = "risk_list",
    .table = "risk",
    .columns = risk_columns,
    .row = "ref",
    .id = "id",
    .base = "deleted_at IS NULL",
    SPEC_FILTERS(risk_filters),
    SPEC_SORTS(risk_sorts),
    .total = &queries[QUERY_TALLY_TOTAL],
};

#define DUE "COALESCE(due_date, '9999-12-31')"

static const struct list_filter mitigation_filters[] = {
    {"overdue", LIST_FLAG, "status <> 'DONE' AND " DUE " < !",
     .otherwise = "NOT (status <> 'DONE' AND " DUE " < !)", .in_order = "due_date",
     .about = "due before today and not done"},
    {"status", LIST_NAME, "status = ?", .in_order = "due_date", .names = mitigation_status_names,
     .about = "exact"},
    {"assignee", LIST_TEXT, "assignee = ?", "+assignee = ?", .in_order = "due_date",
     .about = "exact"},
};

static const struct list_sort mitigation_sorts[] = {
    {"due_date", DUE, .text_key = true, .ascending_first = true},
};

const struct list_spec mitigation_list = {
    .name = "mitigation_list",
    .table = "mitigation",
    .columns = mitigation_list_columns,
    .row = "id",
    .id = "id",
    .base = "hidden = 0",
    SPEC_FILTERS(mitigation_filters),
    SPEC_SORTS(mitigation_sorts),
};

static const struct list_filter asset_filters[] = {
    {"q", LIST_SEARCH_NAME, "instr(name_fold, ?) > 0", .about = "is in the name"},
    {"criticality", LIST_NAME, "criticality = ?", "+criticality = ?", .in_order = "name",
     .names = criticality_names, .about = "exact"},
    {"type", LIST_TEXT, "type = ?", "+type = ?", .in_order = "name", .about = "exact"},
};

static const struct list_sort asset_sorts[] = {
    {"name", "name_fold", .text_key = true, .ascending_first = true},
    {"risk_count", "risk_count"},
    {"updated_at", "updated_at"},
};

const struct list_spec asset_list = {
    .name = "asset_list",
    .table = "asset",
    .columns = asset_columns,
    .row = "id",
    .id = "id",
    .base = "1 = 1",
    SPEC_FILTERS(asset_filters),
    SPEC_SORTS(asset_sorts),
};

static const struct list_filter user_filters[] = {
    {"role", LIST_NAME, "role = ?", .in_order = "email", .names = role_names, .about = "exact"},
};

static const struct list_sort user_sorts[] = {
    {"email", "email", .text_key = true, .ascending_first = true},
};

const struct list_spec user_list = {
    .name = "user_list",
    .table = "account",
    .columns = account_columns,
    .row = "id",
    .id = "id",
    .base = "1 = 1",
    SPEC_FILTERS(user_filters),
    SPEC_SORTS(user_sorts),
};

static const struct list_filter history_filters[] = {
    {"risk_ref", LIST_NUMBER, "risk_ref = ?", .in_order = "seq", .about = "of one risk",
     .internal = true},
};

static const struct list_sort history_sorts[] = {{"seq", "seq"}};

const struct list_spec history_list = {
    .name = "history_list",
    .table = "risk_history",
    .columns = "at, actor_id, actor, action, version, score, status, deleted, changes, "
               "(SELECT id FROM risk WHERE risk.ref = risk_history.risk_ref), risk_ref, "
               "(SELECT title FROM risk WHERE risk.ref = risk_history.risk_ref)",
    .row = "seq",
    .id = "seq",
    .id_is_number = true,
    .base = "1 = 1",
    SPEC_FILTERS(history_filters),
    SPEC_SORTS(history_sorts),
};

static const struct list_filter audit_filters[] = {
    {"actor", LIST_TEXT, "actor = ?", "+actor = ?", .in_order = "seq", .about = "e-mail address"},
    {"action", LIST_TEXT, "action = ?", "+action = ?", .in_order = "seq",
     .about = "exact: POST /risks, login, …"},
    {"result", LIST_TEXT, "result = ?", "+result = ?", .in_order = "seq", .about = "ok, denied, …"},
    {"since", LIST_TIME, "at >= ?", "+at >= ?", .about = "at this time or later"},
    {"until", LIST_TIME, "at < ?", "+at < ?", .about = "before this time"},
};

static const struct list_sort audit_sorts[] = {{"seq", "seq"}};

const struct list_spec audit_list = {
    .name = "audit_list",
    .table = "audit_log",
    .columns = "at, actor_id, actor, action, target, address, result, detail",
    .row = "seq",
    .id = "seq",
    .id_is_number = true,
    .base = "1 = 1",
    SPEC_FILTERS(audit_filters),
    SPEC_SORTS(audit_sorts),
};

const struct list_spec *const all_lists[] = {
    &risk_list, &mitigation_list, &asset_list, &user_list, &history_list, &audit_list, NULL};
