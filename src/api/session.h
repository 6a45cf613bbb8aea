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
/** The same while the database is away, for answers that say so (cache_get_unverified()). */
struct session *session_find_unverified(const struct api *api, const char *token, int64_t now_ms);
/** Keep what the database said. A reference; also when it could not be kept. */
struct session *session_keep(const struct api *api, const char *token,
                             const struct authentication *found);

/**
 * Find it, or wait for somebody who asks the database, or be that one (cache_enter()): however many
 * bring a token at once, one asks. With CACHE_HIT `ret_session` is a reference, which may have
 * expired. Only with a cache.
 */
enum cache_entrance session_enter(const struct api *api, const char *token,
                                  struct cache_waiter *waiter, struct session **ret_session,
                                  struct cache_flight **ret_flight);
/**
 * The one who asked has an answer: `found` if `status` is OK, else `err`. `began_ms` (monotonic) is
 * when its snapshot began. False if accounts have changed meanwhile: ask once more.
 */
bool session_land(struct cache_flight *flight, int64_t began_ms, enum status status,
                  const struct authentication *found, const struct err *err,
                  struct session **ret_session) MUST_CHECK;
struct session *session_of(struct cache_value *value);

/** Is its use to be noted now? If so, the caller does it, and nobody else for a second. */
bool session_claim_note(struct session *session, int64_t now_ms);
void session_unref(struct session *session); /* NULL allowed */

#endif
