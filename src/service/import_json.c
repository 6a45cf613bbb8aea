/*
 * The JSON document that export writes (see document.h), or one that was written by hand.
 *
 * The document may be far larger than memory should be, so its outer structure is walked here and
 * only one record at a time becomes a tree. Risks are known by their id, else by their name at
 * their source; assets by their id, else by their name.
 */
#include <inttypes.h>
#include <string.h>

#include "base/id.h"
#include "service/import_item.h"
#include "store/asset_store.h"
#include "json/json.h"

/** A place in the text. */
struct cursor {
    const char *at, *end;
};

struct document {
    struct cursor assets, risks; /* behind their opening brackets; `at` NULL: not there */
    struct cursor next;          /* risk */
    int64_t row;
};

static void skip_space(struct cursor *cursor)
{
    while (cursor->at < cursor->end && strchr(" \t\r\n", *cursor->at) && *cursor->at)
        cursor->at++;
}

static bool take(struct cursor *cursor, char c)
{
    skip_space(cursor);
    bool there = cursor->at < cursor->end && *cursor->at == c;
    cursor->at += there;
    return there;
}

static enum status take_value(struct cursor *cursor, struct json_doc **ret_doc, struct err *err)
{
    size_t used;
    skip_space(cursor);
    enum status status =
        json_parse_prefix(cursor->at, (size_t)(cursor->end - cursor->at), ret_doc, &used, err);
    if (status == OK)
        cursor->at += used;
    return status;
}

/** The next item of a list; `ret_end` behind the last one. */
static enum status take_item(struct cursor *cursor, bool first, struct json_doc **ret_doc,
                             bool *ret_end, struct err *err)
{
    *ret_end = take(cursor, ']');
    if (*ret_end)
        return OK;
    if (!first && !take(cursor, ','))
        return err_set(err, MALFORMED, NULL, "a comma or ] is missing behind an item");
    return take_value(cursor, ret_doc, err);
}

/** The line of a place in the file, from 1. */
static int64_t line_of(const struct import *import, const char *at)
{
    int64_t line = 1;
    for (const char *c = import->bytes; (c = memchr(c, '\n', (size_t)(at - c))); c++)
        line++;
    return line;
}

/** The parser counts lines from where the value begins; say where that is. */
static enum status refuse_text(struct import *import, int64_t row, const char *start,
                               const struct err *err)
{
    const char *message = err->items[0].message;
    int length = (int)strcspn(message, ",");
    import_refuse(import, row, err->items[0].field, "%.*s (in what begins on line %" PRId64 ")",
                  length, message, line_of(import, start));
    return MALFORMED;
}

/**
 * Go over a value without looking into it: brackets and strings are enough to find its end. What is
 * in it is parsed when its turn comes.
 */
static bool skip_value(struct cursor *cursor)
{
    size_t depth = 0;
    bool in_string = false;
    skip_space(cursor);
    const char *start = cursor->at;
    for (; cursor->at < cursor->end; cursor->at++) {
        char c = *cursor->at;
        if (in_string) {
            if (c == '\\')
                cursor->at++;
            in_string = c != '"';
        } else if (depth == 0 && (c == ',' || c == ']' || c == '}')) {
            return cursor->at > start;
        } else {
            in_string = c == '"';
            depth += c == '[' || c == '{';
            depth -= c == ']' || c == '}';
        }
    }
    return false;
}

static enum status skip_list(struct import *import, struct cursor *cursor, struct cursor *ret_items)
{
    if (!take(cursor, '[')) {
        import_refuse(import, 0, NULL, "assets and risks must be lists");
        return MALFORMED;
    }
    *ret_items = *cursor;
    if (take(cursor, ']'))
        return OK;
    for (int64_t count = 1;; count++) {
        const char *start = cursor->at;
        struct err err;
        if (!skip_value(cursor) || (*cursor->at != ',' && *cursor->at != ']')) {
            err_set(&err, MALFORMED, NULL, "the JSON ends too early");
            return refuse_text(import, count, start, &err);
        }
        if (*cursor->at++ == ']')
            return OK;
    }
}

static enum status check_head(struct import *import, const char *name, const json *value)
{
    const char *format = json_as_string(value);
    int64_t version;
    if (strcmp(name, "format") == 0 && (!format || strcmp(format, DOCUMENT_FORMAT) != 0))
        return import_refuse(import, 0, name, "must be \"%s\"", DOCUMENT_FORMAT);
    if (strcmp(name, "version") == 0 &&
        (!json_as_int(value, &version) || version != DOCUMENT_VERSION))
        return import_refuse(import, 0, name, "must be %d: is the file of a newer OpenRisk?",
                             DOCUMENT_VERSION);
    if (strcmp(name, "format") != 0 && strcmp(name, "version") != 0 &&
        strcmp(name, "exported_at") != 0)
        return import_refuse(import, 0, name, "is not known");
    return OK;
}

/** One member of the outermost object. */
static enum status read_member(struct import *import, struct cursor *cursor, struct err *err)
{
    AUTO_JSON struct json_doc *name_doc = NULL, *value = NULL;
    struct document *document = import->state;
    const char *start = cursor->at;
    enum status status = take_value(cursor, &name_doc, err);
    const char *name = status == OK ? json_as_string(json_root(name_doc)) : NULL;
    if (status == OK && (!name || !take(cursor, ':')))
        status = err_set(err, MALFORMED, NULL, "this is not valid JSON");
    if (status != OK)
        return refuse_text(import, 0, start, err);
    struct cursor *list = strcmp(name, "assets") == 0  ? &document->assets
                          : strcmp(name, "risks") == 0 ? &document->risks
                                                       : NULL;
    if (list && list->at)
        return import_refuse(import, 0, name, "occurs twice");
    if (list)
        return skip_list(import, cursor, list);
    start = cursor->at;
    status = take_value(cursor, &value, err);
    if (status != OK)
        return refuse_text(import, 0, start, err);
    return check_head(import, name, json_root(value));
}

static enum status read_structure(struct import *import, struct err *err)
{
    struct document *document = import->state;
    struct cursor cursor = {import->bytes, import->bytes + import->length};
    if (!take(&cursor, '{'))
        return import_refuse(import, 0, NULL, "must be a JSON object with a list of risks");
    enum status status = OK;
    bool first = true;
    while (status == OK && !take(&cursor, '}')) {
        if (!first && !take(&cursor, ',')) {
            err_set(err, MALFORMED, NULL, "the JSON ends too early, or a comma is missing");
            return refuse_text(import, 0, cursor.at, err);
        }
        first = false;
        status = read_member(import, &cursor, err);
    }
    skip_space(&cursor);
    if (status == OK && cursor.at != cursor.end)
        status = import_refuse(import, 0, NULL, "something follows the JSON object");
    if (status == OK && !document->risks.at)
        status = import_refuse(import, 0, "risks", "is required");
    return status;
}

/* Assets. */

static enum status read_asset(struct import *import, int64_t position, const json *value,
                              struct asset *ret_asset)
{
    const char *path = arena_format(&import->row, "assets[%" PRId64 "]", position);
    const struct json_read how = {
        .table = &asset_table, .prefix = path, .whole = true, .trusted = true};
    struct err err;
    field_mask mask;
    err_init(&err);
    *ret_asset = asset_defaults();
    if (json_read_record(value, &how, &import->row, ret_asset, &mask, &err) != OK)
        return import_refuse_all(import, 0, &err);
    if (ret_asset->id && !id_is_valid(ret_asset->id))
        return import_refuse(import, 0, path, "has an id that is no UUID in small letters");
    if (ret_asset->version < 1)
        return import_refuse(import, 0, path, "has a version below 1");
    return OK;
}

/** The asset of the register that is the same; NOT_FOUND. */
static enum status find_same_asset(struct import *import, const struct asset *asset,
                                   struct asset *ret_same, struct err *err)
{
    enum status status = NOT_FOUND;
    if (asset->id)
        status = asset_store_get(import->writer.db, asset->id, import->kept, ret_same, err);
    if (status == NOT_FOUND)
        status = asset_store_find(import->writer.db, asset->name, import->kept, ret_same, err);
    return status;
}

static enum status insert_asset(struct import *import, struct asset *asset, struct err *err)
{
    const struct service *service = import->service;
    char id[ID_SIZE];
    asset->id = arena_strdup(import->kept, asset->id ? asset->id : id_new(service->now_ms, id));
    asset->name = arena_strdup(import->kept, asset->name);
    if (!asset->created_at || !import->keeps_history)
        asset->created_by = service->caller->user_id;
    if (!asset->created_at)
        asset->created_at = service->now_ms;
    if (!asset->updated_at)
        asset->updated_at = asset->created_at;
    asset->risk_count = 0; /* its links will count */
    return asset_store_insert(import->writer.db, asset, &import->row, err);
}

/** Make the asset if there is none; one that is there stays as it is. */
static enum status merge_asset(struct import *import, int64_t position, struct asset *asset,
                               struct err *err)
{
    const char *path = arena_format(&import->row, "assets[%" PRId64 "]", position);
    const char *key = arena_strdup(import->kept, asset->id);
    struct asset *kept = arena_alloc(import->kept, sizeof *kept);
    enum status status = find_same_asset(import, asset, kept, err);
    if (status == NOT_FOUND) {
        status = insert_asset(import, asset, err);
        *kept =
            (struct asset){.id = asset->id, .name = asset->name, .criticality = asset->criticality};
    } else if (status == OK &&
               field_diff(&asset_table, field_mask_of(&asset_table, FIELD_WRITABLE), kept, asset)) {
        import_note(import, 0, path, "%s is here already and was left as it is", asset->name);
    }
    if (status == CONFLICT) {
        import_note(import, 0, path, "%s: %s", err->items[0].field, err->items[0].message);
        return INVALID;
    }
    if (status == OK && key)
        name_table_put(&import->assets, key, kept);
    return status;
}

/** Both readings: `merge` is called for each good asset, or nothing is done with it. */
static enum status read_assets(struct import *import, bool merge, struct err *err)
{
    const struct document *document = import->state;
    struct cursor cursor = document->assets;
    for (int64_t i = 0; cursor.at; i++) {
        AUTO_JSON struct json_doc *doc = NULL;
        struct asset asset;
        bool end;
        const char *start = cursor.at;
        arena_clear(&import->row);
        enum status status = take_item(&cursor, i == 0, &doc, &end, err);
        if (status != OK)
            return refuse_text(import, 0, start, err);
        if (end)
            return OK;
        status = read_asset(import, i, json_root(doc), &asset);
        if (status == OK && merge)
            status = merge_asset(import, i, &asset, err);
        if (status == INVALID)
            import->refused++;
        else if (status != OK)
            return status;
    }
    return OK;
}

static enum status document_prepare(struct import *import, struct err *err)
{
    return read_assets(import, true, err);
}

static enum status document_open(struct import *import, struct err *err)
{
    import->state = arena_zalloc(import->kept, 1, sizeof(struct document));
    enum status status = read_structure(import, err);
    return status == OK ? read_assets(import, false, err) : status;
}

/* Risks. */

static enum status document_rewind(struct import *import, struct err *err)
{
    struct document *document = import->state;
    (void)err;
    document->next = document->risks;
    document->row = 0;
    return OK;
}

/** The same risk twice in one file would make the second overwrite the first. */
static enum status check_once(struct import *import, const struct import_item *item)
{
    const struct risk *risk = &item->risk;
    struct arena *arena = &import->row;
    enum status status = OK;
    if (risk->id)
        status = import_once(import, item->row, "id", risk->id);
    if (status == OK && risk->external_id)
        status = import_once(
            import, item->row, "external_id",
            arena_format(arena, "%s\x1f%s", risk->source ? risk->source : "", risk->external_id));
    if (status == OK && risk->ref > import->highest_ref)
        import->highest_ref = risk->ref;
    return status;
}

static enum status document_next(struct import *import, struct import_item *ret_item, bool *ret_end,
                                 struct err *err)
{
    struct document *document = import->state;
    AUTO_JSON struct json_doc *doc = NULL;
    const char *start = document->next.at;
    enum status status = take_item(&document->next, document->row == 0, &doc, ret_end, err);
    document->row++;
    if (status != OK)
        return refuse_text(import, document->row, start, err);
    if (*ret_end)
        return OK;
    struct err faults;
    if (import_read_document_item(&import->tables, json_root(doc), &import->row, ret_item,
                                  &faults) != OK)
        return import_refuse_all(import, document->row, &faults);
    const struct risk *risk = &ret_item->risk;
    ret_item->row = document->row;
    if (risk->id)
        ret_item->key = risk->id;
    else if (risk->external_id)
        ret_item->key = arena_format(&import->row, "%s/%s", risk->source ? risk->source : "",
                                     risk->external_id);
    return import->checking ? check_once(import, ret_item) : OK;
}

/** By id: those of the document are known by then, others may be the register's. */
static enum status document_find_asset(struct import *import, const char *key, bool make,
                                       const struct asset **ret_asset, struct err *err)
{
    (void)make;
    *ret_asset = name_table_get(&import->assets, key);
    if (*ret_asset)
        return OK;
    struct asset *kept = arena_alloc(import->kept, sizeof *kept);
    enum status status = asset_store_get(import->writer.db, key, import->kept, kept, err);
    if (status == OK) {
        name_table_put(&import->assets, arena_strdup(import->kept, key), kept);
        *ret_asset = kept;
    }
    return status;
}

const struct import_reader import_document = {
    .source = DOCUMENT_SOURCE,
    .open = document_open,
    .rewind = document_rewind,
    .next = document_next,
    .prepare = document_prepare,
    .find_asset = document_find_asset,
};
