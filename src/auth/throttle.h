/**
 * Limits on tries: how often a key (an account, an address) may fail.
 *
 * A leaky bucket per key: each failure fills it by one, it drains by one per `drain_ms`. A full
 * bucket refuses, so that nobody is locked out for ever. The table has a fixed number of
 * buckets; the emptiest of a small set gives way. Keys are kept as keyed hashes. Thread-safe.
 */
#ifndef OPENRISK_AUTH_THROTTLE_H
#define OPENRISK_AUTH_THROTTLE_H

#include <stdint.h>

#include "base/status.h"

struct throttle;

/** `burst` failures are allowed at once, then one more per `drain_ms`. After password_init(). */
struct throttle *throttle_new(unsigned burst, unsigned drain_ms);
void throttle_free(struct throttle *throttle); /* NULL allowed */

/** OK, or LIMITED with err->retry_after_s. `now_ms` is monotonic. */
enum status throttle_check(struct throttle *throttle, const char *key, int64_t now_ms,
                           struct err *err) MUST_CHECK;
void throttle_fail(struct throttle *throttle, const char *key, int64_t now_ms);
void throttle_clear(struct throttle *throttle, const char *key);

#endif
