#include "service/writer.h"

#include <inttypes.h>
#include <string.h>

#include "base/id.h"
#include "service/name_table.h"
#include "store/asset_store.h"
#include "store/history_store.h"
#include "store/mitigation_store.h"

enum { CHANGES_MAX_BYTES = 1 << 20 };

/* An import links thousands of risks to one asset: its row is written once. */
struct asset_count {
    const char *id;
    int64_t difference;
    struct asset_count *next;
};
struct asset_counts {
    struct asset_count *first;
    struct name_table by_id;
};

static struct asset_counts *asset_counts_new(struct arena *arena)
{
    struct asset_counts *counts = arena_zalloc(arena, 1, sizeof *counts);
    name_table_init(&counts->by_id, arena);
    return counts;
}

static void count_asset(struct writer *writer, const char *id, int64_t difference)
{
    struct asset_counts *counts = writer->asset_counts;
    struct asset_count *count = name_table_get(&counts->by_id, id);
    if (!count) {
        struct arena *arena = counts->by_id.arena;
        count = arena_zalloc(arena, 1, sizeof *count);
        count->id = arena_strdup(arena, id);
        count->next = counts->first;
        counts->first = count;
        name_table_put(&counts->by_id, count->id, count);
    }
    count->difference += difference;
}

static enum status write_asset_counts(struct writer *writer, struct err *err)
{
    enum status status = OK;
    for (struct asset_count *count = writer->asset_counts->first; status == OK && count;
         count = count->next)
        if (count->difference != 0)
            status = asset_store_count(writer->db, count->id, count->difference, err);
    return status;
}

static void init(struct writer *writer, struct service *service)
{
    *writer = (struct writer){
        .service = service,
        .db = service->db,
        .arena = service->arena,
        .figures = figure_changes_new(service->arena),
        .asset_counts = asset_counts_new(service->arena),
        .target = "",
        .detail = "",
    };
}

enum status writer_begin(struct writer *writer, struct service *service, struct err *err)
{
    init(writer, service);
    return db_begin_write(service->db, service->now_ms, service->write_timeout_ms, err);
}

enum status writer_begin_note(struct writer *writer, struct service *service, struct err *err)
{
    init(writer, service);
    return db_begin_note(service->db, service->now_ms, service->write_timeout_ms, err);
}

/** Search texts that wait must be there before they are changed, and at the end. */
static enum status write_texts(struct writer *writer, struct err *err)
{
    return writer->later ? text_queue_write(writer->db, writer->later, err) : OK;
}

static enum status finish(struct writer *writer, struct err *err)
{
    const struct service *service = writer->service;
    enum status status = write_texts(writer, err);
    if (status == OK)
        status = write_asset_counts(writer, err);
    if (status == OK)
        status = figure_changes_write(writer->db, writer->figures, service->now_ms, err);
    if (status != OK)
        return status;
    struct audit_entry entry = {
        .at = service->now_ms,
        .actor_id = service->caller->user_id,
        .actor = service->caller->email ? service->caller->email : "",
        .action = service->action,
        .target = writer->target,
        .address = service->caller->address ? service->caller->address : "",
        .result = "ok",
        .detail = writer->detail,
    };
    return audit_store_insert(writer->db, &entry, err);
}

enum status writer_end(struct writer *writer, enum status status, struct err *err)
{
    if (status == OK)
        status = finish(writer, err);
    if (status == OK)
        return db_commit(writer->db, err);
    db_rollback(writer->db);
    return status;
}

void changes_init(struct change_list *changes)
{
    buf_init(&changes->text, CHANGES_MAX_BYTES);
    json_writer_init(&changes->out, &changes->text);
    json_open_array(&changes->out, NULL);
    changes->count = 0;
}

void changes_release(struct change_list *changes)
{
    buf_release(&changes->text);
}

void changes_add(struct change_list *changes, const char *member, const char *subject,
                 const char *from_json, const char *to_json)
{
    struct json_writer *out = &changes->out;
    json_open_object(out, NULL);
    json_put_string(out, "member", member);
    if (subject)
        json_put_string(out, "subject", subject);
    json_put_raw(out, "from", from_json);
    json_put_raw(out, "to", to_json);
    json_close_object(out);
    changes->count++;
}

void changes_add_fields(struct change_list *changes, const struct field_table *table,
                        const char *prefix, const char *subject, const void *before,
                        const void *after, struct arena *arena)
{
    field_mask different = field_diff(table, field_mask_of(table, FIELD_TRACKED), before, after);
    for (size_t i = 0; i < table->count; i++) {
        if (!(different & FIELD_BIT(i)))
            continue;
        const struct field *field = &table->fields[i];
        changes_add(changes, arena_format(arena, "%s%s", prefix, field->name), subject,
                    json_field_text(field, before, arena), json_field_text(field, after, arena));
    }
}

char *changes_text(const char *text, struct arena *arena)
{
    AUTO_BUF struct buf buf;
    buf_init(&buf, CHANGES_MAX_BYTES);
    struct json_writer out;
    json_writer_init(&out, &buf);
    json_put_string(&out, NULL, text);
    return arena_strdup(arena, buf.data);
}

/** One row of history: the changes, and the figures after them. */
static enum status record(struct writer *writer, const struct risk *risk, const char *action,
                          struct change_list *changes, struct err *err)
{
    const struct caller *caller = writer->service->caller;
    json_close_array(&changes->out);
    struct history_entry entry = {
        .at = writer->service->now_ms,
        .actor_id = caller->user_id,
        .actor = caller->email ? caller->email : writer->service->action,
        .action = action,
        .version = risk->version,
        .score = risk->score,
        .status = risk->status,
        .deleted = risk->deleted_at != 0,
        .changes = changes->text.overflow ? "[]" : changes->text.data,
    };
    return history_store_insert(writer->db, risk->ref, &entry, err);
}

static void rate(struct risk *risk, const struct asset *assets, size_t count)
{
    int64_t factors = 0;
    for (size_t i = 0; i < count; i++)
        factors += criticality_factor((enum criticality)assets[i].criticality);
    risk->score = score_of(risk->impact, risk->probability, (int64_t)count, factors);
    risk->level = score_level(risk->score);
}

static enum status link_assets(struct writer *writer, const struct risk *risk,
                               const struct asset *assets, size_t count, struct err *err)
{
    enum status status = OK;
    for (size_t i = 0; status == OK && i < count; i++) {
        status = risk_store_link(writer->db, risk->ref, assets[i].id, err);
        if (status == OK && !risk->deleted_at)
            count_asset(writer, assets[i].id, 1);
    }
    return status;
}

enum status writer_create_risk(struct writer *writer, struct risk *risk, const struct asset *assets,
                               size_t asset_count, struct err *err)
{
    const struct service *service = writer->service;
    enum status status = OK;
    char id[ID_SIZE];
    if (!risk->id)
        risk->id = arena_strdup(writer->arena, id_new(service->now_ms, id));
    if (!risk->ref)
        status = risk_store_new_refs(writer->db, 1, &risk->ref, err);
    if (!risk->created_at) {
        risk->created_at = service->now_ms;
        risk->created_by = service->caller->user_id;
    }
    if (!risk->updated_at)
        risk->updated_at = risk->created_at;
    rate(risk, assets, asset_count);
    if (status == OK)
        status = risk_store_insert(writer->db, risk, writer->later, writer->arena, err);
    if (status == OK)
        status = link_assets(writer, risk, assets, asset_count, err);
    if (status != OK)
        return status;
    figure_changes_risk(writer->figures, NULL, risk);
    writer->target = risk->id;
    AUTO_CHANGES struct change_list changes;
    changes_init(&changes);
    return record(writer, risk, "created", &changes, err);
}

static bool has_asset(const struct asset *assets, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(assets[i].id, id) == 0)
            return true;
    return false;
}

static char *asset_names(const struct asset *assets, size_t count, struct arena *arena)
{
    AUTO_BUF struct buf buf;
    buf_init(&buf, CHANGES_MAX_BYTES);
    struct json_writer out;
    json_writer_init(&out, &buf);
    json_open_array(&out, NULL);
    for (size_t i = 0; i < count; i++)
        json_put_string(&out, NULL, assets[i].name);
    json_close_array(&out);
    return arena_strdup(arena, buf.data);
}

/** Make the links what they are to be. */
static enum status relink(struct writer *writer, const struct risk_update *update,
                          struct change_list *changes, struct err *err)
{
    const struct risk_page *page = update->page;
    int64_t counts = update->risk->deleted_at ? 0 : 1;
    size_t touched = 0;
    enum status status = OK;
    for (size_t i = 0; status == OK && i < page->asset_count; i++) {
        const char *id = page->assets[i].id;
        if (has_asset(update->assets, update->asset_count, id))
            continue;
        status = risk_store_unlink(writer->db, page->risk.ref, id, err);
        if (status == OK && counts)
            count_asset(writer, id, -1);
        touched++;
    }
    for (size_t i = 0; status == OK && i < update->asset_count; i++) {
        const char *id = update->assets[i].id;
        if (has_asset(page->assets, page->asset_count, id))
            continue;
        status = risk_store_link(writer->db, page->risk.ref, id, err);
        if (status == OK && counts)
            count_asset(writer, id, 1);
        touched++;
    }
    if (status == OK && touched)
        changes_add(changes, "assets", NULL,
                    asset_names(page->assets, page->asset_count, writer->arena),
                    asset_names(update->assets, update->asset_count, writer->arena));
    return status;
}

enum status writer_update_risk(struct writer *writer, const struct risk_update *update,
                               struct err *err)
{
    const struct risk *before = &update->page->risk;
    struct risk *after = update->risk;
    AUTO_CHANGES struct change_list own;
    changes_init(&own);
    struct change_list *changes = update->changes ? update->changes : &own;
    if (update->assets) {
        enum status status = relink(writer, update, changes, err);
        if (status != OK)
            return status;
        rate(after, update->assets, update->asset_count);
    } else {
        rate(after, update->page->assets, update->page->asset_count);
    }
    changes_add_fields(changes, &risk_table, "", NULL, before, after, writer->arena);
    writer->target = after->id;
    if (changes->count == 0 && before->deleted_at == after->deleted_at)
        return OK;
    after->version = before->version + 1;
    after->updated_at = writer->service->now_ms;
    enum status status = write_texts(writer, err);
    if (status == OK)
        status = risk_store_update(writer->db, before, after, writer->arena, err);
    if (status != OK)
        return status;
    figure_changes_risk(writer->figures, before, after);
    return record(writer, after, update->action, changes, err);
}

enum status writer_delete_risk(struct writer *writer, const struct risk_page *page, bool deleted,
                               struct err *err)
{
    struct risk after = page->risk;
    after.deleted_at = deleted ? writer->service->now_ms : 0;
    struct risk_update update = {
        .page = page, .risk = &after, .action = deleted ? "deleted" : "restored"};
    enum status status = mitigation_store_hide(writer->db, after.ref, deleted, err);
    for (size_t i = 0; status == OK && i < page->asset_count; i++)
        count_asset(writer, page->assets[i].id, deleted ? -1 : 1);
    for (size_t i = 0; i < page->mitigation_count; i++) {
        const struct mitigation *mitigation = &page->mitigations[i].mitigation;
        figure_changes_mitigation(writer->figures, deleted ? mitigation : NULL,
                                  deleted ? NULL : mitigation);
    }
    return status == OK ? writer_update_risk(writer, &update, err) : status;
}

enum status writer_match(int64_t if_match, int64_t version, struct err *err)
{
    if (if_match == 0 || if_match == version)
        return OK;
    return err_set(err, STALE, "If-Match",
                   "somebody changed it meanwhile: it has version %" PRId64
                   " now; read it again and repeat your change",
                   version);
}

enum status writer_load(struct writer *writer, const char *id_or_ref, int64_t if_match,
                        struct risk_page *ret_page, struct err *err)
{
    struct risk_page page;
    enum status status = risk_store_page(writer->db, id_or_ref, writer->arena, &page, err);
    if (status == OK && page.risk.deleted_at)
        status = err_set(err, NOT_FOUND, NULL, "this risk is deleted; it can be restored");
    if (status == OK)
        status = writer_match(if_match, page.risk.version, err);
    if (status == OK)
        *ret_page = page;
    return status;
}
