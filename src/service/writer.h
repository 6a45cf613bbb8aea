/**
 * One write transaction. Whatever changes the register goes through here, so that scores, figures,
 * history, counts and the audit log can never be forgotten.
 *
 *     struct writer w;
 *     enum status status = writer_begin(&w, service, err);
 *     if (status != OK) return status;
 *     status = … writer_update_risk(&w, …);
 *     return writer_end(&w, status, err);
 *
 * writer_end() commits if all went well and rolls back otherwise. Reads inside see the writer's own
 * changes. Not thread-safe.
 */
#ifndef OPENRISK_SERVICE_WRITER_H
#define OPENRISK_SERVICE_WRITER_H

#include "base/buf.h"
#include "service/service.h"
#include "store/figure_store.h"
#include "store/risk_store.h"
#include "json/json_write.h"

struct writer {
    struct service *service;
    struct db *db;
    struct arena *arena; /* for records; an import changes it to one that it clears */
    struct figure_changes *figures;
    struct asset_counts *asset_counts; /* how many risks assets win and lose; written at the end */
    struct text_queue *later; /* search texts of new risks; NULL: they are written at once */
    const char *target;       /* for the audit log: what was written to; "" */
    const char *detail;       /* for the audit log; "" */
};

enum status writer_begin(struct writer *writer, struct service *service,
                         struct err *err) MUST_CHECK;
/** For what need not wait for other writers: see db_begin_note(). */
enum status writer_begin_note(struct writer *writer, struct service *service,
                              struct err *err) MUST_CHECK;
/** `status` is that of the work; returns it, or that of the commit. */
enum status writer_end(struct writer *writer, enum status status, struct err *err) MUST_CHECK;

/**
 * Changes for the timeline: [{"member":"impact","from":2,"to":4}, …]; `subject` names the
 * mitigation or sub-action that a member belongs to.
 */
struct change_list {
    struct buf text;
    struct json_writer out;
    size_t count;
};
void changes_init(struct change_list *changes);
void changes_release(struct change_list *changes);
#define AUTO_CHANGES __attribute__((cleanup(changes_release)))
/** Members with FIELD_TRACKED that differ; `before` NULL: nothing. `prefix`: "mitigation." or "".
 */
void changes_add_fields(struct change_list *changes, const struct field_table *table,
                        const char *prefix, const char *subject, const void *before,
                        const void *after, struct arena *arena);
/** One change; the texts are JSON or NULL. */
void changes_add(struct change_list *changes, const char *member, const char *subject,
                 const char *from_json, const char *to_json);
/** A text as JSON, in the arena. */
char *changes_text(const char *text, struct arena *arena);

/**
 * Make a risk: sets id, ref and times where they are 0 or NULL, score and level always; links the
 * assets. CONFLICT with field "external_id".
 */
enum status writer_create_risk(struct writer *writer, struct risk *risk, const struct asset *assets,
                               size_t asset_count, struct err *err) MUST_CHECK;

/**
 * Write `risk` over `page->risk`, and the assets over `page->assets`; version, score and level are
 * set here. Nothing is written, and the version stays, if nothing differs and `changes` is empty.
 * `action`: "updated", "deleted", …; `changes`: more for the timeline, may be NULL.
 */
struct risk_update {
    const struct risk_page *page; /* what the database holds */
    struct risk *risk;            /* what it is to hold */
    const struct asset *assets;   /* NULL: as they are */
    size_t asset_count;
    const char *action;
    struct change_list *changes;
};
enum status writer_update_risk(struct writer *writer, const struct risk_update *update,
                               struct err *err) MUST_CHECK;

/** Hide or show what hangs on a risk when it is deleted or restored. */
enum status writer_delete_risk(struct writer *writer, const struct risk_page *page, bool deleted,
                               struct err *err) MUST_CHECK;

/** A risk that is to be changed, with all that hangs on it: not deleted, and of that version. */
enum status writer_load(struct writer *writer, const char *id_or_ref, int64_t if_match,
                        struct risk_page *ret_page, struct err *err) MUST_CHECK;

/** STALE unless `if_match` is 0 or the version. */
enum status writer_match(int64_t if_match, int64_t version, struct err *err) MUST_CHECK;

#endif
