/*
 * Writing what the register does not hold yet.
 *
 * Ids and refs that a file brings along are kept where they are free. A document with history,
 * brought by somebody who may, comes in as it was; without, the risk begins its history here.
 */
#include "base/id.h"
#include "service/import_item.h"
#include "store/asset_store.h"
#include "store/mitigation_store.h"

enum status import_find_assets(struct import *import, int64_t row, struct texts keys,
                               struct asset **ret_assets, struct err *err)
{
    struct asset *assets = arena_zalloc(&import->row, keys.count + 1, sizeof *assets);
    for (size_t i = 0; i < keys.count; i++) {
        const struct asset *asset;
        enum status status = import->reader->find_asset(import, keys.items[i], true, &asset, err);
        if (status == NOT_FOUND) {
            import_note(import, row, "asset_ids", "there is no asset %s", keys.items[i]);
            return INVALID;
        }
        if (status != OK)
            return status;
        assets[i] = *asset;
    }
    *ret_assets = assets;
    return OK;
}

static const char *new_id(struct import *import)
{
    char id[ID_SIZE];
    return arena_strdup(&import->row, id_new(import->service->now_ms, id));
}

/** A sub-action's own id if it is free, else a new one. */
enum status import_insert_sub_action(struct import *import, const struct sub_action *source,
                                     const char *mitigation_id, int64_t position, struct err *err)
{
    struct sub_action sub_action = *source, taken;
    if (sub_action.id) {
        enum status status =
            sub_action_store_get(import->writer.db, sub_action.id, &import->row, &taken, err);
        if (status != OK && status != NOT_FOUND)
            return status;
        if (status == OK)
            sub_action.id = NULL;
    }
    if (!sub_action.id)
        sub_action.id = new_id(import);
    sub_action.mitigation_id = mitigation_id;
    sub_action.position = position;
    return sub_action_store_insert(import->writer.db, &sub_action, err);
}

/** Its own id if it is free, else a new one: a document may come from another register. */
static enum status choose_mitigation_id(struct import *import, struct mitigation *mitigation,
                                        struct err *err)
{
    struct mitigation taken;
    enum status status = NOT_FOUND;
    if (mitigation->id)
        status = mitigation_store_get(import->writer.db, mitigation->id, &import->row, &taken, err);
    if (status != OK && status != NOT_FOUND)
        return status;
    if (status == OK || !mitigation->id)
        mitigation->id = new_id(import);
    return OK;
}

int64_t import_progress(const struct sub_action *sub_actions, size_t count)
{
    int64_t done = 0;
    for (size_t i = 0; i < count; i++)
        done += sub_actions[i].completed;
    return mitigation_progress(done, (int64_t)count);
}

enum status import_insert_mitigation(struct import *import, const struct risk *risk,
                                     const struct import_mitigation *source, struct err *err)
{
    struct mitigation mitigation = source->mitigation;
    enum status status = choose_mitigation_id(import, &mitigation, err);
    if (status != OK)
        return status;
    mitigation.risk_id = risk->id;
    mitigation.risk_ref = risk->ref;
    if (!mitigation.created_at || !import->keeps_history)
        mitigation.created_by = import->service->caller->user_id;
    if (!mitigation.created_at)
        mitigation.created_at = import->service->now_ms;
    if (!mitigation.updated_at)
        mitigation.updated_at = mitigation.created_at;
    if (!mitigation.progress_by_hand && source->sub_action_count)
        mitigation.progress = import_progress(source->sub_actions, source->sub_action_count);
    bool hidden = risk->deleted_at != 0;
    status = mitigation_store_insert(import->writer.db, &mitigation, hidden, &import->row, err);
    if (status == OK && !hidden)
        figure_changes_mitigation(import->writer.figures, NULL, &mitigation);
    for (size_t i = 0; status == OK && i < source->sub_action_count; i++)
        status = import_insert_sub_action(import, &source->sub_actions[i], mitigation.id,
                                          (int64_t)i + 1, err);
    return status;
}

/** Its own ref if it is free, else the next one. */
static enum status choose_ref(struct import *import, struct risk *risk, struct err *err)
{
    struct risk taken;
    enum status status = NOT_FOUND;
    if (risk->ref)
        status = risk_store_get_ref(import->writer.db, risk->ref, &import->row, &taken, err);
    if (status != OK && status != NOT_FOUND)
        return status;
    if (status == OK || !risk->ref)
        risk->ref = import->next_ref++;
    return OK;
}

static enum status link_assets(struct import *import, const struct risk *risk,
                               const struct asset *assets, size_t count, struct err *err)
{
    enum status status = OK;
    for (size_t i = 0; status == OK && i < count; i++) {
        status = risk_store_link(import->writer.db, risk->ref, assets[i].id, err);
        if (status == OK && !risk->deleted_at)
            status = asset_store_count(import->writer.db, assets[i].id, 1, err);
    }
    return status;
}

/**
 * The newest entry must tell what the risk is. It may not: the score is another one if the asset
 * of that name weighs more here. Then the import is an entry too.
 */
static enum status end_history(struct import *import, struct risk *risk,
                               const struct history_entry *last, struct err *err)
{
    const struct caller *caller = import->service->caller;
    bool deleted = risk->deleted_at != 0;
    if (last->score == risk->score && last->status == risk->status &&
        last->version == risk->version && last->deleted == deleted)
        return OK;
    const struct history_entry entry = {
        .at = import->service->now_ms,
        .actor_id = caller->user_id,
        .actor = caller->email ? caller->email : import->service->action,
        .action = "imported",
        .version = risk->version,
        .score = risk->score,
        .status = risk->status,
        .deleted = deleted,
        .changes = "[]",
    };
    return history_store_insert(import->writer.db, risk->ref, &entry, err);
}

/** A risk with the history it brings along. The figures are computed anew at the end. */
static enum status bring_risk(struct import *import, struct import_item *item,
                              const struct asset *assets, struct err *err)
{
    struct risk *risk = &item->risk;
    const struct history_entry *last = &item->history[item->history_count - 1];
    int64_t factors = 0, count = (int64_t)item->assets.count;
    for (int64_t i = 0; i < count; i++)
        factors += criticality_factor((enum criticality)assets[i].criticality);
    risk->score = score_of(risk->impact, risk->probability, count, factors);
    risk->level = score_level(risk->score);
    if (last->score != risk->score)
        risk->version = last->version + 1;
    enum status status =
        risk_store_insert(import->writer.db, risk, &import->texts, &import->row, err);
    if (status == OK)
        status = link_assets(import, risk, assets, item->assets.count, err);
    for (size_t i = 0; status == OK && i < item->history_count; i++)
        status = history_store_insert(import->writer.db, risk->ref, &item->history[i], err);
    if (status == OK)
        status = end_history(import, risk, last, err);
    import->brought_history = true;
    return status;
}

static void set_times(struct import *import, struct risk *risk)
{
    const struct service *service = import->service;
    if (!risk->created_at || !import->keeps_history)
        risk->created_by = service->caller->user_id;
    if (!risk->created_at)
        risk->created_at = service->now_ms;
    if (!risk->updated_at)
        risk->updated_at = risk->created_at;
}

/** What another import said of it, unless that is said of another risk here. */
static enum status bring_baseline(struct import *import, const struct baseline *baseline,
                                  int64_t ref, struct err *err)
{
    struct db *db = import->writer.db;
    int64_t other;
    char *members;
    enum status status = baseline_store_get(db, baseline->source, baseline->external_id,
                                            &import->row, &other, &members, err);
    if (status != NOT_FOUND)
        return status;
    return baseline_store_insert(db, baseline->source, baseline->external_id, ref,
                                 baseline->members, err);
}

enum status import_create_risk(struct import *import, struct import_item *item, struct err *err)
{
    struct risk *risk = &item->risk;
    struct asset *assets;
    enum status status = import_find_assets(import, item->row, item->assets, &assets, err);
    if (status == OK)
        status = choose_ref(import, risk, err);
    if (status != OK)
        return status;
    if (!risk->id)
        risk->id = new_id(import);
    set_times(import, risk);
    if (item->history_count && import->keeps_history)
        status = bring_risk(import, item, assets, err);
    else
        status = writer_create_risk(&import->writer, risk, assets, item->assets.count, err);
    for (size_t i = 0; status == OK && i < item->mitigation_count; i++)
        status = import_insert_mitigation(import, risk, &item->mitigations[i], err);
    for (size_t i = 0; status == OK && i < item->baseline_count; i++)
        status = bring_baseline(import, &item->baselines[i], risk->ref, err);
    import->result->imported += status == OK;
    return status;
}
