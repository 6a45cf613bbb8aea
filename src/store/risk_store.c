#include "store/risk_store.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "store/gather.h"
#include "store/mitigation_store.h"
#include "store/queries.h"

/* Behind the columns of risk_table: deleted_at, title_fold. */
enum { RISK_PARAMS = 24 };

static void read_risk(const struct db_rows *rows, int first, struct arena *arena, struct risk *risk)
{
    *risk = (struct risk){0};
    db_read_record(rows, first, &risk_table, arena, risk);
    risk->deleted_at = db_int(rows, first + (int)risk_table.count);
}

static enum status read_one(struct db_rows *rows, struct arena *arena, struct risk *ret_risk,
                            struct err *err)
{
    struct risk risk;
    bool found = db_next(rows);
    if (found)
        read_risk(rows, 0, arena, &risk);
    enum status status = db_end(rows, err);
    if (status != OK)
        return status;
    if (!found)
        return err_set(err, NOT_FOUND, NULL, "there is no such risk");
    *ret_risk = risk;
    return OK;
}

static enum status select_one(struct db *db, enum query_id query, const struct db_value *params,
                              size_t count, struct arena *arena, struct risk *ret_risk,
                              struct err *err)
{
    AUTO_ROWS struct db_rows rows = {0};
    enum status status = db_select(db, &queries[query], params, count, &rows, err);
    return status == OK ? read_one(&rows, arena, ret_risk, err) : status;
}

enum status risk_store_get_ref(struct db *db, int64_t ref, struct arena *arena,
                               struct risk *ret_risk, struct err *err)
{
    return select_one(db, QUERY_RISK_BY_REF, DB_PARAMS(DB_INT(ref)), arena, ret_risk, err);
}

enum status risk_store_get(struct db *db, const char *id_or_ref, struct arena *arena,
                           struct risk *ret_risk, struct err *err)
{
    int64_t ref = risk_ref_parse(id_or_ref);
    if (ref)
        return risk_store_get_ref(db, ref, arena, ret_risk, err);
    return select_one(db, QUERY_RISK_BY_ID, DB_PARAMS(DB_TEXT(id_or_ref)), arena, ret_risk, err);
}

enum status risk_store_find_external(struct db *db, const char *source, const char *external_id,
                                     struct arena *arena, struct risk *ret_risk, struct err *err)
{
    return select_one(db, QUERY_RISK_BY_EXTERNAL_ID,
                      DB_PARAMS(DB_TEXT(source ? source : ""), DB_TEXT(external_id)), arena,
                      ret_risk, err);
}

enum status risk_store_new_refs(struct db *db, int64_t count, int64_t *ret_first, struct err *err)
{
    int64_t last;
    enum status status = db_select_int(db, &queries[QUERY_COUNTER_ADD],
                                       DB_PARAMS(DB_TEXT("risk_ref"), DB_INT(count)), &last, err);
    if (status == OK)
        *ret_first = last - count + 1;
    return status;
}

enum status risk_store_keep_refs(struct db *db, int64_t highest, struct err *err)
{
    int64_t first;
    enum status status = risk_store_new_refs(db, 0, &first, err);
    if (status != OK || first > highest)
        return status;
    return risk_store_new_refs(db, highest - first + 1, &first, err);
}

static enum status insert_labels(struct db *db, const char *kind, struct texts labels, int64_t ref,
                                 struct err *err)
{
    for (size_t i = 0; i < labels.count; i++) {
        enum status status =
            db_queue(db, &queries[QUERY_LABEL_INSERT],
                     DB_PARAMS(DB_TEXT(kind), DB_TEXT(labels.items[i]), DB_INT(ref)), err);
        if (status != OK)
            return status;
    }
    return OK;
}

/* What a risk is found by exists only while it is not deleted. */

static enum status insert_text(struct db *db, int64_t ref, const char *text, struct err *err)
{
    enum status status =
        db_queue(db, &queries[QUERY_RISK_TEXT_INSERT], DB_PARAMS(DB_INT(ref), DB_TEXT(text)), err);
    if (status == OK)
        status = db_queue(db, &queries[QUERY_RISK_SEARCH_INSERT],
                          DB_PARAMS(DB_INT(ref), DB_TEXT(text)), err);
    return status;
}

static enum status delete_text(struct db *db, int64_t ref, const char *text, struct err *err)
{
    enum status status =
        db_queue(db, &queries[QUERY_RISK_TEXT_DELETE], DB_PARAMS(DB_INT(ref)), err);
    if (status == OK)
        status = db_queue(db, &queries[QUERY_RISK_SEARCH_DELETE],
                          DB_PARAMS(DB_INT(ref), DB_TEXT(text)), err);
    return status;
}

enum { TEXT_QUEUE_MAX = 2000 };

struct queued_text {
    int64_t ref;
    const char *text;
};

void text_queue_init(struct text_queue *queue)
{
    *queue = (struct text_queue){0};
    arena_init(&queue->arena);
}

void text_queue_release(struct text_queue *queue)
{
    arena_release(&queue->arena);
}

enum status text_queue_write(struct db *db, struct text_queue *queue, struct err *err)
{
    enum status status = OK;
    for (size_t i = 0; status == OK && i < queue->count; i++)
        status = insert_text(db, queue->items[i].ref, queue->items[i].text, err);
    arena_clear(&queue->arena);
    queue->items = NULL;
    queue->count = 0;
    return status;
}

static enum status queue_text(struct db *db, struct text_queue *queue, int64_t ref,
                              const char *text, struct err *err)
{
    if (!queue->items)
        queue->items = arena_zalloc(&queue->arena, TEXT_QUEUE_MAX, sizeof *queue->items);
    queue->items[queue->count++] = (struct queued_text){ref, arena_strdup(&queue->arena, text)};
    return queue->count < TEXT_QUEUE_MAX ? OK : text_queue_write(db, queue, err);
}

static const char *found_by(const struct risk *risk, struct arena *arena)
{
    return risk && !risk->deleted_at ? risk_search_text(arena, risk) : NULL;
}

static enum status index_text(struct db *db, const struct risk *before, const struct risk *after,
                              struct arena *arena, struct err *err)
{
    const char *old = found_by(before, arena), *new = found_by(after, arena);
    enum status status = OK;
    if (text_equal(old, new))
        return OK;
    if (old)
        status = delete_text(db, after->ref, old, err);
    if (status == OK && new)
        status = insert_text(db, after->ref, new, err);
    return status;
}

static enum status index_labels(struct db *db, const struct risk *before, const struct risk *after,
                                struct err *err)
{
    bool had = before && !before->deleted_at, has = !after->deleted_at;
    enum status status = OK;
    if (had && has && texts_equal(before->tags, after->tags) &&
        texts_equal(before->frameworks, after->frameworks))
        return OK;
    if (had)
        status = db_queue(db, &queries[QUERY_LABELS_DELETE], DB_PARAMS(DB_INT(after->ref)), err);
    if (status == OK && has)
        status = insert_labels(db, "tag", after->tags, after->ref, err);
    if (status == OK && has)
        status = insert_labels(db, "framework", after->frameworks, after->ref, err);
    return status;
}

/**
 * Write the row; the index tells which columns are taken, people know them as external_id. With
 * `later`, who writes has made sure that they are not, and nothing is waited for.
 */
static enum status write_row(struct db *db, enum query_id query, const struct risk *risk,
                             bool later, struct arena *arena, struct err *err)
{
    struct db_value values[RISK_PARAMS];
    db_bind_record(&risk_table, risk, arena, values);
    values[risk_table.count] = DB_INT_OR_NULL(risk->deleted_at);
    values[risk_table.count + 1] = DB_TEXT(text_fold(arena, risk->title));
    if (later)
        return db_queue(db, &queries[query], values, RISK_PARAMS, err);
    enum status status = db_exec(db, &queries[query], values, RISK_PARAMS, NULL, err);
    if (status == CONFLICT)
        return err_set(err, CONFLICT, "external_id",
                       "another risk of this source has it already, maybe a deleted one");
    return status;
}

enum status risk_store_insert(struct db *db, const struct risk *risk, struct text_queue *later,
                              struct arena *arena, struct err *err)
{
    enum status status = write_row(db, QUERY_RISK_INSERT, risk, later != NULL, arena, err);
    const char *text = found_by(risk, arena);
    if (status == OK && text)
        status = later ? queue_text(db, later, risk->ref, text, err)
                       : insert_text(db, risk->ref, text, err);
    if (status == OK)
        status = index_labels(db, NULL, risk, err);
    return status;
}

enum status risk_store_update(struct db *db, const struct risk *before, const struct risk *after,
                              struct arena *arena, struct err *err)
{
    enum status status = write_row(db, QUERY_RISK_UPDATE, after, false, arena, err);
    if (status == OK)
        status = index_text(db, before, after, arena, err);
    if (status == OK)
        status = index_labels(db, before, after, err);
    return status;
}

enum status risk_store_link(struct db *db, int64_t ref, const char *asset_id, struct err *err)
{
    return db_queue(db, &queries[QUERY_LINK_INSERT], DB_PARAMS(DB_INT(ref), DB_TEXT(asset_id)),
                    err);
}

enum status risk_store_unlink(struct db *db, int64_t ref, const char *asset_id, struct err *err)
{
    return db_queue(db, &queries[QUERY_LINK_DELETE], DB_PARAMS(DB_INT(ref), DB_TEXT(asset_id)),
                    err);
}

/* Children of several risks come in one statement, ordered by their parent; they are gathered and
 * handed out as slices. */
struct linked_asset {
    struct asset asset;
    int64_t risk_ref;
};

static struct risk_page *page_of(struct risk_page *pages, size_t count, int64_t ref)
{
    for (size_t i = 0; i < count; i++)
        if (pages[i].risk.ref == ref)
            return &pages[i];
    return NULL;
}

static enum status fill_assets(struct db_rows *rows, struct risk_page *pages, size_t count,
                               struct arena *arena, struct err *err)
{
    struct gathered all = {.item_size = sizeof(struct linked_asset), .arena = arena};
    while (db_next(rows)) {
        struct linked_asset *linked = gather(&all);
        db_read_record(rows, 0, &asset_table, arena, &linked->asset);
        linked->risk_ref = db_int(rows, (int)asset_table.count);
    }
    const struct linked_asset *items = all.items;
    for (size_t i = 0, end; i < all.count; i = end) {
        for (end = i; end < all.count && items[end].risk_ref == items[i].risk_ref; end++)
            ;
        struct risk_page *page = page_of(pages, count, items[i].risk_ref);
        page->asset_count = end - i;
        page->assets = arena_zalloc(arena, end - i, sizeof *page->assets);
        for (size_t k = i; k < end; k++)
            page->assets[k - i] = items[k].asset;
    }
    return db_end(rows, err);
}

static enum status fill_mitigations(struct db_rows *rows, struct risk_page *pages, size_t count,
                                    struct gathered *all, struct err *err)
{
    while (db_next(rows)) {
        struct mitigation_page *page = gather(all);
        mitigation_store_read(rows, 0, all->arena, &page->mitigation);
    }
    struct mitigation_page *items = all->items;
    for (size_t i = 0; i < all->count; i++) {
        struct risk_page *page = page_of(pages, count, items[i].mitigation.risk_ref);
        if (page->mitigation_count++ == 0)
            page->mitigations = &items[i];
    }
    return db_end(rows, err);
}

static struct mitigation_page *mitigation_of(struct gathered *all, const char *id)
{
    struct mitigation_page *items = all->items;
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(items[i].mitigation.id, id) == 0)
            return &items[i];
    return NULL;
}

static enum status fill_sub_actions(struct db_rows *rows, struct gathered *mitigations,
                                    struct err *err)
{
    struct arena *arena = mitigations->arena;
    struct gathered all = {.item_size = sizeof(struct sub_action), .arena = arena};
    while (db_next(rows)) {
        struct sub_action *sub_action = gather(&all);
        db_read_record(rows, 0, &sub_action_table, arena, sub_action);
        sub_action->mitigation_id = db_text_copy(rows, (int)sub_action_table.count, arena);
        sub_action->position = db_int(rows, (int)sub_action_table.count + 1);
    }
    struct sub_action *items = all.items;
    for (size_t i = 0, end; i < all.count; i = end) {
        for (end = i;
             end < all.count && strcmp(items[end].mitigation_id, items[i].mitigation_id) == 0;
             end++)
            ;
        struct mitigation_page *page = mitigation_of(mitigations, items[i].mitigation_id);
        if (page) {
            page->sub_actions = &items[i];
            page->sub_action_count = end - i;
        }
    }
    return db_end(rows, err);
}

/* All that hangs on risks is asked for before any of it is read: one round trip. */
struct children {
    struct db_rows assets, mitigations, sub_actions;
};

static void children_release(struct children *children)
{
    db_rows_release(&children->assets);
    db_rows_release(&children->mitigations);
    db_rows_release(&children->sub_actions);
}
#define AUTO_CHILDREN CLEANUP(children_release)

static enum status select_children(struct db *db, const enum query_id ids[3], const char *which,
                                   struct children *ret_children, struct err *err)
{
    struct db_rows *const rows[] = {&ret_children->assets, &ret_children->mitigations,
                                    &ret_children->sub_actions};
    enum status status = OK;
    for (size_t i = 0; status == OK && i < COUNT_OF(rows); i++)
        status = db_select(db, &queries[ids[i]], DB_PARAMS(DB_TEXT(which)), rows[i], err);
    return status;
}

static enum status read_children(struct children *children, struct risk_page *pages, size_t count,
                                 struct arena *arena, struct err *err)
{
    struct gathered mitigations = {.item_size = sizeof(struct mitigation_page), .arena = arena};
    enum status status = fill_assets(&children->assets, pages, count, arena, err);
    if (status == OK)
        status = fill_mitigations(&children->mitigations, pages, count, &mitigations, err);
    if (status == OK)
        status = fill_sub_actions(&children->sub_actions, &mitigations, err);
    return status;
}

static const enum query_id of_risks[] = {QUERY_ASSETS_OF_RISKS, QUERY_MITIGATIONS_OF_RISKS,
                                         QUERY_SUB_ACTIONS_OF_RISKS};
static const enum query_id of_risk[] = {QUERY_ASSETS_OF_RISK, QUERY_MITIGATIONS_OF_RISK,
                                        QUERY_SUB_ACTIONS_OF_RISK};

/** "[1,7,12]": how refs go into a statement; in the arena. */
static const char *refs_of(const struct risk_page *pages, size_t count, struct arena *arena)
{
    AUTO_BUF struct buf refs;
    buf_init(&refs, 32 * (count + 1));
    for (size_t i = 0; i < count; i++)
        buf_printf(&refs, "%s%" PRId64, i ? "," : "[", pages[i].risk.ref);
    buf_puts(&refs, count ? "]" : "[]");
    return arena_memdup(arena, refs.data, refs.length);
}

enum status risk_store_load(struct db *db, struct risk_page *pages, size_t count,
                            struct arena *arena, struct err *err)
{
    AUTO_ROWS struct db_rows rows = {0};
    enum status status = db_select(db, &queries[QUERY_RISKS_OF_REFS],
                                   DB_PARAMS(DB_TEXT(refs_of(pages, count, arena))), &rows, err);
    while (status == OK && db_next(&rows)) {
        struct risk risk;
        read_risk(&rows, 0, arena, &risk);
        page_of(pages, count, risk.ref)->risk = risk;
    }
    return status == OK ? db_end(&rows, err) : status;
}

enum status risk_store_fill(struct db *db, struct risk_page *pages, size_t count,
                            struct arena *arena, struct err *err)
{
    AUTO_CHILDREN struct children children = {0};
    enum status status =
        select_children(db, of_risks, refs_of(pages, count, arena), &children, err);
    if (status == OK)
        status = read_children(&children, pages, count, arena, err);
    return status;
}

enum status risk_store_page(struct db *db, const char *id_or_ref, struct arena *arena,
                            struct risk_page *ret_page, struct err *err)
{
    int64_t ref = risk_ref_parse(id_or_ref);
    struct risk_page page = {0};
    AUTO_ROWS struct db_rows rows = {0};
    AUTO_CHILDREN struct children children = {0};
    enum status status = db_select(db, &queries[ref ? QUERY_RISK_BY_REF : QUERY_RISK_BY_ID],
                                   DB_PARAMS(ref ? DB_INT(ref) : DB_TEXT(id_or_ref)), &rows, err);
    if (status == OK)
        status = select_children(db, ref ? of_risks : of_risk,
                                 ref ? arena_format(arena, "[%" PRId64 "]", ref) : id_or_ref,
                                 &children, err);
    if (status == OK)
        status = read_one(&rows, arena, &page.risk, err);
    if (status == OK)
        status = read_children(&children, &page, 1, arena, err);
    if (status == OK)
        *ret_page = page;
    return status;
}

static void read_page(void *context, const struct db_rows *rows)
{
    struct gathered *pages = context;
    struct risk_page *page = gather(pages);
    read_risk(rows, LIST_FIRST_COLUMN, pages->arena, &page->risk);
}

enum status risk_store_list(struct db *db, const struct list_request *request, const char *today,
                            struct arena *arena, struct risk_list_page *ret_page, struct err *err)
{
    struct gathered pages = {.item_size = sizeof(struct risk_page), .arena = arena};
    struct list_result result;
    enum status status = list_read(db, request, today, arena, read_page, &pages, &result, err);
    if (status == OK)
        db_last_round(db);
    if (status == OK)
        status = risk_store_fill(db, pages.items, pages.count, arena, err);
    if (status == OK)
        *ret_page = (struct risk_list_page){.items = pages.items, .result = result};
    return status;
}

enum status risk_store_top(struct db *db, size_t most, struct arena *arena, struct risk **ret_risks,
                           size_t *ret_count, struct err *err)
{
    AUTO_ROWS struct db_rows rows = {0};
    enum status status =
        db_select(db, &queries[QUERY_RISKS_TOP], DB_PARAMS(DB_INT((int64_t)most)), &rows, err);
    if (status != OK)
        return status;
    struct gathered risks = {.item_size = sizeof(struct risk), .arena = arena};
    while (db_next(&rows))
        read_risk(&rows, 0, arena, gather(&risks));
    status = db_end(&rows, err);
    if (status == OK) {
        *ret_risks = risks.items;
        *ret_count = risks.count;
    }
    return status;
}

enum status risk_store_refs_of_asset(struct db *db, const char *asset_id, struct arena *arena,
                                     int64_t **ret_refs, size_t *ret_count, struct err *err)
{
    AUTO_ROWS struct db_rows rows = {0};
    enum status status =
        db_select(db, &queries[QUERY_RISKS_OF_ASSET], DB_PARAMS(DB_TEXT(asset_id)), &rows, err);
    if (status != OK)
        return status;
    struct gathered refs = {.item_size = sizeof(int64_t), .arena = arena};
    while (db_next(&rows))
        *(int64_t *)gather(&refs) = db_int(&rows, 0);
    status = db_end(&rows, err);
    if (status == OK) {
        *ret_refs = refs.items;
        *ret_count = refs.count;
    }
    return status;
}

enum status risk_store_brief_of_asset(struct db *db, const char *asset_id, size_t most,
                                      struct arena *arena, struct risk **ret_risks,
                                      size_t *ret_count, struct err *err)
{
    AUTO_ROWS struct db_rows rows = {0};
    enum status status = db_select(db, &queries[QUERY_RISKS_BRIEF_OF_ASSET],
                                   DB_PARAMS(DB_TEXT(asset_id), DB_INT((int64_t)most)), &rows, err);
    if (status != OK)
        return status;
    struct gathered risks = {.item_size = sizeof(struct risk), .arena = arena};
    while (db_next(&rows)) {
        struct risk *risk = gather(&risks);
        risk->id = db_text_copy(&rows, 0, arena);
        risk->ref = db_int(&rows, 1);
        risk->title = db_text_copy(&rows, 2, arena);
        risk->score = db_int(&rows, 3);
        risk->level = text_index(level_names, db_text(&rows, 4));
        risk->status = text_index(risk_status_names, db_text(&rows, 5));
    }
    status = db_end(&rows, err);
    if (status == OK) {
        *ret_risks = risks.items;
        *ret_count = risks.count;
    }
    return status;
}
