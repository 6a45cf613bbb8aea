#include "api/handlers.h"
#include "api/risk_json.h"
#include "service/account_service.h"
#include "service/audit_service.h"

enum status users_list(struct call *call, struct err *err)
{
    struct question *question = &call->question;
    struct user_list_page page;
    enum status status = account_service_list(question->service, &question->list, &page, err);
    if (status != OK)
        return status;
    struct json_writer *out = question->out;
    json_open_object(out, NULL);
    json_open_array(out, "items");
    for (size_t i = 0; i < page.result.count; i++)
        put_record(out, NULL, &user_table, &page.items[i]);
    json_close_array(out);
    put_list_end(out, &question->list, &page.result);
    json_close_object(out);
    return OK;
}

static enum status read_change(struct call *call, bool whole, struct user_change *change,
                               struct err *err)
{
    struct json_read how = {.table = &user_table, .whole = whole};
    return json_read_record(call->body, &how, call->question.service->arena, &change->user,
                            &change->mask, err);
}

enum status users_create(struct call *call, struct err *err)
{
    struct user_change change = {0};
    struct user user;
    enum status status = read_change(call, true, &change, err);
    if (status == OK)
        status = account_service_create(call->question.service, &change, &user, err);
    return status == OK ? answer_user(&call->question, &user) : status;
}

enum status users_update(struct call *call, struct err *err)
{
    struct user_change change = {0};
    struct user user;
    enum status status = read_change(call, false, &change, err);
    if (status == OK)
        status = account_service_update(call->question.service, call->question.args[0],
                                        call->if_match, &change, &user, err);
    return status == OK ? answer_user(&call->question, &user) : status;
}

enum status users_delete(struct call *call, struct err *err)
{
    return account_service_delete(call->question.service, call->question.args[0], call->if_match,
                                  err);
}

enum status audit_list_get(struct call *call, struct err *err)
{
    struct question *question = &call->question;
    struct audit_list_page page;
    enum status status = audit_service_list(question->service, &question->list, &page, err);
    if (status != OK)
        return status;
    struct json_writer *out = question->out;
    json_open_object(out, NULL);
    json_open_array(out, "items");
    for (size_t i = 0; i < page.result.count; i++) {
        const struct audit_entry *entry = &page.items[i];
        json_open_object(out, NULL);
        json_put_time(out, "at", entry->at);
        json_put_string(out, "actor", entry->actor);
        json_put_string(out, "actor_id", entry->actor_id);
        json_put_string(out, "action", entry->action);
        json_put_string(out, "target", entry->target);
        json_put_string(out, "address", entry->address);
        json_put_string(out, "result", entry->result);
        json_put_string(out, "detail", entry->detail);
        json_close_object(out);
    }
    json_close_array(out);
    put_list_end(out, &question->list, &page.result);
    json_close_object(out);
    return OK;
}
