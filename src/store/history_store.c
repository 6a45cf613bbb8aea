#include "store/history_store.h"

#include "store/gather.h"
#include "store/queries.h"

enum status history_store_insert(struct db *db, int64_t risk_ref, const struct history_entry *entry,
                                 struct err *err)
{
    return db_queue(db, &queries[QUERY_HISTORY_INSERT],
                    DB_PARAMS(DB_INT(risk_ref), DB_INT(entry->at), DB_TEXT(entry->actor_id),
                              DB_TEXT(entry->actor), DB_TEXT(entry->action), DB_INT(entry->version),
                              DB_INT(entry->score), DB_TEXT(risk_status_names[entry->status]),
                              DB_INT(entry->deleted), DB_TEXT(entry->changes)),
                    err);
}

static void read_entry(const struct db_rows *rows, int first, struct arena *arena,
                       struct history_entry *entry)
{
    int status = text_index(risk_status_names, db_text(rows, first + 6));
    *entry = (struct history_entry){
        .at = db_int(rows, first),
        .actor_id = db_text_copy(rows, first + 1, arena),
        .actor = db_text_copy(rows, first + 2, arena),
        .action = db_text_copy(rows, first + 3, arena),
        .version = db_int(rows, first + 4),
        .score = db_int(rows, first + 5),
        .status = status < 0 ? 0 : status,
        .deleted = db_int(rows, first + 7) != 0,
        .changes = db_text_copy(rows, first + 8, arena),
    };
}

static void read_listed(void *context, const struct db_rows *rows)
{
    struct gathered *entries = context;
    struct history_entry *entry = gather(entries);
    read_entry(rows, LIST_FIRST_COLUMN, entries->arena, entry);
    entry->risk_id = db_text_copy(rows, LIST_FIRST_COLUMN + 9, entries->arena);
    entry->risk_ref = db_int(rows, LIST_FIRST_COLUMN + 10);
    entry->risk_title = db_text_copy(rows, LIST_FIRST_COLUMN + 11, entries->arena);
}

enum status history_store_list(struct db *db, const struct list_request *request,
                               struct arena *arena, struct history_list_page *ret_page,
                               struct err *err)
{
    struct gathered entries = {.item_size = sizeof(struct history_entry), .arena = arena};
    struct list_result result;
    enum status status = list_read(db, request, NULL, arena, read_listed, &entries, &result, err);
    if (status == OK)
        *ret_page = (struct history_list_page){.items = entries.items, .result = result};
    return status;
}

enum status history_store_of(struct db *db, int64_t risk_ref, struct arena *arena,
                             struct history_entry **ret_items, size_t *ret_count, struct err *err)
{
    AUTO_ROWS struct db_rows rows = {0};
    enum status status =
        db_select(db, &queries[QUERY_HISTORY_OF_RISK], DB_PARAMS(DB_INT(risk_ref)), &rows, err);
    if (status != OK)
        return status;
    struct gathered entries = {.item_size = sizeof(struct history_entry), .arena = arena};
    while (db_next(&rows))
        read_entry(&rows, 0, arena, gather(&entries));
    status = db_end(&rows, err);
    if (status == OK) {
        *ret_items = entries.items;
        *ret_count = entries.count;
    }
    return status;
}

enum status audit_store_insert(struct db *db, const struct audit_entry *entry, struct err *err)
{
    return db_queue(db, &queries[QUERY_AUDIT_INSERT],
                    DB_PARAMS(DB_INT(entry->at), DB_TEXT(entry->actor_id), DB_TEXT(entry->actor),
                              DB_TEXT(entry->action), DB_TEXT(entry->target),
                              DB_TEXT(entry->address), DB_TEXT(entry->result),
                              DB_TEXT(entry->detail)),
                    err);
}

static void read_audit(void *context, const struct db_rows *rows)
{
    struct gathered *entries = context;
    struct audit_entry *entry = gather(entries);
    int first = LIST_FIRST_COLUMN;
    *entry = (struct audit_entry){
        .at = db_int(rows, first),
        .actor_id = db_text_copy(rows, first + 1, entries->arena),
        .actor = db_text_copy(rows, first + 2, entries->arena),
        .action = db_text_copy(rows, first + 3, entries->arena),
        .target = db_text_copy(rows, first + 4, entries->arena),
        .address = db_text_copy(rows, first + 5, entries->arena),
        .result = db_text_copy(rows, first + 6, entries->arena),
        .detail = db_text_copy(rows, first + 7, entries->arena),
    };
}

enum status audit_store_list(struct db *db, const struct list_request *request, struct arena *arena,
                             struct audit_list_page *ret_page, struct err *err)
{
    struct gathered entries = {.item_size = sizeof(struct audit_entry), .arena = arena};
    struct list_result result;
    enum status status = list_read(db, request, NULL, arena, read_audit, &entries, &result, err);
    if (status == OK)
        *ret_page = (struct audit_list_page){.items = entries.items, .result = result};
    return status;
}

enum status baseline_store_get(struct db *db, const char *source, const char *external_id,
                               struct arena *arena, int64_t *ret_risk_ref, char **ret_members,
                               struct err *err)
{
    AUTO_ROWS struct db_rows rows = {0};
    enum status status = db_select(db, &queries[QUERY_BASELINE_GET],
                                   DB_PARAMS(DB_TEXT(source), DB_TEXT(external_id)), &rows, err);
    if (status != OK)
        return status;
    bool found = db_next(&rows);
    int64_t ref = found ? db_int(&rows, 0) : 0;
    char *members = found ? db_text_copy(&rows, 1, arena) : NULL;
    status = db_end(&rows, err);
    if (status != OK)
        return status;
    if (!found)
        return err_set(err, NOT_FOUND, NULL, "was not imported before");
    *ret_risk_ref = ref;
    *ret_members = members;
    return OK;
}

enum status baseline_store_insert(struct db *db, const char *source, const char *external_id,
                                  int64_t risk_ref, const char *members, struct err *err)
{
    return db_queue(
        db, &queries[QUERY_BASELINE_INSERT],
        DB_PARAMS(DB_TEXT(source), DB_TEXT(external_id), DB_INT(risk_ref), DB_TEXT(members)), err);
}

enum status baseline_store_update(struct db *db, const char *source, const char *external_id,
                                  const char *members, struct err *err)
{
    return db_queue(db, &queries[QUERY_BASELINE_UPDATE],
                    DB_PARAMS(DB_TEXT(source), DB_TEXT(external_id), DB_TEXT(members)), err);
}

enum status baseline_store_of(struct db *db, int64_t risk_ref, struct arena *arena,
                              struct baseline **ret_items, size_t *ret_count, struct err *err)
{
    AUTO_ROWS struct db_rows rows = {0};
    enum status status =
        db_select(db, &queries[QUERY_BASELINES_OF_RISK], DB_PARAMS(DB_INT(risk_ref)), &rows, err);
    if (status != OK)
        return status;
    struct gathered all = {.item_size = sizeof(struct baseline), .arena = arena};
    while (db_next(&rows)) {
        struct baseline *baseline = gather(&all);
        baseline->source = db_text_copy(&rows, 0, arena);
        baseline->external_id = db_text_copy(&rows, 1, arena);
        baseline->members = db_text_copy(&rows, 2, arena);
    }
    status = db_end(&rows, err);
    if (status == OK) {
        *ret_items = all.items;
        *ret_count = all.count;
    }
    return status;
}
