/**
 * What can be done with assets. See service.h for what all of it needs.
 */
#ifndef OPENRISK_SERVICE_ASSET_SERVICE_H
#define OPENRISK_SERVICE_ASSET_SERVICE_H

#include "service/service.h"
#include "store/asset_store.h"
#include "store/risk_store.h"

enum { ASSET_RISKS_SHOWN = 100 };

/** An asset with the highest of its risks; `asset.risk_count` tells how many it has. */
struct asset_page {
    struct asset asset;
    struct risk *risks; /* id, ref, title, score, level, status */
    size_t risk_count;
};
enum status asset_service_get(struct service *service, const char *id, struct asset_page *ret_page,
                              struct err *err) MUST_CHECK;
enum status asset_service_list(struct service *service, const struct list_request *request,
                               struct asset_list_page *ret_page, struct err *err) MUST_CHECK;

struct asset_change {
    struct asset asset;
    field_mask mask;
};
enum status asset_service_create(struct service *service, struct asset_change *change,
                                 struct asset_page *ret_page, struct err *err) MUST_CHECK;
/** A change of criticality rescores the asset's risks in the same transaction. */
enum status asset_service_update(struct service *service, const char *id, int64_t if_match,
                                 const struct asset_change *change, struct asset_page *ret_page,
                                 struct err *err) MUST_CHECK;
/** Its risks lose it and are rescored. */
enum status asset_service_delete(struct service *service, const char *id, int64_t if_match,
                                 struct err *err) MUST_CHECK;

#endif
