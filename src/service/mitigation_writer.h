/**
 * Writing mitigations and sub-actions inside a write transaction: tallies, progress and the risk's
 * timeline are kept right. See writer.h.
 */
#ifndef OPENRISK_SERVICE_MITIGATION_WRITER_H
#define OPENRISK_SERVICE_MITIGATION_WRITER_H

#include "service/writer.h"

/**
 * Add a mitigation to a risk: sets id and times where they are 0 or NULL. Members of `mask` were
 * given by a person; a progress among them no longer follows the sub-actions. The risk's version
 * rises. CONFLICT if the risk has too many.
 */
enum status writer_create_mitigation(struct writer *writer, const struct risk_page *page,
                                     struct mitigation *mitigation, field_mask mask,
                                     struct err *err) MUST_CHECK;

/** Write `after` over `before`; `mask` as above. Nothing is written if nothing differs. */
enum status writer_update_mitigation(struct writer *writer, const struct risk_page *page,
                                     const struct mitigation *before, struct mitigation *after,
                                     field_mask mask, struct err *err) MUST_CHECK;
enum status writer_delete_mitigation(struct writer *writer, const struct risk_page *page,
                                     const struct mitigation *mitigation,
                                     struct err *err) MUST_CHECK;

/** What happens to a sub-action: one of both NULL: it appears or goes. */
enum status writer_sub_action(struct writer *writer, const struct risk_page *page,
                              const struct mitigation_page *mitigation,
                              const struct sub_action *before, struct sub_action *after,
                              struct err *err) MUST_CHECK;

#endif
