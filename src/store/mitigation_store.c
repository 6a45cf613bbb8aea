#include "store/mitigation_store.h"

#include "store/gather.h"
#include "store/queries.h"

/* Behind the columns of mitigation_table: risk_ref, progress_by_hand, import_key, hidden. */
enum { MITIGATION_PARAMS = 18, MITIGATION_COLUMN_COUNT = MITIGATION_PARAMS - 1 };

void mitigation_store_read(const struct db_rows *rows, int first, struct arena *arena,
                           struct mitigation *mitigation)
{
    int next = first + (int)mitigation_table.count;
    db_read_record(rows, first, &mitigation_table, arena, mitigation);
    mitigation->risk_ref = db_int(rows, next);
    mitigation->progress_by_hand = db_int(rows, next + 1) != 0;
    mitigation->import_key = db_text_copy(rows, next + 2, arena);
}

enum status mitigation_store_get(struct db *db, const char *id, struct arena *arena,
                                 struct mitigation *ret_mitigation, struct err *err)
{
    AUTO_ROWS struct db_rows rows = {0};
    enum status status =
        db_select(db, &queries[QUERY_MITIGATION_BY_ID], DB_PARAMS(DB_TEXT(id)), &rows, err);
    if (status != OK)
        return status;
    struct mitigation mitigation = {0};
    bool found = db_next(&rows);
    if (found)
        mitigation_store_read(&rows, 0, arena, &mitigation);
    status = db_end(&rows, err);
    if (status != OK)
        return status;
    if (!found)
        return err_set(err, NOT_FOUND, NULL, "there is no such mitigation");
    *ret_mitigation = mitigation;
    return OK;
}

static void bind(const struct mitigation *mitigation, bool hidden, struct arena *arena,
                 struct db_value values[MITIGATION_PARAMS])
{
    struct db_value *more = values + mitigation_table.count;
    db_bind_record(&mitigation_table, mitigation, arena, values);
    more[0] = DB_INT(mitigation->risk_ref);
    more[1] = DB_INT(mitigation->progress_by_hand);
    more[2] = DB_TEXT(mitigation->import_key);
    more[3] = DB_INT(hidden);
}

enum status mitigation_store_insert(struct db *db, const struct mitigation *mitigation, bool hidden,
                                    struct arena *arena, struct err *err)
{
    struct db_value values[MITIGATION_PARAMS];
    bind(mitigation, hidden, arena, values);
    return db_queue(db, &queries[QUERY_MITIGATION_INSERT], values, MITIGATION_PARAMS, err);
}

enum status mitigation_store_update(struct db *db, const struct mitigation *mitigation,
                                    struct arena *arena, struct err *err)
{
    struct db_value values[MITIGATION_PARAMS];
    bind(mitigation, false, arena, values);
    return db_queue(db, &queries[QUERY_MITIGATION_UPDATE], values, MITIGATION_PARAMS, err);
}

enum status mitigation_store_delete(struct db *db, const char *id, struct err *err)
{
    enum status status =
        db_queue(db, &queries[QUERY_SUB_ACTIONS_DELETE], DB_PARAMS(DB_TEXT(id)), err);
    if (status == OK)
        status = db_queue(db, &queries[QUERY_MITIGATION_DELETE], DB_PARAMS(DB_TEXT(id)), err);
    return status;
}

enum status mitigation_store_hide(struct db *db, int64_t risk_ref, bool hidden, struct err *err)
{
    return db_queue(db, &queries[QUERY_MITIGATIONS_HIDE],
                    DB_PARAMS(DB_INT(risk_ref), DB_INT(hidden)), err);
}

static void read_row(void *context, const struct db_rows *rows)
{
    struct gathered *mitigations = context;
    struct mitigation *mitigation = gather(mitigations);
    mitigation_store_read(rows, LIST_FIRST_COLUMN, mitigations->arena, mitigation);
    mitigation->risk_title =
        db_text_copy(rows, LIST_FIRST_COLUMN + MITIGATION_COLUMN_COUNT, mitigations->arena);
}

enum status mitigation_store_list(struct db *db, const struct list_request *request,
                                  const char *today, struct arena *arena,
                                  struct mitigation_list_page *ret_page, struct err *err)
{
    struct gathered mitigations = {.item_size = sizeof(struct mitigation), .arena = arena};
    struct list_result result;
    enum status status = list_read(db, request, today, arena, read_row, &mitigations, &result, err);
    if (status == OK)
        *ret_page = (struct mitigation_list_page){.items = mitigations.items, .result = result};
    return status;
}

static void read_sub_action(const struct db_rows *rows, struct arena *arena,
                            struct sub_action *sub_action)
{
    int next = (int)sub_action_table.count;
    db_read_record(rows, 0, &sub_action_table, arena, sub_action);
    sub_action->mitigation_id = db_text_copy(rows, next, arena);
    sub_action->position = db_int(rows, next + 1);
}

enum status sub_action_store_get(struct db *db, const char *id, struct arena *arena,
                                 struct sub_action *ret_sub_action, struct err *err)
{
    AUTO_ROWS struct db_rows rows = {0};
    enum status status =
        db_select(db, &queries[QUERY_SUB_ACTION_BY_ID], DB_PARAMS(DB_TEXT(id)), &rows, err);
    if (status != OK)
        return status;
    struct sub_action sub_action = {0};
    bool found = db_next(&rows);
    if (found)
        read_sub_action(&rows, arena, &sub_action);
    status = db_end(&rows, err);
    if (status != OK)
        return status;
    if (!found)
        return err_set(err, NOT_FOUND, NULL, "there is no such sub-action");
    *ret_sub_action = sub_action;
    return OK;
}

enum status sub_action_store_insert(struct db *db, const struct sub_action *sub_action,
                                    struct err *err)
{
    return db_queue(db, &queries[QUERY_SUB_ACTION_INSERT],
                    DB_PARAMS(DB_TEXT(sub_action->id), DB_TEXT(sub_action->title),
                              DB_INT(sub_action->completed), DB_TEXT(sub_action->mitigation_id),
                              DB_INT(sub_action->position)),
                    err);
}

enum status sub_action_store_update(struct db *db, const struct sub_action *sub_action,
                                    struct err *err)
{
    return db_queue(db, &queries[QUERY_SUB_ACTION_UPDATE],
                    DB_PARAMS(DB_TEXT(sub_action->id), DB_TEXT(sub_action->title),
                              DB_INT(sub_action->completed)),
                    err);
}

enum status sub_action_store_delete(struct db *db, const char *id, struct err *err)
{
    return db_queue(db, &queries[QUERY_SUB_ACTION_DELETE], DB_PARAMS(DB_TEXT(id)), err);
}
