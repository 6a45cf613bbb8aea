/**
 * Replaying the recorded history: what the register was at the end of each day.
 */
#ifndef OPENRISK_SERVICE_REPLAY_H
#define OPENRISK_SERVICE_REPLAY_H

#include "store/figure_store.h"

/** The days on which something changed, ascending, each with the state at its end (UTC). */
struct replay {
    struct day_figure *days;
    size_t count;
};

/** Inside a transaction of the caller. */
enum status replay_history(struct db *db, struct arena *arena, struct replay *ret_replay,
                           struct err *err) MUST_CHECK;

#endif
