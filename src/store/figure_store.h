/**
 * Figures in the database: the tallies and the days, and the differences a transaction makes.
 *
 * A writer collects what its writes change in a `struct figure_changes` and writes it once before
 * it commits, however many risks it touched. Not thread-safe.
 */
#ifndef OPENRISK_STORE_FIGURE_STORE_H
#define OPENRISK_STORE_FIGURE_STORE_H

#include "domain/figures.h"
#include "domain/mitigation.h"
#include "store/db.h"

struct mitigation_cell {
    int status;           /* enum mitigation_status */
    const char *due_date; /* "" = none */
    int64_t count, progress_sum, cost_sum;
};

struct mitigation_tally {
    struct mitigation_cell *cells;
    uint32_t *slots; /* 2 × capacity positions of cells by hash, from 1; 0 = none */
    size_t count, capacity;
    struct arena *arena;
};

struct figure_changes {
    struct tally risks;
    struct mitigation_tally mitigations;
};

void mitigation_tally_init(struct mitigation_tally *tally, struct arena *arena);
void mitigation_tally_add(struct mitigation_tally *tally, const struct mitigation *mitigation,
                          int sign);
/** Several mitigations at once: those of one status and due date. */
void mitigation_tally_add_cell(struct mitigation_tally *tally, const struct mitigation_cell *cell);

struct figure_changes *figure_changes_new(struct arena *arena);
/** `before` or `after` NULL: the risk appears or goes. Deleted ones count for nothing. */
void figure_changes_risk(struct figure_changes *changes, const struct risk *before,
                         const struct risk *after);
void figure_changes_mitigation(struct figure_changes *changes, const struct mitigation *before,
                               const struct mitigation *after);
/** Add them to the tallies and to today's figures. Call once, last before db_commit(). */
enum status figure_changes_write(struct db *db, const struct figure_changes *changes,
                                 int64_t now_ms, struct err *err) MUST_CHECK;

enum status figure_mitigations(struct db *db, struct mitigation_tally *ret_tally,
                               struct err *err) MUST_CHECK;
/** What the tally of mitigations sums up to. */
struct mitigation_metrics {
    int64_t counts[3]; /* by enum mitigation_status */
    int64_t total, progress_sum, cost_sum, overdue;
};
/** Either may be NULL; a statement for each, asked for together. */
enum status figure_read(struct db *db, const char *today, struct tally *ret_tally,
                        struct mitigation_metrics *ret_metrics, struct err *err) MUST_CHECK;

/** `count` days from `first` on, each with the state at its end; gaps are filled. */
enum status figure_days(struct db *db, int32_t first, size_t count, struct day_figure *ret_days,
                        struct err *err) MUST_CHECK;

/** Replace all figures: the tallies as given, and the days that changed something. */
enum status figure_replace(struct db *db, const struct tally *tally,
                           const struct mitigation_tally *mitigations,
                           const struct day_figure *days, size_t day_count,
                           struct err *err) MUST_CHECK;

#endif
