#include "cache/cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "metrics/metrics.h"

enum { FLIGHT_BUCKETS = 64, SHARD_BYTES_MIN = 4 << 20, ENTRIES_PER_SHARD_MIN = 4 };

struct cache_flight {
    struct cache_flight *next; /* the shard's lock guards this and what follows, but the key */
    struct cache *cache;
    struct cache_terms terms;
    struct cache_known known; /* K when it began: part of what it is found by */
    int64_t began_ms;         /* of its snapshot; 0 while it waits for one */
    int64_t entered_us;       /* when it was made */
    bool repeated;
    struct cache_waiter *first, **last;
    struct cache_key key;
    char text[];
};

struct shard {
    pthread_mutex_t lock; /* guards all of the shard */
    struct memory *memory;
    struct cache_flight *flights[FLIGHT_BUCKETS];
    struct cache_statistics counts; /* but entries, bytes, max_bytes, lost */
} __attribute__((aligned(64)));

struct cache {
    struct cache_settings settings;
    struct generations *k;
    struct second_level *second; /* or NULL */
    unsigned shard_count;        /* a power of 2 */
    struct shard *shards;
};

struct cache *cache_new(const struct cache_settings *settings, struct generations *k)
{
    struct cache *cache = mem_zalloc(1, sizeof *cache);
    cache->settings = *settings;
    cache->k = k;
    cache->shard_count = 1;
    while (cache->shard_count < settings->shards_max &&
           settings->max_bytes / (cache->shard_count * 2) >= SHARD_BYTES_MIN)
        cache->shard_count *= 2;
    size_t shard_bytes = settings->max_bytes / cache->shard_count;
    if (cache->settings.entry_max_bytes > shard_bytes / ENTRIES_PER_SHARD_MIN)
        cache->settings.entry_max_bytes = shard_bytes / ENTRIES_PER_SHARD_MIN;
    cache->shards = mem_aligned(64, cache->shard_count * sizeof *cache->shards);
    for (unsigned i = 0; i < cache->shard_count; i++) {
        pthread_mutex_init(&cache->shards[i].lock, NULL);
        cache->shards[i].memory = memory_new(shard_bytes, k);
    }
    return cache;
}

void cache_free(struct cache *cache)
{
    if (!cache)
        return;
    for (unsigned i = 0; i < cache->shard_count; i++) {
        memory_free(cache->shards[i].memory);
        pthread_mutex_destroy(&cache->shards[i].lock);
    }
    free(cache->shards);
    free(cache);
}

void cache_set_second(struct cache *cache, struct second_level *second)
{
    cache->second = second;
}

static struct shard *lock_shard(struct cache *cache, const struct cache_key *key)
{
    /* The memory's tables use the lowest bits, its ghosts the highest. */
    struct shard *shard = &cache->shards[(key->hash >> 24) & (cache->shard_count - 1)];
    pthread_mutex_lock(&shard->lock);
    return shard;
}

/** Values are destroyed after the lock is given back. */
static void unlock_shard(struct shard *shard)
{
    struct cache_value *dead = memory_take_dead(shard->memory);
    pthread_mutex_unlock(&shard->lock);
    for (struct cache_value *next; dead; dead = next) {
        next = dead->next_dead;
        cache_value_unref(dead);
    }
}

/** Under the lock: a counted value that may be given away now. */
static struct cache_value *hit(struct cache *cache, struct shard *shard,
                               const struct cache_key *key, int64_t now_ms)
{
    if (!generations_are_fresh(cache->k, now_ms))
        return NULL;
    struct cache_value *value = memory_get(shard->memory, key, now_ms);
    if (!value)
        return NULL;
    shard->counts.hits++;
    return cache_value_ref(value);
}

struct cache_value *cache_get(struct cache *cache, const struct cache_key *key, int64_t now_ms)
{
    struct shard *shard = lock_shard(cache, key);
    struct cache_value *value = hit(cache, shard, key, now_ms);
    unlock_shard(shard);
    return value;
}

struct cache_value *cache_get_unverified(struct cache *cache, const struct cache_key *key,
                                         int64_t now_ms)
{
    if (!generations_have_grace(cache->k, now_ms))
        return NULL;
    /* What had not expired when the database was last seen does not grow old meanwhile: nothing
     * newer is to be had. */
    int64_t seen_ms = generations_seen_ms(cache->k);
    struct shard *shard = lock_shard(cache, key);
    struct cache_value *value = memory_get(shard->memory, key, seen_ms);
    if (value) {
        cache_value_ref(value);
        shard->counts.hits++;
        shard->counts.unverified++;
    }
    unlock_shard(shard);
    return value;
}

bool cache_takes(const struct cache *cache, size_t bytes)
{
    return bytes <= cache->settings.entry_max_bytes;
}

/** Under the lock. */
static bool store(struct cache *cache, struct shard *shard, const struct cache_key *key,
                  const struct cache_terms *terms, const struct cache_vector *vector,
                  int64_t now_ms, struct cache_value *value)
{
    if (!cache_takes(cache, value->bytes + key->length)) {
        shard->counts.too_large++;
        return false;
    }
    if (!generations_hold(cache->k, vector, terms->scopes)) {
        shard->counts.passed++;
        return false;
    }
    bool stored = memory_put(shard->memory, key, terms, vector, now_ms, value);
    shard->counts.stores += stored;
    return stored;
}

bool cache_put(struct cache *cache, const struct cache_key *key, const struct cache_terms *terms,
               const struct cache_vector *vector, int64_t now_ms, struct cache_value *value)
{
    struct shard *shard = lock_shard(cache, key);
    bool stored = store(cache, shard, key, terms, vector, now_ms, value);
    unlock_shard(shard);
    if (stored && cache->second)
        second_put(cache->second, key, terms, vector, value);
    return stored;
}

/* Flights */

static struct cache_flight **flights_of(struct shard *shard, const struct cache_key *key)
{
    return &shard->flights[key->hash % FLIGHT_BUCKETS];
}

/**
 * May somebody who arrives now take part? Not if a write came between, nor if other processes have
 * had longer to write since its snapshot than a fresh K allows.
 */
static bool may_join(const struct cache *cache, const struct cache_flight *flight,
                     const struct cache_known *known, int64_t now_ms)
{
    bool recent =
        flight->began_ms == 0 || now_ms <= flight->began_ms + generations_fresh_ms(cache->k);
    return recent && cache_known_equal(&flight->known, known, flight->terms.scopes);
}

static struct cache_flight *find_flight(struct cache *cache, struct shard *shard,
                                        const struct cache_key *key,
                                        const struct cache_known *known, int64_t now_ms)
{
    for (struct cache_flight *flight = *flights_of(shard, key); flight; flight = flight->next)
        if (flight->key.hash == key->hash && flight->key.length == key->length &&
            memcmp(flight->text, key->text, key->length) == 0 &&
            may_join(cache, flight, known, now_ms))
            return flight;
    return NULL;
}

static struct cache_flight *flight_new(struct cache *cache, struct shard *shard,
                                       const struct cache_key *key, const struct cache_terms *terms,
                                       const struct cache_known *known)
{
    struct cache_flight *flight = mem_alloc(sizeof *flight + key->length), **bucket;
    *flight = (struct cache_flight){.cache = cache,
                                    .terms = *terms,
                                    .known = *known,
                                    .key = *key,
                                    .last = &flight->first,
                                    .entered_us = clock_monotonic_us()};
    memcpy(flight->text, key->text, key->length);
    flight->key.text = flight->text;
    bucket = flights_of(shard, key);
    flight->next = *bucket;
    *bucket = flight;
    shard->counts.flights++;
    shard->counts.loads++;
    return flight;
}

static unsigned count_waiters(const struct cache_waiter *waiter)
{
    unsigned count = 0;
    for (; waiter; waiter = waiter->next)
        count++;
    return count;
}

/** Under the lock under which its value is stored: nobody can find neither of them. */
static void take_off(struct shard *shard, struct cache_flight *flight)
{
    struct cache_flight **at = flights_of(shard, &flight->key);
    while (*at != flight)
        at = &(*at)->next;
    *at = flight->next;
    shard->counts.flights--;
    shard->counts.waiting -= count_waiters(flight->first);
}

enum cache_entrance cache_enter(struct cache *cache, const struct cache_key *key,
                                const struct cache_terms *terms, int64_t now_ms,
                                struct cache_waiter *waiter, struct cache_value **ret_value,
                                struct cache_flight **ret_flight)
{
    struct shard *shard = lock_shard(cache, key);
    enum cache_entrance entrance = CACHE_HIT;
    struct cache_value *value = hit(cache, shard, key, now_ms);
    if (value) {
        *ret_value = value;
    } else {
        struct cache_known known = generations_known(cache->k);
        struct cache_flight *flight = find_flight(cache, shard, key, &known, now_ms);
        if (flight) {
            entrance = CACHE_WAITS;
            waiter->next = NULL;
            *flight->last = waiter;
            flight->last = &waiter->next;
            shard->counts.coalesced++;
            shard->counts.waiting++;
        } else {
            entrance = CACHE_LEADS;
            *ret_flight = flight_new(cache, shard, key, terms, &known);
        }
    }
    unlock_shard(shard);
    return entrance;
}

struct cache_value *cache_found_at(struct cache_flight *flight, int64_t began_ms,
                                   const struct cache_vector *vector)
{
    struct cache *cache = flight->cache;
    struct shard *shard = lock_shard(cache, &flight->key);
    flight->began_ms = began_ms;
    struct cache_value *value = memory_get_at(shard->memory, &flight->key, vector, began_ms);
    if (value)
        cache_value_ref(value);
    unlock_shard(shard);
    return value;
}

static void let_land(struct cache_waiter *waiter, const struct cache_landing *landing)
{
    for (struct cache_waiter *next; waiter; waiter = next) {
        next = waiter->next;
        waiter->landed(waiter, landing);
    }
}

static void measure(const struct cache_flight *flight)
{
    metrics_observe(METRIC_CACHE_LOAD_SECONDS, flight->cache->settings.label, 0,
                    clock_monotonic_us() - flight->entered_us);
}

bool cache_land(struct cache_flight *flight, struct cache_landing *landing)
{
    struct cache *cache = flight->cache;
    struct shard *shard = lock_shard(cache, &flight->key);
    bool loaded = landing->status == OK;
    landing->stored = false;
    if (loaded && !flight->repeated &&
        !generations_hold(cache->k, &landing->vector, flight->terms.scopes)) {
        flight->repeated = true;
        shard->counts.repeats++;
        unlock_shard(shard);
        return false;
    }
    if (loaded)
        landing->stored = store(cache, shard, &flight->key, &flight->terms, &landing->vector,
                                flight->began_ms, landing->value);
    else
        shard->counts.load_failures++;
    take_off(shard, flight);
    unlock_shard(shard);
    if (landing->stored && cache->second)
        second_put(cache->second, &flight->key, &flight->terms, &landing->vector, landing->value);
    measure(flight);
    let_land(flight->first, landing);
    free(flight);
    return true;
}

/* The second level */

/**
 * As a load that ends; but if K has passed it, or is not fresh any more, it is as if nothing had
 * been found: some may have joined long after K was read.
 */
static void found(struct second_question *question, struct cache_value *value, int64_t ttl_ms)
{
    struct cache_inquiry *inquiry = CONTAINER_OF(question, struct cache_inquiry, question);
    struct cache_flight *flight = inquiry->flight;
    struct cache *cache = flight->cache;
    struct cache_landing landing = {.value = value, .vector = flight->known.vector};
    struct cache_terms terms = flight->terms;
    if (ttl_ms < terms.ttl_ms)
        terms.ttl_ms = (unsigned)ttl_ms;
    struct shard *shard = lock_shard(cache, &flight->key);
    int64_t now_ms = clock_monotonic_ms();
    bool lands = value && generations_are_fresh(cache->k, now_ms) &&
                 generations_hold(cache->k, &landing.vector, terms.scopes);
    if (lands) {
        landing.stored = store(cache, shard, &flight->key, &terms, &landing.vector, now_ms, value);
        shard->counts.loads--;
        shard->counts.second_hits++;
        take_off(shard, flight);
    }
    unlock_shard(shard);
    if (lands) {
        measure(flight);
        let_land(flight->first, &landing);
        free(flight);
    }
    inquiry->answered(inquiry, lands ? &landing : NULL);
    cache_value_unref(value);
}

bool cache_ask_second(struct cache_flight *flight, struct cache_inquiry *inquiry)
{
    struct cache *cache = flight->cache;
    inquiry->flight = flight;
    inquiry->question.answered = found;
    return cache->second && generations_are_fresh(cache->k, clock_monotonic_ms()) &&
           second_ask(cache->second, &flight->key, flight->terms.scopes, &flight->known.vector,
                      &inquiry->question);
}

/** Under the lock: take those out whose deadline has passed. */
static void take_late(struct cache_flight *flight, int64_t now_ms, struct cache_waiter **ret_late,
                      struct cache_statistics *counts)
{
    struct cache_waiter **at = &flight->first;
    while (*at) {
        struct cache_waiter *waiter = *at;
        if (waiter->deadline_ms > now_ms) {
            at = &waiter->next;
            continue;
        }
        *at = waiter->next;
        waiter->next = *ret_late;
        *ret_late = waiter;
        counts->waiting--;
        counts->late++;
    }
    flight->last = at;
}

void cache_tick(struct cache *cache, int64_t now_ms)
{
    struct cache_waiter *late = NULL;
    for (unsigned i = 0; i < cache->shard_count; i++) {
        struct shard *shard = &cache->shards[i];
        pthread_mutex_lock(&shard->lock);
        for (int bucket = 0; shard->counts.waiting > 0 && bucket < FLIGHT_BUCKETS; bucket++)
            for (struct cache_flight *flight = shard->flights[bucket]; flight;
                 flight = flight->next)
                take_late(flight, now_ms, &late, &shard->counts);
        pthread_mutex_unlock(&shard->lock);
    }
    if (!late)
        return;
    struct err err;
    struct cache_landing landing = {.err = &err};
    landing.status = err_set(&err, BUSY, NULL, "the answer took too long to make; try again");
    err.retry_after_s = 1;
    let_land(late, &landing);
}

void cache_statistics(struct cache *cache, struct cache_statistics *ret_statistics)
{
    struct cache_statistics all = {.max_bytes = cache->settings.max_bytes};
    for (unsigned i = 0; i < cache->shard_count; i++) {
        struct shard *shard = &cache->shards[i];
        struct memory_statistics memory;
        pthread_mutex_lock(&shard->lock);
        const struct cache_statistics *counts = &shard->counts;
        memory_statistics(shard->memory, &memory);
        all.hits += counts->hits;
        all.unverified += counts->unverified;
        all.loads += counts->loads;
        all.second_hits += counts->second_hits;
        all.coalesced += counts->coalesced;
        all.load_failures += counts->load_failures;
        all.repeats += counts->repeats;
        all.stores += counts->stores;
        all.passed += counts->passed;
        all.too_large += counts->too_large;
        all.late += counts->late;
        all.flights += counts->flights;
        all.waiting += counts->waiting;
        pthread_mutex_unlock(&shard->lock);
        all.entries += memory.entries;
        all.bytes += memory.bytes;
        for (int why = 0; why < MEMORY_LOSSES; why++)
            all.lost[why] += memory.lost[why];
    }
    *ret_statistics = all;
}
