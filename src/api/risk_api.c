#include <string.h>

#include "api/handlers.h"
#include "api/risk_json.h"
#include "service/risk_service.h"

enum { ID_TEXT_MAX = 64 };

enum status risks_list(struct question *question, struct err *err)
{
    struct risk_list_page page;
    enum status status = risk_service_list(question->service, &question->list, &page, err);
    if (status != OK)
        return status;
    struct json_writer *out = question->out;
    json_open_object(out, NULL);
    json_open_array(out, "items");
    for (size_t i = 0; i < page.result.count; i++)
        put_risk(out, NULL, &page.items[i]);
    json_close_array(out);
    put_list_end(out, &question->list, &page.result);
    json_close_object(out);
    return OK;
}

enum status risks_values(struct question *question, struct err *err)
{
    struct value_list list;
    enum status status =
        risk_service_values(question->service, (enum value_member)question->params[0],
                            question->texts[1], (size_t)question->params[2], &list, err);
    if (status != OK)
        return status;
    struct json_writer *out = question->out;
    json_open_object(out, NULL);
    json_put_texts(out, "items", list.items);
    json_put_bool(out, "is_complete", list.is_complete);
    json_close_object(out);
    return OK;
}

static enum status answer_risk(struct question *question, const struct risk_page *page)
{
    put_risk(question->out, NULL, page);
    question->version = page->risk.version;
    return OK;
}

enum status risks_get(struct question *question, struct err *err)
{
    struct risk_page page;
    enum status status = risk_service_get(question->service, question->args[0], &page, err);
    return status == OK ? answer_risk(question, &page) : status;
}

/** Read the body of a new or changed risk; `asset_ids` gets the list if there is one. */
static enum status read_change(struct call *call, bool whole, struct risk_change *change,
                               struct texts *asset_ids, struct err *err)
{
    static const char *const also[] = {"asset_ids", NULL};
    struct arena *arena = call->question.service->arena;
    struct json_read how = {.table = &risk_table, .also = also, .whole = whole};
    enum status status =
        json_read_record(call->body, &how, arena, &change->risk, &change->mask, err);
    const json *ids = json_member(call->body, "asset_ids");
    if (ids) {
        enum status more =
            json_read_texts(ids, "asset_ids", RISK_ASSETS_MAX, ID_TEXT_MAX, arena, asset_ids, err);
        change->asset_ids = asset_ids;
        if (status == OK)
            status = more;
    }
    return status;
}

enum status risks_create(struct call *call, struct err *err)
{
    struct risk_change change = {.risk = risk_defaults()};
    struct texts asset_ids = {0};
    struct risk_page page;
    enum status status = read_change(call, true, &change, &asset_ids, err);
    if (status == OK)
        status = risk_service_create(call->question.service, &change, &page, err);
    if (status != OK)
        return status;
    http_add_header(call->request, "Location",
                    arena_format(call->question.service->arena, "/api/v1/risks/%s", page.risk.id));
    return answer_risk(&call->question, &page);
}

enum status risks_update(struct call *call, struct err *err)
{
    struct risk_change change = {0};
    struct texts asset_ids = {0};
    struct risk_page page;
    enum status status = read_change(call, false, &change, &asset_ids, err);
    if (status == OK)
        status = risk_service_update(call->question.service, call->question.args[0], call->if_match,
                                     &change, &page, err);
    return status == OK ? answer_risk(&call->question, &page) : status;
}

enum status risks_delete(struct call *call, struct err *err)
{
    return risk_service_delete(call->question.service, call->question.args[0], call->if_match, err);
}

enum status risks_restore(struct call *call, struct err *err)
{
    struct risk_page page;
    enum status status =
        risk_service_restore(call->question.service, call->question.args[0], &page, err);
    return status == OK ? answer_risk(&call->question, &page) : status;
}

/** One item per changed member; a write that changed none, like "created", is one item. */
static void put_changes(struct json_writer *out, const struct history_entry *entry, bool with_risk)
{
    struct json_doc *parsed = NULL;
    struct err ignored;
    err_init(&ignored);
    if (json_parse(entry->changes, strlen(entry->changes), &parsed, &ignored) != OK)
        parsed = NULL; /* a row damaged from outside still shows who and when */
    AUTO_JSON struct json_doc *doc = parsed;
    const json *changes = doc ? json_root(doc) : NULL;
    size_t count = changes ? json_count(changes) : 0;
    for (size_t i = 0; i < (count ? count : 1); i++) {
        const json *change = count ? json_item(changes, i) : NULL;
        json_open_object(out, NULL);
        json_put_time(out, "at", entry->at);
        json_put_string(out, "actor", entry->actor);
        json_put_string(out, "actor_id", entry->actor_id);
        json_put_string(out, "action", entry->action);
        json_put_int(out, "version", entry->version);
        if (with_risk)
            put_risk_name(out, entry->risk_id, entry->risk_ref, entry->risk_title);
        json_put_value(out, "member", json_member(change, "member"));
        json_put_value(out, "subject", json_member(change, "subject"));
        json_put_value(out, "from", json_member(change, "from"));
        json_put_value(out, "to", json_member(change, "to"));
        json_close_object(out);
    }
}

static enum status answer_history(struct question *question, const char *risk, struct err *err)
{
    struct history_list_page page;
    enum status status = risk_service_history(question->service, risk, &question->list, &page, err);
    if (status != OK)
        return status;
    struct json_writer *out = question->out;
    json_open_object(out, NULL);
    json_open_array(out, "items");
    for (size_t i = 0; i < page.result.count; i++)
        put_changes(out, &page.items[i], risk == NULL);
    json_close_array(out);
    put_list_end(out, &question->list, &page.result);
    json_close_object(out);
    return OK;
}

enum status risks_timeline(struct question *question, struct err *err)
{
    return answer_history(question, question->args[0], err);
}

enum status activity_list(struct question *question, struct err *err)
{
    return answer_history(question, NULL, err);
}
