/**
 * Figures of the register, from the tallies and the recorded days. See service.h.
 */
#ifndef OPENRISK_SERVICE_STATS_SERVICE_H
#define OPENRISK_SERVICE_STATS_SERVICE_H

#include "domain/figures.h"
#include "service/service.h"
#include "store/figure_store.h"

/** Either may be NULL; a statement for each, from one snapshot. */
enum status stats_service_get(struct service *service, struct tally *ret_tally,
                              struct mitigation_metrics *ret_metrics, struct err *err) MUST_CHECK;

/** The last `count` days, today last: one statement. */
enum status stats_service_trend(struct service *service, size_t count, struct day_figure *ret_days,
                                struct err *err) MUST_CHECK;

#endif
