/**
 * The line that a request has in the log.
 *
 * Each has one, but for two kinds that could fill a disk:
 *   hits, of which each LOG_HIT_SAMPLEth of an event loop has one, with `sample=`;
 *   503 and 429, of which each event loop has REFUSALS_PER_SECOND; those beyond are counted, and
 *   told by `event=requests_not_logged` when a later second has a request, or the loop ends.
 */
#ifndef OPENRISK_API_REQUEST_LOG_H
#define OPENRISK_API_REQUEST_LOG_H

#include <stdbool.h>
#include <stdint.h>

struct passage;

/** On its event loop, once; `now_us` is the monotonic clock's. */
void request_log(const struct passage *passage, int status, int64_t took_us, int64_t now_us);

/** Is this a `traceparent` of version 00 (W3C Trace Context, section 3.2)? */
bool request_log_is_traceparent(const char *text);

#endif
