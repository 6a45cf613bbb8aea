/**
 * Targets of requests, taken apart and judged (http/guard.h).
 *
 * What a target means depends on its bytes alone, and most requests ask for what was asked for a
 * moment ago. So each event loop keeps the targets it saw last, and with each one what the
 * application has made of it. A target is counted; it belongs to its loop and needs no lock: other
 * threads may read one that a request of theirs holds.
 */
#ifndef OPENRISK_HTTP_TARGET_H
#define OPENRISK_HTTP_TARGET_H

#include "http/http.h"

struct target {
    unsigned references;
    struct arena arena; /* of all that belongs to it */
    uint64_t hash;
    size_t length;
    const char *raw; /* as received */
    int refused;     /* an HTTP status; 0: it is good */
    const char *detail;
    const char *path;
    struct http_params query;
    void *note; /* the application's */
};

enum { TARGETS_KEPT = 128, TARGET_KEPT_BYTES_MAX = 512 };

struct targets {
    struct target *kept[TARGETS_KEPT]; /* each in the place of its hash */
};

/** Never NULL; one reference. */
struct target *targets_get(struct targets *targets, const char *raw);
void target_unref(struct target *target);
void targets_release(struct targets *targets);

#endif
