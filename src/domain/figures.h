/**
 * Figures of the register: the tally of risks and what is computed from it. Pure; no I/O.
 *
 * The tally counts risks that are not deleted, per impact, probability, level and status. All
 * that is scored (global score, severity, matrix, trend) leaves out CLOSED ones.
 */
#ifndef OPENRISK_DOMAIN_FIGURES_H
#define OPENRISK_DOMAIN_FIGURES_H

#include <stdbool.h>
#include <stdint.h>

#include "domain/risk.h"

struct tally_cell {
    int64_t count;
    int64_t score_sum; /* hundredths */
};

/** Also used for differences: cells may be negative. */
struct tally {
    struct tally_cell cells[5][5][LEVELS][RISK_STATUSES]; /* [impact − 1][probability − 1] */
};

/** What one risk adds to the tally and to its day, times `sign` (1 or −1); deleted ones nothing. */
void tally_add(struct tally *tally, const struct risk *risk, int sign);

/** The state at the end of a day: scored risks per level. */
struct day_figure {
    int32_t day;
    int64_t levels[LEVELS];
    int64_t score_sum;
};

/** The scored part of a tally, as a day's figures. */
struct day_figure tally_day(const struct tally *tally, int32_t day);
int64_t day_total(const struct day_figure *figure);

/** Sum of the cells of this status, or of all with −1. */
int64_t tally_count(const struct tally *tally, int status);

/** max(0, 100 − trunc(4 × mean score)); 100 if there are no risks. `score_sum` in hundredths. */
int64_t global_risk_score(int64_t count, int64_t score_sum);

#endif
