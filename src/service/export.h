/**
 * Exporting the register as one JSON document, which import reads back: assets, risks (deleted ones
 * too) with mitigations, sub-actions, links, history and import baselines. Accounts, tokens and the
 * audit log are not in it; `openrisk backup` keeps those.
 */
#ifndef OPENRISK_SERVICE_EXPORT_H
#define OPENRISK_SERVICE_EXPORT_H

#include "service/service.h"
#include "store/list.h"

/**
 * Write the document to a file descriptor, streaming, from one snapshot; memory does not grow with
 * the register. `view`: the risks of this list in its order, whatever page it asks for, and the
 * assets that they name; NULL: everything. `progress` (risks done, all) may be NULL; of a view it
 * is not called. UNAVAILABLE if it cannot be written.
 */
enum status export_json(struct service *service, const struct list_request *view, int fd,
                        void (*progress)(void *context, int64_t done, int64_t all), void *context,
                        struct err *err) MUST_CHECK;

#endif
