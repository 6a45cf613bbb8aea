#include "store/asset_store.h"

#include <string.h>

#include "store/gather.h"
#include "store/queries.h"

enum { ASSET_PARAMS = 12 };

static enum status select_one(struct db *db, enum query_id query, const char *key,
                              struct arena *arena, struct asset *ret_asset, struct err *err)
{
    AUTO_ROWS struct db_rows rows = {0};
    enum status status = db_select(db, &queries[query], DB_PARAMS(DB_TEXT(key)), &rows, err);
    if (status != OK)
        return status;
    struct asset asset = {0};
    bool found = db_next(&rows);
    if (found)
        db_read_record(&rows, 0, &asset_table, arena, &asset);
    status = db_end(&rows, err);
    if (status != OK)
        return status;
    if (!found)
        return err_set(err, NOT_FOUND, NULL, "there is no such asset");
    *ret_asset = asset;
    return OK;
}

enum status asset_store_get(struct db *db, const char *id, struct arena *arena,
                            struct asset *ret_asset, struct err *err)
{
    return select_one(db, QUERY_ASSET_BY_ID, id, arena, ret_asset, err);
}

enum status asset_store_find(struct db *db, const char *name, struct arena *arena,
                             struct asset *ret_asset, struct err *err)
{
    return select_one(db, QUERY_ASSET_BY_NAME, text_fold(arena, name), arena, ret_asset, err);
}

/** The index is on the folded name; people know it as name. */
static enum status name_conflict(enum status status, struct err *err)
{
    if (status != CONFLICT)
        return status;
    bool external = strcmp(err->items[0].field, "external_id") == 0;
    return err_set(err, CONFLICT, external ? "external_id" : "name",
                   "another asset has it already");
}

static enum status write(struct db *db, enum query_id query, const struct asset *asset,
                         struct arena *arena, struct err *err)
{
    struct db_value values[ASSET_PARAMS];
    db_bind_record(&asset_table, asset, arena, values);
    values[asset_table.count] = DB_TEXT(text_fold(arena, asset->name));
    return name_conflict(db_exec(db, &queries[query], values, ASSET_PARAMS, NULL, err), err);
}

enum status asset_store_insert(struct db *db, const struct asset *asset, struct arena *arena,
                               struct err *err)
{
    return write(db, QUERY_ASSET_INSERT, asset, arena, err);
}

enum status asset_store_update(struct db *db, const struct asset *asset, struct arena *arena,
                               struct err *err)
{
    return write(db, QUERY_ASSET_UPDATE, asset, arena, err);
}

enum status asset_store_delete(struct db *db, const char *id, struct err *err)
{
    return db_queue(db, &queries[QUERY_ASSET_DELETE], DB_PARAMS(DB_TEXT(id)), err);
}

enum status asset_store_count(struct db *db, const char *id, int64_t difference, struct err *err)
{
    return db_queue(db, &queries[QUERY_ASSET_COUNT_ADD], DB_PARAMS(DB_TEXT(id), DB_INT(difference)),
                    err);
}

static void read_row(void *context, const struct db_rows *rows)
{
    struct gathered *assets = context;
    db_read_record(rows, LIST_FIRST_COLUMN, &asset_table, assets->arena, gather(assets));
}

enum status asset_store_list(struct db *db, const struct list_request *request, struct arena *arena,
                             struct asset_list_page *ret_page, struct err *err)
{
    struct gathered assets = {.item_size = sizeof(struct asset), .arena = arena};
    struct list_result result;
    enum status status = list_read(db, request, NULL, arena, read_row, &assets, &result, err);
    if (status == OK)
        *ret_page = (struct asset_list_page){.items = assets.items, .result = result};
    return status;
}
