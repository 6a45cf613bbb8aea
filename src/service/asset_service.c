#include "service/asset_service.h"

#include <string.h>

#include "base/id.h"
#include "service/writer.h"

static enum status load_page(struct service *service, const char *id, struct asset_page *ret_page,
                             struct err *err)
{
    struct asset_page page = {0};
    enum status status = asset_store_get(service->db, id, service->arena, &page.asset, err);
    if (status == OK)
        status = risk_store_brief_of_asset(service->db, id, ASSET_RISKS_SHOWN, service->arena,
                                           &page.risks, &page.risk_count, err);
    if (status == OK)
        *ret_page = page;
    return status;
}

enum status asset_service_get(struct service *service, const char *id, struct asset_page *ret_page,
                              struct err *err)
{
    enum status status = service_begin_read(service, err);
    if (status != OK)
        return status;
    status = load_page(service, id, ret_page, err);
    service_end_read(service);
    return status;
}

enum status asset_service_list(struct service *service, const struct list_request *request,
                               struct asset_list_page *ret_page, struct err *err)
{
    enum status status = service_begin_read(service, err);
    if (status != OK)
        return status;
    status = asset_store_list(service->db, request, service->arena, ret_page, err);
    service_end_read(service);
    return status;
}

enum status asset_service_create(struct service *service, struct asset_change *change,
                                 struct asset_page *ret_page, struct err *err)
{
    struct writer writer;
    enum status status = writer_begin(&writer, service, err);
    if (status != OK)
        return status;
    char id[ID_SIZE];
    struct asset *asset = &change->asset;
    asset->id = arena_strdup(service->arena, id_new(service->now_ms, id));
    asset->created_at = asset->updated_at = service->now_ms;
    asset->created_by = service->caller->user_id;
    writer.target = asset->id;
    status = asset_store_insert(writer.db, asset, writer.arena, err);
    if (status == OK)
        status = load_page(service, asset->id, ret_page, err);
    return writer_end(&writer, status, err);
}

/**
 * Give each risk of an asset the assets it is to have: `after` in place of `before`, or without it
 * (NULL). One risk at a time is in memory.
 */
static enum status rescore(struct writer *writer, const struct asset *before,
                           const struct asset *after, struct err *err)
{
    int64_t *refs;
    size_t count;
    enum status status =
        risk_store_refs_of_asset(writer->db, before->id, writer->arena, &refs, &count, err);
    AUTO_ARENA struct arena arena;
    arena_init(&arena);
    struct writer inner = *writer;
    inner.arena = &arena;
    for (size_t i = 0; status == OK && i < count; i++) {
        struct risk_page page = {0};
        status = risk_store_get_ref(writer->db, refs[i], &arena, &page.risk, err);
        if (status == OK)
            status = risk_store_fill(writer->db, &page, 1, &arena, err);
        if (status != OK)
            return status;
        struct asset *assets = arena_zalloc(&arena, page.asset_count + 1, sizeof *assets);
        size_t kept = 0;
        for (size_t k = 0; k < page.asset_count; k++) {
            if (strcmp(page.assets[k].id, before->id) != 0)
                assets[kept++] = page.assets[k];
            else if (after)
                assets[kept++] = *after;
        }
        struct risk risk = page.risk;
        struct risk_update update = {.page = &page,
                                     .risk = &risk,
                                     .assets = assets,
                                     .asset_count = kept,
                                     .action = "rescored"};
        status = writer_update_risk(&inner, &update, err);
        arena_clear(&arena);
    }
    return status;
}

static enum status update(struct writer *writer, const struct asset *before,
                          const struct asset_change *change, struct err *err)
{
    struct asset after = *before;
    field_copy_all(&asset_table, change->mask, &after, &change->asset, writer->arena);
    if (field_diff(&asset_table, change->mask, before, &after) == 0)
        return OK;
    after.version++;
    after.updated_at = writer->service->now_ms;
    enum status status = asset_store_update(writer->db, &after, writer->arena, err);
    if (status == OK && after.criticality != before->criticality)
        status = rescore(writer, before, &after, err);
    return status;
}

enum status asset_service_update(struct service *service, const char *id, int64_t if_match,
                                 const struct asset_change *change, struct asset_page *ret_page,
                                 struct err *err)
{
    struct writer writer;
    enum status status = writer_begin(&writer, service, err);
    if (status != OK)
        return status;
    struct asset before;
    status = asset_store_get(writer.db, id, writer.arena, &before, err);
    if (status == OK)
        status = writer_match(if_match, before.version, err);
    if (status == OK)
        status = update(&writer, &before, change, err);
    if (status == OK)
        status = load_page(service, id, ret_page, err);
    writer.target = id;
    return writer_end(&writer, status, err);
}

enum status asset_service_delete(struct service *service, const char *id, int64_t if_match,
                                 struct err *err)
{
    struct writer writer;
    enum status status = writer_begin(&writer, service, err);
    if (status != OK)
        return status;
    struct asset asset;
    status = asset_store_get(writer.db, id, writer.arena, &asset, err);
    if (status == OK)
        status = writer_match(if_match, asset.version, err);
    if (status == OK)
        status = account_may_delete(service->caller, asset.created_by, err);
    if (status == OK)
        status = rescore(&writer, &asset, NULL, err);
    if (status == OK)
        status = asset_store_delete(writer.db, id, err);
    writer.target = id;
    if (status == OK)
        writer.detail = arena_format(service->arena, "%s", asset.name);
    return writer_end(&writer, status, err);
}
