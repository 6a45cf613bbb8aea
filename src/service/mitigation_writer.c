#include "service/mitigation_writer.h"

#include "base/id.h"
#include "store/mitigation_store.h"

/** The risk's version rises and its timeline tells `changes`; the risk itself stays as it is. */
static enum status touch_risk(struct writer *writer, const struct risk_page *page,
                              const char *action, struct change_list *changes, struct err *err)
{
    struct risk risk = page->risk;
    struct risk_update update = {.page = page, .risk = &risk, .action = action, .changes = changes};
    return writer_update_risk(writer, &update, err);
}

enum status writer_create_mitigation(struct writer *writer, const struct risk_page *page,
                                     struct mitigation *mitigation, field_mask mask,
                                     struct err *err)
{
    const struct service *service = writer->service;
    if (page->mitigation_count >= MITIGATIONS_PER_RISK_MAX)
        return err_set(err, CONFLICT, NULL, "a risk has at most %d mitigations",
                       MITIGATIONS_PER_RISK_MAX);
    char id[ID_SIZE];
    if (!mitigation->id)
        mitigation->id = arena_strdup(writer->arena, id_new(service->now_ms, id));
    if (!mitigation->created_at) {
        mitigation->created_at = service->now_ms;
        mitigation->created_by = service->caller->user_id;
    }
    if (!mitigation->updated_at)
        mitigation->updated_at = mitigation->created_at;
    if (!mitigation->version)
        mitigation->version = 1;
    if (mask & field_bit(&mitigation_table, "progress"))
        mitigation->progress_by_hand = true;
    mitigation->risk_id = page->risk.id;
    mitigation->risk_ref = page->risk.ref;
    bool hidden = page->risk.deleted_at != 0;
    enum status status =
        mitigation_store_insert(writer->db, mitigation, hidden, writer->arena, err);
    if (status != OK)
        return status;
    if (!hidden)
        figure_changes_mitigation(writer->figures, NULL, mitigation);
    AUTO_CHANGES struct change_list changes;
    changes_init(&changes);
    changes_add(&changes, "mitigation", mitigation->title, NULL,
                changes_text(mitigation->title, writer->arena));
    status = touch_risk(writer, page, "mitigation_created", &changes, err);
    writer->target = mitigation->id;
    return status;
}

enum status writer_update_mitigation(struct writer *writer, const struct risk_page *page,
                                     const struct mitigation *before, struct mitigation *after,
                                     field_mask mask, struct err *err)
{
    AUTO_CHANGES struct change_list changes;
    changes_init(&changes);
    if (mask & field_bit(&mitigation_table, "progress"))
        after->progress_by_hand = true;
    changes_add_fields(&changes, &mitigation_table, "mitigation.", before->title, before, after,
                       writer->arena);
    writer->target = after->id;
    if (changes.count == 0 && before->progress_by_hand == after->progress_by_hand)
        return OK;
    after->version = before->version + 1;
    after->updated_at = writer->service->now_ms;
    enum status status = mitigation_store_update(writer->db, after, writer->arena, err);
    if (status != OK)
        return status;
    if (!page->risk.deleted_at)
        figure_changes_mitigation(writer->figures, before, after);
    status = touch_risk(writer, page, "mitigation_updated", &changes, err);
    writer->target = after->id;
    return status;
}

enum status writer_delete_mitigation(struct writer *writer, const struct risk_page *page,
                                     const struct mitigation *mitigation, struct err *err)
{
    enum status status = mitigation_store_delete(writer->db, mitigation->id, err);
    if (status != OK)
        return status;
    if (!page->risk.deleted_at)
        figure_changes_mitigation(writer->figures, mitigation, NULL);
    AUTO_CHANGES struct change_list changes;
    changes_init(&changes);
    changes_add(&changes, "mitigation", mitigation->title,
                changes_text(mitigation->title, writer->arena), NULL);
    status = touch_risk(writer, page, "mitigation_deleted", &changes, err);
    writer->target = mitigation->id;
    return status;
}

/** Progress as the sub-actions say once `before` has become `after`. */
static int64_t progress_after(const struct mitigation_page *page, const struct sub_action *before,
                              const struct sub_action *after)
{
    int64_t all = (int64_t)page->sub_action_count, done = 0;
    for (size_t i = 0; i < page->sub_action_count; i++)
        done += page->sub_actions[i].completed;
    if (before) {
        all--;
        done -= before->completed;
    }
    if (after) {
        all++;
        done += after->completed;
    }
    return mitigation_progress(done, all);
}

static enum status write_sub_action(struct writer *writer, const struct sub_action *before,
                                    const struct sub_action *after, struct err *err)
{
    if (!after)
        return sub_action_store_delete(writer->db, before->id, err);
    if (!before)
        return sub_action_store_insert(writer->db, after, err);
    return sub_action_store_update(writer->db, after, err);
}

static void describe(struct change_list *changes, const struct sub_action *before,
                     const struct sub_action *after, struct arena *arena)
{
    if (before && after)
        changes_add_fields(changes, &sub_action_table, "sub_action.", before->title, before, after,
                           arena);
    else
        changes_add(changes, "sub_action", (before ? before : after)->title,
                    before ? changes_text(before->title, arena) : NULL,
                    after ? changes_text(after->title, arena) : NULL);
}

enum status writer_sub_action(struct writer *writer, const struct risk_page *page,
                              const struct mitigation_page *mitigation,
                              const struct sub_action *before, struct sub_action *after,
                              struct err *err)
{
    const struct mitigation *owner = &mitigation->mitigation;
    char id[ID_SIZE];
    if (!before) {
        if (mitigation->sub_action_count >= SUB_ACTIONS_PER_MITIGATION_MAX)
            return err_set(err, CONFLICT, NULL, "a mitigation has at most %d sub-actions",
                           SUB_ACTIONS_PER_MITIGATION_MAX);
        size_t count = mitigation->sub_action_count;
        after->id = arena_strdup(writer->arena, id_new(writer->service->now_ms, id));
        after->mitigation_id = owner->id;
        after->position = count ? mitigation->sub_actions[count - 1].position + 1 : 1;
    }
    AUTO_CHANGES struct change_list changes;
    changes_init(&changes);
    describe(&changes, before, after, writer->arena);
    writer->target = owner->id;
    if (changes.count == 0)
        return OK;
    enum status status = write_sub_action(writer, before, after, err);
    if (status != OK)
        return status;
    struct mitigation now = *owner;
    if (!now.progress_by_hand)
        now.progress = progress_after(mitigation, before, after);
    now.version++;
    now.updated_at = writer->service->now_ms;
    changes_add_fields(&changes, &mitigation_table, "mitigation.", owner->title, owner, &now,
                       writer->arena);
    status = mitigation_store_update(writer->db, &now, writer->arena, err);
    if (status != OK)
        return status;
    if (!page->risk.deleted_at)
        figure_changes_mitigation(writer->figures, owner, &now);
    const char *action = !before  ? "sub_action_created"
                         : !after ? "sub_action_deleted"
                                  : "sub_action_updated";
    status = touch_risk(writer, page, action, &changes, err);
    writer->target = now.id;
    return status;
}
