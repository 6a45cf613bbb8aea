/*
 * Reading one risk of a JSON document, or of a baseline, with all that hangs on it.
 *
 * All faults of a risk are gathered in one `err`, each under its path: "mitigations[2].title".
 */
#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/id.h"
#include "service/import_item.h"
#include "json/json.h"

enum { REF_MAX = 1000000000, BASELINES_MAX = 100 };

struct reading {
    const struct document_tables *tables;
    struct arena *arena;
    struct err *err;
};

static enum status check_id(const struct reading *reading, const char *prefix, const char *id)
{
    if (!id || id_is_valid(id))
        return OK;
    err_add(reading->err, *prefix ? arena_format(reading->arena, "%s.id", prefix) : "id",
            "must be a UUID in small letters");
    return INVALID;
}

static enum status check_version(const struct reading *reading, const char *prefix, int64_t version)
{
    if (version >= 1 && version <= REF_MAX)
        return OK;
    err_add(reading->err, *prefix ? arena_format(reading->arena, "%s.version", prefix) : "version",
            "must be from 1 to %d", REF_MAX);
    return INVALID;
}

/** The list under a name, NULL if it is absent; a fault if it is no list or too long. */
static enum status find_list(const struct reading *reading, const json *object, const char *name,
                             const char *path, size_t most, const json **ret_list)
{
    const json *list = json_member(object, name);
    *ret_list = list;
    if (!list || (json_kind(list) == JSON_KIND_ARRAY && json_count(list) <= most))
        return OK;
    *ret_list = NULL;
    err_add(reading->err, path, "must be a list of at most %zu items", most);
    return INVALID;
}

static enum status read_sub_actions(const struct reading *reading, const json *object,
                                    const char *prefix, struct import_mitigation *mitigation)
{
    const char *path = arena_format(reading->arena, "%s.sub_actions", prefix);
    const json *list;
    enum status status =
        find_list(reading, object, "sub_actions", path, SUB_ACTIONS_PER_MITIGATION_MAX, &list);
    if (!list)
        return status;
    size_t count = json_count(list);
    mitigation->sub_actions = arena_zalloc(reading->arena, count, sizeof(struct sub_action));
    mitigation->sub_action_count = count;
    for (size_t i = 0; i < count; i++) {
        struct sub_action *sub_action = &mitigation->sub_actions[i];
        const char *name = arena_format(reading->arena, "%s[%zu]", path, i);
        struct json_read how = {
            .table = &sub_action_table, .prefix = name, .whole = true, .trusted = true};
        field_mask mask;
        if (json_read_record(json_item(list, i), &how, reading->arena, sub_action, &mask,
                             reading->err) != OK ||
            check_id(reading, name, sub_action->id) != OK)
            status = INVALID;
    }
    return status;
}

/** A progress that is there was set by hand, unless the document says otherwise. */
static void note_progress(const struct reading *reading, struct import_mitigation *mitigation)
{
    field_mask by_hand = field_bit(&reading->tables->mitigation, "progress_by_hand");
    field_mask progress = field_bit(&mitigation_table, "progress");
    if ((mitigation->mask & progress) && !(mitigation->mask & by_hand) &&
        mitigation->mitigation.progress) {
        mitigation->mitigation.progress_by_hand = true;
        mitigation->mask |= by_hand;
    }
}

static enum status read_mitigations(const struct reading *reading, const json *object,
                                    bool from_document, struct import_item *item)
{
    static const char *const also[] = {"sub_actions", NULL};
    const json *list;
    enum status status =
        find_list(reading, object, "mitigations", "mitigations", MITIGATIONS_PER_RISK_MAX, &list);
    if (!list)
        return status;
    item->mitigation_count = json_count(list);
    item->mitigations =
        arena_zalloc(reading->arena, item->mitigation_count, sizeof *item->mitigations);
    for (size_t i = 0; i < item->mitigation_count; i++) {
        struct import_mitigation *mitigation = &item->mitigations[i];
        const char *name = arena_format(reading->arena, "mitigations[%zu]", i);
        struct json_read how = {.table = &reading->tables->mitigation,
                                .also = also,
                                .prefix = name,
                                .whole = from_document,
                                .trusted = true};
        mitigation->mitigation.version = 1;
        if (json_read_record(json_item(list, i), &how, reading->arena, &mitigation->mitigation,
                             &mitigation->mask, reading->err) != OK ||
            read_sub_actions(reading, json_item(list, i), name, mitigation) != OK ||
            check_id(reading, name, mitigation->mitigation.id) != OK ||
            check_version(reading, name, mitigation->mitigation.version) != OK)
            status = INVALID;
        else if (from_document)
            note_progress(reading, mitigation);
    }
    return status;
}

/** A part of the document as compact text. */
static const char *compact(const struct reading *reading, const json *value)
{
    AUTO_BUF struct buf text;
    buf_init(&text, SIZE_MAX);
    struct json_writer out;
    json_writer_init(&out, &text);
    json_put_value(&out, NULL, value);
    return arena_memdup(reading->arena, text.data, text.length);
}

static enum status read_history(const struct reading *reading, const json *object,
                                struct import_item *item)
{
    static const char *const also[] = {"changes", NULL};
    const json *list;
    enum status status = find_list(reading, object, "history", "history", SIZE_MAX, &list);
    if (!list)
        return status;
    item->history_count = json_count(list);
    item->history = arena_zalloc(reading->arena, item->history_count, sizeof *item->history);
    for (size_t i = 0; i < item->history_count; i++) {
        struct history_entry *entry = &item->history[i];
        const json *value = json_item(list, i), *changes = json_member(value, "changes");
        const char *name = arena_format(reading->arena, "history[%zu]", i);
        struct json_read how = {
            .table = &history_table, .also = also, .prefix = name, .whole = true, .trusted = true};
        field_mask mask;
        if (json_read_record(value, &how, reading->arena, entry, &mask, reading->err) != OK)
            status = INVALID;
        if (changes && json_kind(changes) != JSON_KIND_ARRAY) {
            err_add(reading->err, arena_format(reading->arena, "%s.changes", name),
                    "must be a list");
            status = INVALID;
        }
        entry->changes = changes ? compact(reading, changes) : "[]";
        if (!entry->actor)
            entry->actor = "";
    }
    return status;
}

static enum status read_baselines(const struct reading *reading, const json *object,
                                  struct import_item *item)
{
    static const char *const also[] = {"members", NULL};
    const json *list;
    enum status status = find_list(reading, object, "baselines", "baselines", BASELINES_MAX, &list);
    if (!list)
        return status;
    item->baseline_count = json_count(list);
    item->baselines = arena_zalloc(reading->arena, item->baseline_count, sizeof *item->baselines);
    for (size_t i = 0; i < item->baseline_count; i++) {
        const json *value = json_item(list, i), *members = json_member(value, "members");
        const char *name = arena_format(reading->arena, "baselines[%zu]", i);
        struct json_read how = {
            .table = &baseline_table, .also = also, .prefix = name, .whole = true, .trusted = true};
        struct import_item ignored;
        struct err reason;
        field_mask mask;
        if (json_read_record(value, &how, reading->arena, &item->baselines[i], &mask,
                             reading->err) != OK) {
            status = INVALID;
            continue;
        }
        item->baselines[i].members = members ? compact(reading, members) : "{}";
        if (import_read_item(reading->tables, item->baselines[i].members, reading->arena, &ignored,
                             &reason) != OK) {
            err_add(reading->err, arena_format(reading->arena, "%s.members", name),
                    "is not what an import writes");
            status = INVALID;
        }
    }
    return status;
}

/** The parts that a document and a baseline share. */
static enum status read_parts(const struct reading *reading, const json *value, bool from_document,
                              struct import_item *item)
{
    static const char *const also[] = {"asset_ids", "mitigations", "history", "baselines", NULL};
    struct json_read how = {
        .table = &reading->tables->risk, .also = also, .whole = from_document, .trusted = true};
    item->risk = risk_defaults();
    enum status status =
        json_read_record(value, &how, reading->arena, &item->risk, &item->mask, reading->err);
    if (json_kind(value) != JSON_KIND_OBJECT)
        return status;
    const json *assets = json_member(value, "asset_ids");
    if (assets && json_read_texts(assets, "asset_ids", RISK_ASSETS_MAX, 300, reading->arena,
                                  &item->assets, reading->err) != OK)
        status = INVALID;
    if (read_mitigations(reading, value, from_document, item) != OK)
        status = INVALID;
    return status;
}

enum status import_read_item(const struct document_tables *tables, const char *json_text,
                             struct arena *arena, struct import_item *ret_item, struct err *err)
{
    const struct reading reading = {.tables = tables, .arena = arena, .err = err};
    AUTO_JSON struct json_doc *doc = NULL;
    struct import_item item = {0};
    enum status status = json_parse(json_text, strlen(json_text), &doc, err);
    if (status == OK) {
        err_init(err);
        status = read_parts(&reading, json_root(doc), false, &item);
    }
    if (status == OK)
        *ret_item = item;
    return status;
}

static enum status check_ref(const struct reading *reading, int64_t ref)
{
    if (ref >= 1 && ref <= REF_MAX)
        return OK;
    err_add(reading->err, "ref", "must be from 1 to %d", REF_MAX);
    return INVALID;
}

enum status import_read_document_item(const struct document_tables *tables, const json *value,
                                      struct arena *arena, struct import_item *ret_item,
                                      struct err *err)
{
    const struct reading reading = {.tables = tables, .arena = arena, .err = err};
    struct import_item item = {0};
    err_init(err);
    enum status status = read_parts(&reading, value, true, &item);
    if (json_kind(value) != JSON_KIND_OBJECT)
        return status;
    if (read_history(&reading, value, &item) != OK)
        status = INVALID;
    if (read_baselines(&reading, value, &item) != OK)
        status = INVALID;
    if (check_id(&reading, "", item.risk.id) != OK ||
        check_version(&reading, "", item.risk.version) != OK)
        status = INVALID;
    if ((item.mask & field_bit(&risk_table, "ref")) && check_ref(&reading, item.risk.ref) != OK)
        status = INVALID;
    if (status == OK)
        *ret_item = item;
    return status;
}
