/*
 * Merging one item of a file into the register.
 *
 * Three versions of each member meet: what the source said last time (the baseline), what it says
 * now, and what the register holds. What the source did not change stays as the register holds it,
 * so corrections by hand survive; what it did change is set. A member without a baseline counts as
 * changed. Things that hang on a risk: what the source added is added, what it took away from the
 * assets is unlinked, and what was deleted here by hand stays deleted. An import deletes nothing
 * else.
 */
#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "service/import_item.h"
#include "store/mitigation_store.h"

enum { BASELINE_MAX_BYTES = 16 << 20 };

/** An item on its way into the register. */
struct merge {
    struct import *import;
    struct import_item *item;
    const char *members;     /* what goes into the baseline */
    char *last_members;      /* what is in it, NULL if there is none */
    struct import_item base; /* what the source said last time, empty if never */
    struct risk_page page;   /* what the register holds */
    struct change_list changes;
};

static field_mask source_members(const struct import_item *item)
{
    return item->mask & field_mask_of(&risk_table, FIELD_WRITABLE);
}

static void put_mitigation(struct json_writer *out, const struct import *import,
                           const struct import_mitigation *source)
{
    const struct field_table *table = &import->tables.mitigation;
    field_mask kept = field_mask_of(table, FIELD_WRITABLE) | field_bit(table, "id") |
                      field_bit(table, "progress_by_hand") | field_bit(table, "import_key");
    json_open_object(out, NULL);
    json_put_fields(out, table, source->mask & kept, &source->mitigation);
    if (source->sub_action_count) {
        json_open_array(out, "sub_actions");
        for (size_t i = 0; i < source->sub_action_count; i++) {
            json_open_object(out, NULL);
            json_put_fields(out, &sub_action_table, ~UINT64_C(0), &source->sub_actions[i]);
            json_close_object(out);
        }
        json_close_array(out);
    }
    json_close_object(out);
}

/** What the item says, as it is kept and compared. */
static const char *members_of(struct import *import, const struct import_item *item)
{
    AUTO_BUF struct buf text;
    buf_init(&text, BASELINE_MAX_BYTES);
    struct json_writer out;
    json_writer_init(&out, &text);
    json_open_object(&out, NULL);
    json_put_fields(&out, &risk_table, source_members(item), &item->risk);
    json_put_texts(&out, "asset_ids", item->assets);
    json_open_array(&out, "mitigations");
    for (size_t i = 0; i < item->mitigation_count; i++)
        put_mitigation(&out, import, &item->mitigations[i]);
    json_close_array(&out);
    json_close_object(&out);
    return arena_strdup(&import->row, text.data);
}

static enum status keep_baseline(struct merge *merge, int64_t ref, struct err *err)
{
    const struct import *import = merge->import;
    struct db *db = import->writer.db;
    const char *source = import->reader->source, *key = merge->item->key;
    if (!key)
        return OK;
    if (merge->last_members)
        return baseline_store_update(db, source, key, merge->members, err);
    return baseline_store_insert(db, source, key, ref, merge->members, err);
}

/** Members of `now` that the source changed since `base`. */
static field_mask changed_members(const struct field_table *table, field_mask base_mask,
                                  const void *base, field_mask now_mask, const void *now)
{
    return (now_mask & ~base_mask) | field_diff(table, now_mask & base_mask, base, now);
}

static const struct import_mitigation *find_source(const struct merge *merge,
                                                   const struct import_mitigation *wanted)
{
    bool by_key = merge->import->reader->mitigations_by_key;
    for (size_t i = 0; i < merge->base.mitigation_count; i++) {
        const struct mitigation *known = &merge->base.mitigations[i].mitigation;
        if (by_key ? text_equal(known->import_key, wanted->mitigation.import_key)
                   : text_equal(known->id, wanted->mitigation.id))
            return &merge->base.mitigations[i];
    }
    return NULL;
}

static const struct mitigation_page *find_held(const struct merge *merge,
                                               const struct import_mitigation *wanted)
{
    bool by_key = merge->import->reader->mitigations_by_key;
    for (size_t i = 0; i < merge->page.mitigation_count; i++) {
        const struct mitigation *held = &merge->page.mitigations[i].mitigation;
        if (by_key ? text_equal(held->import_key, wanted->mitigation.import_key)
                   : text_equal(held->id, wanted->mitigation.id))
            return &merge->page.mitigations[i];
    }
    return NULL;
}

static const struct sub_action *find_sub_action(const struct sub_action *items, size_t count,
                                                const char *id)
{
    for (size_t i = 0; id && i < count; i++)
        if (text_equal(items[i].id, id))
            return &items[i];
    return NULL;
}

/** Merge the sub-actions of a mitigation; `ret_progress` is what they then say. */
static enum status merge_sub_actions(struct merge *merge, const struct import_mitigation *source,
                                     const struct import_mitigation *base,
                                     const struct mitigation_page *held, size_t *ret_count,
                                     int64_t *ret_progress, struct err *err)
{
    struct import *import = merge->import;
    size_t count = held->sub_action_count;
    struct sub_action *after =
        arena_zalloc(&import->row, count + source->sub_action_count, sizeof *after);
    for (size_t i = 0; i < count; i++)
        after[i] = held->sub_actions[i];
    enum status status = OK;
    for (size_t i = 0; status == OK && i < source->sub_action_count; i++) {
        const struct sub_action *now = &source->sub_actions[i];
        const struct sub_action *last =
            base ? find_sub_action(base->sub_actions, base->sub_action_count, now->id) : NULL;
        const struct sub_action *here =
            find_sub_action(held->sub_actions, held->sub_action_count, now->id);
        if (here) {
            struct sub_action *to = &after[here - held->sub_actions];
            field_mask all = field_mask_of(&sub_action_table, FIELD_WRITABLE);
            field_mask set = changed_members(&sub_action_table, last ? all : 0, last, all, now);
            field_copy_all(&sub_action_table, set, to, now, &import->row);
            if (field_diff(&sub_action_table, all, here, to)) {
                changes_add_fields(&merge->changes, &sub_action_table, "sub_action.", here->title,
                                   here, to, &import->row);
                status = sub_action_store_update(import->writer.db, to, err);
            }
        } else if (!last) {
            int64_t position = count ? after[count - 1].position + 1 : 1;
            after[count] = *now;
            after[count++].position = position;
            changes_add(&merge->changes, "sub_action", now->title, NULL,
                        changes_text(now->title, &import->row));
            status = import_insert_sub_action(import, now, held->mitigation.id, position, err);
        }
    }
    *ret_count = count;
    *ret_progress = import_progress(after, count);
    return status;
}

static enum status merge_mitigation(struct merge *merge, const struct import_mitigation *source,
                                    const struct mitigation_page *held, struct err *err)
{
    struct import *import = merge->import;
    const struct field_table *table = &import->tables.mitigation;
    const struct import_mitigation *base = find_source(merge, source);
    const struct mitigation *before = &held->mitigation;
    struct mitigation after = *before;
    size_t told = merge->changes.count, sub_actions;
    int64_t progress;
    field_mask mine = field_mask_of(table, FIELD_WRITABLE) | field_bit(table, "progress_by_hand");
    field_mask set = changed_members(table, base ? base->mask : 0, base ? &base->mitigation : NULL,
                                     source->mask & mine, &source->mitigation);
    field_copy_all(table, set, &after, &source->mitigation, &import->row);
    enum status status = merge_sub_actions(merge, source, base, held, &sub_actions, &progress, err);
    if (status != OK)
        return status;
    if (!after.progress_by_hand && sub_actions)
        after.progress = progress;
    changes_add_fields(&merge->changes, &mitigation_table, "mitigation.", before->title, before,
                       &after, &import->row);
    if (merge->changes.count == told && before->progress_by_hand == after.progress_by_hand)
        return OK;
    after.version = before->version + 1;
    after.updated_at = import->service->now_ms;
    figure_changes_mitigation(import->writer.figures, before, &after);
    return mitigation_store_update(import->writer.db, &after, &import->row, err);
}

static enum status merge_mitigations(struct merge *merge, struct err *err)
{
    struct import *import = merge->import;
    size_t count = merge->page.mitigation_count;
    enum status status = OK;
    for (size_t i = 0; status == OK && i < merge->item->mitigation_count; i++) {
        const struct import_mitigation *source = &merge->item->mitigations[i];
        const struct mitigation_page *held = find_held(merge, source);
        if (held) {
            status = merge_mitigation(merge, source, held, err);
        } else if (!find_source(merge, source) && count < MITIGATIONS_PER_RISK_MAX) {
            count++;
            changes_add(&merge->changes, "mitigation", source->mitigation.title, NULL,
                        changes_text(source->mitigation.title, &import->row));
            status = import_insert_mitigation(import, &merge->page.risk, source, err);
        }
    }
    return status;
}

static bool links(const struct asset *assets, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (text_equal(assets[i].id, id))
            return true;
    return false;
}

/** The keys of `texts` that are not in `others`. */
static struct texts without(struct texts texts, struct texts others, struct arena *arena)
{
    struct texts rest = {.items = arena_zalloc(arena, texts.count + 1, sizeof *rest.items)};
    for (size_t i = 0; i < texts.count; i++)
        if (!texts_contain(others, texts.items[i]))
            rest.items[rest.count++] = texts.items[i];
    return rest;
}

/** Is one of these keys that of a held asset? */
static enum status names_asset(struct import *import, struct texts keys, const struct asset *held,
                               bool *ret_names, struct err *err)
{
    *ret_names = false;
    for (size_t i = 0; !*ret_names && i < keys.count; i++) {
        const struct asset *asset;
        enum status status = import->reader->find_asset(import, keys.items[i], false, &asset, err);
        if (status != OK && status != NOT_FOUND)
            return status;
        *ret_names = status == OK && text_equal(asset->id, held->id);
    }
    return OK;
}

/** The assets that the risk is to have; NULL: those it has. */
static enum status merge_assets(struct merge *merge, struct asset **ret_assets, size_t *ret_count,
                                struct err *err)
{
    struct import *import = merge->import;
    const struct risk_page *page = &merge->page;
    struct texts keys = without(merge->item->assets, merge->base.assets, &import->row);
    struct texts gone = without(merge->base.assets, merge->item->assets, &import->row);
    *ret_assets = NULL;
    *ret_count = 0;
    if (keys.count + gone.count == 0)
        return OK;
    struct asset *added;
    enum status status = import_find_assets(import, merge->item->row, keys, &added, err);
    struct asset *after =
        arena_zalloc(&import->row, page->asset_count + keys.count + 1, sizeof *after);
    size_t count = 0;
    for (size_t i = 0; status == OK && i < page->asset_count; i++) {
        bool is_gone;
        status = names_asset(import, gone, &page->assets[i], &is_gone, err);
        if (status == OK && !is_gone)
            after[count++] = page->assets[i];
    }
    for (size_t i = 0; status == OK && i < keys.count; i++)
        if (!links(after, count, added[i].id))
            after[count++] = added[i];
    *ret_assets = after;
    *ret_count = count;
    return status;
}

/** Another risk that has the external id which the source now gives to this one. */
static enum status check_external_id(struct merge *merge, const struct risk *after, struct err *err)
{
    struct import *import = merge->import;
    const struct risk *before = &merge->page.risk;
    struct risk other;
    if (!after->external_id || (text_equal(before->source, after->source) &&
                                text_equal(before->external_id, after->external_id)))
        return OK;
    enum status status = risk_store_find_external(import->writer.db, after->source,
                                                  after->external_id, &import->row, &other, err);
    if (status == NOT_FOUND || (status == OK && other.ref == after->ref))
        return OK;
    if (status != OK)
        return status;
    import_note(import, merge->item->row, "external_id",
                "another risk of this source has it already, maybe a deleted one");
    return INVALID;
}

/** Merge all members; the refusals come before the first write. */
static enum status merge_members(struct merge *merge, const char *action, struct err *err)
{
    struct import *import = merge->import;
    struct import_item *item = merge->item;
    struct risk after = merge->page.risk;
    struct risk_update update = {
        .page = &merge->page, .risk = &after, .action = action, .changes = &merge->changes};
    struct asset *assets;
    field_mask set = changed_members(&risk_table, source_members(&merge->base), &merge->base.risk,
                                     source_members(item), &item->risk);
    field_copy_all(&risk_table, set, &after, &item->risk, &import->row);
    enum status status = check_external_id(merge, &after, err);
    if (status == OK)
        status = merge_assets(merge, &assets, &update.asset_count, err);
    if (status == OK)
        status = merge_mitigations(merge, err);
    if (status != OK)
        return status;
    update.assets = assets;
    status = writer_update_risk(&import->writer, &update, err);
    if (status == OK && after.version != merge->page.risk.version)
        import->result->updated++;
    else if (status == OK)
        import->result->unchanged++;
    return status;
}

/** A deleted risk: skip it, or bring it back. */
static enum status restore(struct merge *merge, bool *ret_skip, struct err *err)
{
    struct import *import = merge->import;
    struct risk_page *page = &merge->page;
    const struct caller *caller = import->service->caller;
    struct err denied;
    *ret_skip = true;
    if (merge->item->risk.deleted_at) { /* it is deleted there, too */
        import->result->unchanged++;
        return OK;
    }
    bool may = !caller->user_id || account_may_delete(caller, page->risk.created_by, &denied) == OK;
    if (!import->options->restore || !may) {
        import_note(import, merge->item->row, NULL,
                    may ? "was deleted here as R-%" PRId64 "; import with restore to bring it back"
                        : "was deleted here as R-%" PRId64
                          "; only who created it, or an admin, may bring it back",
                    page->risk.ref);
        import->result->skipped++;
        return OK;
    }
    *ret_skip = false;
    enum status status = writer_delete_risk(&import->writer, page, false, err);
    if (status == OK)
        status = risk_store_page(import->writer.db, page->risk.id, &import->row, page, err);
    return status;
}

/** Merge into the risk of which `page.risk` is set. */
static enum status merge_known(struct merge *merge, struct err *err)
{
    struct import *import = merge->import;
    const char *last_members = merge->last_members;
    bool same = last_members && strcmp(last_members, merge->members) == 0;
    if (same && !merge->page.risk.deleted_at) {
        import->result->unchanged++;
        return OK;
    }
    enum status status = risk_store_fill(import->writer.db, &merge->page, 1, &import->row, err);
    bool was_deleted = merge->page.risk.deleted_at != 0, skip = false;
    if (status == OK && was_deleted)
        status = restore(merge, &skip, err);
    if (status != OK || skip)
        return status;
    if (last_members)
        status = import_read_item(&import->tables, last_members, &import->row, &merge->base, err);
    if (status != OK)
        return err_set(err, INTERNAL, NULL, "the baseline of R-%" PRId64 " is damaged",
                       merge->page.risk.ref);
    int64_t unchanged = import->result->unchanged;
    changes_init(&merge->changes);
    status = merge_members(merge, "updated", err);
    changes_release(&merge->changes);
    if (was_deleted && status == INVALID) /* it is restored by now: too late to leave it out */
        return err_set(err, CONFLICT, NULL, "R-%" PRId64 " cannot be restored with these members",
                       merge->page.risk.ref);
    if (was_deleted && import->result->unchanged > unchanged) {
        import->result->unchanged--; /* it was restored */
        import->result->updated++;
    }
    return status == OK ? keep_baseline(merge, merge->page.risk.ref, err) : status;
}

/** The risk that the item speaks of: by what was imported before, its id, its name at the source.
 */
static enum status find_risk(struct merge *merge, struct err *err)
{
    struct import *import = merge->import;
    const struct import_item *item = merge->item;
    struct db *db = import->writer.db;
    struct risk *risk = &merge->page.risk;
    int64_t ref;
    enum status status = NOT_FOUND;
    if (item->key)
        status = baseline_store_get(db, import->reader->source, item->key, &import->row, &ref,
                                    &merge->last_members, err);
    if (status == OK)
        return risk_store_get_ref(db, ref, &import->row, risk, err);
    if (status == NOT_FOUND && item->risk.id)
        status = risk_store_get(db, item->risk.id, &import->row, risk, err);
    if (status == NOT_FOUND && item->risk.external_id)
        status = risk_store_find_external(db, item->risk.source, item->risk.external_id,
                                          &import->row, risk, err);
    return status;
}

enum status import_merge(struct import *import, struct import_item *item, struct err *err)
{
    struct merge merge = {.import = import, .item = item, .members = members_of(import, item)};
    enum status status = find_risk(&merge, err);
    if (status == OK)
        return merge_known(&merge, err);
    if (status != NOT_FOUND)
        return status;
    status = import_create_risk(import, item, err);
    return status == OK ? keep_baseline(&merge, item->risk.ref, err) : status;
}
