/**
 * A mitigation: one thing that is done about a risk, with sub-actions. Pure; no I/O.
 */
#ifndef OPENRISK_DOMAIN_MITIGATION_H
#define OPENRISK_DOMAIN_MITIGATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/field.h"

enum mitigation_status { MITIGATION_PLANNED, MITIGATION_IN_PROGRESS, MITIGATION_DONE };
extern const char *const mitigation_status_names[];

enum { MITIGATIONS_PER_RISK_MAX = 200, SUB_ACTIONS_PER_MITIGATION_MAX = 100 };

struct mitigation {
    const char *id;
    const char *risk_id;
    const char *title;
    const char *description;
    const char *assignee;
    int status;       /* enum mitigation_status */
    int64_t progress; /* percent */
    const char *due_date;
    int64_t cost;            /* whole units of the team's currency */
    int64_t mitigation_time; /* days of work */
    const char *created_by;
    int64_t created_at;
    int64_t updated_at;
    int64_t version;
    /* not members of the API */
    int64_t risk_ref;
    const char *risk_title; /* only in lists over all risks */
    bool progress_by_hand;  /* progress was set by a person and no longer follows the sub-actions */
    const char *import_key; /* its name at the source of an import, NULL if made by hand */
};

struct sub_action {
    const char *id;
    const char *title;
    bool completed;
    /* not members of the API */
    const char *mitigation_id;
    int64_t position;
};

extern const struct field_table mitigation_table;
extern const struct field_table sub_action_table;

/** Progress in percent as the sub-actions say: done × 100 / all, rounded down; 0 without any. */
int64_t mitigation_progress(int64_t done, int64_t all);

/** Due before `today` (YYYY-MM-DD) and not DONE. */
bool mitigation_is_overdue(const struct mitigation *mitigation, const char *today);

#endif
