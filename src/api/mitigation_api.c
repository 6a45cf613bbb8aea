#include "api/handlers.h"
#include "api/risk_json.h"
#include "service/mitigation_service.h"
#include "service/risk_service.h"

enum status mitigations_of_risk(struct question *question, struct err *err)
{
    struct risk_page page;
    enum status status = risk_service_get(question->service, question->args[0], &page, err);
    if (status != OK)
        return status;
    struct json_writer *out = question->out;
    json_open_object(out, NULL);
    json_open_array(out, "items");
    for (size_t i = 0; i < page.mitigation_count; i++)
        put_mitigation(out, NULL, &page.mitigations[i]);
    json_close_array(out);
    json_put_int(out, "total", (int64_t)page.mitigation_count);
    json_close_object(out);
    return OK;
}

enum status mitigations_list(struct question *question, struct err *err)
{
    struct mitigation_list_page page;
    enum status status = mitigation_service_list(question->service, &question->list, &page, err);
    if (status != OK)
        return status;
    struct json_writer *out = question->out;
    json_open_object(out, NULL);
    json_open_array(out, "items");
    for (size_t i = 0; i < page.result.count; i++) {
        const struct mitigation *mitigation = &page.items[i];
        json_open_object(out, NULL);
        json_put_fields(out, &mitigation_table, UINT64_MAX, mitigation);
        put_risk_name(out, mitigation->risk_id, mitigation->risk_ref, mitigation->risk_title);
        json_close_object(out);
    }
    json_close_array(out);
    put_list_end(out, &question->list, &page.result);
    json_close_object(out);
    return OK;
}

static enum status answer_mitigation(struct question *question, const struct mitigation_page *page)
{
    put_mitigation(question->out, NULL, page);
    question->version = page->mitigation.version;
    return OK;
}

static enum status read_change(struct call *call, bool whole, struct mitigation_change *change,
                               struct err *err)
{
    struct json_read how = {.table = &mitigation_table, .whole = whole};
    return json_read_record(call->body, &how, call->question.service->arena, &change->mitigation,
                            &change->mask, err);
}

enum status mitigations_create(struct call *call, struct err *err)
{
    struct mitigation_change change = {0};
    struct mitigation_page page;
    enum status status = read_change(call, true, &change, err);
    if (status == OK)
        status = mitigation_service_create(call->question.service, call->question.args[0], &change,
                                           &page, err);
    if (status != OK)
        return status;
    http_add_header(
        call->request, "Location",
        arena_format(call->question.service->arena, "/api/v1/mitigations/%s", page.mitigation.id));
    return answer_mitigation(&call->question, &page);
}

enum status mitigations_update(struct call *call, struct err *err)
{
    struct mitigation_change change = {0};
    struct mitigation_page page;
    enum status status = read_change(call, false, &change, err);
    if (status == OK)
        status = mitigation_service_update(call->question.service, call->question.args[0],
                                           call->if_match, &change, &page, err);
    return status == OK ? answer_mitigation(&call->question, &page) : status;
}

enum status mitigations_delete(struct call *call, struct err *err)
{
    return mitigation_service_delete(call->question.service, call->question.args[0], call->if_match,
                                     err);
}

/** The answer is the sub-action; the mitigation's version is in the ETag, as its progress follows.
 */
static enum status change_sub_action(struct call *call, const struct sub_action_change *change,
                                     struct err *err)
{
    struct mitigation_page page;
    int index;
    enum status status = mitigation_service_sub_action(
        call->question.service, call->question.args[0], call->question.args[1], call->if_match,
        change, &page, &index, err);
    if (status != OK)
        return status;
    call->question.version = page.mitigation.version;
    if (index >= 0)
        put_record(call->question.out, NULL, &sub_action_table, &page.sub_actions[index]);
    return OK;
}

static enum status read_sub_action(struct call *call, bool whole, struct sub_action_change *change,
                                   struct err *err)
{
    struct json_read how = {.table = &sub_action_table, .whole = whole};
    return json_read_record(call->body, &how, call->question.service->arena, &change->sub_action,
                            &change->mask, err);
}

enum status sub_actions_create(struct call *call, struct err *err)
{
    struct sub_action_change change = {0};
    enum status status = read_sub_action(call, true, &change, err);
    return status == OK ? change_sub_action(call, &change, err) : status;
}

enum status sub_actions_update(struct call *call, struct err *err)
{
    struct sub_action_change change = {0};
    enum status status = read_sub_action(call, false, &change, err);
    return status == OK ? change_sub_action(call, &change, err) : status;
}

enum status sub_actions_delete(struct call *call, struct err *err)
{
    return change_sub_action(call, &(struct sub_action_change){.delete_it = true}, err);
}
