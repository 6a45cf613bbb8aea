/**
 * Recomputing everything that is kept twice, from the rows, and reporting each difference.
 *
 * Scores and levels from the links; tallies from the risks; days from the recorded history; counts
 * of assets; labels and search entries; the newest history row against its risk; hidden flags of
 * mitigations; and the engine's own check of its file.
 */
#ifndef OPENRISK_SERVICE_CHECK_H
#define OPENRISK_SERVICE_CHECK_H

#include "service/service.h"

/** Called for each difference with one line for people. */
typedef void check_report(void *context, const char *difference);

enum status check_register(struct service *service, check_report *report, void *context,
                           int64_t *ret_differences, struct err *err) MUST_CHECK;

/** Replace the figures by what the rows and the history say; inside a write transaction. */
enum status check_rebuild_figures(struct service *service, struct err *err) MUST_CHECK;

#endif
