/**
 * Who holds a token, remembered: the small cache under the scope `accounts`.
 *
 * It is asked before anything else is answered, on every request. A session is known by the
 * fingerprint of its token, never by the token. Whatever changes an account or ends a token bumps
 * `accounts` before that is acknowledged, so a revoked token is unknown here from then on; expiry
 * goes by the clock on every request. Only tokens that the database knows are ever kept.
 *
 * Thread-safe. A session is counted and immutable but for `note_at`.
 */
#ifndef OPENRISK_API_SESSION_H
#define OPENRISK_API_SESSION_H

#include <stdatomic.h>

#include "cache/cache.h"
#include "service/account_service.h"

struct api;

struct session {
    struct cache_value value; /* first */
    struct caller caller;     /* but for `address` and `by_cookie`; texts are the session's */
    int64_t expires_at;
    _Atomic int64_t note_at; /* when its use should be noted again */
};

/** A reference, or NULL: unknown here, expired, or accounts have changed. `now_ms`: wall clock. */
struct session *session_find(const struct api *api, const char *token, int64_t now_ms);
/** Keep what the database said. A reference; also when it could not be kept. */
struct session *session_keep(const struct api *api, const char *token,
                             const struct authentication *found);
void session_unref(struct session *session); /* NULL allowed */

#endif
