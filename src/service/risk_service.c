#include "service/risk_service.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "service/writer.h"
#include "store/asset_store.h"

enum status risk_service_get(struct service *service, const char *id_or_ref,
                             struct risk_page *ret_page, struct err *err)
{
    enum status status = service_begin_read(service, err);
    if (status != OK)
        return status;
    db_last_round(service->db);
    status = risk_store_page(service->db, id_or_ref, service->arena, ret_page, err);
    if (status == OK && ret_page->risk.deleted_at)
        status = err_set(err, NOT_FOUND, NULL, "this risk is deleted; it can be restored");
    service_end_read(service);
    return status;
}

enum status risk_service_list(struct service *service, const struct list_request *request,
                              struct risk_list_page *ret_page, struct err *err)
{
    enum status status = service_begin_read(service, err);
    if (status != OK)
        return status;
    status = risk_store_list(service->db, request, service->today, service->arena, ret_page, err);
    service_end_read(service);
    return status;
}

enum status risk_service_top(struct service *service, size_t most, struct risk **ret_risks,
                             size_t *ret_count, struct err *err)
{
    enum status status = service_begin_read(service, err);
    if (status != OK)
        return status;
    db_last_round(service->db);
    status = risk_store_top(service->db, most, service->arena, ret_risks, ret_count, err);
    service_end_read(service);
    return status;
}

enum status risk_service_values(struct service *service, enum value_member member, const char *part,
                                size_t most, struct value_list *ret_list, struct err *err)
{
    enum status status = service_begin_read(service, err);
    if (status != OK)
        return status;
    db_last_round(service->db);
    status = value_store_find(service->db, member, part, most, service->arena, ret_list, err);
    service_end_read(service);
    return status;
}

/** The assets with these ids, in their order. INVALID naming the first that does not exist. */
static enum status find_assets(struct writer *writer, const struct texts *ids,
                               struct asset **ret_assets, struct err *err)
{
    struct asset *assets = arena_zalloc(writer->arena, ids->count + 1, sizeof *assets);
    for (size_t i = 0; i < ids->count; i++) {
        enum status status =
            asset_store_get(writer->db, ids->items[i], writer->arena, &assets[i], err);
        if (status == NOT_FOUND) {
            AUTO_ARENA struct arena arena;
            arena_init(&arena);
            return err_set(err, INVALID, arena_format(&arena, "asset_ids[%zu]", i),
                           "there is no such asset");
        }
        if (status != OK)
            return status;
    }
    *ret_assets = assets;
    return OK;
}

static enum status create(struct writer *writer, struct risk_change *change,
                          struct risk_page *ret_page, struct err *err)
{
    struct asset *assets = NULL;
    size_t count = 0;
    enum status status = OK;
    if (change->asset_ids) {
        count = change->asset_ids->count;
        status = find_assets(writer, change->asset_ids, &assets, err);
    }
    if (status == OK)
        status = writer_create_risk(writer, &change->risk, assets, count, err);
    if (status == OK)
        status = risk_store_page(writer->db, change->risk.id, writer->arena, ret_page, err);
    return status;
}

enum status risk_service_create(struct service *service, struct risk_change *change,
                                struct risk_page *ret_page, struct err *err)
{
    struct writer writer;
    enum status status = writer_begin(&writer, service, err);
    if (status != OK)
        return status;
    status = create(&writer, change, ret_page, err);
    return writer_end(&writer, status, err);
}

/** `ret_version`: the one it has then, the same if nothing differed. */
static enum status change_risk(struct writer *writer, const struct risk_page *page,
                               const struct risk_change *change, int64_t *ret_version,
                               struct err *err)
{
    struct risk after = page->risk;
    field_copy_all(&risk_table, change->mask, &after, &change->risk, writer->arena);
    struct asset *assets = NULL;
    struct risk_update update = {.page = page, .risk = &after, .action = "updated"};
    if (change->asset_ids) {
        enum status status = find_assets(writer, change->asset_ids, &assets, err);
        if (status != OK)
            return status;
        update.assets = assets;
        update.asset_count = change->asset_ids->count;
    }
    enum status status = writer_update_risk(writer, &update, err);
    *ret_version = after.version;
    return status;
}

enum status risk_service_update(struct service *service, const char *id_or_ref, int64_t if_match,
                                const struct risk_change *change, struct risk_page *ret_page,
                                struct err *err)
{
    struct writer writer;
    enum status status = writer_begin(&writer, service, err);
    if (status != OK)
        return status;
    struct risk_page page;
    int64_t version;
    status = writer_load(&writer, id_or_ref, if_match, &page, err);
    if (status == OK)
        status = change_risk(&writer, &page, change, &version, err);
    if (status == OK)
        status = risk_store_page(writer.db, page.risk.id, writer.arena, ret_page, err);
    return writer_end(&writer, status, err);
}

/** `ret_page`: the risk as it was, with its version. */
static enum status delete_risk(struct writer *writer, const char *id_or_ref, int64_t if_match,
                               struct risk_page *ret_page, struct err *err)
{
    enum status status = writer_load(writer, id_or_ref, if_match, ret_page, err);
    if (status == OK)
        status = account_may_delete(writer->service->caller, ret_page->risk.created_by, err);
    if (status == OK)
        status = writer_delete_risk(writer, ret_page, true, err);
    return status;
}

enum status risk_service_delete(struct service *service, const char *id_or_ref, int64_t if_match,
                                struct err *err)
{
    struct writer writer;
    enum status status = writer_begin(&writer, service, err);
    if (status != OK)
        return status;
    struct risk_page page;
    status = delete_risk(&writer, id_or_ref, if_match, &page, err);
    return writer_end(&writer, status, err);
}

static enum status restore_risk(struct writer *writer, const char *id_or_ref,
                                struct risk_page *ret_page, struct err *err)
{
    enum status status = risk_store_page(writer->db, id_or_ref, writer->arena, ret_page, err);
    if (status == OK && !ret_page->risk.deleted_at)
        status = err_set(err, CONFLICT, NULL, "this risk is not deleted");
    if (status == OK)
        status = account_may_delete(writer->service->caller, ret_page->risk.created_by, err);
    if (status == OK)
        status = writer_delete_risk(writer, ret_page, false, err);
    return status;
}

enum status risk_service_restore(struct service *service, const char *id_or_ref,
                                 struct risk_page *ret_page, struct err *err)
{
    struct writer writer;
    enum status status = writer_begin(&writer, service, err);
    if (status != OK)
        return status;
    struct risk_page page;
    status = restore_risk(&writer, id_or_ref, &page, err);
    if (status == OK)
        status = risk_store_page(writer.db, page.risk.id, writer.arena, ret_page, err);
    return writer_end(&writer, status, err);
}

static bool is_named_before(const struct bulk_item *items, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(items[i].id, id) == 0)
            return true;
    return false;
}

/** The items before `index` are done, and have ids. */
static enum status bulk_one(struct writer *writer, enum bulk_action action, struct bulk_item *items,
                            size_t index, struct err *err)
{
    struct bulk_item *item = &items[index];
    struct risk_page page;
    int64_t version = 0;
    enum status status = OK;
    switch (action) {
    case BULK_SET:
        status = writer_load(writer, item->id, item->version, &page, err);
        if (status == OK && is_named_before(items, index, page.risk.id))
            status = err_set(err, INVALID, NULL, "this risk is named twice");
        if (status == OK)
            status = change_risk(writer, &page, item->change, &version, err);
        break;
    case BULK_DELETE:
        status = delete_risk(writer, item->id, item->version, &page, err);
        break;
    case BULK_RESTORE:
        status = restore_risk(writer, item->id, &page, err);
        break;
    }
    if (status != OK)
        return status;
    if (action != BULK_SET)
        version = page.risk.version + 1;
    *item = (struct bulk_item){
        .id = page.risk.id, .version = version, .was_changed = version != page.risk.version};
    return OK;
}

/** What is wrong with one item; versions that are not the risks' gather. */
static enum status blame(struct err *err, enum status status, const char *name,
                         const struct err *why, bool is_first)
{
    if (is_first || status != STALE)
        err_init(err);
    err_add(err, name, "%s", why->items[0].message);
    err->retry_after_s = why->retry_after_s;
    return status;
}

static enum status bulk_all(struct writer *writer, enum bulk_action action, struct bulk_item *items,
                            size_t count, const char *name, struct err *err)
{
    enum status status = OK;
    for (size_t i = 0; i < count; i++) {
        struct err why;
        err_init(&why);
        enum status one = bulk_one(writer, action, items, i, &why);
        if (one == OK)
            continue;
        status =
            blame(err, one, arena_format(writer->arena, "%s[%zu]", name, i), &why, status == OK);
        if (status != STALE)
            return status;
    }
    return status;
}

enum status risk_service_bulk(struct service *service, enum bulk_action action,
                              struct bulk_item *items, size_t count, const char *name,
                              struct err *err)
{
    static const char *const done[] = {
        [BULK_SET] = "set", [BULK_DELETE] = "deleted", [BULK_RESTORE] = "restored"};
    struct writer writer;
    enum status status = writer_begin(&writer, service, err);
    if (status != OK)
        return status;
    status = bulk_all(&writer, action, items, count, name, err);
    writer.target = "";
    writer.detail = arena_format(service->arena, "%s %zu risks", done[action], count);
    return writer_end(&writer, status, err);
}

enum status risk_service_history(struct service *service, const char *id_or_ref,
                                 struct list_request *request, struct history_list_page *ret_page,
                                 struct err *err)
{
    enum status status = service_begin_read(service, err);
    if (status != OK)
        return status;
    if (id_or_ref) {
        struct risk risk;
        status = risk_store_get(service->db, id_or_ref, service->arena, &risk, err);
        if (status == OK)
            list_request_filter(request, "risk_ref",
                                arena_format(service->arena, "%" PRId64, risk.ref));
    }
    if (status == OK)
        status = history_store_list(service->db, request, service->arena, ret_page, err);
    service_end_read(service);
    return status;
}
