/**
 * Risks in the database, with what hangs on them: labels, search text, links to assets.
 *
 * Inside a transaction of the caller. Records and their texts go to the arena given. Not
 * thread-safe.
 */
#ifndef OPENRISK_STORE_RISK_STORE_H
#define OPENRISK_STORE_RISK_STORE_H

#include "domain/asset.h"
#include "domain/mitigation.h"
#include "domain/risk.h"
#include "store/list.h"

/** By id ("0192…") or ref ("R-12", "12"), deleted ones too. NOT_FOUND. */
enum status risk_store_get(struct db *db, const char *id_or_ref, struct arena *arena,
                           struct risk *ret_risk, struct err *err) MUST_CHECK;
enum status risk_store_get_ref(struct db *db, int64_t ref, struct arena *arena,
                               struct risk *ret_risk, struct err *err) MUST_CHECK;
/** `source` may be NULL. */
enum status risk_store_find_external(struct db *db, const char *source, const char *external_id,
                                     struct arena *arena, struct risk *ret_risk,
                                     struct err *err) MUST_CHECK;

/** Reserve `count` refs; the first of them. They are never given again. */
enum status risk_store_new_refs(struct db *db, int64_t count, int64_t *ret_first,
                                struct err *err) MUST_CHECK;
/** See that no ref up to `highest` is given again (after an import that brought its own). */
enum status risk_store_keep_refs(struct db *db, int64_t highest, struct err *err) MUST_CHECK;

/**
 * Search texts that wait to be written. The search index gathers entries in a table that just fits
 * a processor's cache; writing many texts in a row, not between rows of other tables, makes imports
 * a quarter faster.
 */
struct text_queue {
    struct arena arena;
    struct queued_text *items;
    size_t count;
};
void text_queue_init(struct text_queue *queue);
void text_queue_release(struct text_queue *queue);
/** Write them all: before one of their risks is changed, and before the commit. */
enum status text_queue_write(struct db *db, struct text_queue *queue, struct err *err) MUST_CHECK;

/**
 * All members are set by the caller, id and ref too. `later` takes the search text; NULL: it is
 * written at once. CONFLICT with field "external_id".
 */
enum status risk_store_insert(struct db *db, const struct risk *risk, struct text_queue *later,
                              struct arena *arena, struct err *err) MUST_CHECK;
/** `before` is what the database holds now: what search and labels know must be taken out. */
enum status risk_store_update(struct db *db, const struct risk *before, const struct risk *after,
                              struct arena *arena, struct err *err) MUST_CHECK;

enum status risk_store_link(struct db *db, int64_t ref, const char *asset_id,
                            struct err *err) MUST_CHECK;
enum status risk_store_unlink(struct db *db, int64_t ref, const char *asset_id,
                              struct err *err) MUST_CHECK;

/** A risk with all that its page shows. */
struct risk_page {
    struct risk risk;
    struct asset *assets;
    size_t asset_count;
    struct mitigation_page *mitigations;
    size_t mitigation_count;
};
struct mitigation_page {
    struct mitigation mitigation;
    struct sub_action *sub_actions;
    size_t sub_action_count;
};

/** Fill `risk` of pages whose `risk.ref` is that of a risk, in this order: one statement. */
enum status risk_store_load(struct db *db, struct risk_page *pages, size_t count,
                            struct arena *arena, struct err *err) MUST_CHECK;

/** Fill assets, mitigations and sub-actions of risks whose `risk` is set: three statements. */
enum status risk_store_fill(struct db *db, struct risk_page *pages, size_t count,
                            struct arena *arena, struct err *err) MUST_CHECK;

/** One risk with all of that, by id or ref: four statements. */
enum status risk_store_page(struct db *db, const char *id_or_ref, struct arena *arena,
                            struct risk_page *ret_page, struct err *err) MUST_CHECK;

struct risk_list_page {
    struct risk_page *items;
    struct list_result result;
};
/** Five statements, the last of their transaction. */
enum status risk_store_list(struct db *db, const struct list_request *request, const char *today,
                            struct arena *arena, struct risk_list_page *ret_page,
                            struct err *err) MUST_CHECK;

/** The highest scores that are neither deleted nor CLOSED, without what hangs on them. */
enum status risk_store_top(struct db *db, size_t most, struct arena *arena, struct risk **ret_risks,
                           size_t *ret_count, struct err *err) MUST_CHECK;

/** The refs of an asset's risks, deleted ones too. */
enum status risk_store_refs_of_asset(struct db *db, const char *asset_id, struct arena *arena,
                                     int64_t **ret_refs, size_t *ret_count,
                                     struct err *err) MUST_CHECK;

/** id, ref, title, score, level, status of an asset's risks, highest score first. */
enum status risk_store_brief_of_asset(struct db *db, const char *asset_id, size_t most,
                                      struct arena *arena, struct risk **ret_risks,
                                      size_t *ret_count, struct err *err) MUST_CHECK;

#endif
