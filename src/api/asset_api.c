#include "api/handlers.h"
#include "api/risk_json.h"
#include "service/asset_service.h"

enum status assets_list(struct question *question, struct err *err)
{
    struct asset_list_page page;
    enum status status = asset_service_list(question->service, &question->list, &page, err);
    if (status != OK)
        return status;
    struct json_writer *out = question->out;
    json_open_object(out, NULL);
    json_open_array(out, "items");
    for (size_t i = 0; i < page.result.count; i++)
        put_record(out, NULL, &asset_table, &page.items[i]);
    json_close_array(out);
    put_list_end(out, &question->list, &page.result);
    json_close_object(out);
    return OK;
}

static enum status answer_asset(struct question *question, const struct asset_page *page)
{
    struct json_writer *out = question->out;
    json_open_object(out, NULL);
    json_put_fields(out, &asset_table, UINT64_MAX, &page->asset);
    json_open_array(out, "risks");
    for (size_t i = 0; i < page->risk_count; i++)
        put_risk_brief(out, NULL, &page->risks[i]);
    json_close_array(out);
    json_close_object(out);
    question->version = page->asset.version;
    return OK;
}

enum status assets_get(struct question *question, struct err *err)
{
    struct asset_page page;
    enum status status = asset_service_get(question->service, question->args[0], &page, err);
    return status == OK ? answer_asset(question, &page) : status;
}

static enum status read_change(struct call *call, bool whole, struct asset_change *change,
                               struct err *err)
{
    struct json_read how = {.table = &asset_table, .whole = whole};
    return json_read_record(call->body, &how, call->question.service->arena, &change->asset,
                            &change->mask, err);
}

enum status assets_create(struct call *call, struct err *err)
{
    struct asset_change change = {.asset = asset_defaults()};
    struct asset_page page;
    enum status status = read_change(call, true, &change, err);
    if (status == OK)
        status = asset_service_create(call->question.service, &change, &page, err);
    if (status != OK)
        return status;
    http_add_header(
        call->request, "Location",
        arena_format(call->question.service->arena, "/api/v1/assets/%s", page.asset.id));
    return answer_asset(&call->question, &page);
}

enum status assets_update(struct call *call, struct err *err)
{
    struct asset_change change = {0};
    struct asset_page page;
    enum status status = read_change(call, false, &change, err);
    if (status == OK)
        status = asset_service_update(call->question.service, call->question.args[0],
                                      call->if_match, &change, &page, err);
    return status == OK ? answer_asset(&call->question, &page) : status;
}

enum status assets_delete(struct call *call, struct err *err)
{
    return asset_service_delete(call->question.service, call->question.args[0], call->if_match,
                                err);
}
