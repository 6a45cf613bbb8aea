/**
 * What is counted of requests, and the values of the labels that it is told apart by, for
 * metrics_start(). Those of SET_ROUTE are the routes of the table, and one more for none of them.
 *
 * Every request whose `begin` was called is counted once when it ends: by its route and status, or
 * as abandoned, if its client was gone before it had come whole.
 */
#ifndef OPENRISK_API_COUNT_H
#define OPENRISK_API_COUNT_H

#include "api/answer.h"
#include "metrics/metrics.h"

struct passage;

extern const struct metric_values count_statuses, count_rejections, count_logins, count_results;
/** The caches, as SET_CACHE numbers them. */
enum count_cache { COUNT_RESPONSES, COUNT_SESSIONS };
extern const struct metric_values count_caches;
/** What the cache can do for who asks it, as SET_CACHE_RESULT numbers it. */
enum count_result {
    RESULT_HIT_L1,
    RESULT_HIT_L2,
    RESULT_UNVERIFIED,
    RESULT_MISS,
    RESULT_COALESCED,
    RESULT_BYPASS,
};
/** The pools, and what a connection is doing, as SET_POOL and SET_CONNECTION number them. */
enum count_pool { POOL_GENERAL, POOL_PASSWORD };
enum count_connection { STATE_IN_USE, STATE_IDLE, STATE_OPENING, STATE_OTHER };
extern const struct metric_values count_pools, count_connections;
/** The name of what the cache did; "-": nothing. */
const char *count_result_name(enum answer_way way);
enum count_login { LOGIN_OK, LOGIN_FAILED, LOGIN_THROTTLED, LOGIN_BUSY };

/** Is this place among count_statuses an error of the server? */
bool count_is_error(size_t status);

/** On the event loop of the request. */
void count_begun(void);
void count_ended(const struct passage *passage, int http_status, int64_t took_us);
/** The server itself refuses a request with this status. */
void count_rejected(int http_status);
/** It closes a connection, as there are too many. */
void count_crowded(void *context);
/** The library refuses what could not even be read. */
void count_unread(void *context, int http_status);
/** On the worker that hashes passwords. */
void count_login(enum count_login result);

#endif
