#include "cache/generations.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

/*
 * Everything is sequentially consistent. An answer, and the request that follows it, travel through
 * sockets, so what was raised before an answer left is seen by whoever handles the next request.
 *
 * `confirmed` follows `doubts`: a read confirms the doubts that were there when it began. A doubt
 * that comes while it reads stays. In the same way `answered_ms` follows `failed_ms`, and nothing
 * needs to be taken back when the database returns: a failure that is told late changes nothing.
 */
enum { EVERY_SCOPE = (1u << CACHE_SCOPES_MAX) - 1 };

struct generations {
    unsigned fresh_ms, grace_ms;
    _Atomic int64_t of[CACHE_SCOPES_MAX];
    _Atomic uint64_t doubts, confirmed;
    _Atomic int64_t began_ms;    /* of the youngest read that K rests on; 0: none yet */
    _Atomic int64_t answered_ms; /* the same, also of those that found the database gone back */
    _Atomic int64_t failed_ms;   /* when the youngest one began that failed; 0: none yet */
};

struct cache_vector cache_vector_of(const int64_t *numbers, size_t count)
{
    struct cache_vector vector = {0};
    memcpy(vector.of, numbers, count * sizeof *numbers);
    return vector;
}

struct generations *generations_new(unsigned fresh_ms, unsigned grace_ms)
{
    struct generations *k = mem_zalloc(1, sizeof *k);
    k->fresh_ms = fresh_ms;
    k->grace_ms = grace_ms;
    return k;
}

void generations_free(struct generations *k)
{
    free(k);
}

static void raise(_Atomic int64_t *number, int64_t to)
{
    int64_t now = atomic_load(number);
    while (now < to && !atomic_compare_exchange_weak(number, &now, to))
        continue;
}

static void raise_count(_Atomic uint64_t *number, uint64_t to)
{
    uint64_t now = atomic_load(number);
    while (now < to && !atomic_compare_exchange_weak(number, &now, to))
        continue;
}

struct cache_look generations_look(const struct generations *k)
{
    struct cache_known known = generations_known(k);
    return (struct cache_look){
        .doubts = known.doubts, .began_ms = clock_monotonic_ms(), .known = known.vector};
}

bool generations_seen(struct generations *k, struct cache_look look,
                      const struct cache_vector *vector)
{
    for (int scope = 0; scope < CACHE_SCOPES_MAX; scope++)
        raise(&k->of[scope], vector->of[scope]);
    if (!cache_vector_covers(vector, &look.known, EVERY_SCOPE)) {
        generations_doubt(k);
        raise(&k->answered_ms, look.began_ms);
        return false;
    }
    raise_count(&k->confirmed, look.doubts);
    raise(&k->began_ms, look.began_ms);
    raise(&k->answered_ms, look.began_ms);
    return true;
}

void generations_failed(struct generations *k, struct cache_look look)
{
    raise(&k->failed_ms, look.began_ms);
}

void generations_raise(struct generations *k, unsigned scopes, const struct cache_vector *bumped)
{
    for (int scope = 0; scope < CACHE_SCOPES_MAX; scope++)
        if (scopes & 1u << scope)
            raise(&k->of[scope], bumped->of[scope]);
}

void generations_doubt(struct generations *k)
{
    atomic_fetch_add(&k->doubts, 1);
}

struct cache_known generations_known(const struct generations *k)
{
    struct cache_known known = {.doubts = atomic_load(&k->doubts)};
    for (int scope = 0; scope < CACHE_SCOPES_MAX; scope++)
        known.vector.of[scope] = atomic_load(&k->of[scope]);
    return known;
}

bool cache_known_equal(const struct cache_known *a, const struct cache_known *b, unsigned scopes)
{
    return a->doubts == b->doubts && cache_vector_equal(&a->vector, &b->vector, scopes);
}

bool generations_are_fresh(const struct generations *k, int64_t now_ms)
{
    int64_t began_ms = atomic_load(&k->began_ms);
    return began_ms != 0 && now_ms <= began_ms + k->fresh_ms &&
           atomic_load(&k->doubts) == atomic_load(&k->confirmed);
}

bool generations_are_away(const struct generations *k)
{
    return atomic_load(&k->failed_ms) > atomic_load(&k->answered_ms);
}

bool generations_have_grace(const struct generations *k, int64_t now_ms)
{
    int64_t began_ms = atomic_load(&k->began_ms);
    bool has_gone_back = atomic_load(&k->answered_ms) > began_ms;
    return k->grace_ms > 0 && began_ms != 0 && generations_are_away(k) && !has_gone_back &&
           now_ms <= began_ms + k->grace_ms;
}

int64_t generations_seen_ms(const struct generations *k)
{
    return atomic_load(&k->began_ms);
}

int64_t generations_age_ms(const struct generations *k, int64_t now_ms)
{
    int64_t began_ms = atomic_load(&k->began_ms);
    if (began_ms == 0)
        return -1;
    return now_ms > began_ms ? now_ms - began_ms : 0;
}

unsigned generations_fresh_ms(const struct generations *k)
{
    return k->fresh_ms;
}

bool generations_hold(const struct generations *k, const struct cache_vector *vector,
                      unsigned scopes)
{
    for (int scope = 0; scopes >> scope; scope++)
        if (scopes & 1u << scope && vector->of[scope] < atomic_load(&k->of[scope]))
            return false;
    return true;
}

bool generations_reach(const struct generations *k, const struct cache_vector *vector)
{
    struct cache_known known = generations_known(k);
    return cache_vector_covers(&known.vector, vector, EVERY_SCOPE);
}

bool cache_vector_equal(const struct cache_vector *a, const struct cache_vector *b, unsigned scopes)
{
    return cache_vector_covers(a, b, scopes) && cache_vector_covers(b, a, scopes);
}

bool cache_vector_covers(const struct cache_vector *a, const struct cache_vector *b,
                         unsigned scopes)
{
    for (int scope = 0; scopes >> scope; scope++)
        if (scopes & 1u << scope && a->of[scope] < b->of[scope])
            return false;
    return true;
}
