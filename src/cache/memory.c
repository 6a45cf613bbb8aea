/*
 * S3-FIFO: Yang, Zhang, Qiu, Yue and Vinayak, "FIFO queues are all you need for cache eviction",
 * SOSP 2023, algorithm 1.
 *
 * Most keys of a cache are asked for once. So a new entry goes to a small queue, a tenth of the
 * budget. At its end it is moved to the main queue if it was used more than once meanwhile; if not,
 * it is given up, and only its hash is remembered in the ghost queue. A key that comes back while
 * it is a ghost goes to the main queue at once. The main queue is a FIFO with a second chance: an
 * entry that was used goes back to its head with one use less. A scan over many keys therefore
 * passes through a tenth of the cache, and a use costs a counter and no move in a list.
 *
 * Rejected: LRU, which a scan empties and which moves an entry under the lock at each use; LFU
 * variants, which must age their counts.
 *
 * What is expired or outdated goes first, whatever its uses, when it reaches the end of its queue,
 * or when it is asked for.
 *
 * The ghost queue is a table of hashes with the time of their insertion, counted in insertions: a
 * ghost that is older than there are entries in the main queue is none. Its buckets have four
 * places; the oldest gives way.
 */
#include "cache/memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
    SMALL_TENTHS = 1, /* of the budget */
    USES_MAX = 3,
    USES_TO_MOVE = 2, /* "more than once" after the insertion */
    FIRST_BUCKETS = 64,
    GHOST_WAYS = 4,
    GHOSTS_MIN = 64,
    TTL_JITTER = 10, /* a tenth, up or down */
};

const char *const memory_loss_names[] = {"capacity", "expired", "outdated", "replaced", NULL};

enum queue { SMALL, MAIN };
enum { QUEUES = 2 };

struct entry {
    struct entry *next_in_bucket;
    struct entry *newer, *older; /* in its queue */
    uint64_t hash;
    struct cache_value *value;
    struct cache_vector vector;
    int64_t expires_ms;
    size_t bytes; /* the entry, its key and its value */
    size_t key_length;
    unsigned scopes;
    unsigned char uses;
    unsigned char queue;
    char key[];
};

struct fifo {
    struct entry *newest, *oldest;
    size_t entries, bytes;
};

struct ghost {
    uint32_t mark;     /* of the hash; 0: free */
    uint32_t inserted; /* the number of the insertion */
};

struct memory {
    const struct generations *k;
    size_t max_bytes;
    struct entry **buckets;
    size_t bucket_count; /* a power of 2 */
    struct fifo fifos[QUEUES];
    struct ghost *ghosts;
    size_t ghost_count; /* a power of 2 */
    uint32_t ghost_insertions;
    uint64_t random; /* for the jitter */
    struct cache_value *dead;
    uint64_t lost[MEMORY_LOSSES];
};

/* Values */

void cache_value_init(struct cache_value *value, size_t bytes,
                      void (*free_value)(struct cache_value *value))
{
    atomic_init(&value->references, 1);
    value->bytes = bytes;
    value->free = free_value;
    value->next_dead = NULL;
}

struct cache_value *cache_value_ref(struct cache_value *value)
{
    atomic_fetch_add_explicit(&value->references, 1, memory_order_relaxed);
    return value;
}

void cache_value_unref(struct cache_value *value)
{
    if (value && atomic_fetch_sub(&value->references, 1) == 1)
        value->free(value);
}

/* The ghost queue */

static size_t ghost_limit(const struct memory *memory)
{
    size_t entries = memory->fifos[MAIN].entries;
    return entries < GHOSTS_MIN ? GHOSTS_MIN : entries;
}

static bool ghost_lives(const struct memory *memory, const struct ghost *ghost)
{
    return ghost->mark && memory->ghost_insertions - ghost->inserted <= ghost_limit(memory);
}

static uint32_t ghost_mark(uint64_t hash)
{
    uint32_t mark = (uint32_t)(hash >> 32);
    return mark ? mark : 1;
}

static struct ghost *ghost_bucket(struct memory *memory, uint32_t mark)
{
    /* The mark's own bits: its bucket must be found again when the table grows. */
    uint64_t mixed = mark * UINT64_C(0x9E3779B97F4A7C15);
    return &memory->ghosts[(size_t)(mixed >> 32) & (memory->ghost_count - GHOST_WAYS)];
}

static void ghost_place(struct memory *memory, struct ghost ghost)
{
    struct ghost *bucket = ghost_bucket(memory, ghost.mark), *oldest = bucket;
    for (int i = 0; i < GHOST_WAYS; i++) {
        if (!ghost_lives(memory, &bucket[i])) {
            bucket[i] = ghost;
            return;
        }
        if (memory->ghost_insertions - bucket[i].inserted >
            memory->ghost_insertions - oldest->inserted)
            oldest = &bucket[i];
    }
    *oldest = ghost;
}

/** Room for twice as many as may live. */
static void grow_ghosts(struct memory *memory)
{
    if (memory->ghost_count >= 2 * ghost_limit(memory))
        return;
    struct ghost *old = memory->ghosts;
    size_t old_count = memory->ghost_count;
    memory->ghost_count *= 2;
    memory->ghosts = mem_zalloc(memory->ghost_count, sizeof *memory->ghosts);
    for (size_t i = 0; i < old_count; i++)
        if (ghost_lives(memory, &old[i]))
            ghost_place(memory, old[i]);
    free(old);
}

static void ghost_remember(struct memory *memory, uint64_t hash)
{
    ghost_place(memory, (struct ghost){ghost_mark(hash), ++memory->ghost_insertions});
}

/** Is it a ghost? It is none any more. */
static bool ghost_take(struct memory *memory, uint64_t hash)
{
    uint32_t mark = ghost_mark(hash);
    struct ghost *bucket = ghost_bucket(memory, mark);
    for (int i = 0; i < GHOST_WAYS; i++) {
        if (bucket[i].mark == mark && ghost_lives(memory, &bucket[i])) {
            bucket[i] = (struct ghost){0};
            return true;
        }
    }
    return false;
}

/* The queues */

static void fifo_push(struct memory *memory, enum queue queue, struct entry *entry)
{
    struct fifo *fifo = &memory->fifos[queue];
    entry->queue = (unsigned char)queue;
    entry->newer = NULL;
    entry->older = fifo->newest;
    if (fifo->newest)
        fifo->newest->newer = entry;
    else
        fifo->oldest = entry;
    fifo->newest = entry;
    fifo->entries++;
    fifo->bytes += entry->bytes;
}

static void fifo_remove(struct memory *memory, struct entry *entry)
{
    struct fifo *fifo = &memory->fifos[entry->queue];
    if (entry->newer)
        entry->newer->older = entry->older;
    else
        fifo->newest = entry->older;
    if (entry->older)
        entry->older->newer = entry->newer;
    else
        fifo->oldest = entry->newer;
    fifo->entries--;
    fifo->bytes -= entry->bytes;
}

/* Entries */

static struct entry **bucket_of(struct memory *memory, uint64_t hash)
{
    return &memory->buckets[hash & (memory->bucket_count - 1)];
}

static struct entry *find(struct memory *memory, const struct cache_key *key)
{
    struct entry *entry = *bucket_of(memory, key->hash);
    while (entry && !(entry->hash == key->hash && entry->key_length == key->length &&
                      memcmp(entry->key, key->text, key->length) == 0))
        entry = entry->next_in_bucket;
    return entry;
}

static void give_up_value(struct memory *memory, struct cache_value *value)
{
    value->next_dead = memory->dead;
    memory->dead = value;
}

/** One of the main queue that did not go for want of use comes back to that queue. */
static void drop(struct memory *memory, struct entry *entry, enum memory_loss why)
{
    if (entry->queue == MAIN && why != LOST_CAPACITY)
        ghost_remember(memory, entry->hash);
    struct entry **at = bucket_of(memory, entry->hash);
    while (*at != entry)
        at = &(*at)->next_in_bucket;
    *at = entry->next_in_bucket;
    fifo_remove(memory, entry);
    give_up_value(memory, entry->value);
    memory->lost[why]++;
    free(entry);
}

/** Drop it if nobody may have it any more. */
static bool drop_if_dead(struct memory *memory, struct entry *entry, int64_t now_ms)
{
    bool expired = entry->expires_ms <= now_ms;
    if (!expired && generations_hold(memory->k, &entry->vector, entry->scopes))
        return false;
    drop(memory, entry, expired ? LOST_EXPIRED : LOST_OUTDATED);
    return true;
}

static size_t used_bytes(const struct memory *memory)
{
    return memory->fifos[SMALL].bytes + memory->fifos[MAIN].bytes +
           mem_footprint(memory->bucket_count * sizeof *memory->buckets) +
           mem_footprint(memory->ghost_count * sizeof *memory->ghosts) +
           mem_footprint(sizeof *memory);
}

/** True if something was given up; false if all were moved to the main queue. */
static bool evict_small(struct memory *memory, int64_t now_ms)
{
    for (struct entry *entry; (entry = memory->fifos[SMALL].oldest);) {
        if (drop_if_dead(memory, entry, now_ms))
            return true;
        if (entry->uses < USES_TO_MOVE) {
            ghost_remember(memory, entry->hash);
            drop(memory, entry, LOST_CAPACITY);
            return true;
        }
        fifo_remove(memory, entry);
        entry->uses = 0;
        fifo_push(memory, MAIN, entry);
    }
    return false;
}

static bool evict_main(struct memory *memory, int64_t now_ms)
{
    for (struct entry *entry; (entry = memory->fifos[MAIN].oldest);) {
        if (drop_if_dead(memory, entry, now_ms))
            return true;
        if (entry->uses == 0) {
            drop(memory, entry, LOST_CAPACITY);
            return true;
        }
        entry->uses--;
        fifo_remove(memory, entry);
        fifo_push(memory, MAIN, entry);
    }
    return false;
}

/** Give up one entry. False if there is none. */
static bool evict(struct memory *memory, int64_t now_ms)
{
    bool small_is_full = memory->fifos[SMALL].bytes >= memory->max_bytes / 10 * SMALL_TENTHS;
    if (small_is_full && evict_small(memory, now_ms))
        return true;
    return evict_main(memory, now_ms) || evict_small(memory, now_ms);
}

static void grow_buckets(struct memory *memory)
{
    if (memory->fifos[SMALL].entries + memory->fifos[MAIN].entries < memory->bucket_count)
        return;
    struct entry **old = memory->buckets;
    size_t old_count = memory->bucket_count;
    memory->bucket_count *= 2;
    memory->buckets = mem_zalloc(memory->bucket_count, sizeof *memory->buckets);
    for (size_t i = 0; i < old_count; i++) {
        for (struct entry *entry = old[i], *next; entry; entry = next) {
            struct entry **bucket = bucket_of(memory, entry->hash);
            next = entry->next_in_bucket;
            entry->next_in_bucket = *bucket;
            *bucket = entry;
        }
    }
    free(old);
}

/** xorshift64 (Marsaglia, "Xorshift RNGs", 2003): good enough to spread times. */
static uint64_t next_random(struct memory *memory)
{
    uint64_t x = memory->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return memory->random = x;
}

static int64_t expiry(struct memory *memory, unsigned ttl_ms, int64_t now_ms)
{
    unsigned spread = ttl_ms / TTL_JITTER;
    return now_ms + ttl_ms - spread + (int64_t)(next_random(memory) % (2 * spread + 1));
}

struct memory *memory_new(size_t max_bytes, const struct generations *k)
{
    struct memory *memory = mem_zalloc(1, sizeof *memory);
    memory->k = k;
    memory->max_bytes = max_bytes;
    memory->bucket_count = FIRST_BUCKETS;
    memory->buckets = mem_zalloc(memory->bucket_count, sizeof *memory->buckets);
    memory->ghost_count = 2 * GHOSTS_MIN;
    memory->ghosts = mem_zalloc(memory->ghost_count, sizeof *memory->ghosts);
    memory->random = (uint64_t)(uintptr_t)memory | 1;
    return memory;
}

void memory_free(struct memory *memory)
{
    if (!memory)
        return;
    for (int queue = 0; queue < QUEUES; queue++)
        while (memory->fifos[queue].oldest)
            drop(memory, memory->fifos[queue].oldest, LOST_CAPACITY);
    for (struct cache_value *value = memory_take_dead(memory), *next; value; value = next) {
        next = value->next_dead;
        cache_value_unref(value);
    }
    free(memory->buckets);
    free(memory->ghosts);
    free(memory);
}

struct cache_value *memory_get(struct memory *memory, const struct cache_key *key, int64_t now_ms)
{
    struct entry *entry = find(memory, key);
    if (!entry || drop_if_dead(memory, entry, now_ms))
        return NULL;
    if (entry->uses < USES_MAX)
        entry->uses++;
    return entry->value;
}

struct cache_value *memory_get_at(struct memory *memory, const struct cache_key *key,
                                  const struct cache_vector *vector, int64_t now_ms)
{
    struct entry *entry = find(memory, key);
    if (!entry || drop_if_dead(memory, entry, now_ms) ||
        (vector && !cache_vector_equal(&entry->vector, vector, entry->scopes)))
        return NULL;
    return entry->value;
}

bool memory_put(struct memory *memory, const struct cache_key *key, const struct cache_terms *terms,
                const struct cache_vector *vector, int64_t now_ms, struct cache_value *value)
{
    size_t bytes = mem_footprint(sizeof(struct entry) + key->length) + value->bytes;
    struct entry *old = find(memory, key);
    if (old) {
        if (cache_vector_covers(&old->vector, vector, terms->scopes) && old->expires_ms > now_ms)
            return false;
        drop(memory, old, LOST_REPLACED);
    }
    /* Tables grow only here, where room for them is made. */
    grow_buckets(memory);
    grow_ghosts(memory);
    while (used_bytes(memory) + bytes > memory->max_bytes && evict(memory, now_ms))
        continue;
    if (used_bytes(memory) + bytes > memory->max_bytes)
        return false;
    struct entry *entry = mem_alloc(sizeof *entry + key->length);
    *entry = (struct entry){
        .hash = key->hash,
        .value = cache_value_ref(value),
        .vector = *vector,
        .expires_ms = expiry(memory, terms->ttl_ms, now_ms),
        .bytes = bytes,
        .key_length = key->length,
        .scopes = terms->scopes,
    };
    memcpy(entry->key, key->text, key->length);
    struct entry **bucket = bucket_of(memory, key->hash);
    entry->next_in_bucket = *bucket;
    *bucket = entry;
    fifo_push(memory, ghost_take(memory, key->hash) ? MAIN : SMALL, entry);
    return true;
}

struct cache_value *memory_take_dead(struct memory *memory)
{
    struct cache_value *dead = memory->dead;
    memory->dead = NULL;
    return dead;
}

void memory_statistics(const struct memory *memory, struct memory_statistics *ret_statistics)
{
    *ret_statistics = (struct memory_statistics){
        .entries = memory->fifos[SMALL].entries + memory->fifos[MAIN].entries,
        .bytes = used_bytes(memory),
    };
    memcpy(ret_statistics->lost, memory->lost, sizeof memory->lost);
}
