/**
 * The metrics of a server: what their labels may be, and what is asked of its parts when they are
 * read. The one place that knows both the table of metrics and all the parts.
 */
#ifndef OPENRISK_APP_TELEMETRY_H
#define OPENRISK_APP_TELEMETRY_H

#include "base/mem.h"
#include "metrics/metrics.h"

struct server;

/** The texts of labels that are made. */
struct telemetry {
    char **routes;
    const char **queries;
    char *build;
};

/** metrics_start() with all labels; for a zeroed one. `store`: the name of the engine. */
void telemetry_start(struct telemetry *telemetry, const char *store);
/** When no other thread counts any more. Zeroed is allowed. */
void telemetry_stop(struct telemetry *telemetry);
#define AUTO_TELEMETRY CLEANUP(telemetry_stop)

/** For api_settings: `server` was started. Thread-safe. */
void telemetry_read(void *server, struct metrics_reading *reading);

#endif
