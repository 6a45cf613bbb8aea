/**
 * What can be done with risks. See service.h for what all of it needs.
 */
#ifndef OPENRISK_SERVICE_RISK_SERVICE_H
#define OPENRISK_SERVICE_RISK_SERVICE_H

#include "service/service.h"
#include "store/history_store.h"
#include "store/risk_store.h"
#include "store/value_store.h"

/** NOT_FOUND for deleted ones too. */
enum status risk_service_get(struct service *service, const char *id_or_ref,
                             struct risk_page *ret_page, struct err *err) MUST_CHECK;
enum status risk_service_list(struct service *service, const struct list_request *request,
                              struct risk_list_page *ret_page, struct err *err) MUST_CHECK;

/** The `most` highest scores that are not CLOSED, without assets and mitigations. */
enum status risk_service_top(struct service *service, size_t most, struct risk **ret_risks,
                             size_t *ret_count, struct err *err) MUST_CHECK;

/** See value_store_find(). */
enum status risk_service_values(struct service *service, enum value_member member, const char *part,
                                size_t most, struct value_list *ret_list,
                                struct err *err) MUST_CHECK;

/** What a body may say: the members of `mask`, and the assets unless `asset_ids` is NULL. */
struct risk_change {
    struct risk risk;
    field_mask mask;
    const struct texts *asset_ids;
};
enum status risk_service_create(struct service *service, struct risk_change *change,
                                struct risk_page *ret_page, struct err *err) MUST_CHECK;
/** `if_match`: the version the caller saw, 0 for any. */
enum status risk_service_update(struct service *service, const char *id_or_ref, int64_t if_match,
                                const struct risk_change *change, struct risk_page *ret_page,
                                struct err *err) MUST_CHECK;
enum status risk_service_delete(struct service *service, const char *id_or_ref, int64_t if_match,
                                struct err *err) MUST_CHECK;
/** CONFLICT if it is not deleted. */
enum status risk_service_restore(struct service *service, const char *id_or_ref,
                                 struct risk_page *ret_page, struct err *err) MUST_CHECK;

enum bulk_action { BULK_SET, BULK_DELETE, BULK_RESTORE };

/** One risk of many. */
struct bulk_item {
    const char *id;  /* or ref; afterwards the id */
    int64_t version; /* the one the caller saw, 0 for any; afterwards the new one */
    const struct risk_change *change; /* BULK_SET: the members; else NULL */
    bool was_changed;                 /* afterwards: it differed */
};
/**
 * All or nothing. A failure names its item as `name`[i]; of versions that are not the risks', all
 * are named (STALE). INVALID if a risk is named twice. Else as with one risk.
 */
enum status risk_service_bulk(struct service *service, enum bulk_action action,
                              struct bulk_item *items, size_t count, const char *name,
                              struct err *err) MUST_CHECK;

/** Newest first; of one risk (deleted ones too), or with `id_or_ref` NULL of all. */
enum status risk_service_history(struct service *service, const char *id_or_ref,
                                 struct list_request *request, struct history_list_page *ret_page,
                                 struct err *err) MUST_CHECK;

#endif
