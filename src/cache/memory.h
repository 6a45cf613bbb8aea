/**
 * The first level: values in memory, within a budget of bytes, evicted by S3-FIFO.
 *
 * One `struct memory` is one shard. Not thread-safe: the owner (cache/cache.h) holds a lock around
 * each call. Values that are given up are not freed there but handed out by memory_take_dead(), so
 * that nobody waits for their destruction under the lock.
 */
#ifndef OPENRISK_CACHE_MEMORY_H
#define OPENRISK_CACHE_MEMORY_H

#include <stdatomic.h>
#include <stddef.h>

#include "cache/generations.h"

/**
 * What is kept: counted, and immutable from the moment it is shared. Embedded as the first member
 * of the owner's struct; `free` is called by whoever lets go of the last reference, on any thread.
 */
struct cache_value {
    atomic_uint references;
    size_t bytes; /* all memory that comes back with `free`; see mem_footprint() */
    void (*free)(struct cache_value *value);
    struct cache_value *next_dead; /* the memory's own */
};
/** One reference, the caller's. */
void cache_value_init(struct cache_value *value, size_t bytes,
                      void (*free_value)(struct cache_value *value));
struct cache_value *cache_value_ref(struct cache_value *value);
void cache_value_unref(struct cache_value *value); /* NULL allowed */

/**
 * `hash` must be one that nobody outside can choose collisions for, such as SipHash with a secret
 * key; equal texts have equal hashes.
 */
struct cache_key {
    const char *text;
    size_t length;
    uint64_t hash;
};

/** What a value depends on, and how long it is kept at most. */
struct cache_terms {
    unsigned scopes;
    unsigned ttl_ms; /* each entry's own differs from it by up to a tenth, so that entries that were
                        made together do not expire together */
};

/** Why entries were given up. */
enum memory_loss {
    LOST_CAPACITY, /* others were used more */
    LOST_EXPIRED,  /* their time was over */
    LOST_OUTDATED, /* somebody wrote */
    LOST_REPLACED, /* by a newer value of the same key */
};
enum { MEMORY_LOSSES = 4 };
extern const char *const memory_loss_names[]; /* "capacity", … NULL-terminated */

struct memory_statistics {
    size_t entries, bytes;
    uint64_t lost[MEMORY_LOSSES];
};

struct memory;

/** `k` tells which entries are outdated; borrowed. */
struct memory *memory_new(size_t max_bytes, const struct generations *k);
void memory_free(struct memory *memory); /* NULL allowed */

/** The value of this key, counted as a use, without a reference; NULL. */
struct cache_value *memory_get(struct memory *memory, const struct cache_key *key, int64_t now_ms);
/**
 * The same, for one whose snapshot has this vector: an entry that has it too shows the same. NULL:
 * with whatever vector, but not outdated; not counted as a use either.
 */
struct cache_value *memory_get_at(struct memory *memory, const struct cache_key *key,
                                  const struct cache_vector *vector, int64_t now_ms);
/** Takes a reference of its own. False if a newer or equal one is there, or it is too large. */
bool memory_put(struct memory *memory, const struct cache_key *key, const struct cache_terms *terms,
                const struct cache_vector *vector, int64_t now_ms, struct cache_value *value);

/** What memory has let go of, linked by `next_dead`: for cache_value_unref(), without the lock. */
struct cache_value *memory_take_dead(struct memory *memory);
void memory_statistics(const struct memory *memory, struct memory_statistics *ret_statistics);

#endif
