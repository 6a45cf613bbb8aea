/*
 * Many risks at once, all or nothing: POST /risks/bulk.
 *
 *     {ids[], set{status,owner,category,tags}}   the same for all
 *     {ids[], delete: true}
 *     {ids[], restore: true}
 *     {changes: [{id, version, set{…}}]}         to each its own
 *
 * The last form is what an undo needs: the values before differ from risk to risk, and with the
 * version that the change left, whatever others have written since is kept.
 */
#include <stdint.h>
#include <string.h>

#include "api/handlers.h"
#include "base/mem.h"
#include "service/risk_service.h"

enum { BULK_MAX = 200, ID_TEXT_MAX = 64 };

/** What the body says, in the form that the service takes. */
struct bulk_request {
    enum bulk_action action;
    struct bulk_item *items;
    size_t count;
    const char *member; /* which the items are in: "ids" or "changes" */
};

static enum status check_members(const json *object, const char *where, const char *const *known,
                                 struct arena *arena, struct err *err)
{
    for (const char *name = NULL; json_next_member(object, &name);)
        if (text_index(known, name) < 0)
            return err_set(err, INVALID, arena_format(arena, "%s%s", where, name),
                           "is not known here: only %s", text_alternatives(arena, known));
    return OK;
}

/** `name`: where it stands, "set" or "changes[2].set". */
static enum status read_set(const json *set, const char *name, struct arena *arena,
                            struct risk_change **ret_change, struct err *err)
{
    static const char *const settable[] = {"status", "owner", "category", "tags", NULL};
    struct risk_change *change = arena_zalloc(arena, 1, sizeof *change);
    struct json_read how = {.table = &risk_table, .prefix = name};
    enum status status = json_read_record(set, &how, arena, &change->risk, &change->mask, err);
    for (size_t i = 0; status == OK && i < risk_table.count; i++)
        if ((change->mask & FIELD_BIT(i)) && text_index(settable, risk_table.fields[i].name) < 0)
            return err_set(err, INVALID,
                           arena_format(arena, "%s.%s", name, risk_table.fields[i].name),
                           "cannot be set in bulk: only %s", text_alternatives(arena, settable));
    if (status == OK && change->mask == 0)
        return err_set(err, INVALID, name, "must set something");
    *ret_change = change;
    return status;
}

/** The action that a body with `ids` names: exactly one of them. */
static enum status read_action(const json *body, enum bulk_action *ret_action, struct err *err)
{
    static const struct {
        const char *name;
        enum bulk_action action;
    } flags[] = {{"delete", BULK_DELETE}, {"restore", BULK_RESTORE}};
    bool has_set = json_member(body, "set") != NULL;
    unsigned named = has_set;
    enum bulk_action action = BULK_SET;
    for (size_t i = 0; i < COUNT_OF(flags); i++) {
        const json *flag = json_member(body, flags[i].name);
        bool is_on = false;
        if (flag && !json_as_bool(flag, &is_on))
            return err_set(err, INVALID, flags[i].name, "must be true or false");
        if (!is_on)
            continue;
        action = flags[i].action;
        named++;
    }
    if (named != 1)
        return err_set(err, INVALID, "set", "give one of set, delete: true and restore: true");
    *ret_action = action;
    return OK;
}

static enum status read_same(const json *body, struct arena *arena, struct bulk_request *request,
                             struct err *err)
{
    const json *set = json_member(body, "set");
    struct texts ids = {0};
    struct risk_change *change = NULL;
    enum status status = read_action(body, &request->action, err);
    if (status != OK)
        return status;
    status =
        json_read_texts(json_member(body, "ids"), "ids", BULK_MAX, ID_TEXT_MAX, arena, &ids, err);
    if (status == OK && ids.count == 0)
        return err_set(err, INVALID, "ids", "must name at least one risk");
    if (status == OK && set)
        status = read_set(set, "set", arena, &change, err);
    if (status != OK)
        return status;
    request->items = arena_zalloc(arena, ids.count, sizeof *request->items);
    request->count = ids.count;
    for (size_t i = 0; i < ids.count; i++)
        request->items[i] = (struct bulk_item){.id = ids.items[i], .change = change};
    return OK;
}

static enum status read_one(const json *value, const char *name, struct arena *arena,
                            struct bulk_item *ret_item, struct err *err)
{
    static const char *const known[] = {"id", "version", "set", NULL};
    const char *set_name = arena_format(arena, "%s.set", name);
    const char *version_name = arena_format(arena, "%s.version", name);
    const char *id = json_as_string(json_member(value, "id"));
    const json *version = json_member(value, "version"), *set = json_member(value, "set");
    struct risk_change *change = NULL;
    struct bulk_item item = {0};
    if (json_kind(value) != JSON_KIND_OBJECT)
        return err_set(err, INVALID, name, "must be an object with id and set");
    enum status status = check_members(value, arena_format(arena, "%s.", name), known, arena, err);
    if (status != OK)
        return status;
    if (!id || !*id || text_length(id) > ID_TEXT_MAX || text_has_control(id, false))
        return err_set(err, INVALID, arena_format(arena, "%s.id", name),
                       "must be a text of 1 to %d characters", ID_TEXT_MAX);
    if (version && (!json_as_int(version, &item.version) || item.version < 1))
        return err_set(err, INVALID, version_name, "must be a whole number from 1 on");
    if (!set)
        return err_set(err, INVALID, set_name, "is required");
    status = read_set(set, set_name, arena, &change, err);
    item.id = arena_strdup(arena, id);
    item.change = change;
    *ret_item = item;
    return status;
}

static enum status read_changes(const json *changes, struct arena *arena,
                                struct bulk_request *request, struct err *err)
{
    size_t count = json_count(changes);
    if (json_kind(changes) != JSON_KIND_ARRAY || count == 0 || count > BULK_MAX)
        return err_set(err, INVALID, "changes", "must be a list of 1 to %d changes", BULK_MAX);
    request->action = BULK_SET;
    request->items = arena_zalloc(arena, count, sizeof *request->items);
    request->count = count;
    enum status status = OK;
    for (size_t i = 0; status == OK && i < count; i++)
        status = read_one(json_item(changes, i), arena_format(arena, "changes[%zu]", i), arena,
                          &request->items[i], err);
    return status;
}

static enum status read_bulk(const json *body, struct arena *arena, struct bulk_request *request,
                             struct err *err)
{
    static const char *const known[] = {"ids", "set", "delete", "restore", "changes", NULL};
    const json *changes = json_member(body, "changes");
    enum status status = check_members(body, "", known, arena, err);
    if (status != OK)
        return status;
    if (changes && json_count(body) > 1)
        return err_set(err, INVALID, "changes", "must stand alone");
    request->member = changes ? "changes" : "ids";
    if (changes)
        return read_changes(changes, arena, request, err);
    if (!json_member(body, "ids"))
        return err_set(err, INVALID, "ids", "is required, or changes");
    return read_same(body, arena, request, err);
}

enum status risks_bulk(struct call *call, struct err *err)
{
    static const char *const counted[] = {
        [BULK_SET] = "updated", [BULK_DELETE] = "deleted", [BULK_RESTORE] = "restored"};
    struct service *service = call->question.service;
    struct bulk_request request = {0};
    enum status status = read_bulk(call->body, service->arena, &request, err);
    if (status == OK)
        status = risk_service_bulk(service, request.action, request.items, request.count,
                                   request.member, err);
    if (status != OK)
        return status;
    struct json_writer *out = call->question.out;
    json_open_object(out, NULL);
    json_put_int(out, counted[request.action], (int64_t)request.count);
    json_open_array(out, "items");
    for (size_t i = 0; i < request.count; i++) {
        if (!request.items[i].was_changed)
            continue;
        json_open_object(out, NULL);
        json_put_string(out, "id", request.items[i].id);
        json_put_int(out, "version", request.items[i].version);
        json_close_object(out);
    }
    json_close_array(out);
    json_close_object(out);
    return OK;
}
