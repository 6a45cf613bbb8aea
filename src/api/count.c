#include "api/count.h"

#include "api/internal.h"
#include "base/mem.h"

#define VALUES(array)                                                                              \
    {                                                                                              \
        .items = (array), .count = COUNT_OF(array)                                                 \
    }

/* The statuses that there are; the most frequent ones first. */
static const int statuses[] = {200, 304, 201, 204, 400, 401, 403, 404, 405,
                               409, 412, 413, 415, 422, 429, 500, 503};
static const char *const status_texts[] = {"200", "304", "201", "204", "400", "401",
                                           "403", "404", "405", "409", "412", "413",
                                           "415", "422", "429", "500", "503", "other"};
const struct metric_values count_statuses = VALUES(status_texts);
_Static_assert(COUNT_OF(status_texts) == COUNT_OF(statuses) + 1, "one more for the others");

enum rejection {
    REJECTED_MALFORMED,
    REJECTED_BODY_TOO_LARGE,
    REJECTED_EXPECTATION,
    REJECTED_HEAD_TOO_LARGE,
    REJECTED_NOT_IMPLEMENTED,
    REJECTED_BODY_BUDGET,
    REJECTED_CONNECTION_LIMIT,
    REJECTED_ABANDONED, /* the client was gone before its request had come whole */
};
static const char *const rejections[] = {"malformed",        "body_too_large",  "expectation",
                                         "head_too_large",   "not_implemented", "body_budget",
                                         "connection_limit", "abandoned"};
const struct metric_values count_rejections = VALUES(rejections);

static const char *const logins[] = {"ok", "failed", "throttled", "busy"};
const struct metric_values count_logins = VALUES(logins);

static const char *const results[] = {"hit_l1", "hit_l2",    "unverified",
                                      "miss",   "coalesced", "bypass"};
const struct metric_values count_results = VALUES(results);

static const char *const caches[] = {"responses", "sessions"};
const struct metric_values count_caches = VALUES(caches);

static const char *const pools[] = {"general", "password"};
const struct metric_values count_pools = VALUES(pools);

static const char *const connections[] = {"in_use", "idle", "opening", "other"};
const struct metric_values count_connections = VALUES(connections);

static enum count_result result_of(enum answer_way way)
{
    switch (way) {
    case WAY_HIT:
        return RESULT_HIT_L1;
    case WAY_SECOND:
        return RESULT_HIT_L2;
    case WAY_UNVERIFIED:
        return RESULT_UNVERIFIED;
    case WAY_COLLAPSED:
        return RESULT_COALESCED;
    case WAY_STORED:
    case WAY_MISS:
        return RESULT_MISS;
    case WAY_BYPASS:
    case WAY_NONE:
        break;
    }
    return RESULT_BYPASS;
}

const char *count_result_name(enum answer_way way)
{
    return way == WAY_NONE ? "-" : results[result_of(way)];
}

static size_t status_place(int http_status)
{
    size_t place = 0;
    while (place < COUNT_OF(statuses) && statuses[place] != http_status)
        place++;
    return place;
}

bool count_is_error(size_t status)
{
    return status < COUNT_OF(statuses) && statuses[status] >= 500;
}

void count_begun(void)
{
    metrics_move(METRIC_IN_FLIGHT, 1);
}

void count_ended(const struct passage *passage, int http_status, int64_t took_us)
{
    const struct route *found = passage->match.route;
    size_t route = found ? (size_t)(found - routes) : route_count;
    metrics_move(METRIC_IN_FLIGHT, -1);
    if (http_status == 0) {
        metrics_add(METRIC_REJECTED, REJECTED_ABANDONED, 0, 1);
        return;
    }
    metrics_add(METRIC_REQUESTS, route, status_place(http_status), 1);
    metrics_observe(METRIC_REQUEST_SECONDS, route, 0, took_us);
    if (passage->way != WAY_NONE)
        metrics_add(METRIC_CACHE_REQUESTS, COUNT_RESPONSES, result_of(passage->way), 1);
}

void count_rejected(int http_status)
{
    enum rejection rejection = http_status == 413   ? REJECTED_BODY_TOO_LARGE
                               : http_status == 417 ? REJECTED_EXPECTATION
                               : http_status == 431 ? REJECTED_HEAD_TOO_LARGE
                               : http_status == 501 ? REJECTED_NOT_IMPLEMENTED
                               : http_status == 503 ? REJECTED_BODY_BUDGET
                                                    : REJECTED_MALFORMED;
    metrics_add(METRIC_REJECTED, rejection, 0, 1);
}

void count_crowded(void *context)
{
    (void)context;
    metrics_add(METRIC_REJECTED, REJECTED_CONNECTION_LIMIT, 0, 1);
}

void count_unread(void *context, int http_status)
{
    (void)context;
    count_rejected(http_status);
}

void count_login(enum count_login result)
{
    metrics_add(METRIC_LOGINS, result, 0, 1);
}
