/**
 * Figures of the register, from the tallies and the recorded days. See service.h.
 */
#ifndef OPENRISK_SERVICE_STATS_SERVICE_H
#define OPENRISK_SERVICE_STATS_SERVICE_H

#include "domain/figures.h"
#include "service/service.h"
#include "store/figure_store.h"

struct stats {
    struct tally tally;
    struct mitigation_tally mitigations;
};
/** Both tallies: two statements. */
enum status stats_service_get(struct service *service, struct stats *ret_stats,
                              struct err *err) MUST_CHECK;
int64_t stats_overdue(const struct stats *stats, const char *today);

/** The last `count` days, today last: one statement. */
enum status stats_service_trend(struct service *service, size_t count, struct day_figure *ret_days,
                                struct err *err) MUST_CHECK;

#endif
