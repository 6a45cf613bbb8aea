/**
 * What can be done with mitigations and their sub-actions. See service.h for what all of it needs.
 */
#ifndef OPENRISK_SERVICE_MITIGATION_SERVICE_H
#define OPENRISK_SERVICE_MITIGATION_SERVICE_H

#include "service/service.h"
#include "store/mitigation_store.h"
#include "store/risk_store.h"

enum status mitigation_service_list(struct service *service, const struct list_request *request,
                                    struct mitigation_list_page *ret_page,
                                    struct err *err) MUST_CHECK;

struct mitigation_change {
    struct mitigation mitigation;
    field_mask mask;
};
enum status mitigation_service_create(struct service *service, const char *risk_id,
                                      struct mitigation_change *change,
                                      struct mitigation_page *ret_page, struct err *err) MUST_CHECK;
enum status mitigation_service_update(struct service *service, const char *id, int64_t if_match,
                                      const struct mitigation_change *change,
                                      struct mitigation_page *ret_page, struct err *err) MUST_CHECK;
enum status mitigation_service_delete(struct service *service, const char *id, int64_t if_match,
                                      struct err *err) MUST_CHECK;

struct sub_action_change {
    struct sub_action sub_action;
    field_mask mask;
    bool delete_it;
};
/**
 * Make a sub-action (`sub_action_id` NULL), change it, or delete it. The answer is the mitigation
 * afterwards; `ret_index`: where the sub-action stands in it, -1 when it was deleted.
 */
enum status mitigation_service_sub_action(struct service *service, const char *mitigation_id,
                                          const char *sub_action_id, int64_t if_match,
                                          const struct sub_action_change *change,
                                          struct mitigation_page *ret_page, int *ret_index,
                                          struct err *err) MUST_CHECK;

#endif
