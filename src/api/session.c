#include "api/session.h"

#include <stdlib.h>
#include <string.h>

#include "api/count.h"
#include "api/internal.h"
#include "base/mem.h"

enum {
    KEPT_MS = 60 * 1000, /* changes that bypass the program (another's SQL) are seen after this */
    TRY_AGAIN_MS = 1000, /* noting a use that could not be noted */
};

/** The key of a token; `fingerprint` is its text. */
static struct cache_key key_of(const struct api *api, const char *token,
                               struct fingerprint *fingerprint)
{
    *fingerprint = fingerprint_of(api->fingerprint_key, token, strlen(token));
    return (struct cache_key){.text = (const char *)fingerprint,
                              .length = sizeof *fingerprint,
                              .hash = fingerprint->words[0]};
}

typedef struct cache_value *get(struct cache *cache, const struct cache_key *key, int64_t now_ms);

static struct session *find_by(get *get_value, const struct api *api, const char *token,
                               int64_t now_ms)
{
    struct cache *cache = api->settings.sessions;
    if (!cache)
        return NULL;
    struct fingerprint fingerprint;
    struct cache_key key = key_of(api, token, &fingerprint);
    struct session *session = session_of(get_value(cache, &key, clock_monotonic_coarse_ms()));
    if (session && session->expires_at <= now_ms) {
        session_unref(session);
        return NULL;
    }
    return session;
}

static struct session *counted(struct session *session, enum count_result result)
{
    if (session)
        metrics_add(METRIC_CACHE_REQUESTS, COUNT_SESSIONS, result, 1);
    return session;
}

struct session *session_find(const struct api *api, const char *token, int64_t now_ms)
{
    return counted(find_by(cache_get, api, token, now_ms), RESULT_HIT_L1);
}

struct session *session_find_unverified(const struct api *api, const char *token, int64_t now_ms)
{
    return counted(find_by(cache_get_unverified, api, token, now_ms), RESULT_UNVERIFIED);
}

static void free_session(struct cache_value *value)
{
    free(value);
}

/** Copy a text behind the struct. */
static const char *keep_text(char **at, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*at, text, size);
    *at += size;
    return copy;
}

static struct session *session_new(const struct authentication *found)
{
    const struct caller *caller = &found->caller;
    size_t size = sizeof(struct session) + strlen(caller->user_id) + strlen(caller->email) +
                  strlen(caller->token_id) + 3;
    struct session *session = mem_zalloc(1, size);
    char *at = (char *)(session + 1);
    cache_value_init(&session->value, mem_footprint(size), free_session);
    session->caller = *caller;
    session->caller.user_id = keep_text(&at, caller->user_id);
    session->caller.email = keep_text(&at, caller->email);
    session->caller.token_id = keep_text(&at, caller->token_id);
    session->expires_at = found->expires_at;
    atomic_init(&session->note_at, found->note_at);
    return session;
}

static const struct cache_terms terms = {.scopes = 1u << SCOPE_ACCOUNTS, .ttl_ms = KEPT_MS};

struct session *session_keep(const struct api *api, const char *token,
                             const struct authentication *found)
{
    struct session *session = session_new(found);
    if (!api->settings.sessions)
        return session;
    counted(session, RESULT_MISS);
    struct fingerprint fingerprint;
    struct cache_key key = key_of(api, token, &fingerprint);
    struct cache_vector vector = cache_vector_of(found->generations, SCOPES);
    cache_put(api->settings.sessions, &key, &terms, &vector, clock_monotonic_coarse_ms(),
              &session->value);
    return session;
}

enum cache_entrance session_enter(const struct api *api, const char *token,
                                  struct cache_waiter *waiter, struct session **ret_session,
                                  struct cache_flight **ret_flight)
{
    struct fingerprint fingerprint;
    struct cache_key key = key_of(api, token, &fingerprint);
    struct cache_value *value;
    enum cache_entrance entrance =
        cache_enter(api->settings.sessions, &key, &terms, clock_monotonic_coarse_ms(), waiter,
                    &value, ret_flight);
    static const enum count_result results[] = {
        [CACHE_HIT] = RESULT_HIT_L1, [CACHE_WAITS] = RESULT_COALESCED, [CACHE_LEADS] = RESULT_MISS};
    metrics_add(METRIC_CACHE_REQUESTS, COUNT_SESSIONS, results[entrance], 1);
    if (entrance == CACHE_HIT)
        *ret_session = session_of(value);
    return entrance;
}

bool session_land(struct cache_flight *flight, int64_t began_ms, enum status status,
                  const struct authentication *found, const struct err *err,
                  struct session **ret_session)
{
    struct cache_landing landing = {.status = status, .err = err};
    if (status == OK) {
        landing.vector = cache_vector_of(found->generations, SCOPES);
        landing.value = cache_found_at(flight, began_ms, &landing.vector);
        if (!landing.value)
            landing.value = &session_new(found)->value;
    }
    if (!cache_land(flight, &landing)) {
        cache_value_unref(landing.value);
        return false;
    }
    *ret_session = session_of(landing.value);
    return true;
}

struct session *session_of(struct cache_value *value)
{
    return (struct session *)value;
}

bool session_claim_note(struct session *session, int64_t now_ms)
{
    int64_t due_ms = atomic_load_explicit(&session->note_at, memory_order_relaxed);
    return due_ms <= now_ms &&
           atomic_compare_exchange_strong(&session->note_at, &due_ms, now_ms + TRY_AGAIN_MS);
}

void session_unref(struct session *session)
{
    if (session)
        cache_value_unref(&session->value);
}
