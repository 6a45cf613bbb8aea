/**
 * A progress bar on standard error, for people: nothing at all if that is not a terminal.
 *
 *     struct progress progress;
 *     progress_init(&progress, "importing");
 *     … progress_show(&progress, done, all); …
 *     progress_end(&progress);
 *
 * Not thread-safe.
 */
#ifndef OPENRISK_APP_PROGRESS_H
#define OPENRISK_APP_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *label;
    bool is_shown;
    int64_t next_ms; /* monotonic: not drawn more often than people can see */
};

void progress_init(struct progress *progress, const char *label);
/** `all` 0: unknown. */
void progress_show(struct progress *progress, int64_t done, int64_t all);
/** Wipes the bar. */
void progress_end(struct progress *progress);

#endif
