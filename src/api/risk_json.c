#include "api/risk_json.h"

#define ALL_FIELDS UINT64_MAX

void put_record(struct json_writer *out, const char *name, const struct field_table *table,
                const void *record)
{
    json_open_object(out, name);
    json_put_fields(out, table, ALL_FIELDS, record);
    json_close_object(out);
}

void put_risk_brief(struct json_writer *out, const char *name, const struct risk *risk)
{
    json_open_object(out, name);
    json_put_string(out, "id", risk->id);
    json_put_int(out, "ref", risk->ref);
    json_put_string(out, "title", risk->title);
    json_put_hundredths(out, "score", risk->score);
    json_put_string(out, "level", level_names[risk->level]);
    json_put_string(out, "status", risk_status_names[risk->status]);
    json_close_object(out);
}

void put_risk_name(struct json_writer *out, const char *id, int64_t ref, const char *title)
{
    json_open_object(out, "risk");
    json_put_string(out, "id", id);
    json_put_int(out, "ref", ref);
    json_put_string(out, "title", title);
    json_close_object(out);
}

void put_mitigation(struct json_writer *out, const char *name, const struct mitigation_page *page)
{
    json_open_object(out, name);
    json_put_fields(out, &mitigation_table, ALL_FIELDS, &page->mitigation);
    json_open_array(out, "sub_actions");
    for (size_t i = 0; i < page->sub_action_count; i++)
        put_record(out, NULL, &sub_action_table, &page->sub_actions[i]);
    json_close_array(out);
    json_close_object(out);
}

void put_risk(struct json_writer *out, const char *name, const struct risk_page *page)
{
    json_open_object(out, name);
    json_put_fields(out, &risk_table, ALL_FIELDS, &page->risk);
    json_open_array(out, "assets");
    for (size_t i = 0; i < page->asset_count; i++) {
        const struct asset *asset = &page->assets[i];
        json_open_object(out, NULL);
        json_put_string(out, "id", asset->id);
        json_put_string(out, "name", asset->name);
        json_put_string(out, "type", asset->type);
        json_put_string(out, "criticality", criticality_names[asset->criticality]);
        json_close_object(out);
    }
    json_close_array(out);
    json_open_array(out, "mitigations");
    for (size_t i = 0; i < page->mitigation_count; i++)
        put_mitigation(out, NULL, &page->mitigations[i]);
    json_close_array(out);
    json_close_object(out);
}

void put_list_end(struct json_writer *out, const struct list_request *request,
                  const struct list_result *result)
{
    json_put_int(out, "total", result->total.total);
    json_put_bool(out, "total_is_exact", result->total.is_exact);
    if (request->after)
        json_put_null(out, "page");
    else
        json_put_int(out, "page", request->page);
    json_put_int(out, "limit", request->limit);
    json_put_string(out, "next", result->next);
}

enum status answer_user(struct question *question, const struct user *user)
{
    put_record(question->out, NULL, &user_table, user);
    question->version = user->version;
    return OK;
}
