/**
 * The cache: answers that many want, loaded once, and never given away after they are outdated.
 *
 * It keeps opaque, counted values by key in memory (cache/memory.h), and says by K which of them
 * may still be given away (cache/generations.h). It may share them with other nodes by a second
 * level (cache/second.h). It knows neither the database nor HTTP.
 *
 * For things that are found at once or not at all:
 *
 *     value = cache_get(cache, &key, now_ms);       … cache_value_unref(value);
 *     cache_put(cache, &key, &terms, &vector, now_ms, value);
 *
 * For things that are loaded, once however many ask (a flight):
 *
 *     switch (cache_enter(cache, &key, &terms, now_ms, &waiter, &value, &flight)) {
 *     case CACHE_HIT:    use `value`, then unref it
 *     case CACHE_WAITS:  `waiter.landed` will be called, once, on some thread
 *     case CACHE_LEADS:  if (cache_ask_second(flight, &inquiry))
 *                            `inquiry.answered` will be called, once, on some thread
 *                        load, if it said no, or says so:
 *         do {
 *             look = generations_look(k);
 *             begin a snapshot; read its generations into `vector`; generations_seen(k, look, …)
 *             value = cache_found_at(flight, look.began_ms, &vector)
 *             … or, if that is NULL, make it from the snapshot
 *         } while (!cache_land(flight, &landing));
 *     }
 *
 * A load that cannot even begin lands with a status. Whoever leads must land.
 *
 * The key of a flight includes K at its start, so a reader who arrives after a write never joins a
 * load that began before it. A load that ends below K is repeated once; if K has passed it again,
 * it is given to those who wait, who all came before that, and not kept.
 *
 * All functions are thread-safe; none calls back under a lock. Times are of the monotonic clock;
 * the coarse one will do.
 */
#ifndef OPENRISK_CACHE_CACHE_H
#define OPENRISK_CACHE_CACHE_H

#include "base/status.h"
#include "cache/memory.h"
#include "cache/second.h"

struct cache;
struct cache_flight;

struct cache_settings {
    size_t max_bytes;       /* for everything: values, keys, tables */
    size_t entry_max_bytes; /* larger values pass by; a quarter of a shard at most */
    unsigned shards_max;    /* a power of 2; small budgets get fewer */
    size_t label;           /* its place among the caches in metrics (SET_CACHE) */
};

/** `k` is borrowed. */
struct cache *cache_new(const struct cache_settings *settings, struct generations *k);
void cache_free(struct cache *cache); /* NULL allowed; no flight is under way */

/** What is not in memory is asked for there, and what is loaded is stored there too. Borrowed. */
void cache_set_second(struct cache *cache, struct second_level *second);

/** A counted value or NULL. */
struct cache_value *cache_get(struct cache *cache, const struct cache_key *key, int64_t now_ms);
/**
 * The same while the database is away, in the grace (generations_have_grace()): nobody knows
 * whether another process has written, and whoever gets the value must be told that it is
 * unverified. For one who got nothing from cache_get(); costs nothing while the database is there.
 */
struct cache_value *cache_get_unverified(struct cache *cache, const struct cache_key *key,
                                         int64_t now_ms);
/** Keep `value` (a reference of the cache's own), unless it is outdated or too large. */
bool cache_put(struct cache *cache, const struct cache_key *key, const struct cache_terms *terms,
               const struct cache_vector *vector, int64_t now_ms, struct cache_value *value);

/** Is a value of this size kept at all? */
bool cache_takes(const struct cache *cache, size_t bytes);

/** How a load ended. */
struct cache_landing {
    enum status status;
    const struct err *err;      /* unless OK */
    struct cache_value *value;  /* if OK; a reference of the caller's */
    struct cache_vector vector; /* if OK: of the snapshot that `value` shows */
    bool stored;                /* set by cache_land() */
};

/** Embedded by who asks; the owner's again once `landed` was called. */
struct cache_waiter {
    /** `landing` is the flight's; a value in it is borrowed: take a reference to keep it. */
    void (*landed)(struct cache_waiter *waiter, const struct cache_landing *landing);
    int64_t deadline_ms; /* past it cache_tick() lets it land with BUSY */
    struct cache_waiter *next;
};

enum cache_entrance { CACHE_HIT, CACHE_LEADS, CACHE_WAITS };
/** `ret_value` (a reference) with CACHE_HIT, `ret_flight` with CACHE_LEADS. */
enum cache_entrance cache_enter(struct cache *cache, const struct cache_key *key,
                                const struct cache_terms *terms, int64_t now_ms,
                                struct cache_waiter *waiter, struct cache_value **ret_value,
                                struct cache_flight **ret_flight);

/** Embedded by the leader; theirs again once `answered` is called. Zeroed but for that. */
struct cache_inquiry {
    /**
     * Once. With a landing the flight is over, and the value in it is borrowed, as for a waiter;
     * NULL: nothing was found, and the leader loads.
     */
    void (*answered)(struct cache_inquiry *inquiry, const struct cache_landing *landing);
    struct cache_flight *flight; /* its own, and the rest */
    struct second_question question;
};
/**
 * Ask the second level for what K says is the newest. False, and `answered` is not called, if there
 * is none, it is not to be asked now, or K is not to be relied on. Before anything is loaded.
 */
bool cache_ask_second(struct cache_flight *flight, struct cache_inquiry *inquiry) MUST_CHECK;

/**
 * The leader has a snapshot with this vector: a counted value that shows the same state, if
 * somebody else has stored one. NULL: is there one that might? Also tells the flight when its
 * snapshot began.
 */
struct cache_value *cache_found_at(struct cache_flight *flight, int64_t began_ms,
                                   const struct cache_vector *vector);

/**
 * End a flight: keep the value, let the waiters land, free the flight. False if K has passed the
 * load for the first time; then nothing happened, and it must be loaded once more.
 */
bool cache_land(struct cache_flight *flight, struct cache_landing *landing) MUST_CHECK;

/** From time to time: end the wait of those whose deadline has passed. */
void cache_tick(struct cache *cache, int64_t now_ms);

struct cache_statistics {
    size_t entries, bytes, max_bytes;
    uint64_t hits;          /* given away at once … */
    uint64_t unverified;    /* … and of these, while the database was away */
    uint64_t loads;         /* flights, one per miss that nobody else was loading … */
    uint64_t second_hits;   /* … or that the second level answered, and then it is no load */
    uint64_t coalesced;     /* asked while somebody loaded, and waited */
    uint64_t load_failures; /* flights that ended with an error, for all of their waiters */
    uint64_t repeats;       /* loads that K passed, and that were done once more */
    uint64_t stores;
    uint64_t passed;    /* not kept: K had passed them */
    uint64_t too_large; /* not kept: over the limit for an entry */
    uint64_t late;      /* waiters whose deadline passed */
    uint64_t lost[MEMORY_LOSSES];
    unsigned flights, waiting; /* now */
};
void cache_statistics(struct cache *cache, struct cache_statistics *ret_statistics);

#endif
