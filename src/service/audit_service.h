/**
 * The audit log: what writer.h does not note by itself, and reading it. See service.h.
 */
#ifndef OPENRISK_SERVICE_AUDIT_SERVICE_H
#define OPENRISK_SERVICE_AUDIT_SERVICE_H

#include "service/service.h"
#include "store/history_store.h"

/** Note something that was refused: `result` names the status. In a transaction of its own. */
enum status audit_service_refused(struct service *service, const char *actor, const char *target,
                                  enum status result, const char *detail,
                                  struct err *err) MUST_CHECK;

enum status audit_service_list(struct service *service, const struct list_request *request,
                               struct audit_list_page *ret_page, struct err *err) MUST_CHECK;

#endif
